"""Loading a signing key with its certificate, wherever the key lies: the packet's, or a person's who approves."""

from evidence.config import Config, PacketConfig
from evidence.signing import kms, pkcs11
from evidence.signing.certificate import PacketKey, load_packet_key


def load_identity(config: Config, settings: PacketConfig) -> PacketKey:
    """Return the key that ``settings`` names: PEM, PKCS#12, KMS or PKCS#11; paths are relative to the configuration's workspace.

    Raises ``ConfigError``. Passphrase and PIN come by reference (``env:``, ``file:``), never as words.
    """
    path = config.path(settings.certificate)
    body = path.read_bytes() if path.is_file() else b""
    links = [config.path(link).read_bytes() for link in settings.chain]
    if settings.key.startswith(kms.PREFIX):
        return kms.kms_packet_key(settings.key, body, links)
    passphrase = config.secret(settings.key_passphrase).rstrip(b"\r\n") if settings.key_passphrase else None
    if settings.key.startswith(pkcs11.PREFIX):
        return pkcs11.token_packet_key(settings.key, passphrase.decode() if passphrase else None, body, links)
    return load_packet_key(config.secret(settings.key), body, links, passphrase or None)

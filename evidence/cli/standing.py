"""What packets carry to be judged offline: revocation lists, OCSP responses, a document time-stamp; fetched from configured addresses only."""

from collections.abc import Sequence
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from evidence.config import Config
from evidence.errors import ConfigError, MalformedError, PacketRefusedError
from evidence.signing.certificate import PacketKey, load_certificates
from evidence.signing.ocsp import fetch_list, responses_for
from evidence.signing.pades import Pades
from evidence.signing.revocation import load_list


def lists_of(config: Config) -> list[bytes]:
    """Return the lists of ``[packet] crls``, DER, each once. Raises ``ConfigError`` or ``SourceUnavailableError``."""
    found: dict[bytes, str] = {}
    for name in config.packet.crls:
        try:
            body = fetch_list(name) if "://" in name else config.path(name).read_bytes()
            found[load_list(body, name).public_bytes(Encoding.DER)] = name
        except (OSError, MalformedError) as exc:
            raise ConfigError(f"packet.crls: {name}: {exc}", fix="save the authority's current list there") from exc
    return list(found)


def pades_of(config: Config, key: PacketKey, lists: Sequence[bytes], now: datetime) -> Pades:
    """Return what the PDF's signature carries beside ``lists``; asks ``[packet] ocsp``.

    Raises ``ConfigError`` for more than the configuration can give, ``PacketRefusedError`` for a signer that is revoked.
    """
    settings = config.packet
    if (settings.pades == "b-lta" or settings.ocsp) and not settings.tsa:
        raise ConfigError('pades = "b-lta" and ocsp need a time-stamp authority', fix="name one in [packet] tsa")
    for body in lists:
        one = load_list(body, "a list of packet.crls")
        if one.issuer == key.certificate.issuer and one.get_revoked_certificate_by_serial_number(
            key.certificate.serial_number
        ):
            raise PacketRefusedError(
                f"the signer's certificate {key.subject} is revoked, by a list of packet.crls",
                fix="sign with another certificate",
            )
    answers = responses_for(key, _roots(config), settings.ocsp, now)
    return Pades(responses=tuple(answers), archive=settings.pades == "b-lta")


def _roots(config: Config) -> list[Certificate]:
    """Certificates of the trust folder: an issuer may be the root, which no chain has."""
    folder = config.path("trust")
    return [one for path in sorted(folder.glob("*.pem")) for one in load_certificates(path.read_bytes(), path.name)]

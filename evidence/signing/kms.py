"""A packet key in AWS KMS: the private half never leaves the service; each signature is one ``Sign`` call.

``MessageType`` is always ``RAW``: the signed attributes of a CMS signature are far below the 4,096 bytes that KMS takes, and
the service hashes what it is given (docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html). Credentials come from the
SDK's own chain; the rights needed are ``kms:GetPublicKey`` and ``kms:Sign``.
"""

from collections.abc import Sequence
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from evidence.errors import ConfigError
from evidence.signing.certificate import PacketKey, load_certificates

PREFIX: Final = "kms:"
_FIXES: Final = {
    "AccessDeniedException": "grant kms:GetPublicKey and kms:Sign on this key",
    "NotFoundException": 'check [packet] key = "kms:KEY ID OR ARN" and the region',
    "DisabledException": "enable the key, or name another one",
    "KMSInvalidStateException": "the key is pending import or deletion: name another one",
    "InvalidKeyUsageException": "make a key with KeyUsage SIGN_VERIFY",
    "UnsupportedOperationException": "make an asymmetric key: RSA_3072 or ECC_NIST_P256, KeyUsage SIGN_VERIFY",
    "ThrottlingException": "try again later",
}


class KmsKey:
    """The signing half of a packet key that lives in KMS. ``client`` is boto3's for ``kms``."""

    def __init__(self, key_id: str, client: Any) -> None:
        self.key_id = key_id
        self._client = client
        body = self._call("get_public_key", KeyId=key_id)
        if body.get("KeyUsage") != "SIGN_VERIFY":
            raise ConfigError(f"KMS key {key_id} is not for signing", fix=_FIXES["InvalidKeyUsageException"])
        self._public = serialization.load_der_public_key(body["PublicKey"])
        self.algorithm = _algorithm(self._public, key_id)

    def public_key(self) -> Any:
        """Return the public half, as cryptography's own keys do."""
        return self._public

    def sign(self, message: bytes) -> bytes:
        """Return the signature over ``message``, which KMS hashes with SHA-256. Raises ``ConfigError``."""
        made = self._call(
            "sign", KeyId=self.key_id, Message=message, MessageType="RAW", SigningAlgorithm=self.algorithm
        )
        return bytes(made["Signature"])

    def _call(self, verb: str, **words: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._client, verb)(**words)
        except ClientError as exc:
            code = str(exc.response.get("Error", {}).get("Code", "unknown"))
            raise ConfigError(
                f"KMS refused {verb} with key {self.key_id}: {code}",
                fix=_FIXES.get(code, "look the code up in the KMS documentation, or try again later"),
            ) from None
        except BotoCoreError as exc:
            raise ConfigError(
                f"KMS cannot be asked to {verb}: {type(exc).__name__}",
                fix="check credentials, region and network, then try again",
            ) from None


def kms_packet_key(ref: str, certificate: bytes, chain: Sequence[bytes] = (), client: Any = None) -> PacketKey:
    """Return the packet key behind ``kms:<key id or arn>`` with the X.509 ``certificate`` that was issued for it.

    Raises ``ConfigError`` when KMS refuses, the key cannot sign, or the certificate is of another key.
    """
    key_id = ref.removeprefix(PREFIX)
    if not certificate:
        raise ConfigError("a packet key in KMS needs its certificate", fix="name the PEM file in [packet] certificate")
    leaf, *more = load_certificates(certificate, "[packet] certificate")
    extra = tuple(item for body in chain for item in load_certificates(body, "chain"))
    key = KmsKey(key_id, client if client is not None else _client(key_id))
    if _spelled(key.public_key()) != _spelled(leaf.public_key()):
        raise ConfigError(
            f"the certificate is not of KMS key {key_id}", fix="have a certificate issued for this key's public half"
        )
    return PacketKey(key, leaf, (*more, *extra))


def key_standing(key_id: str, *, region: str = "", endpoint_url: str = "", client: Any = None) -> dict[str, Any]:
    """Return ``enabled``, ``key_state``, ``rotation`` (None: not told, or a key that has none) and ``spec`` of a key, as KMS says now.

    Two read-only calls. Raises ``ConfigError`` with the code of a refusal alone, so that the same refusal reads the same each night.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    asked = client if client is not None else _client(key_id, region, endpoint_url)
    try:
        about = asked.describe_key(KeyId=key_id)["KeyMetadata"]
    except ClientError as exc:
        code = str(exc.response.get("Error", {}).get("Code", "unknown"))
        raise ConfigError(f"KMS refused DescribeKey: {code}", fix="grant kms:DescribeKey on this key") from None
    except (BotoCoreError, KeyError, TypeError) as exc:
        raise ConfigError(
            f"KMS cannot be asked for the key: {type(exc).__name__}", fix="check credentials, region and network"
        ) from None
    try:
        rotation = bool(asked.get_key_rotation_status(KeyId=about.get("Arn", key_id))["KeyRotationEnabled"])
    except (ClientError, BotoCoreError, KeyError, TypeError):  # asymmetric keys have none; the right may be lacking
        rotation = None
    spelled = {"key_state": str(about.get("KeyState", "")), "spec": str(about.get("KeySpec", ""))}
    return {"enabled": bool(about["Enabled"]) if "Enabled" in about else None, "rotation": rotation, **spelled}


def _client(key_id: str, region: str = "", endpoint_url: str = "") -> Any:
    """An ARN names its region (arn:aws:kms:REGION:ACCOUNT:key/ID); else the caller or the SDK's own configuration does."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    named = key_id.split(":")[3] if key_id.startswith("arn:") and key_id.count(":") >= 5 else region
    bounds = Config(connect_timeout=10, read_timeout=20, retries={"mode": "standard", "max_attempts": 4})
    try:
        return boto3.client("kms", region_name=named or None, endpoint_url=endpoint_url or None, config=bounds)
    except BotoCoreError as exc:
        raise ConfigError(f"no KMS client: {exc}", fix="set AWS_REGION, or write the key's ARN") from None


def _algorithm(public: object, key_id: str) -> str:
    if isinstance(public, rsa.RSAPublicKey):
        return "RSASSA_PKCS1_V1_5_SHA_256"
    if isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1):
        return "ECDSA_SHA_256"
    raise ConfigError(f"KMS key {key_id} is of a kind packets do not use", fix="make an RSA_3072 or ECC_NIST_P256 key")


def _spelled(public: Any) -> bytes:
    return bytes(public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))

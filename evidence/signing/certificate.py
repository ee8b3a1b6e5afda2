"""X.509 packet keys: loading from PEM or PKCS#12 bytes, and a demonstration authority.

The packet key (officer, KMS) is another key and another root than the log's. RSA-3072 or P-256: both verify with openssl,
poppler and this package (measured); Ed25519 has no agreed digest in CMS tools.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from evidence.errors import ConfigError

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Algorithm = Literal["rsa-3072", "p-256"]


class RemoteKey(Protocol):
    """A private key that stays elsewhere: it signs with SHA-256, PKCS#1 v1.5 or ECDSA, and shows its public half."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature over ``message``."""

    def public_key(self) -> Any:
        """Return the public half."""


@dataclass(frozen=True, slots=True)
class PacketKey:
    """A private key with its certificate and intermediates. The private half is never printed."""

    private_key: PrivateKey | RemoteKey = field(repr=False)
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def subject(self) -> str:
        """The certificate's subject (RFC 4514)."""
        return self.certificate.subject.rfc4514_string()

    @property
    def not_after(self) -> dt.datetime:
        """The certificate's last valid moment (UTC)."""
        return self.certificate.not_valid_after_utc

    @property
    def fingerprint(self) -> str:
        """Lower-case hex SHA-256 of the certificate."""
        return fingerprint(self.certificate)


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the lower-case hex SHA-256 of a certificate's DER."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def load_certificates(body: bytes, what: str = "certificate") -> tuple[x509.Certificate, ...]:
    """Parse one or more certificates, PEM or one DER; raise ``ConfigError``."""
    try:
        if b"-----BEGIN" in body:
            return tuple(x509.load_pem_x509_certificates(body))
        return (x509.load_der_x509_certificate(body),)
    except (ValueError, x509.InvalidVersion) as exc:
        raise ConfigError(f"{what} does not parse: {exc}", fix="give an X.509 certificate as PEM or DER") from exc


def load_packet_key(
    key: bytes, certificate: bytes = b"", chain: Sequence[bytes] = (), passphrase: bytes | None = None
) -> PacketKey:
    """Make a packet key of the bytes of a PEM key and certificate, or of a PKCS#12 file (then ``certificate`` is empty).

    Raises ``ConfigError`` when they do not parse, do not belong together or have an unsupported algorithm.
    """
    extra = tuple(item for body in chain for item in load_certificates(body, "chain"))
    try:
        if b"-----BEGIN" in key:
            private: object = serialization.load_pem_private_key(key, passphrase)
            leaf, *more = load_certificates(certificate)
        else:
            store = pkcs12.load_pkcs12(key, passphrase)
            private = store.key
            if store.cert is None:
                raise ConfigError("the PKCS#12 file has no certificate", fix="export it with its certificate")
            leaf, more = store.cert.certificate, [item.certificate for item in store.additional_certs]
    except (ValueError, TypeError) as exc:
        raise ConfigError(f"packet key does not load: {exc}", fix="check [packet] key and key_passphrase") from exc
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ConfigError("packet key is neither RSA nor ECDSA", fix="use RSA-3072 or P-256")
    if _public(private) != _public(leaf):
        raise ConfigError("packet key and certificate do not belong together", fix="check [packet] certificate")
    return PacketKey(private, leaf, (*more, *extra))


def make_demo_authority(
    entity: str, not_before: dt.datetime, *, years: int = 10, algorithm: Algorithm = "p-256", what: str = "packet seal"
) -> tuple[PacketKey, x509.Certificate]:
    """Make a demonstration root and a key for ``what`` under it. The root's key is dropped: it signs this once."""
    root_key, leaf_key = _new_key(algorithm), _new_key(algorithm)
    root_name = _name(entity, f"Demonstration {what.partition(' ')[0]} root")
    until = not_before + dt.timedelta(days=365 * years)
    root = (
        _builder(root_name, root_name, root_key, not_before, until)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign=False, certs=True), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    leaf = (
        _builder(_name(entity, f"Demonstration {what}"), root_name, leaf_key, not_before, until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign=True, certs=False), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    return PacketKey(leaf_key, leaf), root


def key_pem(key: PacketKey) -> bytes:
    """Return the private key as unencrypted PKCS#8 PEM, for writing to a file with mode 0600."""
    if not isinstance(key.private_key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ConfigError("this packet key cannot leave where it is", fix="use it there")
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_key.private_bytes(serialization.Encoding.PEM, form, plain)


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """Return a certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def _public(item: PrivateKey | x509.Certificate) -> bytes:
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return item.public_key().public_bytes(encoding, form)


def _new_key(algorithm: Algorithm) -> PrivateKey:
    if algorithm == "rsa-3072":
        return rsa.generate_private_key(public_exponent=65537, key_size=3072)
    return ec.generate_private_key(ec.SECP256R1())


def _name(entity: str, common: str) -> x509.Name:
    organisation = entity[:64] or "Demonstration"  # ub-organization-name, RFC 5280 appendix A.1
    attributes = [(NameOID.ORGANIZATION_NAME, organisation), (NameOID.COMMON_NAME, common)]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PrivateKey, not_before: dt.datetime, until: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, sign: bool, certs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=sign,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certs,
        crl_sign=certs,
        encipher_only=False,
        decipher_only=False,
    )

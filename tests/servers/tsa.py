"""An RFC 3161 time-stamp authority for tests: in this process, on 127.0.0.1, stopped at the end of its ``with``.

Written with asn1crypto and cryptography alone, so that nothing it makes comes from the code under test. ``Authority`` makes
responses and can be told to make wrong ones; :func:`serve` answers over HTTP.
"""

import datetime as dt
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DER = serialization.Encoding.DER
FROM = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, certs: bool) -> x509.KeyUsage:
    off = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
    off |= dict.fromkeys(("encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=not certs, key_cert_sign=certs, crl_sign=certs, **off)


@dataclass
class Authority:
    """A root, a time-stamping certificate under it, and a clock. The fields below are the faults a test asks for."""

    clock: Callable[[], dt.datetime]
    name: str = "Test"
    years: int = 10
    usages: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.TIME_STAMPING,)
    critical: bool = True
    first_version: bool = False  # name the certificate by SHA-1 (RFC 3161) instead of RFC 5816
    status: str = "granted"
    nonce: int | None = None
    imprint: bytes | None = None
    policy: str = "1.2.3.4.1"
    asked: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.root_key, self.key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        until = FROM + dt.timedelta(days=365 * self.years)
        root = _name(f"{self.name} time-stamp root")
        self.root = (
            self._builder(root, root, self.root_key, until)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(certs=True), critical=True)
            .sign(self.root_key, hashes.SHA256())
        )
        self.certificate = (
            self._builder(_name(f"{self.name} time-stamp unit"), root, self.key, until)
            .add_extension(x509.ExtendedKeyUsage(self.usages), critical=self.critical)
            .add_extension(_usage(certs=False), critical=True)
            .sign(self.root_key, hashes.SHA256())
        )

    @staticmethod
    def _builder(subject: x509.Name, issuer: x509.Name, key: Any, until: dt.datetime) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(FROM)
            .not_valid_after(until)
        )

    @property
    def root_pem(self) -> bytes:
        return self.root.public_bytes(serialization.Encoding.PEM)

    def respond(self, body: bytes) -> bytes:
        """Return the DER of a TimeStampResp to the DER of a TimeStampReq."""
        self.asked.append(body)
        request = tsp.TimeStampReq.load(body, strict=True)
        if self.status not in {"granted", "granted_with_mods"}:
            refused = tsp.PKIStatusInfo({"status": self.status, "fail_info": {"bad_alg"}}).dump()
            return b"\x30" + bytes([len(refused)]) + refused
        token = self._token(request)
        status = {"status": self.status, "status_string": ["Operation Okay"]}
        return bytes(tsp.TimeStampResp({"status": status, "time_stamp_token": token}).dump())

    def _token(self, request: Any) -> cms.ContentInfo:
        imprint = request["message_imprint"]
        if self.imprint is not None:
            imprint = tsp.MessageImprint({"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": self.imprint})
        moment = self.clock()
        info = tsp.TSTInfo({
            "version": "v1",
            "policy": self.policy,
            "message_imprint": imprint,
            "serial_number": len(self.asked),
            "gen_time": moment,
            "nonce": request["nonce"].native if self.nonce is None else self.nonce,
        })  # fmt: skip
        content = info.dump()
        attributes = self._attributes(content, moment)
        signature = self.key.sign(attributes.dump(), ec.ECDSA(hashes.SHA256()))
        own = asn1_x509.Certificate.load(self.certificate.public_bytes(DER))
        digest = algos.DigestAlgorithm({"algorithm": "sha256"})
        signer = cms.SignerInfo({
            "version": "v1",
            "sid": {"issuer_and_serial_number": {"issuer": own.issuer, "serial_number": own.serial_number}},
            "digest_algorithm": digest,
            "signed_attrs": attributes,
            "signature_algorithm": {"algorithm": "sha256_ecdsa"},
            "signature": signature,
        })  # fmt: skip
        data = cms.SignedData({
            "version": "v3",
            "digest_algorithms": [digest],
            "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(content)},
            "certificates": [own, asn1_x509.Certificate.load(self.root.public_bytes(DER))],
            "signer_infos": [signer],
        })  # fmt: skip
        return cms.ContentInfo({"content_type": "signed_data", "content": data})

    def _attributes(self, content: bytes, moment: dt.datetime) -> cms.CMSAttributes:
        own = self.certificate.public_bytes(DER)
        if self.first_version:
            named = (
                "signing_certificate",
                tsp.SigningCertificate({"certs": [{"cert_hash": hashlib.sha1(own).digest()}]}),
            )
        else:
            named = ("signing_certificate_v2", tsp.SigningCertificateV2({"certs": [{"cert_hash": hashlib.sha256(own).digest()}]}))  # fmt: skip
        pairs = [
            ("content_type", "tst_info"),
            ("signing_time", cms.Time({"utc_time": core.UTCTime(moment)})),
            ("message_digest", hashlib.sha256(content).digest()),
            named,
        ]
        return cms.CMSAttributes([cms.CMSAttribute({"type": kind, "values": [value]}) for kind, value in pairs])


@contextmanager
def serve(answer: Callable[[bytes], bytes], *, mode: str = "") -> Iterator[str]:
    """Serve ``answer`` over HTTP and yield the URL.

    ``mode``: ``500``, ``html`` (another content type), ``endless``, ``drip`` (a byte every 0.2 s), ``redirect``, ``silent``.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if mode == "silent":
                time.sleep(3)
                return
            self.send_response({"500": 500, "redirect": 307}.get(mode, 200))
            self.send_header("Content-Type", "text/html" if mode == "html" else "application/timestamp-reply")
            self.send_header("Location", "file:///etc/hostname")
            self.end_headers()
            made = answer(body)
            if mode == "endless":
                for _ in range(400):
                    self.wfile.write(b"\x30" * 4096)
            elif mode == "drip":
                for place in range(30):
                    self.wfile.write(made[place : place + 1])
                    self.wfile.flush()
                    time.sleep(0.2)
            else:
                self.wfile.write(made)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # a client that hangs up is what some tests are about

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tsa"
    finally:
        server.shutdown()
        server.server_close()

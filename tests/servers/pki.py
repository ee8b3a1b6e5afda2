"""Certomancer as a whole authority on 127.0.0.1: certificates, revocation lists, OCSP and time-stamps, none of it made by our code.

It runs in the environment of ``requirements/pki.txt`` and ends with its ``with``. ``signer`` is good, ``revoked`` was revoked a month ago.
"""

import datetime as dt
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.servers.venvs import ensure

PEOPLE = ("root", "signer", "revoked", "short", "ocsp", "tsa")
SECONDS = 60
RUN = """
import datetime, sys
from certomancer.integrations.animator import Animator, AnimatorArchStore
from certomancer.registry.config import CertomancerConfig
from werkzeug.serving import run_simple

config = CertomancerConfig.from_file("pki.yml")
inner = Animator(AnimatorArchStore(config.pki_archs))

def whole_seconds(environ, start):
    # it writes fractions of seconds into OCSP responses, which RFC 5280 (4.1.2.5.2) forbids and strict parsers refuse
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    environ["HTTP_X_CERTOMANCER_FAKE_TIME"] = now.isoformat()
    return inner(environ, start)

run_simple("127.0.0.1", int(sys.argv[1]), whole_seconds)
"""


@dataclass(frozen=True)
class Pki:
    """The base address, and the folder with NAME.key.pem and NAME.crt.pem."""

    url: str
    folder: Path

    @property
    def tsa(self) -> str:
        return f"{self.url}/pki/tsa/tsa"

    @property
    def ocsp(self) -> str:
        return f"{self.url}/pki/ocsp/ocsp"

    @property
    def crl(self) -> str:
        return f"{self.url}/pki/crls/root/latest.crl"

    def key(self, name: str) -> bytes:
        return (self.folder / f"{name}.key.pem").read_bytes()

    def certificate(self, name: str) -> bytes:
        return (self.folder / f"{name}.crt.pem").read_bytes()


@contextmanager
def serve(folder: Path) -> Iterator[Pki]:
    """Make keys below ``folder``, start, wait until it answers, fetch the certificates."""
    python = ensure("pki")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    for name in PEOPLE:
        key = ec.generate_private_key(ec.SECP256R1())
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / f"{name}.key.pem").write_bytes(key.private_bytes(*form))
    (folder / "pki.yml").write_text(json.dumps(_configuration(url, folder), indent=1))  # JSON is YAML
    command = [str(python), "-c", RUN, str(port)]
    with (folder / "log").open("w") as log:
        child = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        for name in PEOPLE:
            body = _get(f"{url}/_certomancer/any-cert/pki/{name}.cert.pem", child, folder)
            (folder / f"{name}.crt.pem").write_bytes(body)
        yield Pki(url, folder)
    finally:
        child.terminate()
        child.wait(timeout=20)


def _get(url: str, child: subprocess.Popen[bytes], folder: Path) -> bytes:
    until = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as exc:
            raise RuntimeError(
                f"certomancer answered {exc.code} for {url}: {(folder / 'log').read_text()[-2000:]}"
            ) from exc
        except OSError:
            if child.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"certomancer does not answer: {(folder / 'log').read_text()[-2000:]}") from None
            time.sleep(0.1)


def _configuration(url: str, folder: Path) -> dict[str, Any]:
    now = dt.datetime.now(dt.UTC)

    def day(days: int) -> str:
        return (now + dt.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S+0000")

    def usage(*params: str) -> dict[str, Any]:
        return {"id": "key_usage", "critical": True, "smart-value": {"schema": "key-usage", "params": list(params)}}

    def leaf(days: int, *extensions: dict[str, Any], **more: Any) -> dict[str, Any]:
        valid = {"valid-from": day(-400), "valid-to": day(days)}
        return {"issuer": "root", "validity": valid, "extensions": list(extensions), **more}

    ca = {"id": "basic_constraints", "critical": True, "value": {"ca": True}}
    stamping = {"id": "extended_key_usage", "critical": True, "value": ["time_stamping"]}
    answering = {"id": "extended_key_usage", "critical": True, "value": ["ocsp_signing"]}
    asked = {
        "id": "authority_information_access",
        "smart-value": {"schema": "aia-urls", "params": {"ocsp-responder-names": ["ocsp"]}},
    }
    listed = {
        "id": "crl_distribution_points",
        "smart-value": {"schema": "crl-dist-url", "params": {"crl-repo-names": ["root"]}},
    }
    person = (usage("digital_signature", "non_repudiation"), asked, listed)
    return {
        "external-url-prefix": url,
        "keysets": {"keys": {"path-prefix": str(folder), "keys": {name: {"path": f"{name}.key.pem"} for name in PEOPLE}}},
        "pki-architectures": {
            "pki": {
                "keyset": "keys",
                "entity-defaults": {"country-name": "US", "organization-name": "Test authority"},
                "entities": {name: {"common-name": name.capitalize()} for name in PEOPLE},
                "certs": {
                    "root": {
                        "subject": "root", "issuer": "root", "validity": {"valid-from": day(-4000), "valid-to": day(9000)},
                        "extensions": [ca, usage("digital_signature", "key_cert_sign", "crl_sign")],
                    },
                    "signer": leaf(700, *person),
                    "short": leaf(20, *person),
                    "revoked": leaf(700, *person, revocation={"revoked-since": day(-30), "reason": "key_compromise"}),
                    "ocsp": leaf(700, usage("digital_signature"), answering, {"id": "ocsp_no_check"}),
                    "tsa": leaf(3000, usage("digital_signature"), stamping, listed),
                },
                "services": {
                    "ocsp": {"ocsp": {"for-issuer": "root", "responder-cert": "ocsp", "signing-key": "ocsp"}},
                    "crl-repo": {"root": {"for-issuer": "root", "signing-key": "root", "simulated-update-schedule": "P7D"}},
                    "cert-repo": {"root": {"for-issuer": "root", "publish-issued-certs": True}},
                    "time-stamping": {"tsa": {"signing-key": "tsa", "signing-cert": "tsa"}},
                },
            }
        },
    }  # fmt: skip

"""A PKCS#11 token in software (SoftHSM 2) in a folder of its own, with an RSA, a P-256 and an Ed25519 key.

The library reads its configuration once per process: one folder serves all tests of a process.
"""

import atexit
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PIN = "7391-pin-of-the-test"
TOKEN = "evidence test"
_PLACES = ("/usr/lib/softhsm", "/usr/lib64/softhsm", "/usr/local/lib/softhsm", "/opt/homebrew/lib/softhsm")
_ED25519 = bytes.fromhex("130c656477617264733235353139")  # PrintableString "edwards25519", PKCS#11 2.40 errata


@dataclass(frozen=True)
class Token:
    module: str
    public: dict[str, bytes]  # label -> SubjectPublicKeyInfo in DER, or 32 bytes of Ed25519

    def uri(self, label: str, *, token: str = TOKEN) -> str:
        return f"pkcs11:token={token.replace(' ', '%20')};object={label};type=private?module-path={self.module}"


def library() -> str:
    """Return the path of the library; raise ``RuntimeError`` where it is not installed."""
    for place in _PLACES:
        if (Path(place) / "libsofthsm2.so").exists():
            return f"{place}/libsofthsm2.so"
    raise RuntimeError("SoftHSM is not installed: apt-get install softhsm2 (scripts/bootstrap.sh test does)")


@cache
def token() -> Token:
    """Make the token on first use; it goes with the process."""
    folder = Path(tempfile.mkdtemp(prefix="softhsm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "tokens").mkdir()
    (folder / "conf").write_text(
        f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(folder / "conf")
    command = ["softhsm2-util", "--init-token", "--free", "--label", TOKEN, "--so-pin", "so-pin-0000", "--pin", PIN]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return _filled(library())


def _filled(module: str) -> Token:
    import pkcs11
    from pkcs11 import Attribute, KeyType, Mechanism
    from pkcs11.util import ec as token_ec

    public: dict[str, bytes] = {}
    with pkcs11.lib(module).get_token(token_label=TOKEN).open(user_pin=PIN, rw=True) as session:
        shown, _ = session.generate_keypair(KeyType.RSA, 3072, store=True, label="rsa", id=b"\x01")
        public["rsa"] = _rsa(shown)
        for label, number in (("ec", 2), ("twin", 3), ("twin", 4)):
            curve = {Attribute.EC_PARAMS: token_ec.encode_named_curve_parameters("secp256r1")}
            domain = session.create_domain_parameters(KeyType.EC, curve, local=True)
            shown, _ = domain.generate_keypair(store=True, label=label, id=bytes([number]))
            public[label] = token_ec.encode_ec_public_key(shown)
        for label, number in (("log", 5), ("log2", 6)):
            domain = session.create_domain_parameters(KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: _ED25519}, local=True)
            shown, _ = domain.generate_keypair(
                mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN, store=True, label=label, id=bytes([number])
            )
            public[label] = bytes(shown[Attribute.EC_POINT])[-32:]
    return Token(module, public)


def _rsa(shown: object) -> bytes:
    from asn1crypto.keys import PublicKeyInfo, RSAPublicKey
    from pkcs11.util.rsa import encode_rsa_public_key

    return bytes(PublicKeyInfo.wrap(RSAPublicKey.load(encode_rsa_public_key(shown)), "rsa").dump())

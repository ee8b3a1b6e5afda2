"""Writing a BagIt 1.0 bag (RFC 8493): payload below ``data/``, tag files beside it, SHA-256 manifests.

The payload is written first by :class:`BagWriter`, then :meth:`BagWriter.close` writes the tag files. Dates are
arguments. What is beside the tag manifest afterwards (signature, time-stamp) is named in ``BESIDE``.
"""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from evidence.bag.files import BLOCK, MAX_FILES, check_name
from evidence.errors import MalformedError

DECLARATION: Final = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
MANIFEST: Final = "manifest-sha256.txt"
TAGMANIFEST: Final = "tagmanifest-sha256.txt"
SIGNATURE: Final = TAGMANIFEST + ".p7s"
TIMESTAMP: Final = TAGMANIFEST + ".tsr"
LOG_PROOF: Final = TAGMANIFEST + ".tlog-proof"
BESIDE: Final = frozenset({SIGNATURE, TIMESTAMP, LOG_PROOF})
STAMPED: Final = "Time-Stamp"  # in bag-info.txt: the name of the time-stamp that lies beside the seal
TAG_FILES: Final = ("bag-info.txt", "bagit.txt", MANIFEST)


class BagWriter:
    """Writes the payload of one bag into ``root``, which must not exist yet."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True)
        self.root = root
        self.digests: dict[str, str] = {}  # payload name -> hex SHA-256
        self.octets = 0

    def add(self, name: str, body: bytes | Path | Iterator[bytes]) -> str:
        """Write ``data/<name>`` once; return its hex SHA-256. Raises ``MalformedError`` for a bad or repeated name."""
        full = f"data/{name}"
        check_name(full)
        if full in self.digests:
            raise MalformedError(f"{full} is written twice")
        if len(self.digests) >= MAX_FILES - len(TAG_FILES) - 1 - len(BESIDE):
            raise MalformedError(f"more than {MAX_FILES} files", fix="choose a shorter period or exhibits = referenced")
        target = self.root / full
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            if isinstance(body, bytes):
                out.write(body)
            elif isinstance(body, Iterator):
                out.writelines(body)
            else:
                with body.open("rb") as source:
                    shutil.copyfileobj(source, out, BLOCK)
        with target.open("rb") as again:  # what is on disk is what the manifest names
            digest = hashlib.file_digest(again, "sha256").hexdigest()
        self.digests[full] = digest
        self.octets += target.stat().st_size
        return digest

    def close(self, info: Mapping[str, str]) -> bytes:
        """Write ``bagit.txt``, ``bag-info.txt`` and both manifests; return the bytes of the tag manifest."""
        pairs = {**info, "Payload-Oxum": f"{self.octets}.{len(self.digests)}"}
        tags = {"bagit.txt": DECLARATION, "bag-info.txt": _info(pairs), MANIFEST: manifest_bytes(self.digests)}
        for name, body in tags.items():
            (self.root / name).write_bytes(body)
        tagmanifest = manifest_bytes({name: hashlib.sha256(body).hexdigest() for name, body in tags.items()})
        (self.root / TAGMANIFEST).write_bytes(tagmanifest)
        return tagmanifest


def manifest_bytes(digests: Mapping[str, str]) -> bytes:
    """Spell a manifest: ``<hex>  <name>`` per line, sorted by name."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()


def parse_manifest(body: bytes, what: str) -> dict[str, str]:
    """Parse a manifest, accepting only what :func:`manifest_bytes` writes."""
    digests: dict[str, str] = {}
    try:
        for line in body.decode("ascii").splitlines():
            digest, _, name = line.partition("  ")
            check_name(name)
            digests[name] = digest
    except UnicodeDecodeError as exc:
        raise MalformedError(f"{what} is not ASCII") from exc
    if manifest_bytes(digests) != body or any(len(digest) != 64 for digest in digests.values()):
        raise MalformedError(f"{what} is not in canonical form")
    return digests


def _info(pairs: Mapping[str, str]) -> bytes:
    for name, value in pairs.items():
        if not name.replace("-", "").isalnum() or not value.isprintable():
            raise MalformedError(f"bag-info.txt cannot hold {name}: {value!r}")
    return "".join(f"{name}: {value}\n" for name, value in pairs.items()).encode()

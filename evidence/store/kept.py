"""Full bundles kept on this machine, so that opening a long log again costs the GETs of what is new.

A full bundle never changes. What is kept is a shortcut and no proof: the signed root of the records proves every entry, from
wherever it was read, and damage to a kept file is a miss. Altered bundles in the store itself are found by ``verify``.
"""

import contextlib
import hashlib
import os
from pathlib import Path

from evidence.store.objects import check_path
from evidence.tlog.note import Verifier


class KeptBundles:
    """A folder per log under ``root``; each file is the SHA-256 of a bundle (32 bytes) and the bundle."""

    def __init__(self, root: Path, verifier: Verifier) -> None:
        self._folder = root / hashlib.sha256(verifier.to_text().encode()).hexdigest()[:32]

    def get(self, path: str) -> bytes | None:
        """Return the kept bundle, None if it is not kept whole."""
        try:
            kept = self._file(path).read_bytes()
        except OSError:
            return None
        body = kept[32:]
        return body if hashlib.sha256(body).digest() == kept[:32] else None

    def put(self, path: str, body: bytes) -> None:
        """Keep ``body``; a folder that cannot be written costs the shortcut and nothing else."""
        target = self._file(path)
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.write_bytes(hashlib.sha256(body).digest() + body)
            temporary.replace(target)

    def _file(self, path: str) -> Path:
        check_path(path)
        return self._folder / path.replace("/", "_")

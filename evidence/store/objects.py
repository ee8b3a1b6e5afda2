"""The object store interface: all effects of a store behind five calls, with their promises.

Backends: ``evidence.store.local`` (``file://``) and ``evidence.store.s3`` (``s3://``); one contract suite
(``tests/contracts/store.py``) states what each must do. Paths are relative, ``[A-Za-z0-9._=/-]``, never absolute.
"""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from evidence.errors import MalformedError, StoreConflictError

CACHE_PATH: Final = "log/checkpoint"
_PATH: Final = re.compile(r"[A-Za-z0-9_=-][A-Za-z0-9._=-]*(/[A-Za-z0-9_=-][A-Za-z0-9._=-]*)*\Z")


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What the backend says of an object. Retention and time are ``None`` where the backend has none."""

    path: str
    size: int
    retain_until: dt.datetime | None = None
    retention_mode: str | None = None
    written_at: dt.datetime | None = None
    held: bool = False  # a legal hold stands


class ObjectStore(Protocol):
    """Write-once storage."""

    @property
    def url(self) -> str:
        """The address, without secrets."""

    @property
    def writable(self) -> bool:
        """False where the open-time probe found that a conditional create is not one."""

    def put_if_absent(self, path: str, body: bytes | Path, *, retain_until: dt.datetime | None = None) -> bool:
        """Create ``path`` with ``body`` atomically and durably; return False, changing nothing, if the name exists.

        True means: after a crash at any later moment the object is there, whole. A timeout or server error may leave
        the object created: callers read it back (``StoreError``/``OSError`` is raised then).
        """

    def get(self, path: str, *, sha256: str | None = None) -> bytes:
        """Return the bytes; with ``sha256`` return only bytes of that digest, looking behind delete markers and newer
        versions where the backend has them. Raises ``ObjectNotFoundError`` when there are none, ``VerificationError``
        when there are bytes but none with that digest.
        """

    def list(self, prefix: str, *, start_after: str = "") -> Iterator[str]:
        """Yield paths under ``prefix`` in lexicographic order, those greater than ``start_after`` only."""

    def head(self, path: str) -> ObjectInfo | None:
        """Return size and retention as read back now, or None when there is no such object."""


@runtime_checkable
class CachingStore(Protocol):
    """Optional: a backend that can also keep the latest checkpoint for outside tools (C2SP tlog-tiles ``checkpoint``)."""

    def replace_cache(self, body: bytes) -> None:
        """Replace ``log/checkpoint``, atomically. The only name that ever changes; nothing trusts it."""


@runtime_checkable
class DigestingStore(Protocol):
    """Optional: a backend that hashes an object without holding it in memory."""

    def digest(self, path: str, size: int) -> tuple[str, int]:
        """Return hex SHA-256 and size in bytes of the current object; raise ``ObjectNotFoundError``.

        Of one that has not ``size`` bytes nothing is read, for it may be made to be endless, and the digest is empty.
        """


def put_same(store: ObjectStore, path: str, body: bytes, *, retain_until: dt.datetime | None = None) -> None:
    """Create ``path``; an existing object is fine only if its bytes are equal, else ``StoreConflictError``."""
    if not store.put_if_absent(path, body, retain_until=retain_until) and store.get(path) != body:
        raise StoreConflictError(f"{path} exists with other bytes", fix="stop; find out who else writes to this store")


def check_path(path: str) -> None:
    """Raise ``MalformedError`` for a name outside the alphabet, absolute, with dot components or a leading dot."""
    if not _PATH.match(path):
        raise MalformedError(f"malformed object path {path!r}")

"""Entries of the log: canonical JSON under 64 KiB, one per sealed thing (``docs/formats/log.md``).

An entry names an object in the store by path, size and SHA-256, and says what it is by ``type`` and ``key``. The key is
what must never occur twice: the log refuses a second entry of the same type and key.
"""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self, get_args

from evidence.errors import MalformedError
from evidence.snapshot import canonical
from evidence.snapshot.model import HEX64, SnapshotKey, of_type

EntryType = Literal[
    "store",
    "coverage",
    "snapshot",
    "recount",
    "register",
    "assessment",
    "packet",
    "approval",
    "rotation",
    "retention",
    "hold",
    "change",
    "configuration",
    "text",
    "sample",
    "check",
    "pipeline",
    "access-review",
    "alert",
    "told",
    "disposal",
]
RECORDS: Final[tuple[EntryType, ...]] = (
    "assessment",
    "check",
    "pipeline",
)  # of the store itself; findings rest on them too
MAX_BYTES = 65_535  # uint16 length in C2SP tlog-tiles entry bundles


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """An object in the store: path, lower-case hex SHA-256, size in bytes."""

    path: str
    sha256: str
    size: int

    def __post_init__(self) -> None:
        if not (of_type(self.path, str) and of_type(self.sha256, str) and of_type(self.size, int)):
            raise MalformedError(f"malformed object reference: {self}")
        if not self.path or self.path.startswith("/") or ".." in self.path.split("/"):
            raise MalformedError(f"malformed object path {self.path!r}")
        if not HEX64.match(self.sha256) or self.size < 0:
            raise MalformedError(f"malformed object reference: {self}")

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling."""
        return {"path": self.path, "sha256": self.sha256, "size": self.size}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log.

    ``key`` spells the identity within ``type``; ``body`` carries what readers need without opening the object, such as
    the status of a snapshot.
    """

    type: EntryType
    key: str
    object: ObjectRef | None = None
    body: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not of_type(self.key, str) or not _is_mapping(self.body):
            raise MalformedError(f"malformed entry: {self.type} {self.key!r}")
        if self.type not in get_args(EntryType) or not self.key or not self.key.isprintable():
            raise MalformedError(f"malformed entry: {self.type} {self.key!r}")

    def to_bytes(self) -> bytes:
        """Return the canonical bytes; raise ``MalformedError`` above 65,535 bytes."""
        body = canonical.encode(
            {
                "type": self.type,
                "key": self.key,
                "object": self.object.to_json() if self.object else None,
                "body": dict(self.body),
            }
        )
        if len(body) > MAX_BYTES:
            raise MalformedError(f"entry {self.key} is {len(body)} bytes, over {MAX_BYTES}")
        return body

    @classmethod
    def from_bytes(cls, body: bytes) -> Self:
        """Parse ``body``, accepting only what :meth:`to_bytes` writes."""
        if len(body) > MAX_BYTES:
            raise MalformedError(f"log entry is {len(body)} bytes, over {MAX_BYTES}")
        try:
            value = json.loads(body)  # what it spells otherwise than ``to_bytes``, the comparison below refuses
            ref = value["object"]
            entry = cls(value["type"], value["key"], ObjectRef(**ref) if ref is not None else None, value["body"])
            again = entry.to_bytes()
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as exc:
            raise MalformedError(f"malformed log entry: {exc!r}") from exc
        if again != body:
            raise MalformedError("log entry has parts the writer does not write")
        return entry


@dataclass(frozen=True, slots=True)
class SealedEntry:
    """A snapshot entry with its place in the log."""

    index: int
    key: SnapshotKey
    manifest: ObjectRef
    body: Mapping[str, Any]

    @property
    def status(self) -> str:
        """``complete``, ``incomplete``, ``denied``, ``unavailable`` or ``edition``."""
        return str(self.body["status"])


def snapshot_entry_key(key: SnapshotKey) -> str:
    """Spell a snapshot's identity: ``source/dataset/2026-07-01/0``."""
    return f"{key.source}/{key.dataset}/{key.night.isoformat()}/{key.revision}"


def parse_snapshot_entry_key(text: str) -> SnapshotKey:
    """Parse the spelling of :func:`snapshot_entry_key`."""
    try:
        source, dataset, night, revision = text.split("/")
        key = SnapshotKey(source, dataset, dt.date.fromisoformat(night), int(revision))
    except ValueError as exc:
        raise MalformedError(f"malformed snapshot key {text!r}") from exc
    if snapshot_entry_key(key) != text:
        raise MalformedError(f"malformed snapshot key {text!r}")
    return key


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)

"""Commit records: the truth of the log. One put-if-absent of a record is the commit of everything it names.

::

    {"before":1,"checkpoint":"<signed note>","entries":["{…}"],"format":"evidence-commit-v1"}

``before`` is the log's size before the record and also its name; the checkpoint is of the size after it. A record holds
at most 256 entries, so that whoever holds the full tiles finds the record that covers any position in one short listing.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from evidence.errors import MalformedError, VerificationError
from evidence.tlog.checkpoint import Checkpoint, open_checkpoint
from evidence.tlog.note import Verifier
from evidence.tlog.tile import MAX_ENTRY, WIDTH

FORMAT: Final = "evidence-commit-v1"
MAX_ENTRIES: Final = WIDTH
PREFIX: Final = "log/commit/"
MAX_BYTES: Final = 64 << 20  # 256 entries of 65,535 bytes, every quote and backslash of them escaped, are 32 MiB
_DIGITS: Final = 12


def record_path(before: int) -> str:
    """Return ``log/commit/<size before, 12 digits>``."""
    if not 0 <= before < 10**_DIGITS:
        raise MalformedError(f"no commit record at size {before}")
    return f"{PREFIX}{before:0{_DIGITS}d}"


def parse_record_path(path: str) -> int:
    """Return the size before; raise ``MalformedError`` for a name :func:`record_path` does not write."""
    name = path.removeprefix(PREFIX)
    if len(name) != _DIGITS or not (name.isascii() and name.isdigit()) or record_path(int(name)) != path:
        raise MalformedError(f"{path} is not the name of a commit record")
    return int(name)


@dataclass(frozen=True, slots=True)
class Record:
    """``entries`` are appended to a log of size ``before``; ``checkpoint`` is the signed note of the result."""

    before: int
    entries: tuple[bytes, ...]
    checkpoint: str

    def __post_init__(self) -> None:
        if self.before < 0 or not 1 <= len(self.entries) <= MAX_ENTRIES:
            raise MalformedError(f"malformed commit record: {len(self.entries)} entries after {self.before}")
        if any(not entry or len(entry) > MAX_ENTRY for entry in self.entries):
            raise MalformedError(f"malformed commit record {self.before}: an entry is empty or over {MAX_ENTRY} bytes")

    @property
    def size(self) -> int:
        """The log's size after the record."""
        return self.before + len(self.entries)

    @property
    def path(self) -> str:
        """The record's name in the store."""
        return record_path(self.before)

    def to_bytes(self) -> bytes:
        """Return the canonical JSON (``evidence.snapshot.canonical`` spells it the same; a test compares)."""
        value = {
            "format": FORMAT,
            "before": self.before,
            "entries": [entry.decode() for entry in self.entries],
            "checkpoint": self.checkpoint,
        }
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def from_bytes(cls, body: bytes, path: str = "commit record") -> Self:
        """Parse ``body``, accepting only what :meth:`to_bytes` writes; ``path`` is named in errors."""
        if len(body) > MAX_BYTES:
            raise MalformedError(f"{path} has {len(body)} bytes, over {MAX_BYTES}")
        try:
            value = json.loads(body)
            before, checkpoint = value["before"], value["checkpoint"]
            typed = type(before) is int and isinstance(checkpoint, str)  # true would pass for 1
            record = cls(before if typed else -1, tuple(text.encode() for text in value["entries"]), checkpoint)
            canonical = record.to_bytes()
        except MalformedError as exc:
            raise MalformedError(f"{path}: {exc}") from exc
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
            raise MalformedError(f"{path} is not a commit record: {exc!r}") from exc
        if canonical != body:
            raise MalformedError(f"{path} is not in canonical form")
        return record

    def open_checkpoint(self, verifiers: Sequence[Verifier]) -> Checkpoint:
        """Return the verified checkpoint; raise ``VerificationError`` if it is not of the size after the record."""
        return self.sized(open_checkpoint(self.checkpoint, verifiers))

    def sized(self, checkpoint: Checkpoint) -> Checkpoint:
        """Return the verified ``checkpoint``; raise ``VerificationError`` if it is not of the size after the record."""
        if checkpoint.size != self.size:
            raise VerificationError(f"{self.path} is signed for size {checkpoint.size}, not {self.size}", step="size")
        return checkpoint

"""A window that was read or counted again: what ``collect`` hands to ``seal``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from evidence.snapshot.entry import SealedEntry
from evidence.snapshot.model import Kind, Part, Receipt, SnapshotKey, Status

RecountResult = Literal["stable", "fewer", "denied", "unavailable", "edition"]


@dataclass(frozen=True, slots=True)
class Recount:
    """What a second look at a complete window came to, if it does not make a new revision.

    ``stable``: what was ``compared`` is as sealed. ``fewer``: rows that were sealed are gone at the source, so the sealed ones
    stand. Otherwise the look failed, and says nothing of the rows. ``occasion`` is why we looked: ``night 1``, ``30 days``,
    ``packet``, ``export``. ``facts`` go into the log entry as they are.
    """

    result: RecountResult
    occasion: str
    compared: tuple[str, ...] = ()
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Collected:
    """Identity, spooled files (paths relative to ``spool``) and receipt of one read.

    ``previous`` is the highest revision sealed when the work was planned; ``key`` is the next one. With ``recount`` it stays
    the highest.
    """

    key: SnapshotKey
    kind: Kind
    contract: Mapping[str, Any]
    spool: Path
    parts: tuple[Part, ...]
    quarantine: tuple[Part, ...]
    receipt: Receipt
    previous: SealedEntry | None = None
    recount: Recount | None = None

    @property
    def same_rows(self) -> bool:
        """True if this read found what is sealed already: same status and same rows."""
        if self.previous is None:
            return False
        body = self.previous.body
        return bool(
            body["status"] == self.receipt.status
            and body["rows_digest"] == self.receipt.rows_digest
            and body["quarantined"] == self.receipt.quarantined
        )

    @property
    def unchanged(self) -> bool:
        """True if there is no new revision to seal."""
        return self.recount is not None or self.same_rows

    @property
    def outcome(self) -> Status | Literal["fewer"]:
        """What this look came to: the receipt's status, or ``fewer`` for a re-count that missed sealed rows."""
        return "fewer" if self.recount is not None and self.recount.result == "fewer" else self.receipt.status

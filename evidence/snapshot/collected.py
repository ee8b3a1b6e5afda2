"""A window that was read and lies in the spool: what ``collect`` hands to ``seal``."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence.snapshot.entry import SealedEntry
from evidence.snapshot.model import Kind, Part, Receipt, SnapshotKey


@dataclass(frozen=True, slots=True)
class Collected:
    """Identity, spooled files (paths relative to ``spool``) and receipt of one read.

    ``previous`` is the highest revision sealed when the work was planned; ``key`` is the next one.
    """

    key: SnapshotKey
    kind: Kind
    contract: Mapping[str, Any]
    spool: Path
    parts: tuple[Part, ...]
    quarantine: tuple[Part, ...]
    receipt: Receipt
    previous: SealedEntry | None = None

    @property
    def unchanged(self) -> bool:
        """True if this read found what is sealed already: same status and same rows."""
        if self.previous is None:
            return False
        body = self.previous.body
        return bool(
            body["status"] == self.receipt.status
            and body["rows_digest"] == self.receipt.rows_digest
            and body["quarantined"] == self.receipt.quarantined
        )

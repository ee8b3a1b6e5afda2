"""The last landing of each state dataset: an export that is the same file again is not decoded, cast and counted again.

Landing is a function of the file's bytes, the contract and the redaction key. Most of what an account exports each night stands still
(policies, parameters, roles), and a backfill of a quarter reads each of them ninety times. The rows are written to the spool and sealed
all the same: only the work that would come out alike is spared.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evidence.datasets.contract import Contract
from evidence.datasets.land import Landed

LIMIT: Final = 1 << 20  # bytes of one landing that are kept; larger ones are landed each time


@dataclass(frozen=True, slots=True)
class _Kept:
    identity: str
    landed: Landed
    bodies: tuple[bytes, ...]


class Landings:
    """Use one per process and redaction key. Events are never kept: their rows are judged by the window's night."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], _Kept] = {}

    def again(self, source: str, contract: Contract, identity: str | None, spool: Path) -> Landed | None:
        """Return the landing of the same bytes, its parts written into ``spool``, or None if they are not the last ones."""
        kept = self._kept.get((source, contract.name))
        if identity is None or kept is None or kept.identity != identity:
            return None
        for part, body in zip(kept.landed.parts, kept.bodies, strict=True):
            with os.fdopen(os.open(spool / part.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(body)
        return kept.landed

    def keep(self, source: str, contract: Contract, identity: str | None, landed: Landed, spool: Path) -> None:
        """Remember ``landed``, unless anything was set aside or it is large."""
        small = sum(part.size for part in landed.parts) <= LIMIT
        if identity is None or contract.kind != "state" or landed.quarantined or not small:
            self._kept.pop((source, contract.name), None)
            return
        bodies = tuple((spool / part.path).read_bytes() for part in landed.parts)
        self._kept[source, contract.name] = _Kept(identity, landed, bodies)

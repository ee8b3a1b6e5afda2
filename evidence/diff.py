"""Drift between two captures of one dataset: rows that came, went or changed, on columns that do not move by themselves.

Rows are compared as a multiset of their stable columns (``GRANTS_TO_ROLES`` holds exact duplicates); a row that went and a row
that came under one key are shown as one change. Only complete snapshots are compared: a short one would read as removals.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from evidence.control.engine import select
from evidence.control.evidence import EvidenceReader, Sealed
from evidence.control.windows import conformed
from evidence.datasets.contract import NESTED, REST_SUFFIX, Contract
from evidence.errors import IncompleteSnapshotError, UsageError

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One row that is not the same: ``before`` is None if it came, ``after`` is None if it went."""

    key: Row
    before: Row | None
    after: Row | None

    @property
    def word(self) -> str:
        """``added``, ``removed`` or ``changed``."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that differ, of a changed row."""
        if self.before is None or self.after is None:
            return ()
        return tuple(name for name in self.before if self.before[name] != self.after[name])


@dataclass(frozen=True, slots=True)
class Drift:
    """What is not the same, and what the comparison rests on. ``left_out`` columns were not compared, each with the reason."""

    source: str
    dataset: str
    nights: tuple[dt.date, dt.date]
    rows: tuple[int, int]
    changes: tuple[Change, ...]
    left_out: Mapping[str, str]


def diff(reader: EvidenceReader, contract: Contract, source: str, before: dt.date, after: dt.date) -> Drift:
    """Compare the captures of two nights. Columns are landed names, values as sealed.

    Raises ``UsageError`` if a night has no snapshot or the dataset holds events, ``IncompleteSnapshotError`` if one is not
    complete.
    """
    if contract.kind != "state":
        raise UsageError(f"{contract.name} holds events; a day's events do not drift", fix="name a state dataset")
    sealed = [_complete(reader, contract, source, night) for night in (before, after)]
    left_out = _left_out(contract, sealed)
    columns = [name for name in contract.landed_schema.names if name not in left_out]
    tables = [conformed(reader.rows(each, columns), contract, columns) for each in sealed]
    gone, came = _except(tables[0], tables[1]), _except(tables[1], tables[0])
    return Drift(
        source=source,
        dataset=contract.name,
        nights=(before, after),
        rows=(tables[0].num_rows, tables[1].num_rows),
        changes=tuple(_paired(contract, gone, came)),
        left_out=left_out,
    )


def _complete(reader: EvidenceReader, contract: Contract, source: str, night: dt.date) -> Sealed:
    sealed = reader.snapshot(source, contract.name, night)
    if sealed is None:
        raise UsageError(
            f"{source} has no {contract.name} for {night}",
            fix="`evidence status` shows what is sealed; choose such a night",
        )
    if sealed.input.status != "complete":
        raise IncompleteSnapshotError(
            f"{source} {contract.name} of {night} is {sealed.input.status}: {sealed.receipt.get('reason', '')}",
            fix="choose another night; rows that are missing from a short capture would read as removed",
        )
    return sealed


def _left_out(contract: Contract, sealed: Sequence[Sealed]) -> dict[str, str]:
    """Return the columns that cannot be compared: they move by themselves, or their keyed digests have different keys."""
    found = {}
    keys = {str(each.receipt.get("key_id", "")) for each in sealed}
    for column in contract.kept:
        reason = "moves by itself" if column.volatile else ""
        if len(keys) > 1 and column.treatment in {"keyed", "scrub"}:
            reason = "treated under different redaction keys"
        if reason:
            found[column.landed] = reason
            if column.type in NESTED:
                found[column.landed + REST_SUFFIX] = reason
    return found


def _except(rows: pa.Table, less: pa.Table) -> list[Row]:
    """Return the rows that are left when each row of ``less`` has taken one equal row away."""
    sql = "SELECT * FROM taken EXCEPT ALL SELECT * FROM less"
    found: list[Row] = select(sql, {"taken": rows, "less": less}).to_pylist()
    return found


def _paired(contract: Contract, gone: Sequence[Row], came: Sequence[Row]) -> Iterable[Change]:
    names = [name.lower() for name in contract.key]
    before, after = _by_key(names, gone), _by_key(names, came)
    for spelled in sorted(before.keys() | after.keys()):
        lost, new = before.get(spelled, []), after.get(spelled, [])
        key = {name: (lost or new)[0][name] for name in names}
        if len(lost) == len(new) == 1 and names:
            yield Change(key, lost[0], new[0])
        else:
            yield from (Change(key, row, None) for row in lost)
            yield from (Change(key, None, row) for row in new)


def _by_key(names: Sequence[str], rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in sorted(rows, key=repr):
        found.setdefault(repr([row[name] for name in names] or list(row.values())), []).append(row)
    return found

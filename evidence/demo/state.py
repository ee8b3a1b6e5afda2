"""Rows of the state views over the nights: most stand still, some come, change and go.

A row that is the same on every night is encoded once. What moves is a short list per dataset; nights whose moving rows
are equal share one encoded file.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from evidence.datasets.contract import Contract
from evidence.demo.export import Body, body_of, table_of

ALWAYS = 10**6  # a night number no period reaches
Values = dict[str, Any]


@dataclass(slots=True)
class Row:
    """One row: there from night ``first`` to ``last`` but for ``absent``; ``changes`` replace values on some nights, ``daily`` on each."""

    values: Values
    first: int = 0
    last: int = ALWAYS
    changes: list[tuple[int, int, Values]] = field(default_factory=list)
    absent: list[tuple[int, int]] = field(default_factory=list)
    daily: Callable[[int], Values] | None = None

    @property
    def still(self) -> bool:
        """True if the row is the same on every night."""
        moves = self.first or self.last != ALWAYS or self.changes or self.absent or self.daily
        return not moves

    def change(self, first: int, last: int, **values: Any) -> None:
        """Replace values on the nights ``first`` to ``last``."""
        self.changes.append((first, last, values))

    def on(self, night: int) -> Values | None:
        """Return the values the capture of ``night`` sees, None if the row is not there."""
        if not self.first <= night <= self.last or any(first <= night <= last for first, last in self.absent):
            return None
        values = dict(self.values)
        if self.daily:
            values |= self.daily(night)
        for first, last, change in self.changes:
            if first <= night <= last:
                values |= change
        return values


class State:
    """All state rows of the account."""

    def __init__(self, contracts: Mapping[str, Contract]) -> None:
        self._contracts = contracts
        self._rows: dict[str, list[Row]] = {}
        self._still: dict[str, tuple[pa.Table, list[Row]]] = {}
        self._bodies: dict[tuple[str, str], Body] = {}

    @property
    def datasets(self) -> list[str]:
        """Datasets that have rows."""
        return sorted(self._rows)

    def add(self, dataset: str, values: Values, *, first: int = 0, last: int = ALWAYS) -> Row:
        """Add a row that is there on the nights ``first`` to ``last``."""
        row = Row(values, first, last)
        self._rows.setdefault(dataset, []).append(row)
        return row

    def find(self, dataset: str, /, **values: Any) -> Row:
        """Return the one row with these values. Raises ``LookupError`` for none or several."""
        found = list(self.select(dataset, **values))
        if len(found) != 1:
            raise LookupError(f"{dataset}: {len(found)} rows with {values}")
        return found[0]

    def select(self, dataset: str, /, **values: Any) -> Iterator[Row]:
        """Yield the rows with these values."""
        wanted = values.items()
        return (row for row in self._rows.get(dataset, ()) if all(row.values.get(k) == v for k, v in wanted))

    def body(self, dataset: str, night: int) -> Body:
        """Return the encoded capture of one night; no row may be added or changed any more."""
        contract = self._contracts[dataset]
        if dataset not in self._still:
            rows = self._rows[dataset]
            table = table_of(contract, [row.values for row in rows if row.still])
            self._still[dataset] = table, [row for row in rows if not row.still]
        still, moving = self._still[dataset]
        there = [values for row in moving if (values := row.on(night)) is not None]
        key = (dataset, repr(there))
        if key not in self._bodies:
            self._bodies[key] = body_of(contract, pa.concat_tables([still, table_of(contract, there)]))
        return self._bodies[key]

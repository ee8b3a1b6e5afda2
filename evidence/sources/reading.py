"""A reading whose rows are few enough to be listed: dbt artifacts, contracts, refused files."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import pyarrow as pa

from evidence.datasets.contract import ARROW, Contract
from evidence.snapshot.model import Finality, Statement, Totals
from evidence.sources import exact
from evidence.sources.decode import Reject

BATCH_ROWS = 8192
_PICO = Decimal("0.000000000001")  # the twelve decimals that a contract's decimal column holds


@dataclass(slots=True)
class RowsReading:
    """Rows under the contract's own names and types, and the facts a receipt needs."""

    contract: Contract
    rows: Sequence[Mapping[str, Any]]
    rejects: Sequence[Reject] = ()
    statements: Sequence[Statement] = ()
    system: Mapping[str, str] = field(default_factory=dict)
    as_of: tuple[dt.datetime, bool] | None = None
    finality: Finality | None = None
    notes: Sequence[str] = ()
    stated: Totals | None = None  # the exporter's own totals
    gaps: Sequence[str] = ()

    @property
    def batches(self) -> Iterator[pa.RecordBatch]:
        """Rows in batches, typed as the contract types them; no rows give one empty batch that shows the columns."""
        for start in range(0, max(len(self.rows), 1), BATCH_ROWS):
            yield typed_batch(self.contract, self.rows[start : start + BATCH_ROWS])

    @property
    def rejected(self) -> Iterator[tuple[str, str]]:
        """What could not be read, with the reason."""
        return ((reject.text, reject.reason) for reject in self.rejects)

    @property
    def totals(self) -> Totals:
        """The exporter's totals, else the rows counted in the files."""
        return self.stated or Totals(len(self.rows) + len(self.rejects))


def typed_batch(contract: Contract, rows: Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
    """Return ``rows`` (values by landed name) as one batch with every column of the contract."""
    fields = [pa.field(column.name, ARROW[column.type]) for column in contract.columns]
    values = {column.name: [_value(column.type, row.get(column.landed)) for row in rows] for column in contract.columns}
    return pa.RecordBatch.from_pydict(values, schema=pa.schema(fields))


def _value(kind: str, value: Any) -> Any:
    if value is None:
        return None
    match kind:
        case "text":
            return exact.as_text(value)
        case "json":
            return exact.dumps(value)
        case "decimal":
            return Decimal(value).quantize(_PICO, ROUND_HALF_EVEN)
        case "texts":
            return [exact.as_text(item) for item in value]
        case _:
            return value

"""The records of ``data/findings.csv`` by type, for every format that carries all of them: CSV, Parquet, the workbook. Pure.

One record is one exception or open review of the period, in the order of :func:`evidence.control.result.parts`. Record k is the same one
in each of the files. CSV and Parquet hold raw values.
"""

import csv
import datetime as dt
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from evidence.control.longlist import columns
from evidence.control.result import PeriodFinding, parts

SCHEMA: Final = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in ("control", "kind", "item", "reason")),
        *(pa.field(name, pa.date32(), nullable=False) for name in ("first_seen", "last_seen")),
        pa.field("nights", pa.int32(), nullable=False),
        pa.field("open", pa.bool_(), nullable=False),
        pa.field("days_open", pa.int32(), nullable=False),
        pa.field("remediated_on", pa.date32()),
        *(pa.field(name, pa.string(), nullable=False) for name in ("observed", "expected")),
    ]
)
COLUMNS: Final = tuple(SCHEMA.names)
GROUP: Final = 1 << 16  # rows of a row group: what is held at a time
_LINES: Final = 1000  # of a piece of CSV
Record = tuple[str | int | bool | dt.date | None, ...]


def records(periods: Sequence[PeriodFinding]) -> Iterator[Record]:
    """Yield every record, its values in the order of ``COLUMNS``."""
    for finding, kind, intervals in parts(periods):
        for values in columns(intervals, *COLUMNS[2:]):
            yield (finding.control, kind, *values)


def count(periods: Iterable[PeriodFinding]) -> int:
    """Return how many records there are."""
    return sum(len(each.exceptions) + len(each.reviews) for each in periods)


def csv_pieces(periods: Sequence[PeriodFinding]) -> Iterator[bytes]:
    """Yield ``data/findings.csv`` piece by piece: every exception and open review of the period, raw values, RFC 4180 with LF."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    rows = records(periods)
    while group := list(islice(rows, _LINES)):
        writer.writerows([_spelled(value) for value in record] for record in group)
        yield out.getvalue().encode()
        out.seek(0)
        out.truncate()
    yield out.getvalue().encode()


def findings_csv(periods: Sequence[PeriodFinding]) -> bytes:
    """Return the bytes of ``data/findings.csv``."""
    return b"".join(csv_pieces(periods))


def write_parquet(path: Path, rows: Iterable[Sequence[Any]], schema: pa.Schema) -> int:
    """Write ``rows`` to ``path`` by row groups, one held at a time; return how many. The same rows and library give the same bytes."""
    written = 0
    rows = iter(rows)
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=3, store_schema=False) as writer:
        while group := list(islice(rows, GROUP)):
            columns = [
                pa.array(column, field.type) for column, field in zip(zip(*group, strict=True), schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema), row_group_size=GROUP)
            written += len(group)
    return written


def _spelled(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)

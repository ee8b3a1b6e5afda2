"""Write one night of one dataset the way ``docs/formats/export.md`` asks: Parquet and what the exporter claims of it.

The claimed totals are taken here with Arrow's own functions, apart from the code that lands rows: agreement between the two
sides says something only if they do not share it.
"""

import datetime as dt
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evidence.datasets.contract import ARROW, NESTED, Contract
from evidence.snapshot.canonical import format_time
from evidence.snapshot.model import DAY, start_of

CAPTURE = dt.timedelta(hours=3, seconds=5)  # after midnight of the following day: inside every capture span
EXPORT = 4 * DAY + dt.timedelta(hours=7)  # later than any latency: windows are settled
ROLE = "EVIDENCE_COLLECTOR"
SYSTEM = {
    "product": "snowflake",
    "organization": "FERNHOLLOW",
    "account": "FERNHOLLOW-CARRIER",
    "region": "AWS_US_EAST_1",
    "edition": "BUSINESS_CRITICAL",
    "version": "10.31.2",
    "role": ROLE,
    "secondary_roles": "NONE",
}


@dataclass(frozen=True, slots=True)
class Body:
    """A Parquet file and the totals an exporter states of it."""

    parquet: bytes
    totals: dict[str, Any]


def source_schema(contract: Contract) -> pa.Schema:
    """Return the schema an export has: the view's names and types, VARIANT as JSON text."""
    return pa.schema([(c.name, pa.string() if c.type in NESTED else ARROW[c.type]) for c in contract.columns])


def table_of(contract: Contract, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return ``rows`` as a table of the view; a column a row does not name is NULL.

    Raises ``ValueError`` for an unknown name, and for one text where a list of texts belongs: Arrow takes it for a list of its letters.
    """
    schema = source_schema(contract)
    unknown = {name for row in rows for name in row} - set(schema.names)
    if unknown:
        raise ValueError(f"{contract.name} has no column {sorted(unknown)}")
    lists = [name for name in schema.names if pa.types.is_list(schema.field(name).type)]
    for name in lists:
        lone = next((row[name] for row in rows if isinstance(row.get(name), str)), None)
        if lone is not None:
            raise ValueError(f"{contract.name}.{name}: {lone!r} is one text; write [{lone!r}]")
    return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)


def body_of(contract: Contract, table: pa.Table) -> Body:
    """Encode ``table`` and take its totals; equal tables give equal bytes."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", use_dictionary=True, write_statistics=True)
    return Body(sink.getvalue(), totals_of(contract, table))


def totals_of(contract: Contract, table: pa.Table) -> dict[str, Any]:
    """Count as the account would: COUNT(*), COUNT(DISTINCT key), COUNT, SUM(LENGTH) for text, SUM for integers."""
    columns = {c.name: _column(table[c.name], c.type) for c in contract.columns}
    totals: dict[str, Any] = {"rows": table.num_rows, "columns": columns}
    if contract.key:
        totals["distinct_keys"] = _distinct(table.select(list(contract.key)))
    return totals


def write_night(folder: Path, contract: Contract, night: dt.date, body: Body, **overrides: Any) -> None:
    """Write ``part.parquet`` and ``_export.json`` into ``folder/date=D``; ``overrides`` as in :func:`write_claims`."""
    target = folder / f"date={night.isoformat()}"
    target.mkdir(parents=True)
    (target / "part.parquet").write_bytes(body.parquet)
    write_claims(target, contract, night, totals=body.totals, **overrides)


def write_claims(target: Path, contract: Contract, night: dt.date, **overrides: Any) -> None:
    """Write ``_export.json``; ``overrides`` replace members, None removes one."""
    captured = start_of(night) + DAY + CAPTURE
    claims: dict[str, Any] = {
        "format": "evidence-export-v1",
        "dataset": contract.name,
        "night": night.isoformat(),
        "exported_at": format_time(
            captured + dt.timedelta(seconds=40) if _state(contract) else start_of(night) + EXPORT
        ),
        "as_of": format_time(captured) if _state(contract) else None,
        "status": "complete",
        "system": SYSTEM if contract.name.startswith("snowflake.") else {"product": contract.name.partition(".")[0]},
        "covers": {"start": format_time(start_of(night)), "end": format_time(start_of(night) + DAY)}
        if "covers" in contract.must_state
        else None,
        **overrides,
    }
    if "statements" not in overrides and claims["status"] == "complete":
        claims["statements"] = [{"text": statement(contract, night), "rows": claims["totals"]["rows"]}]
    kept = {name: value for name, value in claims.items() if value is not None}
    (target / "_export.json").write_text(json.dumps(kept, indent=1) + "\n")


def statement(contract: Contract, night: dt.date) -> str:
    """Return the read an exporter would have sent."""
    if contract.read == "show":
        return contract.object if contract.name != "snowflake.future_grants" else "SHOW FUTURE GRANTS IN DATABASE …"
    named = ", ".join(column.name for column in contract.columns)
    text = f"SELECT {named} FROM {contract.object}"
    if _state(contract):
        return text
    mark, start = contract.watermark, start_of(night)
    return f"{text} WHERE {mark} >= '{start:%Y-%m-%d}' AND {mark} < '{start + DAY:%Y-%m-%d}'"


def _state(contract: Contract) -> bool:
    return contract.kind == "state"


def _column(values: pa.ChunkedArray, kind: str) -> dict[str, int]:
    totals = {"non_null": len(values) - values.null_count}
    if kind == "text":
        totals["length_sum"] = pc.sum(pc.utf8_length(values)).as_py() or 0
    elif kind == "int":
        # Sums of 18-digit ids leave 64 bits behind.
        totals["value_sum"] = int(pc.sum(values.cast(pa.decimal128(38, 0))).as_py() or 0)
    return totals


def _distinct(keys: pa.Table) -> int:
    """Count as SQL does: a key with a NULL in it is none."""
    return int(keys.drop_null().group_by(keys.column_names).aggregate([]).num_rows)

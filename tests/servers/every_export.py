"""An export with rows for every Snowflake dataset there is, made from the contracts alone.

Each dataset has five rows or more: NULLs where a column may be NULL, ids beyond 2^53, mixed case, dots, quotes, backslashes and
line breaks in names, ``-1`` and ``TRUNCATED`` where Snowflake cuts, and PHI planted in every column that is treated. What is asked for
object by object has rows for each object that its listing gives.
"""

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evidence.datasets.contract import ARROW, NESTED, Column, Contract, Listing
from evidence.datasets.load import load_contracts

NIGHT = dt.date(2026, 7, 1)
ROWS = 5
PHI = "Jane Roe 078-05-1120"  # a number that was printed on sample cards
ROLE = "EVIDENCE_COLLECTOR"
LOCATOR = "XY12345"
NAMES = ("PLAIN", "Mixed Case", 'dot.ted "quoted"', "o'brien \\ and; -- sons\nltd", "ÜNÏ", "SIXTH")
BIG = 18_260_702_004_593_906
FIXED = {  # what a column must hold to be answered
    ("collector_grants", "grantee_name"): [ROLE],
    ("databases", "origin"): [None],
    ("databases", "kind"): ["STANDARD"],
    ("databases", "name"): ["PROD", "Mixed Case", 'dot.ted "quoted"', "o'brien \\ and; -- sons\nltd", "ÜNÏ"],
    ("replication_groups_show", "account_locator"): [LOCATOR],
    ("future_grants", "name"): [f"PROD.RAW.<T{at}>" for at in range(ROWS)],
    ("tables", "TABLE_CATALOG"): ["PROD"],
    ("tables", "TABLE_SCHEMA"): ["RAW"],
    ("procedures_desc", "arguments"): ["(VARCHAR, NUMBER)"],
    ("privatelink_config", "value"): ['["a", "b"]', "text"],
    **{("backups_show", column): NAMES[:ROWS] for column in ("database_name", "schema_name", "backup_set_name")},
    **{(f"{kind}_policies_show", "name"): [f"{name} {kind}" for name in NAMES] for kind in ("password", "session")},
}
CONTRACTS = {  # but for the probe, which has no rows of its own: the account is asked about the others
    name: c
    for name, c in load_contracts().items()
    if name.startswith(("snowflake.", "organization.")) and c.read != "probe"
}


def write(root: Path) -> Path:
    """Write the folder and return it."""
    for contract in CONTRACTS.values():
        product, dataset = contract.name.split(".")
        folder = root / product / dataset / f"date={NIGHT}"
        folder.mkdir(parents=True)
        pq.write_table(_table(contract), folder / "part-0000.parquet")
    return root


def rows_of(contract: Contract) -> list[dict[str, Any]]:
    """Return the rows of a dataset, values as Python objects."""
    listings = [listing for _, listing in contract.lists if listing.beside]
    if not listings:
        return [_row(contract, at) for at in range(max(ROWS, _most(contract)))]
    rows = []
    for place in dict.fromkeys(place for listing in listings for place in _objects(listing)):
        for at in range(3):
            row = _row(contract, len(rows)) | dict(zip(listings[0].beside, place, strict=True))
            rows.append(
                row | ({"property": ("COMMENT", "ENABLED", "BODY")[at]} if "property" in contract.by_name else {})
            )
    return rows


def _most(contract: Contract) -> int:
    """As many rows as a listing over this dataset needs to have an object of each kind."""
    wanted = [values for _, values in _wheres(contract)]
    return max([len(values) for values in wanted], default=0)


def _wheres(contract: Contract) -> list[tuple[str, tuple[str, ...]]]:
    """Columns of this dataset that listings choose by, with every value some listing takes."""
    found: dict[str, dict[str, None]] = {}
    for other in CONTRACTS.values():
        for _, listing in other.lists:
            if listing.statement in contract.statements:
                for column, values in listing.where:
                    found.setdefault(column, {}).update(dict.fromkeys(values))
    return [(column, tuple(values)) for column, values in found.items()]


def _objects(listing: Listing) -> list[tuple[str, ...]]:
    """Return the parts of each object that a listing gives."""
    answering = [c for c in CONTRACTS.values() if listing.statement in c.statements and not c.lists]
    if not answering:
        return [("PROD", "RAW", name, "(VARCHAR, NUMBER)")[-len(listing.beside) :] for name in NAMES[:ROWS]]
    return [
        tuple(row[name] for name in listing.name)
        for row in rows_of(answering[0])
        if all(row[column] in values or "{account}" in values for column, values in listing.where)
    ]


def _row(contract: Contract, at: int) -> dict[str, Any]:
    dataset = contract.name.split(".")[1]
    wheres = dict(_wheres(contract))
    row = {}
    for column in contract.columns:
        fixed = FIXED.get((dataset, column.name)) or (
            wheres.get(column.name) if column.name != "account_locator" else None
        )
        row[column.name] = fixed[at % len(fixed)] if fixed else _value(contract, column, at)
    return row


def _value(contract: Contract, column: Column, at: int) -> Any:
    key = column.name in {*contract.key, contract.watermark}
    if at % ROWS == 1 and not key and not column.required:
        return None
    if column.name == contract.watermark and column.source_type == "DATE":
        return NIGHT
    start = dt.datetime.combine(NIGHT, dt.time(), dt.UTC)
    if column.type == "text":
        return _text(column, at, key=key)
    return {
        "int": BIG + at if column.name.upper().endswith("ID") else (-1 if at % ROWS == 3 else at * 7),
        "time": start + dt.timedelta(hours=at, microseconds=456_789),
        "bool": at % 2 == 0,
        "float": at + 0.25,
        "decimal": Decimal(at) + Decimal("0.000000125"),
        "date": NIGHT,
        "json": json.dumps({"sum": at, "name": NAMES[at % len(NAMES)]}),
        "texts": json.dumps(list(NAMES)),
        "objects": _nested(at),
        "policies": _nested(at),
    }[column.type]


def _nested(at: int) -> str:
    if at % ROWS == 3:
        return json.dumps([{"objectId": -1, "objectName": "TRUNCATED", "objectDomain": "TRUNCATED"}])
    return json.dumps(
        [{"objectDomain": "Table", "objectId": BIG + at, "objectName": f'PROD.RAW."{NAMES[1]}"', "columns": []}]
    )


def _text(column: Column, at: int, *, key: bool) -> str:
    name = NAMES[at % len(NAMES)]
    if key and column.treatment == "keep":
        return name if at < len(NAMES) else f"{name}{at}"
    if column.treatment == "keep":
        return "TRUNCATED" if at % ROWS == 3 else name
    if column.treatment == "scrub" and column.scrub_as == "location":
        return f"s3://bucket/{at}/{PHI}.csv"
    if column.treatment == "scrub" and column.scrub_as == "statement":
        return f"SELECT {at} FROM T WHERE NAME = '{PHI}'"
    if column.treatment == "scrub" and column.scrub_as == "expression":
        return f"(NAME VARCHAR DEFAULT '{PHI} {at}')"
    return f"{PHI} {at}"


def _table(contract: Contract) -> pa.Table:
    rows = rows_of(contract)
    arrays = {column.name: pa.array([row[column.name] for row in rows], _arrow(column)) for column in contract.columns}
    return pa.table(arrays)


def _arrow(column: Column) -> pa.DataType:
    if column.type in NESTED | {"texts", "json"}:
        return pa.string()
    if column.source_type == "DATE":
        return pa.date32()
    return pa.timestamp("us") if column.source_type == "TIMESTAMP_NTZ" else ARROW[column.type]

"""A small export folder in the layout of docs/formats/export.md: what the emulator's own tests serve.

Required columns that a test does not care for are there and NULL.
"""

import datetime as dt
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from evidence.datasets.contract import ARROW
from evidence.datasets.load import load_contracts

NIGHT, NEXT, LARGE = dt.date(2026, 7, 1), dt.date(2026, 7, 2), dt.date(2026, 7, 9)
QUIET = dt.date(2026, 7, 3)  # nobody signed in
ACCOUNT = "TESTACCT"
BIG_ID = 18_260_702_004_593_906  # 17 digits, beyond 2^53: seen in real rows
DATASETS = ("users", "parameters", "future_grants", "tables", "login_history", "query_history")
TIME = pa.timestamp("us", tz="UTC")


def write(root: Path, *, large_rows: int = 0) -> Path:
    """Write the folder and return it. ``large_rows`` queries of half a kilobyte each lie on LARGE."""
    for night in (NIGHT, NEXT):
        _part(root, "users", night, _users(night))
        _part(root, "parameters", night, _parameters())
        _part(root, "future_grants", night, _future_grants())
        _part(root, "tables", night, _tables())
    _part(root, "login_history", NIGHT, _logins(NIGHT, 4000))
    _part(root, "login_history", NEXT, _logins(NEXT, 10))
    _part(root, "login_history", QUIET, _logins(QUIET, 1).slice(0, 0))
    _part(root, "query_history", NIGHT, _queries(NIGHT, 200))
    _part(root, "access_history", NIGHT, _accesses(NIGHT))
    if large_rows:
        _part(root, "query_history", LARGE, _queries(LARGE, large_rows))
    return root


def _part(root: Path, dataset: str, night: dt.date, table: pa.Table) -> None:
    folder = root / "snowflake" / dataset / f"date={night}"
    folder.mkdir(parents=True, exist_ok=True)
    for column in load_contracts()[f"snowflake.{dataset}"].columns:
        if column.required and column.name not in table.schema.names:
            table = table.append_column(column.name, pa.nulls(table.num_rows, ARROW[column.type]))
    pq.write_table(table, folder / "part-0000.parquet")


def _at(night: dt.date, seconds: float = 0) -> dt.datetime:
    return dt.datetime(night.year, night.month, night.day, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)


def _users(night: dt.date) -> pa.Table:
    """Five people; on the second night one of them is gone. Every nullable column is NULL for somebody."""
    names = ["ALICE", "BOB", "Mixed Case", "SVC_DBT", "ÉVA"][: 5 if night == NIGHT else 4]
    rows = [
        {
            "USER_ID": BIG_ID + at,
            "NAME": name,
            "CREATED_ON": _at(dt.date(2025, 3, 1), at),
            "DELETED_ON": _at(NIGHT, 5) if at == 4 else None,
            "DISABLED": "true" if at == 1 else "false",
            "HAS_MFA": None if at % 2 else True,
            "LAST_SUCCESS_LOGIN": None if at == 3 else _at(NIGHT, 0.456789 + at),
            "COMMENT": None,
        }
        for at, name in enumerate(names)
    ]
    kinds = {"CREATED_ON": TIME, "DELETED_ON": TIME, "LAST_SUCCESS_LOGIN": TIME, "COMMENT": pa.string()}
    return _table(rows, kinds)


def _logins(night: dt.date, count: int) -> pa.Table:
    """Evenly spread over the day: the first row at its first instant."""
    step = 86_400 / count
    return pa.Table.from_pylist(
        [
            {
                "EVENT_ID": BIG_ID + at,
                "EVENT_TIMESTAMP": _at(night, at * step),
                "EVENT_TYPE": "LOGIN",
                "USER_NAME": f"U{at % 5}",
                "IS_SUCCESS": "YES" if at % 7 else "NO",
                "ERROR_CODE": None if at % 7 else 390100,
            }
            for at in range(count)
        ]
    )


def _queries(night: dt.date, count: int) -> pa.Table:
    step = 86_400 / count
    texts = [f"SELECT * FROM MART.CLAIMS.LINE WHERE CLAIM_ID = '{at}' /* {'x' * 450} */" for at in range(100)]
    times = pa.array([_at(night, at * step) for at in range(count)], TIME)
    return pa.table(
        {
            "QUERY_ID": [f"01b2-{night:%m%d}-{at:08d}" for at in range(count)],
            "QUERY_TEXT": [texts[at % 100] for at in range(count)],
            "QUERY_TYPE": ["SELECT"] * count,
            "USER_NAME": [f"U{at % 5}" for at in range(count)],
            "ROLE_NAME": ["ANALYST"] * count,
            "EXECUTION_STATUS": ["SUCCESS"] * count,
            "START_TIME": times,
            "END_TIME": times,
            "BIND_VALUES": ['["1970-01-01"]'] * count,
            "SESSION_ID": pa.array([BIG_ID + at for at in range(count)], pa.int64()),
        }
    )


def _accesses(night: dt.date) -> pa.Table:
    """Object lists as JSON text, with a member that the documentation does not know."""
    objects = [{"objectDomain": "Table", "objectId": BIG_ID, "objectName": "PROD.RAW.LINE", "columns": [], "odd": "ä"}]
    rows = [
        {
            "QUERY_ID": f"01b2-{at:08d}",
            "QUERY_START_TIME": _at(night, at),
            "USER_NAME": "ALICE",
            "DIRECT_OBJECTS_ACCESSED": json.dumps(objects),
            "BASE_OBJECTS_ACCESSED": json.dumps(objects * 2),
            "OBJECTS_MODIFIED": "[]",
        }
        for at in range(3)
    ]
    return _table(rows, {})


def _parameters() -> pa.Table:
    names = ("key", "value", "default", "level", "description", "type")
    row = ("PREVENT_UNLOAD_TO_INLINE_URL", "true", "false", "ACCOUNT", "Prevents unloads", "BOOLEAN")
    return pa.Table.from_pylist([dict(zip(names, row, strict=True))])


def _future_grants() -> pa.Table:
    where = [("USAGE", "SCHEMA", "PROD.<SCHEMA>"), ("SELECT", "TABLE", "PROD.RAW.<TABLE>")]
    rows = [
        {
            "created_on": _at(dt.date(2026, 1, 1)),
            "privilege": privilege,
            "grant_on": kind,
            "name": name,
            "grant_to": "ROLE",
            "grantee_name": "ANALYST",
            "grant_option": "false",
        }
        for privilege, kind, name in where
    ]
    return _table(rows, {"created_on": TIME})


def _tables() -> pa.Table:
    """One schema's name needs quoting."""
    return pa.Table.from_pylist(
        [
            {"TABLE_ID": at, "TABLE_NAME": f"T{at}", "TABLE_CATALOG": "PROD", "TABLE_SCHEMA": schema}
            for at, schema in enumerate(["RAW", 'odd "one"'])
        ]
    )


def _table(rows: list[dict[str, object]], kinds: dict[str, pa.DataType]) -> pa.Table:
    columns = {name: pa.array([row[name] for row in rows], kinds.get(name)) for name in rows[0]}
    return pa.table(columns)

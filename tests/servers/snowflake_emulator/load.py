"""From an export folder (docs/formats/export.md) to ``SNOWFLAKE.db``: every view with all of its nights.

Rows lie in schema EMULATOR, one table per view with the night beside them. ACCOUNT_USAGE holds views over them: event
views show every night, state views the night that was chosen. SHOW commands are answered from the same tables.
"""

import contextlib
import json
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

CONTRACTS = Path(__file__).resolve().parents[3] / "evidence" / "datasets"
PRODUCTS = ("snowflake", "organization")
SCHEMAS = ("ACCOUNT_USAGE", "ORGANIZATION_USAGE", "TRUST_CENTER")
AT_SOURCE = {"DATE": "DATE", "TIMESTAMP_NTZ": "TIMESTAMP"}
TYPES = {
    "int": "BIGINT",
    "time": "TIMESTAMPTZ",
    "bool": "BOOLEAN",
    "float": "DOUBLE",
    "decimal": "DECIMAL(38,12)",
    "date": "DATE",
    "json": "JSON",
    "objects": "JSON",
    "policies": "JSON",
    "texts": "JSON",
}


@dataclass(frozen=True)
class View:
    """One dataset: its contract, the columns the export has, and the nights with the exporter's claims.

    ``name`` is the view's where it lies in ACCOUNT_USAGE, else the schema stands before it; for commands it is the dataset's after ``SHOW.``.
    """

    name: str
    contract: dict[str, Any]
    kind: str
    read: str
    columns: dict[str, str]  # name -> DuckDB type, in contract order
    nights: dict[str, dict[str, Any]] = field(default_factory=dict)  # night -> _export.json
    surplus: dict[str, int] = field(default_factory=dict)  # night -> rows claimed beyond those there are


def load(folder: Path, database: Path) -> dict[str, View]:
    """Build ``database`` (a file named SNOWFLAKE.db) from ``folder`` and return the views by name."""
    views = {}
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(f"ATTACH '{database}' AS SNOWFLAKE")
        for schema in (*SCHEMAS, "EMULATOR"):
            con.execute(f"CREATE SCHEMA SNOWFLAKE.{schema}")
        con.execute("CREATE TABLE SNOWFLAKE.EMULATOR.CHOSEN AS SELECT NULL::DATE AS night")
        for contract in contracts():
            product, dataset = contract["name"].split(".")
            view = _load_view(con, folder / product / dataset, contract)
            views[view.name] = view
            shape(con, view)
    return views


def contracts() -> list[dict[str, Any]]:
    """Return the contracts of our products, each with what it extends."""
    found = {}
    for product in PRODUCTS:
        for file in sorted((CONTRACTS / product).glob("*.toml")):
            found[f"{product}.{file.stem}"] = tomllib.loads(file.read_text())
    return [_whole(contract, found) for contract in found.values()]


def _whole(contract: dict[str, Any], others: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if "extends" not in contract:
        return contract
    below = others[contract["extends"]]
    own = {column["name"].lower(): column for column in contract.get("columns", [])}
    columns = [own.pop(column["name"].lower(), column) for column in below["columns"]]
    return {**below, **contract, "columns": [*columns, *own.values()]}


def name_of(contract: dict[str, Any]) -> str:
    """Return the key of a contract's view."""
    if contract["read"] != "view":
        return "SHOW." + contract["name"].removeprefix("snowflake.").upper()
    _, schema, name = contract["object"].split(".")
    return name if schema == "ACCOUNT_USAGE" else f"{schema}.{name}"


def place_of(view: View) -> str:
    """Return the quoted name that a session reads a view by."""
    _, schema, name = view.contract["object"].split(".")
    return f'SNOWFLAKE.{schema}."{name}"'


def table_of(view: View) -> str:
    """Return the quoted name of the table under a view."""
    return f'SNOWFLAKE.EMULATOR."{view.name}"'


def shape(
    con: duckdb.DuckDBPyConnection,
    view: View,
    *,
    hide: Any = (),
    add: Any = (),
    empty: bool = False,
    late: bool = False,
) -> None:
    """(Re)create the ACCOUNT_USAGE view: with columns missing or new, with no rows, or with one row twice."""
    if view.read != "view":
        return
    hidden = {name.upper() for name in hide}
    columns = [f'"{name}"' for name in view.columns if name.upper() not in hidden]
    columns += [f'NULL::VARCHAR AS "{name}"' for name in add]
    where = "true" if view.kind == "event" else "night = (SELECT night FROM SNOWFLAKE.EMULATOR.CHOSEN)"
    rows = f"SELECT {', '.join(columns)} FROM {table_of(view)} WHERE {'false' if empty else where}"
    again = f" UNION ALL ({rows} LIMIT 1)" if late else ""
    con.execute(f"CREATE OR REPLACE VIEW {place_of(view)} AS {rows}{again}")


def _load_view(con: duckdb.DuckDBPyConnection, folder: Path, contract: dict[str, Any]) -> View:
    name = name_of(contract)
    nights = {path.name.removeprefix("date="): _claims(path) for path in sorted(folder.glob("date=*"))}
    wanted = {
        column["name"]: AT_SOURCE.get(column.get("source_type", ""), TYPES.get(column["type"], "VARCHAR"))
        for column in contract["columns"]
    }
    view = View(name, contract, contract["kind"], contract["read"], dict(wanted), nights)
    definitions = ", ".join(f'"{column}" {kind}' for column, kind in wanted.items())
    files = sorted(str(path) for path in folder.glob("date=*/*.parquet"))
    if files:
        rows = con.sql(
            'SELECT * EXCLUDE ("date"), "date" AS night FROM read_parquet($files, union_by_name = true,'
            " hive_partitioning = true, hive_types = {'date': DATE})",
            params={"files": files},
        )
        view = replace(view, columns=_columns(wanted, rows.columns))
        con.execute(f"CREATE TABLE {table_of(view)} AS SELECT {_casts(view, rows.columns)}, night FROM rows")
    else:
        con.execute(f"CREATE TABLE {table_of(view)} ({definitions}, night DATE)")
    for path in sorted(folder.glob("date=*/*.ndjson")):
        _load_lines(con, view, path)
    counts = con.execute(f"SELECT night::VARCHAR, count(*) FROM {table_of(view)} GROUP BY ALL").fetchall()
    return replace(view, surplus=_surplus(nights, dict(counts)))


def _columns(wanted: dict[str, str], names: list[str]) -> dict[str, str]:
    """Return the columns an export has: the contract's, in its order, then those it does not know, as text."""
    present = {name.lower() for name in names}
    known = {name.lower() for name in wanted} | {"night"}
    columns = {name: kind for name, kind in wanted.items() if name.lower() in present}
    return columns | {name: "VARCHAR" for name in names if name.lower() not in known}


def _casts(view: View, names: list[str]) -> str:
    spelled = {name.lower(): name for name in names}
    found = ((name, kind, spelled.get(name.lower())) for name, kind in view.columns.items())
    return ", ".join(f'{_quoted(source)}::{kind} AS "{name}"' for name, kind, source in found)


def _quoted(name: str | None) -> str:
    return "NULL" if name is None else f'"{name}"'


def _load_lines(con: duckdb.DuckDBPyConnection, view: View, path: Path) -> None:
    """Add the rows of an NDJSON file; a line that is none cannot come over the wire and is left out."""
    rows = []
    for line in path.read_text().splitlines():
        with contextlib.suppress(ValueError):
            rows.append(json.loads(line))
    lines = pa.Table.from_pylist(rows)
    night = path.parent.name.removeprefix("date=")
    casts = _casts(view, lines.column_names)
    con.execute(f"INSERT INTO {table_of(view)} SELECT {casts}, '{night}'::DATE FROM lines")


def _surplus(nights: dict[str, dict[str, Any]], counts: dict[str, int]) -> dict[str, int]:
    """Return by how many rows an exporter claims more (or fewer) than there are: the account will count as it claims."""
    claimed = {night: claim["totals"]["rows"] for night, claim in nights.items() if "totals" in claim}
    return {night: rows - counts.get(night, 0) for night, rows in claimed.items() if rows != counts.get(night, 0)}


def _claims(folder: Path) -> dict[str, Any]:
    file = folder / "_export.json"
    return json.loads(file.read_text()) if file.is_file() else {}

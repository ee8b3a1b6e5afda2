"""Snapshots of the dbt project: the tables that keep the history of dimensions, and the tests of their intervals."""

import hashlib
from typing import Any

from evidence.demo.dbt_nodes import PROJECT, Node, model_id
from evidence.demo.tables import Table, TableColumn

ID = 77_000_000
# dimension -> its key, the database's history table
HISTORIES = {
    "MEMBER.MART.DIM_PLAN": "PLAN_CODE",
    "PROVIDER.MART.DIM_PROVIDER": "PROVIDER_ID",
    "PHARMACY.MART.DIM_DRUG": "DRUG_CODE",
}


def history_table(number: int, dimension: Table) -> Table:
    """Return the table that keeps the history of a dimension."""
    identity = ID + 100 * number
    names = [
        *((c.name, c.type) for c in dimension.columns),
        ("DBT_VALID_FROM", "TIMESTAMP_NTZ"),
        ("DBT_VALID_TO", "TIMESTAMP_NTZ"),
    ]
    columns = tuple(TableColumn(identity + 1 + at, name, kind) for at, (name, kind) in enumerate(names))
    return Table(identity, dimension.database, "INTERMEDIATE", f"HIST_{dimension.name}", columns)


def snapshot_id(dimension: str) -> str:
    """Return the unique id of a dimension's snapshot."""
    return f"snapshot.{PROJECT}.hist_{dimension.rpartition('.')[2].lower()}"


def history_test_id(kind: str, dimension: str) -> str:
    """Return the unique id of a test of a snapshot."""
    name = f"{kind}_hist_{dimension.rpartition('.')[2]}".lower()
    return f"test.{PROJECT}.{name}.{hashlib.sha256(name.encode()).hexdigest()[:10]}"


def snapshot_node(table: Table, dimension: Table) -> Node:
    """Return the snapshot that fills a history table."""
    name = table.name.lower()
    config = {
        "enabled": True,
        "materialized": "snapshot",
        "strategy": "check",
        "check_cols": "all",
        "unique_key": HISTORIES[dimension.path].lower(),
        "hard_deletes": "invalidate",
        "meta": {},
        "tags": [],
    }
    return {
        "database": table.database,
        "schema": table.schema,
        "name": name,
        "resource_type": "snapshot",
        "package_name": PROJECT,
        "path": f"{name}.sql",
        "original_file_path": f"snapshots/{name}.sql",
        "unique_id": snapshot_id(dimension.path),
        "fqn": [PROJECT, "snapshots", name],
        "alias": table.name,
        "checksum": {"name": "sha256", "checksum": hashlib.sha256(name.encode()).hexdigest()},
        "config": config,
        "tags": [],
        "description": f"history of {dimension.name.lower()}",
        "columns": {},
        "meta": {},
        "group": None,
        "relation_name": table.path,
        "raw_code": f"select * from {{{{ ref('{dimension.name.lower()}') }}}}",
        "depends_on": {"macros": [], "nodes": [model_id(dimension)]},
        "constraints": [],
        "primary_key": [],
    }


def history_tests(table: Table, dimension: Table) -> list[Node]:
    """Return the tests of a snapshot: one current row per key, and intervals that do not overlap."""
    key = HISTORIES[dimension.path].lower()
    current = _test("unique", table, dimension, {"column_name": key}, {"where": "dbt_valid_to is null"})
    bounds = {"lower_bound_column": "dbt_valid_from", "upper_bound_column": "dbt_valid_to", "partition_by": key}
    return [current, _test("mutually_exclusive_ranges", table, dimension, bounds, {})]


def _test(kind: str, table: Table, dimension: Table, kwargs: dict[str, Any], config: dict[str, Any]) -> Node:
    unique = history_test_id(kind, dimension.path)
    name = unique.split(".")[2]
    usual = {
        "enabled": True,
        "severity": "ERROR",
        "where": None,
        "limit": None,
        "fail_calc": "count(*)",
        "warn_if": "!= 0",
    }
    return {
        "database": table.database,
        "schema": "DBT_TEST__AUDIT",
        "name": name,
        "resource_type": "test",
        "package_name": PROJECT,
        "path": f"{name}.sql",
        "original_file_path": "snapshots/_snapshots.yml",
        "unique_id": unique,
        "fqn": [PROJECT, "snapshots", name],
        "alias": name,
        "checksum": {"name": "none", "checksum": ""},
        "config": {**usual, "error_if": "!= 0", "materialized": "test", "tags": [], "meta": {}, **config},
        "tags": [],
        "columns": {},
        "meta": {},
        "relation_name": None,
        "raw_code": f"{{{{ test_{kind}(**_dbt_generic_test_kwargs) }}}}",
        "depends_on": {"macros": [f"macro.dbt.test_{kind}"], "nodes": [snapshot_id(dimension.path)]},
        "column_name": kwargs.get("column_name"),
        "attached_node": snapshot_id(dimension.path),
        "test_metadata": {
            "name": kind,
            "kwargs": {"model": f"{{{{ get_where_subquery(ref('{table.name.lower()}')) }}}}", **kwargs},
            "namespace": None,
        },
    }

"""Models, tests and sources of the demo's dbt project, as a manifest spells them."""

import hashlib
from collections.abc import Iterator
from typing import Any

from evidence.demo.tables import Catalog, Table

PROJECT = "fernhollow"
LAYERS = {"STAGING": "staging", "INTERMEDIATE": "intermediate", "MART": "marts", "SERVE": "serving"}
PUBLISHED = frozenset({"MART", "SERVE"})
_ORDER = ("RAW", *LAYERS)
Node = dict[str, Any]
FRESHNESS: Node = {
    "warn_after": {"count": 12, "period": "hour"},
    "error_after": {"count": 24, "period": "hour"},
    "filter": None,
}


def source_id(table: Table) -> str:
    """Return the unique id of a raw table's source."""
    return f"source.{PROJECT}.{table.database.lower()}.{table.name.lower()}"


def model_id(table: Table | str) -> str:
    """Return the unique id of a table's model."""
    return f"model.{PROJECT}.{(table if isinstance(table, str) else table.name).lower()}"


def test_id(kind: str, table: str, column: str) -> str:
    """Return the unique id of a generic test."""
    name = f"{kind}_{table}_{column}".lower()
    return f"test.{PROJECT}.{name}.{hashlib.sha256(name.encode()).hexdigest()[:10]}"


def source_node(table: Table) -> Node:
    """Return the source of a raw table."""
    name = table.name.lower()
    unique = source_id(table)
    node: Node = {
        "database": table.database,
        "schema": "RAW",
        "name": name,
        "resource_type": "source",
        "package_name": PROJECT,
        "path": "models/staging/_sources.yml",
        "original_file_path": "models/staging/_sources.yml",
    }
    node |= {
        "unique_id": unique,
        "fqn": [PROJECT, "staging", table.database.lower(), name],
        "source_name": table.database.lower(),
        "identifier": table.name,
        "loader": "fivetran",
    }
    return node | {
        "columns": _columns(table),
        "meta": {},
        "tags": [],
        "config": {"enabled": True},
        "relation_name": table.path,
        "loaded_at_field": "loaded_at",
        "freshness": dict(FRESHNESS),
    }


def _columns(table: Table) -> dict[str, Node]:
    return {
        column.name.lower(): {
            "name": column.name.lower(),
            "description": "",
            "meta": {"phi": True} if column.phi else {},
            "data_type": column.type.lower(),
            "constraints": [{"type": "primary_key", "expression": None}]
            if column.key and table.schema == "MART"
            else [],
            "tags": ["phi"] if column.phi else [],
            "config": {"meta": {"phi": True} if column.phi else {}, "tags": ["phi"] if column.phi else []},
        }
        for column in table.columns
    }


def parents_of(table: Table, catalog: Catalog) -> list[str]:
    """Return what a model is made from: the named tables of the nearest layer below it in its domain."""
    below = [
        t for t in catalog.named if t.database == table.database and t.schema in _ORDER[: _ORDER.index(table.schema)]
    ]
    nearest = max((_ORDER.index(t.schema) for t in below), default=-1)
    parents = [t for t in below if _ORDER.index(t.schema) == nearest]
    return [source_id(t) if t.schema == "RAW" else model_id(t) for t in parents]


def model_node(table: Table, parents: list[str]) -> Node:
    """Return the model that builds a table or view."""
    name, layer = table.name.lower(), LAYERS[table.schema]
    access = "public" if table.schema in PUBLISHED else "protected"
    path = f"{layer}/{table.database.lower()}/{name}.sql"
    keys = [column.name.lower() for column in table.columns if column.key]
    return {
        "database": table.database,
        "schema": table.schema,
        "name": name,
        "resource_type": "model",
        "package_name": PROJECT,
        "path": path,
        "original_file_path": f"models/{path}",
        "unique_id": model_id(table),
        "fqn": [PROJECT, layer, table.database.lower(), name],
        "alias": table.name,
        "checksum": {"name": "sha256", "checksum": hashlib.sha256(name.encode()).hexdigest()},
        "config": {
            "enabled": True,
            "materialized": "view" if table.view else "table",
            "meta": {},
            "tags": [],
            "contract": {"enforced": True, "alias_types": True},
            "access": access,
        },
        "tags": [],
        "description": f"{layer} of {table.database.lower()}: {name}",
        "columns": _columns(table),
        "meta": {
            "classification": "PHI" if table.phi else "internal",
            "owner": f"data-{table.database.lower()}@fernhollow.example",
        },
        "group": None,
        "relation_name": table.path,
        "raw_code": f"select * from {{{{ ref('{name}_base') }}}}",
        "depends_on": {"macros": [], "nodes": parents},
        "contract": {"enforced": True, "alias_types": True, "checksum": None},
        "access": access,
        "constraints": [],
        "primary_key": keys,
    }


def test_nodes(table: Table, catalog: Catalog) -> Iterator[Node]:
    """Yield the tests of a model: keys unique and not null, references, accepted codes. Views are only looked through."""
    if table.view:
        return
    by_name = {t.name: t for t in catalog.named}
    for column in table.columns:
        if column.key:
            yield _test("unique", table, column.name)
            yield _test("not_null", table, column.name)
        if column.refers:
            target = by_name[column.refers]
            field_name = next(c.name for c in target.columns if c.key).lower()
            yield _test(
                "relationships",
                table,
                column.name,
                {"to": f"ref('{target.name.lower()}')", "field": field_name},
                model_id(target),
            )
        if column.name == "STATUS_CODE":
            yield _test("accepted_values", table, column.name, {"values": ["PAID", "DENIED", "PENDED"]})
        if column.name == "SERVICE_YEAR":
            yield _test("year_only", table, column.name)


def retention_test(table: Table, days: int) -> Node:
    """Return the test, tagged ``retention``, that no row of a model or source is older than ``days``."""
    column = next((c for c in table.columns if c.type in {"DATE", "TIMESTAMP_NTZ"}), table.columns[0])
    raw = table.schema == "RAW"
    place = f"source('{table.database.lower()}', '{table.name.lower()}')" if raw else f"ref('{table.name.lower()}')"
    node = _test("rows_within_retention", table, column.name, {"days": days, "model": f"{{{{ {place} }}}}"})
    if raw:
        attached = source_node(table)["unique_id"]
        macros = node["depends_on"]["macros"]
        node |= {"attached_node": attached, "depends_on": {"macros": macros, "nodes": [attached]}}
    return node | {"tags": ["retention"], "config": node["config"] | {"tags": ["retention"]}}


def _test(kind: str, table: Table, column: str, kwargs: Node | None = None, also: str = "") -> Node:
    unique = test_id(kind, table.name, column)
    name = unique.split(".")[2]
    layer = LAYERS.get(table.schema, "staging")
    model = f"{{{{ get_where_subquery(ref('{table.name.lower()}')) }}}}"
    return {
        "database": table.database,
        "schema": "DBT_TEST__AUDIT",
        "name": name,
        "resource_type": "test",
        "package_name": PROJECT,
        "path": f"{name}.sql",
        "original_file_path": f"models/{layer}/_models.yml",
        "unique_id": unique,
        "fqn": [PROJECT, layer, name],
        "alias": name,
        "checksum": {"name": "none", "checksum": ""},
        "config": {
            "enabled": True,
            "severity": "ERROR",
            "where": None,
            "limit": None,
            "fail_calc": "count(*)",
            "warn_if": "!= 0",
            "error_if": "!= 0",
            "materialized": "test",
            "tags": [],
            "meta": {},
        },
        "tags": [],
        "columns": {},
        "meta": {},
        "relation_name": None,
        "raw_code": f"{{{{ test_{kind}(**_dbt_generic_test_kwargs) }}}}",
        "depends_on": {"macros": [f"macro.dbt.test_{kind}"], "nodes": [*([also] if also else []), model_id(table)]},
        "column_name": column.lower(),
        "attached_node": model_id(table),
        "test_metadata": {
            "name": kind,
            "kwargs": {"column_name": column.lower(), "model": model, **(kwargs or {})},
            "namespace": None,
        },
    }

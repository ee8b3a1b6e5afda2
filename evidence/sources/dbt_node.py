"""One node of a manifest -> one row; pure. What is project code (SQL) is left out or goes to a scrubbed column."""

import re
from collections.abc import Mapping
from typing import Any

from evidence.sources.dbt_values import (
    LEFT_OUT,
    Row,
    described,
    flag,
    integer,
    mapping,
    objects,
    plain,
    relative,
    text,
    texts,
)

_REF = re.compile(r"""ref\(\s*(?:['"][\w-]+['"]\s*,\s*)?['"]([\w.-]+)['"]""")
# Arguments of generic tests that name things; all others may hold values of the data (accepted values, expressions).
_NAMING = ("model", "to", "field", "column", "columns", "column_name", "group_by")
_WORD = re.compile(r"[A-Za-z_][\w.]{0,99}\Z")
_MINUTES = {"minute": 1, "hour": 60, "day": 1440}


def node_row(node: Mapping[str, Any], groups: Mapping[str, Mapping[str, Any]], *, enabled: bool) -> Row:
    """Return the row of ``dbt.nodes``."""
    config = mapping(node.get("config"))
    meta = mapping(node.get("meta")) or mapping(config.get("meta"))
    columns = mapping(node.get("columns"))
    group = text(node.get("group") or config.get("group"))
    owner = mapping(groups.get(group or ""))
    return {
        "unique_id": node.get("unique_id"),
        "resource_type": text(node.get("resource_type")),
        "name": text(node.get("name")),
        "package_name": text(node.get("package_name")),
        "path": relative(node.get("path")),
        "original_file_path": relative(node.get("original_file_path")),
        "database": text(node.get("database")),
        "schema": text(node.get("schema")),
        "alias": text(node.get("alias") or node.get("identifier")),
        "relation_name": text(node.get("relation_name")),
        "materialized": text(config.get("materialized")),
        "enabled": enabled,
        "fqn": texts(node.get("fqn")),
        "tags": texts(node.get("tags")),
        "meta": meta,
        "group_name": group,
        "access": text(node.get("access") or config.get("access")),
        "layer": _layer(node, meta),
        "primary_key": _primary_key(node, meta, columns),
        "foreign_keys": _foreign_keys(node, columns),
        "columns": {name: _column(column) for name, column in columns.items() if isinstance(column, dict)},
        "depends_on": texts(mapping(node.get("depends_on")).get("nodes")),
        "group_owner_name": text(owner.get("name")),
        "group_owner_email": text(owner.get("email")),
        "described": described(node.get("description")),
        "description": text(node.get("description")) or None,
        "checksum": text(mapping(node.get("checksum")).get("checksum")) or None,
        "constraints": [_constraint(item) for item in objects(node.get("constraints"))] or None,
        "model_version": text(node.get("version")),
        "language": text(node.get("language")),
        "full_refresh": flag(config.get("full_refresh")),
        **_contract(node, config),
        **_history(node, config),
    }


def test_row(node: Mapping[str, Any], *, enabled: bool) -> Row:
    """Return the row of ``dbt.tests``."""
    config, generic = mapping(node.get("config")), mapping(node.get("test_metadata"))
    kwargs = mapping(generic.get("kwargs"))
    severity = text(config.get("severity") or node.get("severity"))
    return {
        "unique_id": node.get("unique_id"),
        "name": text(node.get("name")),
        "test_name": text(generic.get("name")),
        "namespace": text(generic.get("namespace")),
        "attached_node": _attached(node, kwargs),
        "column_name": text(node.get("column_name") or kwargs.get("column_name")),
        "kwargs": {key: _argument(key, value) for key, value in kwargs.items()},
        "severity": severity.lower() if severity else None,
        "enabled": enabled,
        "where_clause": text(config.get("where")),
        "warn_if": text(config.get("warn_if")),
        "error_if": text(config.get("error_if")),
        "depends_on": texts(mapping(node.get("depends_on")).get("nodes")),
        "tags": texts(node.get("tags")),
        "package_name": text(node.get("package_name")),
        "original_file_path": relative(node.get("original_file_path")),
        "fail_calc": text(config.get("fail_calc")),
        "limit_rows": integer(config.get("limit")),
        "store_failures": flag(config.get("store_failures")),
        "meta": mapping(node.get("meta")) or mapping(config.get("meta")),
    }


def source_row(node: Mapping[str, Any], *, enabled: bool) -> Row:
    """Return the row of ``dbt.sources``: where a table comes from and how fresh it has to be."""
    config = mapping(node.get("config"))
    # node level is the resolved one; the configuration stands in where a version has no such key
    stated = mapping(node["freshness"] if "freshness" in node else config.get("freshness"))
    warn, error = _criterion(stated.get("warn_after")), _criterion(stated.get("error_after"))
    return {
        "unique_id": node.get("unique_id"),
        "source_name": text(node.get("source_name")),
        "name": text(node.get("name")),
        "package_name": text(node.get("package_name")),
        "original_file_path": relative(node.get("original_file_path")),
        "database": text(node.get("database")),
        "schema": text(node.get("schema")),
        "identifier": text(node.get("identifier")),
        "relation_name": text(node.get("relation_name")),
        "enabled": enabled,
        "loader": text(node.get("loader")) or None,
        "loaded_at_field": text(node.get("loaded_at_field") or config.get("loaded_at_field")),
        "loaded_at_query": text(node.get("loaded_at_query") or config.get("loaded_at_query")),
        "freshness_stated": warn is not None or error is not None,
        "warn_after": warn,
        "error_after": error,
        "warn_after_minutes": _minutes(warn),
        "error_after_minutes": _minutes(error),
        "filter_clause": text(stated.get("filter")),
        "tags": texts(node.get("tags")),
        "meta": mapping(node.get("meta")) or mapping(config.get("meta")),
        "source_meta": mapping(node.get("source_meta")),
        "described": described(node.get("description")) or described(node.get("source_description")),
        "description": text(node.get("description")) or None,
        "source_description": text(node.get("source_description")) or None,
    }


def exposure(node: Mapping[str, Any], *, enabled: bool) -> Row:
    """Return the row of ``dbt.exposures``: who uses what the project serves."""
    owner, config = mapping(node.get("owner")), mapping(node.get("config"))
    return {
        "unique_id": node.get("unique_id"),
        "name": text(node.get("name")),
        "exposure_type": text(node.get("type")),
        "maturity": text(node.get("maturity")),
        "package_name": text(node.get("package_name")),
        "original_file_path": relative(node.get("original_file_path")),
        "enabled": enabled,
        "owner_name": text(owner.get("name")),
        "owner_email": text(owner.get("email")),
        "label": text(node.get("label")),
        "url": text(node.get("url")),
        "described": described(node.get("description")),
        "description": text(node.get("description")) or None,
        "tags": texts(node.get("tags")),
        "meta": mapping(node.get("meta")) or mapping(config.get("meta")),
        "depends_on": texts(mapping(node.get("depends_on")).get("nodes")),
    }


def _contract(node: Mapping[str, Any], config: Mapping[str, Any]) -> Row:
    """Say whether dbt enforces the contract: its own resolution, at the node; ``config: {contract: true}`` is none."""
    resolved = mapping(node.get("contract")) or mapping(config.get("contract"))
    return {
        "contract_enforced": flag(resolved.get("enforced")),
        "contract_checksum": text(mapping(node.get("contract")).get("checksum")),
    }


def _history(node: Mapping[str, Any], config: Mapping[str, Any]) -> Row:
    """Return how a snapshot, or an incremental model, keeps history. NULL where the node is neither."""
    deletes = None
    if node.get("resource_type") == "snapshot":
        # dbt reference, "hard_deletes": ignore unless stated; invalidate_hard_deletes is its older spelling
        old = "invalidate" if config.get("invalidate_hard_deletes") is True else "ignore"
        deletes = text(config.get("hard_deletes")) or old
    return {
        "strategy": text(config.get("strategy") or config.get("incremental_strategy")),
        "unique_key": plain(texts(config.get("unique_key"))),
        "updated_at": text(config.get("updated_at")),
        "check_cols": plain(texts(config.get("check_cols"))),
        "hard_deletes": deletes,
        "on_schema_change": text(config.get("on_schema_change")),
    }


def _attached(node: Mapping[str, Any], kwargs: Mapping[str, Any]) -> str | None:
    """Return the node a test is attached to: stated since manifest v9, before that the one its ``model`` argument names."""
    stated = text(node.get("attached_node"))
    if stated:
        return stated
    candidates = texts(mapping(node.get("depends_on")).get("nodes")) or []
    named = _REF.search(str(kwargs.get("model", "")))
    if named:
        candidates = [item for item in candidates if item.split(".")[2:3] == [named[1]]] or candidates
    return candidates[0] if len(candidates) == 1 else None


def _argument(key: str, value: Any) -> Any:
    """Keep what names models and columns, numbers and single words; what may be a value of the data is ``?``."""
    if key.endswith(_NAMING):
        return value
    if isinstance(value, list):
        return [LEFT_OUT] * len(value)
    if isinstance(value, dict):
        return {name: _argument(name, item) for name, item in value.items()}
    return LEFT_OUT if isinstance(value, str) and not _WORD.match(value) else value


def _layer(node: Mapping[str, Any], meta: Mapping[str, Any]) -> str | None:
    if isinstance(meta.get("layer"), str):
        return str(meta["layer"])
    path = relative(node.get("path"))
    if node.get("resource_type") != "model" or not path or "/" not in path:
        return None
    return path.partition("/")[0]


def _primary_key(node: Mapping[str, Any], meta: Mapping[str, Any], columns: Mapping[str, Any]) -> list[str] | None:
    """Return the declared key: a constraint, ``meta.primary_key``, or what dbt itself inferred (manifest v12)."""
    for constraint in objects(node.get("constraints")):
        if constraint.get("type") == "primary_key":
            return texts(constraint.get("columns"))
    marked = [
        name
        for name, column in columns.items()
        if any(item.get("type") == "primary_key" for item in objects(mapping(column).get("constraints")))
    ]
    declared = meta.get("primary_key")
    declared = [declared] if isinstance(declared, str) else declared
    return marked or texts(declared) or texts(node.get("primary_key")) or None


def _foreign_keys(node: Mapping[str, Any], columns: Mapping[str, Any]) -> list[Row] | None:
    own = [item for item in objects(node.get("constraints")) if item.get("type") == "foreign_key"]
    found = [_foreign(item, item.get("columns")) for item in own]
    for name, column in columns.items():
        items = objects(mapping(column).get("constraints"))
        found += [_foreign(item, [name]) for item in items if item.get("type") == "foreign_key"]
    return found or None


def _foreign(constraint: Mapping[str, Any], columns: Any) -> Row:
    return {
        "columns": texts(columns) or [],
        "to": constraint.get("to"),
        "to_columns": texts(constraint.get("to_columns")) or [],
        "expression": plain(constraint.get("expression")),
    }


def _constraint(item: Mapping[str, Any]) -> Row:
    return {
        "type": item.get("type"),
        "name": item.get("name"),
        "columns": texts(item.get("columns")) or [],
        "expression": plain(item.get("expression")),
    }


def _column(column: Mapping[str, Any]) -> Row:
    config = mapping(column.get("config"))
    items = objects(column.get("constraints"))
    return {
        "data_type": column.get("data_type"),
        "meta": mapping(column.get("meta")) or mapping(config.get("meta")),
        "tags": texts(column.get("tags")) or texts(config.get("tags")) or [],
        "described": described(column.get("description")),
        "constraints": [{"type": item.get("type"), "expression": plain(item.get("expression"))} for item in items],
    }


def _criterion(value: Any) -> Row | None:
    """Return a freshness criterion; dbt spells "none" as null or as ``{"count": null, "period": null}``."""
    criterion = mapping(value)
    return dict(criterion) if integer(criterion.get("count")) is not None and criterion.get("period") else None


def _minutes(criterion: Row | None) -> int | None:
    if criterion is None or criterion["period"] not in _MINUTES:
        return None
    return int(criterion["count"]) * _MINUTES[criterion["period"]]

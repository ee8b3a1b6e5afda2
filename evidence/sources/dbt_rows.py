"""dbt artifacts -> rows of ``dbt.nodes``, ``dbt.tests``, ``dbt.run_results`` and ``dbt.freshness``; pure.

Lenient about keys that a version lacks (NULL), never about their meaning. Code, descriptions, rows of unit tests, run variables,
user ids and absolute paths are not carried over.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Any

from evidence.sources.moment import parse_moment

Row = dict[str, Any]
_ABSOLUTE = re.compile(r"[/\\~]|[A-Za-z]:")
_REF = re.compile(r"""ref\(\s*(?:['"][\w-]+['"]\s*,\s*)?['"]([\w.-]+)['"]""")
_SHA = re.compile(r"[0-9a-f]{7,64}\Z")
_SECTIONS = {
    "nodes": None,
    "sources": "source",
    "exposures": "exposure",
    "metrics": "metric",
    "semantic_models": "semantic_model",
    "saved_queries": "saved_query",
    "unit_tests": "unit_test",
    "functions": "function",
}


def node_rows(manifest: Mapping[str, Any], schema_version: str, generated_at: dt.datetime) -> Iterator[Row]:
    """Yield a row per node, source, exposure … except tests; a disabled one with ``enabled`` false."""
    metadata = _dict(manifest.get("metadata"))
    shared = {
        "invocation_id": _text(metadata.get("invocation_id")),
        "project_name": _text(metadata.get("project_name")),
        "adapter_type": _text(metadata.get("adapter_type")),
        "dbt_version": _text(metadata.get("dbt_version")),
        "schema_version": schema_version,
        "generated_at": generated_at,
    }
    for node, enabled in _nodes(manifest):
        if node.get("resource_type") != "test":
            yield _node(node, enabled=enabled) | shared


def test_rows(manifest: Mapping[str, Any], generated_at: dt.datetime) -> Iterator[Row]:
    """Yield a row per data test, generic or singular; unit tests are nodes, they say nothing about data."""
    invocation = _text(_dict(manifest.get("metadata")).get("invocation_id"))
    for node, enabled in _nodes(manifest):
        if node.get("resource_type") == "test":
            yield _test(node, enabled=enabled) | {"invocation_id": invocation, "generated_at": generated_at}


def run_rows(results: Mapping[str, Any], schema_version: str, generated_at: dt.datetime) -> Iterator[Row]:
    """Yield a row per result, without severity: only a manifest knows that."""
    metadata, args = _dict(results.get("metadata")), _dict(results.get("args"))
    shared = {
        "invocation_id": _text(metadata.get("invocation_id")),
        "command": _text(args.get("which") or args.get("rpc_method")),
        "target_name": _text(args.get("target")),
        "dbt_version": _text(metadata.get("dbt_version")),
        "schema_version": schema_version,
        "generated_at": generated_at,
        "git_sha": _git_sha(_dict(metadata.get("env"))),
    }
    for result in _results(results):
        started, completed = _execution(result)
        unique_id = _text(result.get("unique_id"))
        yield {
            "unique_id": unique_id,
            "resource_type": (unique_id or "").partition(".")[0] if "." in (unique_id or "") else None,
            "status": _text(result.get("status")),
            "failures": _integer(result.get("failures")),
            "message": _text(result.get("message")),
            "execution_time": _number(result.get("execution_time")),
            "started_at": started,
            "completed_at": completed,
            "thread_id": _text(result.get("thread_id")),
            **shared,
        }


def freshness_rows(sources: Mapping[str, Any], generated_at: dt.datetime) -> Iterator[Row]:
    """Yield a row per source whose freshness was measured, or could not be (``status`` ``runtime error``)."""
    invocation = _text(_dict(sources.get("metadata")).get("invocation_id"))
    for result in _results(sources):
        criteria = _dict(result.get("criteria"))
        yield {
            "invocation_id": invocation,
            "unique_id": _text(result.get("unique_id")),
            "status": _text(result.get("status")),
            "max_loaded_at": _time(result.get("max_loaded_at")),
            "snapshotted_at": _time(result.get("snapshotted_at")),
            "age_seconds": _number(result.get("max_loaded_at_time_ago_in_s")),
            "warn_after": criteria.get("warn_after"),
            "error_after": criteria.get("error_after"),
            "filter_clause": _text(criteria.get("filter")),
            "generated_at": generated_at,
        }


def check(value: Mapping[str, Any], kind: str) -> None:
    """Raise ``ValueError`` if the parts that rows come from are not there: a cut or foreign file is not an empty one."""
    part, wanted = {
        "manifest": ("nodes", dict),
        "run-results": ("results", list),
        "sources": ("results", list),
        "catalog": ("nodes", dict),
    }[kind]
    if not isinstance(value.get(part), wanted):
        raise ValueError(f"{part} is missing")  # noqa: TRY004 - callers catch one kind of error
    items = value[part].values() if wanted is dict else value[part]
    if not all(isinstance(item, dict) for item in items):
        raise ValueError(f"{part} holds something that is no object")


def _nodes(manifest: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Yield every node with whether it is enabled; a disabled twin of an enabled node is the same node, edited out."""
    seen: set[str | None] = set()
    for section, kind in _SECTIONS.items():
        for unique_id, node in _dict(manifest.get(section)).items():
            if isinstance(node, dict):
                seen.add(unique_id)
                enabled = _dict(node.get("config")).get("enabled") is not False
                yield {"unique_id": unique_id, "resource_type": kind, **node}, enabled
    for node in _disabled(manifest.get("disabled")):
        name = _text(node.get("unique_id"))
        if name not in seen:
            seen.add(name)
            yield node, False


def _disabled(value: Any) -> Iterator[Mapping[str, Any]]:
    """Versions up to 3 list disabled nodes, later ones map an id to the nodes that bear it."""
    groups = value.values() if isinstance(value, dict) else [value]
    for group in groups:
        yield from (node for node in (group if isinstance(group, list) else []) if isinstance(node, dict))


def _node(node: Mapping[str, Any], *, enabled: bool) -> Row:
    config = _dict(node.get("config"))
    meta = _dict(node.get("meta")) or _dict(config.get("meta"))
    columns = _dict(node.get("columns"))
    contract = _dict(node.get("contract")) or _dict(config.get("contract"))
    return {
        "unique_id": node.get("unique_id"),
        "resource_type": _text(node.get("resource_type")),
        "name": _text(node.get("name")),
        "package_name": _text(node.get("package_name")),
        "path": _relative(node.get("path")),
        "original_file_path": _relative(node.get("original_file_path")),
        "database": _text(node.get("database")),
        "schema": _text(node.get("schema")),
        "alias": _text(node.get("alias") or node.get("identifier")),
        "relation_name": _text(node.get("relation_name")),
        "materialized": _text(config.get("materialized")),
        "enabled": enabled,
        "fqn": _texts(node.get("fqn")),
        "tags": _texts(node.get("tags")),
        "meta": meta,
        "group_name": _text(node.get("group") or config.get("group")),
        "access": _text(node.get("access") or config.get("access")),
        "contract_enforced": contract.get("enforced") if isinstance(contract.get("enforced"), bool) else None,
        "layer": _layer(node, meta),
        "primary_key": _primary_key(node, meta, columns),
        "foreign_keys": _foreign_keys(node, columns),
        "columns": {name: _column(column) for name, column in columns.items() if isinstance(column, dict)},
        "depends_on": _texts(_dict(node.get("depends_on")).get("nodes")),
    }


def _test(node: Mapping[str, Any], *, enabled: bool) -> Row:
    config, generic = _dict(node.get("config")), _dict(node.get("test_metadata"))
    kwargs = _dict(generic.get("kwargs"))
    severity = _text(config.get("severity") or node.get("severity"))
    return {
        "unique_id": node.get("unique_id"),
        "name": _text(node.get("name")),
        "test_name": _text(generic.get("name")),
        "namespace": _text(generic.get("namespace")),
        "attached_node": _attached(node, kwargs),
        "column_name": _text(node.get("column_name") or kwargs.get("column_name")),
        "kwargs": kwargs,
        "severity": severity.lower() if severity else None,
        "enabled": enabled,
        "where_clause": _text(config.get("where")),
        "warn_if": _text(config.get("warn_if")),
        "error_if": _text(config.get("error_if")),
        "depends_on": _texts(_dict(node.get("depends_on")).get("nodes")),
        "tags": _texts(node.get("tags")),
    }


def _attached(node: Mapping[str, Any], kwargs: Mapping[str, Any]) -> str | None:
    """Return the node a test is attached to: stated since manifest v9, before that the one its ``model`` argument names."""
    stated = _text(node.get("attached_node"))
    if stated:
        return stated
    candidates = _texts(_dict(node.get("depends_on")).get("nodes")) or []
    named = _REF.search(str(kwargs.get("model", "")))
    if named:
        candidates = [item for item in candidates if item.split(".")[2:3] == [named[1]]] or candidates
    return candidates[0] if len(candidates) == 1 else None


def _layer(node: Mapping[str, Any], meta: Mapping[str, Any]) -> str | None:
    if isinstance(meta.get("layer"), str):
        return str(meta["layer"])
    path = _relative(node.get("path"))
    if node.get("resource_type") != "model" or not path or "/" not in path:
        return None
    return path.partition("/")[0]


def _primary_key(node: Mapping[str, Any], meta: Mapping[str, Any], columns: Mapping[str, Any]) -> list[str] | None:
    """Return the declared key: a constraint, ``meta.primary_key``, or what dbt itself inferred (manifest v12)."""
    for constraint in _constraints(node):
        if constraint.get("type") == "primary_key":
            return _texts(constraint.get("columns"))
    marked = [
        name
        for name, column in columns.items()
        if any(item.get("type") == "primary_key" for item in _constraints(_dict(column)))
    ]
    declared = meta.get("primary_key")
    declared = [declared] if isinstance(declared, str) else declared
    return marked or _texts(declared) or _texts(node.get("primary_key")) or None


def _foreign_keys(node: Mapping[str, Any], columns: Mapping[str, Any]) -> list[Row] | None:
    found = [_foreign(item, item.get("columns")) for item in _constraints(node) if item.get("type") == "foreign_key"]
    for name, column in columns.items():
        items = _constraints(_dict(column))
        found += [_foreign(item, [name]) for item in items if item.get("type") == "foreign_key"]
    return found or None


def _foreign(constraint: Mapping[str, Any], columns: Any) -> Row:
    return {
        "columns": _texts(columns) or [],
        "to": constraint.get("to"),
        "to_columns": _texts(constraint.get("to_columns")) or [],
        "expression": constraint.get("expression"),
    }


def _constraints(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    value = node.get("constraints")
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _column(column: Mapping[str, Any]) -> Row:
    config = _dict(column.get("config"))
    return {
        "data_type": column.get("data_type"),
        "meta": _dict(column.get("meta")) or _dict(config.get("meta")),
        "tags": _texts(column.get("tags")) or _texts(config.get("tags")) or [],
        "constraints": [
            {"type": item.get("type"), "expression": item.get("expression")} for item in _constraints(column)
        ],
    }


def _execution(result: Mapping[str, Any]) -> tuple[dt.datetime | None, dt.datetime | None]:
    timing = result.get("timing")
    for step in timing if isinstance(timing, list) else []:
        if isinstance(step, dict) and step.get("name") == "execute":
            return _time(step.get("started_at")), _time(step.get("completed_at"))
    return None, None


def _git_sha(env: Mapping[str, Any]) -> str | None:
    """Return the commit if the run was given one as DBT_ENV_CUSTOM_ENV_…: dbt itself records none."""
    for name in sorted(env):
        value = env[name]
        if name.upper().endswith(("GIT_SHA", "COMMIT_SHA", "GITHUB_SHA")) and isinstance(value, str):
            return value.lower() if _SHA.match(value.lower()) else None
    return None


def _results(value: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [item for item in value.get("results", []) if isinstance(item, dict)]


def _relative(value: Any) -> str | None:
    """Keep a project-relative path with forward slashes; an absolute one names a person's machine and is dropped."""
    if not isinstance(value, str) or not value or _ABSOLUTE.match(value):
        return None
    return value.replace("\\", "/")


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, dict | list):
        return None
    return str(value)


def _texts(value: Any) -> list[str] | None:
    if isinstance(value, str):
        return [value]
    return [str(item) for item in value if not isinstance(item, dict | list)] if isinstance(value, list) else None


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> str | None:
    return None if value is None or isinstance(value, bool | dict | list) else str(value)


def _time(value: Any) -> dt.datetime | None:
    return parse_moment(value, zone=dt.UTC) if isinstance(value, str) else None

"""run_results, sources and catalog -> rows of ``dbt.run_results``, ``dbt.invocations``, ``dbt.freshness``, ``dbt.catalog``; pure.

``executed`` and ``test_evidence`` say what a result may prove: many commands write run results, few touch the data
(dbt reference, "Run results JSON file": also clone, compile, docs generate, run-operation, show).
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from evidence.sources.dbt_values import (
    Row,
    env_target,
    flag,
    git_sha,
    integer,
    mapping,
    moment,
    number,
    objects,
    text,
    texts,
)

EXECUTING = frozenset({"build", "run", "test", "seed", "snapshot", "retry"})
TESTING = frozenset({"build", "test", "retry"})
OUTCOMES = frozenset({"pass", "warn", "fail", "error", "runtime error"})


def run_rows(
    results: Mapping[str, Any], schema_version: str, generated_at: dt.datetime, run: Mapping[str, str]
) -> Iterator[Row]:
    """Yield a row per result, without severity: only a manifest knows that. ``run``: what dbt Cloud says of it."""
    shared = _invocation(results, schema_version, generated_at, run)
    for result in objects(results.get("results")):
        started, completed = _execution(result)
        unique_id = text(result.get("unique_id"))
        kind = unique_id.partition(".")[0] if unique_id and "." in unique_id else None
        response = mapping(result.get("adapter_response"))
        status = text(result.get("status"))
        yield {
            "unique_id": unique_id,
            "resource_type": kind,
            "status": status,
            "failures": integer(result.get("failures")),
            "message": text(result.get("message")),
            "execution_time": number(result.get("execution_time")),
            "started_at": started,
            "completed_at": completed,
            "thread_id": text(result.get("thread_id")),
            "query_id": text(response.get("query_id")),
            "rows_affected": integer(response.get("rows_affected")),
            "relation_name": text(result.get("relation_name")),
            "test_evidence": _test_evidence(kind, status, shared),
            **shared,
        }


def invocation_row(
    results: Mapping[str, Any],
    schema_version: str,
    generated_at: dt.datetime,
    digest: str,
    run: Mapping[str, str],
) -> Row:
    """Return the one row of ``dbt.invocations``: a run without any result is a row too."""
    args, metadata = mapping(results.get("args")), mapping(results.get("metadata"))
    found = objects(results.get("results"))
    statuses = Counter(str(text(result.get("status"))) for result in found)
    tests = [result for result in found if str(result.get("unique_id")).startswith("test.")]
    return _invocation(results, schema_version, generated_at, run) | {
        "project_name": run.get("project_name"),
        "invocation_started_at": moment(metadata.get("invocation_started_at")),
        "elapsed_seconds": number(results.get("elapsed_time")),
        "results": len(found),
        "tests": len(tests),
        "statuses": dict(sorted(statuses.items())),
        "selection": texts(args.get("select") or args.get("models")) or None,
        "exclusion": texts(args.get("exclude")) or None,
        "selector_name": text(args.get("selector")),
        "empty": flag(args.get("empty")),
        "sample": args.get("sample") not in (None, False, ""),
        "deferred": flag(args.get("defer")),
        "full_refresh": flag(args.get("full_refresh")),
        "cloud_run_id": run.get("run_id") or text(mapping(metadata.get("env")).get("DBT_CLOUD_RUN_ID")),
        "cloud_job_id": run.get("job_id") or text(mapping(metadata.get("env")).get("DBT_CLOUD_JOB_ID")),
        "cloud_environment_id": run.get("environment_id"),
        "sha256": digest,
    }


def freshness_rows(sources: Mapping[str, Any], schema_version: str, generated_at: dt.datetime) -> Iterator[Row]:
    """Yield a row per source whose freshness was measured, or could not be (``status`` ``runtime error``)."""
    metadata = mapping(sources.get("metadata"))
    for result in objects(sources.get("results")):
        criteria = mapping(result.get("criteria"))
        yield {
            "invocation_id": text(metadata.get("invocation_id")),
            "unique_id": text(result.get("unique_id")),
            "status": text(result.get("status")),
            "max_loaded_at": moment(result.get("max_loaded_at")),
            "snapshotted_at": moment(result.get("snapshotted_at")),
            "age_seconds": number(result.get("max_loaded_at_time_ago_in_s")),
            "warn_after": criteria.get("warn_after"),
            "error_after": criteria.get("error_after"),
            "filter_clause": text(criteria.get("filter")),
            "generated_at": generated_at,
            "message": text(result.get("error")),
            "execution_time": number(result.get("execution_time")),
            "dbt_version": text(metadata.get("dbt_version")),
            "schema_version": schema_version,
        }


def catalog_rows(catalog: Mapping[str, Any], schema_version: str, generated_at: dt.datetime) -> Iterator[Row]:
    """Yield a row per column of each relation; a relation without columns is one row without a column."""
    metadata = mapping(catalog.get("metadata"))
    shared = {
        "invocation_id": text(metadata.get("invocation_id")),
        "dbt_version": text(metadata.get("dbt_version")),
        "schema_version": schema_version,
        "generated_at": generated_at,
    }
    for section in ("nodes", "sources"):
        for unique_id, relation in mapping(catalog.get(section)).items():
            place = _relation(str(unique_id), mapping(relation))
            columns = mapping(mapping(relation).get("columns"))
            for name, column in columns.items() or [(None, {})]:
                yield place | _catalog_column(name, mapping(column)) | shared


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


def held(value: Mapping[str, Any], kind: str) -> int:
    """Count what the artifact holds, apart from the functions that make its rows."""
    if kind != "catalog":
        return len(value["results"])
    relations = [*mapping(value.get("nodes")).values(), *mapping(value.get("sources")).values()]
    return sum(max(len(mapping(relation).get("columns") or ()), 1) for relation in relations)


def catalog_errors(catalog: Mapping[str, Any]) -> int:
    """Count the relations that dbt itself says it could not catalogue."""
    errors = catalog.get("errors")
    return len(errors) if isinstance(errors, list) else 0


def _invocation(
    results: Mapping[str, Any], schema_version: str, generated_at: dt.datetime, run: Mapping[str, str]
) -> Row:
    metadata, args = mapping(results.get("metadata")), mapping(results.get("args"))
    env = mapping(metadata.get("env"))
    return {
        "invocation_id": text(metadata.get("invocation_id")),
        "command": text(args.get("which") or args.get("rpc_method")),
        "executed": _executed(args),
        "target_name": text(args.get("target")) or env_target(env) or run.get("target_name"),
        "dbt_version": text(metadata.get("dbt_version")),
        "schema_version": schema_version,
        "generated_at": generated_at,
        "git_sha": git_sha(env) or run.get("git_sha"),
    }


def _executed(args: Mapping[str, Any]) -> bool | None:
    """Say whether the invocation built or tested the data; None if it does not say what it was.

    ``--empty`` and ``--sample`` run over no rows or a part of them: what passes there has not been tested.
    """
    command = text(args.get("which") or args.get("rpc_method"))
    if command is None:
        return None
    partial = args.get("empty") is True or args.get("sample") not in (None, False, "")
    return command in EXECUTING and not partial


def _test_evidence(kind: str | None, status: str | None, invocation: Row) -> bool | None:
    """Say whether the result tells if a data test holds: a test, run by a command that runs tests, with an outcome of one."""
    if kind != "test" or (status or "").lower() not in OUTCOMES:
        return False
    executed: bool | None = invocation["executed"]
    return executed and invocation["command"] in TESTING if executed is not None else None


def _execution(result: Mapping[str, Any]) -> tuple[dt.datetime | None, dt.datetime | None]:
    for step in objects(result.get("timing")):
        if step.get("name") == "execute":
            return moment(step.get("started_at")), moment(step.get("completed_at"))
    return None, None


def _relation(unique_id: str, relation: Mapping[str, Any]) -> Row:
    place = mapping(relation.get("metadata"))
    stats = mapping(relation.get("stats"))
    return {
        "unique_id": unique_id,
        "resource_type": unique_id.partition(".")[0],
        "database": text(place.get("database")),
        "schema": text(place.get("schema")),
        "name": text(place.get("name")),
        "relation_type": text(place.get("type")),
        "owner": text(place.get("owner")),
        "comment": text(place.get("comment")) or None,
        "stats": {name: mapping(stat).get("value") for name, stat in stats.items()} or None,
    }


def _catalog_column(name: str | None, column: Mapping[str, Any]) -> Row:
    return {
        "column_name": text(column.get("name")) or name,
        "column_index": integer(column.get("index")),
        "data_type": text(column.get("type")),
        "column_comment": text(column.get("comment")) or None,
    }

"""A manifest -> rows of ``dbt.nodes``, ``dbt.tests``, ``dbt.sources``, ``dbt.exposures``, ``dbt.lineage``, ``dbt.manifest``; pure.

Lenient about keys that a version lacks (NULL), never about their meaning. Code, rows of unit tests, run variables, user ids
and absolute paths are not carried over. ``held`` counts what the artifact holds, apart from the functions that make the rows.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Any

from evidence.sources.dbt_node import exposure, node_row, source_row, test_row
from evidence.sources.dbt_values import Row, env_target, git_sha, mapping, moment, objects, text, texts

SECTIONS = {
    "nodes": None,
    "sources": "source",
    "exposures": "exposure",
    "metrics": "metric",
    "semantic_models": "semantic_model",
    "saved_queries": "saved_query",
    "unit_tests": "unit_test",
    "functions": "function",
}
DATASETS = ("dbt.nodes", "dbt.tests", "dbt.sources", "dbt.exposures", "dbt.lineage")
_DBT_CLOUD = re.compile(r"DBT_CLOUD_[A-Z_]+\Z")


def state_rows(manifest: Mapping[str, Any], schema_version: str, generated_at: dt.datetime) -> dict[str, list[Row]]:
    """Return the rows of each of ``DATASETS``. A disabled node is a row with ``enabled`` false, and has no edges."""
    shared = _shared(manifest, schema_version, generated_at)
    short = {key: shared[key] for key in ("invocation_id", "project_name", "generated_at")}
    groups = {
        str(group.get("name")): mapping(group.get("owner"))
        for group in mapping(manifest.get("groups")).values()
        if isinstance(group, dict)
    }
    rows: dict[str, list[Row]] = {dataset: [] for dataset in DATASETS}
    for node, enabled in _nodes(manifest):
        kind = node.get("resource_type")
        if kind == "test":
            rows["dbt.tests"].append(test_row(node, enabled=enabled) | short)
        else:
            rows["dbt.nodes"].append(node_row(node, groups, enabled=enabled) | shared)
        if kind == "source":
            rows["dbt.sources"].append(source_row(node, enabled=enabled) | short)
        if kind == "exposure":
            rows["dbt.exposures"].append(exposure(node, enabled=enabled) | short)
        if enabled:
            rows["dbt.lineage"] += [edge | short for edge in _edges(node)]
    return rows


def manifest_row(
    manifest: Mapping[str, Any], schema_version: str, generated_at: dt.datetime, digest: str, run: Mapping[str, str]
) -> Row:
    """Return the one row of ``dbt.manifest``. ``run`` is what dbt Cloud says of the run that wrote it."""
    metadata = mapping(manifest.get("metadata"))
    env = mapping(metadata.get("env"))
    kinds = [node.get("resource_type") for node, enabled in _nodes(manifest) if enabled]
    cloud = {name: str(env[name]) for name in sorted(env) if _DBT_CLOUD.match(name) and isinstance(env[name], str)}
    return _shared(manifest, schema_version, generated_at) | {
        "project_id": text(metadata.get("project_id")),
        "invocation_started_at": _started(metadata),
        "git_sha": git_sha(env) or run.get("git_sha"),
        "target_name": env_target(env) or run.get("target_name"),
        "cloud_run_id": run.get("run_id") or cloud.get("DBT_CLOUD_RUN_ID"),
        "cloud_job_id": run.get("job_id") or cloud.get("DBT_CLOUD_JOB_ID"),
        "cloud_environment_id": run.get("environment_id") or cloud.get("DBT_CLOUD_ENVIRONMENT_ID"),
        "env_names": sorted(env),
        "models": kinds.count("model"),
        "tests": kinds.count("test"),
        "sources": kinds.count("source"),
        "seeds": kinds.count("seed"),
        "snapshots": kinds.count("snapshot"),
        "exposures": kinds.count("exposure"),
        "unit_tests": kinds.count("unit_test"),
        "macros": len(mapping(manifest.get("macros"))),
        "disabled": sum(1 for _, enabled in _nodes(manifest) if not enabled),
        "sha256": digest,
    }


def held(manifest: Mapping[str, Any]) -> dict[str, int | None]:
    """Count what the artifact holds, per dataset: the other side of the control totals. ``None``: it does not say.

    Edges are counted in the artifact's own ``parent_map``, which dbt builds apart from the nodes' ``depends_on``.
    """
    kinds: dict[str, str] = {}
    for section, kind in SECTIONS.items():
        for unique_id, node in mapping(manifest.get(section)).items():
            kinds[unique_id] = kind or str(mapping(node).get("resource_type"))
    for node in _disabled(manifest.get("disabled")):
        kinds.setdefault(str(node.get("unique_id")), str(node.get("resource_type")))
    counted = list(kinds.values())
    parents = manifest.get("parent_map")
    return {
        "dbt.nodes": len(counted) - counted.count("test"),
        "dbt.tests": counted.count("test"),
        "dbt.sources": counted.count("source"),
        "dbt.exposures": counted.count("exposure"),
        "dbt.lineage": sum(len(set(texts(value) or [])) for value in parents.values())
        if isinstance(parents, dict)
        else None,
    }


def _shared(manifest: Mapping[str, Any], schema_version: str, generated_at: dt.datetime) -> Row:
    metadata = mapping(manifest.get("metadata"))
    return {
        "invocation_id": text(metadata.get("invocation_id")),
        "project_name": text(metadata.get("project_name")),
        "adapter_type": text(metadata.get("adapter_type")),
        "dbt_version": text(metadata.get("dbt_version")),
        "schema_version": schema_version,
        "generated_at": generated_at,
    }


def _started(metadata: Mapping[str, Any]) -> dt.datetime | None:
    """Return when dbt says the invocation began.

    A manifest taken over from partial parsing carries the start of the invocation that parsed it first.
    """
    return moment(metadata.get("invocation_started_at"))


def _edges(node: Mapping[str, Any]) -> Iterator[Row]:
    """Yield an edge from every parent of a node, each once."""
    child = str(node.get("unique_id"))
    for parent in sorted(set(texts(mapping(node.get("depends_on")).get("nodes")) or [])):
        yield {
            "parent_id": parent,
            "child_id": child,
            "parent_type": parent.partition(".")[0] or None,
            "child_type": text(node.get("resource_type")),
        }


def _nodes(manifest: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Yield every node with whether it is enabled; a disabled twin of an enabled node is the same node, edited out."""
    seen: set[str | None] = set()
    for section, kind in SECTIONS.items():
        for unique_id, node in mapping(manifest.get(section)).items():
            if isinstance(node, dict):
                seen.add(unique_id)
                enabled = mapping(node.get("config")).get("enabled") is not False
                yield {"unique_id": unique_id, "resource_type": kind, **node}, enabled
    for node in _disabled(manifest.get("disabled")):
        name = text(node.get("unique_id"))
        if name not in seen:
            seen.add(name)
            yield node, False


def _disabled(value: Any) -> Iterator[Mapping[str, Any]]:
    """Versions up to 3 list disabled nodes, later ones map an id to the nodes that bear it."""
    groups = value.values() if isinstance(value, dict) else [value]
    for group in groups:
        yield from objects(group)

"""dbt artifacts as dbt 1.11 writes them (manifest v12, run-results v6, sources v3, catalog v1) for nightly production runs.

The run on the morning of day X leaves the manifest of night X - 1 and the results of day X. The run after the last night
leaves its manifest only.
"""

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evidence.demo.dbt_nodes import FRESHNESS, LAYERS, PROJECT, Node, model_node, parents_of, source_node, test_nodes
from evidence.demo.size import Size
from evidence.demo.tables import Catalog

VERSION = "1.11.7"
_FILLERS = 40
_SCHEMA = "https://schemas.getdbt.com/dbt/{}.json"


@dataclass(frozen=True, slots=True)
class NodeChange:
    """A model, test or source that is gone from the project, or says otherwise, in the manifests of some nights."""

    node: str  # unique_id
    first: int
    last: int
    values: Mapping[str, Any] | None = None  # None: removed; ``config`` is merged


@dataclass(frozen=True, slots=True)
class RunChange:
    """A result that is not a success in the runs of some days; ``skipped`` follows upstream failures."""

    node: str  # unique_id
    first: int
    last: int
    status: str
    message: str = ""
    failures: int | None = None


@dataclass(frozen=True, slots=True)
class FreshnessChange:
    """A source that was loaded ``age`` hours before its measurement on some days; no age: it was not measured."""

    source: str  # unique_id
    first: int
    last: int
    age: int | None = None


@dataclass(slots=True)
class Project:
    """The project and what happened to it. Days and nights are numbers."""

    size: Size
    models: list[Node]
    tests: list[Node]
    sources: list[Node]
    node_changes: list[NodeChange] = field(default_factory=list)
    run_changes: list[RunChange] = field(default_factory=list)
    freshness_changes: list[FreshnessChange] = field(default_factory=list)
    missing_runs: set[int] = field(default_factory=set)
    unselected: dict[int, frozenset[str]] = field(default_factory=dict)  # day -> tests the run left out
    _rest: dict[tuple[int, ...], tuple[str, list[Node]]] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write every run: production each morning, some of CI and of a developer, and one that writes docs."""
        for day in range(self.size.nights + 1):
            if day not in self.missing_runs:
                self._production(folder, day)
        for day in sorted({*range(5, self.size.nights, 17), *self.missing_runs}):
            self._other(folder, day, "ci", 15)
        for day in range(11, self.size.nights, 29):
            self._other(folder, day, "dev_edda", 17)
        if self.size.nights > 15:
            self._docs(folder, 15)

    def invocation(self, day: int, target: str) -> str:
        """Return the id of a run."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.size.seed}/{day}/{target}"))

    def production(self, day: int) -> str | None:
        """Return the id of a morning's production run, None if there was none."""
        return None if day in self.missing_runs else self.invocation(day, "prod")

    def _production(self, folder: Path, day: int) -> None:
        moment = self.size.evening(day, 4)
        target = folder / f"{moment:%Y-%m-%dT%H%MZ}-prod"
        target.mkdir(parents=True)
        rest, tests = self._manifest(day - 1)
        metadata = self._metadata("manifest/v12", moment, self.invocation(day, "prod"))
        metadata |= {
            "project_name": PROJECT,
            "project_id": hashlib.sha256(PROJECT.encode()).hexdigest()[:32],
            "adapter_type": "snowflake",
        }
        (target / "manifest.json").write_text(_file(metadata, rest))
        if day < self.size.nights:
            left_out = self.unselected.get(day, frozenset())
            ran = [node for node in (*self.models, *tests) if node["unique_id"] not in left_out]
            results = [self._result(node, day, moment) for node in ran]
            self._results(target, day, "prod", moment, results, "build")
            self._freshness(target, day)

    def _manifest(self, night: int) -> tuple[str, list[Node]]:
        """Return the manifest of a night but for its metadata, and the enabled tests in it."""
        active = tuple(n for n, change in enumerate(self.node_changes) if change.first <= night <= change.last)
        if active not in self._rest:
            changes = {self.node_changes[n].node: self.node_changes[n] for n in active}
            kept, models, sources = (
                [made for node in nodes if (made := _changed(node, changes.get(node["unique_id"]))) is not None]
                for nodes in (self.tests, self.models, self.sources)
            )
            on = [test for test in kept if test["config"]["enabled"]]
            off = {test["unique_id"]: [test] for test in kept if not test["config"]["enabled"]}
            nodes = {node["unique_id"]: node for node in (*models, *on)}
            body: Node = {
                "nodes": nodes,
                "sources": {s["unique_id"]: s for s in sources},
                "macros": {},
                "docs": {},
            }
            body |= {name: {} for name in ("exposures", "metrics", "groups", "selectors")} | {"disabled": off}
            body |= {
                "parent_map": {u: n["depends_on"]["nodes"] for u, n in nodes.items()},
                "child_map": {},
                "group_map": {},
            }
            body |= {name: {} for name in ("saved_queries", "semantic_models", "unit_tests", "functions")}
            self._rest[active] = json.dumps(body)[1:], on
        return self._rest[active]

    def _result(self, node: Node, day: int, moment: dt.datetime) -> Node:
        change = next((c for c in self.run_changes if c.node == node["unique_id"] and c.first <= day <= c.last), None)
        test = node["resource_type"] == "test"
        step = {
            "started_at": _stamp(moment + dt.timedelta(minutes=2)),
            "completed_at": _stamp(moment + dt.timedelta(minutes=2, seconds=9)),
        }
        good, failures = ("pass", 0) if test else ("success", None)
        return {
            "status": change.status if change else good,
            "timing": [{"name": "compile", **step}, {"name": "execute", **step}],
            "thread_id": "Thread-1 (worker)",
            "execution_time": 9.0415,
            "adapter_response": {} if test else {"_message": "SUCCESS 1", "code": "SUCCESS", "rows_affected": 1},
            "message": change.message if change else (None if test else "SUCCESS 1"),
            "failures": change.failures if change else failures,
            "unique_id": node["unique_id"],
            "compiled": True,
            "compiled_code": node["raw_code"],
            "relation_name": node["relation_name"],
            "batch_results": None,
        }

    def _results(
        self, target: Path, day: int, name: str, moment: dt.datetime, results: Sequence[Node], which: str
    ) -> None:
        metadata = self._metadata(
            "run-results/v6", moment + dt.timedelta(minutes=31 + day % 3), self.invocation(day, name), moment
        )
        body = {
            "results": list(results),
            "elapsed_time": 1860.25,
            "args": {
                "which": which,
                "target": name,
                "invocation_command": f"dbt {which} --target {name}",
                "select": [],
                "exclude": [],
                "vars": {},
            },
        }
        (target / "run_results.json").write_text(_file(metadata, json.dumps(body)[1:]))

    def _freshness(self, target: Path, day: int) -> None:
        moment = self.size.evening(day, 3, 50)
        results = []
        for number, source in enumerate(self.sources):
            change = self._measured(source["unique_id"], day)
            if change is None or change.age is not None:
                age = 3600 * change.age if change and change.age else 1800 + 60 * number
                results.append(_measurement(source["unique_id"], moment, age))
        metadata = self._metadata("sources/v3", moment, self.invocation(day, "freshness"))
        (target / "sources.json").write_text(
            _file(metadata, json.dumps({"results": results, "elapsed_time": 12.5})[1:])
        )

    def _measured(self, source: str, day: int) -> FreshnessChange | None:
        found = (c for c in self.freshness_changes if c.source == source and c.first <= day <= c.last)
        return next(found, None)

    def _other(self, folder: Path, day: int, name: str, hour: int) -> None:
        """A run on another target: fails, and must not count."""
        moment = self.size.evening(day, hour)
        target = folder / f"{moment:%Y-%m-%dT%H%MZ}-{name}"
        target.mkdir(parents=True)
        results = [
            self._result(node, -1, moment) | {"status": "error", "message": "Database Error"}
            for node in self.models[:5]
        ]
        self._results(target, day, name, moment, results, "build")

    def _docs(self, folder: Path, day: int) -> None:
        """``dbt docs generate``: a second manifest and a catalog later the same day, results of no builds."""
        moment = self.size.evening(day, 12)
        target = folder / f"{moment:%Y-%m-%dT%H%MZ}-docs"
        target.mkdir(parents=True)
        metadata = self._metadata("manifest/v12", moment, self.invocation(day, "docs")) | {
            "project_name": PROJECT,
            "adapter_type": "snowflake",
        }
        (target / "manifest.json").write_text(_file(metadata, self._manifest(day - 1)[0]))
        nodes = {
            n["unique_id"]: {
                "metadata": {
                    "type": "BASE TABLE",
                    "schema": n["schema"],
                    "name": n["alias"],
                    "database": n["database"],
                },
                "columns": {},
                "stats": {},
            }
            for n in self.models
        }
        catalog = self._metadata("catalog/v1", moment, self.invocation(day, "docs"))
        (target / "catalog.json").write_text(
            _file(catalog, json.dumps({"nodes": nodes, "sources": {}, "errors": None})[1:])
        )

    def _metadata(self, schema: str, moment: dt.datetime, invocation: str, begun: dt.datetime | None = None) -> Node:
        sha = release_of(moment)
        found = {"dbt_schema_version": _SCHEMA.format(schema), "dbt_version": VERSION, "generated_at": _stamp(moment)}
        return found | {
            "invocation_id": invocation,
            "invocation_started_at": _stamp(begun or moment),
            "env": {"GIT_SHA": sha},
        }


def release_of(moment: dt.datetime) -> str:
    """Return the commit that production runs of that week were made from: a release a week."""
    return hashlib.sha256(f"{moment:%Y%W}".encode()).hexdigest()[:40]


def build_project(size: Size, catalog: Catalog) -> Project:
    """Return the project: a model per table of staging, intermediate, mart and serve, keys and references tested."""
    fillers = [t for t in catalog.filler if t.schema == "MART" and t.database not in {"DEV", "SANDBOX"}][:_FILLERS]
    tables = [t for t in catalog.named if t.schema in LAYERS] + fillers
    sources = [source_node(t) for t in catalog.named if t.schema == "RAW"]
    models = [model_node(t, parents_of(t, catalog)) for t in tables]
    tests = [test for table in tables for test in test_nodes(table, catalog)]
    return Project(size, models, tests, sources)


def _measurement(source: str, moment: dt.datetime, age: int) -> Node:
    """Return what ``dbt source freshness`` says of a source that was loaded ``age`` seconds before."""
    status = next((word for word, hours in (("error", 24), ("warn", 12)) if age > 3600 * hours), "pass")
    return {
        "unique_id": source,
        "max_loaded_at": _stamp(moment - dt.timedelta(seconds=age)),
        "snapshotted_at": _stamp(moment),
        "max_loaded_at_time_ago_in_s": float(age),
        "status": status,
        "criteria": FRESHNESS,
        "adapter_response": {},
        "timing": [],
        "thread_id": "Thread-2",
        "execution_time": 0.41,
    }


def _changed(node: Node, change: NodeChange | None) -> Node | None:
    if change is None:
        return node
    if change.values is None:
        return None
    config = node["config"] | dict(change.values.get("config", {}))
    return node | dict(change.values) | {"config": config}


def _file(metadata: Node, rest: str) -> str:
    """Write the metadata first, as dbt does: an index needs no more than that."""
    return f'{{"metadata": {json.dumps(metadata)}, {rest}\n'


def _stamp(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

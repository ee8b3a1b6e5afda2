"""The ``dbt`` source: a folder tree of artifacts (``docs/formats/dbt-folder.md``).

State (``dbt.nodes``, ``dbt.tests``): night D is the first manifest of each project generated in ``[D + 1 day, D + 2 days)``; the
moment is the manifest's own claim. A plain ``target`` folder with its one current manifest is live: captured now.
Events (``dbt.run_results``, ``dbt.freshness``): the UTC day an artifact was generated; all invocations of a day count, a copied
file counts once. Files are indexed by their metadata alone; each is parsed when a night needs it.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from evidence.datasets.contract import Contract
from evidence.errors import SourceUnavailableError
from evidence.snapshot.model import Statement, Window
from evidence.sources import dbt_rows
from evidence.sources.dbt_artifact import Artifact, index, load
from evidence.sources.decode import Reject
from evidence.sources.protocol import Reading
from evidence.sources.reading import RowsReading

UNRECOGNISED = "files.unrecognised"
KINDS = {
    "dbt.nodes": "manifest",
    "dbt.tests": "manifest",
    "dbt.run_results": "run-results",
    "dbt.freshness": "sources",
}
LIVE_NAMES = frozenset({"manifest.json", "target/manifest.json"})
KEPT_MANIFESTS = 4  # parsed rows in memory; nights are read in order and share neighbours
SEVERITY_TRIES = 5


class DbtSource:
    """Artifacts of one or more dbt projects. ``target`` drops runs that state another target (a developer's, CI's).

    ``live`` is taken from the folder's layout unless given. ``clock`` is the moment of a live capture.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        clock: Callable[[], dt.datetime],
        target: str = "",
        live: bool | None = None,
    ) -> None:
        self.name = name
        self._folder = folder
        self._clock = clock
        self._target = target
        self._live = live
        self._severities: dict[str, dict[str, str | None]] = {}
        self._parsed: dict[tuple[str, str], tuple[list[dbt_rows.Row], str]] = {}

    @property
    def live(self) -> bool:
        """True for a plain target folder: one manifest, at its top."""
        if self._live is not None:
            return self._live
        manifests = [artifact.name for artifact in self._of("manifest")]
        return len(manifests) == 1 and manifests[0] in LIVE_NAMES

    def datasets(self) -> Sequence[str]:
        """The four datasets, and ``files.unrecognised`` if a file is no artifact we can use."""
        return [*KINDS, *([UNRECOGNISED] if self._unrecognised else [])]

    def nights(self, contract: Contract) -> Sequence[dt.date] | None:
        """Nights that have an artifact; ``None`` for the state of a live folder."""
        if contract.kind == "state" and contract.name != UNRECOGNISED and self.live:
            return None
        if contract.name == UNRECOGNISED:
            artifacts = self._unrecognised
            latest = max((min(a.file.modified, self._clock()) for a in artifacts), default=None)
            return [Window.of_capture(latest).night] if latest else []
        return sorted({self._night(contract, artifact) for artifact in self._of(KINDS[contract.name])})

    def read(self, contract: Contract, window: Window) -> Reading:
        """Read one night. Raises ``SourceUnavailableError`` if the folder holds nothing for it."""
        if contract.name == UNRECOGNISED:
            rejects = [self._why_unrecognised(artifact) for artifact in self._unrecognised]
            return RowsReading(contract, [], rejects, notes=["files that are no dbt artifact we know"])
        found = self._of(KINDS[contract.name])
        if not (contract.kind == "state" and self.live):
            found = [artifact for artifact in found if self._night(contract, artifact) == window.night]
        if not found:
            raise SourceUnavailableError(
                f"{self.name}: no {KINDS[contract.name]} artifact for {window.night}",
                fix="copy the artifacts of this night into the folder",
            )
        reading = RowsReading(contract, [], system={"product": "dbt"})
        collector = _Collector(reading)
        if contract.kind == "state":
            self._read_state(collector, contract, found, window)
        else:
            self._read_events(collector, contract, found)
        return collector.finish()

    def close(self) -> None:
        """Forget what was parsed."""
        self._parsed.clear()

    @cached_property
    def _index(self) -> tuple[Artifact, ...]:
        return tuple(index(self._folder))

    @cached_property
    def _unrecognised(self) -> list[Artifact]:
        """Files of no kind, catalogs we cannot read, and catalogs of nights that have no manifest to note them."""
        nights = {_state_night(artifact) for artifact in self._of("manifest")}
        return [
            artifact
            for artifact in self._index
            if artifact.kind is None
            or (artifact.kind == "catalog" and (artifact.refusal or _state_night(artifact) not in nights))
        ]

    def _of(self, kind: str) -> list[Artifact]:
        found = [artifact for artifact in self._index if artifact.kind == kind]
        return sorted(found, key=lambda artifact: (_moment(artifact), artifact.name))

    def _night(self, contract: Contract, artifact: Artifact) -> dt.date:
        return _state_night(artifact) if contract.kind == "state" else _moment(artifact).date()

    def _why_unrecognised(self, artifact: Artifact) -> Reject:
        if artifact.refusal:
            return Reject("", artifact.refusal)
        return Reject("", self._catalog(artifact))

    def _catalog(self, artifact: Artifact) -> str:
        """Say what a catalog holds: no dataset takes it."""
        try:
            value, _ = load(artifact)
            dbt_rows.check(value, "catalog")
        except ValueError as exc:
            return f"{artifact.label}: {exc}"
        return f"{artifact.label}: {artifact.schema_version} with {len(value['nodes'])} relations; no dataset takes catalogs"

    def _read_state(
        self, collector: "_Collector", contract: Contract, found: Sequence[Artifact], window: Window
    ) -> None:
        chosen: dict[str, Artifact] = {}
        for artifact in found:
            if artifact.refusal:
                collector.reject(artifact.refusal)
            elif artifact.project in chosen and not self.live:
                collector.note(f"{artifact.label}: not the first manifest of its project in this night, not used")
            else:
                chosen[artifact.project] = artifact
        for artifact in chosen.values():
            try:
                rows, digest = self._manifest_rows(contract.name, artifact)
            except ValueError as exc:
                collector.reject(f"{artifact.label}: {exc}")
                continue
            collector.take(artifact, rows, digest)
        if not self.live:
            catalogs = [a for a in self._of("catalog") if not a.refusal and _state_night(a) == window.night]
            collector.notes += (
                [self._catalog(artifact) for artifact in catalogs] if contract.name == "dbt.nodes" else []
            )
        moments = [artifact.generated_at for artifact in chosen.values() if artifact.generated_at]
        if moments:
            collector.reading.as_of = (self._clock(), False) if self.live else (min(moments), True)

    def _read_events(self, collector: "_Collector", contract: Contract, found: Sequence[Artifact]) -> None:
        seen: dict[str, str] = {}
        for artifact in found:
            try:
                value, digest = self._event_artifact(artifact)
            except ValueError as exc:
                collector.reject(artifact.refusal or f"{artifact.label}: {exc}")
                continue
            if artifact.invocation_id in seen:
                if seen[artifact.invocation_id] == digest:
                    collector.note(f"{artifact.label}: a copy of an invocation already counted")
                else:
                    collector.reject(f"{artifact.label}: same invocation as another file, other content")
                continue
            seen[artifact.invocation_id] = digest
            collector.take(artifact, self._event_rows(collector, contract, artifact, value), digest)

    def _event_artifact(self, artifact: Artifact) -> tuple[dict[str, Any], str]:
        if artifact.refusal:
            raise ValueError(artifact.refusal)
        if not artifact.invocation_id:
            raise ValueError("metadata.invocation_id is missing")
        value, digest = load(artifact)
        dbt_rows.check(value, str(artifact.kind))
        return value, digest

    def _event_rows(
        self, collector: "_Collector", contract: Contract, artifact: Artifact, value: dict[str, Any]
    ) -> list[dbt_rows.Row]:
        moment = _moment(artifact)
        if contract.name == "dbt.freshness":
            return list(dbt_rows.freshness_rows(value, moment))
        rows = list(dbt_rows.run_rows(value, artifact.schema_version, moment))
        target = rows[0]["target_name"] if rows else None
        if self._target and target is None:
            collector.note(f"{artifact.label}: states no target; kept")
        elif self._target and target != self._target:
            collector.note(f"{artifact.label}: ran on another target; {len(rows)} results left out")
            return []
        self._join_severity(collector, artifact, rows)
        return rows

    def _join_severity(self, collector: "_Collector", artifact: Artifact, rows: list[dbt_rows.Row]) -> None:
        """Add each test's severity from the manifest of the same invocation, else from the latest earlier one."""
        tests = {row["unique_id"] for row in rows if row["resource_type"] == "test"}
        if not tests:
            return
        for manifest in self._manifests_for(artifact):
            known = self._severity(manifest)
            if tests & set(known):
                if manifest.invocation_id != artifact.invocation_id:
                    collector.note(f"{artifact.label}: severities from {manifest.name}, the latest earlier manifest")
                for row in rows:
                    row["severity"] = known.get(row["unique_id"])
                return
        collector.note(f"{artifact.label}: no manifest knows these tests; their severity is not known")

    def _manifests_for(self, artifact: Artifact) -> Iterator[Artifact]:
        usable = [manifest for manifest in self._of("manifest") if not manifest.refusal]
        yield from (manifest for manifest in usable if manifest.invocation_id == artifact.invocation_id)
        earlier = [manifest for manifest in usable if _moment(manifest) <= _moment(artifact)]
        yield from list(reversed(earlier))[:SEVERITY_TRIES]

    def _severity(self, manifest: Artifact) -> dict[str, str | None]:
        if manifest.name not in self._severities:
            try:
                self._manifest_rows("dbt.tests", manifest)
            except ValueError:
                self._severities[manifest.name] = {}
        return self._severities[manifest.name]

    def _manifest_rows(self, dataset: str, artifact: Artifact) -> tuple[list[dbt_rows.Row], str]:
        """Parse a manifest once for both datasets. Raises ``ValueError`` with what is wrong."""
        if (dataset, artifact.name) not in self._parsed:
            value, digest = load(artifact)
            dbt_rows.check(value, "manifest")
            moment = _moment(artifact)
            tests = list(dbt_rows.test_rows(value, moment))
            self._severities[artifact.name] = {str(row["unique_id"]): row["severity"] for row in tests}
            nodes = list(dbt_rows.node_rows(value, artifact.schema_version, moment))
            self._parsed["dbt.nodes", artifact.name] = nodes, digest
            self._parsed["dbt.tests", artifact.name] = tests, digest
            while len(self._parsed) > 2 * KEPT_MANIFESTS:
                del self._parsed[next(iter(self._parsed))]
        return self._parsed[dataset, artifact.name]


class _Collector:
    """Gathers rows, rejects and words of several artifacts into one reading."""

    def __init__(self, reading: RowsReading) -> None:
        self.reading = reading
        self.notes: list[str] = []
        self._rows: list[dbt_rows.Row] = []
        self._rejects: list[Reject] = []
        self._statements: list[Statement] = []
        self._versions: set[str] = set()

    def take(self, artifact: Artifact, rows: Sequence[dbt_rows.Row], digest: str) -> None:
        self._rows += rows
        self._statements.append(Statement(f"read {artifact.name} sha256:{digest}", rows=len(rows)))
        self._versions.add(artifact.dbt_version)
        generated = artifact.generated_at.isoformat() if artifact.generated_at else "?"
        self.note(f"{artifact.label}: {artifact.schema_version}, generated at {generated}")

    def reject(self, reason: str) -> None:
        self._rejects.append(Reject("", reason))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def finish(self) -> RowsReading:
        reading = self.reading
        reading.rows, reading.rejects = self._rows, self._rejects
        reading.statements, reading.notes = self._statements, self.notes
        versions = ", ".join(sorted(self._versions - {""}))
        reading.system = {"product": "dbt", **({"dbt_version": versions} if versions else {})}
        return reading


def _moment(artifact: Artifact) -> dt.datetime:
    """When it was generated; for a file that does not say, when it last changed."""
    return artifact.generated_at or artifact.file.modified


def _state_night(artifact: Artifact) -> dt.date:
    return Window.of_capture(_moment(artifact)).night

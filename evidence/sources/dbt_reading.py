"""Artifacts of one night -> one reading: which of them count, what joins them, what is refused and what is worth a note."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

from evidence.datasets.contract import Contract
from evidence.snapshot.model import Statement, Totals
from evidence.sources.dbt_artifact import Artifact, moment_of
from evidence.sources.dbt_parsed import Parsed, Shelved
from evidence.sources.dbt_shelf import RunsSeen, Shelf
from evidence.sources.dbt_values import Row
from evidence.sources.decode import Reject
from evidence.sources.reading import RowsReading

SEVERITY_TRIES = 5


class Gathering:
    """Gathers rows, refusals and words of several artifacts. ``known`` are all artifacts that may be joined to them."""

    def __init__(
        self, contract: Contract, shelf: Shelf, shelved: Shelved, known: Sequence[Artifact], target: str
    ) -> None:
        self._contract = contract
        self._shelf = shelf
        self._shelved = shelved
        self._known = known
        self._target = target
        self._rows: list[Row] = []
        self._held = 0
        self._rejects: list[Reject] = []
        self._statements: list[Statement] = list(shelf.statements)
        self._notes: list[str] = []
        self._versions: set[str] = set()
        self._as_of: tuple[dt.datetime, bool] | None = None

    def take_state(self, found: Sequence[Artifact], *, current: bool) -> list[dt.datetime]:
        """Take the first artifact of each project (``current``: the latest); return the moments they claim."""
        chosen: dict[str, Artifact] = {}
        for artifact in found:
            project = self._run(artifact).get("project_name", artifact.project)
            if artifact.refusal:
                self._reject(artifact.refusal)
            elif self._elsewhere(artifact):
                self._note(f"{artifact.label}: of a run on another target, not used")
            elif project in chosen and not current:
                self._note(f"{artifact.label}: not the first {artifact.kind} of its project in this night, not used")
            else:
                chosen[project] = artifact
        for artifact in chosen.values():
            try:
                self._take(artifact, self._shelved.parse(artifact, self._run(artifact)))
            except ValueError as exc:
                self._reject(f"{artifact.label}: {exc}")
        return [artifact.generated_at for artifact in chosen.values() if artifact.generated_at]

    def take_events(self, found: Sequence[Artifact]) -> None:
        """Take every invocation once."""
        digests: dict[str, str] = {}
        for artifact in found:
            try:
                parsed = self._event(artifact)
            except ValueError as exc:
                self._reject(artifact.refusal or f"{artifact.label}: {exc}")
                continue
            known = digests.setdefault(artifact.invocation_id, "")
            if not known:
                digests[artifact.invocation_id] = parsed.digest
                self._take_event(artifact, parsed)
            elif known == parsed.digest:
                self._note(f"{artifact.label}: a copy of an invocation already counted")
            else:
                self._reject(f"{artifact.label}: same invocation as another file, other content")

    def take_runs(self, seen: RunsSeen, *, listed: bool) -> None:
        """Name the runs whose results cannot be shown: they make events incomplete, and are noted beside state."""
        for gap in seen.gaps if listed else ():
            self._reject(gap)
        self._notes += [*seen.notes, *seen.gaps]  # a receipt counts refusals by reason, without the numbers of runs

    def as_of(self, moments: Sequence[dt.datetime], captured: dt.datetime | None) -> None:
        """State the moment: our own clock where the state was captured now, else the earliest that is claimed."""
        if moments:
            self._as_of = (captured, False) if captured else (min(moments), True)

    def finish(self) -> RowsReading:
        """Return the reading. Its totals are what the artifacts hold by their own count, and what was refused."""
        versions = ", ".join(sorted(self._versions - {""}))
        system = {"product": "dbt", **self._shelf.system, **({"dbt_version": versions} if versions else {})}
        return RowsReading(
            self._contract,
            self._rows,
            self._rejects,
            self._statements,
            system,
            self._as_of,
            notes=self._notes,
            stated=Totals(self._held + len(self._rejects)),
        )

    def _event(self, artifact: Artifact) -> Parsed:
        if artifact.refusal:
            raise ValueError(artifact.refusal)
        if not artifact.invocation_id:
            raise ValueError("metadata.invocation_id is missing")
        parse = self._shelved.manifest if self._contract.name == "dbt.manifest" else self._shelved.parse
        return parse(artifact, self._run(artifact))

    def _take_event(self, artifact: Artifact, parsed: Parsed) -> None:
        rows = [dict(row) for row in parsed.rows[self._contract.name]]
        if self._contract.name == "dbt.manifest":
            invocation = self._invocation(artifact)
            for row in rows:
                row["command"] = invocation.get("command")
                row["target_name"] = invocation.get("target_name") or row["target_name"]
        if self._left_out(artifact, rows):
            return
        if self._contract.name == "dbt.run_results":
            self._join_severity(artifact, rows)
        self._take(artifact, parsed, rows)

    def _left_out(self, artifact: Artifact, rows: Sequence[Row]) -> bool:
        """Say whether the run was on another target than the one configured; a run that states none is kept and named."""
        if not self._target or not rows or "target_name" not in rows[0]:
            return False
        target = rows[0]["target_name"]
        if target is None:
            self._note(f"{artifact.label}: states no target; kept")
            return False
        if target == self._target:
            return False
        self._note(f"{artifact.label}: ran on another target; {len(rows)} results left out")
        return True

    def _take(self, artifact: Artifact, parsed: Parsed, rows: Sequence[Row] | None = None) -> None:
        dataset = self._contract.name
        rows = parsed.rows[dataset] if rows is None else rows
        held = parsed.held[dataset]
        self._rows += rows
        self._held += len(rows) if held is None else held
        pin = f" {artifact.file.pin}" if artifact.file.pin else ""
        self._statements.append(Statement(f"read {artifact.name}{pin} sha256:{parsed.digest}", rows=len(rows)))
        self._versions.add(artifact.dbt_version)
        generated = artifact.generated_at.isoformat() if artifact.generated_at else "?"
        self._note(f"{artifact.label}: {artifact.schema_version}, generated at {generated}")
        for fault in parsed.faults:
            self._reject(f"{artifact.label}: {fault}")

    def _run(self, artifact: Artifact) -> Mapping[str, str]:
        """Return what is known of the run that wrote the artifact: by dbt Cloud, and by the manifest of the invocation."""
        run = dict(artifact.file.run)
        if artifact.kind != "manifest" and artifact.invocation_id:
            project = next((m.project for m in self._same("manifest", artifact) if m.project), "")
            run |= {"project_name": project} if project else {}
        return run

    def _same(self, kind: str, artifact: Artifact) -> Iterator[Artifact]:
        """Yield the usable artifacts of another kind that the same invocation wrote."""
        for other in self._known:
            if other.kind == kind and other.invocation_id == artifact.invocation_id and not other.refusal:
                yield other

    def _invocation(self, artifact: Artifact) -> Row:
        """Return the row of ``dbt.invocations`` of the artifact's invocation; empty if it left no run results."""
        for results in self._same("run-results", artifact) if artifact.invocation_id else ():
            try:
                return dict(self._shelved.parse(results, self._run(results)).rows["dbt.invocations"][0])
            except ValueError:
                continue
        return {}

    def _elsewhere(self, artifact: Artifact) -> bool:
        if not self._target:
            return False
        target = self._invocation(artifact).get("target_name") or self._run(artifact).get("target_name")
        return target is not None and target != self._target

    def _join_severity(self, artifact: Artifact, rows: Sequence[Row]) -> None:
        """Add each test's severity from the manifest of the same invocation, else from the latest earlier one."""
        tests = {row["unique_id"] for row in rows if row["resource_type"] == "test"}
        if not tests:
            return
        for manifest in self._manifests_for(artifact):
            known = self._shelved.severities(manifest, self._run(manifest))
            if tests & set(known):
                if manifest.invocation_id != artifact.invocation_id:
                    self._note(f"{artifact.label}: severities from {manifest.name}, the latest earlier manifest")
                for row in rows:
                    row["severity"] = known.get(row["unique_id"])
                return
        self._note(f"{artifact.label}: no manifest knows these tests; their severity is not known")

    def _manifests_for(self, artifact: Artifact) -> Iterator[Artifact]:
        yield from self._same("manifest", artifact)
        usable = [m for m in self._known if m.kind == "manifest" and not m.refusal]
        earlier = [manifest for manifest in usable if moment_of(manifest) <= moment_of(artifact)]
        yield from list(reversed(earlier))[:SEVERITY_TRIES]

    def _reject(self, reason: str) -> None:
        self._rejects.append(Reject("", reason))

    def _note(self, text: str) -> None:
        self._notes.append(text)

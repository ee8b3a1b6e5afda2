"""Parsed artifacts: each file once, its rows for every dataset, and what the file itself counts."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evidence.sources import dbt_manifest, dbt_results
from evidence.sources.dbt_artifact import Artifact, load, moment_of
from evidence.sources.dbt_values import Row

KEPT = 4  # of each kind; nights are read in order and share neighbours


@dataclass(frozen=True, slots=True)
class Parsed:
    """Rows by dataset. ``held`` is the artifact's own count by dataset, None where it states none; ``faults`` are refusals."""

    digest: str
    rows: Mapping[str, Sequence[Row]]
    held: Mapping[str, int | None]
    faults: Sequence[str] = ()


@dataclass(slots=True)
class Shelved:
    """A bounded memory of parsed artifacts. Severities and the row of ``dbt.manifest`` are small and stay."""

    _parsed: dict[str, OrderedDict[str, Parsed | str]] = field(default_factory=dict)
    _severities: dict[str, dict[str, str | None]] = field(default_factory=dict)
    _manifests: dict[str, Parsed] = field(default_factory=dict)

    def parse(self, artifact: Artifact, run: Mapping[str, str]) -> Parsed:
        """Return the rows of ``artifact``; ``run`` is what is known of the run that wrote it.

        Raises ``ValueError`` with what is wrong, quoting nothing.
        """
        kept = self._parsed.setdefault(str(artifact.kind), OrderedDict())
        found = kept.get(artifact.name)
        if found is None:
            try:
                found = _parse(artifact, run)
            except ValueError as exc:
                found = str(exc)
            kept[artifact.name] = found
            while len(kept) > KEPT:
                kept.popitem(last=False)
            self._remember(artifact, found)
        if isinstance(found, str):
            raise ValueError(found)  # noqa: TRY004 - the text is the remembered fault
        return found

    def manifest(self, artifact: Artifact, run: Mapping[str, str]) -> Parsed:
        """Return what ``dbt.manifest`` takes of a manifest."""
        if artifact.name not in self._manifests:
            self.parse(artifact, run)
        return self._manifests[artifact.name]

    def severities(self, artifact: Artifact, run: Mapping[str, str]) -> Mapping[str, str | None]:
        """Return test -> severity of a manifest; empty if it cannot be read."""
        if artifact.name not in self._severities:
            try:
                self.parse(artifact, run)
            except ValueError:
                self._severities[artifact.name] = {}
        return self._severities[artifact.name]

    def clear(self) -> None:
        """Forget rows."""
        self._parsed.clear()

    def _remember(self, artifact: Artifact, found: Parsed | str) -> None:
        if artifact.kind != "manifest" or isinstance(found, str):
            return
        self._severities[artifact.name] = {str(row["unique_id"]): row["severity"] for row in found.rows["dbt.tests"]}
        own = {"dbt.manifest": found.rows["dbt.manifest"]}
        self._manifests[artifact.name] = Parsed(found.digest, own, {"dbt.manifest": 1})


def _parse(artifact: Artifact, run: Mapping[str, str]) -> Parsed:
    value, digest = load(artifact)
    kind, version, moment = str(artifact.kind), artifact.schema_version, moment_of(artifact)
    dbt_results.check(value, kind)
    match kind:
        case "manifest":
            rows: dict[str, Sequence[Row]] = {**dbt_manifest.state_rows(value, version, moment)}
            rows["dbt.manifest"] = [dbt_manifest.manifest_row(value, version, moment, digest, run)]
            return Parsed(digest, rows, dbt_manifest.held(value))
        case "run-results":
            invocation = dbt_results.invocation_row(value, version, moment, digest, run)
            results = list(dbt_results.run_rows(value, version, moment, run))
            rows = {"dbt.run_results": results, "dbt.invocations": [invocation]}
            return Parsed(digest, rows, {"dbt.run_results": dbt_results.held(value, kind), "dbt.invocations": 1})
        case "sources":
            measured = list(dbt_results.freshness_rows(value, version, moment))
            return Parsed(digest, {"dbt.freshness": measured}, {"dbt.freshness": dbt_results.held(value, kind)})
        case _:
            columns = list(dbt_results.catalog_rows(value, version, moment))
            errors = dbt_results.catalog_errors(value)
            faults = [f"dbt could not catalogue everything: {errors} errors"] if errors else []
            return Parsed(digest, {"dbt.catalog": columns}, {"dbt.catalog": dbt_results.held(value, kind)}, faults)

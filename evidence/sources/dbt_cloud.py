"""Artifacts of dbt Cloud runs, by the Administrative API: every run of a span is listed, every step's artifacts are asked for.

The list has no reliable filter by time, so it is read from the newest run back. Bodies stay in memory, a bounded amount of them;
a second request must bring the same bytes.
"""

import datetime as dt
import hashlib
import io
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from evidence.errors import SourceUnavailableError
from evidence.snapshot.model import DAY, Statement, start_of
from evidence.sources.dbt_artifact import Artifact, Kind, describe
from evidence.sources.dbt_cloud_api import CloudApi
from evidence.sources.dbt_cloud_run import Run, parse_run, parse_steps
from evidence.sources.dbt_file import MAX_BYTES, ArtifactFile
from evidence.sources.dbt_shelf import RunsSeen

NAMES = ("manifest.json", "run_results.json", "sources.json", "catalog.json")
LONGEST_RUN = 2 * DAY  # a run may wait in the queue, and is cancelled after a day of running
BODIES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Scope:
    """Which runs count: those of these jobs, or of a project or an environment; all of the account if nothing is named."""

    project_id: int | None = None
    environment_id: int | None = None
    job_ids: tuple[int, ...] = ()

    def holds(self, run: Run) -> bool:
        """Say whether a run is in scope: a server that does not know a filter gives more than was asked for."""
        return (
            self.project_id in {None, run.project}
            and self.environment_id in {None, run.environment}
            and (not self.job_ids or run.job in self.job_ids)
        )


@dataclass(frozen=True, slots=True)
class Left:
    """What a complete run left behind."""

    artifacts: tuple[Artifact, ...]
    gaps: tuple[str, ...]


@dataclass(slots=True)
class _Listing:
    """The runs of one filter, newest first, as far as they were read."""

    pages: Iterator[list[Mapping[str, object]]]
    runs: list[Run] = field(default_factory=list)
    ended: bool = False


class CloudShelf:
    """``lookback_days`` is how far back nights of state are looked for; events are read for whatever night is asked."""

    lists_runs = True
    remote = True

    def __init__(self, api: CloudApi, scope: Scope, *, lookback_days: int = 35) -> None:
        self._api = api
        self._scope = scope
        self._lookback = lookback_days * DAY
        self._listings: list[_Listing] = []
        self._left: dict[int, Left] = {}
        self._bodies: OrderedDict[str, bytes] = OrderedDict()

    @property
    def system(self) -> Mapping[str, str]:
        """Host, account and scope."""
        scope = self._scope
        named = {
            "project": scope.project_id,
            "environment": scope.environment_id,
            "jobs": ", ".join(map(str, scope.job_ids)) or None,
        }
        place = {"host": self._api.host, "account": str(self._api.account_id)}
        return place | {key: str(value) for key, value in named.items() if value is not None}

    @property
    def statements(self) -> Sequence[Statement]:
        """The lists of runs, with how many of them were read."""
        return [
            Statement(f"GET accounts/{self._api.account_id}/runs/", tuple(f"{k}={v}" for k, v in sorted(query.items())))
            for query in self._queries()
        ]

    def artifacts(self, since: dt.datetime | None = None, until: dt.datetime | None = None) -> Sequence[Artifact]:
        """Return the artifacts of every complete run that may have written in the span."""
        if since is None or until is None:
            raise ValueError("a list of runs is read for a span")
        runs = [run for run in self._runs(since) if run.complete and run.touches(since, until)]
        return [artifact for run in runs for artifact in self._of(run).artifacts]

    def days(self, kind: Kind, now: dt.datetime) -> set[dt.date] | None:
        """Return the UTC days on which runs left an artifact of ``kind``; only runs over midnight are looked into for it."""
        since = start_of((now - self._lookback).date())
        found: set[dt.date] = set()
        for run in self._runs(since):
            wanted = run.saved and (run.docs or kind != "catalog")
            if not (wanted and run.started_at and run.finished_at) or run.finished_at < since:
                continue
            if run.started_at.date() == run.finished_at.date():
                found.add(run.finished_at.date())
            elif run.complete:
                moments = (a.generated_at for a in self._of(run).artifacts if a.kind == kind)
                found |= {moment.date() for moment in moments if moment}
        return found

    def runs(self, since: dt.datetime, until: dt.datetime) -> RunsSeen:
        """Name what the runs of the span do not show: unfinished ones, and those that left no results."""
        gaps: list[str] = []
        notes: list[str] = []
        seen = [run for run in self._runs(since) if run.touches(since, until)]
        for run in seen:
            if run.never_ran:
                notes.append(f"{run.label}: cancelled before it started")
            elif not run.complete:
                gaps.append(f"{run.label}: not finished")
            elif run.finished_at is None or since <= run.finished_at < until:
                gaps += self._of(run).gaps
        notes.insert(0, f"{len(seen)} runs listed for {since:%Y-%m-%d}")
        if self._scope.environment_id is None and not self._scope.job_ids:
            notes.append("neither environment nor jobs are named: runs of CI and of developers' jobs are among these")
        return RunsSeen(tuple(gaps), tuple(notes))

    def close(self) -> None:
        """Forget bodies and lists."""
        self._bodies.clear()
        self._listings.clear()
        self._left.clear()

    def _runs(self, since: dt.datetime) -> list[Run]:
        """Return the runs in scope that may reach into ``since`` or later, oldest first, each once."""
        if not self._listings:
            pages = (self._api.pages("runs/", query) for query in self._queries())
            self._listings = [_Listing(found) for found in pages]
        for listing in self._listings:
            self._read_back(listing, since - LONGEST_RUN)
        runs = {run.id: run for listing in self._listings for run in listing.runs if self._scope.holds(run)}
        return [runs[number] for number in sorted(runs)]

    def _read_back(self, listing: _Listing, horizon: dt.datetime) -> None:
        while not listing.ended and not (listing.runs and listing.runs[-1].created_at < horizon):
            try:
                page = next(listing.pages, None)
            except BaseException:
                self._listings.clear()  # a broken generator cannot go on; the next read lists anew
                raise
            if page is None:
                listing.ended = True
                return
            try:
                listing.runs += [parse_run(item) for item in page]
            except ValueError as exc:
                self._listings.clear()
                raise SourceUnavailableError(
                    f"{self._api.host}: {exc}", fix="check that the host is dbt Cloud's"
                ) from exc

    def _queries(self) -> list[dict[str, object]]:
        common: dict[str, object] = {"order_by": "-id", "include_related": '["job"]'}
        if self._scope.project_id is not None:
            common["project_id"] = self._scope.project_id
        if self._scope.environment_id is not None:
            common["environment_id"] = self._scope.environment_id
        return [common | {"job_definition_id": job} for job in self._scope.job_ids] or [common]

    def _of(self, run: Run) -> Left:
        if run.id not in self._left:
            self._left[run.id] = self._look(run)
        return self._left[run.id]

    def _look(self, run: Run) -> Left:
        """Ask every step for its artifacts. A step that should have results and has none is a gap."""
        if run.never_ran:
            return Left((), ())
        detail = self._api.get(f"runs/{run.id}/", {"include_related": '["run_steps"]'})
        steps = parse_steps(detail or {})
        found: list[Artifact] = []
        gaps: list[str] = []
        for step in steps:
            names = self._names(run, step.index) if step.ran else []
            found += [self._artifact(run, step.index, name) for name in names]
            if step.executes and step.ran and "run_results.json" not in names:
                gaps.append(f"{run.label}: step {step.index} left no run_results.json")
        if not steps:
            gaps.append(f"{run.label}: its steps are not listed, so the results of all but the last are out of reach")
            found += [self._artifact(run, None, name) for name in self._names(run, None)]
        if not found:
            gaps = [f"{run.label}: finished without artifacts"]
        return Left(tuple(found), tuple(gaps))

    def _names(self, run: Run, step: int | None) -> list[str]:
        answer = self._api.get(f"runs/{run.id}/artifacts/", {"step": step})
        listed = answer.get("data") if answer else None
        return [name for name in NAMES if isinstance(listed, list) and name in listed]

    def _artifact(self, run: Run, step: int | None, name: str) -> Artifact:
        """Fetch an artifact; the digest of this first look pins it."""
        place = f"run-{run.id}/{f'step-{step}' if step is not None else 'last'}/{name}"
        modified = run.finished_at or run.created_at
        body = self._api.fetch(f"runs/{run.id}/artifacts/{name}", {"step": step}, limit=MAX_BYTES)
        if body is None:
            return describe(ArtifactFile(place, modified, _nothing, "listed, but not to be had"))
        digest = hashlib.sha256(body).hexdigest()
        self._keep(place, body)

        def again() -> BinaryIO:
            return io.BytesIO(self._again(run, step, name, place, digest))

        return describe(ArtifactFile(place, modified, again, run=run.facts(), head=body[: 2**16]))

    def _again(self, run: Run, step: int | None, name: str, place: str, digest: str) -> bytes:
        body = self._bodies.get(place)
        if body is None:
            body = self._api.fetch(f"runs/{run.id}/artifacts/{name}", {"step": step}, limit=MAX_BYTES)
            if body is None or hashlib.sha256(body).hexdigest() != digest:
                raise OSError(0, "changed between two reads")
            self._keep(place, body)
        return body

    def _keep(self, place: str, body: bytes) -> None:
        self._bodies[place] = body
        while len(self._bodies) > 1 and sum(map(len, self._bodies.values())) > BODIES:
            self._bodies.popitem(last=False)


def _nothing() -> BinaryIO:
    raise OSError(0, "was not read")

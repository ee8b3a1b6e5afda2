"""The ``dbt`` source: artifacts of a folder tree, an S3 prefix or the dbt Cloud API (``docs/formats/dbt-folder.md``).

State (``dbt.nodes`` …): night D is the first manifest, or catalog, of each project generated in ``[D + 1 day, D + 2 days)``; the
moment is the artifact's own claim. A plain ``target`` folder with its one current manifest is live: captured now.
Events (``dbt.run_results`` …): the UTC day an artifact was generated; all invocations of a day count, a copied
file counts once. Files are indexed by their metadata alone; each is parsed when a night needs it.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path

from evidence.datasets.contract import Contract
from evidence.errors import SourceError, SourceUnavailableError
from evidence.snapshot.model import DAY, Window
from evidence.sources.dbt_artifact import Artifact, Kind, moment_of
from evidence.sources.dbt_parsed import Shelved
from evidence.sources.dbt_reading import Gathering
from evidence.sources.dbt_shelf import FolderShelf, Shelf
from evidence.sources.decode import Reject
from evidence.sources.protocol import Reading
from evidence.sources.reading import RowsReading

UNRECOGNISED = "files.unrecognised"
KINDS: dict[str, Kind] = {
    "dbt.nodes": "manifest",
    "dbt.tests": "manifest",
    "dbt.sources": "manifest",
    "dbt.exposures": "manifest",
    "dbt.lineage": "manifest",
    "dbt.catalog": "catalog",
    "dbt.manifest": "manifest",
    "dbt.run_results": "run-results",
    "dbt.invocations": "run-results",
    "dbt.freshness": "sources",
}
LIVE_NAMES = frozenset({"manifest.json", "target/manifest.json"})


class DbtSource:
    """Artifacts of one or more dbt projects. ``target`` drops runs that state another target (a developer's, CI's).

    ``live`` is taken from the folder's layout unless given. ``clock`` is the moment of a live capture.
    """

    def __init__(
        self,
        name: str,
        place: Path | Shelf,
        *,
        clock: Callable[[], dt.datetime],
        target: str = "",
        live: bool | None = None,
    ) -> None:
        self.name = name
        self._shelf: Shelf = FolderShelf(place) if isinstance(place, Path) else place
        self._clock = clock
        self._target = target
        self._live = live
        self._shelved = Shelved()

    @property
    def live(self) -> bool:
        """True for a plain target folder (one manifest, at its top), and for dbt Cloud, which can be asked for any night."""
        return self._shelf.lists_runs or self._current

    def datasets(self) -> Sequence[str]:
        """The datasets of the artifacts there are, and ``files.unrecognised`` if a file is no artifact we can use."""
        if self._shelf.remote:
            return [*KINDS, *([] if self._shelf.lists_runs else [UNRECOGNISED])]
        catalogs = any(artifact.kind == "catalog" for artifact in self._shelf.artifacts())
        known = [dataset for dataset in KINDS if catalogs or dataset != "dbt.catalog"]
        return [*known, *([UNRECOGNISED] if self._unrecognised() else [])]

    def nights(self, contract: Contract) -> Sequence[dt.date] | None:
        """Nights that have an artifact; ``None`` for the state of a live folder and for events where runs are listed."""
        if contract.name == UNRECOGNISED:
            latest = max((min(a.file.modified, self._clock()) for a in self._unrecognised()), default=None)
            return [Window.of_capture(latest).night] if latest else []
        if self._shelf.lists_runs:
            return None if contract.kind == "event" else self._listed(KINDS[contract.name])
        if contract.kind == "state" and self._current:
            return None
        return sorted({_night(contract, artifact) for artifact in self._of(KINDS[contract.name])})

    def read(self, contract: Contract, window: Window) -> Reading:
        """Read one night. Raises ``SourceUnavailableError`` if there is nothing for it, unless runs are listed."""
        if contract.name == UNRECOGNISED:
            rejects = [Reject("", artifact.refusal) for artifact in self._unrecognised()]
            return RowsReading(contract, [], rejects, notes=["files that are no dbt artifact we know"])
        current = contract.kind == "state" and self._current
        found = self._of(KINDS[contract.name], window)
        if not current:
            found = [artifact for artifact in found if _night(contract, artifact) == window.night]
        listed = self._shelf.lists_runs and contract.kind == "event"
        if not found and not listed:
            raise SourceUnavailableError(
                f"{self.name}: no {KINDS[contract.name]} artifact for {window.night}",
                fix="look at what the jobs ran"
                if self._shelf.lists_runs
                else "copy the artifacts of this night into the folder",
            )
        gathering = Gathering(contract, self._shelf, self._shelved, self._known(window), self._target)
        if contract.kind == "state":
            moments = gathering.take_state(found, current=current)
            gathering.as_of(moments, self._clock() if current else None)
        else:
            gathering.take_events(found)
        if self._shelf.lists_runs:
            gathering.take_runs(self._shelf.runs(window.start, window.end), listed=listed)
        return gathering.finish()

    def close(self) -> None:
        """Forget what was parsed."""
        self._shelved.clear()
        self._shelf.close()

    @property
    def _current(self) -> bool:
        if self._live is not None:
            return self._live
        if self._shelf.remote:
            return False
        manifests = [artifact.name for artifact in self._of("manifest")]
        return len(manifests) == 1 and manifests[0] in LIVE_NAMES

    def _unrecognised(self) -> list[Artifact]:
        return [artifact for artifact in self._shelf.artifacts() if artifact.kind is None]

    def _listed(self, kind: Kind) -> list[dt.date]:
        """Nights whose state dbt Cloud can show. If it cannot be asked, tonight: the read then says why, in a receipt."""
        now = self._clock()
        try:
            days = self._shelf.days(kind, now) or set()
        except SourceError:
            return [Window.of_capture(now).night]
        return sorted(day - DAY for day in days)

    def _of(self, kind: Kind, window: Window | None = None) -> list[Artifact]:
        return [artifact for artifact in self._known(window) if artifact.kind == kind]

    def _known(self, window: Window | None = None) -> list[Artifact]:
        """Return the artifacts that may bear on a window; a folder gives all it has."""
        span = (window.start, window.end) if window else (None, None)
        return sorted(self._shelf.artifacts(*span), key=lambda artifact: (moment_of(artifact), artifact.name))


def _night(contract: Contract, artifact: Artifact) -> dt.date:
    moment = moment_of(artifact)
    return Window.of_capture(moment).night if contract.kind == "state" else moment.date()

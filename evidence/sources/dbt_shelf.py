"""Where dbt artifacts are kept: what the ``dbt`` source asks of a folder, an S3 prefix or the dbt Cloud API."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from evidence.snapshot.model import Statement
from evidence.sources.dbt_artifact import Artifact, Kind, index


@dataclass(frozen=True, slots=True)
class RunsSeen:
    """What a list of runs says of a span: ``gaps`` are runs whose results cannot be shown, ``notes`` what else to know."""

    gaps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Shelf(Protocol):
    """Artifacts, found by when they were generated."""

    @property
    def lists_runs(self) -> bool:
        """True if it knows every run, those without artifacts too: only then is "nothing ran that day" a statement."""

    @property
    def remote(self) -> bool:
        """True if looking takes a connection."""

    @property
    def system(self) -> Mapping[str, str]:
        """What receipts say of the place; never a secret."""

    @property
    def statements(self) -> Sequence[Statement]:
        """What was asked to find the artifacts."""

    def artifacts(self, since: dt.datetime | None = None, until: dt.datetime | None = None) -> Sequence[Artifact]:
        """Return what was generated in the span, in any order; more is allowed, less is not."""

    def days(self, kind: Kind, now: dt.datetime) -> set[dt.date] | None:
        """Return the UTC days an artifact of ``kind`` was generated on, if runs are listed; None: see the artifacts."""

    def runs(self, since: dt.datetime, until: dt.datetime) -> RunsSeen:
        """Return what is known of the runs of the span."""

    def close(self) -> None:
        """Forget what was read."""


class FolderShelf:
    """A folder tree of artifacts, by any file name."""

    lists_runs = False
    remote = False
    system: Mapping[str, str] = {}
    statements: Sequence[Statement] = ()

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def artifacts(self, since: dt.datetime | None = None, until: dt.datetime | None = None) -> Sequence[Artifact]:  # noqa: ARG002 - all of it
        """Return every artifact of the folder."""
        return self._index

    def days(self, kind: Kind, now: dt.datetime) -> set[dt.date] | None:  # noqa: ARG002 - the artifacts say it
        """Leave it to the artifacts."""
        return None

    def runs(self, since: dt.datetime, until: dt.datetime) -> RunsSeen:  # noqa: ARG002 - files say nothing of runs
        """Know of no run: a folder shows what was copied into it."""
        return RunsSeen()

    def close(self) -> None:
        """Keep the index: it is small."""

    @cached_property
    def _index(self) -> tuple[Artifact, ...]:
        return tuple(index(self._folder))

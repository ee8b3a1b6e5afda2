"""The exact sealed files of one log size, for engines that read files: the list, and symlink manifests over it. Pure.

A glob over ``data/`` reads what a run left that died before its commit, revisions that were corrected since, and rows that were set aside. The list
has only what the log names: the parts of each window's last revision (``docs/formats/files.md``).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from evidence.snapshot.entry import SealedEntry
from evidence.snapshot.manifest import Manifest

if TYPE_CHECKING:
    import datetime as dt

COLUMNS: Final = (
    *("origin", "log_size", "dataset", "source", "night", "revision", "status", "log_index", "manifest_sha256"),
    *("path", "uri", "bytes", "sha256", "rows"),
)
WINDOW_COLUMNS: Final = (*COLUMNS[:9], "kind", "files", "rows")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the list was made: the log's origin and size, and the address the paths hang under, without a slash at its end."""

    origin: str
    log_size: int
    url: str


@dataclass(frozen=True, slots=True)
class Window:
    """The last revision of one source, dataset and night, and its manifest."""

    sealed: SealedEntry
    manifest: Manifest

    @property
    def read(self) -> bool:
        """Whether tables over the list show its rows: they are those of a whole window."""
        return self.manifest.status == "complete"


Row = dict[str, str | int]


def window_rows(place: Place, windows: Iterable[Window]) -> Iterator[Row]:
    """Yield a row for each window, also of those that have no file: a refusal, or a night without rows."""
    for window in windows:
        parts = window.manifest.parts
        counted: Row = {"kind": window.manifest.kind, "files": len(parts), "rows": sum(part.rows for part in parts)}
        yield {**_head(place, window), **counted}


def file_rows(place: Place, windows: Iterable[Window]) -> Iterator[Row]:
    """Yield a row for each sealed part, whatever its window's status; quarantined rows are in none."""
    for window in windows:
        for part in window.manifest.parts:
            body: Row = {"path": part.path, "uri": f"{place.url}/{part.path}", "bytes": part.size}
            yield {**_head(place, window), **body, "sha256": part.sha256, "rows": part.rows}


def _head(place: Place, window: Window) -> Row:
    key = window.sealed.key
    named: Row = {"origin": place.origin, "log_size": place.log_size, "dataset": key.dataset, "source": key.source}
    placed: Row = {"night": key.night.isoformat(), "revision": key.revision, "status": window.manifest.status}
    return {**named, **placed, "log_index": window.sealed.index, "manifest_sha256": window.sealed.manifest.sha256}


def symlinks(place: Place, windows: Iterable[Window]) -> Iterator[tuple[str, str]]:
    """Yield relative path and text of each manifest: one for each complete window with files, in Hive's folders."""
    found: dict[tuple[str, str, dt.date], Sequence[str]] = defaultdict(tuple)
    for window in windows:
        if window.read and window.manifest.parts:
            key = window.sealed.key
            found[key.dataset, key.source, key.night] = [f"{place.url}/{part.path}" for part in window.manifest.parts]
    for (dataset, source, night), uris in sorted(found.items()):
        yield f"{table(dataset)}/source={source}/night={night.isoformat()}/manifest", "\n".join(uris) + "\n"


def table(dataset: str) -> str:
    """Return a dataset's name as a table's: ``snowflake.users`` is ``snowflake_users``."""
    return dataset.replace(".", "_").replace("-", "_")

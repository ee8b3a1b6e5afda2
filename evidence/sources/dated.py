"""Folders ``<dataset>/date=D/`` below one root, and the files that stand outside them."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from evidence.datasets.contract import Contract
from evidence.errors import SourceUnavailableError
from evidence.snapshot.model import Window
from evidence.sources.decode import Reject
from evidence.sources.files import UNRECOGNISED
from evidence.sources.reading import RowsReading
from evidence.sources.tree import TreeFile, night_of, walk


class DatedFolders:
    """A root whose sub-folders are named like the datasets of one product. ``clock`` bounds the night of stray files."""

    def __init__(self, root: Path, datasets: Iterable[str], clock: Callable[[], dt.datetime]) -> None:
        self.root = root
        self._datasets = tuple(datasets)
        self._clock = clock

    def datasets(self) -> Sequence[str]:
        """Datasets that have a dated folder, and ``files.unrecognised`` if files stand outside the layout."""
        found = {dataset for dataset, _ in self._dated}
        return sorted(found | {UNRECOGNISED} if self._strays else found)

    def nights(self, dataset: str) -> Sequence[dt.date]:
        """Nights that have a folder, in order; for stray files that of the last change of any."""
        if dataset == UNRECOGNISED:
            changed = [min(file.modified, self._clock()) for file in self._strays]
            return [Window.of_capture(max(changed)).night] if changed else []
        return sorted(night for name, night in self._dated if name == dataset)

    def folder(self, source: str, dataset: str, night: dt.date) -> str:
        """Return the folder of one night, relative to the root. Raises ``SourceUnavailableError`` if there is none."""
        found = self._dated.get((dataset, night))
        if found is None:
            raise SourceUnavailableError(
                f"{source}: no export of {dataset} for {night}", fix="export this night into the folder"
            )
        return found

    def strays(self, contract: Contract) -> RowsReading:
        """Return what stands outside the layout: each file a reject."""
        rejects = [Reject("", f"{file.label}: not in a folder <dataset>/date=D/") for file in self._strays]
        return RowsReading(contract, [], rejects, notes=["files that stand outside the layout"])

    @cached_property
    def _dated(self) -> Mapping[tuple[str, dt.date], str]:
        if not self.root.is_dir():
            raise SourceUnavailableError(
                f"{self.root.name}: no such folder", fix="point the source's path at an existing folder"
            )
        found = {}
        for dataset in self._datasets:
            base = self.root / dataset.partition(".")[2]
            if base.is_dir() and not base.is_symlink():
                for folder in base.iterdir():
                    night = night_of(folder.name)
                    if night is not None and folder.is_dir() and not folder.is_symlink():
                        found[dataset, night] = f"{base.name}/{folder.name}"
        return found

    @cached_property
    def _strays(self) -> Sequence[TreeFile]:
        taken = tuple(folder + "/" for folder in self._dated.values())
        return [file for file in walk(self.root) if not file.name.startswith(taken)]

"""The ``records`` source: exports of systems of record around the platform (``docs/formats/records.md``).

The claims are those of the ``files`` source, without loose files: ``<dataset>/date=D/`` with ``_export.json``. Beside
Parquet, CSV and NDJSON it reads JSON documents as APIs give them, and it puts a field mapping between the export's columns
and the contract's. Mappings belong to the configuration, never to the export: who writes the rows must not say what they mean.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from evidence.datasets.contract import Contract
from evidence.snapshot.model import Totals, Window
from evidence.sources.dated import DatedFolders
from evidence.sources.document import MappedFiles
from evidence.sources.files import UNRECOGNISED, DatedReading
from evidence.sources.mapping import FieldMapping
from evidence.sources.protocol import Reading

PRODUCT = "records"


class RecordsSource:
    """A folder of exports. ``mappings`` holds, by dataset, the shapes to try in order; none: columns are the contract's own."""

    live = False

    def __init__(
        self,
        name: str,
        root: Path,
        *,
        contracts: Mapping[str, Contract],
        clock: Callable[[], dt.datetime],
        mappings: Mapping[str, Sequence[FieldMapping]] | None = None,
    ) -> None:
        self.name = name
        self._folders = DatedFolders(root, (key for key in contracts if key.startswith(f"{PRODUCT}.")), clock)
        self._mappings = dict(mappings or {})

    def datasets(self) -> Sequence[str]:
        """Datasets that have a dated folder, and ``files.unrecognised`` if files stand outside the layout."""
        return self._folders.datasets()

    def nights(self, contract: Contract) -> Sequence[dt.date]:
        """Nights that have a folder, in order."""
        return self._folders.nights(contract.name)

    def read(self, contract: Contract, window: Window) -> Reading:
        """Read one night. Raises ``SourceUnavailableError`` if the folder is gone or empty, and what the exporter claims."""
        if contract.name == UNRECOGNISED:
            return self._folders.strays(contract)
        folder = self._folders.folder(self.name, contract.name, window.night)
        files = MappedFiles(contract, self._mappings.get(contract.name, ()))
        return RecordsReading(self._folders.root, folder, contract, window, files)

    def close(self) -> None:
        """Nothing is held open."""


class RecordsReading(DatedReading):
    """One folder, mapped. An export that does not state its own count, in a claim or in the document, is unproven."""

    def __init__(self, root: Path, folder: str, contract: Contract, window: Window, files: MappedFiles) -> None:
        super().__init__(root, folder, contract, window, decoder=files.decode)
        self._mapped = files

    @property
    def system(self) -> Mapping[str, str]:
        """The exporter's words, and the mappings with their digests."""
        return {**super().system, **self._mapped.used()}

    def _stated(self) -> Totals | None:
        stated = super()._stated()
        if stated is None and self._mapped.stated is not None:
            return Totals(self._mapped.stated)
        return stated

    def _shortfall(self) -> str:
        return super()._shortfall() or self._mapped.shortfall()

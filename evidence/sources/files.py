"""The ``files`` source: exports of views as Parquet, CSV and NDJSON (``docs/formats/export.md``).

Folders ``<product>/<dataset>/date=D/`` are read as one window each, with the exporter's claims. Every other file below the
root is *loose*: its rows are matched to a dataset by shape, name and columns, events by the UTC day of their watermark,
state by the day the file last changed. What fits nowhere is a row of ``files.unrecognised``, all of which is quarantined.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from evidence.datasets.contract import Contract
from evidence.datasets.timing import due_at
from evidence.errors import SourceUnavailableError
from evidence.snapshot.model import Finality, Statement, Totals, Window
from evidence.sources.claims import Claims, reach_problems, read_claims
from evidence.sources.decode import Reject, decode
from evidence.sources.loose import Loose, UnrecognisedReading
from evidence.sources.protocol import UNPROVEN, Reading
from evidence.sources.shape import Shape, load_shapes
from evidence.sources.tree import TreeFile, night_of, walk

_SMALL = 1 << 20  # bytes; larger files are not hashed before they are read
UNRECOGNISED = "files.unrecognised"
Decoder = Callable[[TreeFile], Iterator[pa.RecordBatch | Reject]]


class FilesSource:
    """A folder of exports. ``clock`` only bounds loose rows: a row from the future fits no window."""

    live = False

    def __init__(
        self,
        name: str,
        root: Path,
        *,
        contracts: Mapping[str, Contract],
        clock: Callable[[], dt.datetime],
        shapes: Sequence[Shape] | None = None,
    ) -> None:
        self.name = name
        self._root = root
        self._contracts = contracts
        self._clock = clock
        self._shapes = tuple(shapes) if shapes is not None else None

    def datasets(self) -> Sequence[str]:
        """Datasets that have a folder or loose rows, and ``files.unrecognised`` if anything fits nowhere."""
        found = {dataset for dataset, _ in self._dated} | set(self._loose.datasets)
        if self._loose.rejected:
            found.add(UNRECOGNISED)
        return sorted(found)

    def nights(self, contract: Contract) -> Sequence[dt.date]:
        """Nights that have a folder or loose rows, in order."""
        if contract.name == UNRECOGNISED:
            return [self._loose.rejects_night] if self._loose.rejected else []
        dated = {night for dataset, night in self._dated if dataset == contract.name}
        return sorted(dated | set(self._loose.nights(contract.name)))

    def read(self, contract: Contract, window: Window) -> Reading:
        """Read one night. Raises ``SourceUnavailableError`` if the folder is gone or empty, and what the exporter claims."""
        if contract.name == UNRECOGNISED:
            return UnrecognisedReading(self._loose)
        folder = self._dated.get((contract.name, window.night))
        if folder is not None:
            return DatedReading(self._root, folder, contract, window)
        reading = self._loose.read(contract, window.night)
        if reading is None:
            raise SourceUnavailableError(
                f"{self.name}: no export of {contract.name} for {window.night}", fix="export this night into the folder"
            )
        return reading

    def close(self) -> None:
        """Nothing is held open."""

    @cached_property
    def _files(self) -> tuple[TreeFile, ...]:
        return tuple(walk(self._root))

    @cached_property
    def _dated(self) -> dict[tuple[str, dt.date], str]:
        """Folders of the layout, by dataset and night; an empty folder counts: it is the night's claim of an export."""
        found = {}
        root = self._root
        for contract in self._contracts.values():
            base = root.joinpath(*contract.name.split("."))
            if base.is_dir() and not base.is_symlink():
                for folder in base.iterdir():
                    night = night_of(folder.name)
                    if night is not None and folder.is_dir() and not folder.is_symlink():
                        found[contract.name, night] = folder.relative_to(root).as_posix()
        return found

    @cached_property
    def _loose(self) -> Loose:
        taken = tuple(folder + "/" for folder in self._dated.values())
        files = [file for file in self._files if not file.name.startswith(taken)]
        shapes = self._shapes if self._shapes is not None else load_shapes()
        return Loose(files, self._contracts, shapes, set(self._dated), self._clock())


class DatedReading:
    """One folder of the layout, streamed; the claims are read first. ``decoder`` turns a file into batches and rejects."""

    def __init__(
        self, root: Path, folder: str, contract: Contract, window: Window, *, decoder: Decoder = decode
    ) -> None:
        self._contract, self._window, self._folder, self._decode = contract, window, folder, decoder
        claims = read_claims(root / folder, folder, contract.name, window.night)
        self._claims = claims if isinstance(claims, Claims) else None
        self._faults = [Reject("", claims)] if isinstance(claims, str) else []
        if self._claims:
            self._claims.refuse(folder)
        stated = self._claims is not None and self._claims.totals is not None
        found = [_below(file, folder) for file in walk(root / folder)]
        # An empty file says nothing; the exporter's own count does.
        self._files = [file for file in found if file.size or file.refusal or not stated]
        if not self._files and not stated and not self._faults:
            raise SourceUnavailableError(
                f"{folder}: no file and no stated total: an empty folder is not an empty dataset",
                fix=f"export a file with a header, or state totals.rows = 0 in {folder}/_export.json",
            )
        self._known = {name.lower() for column in contract.columns for name in (column.name, *column.aliases)}
        self._per_file: dict[str, int] = {}
        self._broken: dict[str, int] = {}

    @property
    def batches(self) -> Iterator[pa.RecordBatch]:
        """Stream the files in order of name."""
        self._per_file, self._broken = {}, {}
        for file in self._files:
            self._per_file[file.name] = 0
            for item in self._decoded(file):
                if isinstance(item, Reject):
                    self._broken[file.name] = self._broken.get(file.name, 0) + 1
                else:
                    self._per_file[file.name] += item.num_rows
                    yield item

    @property
    def identity(self) -> str | None:
        """SHA-256 of the one small file, where the exporter states totals and nothing is wrong with the claims so far."""
        if len(self._files) != 1 or self._faults or self._stated() is None:
            return None
        (file,) = self._files
        if file.refusal or file.size > _SMALL:
            return None
        with file.path.open("rb") as handle:
            return f"{file.name.rpartition('.')[2]} {hashlib.file_digest(handle, 'sha256').hexdigest()}"

    def repeat(self, rows: int) -> None:
        """See ``RepeatableReading``."""
        self._per_file = {file.name: rows for file in self._files}

    @property
    def rejected(self) -> Iterator[tuple[str, str]]:
        """Faults of the claims, then the rows that are none: files that have any are read again, nothing is kept."""
        for fault in self._faults:
            yield fault.text, fault.reason
        for file in self._files:
            if file.name in self._broken:
                for item in self._decoded(file):
                    if isinstance(item, Reject):
                        yield item.text, item.reason

    @property
    def statements(self) -> Sequence[Statement]:
        """What the exporter says it ran, then each file read."""
        sent = self._claims.sent() if self._claims else []
        return [*sent, *(Statement(f"read {name}", rows=rows) for name, rows in self._per_file.items())]

    @property
    def cost(self) -> Mapping[str, int]:
        """Bytes of the files that were read."""
        return {"bytes_scanned": sum(file.size for file in self._files)}

    @property
    def system(self) -> Mapping[str, str]:
        """The exporter's words."""
        return self._claims.facts() if self._claims else {}

    @property
    def totals(self) -> Totals | None:
        """The claimed totals; without them the rows counted in the files. None where the exporter says it is not all."""
        if self._shortfall() or self._unproven():
            return None
        return self._stated() or Totals(sum(self._per_file.values()) + sum(self._broken.values()) + len(self._faults))

    @property
    def as_of(self) -> tuple[dt.datetime, bool] | None:
        """The claimed moment, if the window of this night holds it."""
        moment = self._claims.as_of if self._claims else None
        if moment is None or self._window.kind != "state" or self._borrowed():
            return None
        return moment, True

    @property
    def finality(self) -> Finality | None:
        """Settled once the latency had passed when the export was made; provisional if it had not, or nobody says."""
        if self._window.kind == "state":
            return None
        due = due_at(self._contract, self._window.night)
        exported = self._claims.exported_at if self._claims else None
        return "settled" if exported is not None and exported >= due else "provisional"

    @property
    def notes(self) -> Sequence[str]:
        """Where the numbers come from and what the export does not say."""
        found = [f"file export {self._folder}: moments and totals are the exporter's claims"]
        if self._stated() is None:
            found.append("no totals stated: the source side is the number of rows counted in the files")
        if self._window.kind == "event" and (self._claims is None or self._claims.exported_at is None):
            found.append("exported_at is not stated: late rows cannot be excluded")
        if self._borrowed():
            found.append("as_of lies outside the window of this night and is not used")
        shortfall = self._shortfall()
        found += [f"{UNPROVEN}{lack}" for lack in self._unproven()]
        return [*found, f"{UNPROVEN}{shortfall}"] if shortfall else found

    def _decoded(self, file: TreeFile) -> Iterator[pa.RecordBatch | Reject]:
        """Decode a file; rows of a table that shares no column with the contract (a CSV without header) are rejects."""
        for item in self._decode(file):
            if isinstance(item, Reject) or self._known & {name.lower() for name in item.schema.names}:
                yield item
            else:
                yield from (
                    Reject("", f"{file.label}: no column of {self._contract.name}") for _ in range(item.num_rows or 1)
                )

    def _borrowed(self) -> bool:
        moment = self._claims.as_of if self._claims else None
        return (
            self._window.kind == "state" and moment is not None and not self._window.start <= moment < self._window.end
        )

    def _stated(self) -> Totals | None:
        """Return the totals that the export itself states."""
        return self._claims.totals.totals(self._contract) if self._claims and self._claims.totals else None

    def _unproven(self) -> list[str]:
        """Say what the contract wants an export to state and this one does not: it cannot be complete without."""
        found = []
        if "totals" in self._contract.must_state and self._stated() is None:
            found.append("no row count is stated (totals.rows)")
        if "covers" in self._contract.must_state:
            found += reach_problems(self._claims, self._window)
        return found

    def _shortfall(self) -> str:
        """Say why the export itself is not the whole window, if it is not."""
        if self._claims is None:
            return ""
        if self._claims.status == "incomplete":
            return f"the exporter reports incomplete: {self._claims.reason or 'no reason given'}"
        if self._claims.documents not in (None, len(self._files)):
            return f"{self._claims.documents} files are stated, {len(self._files)} are there"
        exported = self._claims.exported_at
        if self._window.kind == "event" and exported is not None and exported < self._window.end:
            return "exported before the day had ended"
        return ""


def _below(file: TreeFile, folder: str) -> TreeFile:
    return TreeFile(file.path, f"{folder}/{file.name}", file.size, file.modified, file.refusal)

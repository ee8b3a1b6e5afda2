"""Files of records -> batches under a contract's names: JSON documents read, mappings applied, what is left aside counted."""

import datetime as dt
import zlib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from evidence.datasets.contract import Contract
from evidence.sources import exact
from evidence.sources.decode import BATCH_BYTES, BATCH_ROWS, Line, Reject, decode, format_of, lines, text_batch
from evidence.sources.mapping import WHOLE, FieldMapping, Mapper, reach
from evidence.sources.tree import TreeFile, open_text

JSON_BYTES = 64 * 2**20  # a document is parsed whole; more than this belongs into NDJSON
_ENDINGS = (".json", ".json.gz")
_NAMES_SHOWN = 20

Members = Mapping[str, Any]


class MappedFiles:
    """The files of one reading. Facts (:attr:`stated`, :meth:`shortfall` …) hold once every file was decoded."""

    def __init__(self, contract: Contract, mappings: Sequence[FieldMapping]) -> None:
        self._contract, self._mappings = contract, tuple(mappings)
        self._spellings = {name.lower() for column in contract.columns for name in (column.name, *column.aliases)}
        self._answers: dict[str, tuple[int | None, int]] = {}  # file -> total that it states, items that it holds
        self._rows: dict[str, int] = {}
        self._used: dict[str, FieldMapping] = {}
        self._chosen: dict[tuple[str, ...], Mapper | None] = {}
        self._unmapped: dict[str, None] = {}

    @property
    def stated(self) -> int | None:
        """The count that the documents state themselves: the sum of whole answers, or the total that pages of one repeat."""
        answers = list(self._answers.values())
        if answers and all(count == items for count, items in answers):
            return sum(items for _, items in answers)
        counts = {count for count, _ in answers}
        return counts.pop() if len(counts) == 1 else None

    def used(self) -> dict[str, str]:
        """Return the mappings that were applied, with their digests, for the receipt."""
        if not self._used:
            return {}
        return {"mapping": ", ".join(f"{ref} sha256:{mapping.sha256}" for ref, mapping in sorted(self._used.items()))}

    def shortfall(self) -> str:
        """Say why the documents themselves look cut, if they do."""
        if self._answers and self.stated is None:
            return "the documents state totals that do not fit together: an answer is not whole"
        if self.stated is not None:
            return ""
        caps = {cap for mapping in self._used.values() for cap in mapping.row_caps}
        cut = sorted(name for name, rows in self._rows.items() if rows in caps)
        return f"{cut[0]}: holds exactly as many rows as this kind of export is cut at" if cut else ""

    def decode(self, file: TreeFile) -> Iterator[pa.RecordBatch | Reject]:
        """Yield the rows of ``file`` under the contract's names. Never raises for what the file holds."""
        self._rows[file.name] = 0
        for item in self._decoded(file):
            if not isinstance(item, Reject):
                self._rows[file.name] += item.num_rows
            yield item

    def _decoded(self, file: TreeFile) -> Iterator[pa.RecordBatch | Reject]:
        if file.name.lower().endswith(_ENDINGS) and not file.refusal:
            yield from self._objects(self._document(file))
        elif format_of(file.name) == "ndjson" and not file.refusal and self._mappings:
            yield from self._objects(_numbered(file, item) for item in lines(file))
        elif self._mappings:
            yield from self._tables(file)
        else:
            yield from decode(file)

    def _document(self, file: TreeFile) -> Iterator[tuple[str, Members] | Reject]:
        """Yield the objects of a JSON document: a list, or the list that a mapping names."""
        try:
            document = _parsed(file)
            mapping = next((item for item in self._mappings if _rows_of(item, document) is not None), None)
            rows = document if mapping is None else _rows_of(mapping, document)
            if mapping is not None and mapping.count:
                self._answers[file.name] = _count(mapping, document), len(rows) if isinstance(rows, list) else 0
            if not isinstance(rows, list):
                raise ValueError("no list of rows: name the member that holds it (rows) in a mapping")  # noqa: TRY301, TRY004 - one way out
        except ValueError as exc:
            yield Reject("", f"{file.label}: {exc}")
            return
        for number, row in enumerate(rows, 1):
            where = f"{file.label} item {number}"
            yield (where, row) if isinstance(row, dict) else Reject("", f"{where}: not a JSON object")

    def _objects(self, items: Iterator[tuple[str, Members] | Reject]) -> Iterator[pa.RecordBatch | Reject]:
        rows: list[dict[str, str | None]] = []
        size = 0
        for item in items:
            found = item if isinstance(item, Reject) else self._row(item[0], item[1])
            if isinstance(found, Reject):
                yield found
                continue
            rows.append(found)
            size += sum(len(text) for text in found.values() if text)
            if len(rows) >= BATCH_ROWS or size >= BATCH_BYTES:
                yield self._batch(rows)
                rows, size = [], 0
        if rows:
            yield self._batch(rows)

    def _batch(self, rows: list[dict[str, str | None]]) -> pa.RecordBatch:
        """Return rows as text. Columns that no mapping takes stand beside them without values, to show as drift."""
        own = dict.fromkeys(name for row in rows for name in row)
        return text_batch(rows, [*own, *(name for name in self._unmapped if name not in own)])

    def _tables(self, file: TreeFile) -> Iterator[pa.RecordBatch | Reject]:
        record = 0
        for item in decode(file):
            if isinstance(item, Reject):
                yield item
                continue
            if not item.num_rows:
                yield self._empty(item)
            first, record = record + 1, record + item.num_rows
            named = ((f"{file.label} record {first + n}", row) for n, row in enumerate(_pylist(item)))
            yield from self._objects(named)

    def _empty(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the mapped columns of a file that has a header and no row."""
        mapper = self._mapper(batch.schema.names)
        return batch if mapper is None else text_batch([], mapper.names)

    def _row(self, where: str, members: Members) -> dict[str, str | None] | Reject:
        mapper = self._mapper(list(members)) if self._mappings else None
        try:
            if self._mappings and mapper is None:
                raise ValueError("of no shape that a mapping of this source knows")  # noqa: TRY301 - one way out
            row = mapper.row(members) if mapper else members
            return {name: text_of(value) for name, value in row.items()}
        except (ValueError, TypeError, OverflowError) as exc:
            reason = str(exc) if type(exc) is ValueError else "a value that no column can hold"
            return Reject(repr(members), f"{where}: {reason}")

    def _mapper(self, names: Sequence[str]) -> Mapper | None:
        """Return what maps rows of these columns; the mapping is noted as used, what it does not take as unmapped."""
        key = tuple(names)
        if key not in self._chosen:
            found = next((mapping for mapping in self._mappings if mapping.fits(names)), None)
            self._chosen[key] = Mapper(found, self._contract) if found else None
            if found is not None:
                self._used[found.ref] = found
                self._unmapped.update(dict.fromkeys(self._apart(name) for name in found.unmapped(names)))
        return self._chosen[key]

    def _apart(self, name: str) -> str:
        """Spell an unmapped column so that it cannot be taken for a column of the contract that happens to share its name."""
        return f"unmapped:{name}" if name.lower() in self._spellings else name


def text_of(value: Any) -> str | None:
    """Spell one value for the cast. Raises ``ValueError`` or ``TypeError`` for what has no spelling."""
    if value is None or isinstance(value, str):
        return value
    match value:
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case float():
            return repr(value)
        case bytes():
            return value.decode()
        case bool() | int() | Decimal() | list() | dict():
            return exact.as_text(value)
        case _:
            raise TypeError(type(value).__name__)


def _numbered(file: TreeFile, item: Line | Reject) -> tuple[str, Members] | Reject:
    return item if isinstance(item, Reject) else (f"{file.label} line {item.number}", item.members)


def _parsed(file: TreeFile) -> Any:
    """Parse a whole document. Raises ``ValueError`` that quotes nothing of it."""
    try:
        with open_text(file) as stream:
            body = stream.read(JSON_BYTES + 1)
    except (OSError, EOFError) as exc:
        raise ValueError(f"cannot be read: {getattr(exc, 'strerror', None) or 'it breaks off'}") from None
    except zlib.error:
        raise ValueError("cannot be read: the compressed data is damaged") from None
    if len(body) > JSON_BYTES:
        raise ValueError(f"over {JSON_BYTES} bytes: write one object per line (.ndjson)")
    return exact.loads(body.removeprefix(b"\xef\xbb\xbf"))


def _rows_of(mapping: FieldMapping, document: Any) -> list[Any] | None:
    if mapping.rows == WHOLE:
        return [document] if isinstance(document, dict) else None
    if not mapping.rows:
        return document if isinstance(document, list) else None
    found = reach(document, mapping.rows) if isinstance(document, dict) else None
    return found if isinstance(found, list) else None


def _count(mapping: FieldMapping, document: Any) -> int | None:
    found = reach(document, mapping.count) if isinstance(document, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def _pylist(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return rows as Python values; nanoseconds are cut, as the cast would."""
    arrays = [
        array.cast(pa.timestamp("us", array.type.tz), safe=False) if pa.types.is_timestamp(array.type) else array
        for array in batch.columns
    ]
    rows: list[dict[str, Any]] = pa.RecordBatch.from_arrays(arrays, names=batch.schema.names).to_pylist()
    return rows

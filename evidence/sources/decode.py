"""Parquet, CSV and NDJSON files -> Arrow batches of bounded size, and a reason for every row that is none.

CSV and NDJSON columns come as text, exactly as written (integers beyond 2^53 included); casting to the contract's types
happens later, once, for all sources. A row that cannot be read becomes a :class:`Reject` that names file and line; a
file that breaks off keeps the rows before the break and gets one reject for the break. Reasons never quote values.
"""

import csv
import hashlib
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from evidence.sources import exact
from evidence.sources.tree import GZIP_MAGIC, TreeFile, open_plain, open_text

BATCH_ROWS = 8192
BATCH_BYTES = 32 * 2**20
LINE_BYTES = 64 * 2**20  # a VARIANT is at most 16 MB before escaping (Snowflake: Semi-structured data types, VARIANT)
CSV_BLOCK = 2**20
REASON_LENGTH = 200  # what a quarantine keeps of a reason
SUFFIXES = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".ndjson": "ndjson",
    ".ndjson.gz": "ndjson",
    ".jsonl": "ndjson",
    ".jsonl.gz": "ndjson",
}
PARQUET_MAGIC = b"PAR1"
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Reject:
    """A row, or what stands for a whole file, that could not be read: its text and why."""

    text: str
    reason: str

    def __post_init__(self) -> None:
        if len(self.reason) > REASON_LENGTH or "\n" in self.reason:
            short = " ".join(self.reason.split())
            object.__setattr__(
                self, "reason", short if len(short) <= REASON_LENGTH else short[: REASON_LENGTH - 1] + "…"
            )


@dataclass(frozen=True, slots=True)
class Line:
    """One object of an NDJSON file: 1-based line, its text, its members."""

    number: int
    text: str
    members: dict[str, Any]


def format_of(name: str) -> str:
    """Return ``parquet``, ``csv`` or ``ndjson`` by the file's ending, else an empty text."""
    lower = name.lower()
    return next((kind for suffix, kind in SUFFIXES.items() if lower.endswith(suffix)), "")


def decode(file: TreeFile) -> Iterator[pa.RecordBatch | Reject]:
    """Yield the rows of ``file`` in order, in batches under ``BATCH_ROWS`` rows, with a ``Reject`` where a row is none.

    A file that states its columns but holds no row yields one empty batch. Never raises for what the file holds.
    """
    problem = file.refusal or _disguise(file)
    if problem:
        yield Reject("", f"{file.label}: {problem}")
        return
    reader = {"parquet": _parquet, "csv": _csv, "ndjson": _ndjson}[format_of(file.name)]
    try:
        yield from reader(file)
    except (pa.ArrowException, OSError, EOFError, zlib.error) as exc:
        yield Reject("", f"{file.label}: {_broken(exc)}")


def lines(file: TreeFile) -> Iterator[Line | Reject]:
    """Yield the objects of an NDJSON file one by one; blank lines are not rows."""
    try:
        with open_text(file) as stream:
            yield from _lines(file.label, stream)
    except (OSError, EOFError, zlib.error) as exc:
        yield Reject("", f"{file.label}: {_broken(exc)}")


def text_batch(rows: list[dict[str, str | None]], columns: list[str]) -> pa.RecordBatch:
    """Return ``rows`` as text columns in the given order; an absent member is NULL."""
    arrays = [pa.array([row.get(name) for row in rows], pa.string()) for name in columns]
    return pa.RecordBatch.from_arrays(arrays, names=columns)


def _disguise(file: TreeFile) -> str:
    """Say what is wrong with a file before it is read: unknown ending, empty, or bytes that do not fit the ending."""
    kind = format_of(file.name)
    if not kind:
        return "no .parquet, .csv or .ndjson file"
    if file.size == 0:
        return "empty file, not even a header"
    try:
        with open_plain(file) as stream:
            head = stream.read(4)
    except OSError as exc:
        return _broken(exc)
    if (kind == "parquet") != (head == PARQUET_MAGIC):
        return "the ending and the bytes disagree on whether this is Parquet"
    if file.name.lower().endswith(".gz") != head.startswith(GZIP_MAGIC):
        return "the ending and the bytes disagree on whether this is compressed"
    return ""


def _broken(exc: BaseException) -> str:
    """Spell a reading error without the values that library messages quote."""
    if isinstance(exc, OSError) and exc.strerror:
        return f"cannot be read: {exc.strerror}"
    if isinstance(exc, EOFError | zlib.error):
        return "breaks off: the compressed data is cut or damaged"
    return f"breaks off: the file is cut or damaged ({type(exc).__name__})"


def _parquet(file: TreeFile) -> Iterator[pa.RecordBatch | Reject]:
    import pyarrow.parquet as pq

    with open_plain(file) as stream:
        parquet = pq.ParquetFile(stream)
        schema, stated, seen = parquet.schema_arrow, parquet.metadata.num_rows, 0
        fault = _misnamed(schema.names)
        if fault:
            yield Reject("", f"{file.label}: {fault}")
            return
        if stated == 0:
            yield pa.RecordBatch.from_pylist([], schema=schema)
        for batch in parquet.iter_batches(batch_size=BATCH_ROWS):
            seen += batch.num_rows
            yield batch
        if seen != stated:
            yield Reject("", f"{file.label}: the footer states {stated} rows, {seen} could be read")


def _csv(file: TreeFile) -> Iterator[pa.RecordBatch | Reject]:
    from pyarrow import csv as arrow_csv

    names = _header(file)
    fault = _misnamed(names)
    if fault:
        yield Reject("", f"{file.label}: {fault}")
        return
    ragged: list[Reject] = []

    def skip(row: Any) -> str:
        reason = f"{file.label} line {row.number}: {row.actual_columns} fields, the header has {row.expected_columns}"
        ragged.append(Reject(row.text, reason))
        return "skip"

    with open_text(file) as stream:
        reader = arrow_csv.open_csv(
            stream,
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=CSV_BLOCK),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
            # Binary first: text would refuse a whole block for one bad byte.
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.binary()),
                null_values=["", "\\N"],  # \N: Snowflake's own NULL on unload (COPY INTO location, NULL_IF)
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        seen = 0
        for batch in reader:
            yield from _texts(file.label, batch, seen)
            seen += batch.num_rows
            yield from ragged
            ragged.clear()
        if not seen:
            yield text_batch([], names)
        yield from ragged


def _header(file: TreeFile) -> list[str]:
    with open_text(file) as stream:
        line = stream.readline(CSV_BLOCK).removeprefix(BOM)
    return next(csv.reader(io.StringIO(line.decode("utf-8", "replace"))), [])


def _texts(name: str, batch: pa.RecordBatch, before: int) -> Iterator[pa.RecordBatch | Reject]:
    """Turn binary columns into text; rows that are no text, or hold NUL bytes, become rejects."""
    bad = (
        [row for row in range(batch.num_rows) if any(_no_text(column[row]) for column in batch)]
        if _dirty(batch)
        else []
    )
    for row in bad:
        yield Reject("", f"{name} record {before + row + 1}: not UTF-8 text, or holds NUL bytes")
    if bad:
        keep = sorted(set(range(batch.num_rows)) - set(bad))
        batch = batch.take(pa.array(keep, pa.int64()))
    if batch.num_rows:
        yield pa.RecordBatch.from_arrays([column.cast(pa.string()) for column in batch], names=batch.schema.names)


def _dirty(batch: pa.RecordBatch) -> bool:
    try:
        texts = [column.cast(pa.string()) for column in batch]
    except pa.ArrowInvalid:
        return True
    return any(pc.any(pc.match_substring(text, "\0")).as_py() for text in texts)


def _no_text(value: Any) -> bool:
    body = value.as_py() or b""
    try:
        body.decode()
    except UnicodeDecodeError:
        return True
    return b"\0" in body


def _ndjson(file: TreeFile) -> Iterator[pa.RecordBatch | Reject]:
    columns: dict[str, None] = {}  # grows; order of first appearance
    rows: list[dict[str, str | None]] = []
    size = 0
    for item in lines(file):
        if isinstance(item, Reject):
            yield item
            continue
        rows.append({name: exact.as_text(value) for name, value in item.members.items()})
        columns.update(dict.fromkeys(item.members))
        size += len(item.text)
        if len(rows) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield text_batch(rows, list(columns))
            rows, size = [], 0
    if rows:
        yield text_batch(rows, list(columns))


def _lines(name: str, stream: BinaryIO) -> Iterator[Line | Reject]:
    number = 0
    while body := stream.readline(LINE_BYTES + 1):
        number += 1
        where = f"{name} line {number}"
        if len(body) > LINE_BYTES:
            size, digest = _skip_line(stream, body)
            yield Reject("", f"{where}: {size} bytes, over the limit of {LINE_BYTES} (SHA-256 {digest})")
            continue
        if number == 1:
            body = body.removeprefix(BOM)
            if body.lstrip().startswith(b"["):
                yield Reject("", f"{name}: a JSON array, not one object per line")
                return
        if body.strip():
            yield _line(where, number, body)


def _line(where: str, number: int, body: bytes) -> Line | Reject:
    text = body.decode("utf-8", "replace").rstrip("\r\n")
    try:
        members = exact.loads(body)
    except ValueError as exc:
        return Reject(text, f"{where}: {exc}")
    if not isinstance(members, dict):
        return Reject(text, f"{where}: not a JSON object")
    fault = _misnamed(list(members))
    if fault:
        return Reject(text, f"{where}: {fault}")
    return Line(number, text, members)


def _skip_line(stream: BinaryIO, body: bytes) -> tuple[int, str]:
    """Read to the end of an over-long line; return its size in bytes and SHA-256."""
    digest, size = hashlib.sha256(), 0
    while body:
        digest.update(body)
        size += len(body)
        if body.endswith(b"\n"):
            break
        body = stream.readline(2**20)
    return size, digest.hexdigest()


def _misnamed(names: list[str]) -> str:
    """Say what is wrong with column names, by position: a file without header has values there."""
    seen: dict[str, int] = {}
    for position, name in enumerate(names, 1):
        if not name:
            return f"column {position} has no name"
        first = seen.setdefault(name.casefold(), position)
        if first != position:
            return f"columns {first} and {position} have one name"
    return ""

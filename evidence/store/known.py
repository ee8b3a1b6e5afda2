"""What is known of the full bundles of a log without reading them: which entry stands where, and the hashes of the tree above them.

``changes`` says what bundles add to the rows (``evidence.store.rows``), ``Known`` answers from them. Rows, beside one for every entry::

    <type> NUL <key>                number; of snapshots and re-counts the night comes first in the key
    01 hash NUL <level>/<index>     hash of a full subtree of 256 leaves and more
    01 last NUL <type>              number of the last entry of the type, and how many there are
    01 dataset NUL <dataset>/<src>  a snapshot of them
    01 newest NUL <night>           number of the night's last snapshot
    01 record NUL <night>           number of its last pipeline record
    01 judged NUL <night>           revision, log size and open reviews of its highest assessment
    01 open NUL <night>             it has snapshots, and something that no assessment has seen, or open reviews
    01 gone NUL <number>            a snapshot that a disposal names

All follow from the entries. Entries are read from their bundle when somebody asks, and only if the bundle has the hash of its subtree.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from evidence.errors import EvidenceError, VerificationError
from evidence.snapshot.entry import Entry
from evidence.store.rows import MemoryPages, PageError, Rows, Value
from evidence.tlog import tile
from evidence.tlog.merkle import Tree, leaf_hash, node_hash

T = TypeVar("T")
_HASH, _LAST, _DATASET = "\x01hash\0", "\x01last\0", "\x01dataset\0"
_NEWEST, _RECORD, _JUDGED, _OPEN, _GONE = "\x01newest\0", "\x01record\0", "\x01judged\0", "\x01open\0", "\x01gone\0"
_BY_NIGHT: Final = {"snapshot": (4,), "recount": (4, 5)}  # parts of a key: source, dataset, night, revision and number
_AT_ONCE: Final = 64  # bundles whose rows are made at a time
_VERIFY: Final = (
    "delete .evidence/bundles if it is there; if it stays so, stop: `evidence verify` says what was altered"
)
_STRANGE: Final = (EvidenceError, KeyError, ValueError, TypeError, AttributeError)


class UnkeptError(EvidenceError):
    """An entry is not of the form that is written now; a log with it is read whole each time."""


def row_key(type_: str, key: str) -> str:
    """Return the row of an entry; no two entries have the same."""
    parts = key.split("/")
    if len(parts) in _BY_NIGHT.get(type_, ()):
        source, dataset, night, *rest = parts
        return "/".join([f"{type_}\0{night}", source, dataset, *rest])
    return f"{type_}\0{key}"


def changes(rows: Rows, start: int, bundles: Sequence[Sequence[bytes]]) -> dict[str, Value | None]:
    """Return what the ``bundles`` of entries, the first of which is ``start``, change in ``rows``.

    Raises ``UnkeptError`` for an entry that is not as it is written now.
    """
    made = _Made(rows)
    for number, bundle in enumerate(bundles, start // tile.WIDTH):
        made.add_hashes(number, bundle)
        for index, body in enumerate(bundle, number * tile.WIDTH):
            try:
                made.add(index, body)
            except _STRANGE as exc:
                raise UnkeptError(f"entry {index} is not kept: {exc!r}") from exc
    made.close()
    return made.new


def grown(
    rows: Rows, start: int, end: int, entries: Callable[[int, int], Sequence[bytes]]
) -> tuple[Rows, set[str], set[str]]:
    """Return ``rows`` as the full bundles of the entries ``[start, end)`` change them, and the pages replaced and written."""
    gone: set[str] = set()
    made: set[str] = set()
    for first in range(start, end, _AT_ONCE * tile.WIDTH):
        last = min(first + _AT_ONCE * tile.WIDTH, end)
        some = [entries(at, at + tile.WIDTH) for at in range(first, last, tile.WIDTH)]
        rows, replaced, written = rows.changed(changes(rows, first, some))
        gone, made = (gone | replaced) - written, made | written
    return rows, gone, made


class _Made:
    """Rows as they come to be, over those that are there."""

    def __init__(self, rows: Rows) -> None:
        self.new: dict[str, Value | None] = {}
        self._rows = rows
        self._nights: set[str] = set()

    def _now(self, key: str) -> Value | None:
        return self.new[key] if key in self.new else self._rows.get(key)

    def add_hashes(self, bundle: int, entries: Sequence[bytes]) -> None:
        level, index, found = tile.HEIGHT, bundle, Tree(map(leaf_hash, entries)).root()
        self.new[_hash_row(level, index)] = found.hex()
        while index % 2:
            found = node_hash(bytes.fromhex(str(self._now(_hash_row(level, index - 1)))), found)
            level, index = level + 1, index // 2
            self.new[_hash_row(level, index)] = found.hex()

    def add(self, number: int, body: bytes) -> None:
        value = json.loads(body)
        type_, key = value["type"], value["key"]
        if not (type(type_) is type(key) is str and f"{type_}{key}".isprintable()):
            raise ValueError("its type or key")
        _, _, count = str(self._now(f"{_LAST}{type_}") or "").partition(" ")
        self.new[f"{_LAST}{type_}"] = f"{number} {int(count or 0) + 1}"
        self.new[row_key(type_, key)] = number
        if type_ == "snapshot":
            source, dataset, day, _ = key.split("/")
            self.new[f"{_DATASET}{dataset}/{source}"] = number
            self.new[f"{_NEWEST}{self._night(day)}"] = number
        elif type_ in {"assessment", "pipeline"}:
            entry = Entry.from_bytes(body)
            night = self._night(entry.body["night"])
            if not key.startswith(f"{night}/"):
                raise ValueError("its key is of another night")
            if type_ == "pipeline":
                self.new[f"{_RECORD}{night}"] = number
            else:
                self._judge(night, entry)
        elif type_ == "disposal":
            for gone in Entry.from_bytes(body).body["entries"]:
                self.new[f"{_GONE}{_whole(gone):012d}"] = number

    def _judge(self, night: str, entry: Entry) -> None:
        words = [_whole(entry.body[name]) for name in ("revision", "log_size", "open_reviews")]
        if entry.key != f"{night}/{words[0]}":
            raise ValueError("its key is of another revision")
        before = str(self._now(f"{_JUDGED}{night}") or "-1").split()
        if words[0] > int(before[0]):
            self.new[f"{_JUDGED}{night}"] = " ".join(map(str, words))

    def _night(self, text: str) -> str:
        if dt.date.fromisoformat(text).isoformat() != text:
            raise ValueError("its night")
        self._nights.add(text)
        return text

    def close(self) -> None:
        """Say of each night that was touched whether an assessment has seen all of it."""
        for night in self._nights:
            newest, record = (self._now(f"{name}{night}") for name in (_NEWEST, _RECORD))
            _, size, reviews = map(int, str(self._now(f"{_JUDGED}{night}") or "-1 0 0").split())
            waiting = newest is not None and (size <= max(int(newest), int(record or 0)) or reviews)
            self.new[f"{_OPEN}{night}"] = 1 if waiting else None


class Known:
    """Answers of the first ``size`` entries, whose tree has ``root``. ``bundle`` reads a bundle's bytes; what it returns is not trusted.

    A page that turns out to be gone or damaged costs one reading of all bundles, held against ``root``; ``lost`` is told.
    """

    def __init__(
        self, size: int, root: bytes, rows: Rows, bundle: Callable[[str], bytes], lost: Callable[[], None]
    ) -> None:
        self.size = size
        self.root = root
        self.rows = rows
        self._bundle = bundle
        self._lost = lost
        self._entries: dict[int, tuple[bytes, ...]] = {}
        self._trees: dict[int, Tree] = {}
        self._numbers: dict[str, list[int]] = {}

    def find(self, type_: str, key: str) -> int | None:
        """Return the number of the entry of that type and key."""
        found = self._get(row_key(type_, key))
        return None if found is None else int(found)

    def numbers(self, type_: str) -> list[int]:
        """Return the numbers of the entries of a type, in order."""
        if type_ not in self._numbers:
            self._numbers[type_] = self.of(type_, "")
        return self._numbers[type_]

    def of(self, type_: str, prefix: str) -> list[int]:
        """Return the numbers, in order, of the entries of a type whose row begins with ``prefix`` after the type."""
        return sorted(int(value) for _, value in self._under(f"{type_}\0{prefix}"))

    def last(self, type_: str) -> tuple[int, int]:
        """Return the number of the last entry of a type (-1: none) and how many there are."""
        number, _, count = str(self._get(f"{_LAST}{type_}") or "-1 0").partition(" ")
        return int(number), int(count)

    def raw(self, number: int) -> bytes:
        """Return the bytes of an entry. Raises ``VerificationError`` where its bundle is not the one that was sealed."""
        bundle, place = divmod(number, tile.WIDTH)
        return self._read(bundle)[place]

    def name(self, number: int) -> tuple[str, str]:
        """Return type and key of an entry."""
        value: Mapping[str, Any] = json.loads(self.raw(number))
        return str(value["type"]), str(value["key"])

    def subtree(self, level: int, index: int) -> bytes:
        """Return the hash of a full subtree of the first ``size`` leaves."""
        if level >= tile.HEIGHT:
            return self._ask(lambda rows: _hash(rows, level, index))
        first = index << level
        bundle = first // tile.WIDTH
        if bundle not in self._trees:
            self._trees[bundle] = Tree(map(leaf_hash, self._read(bundle)))
        return self._trees[bundle].subtree(level, (first % tile.WIDTH) >> level)

    def hash_of(self, level: int, index: int) -> bytes:
        """Return the hash of a subtree of 256 leaves or more as it is kept. Raises ``PageError`` or ``ValueError``."""
        return _hash(self.rows, level, index)

    def revisions(self, source: str, dataset: str, night: dt.date) -> list[int]:
        """Return the snapshots of a window."""
        return self.of("snapshot", f"{night}/{source}/{dataset}/")

    def windows(self, since: dt.date = dt.date.min) -> Iterator[tuple[str, str, dt.date]]:
        """Yield source, dataset and night of the windows of ``since`` or later."""
        last = None
        for row, _ in self._scan(f"snapshot\0{since}", "snapshot\1"):
            day, source, dataset, _ = row.partition("\0")[2].split("/")
            if (source, dataset, day) != last:
                last = source, dataset, day
                yield source, dataset, dt.date.fromisoformat(day)

    def recounts(self, source: str, dataset: str, night: dt.date, revision: int) -> list[int]:
        """Return the re-counts of a snapshot; the first version wrote one, without a number."""
        place = f"{night}/{source}/{dataset}/{revision}"
        first = self._get(f"recount\0{place}")
        return sorted([*(() if first is None else (int(first),)), *self.of("recount", f"{place}/")])

    def sources_of(self, dataset: str) -> list[str]:
        """Return the sources that sealed a dataset."""
        return [row.rpartition("/")[2] for row, _ in self._under(f"{_DATASET}{dataset}/")]

    def datasets(self) -> Iterator[tuple[str, str]]:
        """Yield (source, dataset) of everything that was ever sealed."""
        for row, _ in self._under(_DATASET):
            dataset, _, source = row.removeprefix(_DATASET).rpartition("/")
            yield source, dataset

    def gone(self, number: int) -> bool:
        """Say whether a disposal names the entry."""
        return self._get(f"{_GONE}{number:012d}") is not None

    def newest(self, night: dt.date) -> int | None:
        """Return the number of the night's last snapshot."""
        found = self._get(f"{_NEWEST}{night}")
        return None if found is None else int(found)

    def nights(self) -> list[dt.date]:
        """Return every night that has snapshots."""
        return [_day(row) for row, _ in self._under(_NEWEST)]

    def judged(self, since: dt.date = dt.date.min) -> list[dt.date]:
        """Return the nights of ``since`` or later that have an assessment."""
        return [_day(row) for row, _ in self._scan(f"{_JUDGED}{since}", f"{_JUDGED}\U0010ffff")]

    def judged_before(self, night: dt.date) -> dt.date | None:
        """Return the last night before ``night`` that has an assessment."""
        return self._before(_JUDGED, night)

    def recorded_before(self, night: dt.date) -> dt.date | None:
        """Return the last night before ``night`` that has a pipeline record."""
        return self._before(_RECORD, night)

    def open(self) -> list[dt.date]:
        """Return the nights that an assessment has not seen the whole of, or left open reviews in."""
        return [_day(row) for row, _ in self._under(_OPEN)]

    def _before(self, rows: str, night: dt.date) -> dt.date | None:
        found = self._ask(lambda kept: kept.below(f"{rows}{night}"))
        return _day(found[0]) if found and found[0].startswith(rows) else None

    def _read(self, bundle: int) -> tuple[bytes, ...]:
        if bundle not in self._entries:
            path = tile.bundle_path(bundle)
            entries = tile.decode_bundle(self._bundle(path))
            tree = Tree(map(leaf_hash, entries))
            if tree.root() != self.subtree(tile.HEIGHT, bundle):
                raise VerificationError(f"{path} differs from what was sealed", step="entries", fix=_VERIFY)
            self._entries[bundle], self._trees[bundle] = entries, tree
        return self._entries[bundle]

    def _get(self, key: str) -> Value | None:
        return self._ask(lambda rows: rows.get(key))

    def _under(self, prefix: str) -> list[tuple[str, Value]]:
        return self._ask(lambda rows: list(rows.under(prefix)))

    def _scan(self, start: str, end: str) -> list[tuple[str, Value]]:
        return self._ask(lambda rows: list(rows.scan(start, end)))

    def _ask(self, question: Callable[[Rows], T]) -> T:
        try:
            return question(self.rows)
        except PageError:
            self._lost()
            self.rows = self._again()
            return question(self.rows)

    def _again(self) -> Rows:
        """Return the rows made from all bundles, which must have the root."""
        tree = Tree()

        def entries(start: int, _: int) -> Sequence[bytes]:
            found = tile.decode_bundle(self._bundle(tile.bundle_path(start // tile.WIDTH)))
            for entry in found:
                tree.append(leaf_hash(entry))
            return found

        rows, _, _ = grown(Rows(MemoryPages()), 0, self.size, entries)
        if tree.root() != self.root:
            raise VerificationError("the bundles differ from what was sealed", step="entries", fix=_VERIFY)
        return rows


def _hash(rows: Rows, level: int, index: int) -> bytes:
    return bytes.fromhex(str(rows.get(_hash_row(level, index))))


def _hash_row(level: int, index: int) -> str:
    return f"{_HASH}{level:02d}/{index:012d}"


def _day(row: str) -> dt.date:
    return dt.date.fromisoformat(row.rpartition("\0")[2])


def _whole(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no number")
    return value

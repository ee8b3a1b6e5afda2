"""What the log says, by identity: the highest revision of every snapshot, assessments, coverage, re-counts.

Built once per run. The index is knowledge at one log size: readers that must not see later entries stop at it. Of snapshots,
nearly all of a long log, only the identity is taken when the log is caught up with: an entry is read when somebody asks for it, so that
a night does not pay for every night before it (docs/decisions/0201-a-night-does-not-read-its-history.md). What an earlier run kept of the
log (``evidence.store.known``) is asked, not copied: its entries come first, those held here after them.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from evidence.errors import MalformedError
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry, SealedEntry, parse_snapshot_entry_key, snapshot_entry_key
from evidence.snapshot.model import Kind
from evidence.store.known import Known
from evidence.store.log import Log

_OWN: Final = frozenset({"snapshot", "coverage", "recount", "assessment"})  # types that are found by what they are of


@dataclass(slots=True)
class Index:
    """Entries of a log, found by identity. ``size`` is how many entries it has seen."""

    size: int = 0
    _log: Log | None = None  # where snapshots that nobody asked for yet are read
    _known: Known | None = None  # the first entries, where the log knows them from an earlier run
    _windows: dict[tuple[str, str, dt.date], list[int]] = field(default_factory=lambda: defaultdict(list))
    _newest: dict[dt.date, int] = field(default_factory=dict)  # last snapshot of each night
    _read: dict[int, SealedEntry | None] = field(default_factory=dict)  # None: names no object
    _sources: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # by dataset
    _coverage: dict[tuple[str, str], dt.date] = field(default_factory=dict)  # by source and kind
    _recounts: dict[str, list[Mapping[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    _assessments: dict[dt.date, list[tuple[int, Entry]]] = field(default_factory=lambda: defaultdict(list))
    _pipelines: dict[dt.date, list[tuple[int, Entry]]] = field(default_factory=lambda: defaultdict(list))
    _disposed: set[int] = field(default_factory=set)
    _others: dict[tuple[str, str], tuple[int, Entry]] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> "Index":
        """Index ``entries``, in log order from entry 0."""
        index = cls()
        for entry in entries:
            index.add(entry)
        return index

    @classmethod
    def at(cls, log: Log, size: int) -> "Index":
        """Index the first ``size`` entries of ``log``: what was known then."""
        return cls().catch_up(log, size)

    def catch_up(self, log: Log, size: int | None = None) -> "Index":
        """Take the entries of ``log`` not seen yet, all or up to ``size``; return self."""
        self._log = log
        known = log.known
        if not self.size and known is not None and (size is None or size >= known.size):
            self._known, self.size = known, known.size
            for number in known.numbers("coverage"):
                self._cover(log.entry(number))
        for number in range(self.size, log.size if size is None else size):
            kind, key = log.name(number)
            if kind == "snapshot":
                self._place(key)
            else:
                self.add(log.entry(number))
        return self

    def add(self, entry: Entry) -> None:
        """Take the next entry of the log."""
        number = self.size
        match entry.type:
            case "snapshot":
                self._read[number] = _sealed(number, entry)
                self._place(entry.key)
                return
            case "coverage":
                self._cover(entry)
            case "recount":
                self._recounts["/".join(entry.key.split("/")[:4])].append(entry.body)
            case "assessment":
                self._assessments[dt.date.fromisoformat(entry.body["night"])].append((number, entry))
            case "disposal":
                self._disposed.update(entry.body.get("entries", ()))
                self._others[entry.type, entry.key] = (number, entry)
            case "pipeline":
                self._pipelines[dt.date.fromisoformat(entry.body["night"])].append((number, entry))
                self._others[entry.type, entry.key] = (number, entry)
            case _:
                self._others[entry.type, entry.key] = (number, entry)
        self.size += 1

    def _cover(self, entry: Entry) -> None:
        start = dt.date.fromisoformat(entry.body["start"])
        kinds = (entry.body["kind"],) if "kind" in entry.body else ("event", "state")
        for place in ((entry.body["source"], kind) for kind in kinds):
            self._coverage[place] = min(start, self._coverage.get(place, start))

    def _entries(self, numbers: Iterable[int]) -> list[tuple[int, Entry]]:
        """Return entries that are known from an earlier run."""
        return [(number, self._log.entry(number)) for number in numbers] if self._log else []

    def _place(self, key: str) -> None:
        """Note where the next entry, a snapshot of that key, belongs; what the key must be is checked when it is read."""
        number = self.size
        try:
            source, dataset, day, _ = key.split("/")
            night = dt.date.fromisoformat(day)
        except ValueError as exc:
            raise MalformedError(f"malformed snapshot key {key!r}") from exc
        self._windows[source, dataset, night].append(number)
        self._newest[night] = number
        self._sources[dataset].add(source)
        self.size += 1

    def _sealed_at(self, number: int) -> SealedEntry | None:
        if number not in self._read:
            if self._log is None:
                raise MalformedError(f"entry {number} is in no log")
            self._read[number] = _sealed(number, self._log.entry(number))
        return self._read[number]

    def _revisions(self, window: tuple[str, str, dt.date]) -> list[SealedEntry]:
        numbers = [*(self._known.revisions(*window) if self._known else ()), *self._windows.get(window, ())]
        return [sealed for sealed in map(self._sealed_at, numbers) if sealed is not None]

    def latest(self, source: str, dataset: str, night: dt.date) -> SealedEntry | None:
        """Return the highest revision sealed for that window."""
        return max(self._revisions((source, dataset, night)), key=lambda sealed: sealed.key.revision, default=None)

    def windows(self, since: dt.date = dt.date.min) -> Iterable[tuple[str, str, dt.date]]:
        """Return source, dataset and night of every window of ``since`` or later that was ever sealed, once; reads no entry."""
        before = self._known.windows(since) if self._known else ()
        return dict.fromkeys([*before, *(window for window in self._windows if window[2] >= since)])

    def datasets(self) -> set[tuple[str, str]]:
        """Return source and dataset of everything that was ever sealed; reads no entry."""
        new = {(source, dataset) for dataset, sources in self._sources.items() for source in sources}
        return new.union(self._known.datasets()) if self._known else new

    def newest(self, night: dt.date) -> int | None:
        """Return the log position of the last snapshot sealed of the night, None if there is none; reads no entry."""
        found = self._newest.get(night)
        return self._known.newest(night) if found is None and self._known else found

    def nights(self) -> list[dt.date]:
        """Return every night of which a snapshot is sealed, in order; reads no entry."""
        return sorted({*self._newest, *(self._known.nights() if self._known else ())})

    def waiting(self) -> list[dt.date]:
        """Return the nights whose last assessment may not have seen everything, or has open reviews, in order.

        Of nights that were caught up with before this run these are exactly those; of the others all.
        """
        return sorted(
            {*(self._known.open() if self._known else ()), *self._newest, *self._pipelines, *self._assessments}
        )

    def snapshots(self, since: dt.date = dt.date.min) -> Iterator[SealedEntry]:
        """Yield the highest revision of every window of ``since`` or later, by source, dataset and night."""
        for window in sorted(self.windows(since)):
            sealed = self.latest(*window)
            if sealed is not None:
                yield sealed

    def every_revision(self) -> Iterator[SealedEntry]:
        """Yield all snapshot entries in log order."""
        new = sorted(number for found in self._windows.values() for number in found)
        for number in [*(self._known.numbers("snapshot") if self._known else ()), *new]:
            sealed = self._sealed_at(number)
            if sealed is not None:
                yield sealed

    def sources_of(self, dataset: str) -> list[str]:
        """Return the sources that ever sealed ``dataset``, sorted."""
        return sorted({*self._sources.get(dataset, ()), *(self._known.sources_of(dataset) if self._known else ())})

    def coverage_start(self, source: str, kind: Kind) -> dt.date | None:
        """Return the first night of which the source's datasets of ``kind`` are covered, or None before their first collect.

        Events can be made up for as far back as the source reaches; a state that nobody captured has no past. Events that
        were never due yet are covered since the source's first state.
        """
        own = self._coverage.get((source, kind))
        return own if own is not None or kind == "state" else self._coverage.get((source, "state"))

    def recounts(self, sealed: SealedEntry) -> list[Mapping[str, Any]]:
        """Return the bodies of the re-counts of that revision, oldest first (``docs/formats/log.md``)."""
        key = sealed.key
        before = self._known.recounts(key.source, key.dataset, key.night, key.revision) if self._known else ()
        return [
            *(entry.body for _, entry in self._entries(before)), *self._recounts.get(snapshot_entry_key(key), ()),
        ]  # fmt: skip

    def settled(self, sealed: SealedEntry) -> bool:
        """Say whether late rows are ruled out: settled when read, or re-counted since and found stable.

        A re-count that was refused, or found fewer rows, settles nothing; it takes nothing back either.
        """
        looks = (look for look in self.recounts(sealed) if look["result"] == "stable")
        return sealed.body.get("finality") == "settled" or any(
            look.get("finality", "settled") == "settled" for look in looks
        )

    def looked_at(self, sealed: SealedEntry) -> dt.datetime | None:
        """Return when the source was last seen to say something of that revision's rows; None if no entry tells."""
        answered = [look for look in self.recounts(sealed) if look["result"] in {"stable", "fewer"}]
        moments = [body["collected_at"] for body in (sealed.body, *answered) if "collected_at" in body]
        return max(map(canonical.parse_time, moments), default=None)

    def disposed(self, sealed: SealedEntry) -> bool:
        """Say whether the log says that its files are gone; whether by rule, ``evidence.store.disposal`` knows."""
        return sealed.index in self._disposed or (self._known is not None and self._known.gone(sealed.index))

    def _assessed(self, night: dt.date) -> list[tuple[int, Entry]]:
        before = self._known.of("assessment", f"{night}/") if self._known else ()
        return [*self._entries(before), *self._assessments.get(night, ())]

    def assessment(self, night: dt.date) -> tuple[int, Entry] | None:
        """Return log position and entry of the night's highest assessment revision."""
        return max(self._assessed(night), key=lambda pair: pair[1].body["revision"], default=None)

    def assessed_nights(self, since: dt.date = dt.date.min) -> list[dt.date]:
        """Return the nights of ``since`` or later that have an assessment, in order."""
        new = {night for night in self._assessments if night >= since}
        return sorted(new.union(self._known.judged(since)) if self._known else new)

    def assessed_before(self, night: dt.date) -> dt.date | None:
        """Return the last night before ``night`` that has an assessment."""
        return _last_before(night, self._assessments, self._known.judged_before if self._known else None)

    def assessments(self, night: dt.date) -> list[Entry]:
        """Return every assessment of the night, in order of revision."""
        return [entry for _, entry in sorted(self._assessed(night), key=lambda pair: pair[1].body["revision"])]

    def pipelines(self, night: dt.date) -> list[tuple[int, Entry]]:
        """Return the pipeline records of the night in log order."""
        before = self._known.of("pipeline", f"{night}/") if self._known else ()
        return [*self._entries(before), *self._pipelines.get(night, ())]

    def recorded_before(self, night: dt.date) -> dt.date | None:
        """Return the last night before ``night`` that has a pipeline record."""
        return _last_before(night, self._pipelines, self._known.recorded_before if self._known else None)

    def find(self, entry_type: str, key: str) -> tuple[int, Entry] | None:
        """Return log position and entry of another entry type, by key."""
        found = self._others.get((entry_type, key))
        if found is None and self._known and self._log and entry_type not in _OWN:
            number = self._known.find(entry_type, key)
            return None if number is None else (number, self._log.entry(number))
        return found

    def of_type(self, entry_type: str) -> list[tuple[int, Entry]]:
        """Return all entries of another type in log order."""
        before = self._entries(self._known.numbers(entry_type)) if self._known and entry_type not in _OWN else []
        new = (value for (kind, _), value in self._others.items() if kind == entry_type)
        return [*before, *sorted(new, key=lambda value: value[0])]

    def last(self, entry_type: str) -> tuple[int, Entry] | None:
        """Return the last entry of another type, None if there is none."""
        new = [value for (kind, _), value in self._others.items() if kind == entry_type]
        if new or self._known is None or entry_type in _OWN:
            return max(new, key=lambda value: value[0], default=None)
        number, _ = self._known.last(entry_type)
        return next(iter(self._entries([number])), None) if number >= 0 else None


def _last_before(
    night: dt.date, new: Iterable[dt.date], known: Callable[[dt.date], dt.date | None] | None
) -> dt.date | None:
    before = known(night) if known else None
    return max([*(each for each in new if each < night), *([before] if before else [])], default=None)


def _sealed(number: int, entry: Entry) -> SealedEntry | None:
    key = parse_snapshot_entry_key(entry.key)
    return SealedEntry(number, key, entry.object, entry.body) if entry.object is not None else None

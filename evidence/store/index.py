"""What the log says, by identity: the highest revision of every snapshot, assessments, coverage, re-counts.

Built once per run. The index is knowledge at one log size: readers that must not see later entries stop at it. Of snapshots,
nearly all of a long log, only the identity is taken when the log is caught up with: an entry is read when somebody asks for it, so that
a night does not pay for every night before it (docs/decisions/0201-a-night-does-not-read-its-history.md).
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from evidence.errors import MalformedError
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry, SealedEntry, parse_snapshot_entry_key, snapshot_entry_key
from evidence.snapshot.model import Kind
from evidence.store.log import Log


@dataclass(slots=True)
class Index:
    """Entries of a log, found by identity. ``size`` is how many entries it has seen."""

    size: int = 0
    _log: Log | None = None  # where snapshots that nobody asked for yet are read
    _windows: dict[tuple[str, str, dt.date], list[int]] = field(default_factory=lambda: defaultdict(list))
    _newest: dict[dt.date, int] = field(default_factory=dict)  # last snapshot of each night
    _read: dict[int, SealedEntry | None] = field(default_factory=dict)  # None: names no object
    _sources: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # by dataset
    _coverage: dict[tuple[str, str], dt.date] = field(default_factory=dict)  # by source and kind
    _recounts: dict[str, list[Mapping[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    _assessments: dict[dt.date, list[tuple[int, Entry]]] = field(default_factory=lambda: defaultdict(list))
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
                start = dt.date.fromisoformat(entry.body["start"])
                kinds = (entry.body["kind"],) if "kind" in entry.body else ("event", "state")
                for place in ((entry.body["source"], kind) for kind in kinds):
                    self._coverage[place] = min(start, self._coverage.get(place, start))
            case "recount":
                self._recounts["/".join(entry.key.split("/")[:4])].append(entry.body)
            case "assessment":
                self._assessments[dt.date.fromisoformat(entry.body["night"])].append((number, entry))
            case "disposal":
                self._disposed.update(entry.body.get("entries", ()))
                self._others[entry.type, entry.key] = (number, entry)
            case _:
                self._others[entry.type, entry.key] = (number, entry)
        self.size += 1

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
        found = map(self._sealed_at, self._windows.get(window, ()))
        return [sealed for sealed in found if sealed is not None]

    def latest(self, source: str, dataset: str, night: dt.date) -> SealedEntry | None:
        """Return the highest revision sealed for that window."""
        return max(self._revisions((source, dataset, night)), key=lambda sealed: sealed.key.revision, default=None)

    def windows(self) -> Iterable[tuple[str, str, dt.date]]:
        """Return source, dataset and night of every window that was ever sealed, in the order they came; reads no entry."""
        return self._windows.keys()

    def newest(self) -> Mapping[dt.date, int]:
        """Return for each night the log position of the last snapshot sealed of it; reads no entry."""
        return self._newest

    def snapshots(self, since: dt.date = dt.date.min) -> Iterator[SealedEntry]:
        """Yield the highest revision of every window of ``since`` or later, by source, dataset and night."""
        for window in sorted(window for window in self._windows if window[2] >= since):
            sealed = self.latest(*window)
            if sealed is not None:
                yield sealed

    def every_revision(self) -> Iterator[SealedEntry]:
        """Yield all snapshot entries in log order."""
        for number in sorted(number for found in self._windows.values() for number in found):
            sealed = self._sealed_at(number)
            if sealed is not None:
                yield sealed

    def sources_of(self, dataset: str) -> list[str]:
        """Return the sources that ever sealed ``dataset``, sorted."""
        return sorted(self._sources.get(dataset, ()))

    def coverage_start(self, source: str, kind: Kind) -> dt.date | None:
        """Return the first night of which the source's datasets of ``kind`` are covered, or None before their first collect.

        Events can be made up for as far back as the source reaches; a state that nobody captured has no past. Events that
        were never due yet are covered since the source's first state.
        """
        own = self._coverage.get((source, kind))
        return own if own is not None or kind == "state" else self._coverage.get((source, "state"))

    def recounts(self, sealed: SealedEntry) -> list[Mapping[str, Any]]:
        """Return the bodies of the re-counts of that revision, oldest first (``docs/formats/log.md``)."""
        return self._recounts.get(snapshot_entry_key(sealed.key), [])

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
        return sealed.index in self._disposed

    def assessment(self, night: dt.date) -> tuple[int, Entry] | None:
        """Return log position and entry of the night's highest assessment revision."""
        found = self._assessments.get(night)
        return max(found, key=lambda pair: pair[1].body["revision"]) if found else None

    def assessed_nights(self) -> list[dt.date]:
        """Return the nights that have an assessment, in order."""
        return sorted(self._assessments)

    def assessments(self, night: dt.date) -> list[Entry]:
        """Return every assessment of the night, in order of revision."""
        return [
            entry for _, entry in sorted(self._assessments.get(night, ()), key=lambda pair: pair[1].body["revision"])
        ]

    def find(self, entry_type: str, key: str) -> tuple[int, Entry] | None:
        """Return log position and entry of another entry type, by key."""
        return self._others.get((entry_type, key))

    def of_type(self, entry_type: str) -> list[tuple[int, Entry]]:
        """Return all entries of another type in log order."""
        return sorted((value for (kind, _), value in self._others.items() if kind == entry_type), key=lambda v: v[0])


def _sealed(number: int, entry: Entry) -> SealedEntry | None:
    key = parse_snapshot_entry_key(entry.key)
    return SealedEntry(number, key, entry.object, entry.body) if entry.object is not None else None

"""What the log says, by identity: the highest revision of every snapshot, assessments, coverage, re-counts.

Built from entries once per run; pure. The index is knowledge at one log size: readers that must not see later
entries pass only the entries below it.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry, SealedEntry, parse_snapshot_entry_key, snapshot_entry_key
from evidence.snapshot.model import Kind
from evidence.store.log import Log


@dataclass(slots=True)
class Index:
    """Entries of a log, found by identity. ``size`` is how many entries it has seen."""

    size: int = 0
    _snapshots: dict[tuple[str, str, dt.date], list[SealedEntry]] = field(default_factory=lambda: defaultdict(list))
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

    def catch_up(self, log: Log) -> "Index":
        """Take the entries of ``log`` not seen yet; return self."""
        for number in range(self.size, log.size):
            self.add(log.entry(number))
        return self

    def add(self, entry: Entry) -> None:
        """Take the next entry of the log."""
        number = self.size
        self.size += 1
        match entry.type:
            case "snapshot":
                key = parse_snapshot_entry_key(entry.key)
                if entry.object is not None:
                    sealed = SealedEntry(number, key, entry.object, entry.body)
                    self._snapshots[key.source, key.dataset, key.night].append(sealed)
                    self._sources[key.dataset].add(key.source)
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

    def latest(self, source: str, dataset: str, night: dt.date) -> SealedEntry | None:
        """Return the highest revision sealed for that window."""
        found = self._snapshots.get((source, dataset, night))
        return max(found, key=lambda sealed: sealed.key.revision) if found else None

    def snapshots(self) -> Iterator[SealedEntry]:
        """Yield the highest revision of every window, by source, dataset and night."""
        for window in sorted(self._snapshots):
            yield max(self._snapshots[window], key=lambda sealed: sealed.key.revision)

    def every_revision(self) -> Iterator[SealedEntry]:
        """Yield all snapshot entries in log order."""
        yield from sorted((s for found in self._snapshots.values() for s in found), key=lambda sealed: sealed.index)

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

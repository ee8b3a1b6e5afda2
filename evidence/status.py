"""What is sealed and what is missing, night by night, as the log says at one moment; pure.

A gap is never silent: every covered night has a word, and a night that is overdue and not sealed is ``missing``.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evidence.datasets.contract import Contract
from evidence.datasets.timing import overdue_at
from evidence.snapshot.entry import SealedEntry
from evidence.snapshot.model import DAY
from evidence.store.index import Index

WORDS = ("complete", "incomplete", "denied", "unavailable", "edition", "missing", "provisional", "late")
BEFORE, NOT_DUE = "before coverage", "not due"
MARKS: Mapping[str, str] = {
    "complete": "#",
    "provisional": "p",
    "late": "L",
    "incomplete": "i",
    "denied": "D",
    "unavailable": "U",
    "edition": "e",
    "missing": "M",
    BEFORE: ".",
    NOT_DUE: " ",
}
Span = tuple[dt.date | None, dt.date | None]  # first and last night asked for; None: no edge
ALL: Span = (None, None)
Sealed = Mapping[tuple[str, str], Mapping[dt.date, SealedEntry]]  # by source and dataset


@dataclass(frozen=True, slots=True)
class Standing:
    """How one dataset of one source stands. ``nights`` has a word of ``MARKS`` for every night of the calendar, in order."""

    source: str
    dataset: str
    coverage: dt.date | None
    sealed: Mapping[dt.date, SealedEntry]
    nights: Mapping[dt.date, str]
    counts: Mapping[str, int]

    def to_row(self) -> dict[str, Any]:
        """Return the counts in words; ``coverage`` is None if the source was never collected: nothing can be missing yet."""
        return {
            "source": self.source,
            "dataset": self.dataset,
            "coverage": self.coverage,
            "first": min(self.sealed, default=None),
            "last": max(self.sealed, default=None),
            **{word: self.counts.get(word, 0) for word in WORDS},
            "rows": sum(int(entry.body["landed"]) for entry in self.sealed.values()),
        }


def sealed_windows(index: Index, since: dt.date = dt.date.min) -> Sealed:
    """Return the highest revision of every window of ``since`` or later, by source and dataset, then by night."""
    found: dict[tuple[str, str], dict[dt.date, SealedEntry]] = defaultdict(dict)
    for place in index.datasets():
        found[place]  # what was sealed before and is not asked for any more is known all the same
    for entry in index.snapshots(since):
        found[entry.key.source, entry.key.dataset][entry.key.night] = entry
    return found


def standing(
    source: str, contract: Contract, index: Index, sealed: Sealed, moment: dt.datetime, span: Span = ALL
) -> Standing:
    """Return how a dataset stands at ``moment``.

    ``complete`` counts provisional and late windows too; ``provisional``: late rows may still come; ``late``: rows came after
    settling; ``missing``: covered, overdue and not sealed.
    """
    start = index.coverage_start(source, contract.kind)
    own = {night: entry for night, entry in sealed.get((source, contract.name), {}).items() if _within(night, span)}
    nights = {
        night: _word(contract, index, own.get(night), night, start, moment)
        for night in _nights(own, start, moment, span)
    }
    counts = Counter(entry.status for entry in own.values())
    counts["provisional"] = sum(not index.settled(entry) for entry in own.values())
    counts["late"] = sum(bool(entry.body.get("late")) for entry in own.values())
    counts["missing"] = sum(word == "missing" for word in nights.values())
    return Standing(source, contract.name, start, own, nights, counts)


def _within(night: dt.date, span: Span) -> bool:
    first, last = span
    return (first is None or night >= first) and (last is None or night <= last)


def _nights(
    own: Mapping[dt.date, SealedEntry], start: dt.date | None, moment: dt.datetime, span: Span
) -> Sequence[dt.date]:
    """Every night of the span; without edges from the first that is covered or sealed to the day of ``moment``."""
    first = span[0] or min([*own, *([start] if start else [])], default=None)
    last = span[1] or moment.date()
    return [] if first is None else [first + DAY * n for n in range((last - first).days + 1)]


def _word(
    contract: Contract,
    index: Index,
    entry: SealedEntry | None,
    night: dt.date,
    start: dt.date | None,
    moment: dt.datetime,
) -> str:
    if entry is not None:
        if entry.status != "complete":
            return entry.status
        if entry.body.get("late"):
            return "late"
        return "complete" if index.settled(entry) else "provisional"
    if start is None or night < start:
        return BEFORE
    return "missing" if overdue_at(contract, night) <= moment else NOT_DUE

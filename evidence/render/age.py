"""Since when an item has failed without a break, for whatever reason: a change of the reason does not make a fault younger."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Final

from evidence.control.longlist import column
from evidence.control.result import Interval, PeriodFinding
from evidence.render.text import number
from evidence.render.words import Phrase, _, join

_DAY: Final = dt.timedelta(days=1)
_UNTESTED: Final = frozenset({"not-assessed", "not-applicable"})
Key = tuple[str, str, dt.date]
Ages = Mapping[Key, dt.date]


def failing_since(finding: PeriodFinding) -> Ages:
    """Return the first night of an item's unbroken run of failing, by (item, reason, first seen) of each open exception that it is earlier than.

    Nights on which the control was not tested do not break a run: nothing shows that the item was mended on them.
    """
    found: dict[Key, dt.date] = {}
    for runs in _repeated(finding):
        for each in runs:
            first = _back(finding, runs, each.first_seen) if each.open else each.first_seen
            if first < each.first_seen:
                found[key_of(each)] = first
    return found


def failed_alike(finding: PeriodFinding, since: Ages) -> frozenset[Key]:
    """Return those of ``since`` whose item failed for the same reason before, in that run: another reason came between."""
    return frozenset(
        key_of(each)
        for runs in (_repeated(finding) if since else ())
        for each in runs
        if (first := since.get(key_of(each)))
        and any(run.reason == each.reason and first <= run.last_seen < each.first_seen for run in runs)
    )


def standing(finding: PeriodFinding, since: Ages) -> Iterator[Interval]:
    """Yield the exceptions that are open, each dated from the first night of its item's unbroken run (:func:`failing_since`)."""
    for each in finding.exceptions:
        if each.open:
            first = since.get(key_of(each))
            if first is None:
                yield each
            else:
                yield replace(each, first_seen=first, days_open=each.days_open + (each.first_seen - first).days)


def accepted(each: Interval) -> Phrase:
    """Say under which waivers an exception was accepted and on how many of its nights; empty where it was not."""
    if not each.waivers:
        return join("", ())
    return _(
        "accepted under {waivers} on {n} of {nights} nights",
        waivers=join(", ", each.waivers),
        n=number(each.waived_nights),
        nights=number(each.nights),
    )


def _repeated(finding: PeriodFinding) -> Iterator[list[Interval]]:
    """Yield the exceptions of each item that has several: they stand together."""
    if any(one == following for one, following in pairwise(column(finding.exceptions, "item"))):
        for _item, group in groupby(finding.exceptions, key=attrgetter("item")):
            runs = list(group)
            if len(runs) > 1:
                yield runs


def key_of(each: Interval) -> Key:
    """Return what ages are by."""
    return each.item, each.reason, each.first_seen


def _back(finding: PeriodFinding, runs: list[Interval], since: dt.date) -> dt.date:
    """Walk back night by night while another run of the item covers the night, or nothing was tested on it."""
    night = since - _DAY
    while status := finding.strip.get(night.isoformat(), ""):
        if any(run.first_seen <= night <= run.last_seen for run in runs):
            since = night
        elif status not in _UNTESTED:
            break
        night -= _DAY
    return since

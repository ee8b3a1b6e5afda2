"""Since when an item has failed without a break, for whatever reason: a change of the reason does not make a fault younger."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from evidence.control.result import Interval, PeriodFinding
from evidence.render.text import number
from evidence.render.words import Phrase, _, join

_DAY: Final = dt.timedelta(days=1)
_UNTESTED: Final = frozenset({"not-assessed", "not-applicable"})
Ages = Mapping[tuple[str, str, dt.date], dt.date]


def failing_since(finding: PeriodFinding) -> Ages:
    """Return the first night of an item's unbroken run of failing, by (item, reason, first seen) of each open exception that it is earlier than.

    Nights on which the control was not tested do not break a run: nothing shows that the item was mended on them.
    """
    times = Counter(
        each.item for each in finding.exceptions
    )  # before the only exception of an item there is nothing to look for
    runs: defaultdict[str, list[Interval]] = defaultdict(list)
    for each in finding.exceptions:
        if times[each.item] > 1:
            runs[each.item].append(each)
    found: dict[tuple[str, str, dt.date], dt.date] = {}
    for each in finding.exceptions:
        if each.open and each.item in runs:
            first = _back(finding, runs[each.item], each.first_seen)
            if first < each.first_seen:
                found[each.item, each.reason, each.first_seen] = first
    return found


def standing(finding: PeriodFinding, since: Ages) -> Iterator[Interval]:
    """Yield the exceptions that are open, each dated from the first night of its item's unbroken run (:func:`failing_since`)."""
    for each in finding.exceptions:
        if each.open:
            first = since.get((each.item, each.reason, each.first_seen), each.first_seen)
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

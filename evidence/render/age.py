"""Since when an item has failed without a break, for whatever reason: a change of the reason does not make a fault younger."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from evidence.control.result import Interval, PeriodFinding
from evidence.render.text import number
from evidence.render.words import Phrase, _, join

_DAY: Final = dt.timedelta(days=1)
_UNTESTED: Final = frozenset({"not-assessed", "not-applicable"})
Ages = Mapping[tuple[str, str, dt.date], dt.date]


def failing_since(finding: PeriodFinding) -> Ages:
    """Return, for each exception that is open, by (item, reason, first seen), the first night of the item's unbroken run of failing.

    Nights on which the control was not tested do not break a run: nothing shows that the item was mended on them.
    """
    by_item: dict[str, list[Interval]] = {}
    for each in finding.exceptions:
        by_item.setdefault(each.item, []).append(each)
    return {
        (each.item, each.reason, each.first_seen): _back(finding, by_item[each.item], each.first_seen)
        for each in finding.exceptions
        if each.open
    }


def standing(finding: PeriodFinding) -> tuple[Interval, ...]:
    """Return the exceptions that are open, each dated from the first night of its item's unbroken run, oldest first."""
    since = failing_since(finding)
    found = []
    for each in finding.exceptions:
        if each.open:
            first = since[each.item, each.reason, each.first_seen]
            found.append(replace(each, first_seen=first, days_open=each.days_open + (each.first_seen - first).days))
    return tuple(sorted(found, key=lambda each: (each.first_seen, each.item)))


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

"""Two periods side by side: what is new, carried over, reopened and closed, and what else changed between them. Pure.

An exception is the same one if control, item and reason are the same (auditor-rules section 5: new, repeated, closed, reopened,
promises kept, population and mapping changes).
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from evidence.control.register import Row
from evidence.control.result import Interval, PeriodFinding

Change = Literal["new", "repeated", "reopened", "closed"]
ORDER: Final[tuple[Change, ...]] = ("new", "reopened", "repeated", "closed")


@dataclass(frozen=True, slots=True)
class Compared:
    """One exception in the light of the period before. ``promise`` is what management had said about it."""

    control: str
    item: str
    reason: str
    change: Change
    open: bool
    first_seen: dt.date
    remediated_on: dt.date | None
    promise: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling."""
        body = {name: getattr(self, name) for name in ("control", "item", "reason", "change", "open", "promise")}
        gone = self.remediated_on.isoformat() if self.remediated_on else None
        return {**body, "first_seen": self.first_seen.isoformat(), "remediated_on": gone}


@dataclass(frozen=True, slots=True)
class Shift:
    """How a control as a whole moved: its conclusions, items tested and versions; None: not there in that period."""

    control: str
    before: str | None
    after: str | None
    items_before: int
    items_after: int
    rule_changed: bool

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling."""
        return {name: getattr(self, name) for name in self.__slots__}


def exceptions(
    before: Sequence[PeriodFinding], after: Sequence[PeriodFinding], responses: Iterable[Row] = ()
) -> list[Compared]:
    """Return every exception of ``after``, and those of ``before`` that are gone, by change, control, item and reason.

    *Repeated* was still open when the period before ended; *reopened* had ended and is back; *closed* was open at the end of
    the period before and did not fail on any assessed night since. A period in which a control was not assessed closes nothing.
    """
    last = {key: _last(runs) for key, runs in _by_exception(before).items()}
    now = _by_exception(after)
    assessed = {finding.control for finding in after if finding.satisfied + finding.not_satisfied}
    promises = list(responses)
    found = [
        _compared(key, _last(runs), _first_change(last.get(key)), promises, runs[0].first_seen)
        for key, runs in now.items()
    ]
    found += [
        _compared(key, run, "closed", promises, run.first_seen)
        for key, run in last.items()
        if run.open and key not in now and key[0] in assessed
    ]
    return sorted(found, key=lambda each: (ORDER.index(each.change), each.control, each.item, each.reason))


def shifts(before: Sequence[PeriodFinding], after: Sequence[PeriodFinding]) -> list[Shift]:
    """Return the controls whose conclusion, population or rule differs between the two periods."""
    earlier, later = ({finding.control: finding for finding in period} for period in (before, after))
    found = [_shift(name, earlier.get(name), later.get(name)) for name in sorted(earlier.keys() | later.keys())]
    return [
        each
        for each in found
        if each.before != each.after or each.items_before != each.items_after or each.rule_changed
    ]


def _first_change(last: Interval | None) -> Change:
    if last is None:
        return "new"
    return "repeated" if last.open else "reopened"


def _compared(
    key: tuple[str, str, str], run: Interval, change: Change, promises: Sequence[Row], first: dt.date
) -> Compared:
    gone = change == "closed" or not run.open
    return Compared(*key, change, not gone, first, run.remediated_on, _promise(key, promises, run, gone=gone))


def _promise(key: tuple[str, str, str], promises: Sequence[Row], run: Interval, *, gone: bool) -> str:
    made = [row for row in promises if (row["control"], row["item"], row["reason"]) == key]
    if not made:
        return ""
    row = max(made, key=lambda each: each["recorded_at"])
    said = f"{row['owner']} by {row['due']}"
    if not gone:
        return f"{said}: not kept" if run.last_seen > row["due"] else f"{said}: not due yet, still open"
    return f"{said}: kept" if (run.remediated_on or run.last_seen) <= row["due"] else f"{said}: closed late"


def _shift(name: str, before: PeriodFinding | None, after: PeriodFinding | None) -> Shift:
    return Shift(
        name,
        before.conclusion if before else None,
        after.conclusion if after else None,
        before.tested_items if before else 0,
        after.tested_items if after else 0,
        bool(before and after) and len(set(_rules(before)) | set(_rules(after))) > 1,
    )


def _rules(finding: PeriodFinding | None) -> Iterator[tuple[str, str]]:
    for stretch in finding.stretches if finding else ():
        yield stretch.content_sha256, repr(sorted(stretch.parameters.items()))


def _by_exception(findings: Iterable[PeriodFinding]) -> Mapping[tuple[str, str, str], list[Interval]]:
    found: dict[tuple[str, str, str], list[Interval]] = {}
    for finding in findings:
        for run in finding.exceptions:
            found.setdefault((finding.control, run.item, run.reason), []).append(run)
    return found


def _last(runs: Sequence[Interval]) -> Interval:
    return max(runs, key=lambda run: run.last_seen)

"""Two periods side by side: what is new, carried over, reopened and closed, and what else changed between them. Pure.

An exception is the same one if control, item and reason are the same (auditor-rules section 5: new, repeated, closed, reopened,
promises kept, population and mapping changes).
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from evidence.control.longlist import side_by_side
from evidence.control.register import Row
from evidence.control.result import Interval, PeriodFinding

Change = Literal["new", "repeated", "reopened", "closed"]
Key = tuple[str, str, str]  # control, item, reason
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
    """Return what :func:`compared` yields by change, control, item and reason."""
    return sorted(compared(before, after, responses), key=lambda each: ORDER.index(each.change))


def compared(
    before: Sequence[PeriodFinding], after: Sequence[PeriodFinding], responses: Iterable[Row] = ()
) -> Iterator[Compared]:
    """Yield every exception of ``after``, and those of ``before`` that are gone, by control, item and reason.

    *Repeated* was still open when the period before ended; *reopened* had ended and is back; *closed* was open at the end of
    the period before and did not fail on any assessed night since. A period in which a control was not assessed closes nothing.
    """
    promises: dict[Key, list[Row]] = {}
    for row in responses:
        promises.setdefault((row["control"], row["item"], row["reason"]), []).append(row)
    earlier, later = ({finding.control: finding for finding in period} for period in (before, after))
    for control in sorted(earlier.keys() | later.keys()):
        was, now = earlier.get(control), later.get(control)
        assessed = now is not None and now.satisfied + now.not_satisfied > 0
        for same, runs in side_by_side([each.exceptions if each else () for each in (was, now)], "item", "reason"):
            key = (control, *same)
            old, new = _sides(runs)
            last = _last(old) if old else None
            if new:
                yield _compared(key, _last(new), _first_change(last), promises, new[0].first_seen)
            elif last and last.open and assessed:
                yield _compared(key, last, "closed", promises, last.first_seen)


def _sides(runs: Iterable[tuple[int, Interval]]) -> tuple[list[Interval], list[Interval]]:
    """Return the runs of the period before (0), and those of the one after it."""
    found: tuple[list[Interval], list[Interval]] = ([], [])
    for side, each in runs:
        found[side].append(each)
    return found


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
    key: Key, run: Interval, change: Change, promises: Mapping[Key, Sequence[Row]], first: dt.date
) -> Compared:
    gone = change == "closed" or not run.open
    return Compared(*key, change, not gone, first, run.remediated_on, _promise(promises.get(key, ()), run, gone=gone))


def _promise(made: Sequence[Row], run: Interval, *, gone: bool) -> str:
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


def _last(runs: Sequence[Interval]) -> Interval:
    return max(runs, key=lambda run: run.last_seen)

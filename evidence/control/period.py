"""The finding algebra of a period: nights in, one conclusion out (design.md section 8, auditor-rules.md section 1).

Pure. The order of rules is the whole point: an exception on any night decides; then nights nobody could judge; only what
is left may be satisfied. Without tolerated unknown nights, taking a finding away can therefore never make the whole satisfied.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from evidence.control.change import unknown
from evidence.control.longlist import compact, side_by_side
from evidence.control.model import Control, Mode
from evidence.control.result import (
    FindingStatus,
    Interval,
    NightFinding,
    Observation,
    PeriodFinding,
    RuleChange,
    Stretch,
)
from evidence.errors import UsageError
from evidence.snapshot.model import DAY

WORST_FIRST: tuple[FindingStatus, ...] = ("not-satisfied", "not-assessed", "satisfied", "not-applicable")
BEFORE_COVERAGE = "before-coverage"
NOT_RUN = "no assessment is sealed for this night"
_Seen = tuple[int, Observation]  # place of the night among those looked at, and what was seen on it


def assess_period(
    control: Control,
    findings: Iterable[NightFinding],
    start: dt.date,
    end: dt.date,
    *,
    max_unknown_nights: int = 0,
) -> PeriodFinding:
    """Fold the nights ``start`` … ``end`` (both included) of one control into one finding.

    ``findings`` of other nights or other controls are left aside; a night without a finding is not assessed. Raises
    ``UsageError`` if a night has two findings or the period is empty.
    """
    found = _by_night(control.id, findings, start, end)
    every = [start + DAY * n for n in range((end - start).days + 1)]
    expected = [night for night in every if night not in found or found[night].reason != BEFORE_COVERAGE]
    nights = {night: found[night] for night in expected if night in found}
    strip = {night: nights[night].status if night in nights else "not-assessed" for night in expected}
    unknown = [night for night in expected if strip[night] == "not-assessed"]
    tally: Counter[FindingStatus] = Counter(strip.values())
    lasting = control.mode == "state"
    exceptions = intervals(nights.values(), "exceptions", lasting=lasting)
    status = _status(control.mode, tally, len(expected), len(unknown), max_unknown_nights)
    return PeriodFinding(
        control=control.id,
        start=start,
        end=end,
        status=status,
        conclusion=_conclusion(status, tally, len(expected), exceptions, nights),
        expected=len(expected),
        satisfied=tally["satisfied"],
        not_satisfied=tally["not-satisfied"],
        not_assessed=len(unknown),
        not_applicable=tally["not-applicable"],
        before_coverage=len(every) - len(expected),
        longest_gap=_longest(unknown),
        tested_items=sum(finding.population for finding in nights.values() if _concluded(finding)),
        exceptions=exceptions,
        reviews=intervals(nights.values(), "reviews", lasting=lasting),
        unknown={night.isoformat(): _why(nights.get(night)) for night in unknown},
        strip={night.isoformat(): each for night, each in strip.items()},
        stretches=stretches(nights.values()),
        changes=tuple(_changes(list(nights.values()))),
    )


def intervals(findings: Iterable[NightFinding], kind: str, *, lasting: bool = False) -> Sequence[Interval]:
    """Return, for each item and reason, the runs of nights on which it stood among ``exceptions`` or ``reviews``.

    A night that was not concluded neither closes a run nor counts as seen: an item that fails before and after it was
    open all the time. So it is for ``lasting`` states with a night on which nothing was in scope: no test showed them gone.
    An event is its night's own. ``findings`` come in order of nights. Sorted by item, reason and first night; nights are read
    side by side, so that no more than a piece of each exists at a time.
    """
    nights = [finding for finding in findings if _shows(finding, lasting=lasting) or getattr(finding, kind)]
    waivers = [_waivers(finding) for finding in nights]
    seen = side_by_side([getattr(finding, kind) for finding in nights], "item", "reason")
    return compact(_interval(key, run, nights, waivers) for key, group in seen for run in _runs(group))


def stretches(findings: Iterable[NightFinding]) -> tuple[Stretch, ...]:
    """Return the parts of a period assessed by the same version, content and parameters, in order of nights."""
    found = []
    for _, group in groupby(findings, key=lambda finding: finding.rule):
        run = list(group)
        first, last = run[0], run[-1]
        tally: Counter[FindingStatus] = Counter(finding.status for finding in run)
        status = next(each for each in WORST_FIRST if tally[each])
        found.append(
            Stretch(first.night, last.night, last.version, last.content_sha256, last.parameters, status, len(run))
        )
    return tuple(found)


def _by_night(
    control: str, findings: Iterable[NightFinding], start: dt.date, end: dt.date
) -> dict[dt.date, NightFinding]:
    if end < start:
        raise UsageError(f"the period ends on {end}, before it starts on {start}", fix="swap them")
    nights: dict[dt.date, NightFinding] = {}
    for finding in findings:
        if finding.control == control and start <= finding.night <= end:
            if finding.night in nights:
                raise UsageError(
                    f"{control} has two findings for {finding.night}", fix="give the highest revision only"
                )
            nights[finding.night] = finding
    return dict(sorted(nights.items()))


def _status(mode: Mode, tally: Counter[FindingStatus], expected: int, unknown: int, max_unknown: int) -> FindingStatus:
    if tally["not-satisfied"]:
        return "not-satisfied"
    if not expected or unknown > max_unknown:
        return "not-assessed"
    if tally["satisfied"]:
        return "satisfied"
    # "did not occur" needs a signer besides a source that answered (auditor-rules section 1): never by silence
    return "not-applicable" if tally["not-applicable"] and mode == "state" else "not-assessed"


def _conclusion(
    status: FindingStatus,
    tally: Counter[FindingStatus],
    expected: int,
    exceptions: Sequence[Interval],
    nights: Mapping[dt.date, NightFinding],
) -> str:
    if status == "not-satisfied":
        return f"exceptions noted ({len(exceptions)})"
    if status == "satisfied":
        return "no exceptions noted"
    if status == "not-applicable":
        why = next(finding.detail for finding in nights.values() if finding.status == "not-applicable")
        return f"not applicable ({why})"
    if not expected:
        return "not assessed: before coverage"
    if tally["not-applicable"] and not tally["not-assessed"]:
        return "not assessed: nothing recorded by the source, and no signed statement that it did not occur"
    return f"not assessed: {tally['not-assessed']} of {expected} nights"


def _waivers(finding: NightFinding) -> Mapping[tuple[str, str], list[str]]:
    """Return the waivers that accept each exception of a night, by item and reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for each in finding.waived:
        found.setdefault((each.item, each.reason), []).append(each.waiver)
    return found


def _interval(
    key: tuple[str, str],
    run: Sequence[_Seen],
    nights: Sequence[NightFinding],
    waivers: Sequence[Mapping[tuple[str, str], list[str]]],
) -> Interval:
    """``run`` holds places in ``nights`` and what was seen there; ``waivers`` are those of each of ``nights``."""
    first, last = nights[run[0][0]].night, nights[run[-1][0]].night
    after = run[-1][0] + 1
    gone = nights[after].night if after < len(nights) else None
    seen = run[-1][1]
    waived = [waiver for index, _ in run for waiver in waivers[index].get(key, ())]
    return Interval(
        item=key[0],
        reason=key[1],
        first_seen=first,
        last_seen=last,
        nights=len(run),
        open=gone is None,
        days_open=((gone or nights[-1].night) - first).days,
        remediated_on=gone,
        observed=seen.observed,
        expected=seen.expected,
        waivers=tuple(sorted(set(waived))),
        waived_nights=len(waived),
    )


def _runs(seen: Iterable[_Seen]) -> Iterator[list[_Seen]]:
    """Yield what stands on neighbouring places together."""
    run: list[_Seen] = []
    for each in seen:
        if run and each[0] != run[-1][0] + 1:
            yield run
            run = []
        run.append(each)
    yield run


def _longest(nights: Sequence[dt.date]) -> int:
    longest = run = 0
    for index, night in enumerate(nights):
        run = run + 1 if index and night - nights[index - 1] == DAY else 1
        longest = max(longest, run)
    return longest


def _why(finding: NightFinding | None) -> str:
    if finding is None:
        return NOT_RUN
    return f"{finding.reason}: {finding.detail}" if finding.detail else finding.reason


def _changes(findings: Sequence[NightFinding]) -> Iterator[RuleChange]:
    """Yield the first night of every other rule: what its assessment says of the old one, or that it says nothing."""
    for before, finding in zip([None, *findings], findings, strict=False):
        replaced = finding.replaced
        if before is not None and before.rule == finding.rule:
            continue
        if before is not None and (replaced is None or replaced.rule != before.rule):
            replaced = unknown(before, finding)
        if replaced is not None:
            yield RuleChange(finding.night, replaced, finding.result)


def _shows(finding: NightFinding, *, lasting: bool) -> bool:
    """Whether the night can end a run: of a state only one that was tested."""
    return _concluded(finding) and not (lasting and finding.status == "not-applicable")


def _concluded(finding: NightFinding) -> bool:
    return finding.status != "not-assessed"

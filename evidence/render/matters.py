"""The five things that matter: which controls, by a rule that is printed, and a sentence for each that can be read aloud. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from evidence.control.coverage import RELIABILITY
from evidence.control.longlist import column
from evidence.control.model import grade
from evidence.control.result import Interval, PeriodFinding
from evidence.render.age import accepted, failing_since, standing
from evidence.render.inputs import Content, ControlText, Response
from evidence.render.text import number
from evidence.render.words import Phrase, _, join, ngettext

COUNT: Final = 5
RULE: Final = _(
    "A control is listed if it has exceptions or was not assessed on a night. First what still stands: an exception open on the last "
    "night tested, or a gap that reaches the last night of the period or leaves the control without a conclusion; a gap counts as much "
    "as an exception. Then, in this order: severity; whether the control is primary for a requirement of this report; the days it "
    "has stood; the number of exceptions; the control's id. The first five are shown."
)


@dataclass(frozen=True, slots=True)
class Matter:
    """One of the five. ``why`` and ``owner`` are ours; ``item`` is quoted from evidence, one of ``several``; ``answer`` is management's."""

    control: str
    title: str
    severity: str
    status: str
    conclusion: str
    said: str
    why: str
    item: str
    several: bool
    accepted: str
    owner: str
    answer: str
    remedy: str


@dataclass(frozen=True, slots=True)
class _Weighed:
    text: ControlText
    finding: PeriodFinding
    open: int  # exceptions that still stand
    oldest: Interval | None  # of those, or of all
    gap: str  # first night of the gap that still stands, or empty
    days: int
    primary: bool

    @property
    def noted(self) -> int:
        """Exceptions that still stand, or all if none does."""
        return self.open or len(self.finding.exceptions)

    @property
    def order(self) -> tuple[bool, int, bool, int, int, str]:
        rank = grade(self.text.severity)
        stands = bool(self.open or self.gap)
        return (
            not stands,
            rank,
            not self.primary,
            -self.days,
            -self.noted,
            self.text.id,
        )


def matters(content: Content) -> list[Matter]:
    """Return at most five, the first by :data:`RULE`."""
    texts = {text.id: text for text in content.controls}
    found = [
        _weighed(content, texts[finding.control], finding)
        for finding in content.periods
        if finding.control in texts and (finding.exceptions or finding.not_assessed)
    ]
    return [_matter(content, each) for each in sorted(found, key=lambda each: each.order)[:COUNT]]


def _weighed(content: Content, text: ControlText, finding: PeriodFinding) -> _Weighed:
    still, oldest, longest = _still(finding)
    unknown = sorted(finding.unknown)
    stands = finding.status == "not-assessed" or content.end.isoformat() in finding.unknown
    gap = _run_of(finding, unknown)[0] if stands and unknown else ""
    days = max(longest, len(_run_of(finding, unknown)) if gap else 0)
    frameworks = set(content.report.frameworks)
    primary = text.id not in RELIABILITY and any(
        m.strength == "primary" and not m.refused and m.framework in frameworks for m in text.maps
    )
    return _Weighed(text, finding, still, oldest, gap, days, primary)


def _still(finding: PeriodFinding) -> tuple[int, Interval | None, int]:
    """Return how many exceptions stand, the oldest of them, and the most days one of them is open; of all, if none stands."""
    count, oldest, longest = 0, None, 0
    for each in standing(finding, failing_since(finding)):
        count += 1
        longest = max(longest, each.days_open)
        if oldest is None or (each.first_seen, each.item) < (oldest.first_seen, oldest.item):
            oldest = each
    if oldest is None and finding.exceptions:
        return 0, finding.exceptions[0], max(column(finding.exceptions, "days_open"))
    return count, oldest, longest


def _run_of(finding: PeriodFinding, unknown: Sequence[str]) -> list[str]:
    """Return the last run of nights not assessed; nights that were not expected do not end it."""
    nights = sorted(finding.strip)
    run: list[str] = []
    for night in reversed(nights[: nights.index(unknown[-1]) + 1] if unknown and unknown[-1] in nights else []):
        if finding.strip[night] != "not-assessed":
            break
        run.insert(0, night)
    return run or list(unknown[-1:])


def _matter(content: Content, each: _Weighed) -> Matter:
    oldest = each.oldest
    reasons = each.text.reasons
    return Matter(
        control=each.text.id,
        title=each.text.title,
        severity=each.text.severity,
        status=each.finding.status,
        conclusion=each.finding.conclusion,
        said=join(" ", _sentences(each)),
        why=reasons.get(oldest.reason, oldest.reason) if oldest else "",
        item=oldest.item if oldest else "",
        several=each.noted > 1,
        accepted=accepted(oldest) if oldest else "",
        owner=each.text.owner,
        answer=_answer(content, each.text.id, oldest) if oldest else "",
        remedy=each.text.remediation,
    )


def _sentences(each: _Weighed) -> Iterator[Phrase]:
    finding = each.finding
    if each.open and (oldest := each.oldest):
        days = ngettext("{n} day", "{n} days", oldest.days_open) if oldest.days_open else _("the last night tested")
        yield ngettext(
            "{n} exception is open, since {since} ({days}).",
            "{n} exceptions are open, the oldest since {since} ({days}).",
            each.open,
            since=oldest.first_seen,
            days=days,
        )
    elif finding.exceptions:
        last = max(column(finding.exceptions, "last_seen"))
        yield ngettext(
            "{n} exception was noted and none is open; the last was seen on {last}.",
            "{n} exceptions were noted and none is open; the last was seen on {last}.",
            len(finding.exceptions),
            last=last,
        )
    if finding.tested_items:
        yield _("{n} item tests were made in the period.", n=number(finding.tested_items))
    if finding.not_assessed:
        nights = {"n": number(finding.not_assessed), "all": number(finding.expected)}
        if each.gap:
            yield _(
                "It was not assessed on {n} of {all} nights, the last of them since {since} without an end: for these nights nothing can "
                "be said.",
                since=each.gap,
                **nights,
            )
        else:
            yield ngettext(
                "It was not assessed on {n} of {all} nights: for that night nothing can be said.",
                "It was not assessed on {n} of {all} nights: for these nights nothing can be said.",
                finding.not_assessed,
                all=number(finding.expected),
            )


def _answer(content: Content, control: str, oldest: Interval) -> str:
    key = (control, oldest.item, oldest.reason)
    found: list[Response] = [r for r in content.responses if (r.control, r.item, r.reason) == key]
    last = found[-1] if found else None
    return _("{action}; {owner}, due {due}", action=last.action, owner=last.owner, due=last.due) if last else ""

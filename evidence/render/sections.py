"""What the templates need to know of a report's own sections. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from evidence.control.result import PeriodFinding
from evidence.render.campaign import STATES
from evidence.render.collected import Evidenced
from evidence.render.inputs import Content
from evidence.render.nightly import morning
from evidence.render.text import number
from evidence.render.view import ControlView

PAGES: Final = frozenset({"controls", "tests"})


@dataclass(frozen=True, slots=True)
class Tested:
    """One control in the order of section IV: what stands in each row of its block."""

    population: tuple[str, ...]
    checked: tuple[str, ...]
    sample: str
    result: str
    unanswered: int


def build(content: Content, views: Sequence[ControlView]) -> dict[str, Any]:
    """Return the template variables: ``shown`` sections, ``paged`` (controls have pages), blocks of tests, brief and review."""
    report = content.report
    return {
        "shown": report.shown,
        "paged": bool(PAGES & set(report.sections)),
        "brief": report.brief,
        "tested": {view.id: _tested(view) for view in views} if report.by_tests else {},
        "morning": morning(content),
        "review": content.review,
        "state_words": STATES,
    }


def _tested(view: ControlView) -> Tested:
    finding = view.finding
    answered = {(each.item, each.reason) for each in view.responses}
    return Tested(
        population=tuple(f"{name}: {value}" for name, value in view.populations),
        checked=tuple(_checked(finding, view.evidence)),
        sample=_sample(finding),
        result=_result(finding),
        unanswered=sum((each.item, each.reason) not in answered for each in finding.exceptions),
    )


def _checked(finding: PeriodFinding, evidence: Sequence[Evidenced]) -> list[str]:
    """Say how it was checked that the population is all there: read by read, and where it was not."""
    sealed, matched = sum(e.nights for e in evidence), sum(e.matched for e in evidence)
    missing = sum(e.missing for e in evidence)
    said = [
        "It rests on no read of a source, but on what this store itself holds, as it was sealed: receipts, findings, checks or registers."
        if not evidence
        else (
            f"Each read was counted on both sides, at the source and on arrival: {number(matched)} of {_n(sealed, 'sealed read')} "
            f"of {_n(len({e.dataset for e in evidence}), 'dataset')} match."
        ),
    ]
    if sealed - matched or missing:
        said.append(
            f"Not matching or refused: {number(sealed - matched)}; missing: {number(missing)}. Nights that rest on these are never "
            "counted as without exceptions."
        )
    tested = finding.satisfied + finding.not_satisfied
    if tested:
        said.append(
            "On each night tested, count and fingerprint of the items with a result equal those of the population."
        )
    return said


def _sample(finding: PeriodFinding) -> str:
    tested = finding.satisfied + finding.not_satisfied
    if not tested:
        return "No item was tested."
    nights = f"{number(tested)} of {_n(finding.expected, 'night')}"
    rest = finding.expected - tested
    return f"Full population: every item on {nights}; no sample was drawn." + (
        f" On the other {_n(rest, 'night')} nothing was tested." if rest else ""
    )


def _result(finding: PeriodFinding) -> str:
    tests = _n(finding.tested_items, "item test")
    if finding.exceptions:
        still = sum(run.open for run in finding.exceptions)
        return (
            f"{_n(len(finding.exceptions), 'exception')} noted in {tests}. Open on the last night tested: {number(still)}; no longer failing: "
            f"{number(len(finding.exceptions) - still)}."
        )
    if finding.status == "satisfied":
        return f"No exceptions noted in {tests}."
    return f"No result for the period: {finding.conclusion}."


def _n(count: int, word: str) -> str:
    return f"{number(count)} {word}{'' if count == 1 else 's'}"

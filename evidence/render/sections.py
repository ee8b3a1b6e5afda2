"""What the templates need to know of a report's own sections. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evidence.control.longlist import column, columns
from evidence.control.result import PeriodFinding
from evidence.render.campaign import STATES, owned
from evidence.render.collected import Evidenced
from evidence.render.control_view import ControlView
from evidence.render.inputs import Content
from evidence.render.nightly import morning
from evidence.render.text import number
from evidence.render.words import Phrase, _, concluded, join, ngettext

PAGES: Final = frozenset({"controls", "tests"})


@dataclass(frozen=True, slots=True)
class Tested:
    """One control in the order of section IV: what stands in each row of its block."""

    population: tuple[str, ...]
    checked: tuple[str, ...]
    sample: str
    result: str
    unanswered: str  # how many exceptions management has not responded to, in words; empty: none


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
        "owns": {
            name: owned(name, (control.owner for control in content.controls))
            for name in sorted({reviewer for g in content.review.campaigns for reviewer, *_rest in g.reviewers})
        }
        if content.review
        else {},
        "state_words": STATES,
    }


def _tested(view: ControlView) -> Tested:
    finding = view.finding
    answered = {(each.item, each.reason) for each in view.responses}
    open_answers = sum(each not in answered for each in columns(finding.exceptions, "item", "reason"))
    return Tested(
        population=tuple(join(": ", each) for each in view.populations),
        checked=tuple(_checked(finding, view.evidence, view.text.optional)),
        sample=_sample(finding, sum(each.nights for each in view.judged_on_less)),
        result=_result(finding, lasting=view.text.lasting),
        unanswered=_unanswered(open_answers, len(finding.exceptions)),
    )


def _unanswered(lacking: int, noted: int) -> Phrase | str:
    """Say to how many of the exceptions ``noted`` management has recorded no response."""
    if not lacking:
        return ""
    if noted == 1:
        return _("Management has recorded no response in writing to the exception.")
    if lacking == noted:
        return _("Management has recorded no response in writing to any of the {n} exceptions.", n=number(noted))
    return _(
        "Management has recorded no response in writing to {n} of the {all} exceptions.",
        n=number(lacking),
        all=number(noted),
    )


def _checked(finding: PeriodFinding, evidence: Sequence[Evidenced], optional: Collection[str]) -> list[Phrase]:
    """Say how it was checked that the population is all there: read by read, and where it was not."""
    required = [e for e in evidence if e.dataset not in optional]
    beside = [e for e in evidence if e.dataset in optional and e.nights]
    never = [e.dataset for e in evidence if e.dataset in optional and not e.nights]
    said: list[Phrase] = []
    if not evidence:
        said.append(
            _(
                "It rests on no read of a source, but on what this store itself holds, as it was sealed: receipts, findings, checks or registers."
            )
        )
    if required:
        said.append(
            _("Each read was counted on both sides, at the source and on arrival: {matches}.", matches=_match(required))
        )
    if lacking := _lacking(required):
        said.append(
            _(
                "Not matching or refused: {n}; missing: {missing}. Nights that rest on these are never counted as without exceptions.",
                **lacking,
            )
        )
    if beside:
        said.append(
            _("Of optional evidence, counted on both sides like that, {matches}.", matches=_match(beside))
            if required
            else _(
                "Of optional evidence each read was counted on both sides, at the source and on arrival: {matches}.",
                matches=_match(beside),
            )
        )
    if lacking := _lacking(beside):
        said.append(
            _(
                "Optional and not matching or refused: {n}; missing: {missing}. These could only have turned a failure, or a hit to be reviewed, into a pass.",
                **lacking,
            )
        )
    if never:
        said.append(_("Optional and never collected: {names}.", names=join(", ", never)))
    if finding.satisfied + finding.not_satisfied:
        said.append(
            _("On each night tested, count and fingerprint of the items with a result equal those of the population.")
        )
    return said


def _lacking(evidence: Sequence[Evidenced]) -> dict[str, str]:
    """Return how many reads do not match and how many are missing, for a sentence; nothing where all match."""
    other, missing = sum(e.not_matched for e in evidence), sum(e.missing for e in evidence)
    return {"n": number(other), "missing": number(missing)} if other or missing else {}


def _match(evidence: Sequence[Evidenced]) -> Phrase:
    sealed = sum(e.nights for e in evidence)
    return _(
        "{matched} of {reads} of {datasets} match",
        matched=number(sum(e.matched for e in evidence)),
        reads=ngettext("{n} sealed read", "{n} sealed reads", sealed),
        datasets=ngettext("{n} dataset", "{n} datasets", len({e.dataset for e in evidence})),
    )


def _sample(finding: PeriodFinding, on_less: int) -> Phrase:
    """Say that all was tested, and ``on_less``: nights on which evidence that the control requires was not whole."""
    tested = finding.satisfied + finding.not_satisfied
    if not tested:
        return _("No item was tested.")
    said: list[Phrase | str] = []
    if tested > on_less:
        said.append(
            ngettext(
                "Full population: every item on {tested} of {n} night; no sample was drawn.",
                "Full population: every item on {tested} of {n} nights; no sample was drawn.",
                finding.expected,
                tested=number(tested - on_less),
            )
        )
    if on_less:
        said.append(
            ngettext(
                "On {n} night every item that could be seen, without a sample: evidence that the control requires was not whole, and what else failed on it is not known.",
                "On {n} nights every item that could be seen, without a sample: evidence that the control requires was not whole, and what else failed on them is not known.",
                on_less,
            )
        )
    if rest := finding.expected - tested:
        said.append(
            ngettext("On the other night nothing was tested.", "On the other {n} nights nothing was tested.", rest)
        )
    return join(" ", said)


def _result(finding: PeriodFinding, *, lasting: bool) -> Phrase:
    tests = ngettext("{n} item test", "{n} item tests", finding.tested_items)
    if finding.exceptions:
        still = sum(column(finding.exceptions, "open"))
        count = len(finding.exceptions)
        noted = ngettext("{n} exception noted in {tests}.", "{n} exceptions noted in {tests}.", count, tests=tests)
        left = {"open": number(still), "rest": number(count - still)}
        return join(
            " ",
            (
                noted,
                _("Open on the last night tested: {open}; gone: {rest}.", **left)
                if lasting
                else _("Open on the last night tested: {open}; past: {rest}.", **left),
            ),
        )
    if finding.status == "satisfied":
        return _("No exceptions noted in {tests}.", tests=tests)
    return _("No result for the period: {conclusion}.", conclusion=concluded(finding.conclusion))

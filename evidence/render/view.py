"""From values to what the templates show: sentences, tables and counts. Pure; every cap on rows is said on the page."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from heapq import nsmallest
from typing import Any, Final

from evidence.control.coverage import RELIABILITY
from evidence.control.model import grade
from evidence.control.result import Interval, NightFinding
from evidence.render import chart
from evidence.render.age import standing
from evidence.render.annex import beside
from evidence.render.collected import Evidenced, collected, completeness_charts
from evidence.render.control_view import ControlView, control_view
from evidence.render.glossary import GLOSSARY
from evidence.render.inputs import Content
from evidence.render.matrix import matrices
from evidence.render.matters import RULE, matters
from evidence.render.since import since
from evidence.render.text import number
from evidence.render.trends import trends
from evidence.render.words import Phrase, _, join, ngettext

_TOP: Final = 8


def build(content: Content) -> dict[str, Any]:
    """Return the template variables of ``content``."""
    findings = {finding.control: finding for finding in content.periods}
    by_night: dict[str, list[NightFinding]] = defaultdict(list)
    for night in content.nights:
        by_night[night.control].append(night)
    views = [control_view(content, text, findings[text.id], by_night[text.id]) for text in content.controls]
    views.sort(key=lambda v: (v.text.family, v.id))
    strips = [(view.id, view.finding.strip) for view in views]
    reads = collected(content)
    return {
        "c": content,
        "controls": [view for view in views if view.id not in RELIABILITY],
        "reliability": [view for view in views if view.id in RELIABILITY],
        "strips": chart.heat_strips(
            strips, content.start, content.end, title=_("Status of each control on each night"), words=content.words
        ),
        "legend": chart.legend(content.words),
        "counts": _counts(views),
        "summary": _summary(content, views, reads),
        "matters": matters(content),
        "matters_rule": RULE,
        "since": since(content),
        "trends": trends(content) if "trends" in content.report.shown else [],
        "open": _open(views),
        "lacking": _lacking(reads),
        "looked_back": _looked_back(content),
        "unread": _unread(content),
        "matrices": matrices(content),
        "completeness": completeness_charts(content),
        "collected": reads,
        "watermark": content.marks,
        "glossary": GLOSSARY,
    }


def _counts(views: Sequence[ControlView]) -> dict[str, int]:
    statuses = Counter(view.finding.status for view in views)
    return {
        "controls": len(views),
        "satisfied": statuses["satisfied"],
        "not_satisfied": statuses["not-satisfied"],
        "not_assessed": statuses["not-assessed"],
        "not_applicable": statuses["not-applicable"],
        "exceptions": sum(len(view.finding.exceptions) for view in views),
        "open": sum(view.open_exceptions for view in views),
        "reviews": sum(len(view.finding.reviews) for view in views),
    }


def _summary(content: Content, views: Sequence[ControlView], reads: Sequence[Evidenced]) -> tuple[str, ...]:
    counts = _counts(views)
    length = (content.end - content.start).days + 1
    sealed = [fact for fact in content.snapshots if content.start <= fact.night <= content.end]
    matched = sum(1 for fact in sealed if fact.status == "complete")
    return (
        join(
            " ",
            (
                ngettext(
                    "{n} control over {nights}, {start} to {end} (UTC).",
                    "{n} controls over {nights}, {start} to {end} (UTC).",
                    counts["controls"],
                    nights=ngettext("{n} night", "{n} nights", length),
                    start=content.start,
                    end=content.end,
                ),
                _ever_tested(views),
            ),
        ),
        _(
            "{satisfied} with no exceptions noted, {not_satisfied} with exceptions noted, {not_assessed} not assessed, "
            "{not_applicable} not applicable.",
            **{name: number(counts[name]) for name in ("satisfied", "not_satisfied", "not_assessed", "not_applicable")},
        ),
        join(
            " ",
            (
                ngettext(
                    "{n} exception in total; {open} still open on the last night tested.",
                    "{n} exceptions in total; {open} still open on the last night tested.",
                    counts["exceptions"],
                    open=number(counts["open"]),
                ),
                ngettext(
                    "{n} item awaiting a person's review.", "{n} items awaiting a person's review.", counts["reviews"]
                ),
            ),
        ),
        join(
            " ",
            (
                ngettext(
                    "The findings rest on {n} sealed snapshot of the period; {matched} match the totals the source returned, {others} do not, or were refused.",
                    "The findings rest on {n} sealed snapshots of the period; {matched} match the totals the source returned, {others} do not, or were refused.",
                    len(sealed),
                    matched=number(matched),
                    others=number(len(sealed) - matched),
                ),
                ngettext("{n} more is missing.", "{n} more are missing.", sum(each.missing for each in reads)),
                _(
                    "Without evidence that it requires a control does not pass a night; evidence that is optional to it can only turn a "
                    "failure into a pass."
                ),
            ),
        ),
        *_about_itself(views),
    )


def _ever_tested(views: Sequence[ControlView]) -> Phrase:
    """Say how many controls were tested at all: one without such a night concludes nothing."""
    tested = sum(bool(view.finding.satisfied + view.finding.not_satisfied) for view in views)
    if tested == len(views):
        return ngettext("It was tested on at least one night.", "Each was tested on at least one night.", len(views))
    return ngettext(
        "{n} was tested on at least one night, {rest} on none.",
        "{n} were tested on at least one night, {rest} on none.",
        tested,
        rest=number(len(views) - tested),
    )


def _looked_back(content: Content) -> Phrase | str:
    """Say how many snapshots are of nights before the packet's first, and what else the table of receipts lists."""
    before = sum(fact.night < content.start for fact in content.snapshots)
    records, named = beside(content)
    said: list[Phrase] = []
    judged = sorted({record.judged_at[:10] for record in content.records if record.judged_at})
    if judged:
        said.append(
            _("The nights were judged on {first}.", first=judged[0])
            if len(judged) == 1
            else _("The nights were judged from {first} to {last}.", first=judged[0], last=judged[-1])
        )
    if before:
        said.append(
            ngettext(
                "Of the {all} receipts in this packet {n} is of a night before {start}, to which a control looks back.",
                "Of the {all} receipts in this packet {n} are of nights before {start}, to which controls look back.",
                before,
                all=number(len(content.snapshots)),
                start=content.start,
            )
        )
    if records:
        said.append(
            ngettext(
                "The table of receipts also lists {n} record of the store itself that a finding rests on, such as an assessment of an earlier night; the packet carries it.",
                "The table of receipts also lists {n} records of the store itself that findings rest on, such as assessments of earlier nights; the packet carries them.",
                records,
            )
        )
    if named:
        said.append(
            ngettext(
                "The table of receipts names {n} receipt more, which a finding rests on and this packet does not carry.",
                "The table of receipts names {n} receipts more, which findings rest on and this packet does not carry.",
                named,
            )
        )
    return join(" ", said) if said else ""


def _about_itself(views: Sequence[ControlView]) -> Iterable[Phrase]:
    """Say first what stands open against this evidence itself."""
    named = [view.id for view in views if view.id in RELIABILITY and view.open_exceptions]
    if named:
        yield ngettext(
            "{n} open exception is against the reliability of this evidence itself: read {controls} first.",
            "{n} open exceptions are against the reliability of this evidence itself: read {controls} first.",
            sum(view.open_exceptions for view in views if view.id in RELIABILITY),
            controls=join(", ", named),
        )
    judging = [view for view in views if view.text.judges_findings and view.finding.exceptions]
    if judging:
        yield ngettext(
            "{n} exception is of a control that judges findings of others ({controls}): an item that is a finding stands with the control it is of too, where that one is in this packet.",
            "{n} exceptions are of controls that judge findings of others ({controls}): an item that is a finding stands with the control it is of too, where that one is in this packet.",
            sum(len(view.finding.exceptions) for view in judging),
            controls=join(", ", [view.id for view in judging]),
        )


def _lacking(reads: Sequence[Evidenced]) -> Phrase | str:
    """Say how many reads are missing or do not match, as a blind spot."""
    missing, other = sum(each.missing for each in reads), sum(each.not_matched for each in reads)
    if not missing and not other:
        return ""
    return _(
        "Of the reads that were due {missing} are missing and {other} do not match or were refused: what they would have shown is not "
        "known.",
        missing=number(missing),
        other=number(other),
    )


def _unread(content: Content) -> list[str]:
    """Return the datasets that controls of the packet may read and that no night has."""
    sealed = {fact.dataset for fact in content.snapshots}
    return sorted({name for text in content.controls for name in text.datasets} - sealed)


def _open(views: Sequence[ControlView]) -> list[tuple[ControlView, Interval]]:
    """The most severe open exceptions, oldest first within a severity; at most two of one control before others."""
    found: list[tuple[int, int, int, ControlView, Interval]] = []
    for view in views:
        still = nsmallest(_TOP, standing(view.finding, view.ages), key=lambda i: (-i.days_open, i.item))
        found += [(place // 2, grade(view.text.severity), -i.days_open, view, i) for place, i in enumerate(still)]
    found.sort(key=lambda row: (*row[:3], row[3].id, row[4].item))
    top = found[:_TOP]
    top.sort(key=lambda row: (row[1], row[2], row[3].id, row[4].item))
    return [(view, interval) for _, _, _, view, interval in top]

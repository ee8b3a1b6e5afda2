"""From values to what the templates show: sentences, tables and counts. Pure; every cap on rows is said on the page."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from evidence.control.coverage import RELIABILITY
from evidence.control.model import grade
from evidence.control.result import Disposed, Interval, NightFinding, PeriodFinding
from evidence.render import chart
from evidence.render.age import Ages, accepted, failing_since, standing
from evidence.render.changes import ChangeView, changes
from evidence.render.collected import Evidenced, collected, completeness_charts, evidenced
from evidence.render.inputs import Content, ControlText, Requirement, Response
from evidence.render.matrix import matrices
from evidence.render.matters import RULE, matters
from evidence.render.since import since
from evidence.render.text import number, parameter_text, reason_once
from evidence.render.trends import trends
from evidence.render.words import Phrase, _, join, ngettext

_TOP: Final = 8


@dataclass(frozen=True, slots=True)
class Unknown:
    """A run of not-assessed nights with one reason."""

    first: str
    last: str
    nights: int
    reason: str


@dataclass(frozen=True, slots=True)
class Cited:
    """A mapping of a control as printed: requirement, strength, and why it does not count where it does not."""

    framework: str
    requirement: Requirement
    strength: str
    refused: str


@dataclass(frozen=True, slots=True)
class ControlView:
    """One control's page."""

    text: ControlText
    finding: PeriodFinding
    sentence: str
    calendar: Markup
    populations: tuple[tuple[str, str], ...]
    unknown: tuple[Unknown, ...]
    evidence: tuple[Evidenced, ...]
    cited: tuple[Cited, ...]
    reviews_shown: tuple[Interval, ...]
    disposed: tuple[tuple[dt.date, Disposed], ...]
    responses: tuple[Response, ...]
    versions: tuple[str, ...]
    changes: tuple[ChangeView, ...]
    ages: Ages
    judged_on_less: tuple[Unknown, ...]

    @property
    def id(self) -> str:
        """The control's id, also its anchor."""
        return self.text.id

    def first_of(self, rows: Sequence[Interval], most: int) -> list[tuple[int, Interval]]:
        """Return at most so many of ``rows`` with their places, in their order; where some are left out open ones come in first."""
        chosen = sorted(enumerate(rows), key=lambda each: (not each[1].open, each[0]))[:most]
        return sorted(chosen, key=lambda each: each[0])

    def earlier(self, parameter: str) -> list[tuple[dt.date, str]]:
        """Return other values that a parameter had before, each with the last night it was used on."""
        used = [(each.end, each.parameters.get(parameter)) for each in self.finding.stretches]
        last = used[-1][1] if used else None
        return [(end, parameter_text(value)) for end, value in used[:-1] if value != last]

    @property
    def lasting(self) -> bool:
        """True if what fails is a state, that can be mended; an event is its night's own."""
        return self.text.mode == "state"

    def failing_since(self, each: Interval) -> dt.date | None:
        """Return since when the item has failed for any reason, if that is longer than for this one."""
        since = self.ages.get((each.item, each.reason, each.first_seen), each.first_seen)
        return since if since < each.first_seen else None

    def ruled_out(self, each: Interval) -> bool:
        """Say whether the exception ended with a change of the rule: the old one still notes the item on that night."""
        ended = each.remediated_on.isoformat() if each.remediated_on else ""
        return any(ended == change.night and (each.item, each.reason) in change.only_old for change in self.changes)

    @property
    def open_exceptions(self) -> int:
        """Exceptions that still failed on the last assessed night."""
        return sum(1 for item in self.finding.exceptions if item.open)


def build(content: Content) -> dict[str, Any]:
    """Return the template variables of ``content``."""
    findings = {finding.control: finding for finding in content.periods}
    by_night: dict[str, list[NightFinding]] = defaultdict(list)
    for night in content.nights:
        by_night[night.control].append(night)
    views = [_control(content, text, findings[text.id], by_night[text.id]) for text in content.controls]
    views.sort(key=lambda v: (v.text.family, v.id))
    strips = [(view.id, view.finding.strip) for view in views]
    return {
        "c": content,
        "controls": [view for view in views if view.id not in RELIABILITY],
        "reliability": [view for view in views if view.id in RELIABILITY],
        "strips": chart.heat_strips(
            strips, content.start, content.end, title=_("Status of each control on each night"), words=content.words
        ),
        "legend": chart.legend(content.words),
        "counts": _counts(views),
        "summary": _summary(content, views),
        "matters": matters(content),
        "matters_rule": RULE,
        "since": since(content),
        "trends": trends(content) if "trends" in content.report.shown else [],
        "open": _open(views),
        "accepted": accepted,
        "lacking": _lacking(collected(content)),
        "unread": _unread(content),
        "matrices": matrices(content),
        "completeness": completeness_charts(content),
        "collected": collected(content),
        "watermark": content.marks,
        "glossary": GLOSSARY,
    }


def _control(
    content: Content, text: ControlText, finding: PeriodFinding, nights: Sequence[NightFinding]
) -> ControlView:
    facts = [fact for fact in content.snapshots if fact.dataset in text.datasets]
    entries = {(c.id, r.id): r for c in content.catalogues for r in c.requirements}
    cited = [
        Cited(m.framework, entries[m.framework, m.requirement], m.strength, m.refused)
        for m in text.maps
        if (m.framework, m.requirement) in entries
    ]
    return ControlView(
        text=text,
        finding=finding,
        sentence=_sentence(finding),
        calendar=chart.calendar(
            finding.strip,
            content.start,
            content.end,
            title=_("Status of {control} on each night", control=text.id),
            words=content.words,
        ),
        populations=_populations(finding, nights),
        unknown=_unknown(finding),
        evidence=evidenced(content, text, facts),
        cited=tuple(sorted(cited, key=lambda item: (item.framework, item.strength, item.requirement.id))),
        reviews_shown=finding.reviews,
        disposed=tuple((night.night, record) for night in nights for record in night.disposed),
        responses=_responses(content, finding),
        versions=tuple(sorted({night.version for night in nights} | {text.version})),
        changes=changes(finding),
        ages=failing_since(finding),
        judged_on_less=_on_less(nights),
    )


def _responses(content: Content, finding: PeriodFinding) -> tuple[Response, ...]:
    noted = {(run.item, run.reason) for run in finding.exceptions}
    return tuple(r for r in content.responses if r.control == finding.control and (r.item, r.reason) in noted)


def _sentence(finding: PeriodFinding) -> Phrase:
    tested = number(finding.satisfied + finding.not_satisfied)
    nights = {"n": tested, "all": number(finding.expected)}
    parts = [
        _("Tested on {n} of {all} nights that were covered.", **nights)
        if finding.before_coverage
        else _("Tested on {n} of {all} nights of the period.", **nights)
    ]
    if finding.exceptions:
        still = sum(1 for item in finding.exceptions if item.open)
        if len(finding.exceptions) > 1:
            parts.append(
                ngettext(
                    "{n} exception noted, {open} of them still open on the last night tested.",
                    "{n} exceptions noted, {open} of them still open on the last night tested.",
                    len(finding.exceptions),
                    open=number(still),
                )
            )
        elif still:
            parts.append(_("1 exception noted, still open on the last night tested."))
        else:
            parts.append(_("1 exception noted, no longer open on the last night tested."))
    elif finding.status == "satisfied":
        parts.append(_("No exceptions noted in {n} item tests.", n=number(finding.tested_items)))
    if count := finding.not_assessed:
        parts.append(ngettext("{n} night not assessed.", "{n} nights not assessed.", count))
    if count := finding.not_applicable:
        parts.append(ngettext("{n} night not applicable.", "{n} nights not applicable.", count))
    if count := finding.before_coverage:
        parts.append(
            ngettext(
                "{n} night before coverage began, counted apart.",
                "{n} nights before coverage began, counted apart.",
                count,
            )
        )
    return join(" ", parts)


def _populations(finding: PeriodFinding, nights: Sequence[NightFinding]) -> tuple[tuple[str, str], ...]:
    tested = [night for night in nights if night.status in {"satisfied", "not-satisfied"}]
    sizes = [night.population for night in tested]
    rows: list[tuple[str, str]] = [(_("Item tests in the period"), number(finding.tested_items))]
    if sizes:
        last = max(tested, key=lambda night: night.night)
        rows += [
            (
                _("Population, smallest and largest night"),
                ngettext("{least} and {n} item", "{least} and {n} items", max(sizes), least=number(min(sizes))),
            ),
            (
                _("Population on {night}", night=last.night),
                ngettext(
                    "{n} item, {passed} passed",
                    "{n} items, {passed} passed",
                    last.population,
                    passed=number(last.passed),
                ),
            ),
            (
                _("Distinct populations"),
                ngettext(
                    "{distinct} over {n} night",
                    "{distinct} over {n} nights",
                    len(tested),
                    distinct=number(len({n.fingerprint for n in tested})),
                ),
            ),
        ]
    if finding.expected:
        rows.append((_("Longest run of nights not assessed"), number(finding.longest_gap)))
    return tuple(rows)


def _unknown(finding: PeriodFinding) -> tuple[Unknown, ...]:
    return _runs((night, reason_once(told)) for night, told in sorted(finding.unknown.items()))


def _on_less(nights: Iterable[NightFinding]) -> tuple[Unknown, ...]:
    """Return the nights on which exceptions were found though required evidence was not whole."""
    told = ((n.night.isoformat(), reason_once(n.detail)) for n in nights if n.status == "not-satisfied" and n.detail)
    return _runs(sorted(told))


def _runs(told: Iterable[tuple[str, str]]) -> tuple[Unknown, ...]:
    """Join (night, reason) of nights that follow each other with one reason."""
    found: list[Unknown] = []
    for night, reason in told:
        day = dt.date.fromisoformat(night)
        last = found[-1] if found else None
        if last and last.reason == reason and day - dt.date.fromisoformat(last.last) == dt.timedelta(days=1):
            found[-1] = Unknown(last.first, night, last.nights + 1, reason)
        else:
            found.append(Unknown(night, night, 1, reason))
    return tuple(found)


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


def _summary(content: Content, views: Sequence[ControlView]) -> tuple[str, ...]:
    counts = _counts(views)
    length = (content.end - content.start).days + 1
    sealed = [fact for fact in content.snapshots if content.start <= fact.night <= content.end]
    matched = sum(1 for fact in sealed if fact.status == "complete")
    return (
        ngettext(
            "{n} control tested on up to {nights}, {start} to {end} (UTC).",
            "{n} controls tested on up to {nights}, {start} to {end} (UTC).",
            counts["controls"],
            nights=ngettext("{n} night", "{n} nights", length),
            start=content.start,
            end=content.end,
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
                    "The findings rest on {n} sealed snapshot; {matched} match the totals the source returned, {others} do not, or were refused.",
                    "The findings rest on {n} sealed snapshots; {matched} match the totals the source returned, {others} do not, or were refused.",
                    len(sealed),
                    matched=number(matched),
                    others=number(len(sealed) - matched),
                ),
                ngettext(
                    "{n} more is missing.", "{n} more are missing.", sum(each.missing for each in collected(content))
                ),
                _(
                    "Without evidence that it requires a control does not pass a night; evidence that is optional to it can only turn a "
                    "failure into a pass."
                ),
            ),
        ),
        *_about_itself(views),
    )


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
            "{n} exception is of a control that judges findings of others ({controls}): its item stands with the other control too.",
            "{n} exceptions are of controls that judge findings of others ({controls}): their items stand with the other control too.",
            sum(len(view.finding.exceptions) for view in judging),
            controls=join(", ", [view.id for view in judging]),
        )


def _lacking(rows: Sequence[Evidenced]) -> Phrase | str:
    """Say how many reads are missing or do not match, as a blind spot."""
    missing, other = sum(row.missing for row in rows), sum(row.not_matched for row in rows)
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
        still = sorted(standing(view.finding), key=lambda i: (-i.days_open, i.item))
        found += [(place // 2, grade(view.text.severity), -i.days_open, view, i) for place, i in enumerate(still)]
    found.sort(key=lambda row: (*row[:3], row[3].id, row[4].item))
    top = found[:_TOP]
    top.sort(key=lambda row: (row[1], row[2], row[3].id, row[4].item))
    return [(view, interval) for _, _, _, view, interval in top]


GLOSSARY: Final = (
    (
        _("control"),
        _("the rule that is tested: statement, population, test, parameters and mappings, under one content digest"),
    ),
    (_("disposition"), _("what a named person judged of a review item, and when it was recorded")),
    (
        _("distinct populations"),
        _("how many different lists of items were tested over the nights: one means that nothing in scope changed"),
    ),
    (_("exception"), _("a population item that failed the test, for one reason, on a run of nights")),
    (
        _("finding"),
        _(
            "the conclusion for a control; over a period: no exceptions noted, exceptions noted, not assessed, or not applicable; "
            "findings.csv lists the exceptions and review items it rests on"
        ),
    ),
    (
        _("gone, past"),
        _(
            "gone: a state that a later night was tested without, which need not mean that it was mended; past: an event of its own nights, "
            "that stays noted"
        ),
    ),
    (
        _("mapping"),
        _(
            "which requirement a control speaks to; context only: the entry sets terms and asks for nothing to be tested"
        ),
    ),
    (
        _("night D"),
        _(
            "the events of UTC day D and the first capture of current state in the 24 hours after it; a missed night is missing"
        ),
    ),
    (
        _("not assessed"),
        _("evidence for the night is missing, refused, late, incomplete or undecided; it never counts in favour"),
    ),
    (_("population"), _("every item in scope of a control on one night, with its count and fingerprint")),
    (
        _("primary, supporting"),
        _("the control tests the requirement's own population and operation, or only speaks to part of it"),
    ),
    (
        _("receipt"),
        _("the record of a read: who read what, when, and the totals stated by the source and counted on arrival"),
    ),
    (
        _("review item"),
        _(
            "a hit that a person must judge before the night can be concluded; judged too late, or as no false alarm, it is an exception"
        ),
    ),
    (
        _("set aside"),
        _("rows that did not fit the dataset's form: kept apart, counted, and never part of a population"),
    ),
    (
        _("snapshot"),
        _("the rows of one dataset for one night, sealed write-once with their receipt and an entry in the log"),
    ),
    (_("waiver"), _("an accepted exception, with its approver and end; the item still counts as an exception")),
)

"""One control as its pages show it: finding, calendar, population, evidence, requirements, what changed. Pure."""

import datetime as dt
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from evidence.control.coverage import RELIABILITY
from evidence.control.longlist import column
from evidence.control.result import IN_TIME, Disposed, Interval, NightFinding, PeriodFinding, noted_among
from evidence.render import chart
from evidence.render.age import Ages, Key, failed_alike, failing_since, key_of
from evidence.render.alike import Row, rows_of
from evidence.render.changes import ChangeView, changes
from evidence.render.collected import Evidenced, evidenced
from evidence.render.inputs import Content, ControlText, Requirement, Response
from evidence.render.runs import Unknown, runs
from evidence.render.text import number, parameter_shown, reason_once
from evidence.render.words import Phrase, _, join, ngettext

DAYS: Final = _(
    "d: days after the night first seen, up to the night it was gone or, while it is open, the last night tested."
)


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
    reviews_shown: Sequence[Interval]
    disposed: tuple[tuple[dt.date, Disposed], ...]
    responses: tuple[Response, ...]
    versions: tuple[str, ...]
    changes: tuple[ChangeView, ...]
    ages: Ages
    alike: frozenset[Key]
    judged_on_less: tuple[Unknown, ...]

    @property
    def id(self) -> str:
        """The control's id, also its anchor."""
        return self.text.id

    @property
    def apart(self) -> bool:
        """Whether it tests the evidence itself: what it names is counted for no requirement."""
        return self.id in RELIABILITY

    def states(self, rows: Sequence[Interval]) -> tuple[Phrase, ...]:
        """Say what the states of ``rows`` mean, as far as they stand there, and how days are counted."""
        there = {"open" if each else "gone" if self.text.lasting else "past" for each in set(column(rows, "open"))}
        said = (
            ("open", _("Open: noted on the last night that was tested.")),
            ("gone", _("Gone: a later night was tested without it, which need not mean that it was mended.")),
            ("past", _("Past: an event of its own nights, which stays noted.")),
        )
        days = [DAYS] if there != {"past"} else []
        last = [_("Observed: as of the last night seen.")] if max(column(rows, "nights"), default=0) > 1 else []
        return (*(words for state, words in said if state in there), *days, *last)

    def rows_of(self, intervals: Sequence[Interval], most: int, *, join: bool) -> list[Row]:
        """Return at most so many rows of ``intervals``; with ``join`` those that differ by their item alone are one."""

        def said(each: Interval) -> Hashable:
            return self.failing_since(each), self.failed_alike(each), self.ruled_out(each)

        return rows_of(intervals, said, most, join=join)

    def earlier(self, parameter: str) -> list[tuple[dt.date, str]]:
        """Return other values that a parameter had before, each with the last night it was used on."""
        used = [(each.end, each.parameters.get(parameter)) for each in self.finding.stretches]
        last = used[-1][1] if used else None
        return [(end, parameter_shown(value)) for end, value in used[:-1] if value != last]

    def failing_since(self, each: Interval) -> dt.date | None:
        """Return since when the item has failed for any reason, if that is longer than for this one."""
        return self.ages.get(key_of(each))

    def failed_alike(self, each: Interval) -> bool:
        """Say whether the item has failed for this same reason before, since :meth:`failing_since`: the other one came between."""
        return key_of(each) in self.alike

    @property
    def undisposed(self) -> bool:
        """Say whether a hit that nobody judged in time is among the exceptions (``evidence.control.verdict``)."""
        return any(IN_TIME in expected for expected in column(self.finding.exceptions, "expected"))

    def ruled_out(self, each: Interval) -> bool:
        """Say whether the exception ended with a change of the rule: the old one still notes the item on that night."""
        ended = each.remediated_on.isoformat() if each.remediated_on else ""
        return any(ended == change.night and (each.item, each.reason) in change.only_old for change in self.changes)

    @property
    def open_exceptions(self) -> int:
        """Exceptions that still failed on the last assessed night."""
        return sum(column(self.finding.exceptions, "open"))


def control_view(
    content: Content, text: ControlText, finding: PeriodFinding, nights: Sequence[NightFinding]
) -> ControlView:
    """Return what the pages show of one control; ``nights`` are its findings in the period."""
    facts = [fact for fact in content.snapshots if fact.dataset in text.datasets]
    entries = {(c.id, r.id): r for c in content.catalogues for r in c.requirements}
    ages = failing_since(finding)
    cited = [
        Cited(m.framework, entries[m.framework, m.requirement], m.strength, m.refused)
        for m in text.maps
        if (m.framework, m.requirement) in entries
    ]
    return ControlView(
        text=text,
        finding=finding,
        sentence=_sentence(finding, lasting=text.lasting),
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
        ages=ages,
        alike=failed_alike(finding, ages),
        judged_on_less=_on_less(nights),
    )


def _responses(content: Content, finding: PeriodFinding) -> tuple[Response, ...]:
    given = [r for r in content.responses if r.control == finding.control]
    noted = noted_among(finding.exceptions, {(r.item, r.reason) for r in given})
    return tuple(r for r in given if (r.item, r.reason) in noted)


def _sentence(finding: PeriodFinding, *, lasting: bool) -> Phrase:
    tested = number(finding.satisfied + finding.not_satisfied)
    nights = {"n": tested, "all": number(finding.expected)}
    parts = [
        _("Tested on {n} of {all} nights that were covered.", **nights)
        if finding.before_coverage
        else _("Tested on {n} of {all} nights of the period.", **nights)
    ]
    if finding.exceptions:
        parts.append(_noted(len(finding.exceptions), sum(column(finding.exceptions, "open")), lasting=lasting))
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


def _noted(count: int, still: int, *, lasting: bool) -> Phrase:
    """Say how many exceptions there are and how many are open; what is not is gone, or, an event, past."""
    if count == 1:
        if still:
            return _("1 exception noted, open on the last night tested.")
        return _("1 exception noted, gone.") if lasting else _("1 exception noted, past.")
    left = {"open": number(still), "rest": number(count - still)}
    if lasting:
        return _("{n} exceptions noted: {open} open on the last night tested, {rest} gone.", n=number(count), **left)
    return _("{n} exceptions noted: {open} open on the last night tested, {rest} past.", n=number(count), **left)


def _populations(finding: PeriodFinding, nights: Sequence[NightFinding]) -> tuple[tuple[str, str], ...]:
    tested = [night for night in nights if night.status in {"satisfied", "not-satisfied"}]
    sizes = [night.population for night in tested]
    rows: list[tuple[str, str]] = [(_("Item tests in the period"), number(finding.tested_items))]
    if sizes:
        last = max(tested, key=lambda night: night.night)
        rows += [
            (
                _("Population, smallest and largest night"),
                ngettext("{n} item on every night tested", "{n} items on every night tested", max(sizes))
                if min(sizes) == max(sizes)
                else ngettext("{least} and {n} item", "{least} and {n} items", max(sizes), least=number(min(sizes))),
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
    return runs((night, reason_once(told)) for night, told in sorted(finding.unknown.items()))


def _on_less(nights: Iterable[NightFinding]) -> tuple[Unknown, ...]:
    """Return the nights on which exceptions were found though required evidence was not whole."""
    told = ((n.night.isoformat(), reason_once(n.detail)) for n in nights if n.status == "not-satisfied" and n.detail)
    return runs(sorted(told))

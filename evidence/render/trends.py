"""Trends of a packet: a drawing, its numbers and where they come from. Pure.

Three kinds come from sealed findings and receipts alone (policy coverage, open exceptions by age, completeness); the others
are series counted from the same evidence (``evidence.control.measure``), with their SQL printed.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from evidence.control.longlist import columns
from evidence.control.measure import Measured
from evidence.render import chart
from evidence.render.collected import completeness
from evidence.render.inputs import Content
from evidence.render.multiples import Row, multiples
from evidence.render.runs import Unknown, runs
from evidence.render.text import number, reason_once
from evidence.render.words import _, join, ngettext
from evidence.snapshot import canonical

COVERAGE: Final = (
    ("data-phi-mask-coverage", _("PHI columns masked")),
    ("data-phi-tag-coverage", _("PHI columns tagged")),
    ("data-phi-row-access", _("PHI tables with row access")),
)
_AGES: Final = ((0, _("open 0 to 6 days")), (7, _("open 7 to 29 days")), (30, _("open 30 days or more")))
_GAPS: Final = 3  # runs of nights that a sentence names
_MOST: Final = 8  # rows of a drawing; the rest is one row more
_COLLECTED: Final = {
    chart.PASS: _("snapshots matching"),
    chart.UNKNOWN: _("not matching or refused"),
    chart.FAIL: _("missing"),
}


@dataclass(frozen=True, slots=True)
class Numbers:
    """One row of the table beside a drawing."""

    label: str
    lowest: "At"
    highest: "At"
    last: "At"
    total: str
    gaps: str


@dataclass(frozen=True, slots=True)
class At:
    """A number and its night; ``value`` is ``-`` and ``night`` empty where there is none."""

    value: str
    night: str = ""


@dataclass(frozen=True, slots=True)
class Trend:
    """One trend as printed. ``sql`` and ``control`` are empty where it comes from findings or receipts alone."""

    id: str
    title: str
    about: str
    drawing: Markup
    numbers: tuple[Numbers, ...]
    rows: tuple[Row, ...]
    gaps: tuple[str, ...] = ()
    control: str = ""
    sql: str = ""


def trends(content: Content) -> list[Trend]:
    """Return the trends of a packet; one without any number is left out."""
    made = [
        _coverage(content),
        *(_measured(content, each) for each in content.measured),
        _ages(content),
        _collected(content),
    ]
    return [each for each in made if any(row.values for row in each.rows)]


def as_json(content: Content) -> bytes:
    """Return ``data/trends.json``: every number that is drawn, and every label of a counted series."""
    drawn = [
        {
            "id": each.id,
            "rows": [
                {
                    "label": row.label,
                    "values": {night.isoformat(): value for night, value in sorted(row.values.items())},
                    **({"of": {night.isoformat(): n for night, n in sorted(row.of.items())}} if row.of else {}),
                }
                for row in each.rows
            ],
        }
        for each in trends(content)
        if not each.sql
    ]
    body: dict[str, Any] = {
        "format": "evidence-trends-v1",
        "drawn": drawn,
        "counted": [each.to_json() for each in content.measured],
    }
    return canonical.encode(body)


def _trend(
    content: Content, name: str, title: str, about: str, rows: Sequence[Row], gaps: Sequence[str] = (), **more: str
) -> Trend:
    nights = chart.nights_of(content.start, content.end)
    drawing = multiples(
        rows,
        nights,
        title=title,
        about=join(" ", [about, _("The numbers are in the table below the drawing.")]),
        words=content.words,
    )
    return Trend(
        name, title, about, drawing, tuple(_numbers(row, nights) for row in rows), tuple(rows), tuple(gaps), **more
    )


def _numbers(row: Row, nights: Sequence[dt.date]) -> Numbers:
    found = [night for night in nights if night in row.values]
    gaps = number(len(nights) - len(found))
    if not found:
        return Numbers(row.label, At("-"), At("-"), At("-"), "" if row.of or row.stock else "-", gaps)

    def order(night: dt.date) -> int:
        return row.share(night) if row.of else row.values[night]

    def spelled(night: dt.date) -> str:
        if row.of:
            share, tenth = divmod(row.share(night), 10)
            return _(
                "{n} of {all} ({share} %)",
                n=number(row.values[night]),
                all=number(row.of[night]),
                share=".".join(map(str, (share, tenth))),
            )
        return number(row.values[night])

    low, high = min(found, key=order), max(found, key=order)
    total = "" if row.of or row.stock else number(sum(row.values.values()))
    low_at, high_at, last_at = (At(spelled(night), night.isoformat()) for night in (low, high, found[-1]))
    return Numbers(row.label, low_at, high_at, last_at, total, gaps)


def _coverage(content: Content) -> Trend:
    rows, gaps = [], []
    for control, label in COVERAGE:
        tested = [n for n in content.nights if n.control == control and n.status in {"satisfied", "not-satisfied"}]
        if tested:
            passed = {n.night: n.passed for n in tested if n.population}
            rows.append(Row(label, passed, {n.night: n.population for n in tested if n.population}))
            gaps += [join(": ", (label, told)) for told in _gaps(_untested(content, control, passed))]
    about = _(
        "Items that passed among the population of data-phi-mask-coverage, data-phi-tag-coverage and data-phi-row-access, "
        "from the sealed findings. Hatched: not assessed, or nothing to test. A scale need not begin at zero. Percentages are rounded down. A jump of the total is "
        "a change of what is in scope."
    )
    return _trend(content, "policy-coverage", _("Policy coverage"), about, rows, gaps)


def _untested(content: Content, control: str, counted: Collection[dt.date]) -> dict[dt.date, str]:
    """Return why each night of the period has no share."""
    found = {n.night: n for n in content.nights if n.control == control}
    told: dict[dt.date, str] = {}
    for night in chart.nights_of(content.start, content.end):
        if night not in counted:
            finding = found.get(night)
            if finding is None:
                told[night] = _("no assessment is sealed")
            elif finding.status == "not-assessed":
                told[night] = join(": ", (_("not assessed"), finding.reason))
            else:
                told[night] = _("nothing to test")
    return told


def _ages(content: Content) -> Trend:
    found: dict[str, Counter[dt.date]] = {label: Counter() for _, label in _AGES}
    nights = chart.nights_of(content.start, content.end)
    for finding in content.periods:
        spans = Counter(columns(finding.exceptions, "first_seen", "remediated_on"))
        for (first, gone), count in spans.items():
            for night in nights:
                if first <= night and (gone is None or night < gone):
                    age = (night - first).days
                    found[next(label for least, label in reversed(_AGES) if age >= least)][night] += count
    about = _(
        "Exceptions of every control in this packet by the days since they were first seen for their reason in the period. One counts until the night on "
        "which its control was tested without it; a night on which the control was not assessed ends none."
    )
    rows = [Row(label, {night: counts[night] for night in nights}, stock=True) for label, counts in found.items()]
    return _trend(content, "open-exceptions", _("Open exceptions by age"), about, rows)


def _collected(content: Content) -> Trend:
    counts: dict[str, Counter[dt.date]] = defaultdict(Counter)
    for _name, strip in completeness(content):
        for night, status in strip.items():
            counts[status][dt.date.fromisoformat(night)] += 1
    nights = chart.nights_of(content.start, content.end)
    rows = [Row(label, {night: counts[status][night] for night in nights}) for status, label in _COLLECTED.items()]
    about = _(
        "Snapshots of each dataset and source of this packet by night, from their receipts. Missing: nothing is sealed for the night."
    )
    return _trend(content, "completeness", _("Completeness of what was collected"), about, rows if counts else [])


def _measured(content: Content, measured: Measured) -> Trend:
    labels = sorted({label for found in measured.nights.values() for label in found})
    totals = {label: sum(found.get(label, 0) for found in measured.nights.values()) for label in labels}
    first = sorted(labels, key=lambda label: (-totals[label], label))
    rows = [Row(label, _of(measured.nights, [label])) for label in first[:_MOST]]
    if len(first) > _MOST:
        rows.append(Row(_("{n} others", n=number(len(first) - _MOST)), _of(measured.nights, first[_MOST:])))
    series = measured.series
    return _trend(
        content,
        series.id,
        series.title,
        series.about,
        rows,
        list(_gaps(measured.gaps)),
        control=series.control,
        sql=series.sql.strip(),
    )


def _of(nights: Mapping[dt.date, Mapping[str, int]], labels: Sequence[str]) -> dict[dt.date, int]:
    return {night: sum(found.get(label, 0) for label in labels) for night, found in nights.items()}


def _gaps(gaps: Mapping[dt.date, str]) -> Iterator[str]:
    by_reason: dict[str, list[Unknown]] = defaultdict(list)
    for run in runs((night.isoformat(), reason_once(why)) for night, why in sorted(gaps.items())):
        by_reason[run.reason].append(run)
    for why, found in by_reason.items():
        shown = join(", ", map(_span, found[:_GAPS]))
        left = len(found) - _GAPS
        if left > 0:
            said = ngettext("{shown} and {n} more time", "{shown} and {n} more times", left, shown=shown)
            nights = number(sum(run.nights for run in found))
            yield _("{nights}, {n} nights in all: {why}", nights=said, n=nights, why=why)
        else:
            yield join(": ", [shown, why])


def _span(run: Unknown) -> str:
    return run.first if run.nights == 1 else _("{first} to {last}", first=run.first, last=run.last)

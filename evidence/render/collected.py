"""What was collected: per dataset and source, how many nights are sealed and how their totals reconcile."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from evidence.render import chart
from evidence.render.inputs import Content, ControlText, SnapshotFact
from evidence.render.text import number
from evidence.render.words import Phrase, _, join, ngettext


@dataclass(frozen=True, slots=True)
class Evidenced:
    """One dataset of one source behind a control: nights sealed and how the totals reconcile."""

    source: str
    dataset: str
    nights: int
    matched: int
    not_matched: int
    missing: int
    source_rows: str
    landed: int
    quarantined: int
    masked: int
    first_index: int
    last_index: int
    claimed: int
    digest: str

    @property
    def said(self) -> Phrase:
        """What a row of the table holds, in words: paper has a line of it for each dataset, up to the digest of its receipts."""
        alike = self.source_rows == number(self.landed)
        other = self.not_matched + self.missing
        parts = [
            ngettext("{n} night matches", "{n} nights match", self.matched),
            _("{n} other or missing", n=number(other)) if other else "",
            ngettext("{n} row stated and landed", "{n} rows stated and landed", self.landed)
            if alike
            else _(
                "rows at the source: {stated}, landed: {landed}", stated=self.source_rows, landed=number(self.landed)
            ),
            _("{n} quarantined", n=number(self.quarantined)) if self.quarantined else "",
        ]
        entries = _("log entries {first} … {last}", first=number(self.first_index), last=number(self.last_index))
        return join("; ", [join(", ", filter(None, parts)), entries, _("receipts")])


def evidenced(content: Content, text: ControlText, facts: Sequence[SnapshotFact]) -> tuple[Evidenced, ...]:
    """Return the rows of a control's evidence table; a dataset that was never sealed is a row of its own."""
    nights = set(chart.nights_of(content.start, content.end))
    rows: list[Evidenced] = []
    ordered = sorted(facts, key=lambda f: (f.dataset, f.source, f.night, f.revision))
    for (dataset, source), group in groupby(ordered, key=lambda f: (f.dataset, f.source)):
        latest = {fact.night: fact for fact in group if fact.night in nights}
        if latest:
            rows.append(_reconciled(source, dataset, list(latest.values()), len(nights)))
    seen = {row.dataset for row in rows}
    rows += [
        Evidenced("-", name, 0, 0, 0, len(nights), "-", 0, 0, 0, 0, 0, 0, "")
        for name in text.datasets
        if name not in seen
    ]
    return tuple(rows)


def _reconciled(source: str, dataset: str, facts: Sequence[SnapshotFact], expected: int) -> Evidenced:
    matched = sum(1 for f in facts if f.status == "complete")
    stated = [f.source_rows for f in facts if f.source_rows is not None]
    return Evidenced(
        source=source,
        dataset=dataset,
        nights=len(facts),
        matched=matched,
        not_matched=len(facts) - matched,
        missing=expected - len(facts),
        source_rows=number(sum(stated)) if stated else _("not stated"),
        landed=sum(f.landed for f in facts),
        quarantined=sum(f.quarantined for f in facts),
        masked=sum(f.masked for f in facts),
        first_index=min(f.log_index for f in facts),
        last_index=max(f.log_index for f in facts),
        claimed=sum(1 for f in facts if f.as_of_claimed),
        digest=hashlib.sha256("".join(f.manifest_sha256 + "\n" for f in facts).encode()).hexdigest(),
    )


def collected(content: Content) -> list[Evidenced]:
    """Return one row per dataset and source of the whole packet."""
    rows: list[Evidenced] = []
    datasets = sorted({fact.dataset for fact in content.snapshots})
    nights = set(chart.nights_of(content.start, content.end))
    for dataset in datasets:
        facts = sorted(
            (f for f in content.snapshots if f.dataset == dataset and f.night in nights),
            key=lambda f: (f.source, f.night, f.revision),
        )
        for source, group in groupby(facts, key=lambda f: f.source):
            latest = {fact.night: fact for fact in group}
            rows.append(_reconciled(source, dataset, list(latest.values()), len(nights)))
    return rows


def completeness(content: Content) -> list[tuple[str, Mapping[str, str]]]:
    """Return dataset by night in the same marks as findings: sealed and matching, not matching or refused, missing."""
    rows: dict[str, dict[str, str]] = defaultdict(dict)
    nights = chart.nights_of(content.start, content.end)
    several = len({fact.source for fact in content.snapshots}) > 1
    for fact in sorted(content.snapshots, key=lambda f: (f.dataset, f.source, f.night, f.revision)):
        name = f"{fact.dataset} ({fact.source})" if several else fact.dataset
        if content.start <= fact.night <= content.end:
            rows[name][fact.night.isoformat()] = chart.PASS if fact.status == "complete" else chart.UNKNOWN
    for strip in rows.values():
        for night in nights:
            strip.setdefault(night.isoformat(), chart.FAIL)
    return sorted(rows.items())


def completeness_charts(content: Content) -> tuple[Markup, ...]:
    """Return the strips of datasets by nights."""
    return chart.heat_strips(
        completeness(content),
        content.start,
        content.end,
        title=_("Whether each dataset was sealed for each night"),
        words=content.words,
    )

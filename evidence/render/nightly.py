"""One night in a minute: what is new, gone, open, not assessed, not collected, about to expire (docs/formats/packet.md). Pure.

New and gone are said of items whose control was assessed on both nights, and of nothing else: an item that does not fail where
evidence is missing has not recovered.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from evidence.control.model import grade
from evidence.control.result import NightFinding, Observation, PeriodFinding
from evidence.render.inputs import Content, ControlText
from evidence.render.text import number
from evidence.render.words import Phrase, _, join, ngettext
from evidence.snapshot import canonical

FORMAT: Final = "evidence-night-v1"
FILE: Final = "night.json"
AGES: Final = (
    (1, 1, _("this night")),
    (2, 7, _("2 to 7 nights")),
    (8, 30, _("8 to 30 nights")),
    (31, 0, _("31 nights or more")),
)
_ASSESSED: Final = frozenset({"satisfied", "not-satisfied"})
_COLLECTED: Final = frozenset({"complete", "provisional", "late"})  # words of evidence.status: sealed, totals match
_NOT_DUE: Final = frozenset({"not due", "before coverage", "not captured"})
Key = tuple[str, str, str]  # control, item, reason
Since = Literal["new", "continuing", "other reason", "not compared"]


@dataclass(frozen=True, slots=True)
class Window:
    """What became of one dataset of one source: ``word`` as `evidence status` says it, ``reason`` as the receipt states it."""

    source: str
    dataset: str
    word: str
    reason: str = ""
    entry: int | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """What ends soon, or has just ended: a waiver, a statement, a promise of management; ``on`` is the first day without it."""

    kind: str
    name: str
    what: str
    on: dt.date


@dataclass(frozen=True, slots=True)
class Read:
    """A sealed assessment that the brief reads: its night, log entry and SHA-256."""

    night: dt.date
    entry: int
    sha256: str


@dataclass(frozen=True, slots=True)
class NightFacts:
    """What a brief needs beside the night's own findings. ``before`` is empty where the night before was not assessed.

    ``since`` says from which night on the item of an open exception has failed without a break, for whatever reason
    (``evidence.render.age``), looking back to ``back_to`` through the assessments ``read``.
    """

    night: dt.date
    assessed_before: bool
    before: tuple[NightFinding, ...]
    since: Mapping[Key, dt.date]
    back_to: dt.date
    read: tuple[Read, ...]
    windows: tuple[Window, ...]
    ending: tuple[Ending, ...]


@dataclass(frozen=True, slots=True)
class OpenItem:
    """An exception of the night. ``nights`` counts from ``since``, as :class:`NightFacts` has it; ``or_more``: as far back as was looked."""

    text: ControlText
    seen: Observation
    since: dt.date
    nights: int
    or_more: bool
    change: Since
    waiver: str


@dataclass(frozen=True, slots=True)
class GoneItem:
    """An exception of the night before that no longer fails; ``known`` is False where the night cannot say so."""

    text: ControlText
    seen: Observation
    known: bool


@dataclass(frozen=True, slots=True)
class Unassessed:
    """Controls that are not assessed for one reason."""

    reason: str
    detail: str
    controls: tuple[str, ...]
    severity: str
    waiting: int  # items that wait for a person


@dataclass(frozen=True, slots=True)
class Morning:
    """What the page shows; every list is whole, the page says where it cuts."""

    facts: NightFacts
    before: dt.date
    open: tuple[OpenItem, ...]
    gone: tuple[GoneItem, ...]
    lost: tuple[GoneItem, ...]
    unassessed: tuple[Unassessed, ...]
    ages: tuple[tuple[str, Mapping[str, int]], ...]
    collected: int
    due: int
    lacking: tuple[Window, ...]
    lead: tuple[str, ...]
    idle: frozenset[str]  # controls whose sources recorded nothing to test
    counts: Mapping[str, int]

    @property
    def new(self) -> tuple[OpenItem, ...]:
        """Exceptions that the night before did not have, though it was assessed."""
        return tuple(each for each in self.open if each.change == "new")

    @property
    def not_compared(self) -> tuple[OpenItem, ...]:
        """Exceptions of controls that were not assessed the night before."""
        return tuple(each for each in self.open if each.change == "not compared")

    @property
    def still(self) -> tuple[OpenItem, ...]:
        """Exceptions that are not new, the most severe first, then the oldest: what a cut leaves out is the least."""
        return tuple(sorted((e for e in self.open if e.change != "new"), key=_by_severity_and_age))

    def severities(self, rows: Sequence[OpenItem | GoneItem]) -> Phrase:
        """Say how many of ``rows`` are of each severity, the gravest first."""
        found = Counter(each.text.severity for each in rows)
        said = [_("{n} {severity}", n=number(found[each]), severity=_(each)) for each in sorted(found, key=grade)]
        return join(", ", said)


def morning(content: Content) -> Morning | None:
    """Return the brief of ``content``, or None for a packet that is none."""
    facts = content.night
    if facts is None:
        return None
    texts = {text.id: text for text in content.controls}
    now = {f.control: f for f in content.nights if f.control in texts}
    then = {f.control: f for f in facts.before if f.control in texts}
    found = tuple(sorted(_open(facts, texts, now, then), key=_by_severity))
    left = sorted(_gone(texts, now, then), key=lambda each: (_rank(each.text), each.text.id, each.seen.item))
    due = [window for window in facts.windows if window.word not in _NOT_DUE]
    lacking = tuple(window for window in due if window.word not in _COLLECTED)
    unassessed = tuple(_unassessed(texts, now.values()))
    gone, lost = tuple(e for e in left if e.known), tuple(e for e in left if not e.known)
    idle = frozenset(f.control for f in content.periods if f.control in now and _idle(now[f.control], f))
    counts = {
        "new": sum(each.change == "new" for each in found),
        "gone": len(gone),
        "open": len(found),
        "not_assessed": sum(len(each.controls) for each in unassessed),
        "idle": len(idle),
        "controls": len(now),
    }
    return Morning(
        facts=facts,
        before=facts.night - dt.timedelta(days=1),
        open=found,
        gone=gone,
        lost=lost,
        unassessed=unassessed,
        ages=tuple(_ages(found)),
        collected=len(due) - len(lacking),
        due=len(due),
        lacking=lacking,
        lead=tuple(_lead(facts, found, counts, len(due), len(lacking))),
        idle=idle,
        counts=counts,
    )


def night_json(found: Morning) -> dict[str, Any]:
    """Return ``data/night.json``: all rows of the brief, and the sealed assessments they are from."""
    return {
        "format": FORMAT,
        "night": found.facts.night.isoformat(),
        "before": found.before.isoformat(),
        "before_assessed": found.facts.assessed_before,
        "back_to": found.facts.back_to.isoformat(),
        "assessments": [
            {"night": each.night.isoformat(), "entry": each.entry, "sha256": each.sha256} for each in found.facts.read
        ],
        "open": [
            {**_spelled(e.text, e.seen), "since": e.since.isoformat(), "or_earlier": e.or_more, "change": e.change, "waiver": e.waiver}
            for e in found.open
        ],
        "gone": [_spelled(each.text, each.seen) for each in found.gone],
        "not_known_to_be_gone": [_spelled(each.text, each.seen) for each in found.lost],
        "not_assessed": [
            {"reason": e.reason, "detail": e.detail, "controls": list(e.controls), "waiting": e.waiting} for e in found.unassessed
        ],
        "windows": [
            {"source": w.source, "dataset": w.dataset, "word": w.word, "reason": w.reason, "entry": w.entry} for w in found.facts.windows
        ],
        "ending": [{"kind": e.kind, "name": e.name, "what": e.what, "on": e.on.isoformat()} for e in found.facts.ending],
    }  # fmt: skip


def night_file(content: Content) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield the file of a brief, by its name below ``data/``."""
    found = morning(content)
    if found is not None:
        yield FILE, iter([canonical.encode(night_json(found))])


def _spelled(text: ControlText, seen: Observation) -> dict[str, str]:
    names = ("item", "reason", "observed", "expected")
    return {"control": text.id, "severity": text.severity, **{name: getattr(seen, name) for name in names}}


def _open(
    facts: NightFacts,
    texts: Mapping[str, ControlText],
    now: Mapping[str, NightFinding],
    then: Mapping[str, NightFinding],
) -> Iterator[OpenItem]:
    for control, finding in now.items():
        earlier = then.get(control)
        known = {(e.item, e.reason) for e in earlier.exceptions} if earlier else set()
        items = {item for item, _ in known}
        waivers = {(each.item, each.reason): each.waiver for each in finding.waived}
        for seen in finding.exceptions:
            place = (seen.item, seen.reason)
            compared = earlier is not None and earlier.status in _ASSESSED
            change: Since = "new" if compared else "not compared"
            if seen.item in items:
                change = "continuing" if place in known else "other reason"
            since = facts.night if change == "new" else facts.since.get((control, *place), facts.night)
            nights = (facts.night - since).days + 1
            edge = since == facts.back_to and since < facts.night
            yield OpenItem(texts[control], seen, since, nights, edge, change, waivers.get(place, ""))


def _gone(
    texts: Mapping[str, ControlText], now: Mapping[str, NightFinding], then: Mapping[str, NightFinding]
) -> Iterator[GoneItem]:
    for control, earlier in then.items():
        finding = now.get(control)
        left = {each.item for each in finding.exceptions} if finding else set()
        for seen in earlier.exceptions:
            if seen.item not in left:  # for another reason it has not recovered
                yield GoneItem(texts[control], seen, finding is not None and _shows(finding, earlier))


def _shows(finding: NightFinding, earlier: NightFinding) -> bool:
    """Say whether the night can show that an item no longer fails: a night with exceptions may still lack evidence."""
    if finding.status != "not-satisfied":
        return finding.status == "satisfied"

    def whole(of: NightFinding) -> set[tuple[str, str]]:
        return {(each.source, each.dataset) for each in of.inputs if each.status == "complete"}

    partly = {(each.source, each.dataset) for each in finding.inputs if each.status != "complete"}
    return not finding.reason and not partly and whole(earlier) <= whole(finding)


def _unassessed(texts: Mapping[str, ControlText], findings: Iterable[NightFinding]) -> Iterator[Unassessed]:
    grouped: dict[tuple[str, str], list[NightFinding]] = defaultdict(list)
    for each in findings:
        if each.status == "not-assessed":
            detail = "" if each.reason == "pending-review" else each.detail
            grouped[each.reason, detail].append(each)
    groups = []
    for (reason, detail), found in grouped.items():
        names = tuple(sorted((f.control for f in found), key=lambda name: (_rank(texts[name]), name)))
        groups.append(
            Unassessed(reason, detail, names, texts[names[0]].severity, sum(len(each.reviews) for each in found))
        )
    yield from sorted(groups, key=lambda each: (_rank(texts[each.controls[0]]), each.reason, each.detail))


def _idle(finding: NightFinding, over: PeriodFinding) -> bool:
    """Say whether nothing was recorded to test: that concludes nothing without a signed statement (auditor-rules section 1)."""
    return finding.status == "not-applicable" and over.status == "not-assessed"


def _ages(found: Sequence[OpenItem]) -> Iterator[tuple[str, Mapping[str, int]]]:
    for first, last, words in AGES:
        yield (
            words,
            Counter(each.text.severity for each in found if first <= each.nights and (not last or each.nights <= last)),
        )


def _lead(
    facts: NightFacts, found: Sequence[OpenItem], counts: Mapping[str, int], due: int, lacking: int
) -> Iterator[Phrase]:
    before = facts.night - dt.timedelta(days=1)
    first = min(found, key=lambda each: (each.since, not each.or_more), default=None)
    oldest = first_night(first) if first else ""
    if facts.assessed_before:
        said = ngettext(
            "{n} exception is new since the night of {before}, {gone} no longer there.",
            "{n} exceptions are new since the night of {before}, {gone} no longer there.",
            counts["new"],
            before=before,
            gone=number(counts["gone"]),
        )
    else:
        said = _(
            "The night before, {before}, was not assessed: what is new and what is gone is not known.", before=before
        )
    yield join(
        " ",
        [
            said,
            ngettext(
                "{n} is open, the oldest since {oldest}.",
                "{n} are open, the oldest since {oldest}.",
                len(found),
                oldest=oldest,
            )
            if found
            else _("None is open."),
        ],
    )
    lacks = counts["not_assessed"]
    yield (
        _("{n} of {all} controls could not be assessed.", n=number(lacks), all=number(counts["controls"]))
        if lacks
        else _("All {n} controls were assessed or had nothing to test.", n=number(counts["controls"]))
    )
    reads = {"matched": number(due - lacking), "due": number(due)}
    if not lacking:
        yield _("{matched} of {due} reads that were due match what the source returned.", **reads)
        return
    yield ngettext(
        "{matched} of {due} reads that were due match what the source returned; {n} does not or were not made.",
        "{matched} of {due} reads that were due match what the source returned; {n} do not or were not made.",
        lacking,
        **reads,
    )


def first_night(each: OpenItem) -> str:
    """Say since when it has failed; ``or before`` where nobody looked further back."""
    return _("{day} or before", day=each.since.isoformat()) if each.or_more else each.since.isoformat()


def _rank(text: ControlText) -> int:
    return grade(text.severity)


def _by_severity(each: OpenItem) -> tuple[Any, ...]:
    return (_rank(each.text), each.text.id, each.seen.item, each.seen.reason)


def _by_severity_and_age(each: OpenItem) -> tuple[Any, ...]:
    return (_rank(each.text), each.since, not each.or_more, *_by_severity(each)[1:])

"""What changed since the packet before: exceptions, populations, rules and controls, from sealed findings of both. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from evidence.control import compare
from evidence.control.compare import Change
from evidence.control.result import PeriodFinding
from evidence.render.inputs import Content
from evidence.render.text import number
from evidence.render.words import _, concluded

_CHANGES: Final[tuple[Change, ...]] = ("new", "reopened", "repeated", "closed")
_ONE_IN: Final = 10  # a population that moved by less than a tenth is not called changed


@dataclass(frozen=True, slots=True)
class Moved:
    """A control that is not as it was: counts of exceptions by change, and what else is different in words."""

    control: str
    before: str
    after: str
    counts: tuple[int, int, int, int]  # new, reopened, repeated, closed
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Since:
    """The comparison. ``missing`` says why there is none; ``totals`` are sentences."""

    missing: str
    packet: str
    period: str
    totals: tuple[str, ...] = ()
    moved: tuple[Moved, ...] = ()


def since(content: Content) -> Since:
    """Return what differs between the packet before and this one."""
    before = content.before
    if before.missing:
        return Since(before.missing, before.packet, "")
    found: dict[str, Counter[Change]] = {finding.control: Counter() for finding in content.periods}
    for each in compare.compared(before.periods, content.periods):
        if each.control in found:
            found[each.control][each.change] += 1
    moved = tuple(_moved(content, found))
    return Since(
        "",
        before.packet,
        _("{start} to {end}", start=before.start, end=before.end),
        tuple(_totals(content, found, moved)),
        moved,
    )


def _totals(content: Content, found: Mapping[str, Counter[Change]], moved: tuple[Moved, ...]) -> Iterator[str]:
    counts = sum(found.values(), Counter[Change]())
    yield (
        _(
            "Exceptions: {new} new, {reopened} reopened, {repeated} repeated, {closed} closed.",
            **{name: number(counts[name]) for name in _CHANGES},
        )
    )
    earlier = {finding.control for finding in content.before.periods}
    added = [text.id for text in content.controls if text.id not in earlier]
    rules = sum(1 for each in moved if any(note.startswith(("version", "the same version")) for note in each.notes))
    yield (
        _(
            "Controls: {added} added, {removed} removed, {rules} with another version, text, mapping or parameter.",
            added=number(len(added)),
            removed=number(len(content.before.removed)),
            rules=number(rules),
        )
    )
    if content.before.removed:
        yield _("No longer in the library: {controls}.", controls=", ".join(content.before.removed))


def _moved(content: Content, found: Mapping[str, Counter[Change]]) -> Iterator[Moved]:
    earlier = {finding.control: finding for finding in content.before.periods}
    for finding in sorted(content.periods, key=lambda each: each.control):
        counts, was = found[finding.control], earlier.get(finding.control)
        notes = tuple(_notes(content, was, finding))
        if any(counts.values()) or notes or was is None or was.status != finding.status:
            yield Moved(
                finding.control,
                concluded(was.conclusion) if was else _("not in the packet before"),
                concluded(finding.conclusion),
                (counts["new"], counts["reopened"], counts["repeated"], counts["closed"]),
                notes,
            )


def _notes(content: Content, was: PeriodFinding | None, now: PeriodFinding) -> Iterator[str]:
    if was is None:
        yield _("added")
        return
    version = next((text.version for text in content.controls if text.id == now.control), "")
    old = content.before.versions.get(now.control, "")
    if old != version:
        yield _("version {old}, now {new}: text, SQL or mappings changed", old=old, new=version)
    elif was.stretches and now.stretches and dict(was.stretches[-1].parameters) != dict(now.stretches[-1].parameters):
        yield _("the same version with other parameters")
    average_was, average = (each.tested_items // max(1, each.satisfied + each.not_satisfied) for each in (was, now))
    if abs(average - average_was) * _ONE_IN > max(average, average_was):
        old, new = number(average_was), number(average)
        yield _("population of a night, on average: {old}, now {new}", old=old, new=new)

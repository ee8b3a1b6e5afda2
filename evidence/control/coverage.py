"""Which requirements of a framework are covered, by what strength, and what a period says on them (design.md section 8).

Pure. A requirement is concluded by its primary controls alone, worst first: supporting controls are shown and never conclude. A
mapping whose parameters are set looser than it accepts is listed and does not count; what its control found is not forgotten
either: its exceptions stay, and it can no longer conclude. A parent is never greener than what stands below it.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from evidence.control.model import Control, Library, Mapped
from evidence.control.result import FindingStatus, PeriodFinding
from evidence.errors import ControlError

Coverage = Literal["primary", "supporting", "manual", "inherited", "none"]
Rollup = FindingStatus | Literal["not-concluded"]
STRONGEST_FIRST: Final[tuple[Coverage, ...]] = ("primary", "supporting", "manual", "inherited", "none")
WORST_FIRST: Final[tuple[Rollup, ...]] = (
    "not-satisfied",
    "not-assessed",
    "not-concluded",
    "satisfied",
    "not-applicable",
)
RELIABILITY: Final = frozenset(
    {
        "monitor-collection-complete",
        "monitor-collector-visibility",
        "monitor-evidence-integrity",
        "monitor-pipeline-state",
    }
)  # auditor-rules section 2, and what we say of ourselves beside it: reported apart, they cover no requirement
NO_CONCLUSION: Final[Mapping[Coverage, str]] = {
    "supporting": "no conclusion: supporting evidence only",
    "manual": "no conclusion: needs a signed statement",
    "inherited": "no conclusion: rests on the provider's report",
    "none": "no conclusion: uncovered",
}
_BY_MODE: Final[Mapping[str, Coverage | None]] = {
    "attestation": "manual",
    "inherited": "inherited",
    "container": None,
    "not_applicable": None,
}
_OWN_TEST: Final = frozenset({"automated", "partial"})


class Entry(Protocol):
    """What is read of a catalogue's line."""

    @property
    def id(self) -> str:
        """The requirement's id."""

    @property
    def parent(self) -> str | None:
        """The id it stands under; empty or None at the top."""

    @property
    def evidence_mode(self) -> str:
        """How it can be shown: automated, partial, attestation, inherited, not_applicable, container."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One mapping of one control, with the control's finding for the period where there is one.

    ``refused`` says why the mapping does not count; empty where it does.
    """

    control: str
    requirement: str
    strength: Literal["primary", "supporting"]
    refused: str = ""
    status: FindingStatus = "not-assessed"
    conclusion: str = "not assessed: no finding for the period"
    exceptions: int = 0

    @property
    def says(self) -> Rollup:
        """What a primary mapping gives to its requirement: exceptions always, nothing better than unknown if refused."""
        return _worst((self.status, "not-assessed")) if self.refused else self.status


@dataclass(frozen=True, slots=True)
class Covered:
    """One requirement: how it is covered, by which mappings, and its word for the period.

    ``coverage`` is None for headings and for context (definitions, applicability) that nothing maps to. ``parts`` counts the
    coverage of everything below. ``rollup`` and ``conclusion`` are None and empty without a period or where nothing is to conclude.
    """

    requirement: str
    coverage: Coverage | None
    claims: tuple[Claim, ...]
    parts: Mapping[Coverage, int] = field(default_factory=dict)
    rollup: Rollup | None = None
    conclusion: str = ""

    def counted(self, strength: Literal["primary", "supporting"]) -> tuple[Claim, ...]:
        """Mappings of one strength that count."""
        return tuple(claim for claim in self.claims if claim.strength == strength and not claim.refused)

    @property
    def refused(self) -> tuple[Claim, ...]:
        """Mappings that do not count, with the reason in each."""
        return tuple(claim for claim in self.claims if claim.refused)


def cover(entries: Iterable[Entry], claims: Iterable[Claim], *, period: bool = False) -> tuple[Covered, ...]:
    """Return the coverage of every entry, in the catalogue's order; with ``period`` the word of each too.

    Raises ``ControlError`` for a claim on an id that is not in the catalogue, and for parents that go in a circle.
    """
    tree = _Tree(tuple(entries), tuple(claims))
    return tuple(tree.covered(entry, period=period) for entry in tree.entries)


def claims_of(
    library: Library,
    framework: str,
    periods: Iterable[PeriodFinding] = (),
    *,
    night: dt.date | None = None,
) -> list[Claim]:
    """Return what the controls of ``library`` claim on ``framework``; on ``night`` what is switched off does not count."""
    findings = {finding.control: finding for finding in periods}
    return [
        claim(control.id, mapped, refusal(control, mapped, findings.get(control.id), night), findings.get(control.id))
        for control in library.controls.values()
        if control.id not in RELIABILITY
        for mapped in control.maps
        if mapped.framework == framework
    ]


class _Mapping(Protocol):
    @property
    def requirement(self) -> str: ...

    @property
    def strength(self) -> Literal["primary", "supporting"]: ...


def claim(control: str, mapped: _Mapping, refused: str, finding: PeriodFinding | None) -> Claim:
    """Return a mapping as a claim; without a finding it is not assessed."""
    if finding is None:
        return Claim(control, mapped.requirement, mapped.strength, refused)
    return Claim(
        control,
        mapped.requirement,
        mapped.strength,
        refused,
        finding.status,
        finding.conclusion,
        len(finding.exceptions),
    )


def refusal(
    control: Control, mapped: Mapped, finding: PeriodFinding | None = None, night: dt.date | None = None
) -> str:
    """Say why a mapping does not count, or return an empty text.

    Over a period the parameters that were in force decide, each stretch by its own; one loose stretch is enough.
    """
    if night is not None and control.disabled(night):
        return f"switched off until {control.disabled_until}"
    if finding is None or not finding.stretches:
        return _spelled(mapped, control.too_loose(mapped))
    for stretch in finding.stretches:
        if loose := control.too_loose(mapped, stretch.parameters):
            return f"{_spelled(mapped, loose)}, {stretch.start} to {stretch.end}"
    return ""


def tally(covered: Iterable[Covered]) -> dict[Coverage, int]:
    """Count requirements by coverage, strongest first, headings and context left out."""
    counts = Counter(each.coverage for each in covered if each.coverage)
    return {coverage: counts[coverage] for coverage in STRONGEST_FIRST}


class _Tree:
    """The catalogue's containers; every answer is worked out once."""

    def __init__(self, entries: tuple[Entry, ...], claims: tuple[Claim, ...]) -> None:
        self.entries = entries
        self.children: dict[str, list[Entry]] = {entry.id: [] for entry in entries}
        self.claims: dict[str, list[Claim]] = {entry.id: [] for entry in entries}
        for each in claims:
            if each.requirement not in self.claims:
                raise ControlError(
                    f"{each.control} maps to {each.requirement!r}, which is not in the catalogue",
                    fix="correct the mapping, or give the catalogue the control was written for",
                )
            self.claims[each.requirement].append(each)
        _refuse_circles(entries)
        for entry in entries:
            if entry.parent in self.children:
                self.children[entry.parent].append(entry)
        self._below = {entry.id: self._descendants(entry) for entry in entries}
        self._coverage: dict[str, Coverage | None] = {}
        self._words: dict[str, Rollup | None] = {}

    def covered(self, entry: Entry, *, period: bool) -> Covered:
        parts = Counter(self.coverage(below) for below in self._below[entry.id])
        rollup = self.rollup(entry) if period else None
        return Covered(
            requirement=entry.id,
            coverage=self.coverage(entry),
            claims=tuple(sorted(self.claims[entry.id], key=lambda c: (bool(c.refused), c.strength, c.control))),
            parts={coverage: parts[coverage] for coverage in STRONGEST_FIRST if parts[coverage]},
            rollup=rollup,
            conclusion=self._conclusion(entry, rollup) if rollup else "",
        )

    def coverage(self, entry: Entry) -> Coverage | None:
        """Mappings that count decide; without any, a standard stands for its parts and is as weak as the weakest."""
        if entry.id not in self._coverage:
            counted = {claim.strength for claim in self.claims[entry.id] if not claim.refused}
            self._coverage[entry.id] = (
                "primary" if "primary" in counted else "supporting" if counted else self._unclaimed(entry)
            )
        return self._coverage[entry.id]

    def _unclaimed(self, entry: Entry) -> Coverage | None:
        own = _BY_MODE.get(entry.evidence_mode, "none")
        if own is None:
            return "none" if self.claims[entry.id] else None
        below = [each for child in self.children[entry.id] if (each := self.coverage(child))]
        return max(below if self._follows(entry) else (*below, own), key=STRONGEST_FIRST.index)

    def _follows(self, entry: Entry) -> bool:
        """True for what nothing maps to and what is tested through its parts, if at all."""
        tested = entry.evidence_mode in _OWN_TEST and not self.claims[entry.id]
        return tested and any(self.coverage(child) for child in self.children[entry.id])

    def rollup(self, entry: Entry) -> Rollup | None:
        """Return the worst of the primary controls and of everything below; None where nothing is to conclude."""
        if entry.id not in self._words:
            words = [self._own(entry), *(self.rollup(child) for child in self.children[entry.id])]
            known = [word for word in words if word]
            self._words[entry.id] = _worst(known) if known else None
        return self._words[entry.id]

    def _own(self, entry: Entry) -> Rollup | None:
        primary = [claim.says for claim in self.claims[entry.id] if claim.strength == "primary"]
        if primary:
            return _worst(primary)
        return None if self.coverage(entry) is None or self._follows(entry) else "not-concluded"

    def _conclusion(self, entry: Entry, rollup: Rollup) -> str:
        primary = self._primary(entry)
        unknown = sum(1 for claims in primary.values() if _worst(c.says for c in claims) == "not-assessed")
        not_assessed = f"not assessed: {unknown} of {len(primary)} primary control{'s' if len(primary) > 1 else ''}"
        match rollup:
            case "not-satisfied":
                noted = f"exceptions noted ({sum(claims[0].exceptions for claims in primary.values())})"
                return f"{noted}; {not_assessed}" if unknown else noted
            case "not-assessed":
                return not_assessed
            case "not-concluded":
                return self._not_concluded(entry)
            case "not-applicable":
                said = sorted({claim.conclusion for claims in primary.values() for claim in claims})
                return said[0] if len(said) == 1 else f"not applicable (for {len(said)} reasons, see the controls)"
        return "no exceptions noted"

    def _not_concluded(self, entry: Entry) -> str:
        parts = [word for child in self.children[entry.id] if (word := self.rollup(child))]
        if lacking := parts.count("not-concluded"):
            return f"no conclusion on {lacking} of {len(parts)} part{'s' if len(parts) > 1 else ''}"
        return NO_CONCLUSION[self.coverage(entry) or "none"]

    def _primary(self, entry: Entry) -> dict[str, list[Claim]]:
        """Primary mappings of ``entry`` and of everything below, by control."""
        found: dict[str, list[Claim]] = {}
        for each in (entry, *self._below[entry.id]):
            for one in self.claims[each.id]:
                if one.strength == "primary":
                    found.setdefault(one.control, []).append(one)
        return found

    def _descendants(self, entry: Entry) -> tuple[Entry, ...]:
        return tuple(each for child in self.children[entry.id] for each in (child, *self._descendants(child)))


def _refuse_circles(entries: Sequence[Entry]) -> None:
    parents = {entry.id: entry.parent for entry in entries}
    for entry in entries:
        above, seen = entry.parent, {entry.id}
        while above:
            if above in seen:
                raise ControlError(f"requirement {entry.id} stands under itself", fix="correct parent in the catalogue")
            seen.add(above)
            above = parents.get(above)


def _worst(words: Iterable[Rollup]) -> Rollup:
    return min(words, key=WORST_FIRST.index)


def _spelled(mapped: Mapped, loose: Mapping[str, Any]) -> str:
    """``max_idle_days = 200 (counts to 180)`` for each parameter that is too loose."""
    return ", ".join(
        f"{name} = {_text(value)} (counts to {_text(mapped.loosest[name])})" for name, value in sorted(loose.items())
    )


def _text(value: Any) -> str:
    match value:
        case None:
            return "not recorded"
        case bool():
            return str(value).lower()
        case list() | tuple():
            return ", ".join(map(str, value)) or "none"
    return str(value)

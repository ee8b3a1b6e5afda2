"""Evidence gates: before any SQL runs, what a control needs is there, whole, fresh and visible, or it is not.

Rules from design.md section 8 and ``docs/decisions/0041-partial-evidence.md``. Reads through the ``EvidenceReader`` only;
rows are not touched here.
"""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from evidence.control.evidence import EvidenceReader, Sealed
from evidence.control.model import Control, Evidence, Fact, Library
from evidence.control.register import Registers
from evidence.datasets.contract import Contract
from evidence.snapshot.model import DAY, Window

Why = Literal[
    "denied", "unavailable", "incomplete", "edition", "stale", "empty", "missing-evidence", "before-coverage", "pending"
]
# Most telling first: a night that is not assessed for several reasons is reported under the first of them. What may
# still come, or never could, only speaks when nothing worse does.
ORDER: tuple[Why, ...] = (
    "denied", "unavailable", "incomplete", "edition", "stale", "empty", "missing-evidence", "before-coverage", "pending",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Requirement:
    """What one control needs of one dataset, its facts' needs included."""

    dataset: str
    lookback: int = 0
    max_age: dt.timedelta | None = None
    optional: bool = False
    hides: bool = False  # losing rows can only hide failures

    def nights(self, night: dt.date) -> tuple[dt.date, ...]:
        """The night itself and those looked back to, oldest first."""
        return tuple(night - DAY * back for back in range(self.lookback, -1, -1))


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that is wrong with the evidence. ``absent``: no source here claims to have it at all."""

    requirement: Requirement
    why: Why
    detail: str
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is there for one control and night: snapshots in use, and gaps."""

    sealed: tuple[Sealed, ...]
    gaps: tuple[Gap, ...]
    uncovered: tuple[str, ...] = ()  # sources whose coverage starts later, while others answer

    def adding(self, gaps: Iterable[Gap]) -> "Gathered":
        """Return this with more gaps."""
        return dataclasses.replace(self, gaps=(*self.gaps, *gaps))

    @property
    def required(self) -> tuple[Gap, ...]:
        """Gaps that keep the night from being satisfied."""
        return tuple(gap for gap in self.gaps if not gap.requirement.optional)

    @property
    def runnable(self) -> bool:
        """True if every failure that SQL finds in what is there would be found in the whole evidence too."""
        return all(gap.requirement.hides for gap in self.required)

    @property
    def doubtful(self) -> tuple[Gap, ...]:
        """Gaps in optional evidence that somebody does collect: it might have turned a failure into a pass."""
        return tuple(gap for gap in self.gaps if gap.requirement.optional and not gap.absent)


def requirements(library: Library, control: Control | Fact) -> tuple[Requirement, ...]:
    """Return what ``control`` needs, by dataset. What it says itself goes before what its facts say."""
    readers: list[tuple[Control | Fact, Evidence]] = [(control, evidence) for evidence in control.evidence]
    readers += [(fact, evidence) for fact in library.facts_of(control) for evidence in fact.evidence]
    grouped: dict[str, list[tuple[bool, Evidence]]] = {}
    for reader, evidence in readers:
        grouped.setdefault(evidence.dataset, []).append((reader is control, evidence))
    return tuple(_merged(dataset, grouped[dataset]) for dataset in sorted(grouped))


def _merged(dataset: str, wanted: Sequence[tuple[bool, Evidence]]) -> Requirement:
    own = [evidence for mine, evidence in wanted if mine]
    speaking = own or [evidence for _, evidence in wanted]
    ages = [evidence.max_age_hours for _, evidence in wanted if evidence.max_age_hours is not None]
    return Requirement(
        dataset=dataset,
        lookback=max(evidence.lookback_nights for _, evidence in wanted),
        max_age=dt.timedelta(hours=min(ages)) if ages else None,
        optional=all(evidence.optional for evidence in speaking),
        hides=bool(own) and all(evidence.absence == "hides" for evidence in own),
    )


def registers_needed(library: Library, control: Control) -> tuple[str, ...]:
    """Registers read by the control or by any fact it rests on, sorted."""
    return tuple(sorted({*control.registers, *(name for fact in library.facts_of(control) for name in fact.registers)}))


def missing_registers(library: Library, control: Control, registers: Registers) -> tuple[Gap, ...]:
    """Return a gap for each register the control rests on that has no file: missing is not the same as empty."""
    return tuple(
        Gap(Requirement(f"register.{name}"), "missing-evidence", f"register {name} has no file")
        for name in registers_needed(library, control)
        if name in registers.missing
    )


def gather(
    needed: Iterable[Requirement],
    reader: EvidenceReader,
    contracts: Mapping[str, Contract],
    editions: Sequence[str],
    night: dt.date,
) -> Gathered:
    """Look at every snapshot that ``needed`` asks for on ``night`` and the nights looked back to."""
    sealed: list[Sealed] = []
    gaps: list[Gap] = []
    uncovered: set[str] = set()
    for requirement in needed:
        names = reader.sources(requirement.dataset)
        if not names:
            gaps.append(Gap(requirement, "missing-evidence", f"no source holds {requirement.dataset}", absent=True))
            continue
        covered = [name for name in names if reader.coverage_start(name, requirement.dataset) <= night]
        if not covered:
            gaps.append(Gap(requirement, "before-coverage", f"{requirement.dataset} of {', '.join(names)}"))
            continue
        uncovered |= set(names) - set(covered)
        for name in covered:
            for each in requirement.nights(night):
                if each >= reader.coverage_start(name, requirement.dataset):
                    found, problem = _look(reader, contracts[requirement.dataset], editions, requirement, name, each)
                    sealed += [found] if found else []
                    gaps += [problem] if problem else []
    return Gathered(tuple(sealed), tuple(gaps), tuple(sorted(uncovered)))


def _look(
    reader: EvidenceReader,
    contract: Contract,
    editions: Sequence[str],
    requirement: Requirement,
    source: str,
    night: dt.date,
) -> tuple[Sealed | None, Gap | None]:
    what = f"{contract.name} of {source} for {night.isoformat()}"
    sealed = reader.snapshot(source, contract.name, night)
    if sealed is None:
        why: Why = "missing-evidence" if reader.due(contract.name, night) else "pending"
        return None, Gap(requirement, why, what)
    for reason, detail in _faults(sealed, contract, editions, requirement, night):
        return sealed, Gap(requirement, reason, f"{what}{detail}", absent=reason == "edition")
    return sealed, None


def _faults(
    sealed: Sealed, contract: Contract, editions: Sequence[str], requirement: Requirement, night: dt.date
) -> Iterator[tuple[Why, str]]:
    status = sealed.input.status
    if status != "complete":
        known: tuple[Why, ...] = ("denied", "unavailable", "edition")
        stated = str(sealed.receipt.get("reason", ""))
        yield next((why for why in known if why == status), "incomplete"), f": {stated}" if stated else ""
    edition = str(sealed.receipt.get("system", {}).get("edition", "")).lower()
    if edition and edition not in editions:
        yield "edition", f": {edition} is none of {', '.join(editions)}"
    quarantined = int(sealed.receipt.get("quarantined", 0))
    if quarantined:
        yield "incomplete", f": {quarantined} rows in quarantine"
    if contract.kind == "state":
        yield from _age(sealed, requirement, night)
    if sealed.input.rows == 0 and contract.empty_means == "suspect":
        yield from _emptiness(sealed, contract)


def _emptiness(sealed: Sealed, contract: Contract) -> Iterator[tuple[Why, str]]:
    """No rows are believed only of an event window whose receipt shows, on stated ground, that rows would have been seen.

    A state view without any row never shows that. Receipts without the word are older, or of sources that cannot tell.
    """
    said = sealed.receipt.get("empty") or {}
    word, ground = said.get("word", "unproven"), said.get("ground", "")
    if word == "nothing" and ground and contract.kind == "event" and not contract.privilege_filtered:
        return
    yield "empty", ": no rows, which usually is a matter of rights" + (f" ({word}: {ground})" if ground else "")


def _age(sealed: Sealed, requirement: Requirement, night: dt.date) -> Iterator[tuple[Why, str]]:
    span = Window(night, "state")
    captured = sealed.captured_at
    if captured is None:
        yield "stale", ": the moment of capture is not known"
    elif not in_span(sealed, night):
        yield "stale", f": captured at {captured.isoformat()}, outside the night's span"
    elif requirement.max_age is not None and span.end - captured > requirement.max_age:
        yield "stale", f": captured at {captured.isoformat()}, older than {requirement.max_age} at the end of its span"


def in_span(sealed: Sealed, night: dt.date) -> bool:
    """True if a state capture was made while it counts for ``night``."""
    span = Window(night, "state")
    return sealed.captured_at is not None and span.start <= sealed.captured_at < span.end


def usable(sealed: Sealed, contract: Contract) -> bool:
    """True if the rows may be read at all: they arrived, and a state was captured for its own night."""
    return sealed.input.status in {"complete", "incomplete"} and (
        contract.kind == "event" or in_span(sealed, sealed.input.night)
    )


def leading(gaps: Iterable[Gap]) -> tuple[Why, str]:
    """Return the reason a night is reported under, and all that was found, in a stable order."""
    ordered = sorted(gaps, key=lambda gap: (ORDER.index(gap.why), gap.detail))
    return ordered[0].why, "; ".join(f"{gap.why}: {gap.detail}" for gap in ordered)

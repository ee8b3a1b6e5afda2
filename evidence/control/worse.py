"""What a proposed change makes worse: a finding on the change against the finding without it (``evidence gate``). Pure.

Only what is new fails, and nothing passes by leaving: an item that is in the population without the change and not with it is
shown, because a test that no longer sees a column says nothing of it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from evidence.control.gate import requirements
from evidence.control.model import Control, Library
from evidence.control.result import NightFinding, Observation
from evidence.errors import ControlError

Outcome = Literal["worse", "not-assessed", "look", "no-worse"]
ABOUT: Final = ("dbt.", "contracts.")  # what a pull request can bring


@dataclass(frozen=True, slots=True)
class Seen:
    """A finding with the items its test saw; ``items`` is None where the test did not run."""

    finding: NightFinding
    items: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Weighed:
    """One control before a merge.

    ``worse`` are exceptions that no waiver accepts and that are new; ``look`` are new review items, ``removed`` items that left
    the population: a person must look at both. ``later`` can only be shown after the merge. ``unknown`` says why nothing is
    concluded. ``known`` counts what was so already, ``gone`` the exceptions that the change ends.
    """

    control: Control
    finding: NightFinding
    before: NightFinding
    worse: Sequence[Observation] = ()
    look: Sequence[Observation] = ()
    later: tuple[Observation, ...] = ()
    removed: tuple[str, ...] = ()
    known: tuple[Observation, ...] = ()
    gone: int = 0
    unknown: str = ""

    @property
    def outcome(self) -> Outcome:
        """The worst of it."""
        if self.worse:
            return "worse"
        if self.unknown:
            return "not-assessed"
        return "look" if self.look or self.removed else "no-worse"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling."""
        parts = {name: [each.to_json() for each in getattr(self, name)] for name in ("worse", "look", "later", "known")}
        return {
            "control": self.control.id,
            "version": self.control.version,
            "severity": self.control.severity,
            "outcome": self.outcome,
            "unknown": self.unknown,
            **parts,
            "removed": list(self.removed),
            "gone": self.gone,
            "status": self.finding.status,
            "status_before": self.before.status,
        }


def chosen(
    library: Library, more: Iterable[str] = (), without: Collection[str] = (), only: Collection[str] = ()
) -> list[str]:
    """Return the controls that run before a merge: those of ``[gate]`` in library.toml and ``more``, ``without`` some, or ``only`` these.

    Raises ``ControlError`` for a name that is no control, for one that reads nothing a pull request can bring, and if there is
    none at all: what is not tested must not look as if it had passed.
    """
    names = sorted(set(only) if only else {*library.gate, *more} - set(without))
    for name in [*names, *without]:
        control = library.control(name)
        if not any(need.dataset.startswith(ABOUT) for need in requirements(library, control)):
            raise ControlError(
                f"gate: {name} reads neither dbt nor contracts: a pull request cannot change what it says",
                fix="take it out of the list of gate controls",
            )
    if not names:
        raise ControlError("gate: no control is to run", fix="name some in [gate] controls of evidence.toml")
    return names


def looks_back(library: Library, control: Control, datasets: Collection[str]) -> bool:
    """True if the control itself compares nights of what is changed: then all it finds is the change's own."""
    return any(need.lookback and need.dataset in datasets for need in requirements(library, control))


def weigh(
    control: Control,
    now: Seen,
    before: Seen,
    *,
    own: bool = False,
    everything: bool = False,
    later: Collection[str] = (),
) -> Weighed:
    """Compare. ``own``: whatever is found is the change's; ``everything``: so it is asked for. ``later`` are reason codes."""
    finding, base = now.finding, before.finding
    whole = own or everything
    failed = set() if whole else {(o.item, o.reason) for o in base.exceptions}
    open_before = set() if whole else {(o.item, o.reason) for o in base.reviews} | failed
    waived = {(w.item, w.reason) for w in finding.waived}
    new = [o for o in finding.exceptions if (o.item, o.reason) not in failed | waived]
    look = [o for o in finding.reviews if (o.item, o.reason) not in open_before]
    shown = {(o.item, o.reason) for o in (*new, *look)}
    gone = {(o.item, o.reason) for o in base.exceptions} - {(o.item, o.reason) for o in finding.exceptions}
    removed = () if own or everything else tuple(sorted((before.items or frozenset()) - (now.items or frozenset())))
    return Weighed(
        control=control,
        finding=finding,
        before=base,
        worse=tuple(o for o in new if o.reason not in later),
        look=tuple(o for o in look if o.reason not in later),
        later=tuple(o for o in (*new, *look) if o.reason in later),
        removed=removed if now.items is not None else (),
        known=tuple(o for o in (*finding.exceptions, *finding.reviews) if (o.item, o.reason) not in shown),
        gone=len(gone) if now.items is not None else 0,
        unknown=_unknown(now, before, whole=whole),
    )


def _unknown(now: Seen, before: Seen, *, whole: bool) -> str:
    """Say why nothing can be concluded; open review items are looked at one by one and are no such reason."""
    finding, base = now.finding, before.finding
    if now.items is None or (finding.status == "not-assessed" and finding.reason != "pending-review"):
        return f"{finding.reason}: {finding.detail}"
    if finding.status == "not-satisfied" and finding.detail and not finding.detail.startswith("not covered yet"):
        return finding.detail  # evidence is missing beside the failures: more may be hidden
    if not whole and before.items is None:
        return f"last night's test did not run, so that nothing can be compared: {base.reason}: {base.detail}"
    return ""


def later_of(later: Mapping[str, Collection[str]], library: Library) -> Mapping[str, Collection[str]]:
    """Return ``later`` of library.toml; raise ``ControlError`` for a control or reason code that does not exist."""
    for name, codes in later.items():
        if strange := sorted(set(codes) - library.control(name).reasons.keys()):
            raise ControlError(f"library.toml: gate.later: {name} has no reason {strange[0]}", fix="see its [reasons]")
    return later

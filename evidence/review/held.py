"""What every user and role holds on one night, from verified evidence; never without a part of it.

SQL and what it reads are content (``controls/reviews/access``), in the form of facts.
"""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from evidence.control import gate
from evidence.control.definition import load_facts
from evidence.control.engine import Engine
from evidence.control.evidence import EvidenceReader, Sealed
from evidence.control.folded import plain
from evidence.control.model import Fact, Library
from evidence.control.night import Night
from evidence.control.register import Registers
from evidence.errors import IncompleteSnapshotError

FOLDER: Final = Path("reviews") / "access"  # inside the product's controls
ACCESS: Final = ("user", "role_privileges", "review_rows")  # what rests on grants alone; nothing is listed without it
PHI: Final = "phi_columns"
QUERIES: Final = "snowflake.query_history"
_EDITIONS: Final = ("standard", "enterprise", "business_critical")
_PARAMETERS: Final = {
    "admin_roles": ("access-admin-count", "admin_roles"),
    "powerful": ("access-powerful-privileges", "listed"),
}
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Held:
    """What is held on ``night``, by table; ``phi_gap`` says why PHI is not known (empty: it is)."""

    night: dt.date
    captured: Mapping[str, dt.datetime]  # source -> when its grants to users were captured
    sealed: Sequence[Sealed]
    phi_gap: str
    rows: Sequence[Row]
    contents: Sequence[Row]
    closure: Sequence[Row]
    users: Sequence[Row]
    queries: Mapping[str, str]  # review fact -> SHA-256 of its content


def review_library(library: Library, controls: Path) -> Library:
    """Return ``library`` with the review's facts and the lists they share with controls. ``controls``: the product's folder."""
    settings = dict(library.settings)
    for name, (control, parameter) in _PARAMETERS.items():
        value = library.control(control).effective[parameter]
        settings[name] = tuple(value) if isinstance(value, list) else value
    return dataclasses.replace(library, facts={**library.facts, **load_facts(controls / FOLDER)}, settings=settings)


def held_on(library: Library, registers: Registers, reader: EvidenceReader, night: dt.date, engine: Engine) -> Held:
    """Read what is held on ``night``; ``library`` is one of :func:`review_library`.

    Raises ``IncompleteSnapshotError`` that names every gap if grants, roles, users or future grants of any account are missing,
    refused, cut, stale or not covered. Missing evidence on PHI is no refusal: it is said in ``phi_gap``.
    """
    access, phi = _needs(library)
    gathered = gate.gather(access, reader, library.contracts, _EDITIONS, night)
    problems = {f"{gap.why}: {gap.detail}" for gap in gathered.gaps} | set(_partly(access, reader, night))
    if problems:
        raise IncompleteSnapshotError(
            f"who holds what on {night} is not known: {'; '.join(sorted(problems))}",
            fix=f"evidence collect --date {night}, or another night; `evidence status --calendar` shows which are there",
        )
    about = gate.gather(phi, reader, library.contracts, _EDITIONS, night)
    run = Night(library, registers, reader, night, reader_clock(gathered.sealed), engine.select, [])
    facts = _review_facts(library)
    return Held(
        night=night,
        captured=_captured(gathered.sealed),
        sealed=(*gathered.sealed, *about.sealed),
        phi_gap=gate.leading(about.gaps)[1] if about.gaps else "",
        rows=_ordered(run.fact("review_rows")),
        contents=_ordered(run.fact("review_contents")),
        closure=_ordered(run.fact("role_closure")),
        users=[row for row in _ordered(run.fact("user")) if row["live"]],
        queries={name: fact.content_sha256 for name, fact in sorted(facts.items())},
    )


def reader_clock(sealed: Iterable[Sealed]) -> dt.datetime:
    """Return the latest capture: facts have no other clock."""
    return max(each.captured_at for each in sealed if each.captured_at)


def last_used(library: Library, reader: EvidenceReader, sources: Iterable[str], night: dt.date, nights: int) -> "Used":
    """Return when each user last ran a statement with each role as its primary role, in ``nights`` nights up to ``night``.

    Read one night of one account at a time; only the latest moments are held. An account is whole if none of the nights has a gap.
    """
    needed = gate.Requirement(QUERIES, lookback=nights - 1)
    first = needed.nights(night)[0]
    gathered = gate.gather([needed], reader, library.contracts, _EDITIONS, night)
    moments: dict[tuple[str, str | None, str | None], dt.datetime] = {}
    for sealed in gathered.sealed:
        if sealed.input.rows and gate.usable(sealed, library.contracts[QUERIES]):
            _latest(moments, sealed.input.source, plain(reader.rows(sealed, ["user_name", "role_name", "start_time"])))
    whole = frozenset(
        source
        for source in set(sources) & set(reader.sources(QUERIES))
        if reader.coverage_start(source, QUERIES) <= first
        and not any(gap.detail.startswith(f"{QUERIES} of {source} for ") for gap in gathered.gaps)
    )
    return Used(nights, moments, whole)


@dataclass(frozen=True, slots=True)
class Used:
    """Latest uses by (source, user, role); None stands for any user. ``whole``: accounts whose nights are all there."""

    nights: int
    moments: Mapping[tuple[str, str | None, str | None], dt.datetime]
    whole: frozenset[str]

    def said(self, source: str, user: str | None, role: str | None) -> str:
        """Return the day of the latest use, ``not in n nights`` where all are known, else ``not known``."""
        found = self.moments.get((source, user, role))
        if found is not None:
            return found.date().isoformat()
        return f"not in {self.nights} nights" if source in self.whole else "not known"


def _latest(moments: dict[tuple[str, str | None, str | None], dt.datetime], source: str, table: pa.Table) -> None:
    grouped = table.group_by(["user_name", "role_name"]).aggregate([("start_time", "max")])
    for row in grouped.to_pylist():
        moment = row["start_time_max"]
        if moment is None:
            continue
        for place in ((source, row["user_name"], row["role_name"]), (source, None, row["role_name"])):
            moments[place] = max(moment, moments.get(place, moment))


def _needs(library: Library) -> tuple[list[gate.Requirement], list[gate.Requirement]]:
    """Return what access rests on, and what only PHI rests on."""
    phi = {each.dataset: each for each in gate.requirements(library, library.facts[PHI])}
    every = {each.dataset: each for name in ACCESS for each in gate.requirements(library, library.facts[name])}
    return [each for name, each in every.items() if name not in phi], list(phi.values())


def _partly(access: Iterable[gate.Requirement], reader: EvidenceReader, night: dt.date) -> Iterable[str]:
    """Yield accounts that have one part and not another, or are not covered yet: their access would be missing silently."""
    by_dataset = {each.dataset: set(reader.sources(each.dataset)) for each in access}
    for source in sorted(set().union(*by_dataset.values())):
        for dataset, names in sorted(by_dataset.items()):
            if source not in names:
                yield f"missing-evidence: {dataset} of {source} is not collected"
            elif reader.coverage_start(source, dataset) > night:
                yield f"before-coverage: {dataset} of {source}"


def _captured(sealed: Iterable[Sealed]) -> dict[str, dt.datetime]:
    return {
        each.input.source: each.captured_at
        for each in sealed
        if each.captured_at and each.input.dataset == "snowflake.grants_to_users"
    }


def _review_facts(library: Library) -> dict[str, Fact]:
    return {name: fact for name, fact in library.facts.items() if name.startswith("review_")}


def _ordered(table: pa.Table) -> list[Row]:
    rows: list[Row] = table.to_pylist()
    return sorted(rows, key=lambda row: [(value is not None, str(value)) for value in row.values()])

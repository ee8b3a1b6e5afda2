"""Run a control's examples through the engine that runs in life (``docs/formats/control.md``, Cases).

Written cases say what must come out. Besides them every control runs a set that nobody has to write: each input missing,
denied, incomplete, stale, of the wrong edition, empty, and each column unknown; none of these may end as satisfied. And two
cases as two accounts with the same names: each must come out as it does alone.
"""

import dataclasses
import datetime as dt
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evidence.control import gate, verdict
from evidence.control.engine import Engine
from evidence.control.made import Fault, Lenient, MadeEvidence, product_of, registers_of
from evidence.control.model import Control, Fact, Library
from evidence.control.night import Night, Select
from evidence.control.result import FindingStatus, NightFinding
from evidence.control.windows import Tables
from evidence.datasets.contract import Contract
from evidence.errors import ControlError
from evidence.snapshot.model import DAY, start_of

WRITTEN: tuple[Fault, ...] = ("missing", "denied", "incomplete", "stale", "edition")  # keys of a case file
FAULTS: tuple[Fault, ...] = (*WRITTEN, "unavailable", "quarantined", "pending", "empty")
OPS_FAULTS: tuple[Fault, ...] = ("missing", "pending", "empty")  # of our own records
RECEIPTS = "ops.receipts"
SECOND = "2"  # after a source's name: the second account's
CAPTURE = dt.timedelta(hours=3)
NIGHT = dt.date(2026, 9, 1)


class Expected(BaseModel):
    """One item of the population and what must be said of it; only the keys that are given are compared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    item: str
    result: Literal["pass", "fail", "review"]
    reason: str | None = None
    observed: str | None = None
    expected: str | None = None


class Case(BaseModel):
    """One example as it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    why: Annotated[str, Field(min_length=1)]
    night: dt.date = NIGHT
    as_of: dt.datetime | None = None
    known_at: dt.datetime | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    evidence: dict[str, list[dict[str, Any]]] = Field(default_factory=dict)
    registers: dict[str, list[dict[str, Any]]] = Field(default_factory=dict)
    missing: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    edition: tuple[str, ...] = ()
    alone: bool = False
    expect: tuple[Expected, ...]
    status: FindingStatus
    reason: str = ""

    @property
    def faults(self) -> dict[str, Fault]:
        """Inputs that are spoiled, and how."""
        return {name: fault for fault in WRITTEN for name in getattr(self, fault)}

    @property
    def captured_at(self) -> dt.datetime:
        """Moment of every state capture."""
        return self.as_of or start_of(self.night) + DAY + CAPTURE

    @property
    def clock(self) -> dt.datetime:
        """When the assessment is made."""
        return self.known_at or self.captured_at


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one case came out; ``detail`` says what differs."""

    control: str
    case: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """A case made ready to be run as it is, or over spoiled evidence."""

    library: Library
    control: Control
    case: Case
    made: MadeEvidence = field(repr=False)

    def assessed(self, run: Select, made: MadeEvidence | None = None) -> tuple[NightFinding, pa.Table | None]:
        """Return the finding and, if the SQL ran, the rows that control.sql returned."""
        evidence = made or self.made
        seen: list[pa.Table] = []

        def select(sql: str, tables: Tables, room: str = "") -> pa.Table:
            rows = run(sql, tables, room)
            if sql == self.control.control_sql:
                seen.append(rows)
            return rows

        kept = {name: rows for name, rows in self.case.registers.items() if name not in evidence.empty_registers}
        registers = registers_of(kept, self.case.night, evidence.missing_registers)
        library = dataclasses.replace(self.library, contracts=self._contracts(evidence))
        controls = [self.control]
        night = Night(library, registers, evidence, self.case.night, self.case.clock, select, controls, evidence.look)
        return night.findings()[0], seen[0] if seen else None

    def _contracts(self, made: MadeEvidence) -> Mapping[str, Contract]:
        """What a case does not list is rightly empty; what it lists as ``[]`` meets the same suspicion as in life."""
        suspected = {name for name, rows in self.case.evidence.items() if not rows}
        suspected |= {name for name, fault in made.faults.items() if fault == "empty"}
        return Lenient(self.library.contracts, suspected)


def run_cases(library: Library, control_id: str, *, automatic: bool = True) -> list[CaseResult]:
    """Run every case of ``control_id``, then the automatic ones. Raises ``ControlError`` for a malformed case file."""
    control = library.control(control_id)
    results, settings = [], {}
    with Engine(threads=1) as engine:
        for path in case_files(control):
            settings[path.stem] = prepared(library, control, parse_case(path))
            results.append(_result(control_id, path.stem, difference(settings[path.stem], engine.select)))
        if automatic:
            results += [
                _result(control_id, name, "came out satisfied" if found.status == "satisfied" else "")
                for name, found in automatic_findings(settings, engine.select)
            ]
            results += [
                _result(control_id, name, difference(setting, engine.select))
                for name, setting in two_accounts(library, control, settings)
            ]
    if not any(setting.case.status == "satisfied" for setting in settings.values()):
        results.append(CaseResult(control_id, "cases", ok=False, detail="no case that comes out satisfied"))
    return results


def case_files(control: Control) -> list[Path]:
    """Return the control's case files, sorted."""
    return sorted((Path(control.folder) / "cases").glob("*.toml"))


def parse_case(path: Path) -> Case:
    """Read one case file. Raises ``ControlError`` that names file and key."""
    fix = "docs/formats/control.md explains cases"
    try:
        return Case(**tomllib.loads(path.read_text()))
    except ValidationError as exc:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in exc.errors())
        raise ControlError(f"{path}: {problems}", fix=fix) from exc
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ControlError(f"{path}: {exc}", fix=fix) from exc


def prepared(library: Library, control: Control, case: Case) -> Setting:
    """Make evidence and parameters of ``case``. Raises ``ControlError`` for names the control does not have."""
    needed = [requirement.dataset for requirement in gate.requirements(library, control)]
    needed += [ops.table for ops in control.ops]
    known = {*needed, *(f"register.{name}" for name in gate.registers_needed(library, control))}
    named = {*case.evidence, *(f"register.{name}" for name in case.registers), *case.faults}
    if named - known:
        raise ControlError(
            f"{control.id}: a case names {', '.join(sorted(named - known))}, which the control does not read",
            fix=f"it reads {', '.join(sorted(known))}",
        )
    try:
        values = {name: control.parameters[name].check(value) for name, value in case.parameters.items()}
    except (KeyError, ValueError) as exc:
        raise ControlError(f"{control.id}: case parameters: {exc}", fix="parameters stand in control.toml") from exc
    rows = {name: case.evidence.get(name, []) for name in needed}
    made = MadeEvidence(library.contracts, case.night, case.captured_at, rows, case.faults)
    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in case.settings.items()}
    return Setting(
        dataclasses.replace(library, settings={**library.settings, **settings}),
        control.model_copy(update={"values": {**control.values, **values}}),
        case,
        made,
    )


def difference(setting: Setting, run: Select) -> str:
    """Return what differs between what a case says and what comes out; empty: nothing."""
    case = setting.case
    found, rows = setting.assessed(run)
    everything = {str(row["item"]): row for row in rows.to_pylist()} if rows is not None else {}
    wrong = []
    if found.status != case.status or found.reason != case.reason:
        said = f"{found.status} {found.reason}".strip()
        wrong.append(f"{said} ({found.detail}), expected {case.status} {case.reason}".rstrip())
    expected = {each.item: each for each in case.expect}
    if len(expected) != len(case.expect):
        wrong.append("an item is expected twice")
    wrong += [f"{item!r} is expected and not in the population" for item in sorted(set(expected) - set(everything))]
    wrong += [f"{item!r} is in the population and not expected" for item in sorted(set(everything) - set(expected))]
    for item in sorted(set(expected) & set(everything)):
        for key, value in expected[item].model_dump(exclude_none=True).items():
            got = verdict.spelled(everything[item][key])
            if got != value:
                wrong.append(f"{item!r}: {key} is {got!r}, expected {value!r}")
    return "; ".join(wrong)


def automatic_findings(settings: Mapping[str, Setting], run: Select) -> Iterator[tuple[str, NightFinding]]:
    """Yield what comes of every satisfied case when its evidence is spoiled in each way that must not pass."""
    for name, setting in settings.items():
        if setting.case.status == "satisfied":
            for label, made in spoiled(setting):
                yield f"{name}, {label}", setting.assessed(run, made)[0]


def two_accounts(library: Library, control: Control, settings: Mapping[str, Setting]) -> Iterator[tuple[str, Setting]]:
    """Yield every case with itself as a second account, and with the next one that has the same parameters and registers."""
    fitting = {name: setting.case for name, setting in settings.items() if _fits_two(setting.case)}
    for name, case in fitting.items():
        alike = [other for other in fitting if _circumstances(fitting[other]) == _circumstances(case)]
        following = alike[(alike.index(name) + 1) % len(alike)]
        for other in dict.fromkeys((name, following)):
            yield f"{name}, beside {other}", prepared(library, control, _together(case, fitting[other]))


def beside(rows: Sequence[Mapping[str, Any]], dataset: str) -> list[dict[str, Any]]:
    """Return rows as those of a second account. Receipts have the source of the dataset they are of."""
    named = [(row, str(row.get("dataset", dataset)) if dataset == RECEIPTS else dataset) for row in rows]
    return [{**row, "source": f"{product_of(name)}{SECOND}"} for row, name in named]


def names_sources(evidence: Mapping[str, Sequence[Mapping[str, Any]]]) -> bool:
    """Say whether any row says itself where it comes from."""
    return any("source" in row for rows in evidence.values() for row in rows)


def _fits_two(case: Case) -> bool:
    """Say whether a case is about one account and its items say of which."""
    products = {product_of(name) for name in case.evidence}
    products |= {product_of(str(row.get("dataset", ""))) for row in case.evidence.get(RECEIPTS, ())}
    placed = all("/" in item.item and item.item.partition("/")[0] in products for item in case.expect)
    judged = case.status in {"satisfied", "not-satisfied"}
    return judged and placed and not (case.alone or case.faults or names_sources(case.evidence))


def _circumstances(case: Case) -> tuple[object, ...]:
    return case.night, case.captured_at, case.clock, case.parameters, case.settings, case.registers


def _together(case: Case, other: Case) -> Case:
    evidence = {
        name: [*case.evidence.get(name, ()), *beside(other.evidence.get(name, ()), name)]
        for name in {**case.evidence, **other.evidence}
    }
    second = (item.model_copy(update={"item": item.item.replace("/", f"{SECOND}/", 1)}) for item in other.expect)
    status = "not-satisfied" if "not-satisfied" in {case.status, other.status} else "satisfied"
    return case.model_copy(update={"evidence": evidence, "expect": (*case.expect, *second), "status": status})


def spoiled(setting: Setting) -> Iterator[tuple[str, MadeEvidence]]:
    """Yield the evidence with each required input spoiled in each way, then each tested column unknown."""
    for requirement in gate.requirements(setting.library, setting.control):
        contract = setting.library.contracts[requirement.dataset]
        for fault in () if requirement.optional else FAULTS:
            harmless = (fault == "stale" and contract.kind == "event") or (
                fault == "empty" and contract.empty_means == "nothing"
            )
            if not harmless:
                yield f"{requirement.dataset} {fault}", setting.made.with_fault(requirement.dataset, fault)
    for ops in setting.control.ops:
        for fault in OPS_FAULTS if ops.table != "ops.items" else OPS_FAULTS[:-1]:  # nothing may have stood
            yield f"{ops.table} {fault}", setting.made.with_fault(ops.table, fault)
    needed = gate.registers_needed(setting.library, setting.control)
    for name in needed:
        yield f"register {name} missing", setting.made.with_fault(f"register.{name}", "missing")
    if needed and not setting.control.ops and not gate.requirements(setting.library, setting.control):
        nothing: dict[str, Fault] = dict.fromkeys((f"register.{name}" for name in needed), "empty")
        yield "every register empty", dataclasses.replace(setting.made, faults={**setting.made.faults, **nothing})
    for dataset, column in tested_columns(setting.library, setting.control):
        if any(column in row for row in setting.case.evidence.get(dataset, ())):
            yield f"{dataset}.{column} unknown", setting.made.with_nulls(dataset, column)


def tested_columns(library: Library, control: Control) -> list[tuple[str, str]]:
    """Return (dataset, column) of every tested column, the facts' included, sorted."""
    readers: list[Control | Fact] = [control, *library.facts_of(control)]
    found = {(e.dataset, column) for reader in readers for e in reader.evidence for column in e.tested}
    return sorted(found | {(ops.table, column) for ops in control.ops for column in ops.tested})


def _result(control: str, case: str, detail: str) -> CaseResult:
    return CaseResult(control, case, ok=not detail, detail=detail)

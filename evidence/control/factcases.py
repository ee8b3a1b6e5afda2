"""Run a fact's examples: ``controls/facts/cases/<fact>/*.toml`` (``docs/formats/control.md``, Cases)."""

import dataclasses
import datetime as dt
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import sqlglot
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlglot import exp

from evidence.control import gate
from evidence.control.cases import CAPTURE, NIGHT, SECOND, CaseResult, beside, names_sources
from evidence.control.engine import Engine
from evidence.control.made import Lenient, MadeEvidence, registers_of
from evidence.control.model import Fact, Library
from evidence.control.night import Night, Select
from evidence.errors import ControlError
from evidence.snapshot.model import DAY, start_of

FIX = "docs/formats/control.md explains cases"


class FactCase(BaseModel):
    """One example: rows in, rows out. Columns that no row of ``expect`` names are not compared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    why: Annotated[str, Field(min_length=1)]
    night: dt.date = NIGHT
    as_of: dt.datetime | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    evidence: dict[str, list[dict[str, Any]]] = Field(default_factory=dict)
    registers: dict[str, list[dict[str, Any]]] = Field(default_factory=dict)
    alone: bool = False
    expect: tuple[dict[str, Any], ...]


def run_fact_cases(library: Library, name: str) -> list[CaseResult]:
    """Run every case of fact ``name``. Raises ``ControlError`` for an unknown fact or a malformed case file."""
    if name not in library.facts:
        raise ControlError(f"no fact {name!r}", fix=f"facts: {', '.join(sorted(library.facts)) or 'none'}")
    fact = library.facts[name]
    results = []
    with Engine(threads=1) as engine:
        for path in fact_case_files(fact):
            case = parse_fact_case(path)
            detail = fact_difference(fact_rows(library, fact, case, engine.select), case.expect)
            results.append(CaseResult(f"fact.{name}", path.stem, ok=not detail, detail=detail))
        for label, case in fact_cases_as_two(fact):
            detail = fact_difference(fact_rows(library, fact, case, engine.select), case.expect)
            results.append(CaseResult(f"fact.{name}", label, ok=not detail, detail=detail))
    return results


def fact_case_files(fact: Fact) -> list[Path]:
    """Return the fact's case files, sorted."""
    return sorted((Path(fact.folder) / "cases" / fact.name).glob("*.toml"))


def fact_cases_as_two(fact: Fact) -> Iterator[tuple[str, FactCase]]:
    """Yield every case with itself as a second account, and with the next one that has the same settings and registers.

    None if the fact does not say of which account its rows are.
    """
    parsed = sqlglot.parse_one(fact.sql, dialect="duckdb")
    if not isinstance(parsed, exp.Query) or "source" not in parsed.named_selects:
        return
    cases = {path.stem: parse_fact_case(path) for path in fact_case_files(fact)}
    fitting = {name: case for name, case in cases.items() if not (case.alone or names_sources(case.evidence))}
    for name, case in fitting.items():
        alike = [other for other in fitting if _circumstances(fitting[other]) == _circumstances(case)]
        following = alike[(alike.index(name) + 1) % len(alike)]
        for other in dict.fromkeys((name, following)):
            yield f"{name}, beside {other}", _together(case, fitting[other])


def _circumstances(case: FactCase) -> tuple[object, ...]:
    columns = {column for row in case.expect for column in row}
    return case.night, case.as_of, case.settings, case.registers, columns


def _together(case: FactCase, other: FactCase) -> FactCase:
    evidence = {
        name: [*case.evidence.get(name, ()), *beside(other.evidence.get(name, ()), name)]
        for name in {**case.evidence, **other.evidence}
    }
    first = [{"source": "snowflake", **row} for row in case.expect]
    second = [{**row, "source": f"snowflake{SECOND}"} for row in other.expect]
    return case.model_copy(update={"evidence": evidence, "expect": (*first, *second)})


def parse_fact_case(path: Path) -> FactCase:
    """Read one case file. Raises ``ControlError`` that names file and key."""
    try:
        return FactCase(**tomllib.loads(path.read_text()))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as exc:
        raise ControlError(f"{path}: {exc}", fix=FIX) from exc


def fact_rows(library: Library, fact: Fact, case: FactCase, select: Select) -> list[dict[str, Any]]:
    """Return the fact's rows over the case's evidence. Raises ``ControlError`` for names it does not read, and bad SQL."""
    needed = [requirement.dataset for requirement in gate.requirements(library, fact)]
    strange = sorted(set(case.evidence) - set(needed))
    if strange:
        raise ControlError(f"fact {fact.name}: a case names {', '.join(strange)}, which it does not read", fix=FIX)
    captured = case.as_of or start_of(case.night) + DAY + CAPTURE
    made = MadeEvidence(library.contracts, case.night, captured, {name: case.evidence.get(name, []) for name in needed})
    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in case.settings.items()}
    varied = dataclasses.replace(
        library, contracts=Lenient(library.contracts, frozenset()), settings={**library.settings, **settings}
    )
    registers = registers_of(case.registers, case.night)
    night = Night(varied, registers, made, case.night, captured, select, [])
    return [dict(row) for row in night.fact(fact.name).to_pylist()]


def fact_difference(found: Sequence[Mapping[str, Any]], expected: Sequence[Mapping[str, Any]]) -> str:
    """Return what differs between rows as they are and as they should be; empty: nothing."""
    names = sorted({name for row in expected for name in row})
    unknown = [name for name in names if found and name not in found[0]]
    if unknown:
        return f"no column {', '.join(unknown)}"
    got, wanted = Counter(_spelled(row, names) for row in found), Counter(_spelled(row, names) for row in expected)
    parts = [f"not expected: {row}, {count} times" for row, count in sorted((got - wanted).items())]
    parts += [f"missing: {row}, {count} times" for row, count in sorted((wanted - got).items())]
    return "; ".join(parts)


def _spelled(row: Mapping[str, Any], names: Sequence[str]) -> str:
    """Spell the named values of a row; a key that is not there is NULL, moments are UTC."""

    def one(value: Any) -> Any:
        if isinstance(value, dt.datetime) and value.tzinfo is not None:
            return value.astimezone(dt.UTC).replace(tzinfo=None)
        return value

    return ", ".join(f"{name} = {one(row.get(name))!s}" for name in names)

"""What is wrong with a library before it runs: SQL whose answer depends on time, chance or order, and content with holes.

sqlglot explains; DuckDB's lock-down (``evidence.control.engine``) is the barrier. Every SQL is also bound by the engine over
empty tables, so that a wrong column is found here and not at night.
"""

import datetime as dt
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from evidence.control.cases import NIGHT, case_files, parse_case, prepared, tested_columns
from evidence.control.engine import Engine
from evidence.control.gate import requirements
from evidence.control.lock import lines, moved, read, roots
from evidence.control.made import MadeEvidence, registers_of
from evidence.control.model import Control, Fact, Library
from evidence.control.night import Night
from evidence.control.sqlrules import check_sql
from evidence.control.worse import chosen, later_of
from evidence.errors import ControlError
from evidence.snapshot.model import DAY, start_of

ALWAYS = frozenset({"settings"})
_TEMPLATE = re.compile(r"\{\{|\{%|\$\{|<%")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing to put right; ``line`` is 0 where a whole file is meant."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


def lint_library(library: Library, only: Collection[str] = ()) -> list[Problem]:
    """Return every problem of controls and facts, sorted by file and line.

    ``only`` names the controls whose own files, and those of the facts they rest on, are looked at; locks and the gate's list
    always are. Raises ``ControlError`` for an unknown one.
    """
    controls = [library.control(name) for name in only] or list(library.controls.values())
    facts = {fact.name: fact for control in controls for fact in library.facts_of(control)} if only else library.facts
    problems: set[Problem] = set()
    for fact in facts.values():
        problems |= set(_sql(f"facts/{fact.name}.sql", fact.sql, _tables(fact) | ALWAYS))
    for control in controls:
        problems |= set(_control(library, control))
    problems |= set(_locks(library)) | set(_gated(library))
    with Engine(threads=1) as engine:
        problems |= set(_bound(library, controls, facts, engine))
    return sorted(problems)


def _control(library: Library, control: Control) -> Iterator[Problem]:
    where = f"{Path(control.folder).parent.name}/{control.id}"
    declared = _tables(control) | ALWAYS | {"params"}
    yield from _sql(f"{where}/population.sql", control.population_sql, declared)
    yield from _sql(f"{where}/control.sql", control.control_sql, declared | {"population"}, star=False)
    if requirements(library, control) and not tested_columns(library, control):
        yield Problem(f"{where}/control.toml", 0, "no evidence names tested columns: no NULL case runs by itself")
    yield from _limits(where, control)
    for code, text in control.reasons.items():
        if not text.strip():
            yield Problem(f"{where}/control.toml", 0, f"reasons: {code} has no text")
    if not case_files(control):
        yield Problem(f"{where}/cases", 0, "no case")
    for path in case_files(control):
        try:
            prepared(library, control, parse_case(path))
        except ControlError as exc:
            yield Problem(f"{where}/cases/{path.name}", 0, str(exc))


def _limits(where: str, control: Control) -> Iterator[Problem]:
    """A limit without a direction would let every value count; one that the default is past never lets the mapping count."""
    for mapped in control.maps:
        for name, limit in mapped.loosest.items():
            parameter = control.parameters[name]
            if parameter.stricter is None:
                yield Problem(
                    f"{where}/control.toml", 0, f"maps {mapped.requirement}: loosest.{name} has no `stricter`"
                )
            elif parameter.looser(parameter.default, limit):
                yield Problem(
                    f"{where}/control.toml",
                    0,
                    f"maps {mapped.requirement}: the default of {name} is looser than {limit}",
                )


def _locks(library: Library) -> Iterator[Problem]:
    """Content against the lock of its own directory; a directory without one is not held to any."""
    for root in roots(library):
        locked = read(root)
        if locked is not None:
            for each in moved(locked, lines(library, root)):
                yield Problem(f"{each.kind}/{each.name}", 0, each.message)


def _gated(library: Library) -> Iterator[Problem]:
    """The list of controls that run before a merge names controls, and reasons of theirs."""
    try:
        if library.gate:
            chosen(library)
        later_of(library.gate_later, library)
    except ControlError as exc:
        yield Problem("library.toml", 0, str(exc))


def _sql(file: str, sql: str, declared: Iterable[str], *, star: bool = True) -> Iterator[Problem]:
    for number, line in enumerate(sql.splitlines(), 1):
        if _TEMPLATE.search(line):
            yield Problem(file, number, "templating: SQL is run as it is written")
    for line_number, message in check_sql(sql, frozenset(declared), star=star):
        yield Problem(file, line_number, message)


def _tables(reader: Control | Fact) -> set[str]:
    names = {evidence.dataset for evidence in reader.evidence} | {f"fact.{name}" for name in reader.facts}
    names |= {ops.table for ops in reader.ops} if isinstance(reader, Control) else set()
    return names | {f"{kind}.{name}" for name in reader.registers for kind in ("register", "register_expired")}


def _bound(library: Library, controls: Sequence[Control], names: Iterable[str], engine: Engine) -> Iterator[Problem]:
    """Run every SQL over nothing: what does not bind, or gives a float, is a problem."""
    rows: Mapping[str, list[dict[str, object]]] = {name: [] for name in library.contracts}
    moment = start_of(NIGHT) + DAY + dt.timedelta(hours=3)
    made = MadeEvidence(library.contracts, NIGHT, moment, rows)
    night = Night(library, registers_of({}, NIGHT), made, NIGHT, moment, engine.select, controls, made.look)
    facts = Night(library, registers_of({}, NIGHT), made, NIGHT, moment, engine.select, [], made.look)
    for name in names:
        yield from _floats(f"facts/{name}.sql", partial(facts.fact, name))
    for control in controls:
        yield from _floats(f"{Path(control.folder).parent.name}/{control.id}", partial(_both, night, control))


def _both(night: Night, control: Control) -> tuple[pa.Table, pa.Table]:
    population = night.population(control)
    return population, night.results(control, population)


def _floats(file: str, run: Callable[[], pa.Table | tuple[pa.Table, ...]]) -> Iterator[Problem]:
    try:
        result = run()
    except ControlError as exc:
        yield Problem(file, 0, str(exc))
        return
    for table in result if isinstance(result, tuple) else (result,):
        for column in table.schema:
            if pa.types.is_floating(column.type):
                yield Problem(file, 0, f"column {column.name} is a float: use DECIMAL, // or whole numbers")

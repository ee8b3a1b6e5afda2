"""Would the cases notice if the SQL were wrong? Each mutant changes one thing; at least one case must come out differently.

A mutant is *noticed* when a written case differs, an automatic case ends as satisfied, or the SQL no longer runs. The
method is mutation analysis (DeMillo, Lipton, Sayward, 1978). Mutants that change nothing are listed, with the reason, in
``equivalent-mutants.toml`` of the controls' root. ``docs/decisions/0145-mutants-are-tried-on-what-the-sql-saw.md`` says why
this is quick.
"""

import dataclasses
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow as pa

from evidence.control.cases import Setting, case_files, difference, parse_case, prepared, spoiled, two_accounts
from evidence.control.engine import Engine
from evidence.control.factcases import (
    FactCase,
    fact_case_files,
    fact_cases_as_two,
    fact_difference,
    fact_rows,
    parse_fact_case,
)
from evidence.control.made import MadeEvidence
from evidence.control.model import Fact, Library
from evidence.control.mutants import Mutant, mutants, unchanged
from evidence.control.night import Select
from evidence.control.windows import Shown, Tables
from evidence.errors import ControlError

TIME_LIMIT: Final = 4.0  # seconds: a mutant that needs longer over the few rows of a case is noticed (joins of everything with everything)
EQUIVALENT: Final = "equivalent-mutants.toml"


@dataclass(frozen=True, slots=True)
class Score:
    """What became of one SQL file's mutants: ``unnoticed`` by any case, ``equivalent`` ones listed as such."""

    file: str
    made: tuple[Mutant, ...]
    unnoticed: tuple[Mutant, ...] = ()
    equivalent: tuple[Mutant, ...] = ()


@dataclass(slots=True)
class _Memory:
    """Hands statements on to the engine and remembers what the one under change saw and gave.

    Answers from before it cannot change with it, so they are given again from memory.
    """

    hand_on: Select
    name: str
    target: str
    before: dict[tuple[str, str], pa.Table] = field(default_factory=dict)
    saw: Tables | None = None
    gave: pa.Table | None = None
    tried: tuple[str, pa.Table] | None = None

    def select(self, sql: str, tables: Tables, room: str = "") -> pa.Table:
        """See :meth:`evidence.control.engine.Engine.select`."""
        known = self.tried[1] if self.tried and self.tried[0] == sql else self.before.get((sql, room))
        if known is not None:
            return known
        rows = self.hand_on(sql, tables, room)
        if self.gave is None:
            if sql == self.target:
                self.saw, self.gave = {name: self._kept(shown) for name, shown in tables.items()}, rows
            else:
                self.before[sql, room] = rows
        return rows

    def _kept(self, given: pa.Table | Shown) -> pa.Table | Shown:
        """Give the table a slot of its own: it stays loaded for all mutants."""
        if not isinstance(given, Shown):
            return given
        parts = tuple((f"{self.name}/{slot}", table) for slot, table in given.parts)
        return dataclasses.replace(given, slot=f"{self.name}/{given.slot}", parts=parts)

    def given(self, sql: str) -> pa.Table | None:
        """Return what ``sql`` gives in the target's place; None: it does not run."""
        try:
            self.tried = sql, self.hand_on(sql, self.saw or {}, self.name)
        except ControlError:
            return None
        return self.tried[1]


@dataclass(frozen=True, slots=True)
class _Trial:
    """One case, and how to tell that it comes out wrong with other SQL (``rows`` is what that SQL gave)."""

    memory: _Memory
    wrong: Callable[[str, pa.Table | None], bool]

    def notices(self, sql: str) -> bool:
        """Say whether the case comes out wrong; if the rows are the same there is nothing to see."""
        rows = self.memory.given(sql)
        same = rows is not None and self.memory.gave is not None and _spelled(rows) == _spelled(self.memory.gave)
        return not same and self.wrong(sql, rows)


def score_control(library: Library, control_id: str, *, step: Callable[[str], object] = str) -> list[Score]:
    """Return the scores of population.sql and control.sql; ``step`` is told of each.

    Raises ``ControlError`` if the cases fail as they are.
    """
    control = library.control(control_id)
    settings = {path.stem: prepared(library, control, parse_case(path)) for path in case_files(control)}
    two = dict(two_accounts(library, control, settings))
    known = equivalents(Path(control.folder).parent.parent)
    scores = []
    for key, name in (("population_sql", "population.sql"), ("control_sql", "control.sql")):
        with Engine(time_limit=TIME_LIMIT, threads=1, remember=False) as engine:
            trials = [*_written(settings | two, key, engine), *_automatic(settings, key, engine)]
            scores.append(_score(f"{control_id}/{name}", getattr(control, key), known, trials))
        step(scores[-1].file)
    return scores


def score_fact(library: Library, name: str, *, step: Callable[[str], object] = str) -> Score:
    """Return the score of a fact's SQL: over its own cases, then over those of whatever reads it.

    Raises ``ControlError`` if a case fails as it is.
    """
    fact = library.facts[name]
    with Engine(time_limit=TIME_LIMIT, threads=1, remember=False) as engine:
        score = _score(
            f"facts/{name}.sql", fact.sql, equivalents(Path(fact.folder).parent), list(_of_fact(library, fact, engine))
        )
    step(score.file)
    return score


def equivalents(root: Path) -> dict[str, set[str]]:
    """Return file -> ``what`` of the mutants that are known to change nothing (``[[equivalent]]`` with file, what, why)."""
    path = root / EQUIVALENT
    found: dict[str, set[str]] = {}
    for entry in tomllib.loads(path.read_text()).get("equivalent", []) if path.exists() else []:
        if not entry.get("why", "").strip():
            raise ControlError(f"{path}: {entry.get('what')!r} says no why", fix="say why it changes nothing")
        found.setdefault(entry["file"], set()).add(entry["what"])
    return found


def _score(name: str, sql: str, known: Mapping[str, set[str]], trials: list[_Trial]) -> Score:
    if _noticed(unchanged(sql), trials):
        raise ControlError(f"{name} comes out differently when it is printed again", fix="tell sqlglot's makers")
    made = tuple(mutants(sql))
    same = known.get(name, set())
    gone = sorted(same - {mutant.what for mutant in made})
    if gone:
        raise ControlError(f"{name} has no mutant {gone[0]!r}", fix=f"take it out of {EQUIVALENT}")
    lost = tuple(mutant for mutant in made if mutant.what not in same and not _noticed(mutant.sql, trials))
    return Score(name, made, lost, tuple(mutant for mutant in made if mutant.what in same))


def _noticed(sql: str, trials: list[_Trial]) -> bool:
    """Try the case that noticed last first: what one notices it often notices again."""
    for place, trial in enumerate(trials):
        if trial.notices(sql):
            trials.insert(0, trials.pop(place))
            return True
    return False


def _written(settings: Mapping[str, Setting], key: str, engine: Engine) -> Iterator[_Trial]:
    for name, setting in settings.items():
        memory = _Memory(engine.select, name, _text(setting, key))
        _as_it_is(name, difference(setting, memory.select))
        if memory.gave is not None:
            yield _Trial(memory, partial(_differs, setting, key, memory))


def _automatic(settings: Mapping[str, Setting], key: str, engine: Engine) -> Iterator[_Trial]:
    """Yield the spoiled evidence that the SQL gets to see; what the gate keeps away no mutant can change."""
    for name, setting in settings.items():
        for label, made in spoiled(setting) if setting.case.status == "satisfied" else ():
            memory = _Memory(engine.select, f"{name}, {label}", _text(setting, key))
            found = setting.assessed(memory.select, made)[0]
            _as_it_is(memory.name, "came out satisfied" if found.status == "satisfied" else "")
            if memory.gave is not None:
                yield _Trial(memory, partial(_satisfied, setting, key, memory, made))


def _of_fact(library: Library, fact: Fact, engine: Engine) -> Iterator[_Trial]:
    """Yield the fact's own cases, then those of the facts and controls that rest on it."""
    readers = [each for each in library.facts.values() if fact in library.facts_of(each)]
    for reader in (fact, *readers):
        for path in fact_case_files(reader):
            yield from _fact_trial(library, fact, reader, path.stem, parse_fact_case(path), engine)
    for name, case in fact_cases_as_two(fact):
        yield from _fact_trial(library, fact, fact, name, case, engine)
    for control in library.controls.values():
        if fact in library.facts_of(control):
            settings = {
                f"{control.id}/{path.stem}": prepared(library, control, parse_case(path))
                for path in case_files(control)
            }
            yield from _written(settings, fact.name, engine)


def _fact_trial(
    library: Library, fact: Fact, reader: Fact, name: str, case: FactCase, engine: Engine
) -> Iterator[_Trial]:
    memory = _Memory(engine.select, f"{reader.name}/{name}", fact.sql)
    _as_it_is(name, fact_difference(fact_rows(library, reader, case, memory.select), case.expect))
    if memory.gave is not None:
        yield _Trial(memory, partial(_fact_differs, library, fact, reader, case, memory))


def _as_it_is(case: str, wrong: str) -> None:
    if wrong:
        raise ControlError(
            f"case {case} fails before anything is changed: {wrong}", fix="`evidence controls test` first"
        )


def _differs(setting: Setting, key: str, memory: _Memory, sql: str, _: pa.Table | None) -> bool:
    return bool(difference(_with(setting, key, sql), memory.select))


def _satisfied(setting: Setting, key: str, memory: _Memory, made: MadeEvidence, sql: str, _: pa.Table | None) -> bool:
    return _with(setting, key, sql).assessed(memory.select, made)[0].status == "satisfied"


def _fact_differs(
    library: Library, fact: Fact, reader: Fact, case: FactCase, memory: _Memory, sql: str, _: pa.Table | None
) -> bool:
    changed = _with_fact(library, fact.name, sql)
    try:
        return bool(fact_difference(fact_rows(changed, changed.facts[reader.name], case, memory.select), case.expect))
    except ControlError:
        return True


def _text(setting: Setting, key: str) -> str:
    """Return the SQL that ``key`` means: a text of the control, or a fact."""
    return setting.library.facts[key].sql if key in setting.library.facts else getattr(setting.control, key)


def _with(setting: Setting, key: str, sql: str) -> Setting:
    if key in setting.library.facts:
        return dataclasses.replace(setting, library=_with_fact(setting.library, key, sql))
    return dataclasses.replace(setting, control=setting.control.model_copy(update={key: sql}))


def _with_fact(library: Library, name: str, sql: str) -> Library:
    fact = library.facts[name].model_copy(update={"sql": sql})
    return dataclasses.replace(library, facts={**library.facts, name: fact})


def _spelled(rows: pa.Table) -> tuple[list[str], list[str]]:
    return rows.schema.names, sorted(map(str, rows.to_pylist()))

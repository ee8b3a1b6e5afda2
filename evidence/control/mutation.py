"""Would the cases notice if the SQL were wrong? Each mutant changes one thing; at least one case must come out differently.

A mutant is *noticed* when a written case differs, an automatic case ends as satisfied, or the SQL no longer runs.
``verdict`` mutants change what is true of an item: a condition turned round, a condition or a WHERE left out, a COALESCE
removed, a CASE branch or a UNION branch left out. ``detail`` mutants move a boundary, the spelling compared, or a join's
kind. What only feeds the text of ``observed`` and ``expected`` is left alone. The method is mutation analysis (DeMillo, Lipton,
Sayward, 1978). Mutants that change nothing are listed, with the reason, in ``equivalent-mutants.toml`` of the controls' root.
"""

import dataclasses
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import sqlglot
from sqlglot import exp

from evidence.control.cases import (
    Setting,
    automatic_findings,
    case_files,
    difference,
    parse_case,
    prepared,
)
from evidence.control.engine import Engine
from evidence.control.factcases import fact_differs
from evidence.control.model import Fact, Library
from evidence.errors import ControlError

Kind = Literal["verdict", "detail"]

_COMPARED: Final = (
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In, exp.Like, exp.ILike, exp.NullSafeEQ, exp.NullSafeNEQ,
    exp.Between, exp.RegexpLike, exp.Exists, exp.ArrayContains,
)  # fmt: skip
_BOUNDARY: Final[dict[type[exp.Expr], type[exp.Expr]]] = {
    exp.GT: exp.GTE, exp.GTE: exp.GT, exp.LT: exp.LTE, exp.LTE: exp.LT,
}  # fmt: skip
_OPPOSITE: Final[dict[type[exp.Expr], type[exp.Expr]]] = {
    exp.Max: exp.Min, exp.Min: exp.Max, exp.LogicalOr: exp.LogicalAnd, exp.LogicalAnd: exp.LogicalOr,
}  # fmt: skip
TIME_LIMIT: Final = 5.0  # seconds: a mutant that needs longer is noticed
EQUIVALENT: Final = "equivalent-mutants.toml"
TEXT: Final = frozenset({"observed", "expected"})


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed text. ``what`` says what was changed, with the words it was changed in."""

    kind: Kind
    what: str
    sql: str


@dataclass(frozen=True, slots=True)
class Score:
    """What became of one SQL file's mutants: ``unnoticed`` by any case, ``equivalent`` ones listed as such."""

    file: str
    made: int
    unnoticed: tuple[Mutant, ...]
    equivalent: int


def mutants(sql: str) -> Iterator[Mutant]:
    """Yield every mutant of one SELECT, in the order of its syntax tree. Raises ``ControlError`` if it does not parse."""
    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
    except sqlglot.errors.SqlglotError as exc:
        raise ControlError(f"does not parse: {exc}", fix="`evidence controls lint` says where") from exc
    nodes = list(tree.walk())
    seen = {tree.sql(dialect="duckdb")}
    for place, node in enumerate(nodes):
        if _is_text(node):
            continue
        for operator in _OPERATORS:
            if operator.fits(node):
                copy = tree.copy()
                operator.apply(list(copy.walk())[place])
                text = copy.sql(dialect="duckdb")
                if text not in seen:
                    seen.add(text)
                    yield Mutant(operator.kind, f"{operator.what}: {_short(node)}", text)


@dataclass(frozen=True, slots=True)
class _Operator:
    """One kind of change: to which nodes, and how; ``apply`` changes a tree in place."""

    kind: Kind
    what: str
    fits: Callable[[exp.Expr], bool]
    apply: Callable[[exp.Expr], object]


def _of(*kinds: type[exp.Expr]) -> Callable[[exp.Expr], bool]:
    return lambda node: isinstance(node, kinds)


def _branch(node: exp.Expr) -> bool:
    return isinstance(node, exp.If) and isinstance(node.parent, exp.Case) and len(node.parent.args["ifs"]) > 1


def _negate(node: exp.Expr) -> object:
    parent = node.parent
    if isinstance(parent, exp.Not):
        return parent.replace(node.copy())
    return node.replace(exp.Not(this=exp.Paren(this=node.copy())))


def _only(side: str) -> Callable[[exp.Expr], object]:
    def change(node: exp.Expr) -> object:
        kept = node.args[side].copy()
        if node.args.get("with_"):
            kept.set("with_", node.args["with_"].copy())
        if node.parent:
            return node.replace(kept)
        _become(node, kept)
        return node

    return change


def _become(node: exp.Expr, kept: exp.Expr) -> None:
    """Turn the root of a tree, which nothing can replace, into another node."""
    values = dict(kept.args)
    node.__class__ = kept.__class__
    node.args = {}
    for name, value in values.items():
        node.set(name, value)


def _retyped(kind: type[exp.Expr]) -> Callable[[exp.Expr], object]:
    return lambda n: n.replace(kind(**{name: _copied(value) for name, value in n.args.items()}))


def _copied(value: object) -> object:
    return value.copy() if isinstance(value, exp.Expr) else value


def _is_text(node: exp.Expr) -> bool:
    """True inside the columns that only say what was seen."""
    at: exp.Expr | None = node
    while at is not None:
        if isinstance(at, exp.Alias) and at.alias.lower() in TEXT:
            return True
        at = at.parent
    return False


def _short(node: exp.Expr) -> str:
    text = " ".join(node.sql(dialect="duckdb").split())
    return text if len(text) <= 100 else text[:97] + "…"


_OPERATORS: Final = (
    _Operator("verdict", "turned round", _of(*_COMPARED), _negate),
    _Operator("verdict", "left side left out", _of(exp.And, exp.Or), lambda n: n.replace(n.expression.copy())),
    _Operator("verdict", "right side left out", _of(exp.And, exp.Or), lambda n: n.replace(n.this.copy())),
    _Operator("verdict", "NOT left out", _of(exp.Not), lambda n: n.replace(n.this.copy())),
    _Operator("verdict", "left out", _of(exp.Where, exp.Having), lambda n: n.pop()),
    _Operator("verdict", "COALESCE removed", _of(exp.Coalesce), lambda n: n.replace(n.this.copy())),
    _Operator("verdict", "branch left out", _branch, lambda n: n.pop()),
    _Operator("verdict", "first part left out", _of(exp.SetOperation), _only("expression")),
    _Operator("verdict", "second part left out", _of(exp.SetOperation), _only("this")),
    *(_Operator("verdict", f"{k.__name__} is {v.__name__}", _of(k), _retyped(v)) for k, v in _OPPOSITE.items()),
    *(_Operator("detail", "boundary moved", _of(k), _retyped(v)) for k, v in _BOUNDARY.items()),
    _Operator("detail", "case kept", _of(exp.Upper, exp.Lower, exp.Trim), lambda n: n.replace(n.this.copy())),
    _Operator(
        "detail", "inner join", lambda n: isinstance(n, exp.Join) and n.side == "LEFT", lambda n: n.set("side", None)
    ),
)


def score_control(library: Library, control_id: str) -> list[Score]:
    """Return the scores of population.sql and control.sql. Raises ``ControlError`` if the cases fail as they are."""
    control = library.control(control_id)
    settings = {path.stem: prepared(library, control, parse_case(path)) for path in case_files(control)}
    known = equivalents(Path(control.folder).parent.parent)
    with Engine(time_limit=TIME_LIMIT) as engine:
        return [
            _score(
                f"{control_id}/{file.removesuffix('_sql')}.sql",
                sql,
                known,
                lambda text, file=file: noticed(_changed(settings, file, text), engine),  # type: ignore[misc]
            )
            for file, sql in (("population_sql", control.population_sql), ("control_sql", control.control_sql))
        ]


def _score(name: str, sql: str, known: Mapping[str, set[str]], notice: Callable[[str], bool]) -> Score:
    if notice(sqlglot.parse_one(sql, dialect="duckdb").sql(dialect="duckdb")):
        raise ControlError(f"{name}: cases fail before anything is changed", fix="`evidence controls test` says which")
    every = list(mutants(sql))
    tried = [mutant for mutant in every if mutant.what not in known.get(name, ())]
    lost = tuple(mutant for mutant in tried if not notice(mutant.sql))
    return Score(name, len(every), lost, len(every) - len(tried))


def equivalents(root: Path) -> dict[str, set[str]]:
    """Return file -> ``what`` of the mutants that are known to change nothing (``[[equivalent]]`` with file, what, why)."""
    path = root / EQUIVALENT
    found: dict[str, set[str]] = {}
    for entry in tomllib.loads(path.read_text()).get("equivalent", []) if path.exists() else []:
        if not entry.get("why", "").strip():
            raise ControlError(f"{path}: {entry.get('what')!r} says no why", fix="say why it changes nothing")
        found.setdefault(entry["file"], set()).add(entry["what"])
    return found


def _changed(settings: dict[str, Setting], file: str, sql: str) -> dict[str, Setting]:
    return {
        name: dataclasses.replace(setting, control=setting.control.model_copy(update={file: sql}))
        for name, setting in settings.items()
    }


def noticed(settings: dict[str, Setting], engine: Engine) -> bool:
    """Say whether any case comes out otherwise than written, or an automatic one as satisfied."""
    if any(difference(setting, engine) for setting in settings.values()):
        return True
    return any(found.status == "satisfied" for _, found in automatic_findings(settings, engine))


def score_fact(library: Library, name: str) -> Score:
    """Return the score of a fact's SQL over its own cases."""
    fact = library.facts[name]
    with Engine(time_limit=TIME_LIMIT) as engine:
        return _score(
            f"facts/{name}.sql",
            fact.sql,
            equivalents(Path(fact.folder).parent),
            lambda text: fact_differs(_with(library, fact, text), name, engine),
        )


def _with(library: Library, fact: Fact, sql: str) -> Library:
    return dataclasses.replace(library, facts={**library.facts, fact.name: fact.model_copy(update={"sql": sql})})

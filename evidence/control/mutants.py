"""Change one thing in a SELECT: what a slip of the pen would have made of it.

``verdict`` mutants change what is true of an item: a condition turned round, a condition or a WHERE left out, a COALESCE
removed, a CASE branch or a UNION branch left out. ``detail`` mutants move a boundary, the spelling compared, or a join's
kind. What only feeds the text of ``observed`` and ``expected`` is left alone.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

import sqlglot
from sqlglot import exp

from evidence.errors import ControlError

Kind = Literal["verdict", "detail"]
KINDS: Final[tuple[Kind, ...]] = ("verdict", "detail")

_COMPARED: Final = (
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In, exp.Like, exp.ILike, exp.NullSafeEQ, exp.NullSafeNEQ,
    exp.Between, exp.RegexpLike, exp.Exists, exp.ArrayContains, exp.ArrayOverlaps, exp.StartsWith, exp.EndsWith, exp.Contains,
)  # fmt: skip
_BOUNDARY: Final[dict[type[exp.Expr], type[exp.Expr]]] = {
    exp.GT: exp.GTE, exp.GTE: exp.GT, exp.LT: exp.LTE, exp.LTE: exp.LT,
}  # fmt: skip
_OPPOSITE: Final[dict[type[exp.Expr], type[exp.Expr]]] = {
    exp.Max: exp.Min, exp.Min: exp.Max, exp.LogicalOr: exp.LogicalAnd, exp.LogicalAnd: exp.LogicalOr,
}  # fmt: skip
TEXT: Final = frozenset({"observed", "expected"})
_SHORT: Final = 100  # characters of the words a mutant is named by


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed text. ``what`` says what was changed, in the words it was changed in; no two of one text share it."""

    kind: Kind
    what: str
    sql: str


@dataclass(frozen=True, slots=True)
class _Operator:
    """One kind of change: to which nodes, and what stands in their place (None: nothing)."""

    kind: Kind
    what: str
    fits: Callable[[exp.Expr], bool]
    change: Callable[[exp.Expr], exp.Expr | None]
    words: Callable[[exp.Expr], exp.Expr] = lambda node: node


def mutants(sql: str) -> Iterator[Mutant]:
    """Yield every mutant of one SELECT, in the order of its syntax tree. Raises ``ControlError`` if it does not parse."""
    tree = _parsed(sql)
    seen = {tree.sql(dialect="duckdb")}
    named: Counter[str] = Counter()
    for place, node in enumerate(tree.walk()):
        for operator in () if _is_text(node) else _OPERATORS:
            text = _changed(tree, place, operator) if operator.fits(node) else ""
            if text and text not in seen:
                seen.add(text)
                what = f"{operator.what}: {_short(operator.words(node))}"
                named[what] += 1
                yield Mutant(operator.kind, what if named[what] == 1 else f"{what} (no. {named[what]})", text)


def unchanged(sql: str) -> str:
    """Return ``sql`` as a mutant spells it that changes nothing. Raises ``ControlError`` if it does not parse."""
    return _parsed(sql).sql(dialect="duckdb")


def _parsed(sql: str) -> exp.Expr:
    try:
        return sqlglot.parse_one(sql, dialect="duckdb")
    except sqlglot.errors.SqlglotError as exc:
        raise ControlError(f"does not parse: {exc}", fix="`evidence controls lint` says where") from exc


def _changed(tree: exp.Expr, place: int, operator: _Operator) -> str:
    copy = tree.copy()
    node = next(node for at, node in enumerate(copy.walk()) if at == place)
    instead = operator.change(node)
    if node is copy:
        return instead.sql(dialect="duckdb") if instead else ""
    if instead is None:
        node.pop()
    else:
        node.replace(instead)
    return copy.sql(dialect="duckdb")


def _of(*kinds: type[exp.Expr]) -> Callable[[exp.Expr], bool]:
    return lambda node: isinstance(node, kinds)


def _predicate(node: exp.Expr) -> bool:
    """Say whether a node is true or false of a row; under a NOT it is turned round by leaving that out."""
    if isinstance(node.parent, exp.Not):
        return False
    return isinstance(node, _COMPARED) or (isinstance(node, exp.Column | exp.And | exp.Or) and _decides(node))


def _decides(node: exp.Expr) -> bool:
    above = node.parent
    if isinstance(above, exp.Connector):
        return isinstance(node, exp.Column)
    if isinstance(above, exp.If):
        return node.arg_key == "this"
    return isinstance(above, exp.Where | exp.Having) or (isinstance(above, exp.Join) and node.arg_key == "on")


def _branch(node: exp.Expr) -> bool:
    return isinstance(node, exp.If) and isinstance(node.parent, exp.Case) and len(node.parent.args["ifs"]) > 1


def _left_join(node: exp.Expr) -> bool:
    return isinstance(node, exp.Join) and node.side == "LEFT"


def _negated(node: exp.Expr) -> exp.Expr:
    return exp.Not(this=exp.Paren(this=node.copy()))


def _inner(node: exp.Expr) -> exp.Expr:
    join = node.copy()
    join.set("side", None)
    return join


def _only(side: str) -> Callable[[exp.Expr], exp.Expr]:
    """Keep one part of a UNION, with the CTEs that stand before the whole."""

    def change(node: exp.Expr) -> exp.Expr:
        kept: exp.Expr = node.args[side].copy()
        if node.args.get("with_"):
            kept.set("with_", node.args["with_"].copy())
        return kept

    return change


def _retyped(kind: type[exp.Expr]) -> Callable[[exp.Expr], exp.Expr]:
    return lambda node: kind(**{name: _copied(value) for name, value in node.args.items()})


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
    return text if len(text) <= _SHORT else text[: _SHORT - 3] + "…"


_OPERATORS: Final = (
    _Operator("verdict", "turned round", _predicate, _negated),
    _Operator("verdict", "AND left out", _of(exp.And), lambda node: node.expression.copy(), lambda node: node.this),
    _Operator("verdict", "AND left out", _of(exp.And), lambda node: node.this.copy(), lambda node: node.expression),
    _Operator("verdict", "OR left out", _of(exp.Or), lambda node: node.expression.copy(), lambda node: node.this),
    _Operator("verdict", "OR left out", _of(exp.Or), lambda node: node.this.copy(), lambda node: node.expression),
    _Operator("verdict", "NOT left out", _of(exp.Not), lambda node: node.this.copy()),
    _Operator("verdict", "left out", _of(exp.Where, exp.Having), lambda _: None),
    _Operator("verdict", "COALESCE removed", _of(exp.Coalesce), lambda node: node.this.copy()),
    _Operator("verdict", "branch left out", _branch, lambda _: None),
    _Operator("verdict", "first part left out", _of(exp.SetOperation), _only("expression")),
    _Operator("verdict", "second part left out", _of(exp.SetOperation), _only("this")),
    *(_Operator("verdict", f"{k.__name__} is {v.__name__}", _of(k), _retyped(v)) for k, v in _OPPOSITE.items()),
    *(_Operator("detail", "boundary moved", _of(k), _retyped(v)) for k, v in _BOUNDARY.items()),
    _Operator("detail", "case kept", _of(exp.Upper, exp.Lower, exp.Trim), lambda node: node.this.copy()),
    _Operator("detail", "inner join", _left_join, _inner),
)

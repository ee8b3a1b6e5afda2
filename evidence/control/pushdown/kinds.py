"""Kinds of values as far as faithfulness depends on them, and the casts that let sqlglot know them.

sqlglot's annotation has gaps and a few mistakes for DuckDB (``date - date`` is days, ``time - time`` an interval). Each is closed by a cast to
the type that DuckDB gives, which changes nothing there and is checked by running the typed text in DuckDB (``tests/test_pushdown.py``).
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

import pyarrow as pa
from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.schema import MappingSchema

Kind = Literal["text", "int", "decimal", "bool", "date", "time", "interval", "texts", "null", "other", "unknown"]
_NAMED: Final[dict[Any, Kind]] = {
    **dict.fromkeys(exp.DataType.TEXT_TYPES, "text"),
    **dict.fromkeys(exp.DataType.INTEGER_TYPES, "int"),
    exp.DataType.Type.DECIMAL: "decimal",
    exp.DataType.Type.BOOLEAN: "bool",
    exp.DataType.Type.DATE: "date",
    exp.DataType.Type.TIMESTAMP: "time",
    exp.DataType.Type.TIMESTAMPNTZ: "time",
    exp.DataType.Type.INTERVAL: "interval",
    exp.DataType.Type.NULL: "null",
    exp.DataType.Type.UNKNOWN: "unknown",
}
INTERVALS: Final = {
    "to_days": "DAY",
    "to_hours": "HOUR",
    "to_minutes": "MINUTE",
    "to_seconds": "SECOND",
    "to_months": "MONTH",
    "to_years": "YEAR",
}
_SPELLED: Final[dict[Kind, str]] = {
    "text": "TEXT",
    "int": "BIGINT",
    "bool": "BOOLEAN",
    "date": "DATE",
    "time": "TIMESTAMP",
    "texts": "TEXT[]",
}
_ROUNDS: Final = 8


def kind(node: exp.Expr) -> Kind:
    """Return the kind of a value's type; ``unknown`` where sqlglot does not know."""
    found = node.type
    if isinstance(node.unalias(), exp.Null):
        return "null"
    if found is None:
        return "unknown"
    if found.this in {exp.DataType.Type.ARRAY, exp.DataType.Type.LIST}:
        inner = found.expressions
        return "texts" if inner and inner[0].this in exp.DataType.TEXT_TYPES else "other"
    return _NAMED.get(found.this, "other")


def sql_type(given: pa.DataType) -> str:
    """Return DuckDB's name of an Arrow type that a table handed to control SQL may have. A column of NULLs is an integer there."""
    if pa.types.is_timestamp(given):
        return "TIMESTAMP"
    if pa.types.is_decimal(given):
        return f"DECIMAL({given.precision}, {given.scale})"
    if pa.types.is_list(given):
        return f"{sql_type(given.value_type)}[]"
    if pa.types.is_struct(given):
        members = ", ".join(f'"{field.name}" {sql_type(field.type)}' for field in given)
        return f"STRUCT({members})"
    named: list[tuple[Callable[[pa.DataType], bool], str]] = [
        (pa.types.is_integer, "BIGINT"),
        (pa.types.is_boolean, "BOOLEAN"),
        (pa.types.is_floating, "DOUBLE"),
        (pa.types.is_date, "DATE"),
        (pa.types.is_null, "INTEGER"),
    ]
    return next((name for holds, name in named if holds(given)), "TEXT")


def interval_of(node: exp.Expr) -> tuple[exp.Expr, str] | None:
    """Return count and unit of ``to_days(n)`` and its like, or of ``interval 1 day``; None for anything else."""
    if isinstance(node, exp.ToDays):
        return node.this, "DAY"
    if isinstance(node, exp.Anonymous) and node.name.lower() in INTERVALS and len(node.expressions) == 1:
        return node.expressions[0], INTERVALS[node.name.lower()]
    if isinstance(node, exp.Interval) and node.unit is not None and isinstance(node.this, exp.Literal):
        unit = node.unit.name.upper().removesuffix("S")
        number = node.this.name
        if unit in INTERVALS.values() and number.isdigit():
            count = exp.Literal.number(number)
            count.type = exp.DataType.build("BIGINT")
            return count, unit
    return None


def typed(tree: exp.Expr, schema: MappingSchema) -> exp.Expr:
    """Return ``tree`` annotated, with casts where sqlglot does not know a type and DuckDB does."""
    for _ in range(_ROUNDS):
        tree = annotate_types(tree, schema=schema, dialect="duckdb")
        changes = [(node, to) for node in tree.walk() if (to := _cast_to(node))]
        if not changes:
            return tree
        for node, to in reversed(list(changes)):  # inner ones first
            cast = exp.Cast(this=node.copy(), to=exp.DataType.build(to, dialect="duckdb"))
            if node is tree:
                tree = cast
            else:
                node.replace(cast)
    return annotate_types(tree, schema=schema, dialect="duckdb")


def _cast_to(node: exp.Expr) -> str:
    """Return the type to cast ``node`` to; empty: none. What is cast already is left alone."""
    if isinstance(node.parent, exp.Cast) or isinstance(node, exp.Cast | exp.Column | exp.Literal):
        return ""
    match node:
        case exp.Null():
            to = _of_place(node)
        case exp.Add() | exp.Sub():
            to = _of_sum(kind(node.this), kind(node.expression), node)
        case exp.SplitPart() | exp.RegexpExtract() | exp.RegexpReplace() | exp.Replace() | exp.Chr():
            to = "TEXT" if kind(node) != "text" else ""
        case exp.Explode():
            to = "TEXT" if kind(node.this) == "texts" else ""
        case exp.Split():
            to = "TEXT[]"
        case exp.Array() | exp.Case() | exp.Coalesce():
            to = _of_parts(node)
        case _:
            to = "INTERVAL" if interval_of(node) and kind(node) != "interval" else ""
    return to


def _of_parts(node: exp.Array | exp.Case | exp.Coalesce) -> str:
    if kind(node) in ({"texts"} if isinstance(node, exp.Array) else {"text", "texts"}):
        return ""
    parts = {kind(each) for each in (node.expressions if isinstance(node, exp.Array) else _ends(node))} - {"null"}
    if isinstance(node, exp.Array):
        return "TEXT[]" if parts == {"text"} else ""
    return "TEXT[]" if parts == {"texts"} else "TEXT" if parts == {"text"} else ""


def _of_place(node: exp.Null) -> str:
    """Return the type of a NULL that is a column of a query: that of the same column in the others it is united with."""
    column = node.parent if isinstance(node.parent, exp.Alias) else node
    select = column.parent
    if not isinstance(select, exp.Select) or column.arg_key != "expressions" or column.index is None:
        return ""
    top: exp.Expr = select
    while isinstance(top.parent, exp.SetOperation) or (
        isinstance(top.parent, exp.Subquery) and isinstance(top.parent.parent, exp.SetOperation)
    ):
        top = top.parent
    found = {_SPELLED.get(kind(each)) for each in _same_column(top, column.index)} - {None}
    return str(found.pop()) if len(found) == 1 else ""


def _same_column(query: exp.Expr, place: int) -> Iterator[exp.Expr]:
    if isinstance(query, exp.SetOperation):
        yield from _same_column(query.left, place)
        yield from _same_column(query.right, place)
    elif isinstance(query, exp.Subquery):
        yield from _same_column(query.this, place)
    elif isinstance(query, exp.Select) and place < len(query.selects):
        yield query.selects[place]


def _ends(node: exp.Case | exp.Coalesce) -> list[exp.Expr]:
    if isinstance(node, exp.Coalesce):
        return [node.this, *node.expressions]
    default = node.args.get("default")
    return [*(each.args["true"] for each in node.args["ifs"]), *([default] if default is not None else [])]


def _of_sum(left: Kind, right: Kind, node: exp.Add | exp.Sub) -> str:
    if interval_of(node.expression) or right == "interval":
        return "TIMESTAMP" if left in {"date", "time"} and kind(node) != "time" else ""
    if isinstance(node, exp.Sub) and left == right == "date":
        return "BIGINT"
    if isinstance(node, exp.Sub) and {left, right} <= {"date", "time"}:
        return "INTERVAL"
    return ""

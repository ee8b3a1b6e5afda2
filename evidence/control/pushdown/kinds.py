"""Kinds of values as far as faithfulness depends on them, and what a name inside a statement refers to."""

from typing import Any, Final, Literal

from sqlglot import exp

Kind = Literal[
    "text",
    "int",
    "decimal",
    "bool",
    "date",
    "time",
    "interval",
    "texts",
    "struct",
    "structs",
    "json",
    "jsons",
    "null",
    "other",
    "unknown",
]
_NAMED: Final[dict[Any, Kind]] = {
    **dict.fromkeys(exp.DataType.TEXT_TYPES, "text"),
    **dict.fromkeys(exp.DataType.INTEGER_TYPES, "int"),
    exp.DataType.Type.DECIMAL: "decimal",
    exp.DataType.Type.BOOLEAN: "bool",
    exp.DataType.Type.DATE: "date",
    exp.DataType.Type.TIMESTAMP: "time",
    exp.DataType.Type.TIMESTAMPNTZ: "time",
    exp.DataType.Type.INTERVAL: "interval",
    exp.DataType.Type.STRUCT: "struct",
    exp.DataType.Type.JSON: "json",
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


def kind(node: exp.Expr) -> Kind:
    """Return the kind of a value's type; ``unknown`` where sqlglot does not know."""
    found = node.type
    if isinstance(node.unalias(), exp.Null):
        return "null"
    if found is None:
        return "unknown"
    if found.this in {exp.DataType.Type.ARRAY, exp.DataType.Type.LIST}:
        inner = found.expressions
        if inner and inner[0].this in exp.DataType.TEXT_TYPES:
            return "texts"
        if inner and inner[0].this == exp.DataType.Type.JSON:
            return "jsons"
        return "structs" if inner and inner[0].this == exp.DataType.Type.STRUCT else "other"
    return _NAMED.get(found.this, "other")


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


def group_names(node: exp.Expr) -> list[str]:
    """Return the names that ``regexp_extract`` gives groups; none: it gives a text."""
    named = node.args.get("group")  # its rule may have been applied already
    return [each.name for each in named.expressions] if isinstance(named, exp.Array | exp.Anonymous) else []


def member_type(node: exp.Expr) -> str:
    """Return the declared type of a member of a structure, in DuckDB's words; empty where the structure's type does not name it."""
    held = node.this.type
    if held is None or held.this != exp.DataType.Type.STRUCT:
        return ""
    for each in held.expressions:
        if (
            isinstance(each, exp.ColumnDef)
            and each.name.lower() == node.expression.name.lower()
            and each.kind is not None
        ):
            return str(each.kind.sql("duckdb"))
    return ""


def aggregated(node: exp.ArrayAgg) -> exp.Expr:
    """Return the value that ``list(value order by …)`` collects."""
    inner: exp.Expr = node.this.this if isinstance(node.this, exp.Order) else node.this
    first: exp.Expr = inner.expressions[0] if isinstance(inner, exp.Distinct) else inner
    return first


def lambda_of(node: exp.Expr) -> exp.Lambda | None:
    """Return the lambda whose variable ``node`` refers to; None for any other identifier."""
    if not isinstance(node, exp.Identifier) or isinstance(
        node.parent, exp.Column | exp.Alias | exp.Table | exp.TableAlias | exp.CTE
    ):
        return None
    if node.arg_key == "expressions" and isinstance(node.parent, exp.Lambda):
        return None
    if node.arg_key == "expression" and isinstance(node.parent, exp.Dot):
        return None
    above = node.find_ancestor(exp.Lambda)
    while above is not None and node.name.lower() not in {each.name.lower() for each in above.expressions}:
        above = above.find_ancestor(exp.Lambda)
    return above


def unnested(node: exp.Expr) -> exp.Unnest | None:
    """Return the ``unnest`` in FROM that a column is the element of."""
    if not isinstance(node, exp.Column):
        return None
    select = node.find_ancestor(exp.Select)
    while select is not None:
        for found in sources(select):
            if found.alias == node.table:
                return found if isinstance(found, exp.Unnest) else None
        select = select.find_ancestor(exp.Select)
    return None


def sources(select: exp.Select) -> list[exp.Expr]:
    """Return what a SELECT reads: tables, subqueries, lists."""
    start = select.args.get("from_")
    return [*([start.this] if start else []), *(join.this for join in select.args.get("joins") or [])]

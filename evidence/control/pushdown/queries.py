"""Rules for aggregates, and for what a query is made of: rows joined, grouped, ordered, and lists spread into rows."""

from collections.abc import Mapping
from itertools import count
from typing import Final

from sqlglot import exp

from evidence.control.pushdown import build as b
from evidence.control.pushdown.kinds import kind
from evidence.control.pushdown.refusal import RefusedError
from evidence.control.pushdown.texts import Rule

_JOINS: Final = {
    ("", ""),
    ("", "INNER"),
    ("LEFT", ""),
    ("LEFT", "OUTER"),
    ("RIGHT", ""),
    ("FULL", ""),
    ("FULL", "OUTER"),
    ("", "CROSS"),
}
_COMPARABLE: Final = ("text", "int", "decimal", "date", "time")


def group_by_all(tree: exp.Expr) -> None:
    """Write out ``GROUP BY ALL``: every result column without an aggregate. Raises ``RefusedError`` where that is not clear."""
    for select in tree.find_all(exp.Select):
        group = select.args.get("group")
        if group is None or not group.args.get("all"):
            continue
        keys = []
        for each in select.selects:
            value = each.unalias()
            if any(_of_this(found, select) for found in value.find_all(exp.AggFunc)):
                if any(column.find_ancestor(exp.AggFunc, exp.Filter) is None for column in value.find_all(exp.Column)):
                    raise RefusedError("group by all", "over a value that mixes an aggregate and a column")
            elif value.find(exp.Column) is not None:
                keys.append(value.copy())
        if not keys:
            raise RefusedError("group by all", "without a column to group by")
        select.set("group", exp.Group(expressions=keys))


def _of_this(found: exp.Expr, select: exp.Select) -> bool:
    return found.find_ancestor(exp.Select) is select and not isinstance(found.parent, exp.Window)


def aggregate(node: exp.Expr) -> exp.Expr:
    """An aggregate without ``FILTER``; one with is taken by :func:`filtered`."""
    if isinstance(node.parent, exp.Filter):
        return node.copy()
    return _aggregated(node, None)


def filtered(node: exp.Expr) -> exp.Expr:
    """``FILTER (WHERE …)``: the same rows by ``CASE``, since every aggregate here leaves NULLs out."""
    return _aggregated(node.this, node.expression.this)


def _aggregated(node: exp.Expr, condition: exp.Expr | None) -> exp.Expr:
    match node:
        case exp.Count():
            return _count(node, condition)
        case exp.Sum():
            b.need(node.this, "sum", "int")
            return b.call("SUM", _kept(node.this, condition), of=b.INTEGER)
        case exp.Min() | exp.Max():
            name = type(node).__name__.upper()
            if node.expressions:
                raise RefusedError(name.lower(), "of the n smallest")
            b.need(node.this, name.lower(), *_COMPARABLE)
            made = b.call(name, _kept(node.this, condition), of=b.TEXT)
            made.type = node.type
            return made
        case exp.LogicalOr() | exp.LogicalAnd():
            b.need(node.this, "bool_or", "bool")
            name = "BOOLOR_AGG" if isinstance(node, exp.LogicalOr) else "BOOLAND_AGG"
            return b.call(name, _kept(node.this, condition), of=b.BOOLEAN)
        case exp.GroupConcat():
            return _concatenated(node, condition)
    raise RefusedError(type(node).__name__.lower(), "an aggregate that is not known")


def _kept(value: exp.Expr, condition: exp.Expr | None) -> exp.Expr:
    if condition is None:
        return value
    made = exp.Case(ifs=[exp.If(this=condition.copy(), true=value.copy())])
    made.type = value.type
    return made


def _count(node: exp.Count, condition: exp.Expr | None) -> exp.Expr:
    what = node.this
    if isinstance(what, exp.Star) or what is None:
        return (
            b.call("COUNT", exp.Star(), of=b.INTEGER)
            if condition is None
            else b.call("COUNT_IF", condition, of=b.INTEGER)
        )
    if isinstance(what, exp.Distinct):
        if len(what.expressions) != 1 or isinstance(what.expressions[0], exp.Tuple) or what.args.get("on"):
            raise RefusedError("count(distinct …)", "over several values")
        b.need(what.expressions[0], "count(distinct …)", *_COMPARABLE, "bool")
        return b.call("COUNT", exp.Distinct(expressions=[_kept(what.expressions[0], condition).copy()]), of=b.INTEGER)
    return b.call("COUNT", _kept(what, condition), of=b.INTEGER)


def _concatenated(node: exp.GroupConcat, condition: exp.Expr | None) -> exp.Expr:
    """``string_agg``: nothing to join is NULL in DuckDB, an empty text in Snowflake. By an order that names what is joined, or a total one."""
    order = node.this
    if not isinstance(order, exp.Order):
        raise RefusedError("string_agg", "without an order")
    value, distinct = order.this, False
    if isinstance(value, exp.Distinct):
        if len(value.expressions) != 1:
            raise RefusedError("string_agg", "distinct over several values")
        value, distinct = value.expressions[0], True
    b.need(value, "string_agg", "text")
    if any(each.this != value for each in order.expressions):
        raise RefusedError("string_agg", "by an order that is not its own value")
    separator = node.args.get("separator")
    if not (isinstance(separator, exp.Literal) and separator.is_string):
        raise RefusedError("string_agg", "without a literal between")
    kept = _kept(value, condition)
    inner = exp.Distinct(expressions=[kept.copy()]) if distinct else kept.copy()
    listed = exp.Anonymous(this="LISTAGG", expressions=[inner, separator.copy()])
    ordered = exp.Order(
        expressions=[exp.Ordered(this=kept.copy(), desc=order.expressions[0].args.get("desc"), nulls_first=False)]
    )
    within = exp.WithinGroup(this=listed, expression=ordered)
    some = exp.GT(this=exp.Anonymous(this="COUNT", expressions=[kept.copy()]), expression=b.number(0))
    return b.case(some, within, None, b.TEXT)


AGGREGATES: Final[Mapping[type[exp.Expr], Rule]] = {
    **dict.fromkeys((exp.Count, exp.Sum, exp.Min, exp.Max, exp.LogicalOr, exp.LogicalAnd, exp.GroupConcat), aggregate),
    exp.Filter: filtered,
}


def shape(node: exp.Expr) -> None:
    """Raise ``RefusedError`` for a part of a query that the two engines do not share."""
    match node:
        case exp.With() if node.args.get("recursive"):
            raise RefusedError("with recursive", "Snowflake's recursion keeps duplicates, DuckDB's `union` does not")
        case exp.SetOperation() if node.args.get("by_name"):
            raise RefusedError("union by name", "columns are matched by place in Snowflake")
        case exp.SetOperation():
            _columns_alike(node)
        case exp.Join():
            _join(node)
        case exp.Distinct() if node.args.get("on"):
            raise RefusedError("distinct on", "Snowflake has none")
        case exp.Explode():
            _spread_where(node)
        case exp.Window() if node.args.get("spec") and not node.args.get("order"):
            raise RefusedError("window", "with a frame and no order")
        case exp.Window() if isinstance(node.this, exp.Filter):
            raise RefusedError("window", "with a filter")
        case exp.Group() if any(node.args.get(each) for each in ("cube", "rollup", "grouping_sets")):
            raise RefusedError("group by", "with several sets")


def _columns_alike(node: exp.SetOperation) -> None:
    left, right = node.left.selects, node.right.selects
    if len(left) != len(right):
        raise RefusedError("union", "of different numbers of columns")
    for one, other in zip(left, right, strict=True):
        if kind(one) != kind(other):
            b.alike("union", one, other)


def _join(node: exp.Join) -> None:
    said = (str(node.side or "").upper(), str(node.kind or "").upper())
    if said not in _JOINS or node.args.get("method") or node.args.get("using"):
        words = " ".join(word for word in (str(node.args.get("method") or ""), *said) if word)
        raise RefusedError(f"{words.lower()} join", "not one of inner, left, right, full and cross")


def _spread_where(node: exp.Explode) -> None:
    parent = node.parent
    while isinstance(parent, exp.Alias | exp.Cast):
        parent = parent.parent
    if not isinstance(parent, exp.Select) or len(list(_spreads(parent))) != 1:
        raise RefusedError("unnest", "other than once, as a column of its own")
    if parent.args.get("group") or parent.args.get("limit") or parent.find(exp.Window) or _aggregates(parent):
        raise RefusedError("unnest", "beside groups, windows or a limit")
    b.need(node.this, "unnest", "texts")


def _spreads(select: exp.Select) -> list[exp.Explode]:
    return [
        found
        for each in select.selects
        for found in each.find_all(exp.Explode)
        if found.find_ancestor(exp.Select) is select
    ]


def _aggregates(select: exp.Select) -> bool:
    return any(_of_this(found, select) for each in select.selects for found in each.find_all(exp.AggFunc))


def spread(tree: exp.Expr) -> None:
    """Write ``SELECT unnest(list)`` as a join with FLATTEN: a row for each element, none for NULL or an empty list."""
    names = (f"_spread{number}" for number in count())
    for select in list(tree.find_all(exp.Select)):
        for found in _spreads(select):
            name = exp.to_identifier(next(names), quoted=True)
            flat = exp.Anonymous(
                this="FLATTEN", expressions=[exp.Kwarg(this=exp.Var(this="INPUT"), expression=found.this.copy())]
            )
            select.append("joins", exp.Join(this=exp.Lateral(this=flat, alias=exp.TableAlias(this=name))))
            value = exp.Column(this=exp.to_identifier("VALUE", quoted=True), table=name.copy())
            found.replace(b.cast(value, "VARCHAR", b.TEXT))

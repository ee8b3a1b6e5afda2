"""Rules for aggregates, and for what a query is made of: rows joined, grouped, ordered."""

from collections.abc import Mapping
from typing import Final

from sqlglot import exp

from evidence.control.pushdown import build as b
from evidence.control.pushdown import lists as ls
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
_FRAMED: Final = (exp.Min, exp.Max, exp.Sum, exp.Count)
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
            if any(of_this(found, select) for found in value.find_all(exp.AggFunc)):
                if any(column.find_ancestor(exp.AggFunc, exp.Filter) is None for column in value.find_all(exp.Column)):
                    raise RefusedError("group by all", "over a value that mixes an aggregate and a column")
            elif value.find(exp.Column) is not None:
                keys.append(value.copy())
        if not keys:
            raise RefusedError("group by all", "without a column to group by")
        select.set("group", exp.Group(expressions=keys))


def of_this(found: exp.Expr, select: exp.Select) -> bool:
    """Whether an aggregate is of this SELECT, and no window."""
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
        case exp.ArrayAgg():
            return ls.collected(node, condition)
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
    **dict.fromkeys(
        (exp.Count, exp.Sum, exp.Min, exp.Max, exp.LogicalOr, exp.LogicalAnd, exp.GroupConcat, exp.ArrayAgg), aggregate
    ),
    exp.Filter: filtered,
}


def _told_apart(node: exp.Expr) -> list[exp.Expr]:
    """Return the values by which rows are told apart or ordered."""
    match node:
        case exp.Group():
            return list(node.expressions)
        case exp.Ordered():
            return [node.this]
        case exp.Window():
            return list(node.args.get("partition_by") or [])
        case exp.Select() if node.args.get("distinct"):
            return list(node.selects)
        case exp.SetOperation() if node.args.get("distinct"):
            return list(node.left.selects)
    return []


def shape(node: exp.Expr) -> None:
    """Raise ``RefusedError`` for a part of a query that the two engines do not share."""
    nested = {kind(each) for each in _told_apart(node)} & (b.NESTED - {"texts"})
    if nested:
        raise RefusedError("rows told apart", f"by a value that is {nested.pop()}")
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
        case exp.Window():
            _window(node)
        case exp.Group() if any(node.args.get(each) for each in ("cube", "rollup", "grouping_sets")):
            raise RefusedError("group by", "with several sets")


def _columns_alike(node: exp.SetOperation) -> None:
    left, right = node.left.selects, node.right.selects
    if len(left) != len(right):
        raise RefusedError("union", "of different numbers of columns")
    for one, other in zip(left, right, strict=True):
        if kind(one) != kind(other):
            b.alike("union", one, other)


def _window(node: exp.Window) -> None:
    """A frame is of rows, from and to a number of them; what Snowflake has no window for is refused."""
    spec = node.args.get("spec")
    if isinstance(node.this, exp.Filter):
        raise RefusedError("window", "with a filter")
    if spec is None:
        return
    if not node.args.get("order"):
        raise RefusedError("window", "with a frame and no order")
    if spec.args.get("exclude"):
        raise RefusedError("window", "with rows left out of its frame")
    if str(spec.args.get("kind") or "").upper() != "ROWS":
        _later(node, spec)
        return
    if node.this.find(exp.Distinct) is not None or not isinstance(node.this, _FRAMED):
        raise RefusedError("window", f"a frame of {type(node.this).__name__.lower()}")
    for edge in (spec.args.get("start"), spec.args.get("end")):
        if isinstance(edge, exp.Expr) and not (isinstance(edge, exp.Literal) and edge.name.isdigit()):
            raise RefusedError("window", "with a frame by a value")


def _later(node: exp.Window, spec: exp.Expr) -> None:
    """A frame by value is allowed where it is all that comes later than a moment, and what is taken is that moment: NULLs, which come last, have none."""
    order = node.args["order"].expressions
    start = spec.args.get("start")
    value = node.this.this
    ends = (
        [each.args["true"] for each in value.args["ifs"]]
        if isinstance(value, exp.Case) and not value.args.get("default")
        else []
    )
    if (
        not isinstance(node.this, exp.Min | exp.Max)
        or len(order) != 1
        or order[0].args.get("desc")
        or kind(order[0].this) != "time"
        or any(each != order[0].this for each in ends or [value])
    ):
        raise RefusedError("window", "a frame by value, of other than the time it is ordered by")
    sides = tuple(str(spec.args.get(each) or "").upper() for each in ("start_side", "end", "end_side"))
    shortest = (
        isinstance(start, exp.Interval)
        and start.unit is not None
        and (start.this.name, start.unit.name.upper()) == ("1", "MICROSECOND")
    )
    if not shortest or sides != ("FOLLOWING", "UNBOUNDED", "FOLLOWING"):
        raise RefusedError("window", "a frame by value that is not all that comes later")


def _join(node: exp.Join) -> None:
    said = (str(node.side or "").upper(), str(node.kind or "").upper())
    if said not in _JOINS or node.args.get("method") or node.args.get("using"):
        words = " ".join(word for word in (str(node.args.get("method") or ""), *said) if word)
        raise RefusedError(f"{words.lower()} join", "not one of inner, left, right, full and cross")

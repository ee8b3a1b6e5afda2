"""Rules for lists of texts: joined, filtered, turned, ordered, cut, compared. In Snowflake an ARRAY whose elements are texts or NULL.

An element that is NULL is SQL's in a list that is made there and JSON's in one that was loaded. Cast to a text both are NULL; where a function tells the two apart, or
where the pages leave open what it does with either, a list that has one is cleared of it as DuckDB does, or the statement stops there.
"""

from typing import Final

from sqlglot import exp

from evidence.control.pushdown import build as b
from evidence.control.pushdown import texts as t
from evidence.control.pushdown.kinds import aggregated, kind, lambda_of
from evidence.control.pushdown.refusal import RefusedError

TEXTS: Final = "TEXT[]"
_CARRIERS: Final = (exp.Cast, exp.Paren, exp.ArrayFilter, exp.Transform, exp.Coalesce, exp.ArrayDistinct, exp.DPipe)
_NO_ORDER: Final = (exp.ArraySort, exp.Length, exp.Explode, exp.Unnest, exp.ArrayContains, exp.ArrayOverlaps)
_OWN, _OTHER = "x", "y"  # variables of lambdas that are written here; those of control SQL are e1, e2, …


def name_variables(tree: exp.Expr) -> None:
    """Give the variable of each lambda a name of its own that needs no quotes, and refuse what a lambda may not hold there."""
    found = list(tree.find_all(exp.Lambda))
    references = [(node, owner) for node in tree.find_all(exp.Identifier) if (owner := lambda_of(node)) is not None]
    for number, each in enumerate(found, 1):
        if len(each.expressions) != 1:
            raise RefusedError("lambda", "with several variables")
        if each.find(exp.Select, exp.Window, exp.AggFunc) is not None:
            raise RefusedError("lambda", "with a query, a window or an aggregate inside")
        for node, owner in references:
            if owner is each:
                node.set("this", f"e{number}")
                node.args["quoted"] = False
        each.expressions[0].set("this", f"e{number}")


def over_texts(name: str, listed: exp.Expr, variable: str, body: exp.Expr) -> exp.Expr:
    """Return ``FILTER`` or ``TRANSFORM``. The variable has its type, so that an element of either NULL is NULL; the result is semi-structured again."""
    declared = variable if kind(listed) in {"structs", "jsons"} else f"{variable} VARCHAR"
    said = exp.Lambda(this=body.copy(), expressions=[exp.Var(this=declared)])
    made = b.cast(b.call(name, listed, said, of=TEXTS), "ARRAY", TEXTS)
    if name == "FILTER" and listed.type is not None:
        made.type = listed.type
    return made


def without_nulls(listed: exp.Expr) -> exp.Expr:
    """Return the list without elements that are NULL."""
    there = exp.Not(this=exp.Is(this=exp.Var(this=_OTHER), expression=exp.Null()))
    return over_texts("FILTER", listed, _OTHER, there)


def stopped_unless_whole(listed: exp.Expr, some: exp.Expr, value: exp.Expr, of: str) -> exp.Expr:
    """Return ``value`` where ``some``, what a FILTER left of ``listed``, is all of it; else the statement stops there."""
    size = b.call("ARRAY_SIZE", listed, of=b.INTEGER)
    full = exp.EQ(this=b.call("ARRAY_SIZE", some, of=b.INTEGER), expression=size)
    condition = exp.Or(this=exp.Is(this=listed.copy(), expression=exp.Null()), expression=full)
    fails = t.stopped(size)
    otherwise = b.call("ARRAY_CONSTRUCT", fails, of=TEXTS) if of == TEXTS else fails
    return b.case(condition, value, otherwise, of)


def _stopped_at_null(listed: exp.Expr, value: exp.Expr, of: str) -> exp.Expr:
    """Return ``value``; a list with an element that is NULL stops the statement there."""
    return stopped_unless_whole(listed, without_nulls(listed), value, of)


def concatenation(node: exp.Expr) -> exp.Expr:
    """``||`` of lists: NULL if either is. Of anything else: of texts."""
    if "texts" not in {kind(node.this), kind(node.expression)}:
        return t.concatenation(node)
    b.need(node.this, "||", "texts")
    b.need(node.expression, "||", "texts")
    return b.call("ARRAY_CAT", node.this, node.expression, of=TEXTS)


def _lambda(node: exp.Expr, construct: str) -> exp.Lambda:
    b.need(node.this, construct, "texts", "structs", "jsons")
    if not isinstance(node.expression, exp.Lambda):
        raise RefusedError(construct, "without a lambda")
    return node.expression


def kept(node: exp.Expr) -> exp.Expr:
    """``list_filter``: elements for which it is true; NULL is not."""
    said = _lambda(node, "list_filter")
    b.need(said.this, "list_filter", "bool")
    return over_texts("FILTER", node.this, said.expressions[0].name, said.this)


def turned(node: exp.Expr) -> exp.Expr:
    """``list_transform`` into texts."""
    said = _lambda(node, "list_transform")
    b.need(said.this, "list_transform", "text")
    return over_texts("TRANSFORM", node.this, said.expressions[0].name, said.this)


def ordered(node: exp.Expr) -> exp.Expr:
    """``list_sort``: upwards, by bytes."""
    b.need(node.this, "list_sort", "texts")
    if node.args.get("expression") is not None:
        raise RefusedError("list_sort", "in another order")
    return _stopped_at_null(node.this, b.call("ARRAY_SORT", node.this, of=TEXTS), TEXTS)


def need_no_order(node: exp.Expr, construct: str) -> None:
    """Refuse a list whose order the pages leave open, unless what it is handed to does not show it."""
    at: exp.Expr = node
    above = node.parent
    while isinstance(above, _CARRIERS):
        at, above = above, above.parent
    if isinstance(above, exp.Anonymous) and above.name.lower() == "list_has_all":
        return
    if not isinstance(above, _NO_ORDER) or (isinstance(above, exp.ArrayContains) and above.this is not at):
        raise RefusedError(construct, "where its order may show")


def once(node: exp.Expr) -> exp.Expr:
    """``list_distinct``: NULLs are left out. In what order is open in both, so it must not show."""
    b.need(node.this, "list_distinct", "texts")
    need_no_order(node, "list_distinct")
    return b.call("ARRAY_DISTINCT", without_nulls(node.this), of=TEXTS)


def said(node: exp.Expr) -> exp.Expr:
    """``array_to_string``: NULLs are left out; of NULLs alone it is NULL, of nothing empty."""
    b.need(node.this, "array_to_string", "texts")
    if node.args.get("null") is not None:
        raise RefusedError("array_to_string", "with a word for NULL")
    if not isinstance(node.expression, exp.Literal):
        raise RefusedError("array_to_string", "without a literal between")
    some = without_nulls(node.this)
    nulls = exp.And(
        this=exp.EQ(this=b.call("ARRAY_SIZE", some, of=b.INTEGER), expression=b.number(0)),
        expression=exp.GT(this=b.call("ARRAY_SIZE", node.this, of=b.INTEGER), expression=b.number(0)),
    )
    return b.case(nulls, exp.Null(), b.call("ARRAY_TO_STRING", some, node.expression, of=b.TEXT), b.TEXT)


def picked(node: exp.Expr) -> exp.Expr:
    """``list[n]``, ``list[:n]``, ``text[m:-n]``, by literals."""
    (inside,) = node.expressions
    if isinstance(inside, exp.Slice):
        return _cut(node.this, inside)
    b.need(node.this, "list[n]", "texts")
    if not (isinstance(inside, exp.Literal) and inside.name.isdigit()):
        raise RefusedError("list[n]", "needs a literal place from 1 on")
    return b.cast(
        b.call("GET", node.this, b.number(int(inside.name)), of=b.TEXT), "VARCHAR", b.TEXT
    )  # from 0 on already


def _cut(value: exp.Expr, part: exp.Slice) -> exp.Expr:
    first = b.literal_number(part.this, "slice") if part.this is not None else 1
    if part.args.get("step") is not None:
        raise RefusedError("slice", "with a step")
    if kind(value) == "texts":
        return b.call(
            "ARRAY_SLICE", value, b.number(first - 1), b.number(b.literal_number(part.expression, "slice")), of=TEXTS
        )
    b.need(value, "slice", "text")
    if isinstance(part.expression, exp.Neg):  # -1 is the last character
        less = first + b.literal_number(part.expression.this, "slice") - 2
        size: exp.Expr = exp.Sub(this=b.call("LENGTH", value, of=b.INTEGER), expression=b.number(less))
        size = b.call("GREATEST", size, b.number(0), of=b.INTEGER)
    else:
        size = b.number(max(0, b.literal_number(part.expression, "slice") - first + 1))
    return b.call("SUBSTR", value, b.number(first), size, of=b.TEXT)


def _found(name: str, few: exp.Expr, many: exp.Expr, *, there: bool) -> exp.Expr:
    """Return how many elements of ``few`` that are not NULL are, or are not, among ``many``; NULL if either list is."""
    b.need(few, name, "texts")
    b.need(many, name, "texts")
    variable = exp.Var(this=_OWN)
    among = b.call("ARRAY_CONTAINS", b.call("TO_VARIANT", variable, of=b.TEXT), without_nulls(many), of=b.BOOLEAN)
    some = exp.Not(this=exp.Is(this=variable.copy(), expression=exp.Null()))
    condition = exp.And(this=some, expression=among if there else exp.Not(this=exp.Paren(this=among)))
    size = b.call("ARRAY_SIZE", over_texts("FILTER", few, _OWN, condition), of=b.INTEGER)
    missing = exp.Is(this=many.copy(), expression=exp.Null())
    return b.case(exp.Not(this=exp.Paren(this=missing)), size, None, b.INTEGER)


def shared(node: exp.Expr) -> exp.Expr:
    """``a && b``: whether an element that is not NULL is in both."""
    if all(isinstance(each, exp.Array) for each in (node.this, node.expression)):
        raise RefusedError("&&", "of two literals")
    counted = _found("&&", node.expression, node.this, there=True)
    return b.typed_as(exp.Paren(this=exp.GT(this=counted, expression=b.number(0))), b.BOOLEAN)


def has_all(node: exp.Expr) -> exp.Expr:
    """``list_has_all(a, b)``: whether each element of b that is not NULL is in a."""
    if len(node.expressions) != 2:
        raise RefusedError("list_has_all", "of other than two lists")
    counted = _found("list_has_all", node.expressions[1], node.expressions[0], there=False)
    return b.typed_as(exp.Paren(this=exp.EQ(this=counted, expression=b.number(0))), b.BOOLEAN)


def equal(node: exp.Expr) -> exp.Expr:
    """``=``, ``is distinct from`` of lists: by their JSON, which spells texts in one way. A list with an element that is NULL stops the statement there."""
    if not isinstance(node, exp.EQ | exp.NEQ | exp.NullSafeEQ | exp.NullSafeNEQ):
        raise RefusedError("comparing lists", "other than whether they are equal")
    sides = (_stopped_at_null(each, each, TEXTS) for each in (node.this, node.expression))
    left, right = (b.call("TO_JSON", each, of=b.TEXT) for each in sides)
    return b.typed_as(type(node)(this=left, expression=right), b.BOOLEAN)


def collected(node: exp.Expr, condition: exp.Expr | None) -> exp.Expr:
    """``list(x order by x)``: nothing is NULL in DuckDB and an empty ARRAY in Snowflake, which leaves NULLs out; DuckDB does not, so one stops the statement."""
    if not isinstance(node, exp.ArrayAgg) or not isinstance(node.this, exp.Order):
        raise RefusedError("list", "without an order")
    value = aggregated(node)
    b.need(value, "list", "text")
    if isinstance(node.this.this, exp.Distinct) or any(each.this != value for each in node.this.expressions):
        raise RefusedError("list", "distinct, or by an order that is not its own value")
    kept_ = value.copy() if condition is None else b.case(condition, value, None, b.TEXT)
    rows = (
        b.call("COUNT", exp.Star(), of=b.INTEGER) if condition is None else b.call("COUNT_IF", condition, of=b.INTEGER)
    )
    texts = b.call("COUNT", kept_, of=b.INTEGER)
    order = exp.Order(
        expressions=[exp.Ordered(this=kept_.copy(), desc=node.this.expressions[0].args.get("desc"), nulls_first=False)]
    )
    listed = exp.WithinGroup(this=exp.Anonymous(this="ARRAY_AGG", expressions=[kept_.copy()]), expression=order)
    ifs = [
        exp.If(this=exp.EQ(this=rows.copy(), expression=b.number(0)), true=exp.Null()),
        exp.If(this=exp.EQ(this=rows.copy(), expression=texts), true=listed),
    ]
    return b.typed_as(exp.Case(ifs=ifs, default=b.call("ARRAY_CONSTRUCT", t.stopped(rows), of=TEXTS)), TEXTS)

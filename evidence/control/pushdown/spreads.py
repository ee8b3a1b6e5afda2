"""Lists spread into rows: ``unnest`` in SELECT and in FROM, written with FLATTEN."""

from collections.abc import Iterator
from itertools import count

from sqlglot import exp

from evidence.control.pushdown import build as b
from evidence.control.pushdown import lists as ls
from evidence.control.pushdown.kinds import kind, sources
from evidence.control.pushdown.queries import of_this
from evidence.control.pushdown.refusal import RefusedError


def check(node: exp.Expr) -> None:
    """Raise ``RefusedError`` for a list that is spread where the two engines may differ."""
    match node:
        case exp.Explode():
            _in_select(node)
        case exp.Unnest():
            _in_from(node)


def _in_select(node: exp.Explode) -> None:
    select = node.find_ancestor(exp.Select)
    if select is None or not any(node is found for found in _spreads(select)) or len(_spreads(select)) != 1:
        raise RefusedError("unnest", "other than once, as a column of its own")
    above = node.parent
    while above is not None and above is not select:
        if isinstance(above, exp.Case | exp.Coalesce | exp.If | exp.Lambda | exp.AggFunc):
            raise RefusedError("unnest", "inside a value that may not need it")
        above = above.parent
    if select.args.get("group") or select.args.get("limit") or select.find(exp.Window) or _aggregates(select):
        raise RefusedError("unnest", "beside groups, windows or a limit")
    b.need(node.this, "unnest", "texts", "structs", "jsons")


def _in_from(node: exp.Unnest) -> None:
    alias = node.args.get("alias")
    if len(node.expressions) != 1 or node.args.get("offset") or alias is None or len(alias.columns) != 1:
        raise RefusedError("unnest", "of several lists, or without a name for its element")
    b.need(node.expressions[0], "unnest", "texts", "structs", "jsons")
    if isinstance(node.parent, exp.Join):
        _plain_join(node.parent)
    elif not isinstance(node.parent, exp.From):
        raise RefusedError("unnest", "where it is no part of FROM")


def _plain_join(join: exp.Join) -> None:
    said = (str(join.side or "").upper(), str(join.kind or "").upper())
    condition = join.args.get("on")
    if said not in {("", ""), ("", "CROSS"), ("", "INNER")} or not (condition is None or condition == exp.true()):
        raise RefusedError("unnest", "joined other than row by row")


def _spreads(select: exp.Select) -> list[exp.Explode]:
    return [
        found
        for each in select.selects
        for found in each.find_all(exp.Explode)
        if found.find_ancestor(exp.Select) is select
    ]


def _aggregates(select: exp.Select) -> bool:
    return any(of_this(found, select) for each in select.selects for found in each.find_all(exp.AggFunc))


def as_sources(tree: exp.Expr) -> None:
    """Move a list that is spread in SELECT into FROM: a rule may name its element several times, and it is one row all the same."""
    numbers = count()
    for select in list(tree.find_all(exp.Select)):
        for found in _spreads(select):
            name, member = (exp.to_identifier(each, quoted=True) for each in (f"_unnest{next(numbers)}", "element"))
            element = exp.Column(this=member, table=name.copy())
            element.type = found.type if kind(found.this) != "texts" else exp.DataType.build("TEXT", dialect="duckdb")
            listed = exp.Unnest(
                expressions=[found.this.copy()], alias=exp.TableAlias(this=name, columns=[member.copy()])
            )
            found.replace(element)
            if select.args.get("from_") is None:
                select.set("from_", exp.From(this=listed))
            else:
                select.append("joins", exp.Join(this=listed, kind="CROSS"))


def spread(tree: exp.Expr) -> None:
    """Write each spread list as FLATTEN: a row for each element, none for NULL or an empty list."""
    names = (exp.to_identifier(f"_spread{number}", quoted=True) for number in count())
    for select in list(tree.find_all(exp.Select)):
        for found in [each for each in sources(select) if isinstance(each, exp.Unnest)]:
            _from(select, found, next(names))


def _from(select: exp.Select, found: exp.Unnest, name: exp.Identifier) -> None:
    """Put FLATTEN in the place of a list in FROM, and its VALUE in the place of each mention of its element."""
    mentions = [column for column in _mentions(select, found.alias) if not _inside(column, found)]
    aliased = exp.TableAlias(this=name)
    flat = _flattened(found.expressions[0])
    if isinstance(found.parent, exp.Join):
        found.parent.replace(exp.Join(this=exp.Lateral(this=flat, alias=aliased), kind="CROSS"))
    else:
        found.replace(_rows(flat, aliased))
    for column in mentions:
        column.replace(_element(name, found.expressions[0]))


def _rows(flat: exp.Expr, aliased: exp.TableAlias) -> exp.Expr:
    return exp.Table(this=exp.Anonymous(this="TABLE", expressions=[flat]), alias=aliased)


def _mentions(select: exp.Select, alias: str) -> Iterator[exp.Column]:
    """Yield columns of ``alias`` as this SELECT has it: not those of a query inside that has one of its own."""
    for column in list(select.find_all(exp.Column)):
        if column.table != alias:
            continue
        above = column.find_ancestor(exp.Select)
        while (
            above is not None and above is not select and alias not in {each.alias_or_name for each in sources(above)}
        ):
            above = above.find_ancestor(exp.Select)
        if above is select:
            yield column


def _inside(node: exp.Expr, other: exp.Expr) -> bool:
    above: exp.Expr | None = node
    while above is not None and above is not other:
        above = above.parent
    return above is other


def _flattened(listed: exp.Expr) -> exp.Expr:
    """JSON's null has a row; whether an element that is SQL's NULL has one is taken to be open: a list made there says the former, any other with the latter stops."""
    defined = _with_json_nulls(listed) if _is_made(listed) else _stopped_at_undefined(listed)
    given = exp.Kwarg(this=exp.Var(this="INPUT"), expression=defined)
    return exp.Anonymous(this="FLATTEN", expressions=[given])


def _is_made(listed: exp.Expr) -> bool:
    return isinstance(listed, exp.Array) or (isinstance(listed, exp.Anonymous) and listed.name == "ARRAY_CONSTRUCT")


def _with_json_nulls(listed: exp.Expr) -> exp.Expr:
    null = b.call("PARSE_JSON", b.text("null"), of=b.TEXT)
    elements = [
        exp.Coalesce(this=b.call("TO_VARIANT", each, of=b.TEXT), expressions=[null.copy()])
        for each in listed.expressions
    ]
    return b.call("ARRAY_CONSTRUCT", *elements, of=ls.TEXTS)


def _stopped_at_undefined(listed: exp.Expr) -> exp.Expr:
    """The variable has no type here: JSON's null, which a list that was loaded may have, is not NULL then and stays."""
    element = exp.Var(this="y")
    there = exp.Lambda(this=exp.Not(this=exp.Is(this=element.copy(), expression=exp.Null())), expressions=[element])
    return ls.stopped_unless_whole(listed, b.call("FILTER", listed, there, of=ls.TEXTS), listed, ls.TEXTS)


def _element(name: exp.Identifier, listed: exp.Expr) -> exp.Expr:
    value = exp.Column(this=exp.to_identifier("VALUE", quoted=True), table=name.copy())
    return value if kind(listed) in {"structs", "jsons"} else b.cast(value, "VARCHAR", b.TEXT)

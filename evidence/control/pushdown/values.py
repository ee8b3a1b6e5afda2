"""Rules for values: how each is said in Snowflake with the same meaning, or why it is not. Called from the leaves up; types are known.

What each rests on stands with its sources in ``constructs.toml``.
"""

import re
from collections.abc import Mapping
from typing import Final

from sqlglot import exp

from evidence.control.pushdown import build as b
from evidence.control.pushdown import documents as j
from evidence.control.pushdown import extracts as x
from evidence.control.pushdown import lists as ls
from evidence.control.pushdown import members as m
from evidence.control.pushdown import texts as t
from evidence.control.pushdown import times as d
from evidence.control.pushdown.kinds import interval_of, kind
from evidence.control.pushdown.refusal import RefusedError
from evidence.control.pushdown.texts import Rule

_MICROSECONDS: Final = {"DAY": 86_400_000_000, "HOUR": 3_600_000_000, "MINUTE": 60_000_000, "SECOND": 1_000_000}
_DATE: Final = re.compile(r"[12]\d{3}-\d{2}-\d{2}")
_MOMENT: Final = re.compile(r"[129]\d{3}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}")
_LITERALS: Final = {"date": (_DATE, "DATE"), "time": (_MOMENT, "TIMESTAMPNTZ")}
_KEPT: Final = frozenset({"text", "bool", "date", "time", "texts", "struct", "structs", "json", "jsons", "null"})
_BITS: Final = {exp.DataType.Type.BIGINT: 64, exp.DataType.Type.INT: 32}


def to(node: exp.Expr) -> exp.Expr:
    """``CAST``: between kinds whose spelling is one and the same."""
    target, source = kind(node), kind(node.this)
    wanted = node.args["to"]
    construct = f"cast to {wanted.sql('duckdb').lower()}"
    if isinstance(node.this, exp.Identifier) or (target == source and (target in _KEPT or node.this.type == wanted)):
        return b.typed_as(
            node.this.copy(), wanted.sql("duckdb")
        )  # an identifier: a lambda's variable, declared with its type
    if source == "null":
        return b.cast(node.this, _snowflake_type(target, construct), wanted.sql("duckdb"))
    spelled = _LITERALS.get(target)
    if spelled and isinstance(node.this, exp.Literal) and spelled[0].fullmatch(node.this.name):
        return b.cast(node.this, spelled[1], wanted.sql("duckdb"))
    if target == "interval" and (interval_of(node.this) or isinstance(node.this, exp.Sub)):
        return node.copy()  # the rule above it takes it apart
    return _cast_on(node, source, target, construct)


def _cast_on(node: exp.Expr, source: str, target: str, construct: str) -> exp.Expr:
    wanted = node.args["to"]
    if target == "text":
        return t.as_text(node.this, construct)
    if target == "int" and source in {"int", "bool"} and wanted.this in _BITS:
        whole_number = b.cast(node.this, "NUMBER(38, 0)", b.INTEGER)
        return whole_number if source == "bool" else _bounded(whole_number, _BITS[wanted.this])
    if (source, target) in {("time", "date"), ("date", "time")}:
        return b.cast(node.this, _snowflake_type(target, construct), wanted.sql("duckdb"))
    raise RefusedError(construct, f"of a value that is {source}")


def _snowflake_type(target: str, construct: str) -> str:
    named = {
        "text": "VARCHAR",
        "int": "NUMBER(38, 0)",
        "bool": "BOOLEAN",
        "date": "DATE",
        "time": "TIMESTAMPNTZ",
        "texts": "ARRAY",
    }
    if target not in named:
        raise RefusedError(construct, f"a type that is {target}")
    return named[target]


def compared(node: exp.Expr) -> exp.Expr:
    """``=``, ``<``, ``is distinct from``: values of one kind; a time difference against a length of time in microseconds."""
    left, right = node.this, node.expression
    if "interval" in {kind(left), kind(right)}:
        return _as(node, _span(left), _span(right))
    if kind(left) == kind(right) == "texts":
        return ls.equal(node)
    if {kind(left), kind(right)} == {"date", "time"}:
        return _as(
            node, *(b.cast(each, "TIMESTAMPNTZ", b.TIME) if kind(each) == "date" else each for each in (left, right))
        )
    b.alike(type(node).__name__.lower(), left, right)
    return _as(node, left, right)


def _as(node: exp.Expr, left: exp.Expr, right: exp.Expr) -> exp.Expr:
    return b.typed_as(type(node)(this=left.copy(), expression=right.copy()), b.BOOLEAN)


def _span(node: exp.Expr) -> exp.Expr:
    """Return a length of time as microseconds. Months and years have none."""
    while isinstance(node, exp.Cast | exp.Paren):
        node = node.this
    found = interval_of(node)
    if found and found[1] in _MICROSECONDS:
        count = found[0]
        b.need(count, "length of time", "int")
        return b.typed_as(
            exp.Mul(this=exp.Paren(this=count.copy()), expression=b.number(_MICROSECONDS[found[1]])), b.INTEGER
        )
    if isinstance(node, exp.Sub):
        ends = (b.cast(each, "TIMESTAMPNTZ", b.TIME) for each in (node.expression, node.this))
        return b.call("DATEDIFF", exp.Var(this="MICROSECOND"), *ends, of=b.INTEGER)
    raise RefusedError(
        "comparing lengths of time", "other than a difference of times with days, hours, minutes or seconds"
    )


def sums(node: exp.Expr) -> exp.Expr:
    """``+`` and ``-``: of numbers, or a time and a length of time."""
    left, right = node.this, node.expression
    sign = 1 if isinstance(node, exp.Add) else -1
    if kind(right) == "interval" or interval_of(right):
        return _moved(left, right, sign)
    if kind(left) == "date" and kind(right) == "int":
        return b.call("DATEADD", exp.Var(this="DAY"), _signed(right, sign), left, of=b.DATE)
    if kind(left) == kind(right) == "date" and sign == -1:
        return b.call("DATEDIFF", exp.Var(this="DAY"), right, left, of=b.INTEGER)
    if {kind(left), kind(right)} <= {"date", "time"} and sign == -1:
        return node.copy()  # only a comparison may take it
    return arithmetic(node)


def _moved(left: exp.Expr, right: exp.Expr, sign: int) -> exp.Expr:
    inner = right
    while isinstance(inner, exp.Cast | exp.Paren):
        inner = inner.this
    found = interval_of(inner)
    if found is None:
        raise RefusedError("adding lengths of time", "other than days, hours, minutes, seconds, months or years")
    b.need(left, "adding a length of time", "date", "time")
    b.need(found[0], "adding a length of time", "int")
    moment = b.cast(left, "TIMESTAMPNTZ", b.TIME) if kind(left) == "date" else left
    return b.call("DATEADD", exp.Var(this=found[1]), _signed(found[0], sign), moment, of=b.TIME)


def _signed(node: exp.Expr, sign: int) -> exp.Expr:
    return node if sign > 0 else b.typed_as(exp.Neg(this=exp.Paren(this=node.copy())), b.INTEGER)


def arithmetic(node: exp.Expr) -> exp.Expr:
    """``+ - *`` over whole numbers. Beyond 64 bits DuckDB stops; so does this."""
    b.need(node.this, "arithmetic", "int")
    b.need(node.expression, "arithmetic", "int")
    made = type(node)(this=node.this.copy(), expression=node.expression.copy())
    return _bounded(b.typed_as(exp.Paren(this=made), b.INTEGER))


def _bounded(value: exp.Expr, bits: int = 64) -> exp.Expr:
    limit = 2 ** (bits - 1)
    inside = exp.Between(this=value.copy(), low=exp.Literal.number(-limit), high=exp.Literal.number(limit - 1))
    return b.case(
        exp.Or(this=inside, expression=exp.Is(this=value.copy(), expression=exp.Null())),
        value,
        t.stopped(value),
        b.INTEGER,
    )


def quotient(node: exp.Expr) -> exp.Expr:
    """``//``: towards zero, exact; Snowflake's ``/`` keeps six digits, so what remains is taken off first."""
    left, right = node.this, node.expression
    b.need(left, "//", "int")
    b.need(right, "//", "int")
    rest = exp.Sub(
        this=exp.Paren(this=left.copy()), expression=exp.Anonymous(this="MOD", expressions=[left.copy(), right.copy()])
    )
    return b.cast(
        exp.Div(this=exp.Paren(this=rest), expression=exp.Paren(this=right.copy())), "NUMBER(38, 0)", b.INTEGER
    )


def remainder(node: exp.Expr) -> exp.Expr:
    """``%``: the sign of the left side in both."""
    b.need(node.this, "%", "int")
    b.need(node.expression, "%", "int")
    return b.call("MOD", node.this, node.expression, of=b.INTEGER)


def negative(node: exp.Expr) -> exp.Expr:
    """``-x``."""
    b.need(node.this, "-", "int")
    return b.typed_as(exp.Neg(this=node.this.copy()), b.INTEGER)


def magnitude(node: exp.Expr) -> exp.Expr:
    """``abs``. Of the least number of 64 bits DuckDB stops; so does this."""
    b.need(node.this, "abs", "int")
    return _bounded(b.call("ABS", node.this, of=b.INTEGER))


def truth(node: exp.Expr) -> exp.Expr:
    """``IS NULL``, ``IS TRUE``, ``IS FALSE``."""
    wanted = node.expression
    if isinstance(wanted, exp.Null):
        return j.missing(node.this.unnest()) or b.typed_as(node.copy(), b.BOOLEAN)
    if not isinstance(wanted, exp.Boolean):
        raise RefusedError("is", "other than NULL, true or false")
    b.need(node.this, "is true", "bool")
    said = node.this.copy() if wanted.this else b.typed_as(exp.Not(this=exp.Paren(this=node.this.copy())), b.BOOLEAN)
    return b.typed_as(exp.Coalesce(this=said, expressions=[exp.false()]), b.BOOLEAN)


def furthest(node: exp.Expr) -> exp.Expr:
    """``greatest``, ``least``: DuckDB leaves NULLs out, in Snowflake one makes all NULL."""
    values = [node.this, *node.expressions]
    name = "GREATEST" if isinstance(node, exp.Greatest) else "LEAST"
    b.alike(name.lower(), *values)
    turned = [
        exp.Coalesce(this=each.copy(), expressions=[o.copy() for o in values if o is not each]) for each in values
    ]
    made = exp.Anonymous(this=name, expressions=turned if len(values) > 1 else [each.copy() for each in values])
    made.type = node.type
    return made


def chosen(node: exp.Expr) -> exp.Expr:
    """``coalesce``, ``case``, ``nullif``, ``in``, ``between``: values of one kind."""
    match node:
        case exp.Coalesce() | exp.Nullif():
            values = [node.this, *(node.expressions or [node.expression])]
        case exp.Case():
            if node.this is not None:
                b.alike("case", node.this, *(each.this for each in node.args["ifs"]))
            ends = [each.args["true"] for each in node.args["ifs"]]
            values = [*ends, *([node.args["default"]] if node.args.get("default") else [])]
        case exp.Between():
            values = [node.this, node.args["low"], node.args["high"]]
        case _:
            values = [node.this, *node.expressions]
    found = {kind(each) for each in values} - {"null"}
    apart = (
        {"unknown", "other", "interval"}
        if isinstance(node, exp.Coalesce | exp.Case)
        else {"unknown", "other", "interval", *b.NESTED}
    )
    if len(found) > 1 or found & apart:
        b.alike(type(node).__name__.lower(), *values)
    return node.copy()


def member(node: exp.Expr) -> exp.Expr:
    """``IN``: of values, or of a query with one column."""
    if node.args.get("field") is not None or node.args.get("unnest") is not None:
        raise RefusedError("in", "over a list")
    query = node.args.get("query")
    if query is not None:
        inner = query.this if isinstance(query, exp.Subquery) else query
        b.alike("in", node.this, inner.selects[0])
        return node.copy()
    return chosen(node)


_NAMED: Final[Mapping[str, Rule]] = {"list_has_all": ls.has_all, "json_array_length": j.size}


def named(node: exp.Expr) -> exp.Expr:
    """A function that sqlglot has no class for."""
    rule = _NAMED.get(node.name.lower())
    return rule(node) if rule else node.copy()


RULES: Final[Mapping[type[exp.Expr], Rule]] = {
    exp.DPipe: ls.concatenation, exp.Cast: to,
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ), compared),
    exp.Add: sums, exp.Sub: sums, exp.Mul: arithmetic, exp.IntDiv: quotient, exp.Mod: remainder, exp.Neg: negative,
    exp.Abs: magnitude,
    exp.Is: truth, exp.Upper: t.cased, exp.Lower: t.cased, exp.Trim: t.trimmed, exp.Length: t.length, exp.ConcatWs: t.joined,
    exp.Greatest: furthest, exp.Least: furthest, exp.RegexpLike: t.matched, exp.RegexpFullMatch: t.matched, exp.Like: t.like,
    exp.StartsWith: t.two_texts("STARTSWITH"), exp.EndsWith: t.two_texts("ENDSWITH"), exp.Contains: t.two_texts("CONTAINS"),
    exp.Replace: t.replaced, exp.SplitPart: t.part, exp.Split: t.split, exp.Left: t.leftmost, exp.ArrayContains: t.holds, exp.Array: t.listed,
    exp.TimeToStr: d.formatted, exp.DateDiff: d.boundaries, exp.TimestampTrunc: d.truncated, exp.Extract: d.extracted, exp.LastDay: d.month_end,
    exp.ArrayFilter: ls.kept, exp.Transform: ls.turned, exp.ArraySort: ls.ordered, exp.ArrayDistinct: ls.once, exp.ArrayToString: ls.said,
    exp.RegexpExtract: m.extracted, exp.RegexpExtractAll: x.all_extracted, exp.RegexpReplace: x.replaced, exp.Dot: m.member, exp.TryCast: m.tried,
    exp.JSONExtract: j.extracted, exp.JSONExtractScalar: j.extracted, exp.JSONType: j.sort, exp.JSONKeys: j.keys,
    exp.Bracket: ls.picked, exp.ArrayOverlaps: ls.shared, exp.Anonymous: named, exp.Format: t.grouped, exp.Chr: t.character,
    exp.Coalesce: chosen, exp.Case: chosen, exp.Nullif: chosen, exp.Between: chosen, exp.In: member,
}  # fmt: skip

"""Members: a structure and a list of them (``{'a': …}``, ``list of STRUCT``), as Snowflake's OBJECT and ARRAY hold them. And what a text is read as: ``try_cast``.

A member that is JSON's null is NULL once it is cast to what it is declared as.
"""

from collections.abc import Sequence
from typing import Final

from sqlglot import exp

from evidence.control.pushdown import build as b
from evidence.control.pushdown import extracts as x
from evidence.control.pushdown import texts as t
from evidence.control.pushdown.kinds import group_names, kind
from evidence.control.pushdown.refusal import RefusedError

_NAME: Final = "try_cast"
_NO_NUMBER: Final = "(.|\n)*[^0-9A-Fa-fxXoO+_., \t\n\r\x0b\x0c-](.|\n)*"
_NO_DIGIT: Final = "[^0-9]*"
_NO_WORD: Final = "(.|\n)*([eE][pP][oO][cC][hH]|[iI][nN][fF])(.|\n)*"
_DAY: Final = "[12][0-9]{3}-[0-1][0-9]-[0-3][0-9]"
_MOMENT: Final = _DAY + "([ T]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z?)?"


def extracted(node: exp.Expr) -> exp.Expr:
    """``regexp_extract``: a text, or with names of groups a structure of texts."""
    names = group_names(node)
    if not names:
        return x.extracted(node)
    b.need(node.this, "regexp_extract", "text")
    pattern = b.literal_text(node.expression, "regexp_extract")
    parts: list[exp.Expr] = []
    for number, name in enumerate(names, 1):
        parts += [b.text(name), x.group_of(node, pattern, number)]
    made = b.call("OBJECT_CONSTRUCT", *parts, of=b.TEXT)
    found = b.case(exp.Is(this=node.this.copy(), expression=exp.Null()), exp.Null(), made, b.TEXT)
    found.type = exp.DataType.build(_struct(names), dialect="duckdb")
    return found


def _struct(names: Sequence[str]) -> str:
    members = ", ".join(f'"{name}" TEXT' for name in names)
    return f"STRUCT({members})"


def member(node: exp.Expr) -> exp.Expr:
    """``structure.member``: cast to what it is declared as; what the structure's type does not name is refused."""
    b.need(node.this, "structure.member", "struct")
    value = b.call("GET", node.this, b.text(node.expression.name), of=b.TEXT)
    declared = kind(node)
    match declared:
        case "text":
            return b.cast(value, "VARCHAR", b.TEXT)
        case "int":
            return b.cast(value, "NUMBER(38, 0)", b.INTEGER)
        case "bool":
            return b.cast(value, "BOOLEAN", b.BOOLEAN)
        case "texts" | "structs" | "jsons":
            made = b.call("AS_ARRAY", value, of=b.TEXT)
            made.type = node.type
            return made
    raise RefusedError("structure.member", f"that is {declared}")


def tried(node: exp.Expr) -> exp.Expr:
    """``try_cast`` of a text: what both read alike is read, what DuckDB does not read for sure is NULL, anything between stops the statement."""
    value, target = node.this, node.args["to"]
    if kind(node) == kind(value):
        return b.typed_as(value.copy(), target.sql("duckdb"))
    b.need(value, _NAME, "text")
    match kind(node):
        case "int":
            digits = {exp.DataType.Type.BIGINT: 18, exp.DataType.Type.INT: 9}.get(target.this)
            if digits is None:
                raise RefusedError(_NAME, f"to {target.sql('duckdb').lower()}")
            read = b.cast(value, "NUMBER(38, 0)", b.INTEGER)
            return _read(value, f"-?[0-9]{{1,{digits}}}", read, b.INTEGER, _NO_NUMBER)
        case "decimal":
            precision, scale = (int(each.name) for each in target.expressions)
            spelled = f"-?[0-9]{{1,{precision - scale}}}" + (f"([.][0-9]{{1,{scale}}})?" if scale else "")
            name = f"DECIMAL({precision}, {scale})"
            return _read(value, spelled, b.cast(value, f"NUMBER({precision}, {scale})", name), name, _NO_NUMBER)
        case "date":
            return _read(value, _DAY, b.call("TRY_TO_DATE", value, b.text("YYYY-MM-DD"), of=b.DATE), b.DATE, "")
        case "time":
            clock = exp.Nullif(
                this=b.call("SUBSTR", value, b.number(12), b.number(8), of=b.TEXT), expression=b.text("")
            )
            behind = exp.Coalesce(this=clock, expressions=[b.text("00:00:00")])
            day = exp.DPipe(this=b.call("LEFT", value, b.number(10), of=b.TEXT), expression=b.text(" "), safe=True)
            joined = b.typed_as(exp.DPipe(this=day, expression=behind, safe=True), b.TEXT)
            moment = b.call("TRY_TO_TIMESTAMP_NTZ", joined, b.text("YYYY-MM-DD HH24:MI:SS"), of=b.TIME)
            return _read(value, _MOMENT, moment, b.TIME, "")
    raise RefusedError(_NAME, f"to {target.sql('duckdb').lower()}")


def _read(value: exp.Expr, spelled: str, read: exp.Expr, of: str, never: str) -> exp.Expr:
    """``never``: what no reader of DuckDB takes for such a value; empty: a text without a digit that is no special word."""
    no_digit = b.call("REGEXP_LIKE", value, b.text(_NO_DIGIT), of=b.BOOLEAN)
    if never:
        nothing: exp.Expr = exp.Or(this=no_digit, expression=b.call("REGEXP_LIKE", value, b.text(never), of=b.BOOLEAN))
    else:
        nothing = exp.And(
            this=no_digit, expression=exp.Not(this=b.call("REGEXP_LIKE", value, b.text(_NO_WORD), of=b.BOOLEAN))
        )
    size = b.call("LENGTH", value, of=b.INTEGER)
    ifs = [
        exp.If(this=exp.Is(this=value.copy(), expression=exp.Null()), true=exp.Null()),
        exp.If(this=b.call("REGEXP_LIKE", value, b.text(spelled), of=b.BOOLEAN), true=read),
        exp.If(this=nothing, true=exp.Null()),
    ]
    fails = t.stopped(size)
    if of == b.DATE:
        fails = b.call("DATEADD", exp.Var(this="DAY"), fails, b.cast(b.text("2000-01-01"), "DATE", b.DATE), of=b.DATE)
    if of == b.TIME:
        fails = b.call(
            "DATEADD",
            exp.Var(this="DAY"),
            fails,
            b.cast(b.text("2000-01-01 00:00:00"), "TIMESTAMPNTZ", b.TIME),
            of=b.TIME,
        )
    return b.typed_as(exp.Case(ifs=ifs, default=fails), of)

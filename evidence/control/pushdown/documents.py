"""JSON: ``->``, ``->>`` with fixed paths, ``json_type``, ``json_keys``, ``json_array_length``, as Snowflake's VARIANT.

A document is read from the text it was landed as, which is canonical: no white space, no key twice. What the two engines spell otherwise never gets through: a text that is empty or that has a number with a
fraction, an exponent, a sign before nought or more than 18 digits stops the statement, and so does an object or a list that is asked for as a text. JSON's null is not NULL: as a text it is.
"""

from typing import Final

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

from evidence.control.pushdown import build as b
from evidence.control.pushdown import lists as ls
from evidence.control.pushdown.kinds import kind
from evidence.control.pushdown.refusal import RefusedError

JSON: Final = "JSON"
_STRANGE: Final = "((.|\n)*[,:[][ \t\n\r]*(-0|-?[0-9]+[.eE]|-?[0-9]{19,})(.|\n)*)?"  # nothing, too
_NOT_JSON: Final = "?"  # PARSE_JSON stops at it
_VARIABLE: Final = "j"


def _variant(node: exp.Expr, construct: str) -> exp.Expr:
    """Return the VARIANT of a document or of a part of one."""
    if kind(node) == "json":
        return node.copy()
    b.need(node, construct, "text")
    strange = b.call("REGEXP_LIKE", node, b.text(_STRANGE), of=b.BOOLEAN)
    return b.call("PARSE_JSON", b.case(strange, b.text(_NOT_JSON), node, b.TEXT), of=JSON)


def _steps(path: exp.Expr | None, construct: str) -> list[str | int | None]:
    """Return the keys (text), places (from 0) and wildcards (``""``: of a list, None: of an object) of a fixed path."""
    if isinstance(path, exp.Literal):
        path = Dialect.get_or_raise("duckdb").to_json_path(path)
    if not isinstance(path, exp.JSONPath) or not isinstance(path.expressions[0], exp.JSONPathRoot):
        raise RefusedError(construct, "needs a literal path from the root")
    found: list[str | int | None] = []
    for each in path.expressions[1:]:
        inner = each.this
        match each, inner:
            case exp.JSONPathKey(), str() if inner:
                found.append(inner)
            case exp.JSONPathKey(), exp.JSONPathWildcard():
                found.append(None)
            case exp.JSONPathSubscript(), exp.JSONPathWildcard():
                found.append("")
            case exp.JSONPathSubscript(), int() if inner >= 0:
                found.append(inner)
            case _:
                raise RefusedError(construct, "a path of other than keys, places and *")
    return found


def _list(value: exp.Expr) -> exp.Expr:
    return _or_nothing(b.call("AS_ARRAY", value, of="JSON[]"))


def _or_nothing(value: exp.Expr) -> exp.Expr:
    return b.typed_as(exp.Coalesce(this=value, expressions=[b.call("ARRAY_CONSTRUCT", of="JSON[]")]), "JSON[]")


def _each(name: str, listed: exp.Expr, body: exp.Expr) -> exp.Expr:
    said = exp.Lambda(this=body.copy(), expressions=[exp.Var(this=_VARIABLE)])
    return b.cast(b.call(name, listed, said, of="JSON[]"), "ARRAY", "JSON[]")


def _members(value: exp.Expr) -> exp.Expr:
    """Return the members of an object as a list, of anything else none."""
    keys = _or_nothing(b.call("OBJECT_KEYS", b.call("AS_OBJECT", value, of=JSON), of="JSON[]"))
    said = exp.Lambda(this=b.call("GET", value, exp.Var(this="k"), of=JSON), expressions=[exp.Var(this="k VARCHAR")])
    return b.cast(b.call("TRANSFORM", keys, said, of="JSON[]"), "ARRAY", "JSON[]")


def _walked(value: exp.Expr, steps: list[str | int | None]) -> tuple[exp.Expr, bool]:
    """Return what the path leads to, and whether that is a list: it is from the first ``*`` on."""
    listed = False
    for step in steps:
        here: exp.Expr = exp.Var(this=_VARIABLE) if listed else value
        if isinstance(step, str | int) and step != "":
            part = b.call("GET", here, b.number(step) if isinstance(step, int) else b.text(step), of=JSON)
            if listed:
                there = exp.Not(this=exp.Is(this=part.copy(), expression=exp.Null()))
                value = _each("TRANSFORM", _each("FILTER", value, there), part)
            else:
                value = part
            continue
        inner = _list(here) if step == "" else _members(here)
        value = b.call("ARRAY_FLATTEN", _each("TRANSFORM", value, inner), of="JSON[]") if listed else inner
        listed = True
    return value, listed


def as_text(value: exp.Expr) -> exp.Expr:
    """Return a VARIANT as the text DuckDB makes of it; an object, a list or a number with a fraction stops the statement."""
    ifs = [
        _when("VARCHAR", b.call("AS_VARCHAR", value, of=b.TEXT)),
        _when("BOOLEAN", b.cast(b.call("AS_BOOLEAN", value, of=b.BOOLEAN), "VARCHAR", b.TEXT)),
        _when("INTEGER", b.cast(b.call("AS_INTEGER", value, of=b.INTEGER), "VARCHAR", b.TEXT)),
        _when("NULL_VALUE", exp.Null()),
    ]
    return _by_sort(value, ifs)


def _when(name: str, then: exp.Expr) -> exp.If:
    return exp.If(this=b.text(name), true=then)


def _by_sort(value: exp.Expr, ifs: list[exp.If]) -> exp.Expr:
    """Return a CASE by TYPEOF; any other sort is read as a number, which it is not: the statement stops. Of NULL it is NULL."""
    sort_ = b.call("TYPEOF", value, of=b.TEXT)
    fails = b.cast(b.cast(sort_, "NUMBER(38, 0)", b.INTEGER), "VARCHAR", b.TEXT)
    return b.typed_as(exp.Case(this=sort_, ifs=ifs, default=fails), b.TEXT)


def extracted(node: exp.Expr) -> exp.Expr:
    """``->`` and ``->>``."""
    scalar = isinstance(node, exp.JSONExtractScalar)
    construct = "->>" if scalar else "->"
    steps = _steps(node.expression, construct)
    if None in steps:
        ls.need_no_order(node, construct)
    value, listed = _walked(_variant(node.this, construct), steps)
    if not listed:
        if not scalar:
            return value
        made = as_text(value)
        made.meta["variant"] = value
        return made
    if scalar:
        value = _each("TRANSFORM", value, as_text(exp.Var(this=_VARIABLE)))
    return b.case(
        exp.Is(this=node.this.copy(), expression=exp.Null()), exp.Null(), value, "TEXT[]" if scalar else "JSON[]"
    )


def missing(value: exp.Expr) -> exp.Expr | None:
    """Return whether ``->>`` gives NULL, without asking for the text; None for any other value."""
    found = value.meta.get("variant") if isinstance(value, exp.Case) else None
    if found is None:
        return None
    null = exp.EQ(this=b.call("TYPEOF", found, of=b.TEXT), expression=b.text("NULL_VALUE"))
    return b.typed_as(
        exp.Paren(this=exp.Or(this=exp.Is(this=found.copy(), expression=exp.Null()), expression=null)), b.BOOLEAN
    )


def _part(node: exp.Expr, construct: str) -> exp.Expr:
    given = (
        node.expressions
        if isinstance(node, exp.Anonymous)
        else [node.this, *([node.expression] if node.expression else [])]
    )
    steps = _steps(given[1], construct) if len(given) > 1 else []
    value, listed = _walked(_variant(given[0], construct), steps)
    if listed:
        raise RefusedError(construct, "with * in its path")
    return value


def sort(node: exp.Expr) -> exp.Expr:
    """``json_type``, except of numbers."""
    value = _part(node, "json_type")
    same = [_when(name, b.text(name)) for name in ("ARRAY", "OBJECT", "VARCHAR", "BOOLEAN")]
    return _by_sort(value, [*same, _when("NULL_VALUE", b.text("NULL"))])


def keys(node: exp.Expr) -> exp.Expr:
    """``json_keys``: none of what is no object."""
    ls.need_no_order(node, "json_keys")
    value = _part(node, "json_keys")
    found = _or_nothing(b.call("OBJECT_KEYS", b.call("AS_OBJECT", value, of=JSON), of="TEXT[]"))
    return b.case(exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null())), found, None, "TEXT[]")


def size(node: exp.Expr) -> exp.Expr:
    """``json_array_length``: 0 of what is no list."""
    value = _part(node, "json_array_length")
    found = b.call("ARRAY_SIZE", _list(value), of=b.INTEGER)
    return b.case(exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null())), found, None, b.INTEGER)

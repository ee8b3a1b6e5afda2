"""Rules for dates and times: formatted, compared by boundaries, truncated, taken apart. See ``values``."""

from typing import Final

from sqlglot import exp

from evidence.control.pushdown import build as b
from evidence.control.pushdown.refusal import RefusedError

_FORMATS: Final = {
    "%Y-%m": "YYYY-MM",
    "%H:%M:%S": "HH24:MI:SS",
    "%Y-%m-%d": "YYYY-MM-DD",
    "%Y-%m-%d %H:%M": "YYYY-MM-DD HH24:MI",
    "%Y-%m-%d %H:%M:%S": "YYYY-MM-DD HH24:MI:SS",
}


_BOUNDARIES: Final = frozenset({"DAY", "HOUR", "MINUTE", "SECOND", "MONTH", "YEAR"})


_PARTS: Final = frozenset({"YEAR", "MONTH", "DAY", "HOUR", "MINUTE"})


def formatted(node: exp.Expr) -> exp.Expr:
    """``strftime`` in a few formats."""
    b.need(node.this, "strftime", "date", "time")
    wanted = b.literal_text(node.args["format"], "strftime")
    if wanted not in _FORMATS:
        raise RefusedError("strftime", f"the format {wanted!r}")
    return b.call("TO_CHAR", node.this, b.text(_FORMATS[wanted]), of=b.TEXT)


def boundaries(node: exp.Expr) -> exp.Expr:
    """``date_diff``: boundaries crossed, in both."""
    unit = node.args["unit"].name.upper()
    if unit not in _BOUNDARIES:
        raise RefusedError("date_diff", f"in {unit.lower()}")
    for each in (node.this, node.expression):
        b.need(each, "date_diff", "date", "time")
    return b.call("DATEDIFF", exp.Var(this=unit), node.expression, node.this, of=b.INTEGER)


def truncated(node: exp.Expr) -> exp.Expr:
    """``date_trunc`` to a day, month or year; of a date too it gives a time."""
    unit = node.args["unit"].name.upper()
    if unit not in {"DAY", "MONTH", "QUARTER", "YEAR", "HOUR"}:
        raise RefusedError("date_trunc", f"to {unit.lower()}")
    b.need(node.this, "date_trunc", "time")
    return b.call("DATE_TRUNC", b.text(unit), node.this, of=b.TIME)


def extracted(node: exp.Expr) -> exp.Expr:
    """``extract`` of year, month, day, hour or minute."""
    unit = node.this.name.upper()
    if unit not in _PARTS:
        raise RefusedError("extract", f"of {unit.lower()}")
    b.need(node.expression, "extract", "time", "date")
    return b.call("DATE_PART", exp.Var(this=unit), node.expression, of=b.INTEGER)


def month_end(node: exp.Expr) -> exp.Expr:
    """``last_day``: a date."""
    b.need(node.this, "last_day", "date", "time")
    return b.call("LAST_DAY", b.cast(node.this, "DATE", b.DATE), of=b.DATE)

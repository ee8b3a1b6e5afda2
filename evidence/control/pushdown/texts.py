"""Rules for texts and lists of texts: how each is said in Snowflake with the same meaning, or why it is not. See ``values``."""

from collections.abc import Callable
from typing import Final

from sqlglot import exp

from evidence.control.pushdown import build as b
from evidence.control.pushdown.kinds import kind
from evidence.control.pushdown.letters import PLAIN
from evidence.control.pushdown.patterns import whole
from evidence.control.pushdown.refusal import RefusedError

SPACES: Final = "".join(map(chr, (0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)))  # category Zs
_DIGITS: Final = 9  # of a number with commas
Rule = Callable[[exp.Expr], exp.Expr]


def stopped(value: exp.Expr) -> exp.Expr:
    """Return a number whose computing fails: the statement stops with it. Not a constant, which a planner might compute ahead."""
    nothing = exp.Paren(this=exp.Sub(this=value.copy(), expression=value.copy()))
    return b.typed_as(exp.Anonymous(this="MOD", expressions=[b.number(1), nothing]), b.INTEGER)


def concatenation(node: exp.Expr) -> exp.Expr:
    """``||``: each operand as text first, so that no implicit cast decides."""
    return b.typed_as(exp.DPipe(this=as_text(node.this), expression=as_text(node.expression), safe=True), b.TEXT)


def as_text(node: exp.Expr, construct: str = "||") -> exp.Expr:
    """Return ``node`` as the text DuckDB makes of it. Raises ``RefusedError`` for a kind whose spelling is not one and the same."""
    match kind(node):
        case "text":
            return node.copy()
        case "null" | "int" | "bool":
            return b.cast(node, "VARCHAR", b.TEXT)
        case "date":
            return b.call("TO_CHAR", node, b.text("YYYY-MM-DD"), of=b.TEXT)
        case "time":
            return _moment(node)
    raise RefusedError(construct, f"text of a value that is {kind(node)}")


def _moment(node: exp.Expr) -> exp.Expr:
    """The text of a time: a fraction of a second only where there is one, without the noughts at its end."""
    whole_seconds = b.call("TO_CHAR", node, b.text("YYYY-MM-DD HH24:MI:SS"), of=b.TEXT)
    fraction = b.call("RTRIM", b.call("TO_CHAR", node, b.text("FF6"), of=b.TEXT), b.text("0"), of=b.TEXT)
    behind = b.case(exp.EQ(this=fraction, expression=b.text("")), b.text(""), _joined(b.text("."), fraction), b.TEXT)
    return exp.Paren(this=_joined(whole_seconds, behind))


def _joined(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    return b.typed_as(exp.DPipe(this=left.copy(), expression=right.copy(), safe=True), b.TEXT)


def grouped(node: exp.Expr) -> exp.Expr:
    """``format('{:,}', n)``: a comma before every third digit from the right. Beyond nine digits the statement stops."""
    if b.literal_text(node.this, "format") != "{:,}" or len(node.expressions) != 1:
        raise RefusedError("format", "other than '{:,}' of one number")
    value = node.expressions[0]
    b.need(value, "format", "int")
    size = b.call("ABS", value, of=b.INTEGER)
    digits = b.cast(size, "VARCHAR", b.TEXT)
    ifs = [exp.If(this=exp.Is(this=value.copy(), expression=exp.Null()), true=exp.Null())]
    for commas in range(_DIGITS // 3):
        below = exp.LT(this=size.copy(), expression=exp.Literal.number(1000 ** (commas + 1)))
        ifs.append(exp.If(this=below, true=_in_threes(digits, commas)))
    fails = b.cast(stopped(value), "VARCHAR", b.TEXT)
    return _signed(value, b.typed_as(exp.Case(ifs=ifs, default=fails), b.TEXT))


def _in_threes(digits: exp.Expr, commas: int) -> exp.Expr:
    """Return digits with so many commas, from the right."""
    if not commas:
        return digits
    length = b.call("LENGTH", digits, of=b.INTEGER)
    rest = b.typed_as(exp.Sub(this=length, expression=b.number(3)), b.INTEGER)
    before = _in_threes(b.call("LEFT", digits, rest, of=b.TEXT), commas - 1)
    return _joined(_joined(before, b.text(",")), b.call("RIGHT", digits, b.number(3), of=b.TEXT))


def _signed(value: exp.Expr, unsigned: exp.Expr) -> exp.Expr:
    sign = b.case(exp.LT(this=value.copy(), expression=b.number(0)), b.text("-"), exp.Literal.string(""), b.TEXT)
    return b.typed_as(exp.Paren(this=_joined(sign, unsigned)), b.TEXT)


def character(node: exp.Expr) -> exp.Expr:
    """``chr`` of a literal: the character itself."""
    return b.text(chr(b.literal_number(node.expressions[0] if node.expressions else node.this, "chr")))


def cased(node: exp.Expr) -> exp.Expr:
    """``upper``, ``lower``: of ASCII and of letters that have one mapping; a text with any other stops the statement."""
    value = node.this
    name = "UPPER" if isinstance(node, exp.Upper) else "LOWER"
    b.need(value, name.lower(), "text")
    if isinstance(value, exp.Literal) and value.name.isascii():
        return b.call(name, value, of=b.TEXT)
    plain = exp.EQ(
        this=b.call("TRANSLATE", value, b.text(PLAIN), exp.Literal.string(""), of=b.TEXT),
        expression=exp.Literal.string(""),
    )
    condition = exp.Or(this=exp.Is(this=value.copy(), expression=exp.Null()), expression=plain)
    fails = b.cast(stopped(b.call("LENGTH", value, of=b.INTEGER)), "VARCHAR", b.TEXT)
    return b.case(condition, b.call(name, value, of=b.TEXT), fails, b.TEXT)


def trimmed(node: exp.Expr) -> exp.Expr:
    """``trim``: DuckDB takes off what Unicode calls a space separator, Snowflake what it is told."""
    side = str(node.args.get("position") or "").upper()
    name = {"": "TRIM", "LEADING": "LTRIM", "TRAILING": "RTRIM"}.get(side)
    if name is None:
        raise RefusedError("trim", f"of {side.lower()}")
    b.need(node.this, "trim", "text")
    taken = b.literal_text(node.expression, "trim") if node.expression else SPACES
    return b.call(name, node.this, b.text(taken), of=b.TEXT)


def length(node: exp.Expr) -> exp.Expr:
    """``length`` of a text in characters, ``len`` of a list."""
    b.need(node.this, "length", "text", "texts", "structs", "jsons")
    return b.call("ARRAY_SIZE" if kind(node.this) != "text" else "LENGTH", node.this, of=b.INTEGER)


def joined(node: exp.Expr) -> exp.Expr:
    """``concat_ws``: NULLs are left out in DuckDB, and make all NULL in Snowflake."""
    separator = b.literal_text(node.expressions[0], "concat_ws")
    parts: list[exp.Expr] = []
    for each in node.expressions[1:]:
        said = exp.DPipe(this=b.text(separator), expression=as_text(each, "concat_ws"), safe=True)
        parts.append(exp.Coalesce(this=said, expressions=[exp.Literal.string("")]))
    whole_text = parts[0]
    for part in parts[1:]:
        whole_text = exp.DPipe(this=whole_text, expression=part, safe=True)
    return b.call("SUBSTR", whole_text, b.number(len(separator) + 1), of=b.TEXT)


def matched(node: exp.Expr) -> exp.Expr:
    """``regexp_matches``, ``regexp_full_match``, with a literal pattern that means the same."""
    flags = node.args.get("flag") or (node.args.get("options"))
    said = flags.name if isinstance(flags, exp.Literal) else "" if flags is None else "?"
    if said not in {"", "i"}:
        raise RefusedError("regular expression", "with options other than 'i'")
    b.need(node.this, "regular expression", "text")
    pattern = b.literal_text(node.expression, "regular expression")
    spelled = whole(pattern, full=isinstance(node, exp.RegexpFullMatch), ignore_case=said == "i")
    return b.call("REGEXP_LIKE", node.this, b.text(spelled), of=b.BOOLEAN)


def like(node: exp.Expr) -> exp.Expr:
    """``LIKE`` without an escape: neither engine has one then."""
    b.need(node.this, "like", "text")
    b.need(node.expression, "like", "text")
    if isinstance(node.parent, exp.Escape) or (
        isinstance(node.expression, exp.Literal) and "\\" in node.expression.name
    ):
        raise RefusedError("like", "with an escape")
    made = b.typed_as(exp.Like(this=node.this.copy(), expression=node.expression.copy()), b.BOOLEAN)
    return b.typed_as(exp.Not(this=exp.Paren(this=made)), b.BOOLEAN) if node.args.get("negate") else made


def two_texts(name: str) -> Rule:
    """Return the rule of a function of two texts that has the same meaning under ``name``."""

    def rule(node: exp.Expr) -> exp.Expr:
        b.need(node.this, name.lower(), "text")
        b.need(node.expression, name.lower(), "text")
        return b.call(name, node.this, node.expression, of=b.BOOLEAN)

    return rule


def replaced(node: exp.Expr) -> exp.Expr:
    """``replace`` of a literal that is not empty."""
    b.need(node.this, "replace", "text")
    b.literal_text(node.expression, "replace")
    other = node.args.get("replacement") or exp.Literal.string("")
    b.need(other, "replace", "text")
    return b.call("REPLACE", node.this, node.expression, other, of=b.TEXT)


def part(node: exp.Expr) -> exp.Expr:
    """``split_part`` from the left, by a literal."""
    b.need(node.this, "split_part", "text")
    b.literal_text(node.args["delimiter"], "split_part")
    b.literal_number(node.args["part_index"], "split_part")
    return b.call("SPLIT_PART", node.this, node.args["delimiter"], node.args["part_index"], of=b.TEXT)


def split(node: exp.Expr) -> exp.Expr:
    """``string_split`` by a literal."""
    b.need(node.this, "string_split", "text")
    b.literal_text(node.expression, "string_split")
    return b.call("SPLIT", node.this, node.expression, of="TEXT[]")


def leftmost(node: exp.Expr) -> exp.Expr:
    """``left`` with a literal count."""
    b.need(node.this, "left", "text")
    b.literal_number(node.expression, "left")
    return b.call("LEFT", node.this, node.expression, of=b.TEXT)


def holds(node: exp.Expr) -> exp.Expr:
    """``list_contains``: NULL if the list or what is looked for is NULL."""
    listed, value = node.this, node.expression
    b.need(listed, "list_contains", "texts")
    b.need(value, "list_contains", "text")
    found = b.call("ARRAY_CONTAINS", b.call("TO_VARIANT", value, of=b.TEXT), listed, of=b.BOOLEAN)
    missing = exp.Or(
        this=exp.Is(this=listed.copy(), expression=exp.Null()),
        expression=exp.Is(this=value.copy(), expression=exp.Null()),
    )
    return b.case(missing, exp.Null(), found, b.BOOLEAN)


def listed(node: exp.Expr) -> exp.Expr:
    """``[…]`` of texts."""
    for each in node.expressions:
        b.need(each, "list", "text")
    return b.call("ARRAY_CONSTRUCT", *node.expressions, of="TEXT[]")

"""Small pieces of Snowflake syntax with a type, so that the rule of the node above knows what it has."""

from sqlglot import exp

from evidence.control.pushdown.kinds import Kind, kind
from evidence.control.pushdown.refusal import RefusedError

TEXT, INTEGER, BOOLEAN, TIME, DATE, SPAN = "TEXT", "BIGINT", "BOOLEAN", "TIMESTAMP", "DATE", "INTERVAL"
NESTED = frozenset({"texts", "struct", "structs", "json", "jsons"})
NUMBERS = frozenset({"int", "decimal"})


def typed_as(node: exp.Expr, name: str) -> exp.Expr:
    """Set the type of ``node`` by its name in DuckDB and return it."""
    node.type = exp.DataType.build(name, dialect="duckdb")
    return node


def call(name: str, *arguments: exp.Expr, of: str) -> exp.Expr:
    """Return a call that sqlglot writes as it stands."""
    return typed_as(exp.Anonymous(this=name, expressions=[each.copy() for each in arguments]), of)


def cast(node: exp.Expr, to: str, of: str) -> exp.Expr:
    """Return ``CAST(node AS to)``; ``to`` is a type's name in Snowflake."""
    return typed_as(exp.Cast(this=node.copy(), to=exp.DataType.build(to, dialect="snowflake")), of)


def case(condition: exp.Expr, then: exp.Expr, otherwise: exp.Expr | None, of: str) -> exp.Expr:
    """Return ``CASE WHEN condition THEN then ELSE otherwise END``."""
    made = exp.Case(ifs=[exp.If(this=condition.copy(), true=then.copy())])
    if otherwise is not None:
        made.set("default", otherwise.copy())
    return typed_as(made, of)


def text(value: str) -> exp.Expr:
    """Return a literal text."""
    return typed_as(exp.Literal.string(value), TEXT)


def number(value: int) -> exp.Expr:
    """Return a literal whole number."""
    return typed_as(exp.Literal.number(value), INTEGER)


def literal_text(node: exp.Expr, construct: str) -> str:
    """Return the value of a literal that must not be empty. Raises ``RefusedError`` for anything else."""
    if not (isinstance(node, exp.Literal) and node.is_string and node.name):
        raise RefusedError(construct, "needs a literal that is not empty")
    return str(node.name)


def literal_number(node: exp.Expr, construct: str) -> int:
    """Return the value of a literal whole number from 1 on."""
    if not (isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit() and int(node.name) > 0):
        raise RefusedError(construct, "needs a literal number from 1 on")
    return int(node.name)


def need(node: exp.Expr, construct: str, *kinds: Kind) -> None:
    """Raise ``RefusedError`` unless the value is of one of ``kinds``, or NULL."""
    found = kind(node)
    if found not in {*kinds, "null"}:
        raise RefusedError(construct, f"over a value that is {found}, not {' or '.join(kinds)}")


def alike(construct: str, *nodes: exp.Expr) -> None:
    """Raise ``RefusedError`` unless values are of one kind, so that neither engine casts one to the other's."""
    found = {"int" if kind(node) in NUMBERS else kind(node) for node in nodes} - {"null"}
    if len(found) > 1 or found & {"unknown", "other", "interval", *NESTED}:
        raise RefusedError(construct, f"over values that are {', '.join(sorted(found))}")

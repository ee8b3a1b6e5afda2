"""One SELECT of control SQL -> Snowflake's dialect, or the construct that is not proven equal. Pure.

An allow-list: what does not stand in ``constructs.toml`` is refused by name (``docs/decisions/0205``). sqlglot reads DuckDB's dialect, qualifies every column and
writes the text; what a function means is said by our own rules, since its translations are approximations (``regexp_matches`` would be anchored).
"""

import hashlib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from evidence.control.loaded import sql_type
from evidence.control.pushdown.annotate import typed
from evidence.control.pushdown.kinds import interval_of, kind
from evidence.control.pushdown.lists import name_variables
from evidence.control.pushdown.queries import AGGREGATES, group_by_all, shape
from evidence.control.pushdown.refusal import RefusedError
from evidence.control.pushdown.spreads import as_sources, check, spread
from evidence.control.pushdown.values import RULES

Place = Callable[[str], str]
_FILE: Final = Path(__file__).with_name("constructs.toml")


@dataclass(frozen=True, slots=True)
class Transpiled:
    """Snowflake SQL, which constructs it rests on, and the SHA-256 of its text."""

    sql: str
    constructs: frozenset[str]

    @property
    def sha256(self) -> str:
        """Digest of the UTF-8 text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


_USUAL: Final = {"this", "expression", "expressions"}
_LARGEST: Final = 3000  # parts of one value: rules name operands several times, and a planner reads each of them


@cache
def _body() -> Mapping[str, Any]:
    return tomllib.loads(_FILE.read_text())


@cache
def constructs() -> Mapping[str, Mapping[str, Any]]:
    """Return the allow-list: sqlglot's name of a construct -> how it is said, what is the same, sources, examples."""
    body = _body()
    plain: dict[str, Mapping[str, Any]] = {name: {"said": name, "plain": True} for name in body["plain"]}
    listed: Mapping[str, Mapping[str, Any]] = body["construct"]
    return {**plain, **listed}


def transpile(sql: str, tables: Mapping[str, pa.Schema], place: Place) -> Transpiled:
    """Return ``sql`` in Snowflake's dialect. ``place`` says where a table (``name`` or ``schema.name``) lies: a dotted name without quotes.

    Raises ``RefusedError`` for what is not proven equal. All names are quoted and lower case: DuckDB does not tell case apart, Snowflake then has one spelling.
    """
    tree = qualified(sql, tables)
    used = frozenset(_allowed(tree))
    for node in tree.walk():
        shape(node)
        check(node)
    as_sources(tree)
    tree = _said(tree)
    spread(tree)
    for table in tree.find_all(exp.Table):
        if table.name in {_flat(name) for name in tables}:
            parts = place(next(name for name in tables if _flat(name) == table.name)).split(".")
            named = exp.Table(
                **dict(
                    zip(
                        ("this", "db", "catalog"),
                        (exp.to_identifier(p, quoted=True) for p in reversed(parts)),
                        strict=False,
                    )
                )
            )
            named.set("alias", table.args.get("alias"))
            table.replace(named)
    return Transpiled(tree.sql("snowflake", comments=False), used)


def qualified(sql: str, tables: Mapping[str, pa.Schema]) -> exp.Expr:
    """Return the tree with every column qualified and typed, still in DuckDB's meaning; a table is named ``schema__name``."""
    try:
        tree = sqlglot.parse_one(sql, read="duckdb")
        _if_is_case(tree)
        _places_are_clear(tree)
        _name_tables(tree, tables)
        schema = MappingSchema(
            {_flat(name): {field.name: sql_type(field.type) for field in given} for name, given in tables.items()},
            dialect="duckdb",
        )
        tree = qualify(tree, schema=schema, dialect="duckdb")
        group_by_all(tree)
        name_variables(tree)
        return typed(tree, schema)
    except SqlglotError as exc:
        raise RefusedError("the statement", f"is not understood: {str(exc).partition(chr(10))[0][:100]}") from exc


def _if_is_case(tree: exp.Expr) -> None:
    """Write ``if(a, b, c)`` as the CASE it is: sqlglot has one class for both."""
    for node in list(tree.find_all(exp.If)):
        if node.arg_key != "ifs":
            then = exp.If(this=node.this, true=node.args["true"])
            node.replace(exp.Case(ifs=[then], default=node.args.get("false")))


def _places_are_clear(tree: exp.Expr) -> None:
    """Refuse ``value[n]`` where sqlglot, which counts from 0 what it takes for a list, took the value for something else."""
    lists = {exp.DataType.Type.UNKNOWN, exp.DataType.Type.ARRAY, exp.DataType.Type.LIST}
    for node in tree.find_all(exp.Bracket):
        found = node.this.type
        if not isinstance(node.expressions[0], exp.Slice) and found is not None and found.this not in lists:
            raise RefusedError("list[n]", "of a value that is not clearly a list")


def _flat(name: str) -> str:
    return name.replace(".", "__")


def _name_tables(tree: exp.Expr, tables: Mapping[str, pa.Schema]) -> None:
    steps = {each.alias.lower() for each in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        name = ".".join(part.name for part in table.parts).lower()
        if isinstance(table.this, exp.Func) or name in steps:
            continue
        if name not in tables:
            raise RefusedError(name, "is no table that this statement is given")
        alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name))
        table.replace(exp.Table(this=exp.to_identifier(_flat(name)), alias=alias))


def construct_of(node: exp.Expr) -> str:
    """Return the name of a node's construct in the allow-list."""
    if isinstance(node, exp.Anonymous):
        return f"{node.name.lower()}()"
    if isinstance(node, exp.DataType):
        return "DataType"
    return type(node).__name__


def _allowed(tree: exp.Expr) -> list[str]:
    found = []
    for node in tree.walk():
        name = construct_of(node)
        if name not in constructs():
            said = node.sql("duckdb")[:60] if isinstance(node, exp.Func | exp.Binary) else name.lower()
            raise RefusedError(name.lower(), f"not in the list of what is proven equal ({said})")
        strange = [
            part
            for part, value in node.args.items()
            if value and part not in _USUAL and part not in _body()["parts"].get(name, ())
        ]
        if strange:
            raise RefusedError(constructs()[name].get("said", name.lower()), f"with {', '.join(strange)}")
        found.append(name)
    return found


def _said(tree: exp.Expr) -> exp.Expr:
    """Apply the rules from the leaves up; each node keeps the type it had."""
    for node in reversed(list(tree.walk(bfs=True))):
        rule = RULES.get(type(node)) or AGGREGATES.get(type(node))
        if rule is None:
            continue
        made = rule(node)
        if sum(1 for _ in islice(made.walk(), _LARGEST + 1)) > _LARGEST:
            raise RefusedError("size", f"{construct_of(node)} would name its operands too often")
        if made.type is None:
            made.type = node.type
        if node is tree:
            tree = made
        else:
            node.replace(made)
    for node in tree.walk():
        if interval_of(node) or (isinstance(node, exp.Cast | exp.Column) and kind(node) == "interval"):
            raise RefusedError("length of time", "other than added to a time, or compared with a difference of times")
    return tree

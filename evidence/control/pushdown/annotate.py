"""The casts that let sqlglot know the type of each value.

sqlglot's annotation has gaps and a few mistakes for DuckDB (``date - date`` is days, ``time - time`` an interval). Each is closed by a cast to
the type that DuckDB gives, which changes nothing there and is checked by running the typed text in DuckDB (``tests/test_pushdown.py``).
"""

from collections.abc import Callable, Iterator
from typing import Final

from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.schema import MappingSchema

from evidence.control.pushdown.kinds import (
    Kind,
    aggregated,
    group_names,
    interval_of,
    kind,
    lambda_of,
    member_type,
    unnested,
)

_SPELLED: Final[dict[Kind, str]] = {
    "text": "TEXT",
    "int": "BIGINT",
    "bool": "BOOLEAN",
    "date": "DATE",
    "time": "TIMESTAMP",
    "texts": "TEXT[]",
}


_ROUNDS: Final = 12


def typed(tree: exp.Expr, schema: MappingSchema) -> exp.Expr:
    """Return ``tree`` annotated, with casts where sqlglot does not know a type and DuckDB does."""
    for _ in range(_ROUNDS):
        tree = annotate_types(tree, schema=schema, dialect="duckdb")
        changes = [(node, to) for node in tree.walk() if (to := _cast_to(node))]
        if not changes:
            return tree
        for node, to in reversed(list(changes)):  # inner ones first
            cast = exp.Cast(this=node.copy(), to=exp.DataType.build(to, dialect="duckdb"))
            if node is tree:
                tree = cast
            else:
                node.replace(cast)
    return annotate_types(tree, schema=schema, dialect="duckdb")


def _cast_to(node: exp.Expr) -> str:
    """Return the type to cast ``node`` to; empty: none. What is cast already is left alone."""
    if isinstance(node.parent, exp.Cast) or isinstance(node, exp.Cast | exp.Literal):
        return ""
    rule = next((rule for classes, rule in _BY_CLASS if isinstance(node, classes)), _of_interval)
    return rule(node)


def _always(name: str, known: Kind) -> Callable[[exp.Expr], str]:
    return lambda node: "" if kind(node) == known else name


def _of_interval(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous) and node.name.lower() in _NAMED:
        return _NAMED[node.name.lower()]
    return "INTERVAL" if interval_of(node) and kind(node) != "interval" else ""


def _of_spread(node: exp.Expr) -> str:
    """Return the type of the element that ``unnest`` gives."""
    if kind(node.this) == "texts":
        return "TEXT"
    if kind(node.this) in {"structs", "jsons"} and kind(node) not in {"struct", "json"} and node.this.type is not None:
        return str(node.this.type.expressions[0].sql("duckdb"))
    return ""


def _of_match(node: exp.Expr) -> str:
    """Return the type of ``regexp_extract``: a text, or a structure of texts."""
    members = ", ".join(f'"{name}" TEXT' for name in group_names(node))
    return f"STRUCT({members})" if members else "TEXT" if kind(node) != "text" else ""


def _of_path(node: exp.Expr) -> str:
    """Return what ``->`` or ``->>`` gives: a list where its path has a ``*``."""
    name = "TEXT" if isinstance(node, exp.JSONExtractScalar) else "JSON"
    return f"{name}[]" if node.expression.find(exp.JSONPathWildcard) is not None else name


def _of_list(node: exp.Expr) -> str:
    """Return the type of a function of a list that gives a list again, or of what makes one."""
    if kind(node) in {"texts", "structs", "jsons"}:
        return ""
    match node:
        case exp.Transform():
            body = node.expression.this if isinstance(node.expression, exp.Lambda) else node.expression
            return "TEXT[]" if kind(body) == "text" else ""
        case exp.DPipe():
            return "TEXT[]" if "texts" in {kind(node.this), kind(node.expression)} else ""
        case exp.ArrayFilter() if kind(node.this) in {"structs", "jsons"} and node.this.type is not None:
            return str(node.this.type.sql("duckdb"))
    return "TEXT[]" if kind(node.this) == "texts" else ""


def _of_collected(node: exp.Expr) -> str:
    """Return the type of ``list(…)``; with a FILTER that is around it."""
    inner = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(inner, exp.ArrayAgg) or isinstance(node.parent, exp.Filter):
        return ""
    return "TEXT[]" if kind(aggregated(inner)) == "text" and kind(node) != "texts" else ""


def _of_picked(node: exp.Expr) -> str:
    """Return the type of an element, or of a slice of a list or a text."""
    held, is_slice = kind(node.this), isinstance(node.expressions[0], exp.Slice)
    to = {("text", True): "TEXT", ("texts", True): "TEXT[]", ("texts", False): "TEXT"}.get((held, is_slice), "")
    return "" if kind(node) == ("texts" if to == "TEXT[]" else "text") else to


def _of_element(node: exp.Expr) -> str:
    """Return the type of an element: of a lambda's variable, or of a column that ``unnest`` gives."""
    owner = lambda_of(node)
    if owner is not None:
        listed = owner.parent.this if isinstance(owner.parent, exp.ArrayFilter | exp.Transform) else None
    else:
        found = unnested(node) if kind(node) == "unknown" else None
        listed = found.expressions[0] if found is not None else None
    if listed is not None and kind(listed) in {"structs", "jsons"} and listed.type is not None:
        return str(listed.type.expressions[0].sql("duckdb"))
    return "TEXT" if listed is not None and kind(listed) == "texts" else ""


def _of_parts(node: exp.Expr) -> str:
    if kind(node) in ({"texts"} if isinstance(node, exp.Array) else {"text", "texts"}):
        return ""
    parts = {kind(each) for each in (node.expressions if isinstance(node, exp.Array) else _ends(node))} - {"null"}
    if isinstance(node, exp.Array):
        return "TEXT[]" if parts == {"text"} else ""
    return "TEXT[]" if parts == {"texts"} else "TEXT" if parts == {"text"} else ""


def _of_place(node: exp.Expr) -> str:
    """Return the type of a NULL that is a column of a query: that of the same column in the others it is united with."""
    column = node.parent if isinstance(node.parent, exp.Alias) else node
    select = column.parent
    if not isinstance(select, exp.Select) or column.arg_key != "expressions" or column.index is None:
        return ""
    top: exp.Expr = select
    while isinstance(top.parent, exp.SetOperation) or (
        isinstance(top.parent, exp.Subquery) and isinstance(top.parent.parent, exp.SetOperation)
    ):
        top = top.parent
    found = {_SPELLED.get(kind(each)) for each in _same_column(top, column.index)} - {None}
    return str(found.pop()) if len(found) == 1 else ""


def _same_column(query: exp.Expr, place: int) -> Iterator[exp.Expr]:
    if isinstance(query, exp.SetOperation):
        yield from _same_column(query.left, place)
        yield from _same_column(query.right, place)
    elif isinstance(query, exp.Subquery):
        yield from _same_column(query.this, place)
    elif isinstance(query, exp.Select) and place < len(query.selects):
        yield query.selects[place]


def _ends(node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.Coalesce):
        return [node.this, *node.expressions]
    default = node.args.get("default")
    return [*(each.args["true"] for each in node.args["ifs"]), *([default] if default is not None else [])]


def _of_sum(node: exp.Expr) -> str:
    left, right = kind(node.this), kind(node.expression)
    if interval_of(node.expression) or right == "interval":
        return "TIMESTAMP" if left in {"date", "time"} and kind(node) != "time" else ""
    if isinstance(node, exp.Sub) and left == right == "date":
        return "BIGINT"
    if isinstance(node, exp.Sub) and {left, right} <= {"date", "time"}:
        return "INTERVAL"
    return ""


_NAMED: Final = {"list_has_all": "BOOLEAN", "json_array_length": "BIGINT"}
_BY_CLASS: Final[tuple[tuple[tuple[type[exp.Expr], ...], Callable[[exp.Expr], str]], ...]] = (
    ((exp.Column, exp.Identifier), _of_element),
    ((exp.JSONExtract, exp.JSONExtractScalar), _of_path),
    ((exp.Dot,), lambda node: member_type(node) if kind(node) == "unknown" else ""),
    ((exp.RegexpExtract,), _of_match),
    ((exp.ArrayFilter, exp.Transform, exp.ArraySort, exp.ArrayDistinct, exp.DPipe), _of_list),
    ((exp.ArrayAgg, exp.Filter), _of_collected),
    ((exp.Bracket,), _of_picked),
    ((exp.Null,), _of_place),
    ((exp.Add, exp.Sub), _of_sum),
    (
        (
            exp.SplitPart,
            exp.RegexpReplace,
            exp.Replace,
            exp.Chr,
            exp.Format,
            exp.ArrayToString,
            exp.Left,
            exp.JSONType,
        ),
        _always("TEXT", "text"),
    ),
    ((exp.Explode,), _of_spread),
    ((exp.Split, exp.RegexpExtractAll, exp.JSONKeys), _always("TEXT[]", "texts")),
    ((exp.ArrayOverlaps,), _always("BOOLEAN", "bool")),
    ((exp.Array, exp.Case, exp.Coalesce), _of_parts),
)

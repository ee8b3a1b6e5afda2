"""Rules for control SQL, read from its syntax tree: nothing that depends on a clock, on chance, on order or on floats.

Why: the same sealed evidence must give the same finding for as long as it is kept (design.md section 2, invariant 7), and a
NULL must never pass (section 8).
"""

from collections.abc import Iterator
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

CLOCKS: Final = {
    "now", "today", "current_date", "current_time", "current_timestamp", "localtime", "localtimestamp",
    "get_current_time", "get_current_timestamp", "transaction_timestamp", "current_localtime", "current_localtimestamp",
    "current_datetime", "sysdate", "systimestamp",
}  # fmt: skip
CHANCE: Final = {
    "random", "rand", "uuid", "uuidv4", "uuidv7", "gen_random_uuid", "generate_uuid", "setseed", "nextval", "currval",
    "randn", "normal",
}  # fmt: skip
OUTSIDE: Final = {
    "getvariable", "current_setting", "current_user", "session_user", "user", "version", "current_schema",
    "current_schemas", "current_database", "current_catalog", "current_query", "current_query_id", "txid_current",
    "current_transaction_id", "currentversion", "current_version", "write_log", "error", "in_search_path", "current_connection_id", "current_role",
}  # fmt: skip
FLOATS: Final = {
    "avg", "mean", "favg", "median", "stddev", "stddev_pop", "stddev_samp", "variance", "variancepop", "var_pop", "var_samp",
    "sqrt", "cbrt", "ln", "log", "log2", "log10", "exp", "pow", "power", "corr", "covar_pop", "covar_samp", "fsum", "kahan_sum",
    "sumkahan", "quantile_cont", "percentile_cont", "percentilecont", "regr_slope", "entropy", "pi", "sin", "cos", "tan",
    "jaro_similarity", "jaro_winkler_similarity", "jaccard", "kurtosis", "skewness", "geomean", "divide", "epoch",
}  # fmt: skip
UNORDERED: Final = {
    "first", "last", "any_value", "anyvalue", "arbitrary", "list", "array_agg", "arrayagg", "arrayuniqueagg", "string_agg",
    "group_concat", "groupconcat", "listagg", "arg_min", "arg_max", "argmin", "argmax", "min_by", "max_by", "argminnull",
    "arg_min_null", "arg_max_null", "mode", "json_group_array", "json_group_object", "jsonobjectagg", "jsonarrayagg",
    "map_agg", "array_concat_agg", "list_distinct", "first_value", "last_value", "nth_value", "firstvalue", "lastvalue",
    "nthvalue",
}  # fmt: skip
ESTIMATES: Final = {
    "approx_count_distinct", "approxdistinct", "approx_quantile", "approxquantile", "approx_top_k", "approxtopk",
    "reservoir_quantile", "bitstring_agg", "hash",
}  # fmt: skip
NEEDS_ORDER: Final = {"row_number", "rownumber", "ntile", "lag", "lead", "rank", "dense_rank", "denserank"}
TABLE_FUNCTIONS: Final = {"unnest", "generate_series", "range", "generateseries"}
FORBIDDEN: Final[dict[str, str]] = {
    **dict.fromkeys(CLOCKS, "a clock: the night and as_of stand in params and settings"),
    **dict.fromkeys(CHANCE, "chance: the same evidence must give the same finding"),
    **dict.fromkeys(OUTSIDE, "the state of the engine is no evidence"),
    **dict.fromkeys(FLOATS, "gives a float: use DECIMAL or whole numbers"),
    **dict.fromkeys(ESTIMATES, "an estimate, or a value that changes with the engine's version"),
}
BAD_TYPES: Final = {
    "FLOAT": "a float",
    "DOUBLE": "a float",
    "TIMESTAMPTZ": "a time with a zone: all times are UTC without",
}


def check_sql(sql: str, declared: frozenset[str], *, star: bool = True) -> Iterator[tuple[int, str]]:
    """Yield (line, message) for every broken rule. ``star``: whether the outermost SELECT may say ``*``."""
    try:
        parsed = [each for each in sqlglot.parse(sql, read="duckdb") if each is not None]
    except SqlglotError as exc:
        yield 0, f"does not parse: {str(exc).partition(chr(10))[0]}"
        return
    if len(parsed) != 1 or not isinstance(parsed[0], exp.Query):
        yield 0, f"not exactly one SELECT but {', '.join(type(each).__name__ for each in parsed) or 'nothing'}"
        return
    tree = parsed[0]
    yield from _tables(tree, declared)
    if not star and any(isinstance(each, exp.Star) for select in _outermost(tree) for each in select.expressions):
        yield 1, "the last step says *: name item, result, reason, observed, expected"
    for node in tree.walk():
        message = _node(node)
        if message:
            yield _line(node), message


def _node(node: exp.Expr) -> str:
    return next((message for rule in (_value, _choice, _statement) if (message := rule(node))), "")


def _value(node: exp.Expr) -> str:
    """Floats, clocks and functions that do not say the same thing twice."""
    match node:
        case exp.Div():
            return "/ gives a float: use // or DECIMAL"
        case exp.DataType() if node.this.name in BAD_TYPES:
            return f"{node.this.name} is {BAD_TYPES[node.this.name]}"
        case exp.Literal() if node.is_number and "e" in node.this.lower():
            return f"{node.this} is a float"
        case exp.Column() if not node.table and not node.this.quoted and node.name.lower() in CLOCKS | OUTSIDE:
            return f"{node.name}: {FORBIDDEN[node.name.lower()]}"
        case exp.Func():
            return _function(node)
    return ""


def _choice(node: exp.Expr) -> str:
    """Rows taken by the order they happen to come in."""
    match node:
        case exp.Limit() | exp.Fetch() if not _ordered(node.parent):
            return "LIMIT without ORDER BY picks rows by chance"
        case exp.TableSample():
            return "a sample is chance"
        case exp.Distinct() if node.args.get("on") and not _ordered(node.parent):
            return "DISTINCT ON without ORDER BY picks rows by chance"
    return ""


def _statement(node: exp.Expr) -> str:
    """What is no plain reading, or lets NULL pass."""
    match node:
        case exp.Case() if _says_pass(node.args.get("default")):
            return "else 'pass': name the passing case, so that NULL does not pass"
        case exp.Insert() | exp.Update() | exp.Delete() | exp.Merge() | exp.Command() | exp.Create() | exp.Drop():
            return "writes: only SELECT runs here"
    return ""


def _function(node: exp.Func) -> str:
    names = {name_of(node), node.sql_name().lower(), type(node).__name__.lower()}
    for name in sorted(names & set(FORBIDDEN)):
        return f"{name}: {FORBIDDEN[name]}"
    window = node.find_ancestor(exp.Window)
    over_order = window is not None and window.args.get("order") is not None
    if names & NEEDS_ORDER and not over_order:
        return f"{name_of(node)} without ORDER BY in its window depends on the order of rows"
    if names & UNORDERED and not over_order and not _ordered_inside(node):
        return f"{name_of(node)} without ORDER BY depends on the order of rows"
    return ""


def name_of(node: exp.Func) -> str:
    """Return a function's name as it was written, in lower case."""
    return (node.name if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc) else node.sql_name()).lower()


def _tables(tree: exp.Expr, declared: frozenset[str]) -> Iterator[tuple[int, str]]:
    steps = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Func):
            if name_of(table.this) not in TABLE_FUNCTIONS:
                yield _line(table), f"{name_of(table.this)}(): a function that makes a table is not allowed here"
            continue
        name = ".".join(part.name for part in table.parts).lower()
        if name not in declared and name not in steps:
            yield _line(table), f"{name} is not declared"


def _outermost(tree: exp.Expr) -> Iterator[exp.Select]:
    match tree:
        case exp.Select():
            yield tree
        case exp.SetOperation():
            yield from _outermost(tree.left)
            yield from _outermost(tree.right)
        case exp.Subquery():
            yield from _outermost(tree.this)


def _says_pass(default: exp.Expr | None) -> bool:
    return isinstance(default, exp.Literal) and default.is_string and default.this.lower() == "pass"


def _ordered(node: exp.Expr | None) -> bool:
    return node is not None and node.args.get("order") is not None


def _ordered_inside(node: exp.Func) -> bool:
    within = node.find_ancestor(exp.WithinGroup)
    return within is not None or any(isinstance(each, exp.Order) for each in node.find_all(exp.Order))


def _line(node: exp.Expr) -> int:
    for each in node.walk():
        if "line" in each.meta:
            return int(each.meta["line"])
    return 0

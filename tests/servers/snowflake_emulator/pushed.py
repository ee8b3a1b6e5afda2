"""What pushed control SQL calls, with the meaning Snowflake's pages give it, as macros of DuckDB.

fakesnow translates most of Snowflake's functions, but not lists beyond a few and not what is special about NULLs. Functions named here are taken out of its hands: an ARRAY is JSON, as
fakesnow has it, and each macro says what the page of its name says. Lambdas are written over lists of texts, since that is how they are typed.
"""

import re

import sqlglot
from sqlglot import exp

NAMES = (
    "OCTET_LENGTH", "TO_CHAR", "TO_VARIANT", "ARRAY_CONTAINS", "SHA2", "ARRAY_CAT", "ARRAY_SIZE", "ARRAY_SORT", "ARRAY_DISTINCT", "ARRAY_TO_STRING", "ARRAY_SLICE", "SPLIT", "TO_JSON", "TRIM", "LTRIM", "RTRIM",
    "REGEXP_SUBSTR", "REGEXP_SUBSTR_ALL", "REGEXP_REPLACE", "AS_ARRAY", "GET",
    "PARSE_JSON", "TYPEOF", "AS_VARCHAR", "AS_BOOLEAN", "AS_INTEGER", "AS_OBJECT", "OBJECT_KEYS", "ARRAY_FLATTEN", "TRY_TO_DATE", "TRY_TO_TIMESTAMP_NTZ",
)  # fmt: skip
CALLED = re.compile(rf"\b({'|'.join(NAMES)})\(", re.IGNORECASE)
FLATTEN = re.compile(r"\bFLATTEN\(\s*INPUT\s*=>\s*", re.IGNORECASE)
PLACE = "SNOWFLAKE.ACCOUNT_USAGE.EMULATOR_"
MARK = '."evidence_'  # the session's tables: no other statement calls these functions
MACROS = f"""
CREATE OR REPLACE MACRO {PLACE}OCTET_LENGTH(x) AS octet_length(encode(x));
CREATE OR REPLACE MACRO {PLACE}TO_CHAR(x, f) AS
  strftime(x, replace(replace(replace(replace(replace(replace(replace(f, 'YYYY', '%Y'), 'MM', '%m'), 'DD', '%d'), 'HH24', '%H'), 'MI', '%M'), 'SS', '%S'), 'FF6', '%f'));
CREATE OR REPLACE MACRO {PLACE}TO_VARIANT(x) AS to_json(x);
CREATE OR REPLACE MACRO {PLACE}SHA2(x, bits) AS sha256(x);
CREATE OR REPLACE MACRO {PLACE}TEXTS(l) AS CAST(to_json(l) AS VARCHAR[]);
CREATE OR REPLACE MACRO {PLACE}ARRAY(l) AS CAST(to_json(l) AS JSON);
CREATE OR REPLACE MACRO {PLACE}ARRAY_CONTAINS(v, l) AS list_contains(CAST(to_json(l) AS VARCHAR[]), json_extract_string(to_json(v), '$'));
CREATE OR REPLACE MACRO {PLACE}ARRAY_CAT(a, b) AS CASE WHEN a IS NULL OR b IS NULL THEN NULL ELSE to_json(list_concat(CAST(to_json(a) AS VARCHAR[]), CAST(to_json(b) AS VARCHAR[]))) END;
CREATE OR REPLACE MACRO {PLACE}ARRAY_SIZE(l) AS json_array_length(to_json(l));
CREATE OR REPLACE MACRO {PLACE}ARRAY_SORT(l) AS to_json(list_sort(CAST(to_json(l) AS VARCHAR[]), 'ASC', 'NULLS LAST'));
CREATE OR REPLACE MACRO {PLACE}ARRAY_DISTINCT(l) AS to_json(list_reverse(list_distinct(CAST(to_json(l) AS VARCHAR[]))));
CREATE OR REPLACE MACRO {PLACE}ARRAY_TO_STRING(l, s) AS
  CASE WHEN l IS NULL THEN NULL ELSE coalesce(array_to_string(list_transform(CAST(to_json(l) AS VARCHAR[]), lambda e: coalesce(e, '')), s), '') END;
CREATE OR REPLACE MACRO {PLACE}ARRAY_SLICE(l, a, b) AS to_json(list_slice(CAST(to_json(l) AS VARCHAR[]), a + 1, b));
CREATE OR REPLACE MACRO {PLACE}AT(l, n) AS CASE WHEN json_type(to_json(l)) = 'ARRAY' THEN json_extract(to_json(l), '$[' || n || ']') END;
CREATE OR REPLACE MACRO {PLACE}SPLIT(t, s) AS to_json(string_split(t, s));
CREATE OR REPLACE MACRO {PLACE}TO_JSON(l) AS CAST(to_json(l) AS VARCHAR);
CREATE OR REPLACE MACRO {PLACE}TRIM(t, c) AS trim(t, c);
CREATE OR REPLACE MACRO {PLACE}LTRIM(t, c) AS ltrim(t, c);
CREATE OR REPLACE MACRO {PLACE}RTRIM(t, c) AS rtrim(t, c);
CREATE OR REPLACE MACRO {PLACE}SPREAD(l) AS unnest(json_extract(to_json(l), '$[*]'));
CREATE OR REPLACE MACRO {PLACE}TEXT(v) AS json_extract_string(to_json(v), '$');
CREATE OR REPLACE MACRO {PLACE}GET(o, k) AS json_extract(to_json(o), '$."' || k || '"');
CREATE OR REPLACE MACRO {PLACE}LIST(l) AS json_extract(to_json(l), '$[*]');
CREATE OR REPLACE MACRO {PLACE}AS_ARRAY(v) AS CASE WHEN json_type(to_json(v)) = 'ARRAY' THEN to_json(v) END;
CREATE OR REPLACE MACRO {PLACE}REGEXP_SUBSTR(t, p, a, n, f) AS regexp_extract_all(t, p, 0)[n];
CREATE OR REPLACE MACRO {PLACE}REGEXP_SUBGROUP(t, p, a, n, f, g) AS CASE WHEN regexp_matches(t, p) THEN nullif(regexp_extract_all(t, p, g)[n], '') END;
CREATE OR REPLACE MACRO {PLACE}REGEXP_SUBSTR_ALL(t, p) AS to_json(regexp_extract_all(t, p));
CREATE OR REPLACE MACRO {PLACE}REGEXP_REPLACE(t, p, r, a, n, f) AS CASE WHEN n = 0 THEN regexp_replace(t, p, r, 'g') ELSE regexp_replace(t, p, r) END;
CREATE OR REPLACE MACRO {PLACE}TRY_TO_DATE(t, f) AS TRY_CAST(try_strptime(t, '%Y-%m-%d') AS DATE);
CREATE OR REPLACE MACRO {PLACE}TRY_TO_TIMESTAMP_NTZ(t, f) AS try_strptime(t, '%Y-%m-%d %H:%M:%S');
CREATE OR REPLACE MACRO {PLACE}PARSE_JSON(t) AS CAST(t AS JSON);
CREATE OR REPLACE MACRO {PLACE}TYPEOF(v) AS CASE json_type(to_json(v)) WHEN 'NULL' THEN 'NULL_VALUE' WHEN 'BIGINT' THEN 'INTEGER' WHEN 'UBIGINT' THEN 'INTEGER' ELSE json_type(to_json(v)) END;
CREATE OR REPLACE MACRO {PLACE}AS_VARCHAR(v) AS CASE WHEN json_type(to_json(v)) = 'VARCHAR' THEN json_extract_string(to_json(v), '$') END;
CREATE OR REPLACE MACRO {PLACE}AS_BOOLEAN(v) AS CASE WHEN json_type(to_json(v)) = 'BOOLEAN' THEN CAST(json_extract_string(to_json(v), '$') AS BOOLEAN) END;
CREATE OR REPLACE MACRO {PLACE}AS_INTEGER(v) AS CASE WHEN json_type(to_json(v)) IN ('BIGINT', 'UBIGINT') THEN CAST(json_extract_string(to_json(v), '$') AS BIGINT) END;
CREATE OR REPLACE MACRO {PLACE}AS_OBJECT(v) AS CASE WHEN json_type(to_json(v)) = 'OBJECT' THEN to_json(v) END;
CREATE OR REPLACE MACRO {PLACE}OBJECT_KEYS(v) AS to_json(list_reverse(json_keys(to_json(v))));
CREATE OR REPLACE MACRO {PLACE}ARRAY_FLATTEN(l) AS to_json(flatten(list_transform(json_extract(to_json(l), '$[*]'), lambda e: json_extract(e, '$[*]'))));
"""


def is_pushed(sql: str) -> bool:
    """Whether a statement is of control SQL."""
    return MARK in sql


def rewritten(sql: str) -> str:
    """Return a pushed statement with our macros in place of Snowflake's functions."""
    renamed = CALLED.sub(lambda found: f"{PLACE}{found[1].upper()}(", sql)
    tree = sqlglot.parse_one(FLATTEN.sub(f"{PLACE}FLATTEN(", renamed), read="snowflake")
    for node in reversed(list(tree.find_all(exp.ArrayFilter, exp.Transform, exp.Array, exp.ArrayAgg, exp.Cast))):
        _as_json(node)
    for node in list(tree.find_all(exp.Anonymous)):
        _by_arguments(node)
    return tree.sql(dialect="snowflake")


def _as_json(node: exp.Expr) -> None:
    """What makes an ARRAY makes JSON, and what is cast to a text is taken out of it."""
    match node:
        case exp.ArrayFilter() | exp.Transform():
            node.set("this", _call("TEXTS" if _is_typed(node.expression) else "LIST", node.this))
            _in_place(node, "ARRAY")
        case exp.Array():
            _in_place(node, "ARRAY")
        case exp.ArrayAgg():
            _in_place(node.parent if isinstance(node.parent, exp.WithinGroup) else node, "ARRAY")
        case exp.Cast() if node.to.this == exp.DataType.Type.ARRAY:
            node.replace(node.this)
        case exp.Cast() if node.to.this in exp.DataType.TEXT_TYPES:
            if node.this.name == "VALUE" or _called(node.this) == "GET":
                node.replace(_call("TEXT", node.this))


def _by_arguments(node: exp.Anonymous) -> None:
    """One name, several functions: by what they are given."""
    given = node.expressions
    match node.name.upper().removeprefix("EMULATOR_"):
        case "GET" if given[1].is_int:
            node.set("this", "EMULATOR_AT")
        case "REGEXP_SUBSTR" if len(given) == 6:
            node.set("this", "EMULATOR_REGEXP_SUBGROUP")
        case "FLATTEN":
            _spread(node)


def _called(node: exp.Expr) -> str:
    inner = node.expression if isinstance(node, exp.Dot) else node
    return inner.name.upper().removeprefix("EMULATOR_") if isinstance(inner, exp.Anonymous) else ""


def _is_typed(said: exp.Expr) -> bool:
    """Whether a lambda's variable is declared as a text: sqlglot casts it wherever it is named."""
    name = said.expressions[0].name
    return any(isinstance(cast.this, exp.Identifier) and cast.this.name == name for cast in said.find_all(exp.Cast))


def _spread(node: exp.Expr) -> None:
    """Put a query of the elements in the place of FLATTEN: its row has VALUE."""
    above = node
    while isinstance(above.parent, exp.Dot):
        above = above.parent
    rows = exp.Select(expressions=[exp.alias_(_call("SPREAD", node.expressions[0]), "VALUE", quoted=True)])
    if isinstance(above.parent, exp.Anonymous) and above.parent.name.upper() == "TABLE":
        above = above.parent
    place = above.parent
    alias = place.args.get("alias")
    query = exp.Subquery(this=rows, alias=alias.copy() if alias and not isinstance(place, exp.Lateral) else None)
    if isinstance(place, exp.Lateral):
        place.set("this", exp.Subquery(this=rows))
    else:
        place.replace(query)


def _in_place(node: exp.Expr, name: str) -> None:
    node.replace(_call(name, node.copy()))


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    marks = ", ".join(f"mark{number}" for number, _ in enumerate(arguments))
    made = sqlglot.parse_one(f"{PLACE}{name}({marks})", read="snowflake")
    for number, given in enumerate(arguments):
        next(each for each in made.find_all(exp.Column) if each.name == f"mark{number}").replace(given.copy())
    return made

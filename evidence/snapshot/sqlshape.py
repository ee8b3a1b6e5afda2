"""Read scrubbed SQL once more: does it read like SQL, and are there values that were written like names.

The lexer cannot tell ``where last_name = Roe`` from a comparison of two columns, nor "Call Jane Roe at home" from a statement. Text that
does not begin as its verb demands, has names in a row, or gives a secret without quotes is refused (the caller hashes it); a bare
word or a quoted identifier that stands where a value is expected becomes ``?``. Names of objects stay.

>>> settle("select a from t where last_name = Roe and city in (Springfield, '?')")
"select a from t where last_name = ? and city in (?, '?')"
>>> settle("call Jane Roe about it") is None
True
"""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from evidence.snapshot import sqlverb
from evidence.snapshot.sqlparts import Part, RefusedError, at, is_name, read

_REFUSED = re.compile(r"[\w$]{256}|[\w\"]@")  # longer than an identifier may be; an address
_SECRET = re.compile(
    r"""\b\w*(?:password|passcode|secret|secret_string|secret_key|token|private_key|public_key|public_key_2|master_key|api_key|key_id|cert)\s*=\s*
    (?!(?:'\?'|\?)(?![\w$'"?])|(?:true|false|null)\b)\S | \bidentified\s+by\s+(?!'\?')""",
    re.VERBOSE | re.IGNORECASE,
)
_COMPARERS: Final = frozenset({"=", "<", ">", "<=", ">=", "<>", "!=", "==", "=>"})
_COMPARING: Final = frozenset({"like", "ilike", "rlike", "regexp", "between"})
_SEARCHES: Final = frozenset({  # functions whose later arguments are values
    "contains", "startswith", "endswith", "regexp_like", "equal_null", "position", "charindex", "like", "ilike", "rlike",
})  # fmt: skip
_PREFIXES: Final = frozenset({"x", "b"})  # of binary literals
_PERSONAL: Final = frozenset(
    {"first_name", "middle_name", "last_name", "display_name", "email", "comment", "query_tag"}
)
_QUERIES: Final = frozenset(
    {"select", "with", "values", "explain", "insert", "update", "delete", "merge", "call", "set"}
)
_OPERANDS: Final = frozenset({  # words that may stand where a value is expected
    "true", "false", "null", "any", "all", "some", "select", "with", "case", "not", "prior", "exists", "distinct", "default", "array", "object",
    "table", "identifier", "date", "time", "timestamp", "timestamp_ltz", "timestamp_ntz", "timestamp_tz", "interval",
    "current_date", "current_time", "current_timestamp", "current_user", "current_role", "current_account", "current_database",
    "current_schema", "current_warehouse", "current_session", "localtime", "localtimestamp", "sysdate",
})  # fmt: skip
_HOLDING_QUERIES: Final = frozenset({"create", "alter", "copy", "begin", "declare", "execute"})
_BEFORE_VALUES: Final = frozenset({
    "where", "and", "or", "not", "on", "when", "then", "else", "having", "by", "qualify", "like", "ilike", "rlike", "regexp", "in", "between", "is",
    "return", "default", "comment", "allowed_values", ":=", "|",
})  # fmt: skip
_MOST_WORK: Final = 20  # nested lists are read once for each list around them; nobody nests deeper
_INNER: Final = frozenset({"select", "insert", "update", "delete", "merge", "call", "values"})
_MAY_GIVE_SECRETS: Final = frozenset({"create", "alter", "copy", "set"})


def settle(out: str, *, statement: bool = True, cut: bool = False) -> str | None:
    """Return scrubbed text without values that were written like names, or None if it does not read like SQL.

    ``out`` is what ``sqltext.scrub`` gave; ``statement`` as there. ``cut``: the source cut the text, its last word may be half of something.
    """
    if _REFUSED.search(out):
        return None
    parts = read(out)
    try:
        _names_in_a_row(parts, 3 if statement else 2)
        if cut and is_name(at(parts, len(parts) - 1)) and is_name(at(parts, len(parts) - 2)):
            return None
        values = set(_values(parts)) if statement else set()
        if cut:
            values.update(_tail(parts))
        if not statement:
            return _without(out, parts, values)
        sqlverb.check(parts)
        if at(parts, 0).low in _MAY_GIVE_SECRETS and _SECRET.search(out.replace("/*?*/", " ")):
            return None
        return _without(out, parts, values)
    except RefusedError:
        return None


def _names_in_a_row(parts: Sequence[Part], most: int) -> None:
    """SQL has no three names in a row; two only where the second is an alias or begins a property; none beside a literal but an alias."""
    row = 0
    for n, part in enumerate(parts):
        row = row + 1 if is_name(part) else 0
        if not row:
            continue
        before, after = at(parts, n - row), at(parts, n + 1)
        literal = before.kind in {"literal", "number"}
        if row >= most or (after.kind == "literal" and part.low not in _PREFIXES):
            raise RefusedError
        if row == 1 and literal and (after.kind in {"literal", "number"} or (_compared(parts, n) and after.low != "=")):
            raise RefusedError
        if (
            row == 2
            and after.low != "="
            and (literal or (_starts_value(parts, n - 2) and after.low not in {".", "(", ":", "["}))
        ):
            raise RefusedError


def _tail(parts: Sequence[Part]) -> Iterator[int]:
    """Yield the words of the dotted name a text ends in."""
    n = len(parts) - 1
    while at(parts, n).kind in {"word", "quoted", "variable", "stage"} or at(parts, n).low in {".", ":"}:
        if at(parts, n).kind not in {"mark", "operator"}:
            yield n
        n -= 1


def _compared(parts: Sequence[Part], n: int) -> bool:
    """Say whether the literal before ``n`` is what something was compared with or set to: no alias follows."""
    return at(parts, n - 2).low in _COMPARERS or at(parts, n - 2).low in _COMPARING


def _starts_value(parts: Sequence[Part], n: int) -> bool:
    """Say whether a value or a condition begins after ``n``: no alias follows its first name."""
    low = at(parts, n).low
    listed = low == "(" and at(parts, n - 1).low in _COMPARERS
    return listed or low in _COMPARERS or low in _BEFORE_VALUES


def _values(parts: Sequence[Part]) -> Iterator[int]:
    """Yield the parts that stand for values and are written like names."""
    query = _query(parts)
    row_end, work, bound = -1, 0, False
    for n, part in enumerate(parts):
        before = at(parts, n - 1).low
        if n not in query:
            if (
                before == "="
                and at(parts, n - 2).low in _PERSONAL
                and part.kind in {"word", "quoted"}
                and part.low != '"?"'
            ):
                raise RefusedError
        elif part.low == "(":
            row = before == "values" or (before == "," and n - 2 == row_end)
            found, end = _listed(parts, n, row=row)
            work += end - n
            if work > _MOST_WORK * len(parts):
                raise RefusedError
            row_end = end if row else row_end
            yield from found
        elif _is_bare(parts, n) and (before in _COMPARERS or before in _COMPARING or (bound and before == "and")):
            yield n
        bound = (before != "and" and bound) or part.low == "between"


def _query(parts: Sequence[Part]) -> range:
    """Return where a query stands: everywhere, from AS in CREATE … AS SELECT to the end of its parenthesis, or nowhere."""
    first = next((part.low for part in parts if part.low != "("), "")
    if first in _QUERIES:
        return range(len(parts))
    for n, part in enumerate(parts):
        if n and part.low in _INNER and first in _HOLDING_QUERIES:
            inside = at(parts, n - 1).low == "("
            return range(n, _closing(parts, n - 1) if inside else len(parts))
    return range(0)


def _closing(parts: Sequence[Part], opening: int) -> int:
    """Return where the parenthesis that opens at ``opening`` closes, or the end."""
    depth = 0
    for n in range(opening, len(parts)):
        depth += (parts[n].low == "(") - (parts[n].low == ")")
        if not depth:
            return n
    return len(parts)


def _is_bare(parts: Sequence[Part], n: int) -> bool:
    part, after = parts[n], at(parts, n + 1)
    return (
        part.kind in {"word", "quoted"}
        and part.low not in _OPERANDS
        and after.low not in {".", "("}
        and at(parts, n - 1).low != "."
        and not (part.kind == "word" and after.kind == "literal")
    )


def _listed(parts: Sequence[Part], opening: int, *, row: bool) -> tuple[list[int], int]:
    """Return the bare words of the list that opens at ``opening`` and where it ends, if it is one of values.

    Those are rows of VALUES (``row``), IN lists, arguments of CALL and the later ones of functions that search.
    """
    before = at(parts, opening - 1).low
    searched = before in _SEARCHES
    if at(parts, opening + 1).low in {"select", "with"} or not (
        row or before == "in" or searched or _is_called(parts, opening)
    ):
        return [], opening
    found: list[int] = []
    depth, comma = 0, not searched
    for n in range(opening, len(parts)):
        low = parts[n].low
        depth += (low in {"(", "["}) - (low in {")", "]"})
        if not depth:
            return found, n
        comma = comma or (low == "," and depth == 1)
        if comma and _is_bare(parts, n) and at(parts, n + 1).low != "=>":
            if is_name(at(parts, n + 1)):
                raise RefusedError
            found.append(n)
    return found, len(parts)


def _is_called(parts: Sequence[Part], opening: int) -> bool:
    """Say whether the parenthesis at ``opening`` holds the arguments of CALL."""
    n = opening - 1
    while at(parts, n).kind in {"word", "quoted"} and at(parts, n - 1).low == ".":
        n -= 2
    return at(parts, n - 1).low == "call"


def _without(out: str, parts: Sequence[Part], values: Collection[int]) -> str:
    pieces, done = [], 0
    for n in sorted(values):
        pieces += [out[done : parts[n].start], '"?"' if parts[n].kind == "quoted" else "?"]
        done = parts[n].end
    return "".join([*pieces, out[done:]])

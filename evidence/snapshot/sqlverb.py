"""Does every statement begin as its verb demands? "Call Jane Roe at home" and "Update her chart" begin with verbs, too."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from evidence.snapshot.sqlparts import END, Part, RefusedError, at, is_name, path
from evidence.snapshot.words import sql_words

_ANYTHING: Final = frozenset({"values", "explain", "commit", "rollback", "table"})
_FOLLOWS: Final = {  # verb -> what must come next
    "insert": {"into", "overwrite", "all", "first"},
    "delete": {"from"},
    "merge": {"into"},
    "copy": {"into", "files"},
    "comment": {"on", "if"},
    "if": {"(", "exists"},
    "while": {"("},
}
_USED: Final = frozenset({"role", "warehouse", "database", "schema", "catalog", "secondary"})
_TRANSACTION: Final = frozenset({"transaction", "work", "name", ""})
_SCRIPTS: Final = frozenset({"begin", "declare", "then", "do", "loop"})
_BRANCHES: Final = frozenset(
    {"else", "elseif", "exception", "when", "end", "break", "continue", "raise", "null", "open", "fetch", "close", "}"}
)


def check(parts: Sequence[Part]) -> None:
    """Raise ``RefusedError`` if a statement of the text does not begin like one.

    Within a script, branches, assignments and declarations are statements too.
    """
    script = any(part.low in _SCRIPTS for part in parts)
    for number, statement in enumerate(_statements(parts)):
        if not (script and number and _is_line(statement)):
            _check(statement)


def _statements(parts: Sequence[Part]) -> Iterator[Sequence[Part]]:
    start = 0
    for end in [n for n, part in enumerate(parts) if part.low == ";"] + [len(parts)]:
        while start < end and parts[start].low == "(":
            start += 1
        if start < end:
            yield parts[start:end]
        start = end + 1


def _is_line(parts: Sequence[Part]) -> bool:
    second = at(parts, 1).low
    return parts[0].low in _BRANCHES or (parts[0].kind == "word" and (second == ":=" or second in sql_words()))


def _check(parts: Sequence[Part]) -> None:
    verb = parts[0].low
    rule = _RULES.get(verb)
    if verb in _ANYTHING:
        good = True
    elif rule:
        good = rule(parts)
    elif verb in _FOLLOWS:
        good = at(parts, 1).low in _FOLLOWS[verb]
    else:  # CREATE, ALTER, DROP, SHOW, GRANT …: the kind of object, a privilege, or no word
        good = verb in sql_words() and (at(parts, 1).low in sql_words() or at(parts, 1).kind not in {"word", "quoted"})
    if not good:
        raise RefusedError


def _select(parts: Sequence[Part]) -> bool:
    """A SELECT that reads nothing has no columns: names in it are prose."""
    if any(part.low == "from" for part in parts):
        return True
    for n, part in enumerate(parts):
        before, after = at(parts, n - 1), at(parts, n + 1)
        alias = before.low in {"as", ")", ".", ":", "::"} or before.kind in {"literal", "number"}
        if is_name(part) and not alias and after.kind != "literal" and after.low not in {"(", ".", "!", "=>"}:
            return False
    return True


def _with(parts: Sequence[Part]) -> bool:
    return any(part.low == "as" for part in parts)


def _files(parts: Sequence[Part]) -> bool:
    """PUT, GET, LIST, REMOVE: one or two places, then ``option = value``; nothing of a path may be left."""
    n, places = 1, 0
    while True:
        if at(parts, n).kind in {"stage", "literal"}:
            n += 1
        elif at(parts, n).kind == "word" and at(parts, n + 1).low == ":" and at(parts, n + 2).kind == "uri":
            n += 3
        else:
            break
        places += 1
    while (
        at(parts, n).kind == "word"
        and at(parts, n + 1).low == "="
        and at(parts, n + 2).kind in {"word", "literal", "number"}
    ):
        n += 3
    return places in {1, 2} and n == len(parts)


def _call(parts: Sequence[Part]) -> bool:
    return at(parts, path(parts, 1)).low == "("


def _update(parts: Sequence[Part]) -> bool:
    n = path(parts, 1)
    return n > 1 and any(part.low == "set" for part in parts[n : n + 3])


def _use(parts: Sequence[Part]) -> bool:
    start = 2 if at(parts, 1).low in _USED and len(parts) > 2 else 1
    return at(parts, 1).low == "secondary" or path(parts, start) == len(parts)


def _truncate(parts: Sequence[Part]) -> bool:
    return at(parts, 1).low in sql_words() or path(parts, 1) == len(parts)


def _set(parts: Sequence[Part]) -> bool:
    return at(parts, 1).low == "(" or (at(parts, 1).kind in {"word", "quoted"} and at(parts, 2).low == "=")


def _unset(parts: Sequence[Part]) -> bool:
    return at(parts, 1).low == "(" or (at(parts, 1).kind in {"word", "quoted"} and at(parts, 2) is END)


def _let(parts: Sequence[Part]) -> bool:
    after = at(parts, 2).low
    return at(parts, 1).kind in {"word", "quoted"} and (after in {":=", "="} or after in sql_words())


def _for(parts: Sequence[Part]) -> bool:
    return at(parts, 1).kind in {"word", "quoted"} and at(parts, 2).low == "in"


def _return(parts: Sequence[Part]) -> bool:
    return not any(is_name(part) and is_name(at(parts, n + 1)) for n, part in enumerate(parts))


def _begin(parts: Sequence[Part]) -> bool:
    if at(parts, 1).low in _TRANSACTION:
        return len(parts) <= 4
    if not _is_line(parts[1:]):
        _check(parts[1:])
    return True


def _declare(parts: Sequence[Part]) -> bool:
    return at(parts, 1).kind in {"word", "quoted"} and at(parts, 2).low in sql_words()


_RULES: Final[dict[str, Callable[[Sequence[Part]], bool]]] = {
    "select": _select,
    "with": _with,
    "call": _call,
    "update": _update,
    "use": _use,
    "truncate": _truncate,
    "set": _set,
    "unset": _unset,
    "let": _let,
    "for": _for,
    "return": _return,
    "begin": _begin,
    "declare": _declare,
    **dict.fromkeys(("get", "put", "list", "ls", "remove", "rm"), _files),
}

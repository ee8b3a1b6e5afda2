"""What a statement sees of the tables handed in with it: the columns it names.

A table read with a star (or as a whole row, or by a natural join) is seen with all its columns but those of the clock, which
are there for a statement that names them. So a statement that does not ask for the time sees the same on a night on which
nothing else moved (``docs/decisions/0151-same-question-same-answer.md``).
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

CLOCK_COLUMNS: Final = frozenset({"night", "captured_at", "as_of"})
_SELECT: Final = "SELECT_NODE"
_MOST: Final = 1_024  # statements whose sights are kept; a library has some 220


@dataclass(frozen=True, slots=True)
class Sight:
    """The words of a statement, and the tables it reads with a star; None: not known, so any."""

    words: frozenset[str]
    starred: frozenset[str] | None

    @classmethod
    def of(cls, sql: str, tree: str) -> Self:
        """Return what ``sql`` sees; ``tree`` is its syntax tree as DuckDB's ``json_serialize_sql`` spells it.

        Comments and texts count as words, which only shows more.
        """
        body = json.loads(tree)
        starred = None if body.get("error", True) else frozenset(_starred(body))
        return cls(frozenset(re.findall(r"\w+", sql.casefold())), starred)

    def columns(self, table: str, columns: Sequence[str]) -> tuple[str, ...]:
        """Return those of ``columns`` that the statement sees of ``table`` (``name`` or ``schema.name``); maybe none."""
        whole = self.starred is None or table.casefold() in self.starred
        return tuple(name for name in columns if name.casefold() in self.words or (whole and name not in CLOCK_COLUMNS))


_KNOWN: dict[str, Sight] = {}


def sight_of(sql: str, spelled: Callable[[str], str]) -> Sight:
    """Return what ``sql`` sees; ``spelled`` gives its syntax tree. It follows from the text, so all engines of a process share it."""
    found = _KNOWN.get(sql)
    if found is None:
        found = Sight.of(sql, spelled(sql))
        while len(_KNOWN) >= _MOST:
            _KNOWN.pop(next(iter(_KNOWN)), None)  # another thread may have been quicker
        _KNOWN[sql] = found
    return found


@dataclass(slots=True)
class _Scope:
    """What stands in one SELECT, without the SELECTs inside it."""

    star: bool = False
    tables: set[str] = field(default_factory=set)
    aliases: set[str] = field(default_factory=set)
    alone: set[str] = field(default_factory=set)  # names that stand without a table before them


def _starred(tree: Any) -> set[str]:
    found: set[str] = set()
    _read(tree, None, found)
    return found


def _read(node: Any, scope: _Scope | None, found: set[str]) -> None:
    """Read one syntax tree into the scope it stands in; the tables of each scope with a star are ``found`` when it ends."""
    if isinstance(node, list):
        for each in node:
            _read(each, scope, found)
    elif isinstance(node, dict) and node.get("type") == _SELECT:
        own = _Scope()
        _read(list(node.values()), own, found)
        if own.star or own.alone & own.aliases:
            found |= own.tables
    elif isinstance(node, dict):
        if scope is not None:
            _note(node, scope)
        _read(list(node.values()), scope, found)


def _note(node: dict[str, Any], scope: _Scope) -> None:
    if node.get("class") == "STAR" or node.get("ref_type") == "NATURAL":
        scope.star = True
    names = node.get("column_names", ())
    if len(names) == 1:
        scope.alone.add(names[0].casefold())
    if node.get("type") == "BASE_TABLE":
        path = [part for part in (node.get("schema_name"), node.get("table_name")) if part]
        scope.tables.add(".".join(path).casefold())
        scope.aliases |= {str(node.get("alias") or path[-1]).casefold()}

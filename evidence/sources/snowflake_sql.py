"""The statements that are sent to Snowflake, composed from contracts alone; pure.

Every column is named, identifiers are quoted, the window is bound as typed values (no text format of the session can
change it), rows come ordered by watermark and key. Only SELECT, SHOW and DESCRIBE can be built here.
"""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from evidence.datasets.contract import Column, Contract, placeholders
from evidence.datasets.totals import Expression, expressions
from evidence.errors import SourceUnavailableError
from evidence.snapshot.model import Window

Bind = tuple[str, dt.datetime | str]
PAGE_ROWS: Final = 10_000  # SQL reference, SHOW commands: at most 10,000 rows in one answer
SPELLED_BY_SERVER: Final = frozenset({"VARIANT", "NUMBER"})  # source types whose text form Snowflake makes
NEARBY: Final = dt.timedelta(days=30)
READ_WORDS: Final = frozenset({"SELECT", "SHOW", "DESCRIBE"})
# What quotes enclose: identifiers double their quote, literals double it or escape by a backslash.
_QUOTED: Final = re.compile(r""""(?:[^"]|"")*"|'(?:[^'\\]|\\.|'')*'""", re.DOTALL)
_UNQUOTED_MARKS: Final = (";", "--", "/*", "//", "$$", '"', "'")

CONTEXT: Final = (
    "SELECT CURRENT_ACCOUNT() AS account, CURRENT_ACCOUNT_NAME() AS account_name,"
    " CURRENT_ORGANIZATION_NAME() AS organization, CURRENT_REGION() AS region, CURRENT_VERSION() AS version,"
    " CURRENT_USER() AS user_name, CURRENT_ROLE() AS role, CURRENT_SECONDARY_ROLES() AS secondary_roles,"
    " CURRENT_WAREHOUSE() AS warehouse, CURRENT_SESSION() AS session_id"
)
CONTEXT_NAMES: Final = (
    "account",
    "account_name",
    "organization",
    "region",
    "version",
    "user",
    "role",
    "secondary_roles",
    "warehouse",
    "session",
)
NOW: Final = "SELECT CURRENT_TIMESTAMP() AS server_time"
SESSION_PARAMETERS: Final = "SHOW PARAMETERS IN SESSION"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of a contract's columns a view has now, by the spelling the view uses, and how the two differ."""

    columns: tuple[tuple[str, Column], ...]
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The view's spellings, in contract order."""
        return tuple(name for name, _ in self.columns)


def quoted(name: str) -> str:
    """Quote an identifier exactly as spelled."""
    return '"' + name.replace('"', '""') + '"'


def path(name: str) -> str:
    """Quote each part of a dotted object name from a contract."""
    return ".".join(quoted(part) for part in name.split("."))


def describe(contract: Contract) -> str:
    """Ask for the columns the view has now."""
    return f"DESCRIBE VIEW {path(contract.object)}"


def choose(contract: Contract, live: Sequence[str]) -> Selection:
    """Match the contract's columns with the ``live`` ones. Columns that are dropped on landing are not even read.

    Raises ``SourceUnavailableError`` if the watermark or a key column is not there: the window cannot be read then.
    Other missing columns are for the caller to judge, who knows which are required.
    """
    spelled = {name.lower(): name for name in live}
    found, missing = [], []
    for column in contract.kept:
        name = next((spelled[s.lower()] for s in (column.name, *column.aliases) if s.lower() in spelled), None)
        if name is None:
            missing.append(column.name)
        else:
            found.append((name, column))
    needed = {contract.watermark, *contract.key} & set(missing)
    if needed:
        raise SourceUnavailableError(
            f"{contract.object} has no column {', '.join(sorted(needed))}, by which {contract.name} is read",
            fix="compare the view with its documentation; the contract may need a new version",
        )
    known = {s.lower() for column in contract.columns for s in (column.name, *column.aliases)}
    known |= {name.lower() for name in contract.omitted}
    return Selection(tuple(found), tuple(missing), tuple(name for name in live if name.lower() not in known))


def select(contract: Contract, selection: Selection, window: Window) -> tuple[str, tuple[Bind, ...]]:
    """Return the statement for the rows of ``window`` and its binds."""
    where, binds = window_clause(contract, selection, window)
    order = dict.fromkeys((contract.watermark, *contract.key) if contract.watermark else contract.key)
    by = ", ".join(quoted(spelling(selection, name)) for name in order)
    columns = ", ".join(_expression(name, column) for name, column in selection.columns)
    ordered = f" ORDER BY {by}" if by else ""
    return f"SELECT {columns} FROM {path(contract.object)}{where}{ordered}", binds


def window_clause(contract: Contract, selection: Selection, window: Window) -> tuple[str, tuple[Bind, ...]]:
    """Return ``WHERE`` for the half-open window on the watermark, or nothing for a state view."""
    if contract.kind != "event":
        return "", ()
    mark = quoted(spelling(selection, contract.watermark))
    binds = (("TIMESTAMP_LTZ", window.start), ("TIMESTAMP_LTZ", window.end))
    return f" WHERE {mark} >= ? AND {mark} < ?", binds


def totals(
    contract: Contract, selection: Selection, window: Window
) -> tuple[str, tuple[Bind, ...], tuple[Expression, ...]]:
    """Return the statement for the control totals of ``window``, its binds and what each answer column states.

    Numbers come back as text, so that no driver type narrows a sum.
    """
    where, binds = window_clause(contract, selection, window)
    spelled = {column.name: name for name, column in selection.columns}
    asked = tuple(expressions(contract, spelled, selection.missing))
    named = ", ".join(f"CAST({expression.sql} AS VARCHAR) AS {expression.alias}" for expression in asked)
    return f"SELECT {named} FROM {path(contract.object)}{where}", binds, asked


def hashable(selection: Selection) -> tuple[str, ...]:
    """Return the columns that HASH_AGG may read: stable ones that are kept as they are."""
    return tuple(name for name, column in selection.columns if column.treatment == "keep" and not column.volatile)


def hash_agg(
    contract: Contract, selection: Selection, window: Window, names: Sequence[str] = ()
) -> tuple[str, tuple[Bind, ...], tuple[str, ...]]:
    """Return the statement for HASH_AGG over ``names`` (all :func:`hashable` ones by default), its binds and these columns.

    It compares the source with itself over time, never with us (facts: SQL reference, HASH_AGG).
    """
    where, binds = window_clause(contract, selection, window)
    names = tuple(names) or hashable(selection)
    arguments = ", ".join(quoted(name) for name in names)
    return f"SELECT HASH_AGG({arguments}) AS hash_agg FROM {path(contract.object)}{where}", binds, names


def literal(text: str) -> str:
    """Spell a text as a string literal (SQL reference, String constants: backslash is an escape in single quotes)."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def neighbours(contract: Contract, selection: Selection, window: Window) -> tuple[str, tuple[Bind, ...]]:
    """Return the statement that counts the rows of a month on either side of an event window, and its binds."""
    mark = quoted(spelling(selection, contract.watermark))
    binds = (("TIMESTAMP_LTZ", window.start - NEARBY), ("TIMESTAMP_LTZ", window.end + NEARBY))
    return f"SELECT COUNT(*) AS n FROM {path(contract.object)} WHERE {mark} >= ? AND {mark} < ?", binds


def probe(
    contract: Contract, column: str, value: str, span: tuple[dt.datetime, dt.datetime] | None
) -> tuple[str, tuple[Bind, ...]]:
    """Return the statement that counts rows of ``value`` in ``column``, within ``span`` of an event view, and its binds."""
    edges: tuple[Bind, ...] = (("TIMESTAMP_LTZ", span[0]), ("TIMESTAMP_LTZ", span[1])) if span else ()
    within = f"{quoted(contract.watermark)} >= ? AND {quoted(contract.watermark)} < ? AND " if span else ""
    where = f"{within}{quoted(column)} = ?"
    return f"SELECT COUNT(*) AS n FROM {path(contract.object)} WHERE {where}", (*edges, ("TEXT", value))


def show_page(statement: str, after: str | None = None) -> str:
    """Return ``statement`` for one page of names, those after ``after``."""
    start = f" FROM {literal(after)}" if after is not None else ""
    return f"{statement} LIMIT {PAGE_ROWS}{start}"


def filled(form: str, contract: Contract, names: Mapping[str, str], window: Window) -> tuple[str, tuple[Bind, ...]]:
    """Return a form of ``contract`` with the names of objects (as identifiers; ``{x_text}`` takes them as a literal), its own
    columns for ``{columns}`` and binds for ``{start}`` and ``{end}``.
    """
    edges = {"start": ("TIMESTAMP_LTZ", window.start), "end": ("TIMESTAMP_LTZ", window.end)}
    asked = [column for column in contract.kept if not _is_beside(contract, column.name)]
    columns = ", ".join(_expression(column.name, column) for column in asked)
    texts = {f"{name}_text": literal(value) for name, value in names.items()}
    statement = form.format_map({"columns": columns, "start": "?", "end": "?", **names, **texts})
    return statement, tuple(edges[name] for name in placeholders(form) if name in edges)


def _is_beside(contract: Contract, name: str) -> bool:
    return any(name in listing.beside for _, listing in contract.lists)


def unquoted(statement: str) -> str:
    """Return a statement without its quoted names and literals."""
    return _QUOTED.sub(" ", statement)


def is_read(statement: str) -> bool:
    """Say whether a statement can only read: one SELECT, SHOW or DESCRIBE, whatever its quoted names and literals hold."""
    bare = unquoted(statement)
    word = bare.split(maxsplit=1)[0].upper() if bare.strip() else ""
    return word in READ_WORDS and not any(mark in bare for mark in _UNQUOTED_MARKS)


def spelling(selection: Selection, name: str) -> str:
    """Return how the view spells a column of the contract."""
    return next(spelled for spelled, column in selection.columns if column.name == name)


def _expression(name: str, column: Column) -> str:
    """Text that Snowflake keeps as VARIANT or NUMBER is spelled by Snowflake, so that lengths agree on both sides."""
    if column.type == "text" and column.source_type in SPELLED_BY_SERVER:
        return f"CAST({quoted(name)} AS VARCHAR) AS {quoted(name)}"
    return quoted(name)

"""The live diagnostic: counts and column lists that settle what the documentation leaves open; no data of the account.

The questions are data (``diagnosis.toml``). Column lists come from DESCRIBE of every view the contracts read. What is
written out can be read before it is sent to anyone: texts that are not words from the product's own closed lists are
replaced by their length.
"""

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from evidence.datasets.contract import Contract
from evidence.errors import SourceError
from evidence.sources import snowflake_sql as sql
from evidence.sources.snowflake_session import Rows, Session

FORMAT = "evidence-diagnosis-v1"
PLACE = ("version", "region", "secondary_roles", "connector", "session_parameters", "clock_offset_seconds")


@dataclass(frozen=True, slots=True)
class Question:
    """One open question. ``words`` names the answer columns whose texts are the product's own words; ``count_by`` turns a
    long answer into counts by these columns.
    """

    id: str
    asks: str
    source: str
    statements: tuple[str, ...]
    words: tuple[str, ...] = ()
    count_by: tuple[str, ...] = ()


def questions() -> list[Question]:
    """Return the questions that the package carries."""
    body = tomllib.loads((files("evidence.sources") / "diagnosis.toml").read_text())
    return [
        Question(
            id=entry["id"],
            asks=entry["asks"],
            source=entry["source"],
            statements=tuple(entry["statements"]),
            words=tuple(entry["words"]),
            count_by=tuple(entry.get("count_by", ())),
        )
        for entry in body["question"]
    ]


def diagnose(session: Session, contracts: Iterable[Contract]) -> dict[str, Any]:
    """Ask every question and list the columns of every view of ``contracts``; a refusal is an answer too.

    Raises ``SourceError`` only if nobody can be asked: the login fails.
    """
    session.open()
    return {
        "format": FORMAT,
        "place": {name: session.system[name] for name in PLACE if name in session.system},
        "questions": [_answered(session, question) for question in questions()],
        "columns": {c.name: _columns(session, c) for c in contracts if c.read == "view"},
    }


def _answered(session: Session, question: Question) -> dict[str, Any]:
    answers = [_ask(session, statement, question) for statement in question.statements]
    return {"id": question.id, "asks": question.asks, "answers": answers}


def _ask(session: Session, statement: str, question: Question) -> dict[str, Any]:
    try:
        found = session.rows(statement)
    except SourceError as exc:
        return {"statement": statement, "refused": type(exc).__name__}
    rows = _counted(found, question.count_by) if question.count_by else _plain(found)
    return {"statement": statement, "rows": [_safe(row, question.words) for row in rows]}


def _plain(found: Rows) -> list[dict[str, Any]]:
    return [dict(zip(found.names, row, strict=True)) for row in found.rows]


def _counted(found: Rows, by: Sequence[str]) -> list[dict[str, Any]]:
    names = [name for name in by if name in found.names]
    counts = Counter(tuple(str(row[name]) for name in names) for row in _plain(found))
    return [{**dict(zip(names, values, strict=True)), "n": count} for values, count in sorted(counts.items())]


def _safe(row: Mapping[str, Any], words: Sequence[str]) -> dict[str, Any]:
    return {name: _word(value, known=name in words) for name, value in row.items()}


def _word(value: Any, *, known: bool) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    text = str(value)
    if known and len(text) <= 40 and all(letter.isalpha() or letter in "_ " for letter in text):
        return text
    return text if text.removeprefix("-").replace(".", "", 1).isdigit() else f"text of {len(text)} characters"


def _columns(session: Session, contract: Contract) -> dict[str, Any]:
    """Compare the view's columns with the contract's. Column names of product views are the vendor's, not the account's."""
    try:
        live = [str(name) for name in session.rows(sql.describe(contract), contract=contract).column("name")]
        selection = sql.choose(contract, live)
    except SourceError as exc:
        return {"refused": type(exc).__name__}
    return {"columns": len(live), "missing": list(selection.missing), "unknown": list(selection.unknown)}

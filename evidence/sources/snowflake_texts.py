"""Every SQL text that can be sent to Snowflake, for a person to read; pure.

Objects that a listing would give stand as ``<name>``. A view that lacks a column, or has one more, is asked for the columns it has:
those texts are the ones here without that column.
"""

import datetime as dt
import functools
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files

from evidence.datasets.contract import Contract, placeholders
from evidence.snapshot.model import Window
from evidence.sources import snowflake_sql as sql
from evidence.sources.snowflake_diagnosis import questions

SIGN_IN = (sql.CONTEXT, sql.NOW, sql.SESSION_PARAMETERS)
CHECK = ('SHOW GRANTS TO ROLE "<role>"', "SHOW GRANTS TO ROLE PUBLIC")  # setup --check, and each night's probe
_NIGHT = dt.date(2026, 1, 1)  # the window is bound, so any night gives the same text
_PAGE = re.compile(r" LIMIT \d+(?: FROM '(?:[^'\\]|\\.|'')*')?\Z")
_PATTERN = re.compile(r" LIKE '[^']*'")
_CALL = re.compile(r"([A-Za-z_][\w$]*(?:\.[A-Za-z_][\w$]*)*)\s*\(", re.ASCII)
_WORDS = frozenset({"FROM"})  # words of the language that a bracket may follow


def statements(contracts: Iterable[Contract]) -> Mapping[str, tuple[str, ...]]:
    """Return dataset -> what is sent for it, in order; ``sign-in``, ``check`` and ``diagnosis`` first.

    A text is named once, where it first comes.
    """
    seen: set[str] = set()
    found: dict[str, tuple[str, ...]] = {}
    for name, texts in (
        ("sign-in", SIGN_IN),
        ("check", CHECK),
        ("diagnosis", tuple(text for question in questions() for text in question.statements)),
        *((contract.name, tuple(_texts(contract))) for contract in contracts),
    ):
        fresh = tuple(text for text in dict.fromkeys(texts) if text not in seen)
        seen.update(fresh)
        found[name] = fresh
    return found


def calls(text: str) -> set[str]:
    """Return the functions a statement calls, by name."""
    return set(_CALL.findall(sql.unquoted(text))) - _WORDS


def command(text: str) -> str:
    """Return the words of a SHOW or DESCRIBE before the object it names, without its page and pattern."""
    words = " ".join(sql.unquoted(_PATTERN.sub("", _PAGE.sub("", text))).replace(".", " ").split())
    return words.partition("(")[0].strip()


@functools.cache
def documented() -> Mapping[str, Mapping[str, str]]:
    """Return ``commands`` and ``functions``, each with its page: what a statement may say."""
    body = files("evidence.sources").joinpath("snowflake_documented.toml").read_text(encoding="utf-8")
    return tomllib.loads(body)


def _texts(contract: Contract) -> Iterator[str]:
    window = Window(_NIGHT, contract.kind)
    if contract.read == "probe":
        return  # it asks what the views' own texts ask
    if contract.read == "view":
        selection = sql.choose(contract, [column.name for column in contract.columns])
        yield sql.describe(contract)
        yield sql.select(contract, selection, window)[0]
        yield sql.totals(contract, selection, window)[0]
        yield sql.hash_agg(contract, selection, window)[0]
        if contract.kind == "event":
            yield sql.neighbours(contract, selection, window)[0]
        if contract.probe is not None:
            span = (window.start, window.end) if contract.kind == "event" else None
            yield sql.probe(contract, contract.probe.column, "", span)[0]
        return
    for listing in contract.listings.values():
        yield from _pages(_named(listing.statement), paged=listing.paged)
    for form in contract.statements or (contract.object,):
        names = {name.removesuffix("_text"): _object(name) for name in placeholders(form)}
        yield from _pages(sql.filled(form, contract, names, window)[0], paged=contract.paged)


def _pages(text: str, *, paged: bool) -> Iterator[str]:
    if paged:
        yield sql.show_page(text)
        yield sql.show_page(text, "<last name>")
    else:
        yield text


def _named(form: str) -> str:
    return form.format_map({name: _object(name) for name in placeholders(form)})


def _object(name: str) -> str:
    return sql.quoted(f"<{name.removesuffix('_text')}>")

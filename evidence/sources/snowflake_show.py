"""Statements of a contract, run over the objects they name.

A form may hold the name of a listing (``{user}``, ``{schema}``); it is then run once for each object that the listing gives, and
the object's name stands beside each row of its answer. What was left out is said: an object that is gone when it is
listed again was dropped meanwhile and is noted; one that is still there was refused and makes the capture incomplete; when
all were refused, the capture is denied. An answer at the row cap is read by pages or fails.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from evidence.datasets.contract import Contract, Listing, placeholders
from evidence.errors import SourceDeniedError, SourceUnavailableError
from evidence.snapshot.model import Window
from evidence.sources import snowflake_sql as sql
from evidence.sources.snowflake_json import unfold
from evidence.sources.snowflake_session import Rows, Session

_ARGUMENTS = re.compile(r"[A-Za-z0-9_ ,().]*\Z", re.ASCII)
_REASON_LENGTH = 200  # what a quarantine keeps of a reason


@dataclass(frozen=True, slots=True)
class Listed:
    """One object: the parts of its name as spelled, and the argument types of a procedure."""

    parts: tuple[str, ...]
    arguments: str = ""

    @property
    def identifier(self) -> str:
        """The name as it stands in a statement."""
        return ".".join(sql.quoted(part) for part in self.parts) + self.arguments


class Enumeration:
    """Runs a contract's statements and says what was left out."""

    def __init__(self, session: Session, contract: Contract, window: Window) -> None:
        self._session, self._contract, self._window = session, contract, window
        self.notes: list[str] = []
        self.refused: list[str] = []  # reasons, each with the object's name
        self._answered = False
        self._denied: list[tuple[str, Listed, SourceDeniedError]] = []  # listing, object, refusal

    def answers(self) -> Iterator[Rows]:
        """Yield the answer of every form for every object.

        Raises ``SourceDeniedError`` if a listing or every object is refused, ``SourceUnavailableError`` if an answer may be cut.
        """
        for form in self._contract.statements or (self._contract.object,):
            name = self._listing_of(form)
            if name:
                yield from self._each(form, name)
            elif self._contract.paged:
                yield from self._pages(form)
            else:
                yield self._one(form, {})
        self._settle()

    def _listing_of(self, form: str) -> str:
        """Return the listing that a form is run over, or nothing."""
        listings = self._contract.listings
        asked = {name if name in listings else name.removesuffix("_text") for name in placeholders(form)}
        return next((name for name in listings if name in asked), "")

    def _each(self, form: str, name: str) -> Iterator[Rows]:
        """Run a form for each object."""
        beside = self._contract.listings[name].beside
        for item in self._objects(name):
            try:
                answer = self._one(form, {name: item.identifier})
            except SourceDeniedError as exc:
                self._denied.append((name, item, exc))
                continue
            self._answered = True
            yield _beside(beside, item, answer)

    def _settle(self) -> None:
        """Note which of the refused objects were dropped meanwhile, looked up once; keep those that were refused."""
        denied, self._denied = self._denied, []
        still = {name: set(self._objects(name)) for name in {name for name, _, _ in denied}}
        refused = [(item, exc) for name, item, exc in denied if item in still[name]]
        if refused and not self._answered:
            raise refused[0][1]
        gone = [item for name, item, _ in denied if item not in still[name]]
        self.notes += [f"{item.identifier} was dropped while the capture ran" for item in gone]
        self.refused += [_reason(f"refused: {item.identifier}", str(exc)) for item, exc in refused]

    def _one(self, form: str, names: Mapping[str, str]) -> Rows:
        """Run a form; an answer of SHOW at the cap may be cut, so it does not count."""
        statement, binds = sql.filled(form, self._contract, names, self._window)
        found = self._session.bound(statement, binds, contract=self._contract)
        if self._contract.read == "show":
            self._refuse_cut(statement, found)
        return unfold(found, self._contract.unfold, statement)

    def _refuse_cut(self, statement: str, found: Rows) -> None:
        if len(found.rows) >= sql.PAGE_ROWS:
            raise SourceUnavailableError(
                f"{statement}: the answer reached the {sql.PAGE_ROWS:,} rows at which SHOW stops, and cannot be paged",
                fix="narrow the form in the contract",
            )

    def _objects(self, name: str) -> Iterator[Listed]:
        """Yield the objects of a listing, those of a nested one under each of the outer one's."""
        listing = self._contract.listings[name]
        outer = self._listing_of(listing.statement)
        if not outer:
            yield from self._below(listing, listing.statement, None)
            return
        for parent in self._objects(outer):
            try:
                yield from self._below(listing, listing.statement.format_map({outer: parent.identifier}), parent)
            except SourceDeniedError as exc:
                self._denied.append((outer, parent, exc))

    def _below(self, listing: Listing, statement: str, parent: Listed | None) -> list[Listed]:
        """Return the objects of one answer of a listing, each once."""
        pages = self._listed(statement, listing)
        return list(dict.fromkeys(item for page in pages for item in self._chosen(page, listing, parent)))

    def _listed(self, statement: str, listing: Listing) -> Iterator[Rows]:
        if listing.paged:
            yield from self._pages(statement)
            return
        found = self._session.rows(statement, contract=self._contract)
        self._refuse_cut(statement, found)
        yield found

    def _chosen(self, page: Rows, listing: Listing, parent: Listed | None) -> Iterator[Listed]:
        """Yield the objects of a page that the listing takes."""
        wanted = {column: {self._value(value) for value in values} for column, values in listing.where}
        for row in page.rows:
            values = {name: "" if value is None else str(value) for name, value in zip(page.names, row, strict=True)}
            parts = tuple(values[name] for name in listing.name)
            if any(values.get(column, "").upper() not in accepted for column, accepted in wanted.items()):
                continue
            if set(parts) & set(listing.leave_out):
                continue
            arguments = argument_types(values[listing.arguments], parts[-1]) if listing.arguments else ""
            full = (*(parent.parts if parent else ()), *parts)
            if arguments is None:
                reason = _reason(f"not asked for: {Listed(full).identifier}", "its arguments are not understood")
                self.refused += [] if reason in self.refused else [reason]  # a listing may be read twice
            else:
                yield Listed(full, arguments)

    def _value(self, value: str) -> str:
        return str(self._session.system.get("account", "")).upper() if value == "{account}" else value.upper()

    def _pages(self, statement: str) -> Iterator[Rows]:
        """Page by name; names are unique within what is listed, so one that comes again at the edge is left out."""
        after: str | None = None
        while True:
            page = self._session.rows(sql.show_page(statement, after), contract=self._contract)
            at = page.names.index("name")
            yield Rows(page.names, tuple(row for row in page.rows if after is None or str(row[at]) != after))
            if len(page.rows) < sql.PAGE_ROWS:
                return
            if str(page.rows[-1][at]) == after:
                raise SourceUnavailableError(
                    f"{statement}: the next page does not begin after {after!r}", fix="try again"
                )
            after = str(page.rows[-1][at])


def _beside(names: tuple[str, ...], item: Listed, answer: Rows) -> Rows:
    """Put the parts of the object's name before each row, those that have a column: the last ones."""
    spelled = (*item.parts, item.arguments) if len(names) > len(item.parts) else item.parts
    parts = spelled[len(spelled) - len(names) :]
    return Rows((*names, *answer.names), tuple((*parts, *row) for row in answer.rows))


def argument_types(signature: str, name: str) -> str | None:
    """Return the argument types of ``NAME(types) RETURN type`` in parentheses, or None if they are not plain words."""
    rest = signature.removeprefix(name).strip()
    depth = 0
    for at, mark in enumerate(rest):
        depth += (mark == "(") - (mark == ")")
        if depth == 0:
            inner = rest[: at + 1].replace("[", "").replace("]", "").replace("DEFAULT ", "")
            return inner if inner.startswith("(") and _ARGUMENTS.match(inner) else None
    return None


def _reason(what: str, why: str) -> str:
    """Return one line of bounded length that keeps the name."""
    line = " ".join(f"{what}: {why}".split())
    return line if len(line) <= _REASON_LENGTH else line[: _REASON_LENGTH - 1] + "…"

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

    def _listing_of(self, form: str) -> str:
        """Return the listing that a form is run over, or nothing."""
        asked = {
            name.removesuffix("_text") if name not in self._contract.listings else name for name in placeholders(form)
        }
        return next((name for name in self._contract.listings if name in asked), "")

    def _each(self, form: str, name: str) -> Iterator[Rows]:
        """Run a form for each object. Which of the refused ones are gone is looked up once, at the end."""
        beside = self._contract.listings[name].beside
        refused: dict[Listed, SourceDeniedError] = {}
        for item in self._objects(name):
            try:
                answer = self._one(form, {name: item.identifier})
            except SourceDeniedError as exc:
                refused[item] = exc
                continue
            self._answered = True
            yield _beside(beside, item, answer)
        if refused:
            self._tell(refused, set(self._objects(name)))

    def _tell(self, refused: Mapping[Listed, SourceDeniedError], still: set[Listed]) -> None:
        """Note what was dropped meanwhile; keep what was refused."""
        denied = {item: exc for item, exc in refused.items() if item in still}
        if denied and not self._answered:
            raise next(iter(denied.values()))
        self.notes += [f"{item.identifier} was dropped while the capture ran" for item in refused if item not in still]
        self.refused += [_reason(f"refused: {item.identifier}", str(exc)) for item, exc in denied.items()]

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
        for parent in self._objects(outer) if outer else (None,):
            names = {outer: parent.identifier} if parent else {}
            statement = listing.statement.format_map(names)
            seen = dict.fromkeys(
                item for page in self._listed(statement, listing) for item in self._chosen(page, listing, parent)
            )
            yield from seen

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
            arguments = _argument_types(values[listing.arguments], parts[-1]) if listing.arguments else ""
            full = (*(parent.parts if parent else ()), *parts)
            if arguments is None:
                self.refused.append(
                    _reason(f"not asked for: {Listed(full).identifier}", "its arguments are not understood")
                )
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


def _argument_types(signature: str, name: str) -> str | None:
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

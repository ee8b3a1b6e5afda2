"""SHOW forms of a contract, run over the objects they name.

A form may hold ``{database}`` or ``{schema}``; it is then run once for each, as SHOW DATABASES and SHOW SCHEMAS list
them. Databases that come from shares or applications are left out: nobody grants on their future objects here.
"""

from collections.abc import Iterator

from evidence.datasets.contract import Contract
from evidence.errors import SourceDeniedError, SourceUnavailableError
from evidence.sources import snowflake_sql as sql
from evidence.sources.snowflake_session import Rows, Session

STANDARD = {"", "STANDARD", "TRANSIENT"}


class Enumeration:
    """Runs SHOW statements and says what was left out."""

    def __init__(self, session: Session, contract: Contract) -> None:
        self._session = session
        self._contract = contract
        self.notes: list[str] = []

    def answers(self) -> Iterator[Rows]:
        """Yield the answer of every form for every object. Raises ``SourceDeniedError`` if one is refused."""
        forms = self._contract.statements or (self._contract.object,)
        for form in forms:
            if "{schema}" in form:
                for database in self._databases():
                    for schema in self._schemas(database):
                        yield from self._one(form, database, schema)
            elif "{database}" in form:
                for database in self._databases():
                    yield from self._one(form, database, None)
            else:
                yield self._capped(form)

    def _one(self, form: str, database: str, schema: str | None) -> Iterator[Rows]:
        """Run a form for one object. An object that was dropped since it was listed is noted, not an error."""
        full = sql.quoted(database) + (f".{sql.quoted(schema)}" if schema is not None else "")
        statement = sql.fill(form, {"database": full, "schema": full})
        try:
            yield self._capped(statement)
        except SourceDeniedError:
            if self._listed(database, schema):
                raise
            self.notes.append(f"{full} was dropped while the capture ran")

    def _listed(self, database: str, schema: str | None) -> bool:
        return database in self._databases() and (schema is None or schema in self._schemas(database))

    def _capped(self, statement: str) -> Rows:
        """Run a statement that cannot be paged; an answer at the cap may be cut, so it does not count."""
        found = self._session.rows(statement, contract=self._contract)
        if len(found.rows) >= sql.PAGE_ROWS:
            raise SourceUnavailableError(
                f"{statement}: the answer reached the {sql.PAGE_ROWS:,} rows at which SHOW stops, and cannot be paged",
                fix="narrow the form in the contract",
            )
        return found

    def _databases(self) -> list[str]:
        found = []
        for page in self._pages("SHOW DATABASES"):
            origins = page.column("origin") if "origin" in page.names else [""] * len(page.rows)
            kinds = page.column("kind") if "kind" in page.names else [""] * len(page.rows)
            for name, origin, kind in zip(page.column("name"), origins, kinds, strict=True):
                if not origin and str(kind or "").upper() in STANDARD:
                    found.append(str(name))
        return found

    def _schemas(self, database: str) -> list[str]:
        pages = self._pages(f"SHOW SCHEMAS IN DATABASE {sql.quoted(database)}")
        names = [str(name) for page in pages for name in page.column("name")]
        return [name for name in names if name != "INFORMATION_SCHEMA"]

    def _pages(self, statement: str) -> Iterator[Rows]:
        """Page by name; names are unique within what is listed."""
        after: str | None = None
        while True:
            page = self._session.rows(sql.show_page(statement, after), contract=self._contract)
            yield page
            if len(page.rows) < sql.PAGE_ROWS:
                return
            after = str(page.column("name")[-1])

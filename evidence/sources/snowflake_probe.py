"""What the collecting role may see, asked of the account itself, one row per dataset (``snowflake.collector_visibility``).

A refusal is a row here, not an error: what is refused is the finding. No answer at all is an error like any other.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from evidence.datasets.contract import Contract
from evidence.errors import SourceDeniedError, SourceEditionError, SourceUnavailableError
from evidence.snapshot.model import DAY, Totals
from evidence.sources import snowflake_sql as sql
from evidence.sources.reading import typed_batch
from evidence.sources.snowflake import SnowflakeReading
from evidence.sources.snowflake_session import Rows, Session

SEEN_WITHIN = 3 * DAY  # the collector signs in and asks every night; longer than any latency


class VisibilityReading(SnowflakeReading):
    """One row per dataset of the source."""

    def _read(self) -> Iterator[pa.RecordBatch]:
        self._mark_time()
        roles = _database_roles(self.session)
        asked = [self.source.contracts[name] for name in self.source.datasets() if name in self.source.contracts]
        rows = [self._row(contract, roles) for contract in asked if contract.read != "probe"]
        yield typed_batch(self.contract, rows)
        self.totals = Totals(rows=len(rows))

    def _row(self, contract: Contract, roles: set[str]) -> dict[str, Any]:
        seen = self._look(contract) if contract.read == "view" else {}
        return {
            "dataset": contract.name,
            "object": contract.object,
            "read": contract.read,
            "roles_any_of": list(contract.roles),
            "roles_held": sorted(roles & set(contract.roles)),
            "privilege_filtered": contract.privilege_filtered,
            "row_cap": sql.PAGE_ROWS if contract.read == "show" else None,
            "edition_needed": contract.edition,
            "edition_stated": self.source.edition or None,
            **seen,
        }

    def _look(self, contract: Contract) -> dict[str, Any]:
        """Describe the view and look for the probe. Raises ``SourceUnavailableError``: no answer is no refusal."""
        session = self.source.session_for(contract)
        try:
            live = [str(name) for name in session.rows(sql.describe(contract), contract=contract).column("name")]
        except (SourceDeniedError, SourceEditionError):
            return {"visible": False, "refused": session.statements[-1].error}
        known = {spelled.lower() for c in contract.columns for spelled in (c.name, *c.aliases)}
        known |= {name.lower() for name in contract.omitted}
        spelled_live = {name.lower() for name in live}
        missing = [c.name for c in contract.kept if not {s.lower() for s in (c.name, *c.aliases)} & spelled_live]
        found = {
            "visible": True,
            "columns_seen": len(live),
            "columns_missing": missing,
            "columns_new": [name for name in live if name.lower() not in known],
        }
        if contract.probe is None or {contract.probe.column, contract.watermark} & set(missing):
            return found
        return {**found, **self._probe(contract, session)}

    def _probe(self, contract: Contract, session: Session) -> Mapping[str, Any]:
        probe = contract.probe
        value = session.system.get(probe.equals, "") if probe else ""
        if probe is None or not value or self._moment is None:
            return {}
        span = (self._moment - SEEN_WITHIN, self._moment) if contract.kind == "event" else None
        statement, binds = sql.probe(contract, probe.column, value, span)
        try:
            count = int(session.bound(statement, binds, contract=contract).one(statement)[0])
        except (SourceDeniedError, SourceEditionError):
            return {"visible": False, "refused": session.statements[-1].error}
        return {"probe": f"{probe.column} = {value}", "probe_seen": count > 0}


def held(session: Session) -> Iterator[Rows]:
    """Yield the grants of the session's role, then of each role it inherits, each role once.

    Raises ``SourceUnavailableError`` for an answer at the cap of SHOW: it may be cut.
    """
    session.open()
    waiting, seen = [sql.quoted(session.system.get("role", "")), "PUBLIC"], set()
    while waiting:
        role = waiting.pop(0)
        if role in seen or role == '""':
            continue
        seen.add(role)
        answer = session.rows(f"SHOW GRANTS TO ROLE {role}")
        if len(answer.rows) >= sql.PAGE_ROWS:
            raise SourceUnavailableError(
                f"SHOW GRANTS TO ROLE {role}: the answer reached the {sql.PAGE_ROWS:,} rows at which SHOW stops",
                fix="the collecting role should hold little; look at what it inherits",
            )
        yield answer
        for kind, name in zip(answer.column("granted_on"), answer.column("name"), strict=True):
            if kind == "ROLE":
                waiting.append(str(name))  # spelled as an identifier: quoted where needed


def _database_roles(session: Session) -> set[str]:
    """Names of SNOWFLAKE database roles that the session's role holds."""
    return {
        str(name).removeprefix("SNOWFLAKE.")
        for answer in held(session)
        for kind, name in zip(answer.column("granted_on"), answer.column("name"), strict=True)
        if kind == "DATABASE_ROLE" and str(name).startswith("SNOWFLAKE.")
    }

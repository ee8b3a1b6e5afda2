"""A Snowflake account: sign-in, clock, grants held and lacking, warehouse, statement timeout, and the nightly probe of each dataset."""

import base64
import datetime as dt
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from evidence.cli.looks.clock import Clocks
from evidence.cli.setup_snowflake import identity
from evidence.cli.workspace import Workspace
from evidence.config import SnowflakeLoginConfig, SnowflakeSourceConfig
from evidence.datasets.contract import Connection, Contract
from evidence.doctor import Line, fail, failed, ok, warn
from evidence.errors import ConfigError, EvidenceError
from evidence.snapshot.model import DAY, Window
from evidence.sources import snowflake_sql as sql
from evidence.sources.snowflake import EDITIONS, SnowflakeSource
from evidence.sources.snowflake_probe import VisibilityReading, held
from evidence.sources.snowflake_refusal import grant
from evidence.sources.snowflake_rights import Held, beyond, identifier, needs

PROBE: Final = "snowflake.collector_visibility"
TIMEOUT: Final = "STATEMENT_TIMEOUT_IN_SECONDS"
NOTICE: Final = 14 * DAY  # of a token's end


def lines(workspace: Workspace, clocks: Clocks, name: str, section: SnowflakeSourceConfig) -> Iterator[Line]:
    """Yield what there is to say of one account. A sign-in that is refused is all there is to say."""
    what, source = f"source {name}", workspace.source(name)
    if not isinstance(source, SnowflakeSource):
        raise ConfigError(f"{name} is not of kind snowflake")
    yield from _token(what, workspace, section)
    source.session.open()
    system = source.session.system
    clocks.note(f"Snowflake account {system.get('account', '')}", float(system["clock_offset_seconds"]))
    yield ok(
        what,
        f"signed in to {system.get('account')} ({system.get('region')}) as {system.get('user')} with {system.get('role')}",
    )
    yield from _warehouse(what, source, section)
    yield from _rights(what, workspace, source, section)
    yield from _datasets(what, workspace, source, section)


def _token(what: str, workspace: Workspace, section: SnowflakeLoginConfig) -> Iterator[Line]:
    """Read a token's own word on its end (RFC 7519, ``exp``), where it has one."""
    if not section.token:
        return
    ends = expiry(workspace.config.secret(section.token).decode(errors="replace").strip())
    if ends is None:
        return
    now, fix = (
        workspace.clock(),
        f"make a new one (ALTER USER … ADD PROGRAMMATIC ACCESS TOKEN) and put it into {section.token}",
    )
    if ends <= now:
        yield fail(f"{what} token", f"expired on {ends:%Y-%m-%d %H:%M}Z", fix, 5)
    elif ends - now < NOTICE:
        yield warn(f"{what} token", f"ends on {ends:%Y-%m-%d %H:%M}Z", fix)
    else:
        yield ok(f"{what} token", f"valid until {ends:%Y-%m-%d}")


def expiry(token: str) -> dt.datetime | None:
    """Return when a JSON web token ends; None for any other token. Its signature is the account's to judge."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        ends = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))["exp"]
        return dt.datetime.fromtimestamp(ends, dt.UTC)
    except (ValueError, KeyError, TypeError, OverflowError):
        return None


def _warehouse(what: str, source: SnowflakeSource, section: SnowflakeLoginConfig) -> Iterator[Line]:
    system, wanted = source.session.system, source.session.login.warehouse
    role = system.get("role", section.role)
    if not system.get("warehouse"):
        name = identifier(wanted or section.warehouse)
        yield fail(
            f"{what} warehouse",
            f"the session has none: {name} is not there or may not be used",
            f"GRANT USAGE ON WAREHOUSE {name} TO ROLE {identifier(role)};",
            5,
        )
        return
    parameters = {str(row[0]).upper(): str(row[1]) for row in source.session.rows(sql.SESSION_PARAMETERS).rows}
    limit = parameters.get(TIMEOUT)
    if limit is not None and limit != str(section.timeout_seconds):
        fix = f"ALTER WAREHOUSE {identifier(system['warehouse'])} SET {TIMEOUT} = {section.timeout_seconds};"
        yield warn(f"{what} warehouse", f"{TIMEOUT} is {limit}, asked for {section.timeout_seconds}", fix)
    else:
        yield ok(f"{what} warehouse", f"{system['warehouse']}, statements end after {section.timeout_seconds} s")


def _rights(what: str, workspace: Workspace, source: SnowflakeSource, section: SnowflakeSourceConfig) -> Iterator[Line]:
    """Compare the grants of each role, inherited ones included, with what the datasets need."""
    contracts = [workspace.contracts[dataset] for dataset in source.datasets()]
    logins: list[tuple[Connection, SnowflakeLoginConfig | None]] = [("base", section), ("elevated", section.elevated)]
    for connection, login in logins:
        session = source.session if connection == "base" else source.elevated
        if login is None or session is None:
            continue
        label = f"{what} grants" if connection == "base" else f"{what} elevated grants"
        try:
            role = identity(login, "")
            has = [
                Held(*row)
                for answer in held(session)
                for row in zip(*(map(str, answer.column(c)) for c in ("privilege", "granted_on", "name")), strict=True)
            ]
            surplus, lacking = beyond(has, needs(contracts, connection), role)
        except EvidenceError as error:
            yield failed(label, error)
            continue
        to = identifier(session.system.get("role", role.role))
        for each in lacking:
            yield fail(label, f"{to} lacks {each}", _spelled(each, to), 5)
        alien = [each for each in surplus if (each.privilege, each.granted_on) != ("USAGE", "ROLE")]
        if alien:
            words = f"{to} holds {len(alien)} grants that no dataset needs, first: {alien[0]}"
            yield warn(
                label,
                words,
                f"evidence setup snowflake --source {source.name} --check names all; REVOKE what is not meant",
            )
        if not lacking and not alien:
            yield ok(label, f"{to} holds what the datasets need, and no more")


def _spelled(lacking: Held, role: str) -> str:
    """Return the statement that grants it."""
    kind = lacking.granted_on.replace("_", " ")
    if kind.endswith(" ROLE"):
        return f"GRANT {kind} {lacking.name} TO ROLE {role};"
    return f"GRANT {lacking.privilege} ON {kind} {identifier(lacking.name)} TO ROLE {role};"


def _datasets(
    what: str, workspace: Workspace, source: SnowflakeSource, section: SnowflakeSourceConfig
) -> Iterator[Line]:
    """Run the nightly probe: describe every view, count the collector's own traces; then hold the edition against what answered."""
    contract = workspace.contracts[PROBE]
    reading = VisibilityReading(source, contract, Window.of_capture(workspace.clock()))
    rows = [row for batch in reading.batches for row in batch.to_pylist()]
    for row in rows:
        dataset = workspace.contracts[row["dataset"]]
        session = source.session_for(dataset)
        yield _dataset(f"{what}: {dataset.name}", dataset, row, session.system.get("role", ""))
    yield from _edition(f"{what} edition", rows, section, source.name)


def _dataset(what: str, contract: Contract, row: Mapping[str, Any], role: str) -> Line:
    if row.get("visible") is False:
        return fail(what, f"refused with {row['refused']}", grant(contract, role), 5, part=True)
    if row.get("columns_missing"):
        missing = ", ".join(row["columns_missing"])
        fix = "compare the view with its documentation; a column that a role may not see needs the role's grant"
        return warn(what, f"columns that the view does not have: {missing}", fix, part=True)
    if row.get("probe_seen") is False:
        return warn(
            what,
            f"answers, and does not show {row['probe']}",
            f"it may be filtered: {grant(contract, role)}",
            part=True,
        )
    if row.get("visible") is None:
        return ok(what, f"{contract.read}: it lists what {role} has a privilege on", part=True)
    return ok(what, f"visible, {row['columns_seen']} columns", part=True)


def _edition(what: str, rows: list[dict[str, Any]], section: SnowflakeSourceConfig, name: str) -> Iterator[Line]:
    """No view tells an account's edition: what answered tells the least it can be."""
    views = [row for row in rows if row.get("visible") is not None]
    least = max((EDITIONS.index(row["edition_needed"]) for row in views if row["visible"]), default=0)
    stated = section.edition
    if not stated:
        fix = f'[sources.{name}] edition = "{EDITIONS[least]}", or what the contract with Snowflake says'
        yield warn(what, f"not stated; views of {EDITIONS[least]} answer", fix)
        return
    refused = [r for r in views if r["edition_needed"] == stated and not r["visible"]]
    seen = [r for r in views if r["edition_needed"] == stated and r["visible"]]
    if EDITIONS.index(stated) < least:
        yield fail(
            what,
            f"{stated} is stated, and views of {EDITIONS[least]} answer: they would not be asked",
            f'[sources.{name}] edition = "{EDITIONS[least]}"',
        )
    elif stated != "standard" and refused and not seen:
        yield warn(
            what,
            f"{stated} is stated, and no view of it answers",
            f"[sources.{name}] edition: the account may have a lower one",
        )
    else:
        yield ok(what, stated)

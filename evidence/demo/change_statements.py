"""The demo's statements that change production: what dbt builds each night, and what others do by hand."""

import json
from typing import Any

from evidence.demo.change_state import TICKETS
from evidence.demo.events import login, query_id
from evidence.demo.people import person_of
from evidence.demo.shapes import Access, Shape, dbt_tag, element
from evidence.demo.world import World

DDL, WRITES = "change-prod-ddl", "change-attributed-writes"
SESSIONS = "snowflake.sessions"
VAULT, LAPTOP = "10.20.9.18", "203.0.113.45"
BUILT = "FINANCE.MART.FCT_PREMIUM"
_SESSION, _LOGIN = 18_260_702_700_000_000, 18_260_702_800_000_000
_AT = 4 * 3600 + 300


def build_statements(world: World) -> None:
    """Let the nightly run build a table in a session of its own, and a loader open one."""
    for night in range(world.size.nights):
        _session(world, night, 1, "FIVETRAN", "JDBC 3.16.1", VAULT)
        invocation = world.project.production(night)
        if invocation:
            session = _session(world, night, 0, "DBT_PROD", "PythonConnector 3.15.0", VAULT)
            _run(world, night, 0, _building(world, BUILT, dbt_tag(invocation)), _AT, session)


def plant_statements(world: World) -> None:
    """Plant the deviations."""
    world.quiet(DDL, 30, 30, events=True)  # no run, and nobody else changed anything
    _structure(world)
    _rows(world)


def _structure(world: World) -> None:
    expect = world.expect
    tag = dbt_tag(world.project.invocation(10, "prod"))
    session = _session(world, 10, 2, "DBT_PROD", "PythonConnector 3.15.0", LAPTOP)
    _run(world, 10, 1, _building(world, "CLAIMS.MART.AGG_LOSS_RATIO", tag), _AT + 240, session)
    expect("deployer-key-from-a-laptop", DDL, "DBT_PROD as DBT_PROD in CLAIMS", "deployer-used-by-hand", 10, 10)
    engineer = person_of(world.workforce, "ANALYTICS_ENG", 0).user
    for night, path in ((17, "MEMBER.MART.DIM_PLAN"), (38, "PROVIDER.MART.DIM_PROVIDER")):
        _run(world, night, 2, _altering(engineer, "ANALYTICS_ENG", path, "ALTER"), 50_000)
    expect("altered-by-hand", DDL, f"{engineer} as ANALYTICS_ENG in MEMBER", "not-a-deployer", 17, 17)
    emergency = {
        "system": "servicenow",
        "id": "CHG-1010",
        "type": "change",
        "emergency": True,
        "status": "closed",
        "outcome": "repaired",
    }
    times = {
        "opened_at": (38, 13),
        "approved_at": (38, 13, 30),
        "window_start": (38, 13),
        "window_end": (38, 16),
        "closed_at": (38, 17),
    }
    who = {
        "requester": "DATA.ONCALL",
        "user_name": engineer,
        "approver": "IDRIS.HALVORSEN_ADM",
        "ci": "PROVIDER.MART.DIM_PROVIDER",
    }
    world.state.add(
        TICKETS, emergency | who | {name: world.size.evening(*moment) for name, moment in times.items()}, first=38
    )
    # The table of `table-by-hand`: the statement that made it, and what the account says of its last change.
    made = "CLAIMS.MART.TMP_CLAIM_FIX"
    _run(world, 45, 3, _altering(engineer, "ANALYTICS_ENG", made, "CREATE"), 50_400)
    expect("table-by-hand", DDL, f"{engineer} as ANALYTICS_ENG in CLAIMS", "not-a-deployer", 45, 45)
    expect("table-by-hand", DDL, f"{made} changed by {engineer}", "table-changed-by-other", 45, 45)


def _rows(world: World) -> None:
    expect = world.expect
    person = person_of(world.workforce, "DATA_ENG", 0).user
    tag = dbt_tag(world.project.invocation(9, "prod"))
    _run(world, 9, 4, _updating(world, person, "DATA_ENG", BUILT, tag), 52_000)
    expect("tag-copied", WRITES, f"{person} as DATA_ENG in FINANCE.MART", "tag-alone", 9, 9)
    _run(world, 33, 5, _updating(world, person, "DATA_ENG", "ACTUARIAL.MART.FCT_RESERVE"), 52_000)
    expect("rows-by-hand", WRITES, f"{person} as DATA_ENG in ACTUARIAL.MART", "not-attributed", 33, 33)
    _run(world, 50, 6, _updating(world, "FIVETRAN", "FIVETRAN_LOADER", "PROVIDER.STAGING.STG_PROVIDERS"), 30_000)
    expect("loader-outside", WRITES, "FIVETRAN as FIVETRAN_LOADER in PROVIDER.STAGING", "outside-schemas", 50, 50)
    lost = dbt_tag(world.project.invocation(64, "prod-again"))
    _run(world, 64, 7, _updating(world, "DBT_PROD", "DBT_PROD", "CARE.MART.RPT_OUTREACH", lost), 58_000)
    expect("run-without-artifacts", WRITES, "DBT_PROD as DBT_PROD in CARE.MART", "no-invocation", 64, 64)


def _building(world: World, path: str, tag: str) -> Shape:
    text = f"create or replace transient table {path} as (select * from {path}_base)"
    return _changing(
        world, "DBT_PROD", "DBT_PROD", "CREATE_TABLE_AS_SELECT", text, path, tag=tag, service=True, warehouse="WH_DBT"
    )


def _altering(user: str, role: str, path: str, word: str) -> Shape:
    """Return a statement that changes a structure and no row; ACCESS_HISTORY shows what it did in a column of its own."""
    database, schema, _ = path.split(".")
    text = f"{word} TABLE {path} " + (
        "(CLAIM_ID VARCHAR, FIXED_AMOUNT NUMBER)" if word == "CREATE" else "SET COMMENT = 'x'"
    )
    done = json.dumps({"objectDomain": "Table", "objectName": path, "operationType": word, "properties": {}})
    return Shape(user, role, f"{word}_TABLE", text, database=database, schema=schema, access=Access(ddl=done))


def _updating(world: World, user: str, role: str, path: str, tag: str | None = None) -> Shape:
    text = f"UPDATE {path} SET CHANGED = TRUE WHERE CHANGED IS NULL"
    return _changing(world, user, role, "UPDATE", text, path, tag=tag, warehouse=f"WH_{role}")


def _changing(world: World, user: str, role: str, kind: str, text: str, path: str, **extra: Any) -> Shape:
    table = world.catalog.by_path[path]
    written = json.dumps([element(table, [column.name for column in table.columns])])
    extra |= {"database": table.database, "schema": table.schema}
    return Shape(user, role, kind, text, access=Access(modified=written), **extra)


def _session(world: World, night: int, number: int, user: str, client: str, address: str) -> int:
    """Let a service sign in and open a session; return its id."""
    moment = world.size.evening(night, 4, 1, number)
    event, session = _LOGIN + 10 * night + number, _SESSION + 10 * night + number
    signed = login(user, moment, address, "RSA_KEYPAIR", client=client.partition(" ")[0].upper())
    world.logins.setdefault(night, []).append(signed | {"EVENT_ID": event})
    row = {
        "SESSION_ID": session,
        "CREATED_ON": moment,
        "USER_NAME": user,
        "AUTHENTICATION_METHOD": "RSA_KEYPAIR",
        "LOGIN_EVENT_ID": event,
    }
    world.happen(SESSIONS, night, row | {"CLIENT_APPLICATION_ID": client, "IS_OPEN": False})
    return session


def _run(world: World, night: int, number: int, shape: Shape, second: int, session: int | None = None) -> None:
    world.run(night, shape, second, query_id("01c0ffee-0c0d", number, night), session=session)

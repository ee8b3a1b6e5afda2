"""The demo's structure under change: records of changes, and what code declares."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from evidence.demo.dbt_nodes import LAYERS
from evidence.demo.governance import add_table
from evidence.demo.people import SYSTEM_ROLES, person_of
from evidence.demo.state import ALWAYS, Row
from evidence.demo.tables import BUILT, DOMAINS, Table, TableColumn
from evidence.demo.warehouses import USED, build_warehouses
from evidence.demo.workspace import APPROVED, EXPIRES, OFFICER
from evidence.demo.world import World

RECORD, UNMANAGED = "change-record", "change-unmanaged"
DDL, OWNERSHIP = "change-prod-ddl", "quality-ownership-lineage"
TICKETS, STATE, PLAN = "records.tickets", "terraform.state", "terraform.plan"
DOCUMENT = "platform.json"
VAULT = "10.20.9.0/24"
RESOURCES = {
    "role": "account_role",
    "warehouse": "warehouse",
    "table": "table",
    "task": "task",
    "procedure": "procedure_sql",
    "function": "function_sql",
}


def build_code(world: World) -> None:
    """Add deployers, what Terraform manages beside the tables, its plan, and an earlier change."""
    approved = {"owner": "Data platform", "approved_by": OFFICER, "approved_on": APPROVED, "expires": EXPIRES}
    raw = [f"{domain}.RAW" for domain in DOMAINS]
    world.registers["deployers"] = [
        {
            "user": user,
            "role": role,
            "tool": tool,
            "client": client,
            "networks": [VAULT],
            **({"schemas": raw} if tool == "loader" else {}),
            **approved,
        }
        for user, role, tool, client in (
            ("DBT_PROD", "DBT_PROD", "dbt", "PythonConnector"),
            ("TERRAFORM", "TERRAFORM", "terraform", "Go"),
            ("FIVETRAN", "FIVETRAN_LOADER", "loader", "JDBC"),
            ("SNOWPIPE", "SNOWPIPE_LOADER", "loader", "Snowpipe"),
        )
    ]
    build_warehouses(world)
    _routines(world)
    earlier = {
        "system": "servicenow",
        "id": "CHG-1000",
        "type": "change",
        "status": "closed",
        "ci": "GOVERNANCE",
        "requester": "MARTA.OYELARAN_ADM",
    }
    world.state.add(TICKETS, earlier | _approved(world, -9, -8) | {"outcome": "done"})
    planned: dict[str, Any] = {
        "document": DOCUMENT,
        "part": "document",
        "format": "show",
        "format_version": "1.2",
        "complete": True,
        "errored": False,
        "actions": [],
    }
    plan = world.state.add(PLAN, planned | {"resources": 0})
    plan.daily = lambda night: {"planned_at": world.size.evening(night, 5)}


def _routines(world: World) -> None:
    signature = {
        "ARGUMENT_SIGNATURE": "(V VARCHAR)",
        "DATA_TYPE": "VARCHAR(16777216)",
        "CREATED": BUILT,
        "OWNER_ROLE_TYPE": "ROLE",
    }
    place = {"CATALOG": "FINANCE", "SCHEMA": "STAGING", "CATALOG_ID": 76, "SCHEMA_ID": 77, "OWNER": "DBT_PROD"}
    for kind, name in (("PROCEDURE", "CLOSE_PERIOD"), ("FUNCTION", "CLEAN_CODE")):
        row = {f"{kind}_{part}": value for part, value in place.items()}
        row |= {f"{kind}_NAME": name, f"{kind}_LANGUAGE": "SQL", f"{kind}_DEFINITION": "UPPER(TRIM(V))"}
        world.state.add(
            f"snowflake.{kind.lower()}s", row | signature | ({"FUNCTION_ID": 5501} if kind == "FUNCTION" else {})
        )
    task = {
        "created_on": BUILT,
        "name": "CLOSE_PERIOD_NIGHTLY",
        "id": "01b7-close-period",
        "database_name": "FINANCE",
        "schema_name": "STAGING",
        "owner": "DBT_PROD",
        "warehouse": "WH_DBT",
        "schedule": "USING CRON 0 5 * * * UTC",
        "state": "started",
        "definition": "CALL FINANCE.STAGING.CLOSE_PERIOD('NIGHT')",
        "owner_role_type": "ROLE",
    }
    world.state.add("snowflake.tasks", task)


def declare(world: World) -> None:
    """Let Terraform manage every role, warehouse, routine and task there is, and the tables that no dbt node makes."""
    declared = sorted(set(_declared(world)))
    for kind, path in declared:
        resource = f"snowflake_{RESOURCES[kind]}"
        row = {
            "document": DOCUMENT,
            "part": "resource",
            "format": "show",
            "mode": "managed",
            "type": resource,
            "name": "this",
            "index_key": path,
        }
        row |= {
            "address": f'{resource}.this["{path}"]',
            "instance": f'{resource}.this["{path}"]',
            "provider": "snowflakedb/snowflake",
        }
        world.state.add(STATE, row)
    whole = {"document": DOCUMENT, "part": "document", "format": "show", "format_version": "1.0"}
    world.state.add(STATE, whole | {"resources": len(declared)})


def _declared(world: World) -> Iterator[tuple[str, str]]:
    select = world.state.select
    yield from (
        ("role", row.values["NAME"])
        for row in select("snowflake.roles", ROLE_TYPE="ROLE")
        if row.values["NAME"] not in SYSTEM_ROLES
    )
    yield from (("warehouse", row.values["name"]) for row in select("snowflake.warehouses"))
    for kind in ("task", "procedure", "function"):
        for row in select(f"snowflake.{kind}s"):
            names = (
                ("database_name", "schema_name", "name")
                if kind == "task"
                else tuple(f"{kind.upper()}_{part}" for part in ("CATALOG", "SCHEMA", "NAME"))
            )
            yield kind, ".".join(row.values[name] for name in names)
    built = {node["relation_name"] for node in world.project.models}
    for row in select("snowflake.tables"):
        values = row.values
        path = f"{values['TABLE_CATALOG']}.{values['TABLE_SCHEMA']}.{values['TABLE_NAME']}"
        if path not in built and values["TABLE_CATALOG"] in DOMAINS and values["TABLE_SCHEMA"] in LAYERS:
            yield "table", path


def plant_code(world: World) -> None:
    """Plant the deviations."""
    declare(world)
    _records(world)
    _by_hand(world)
    _drift(world)


def _records(world: World) -> None:
    expect, size = world.expect, world.size
    expect("no-night-before", RECORD, "comparison", "nothing-to-compare", 0, 0, "review")
    # Dropped without a record on night 4; what brought it back on night 8 was recorded and approved the day before.
    _column(world, "FINANCE", "FCT_PREMIUM", "PERIOD_KEY").absent.append((4, 7))
    expect("column-dropped", RECORD, "FINANCE.MART.FCT_PREMIUM", "no-record", 4, 4)
    restore = {"id": "CHG-1001", "ci": "FINANCE.MART.FCT_PREMIUM", "outcome": "column restored from Time Travel"}
    _ticket(world, 7, restore | _approved(world, 7, 8))
    _column(world, "ACTUARIAL", "FCT_RESERVE", "AMOUNT").change(25, ALWAYS, NUMERIC_SCALE=2)
    late = {"id": "CHG-1002", "ci": "ACTUARIAL.MART.FCT_RESERVE", "outcome": "done"} | _approved(world, 25, 25)
    _ticket(world, 25, late | {"approved_at": size.evening(25, 20)})
    expect("approved-too-late", RECORD, "ACTUARIAL.MART.FCT_RESERVE", "approved-late", 25, 25)


def _by_hand(world: World) -> None:
    """A table that somebody makes in a mart and drops again: no code, no record, no owner, and no pipeline made it."""
    who = person_of(world.workforce, "ANALYTICS_ENG", 0).user
    columns = (TableColumn(77_900_001, "CLAIM_ID", "TEXT"), TableColumn(77_900_002, "FIXED_AMOUNT", "NUMBER"))
    table = Table(77_900_000, "CLAIMS", "MART", "TMP_CLAIM_FIX", columns)
    add_table(world.state, table)
    for dataset in ("snowflake.tables", "snowflake.columns"):
        for row in world.state.select(dataset, TABLE_ID=table.id):
            row.first, row.last = 45, 48
            if dataset.endswith("tables"):
                made = world.size.evening(45, 14)
                row.values |= {"CREATED": made, "LAST_DDL": made, "LAST_DDL_BY": who}
    expect = world.expect
    expect("table-by-hand", UNMANAGED, f"table {table.path}", "not-in-code", 45, 48)
    expect("table-by-hand", OWNERSHIP, table.path, "not-in-code", 45, 48, source=world.names.snowflake)
    for night in (45, 49):
        expect("table-by-hand", RECORD, table.path, "no-record", night, night)


def _drift(world: World) -> None:
    resource = f'snowflake_warehouse.this["{next(iter(USED))}"]'
    found = {
        "document": DOCUMENT,
        "part": "drift",
        "format": "show",
        "mode": "managed",
        "type": "snowflake_warehouse",
        "name": "this",
    }
    world.state.add(PLAN, found | {"address": resource, "instance": resource, "actions": ["update"]}, first=5, last=6)
    world.expect("terraform-drift", UNMANAGED, DOCUMENT, "drift", 5, 6)
    plan = world.state.find(PLAN, part="document")
    plan.daily = lambda night: {"planned_at": world.size.evening(min(night, 63) if night < 75 else night, 5)}
    # The capture of night 69 is at three o'clock of the day after: not quite seven days; that of night 70 is older.
    world.expect("plan-stands-still", UNMANAGED, DOCUMENT, "plan-old", 70, 74)


def _column(world: World, database: str, table: str, column: str) -> Row:
    return world.state.find(
        "snowflake.columns", TABLE_CATALOG=database, TABLE_SCHEMA="MART", TABLE_NAME=table, COLUMN_NAME=column
    )


def _approved(world: World, approved: int, night: int) -> dict[str, Any]:
    """Return the times of a change: approved at eight on a day, made on the day ``night`` between nine and five."""
    day = world.size.evening(night)
    return {
        "approver": "IDRIS.HALVORSEN_ADM",
        "opened_at": world.size.evening(approved, 7),
        "approved_at": world.size.evening(approved, 8),
        "window_start": day + dt.timedelta(hours=9),
        "window_end": day + dt.timedelta(hours=17),
        "closed_at": day + dt.timedelta(hours=18),
    }


def _ticket(world: World, first: int, values: dict[str, Any]) -> None:
    usual = {
        "system": "servicenow",
        "type": "change",
        "status": "closed",
        "emergency": False,
        "requester": "JUNO.LINDQVIST",
    }
    world.state.add(TICKETS, usual | values, first=first)

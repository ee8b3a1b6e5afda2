"""The demo's loads, tasks, refreshes and queues: what failed, what was driven again, and what waited unseen."""

import datetime as dt
from typing import Any

from evidence.demo.governance import add_table
from evidence.demo.tables import Table, TableColumn
from evidence.demo.world import World

LOADS = "quality-load-errors"
COPIES, TASKS, REFRESHES = "snowflake.copy_history", "snowflake.task_history", "snowflake.dynamic_table_refresh_history"
QUEUES = "records.dlq"
LOADED = ("CLAIMS.RAW.CLAIM_LINES", "PROVIDER.RAW.ROSTER")
DAILY = Table(
    77_800_000,
    "FINANCE",
    "INTERMEDIATE",
    "DT_PREMIUM_DAILY",
    (TableColumn(77_800_001, "GROUP_CODE", "TEXT"), TableColumn(77_800_002, "AMOUNT", "NUMBER")),
)


def build_loads(world: World) -> None:
    """Add a night's loads, task run and refresh, a pipe and a queue."""
    add_table(world.state, DAILY)
    world.state.find("snowflake.tables", TABLE_ID=DAILY.id).values |= {"IS_DYNAMIC": "YES"}
    for night in range(world.size.nights):
        for path in LOADED:
            world.happen(COPIES, night, _copy(world, path, night, f"drop_{night:03}.csv", 7))
        world.happen(TASKS, night, _task(world, night))
        world.happen(REFRESHES, night, _refresh(world, night))
    pipe = {
        "name": "ROSTER_PIPE",
        "database_name": "PROVIDER",
        "schema_name": "RAW",
        "owner": "SNOWPIPE_LOADER",
        "owner_role_type": "ROLE",
    }
    world.state.add(
        "snowflake.pipes", pipe | {"definition": "COPY INTO PROVIDER.RAW.ROSTER FROM @PROVIDER.RAW.INBOUND"}
    )
    for queue in ("claims-feed", "roster-feed"):
        world.state.add(QUEUES, {"system": "kafka", "queue": queue, "messages": 0, "owner": "Data platform"})


def plant_loads(world: World) -> None:
    """Plant the deviations: each failure is judged on the night after, when the time to drive it again has run out."""
    claims, roster = LOADED
    carrier = world.names.snowflake
    _fails(world, claims, 2, "batch_17.csv")
    world.expect("load-not-repeated", LOADS, f"load {claims}", "load-failed", 3, 3, source=carrier)
    _fails(world, roster, 10, "late_providers.csv")  # loaded again the same evening: no deviation
    world.happen(COPIES, 10, _copy(world, roster, 10, "late_providers.csv", 19))
    # The task fails on two nights; the second failure is followed by a success in time, the first is not.
    failure = {"STATE": "FAILED", "ERROR_CODE": "100038", "ERROR_MESSAGE": "Numeric value is not recognized"}
    for night in (47, 48):
        for row in world.happened[TASKS].get(night, []):
            row.update(failure)
    world.expect(
        "task-fails-twice", LOADS, "task FINANCE.STAGING.CLOSE_PERIOD_NIGHTLY", "task-failed", 48, 48, source=carrier
    )
    world.state.find("snowflake.pipes", name="ROSTER_PIPE").change(
        24, 26, invalid_reason="Insufficient privileges on the stage"
    )
    world.expect("pipe-broken", LOADS, "pipe PROVIDER.RAW.ROSTER_PIPE", "pipe-broken", 24, 26, source=carrier)
    queue = world.state.find(QUEUES, queue="claims-feed")
    queue.change(76, 79, messages=14, oldest_at=world.size.evening(76, 11))
    world.expect("queue-waits", LOADS, "queue kafka claims-feed", "queue-old", 77, 79, source=carrier)


def _fails(world: World, path: str, night: int, name: str) -> None:
    failed = {
        "STATUS": "Load failed",
        "ERROR_COUNT": 3,
        "FIRST_ERROR_MESSAGE": "Number of columns in file does not match",
    }
    world.happen(COPIES, night, _copy(world, path, night, name, 12) | failed)


def _copy(world: World, path: str, night: int, name: str, hour: int) -> dict[str, Any]:
    table = world.catalog.by_path[path]
    moment = world.size.evening(night, hour)
    return {
        "FILE_NAME": name,
        "STAGE_LOCATION": f"s3://fernhollow-landing/{table.database.lower()}/",
        "LAST_LOAD_TIME": moment,
        "ROW_COUNT": 1200,
        "ROW_PARSED": 1200,
        "ERROR_COUNT": 0,
        "ERROR_LIMIT": 1,
        "STATUS": "Loaded",
        "TABLE_ID": table.id,
        "TABLE_NAME": table.name,
        "TABLE_SCHEMA_NAME": table.schema,
        "TABLE_CATALOG_NAME": table.database,
    }


def _task(world: World, night: int) -> dict[str, Any]:
    due = world.size.evening(night, 5)
    return {
        "NAME": "CLOSE_PERIOD_NIGHTLY",
        "SCHEMA_NAME": "STAGING",
        "DATABASE_NAME": "FINANCE",
        "TASK_SCHEMA_ID": 77,
        "TASK_DATABASE_ID": 76,
        "SCHEDULED_TIME": due,
        "COMPLETED_TIME": due + dt.timedelta(minutes=3),
        "STATE": "SUCCEEDED",
        "ROOT_TASK_ID": "01b7-close-period",
        "GRAPH_RUN_GROUP_ID": str(night),
        "ATTEMPT_NUMBER": 1,
        "SCHEDULED_FROM": "SCHEDULE",
    }


def _refresh(world: World, night: int) -> dict[str, Any]:
    begun = world.size.evening(night, 6)
    return {
        "NAME": DAILY.name,
        "SCHEMA_NAME": DAILY.schema,
        "DATABASE_NAME": DAILY.database,
        "ID": DAILY.id,
        "STATE": "SUCCEEDED",
        "DATA_TIMESTAMP": begun,
        "REFRESH_START_TIME": begun,
        "REFRESH_END_TIME": begun + dt.timedelta(minutes=2),
        "REFRESH_ACTION": "INCREMENTAL",
        "REFRESH_TRIGGER": "SCHEDULED",
    }

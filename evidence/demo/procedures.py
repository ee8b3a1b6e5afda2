"""Tasks and stored procedures of the account, each owned by a functional role."""

from typing import Final

from evidence.demo.state import Values
from evidence.demo.tables import BUILT
from evidence.demo.world import World

TASKS, PROCEDURES = "snowflake.tasks", "snowflake.procedures"
PRICING: Final = "PRICE_CLAIMS_NIGHTLY"


def build_procedures(world: World) -> None:
    """Add a procedure and the task that calls it; nothing where somebody has added that dataset already."""
    if PROCEDURES not in world.state.datasets:
        world.state.add(PROCEDURES, _procedure())
    if not list(world.state.select(TASKS, name=PRICING)):
        world.state.add(TASKS, _task())


def _procedure() -> Values:
    return {
        "PROCEDURE_CATALOG": "CLAIMS",
        "PROCEDURE_SCHEMA": "INTERMEDIATE",
        "PROCEDURE_NAME": "PRICE_CLAIMS",
        "PROCEDURE_OWNER": "DBT_PROD",
        "ARGUMENT_SIGNATURE": "(PERIOD_KEY NUMBER)",
        "DATA_TYPE": "VARCHAR",
        "PROCEDURE_LANGUAGE": "SQL",
        "PROCEDURE_DEFINITION": "BEGIN RETURN 'done'; END",
        "CREATED": BUILT,
        "LAST_ALTERED": BUILT,
        "OWNER_ROLE_TYPE": "ROLE",
        "PROCEDURE_SCHEMA_ID": 83,
        "PROCEDURE_CATALOG_ID": 80,
    }


def _task() -> Values:
    return {
        "created_on": BUILT,
        "name": PRICING,
        "id": "01b7-price-claims",
        "database_name": "CLAIMS",
        "schema_name": "INTERMEDIATE",
        "owner": "ORCHESTRATOR",
        "warehouse": "WH_DBT",
        "schedule": "USING CRON 30 5 * * * UTC",
        "state": "started",
        "definition": "CALL CLAIMS.INTERMEDIATE.PRICE_CLAIMS(0)",
        "owner_role_type": "ROLE",
    }

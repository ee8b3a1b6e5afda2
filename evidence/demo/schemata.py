"""Schemas of the account: those of the domains manage grants centrally."""

from evidence.demo.tables import BUILT, DOMAINS, SCHEMAS
from evidence.demo.world import World

SCHEMATA = "snowflake.schemata"


def build_schemata(world: World) -> None:
    """Add a row for every schema that holds tables; nothing if somebody has added them already."""
    if SCHEMATA in world.state.datasets:
        return
    places = {(domain, schema) for domain in DOMAINS for schema in SCHEMAS}
    places |= {(table.database, table.schema) for table in world.catalog.all}
    for number, (database, schema) in enumerate(sorted(places)):
        row = {
            "SCHEMA_ID": 9100 + number,
            "SCHEMA_NAME": schema,
            "CATALOG_NAME": database,
            "SCHEMA_OWNER": "SYSADMIN",
            "RETENTION_TIME": 30,
            "IS_TRANSIENT": "NO",
            "IS_MANAGED_ACCESS": "YES" if database in DOMAINS else "NO",
            "CREATED": BUILT,
            "LAST_ALTERED": BUILT,
            "SCHEMA_TYPE": "STANDARD",
            "OWNER_ROLE_TYPE": "ROLE",
        }
        world.state.add(SCHEMATA, row)

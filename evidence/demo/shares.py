"""What the carrier shares out: two shares with what they hold, a listing in draft, a reader account, and who may receive."""

from typing import Any, Final

from evidence.demo.once import once, register
from evidence.demo.tables import BUILT, Table
from evidence.demo.workspace import APPROVED, EXPIRES, OFFICER
from evidence.demo.world import World

SHARES, GRANTS, VIEWS = "snowflake.shares", "snowflake.grants_to_shares", "snowflake.views"
LISTINGS, READERS = "snowflake.listings", "snowflake.managed_accounts"
CARE, FORMULARY = "NORTHGATE_CARE", "DRUG_FORMULARY"
HOSPITAL, EXCHANGE, READER = "NORTHGATE.CARE", "STATE_EXCHANGE.PLANS", "QX77120"
CONTACTS, DRUGS = "MEMBER.SERVE.V_MEMBER_CONTACT", "PHARMACY.MART.DIM_DRUG"
LISTING, LISTING_ID = "FORMULARY", "GZTSZ4QM7X2"
OBJECTS: Final = {CARE: CONTACTS, FORMULARY: DRUGS}
# account -> organisation, purpose, agreement, shares
_RECEIVERS: Final = {
    HOSPITAL: ("Northgate Hospital", "treatment", "BAA-2025-041", [CARE]),
    EXCHANGE: ("State exchange", "other", None, [FORMULARY]),
    READER: ("Pharmacy auditors", "operations", "BAA-2025-044", []),
}


def build_shares(world: World) -> None:
    """Add them, unless there are shares already."""
    if next(world.state.select(SHARES), None):
        return
    for name, target, listing in ((CARE, HOSPITAL, None), (FORMULARY, EXCHANGE, LISTING_ID)):
        row = {"CREATED_ON": BUILT, "NAME": name, "OWNER": "SECURITYADMIN", "SECURE_OBJECTS_ONLY": True}
        world.state.add(SHARES, row | {"TARGET_ACCOUNTS": target, "LISTING_GLOBAL_NAME": listing})
    for share, path in OBJECTS.items():
        table = world.catalog.by_path[path]
        world.state.add(GRANTS, granted(share, "DATABASE", table.database, PRIVILEGE="USAGE"))
        schema = {"OBJECT_DATABASE": table.database, "PRIVILEGE": "USAGE"}
        world.state.add(GRANTS, granted(share, "SCHEMA", table.schema, **schema))
        world.state.add(GRANTS, of_table(share, table))
    for table in world.catalog.named:
        if table.view:
            once(world, VIEWS, _view(table), "TABLE_ID")
    world.state.add(LISTINGS, _listing())
    world.state.add(READERS, reader("PHARMACY_AUDIT", READER))
    _contracts(world)
    for account in _RECEIVERS:
        register(world, "counterparties", receiver(account))


def receiver(account: str, **extra: Any) -> dict[str, Any]:
    """Return the registration of an account that may receive."""
    organisation, purpose, agreement, shares = _RECEIVERS[account]
    row = {"account": account, "organisation": organisation, "name": account.rsplit(".", maxsplit=1)[-1], "own": False}
    row |= {"purpose": purpose, "shares": shares} | ({"baa_id": agreement} if agreement else {})
    return row | {"approved_by": OFFICER, "approved_on": APPROVED, "expires": EXPIRES} | extra


def granted(share: str, kind: str, name: str, **extra: Any) -> dict[str, Any]:
    """Return a row of GRANTS_TO_SHARES."""
    row = {"CREATED_ON": BUILT, "MODIFIED_ON": BUILT, "GRANTED_ON": kind, "OBJECT_NAME": name, "SHARE_NAME": share}
    return row | {"GRANTED_BY": "SECURITYADMIN", "GRANTED_BY_ROLE_TYPE": "ROLE", **extra}


def of_table(share: str, table: Table) -> dict[str, Any]:
    """Return the row of a SELECT on a table or view."""
    where = {"OBJECT_DATABASE": table.database, "OBJECT_SCHEMA": table.schema, "PRIVILEGE": "SELECT"}
    return granted(share, "VIEW" if table.view else "TABLE", table.name, **where)


def reader(name: str, locator: str) -> dict[str, Any]:
    """Return a row of SHOW MANAGED ACCOUNTS."""
    row = {"account_name": name, "account_locator": locator, "cloud": "aws", "region": "us-east-1", "is_reader": "true"}
    return row | {"created_on": BUILT, "region_group": "PUBLIC"}


def _view(table: Table) -> dict[str, Any]:
    where = {"TABLE_ID": table.id, "TABLE_NAME": table.name, "TABLE_SCHEMA": table.schema}
    return where | {
        "TABLE_CATALOG": table.database,
        "TABLE_OWNER": "DBT_PROD",
        "IS_SECURE": "YES",
        "CREATED": BUILT,
        "LAST_DDL": BUILT,
        "OWNER_ROLE_TYPE": "ROLE",
    }


def _listing() -> dict[str, Any]:
    row = {"GLOBAL_NAME": LISTING_ID, "NAME": LISTING, "OWNER": "SECURITYADMIN", "CREATED_ON": BUILT}
    row |= {"TITLE": "Drug formulary", "STATE": "DRAFT", "SHARE": FORMULARY, "DISTRIBUTION": "EXTERNAL"}
    return row | {"IS_SHARE": True, "IS_APPLICATION": False}


def _contracts(world: World) -> None:
    """Member contacts for a hospital that treats them; a product of its own for drugs that are no one's."""
    world.products["member_360"]["interfaces"]["shares"].append(CARE)
    table = world.catalog.by_path[DRUGS]
    columns = [{"name": column.name, "class": "internal"} for column in table.columns]
    served = {"name": table.path, "roles_allowed": ["PHARMACY_ANALYST", "ACTUARIAL"], "columns": columns}
    core = world.products["pharmacy_core"]
    own = {"name": "drug_formulary", "classification": "internal", "legal_basis": "operations"}
    world.products["drug_formulary"] = (
        core
        | own
        | {
            "interfaces": {"tables": [served], "views": [], "shares": [FORMULARY]},
        }
    )

"""Tables, columns, tags, policies, network and parameters as the state views show them, without any deviation."""

import datetime as dt
from typing import Any

from evidence.demo.people import grant
from evidence.demo.state import State
from evidence.demo.tables import BUILT, Catalog, Table, TableColumn

VPCE = "vpce-0f3a9c5d7e1b24680"
POLICY_DB, POLICY_SCHEMA, TAG_SCHEMA = "GOVERNANCE", "POLICIES", "TAGS"
TAG = {"TAG_DATABASE": POLICY_DB, "TAG_SCHEMA": TAG_SCHEMA, "TAG_NAME": "PHI"}
TAG_ID = 3301
TAGGED_WHOLE = "DIM_CARE_PLAN"
# data type of the column -> policy set on the tag for it, its id, type and the value it shows instead
POLICIES = {
    "TEXT": ("MASK_PHI_STRING", 8801, "VARCHAR", "'***'"),
    "NUMBER": ("MASK_PHI_NUMBER", 8802, "NUMBER", "-1"),
    "DATE": ("MASK_PHI_DATE", 8803, "DATE", "DATE_TRUNC('YEAR', VAL)"),
    "TIMESTAMP_NTZ": ("MASK_PHI_TIME", 8804, "TIMESTAMP_NTZ", "DATE_TRUNC('YEAR', VAL)"),
}
_LENGTH = 16_777_216


def build_governance(state: State, catalog: Catalog) -> None:
    """Add every row of tables, columns, dependencies, tags, policies, network rules and parameters."""
    for table in catalog.all:
        add_table(state, table)
    for name, identity, kind, shown in POLICIES.values():
        state.add("snowflake.masking_policies", masking_policy(identity, name, kind, shown))
        state.add("snowflake.policy_references", _on_tag(name, identity))
    for table in catalog.named:
        if table.phi:
            _tags(state, table)
        for column in table.phi:
            state.add("snowflake.policy_references", policy_reference(table, column))
    _row_access(state, catalog)
    _views(state, catalog)
    _network(state)
    _parameters(state)


def _tags(state: State, table: Table) -> None:
    """Tag PHI by column; one table is tagged whole, and the columns that hold none say so."""
    whole = table.name == TAGGED_WHOLE
    owner = {"TAG_ID": TAG_ID + 1, "TAG_NAME": "DATA_OWNER"}
    state.add("snowflake.tag_references", tag_reference(table, None, table.database.lower()) | owner)
    if whole:
        state.add("snowflake.tag_references", tag_reference(table, None, "phi"))
    for column in table.columns:
        if column.phi != whole:
            state.add("snowflake.tag_references", tag_reference(table, column, "phi" if column.phi else "none"))


def masking_policy(identity: int, name: str, kind: str, shown: str, body: str = "") -> dict[str, Any]:
    """Return a row of MASKING_POLICIES."""
    return {
        "POLICY_NAME": name,
        "POLICY_ID": identity,
        "POLICY_SCHEMA_ID": 71,
        "POLICY_SCHEMA": POLICY_SCHEMA,
        "POLICY_CATALOG_ID": 70,
        "POLICY_CATALOG": POLICY_DB,
        "POLICY_OWNER": "GOVERNANCE_ADMIN",
        "POLICY_SIGNATURE": f"(VAL {kind})",
        "POLICY_RETURN_TYPE": kind,
        "POLICY_BODY": body or f"CASE WHEN IS_ROLE_IN_SESSION('PHI_READER') THEN VAL ELSE {shown} END",
        "CREATED": BUILT,
        "LAST_ALTERED": BUILT,
        "OWNER_ROLE_TYPE": "ROLE",
    }


def tag_reference(table: Table, column: TableColumn | None, value: str) -> dict[str, Any]:
    """Return a row of TAG_REFERENCES: the PHI tag on a table, or on one of its columns."""
    return {
        **TAG,
        "TAG_ID": TAG_ID,
        "TAG_VALUE": value,
        "OBJECT_DATABASE": table.database,
        "OBJECT_SCHEMA": table.schema,
        "OBJECT_ID": table.id,
        "OBJECT_NAME": table.name,
        "DOMAIN": "COLUMN" if column else "TABLE",
        "COLUMN_ID": column.id if column else None,
        "COLUMN_NAME": column.name if column else None,
        "APPLY_METHOD": "MANUAL",
    }


def policy_reference(table: Table, column: TableColumn, policy: str = "", **extra: Any) -> dict[str, Any]:
    """Return a row of POLICY_REFERENCES: the policy that the tag, or a direct setting, puts on a column."""
    name, identity, *_ = POLICIES[column.type]
    row = {
        "POLICY_DB": POLICY_DB,
        "POLICY_SCHEMA": POLICY_SCHEMA,
        "POLICY_ID": identity,
        "POLICY_NAME": policy or name,
        "POLICY_KIND": "MASKING_POLICY",
        "REF_DATABASE_NAME": table.database,
        "REF_SCHEMA_NAME": table.schema,
        "REF_ENTITY_NAME": table.name,
        "REF_ENTITY_DOMAIN": "VIEW" if table.view else "TABLE",
        "REF_COLUMN_NAME": column.name,
        **({} if policy else TAG),
        "POLICY_STATUS": "ACTIVE",
    }
    return row | extra


def _on_tag(name: str, identity: int) -> dict[str, Any]:
    return {
        "POLICY_DB": POLICY_DB,
        "POLICY_SCHEMA": POLICY_SCHEMA,
        "POLICY_ID": identity,
        "POLICY_NAME": name,
        "POLICY_KIND": "MASKING_POLICY",
        "REF_DATABASE_NAME": POLICY_DB,
        "REF_SCHEMA_NAME": TAG_SCHEMA,
        "REF_ENTITY_NAME": "PHI",
        "REF_ENTITY_DOMAIN": "TAG",
        "POLICY_STATUS": "ACTIVE",
    }


def add_table(state: State, table: Table) -> None:
    """Add the rows of a table and of its columns."""
    where = {
        "TABLE_SCHEMA": table.schema,
        "TABLE_CATALOG": table.database,
        "TABLE_NAME": table.name,
        "TABLE_ID": table.id,
    }
    owner = "FIVETRAN_LOADER" if table.schema == "RAW" else "DBT_PROD"
    row: dict[str, Any] = {
        **where,
        "TABLE_OWNER": owner,
        "TABLE_TYPE": "VIEW" if table.view else "BASE TABLE",
        "IS_TRANSIENT": "NO",
        "ROW_COUNT": None if table.view else table.id % 90_000,
        "BYTES": None if table.view else table.id % 90_000 * 512,
        "RETENTION_TIME": 30,
        "CREATED": BUILT,
        "LAST_DDL": BUILT,
        "LAST_DDL_BY": "TERRAFORM",
        "OWNER_ROLE_TYPE": "ROLE",
        "IS_ICEBERG": "NO",
        "IS_DYNAMIC": "NO",
        "IS_HYBRID": "NO",
    }
    state.add("snowflake.tables", row)
    for ordinal, column in enumerate(table.columns, 1):
        state.add("snowflake.columns", column_row(where, column, ordinal))


def column_row(where: dict[str, Any], column: TableColumn, ordinal: int) -> dict[str, Any]:
    """Return a row of COLUMNS; ``where`` names the table."""
    row = where | {
        "COLUMN_ID": column.id,
        "COLUMN_NAME": column.name,
        "ORDINAL_POSITION": ordinal,
        "DATA_TYPE": column.type,
    }
    row |= {"IS_NULLABLE": "NO" if column.key else "YES", "IS_IDENTITY": "NO", "KIND": "COLUMN"}
    if column.type == "TEXT":
        row |= {"CHARACTER_MAXIMUM_LENGTH": _LENGTH, "CHARACTER_OCTET_LENGTH": _LENGTH}
    elif column.type == "NUMBER":
        row |= {"NUMERIC_PRECISION": 38, "NUMERIC_PRECISION_RADIX": 10, "NUMERIC_SCALE": 0}
    return row


def _row_access(state: State, catalog: Catalog) -> None:
    policy = {
        "POLICY_NAME": "MEMBER_REGION",
        "POLICY_ID": 8851,
        "POLICY_SCHEMA": POLICY_SCHEMA,
        "POLICY_CATALOG": POLICY_DB,
        "POLICY_OWNER": "GOVERNANCE_ADMIN",
        "POLICY_SIGNATURE": "(PLAN_CODE VARCHAR)",
        "POLICY_RETURN_TYPE": "BOOLEAN",
        "POLICY_BODY": "EXISTS (SELECT 1 FROM GOVERNANCE.POLICIES.REGION_MAP M WHERE M.ROLE_NAME = CURRENT_ROLE())",
        "CREATED": BUILT,
        "OWNER_ROLE_TYPE": "ROLE",
    }
    state.add("snowflake.row_access_policies", policy)
    table = catalog.by_path["MEMBER.MART.DIM_MEMBER"]
    row = policy_reference(table, table.column("ZIP"), "MEMBER_REGION", POLICY_ID=8851, POLICY_KIND="ROW_ACCESS_POLICY")
    row |= {"REF_COLUMN_NAME": None, "REF_ARG_COLUMN_NAMES": '[ "PLAN_CODE" ]'}
    state.add("snowflake.policy_references", row)


def _views(state: State, catalog: Catalog) -> None:
    for view, base in (
        ("MEMBER.SERVE.V_MEMBER_CONTACT", "MEMBER.MART.DIM_MEMBER"),
        ("CLAIMS.SERVE.V_CLAIM_SUMMARY", "CLAIMS.MART.FCT_CLAIM"),
    ):
        state.add("snowflake.object_dependencies", dependency(catalog.by_path[view], catalog.by_path[base]))


def dependency(view: Table, base: Table) -> dict[str, Any]:
    """Return a row of OBJECT_DEPENDENCIES."""
    return {
        "REFERENCED_DATABASE": base.database,
        "REFERENCED_SCHEMA": base.schema,
        "REFERENCED_OBJECT_NAME": base.name,
        "REFERENCED_OBJECT_ID": base.id,
        "REFERENCED_OBJECT_DOMAIN": "TABLE",
        "REFERENCING_DATABASE": view.database,
        "REFERENCING_SCHEMA": view.schema,
        "REFERENCING_OBJECT_NAME": view.name,
        "REFERENCING_OBJECT_ID": view.id,
        "REFERENCING_OBJECT_DOMAIN": "VIEW",
        "DEPENDENCY_TYPE": "BY_NAME",
    }


def network_rule(identity: int, name: str, kind: str, values: str) -> dict[str, Any]:
    """Return a row of NETWORK_RULES; ``values`` is the list as text, the way the view gives it."""
    return {
        "ID": identity,
        "NAME": name,
        "SCHEMA_ID": 72,
        "SCHEMA_NAME": "NETWORK",
        "DATABASE_ID": 70,
        "DATABASE_NAME": POLICY_DB,
        "OWNER": "SECURITYADMIN",
        "OWNER_ROLE_TYPE": "ROLE",
        "CREATED": BUILT,
        "LAST_ALTERED": BUILT,
        "MODE": "INGRESS",
        "TYPE": kind,
        "VALUE_LIST": values,
    }


def rule_reference(
    identity: int, name: str, kind: str, policy: tuple[int, str], action: str = "ALLOW"
) -> dict[str, Any]:
    """Return a row of NETWORK_RULE_REFERENCES."""
    return {
        "NETWORK_RULE_DB": POLICY_DB,
        "NETWORK_RULE_SCHEMA": "NETWORK",
        "NETWORK_RULE_ID": identity,
        "NETWORK_RULE_MODE": "INGRESS",
        "NETWORK_RULE_TYPE": kind,
        "NETWORK_RULE_NAME": name,
        "CONTAINER_ID": policy[0],
        "CONTAINER_NAME": policy[1],
        "CONTAINER_TYPE": "NETWORK_POLICY",
        "ACTION_TYPE": action,
    }


def network_policy(identity: int, name: str, **extra: Any) -> dict[str, Any]:
    """Return a row of NETWORK_POLICIES."""
    row = {
        "ID": identity,
        "NAME": name,
        "OWNER": "SECURITYADMIN",
        "OWNER_ROLE_TYPE": "ROLE",
        "CREATED": BUILT,
        "LAST_ALTERED": BUILT,
    }
    return row | extra


def _network(state: State) -> None:
    policy = (4401, "INTERNAL_ONLY")
    state.add("snowflake.network_policies", network_policy(*policy))
    rules = (
        (4501, "PRIVATE_ENDPOINT", "AWSVPCEID", f"{VPCE}", "ALLOW"),
        (4502, "PUBLIC_ADDRESSES", "IPV4", "0.0.0.0/0", "BLOCK"),
    )
    for identity, name, kind, values, action in rules:
        state.add("snowflake.network_rules", network_rule(identity, name, kind, values))
        state.add("snowflake.network_rule_references", rule_reference(identity, name, kind, policy, action))
    gone = {"DELETED": BUILT + dt.timedelta(days=90), "ALLOWED_IP_LIST": "0.0.0.0/0"}
    state.add("snowflake.network_policies", network_policy(4400, "OPEN_TRIAL", **gone))


def parameter(key: str, value: str, default: str, level: str = "ACCOUNT", kind: str = "BOOLEAN") -> dict[str, Any]:
    """Return a row of SHOW PARAMETERS IN ACCOUNT."""
    return {"key": key, "value": value, "default": default, "level": level, "description": "", "type": kind}


def _parameters(state: State) -> None:
    for row in (
        parameter("NETWORK_POLICY", "INTERNAL_ONLY", "", kind="STRING"),
        parameter("DISABLE_USER_PRIVILEGE_GRANTS", "true", "false"),
        parameter("REQUIRE_STORAGE_INTEGRATION_FOR_STAGE_CREATION", "true", "false"),
        parameter("REQUIRE_STORAGE_INTEGRATION_FOR_STAGE_OPERATION", "true", "false"),
        parameter("PREVENT_UNLOAD_TO_INLINE_URL", "true", "false"),
        parameter("PERIODIC_DATA_REKEYING", "true", "false"),
        parameter("DATA_RETENTION_TIME_IN_DAYS", "30", "1", kind="NUMBER"),
        parameter("TIMEZONE", "UTC", "America/Los_Angeles", kind="STRING"),
        parameter("ALLOW_CLIENT_MFA_CACHING", "false", "false", level=""),
        parameter("STATEMENT_TIMEOUT_IN_SECONDS", "7200", "172800", kind="NUMBER"),
    ):
        state.add("snowflake.parameters", row)


def select_on(table: Table, role: str, **extra: Any) -> dict[str, Any]:
    """Return the row of a SELECT granted on one table."""
    where = {"TABLE_CATALOG": table.database, "TABLE_SCHEMA": table.schema}
    return grant("SELECT", "VIEW" if table.view else "TABLE", table.name, role, **where) | extra

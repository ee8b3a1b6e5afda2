"""Write the first version of the Snowflake contracts from a file of view descriptions.

Usage: ``python scripts/contracts_from_views.py VIEWS_JSON [OUTPUT_DIR]``. The description file gives names, types and notes per
view; what only we decide (treatment, required, volatile, types that differ from the documented one) stands in the
tables below. The contracts are edited by hand afterwards, so run this for a new view, not to refresh an old one.
"""

import json
import sys
from pathlib import Path

TYPES = {
    "NUMBER": "int",
    "VARCHAR": "text",
    "TEXT": "text",
    "TIMESTAMP_LTZ": "time",
    "BOOLEAN": "bool",
    "FLOAT": "float",
    "VARIANT": "json",
    "OBJECT": "json",
    "ARRAY": "json",
}
FREE_TEXT = {"treatment": "keyed", "note": "free text can hold PHI; the keyed digest still shows a change"}
ODD = {  # column facts beyond the documented type, per view or for all views
    "*": {
        "COMMENT": FREE_TEXT,
        "POLICY_COMMENT": {**FREE_TEXT, "type": "text", "source_type": "VARIANT"},
    },
    "access_history": {
        "DIRECT_OBJECTS_ACCESSED": {"type": "objects"},
        "BASE_OBJECTS_ACCESSED": {"type": "objects"},
        "OBJECTS_MODIFIED": {"type": "objects"},
        "POLICIES_REFERENCED": {"type": "policies"},
    },
    "query_history": {
        "QUERY_TEXT": {"treatment": "scrub", "scrub_as": "statement"},
        "ERROR_MESSAGE": {"treatment": "scrub", "scrub_as": "message"},
        "ERROR_CODE": {"type": "text", "source_type": "NUMBER"},
        "QUERY_TAG": {"treatment": "scrub", "scrub_as": "label"},
        "QUERY_HASH": {"treatment": "keyed", "note": "a digest of the text with its literals: guessable without a key"},
        "BIND_VALUES": {"treatment": "drop"},
        "CREDITS_USED_CLOUD_SERVICES": {"type": "decimal"},
        "SECONDARY_ROLE_STATS": {"type": "json", "source_type": "VARCHAR"},
    },
    "login_history": {
        "ERROR_CODE": {"type": "text", "source_type": "NUMBER"},
        "ERROR_MESSAGE": {"treatment": "scrub", "scrub_as": "message"},
        "LOGIN_DETAILS": {"type": "json", "source_type": "VARCHAR"},
    },
    "users": {
        "DISABLED": {"type": "text", "source_type": "VARIANT"},
        "SNOWFLAKE_LOCK": {"type": "text", "source_type": "VARIANT"},
        "LAST_SUCCESS_LOGIN": {"volatile": True},
        "DATABASE_ID": {"type": "text", "source_type": "NUMBER"},
    },
    "tables": {
        "ROW_COUNT": {"volatile": True},
        "BYTES": {"volatile": True},
        "LAST_ALTERED": {"volatile": True},
        "ARCHIVE_STORAGE_COOL_ROW_COUNT": {"volatile": True},
        "ARCHIVE_STORAGE_COOL_BYTES": {"volatile": True},
        "ARCHIVE_STORAGE_COLD_ROW_COUNT": {"volatile": True},
        "ARCHIVE_STORAGE_COLD_BYTES": {"volatile": True},
    },
    "columns": {
        "COLUMN_DEFAULT": {"treatment": "scrub", "scrub_as": "expression", "note": "an expression; may hold literals"},
        "EXPRESSION": {"treatment": "scrub", "scrub_as": "expression"},
        "SCHEMA_EVOLUTION_RECORD": {"treatment": "keyed", "note": "names the loaded file, which may name a person"},
    },
    "masking_policies": {"LAST_ALTERED": {"volatile": True}},
    "row_access_policies": {"LAST_ALTERED": {"volatile": True}},
    "credentials": {"LAST_USED_ON": {"volatile": True}},
    "network_rules": {
        "SCHEMA_NAME": {"aliases": ["SCHEMA"]},
        "DATABASE_NAME": {"aliases": ["DATABASE"]},
    },
    "parameters": {"description": {"volatile": True}},
    "future_grants": {"grant_option": {"type": "bool", "source_type": "TEXT"}},
}
REQUIRED = {
    "access_history": "QUERY_ID QUERY_START_TIME USER_NAME DIRECT_OBJECTS_ACCESSED BASE_OBJECTS_ACCESSED OBJECTS_MODIFIED",
    "query_history": "QUERY_ID QUERY_TEXT QUERY_TYPE USER_NAME ROLE_NAME EXECUTION_STATUS START_TIME END_TIME",
    "login_history": "EVENT_ID EVENT_TIMESTAMP EVENT_TYPE USER_NAME CLIENT_IP FIRST_AUTHENTICATION_FACTOR "
    "SECOND_AUTHENTICATION_FACTOR IS_SUCCESS",
    "users": "USER_ID NAME CREATED_ON DELETED_ON DISABLED",
    "roles": "ROLE_ID CREATED_ON DELETED_ON NAME",
    "grants_to_users": "CREATED_ON DELETED_ON ROLE GRANTEE_NAME",
    "grants_to_roles": "CREATED_ON DELETED_ON PRIVILEGE GRANTED_ON NAME TABLE_CATALOG TABLE_SCHEMA GRANTED_TO GRANTEE_NAME",
    "policy_references": "POLICY_NAME POLICY_KIND REF_DATABASE_NAME REF_SCHEMA_NAME REF_ENTITY_NAME REF_ENTITY_DOMAIN "
    "REF_COLUMN_NAME POLICY_STATUS",
    "tag_references": "TAG_DATABASE TAG_SCHEMA TAG_NAME TAG_VALUE OBJECT_DATABASE OBJECT_SCHEMA OBJECT_NAME DOMAIN "
    "COLUMN_NAME",
    "masking_policies": "POLICY_ID POLICY_NAME POLICY_SCHEMA POLICY_CATALOG POLICY_SIGNATURE POLICY_RETURN_TYPE POLICY_BODY DELETED",
    "row_access_policies": "POLICY_ID POLICY_NAME POLICY_SCHEMA POLICY_CATALOG POLICY_SIGNATURE POLICY_RETURN_TYPE POLICY_BODY DELETED",
    "tables": "TABLE_ID TABLE_NAME TABLE_SCHEMA TABLE_CATALOG TABLE_TYPE CREATED DELETED",
    "columns": "COLUMN_ID COLUMN_NAME TABLE_ID TABLE_NAME TABLE_SCHEMA TABLE_CATALOG DATA_TYPE DELETED",
    "object_dependencies": "REFERENCED_DATABASE REFERENCED_SCHEMA REFERENCED_OBJECT_NAME REFERENCED_OBJECT_DOMAIN "
    "REFERENCING_DATABASE REFERENCING_SCHEMA REFERENCING_OBJECT_NAME REFERENCING_OBJECT_DOMAIN DEPENDENCY_TYPE",
    "credentials": "CREDENTIAL_ID NAME USER_NAME TYPE STATUS CREATED_ON",
    "network_policies": "ID NAME DELETED",
    "network_rules": "ID NAME MODE TYPE VALUE_LIST DELETED",
    "network_rule_references": "NETWORK_RULE_NAME CONTAINER_NAME CONTAINER_TYPE ACTION_TYPE",
    "future_grants": "privilege grant_on name grant_to grantee_name",
    "parameters": "key value level",
}
NOTHING = {"row_access_policies", "network_rules", "network_rule_references"}  # no row can only make a control fail
NOT_UNIQUE = {"grants_to_roles", "access_history", "object_dependencies", "future_grants"}
ENTERPRISE = {"access_history", "masking_policies", "row_access_policies"}
KEYS = {"access_history": ["QUERY_ID"], "users": ["USER_ID"]}
SHOW = {
    "SHOW FUTURE GRANTS": (
        "future_grants",
        ["SHOW FUTURE GRANTS IN DATABASE {database}", "SHOW FUTURE GRANTS IN SCHEMA {schema}"],
    ),
    "SHOW PARAMETERS IN ACCOUNT": ("parameters", ["SHOW PARAMETERS IN ACCOUNT"]),
}


def text(value: object) -> str:
    """Spell a TOML value."""
    return json.dumps(value, ensure_ascii=False)


def column_line(dataset: str, column: dict[str, str]) -> str:
    """Spell one column as an inline table."""
    name = column["name"]
    documented = column["type"].split("(")[0]
    facts: dict[str, object] = {"name": name, "type": TYPES[documented]}
    extra = {**ODD["*"].get(name.upper(), {}), **ODD.get(dataset, {}).get(name, {})}
    facts |= {key: value for key, value in extra.items() if key != "note"}
    if name in REQUIRED[dataset].split():
        facts["required"] = True
    note = "; ".join(part for part in (column.get("note", ""), str(extra.get("note", ""))) if part)
    if note:
        facts["note"] = note
    return "  { " + ", ".join(f"{key} = {text(value)}" for key, value in facts.items()) + " },"


def contract(dataset: str, view: str, about: dict) -> str:
    """Spell one contract."""
    show = view.startswith("SHOW")
    unused = [c["name"] for c in about["columns"] if c.get("note") == "unused"]
    kept = [c for c in about["columns"] if c.get("note") != "unused"]
    names = {c["name"] for c in kept}
    key = KEYS.get(dataset, [name for name in about["natural_key"] if name in names])
    head: dict[str, object] = {
        "name": f"snowflake.{dataset}",
        "version": 1,
        "kind": "event" if about["kind"] == "event" else "state",
        "read": "show" if show else "view",
        "object": view if show else f"SNOWFLAKE.{view}",
        "description": about["description"],
        "page": f"SQL reference, command {view}"
        if show
        else f"SQL reference, Account Usage, {view.split('.')[1]} view",
        "edition": "enterprise" if dataset in ENTERPRISE else "standard",
        "latency_minutes": about["latency_minutes"] or 0,
    }
    if about.get("retention_days"):
        head["retention_days"] = about["retention_days"]
    if about.get("watermark"):
        head["watermark"] = about["watermark"]
    head["key"] = key
    if dataset in NOT_UNIQUE:
        head["unique_key"] = False
    if about.get("database_role"):
        head["roles"] = [role.strip() for role in about["database_role"].split(",")]
    if show:
        head["statements"] = SHOW[view][1]
    head["empty_means"] = "nothing" if dataset in NOTHING else "suspect"
    if unused:
        head["omitted"] = unused
    notes = "".join(f"# {note}\n" for note in about.get("notes", []))
    lines = "\n".join(column_line(dataset, c) for c in kept)
    return notes + "\n".join(f"{k} = {text(v)}" for k, v in head.items()) + f"\ncolumns = [\n{lines}\n]\n"


def main(views: Path, out: Path) -> None:
    """Write one file per dataset."""
    described = json.loads(views.read_text())
    wanted = {f"ACCOUNT_USAGE.{name.upper()}": name for name in REQUIRED} | {
        view: name for view, (name, _) in SHOW.items()
    }
    for view, dataset in wanted.items():
        if view in described:
            (out / f"{dataset}.toml").write_text(contract(dataset, view, described[view]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "evidence/datasets/snowflake"))

"""Write the first version of the Snowflake contracts from a file of view descriptions.

Usage: ``python scripts/contracts_from_views.py VIEWS_JSON [OUTPUT_DIR]``. The description file gives names, types and notes per
view; what only we decide (treatment, required, volatile, types that differ from the documented one, how a command is
sent) stands in ``contract_tables.py`` beside this file. The contracts are edited by hand afterwards: a file that exists is left alone, so
delete one to have it written again.
"""

import json
import re
import sys
from pathlib import Path

from contract_tables import (
    ALIASES,
    APPLICATION_ROLES,
    ASSUMED,
    ASSUMED_ROLES,
    COMMANDS,
    DATASETS,
    DESCRIPTIONS,
    EDITIONS,
    EMPTY_MEANS_NOTHING,
    KEYS,
    NOT_UNIQUE,
    ODD,
    OF_THE_ORGANIZATION,
    ORGANIZATION,
    RECOUNT_NIGHTS,
    REQUIRED,
    STATES,
    TYPES,
    UNSTABLE,
)

GUESS = re.compile(r"from memory|assumed|inferred|Terraform struct only|not confirmed", re.IGNORECASE)
BOILERPLATE = (
    "Output column names are lower case",
    "Point-in-time only",
    "Result lists only objects",
    "SHOW output is capped",
    "One statement per object",
    "Without LIMIT this command",
)


def text(value: object) -> str:
    """Spell a TOML value."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {text(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple) and len(value) > 1 and sum(len(str(item)) for item in value) > 100:
        return "[\n" + "".join(f"  {text(item)},\n" for item in value) + "]"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(text(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def column_line(dataset: str, column: dict[str, str], required: set[str]) -> str:
    """Spell one column as an inline table."""
    name = column["name"]
    documented = column["type"].split("(")[0]
    facts: dict[str, object] = {"name": name, "type": "decimal" if "," in column["type"] else TYPES[documented]}
    if documented in {"DATE", "TIMESTAMP_NTZ"}:
        facts["source_type"] = documented
    extra = {**ODD["*"].get(name.upper(), {}), **ODD.get(dataset, {}).get(name, {})}
    facts |= {key: value for key, value in extra.items() if key != "note"}
    if name in ALIASES.get(dataset, {}):
        facts["aliases"] = ALIASES[dataset][name]
    if name in required:
        facts["required"] = True
    if name in UNSTABLE.get(dataset, "").split() or "volatile" in column.get("note", ""):
        facts["volatile"] = True
    if GUESS.search(column.get("note", "")):
        facts["confidence"] = "assumed"
    note = "; ".join(part for part in (column.get("note", "").strip("; "), str(extra.get("note", ""))) if part)
    if note:
        facts["note"] = note
    return "  { " + ", ".join(f"{key} = {text(value)}" for key, value in facts.items()) + " },"


def page_of(view: str) -> str:
    """Name the page of a view."""
    schema, name = view.split(".")
    return f"SQL reference, {schema.replace('_', ' ').title()}, {name} view"


def product_of(dataset: str) -> str:
    """Return the first half of the dataset's name, which is its folder."""
    return "organization" if dataset in OF_THE_ORGANIZATION else "snowflake"


def edition(dataset: str, documented: str) -> str:
    """Return the least edition; one that is only a guess is not refused."""
    if dataset in EDITIONS:
        return EDITIONS[dataset]
    if documented.startswith("Business Critical"):
        return "business_critical"
    return "enterprise" if documented in {"Enterprise", "Enterprise for masking/row access"} else "standard"


def head_of(dataset: str, view: str, about: dict) -> dict[str, object]:
    """Return the keys before the columns."""
    command = COMMANDS.get(view, {})
    names = [c["name"] for c in (*command.get("added", []), *about["columns"])]
    event = about["kind"] == "event" and dataset not in STATES
    head: dict[str, object] = {
        "name": f"{product_of(dataset)}.{dataset}",
        "version": 1,
        "kind": "event" if event else "state",
        "read": command.get("read", "show") if command else "view",
        "object": command.get("object", view) if command else f"SNOWFLAKE.{view}",
        "description": DESCRIPTIONS.get(dataset, about["description"]),
        "page": command["page"]
        if command
        else f"SQL reference, {view.split('.', maxsplit=1)[0].replace('_', ' ').title()}, {view.split('.')[1]} view",
        "confidence": "documented" if about["confidence"] == "documented" and dataset not in ASSUMED else "assumed",
        "edition": edition(dataset, about["edition"]),
        "latency_minutes": about["latency_minutes"] or 0,
    }
    if about.get("latency_max_minutes"):
        head["latency_max_minutes"] = about["latency_max_minutes"]
    if dataset in RECOUNT_NIGHTS:
        head["recount_nights"] = RECOUNT_NIGHTS[dataset]
    if about.get("mutable") and event:
        head["mutable"] = True
    if about.get("retention_days") and event:
        head["retention_days"] = about["retention_days"]
    if event:
        head["watermark"] = about["watermark"]
    head["key"] = KEYS.get(dataset, [name for name in about["natural_key"] if name in names])
    if dataset in NOT_UNIQUE:
        head["unique_key"] = False
    return head | rights(dataset, about, command) | commands(command) | {
        "empty_means": "nothing" if dataset in EMPTY_MEANS_NOTHING else "suspect"
    }  # fmt: skip


def rights(dataset: str, about: dict, command: dict) -> dict[str, object]:
    """Return what a role needs, and over which connection."""
    found: dict[str, object] = {}
    role = about.get("database_role") or ""
    if dataset in APPLICATION_ROLES:
        found["application_roles"] = APPLICATION_ROLES[dataset]
    elif role == "unknown":
        found["roles"] = ASSUMED_ROLES[dataset]
    elif role:
        found["roles"] = re.split(r", | or ", role)
    if command.get("grants"):
        found["grants"] = command["grants"]
    if command.get("elevated"):
        found["connection"] = "elevated"
    return found


def commands(command: dict) -> dict[str, object]:
    """Return what is sent where the contract is no view."""
    return {key: command[key] for key in ("statements", "paged", "unfold", "lists") if key in command}


def contract(dataset: str, view: str, about: dict) -> str:
    """Spell one contract."""
    command = COMMANDS.get(view, {})
    unused = [c["name"] for c in about["columns"] if c.get("note") == "unused"] + command.get("omitted", [])
    columns = command.get("columns") or [c for c in about["columns"] if c["name"] not in unused]
    columns = [*command.get("added", []), *columns]
    head = head_of(dataset, view, about)
    required = set(REQUIRED.get(dataset, "").split()) or {
        *head["key"],
        *([head["watermark"]] if "watermark" in head else []),
    }
    if unused:
        head["omitted"] = unused
    notes = "".join(f"# {note}\n" for note in about.get("notes", []) if not note.startswith(BOILERPLATE))
    lines = "\n".join(column_line(dataset, c, required) for c in columns)
    lists = head.pop("lists", {})
    body = "\n".join(f"{k} = {text(v)}" for k, v in head.items()) + f"\ncolumns = [\n{lines}\n]\n"
    tables = "".join(
        f"\n[lists.{name}]\n" + "".join(f"{k} = {text(v)}\n" for k, v in listing.items())
        for name, listing in lists.items()
    )
    return notes + body + tables


def organization(dataset: str, view: str, about: dict) -> str:
    """Spell a contract of ORGANIZATION_USAGE: what differs from the account's view."""
    below = DATASETS[about["columns_from"]]
    head: dict[str, object] = {
        "name": f"organization.{dataset}",
        "version": 1,
        "extends": f"snowflake.{below}",
        "object": f"SNOWFLAKE.{view}",
        "description": f"Every account of the organization: {about['columns_from'].split('.')[1]}.",
        "page": f"SQL reference, Organization Usage, {view.split('.')[1]} view",
        "confidence": "assumed" if "index only" in about["confidence"] else "documented",
        "edition": "enterprise",
        "latency_minutes": about["latency_minutes"],
        "key": about["natural_key"] if below not in KEYS else ["ACCOUNT_LOCATOR", *KEYS[below]],
        **ORGANIZATION[about["database_role"]],
    }
    if about["latency_minutes"] > 360 and below == "warehouse_metering":
        head["latency_max_minutes"] = about["latency_minutes"]
    notes = "".join(f"# {note}\n" for note in about.get("notes", []))
    lines = "\n".join(column_line(f"organization.{dataset}", c, {"ACCOUNT_LOCATOR"}) for c in about["columns"])
    return notes + "\n".join(f"{k} = {text(v)}" for k, v in head.items()) + f"\ncolumns = [\n{lines}\n]\n"


def main(views: Path, out: Path) -> None:
    """Write one file per dataset that has none."""
    described = json.loads(views.read_text())
    for view, about in described.items():
        if view in DATASETS:
            dataset = DATASETS[view]
            put(out / product_of(dataset) / f"{dataset}.toml", contract(dataset, view, about))
        elif view.startswith("ORGANIZATION_USAGE."):
            dataset = DATASETS[about["columns_from"]].removesuffix("_view")
            put(out / "organization" / f"{dataset}.toml", organization(dataset, view, about))


def put(file: Path, body: str) -> None:
    """Write a file that is not there."""
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        file.write_text(body)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "evidence/datasets"))

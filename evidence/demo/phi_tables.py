"""Tables nobody looked at, PHI without a tag or outside production, and a de-identified product; deviations of each."""

from typing import Any

from evidence.demo.dbt_nodes import test_id
from evidence.demo.dbt_project import NodeChange
from evidence.demo.governance import column_row, tag_reference
from evidence.demo.products import Product
from evidence.demo.state import ALWAYS
from evidence.demo.tables import BUILT, Table, TableColumn
from evidence.demo.world import World

TABLES, COLUMNS, TAGS, CLASSIFIED = (
    f"snowflake.{name}" for name in ("tables", "columns", "tag_references", "data_classification_latest")
)
TAGGED, LOOKED, ELSEWHERE = "data-phi-tag-coverage", "data-discovery-coverage", "data-no-phi-nonprod"
COVERAGE, PRODUCTS = "data-phi-mask-coverage", "data-deidentified"
DEIDENTIFIED = "CLAIMS.MART.AGG_LOSS_RATIO"
FOUND = '{"ROW_KEY": {"recommendation": {"privacy_category": "IDENTIFIER", "semantic_category": "EMAIL"}}}'


def build_tables(world: World) -> None:
    """Let the dbt project say what each of its models and sources holds."""
    for node in (*world.project.models, *world.project.sources):
        phi = any(column["meta"].get("phi") for column in node["columns"].values())
        node["meta"].setdefault("classification", "PHI" if phi else "internal")


def plant_tables(world: World) -> None:
    """Plant them all; what dbt does not know has been through the classifier."""
    _classify(world)
    _undecided(world)
    _untagged(world)
    _outside(world)
    _deidentified(world)


def _classify(world: World) -> None:
    """Give every table that dbt does not make a result of the classifier, renewed in the middle of the period."""
    nodes = (*world.project.models, *world.project.sources)
    known = {(n["database"], n["schema"], n.get("alias") or n.get("identifier")) for n in nodes}
    seen = set()
    for row in world.state.select(TABLES):
        values = row.values
        place = (values["TABLE_CATALOG"], values["TABLE_SCHEMA"], values["TABLE_NAME"])
        if place in known or values["TABLE_ID"] in seen:
            continue
        seen.add(values["TABLE_ID"])
        result = {
            "TABLE_ID": values["TABLE_ID"],
            "DATABASE_NAME": place[0],
            "SCHEMA_NAME": place[1],
            "TABLE_NAME": place[2],
            "RESULT": "{}",
            "STATUS": "REVIEWED",
            "TRIGGER_TYPE": "AUTO CLASSIFICATION",
            "LAST_CLASSIFIED_ON": world.size.evening(-10, 2),
        }
        renewed = world.state.add(CLASSIFIED, result)
        renewed.change(40, ALWAYS, LAST_CLASSIFIED_ON=world.size.evening(38, 2))


def _undecided(world: World) -> None:
    table = _table(world, 1, "FINANCE.STAGING.TMP_EXTRACT", {"ROW_KEY": "NUMBER"}, 4, 6)
    world.expect("new-table", LOOKED, table.path, "not-looked-at", 4, 6)
    found = world.state.find(CLASSIFIED, TABLE_NAME="STG_SANDBOX_0009")
    found.change(30, 33, STATUS="CLASSIFIED", RESULT=FOUND, LAST_CLASSIFIED_ON=world.size.evening(29, 2))
    path = "SANDBOX.STAGING.STG_SANDBOX_0009"
    world.expect("classifier-undecided", LOOKED, path, "undecided", 30, 33, "review")
    old = world.state.find(CLASSIFIED, TABLE_NAME="SRC_SANDBOX_0020")
    old.change(70, 72, LAST_CLASSIFIED_ON=world.size.evening(-30, 2))
    world.expect("classifier-outdated", LOOKED, "SANDBOX.RAW.SRC_SANDBOX_0020", "classifier-outdated", 70, 72)


def _untagged(world: World) -> None:
    state, expect = world.state, world.expect
    # The mask stays: it is set on the column while the tag is gone.
    state.find(TAGS, OBJECT_SCHEMA="MART", OBJECT_NAME="DIM_MEMBER", COLUMN_NAME="EMAIL").absent.append((6, 8))
    where = {"REF_SCHEMA_NAME": "MART", "REF_ENTITY_NAME": "DIM_MEMBER", "REF_COLUMN_NAME": "EMAIL"}
    direct = dict.fromkeys(("TAG_DATABASE", "TAG_SCHEMA", "TAG_NAME"))
    state.find("snowflake.policy_references", **where).change(6, 8, **direct)
    expect("tag-removed", TAGGED, "MEMBER.MART.DIM_MEMBER.EMAIL", "not-tagged", 6, 8)
    drug = state.find(TAGS, OBJECT_SCHEMA="MART", OBJECT_NAME="FCT_FILL", COLUMN_NAME="DRUG_CODE")
    drug.change(44, 46, TAG_VALUE="none")
    expect("tag-says-none", TAGGED, "PHARMACY.MART.FCT_FILL.DRUG_CODE", "not-tagged", 44, 46)
    _column(world, "FINANCE.MART.FCT_PREMIUM", 2, "EMAIL", "TEXT", 57, 60)
    expect("suspected-column", TAGGED, "FINANCE.MART.FCT_PREMIUM.EMAIL", "suspected", 57, 60, "review")
    # Planted for the coverage by masks: the contract names what is not there, or says too little.
    expect("phi-object-without-columns", TAGGED, "CARE.MART.RPT_OUTREACH.*", "columns-unknown", 10, 11, "review")
    legacy = "CLAIMS.MART.FCT_CLAIM.LEGACY_SSN"
    expect("contract-column-not-built", TAGGED, legacy, "column-not-seen", 50, 51, "review")


def _outside(world: World) -> None:
    """A sample of members in a development database, first tagged, then only suspicious by its names."""
    sample = _table(world, 2, "DEV.SCRATCH.MEMBER_SAMPLE", {"PERSON_KEY": "TEXT", "PLAN_CODE": "TEXT"}, 22, 24)
    world.state.add(TAGS, tag_reference(sample, sample.columns[0], "phi"), first=22, last=24)
    world.expect("phi-in-development", ELSEWHERE, sample.path, "phi-outside-production", 22, 24)
    world.expect("phi-in-development", COVERAGE, f"{sample.path}.PERSON_KEY", "no-policy", 22, 24)
    world.expect("phi-in-development", LOOKED, sample.path, "not-looked-at", 22, 24)
    names = _table(world, 3, "DEV.SCRATCH.CALL_LIST", {"DOB": "DATE", "CHANNEL": "TEXT"}, 62, 64)
    world.expect("suspected-in-development", ELSEWHERE, names.path, "suspected", 62, 64, "review")
    world.expect("suspected-in-development", TAGGED, f"{names.path}.DOB", "suspected", 62, 64, "review")
    world.expect("suspected-in-development", LOOKED, names.path, "not-looked-at", 62, 64)


def _deidentified(world: World) -> None:
    expect = world.expect
    _column(world, DEIDENTIFIED, 4, "LOADED_ON", "DATE", 11, 13)
    expect("date-not-tested", PRODUCTS, f"{DEIDENTIFIED}.LOADED_ON", "value-not-tested", 11, 13)
    world.product_edits.append((27, 28, _without_method))
    expect("method-removed", PRODUCTS, "contract/loss_ratio", "method-missing", 27, 28, source="")
    # No run, no result.
    year = f"{DEIDENTIFIED}.SERVICE_YEAR"
    expect("missing-run", PRODUCTS, year, "value-not-tested", 30, 30)
    # The manifests of two nights lack the test, and so do the runs of the mornings after.
    world.project.node_changes.append(NodeChange(test_id("year_only", "AGG_LOSS_RATIO", "SERVICE_YEAR"), 52, 53))
    expect("year-test-removed", PRODUCTS, year, "value-not-tested", 52, 54)
    _column(world, DEIDENTIFIED, 5, "ZIP_CODE", "TEXT", 84, ALWAYS)
    expect("identifying-name", PRODUCTS, f"{DEIDENTIFIED}.ZIP_CODE", "identifier-name", 84, ALWAYS, "review")
    expect("identifying-name", TAGGED, f"{DEIDENTIFIED}.ZIP_CODE", "suspected", 84, ALWAYS, "review")


def _without_method(products: dict[str, Product]) -> None:
    del products["loss_ratio"]["deidentification"]


def _table(world: World, number: int, path: str, columns: dict[str, str], first: int, last: int) -> Table:
    """Add a table that is there on some nights."""
    database, schema, name = path.split(".")
    listed = tuple(TableColumn(_id(number) + at, column, kind) for at, (column, kind) in enumerate(columns.items(), 1))
    table = Table(_id(number), database, schema, name, listed)
    where = _where(table)
    row: dict[str, Any] = {
        **where,
        "TABLE_OWNER": "DBT_PROD",
        "TABLE_TYPE": "BASE TABLE",
        "IS_TRANSIENT": "NO",
        "ROW_COUNT": 4000,
        "BYTES": 2_048_000,
        "RETENTION_TIME": 30,
        "CREATED": BUILT,
        "LAST_DDL": BUILT,
        "OWNER_ROLE_TYPE": "ROLE",
    }
    world.state.add(TABLES, row, first=first, last=last)
    for ordinal, column in enumerate(listed, 1):
        world.state.add(COLUMNS, column_row(where, column, ordinal), first=first, last=last)
    return table


def _column(world: World, path: str, number: int, name: str, kind: str, first: int, last: int) -> None:
    """Add a column to a table on some nights."""
    table = world.catalog.by_path[path]
    column = TableColumn(_id(number) + 500, name, kind)
    row = column_row(_where(table), column, len(table.columns) + 1)
    world.state.add(COLUMNS, row, first=first, last=last)


def _where(table: Table) -> dict[str, Any]:
    names = {"TABLE_SCHEMA": table.schema, "TABLE_CATALOG": table.database, "TABLE_NAME": table.name}
    return names | {"TABLE_ID": table.id}


def _id(number: int) -> int:
    return 902_000_000 + 1000 * number

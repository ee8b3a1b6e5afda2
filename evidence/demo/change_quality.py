"""The demo's dbt side of data quality: freshness of sources, enforced contracts, histories, owners and promises of products."""

from evidence.demo.dbt_history import (
    HISTORIES,
    history_table,
    history_test_id,
    history_tests,
    snapshot_id,
    snapshot_node,
)
from evidence.demo.dbt_nodes import Node, model_id, source_id, test_id
from evidence.demo.dbt_project import FreshnessChange, NodeChange, RunChange
from evidence.demo.governance import add_table
from evidence.demo.products import Product
from evidence.demo.records_roster import ROSTER, build_roster
from evidence.demo.state import ALWAYS
from evidence.demo.workspace import APPROVED, OFFICER
from evidence.demo.world import World

FRESHNESS, ENFORCED, SNAPSHOTS = "quality-source-freshness", "quality-contract-enforced", "quality-snapshots"
OWNERSHIP, PROMISES = "quality-ownership-lineage", "quality-slo-met"
STEWARD = "tove.halbrook@fernhollow.example"  # owns a table and signs in nowhere


def build_quality(world: World) -> None:
    """Add the histories, their register, the roster and a table that a person owns."""
    for number, (path, key) in enumerate(HISTORIES.items()):
        dimension = world.catalog.by_path[path]
        table = history_table(number, dimension)
        add_table(world.state, table)
        world.project.models.append(snapshot_node(table, dimension))
        world.project.tests += history_tests(table, dimension)
        row = {
            "dimension": path,
            "snapshot": snapshot_id(path),
            "business_key": [key.lower()],
            "owner": "Data platform",
        }
        world.registers.setdefault("history_tables", []).append(row | {"approved_by": OFFICER, "approved_on": APPROVED})
    world.registers.setdefault("freshness_exemptions", [])
    build_roster(world)
    person = {"person_id": "P-20017", "kind": "person", "status": "active", "worker_type": "employee", "email": STEWARD}
    world.state.add(ROSTER, person | {"department": "Product"})
    plan = next(node for node in world.project.models if node["unique_id"] == model_id("dim_plan"))
    plan["meta"]["owner"] = STEWARD


def plant_quality(world: World) -> None:
    """Plant the deviations."""
    _freshness(world)
    _enforced(world)
    _snapshots(world)
    _ownership(world)
    _promises(world)


def _freshness(world: World) -> None:
    tables, project, expect = world.catalog.by_path, world.project, world.expect
    late, left_out, unlimited = (
        source_id(tables[path]) for path in ("CLAIMS.RAW.CLAIM_LINES", "CARE.RAW.ASSESSMENTS", "FINANCE.RAW.PREMIUMS")
    )
    project.freshness_changes.append(FreshnessChange(late, 3, 4, 31))
    expect("connector-stands-still", FRESHNESS, late, "source-stale", 3, 4)
    project.freshness_changes.append(
        FreshnessChange(source_id(tables["PHARMACY.RAW.RX_FILLS"]), 16, 16, 15)
    )  # over the warning only
    project.node_changes.append(NodeChange(unlimited, 20, 22, {"freshness": None}))
    expect("source-without-limit", FRESHNESS, unlimited, "no-criteria", 20, 22)
    project.freshness_changes.append(FreshnessChange(left_out, 66, 67))
    expect("source-not-measured", FRESHNESS, left_out, "not-measured", 66, 67)
    # The run that is missing measured nothing either, and no other run does.
    world.gap("missing-run", FRESHNESS, "missing-evidence", (30, 30), "nothing-concluded")


def _enforced(world: World) -> None:
    changes, expect = world.project.node_changes, world.expect
    loose = {"contract": {"enforced": False, "alias_types": True, "checksum": None}}
    changes.append(NodeChange(model_id("fct_fill"), 6, 8, loose))
    expect(
        "contract-not-enforced", ENFORCED, "PHARMACY.MART.FCT_FILL", "not-enforced", 6, 8, source=world.names.contracts
    )
    node = next(node for node in world.project.models if node["unique_id"] == model_id("fct_claim_line"))
    retyped = {**node["columns"], "paid_amount": {**node["columns"]["paid_amount"], "data_type": "text"}}
    changes.append(NodeChange(model_id("fct_claim_line"), 33, 35, {"columns": retyped}))
    expect(
        "type-differs", ENFORCED, "CLAIMS.MART.FCT_CLAIM_LINE", "type-not-built", 33, 35, source=world.names.contracts
    )
    expect(
        "contract-column-not-built",
        ENFORCED,
        "CLAIMS.MART.FCT_CLAIM",
        "column-missing",
        50,
        51,
        source=world.names.contracts,
    )
    changes.append(NodeChange(model_id("dim_care_plan"), 79, ALWAYS, {"access": "private"}))
    expect(
        "published-but-private", ENFORCED, "CARE.MART.DIM_CARE_PLAN", "access-private", 79, source=world.names.contracts
    )


def _snapshots(world: World) -> None:
    plan, provider, drug = HISTORIES
    project, expect = world.project, world.expect
    project.node_changes.append(NodeChange(snapshot_id(plan), 7, 9, {"config": {"hard_deletes": "ignore"}}))
    expect("deletes-ignored", SNAPSHOTS, plan, "deletes-ignored", 7, 9)
    project.node_changes.append(NodeChange(history_test_id("mutually_exclusive_ranges", provider), 24, 27))
    expect("overlap-untested", SNAPSHOTS, provider, "overlap-untested", 24, 27)
    database, _, name = drug.split(".")
    kept = world.state.find("snowflake.tables", TABLE_CATALOG=database, TABLE_NAME=f"HIST_{name}")
    kept.change(57, 60, IS_TRANSIENT="YES")
    expect("history-transient", SNAPSHOTS, drug, "table-not-kept", 57, 60)
    for path in HISTORIES:  # the capture comes 46 hours after the last run
        expect("missing-run", SNAPSHOTS, path, "not-run", 30, 30)


def _ownership(world: World) -> None:
    expect = world.expect
    world.state.find(ROSTER, email=STEWARD).change(9, 12, status="terminated", terminated_at=world.size.evening(9, 17))
    expect("owner-left", OWNERSHIP, "MEMBER.MART.DIM_PLAN", "owner-left", 9, 12, source=world.names.snowflake)
    world.project.node_changes.append(NodeChange(model_id("fct_reserve"), 36, 39, {"description": ""}))
    expect(
        "not-described", OWNERSHIP, "ACTUARIAL.MART.FCT_RESERVE", "no-description", 36, 39, source=world.names.snowflake
    )
    alone: Node = {"depends_on": {"macros": [], "nodes": []}}
    world.project.node_changes.append(NodeChange(model_id("rpt_outreach"), 82, ALWAYS, alone))
    expect("table-without-lineage", OWNERSHIP, "CARE.MART.RPT_OUTREACH", "no-lineage", 82, source=world.names.snowflake)


def _promises(world: World) -> None:
    """A promise broken by a test or a build, one nobody can read, one that nothing measures; and what earlier plants break."""
    # Failed on day 5 and mended within 24 hours: a promise is broken, while the failure itself was dealt with in time.
    test = test_id("relationships", "FCT_ENROLLMENT", "MEMBER_ID")
    world.project.run_changes.append(RunChange(test, 5, 5, "fail", "Got 3 results, configured to fail if != 0", 3))
    _broken(world, "mended-in-time", "member_360: completeness", "breached", 5, 5)
    _broken(world, "failing-test-fixed-next-day", "claims_core: completeness", "breached", 22, 22)
    _broken(world, "failing-test-never-fixed", "pharmacy_core: completeness", "breached", 80, ALWAYS)
    _broken(world, "model-skipped", "member_360: freshness", "breached", 58, 59)
    for name, product in world.products.items():
        if "quality_slo" in product:
            _broken(world, "missing-run", f"{name}: freshness", "breached", 30, 31)
            _broken(world, "missing-run", f"{name}: completeness", "not-measured", 30, 30)
    world.product_edits.append(
        (8, 9, lambda products: _promise(products["care_management"], "completeness", "about 99%"))
    )
    _broken(world, "promise-in-words", "care_management: completeness", "not-parseable", 8, 9)
    world.product_edits.append(
        (61, 63, lambda products: _promise(products["provider_encounters"], "accuracy", ">=99.9%"))
    )
    _broken(world, "promise-not-measured", "provider_encounters: accuracy", "not-measured", 61, 63)


def _promise(product: Product, name: str, value: str) -> None:
    product["quality_slo"] = {**product["quality_slo"], name: value}


def _broken(world: World, plant: str, item: str, reason: str, first: int, last: int) -> None:
    world.expect(plant, PROMISES, item, reason, first, last, source=world.names.contracts)

"""How long data is kept: promises, dbt tests of age, files, requests to delete, and deviations of each."""

import json
from typing import Any, Final

from evidence.demo.avail_recovery import table_row
from evidence.demo.aws_buckets import BUCKETS, INVENTORY, LANDING, bucket, expiry, inventory
from evidence.demo.dbt_nodes import retention_test, test_id
from evidence.demo.dbt_project import NodeChange, RunChange
from evidence.demo.once import once, register
from evidence.demo.state import ALWAYS
from evidence.demo.tables import Table
from evidence.demo.tickets import TICKETS, ticket
from evidence.demo.workspace import APPROVED, EXPIRES, OFFICER
from evidence.demo.world import World

CONTRACT, PURGE = "retention-contract", "retention-purge"
_DAYS: Final = {"RAW": 90, "STAGING": 90, "INTERMEDIATE": 90, "MART": 2557}
_PROMISES: Final = {"raw": "90d", "staging": "90d", "intermediate": "90d", "mart": "7y"}
_FEEDS: Final = {"member_feed": "member", "claims_feed": "claims", "pharmacy_feed": "pharmacy", "care_feed": "care"}
_ALSO_TESTED: Final = (
    "CARE.MART.RPT_OUTREACH",
    "PHARMACY.MART.DIM_DRUG",
)  # served by a contract at times, or by another


def build_retention(world: World) -> None:
    """Add what contracts promise, tests that hold them to it, the landing bucket and a request to delete."""
    for promised in world.products.values():
        promised["retention_policy"] = dict(_PROMISES)
    for product, folder in _FEEDS.items():
        lineage = world.products[product].setdefault("lineage", {})
        lineage.setdefault("sources", []).append(f"s3://{LANDING}/{folder}/")
    for table in world.catalog.named:
        if table.schema in _DAYS and (table.product or table.path in _ALSO_TESTED):
            world.project.tests.append(retention_test(table, _DAYS[table.schema]))
    once(world, BUCKETS, bucket(LANDING), "name").values["lifecycle_rules"] = _rules()
    for folder in _FEEDS.values():
        world.state.add(INVENTORY, inventory(LANDING, f"{folder}/")).daily = lambda night: _report(world, night)
    night = world.size.evening
    asked = ticket("REQ0077012", "deletion_request", night(-20, 9), status="in_progress", due_at=night(200))
    world.state.add(TICKETS, asked)


def plant_retention(world: World) -> None:
    """Plant them all; the bucket stands in the register of the boundary if nobody else put it there."""
    if not any(row["name"] == LANDING for row in world.registers.get("boundary", ())):
        place = {"kind": "bucket", "name": LANDING, "purpose": "landed files", "inside": True}
        register(world, "boundary", place | {"approved_by": OFFICER, "approved_on": APPROVED, "expires": EXPIRES})
    _kept_too_long(world)
    _not_purged(world)


def _rules(other: str = "", **change: Any) -> str:
    """Return the life cycle of the landing bucket; ``change`` is what the folder ``other`` has otherwise."""
    usual: dict[str, Any] = {"days": 90}
    return json.dumps([expiry(f"{f}/", **(usual | change if f == other else usual)) for f in _FEEDS.values()])


def _report(world: World, night: int) -> dict[str, Any]:
    """The report of the last Sunday: files lie for 90 days at most."""
    made = night - (night + 3) % 7
    oldest, newest = world.size.evening(made - 89, 6), world.size.evening(made - 1, 6)
    return {"report_at": world.size.evening(made, 5), "oldest_object_at": oldest, "newest_object_at": newest}


def _kept_too_long(world: World) -> None:
    table_row(world, "CLAIMS.MART.FCT_CLAIM").change(6, 8, RETENTION_TIME=90)
    world.expect("tail-too-long", CONTRACT, "claims_core: CLAIMS.MART.FCT_CLAIM", "tail-long", 6, 8)
    row = world.state.find(BUCKETS, name=LANDING)
    changes: tuple[tuple[str, str, dict[str, Any], int, int, str], ...] = (
        ("files-kept-longer", "pharmacy_feed", {"days": 365}, 25, 27, "expiry-late"),
        ("life-cycle-disabled", "care_feed", {"status": "Disabled"}, 58, 60, "no-expiry"),
        ("older-versions-stay", "claims_feed", {"older": 365}, 84, ALWAYS, "versions-kept"),
    )
    for plant, product, change, first, last, reason in changes:
        folder = _FEEDS[product]
        row.change(first, last, lifecycle_rules=_rules(folder, **change))
        name = "pharmacy_intake" if product == "pharmacy_feed" else product  # renamed by then
        world.expect(plant, CONTRACT, f"{name}: s3://{LANDING}/{folder}/", reason, first, last)


def _not_purged(world: World) -> None:
    project, night, tables = world.project, world.size.evening, world.catalog.by_path
    due = ticket("REQ0077031", "deletion_request", night(-21, 9), due_at=night(8, 17), status="in_progress")
    late = world.state.add(TICKETS, due, last=13)
    late.change(12, ALWAYS, status="closed", closed_at=night(12, 11))
    world.expect("deletion-late", PURGE, "servicenow REQ0077031", "request-overdue", 8, 13)
    # The run of the next morning ends within 24 hours and passes: quality-test-results has nothing to find.
    message = "Got 12 results, configured to fail if != 0"
    project.run_changes.append(RunChange(_test(tables["CLAIMS.MART.FCT_CLAIM"]), 11, 11, "fail", message, 12))
    _expect(world, "rows-past-their-time", "claims_core: CLAIMS.MART.FCT_CLAIM", "rows-too-old", 11, 11)
    project.node_changes.append(NodeChange(_test(tables["CARE.MART.DIM_CARE_PLAN"]), 76, 77))
    test_gone = "care_management: CARE.MART.DIM_CARE_PLAN"
    _expect(world, "retention-test-removed", test_gone, "no-retention-test", 76, 77)
    report = world.state.find(INVENTORY, filter_prefix="member/")
    report.change(45, 47, oldest_object_at=night(-90, 6))
    _expect(world, "old-files-left", f"member_feed: s3://{LANDING}/member/", "files-too-old", 45, 47)


def _expect(world: World, plant: str, item: str, reason: str, first: int, last: int) -> None:
    world.expect(plant, PURGE, f"product {item}", reason, first, last, source="")


def _test(table: Table) -> str:
    tagged = retention_test(table, _DAYS[table.schema])
    return test_id("rows_within_retention", table.name, str(tagged["column_name"]))

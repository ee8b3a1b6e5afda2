"""What the account spends: clean warehouses, and deviations of their limits, monitors, tags and use."""

from typing import Final

from evidence.demo.state import ALWAYS
from evidence.demo.warehouses import METERING, MONITORS, PARAMETERS, TAGS, USED, WAREHOUSES, build_warehouses, metered
from evidence.demo.world import World

MONITOR, SUSPEND, BUDGET = "cost-resource-monitor", "cost-auto-suspend", "cost-budget"
# product -> domain of its warehouses, dollars a month
_CAPS: Final = {"member_360": ("member", 1200), "claims_core": ("claims", 3000)}
# warehouse -> first and last night, credits of each: twice the usual for a week, and one night far above it
_USED_MORE: Final = {"WH_MEMBER_SERVICES": (50, 56, 16), "WH_FRAUD": (9, 9, 40)}


def build_cost(world: World) -> None:
    """Add warehouses, what they use, and what contracts allow."""
    build_warehouses(world)
    for product, (domain, cap) in _CAPS.items():
        tags = {"domain": domain, "cost_center": f"CC-{domain.upper()}"}
        world.products[product]["cost"] = {"monthly_cap_usd": cap, "tags": tags}
    for night in range(world.size.nights):
        for name, (_, _, usual) in USED.items():
            first, last, more = _USED_MORE.get(name, (ALWAYS, 0, 0))
            world.happen(METERING, night, metered(world, name, night, more if first <= night <= last else usual))


def plant_cost(world: World) -> None:
    """Plant them all."""
    _limits(world)
    _budget(world)


def _limits(world: World) -> None:
    find, expect = world.state.find, world.expect
    find(WAREHOUSES, name="WH_FRAUD").change(1, 2, resource_monitor="null")
    expect("warehouse-without-monitor", MONITOR, "warehouse WH_FRAUD", "no-monitor", 1, 2)
    find(MONITORS, name="EVIDENCE_MONTHLY").change(36, 40, suspend_at=None, suspend_immediately_at=None)
    expect("monitor-only-tells", MONITOR, "warehouse EVIDENCE_WH", "no-suspend", 36, 40)
    find(WAREHOUSES, name="WH_ACTUARIAL").change(5, 8, auto_suspend=0)
    expect("warehouse-never-suspends", SUSPEND, "WH_ACTUARIAL", "never-suspends", 5, 8)
    find(PARAMETERS, warehouse_name="WH_DBT").change(46, 49, value="172800", level="")
    expect("statements-without-limit", SUSPEND, "WH_DBT", "no-timeout", 46, 49)
    find(WAREHOUSES, name="WH_TABLEAU").change(79, ALWAYS, max_cluster_count=10)
    expect("many-clusters", SUSPEND, "WH_TABLEAU", "many-clusters", 79)


def _budget(world: World) -> None:
    """Seven nights at $3 a credit, carried on for thirty days.

    Member services uses 8 credits on a usual night and 16 on each of seven: $7,560 in the seven nights are 90 percent of
    the cap, $8,400 all of it; that is more than 84 and more than 93 credits.
    """
    find, expect = world.state.find, world.expect
    find(TAGS, OBJECT_NAME="WH_REPORTING", TAG_NAME="COST_CENTER").absent.append((3, 5))
    expect("warehouse-tag-missing", BUDGET, "warehouse WH_REPORTING", "tag-missing", 3, 5)
    find(TAGS, OBJECT_NAME="WH_CI", TAG_NAME="ENV").change(30, 32, TAG_VALUE="playground")
    expect("environment-of-no-kind", BUDGET, "warehouse WH_CI", "tag-strange", 30, 32)
    expect("one-costly-night", BUDGET, "domain claims", "unusual", 9, 9, "review", source="")
    for night in (53, 59):  # 88 credits in seven nights, on the way up and on the way down
        expect("domain-over-its-cap", BUDGET, "domain member", "near-cap", night, night, "review", source="")
    expect("domain-over-its-cap", BUDGET, "domain member", "over-cap", 54, 58, source="")

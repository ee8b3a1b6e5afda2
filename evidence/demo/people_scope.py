"""What is registered as inside or outside the boundary, and what exists: accounts, databases, buckets."""

from evidence.demo.avail_recovery import DATABASES, database
from evidence.demo.aws_buckets import BUCKETS, LANDING, SUMMARY, bucket, summary
from evidence.demo.once import once, register
from evidence.demo.organization_accounts import ACCOUNT, ACCOUNTS, account, build_accounts
from evidence.demo.people_signers import APPROVAL
from evidence.demo.world import World

SCOPE = "program-scope-reconciled"
SAMPLES = "SNOWFLAKE_SAMPLE_DATA"


def build_scope(world: World) -> None:
    """Add accounts, databases and buckets, unless somebody has."""
    build_accounts(world)
    once(world, BUCKETS, bucket(LANDING), "name")
    once(world, SUMMARY, summary(), "account")
    samples = {"origin": "SFC_SAMPLES.SAMPLE_DATA", "kind": "IMPORTED DATABASE", "owner": ""}
    once(world, DATABASES, database(SAMPLES, **samples), "name")


def plant_scope(world: World) -> None:
    """Register all that is there, then add what nobody has registered."""
    _register(world)
    night = world.size.night
    world.state.add(BUCKETS, bucket("fernhollow-scratch"), first=9, last=10)
    world.expect("stray-bucket", SCOPE, "bucket fernhollow-scratch", "not-registered", 9, 10)
    world.state.add(ACCOUNTS, account(7, "TRIAL", "BUSINESS_CRITICAL"), first=27, last=31)
    world.expect("stray-account", SCOPE, "account TRIAL", "not-registered", 27, 31)
    samples = next(row for row in world.registers["boundary"] if row["name"] == SAMPLES)
    samples["expires"] = night(64)
    register(world, "boundary", samples | {"approved_on": night(67), "expires": night(400)})
    world.expect("boundary-registration-expires", SCOPE, f"database {SAMPLES}", "registration-expired", 64, 66)


def _register(world: World) -> None:
    zones = {row["database"] for row in world.registers["zones"]}
    known = {(row["kind"], row["name"]) for row in world.registers.get("boundary", ())}
    found = {
        "snowflake_account": _names(world, ACCOUNTS, "account_name"),
        "aws_account": _names(world, SUMMARY, "account"),
        "bucket": _names(world, BUCKETS, "name"),
        "database": _names(world, DATABASES, "name") - zones - {"SNOWFLAKE"},
    }
    for kind, names in found.items():
        for name in sorted(name for name in names if (kind, name) not in known):
            inside = name == ACCOUNT if kind == "snowflake_account" else name != SAMPLES
            row = {"kind": kind, "name": name, "purpose": "the platform", "inside": inside}
            if name == ACCOUNT:
                row["source"] = world.names.snowflake
            if not inside:
                row |= {"purpose": "samples and courses", "reason": "holds no data of ours"}
            register(world, "boundary", row | APPROVAL)


def _names(world: World, dataset: str, column: str) -> set[str]:
    return {row.values[column] for row in world.state.select(dataset) if row.values[column]}

"""What a plant of one family does to the controls of another: expected here, where all families are known."""

from evidence.demo.people import ADMINS
from evidence.demo.world import World

DDL, GRANTED, CHANGES, LEAVERS, SLO = (
    "change-prod-ddl",
    "access-grant-approved",
    "monitor-privileged-changes",
    "identity-leaver-disabled",
    "quality-slo-met",
)


def expect_crossings(world: World) -> None:
    """Write them down; nothing is planted here."""
    expect = world.expect
    one, two = (name for name, _, _ in ADMINS)
    expect("admin-without-change", DDL, f"{two} as ACCOUNTADMIN in unknown database", "not-a-deployer", 4, 4)
    expect("admin-without-change", CHANGES, "01acce55-0b0e-0000-0000-000000000386", "no-change-record", 4, 4, "review")
    expect("grant-without-change", GRANTED, "statement 01c0ffee-0d0b-0000-0000-000000000007", "unseen-grant", 7, 7)
    expect("mask-taken-off", DDL, f"{one} as SYSADMIN in unknown database", "not-a-deployer", 66, 66)
    expect("deployer-by-hand", DDL, "TERRAFORM as TERRAFORM in unknown database", "deployer-used-by-hand", 38, 38)
    expect("unmatched-leaver", LEAVERS, "P-20017", "orphan-logins", 9, 12, "review")
    sample = "DEV.SCRATCH.MEMBER_SAMPLE"
    expect("phi-in-development", "access-contract-roles", sample, "no-contract", 22, 24)
    expect("phi-in-development", "access-powerful-privileges", "schema DEV.SCRATCH", "unknown-value", 22, 24)
    expect("service-admin", "change-iac-credentials", "deployer TERRAFORM", "admin-role", 53, 53)
    expect("rows-past-their-time", SLO, "claims_core: completeness", "breached", 11, 11, source=world.names.contracts)

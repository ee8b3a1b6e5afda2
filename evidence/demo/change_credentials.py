"""The demo's credentials of pipelines: access keys, leases of the secret store, and secrets that a scanner found."""

from evidence.demo.change_commits import REPO
from evidence.demo.change_state import DOCUMENT, STATE
from evidence.demo.state import ALWAYS
from evidence.demo.world import World

CREDENTIALS = "change-iac-credentials"
SCANS, LEASES, KEYS = "records.secret_scan", "records.secret_leases", "aws.iam_access_keys"


def build_credentials(world: World) -> None:
    """Add keys that are rotated, a lease a night, and a false alarm."""
    size, state = world.size, world.state
    if KEYS not in state.datasets:
        # Rotated every two months.
        for number, (first, last) in enumerate(((0, 39), (40, ALWAYS))):
            key = {
                "account": "210987654321",
                "region": "global",
                "user_name": "feed-relay",
                "access_key_id": f"AKIAFERNHOLLOW000{number}",
            }
            made = {"status": "Active", "created_at": size.evening(first - 12, 9), "never_used": False}
            state.add(KEYS, key | made, first=first, last=last)
    found = {
        "tool": "gitleaks",
        "repo": REPO,
        "finding_id": "7",
        "secret_type": "generic",
        "status": "resolved",
        "resolution": "false_positive",
    }
    state.add(SCANS, found | {"active": False, "found_at": size.evening(-40, 9), "resolved_at": size.evening(-39, 9)})
    lease = state.add(
        LEASES, {"engine": "snowflake", "role": "dbt-prod", "kind": "dynamic", "client": "airflow", "renewable": False}
    )
    lease.daily = lambda night: {
        "lease_id": f"snowflake/creds/dbt-prod/{night}",
        "issued_at": size.evening(night, 3, 40),
        "expires_at": size.evening(night, 6, 40),
    }


def plant_credentials(world: World) -> None:
    """Plant the deviations; Terraform's state is declared by then."""
    state, size, expect = world.state, world.size, world.expect
    open_one = {
        "tool": "gitleaks",
        "repo": REPO,
        "finding_id": "31",
        "secret_type": "aws-access-key",
        "status": "open",
        "active": None,
        "found_at": size.evening(8, 10),
    }
    state.add(SCANS, open_one, first=8).change(
        13, ALWAYS, status="resolved", resolution="revoked", resolved_at=size.evening(13, 9)
    )
    expect("secret-left-open", CREDENTIALS, f"{REPO} finding 31", "secret-open", 9, 12)
    kept = {
        "tool": "gitleaks",
        "repo": REPO,
        "finding_id": "32",
        "secret_type": "private-key",
        "status": "resolved",
        "resolution": "wont_fix",
        "found_at": size.evening(40, 10),
    }
    state.add(SCANS, kept | {"resolved_at": size.evening(40, 15)}, first=40).change(45, ALWAYS, resolution="revoked")
    expect("secret-kept", CREDENTIALS, f"{REPO} finding 32", "secret-not-revoked", 40, 44)
    static = {
        "lease_id": "database/static-creds/legacy",
        "engine": "database",
        "role": "legacy",
        "kind": "static",
        "client": "old-scheduler",
    }
    state.add(
        LEASES, static | {"issued_at": size.evening(20, 9), "expires_at": size.evening(20, 21)}, first=20, last=23
    )
    expect("static-lease", CREDENTIALS, "lease database legacy of old-scheduler", "static-lease", 20, 23)
    state.find(STATE, index_key="TERRAFORM").change(66, 68, sensitive_attributes=["rsa_private_key"])
    expect("state-holds-secret", CREDENTIALS, DOCUMENT, "state-holds-secret", 66, 68)

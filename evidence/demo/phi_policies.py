"""The register of reviewed masking and row access policies, and deviations from it."""

import hashlib
from typing import Any

from evidence.demo.governance import POLICY_DB, POLICY_SCHEMA
from evidence.demo.workspace import APPROVED, EXPIRES, OFFICER, Row
from evidence.demo.world import World

MASKS, ROW_POLICIES = "snowflake.masking_policies", "snowflake.row_access_policies"


def build_policies(world: World) -> None:
    """Register every policy of the clean account as reviewed."""
    masks = [reviewed(row.values, "masking", ["PHI_READER"]) for row in world.state.select(MASKS)]
    rows = [reviewed(row.values, "row_access", []) for row in world.state.select(ROW_POLICIES)]
    world.registers["data_policies"] = [*masks, *rows]


def reviewed(policy: dict[str, Any], kind: str, roles: list[str], **extra: Any) -> Row:
    """Return the row of the register for a policy as its view shows it."""
    name = policy["POLICY_NAME"]
    return {
        "policy": f"{POLICY_DB}.{POLICY_SCHEMA}.{name}",
        "kind": kind,
        "body_sha256": hashlib.sha256(policy["POLICY_BODY"].encode()).hexdigest(),
        "roles": roles,
        "owner": policy["POLICY_OWNER"],
        "file": f"policies/{name.lower()}.sql",
        "commit_sha": hashlib.sha256(name.encode()).hexdigest()[:40],
        "approved_by": OFFICER,
        "approved_on": APPROVED,
        "expires": EXPIRES,
    } | extra

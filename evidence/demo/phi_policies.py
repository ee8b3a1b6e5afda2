"""The register of reviewed masking and row access policies, and deviations of the policies themselves."""

import hashlib
from typing import Any

from evidence.demo.governance import POLICY_DB, POLICY_SCHEMA
from evidence.demo.products import object_of
from evidence.demo.state import Row as StateRow
from evidence.demo.workspace import APPROVED, EXPIRES, OFFICER, Row
from evidence.demo.world import World

MASKS, ROW_POLICIES, REFERENCES = (
    f"snowflake.{name}" for name in ("masking_policies", "row_access_policies", "policy_references")
)
QUALITY, ROWS, COVERAGE = "data-policy-quality", "data-phi-row-access", "data-phi-mask-coverage"
REGION, MEMBERS = "MEMBER_REGION", "MEMBER.MART.DIM_MEMBER"
_PLACE = f"{POLICY_DB}.{POLICY_SCHEMA}"
_WIDER = "CASE WHEN IS_ROLE_IN_SESSION('PHI_READER') OR IS_ROLE_IN_SESSION('CLAIMS_ANALYST') THEN VAL ELSE -1 END"


def build_policies(world: World) -> None:
    """Register every policy of the clean account as reviewed, and ask for the row policy where it is."""
    masks = [reviewed(row.values, "masking", ["PHI_READER"]) for row in world.state.select(MASKS)]
    region = reviewed(world.state.find(ROW_POLICIES, POLICY_NAME=REGION).values, "row_access", [])
    # The review runs out on night 40 and is renewed three days later.
    lapsed = [
        region | {"expires": world.size.night(40)},
        region | {"approved_on": world.size.night(43)},
    ]
    world.registers["data_policies"] = [*masks, *lapsed]
    object_of(world.products, MEMBERS)["row_access_policy"] = REGION


def reviewed(policy: dict[str, Any], kind: str, roles: list[str], **extra: Any) -> Row:
    """Return the row of the register for a policy as its view shows it."""
    name = policy["POLICY_NAME"]
    return {
        "policy": f"{_PLACE}.{name}",
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


def plant_policies(world: World) -> None:
    """Plant them all."""
    _weak_masks(world)
    _row_policy(world)


def _weak_masks(world: World) -> None:
    """Masks that nobody reviewed, or not as they are; most are planted for the coverage of PHI by masks."""
    expect, state = world.expect, world.state
    state.find(MASKS, POLICY_NAME="MASK_PHI_NUMBER").change(1, 2, POLICY_BODY=_WIDER)
    expect("mask-changed", QUALITY, f"masking {_PLACE}.MASK_PHI_NUMBER", "body-differs", 1, 2)
    expect("mask-changed", COVERAGE, "CARE.MART.FCT_ASSESSMENT.SCORE", "policy-quality", 1, 2)
    invoker = state.find(MASKS, POLICY_NAME="MASK_BY_INVOKER").values
    world.registers["data_policies"].append(reviewed(invoker, "masking", ["CLAIMS_ANALYST"]))
    for plant, name, reason, nights, result in (
        ("two-policies", "MASK_YEAR", "policy-unknown", (7, 8), "fail"),
        ("text-policy-on-date", "MASK_TEXT", "not-registered", (36, 38), "fail"),
        ("invoker-role-view", "MASK_BY_INVOKER", "invoker-role", (56, 59), "review"),
        ("policy-dropped", "MASK_OLD", "policy-unknown", (61, 63), "fail"),
    ):
        expect(plant, QUALITY, f"masking {_PLACE}.{name}", reason, *nights, result)
    expect("pass-through-mask", QUALITY, f"masking {_PLACE}.MASK_NOTE", "pass-through", 72)


def _row_policy(world: World) -> None:
    expect, item = world.expect, f"row access {_PLACE}.{REGION}"
    policy = world.state.find(ROW_POLICIES, POLICY_NAME=REGION)
    reference = _row_reference(world)
    reference.absent.append((9, 10))
    expect("row-policy-lost", ROWS, MEMBERS, "no-policy", 9, 10)
    policy.change(20, 21, POLICY_OWNER="DATA_ENG")
    expect("row-policy-owner", QUALITY, item, "other-owner", 20, 21)
    expect("row-policy-review-expires", QUALITY, item, "registration-expired", 40, 42)
    reference.change(47, 49, POLICY_STATUS="MULTIPLE_ROW_ACCESS_POLICY_ASSIGNED_TO_THE_TABLE")
    expect("row-policy-not-active", ROWS, MEMBERS, "policy-inactive", 47, 49)
    policy.absent.append((79, 81))
    expect("row-policy-dropped", ROWS, MEMBERS, "policy-unknown", 79, 81)
    expect("row-policy-dropped", QUALITY, item, "policy-unknown", 79, 81)


def _row_reference(world: World) -> StateRow:
    return world.state.find(REFERENCES, POLICY_NAME=REGION, REF_ENTITY_NAME="DIM_MEMBER")

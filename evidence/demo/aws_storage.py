"""Keys, trails and locks around the buckets, and deviations of all of them."""

import json
from typing import Any, Final

from evidence.demo.aws_buckets import (
    ACCESS_LOGS,
    ARCHIVE_ACCOUNT,
    ARCHIVE_KEY,
    AWS_ACCOUNT,
    BUCKETS,
    CLEARING_HOUSE,
    EVIDENCE,
    LANDING,
    LANDING_KEY,
    LOGS,
    REGION,
    ROLE,
    allow,
    build_buckets,
    policy,
)
from evidence.demo.once import register
from evidence.demo.state import ALWAYS, Row
from evidence.demo.tables import BUILT
from evidence.demo.workspace import APPROVED, EXPIRES, OFFICER
from evidence.demo.world import World

KEYS, TRAILS, LOCKS, BLOCKS = "aws.kms_keys", "aws.trails", "aws.s3_object_lock", "aws.s3_account_pab"
ENCRYPTION, ACCESS, ROTATION, TRAIL, VERSIONS, LOCK = (
    "data-s3-encryption",
    "data-s3-access",
    "data-kms-rotation",
    "monitor-cloudtrail",
    "avail-s3-versioning",
    "retention-evidence-lock",
)
STRANGER = "999999999999"
SNOWFLAKE_ACCOUNT = "898466741470"
_HELD_DAYS: Final = 2557
_APPROVAL: Final = {"owner": "Cloud platform", "approved_by": OFFICER, "approved_on": APPROVED, "expires": EXPIRES}


def build_storage(world: World) -> None:
    """Add buckets, keys, the trail, locks and blocks, and register what they are."""
    build_buckets(world)
    add = world.state.add
    add(KEYS, _key(AWS_ACCOUNT, LANDING_KEY, "alias/landing", {"AWS": ROLE}))
    add(KEYS, _key(ARCHIVE_ACCOUNT, ARCHIVE_KEY, "alias/archive", {"Service": "cloudtrail.amazonaws.com"}))
    switches = (
        "configured",
        "block_public_acls",
        "ignore_public_acls",
        "block_public_policy",
        "restrict_public_buckets",
    )
    for account in (AWS_ACCOUNT, ARCHIVE_ACCOUNT):
        add(TRAILS, _trail(account)).daily = lambda night: {"latest_delivery_at": world.size.evening(night, 23, 52)}
        add(BLOCKS, {"account": account, "region": "global"} | dict.fromkeys(switches, True))
    for name in (LANDING, ACCESS_LOGS):
        unlocked = {"region": REGION, "created_at": BUILT, "enabled": False, "default_mode": "unset"}
        add(LOCKS, {"account": AWS_ACCOUNT, "bucket": name} | unlocked)
    for name in (EVIDENCE, LOGS):
        held = {"region": REGION, "created_at": BUILT, "default_mode": "COMPLIANCE", "default_days": _HELD_DAYS}
        add(LOCKS, {"account": ARCHIVE_ACCOUNT, "bucket": name, "enabled": True} | held)
    _register(world)


def _register(world: World) -> None:
    for account, kind, purpose in (
        (AWS_ACCOUNT, "own", "landing of files"),
        (ARCHIVE_ACCOUNT, "own", "logs and evidence"),
        (SNOWFLAKE_ACCOUNT, "snowflake", "the user that reads landed files"),
    ):
        register(world, "aws_accounts", {"account": account, "kind": kind, "purpose": purpose} | _APPROVAL)
    for name, holds in ((EVIDENCE, "evidence"), (LOGS, "audit-logs"), (ACCESS_LOGS, "access-logs")):
        place = {"url": f"s3://{name}/", "holds": holds, "env": "prod", "direction": "none"}
        register(world, "locations", place | _APPROVAL)
    for name, purpose in ((EVIDENCE, "evidence"), (LOGS, "audit-log")):
        register(
            world, "evidence_buckets", {"account": ARCHIVE_ACCOUNT, "bucket": name, "purpose": purpose} | _APPROVAL
        )


def plant_storage(world: World) -> None:
    """Plant them all."""
    _buckets(world)
    _accounts(world)
    _keys(world)
    _trails(world)
    _locks(world)


def _bucket(world: World, name: str) -> Row:
    return world.state.find(BUCKETS, name=name)


def _buckets(world: World) -> None:
    days = json.dumps([{"ID": "tidy", "Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 7}}])
    strange = allow({"AWS": f"arn:aws:iam::{STRANGER}:root"}, "s3:GetObject", LANDING)
    anybody = allow({"AWS": "*"}, "s3:GetObject", EVIDENCE)
    changes: tuple[tuple[str, str, str, int, int, dict[str, Any], str], ...] = (
        ("other-keys-taken", ENCRYPTION, LANDING, 2, 3, {"policy": policy(LANDING, other_keys=True)}, "other-key-allowed"),
        ("bucket-on-provider-key", ENCRYPTION, EVIDENCE, 29, 30, {"kms_key_id": "unset"}, "aws-managed-key"),
        ("bucket-without-kms", ENCRYPTION, LANDING, 66, 67, {"sse_algorithm": "AES256", "kms_key_id": "unset"}, "no-kms"),
        ("bucket-open-to-stranger", ACCESS, LANDING, 8, 9, {"policy": policy(LANDING, strange)}, "foreign-account"),
        ("bucket-open-to-all", ACCESS, EVIDENCE, 36, 36, {"policy": policy(EVIDENCE, anybody)}, "open-principal"),
        ("plain-http-taken", ACCESS, LOGS, 47, 48, {"policy": policy(LOGS, tls=False)}, "no-tls-deny"),
        ("versioning-suspended", VERSIONS, LANDING, 6, 7, {"versioning_status": "Suspended"}, "not-versioned"),
        ("old-versions-removed", VERSIONS, EVIDENCE, 33, 35, {"lifecycle_rules": days}, "removed-too-soon"),
        ("versioning-not-answered", VERSIONS, LOGS, 70, 70, {"versioning_status": None}, "unknown-value"),
    )  # fmt: skip
    for plant, control, name, first, last, values, reason in changes:
        _bucket(world, name).change(first, last, **values)
        world.expect(plant, control, name, reason, first, last)


def _accounts(world: World) -> None:
    """A vendor's registration runs out and is renewed late; an account lifts its block."""
    vendor = {"account": CLEARING_HOUSE, "kind": "vendor", "purpose": "remittance files", "agreement": "BAA-2025-011"}
    night = world.size.night
    renewed = _APPROVAL | {"approved_on": night(55)}
    register(world, "aws_accounts", vendor | _APPROVAL | {"expires": night(52)}, vendor | renewed)
    world.expect("vendor-account-expires", ACCESS, LANDING, "account-expired", 52, 54)
    world.state.find(BLOCKS, account=AWS_ACCOUNT).change(81, 84, block_public_policy=False)
    world.expect("account-block-lifted", ACCESS, LANDING, "not-blocked", 81, 84)


def _keys(world: World) -> None:
    state, expect = world.state, world.expect
    landing, archive = state.find(KEYS, arn=LANDING_KEY), state.find(KEYS, arn=ARCHIVE_KEY)
    archive.change(5, 10, rotation_enabled=False)
    expect("key-does-not-rotate", ROTATION, ARCHIVE_KEY, "no-rotation", 5, 10)
    landing.change(41, 43, state="PendingDeletion", enabled=False, deletion_date=world.size.evening(55, 12))
    expect("key-waits-for-deletion", ROTATION, LANDING_KEY, "deletion-scheduled", 41, 43)
    expect("key-waits-for-deletion", ENCRYPTION, LANDING, "key-not-enabled", 41, 43)
    landing.change(57, 59, origin="EXTERNAL", rotation_supported=False, rotation_enabled=False)
    expect("key-material-imported", ROTATION, LANDING_KEY, "manual-rotation", 57, 59, "review")
    shared = _key_policy(AWS_ACCOUNT, {"AWS": [ROLE, f"arn:aws:iam::{STRANGER}:role/decrypt"]})
    landing.change(74, 76, policy=shared)
    expect("key-shared-with-stranger", ROTATION, LANDING_KEY, "foreign-account", 74, 76)


def _trails(world: World) -> None:
    expect = world.expect
    trails = [world.state.find(TRAILS, account=account) for account in (AWS_ACCOUNT, ARCHIVE_ACCOUNT)]
    for plant, first, last, values, reason in (
        ("trail-without-validation", 1, 2, {"log_validation": False}, "no-validation"),
        ("trail-stopped", 63, 64, {"is_logging": False}, "not-logging"),
    ):
        for trail in trails:
            trail.change(first, last, **values)
            expect(plant, TRAIL, f"account {trail.values['account']}", reason, first, last)
        for name in (LANDING, EVIDENCE):
            expect(plant, TRAIL, f"bucket {name}", "no-object-events", first, last)
    for trail in trails:
        trail.change(83, ALWAYS, event_selectors=_selectors(f"arn:aws:s3:::{LANDING}/"))
    expect("object-events-narrowed", TRAIL, f"bucket {EVIDENCE}", "no-object-events", 83)


def _locks(world: World) -> None:
    state, expect = world.state, world.expect
    evidence, logs = state.find(LOCKS, bucket=EVIDENCE), state.find(LOCKS, bucket=LOGS)
    evidence.change(9, 10, default_mode="GOVERNANCE")
    expect("evidence-lock-liftable", LOCK, f"{ARCHIVE_ACCOUNT}/{EVIDENCE}", "governance", 9, 10, source="")
    logs.change(26, 28, default_mode="GOVERNANCE")
    expect("log-lock-liftable", LOCK, f"{ARCHIVE_ACCOUNT}/{LOGS}", "governance", 26, 28, source="")
    expect("log-lock-liftable", TRAIL, f"log bucket {LOGS}", "no-lock", 26, 28)
    evidence.change(78, ALWAYS, default_days=None, default_years=7)  # of 365 days: two short
    expect("evidence-lock-short", LOCK, f"{ARCHIVE_ACCOUNT}/{EVIDENCE}", "too-short", 78, source="")


def _key(account: str, arn: str, alias: str, user: dict[str, Any]) -> dict[str, Any]:
    return {
        "account": account,
        "region": REGION,
        "arn": arn,
        "key_id": arn.rpartition("/")[2],
        "aliases": [alias],
        "manager": "CUSTOMER",
        "state": "Enabled",
        "enabled": True,
        "spec": "SYMMETRIC_DEFAULT",
        "usage": "ENCRYPT_DECRYPT",
        "origin": "AWS_KMS",
        "created_at": BUILT,
        "multi_region": False,
        "rotation_supported": True,
        "rotation_enabled": True,
        "rotation_period_days": 365,
        "policy": _key_policy(account, user),
    }


def _key_policy(account: str, user: dict[str, Any]) -> str:
    owner = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    used = {"Effect": "Allow", "Principal": user, "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [owner, used]})


def _trail(account: str) -> dict[str, Any]:
    """Return the organisation's trail, as one of its accounts sees it."""
    return {
        "account": account,
        "region": REGION,
        "arn": f"arn:aws:cloudtrail:{REGION}:{ARCHIVE_ACCOUNT}:trail/fernhollow",
        "name": "fernhollow",
        "is_multi_region": True,
        "is_organization": True,
        "includes_global_events": True,
        "log_validation": True,
        "kms_key_id": ARCHIVE_KEY,
        "bucket": LOGS,
        "is_logging": True,
        "latest_delivery_error": "unset",
        "started_logging_at": BUILT,
        "event_selectors": _selectors("arn:aws:s3"),
        "advanced_selectors": "[]",
    }


def _selectors(objects: str) -> str:
    data = [{"Type": "AWS::S3::Object", "Values": [objects]}]
    return json.dumps([{"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": data}])

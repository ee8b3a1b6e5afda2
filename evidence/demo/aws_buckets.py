"""Buckets of the AWS account and IAM's own summary of it."""

import json
from typing import Any

from evidence.demo.tables import BUILT
from evidence.demo.world import World

BUCKETS, SUMMARY = "aws.s3_buckets", "aws.iam_account_summary"
AWS_ACCOUNT, REGION = "111122223333", "us-east-1"
_KEY = f"arn:aws:kms:{REGION}:{AWS_ACCOUNT}:key/0c9e6f52-7a41-4b1e-9a70-5d2f8e1b3c64"
NAMES = ("fernhollow-landing", "fernhollow-evidence", "fernhollow-logs")


def build_buckets(world: World) -> None:
    """Add the buckets and the summary; nothing of what somebody has added already."""
    if BUCKETS not in world.state.datasets:
        for name in NAMES:
            world.state.add(BUCKETS, bucket(name))
    if SUMMARY not in world.state.datasets:
        world.state.add(SUMMARY, summary())


def bucket(name: str, **extra: Any) -> dict[str, Any]:
    """Return a row of a bucket that is encrypted, versioned, logged and closed."""
    policy: dict[str, Any] = {"Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*"}
    policy |= {"Resource": f"arn:aws:s3:::{name}/*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    row = {
        "account": AWS_ACCOUNT,
        "region": REGION,
        "name": name,
        "created_at": BUILT,
        "sse_algorithm": "aws:kms",
        "kms_key_id": _KEY,
        "bucket_key_enabled": True,
        "versioning_status": "Enabled",
        "mfa_delete": "Disabled",
        "public_access_block_set": True,
        "block_public_acls": True,
        "ignore_public_acls": True,
        "block_public_policy": True,
        "restrict_public_buckets": True,
        "policy_set": True,
        "policy": json.dumps({"Version": "2012-10-17", "Statement": [policy]}),
        "policy_is_public": False,
        "ownership": "BucketOwnerEnforced",
        "acl": "[]",
        "logging_target_bucket": "fernhollow-logs",
        "logging_target_prefix": f"{name}/",
    }
    return row | extra


def summary(**extra: Any) -> dict[str, Any]:
    """Return the summary of an account whose root user has a second factor and no keys."""
    row = {
        "account": AWS_ACCOUNT,
        "region": "global",
        "users": 0,
        "groups": 0,
        "roles": 12,
        "policies": 9,
        "account_access_keys_present": 0,
        "account_mfa_enabled": True,
    }
    return row | extra

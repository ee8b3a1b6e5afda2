"""Buckets of the carrier's AWS account, as S3 describes them."""

import json
from typing import Any

from evidence.demo.tables import BUILT

BUCKETS, INVENTORY, SUMMARY = "aws.s3_buckets", "aws.s3_inventory", "aws.iam_account_summary"
AWS_ACCOUNT, REGION = "411122223333", "us-east-1"
LANDING = "fernhollow-landing"


def bucket(name: str, **extra: Any) -> dict[str, Any]:
    """Return a row of a private, encrypted, versioned bucket that takes TLS only."""
    arns = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    deny = {"Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": arns}
    row = {
        "account": AWS_ACCOUNT,
        "region": REGION,
        "name": name,
        "created_at": BUILT,
        "sse_algorithm": "aws:kms",
        "kms_key_id": f"arn:aws:kms:{REGION}:{AWS_ACCOUNT}:key/0a51c7de-2f0b-4c11-9d7e-6a1f30b7c2d4",
        "bucket_key_enabled": True,
        "versioning_status": "Enabled",
        "mfa_delete": "unset",
        "policy_set": True,
        "policy": json.dumps({"Version": "2012-10-17", "Statement": [deny | {"Condition": condition}]}),
        "policy_is_public": False,
        "ownership": "BucketOwnerEnforced",
        "acl": "[]",
        "lifecycle_rules": "[]",
        "logging_target_bucket": "fernhollow-access-logs",
        "logging_target_prefix": f"{name}/",
        "replication_role": "unset",
        "replication_rules": "[]",
    }
    blocked = ("public_access_block_set", "block_public_acls", "ignore_public_acls", "block_public_policy")
    return row | dict.fromkeys((*blocked, "restrict_public_buckets"), True) | extra


def expiry(prefix: str, days: int, *, older: int = 30, status: str = "Enabled") -> dict[str, Any]:
    """Return a life-cycle rule: files below ``prefix`` expire after ``days``, older versions of them after ``older``."""
    return {
        "ID": f"expire-{prefix.strip('/')}",
        "Status": status,
        "Filter": {"Prefix": prefix},
        "Expiration": {"Days": days},
        "NoncurrentVersionExpiration": {"NoncurrentDays": older},
    }


def inventory(name: str, prefix: str) -> dict[str, Any]:
    """Return a row of a weekly inventory of what lies below ``prefix``, but for what its report says."""
    return {
        "account": AWS_ACCOUNT,
        "region": REGION,
        "bucket": name,
        "id": f"weekly-{prefix.strip('/')}",
        "enabled": True,
        "filter_prefix": prefix,
        "included_versions": "All",
        "frequency": "Weekly",
        "format": "Parquet",
        "destination_bucket": "fernhollow-inventory",
        "destination_prefix": "s3/",
        "fields": '["LastModifiedDate", "Size"]',
        "report": "read",
        "objects": 4200,
        "older_versions": 0,
    }


def summary(**extra: Any) -> dict[str, Any]:
    """Return IAM's summary of an account whose root user has a second factor and no keys."""
    counts = {"users": 0, "groups": 0, "roles": 12, "policies": 9}
    root = {"account_access_keys_present": 0, "account_mfa_enabled": True}
    return {"account": AWS_ACCOUNT, "region": "global", **counts, **root, **extra}

"""Buckets of the carrier's two AWS accounts as S3 describes them, their inventories, and IAM's own summary of each account."""

import json
from typing import Any, Final

from evidence.demo.once import once
from evidence.demo.tables import BUILT
from evidence.demo.world import World

BUCKETS, INVENTORY, SUMMARY = "aws.s3_buckets", "aws.s3_inventory", "aws.iam_account_summary"
AWS_ACCOUNT, ARCHIVE_ACCOUNT, REGION = "411122223333", "422233334444", "us-east-1"
CLEARING_HOUSE = "433344445555"  # a vendor's account: puts remittance files into the landing bucket
LANDING, EVIDENCE, LOGS, ACCESS_LOGS = (
    "fernhollow-landing",
    "fernhollow-evidence",
    "fernhollow-logs",
    "fernhollow-access-logs",
)
LANDING_KEY = f"arn:aws:kms:{REGION}:{AWS_ACCOUNT}:key/0a51c7de-2f0b-4c11-9d7e-6a1f30b7c2d4"
ARCHIVE_KEY = f"arn:aws:kms:{REGION}:{ARCHIVE_ACCOUNT}:key/7b92e1f4-58ac-4d36-8e05-c41d9f72a6b3"
ROLE = f"arn:aws:iam::{AWS_ACCOUNT}:role/snowflake-landing"
_ARCHIVED: Final = (EVIDENCE, LOGS)
Json = dict[str, Any]


def build_buckets(world: World) -> None:
    """Add the buckets and the summaries, each unless somebody has."""
    for name in (LANDING, EVIDENCE, LOGS, ACCESS_LOGS):
        once(world, BUCKETS, bucket(name), "name")
    for account in (AWS_ACCOUNT, ARCHIVE_ACCOUNT):
        once(world, SUMMARY, summary(account), "account")


def bucket(name: str, **extra: Any) -> Json:
    """Return a row of a private, encrypted, versioned bucket that takes TLS only."""
    archived, plain = name in _ARCHIVED, name == ACCESS_LOGS
    row = {
        "account": ARCHIVE_ACCOUNT if archived else AWS_ACCOUNT,
        "region": REGION,
        "name": name,
        "created_at": BUILT,
        "sse_algorithm": "AES256" if plain else "aws:kms",
        "kms_key_id": "unset" if plain else key_of(name),
        "bucket_key_enabled": not plain,
        "versioning_status": "Enabled",
        "mfa_delete": "unset",
        "policy_set": True,
        "policy": policy(name),
        "policy_is_public": False,
        "ownership": "BucketOwnerEnforced",
        "acl": "[]",
        "lifecycle_rules": "[]",
        "logging_target_bucket": "unset" if archived or plain else ACCESS_LOGS,
        "logging_target_prefix": "unset" if archived or plain else f"{name}/",
        "replication_role": "unset",
        "replication_rules": "[]",
        "public_access_block_set": True,
        "block_public_acls": True,
        "ignore_public_acls": True,
        "block_public_policy": name != LANDING,  # there the account's own block does it
        "restrict_public_buckets": True,
    }
    return row | extra


def key_of(name: str) -> str:
    """Return the key that the bucket encrypts with."""
    return ARCHIVE_KEY if name in _ARCHIVED else LANDING_KEY


def policy(name: str, *more: Json, tls: bool = True, other_keys: bool = False) -> str:
    """Return the policy of a bucket: ``more`` statements, without the Deny of plain HTTP, or of other keys."""
    whole, objects = f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"
    statements = [*_ALLOWED.get(name, ()), *more]
    if tls:
        plain = {"Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [whole, objects]}
        statements.append(plain | {"Condition": {"Bool": {"aws:SecureTransport": "false"}}})
    if not other_keys and name != ACCESS_LOGS:
        named = {"StringNotEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": key_of(name)}}
        deny = {"Sid": "OurKeyOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": objects}
        statements.append(deny | {"Condition": {"Null": {"s3:x-amz-server-side-encryption": "false"}} | named})
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def allow(principal: Json, action: str, name: str) -> Json:
    """Return a statement that allows ``action`` on the objects of a bucket."""
    return {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": f"arn:aws:s3:::{name}/*"}


def summary(account: str = AWS_ACCOUNT, **extra: Any) -> Json:
    """Return the summary of an account whose root user has a second factor and no keys."""
    row = {
        "account": account,
        "region": "global",
        "users": 3 if account == AWS_ACCOUNT else 1,
        "groups": 0,
        "roles": 12,
        "policies": 9,
        "account_access_keys_present": 0,
        "account_mfa_enabled": True,
        "account_password_present": True,
    }
    return row | extra


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
        "fields": ["LastModifiedDate", "Size"],
        "report": "read",
        "objects": 4200,
        "older_versions": 0,
    }


_ALLOWED: Final[dict[str, tuple[Json, ...]]] = {
    LANDING: (
        allow({"AWS": ROLE}, "s3:GetObject", LANDING),
        allow({"AWS": f"arn:aws:iam::{CLEARING_HOUSE}:root"}, "s3:PutObject", LANDING),
    ),
    LOGS: (allow({"Service": "cloudtrail.amazonaws.com"}, "s3:PutObject", LOGS),),
    ACCESS_LOGS: (allow({"Service": "logging.s3.amazonaws.com"}, "s3:PutObject", ACCESS_LOGS),),
}

"""S3 buckets, their settings, and the account's public access block. A bucket is read in the region it lies in."""

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from evidence.sources.aws_calls import UNSET, Answer, Calls, GoneError, Refused
from evidence.sources.aws_unit import (
    GLOBAL,
    UNSET_TEXT,
    Row,
    Unit,
    described,
    document,
    field,
    is_set,
    plain,
    refusals,
    tags,
)

BLOCKS: Final = {
    "block_public_acls": "BlockPublicAcls",
    "ignore_public_acls": "IgnorePublicAcls",
    "block_public_policy": "BlockPublicPolicy",
    "restrict_public_buckets": "RestrictPublicBuckets",
}
_LOCATIONS: Final = {None: "us-east-1", "": "us-east-1", "EU": "eu-west-1"}  # S3 API Reference, GetBucketLocation
_SETTINGS: Final = (
    "GetBucketEncryption",
    "GetBucketVersioning",
    "GetPublicAccessBlock",
    "GetBucketPolicy",
    "GetBucketPolicyStatus",
    "GetBucketOwnershipControls",
    "GetBucketAcl",
    "GetBucketLifecycleConfiguration",
    "GetBucketLogging",
    "GetBucketReplication",
    "GetBucketTagging",
)
_LIST_PAGE: Final = 1000  # with a page size S3 also says the region of each bucket


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket of the listing; ``region`` is empty if S3 did not say and GetBucketLocation was refused."""

    name: str
    created_at: dt.datetime | None
    region: str = ""
    location: Refused | None = None


def read_buckets(calls: Calls, region: str) -> Unit:
    """``aws.s3_buckets``: every bucket of the account, wherever it lies."""

    def describe(bucket: Bucket) -> Row:
        answers = {call: _ask(calls, bucket, call) for call in _SETTINGS}
        return bucket_row(calls.account, bucket, answers)

    return _described(calls, region, describe)


def read_object_lock(calls: Calls, region: str) -> Unit:
    """``aws.s3_object_lock``: the lock of every bucket."""

    def describe(bucket: Bucket) -> Row:
        return lock_row(calls.account, bucket, _ask(calls, bucket, "GetObjectLockConfiguration"))

    return _described(calls, region, describe)


def read_account_block(calls: Calls, region: str) -> Unit:
    """``aws.s3_account_pab``: one row."""
    answer = calls.need("s3control:GetPublicAccessBlock", region, AccountId=calls.account)
    row = {"account": calls.account, "region": GLOBAL, "configured": is_set(answer), **_blocks(answer)}
    return Unit({calls.account: row}, frozenset({calls.account}))


def list_buckets(calls: Calls, region: str) -> dict[str, Bucket]:
    """Return the account's buckets by name, with their regions."""
    found = [
        Bucket(item["Name"], item.get("CreationDate"), item.get("BucketRegion") or "")
        for item in calls.listed("s3:ListBuckets", region, "Buckets", PaginationConfig={"PageSize": _LIST_PAGE})
    ]
    located = calls.each(lambda bucket: bucket if bucket.region else _located(calls, region, bucket), found)
    return {bucket.name: bucket for bucket in located if bucket is not None}


def bucket_names(calls: Calls, region: str) -> Collection[str]:
    """List the names again."""
    return [
        item["Name"]
        for item in calls.listed("s3:ListBuckets", region, "Buckets", PaginationConfig={"PageSize": _LIST_PAGE})
    ]


def bucket_row(account: str, bucket: Bucket, answers: Mapping[str, Answer]) -> Row:
    """Return the row of one bucket from the answers by API operation."""
    encryption, policy = answers["GetBucketEncryption"], answers["GetBucketPolicy"]
    versioning, logging = answers["GetBucketVersioning"], answers["GetBucketLogging"]
    rules = field(encryption, "ServerSideEncryptionConfiguration", "Rules")
    default = (rules or [{}])[0].get("ApplyServerSideEncryptionByDefault", {})
    return {
        **_identity(account, bucket),
        "sse_algorithm": UNSET_TEXT if encryption is UNSET else default.get("SSEAlgorithm"),
        "kms_key_id": None if isinstance(encryption, Refused) else default.get("KMSMasterKeyID", UNSET_TEXT),
        "bucket_key_enabled": (rules or [{}])[0].get("BucketKeyEnabled"),
        "encryption_rules": [] if encryption is UNSET else plain(rules),
        "versioning_status": _stated(versioning, "Status"),
        "mfa_delete": _stated(versioning, "MFADelete"),
        "public_access_block_set": is_set(answers["GetPublicAccessBlock"]),
        **_blocks(answers["GetPublicAccessBlock"]),
        "policy_set": is_set(policy),
        "policy": document(field(policy, "Policy")),
        "policy_is_public": field(answers["GetBucketPolicyStatus"], "PolicyStatus", "IsPublic", unset=False),
        "ownership": _ownership(answers["GetBucketOwnershipControls"]),
        "owner_id": field(answers["GetBucketAcl"], "Owner", "ID"),
        "acl": _grants(answers["GetBucketAcl"]),
        "lifecycle_rules": plain(field(answers["GetBucketLifecycleConfiguration"], "Rules", unset=[])),
        "logging_target_bucket": _target(logging, "TargetBucket"),
        "logging_target_prefix": _target(logging, "TargetPrefix"),
        "replication_role": field(
            answers["GetBucketReplication"], "ReplicationConfiguration", "Role", unset=UNSET_TEXT
        ),
        "replication_rules": plain(
            field(answers["GetBucketReplication"], "ReplicationConfiguration", "Rules", unset=[])
        ),
        "tags": _tags(answers["GetBucketTagging"]),
        "refused": refusals([*answers.values(), *([bucket.location] if bucket.location else [])]),
    }


def lock_row(account: str, bucket: Bucket, answer: Answer) -> Row:
    """Return the row of one bucket's lock; a bucket without one has ``enabled`` false and the mode ``unset``.

    Retention is stated in days or in years; the other one is NULL, as S3 says it.
    """
    rule = field(answer, "ObjectLockConfiguration", "Rule", "DefaultRetention")
    silent = isinstance(answer, Refused)
    return {
        **_identity(account, bucket, "bucket"),
        "enabled": None if silent else field(answer, "ObjectLockConfiguration", "ObjectLockEnabled") == "Enabled",
        "default_mode": None if silent else (rule or {}).get("Mode", UNSET_TEXT),
        "default_days": (rule or {}).get("Days"),
        "default_years": (rule or {}).get("Years"),
        "refused": refusals([answer, *([bucket.location] if bucket.location else [])]),
    }


def _described(calls: Calls, region: str, describe: Callable[[Bucket], Row]) -> Unit:
    found = list_buckets(calls, region)
    return described(calls, found, describe, lambda: bucket_names(calls, region), "buckets")


def _ask(calls: Calls, bucket: Bucket, call: str) -> Answer:
    if bucket.location:
        return bucket.location  # where it lies is not known, so nothing about it could be asked
    return calls.ask(f"s3:{call}", bucket.region, bucket.name, Bucket=bucket.name)


def _located(calls: Calls, region: str, bucket: Bucket) -> Bucket | None:
    try:
        answer = calls.ask("s3:GetBucketLocation", region, bucket.name, Bucket=bucket.name)
    except GoneError:
        return None
    if isinstance(answer, Refused):
        return Bucket(bucket.name, bucket.created_at, "", answer)
    place = field(answer, "LocationConstraint")
    return Bucket(bucket.name, bucket.created_at, _LOCATIONS.get(place, place))


def _identity(account: str, bucket: Bucket, name: str = "name") -> Row:
    return {
        "account": account,
        "region": bucket.region or None,
        name: bucket.name,
        "created_at": bucket.created_at,
    }


def _blocks(answer: Answer) -> Row:
    """The four switches; without a configuration none of them is on."""
    return {
        column: field(answer, "PublicAccessBlockConfiguration", member, unset=False)
        for column, member in BLOCKS.items()
    }


def _stated(answer: Answer, member: str) -> Any:
    """S3 leaves a versioning member out of its answer until it was set once."""
    return None if isinstance(answer, Refused) else field(answer, member) or UNSET_TEXT


def _ownership(answer: Answer) -> Any:
    rules = field(answer, "OwnershipControls", "Rules")
    return UNSET_TEXT if answer is UNSET else (rules or [{}])[0].get("ObjectOwnership")


def _target(answer: Answer, member: str) -> Any:
    """S3 answers GetBucketLogging with an empty document where logging is off."""
    return None if isinstance(answer, Refused) else field(answer, "LoggingEnabled", member) or UNSET_TEXT


def _grants(answer: Answer) -> Any:
    """Grantees by id or group; display names and addresses are people's and say nothing more."""
    return None if isinstance(answer, Refused) else [
        {
            "permission": grant.get("Permission"),
            "type": grant.get("Grantee", {}).get("Type"),
            "id": grant.get("Grantee", {}).get("ID"),
            "uri": grant.get("Grantee", {}).get("URI"),
        }
        for grant in field(answer, "Grants") or []
    ]  # fmt: skip


def _tags(answer: Answer) -> Any:
    return None if isinstance(answer, Refused) else tags(field(answer, "TagSet"))

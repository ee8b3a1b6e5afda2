"""The bucket of an ``s3://`` store as Terraform resources: its settings, key and policy, the collector's role and the auditor's. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from evidence.sources.aws_operations import Place
from evidence.sources.aws_policy import caller_policy, reading_policy, trust_policy
from evidence.store.s3_policy import auditor_policy, bucket_policy, bucket_settings, collector_policy
from evidence.terraform.hcl import Block, Document, Raw

KEY: Final = "arn:aws:kms:STAND-IN"  # begins as an ARN does: policies take it for one
COLLECTOR, AUDITOR = "PRINCIPAL-OF-THE-COLLECTOR", "PRINCIPAL-OF-THE-AUDITOR"
_KEEP: Final = Block("lifecycle", (), {"prevent_destroy": True})


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where an ``s3://`` store lies and how it locks. ``kms_key_id``: "" has the module make a key."""

    name: str
    prefix: str
    mode: str
    days: int
    partition: str = "aws"
    tls: bool = True
    kms_key_id: str = ""


@dataclass(frozen=True, slots=True)
class Reader:
    """What an ``aws`` source reads: datasets, places of inventory reports, and the roles it assumes (none: the collector's own account)."""

    datasets: Sequence[str]
    places: Sequence[Place] = ()
    roles: Sequence[str] = ()


def variables(*, bucket: bool) -> Iterator[Block]:
    """Yield the variables that say who takes a role on."""
    who = {
        "collector_principal": "ARN of the role or user that the collector runs as; it takes the collector's role on."
    }
    if bucket:
        who["auditor_principal"] = "ARN of the role or user of the auditors; it takes the read-only role on."
    for name, about in who.items():
        yield Block("variable", (name,), {"type": Raw("string"), "description": about})


def bucket_blocks(bucket: Bucket) -> Iterator[Block]:
    """Yield bucket, settings, key and policy."""
    made = Raw("aws_s3_bucket.evidence.id")
    settings = bucket_settings(bucket.mode, bucket.days, kms_key_id=KEY)
    lock = settings["object_lock"]["Rule"]["DefaultRetention"]
    (rule,) = settings["encryption"]["Rules"]
    yield Block(
        "resource", ("aws_s3_bucket", "evidence"), {"bucket": bucket.name, "object_lock_enabled": True}, [_KEEP]
    )
    versioning = Block("versioning_configuration", (), {"status": settings["versioning"]["Status"]})
    yield _of("aws_s3_bucket_versioning", made, [versioning])
    default = Block("default_retention", (), {"mode": lock["Mode"], "days": lock["Days"]})
    after = {"depends_on": [Raw("aws_s3_bucket_versioning.evidence")]}
    yield _of("aws_s3_bucket_object_lock_configuration", made, [Block("rule", (), {}, [default])], after)
    by_default = rule["ApplyServerSideEncryptionByDefault"]
    encryption = Block(
        "apply_server_side_encryption_by_default",
        (),
        {"sse_algorithm": by_default["SSEAlgorithm"], "kms_master_key_id": Raw(key_reference(bucket))},
    )
    rules = Block("rule", (), {"bucket_key_enabled": rule["BucketKeyEnabled"]}, [encryption])
    yield _of("aws_s3_bucket_server_side_encryption_configuration", made, [rules])
    words = {
        "BlockPublicAcls": "block_public_acls",
        "BlockPublicPolicy": "block_public_policy",
        "IgnorePublicAcls": "ignore_public_acls",
        "RestrictPublicBuckets": "restrict_public_buckets",
    }
    blocked = {words[name]: value for name, value in settings["public_access_block"].items()}
    yield Block("resource", ("aws_s3_bucket_public_access_block", "evidence"), {"bucket": made, **blocked})
    (owner,) = settings["ownership"]["Rules"]
    ownership = Block("rule", (), {"object_ownership": owner["ObjectOwnership"]})
    yield _of("aws_s3_bucket_ownership_controls", made, [ownership])
    policy = bucket_policy(bucket.name, bucket.prefix, bucket.days, partition=bucket.partition, tls=bucket.tls)
    yield Block("resource", ("aws_s3_bucket_policy", "evidence"), {"bucket": made, "policy": Document(policy)})
    yield from _key(bucket)


def _of(kind: str, bucket: Raw, blocks: Sequence[Block], more: Mapping[str, Any] = MappingProxyType({})) -> Block:
    return Block("resource", (kind, "evidence"), {"bucket": bucket, **more}, blocks)


def _key(bucket: Bucket) -> Iterator[Block]:
    if not bucket.kms_key_id:
        attributes = {
            "description": "evidence: objects of the store",
            "enable_key_rotation": True,
            "deletion_window_in_days": 30,
        }
        yield Block("resource", ("aws_kms_key", "evidence"), attributes, [_KEEP])
    elif not bucket.kms_key_id.startswith("arn:"):
        yield Block("data", ("aws_kms_key", "evidence"), {"key_id": bucket.kms_key_id})


def key_reference(bucket: Bucket) -> str:
    """Return the expression of the key's ARN: the one that is configured, else the one that the module makes."""
    if not bucket.kms_key_id:
        return "aws_kms_key.evidence.arn"
    return f'"{bucket.kms_key_id}"' if bucket.kms_key_id.startswith("arn:") else "data.aws_kms_key.evidence.arn"


def role_blocks(bucket: Bucket | None, reader: Reader | None, partition: str) -> Iterator[Block]:
    """Yield the collector's role, which seals, and reads what its source reads; and the auditor's, which reads the store."""
    policies: dict[str, Document] = {}
    if bucket is not None:
        place = (bucket.name, bucket.prefix)
        policies["store"] = _with_key(collector_policy(*place, partition=partition, kms_key_id=KEY), bucket)
    if reader is not None:
        found = (
            caller_policy(reader.roles)
            if reader.roles
            else reading_policy(reader.datasets, reader.places, partition=partition)
        )
        policies["source"] = Document(found)
    yield from _role("collector", COLLECTOR, policies)
    if bucket is not None:
        audited = auditor_policy(bucket.name, bucket.prefix, partition=partition, kms_key_id=KEY)
        yield from _role("auditor", AUDITOR, {"store": _with_key(audited, bucket)})


def _with_key(policy: dict[str, Any], bucket: Bucket) -> Document:
    if bucket.kms_key_id.startswith("arn:"):
        return Document({**policy, "Statement": [_replaced(each, bucket.kms_key_id) for each in policy["Statement"]]})
    return Document(policy, {KEY: key_reference(bucket)})


def _replaced(statement: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {**statement, "Resource": [key if each == KEY else each for each in statement["Resource"]]}


def _role(name: str, principal: str, policies: Mapping[str, Document]) -> Iterator[Block]:
    trust = Document(trust_policy(principal), {principal: f"var.{name}_principal"})
    role = Raw(f"aws_iam_role.{name}.id")
    yield Block("resource", ("aws_iam_role", name), {"name": f"evidence-{name}", "assume_role_policy": trust})
    for what, policy in policies.items():
        attributes = {"name": what, "role": role, "policy": policy}
        yield Block("resource", ("aws_iam_role_policy", f"{name}_{what}"), attributes)


def outputs(bucket: Bucket) -> Iterator[Block]:
    """Yield what evidence.toml and the two roles' users need."""
    yield Block("output", ("kms_key_id",), {"value": Raw(key_reference(bucket)), "description": "[store] kms_key_id"})
    for name in ("collector", "auditor"):
        yield Block("output", (f"{name}_role",), {"value": Raw(f"aws_iam_role.{name}.arn")})

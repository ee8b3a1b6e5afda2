"""What the bucket of an ``s3://`` store allows: its settings, the policy that denies, and the policies of the collector's and the auditor's roles.

Pure: documents out, nothing sent. The denials hold for everybody, the bucket's administrator included, until somebody with
``s3:PutBucketPolicy`` removes them; Object Lock holds without them. Sources: Amazon S3 User Guide, "Enforce conditional writes",
"Object Lock considerations", "Managing the
lifecycle of objects"; Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3".
"""

from collections.abc import Sequence
from typing import Any, Final

VERSION: Final = "2012-10-17"
SEALED: Final = (
    "data/*", "findings/*", "registers/*", "packets/*", "log/commit/*", "log/tile/*", "log/entries/*", "log/tsr/*", "store.json",
    "access-reviews/*", "alerts/*", "approvals/*", "changes/*", "checks/*", "configurations/*", "pipeline/*", "samples/*", "texts/*",
)  # fmt: skip
DELETES: Final = ("s3:DeleteObject", "s3:DeleteObjectVersion")
READS: Final = ("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention", "s3:GetObjectLegalHold")
WRITES: Final = ("s3:PutObject", "s3:PutObjectRetention", "s3:PutObjectLegalHold")
LISTS: Final = ("s3:ListBucket", "s3:ListBucketVersions")
SETTINGS: Final = ("s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration")
PROTECTION: Final = (
    "s3:GetBucketPolicy", "s3:GetEncryptionConfiguration", "s3:GetBucketPublicAccessBlock", "s3:GetBucketOwnershipControls",
)  # fmt: skip
KMS: Final = ("kms:GenerateDataKey", "kms:Decrypt")
KMS_STATE: Final = ("kms:DescribeKey", "kms:GetKeyRotationStatus")  # read for the nightly record of the pipeline
Document = dict[str, Any]


def bucket_policy(bucket: str, prefix: str, days: int, *, partition: str = "aws", tls: bool = True) -> Document:
    """Return the policy to put on the bucket: no deletes, no bypass, no put that could replace or that has no lock of ``days``.

    ``log/checkpoint``, a cache that nobody trusts, is the one name that may be replaced. ``tls`` adds the refusal of plain http.
    """
    arn = f"arn:{partition}:s3:::{bucket}"
    below = f"{arn}/{_folder(prefix)}"
    sealed = [below + name for name in SEALED]
    statements = [
        _deny("EvidenceDenyDeletes", DELETES, [f"{below}*"]),
        _deny("EvidenceDenyBypass", ["s3:BypassGovernanceRetention"], [f"{below}*"]),
        _deny("EvidenceDenyUnconditionalPuts", ["s3:PutObject"], sealed, {"Null": {"s3:if-none-match": "true"}}),
        _deny("EvidenceDenyUnlockedPuts", ["s3:PutObject"], sealed, {"Null": {"s3:object-lock-mode": "true"}}),
        _deny(
            "EvidenceDenyShortLocks",
            ["s3:PutObject"],
            sealed,
            {"NumericLessThan": {"s3:object-lock-remaining-retention-days": str(max(days - 1, 1))}},
        ),
    ]
    if tls:
        insecure = {"Bool": {"aws:SecureTransport": "false"}}
        statements.append(_deny("EvidenceDenyPlainHttp", ["s3:*"], [arn, f"{arn}/*"], insecure))
    return {"Version": VERSION, "Statement": statements}


def collector_policy(bucket: str, prefix: str, *, partition: str = "aws", kms_key_id: str = "") -> Document:
    """Return what the collector's identity needs of the store: it reads, creates, lengthens and holds; it never deletes.

    ``s3:ListBucket`` is what makes S3 answer "not found" rather than "denied" for a name that is not there; a condition on
    ``s3:prefix`` would take that away again, so names of the whole bucket can be listed: it should be the store's own.
    """
    arn = f"arn:{partition}:s3:::{bucket}"
    folder = _folder(prefix)
    statements = [
        _allow("EvidenceSeals", [*READS, *WRITES], [f"{arn}/{folder}*"]),
        _allow("EvidenceLists", LISTS, [arn]),
        _allow("EvidenceReadsLock", SETTINGS, [arn]),
    ]
    if kms_key_id.startswith("arn:"):
        statements.append(_allow("EvidenceEncrypts", [*KMS, *KMS_STATE], [kms_key_id]))
    return {"Version": VERSION, "Statement": statements}


def lifecycle(prefix: str, days: int) -> Document:
    """Return the rule by which S3 itself removes datasets' evidence ``days`` after it was put, once no lock and no hold is on it.

    Nothing else is ever removed: log, findings, registers and packets stay. The bucket policy's denials do not bind S3's own rules.
    """
    rule: Document = {
        "ID": "EvidenceAfterItsTime",
        "Status": "Enabled",
        "Filter": {"Prefix": f"{_folder(prefix)}data/"},
        "Expiration": {"Days": days},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    }
    return {"Rules": [rule]}


def auditor_policy(bucket: str, prefix: str, *, partition: str = "aws", kms_key_id: str = "") -> Document:
    """Return what an auditor's identity needs to verify the store: it reads objects, versions, locks and settings, and nothing else."""
    arn = f"arn:{partition}:s3:::{bucket}"
    statements = [
        _allow("EvidenceReads", READS, [f"{arn}/{_folder(prefix)}*"]),
        _allow("EvidenceLists", LISTS, [arn]),
        _allow("EvidenceReadsSettings", [*SETTINGS, *PROTECTION], [arn]),
    ]
    if kms_key_id.startswith("arn:"):
        statements.append(_allow("EvidenceDecrypts", ["kms:Decrypt"], [kms_key_id]))
    return {"Version": VERSION, "Statement": statements}


def bucket_settings(mode: str, days: int, *, kms_key_id: str = "") -> Document:
    """Return what the bucket is set to, each as the request of its S3 operation takes it: ``put-bucket-versioning`` and so on.

    The bucket key spares a call to KMS per object (User Guide, "Reducing the cost of SSE-KMS with Amazon S3 Bucket Keys"). Without
    ``kms_key_id`` S3 takes the account's own key for S3, whose policy nobody can narrow.
    """
    key = {"KMSMasterKeyID": kms_key_id} if kms_key_id else {}
    return {
        "versioning": {"Status": "Enabled"},
        "object_lock": {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": mode, "Days": days}}},
        "encryption": {
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", **key},
                    "BucketKeyEnabled": True,
                }
            ]
        },
        "public_access_block": {
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
        "ownership": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    }


def _folder(prefix: str) -> str:
    return f"{prefix.strip('/')}/" if prefix.strip("/") else ""


def _deny(sid: str, actions: Sequence[str], resources: list[str], condition: Document | None = None) -> Document:
    statement: Document = {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": "*",
        "Action": list(actions),
        "Resource": resources,
    }
    return statement | ({"Condition": condition} if condition else {})


def _allow(sid: str, actions: Sequence[str], resources: list[str]) -> Document:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resources}

"""What the bucket of an ``s3://`` store allows: the bucket policy that denies, and the policy of the collector's role.

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
)  # fmt: skip
DELETES: Final = ("s3:DeleteObject", "s3:DeleteObjectVersion")
READS: Final = ("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention", "s3:GetObjectLegalHold")
WRITES: Final = ("s3:PutObject", "s3:PutObjectRetention", "s3:PutObjectLegalHold")
LISTS: Final = ("s3:ListBucket", "s3:ListBucketVersions")
SETTINGS: Final = ("s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration")
KMS: Final = ("kms:GenerateDataKey", "kms:Decrypt")
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
        statements.append(_allow("EvidenceEncrypts", KMS, [kms_key_id]))
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

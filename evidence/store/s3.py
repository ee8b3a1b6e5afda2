"""``s3://bucket/prefix``: a versioned bucket with Object Lock as a write-once store.

Every put is a single conditional PUT (``If-None-Match: *``) with a SHA-256 checksum that is sent and compared, and lock
headers. Reads look behind newer versions and delete markers: identity is the digest, never "latest"; locks and holds are set
on the version that was created first. boto3 only here and in ``s3_client``.
Sources: Amazon S3 User Guide, "Conditional writes", "Object Lock", "Checking object integrity", "Bucket owner condition".
"""

import datetime as dt
import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evidence.errors import ConfigError, ObjectNotFoundError, StoreConflictError, StoreError, VerificationError
from evidence.store.objects import CACHE_PATH, ObjectInfo, check_path
from evidence.store.retention import Mode, RetentionRule
from evidence.store.s3_client import Bucket, Clock, connect, sha256_header

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

__all__ = ["Mode", "S3Store", "connect"]
PROBE = "probe/"  # what the open-time probe leaves behind is nobody's object
CONFLICT_RETRIES = 5  # 409: another conditional request on the same key is in flight


class S3Store:
    """The S3 backend of ``evidence.store.objects.ObjectStore`` and ``evidence.store.retention.RetainingStore``.

    ``mode``, ``retention_days`` and ``retention`` (dataset -> days) set the lock of every object put; ``retain_until`` of a
    call may only lengthen it. ``owner`` is the account that must own the bucket. Raises ``ConfigError`` when the bucket
    has no versioning or no Object Lock: the message names the setting.
    """

    def __init__(
        self,
        client: "S3Client",
        bucket: str,
        prefix: str,
        *,
        mode: Mode,
        retention_days: int,
        clock: Clock,
        kms_key_id: str = "",
        retention: Mapping[str, int] | None = None,
        owner: str = "",
    ) -> None:
        self._bucket = Bucket(client, bucket, clock, owner)
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._rule = RetentionRule(mode, retention_days, retention or {})
        self._kms_key_id = kms_key_id
        self.probed: Mapping[str, Any] = {}  # what the server said to the open-time probe
        self._check_bucket()

    @property
    def url(self) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self._bucket.name}/{self._prefix}".rstrip("/")

    @property
    def rule(self) -> RetentionRule:
        """What is applied to every object put."""
        return self._rule

    @property
    def clock_offset(self) -> float | None:
        """Seconds that the server's clock was ahead of ours at its last answer."""
        return self._bucket.offset

    def protection(self) -> tuple[bool, bool]:
        """Return whether the bucket's versioning and its Object Lock are on, as the server says now."""
        versioning = self._bucket.call("get_bucket_versioning") or {}
        lock = self._bucket.call("get_object_lock_configuration", missing_ok=True) or {}
        locked = (lock.get("ObjectLockConfiguration") or {}).get("ObjectLockEnabled") == "Enabled"
        return versioning.get("Status") == "Enabled", locked

    def default_retention(self) -> tuple[str, int] | None:
        """Return mode and days of the bucket's own default; None for none. Ours name their lock themselves, whatever it is."""
        answer = self._bucket.call("get_object_lock_configuration", missing_ok=True) or {}
        rule = answer.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention")
        return (rule["Mode"], rule.get("Days") or 365 * rule.get("Years", 0)) if rule else None

    @cached_property
    def writable(self) -> bool:
        """Try a conditional create twice on a fresh name: a server that takes the second one must not be committed to."""
        name = f"{PROBE}{secrets.token_hex(16)}"
        first = self._create(name, b"first", {})
        self.probed = first or {}
        return first is not None and self._create(name, b"second", {}) is None

    def put_if_absent(self, path: str, body: bytes | Path, *, retain_until: dt.datetime | None = None) -> bool:
        """Create the object under lock; False if the name is taken. See the protocol for the promises."""
        if not self.writable:
            raise StoreError(
                f"{self.url}: the server does not honour If-None-Match on this bucket",
                fix="use a server with conditional writes; this store can be read and verified only",
            )
        check_path(path)
        content = body.read_bytes() if isinstance(body, Path) else body
        now = self._bucket.now()
        until = max(self._rule.until(path, now), retain_until or now)
        lock: dict[str, Any] = {"ObjectLockMode": self._rule.mode, "ObjectLockRetainUntilDate": until}
        created = self._put(path, content, lock)
        if created and path.startswith("log/"):
            self._refuse_second_version(path)
        return created

    def get(self, path: str, *, sha256: str | None = None) -> bytes:
        """Return the object's bytes, behind delete markers and newer versions if need be."""
        seen = False
        for version in self._candidates(path):
            body = self._bucket.read(self._prefix + path, version)
            if body is None:
                continue
            seen = True
            if sha256 is None or hashlib.sha256(body).hexdigest() == sha256:
                return body
        if seen:
            raise VerificationError(f"{path}: no version has SHA-256 {sha256}", step="object digest")
        raise ObjectNotFoundError(f"{self.url}/{path} does not exist")

    def list(self, prefix: str, *, start_after: str = "") -> Iterator[str]:
        """Yield names that have a version, hidden behind a delete marker or not."""
        marker: dict[str, Any] = {"KeyMarker": self._prefix + start_after} if start_after else {}
        last = ""
        while True:
            page = self._bucket.call("list_object_versions", Prefix=self._prefix + prefix, **marker)
            for version in page.get("Versions", []):
                name = version["Key"].removeprefix(self._prefix)
                if name != last and name > start_after and not name.startswith(PROBE):
                    last = name
                    yield name
            if not page.get("IsTruncated"):
                return
            marker = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}

    def head(self, path: str) -> ObjectInfo | None:
        """Return size, retention and hold as the server states them now; behind a delete marker those of the version it hides."""
        for version in self._candidates(path):
            found = self._head(path, version)
            if found is not None:
                return found
        return None

    def original(self, path: str) -> ObjectInfo:
        """See :class:`evidence.store.retention.RetainingStore`."""
        return self._locked(path, self._original(path))

    def lengthen(self, path: str, until: dt.datetime) -> bool:
        """See :class:`evidence.store.retention.RetainingStore`. A lock in GOVERNANCE mode becomes COMPLIANCE where that is the rule."""
        version = self._original(path)
        info = self._locked(path, version)
        mode = "COMPLIANCE" if "COMPLIANCE" in {info.retention_mode, self._rule.mode} else "GOVERNANCE"
        until = max(until, info.retain_until or until)
        if until == info.retain_until and mode == info.retention_mode:
            return False
        lock = {"Mode": mode, "RetainUntilDate": until}
        try:
            self._bucket.call("put_object_retention", Key=self._prefix + path, VersionId=version, Retention=lock)
        except StoreError as exc:
            if mode == info.retention_mode:
                raise
            raise StoreError(
                f"{path}: {info.retention_mode or 'no lock'} may not become {mode}: {exc}",
                fix="have somebody with s3:BypassGovernanceRetention set the mode of what is sealed, then try again",
            ) from exc
        after = self._locked(path, version)
        if after.retain_until is None or after.retain_until < until.replace(microsecond=0):
            raise StoreError(f"{path}: the longer lock was accepted and is not there", fix="check the bucket's lock")
        return True

    def hold(self, path: str, *, on: bool) -> None:
        """See :class:`evidence.store.retention.RetainingStore`."""
        version = self._original(path)
        status = {"Status": "ON" if on else "OFF"}
        self._bucket.call("put_object_legal_hold", Key=self._prefix + path, VersionId=version, LegalHold=status)
        if self._locked(path, version).held is not on:
            raise StoreError(
                f"{path}: the legal hold was accepted and is not what was asked for",
                fix="grant s3:GetObjectLegalHold, and check the server",
            )

    def replace_cache(self, body: bytes) -> None:
        """Put ``log/checkpoint`` without a lock; the only name with versions of its own, trusted by nobody."""
        key = self._prefix + CACHE_PATH
        self._bucket.call("put_object", Key=key, Body=body, ChecksumSHA256=sha256_header(body), **self._encryption())

    def _check_bucket(self) -> None:
        name, (versioning, lock) = self._bucket.name, self.protection()
        if not versioning:
            raise ConfigError(
                f"bucket {name} has no versioning",
                fix=f"aws s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Enabled",
            )
        if not lock:
            raise ConfigError(
                f"bucket {name} has no Object Lock",
                fix="create the bucket with --object-lock-enabled-for-bucket, or enable Object Lock on it",
            )

    def _encryption(self) -> dict[str, Any]:
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._kms_key_id} if self._kms_key_id else {}

    def _put(self, path: str, content: bytes, lock: dict[str, Any]) -> bool:
        answer = self._create(path, content, lock)
        if answer is not None:
            self._check_answer(path, sha256_header(content), answer)
        return answer is not None

    def _create(self, path: str, content: bytes, lock: dict[str, Any]) -> Mapping[str, Any] | None:
        """Return the server's answer to a conditional PUT, None when the name is taken."""
        for _ in range(CONFLICT_RETRIES):
            answer: Mapping[str, Any] = self._bucket.call(
                "put_object",
                taken_ok=True,
                Key=self._prefix + path,
                Body=content,
                IfNoneMatch="*",
                ChecksumSHA256=sha256_header(content),
                **lock,
                **self._encryption(),
            )
            if answer.get("conflict"):
                continue
            if answer.get("taken"):
                return self._ours(path, content) if answer["repeated"] else None
            return answer
        raise StoreError(f"{path}: conditional writes keep conflicting", fix="try again")

    def _ours(self, path: str, content: bytes) -> Mapping[str, Any] | None:
        """An earlier request of this call had no answer: if the only object of that name has our bytes, it is what it made."""
        versions = self._versions(path)
        if len(versions) != 1 or self._bucket.read(self._prefix + path, versions[0]) != content:
            return None
        which: dict[str, Any] = {"VersionId": versions[0], "ChecksumMode": "ENABLED"}
        answer: Mapping[str, Any] | None = self._bucket.call("head_object", Key=self._prefix + path, **which)
        return answer

    def _check_answer(self, path: str, checksum: str, answer: Mapping[str, Any]) -> None:
        if answer.get("ChecksumSHA256") != checksum:
            raise StoreError(
                f"{path}: the server returned checksum {answer.get('ChecksumSHA256')!r}, sent {checksum!r}",
                fix="use a server that checks SHA-256 checksums",
            )
        if self._kms_key_id and answer.get("ServerSideEncryption") != "aws:kms":
            raise StoreError(
                f"{path}: asked for SSE-KMS, the server says {answer.get('ServerSideEncryption') or 'nothing'}",
                fix="use a server that encrypts with the key of store.kms_key_id",
            )

    def _refuse_second_version(self, path: str) -> None:
        """A delete marker makes a name look free; a second version of a log object is a fork in the making."""
        if len(self._versions(path)) > 1:
            raise StoreConflictError(
                f"{path} had an earlier version behind a delete marker",
                fix="stop; deny s3:DeleteObject on log/ and find out who deleted it",
            )

    def _candidates(self, path: str) -> Iterator[str | None]:
        """Yield what to look at in turn: the current version, then, only if asked on, every one by its id, newest first."""
        yield None
        yield from self._versions(path)

    def _original(self, path: str) -> str:
        """Return the id of the version that was created first: the one the condition let through."""
        versions = self._versions(path)
        if not versions:
            raise ObjectNotFoundError(f"{self.url}/{path} does not exist")
        return versions[-1]

    def _versions(self, path: str) -> Sequence[str]:
        key = self._prefix + path
        marker: dict[str, Any] = {}
        found: Sequence[str] = []
        while True:
            page = self._bucket.call("list_object_versions", Prefix=key, **marker)
            found = [*found, *(version["VersionId"] for version in page.get("Versions", []) if version["Key"] == key)]
            if not page.get("IsTruncated") or page["NextKeyMarker"] > key:
                return found
            marker = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}

    def _locked(self, path: str, version: str) -> ObjectInfo:
        info = self._head(path, version)
        if info is None:
            raise ObjectNotFoundError(f"{self.url}/{path} does not exist")
        return info

    def _head(self, path: str, version: str | None) -> ObjectInfo | None:
        which: dict[str, Any] = {"VersionId": version} if version else {}
        answer = self._bucket.call("head_object", missing_ok=True, Key=self._prefix + path, **which)
        if answer is None:
            return None
        return ObjectInfo(
            path,
            answer["ContentLength"],
            answer.get("ObjectLockRetainUntilDate"),
            answer.get("ObjectLockMode"),
            answer.get("LastModified"),
            answer.get("ObjectLockLegalHoldStatus") == "ON",
        )

"""``s3://bucket/prefix``: a versioned bucket with Object Lock as a write-once store.

Every put is a single conditional PUT (``If-None-Match: *``) with a SHA-256 checksum that is sent and compared, and lock
headers. Reads look behind newer versions and delete markers: identity is the digest, never "latest". boto3 only here.
Sources: Amazon S3 User Guide, "Conditional writes", "Object Lock", "Checking object integrity".
"""

import base64
import datetime as dt
import hashlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from evidence.errors import ConfigError, ObjectNotFoundError, StoreConflictError, StoreError, VerificationError
from evidence.store.objects import CACHE_PATH, ObjectInfo, check_path

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

Mode = Literal["GOVERNANCE", "COMPLIANCE"]
Clock = Callable[[], dt.datetime]
MISSING = frozenset({"NoSuchKey", "NoSuchVersion", "404"})
TAKEN = frozenset({"PreconditionFailed", "412"})
PROBE = "probe/"  # what the open-time probe leaves behind is nobody's object
CONFLICT_RETRIES = 5  # 409: another conditional request on the same key is in flight


def connect(*, endpoint_url: str = "", region: str = "") -> "S3Client":
    """Return a boto3 client with bounded timeouts and retries; credentials come from boto3's own chain."""
    import boto3
    from botocore.config import Config

    settings = Config(
        retries={"max_attempts": 5, "mode": "standard"},
        connect_timeout=10,
        read_timeout=60,
        s3={"addressing_style": "path"} if endpoint_url else {},
    )
    return boto3.client("s3", endpoint_url=endpoint_url or None, region_name=region or None, config=settings)


class S3Store:
    """The S3 backend of ``evidence.store.objects.ObjectStore``.

    ``mode`` and ``retention_days`` set the lock of every object put; ``retain_until`` of a call may only lengthen it.
    Raises ``ConfigError`` when the bucket has no versioning or no Object Lock: the message names the setting.
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
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._mode = mode
        self._retention = dt.timedelta(days=retention_days)
        self._clock = clock
        self._kms_key_id = kms_key_id
        self._server_date = self._check_bucket()

    @property
    def url(self) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    @cached_property
    def writable(self) -> bool:
        """Try a conditional create twice on a fresh name: a server that takes the second one must not be committed to."""
        name = f"{PROBE}{secrets.token_hex(16)}"
        first = self._put(name, b"first", {})
        return first and not self._put(name, b"second", {})

    def put_if_absent(self, path: str, body: bytes | Path, *, retain_until: dt.datetime | None = None) -> bool:
        """Create the object under lock; False if the name is taken. See the protocol for the promises."""
        if not self.writable:
            raise StoreError(
                f"{self.url}: the server does not honour If-None-Match on this bucket",
                fix="use a server with conditional writes; this store can be read and verified only",
            )
        check_path(path)
        content = body.read_bytes() if isinstance(body, Path) else body
        until = max(self._now() + self._retention, retain_until or self._now())
        lock: dict[str, Any] = {"ObjectLockMode": self._mode, "ObjectLockRetainUntilDate": until}
        created = self._put(path, content, lock)
        if created and path.startswith("log/"):
            self._refuse_second_version(path)
        return created

    def get(self, path: str, *, sha256: str | None = None) -> bytes:
        """Return the object's bytes, behind delete markers and newer versions if need be."""
        seen = False
        for version in (None, *self._versions(path)):
            body = self._read(path, version)
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
            page = self._call("list_object_versions", Prefix=self._prefix + prefix, **marker)
            for version in page.get("Versions", []):
                name = version["Key"].removeprefix(self._prefix)
                if name != last and name > start_after and not name.startswith(PROBE):
                    last = name
                    yield name
            if not page.get("IsTruncated"):
                return
            marker = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}

    def head(self, path: str) -> ObjectInfo | None:
        """Return size and the retention as the server states it now."""
        answer = self._call("head_object", missing_ok=True, Key=self._prefix + path)
        if answer is None:
            return None
        return ObjectInfo(
            path, answer["ContentLength"], answer.get("ObjectLockRetainUntilDate"), answer.get("ObjectLockMode")
        )

    def replace_cache(self, body: bytes) -> None:
        """Put ``log/checkpoint`` without a lock; the only name with versions of its own, trusted by nobody."""
        self._call("put_object", Key=self._prefix + CACHE_PATH, Body=body, ChecksumAlgorithm="SHA256")

    def _check_bucket(self) -> dt.datetime:
        answer = self._call("get_bucket_versioning")
        if (answer or {}).get("Status") != "Enabled":
            raise ConfigError(
                f"bucket {self._bucket} has no versioning",
                fix=f"aws s3api put-bucket-versioning --bucket {self._bucket} "
                "--versioning-configuration Status=Enabled",
            )
        lock = self._call("get_object_lock_configuration", missing_ok=True)
        if ((lock or {}).get("ObjectLockConfiguration") or {}).get("ObjectLockEnabled") != "Enabled":
            raise ConfigError(
                f"bucket {self._bucket} has no Object Lock",
                fix="create the bucket with --object-lock-enabled-for-bucket, or enable Object Lock on it",
            )
        return self._server_date

    def _put(self, path: str, content: bytes, lock: dict[str, Any]) -> bool:
        checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
        extra = dict(lock)
        if self._kms_key_id:
            extra |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._kms_key_id}
        for _ in range(CONFLICT_RETRIES):
            answer = self._call(
                "put_object",
                taken_ok=True,
                Key=self._prefix + path,
                Body=content,
                IfNoneMatch="*",
                ChecksumSHA256=checksum,
                **extra,
            )
            if answer is None:
                return False
            if answer.get("conflict"):
                continue
            if answer.get("ChecksumSHA256") != checksum:
                raise StoreError(
                    f"{path}: the server returned checksum {answer.get('ChecksumSHA256')!r}, sent {checksum!r}",
                    fix="use a server that checks SHA-256 checksums",
                )
            return True
        raise StoreError(f"{path}: conditional writes keep conflicting", fix="try again")

    def _refuse_second_version(self, path: str) -> None:
        """A delete marker makes a name look free; a second version of a log object is a fork in the making."""
        if len(self._versions(path)) > 1:
            raise StoreConflictError(
                f"{path} had an earlier version behind a delete marker",
                fix="stop; deny s3:DeleteObject on log/ and find out who deleted it",
            )

    def _versions(self, path: str) -> Sequence[str]:
        answer = self._call("list_object_versions", Prefix=self._prefix + path) or {}
        return [v["VersionId"] for v in answer.get("Versions", []) if v["Key"] == self._prefix + path]

    def _read(self, path: str, version: str | None) -> bytes | None:
        which: dict[str, Any] = {"VersionId": version} if version else {}
        answer = self._call("get_object", missing_ok=True, Key=self._prefix + path, **which)
        return None if answer is None else self._guard(answer["Body"].read)

    def _now(self) -> dt.datetime:
        """The later of our clock and the server's, so that a slow clock never shortens retention."""
        return max(self._clock(), self._server_date)

    def _call(self, operation: str, *, missing_ok: bool = False, taken_ok: bool = False, **arguments: Any) -> Any:
        from botocore.exceptions import ClientError

        try:
            answer = self._guard(lambda: getattr(self._client, operation)(Bucket=self._bucket, **arguments))
        except ClientError as exc:
            code = str(exc.response.get("Error", {}).get("Code", ""))
            status = str(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
            if missing_ok and (code in MISSING or code == "ObjectLockConfigurationNotFoundError" or status == "404"):
                return None
            if taken_ok and (code in TAKEN or status == "412"):
                return None
            if taken_ok and status == "409":
                return {"conflict": True}
            raise StoreError(
                f"{operation} on {self.url}: {code}", fix="check the bucket's policy and this role's rights"
            ) from exc
        date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        self._server_date = parsedate_to_datetime(date) if date else self._clock()
        return answer

    def _guard(self, action: Callable[[], Any]) -> Any:
        """Run ``action``; transport failures become ``StoreError`` (the object may have been created)."""
        from botocore.exceptions import BotoCoreError, HTTPClientError

        try:
            return action()
        except (BotoCoreError, HTTPClientError) as exc:
            raise StoreError(
                f"{self.url} did not answer: {type(exc).__name__}", fix="check endpoint, region and network; try again"
            ) from exc

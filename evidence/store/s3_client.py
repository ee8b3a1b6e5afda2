"""One bucket over boto3: calls with our errors, whole bodies or none, and a clock that the server may move forward only.

boto3 repeats a request that got no answer, a 5xx or a throttle; a body that breaks off is after that, so it is read again
here. Sources: botocore's "Retries" guide (standard mode), Amazon S3 API reference (errors, ``x-amz-expected-bucket-owner``).
"""

import base64
import datetime as dt
import hashlib
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from evidence.errors import StoreError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

Clock = Callable[[], dt.datetime]
MISSING: Final = frozenset({"NoSuchKey", "NoSuchVersion", "NoSuchObjectLockConfiguration", "404"})
TAKEN: Final = frozenset({"PreconditionFailed", "412"})
READS: Final = 4  # of one body that breaks off, stalls, or is not of its own checksum


def connect(*, endpoint_url: str = "", region: str = "") -> "S3Client":
    """Return a boto3 client with bounded timeouts and retries; credentials come from boto3's own chain."""
    return patient_client(endpoint_url, region, attempts=5, read_timeout=60)


def patient_client(endpoint_url: str, region: str, *, attempts: int, read_timeout: float) -> "S3Client":
    """Return a client that tries a request ``attempts`` times in all and waits ``read_timeout`` seconds for bytes."""
    import boto3
    from botocore.config import Config

    settings = Config(
        retries={"total_max_attempts": attempts, "mode": "standard"},
        connect_timeout=10,
        read_timeout=read_timeout,
        s3={"addressing_style": "path"} if endpoint_url else {},
    )
    return boto3.client("s3", endpoint_url=endpoint_url or None, region_name=region or None, config=settings)


def sha256_header(content: bytes) -> str:
    """Return the SHA-256 as ``x-amz-checksum-sha256`` spells it."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


class Bucket:
    """``name`` as the account ``owner`` has it (any account when empty)."""

    def __init__(self, client: "S3Client", name: str, clock: Clock, owner: str = "") -> None:
        self._client = client
        self._owner = {"ExpectedBucketOwner": owner} if owner else {}
        self._clock = clock
        self._behind = dt.timedelta()  # how far our clock is behind the server's
        self.offset: float | None = None  # seconds that the server's clock was ahead of ours at its last answer
        self.name = name

    def now(self) -> dt.datetime:
        """The later of our clock and the server's, so that a slow clock never shortens retention."""
        return self._clock() + self._behind

    def call(self, operation: str, *, missing_ok: bool = False, taken_ok: bool = False, **arguments: Any) -> Any:
        """Return the answer; None when the object is missing and may be.

        With ``taken_ok`` a refused condition is ``{"taken": True, "repeated": …}`` (``repeated``: an earlier request of this
        call got no answer and may have been carried out) and a request in flight on the same key ``{"conflict": True}``.
        """
        from botocore.exceptions import ClientError

        try:
            answer = self._guard(
                lambda: getattr(self._client, operation)(Bucket=self.name, **self._owner, **arguments),
                READS if operation.startswith(("get_", "head_", "list_")) else 1,
            )
        except ClientError as exc:
            code = str(exc.response.get("Error", {}).get("Code", ""))
            said: Any = exc.response.get("ResponseMetadata", {})
            status = str(said.get("HTTPStatusCode", ""))
            if missing_ok and (code in MISSING or code == "ObjectLockConfigurationNotFoundError" or status == "404"):
                return None
            if taken_ok and (code in TAKEN or status == "412"):
                return {"taken": True, "repeated": bool(said.get("RetryAttempts"))}
            if taken_ok and status == "409":
                return {"conflict": True}
            raise StoreError(f"{operation} on s3://{self.name}: {code}", fix=self._fix(code)) from exc
        date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        if date:
            ahead = parsedate_to_datetime(date) - self._clock()
            self.offset, self._behind = ahead.total_seconds(), max(ahead, dt.timedelta())
        return answer

    def read(self, key: str, version: str | None) -> bytes | None:
        """Return the whole body, None when there is no such object. A body that is not of its length or checksum is never returned."""
        which: dict[str, Any] = {"VersionId": version} if version else {}
        for left in reversed(range(READS)):
            answer = self.call("get_object", missing_ok=True, Key=key, ChecksumMode="ENABLED", **which)
            if answer is None:
                return None
            try:
                body: bytes = self._guard(answer["Body"].read)
            except StoreError:
                if not left:
                    raise
                continue
            said = answer.get("ChecksumSHA256")
            if len(body) == answer["ContentLength"] and said in {None, sha256_header(body)}:
                return body
        raise StoreError(
            f"s3://{self.name}/{key} does not arrive as it was stored: {READS} reads had another length or checksum",
            fix="look at what is between this machine and the bucket",
        )

    def _fix(self, code: str) -> str:
        if self._owner:
            return f"check that account {self._owner['ExpectedBucketOwner']} owns it, its policy and this role's rights"
        return "check the bucket's policy and this role's rights" if code != "NoSuchBucket" else "create the bucket"

    def _unanswered(self, what: str) -> StoreError:
        """Return the error for a request that had no answer, or was never sent: AWS's own chain holds no credentials."""
        if "Credential" in what:
            fix = "give this user AWS credentials: aws configure, AWS_… variables, or the machine's role"
            return StoreError(f"s3://{self.name} was not asked: {what}", fix=fix)
        fix = "check endpoint, region and network; try again"
        return StoreError(f"s3://{self.name} gave no answer that can be read: {what}", fix=fix)

    def _guard(self, action: Callable[[], Any], tries: int = 1) -> Any:
        """Run ``action``; transport failures become ``StoreError`` (the object may have been created).

        An answer that breaks off or is no XML comes after boto3's own retries: with ``tries`` it is asked for again.
        """
        from botocore.exceptions import BotoCoreError, HTTPClientError
        from botocore.parsers import ResponseParserError
        from urllib3.exceptions import HTTPError

        for left in reversed(range(tries)):
            try:
                return action()
            except (BotoCoreError, HTTPClientError, ResponseParserError, HTTPError, OSError) as exc:
                if left and isinstance(exc, (ResponseParserError, HTTPError)):
                    continue
                raise self._unanswered(type(exc).__name__) from exc
        raise AssertionError("unreachable")  # pragma: no cover

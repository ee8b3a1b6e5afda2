"""Artifacts under an S3 prefix. Each is pinned when it is first looked at: by VersionId where the bucket keeps versions, else by ETag.

Only ListBucket, GetObject and GetObjectVersion are used; bodies stay in memory. boto3 only here.
Sources: Amazon S3 API Reference, "ListObjectsV2", "GetObject" (Range, IfMatch, VersionId).
"""

import datetime as dt
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from evidence.errors import ConfigError, SourceDeniedError, SourceError, SourceUnavailableError
from evidence.snapshot.model import Statement
from evidence.sources.dbt_artifact import Artifact, Kind, describe, may_be
from evidence.sources.dbt_file import HEAD_BYTES, MAX_BYTES, ArtifactFile
from evidence.sources.dbt_shelf import RunsSeen

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

DENIED = frozenset(
    {"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "AllAccessDisabled"}
)
GONE = frozenset({"NoSuchBucket", "404"})
LOOKERS = 8  # requests at once while the heads are read
CHUNK = 2**20


def connect(*, endpoint_url: str = "", profile: str = "", region: str = "") -> "S3Client":
    """Return a boto3 client with bounded timeouts and retries; credentials come from boto3's own chain, or a named profile."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    settings = Config(
        retries={"max_attempts": 6, "mode": "standard"},
        connect_timeout=10,
        read_timeout=60,
        max_pool_connections=LOOKERS,
        s3={"addressing_style": "path"} if endpoint_url else {},
    )
    try:
        session = boto3.Session(profile_name=profile or None, region_name=region or None)
        return session.client("s3", endpoint_url=endpoint_url or None, config=settings)
    except (BotoCoreError, ValueError) as exc:
        raise ConfigError(
            f"S3: {type(exc).__name__}", fix="correct profile, region and endpoint_url of the source"
        ) from exc


def parse_place(url: str) -> tuple[str, str]:
    """Return bucket and prefix of ``s3://bucket/prefix``; the prefix ends with a slash or is empty."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket:
        raise ConfigError(f"{url!r} is no S3 prefix", fix="write s3://bucket/prefix")
    prefix = prefix.strip("/")
    return bucket, f"{prefix}/" if prefix else ""


class S3Shelf:
    """``client`` is called once, at the first look."""

    lists_runs = False
    remote = True

    def __init__(self, client: Callable[[], "S3Client"], bucket: str, prefix: str, *, page_size: int = 1000) -> None:
        self._connect = client
        self._bucket, self._prefix = bucket, prefix
        self._page_size = page_size

    @property
    def url(self) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self._bucket}/{self._prefix}"

    @property
    def system(self) -> Mapping[str, str]:
        """The prefix."""
        return {"place": self.url}

    @property
    def statements(self) -> Sequence[Statement]:
        """The listing; every read names its version."""
        return (Statement(f"ListObjectsV2 {self.url}", rows=len(self._objects)),)

    def artifacts(self, since: dt.datetime | None = None, until: dt.datetime | None = None) -> Sequence[Artifact]:  # noqa: ARG002 - all of it
        """Return every artifact below the prefix. Raises ``SourceDeniedError`` or ``SourceUnavailableError``."""
        return self._index

    def days(self, kind: Kind, now: dt.datetime) -> set[dt.date] | None:  # noqa: ARG002 - the artifacts say it
        """Leave it to the artifacts."""
        return None

    def runs(self, since: dt.datetime, until: dt.datetime) -> RunsSeen:  # noqa: ARG002 - files say nothing of runs
        """Know of no run: a bucket shows what was copied into it."""
        return RunsSeen()

    def close(self) -> None:
        """Close the connections."""
        if "_client" in self.__dict__:
            self._client.close()
            del self.__dict__["_client"]

    @cached_property
    def _client(self) -> "S3Client":
        return self._connect()

    @cached_property
    def _index(self) -> tuple[Artifact, ...]:
        with ThreadPoolExecutor(LOOKERS) as pool:
            return tuple(pool.map(lambda found: describe(self._file(found)), self._objects))

    @cached_property
    def _objects(self) -> tuple[Mapping[str, Any], ...]:
        return tuple(self._listed())

    def _listed(self) -> Iterator[Mapping[str, Any]]:
        """Yield the objects that may be artifacts, page by page, in order of key; names that begin with a dot are not looked at."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix, PaginationConfig={"PageSize": self._page_size}
        )
        try:
            for page in pages:
                for found in page.get("Contents", ()):
                    name = found["Key"].removeprefix(self._prefix)
                    if may_be(name) and not any(part.startswith(".") for part in name.split("/")):
                        yield cast("Mapping[str, Any]", found)
        except Exception as exc:
            raise self._refused(exc) from exc

    def _file(self, found: Mapping[str, Any]) -> ArtifactFile:
        """Look at the head of an object; that look decides which version every later read gets."""
        name, key, size = found["Key"].removeprefix(self._prefix), found["Key"], int(found["Size"])
        modified = found["LastModified"].astimezone(dt.UTC)
        if size > MAX_BYTES:
            return ArtifactFile(name, modified, _nothing, f"over {MAX_BYTES} bytes")
        wanted = {"Range": f"bytes=0-{HEAD_BYTES - 1}"} if size else {}
        try:
            answer = self._get(Key=key, IfMatch=found["ETag"], **wanted)
            head = answer["Body"].read(HEAD_BYTES)
        except Exception as exc:  # noqa: BLE001 - one object must not stop the others; what it is stands in the refusal
            return ArtifactFile(name, modified, _nothing, f"cannot be read: {_code(exc)}")
        version = answer.get("VersionId") or "null"
        pin = {"VersionId": version} if version != "null" else {"IfMatch": found["ETag"]}
        spelled = f"version:{version}" if version != "null" else f"etag:{found['ETag'].strip(chr(34))}"
        return ArtifactFile(name, modified, lambda: self._body(key, size, pin), pin=spelled, head=head)

    def _body(self, key: str, size: int, pin: Mapping[str, str]) -> BinaryIO:
        """Read the whole of a pinned object. Raises ``OSError`` if it is gone, changed, longer or shorter than listed."""
        body = bytearray()
        try:
            answer = self._get(Key=key, **pin)
            for chunk in answer["Body"].iter_chunks(CHUNK):
                body += chunk
                if len(body) > size:
                    break
        except Exception as exc:
            raise OSError(0, _code(exc)) from exc
        if len(body) != size:
            raise OSError(0, f"{len(body)} bytes came, {size} were listed")
        return io.BytesIO(bytes(body))

    def _get(self, **wanted: Any) -> Mapping[str, Any]:
        client: Any = self._client  # the stubs want every key named
        found: Mapping[str, Any] = client.get_object(Bucket=self._bucket, **wanted)
        return found

    def _refused(self, exc: Exception) -> SourceError:
        code = _code(exc)
        if code in DENIED:
            return SourceDeniedError(
                f"{self.url}: {code}",
                fix="grant s3:ListBucket on the bucket, s3:GetObject and s3:GetObjectVersion on the prefix",
            )
        if code in GONE:
            return SourceUnavailableError(f"{self.url}: {code}", fix="correct the bucket's name and region")
        return SourceUnavailableError(f"{self.url}: {code}", fix="check network, endpoint_url, region and credentials")


def _code(exc: Exception) -> str:
    """Name an error by S3's own code, else by its class; messages may quote requests."""
    response = getattr(exc, "response", None)
    error = response.get("Error", {}) if isinstance(response, dict) else {}
    return str(error.get("Code") or type(exc).__name__)


def _nothing() -> BinaryIO:
    raise OSError(0, "was not read")

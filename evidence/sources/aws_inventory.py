"""S3 inventory: how it is configured, and the age of the oldest object by its latest report.

Reports list object keys, which may name people. They are read only in places that the configuration names, as a stream, and
only counts, sizes and times leave this module; nothing is written to a disk.
Source: Amazon S3 User Guide, "Cataloging and analyzing your data with S3 Inventory" and "Locating your inventory list".
"""

import csv
import datetime as dt
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evidence.sources import exact
from evidence.sources.aws_calls import UNSET, Calls, GoneError, Refused, sdk_errors
from evidence.sources.aws_s3 import Bucket, bucket_names, list_buckets
from evidence.sources.aws_unit import UNSET_TEXT, Row, Unit, compared, refusals

MAX_FILE: Final = 512 << 20  # bytes of one report file held in memory
_DATED: Final = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}-\d{2})Z/\Z", re.ASCII)
_COLUMNS: Final = {
    "islatest": "is_latest",
    "isdeletemarker": "is_delete_marker",
    "lastmodifieddate": "last_modified_date",
}


class ReportError(Exception):
    """A report that cannot be trusted or read; the message is a reason and quotes nothing from it."""


@dataclass(slots=True)
class Ages:
    """Counts and times over the objects of one report; delete markers are no objects."""

    objects: int = 0
    size: int = 0
    older_versions: int = 0
    oldest: dt.datetime | None = None
    newest: dt.datetime | None = None
    oldest_version: dt.datetime | None = None

    def add(self, *, latest: bool, size: int, modified: dt.datetime) -> None:
        """Count one object, or one older version of one."""
        if not latest:
            self.older_versions += 1
            self.oldest_version = min(self.oldest_version or modified, modified)
            return
        self.objects += 1
        self.size += size
        self.oldest = min(self.oldest or modified, modified)
        self.newest = max(self.newest or modified, modified)


def read_inventory(calls: Calls, region: str) -> Unit:
    """``aws.s3_inventory``: one row per inventory configuration of every bucket, with its latest report where it may be read."""
    buckets = list_buckets(calls, region)

    def of(bucket: Bucket) -> list[Row] | None:
        if bucket.location:
            return []
        try:
            found = _configurations(calls, bucket)
        except GoneError:
            return None
        return [_row(calls, bucket, item) for item in found]

    described = dict(zip(buckets, calls.each(of, buckets.values()), strict=True))
    asked: dict[str, Row] = {name: {} for name, rows in described.items() if rows is not None}
    kept = compared(asked, bucket_names(calls, region), "buckets", described)
    rows = {f"{name} {row['id']}": row for name in kept.rows for row in described[name] or ()}
    notes = [*kept.notes]
    if not calls.places and rows:
        notes.append("inventory reports were not read: the configuration names no place for them (`inventory`)")
    return Unit(rows, frozenset(rows) | (kept.listed - kept.rows.keys()), tuple(notes))


def _configurations(calls: Calls, bucket: Bucket) -> list[Mapping[str, Any]]:
    """Return every configuration; a refused list is a gap and gives no row."""
    found: list[Mapping[str, Any]] = []
    more: dict[str, str] = {}
    while True:
        answer = calls.ask(
            "s3:ListBucketInventoryConfigurations", bucket.region, bucket.name, Bucket=bucket.name, **more
        )
        if answer is UNSET or not isinstance(answer, Mapping):
            return found
        found += answer.get("InventoryConfigurationList", [])
        if not answer.get("IsTruncated"):
            return found
        more = {"ContinuationToken": answer["NextContinuationToken"]}


def _row(calls: Calls, bucket: Bucket, configured: Mapping[str, Any]) -> Row:
    target = configured.get("Destination", {}).get("S3BucketDestination", {})
    place = str(target.get("Bucket", "")).rpartition(":")[2]
    prefix = str(target.get("Prefix", "")).strip("/")
    base = "/".join(part for part in (prefix, bucket.name, configured["Id"]) if part) + "/"
    row: Row = {
        "account": calls.account,
        "region": bucket.region,
        "bucket": bucket.name,
        "id": configured["Id"],
        "enabled": configured.get("IsEnabled"),
        "filter_prefix": configured.get("Filter", {}).get("Prefix") or UNSET_TEXT,
        "included_versions": configured.get("IncludedObjectVersions"),
        "frequency": configured.get("Schedule", {}).get("Frequency"),
        "format": target.get("Format"),
        "destination_bucket": place,
        "destination_prefix": prefix or UNSET_TEXT,
        "fields": sorted(configured.get("OptionalFields", [])),
        "refused": [],
    }
    if any(allowed.holds(place, base) for allowed in calls.places):
        row |= _report(calls, bucket.region, place, base)
    else:
        row |= {"report": "not-read"}
    return row


def _report(calls: Calls, region: str, place: str, base: str) -> Row:
    """Return what the latest report says; ``report`` is ``read``, ``none``, ``refused`` or a reason why it is not trusted."""
    item = f"{place}/{base}"
    folders = calls.ask_listed(
        "s3:ListObjectsV2", region, item, "CommonPrefixes", Bucket=place, Prefix=base, Delimiter="/"
    )
    if isinstance(folders, Refused):
        return {"report": "refused", "refused": refusals([folders])}
    dated = sorted(folder["Prefix"] for folder in folders if _DATED.search(folder["Prefix"]))
    if not dated:
        return {"report": "none"}
    try:
        manifest = exact.loads(_body(calls, region, place, f"{dated[-1]}manifest.json"))
        ages = Ages()
        for file in manifest["files"]:
            body = _body(calls, region, place, file["key"])
            _check(body, file["MD5checksum"])
            _count(ages, body, manifest["fileFormat"], manifest["fileSchema"])
        made = dt.datetime.fromtimestamp(int(manifest["creationTimestamp"]) / 1000, dt.UTC)
    except _RefusedError as exc:
        return {"report": "refused", "refused": [str(exc)]}
    except ReportError as exc:
        return {"report": f"unreadable: {exc}"}
    except (KeyError, TypeError, ValueError, EOFError, OSError, OverflowError, zlib.error, csv.Error) as exc:
        return {"report": f"unreadable: {type(exc).__name__}"}
    return {
        "report": "read",
        "report_at": made,
        "objects": ages.objects,
        "bytes": ages.size,
        "oldest_object_at": ages.oldest,
        "newest_object_at": ages.newest,
        "older_versions": ages.older_versions,
        "oldest_older_version_at": ages.oldest_version,
    }


class _RefusedError(Exception):
    """A report's object was refused."""


def _body(calls: Calls, region: str, place: str, key: str) -> bytes:
    if not any(allowed.holds(place, key) for allowed in calls.places):
        raise ReportError("the manifest names a file outside the configured place")
    answer = calls.ask("s3:GetObject", region, f"{place}/{key}", Bucket=place, Key=key)
    if not isinstance(answer, Mapping):
        raise _RefusedError(str(answer))
    if answer["ContentLength"] > MAX_FILE:
        answer["Body"].close()
        raise ReportError(f"a file has more than {MAX_FILE >> 20} MiB")
    try:
        return bytes(answer["Body"].read())
    except sdk_errors() as exc:
        raise ReportError("the connection broke while a file was read") from exc


def _check(body: bytes, expected: str) -> None:
    if hashlib.md5(body, usedforsecurity=False).hexdigest() != expected:
        raise ReportError("a file differs from the manifest's checksum")


def _count(ages: Ages, body: bytes, kind: str, schema: str) -> None:
    for row in _csv(body, schema) if kind == "CSV" else _columnar(body, kind):
        if _true(row.get("is_delete_marker"), default=False):
            continue
        modified = row["last_modified_date"]
        if isinstance(modified, str):
            modified = dt.datetime.fromisoformat(modified)
        if not isinstance(modified, dt.datetime):
            raise ReportError("an object without a time: add LastModifiedDate to the inventory's fields")
        modified = modified.replace(tzinfo=modified.tzinfo or dt.UTC)
        ages.add(latest=_true(row.get("is_latest"), default=True), size=int(row.get("size") or 0), modified=modified)


def _csv(body: bytes, schema: str) -> Iterator[Mapping[str, Any]]:
    names = [_COLUMNS.get(name.strip().lower(), name.strip().lower()) for name in schema.split(",")]
    _needs(names)
    with gzip.open(io.BytesIO(body), "rt", encoding="utf-8", newline="") as lines:
        for values in csv.reader(lines):
            if len(values) != len(names):
                raise ReportError("a line does not fit the schema")
            yield dict(zip(names, values, strict=True))


def _columnar(body: bytes, kind: str) -> Iterator[Mapping[str, Any]]:
    import pyarrow as pa
    from pyarrow import orc, parquet

    wanted = ["is_latest", "is_delete_marker", "size", "last_modified_date"]
    if kind == "Parquet":
        file = parquet.ParquetFile(pa.BufferReader(body))
        names = file.schema_arrow.names
        _needs(names)
        batches = file.iter_batches(columns=[name for name in wanted if name in names])
    elif kind == "ORC":
        stripes = orc.ORCFile(pa.BufferReader(body))
        names = stripes.schema.names
        _needs(names)
        columns = [name for name in wanted if name in names]
        batches = (stripes.read_stripe(n, columns=columns) for n in range(stripes.nstripes))
    else:
        raise ReportError("a format that is not documented")
    for batch in batches:
        yield from batch.to_pylist()


def _needs(names: Sequence[str]) -> None:
    if "last_modified_date" not in names:
        raise ReportError("no times: add LastModifiedDate to the inventory's fields")


def _true(value: Any, *, default: bool) -> bool:
    return default if value is None or value == "" else str(value).lower() == "true"

"""S3 inventory reports: ages and counts from CSV, Parquet and ORC, read only where the configuration says, keys left behind."""

import datetime as dt
import gzip
import hashlib
import io
import json

import pyarrow as pa
import pytest
from fakes.aws_account import NOW, account
from fakes.aws_wire import Fault
from pyarrow import orc, parquet

from evidence.datasets.load import load_contracts
from evidence.snapshot.model import Window
from evidence.sources.aws import AwsSource
from evidence.sources.aws_operations import Place
from evidence.sources.aws_session import Connection

CONTRACT = load_contracts()["aws.s3_inventory"]
BASE = "inventory/phi/daily/"
OLD, NEW, PAST = (
    dt.datetime(2025, 1, 1, tzinfo=dt.UTC),
    dt.datetime(2026, 9, 1, tzinfo=dt.UTC),
    dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
)
OBJECTS = [  # key, latest, delete marker, bytes, modified
    ("members/jane-doe.csv", True, False, 10, OLD),
    ("b.csv", True, False, 5, NEW),
    ("b.csv", False, False, 4, PAST),
    ("gone.csv", True, True, None, PAST),
]
SCHEMA = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate"


def as_csv(rows):
    lines = [
        f'"phi","{key}","v","{str(latest).lower()}","{str(marker).lower()}","{"" if size is None else size}","{moment:%Y-%m-%dT%H:%M:%S.000Z}"'
        for key, latest, marker, size, moment in rows
    ]
    return gzip.compress("\n".join(lines).encode())


def table(rows):
    key, latest, marker, size, moment = zip(*rows, strict=True)
    times = pa.array(moment, pa.timestamp("ms"))
    return pa.table(
        {
            "bucket": ["phi"] * len(rows),
            "key": key,
            "is_latest": latest,
            "is_delete_marker": marker,
            "size": size,
            "last_modified_date": times,
        }
    )


def as_parquet(rows):
    out = io.BytesIO()
    parquet.write_table(table(rows), out)
    return out.getvalue()


def as_orc(rows):
    out = io.BytesIO()
    orc.write_table(table(rows), out)
    return out.getvalue()


def wired(body, kind, *, schema=SCHEMA, files=None, **changes):
    wire = account()
    target = {"Bucket": "arn:aws:s3:::reports", "Format": kind, "Prefix": "inventory"}
    configured = {
        "Destination": {"S3BucketDestination": target},
        "IsEnabled": True,
        "Id": "daily",
        "IncludedObjectVersions": "All",
        "Schedule": {"Frequency": "Daily"},
        "OptionalFields": ["Size"],
    }
    wire.on("s3:ListBucketInventoryConfigurations", {"InventoryConfigurationList": [configured], "IsTruncated": False})
    manifest = {
        "sourceBucket": "phi", "destinationBucket": "arn:aws:s3:::reports", "version": "2016-11-30", "creationTimestamp": "1790899200000",
        "fileFormat": kind, "fileSchema": schema,
        "files": files or [{"key": f"{BASE}data/1", "size": len(body), "MD5checksum": hashlib.md5(body).hexdigest()}],
    } | changes  # fmt: skip
    folders = [f"{BASE}2026-09-29T01-00Z/", f"{BASE}2026-10-01T01-00Z/", f"{BASE}data/", f"{BASE}hive/"]
    wire.on("s3:ListObjectsV2", {"CommonPrefixes": [{"Prefix": folder} for folder in folders]})

    def get(params):
        answer = json.dumps(manifest).encode() if params["Key"].endswith("manifest.json") else body
        return {"Body": io.BytesIO(answer), "ContentLength": len(answer)}

    return wire.on("s3:GetObject", get)


def read(wire, *places):
    connection = Connection(sessions=wire.session, attempts=1, places=tuple(Place.parse(url) for url in places))
    source = AwsSource("aws", (), ["aws.s3_inventory"], connection=connection, run="R", clock=lambda: NOW)
    reading = source.read(CONTRACT, Window(dt.date(2026, 10, 1), "state"))
    return reading, [row for batch in reading.batches for row in batch.to_pylist()]


PLACE = "s3://reports/inventory"


@pytest.mark.parametrize(("kind", "spell"), [("CSV", as_csv), ("Parquet", as_parquet), ("ORC", as_orc)])
def test_ages_come_from_the_latest_report(kind, spell):
    wire = wired(spell(OBJECTS), kind)
    reading, (row,) = read(wire, PLACE)
    assert (row["report"], row["objects"], row["bytes"], row["older_versions"]) == ("read", 2, 15, 1)
    assert (row["oldest_object_at"], row["newest_object_at"], row["oldest_older_version_at"]) == (OLD, NEW, PAST)
    assert row["report_at"] == dt.datetime.fromtimestamp(1790899200, dt.UTC)
    assert wire.calls("s3:GetObject")[0]["Key"] == f"{BASE}2026-10-01T01-00Z/manifest.json"
    assert "jane" not in json.dumps([row, reading.system, [s.to_json() for s in reading.statements]], default=str)
    assert not reading.gaps


def test_without_a_place_nothing_is_read_and_it_is_said():
    wire = wired(as_csv(OBJECTS), "CSV")
    reading, (row,) = read(wire)
    assert (row["report"], row["oldest_object_at"], row["enabled"]) == ("not-read", None, True)
    assert not wire.calls("s3:GetObject")
    assert not wire.calls("s3:ListObjectsV2")
    assert any("names no place" in note for note in reading.notes)
    _, (row,) = read(wire, "s3://other")
    assert row["report"] == "not-read"


def test_a_refused_report_is_a_gap():
    wire = wired(as_csv(OBJECTS), "CSV").on("s3:GetObject", Fault("AccessDenied"))
    reading, (row,) = read(wire, PLACE)
    assert (row["report"], row["refused"], row["objects"]) == ("refused", ["s3:GetObject AccessDenied"], None)
    assert "allow s3:GetObject" in reading.gaps[0]


def test_no_report_yet_is_said():
    wire = wired(b"", "CSV").on("s3:ListObjectsV2", {"CommonPrefixes": [{"Prefix": f"{BASE}hive/"}]})
    _, (row,) = read(wire, PLACE)
    assert (row["report"], row["objects"]) == ("none", None)


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (lambda: wired(as_csv(OBJECTS), "CSV", files=[{"key": f"{BASE}data/1", "MD5checksum": "0" * 32}]), "differs from the manifest's checksum"),
        (lambda: wired(as_csv(OBJECTS), "CSV", files=[{"key": "members/1", "MD5checksum": "0" * 32}]), "outside the configured place"),
        (lambda: wired(as_csv(OBJECTS), "CSV", schema="Bucket, Key"), "add LastModifiedDate"),
        (lambda: wired(as_csv(OBJECTS), "CSV", schema=f"{SCHEMA}, ETag"), "does not fit the schema"),
        (lambda: wired(as_parquet(OBJECTS), "Avro"), "not documented"),
        (lambda: wired(gzip.compress(b'"phi","k","v","true","false","1","jane"'), "CSV"), "ValueError"),
        (lambda: wired(b"not gzip", "CSV"), "unreadable"),
        (lambda: wired(b"not parquet", "Parquet"), "unreadable"),
        (lambda: wired(as_csv(OBJECTS), "CSV", creationTimestamp="yesterday"), "unreadable"),
    ],
    ids=["checksum", "elsewhere", "no times", "columns", "format", "no time", "no gzip", "no parquet", "no moment"],
)  # fmt: skip
def test_a_report_that_cannot_be_trusted_gives_no_number(wire, reason):
    _, (row,) = read(wire(), PLACE)
    assert reason in row["report"]
    assert "jane" not in row["report"]
    assert (row["objects"], row["oldest_object_at"]) == (None, None)


def test_configurations_come_in_pages_and_refusals_are_gaps():
    wire = wired(b"", "CSV")
    one = {
        "Destination": {"S3BucketDestination": {"Bucket": "arn:aws:s3:::reports", "Format": "CSV"}},
        "IsEnabled": False,
        "Id": "a",
        "IncludedObjectVersions": "Current",
        "Schedule": {"Frequency": "Weekly"},
    }
    pages = {
        None: {"InventoryConfigurationList": [one], "IsTruncated": True, "NextContinuationToken": "t"},
        "t": {"InventoryConfigurationList": [one | {"Id": "b"}], "IsTruncated": False},
    }
    wire.on("s3:ListBucketInventoryConfigurations", lambda params: pages[params.get("ContinuationToken")])
    reading, rows = read(wire)
    assert [(row["id"], row["enabled"], row["filter_prefix"]) for row in rows] == [
        ("a", False, "unset"),
        ("b", False, "unset"),
    ]
    reading, rows = read(wire.on("s3:ListBucketInventoryConfigurations", Fault("AccessDenied")))
    assert rows == []
    assert "s3:GetInventoryConfiguration" in reading.gaps[0]

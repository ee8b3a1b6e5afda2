"""dbt artifacts under an S3 prefix, against LocalStack; and what a bucket does that a folder does not."""

import datetime as dt
import io
import itertools
import json

import pytest
from botocore.exceptions import ClientError

from evidence.datasets.load import load_contracts
from evidence.errors import ConfigError, SourceDeniedError, SourceUnavailableError
from evidence.snapshot.model import Window
from evidence.sources.dbt import DbtSource
from evidence.sources.dbt_s3 import S3Shelf, connect, parse_place
from evidence.sources.open import open_source
from tests.contracts.source import SourceSuite
from tests.test_source_dbt import catalog, freshness, manifest, results

pytest_plugins = ["tests.servers.fixtures"]
CONTRACTS = load_contracts()
NODES, RUNS, UNRECOGNISED = CONTRACTS["dbt.nodes"], CONTRACTS["dbt.run_results"], CONTRACTS["files.unrecognised"]
NOW = dt.datetime(2026, 10, 2, 4, tzinfo=dt.UTC)
NIGHT = dt.date(2026, 7, 1)
NUMBER = itertools.count()


@pytest.fixture
def bucket(client):
    name = f"dbt-artifacts-{next(NUMBER)}"
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def put(client, bucket, key, value):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return client.put_object(Bucket=bucket, Key=f"prod/{key}", Body=body).get("VersionId")


def source(client, bucket, **settings):
    shelf = S3Shelf(lambda: client, bucket, "prod/", **settings)
    return DbtSource("dbt", shelf, clock=lambda: NOW)


def read(opened, contract, night=NIGHT):
    reading = opened.read(contract, Window(night, contract.kind))
    rows = [row for batch in reading.batches for row in batch.to_pylist()]
    return reading, rows, [reason for _, reason in reading.rejected]


def fill(client, bucket):
    put(client, bucket, "2026-07-02/manifest.json", manifest())
    put(client, bucket, "2026-07-02/run_results.json", results())
    put(client, bucket, "2026-07-02/sources.json", freshness())
    put(client, bucket, "2026-07-02/catalog.json", catalog())
    put(client, bucket, "2026-07-03/manifest.json", manifest("2026-07-03T03:00:00Z", "inv-2"))
    put(client, bucket, "2026-07-03/run_results.json", b"{cut")
    put(client, bucket, "odd.json", {"a": 1})


class TestS3(SourceSuite):
    @pytest.fixture
    def contracts(self):
        return CONTRACTS

    @pytest.fixture
    def source(self, client, bucket):
        fill(client, bucket)
        return source(client, bucket)


def test_a_prefix_reads_as_a_folder_does_and_names_the_versions(client, bucket):
    fill(client, bucket)
    version = client.head_object(Bucket=bucket, Key="prod/2026-07-02/manifest.json")["VersionId"]
    client.put_object(Bucket=bucket, Key="other/2026-07-02/manifest.json", Body=b"{}")
    opened = source(client, bucket)
    assert opened.nights(NODES) == [NIGHT, dt.date(2026, 7, 2)]
    reading, rows, reasons = read(opened, NODES)
    assert (len(rows), reasons) == (2, [])
    listing, statement = reading.statements
    assert (listing.text, listing.rows) == (f"ListObjectsV2 s3://{bucket}/prod/", 7)
    assert statement.text.startswith(f"read 2026-07-02/manifest.json version:{version} sha256:")
    assert reading.system["place"] == f"s3://{bucket}/prod/"
    assert len(read(opened, RUNS)[1]) == 2
    (night,) = opened.nights(UNRECOGNISED)
    assert [reason.partition(":")[0] for reason in read(opened, UNRECOGNISED, night)[2]] == ["odd.json"]


def test_a_version_written_later_is_not_mixed_in(client, bucket):
    key = "2026-07-02/run_results.json"
    first = put(client, bucket, key, results())
    opened = source(client, bucket)
    assert opened.nights(RUNS) == [NIGHT]
    put(client, bucket, key, results(which="generate"))
    reading, rows, _ = read(opened, RUNS)
    assert {row["command"] for row in rows} == {"build"}
    assert f"version:{first} " in reading.statements[1].text
    assert {row["command"] for row in read(source(client, bucket), RUNS)[1]} == {"generate"}


def test_without_versions_a_changed_object_is_refused(client):
    name = f"dbt-artifacts-{next(NUMBER)}"
    client.create_bucket(Bucket=name)
    put(client, name, "a/run_results.json", results())
    opened = source(client, name)
    assert opened.nights(RUNS) == [NIGHT]
    put(client, name, "a/run_results.json", results(which="generate"))
    _, rows, reasons = read(opened, RUNS)
    assert (rows, reasons) == ([], ["a/run_results.json: cannot be read: PreconditionFailed"])


def test_every_page_of_a_long_listing_is_read(client, bucket):
    for number in range(7):
        moment = f"2026-07-01T{number:02}:00:00Z"
        put(client, bucket, f"{number}/run_results.json", results(moment, f"inv-{number}"))
    _, rows, _ = read(source(client, bucket, page_size=2), RUNS)
    assert len({row["invocation_id"] for row in rows}) == 7


def test_large_manifests_are_indexed_by_their_head(client, bucket):
    filler = {f"macro.x.{n}": {"macro_sql": "x" * 200} for n in range(2000)}
    put(client, bucket, "a/manifest.json", manifest(macros=filler))
    calls = []
    client.meta.events.register(
        "before-parameter-build.s3.GetObject", lambda params, **_: calls.append(params.get("Range"))
    )
    opened = source(client, bucket)
    opened.nights(NODES)
    assert calls == ["bytes=0-65535"]
    assert len(read(opened, NODES)[1]) == 2
    read(opened, CONTRACTS["dbt.tests"])
    assert calls == ["bytes=0-65535", None]


def test_a_bucket_that_is_not_there(client):
    with pytest.raises(SourceUnavailableError, match="NoSuchBucket"):
        source(client, "dbt-no-such-bucket").nights(NODES)


def test_nothing_under_the_prefix_is_nothing_known(client, bucket):
    opened = source(client, bucket)
    assert opened.nights(NODES) == opened.nights(UNRECOGNISED) == []
    with pytest.raises(SourceUnavailableError, match="no manifest"):
        read(opened, NODES)


class Broken:
    """A client whose answers are scripted: what S3 says when it refuses, or sends less than it listed."""

    def __init__(self, body, refused=(), listing=None):
        self.body, self.refused, self.listing = body, refused, listing

    def get_paginator(self, _name):
        return self

    def paginate(self, **_words):
        if self.listing:
            raise ClientError({"Error": {"Code": self.listing, "Message": "arn:aws:iam::1:user/jane"}}, "ListObjectsV2")
        moment = dt.datetime(2026, 7, 1, 3, tzinfo=dt.UTC)
        keys = ("prod/a/run_results.json", "prod/b/run_results.json")
        yield {
            "Contents": [{"Key": k, "Size": len(self.body) + 5, "ETag": '"e"', "LastModified": moment} for k in keys]
        }

    def get_object(self, **words):
        if words["Key"] in self.refused:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "jane"}}, "GetObject")
        return {"Body": Stream(self.body), "VersionId": "null"}


class Stream(io.BytesIO):
    def iter_chunks(self, size):
        while chunk := self.read(size):
            yield chunk


def test_one_object_that_is_refused_or_short_spoils_its_night_by_name():
    broken = Broken(json.dumps(results()).encode(), refused={"prod/a/run_results.json"})
    _, rows, reasons = read(source(broken, "b"), RUNS)
    reasons.sort()
    assert rows == []
    assert reasons[0] == "a/run_results.json: cannot be read: AccessDenied"
    assert reasons[1].startswith("b/run_results.json: cannot be read: ")
    assert "were listed" in reasons[1]


@pytest.mark.parametrize(
    ("code", "error"),
    [("AccessDenied", SourceDeniedError), ("ExpiredToken", SourceDeniedError), ("SlowDown", SourceUnavailableError)],
)
def test_a_refused_listing_is_no_empty_prefix(code, error):
    with pytest.raises(error, match=code) as caught:
        source(Broken(b"", listing=code), "b").nights(RUNS)
    assert caught.value.fix
    assert "jane" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "place"),
    [("s3://b", ("b", "")), ("s3://b/", ("b", "")), ("s3://b/a/c/", ("b", "a/c/")), ("s3://b/a", ("b", "a/"))],
)
def test_places(url, place):
    assert parse_place(url) == place


@pytest.mark.parametrize("url", ["s3://", "s3:///a", "gs://b", "b/a"])
def test_no_place(url):
    with pytest.raises(ConfigError):
        parse_place(url)


def test_settings_open_it_without_touching_the_network():
    opened = open_source(
        "dbt", "dbt", contracts=CONTRACTS, clock=lambda: NOW, settings={"path": "s3://b/a", "region": "eu-west-1"}
    )
    assert "dbt.catalog" in opened.datasets()
    assert not opened.live
    opened.close()


def test_an_unknown_profile_is_a_mistake_in_the_configuration():
    with pytest.raises(ConfigError, match="ProfileNotFound"):
        connect(profile="no-such-profile-of-this-test")

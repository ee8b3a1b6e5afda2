"""The S3 backend against LocalStack: the contract, and what is its own: locks, versions, delete markers, unfit buckets."""

import datetime as dt
import hashlib
import itertools

import pytest
from botocore.exceptions import ClientError
from contracts.store import StoreContract
from fakes.memory_store import MemoryAnchor, MemoryStore
from fakes.sealed_store import KEY, plain

from evidence.errors import ConfigError, ObjectNotFoundError, StoreConflictError, StoreError, VerificationError
from evidence.store.destination import BucketDestination
from evidence.store.log import Log
from evidence.store.open import open_store
from evidence.store.retention import shortfall
from evidence.store.s3 import S3Store, connect

pytest_plugins = ["tests.servers.fixtures"]
NUMBER = itertools.count()


@pytest.fixture
def bucket(client):
    name = f"evidence-test-{next(NUMBER)}"
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


def open_s3(client, bucket, **changes):
    settings = {"mode": "COMPLIANCE", "retention_days": 2, "clock": lambda: dt.datetime.now(dt.UTC)} | changes
    return S3Store(client, bucket, "pre/fix", **settings)


@pytest.fixture
def store(client, bucket):
    return open_s3(client, bucket)


class TestS3Store(StoreContract):
    pass


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_every_object_is_locked_and_the_lock_is_read_back(client, bucket, mode):
    store = open_s3(client, bucket, mode=mode)
    store.put_if_absent("data/a", b"x")
    info = store.head("data/a")
    assert info.retention_mode == mode
    assert info.retain_until > dt.datetime.now(dt.UTC) + dt.timedelta(days=1, hours=23)
    assert (info.size, info.held) == (1, False)
    version = client.head_object(Bucket=bucket, Key="pre/fix/data/a")["VersionId"]
    bypass = {"BypassGovernanceRetention": True}
    sooner = {"Mode": mode, "RetainUntilDate": dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)}
    place = {"Bucket": bucket, "Key": "pre/fix/data/a", "VersionId": version}
    for extra in ({}, bypass) if mode == "COMPLIANCE" else ({},):
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_object(**place, **extra)
        with pytest.raises(ClientError, match="AccessDenied"):
            client.put_object_retention(**place, **extra, Retention=sooner)
    if mode == "GOVERNANCE":  # a bypass works, and what is left is seen
        client.put_object_retention(**place, **bypass, Retention=sooner)
        assert "is kept until" in shortfall("data/a", store.original("data/a"), store.rule)


def test_locks_and_holds_go_to_the_version_that_was_created_first(store, client, bucket):
    store.put_if_absent("data/a", b"sealed")
    first = client.head_object(Bucket=bucket, Key="pre/fix/data/a")["VersionId"]
    client.delete_object(Bucket=bucket, Key="pre/fix/data/a")
    newest = client.put_object(Bucket=bucket, Key="pre/fix/data/a", Body=b"forged and longer")["VersionId"]
    assert store.lengthen("data/a", dt.datetime.now(dt.UTC) + dt.timedelta(days=9)) is True
    store.hold("data/a", on=True)
    assert store.original("data/a").size == len(b"sealed")
    said = {v: client.head_object(Bucket=bucket, Key="pre/fix/data/a", VersionId=v) for v in (first, newest)}
    assert said[first]["ObjectLockLegalHoldStatus"] == "ON"
    assert said[first]["ObjectLockRetainUntilDate"] > dt.datetime.now(dt.UTC) + dt.timedelta(days=8)
    assert "ObjectLockMode" not in said[newest]
    for call in (lambda: store.hold("data/b", on=True), lambda: store.lengthen("data/b", dt.datetime.now(dt.UTC))):
        with pytest.raises(ObjectNotFoundError):
            call()


def test_head_looks_behind_a_delete_marker(store, client, bucket):
    store.put_if_absent("data/a", b"sealed")
    client.delete_object(Bucket=bucket, Key="pre/fix/data/a")
    assert store.head("data/a").size == len(b"sealed")


def test_objects_are_encrypted_with_the_key_that_is_named(client, bucket):
    key = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    store = open_s3(client, bucket, kms_key_id=key)
    store.put_if_absent("data/a", b"x")
    store.replace_cache(b"checkpoint")
    for path in ("data/a", "log/checkpoint"):
        said = client.head_object(Bucket=bucket, Key=f"pre/fix/{path}")
        assert (said["ServerSideEncryption"], said["SSEKMSKeyId"]) == ("aws:kms", key)
    assert store.get("data/a") == b"x"
    careless = open_s3(Dropping(client, "ServerSideEncryption", "SSEKMSKeyId"), bucket, kms_key_id=key)
    with pytest.raises(StoreError, match="asked for SSE-KMS"):
        careless.put_if_absent("data/b", b"x")


def test_a_server_that_checks_no_checksum_is_not_written_to(client, bucket):
    store = open_s3(Dropping(client, "ChecksumSHA256"), bucket)
    with pytest.raises(StoreError, match="sent"):
        store.put_if_absent("data/a", b"x")


def test_a_slow_clock_does_not_shorten_retention(client, bucket):
    slow = open_s3(client, bucket, clock=lambda: dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    slow.put_if_absent("data/a", b"x")
    assert slow.head("data/a").retain_until > dt.datetime.now(dt.UTC) + dt.timedelta(days=1)


def test_a_call_may_lengthen_retention(store):
    far = dt.datetime.now(dt.UTC) + dt.timedelta(days=100)
    store.put_if_absent("data/a", b"x", retain_until=far)
    assert store.head("data/a").retain_until > far - dt.timedelta(seconds=2)


def test_reads_look_behind_delete_markers_and_newer_versions(store, client, bucket):
    store.put_if_absent("data/a", b"sealed")
    client.delete_object(Bucket=bucket, Key="pre/fix/data/a")
    assert store.get("data/a") == b"sealed"
    assert list(store.list("data/")) == ["data/a"]
    client.put_object(Bucket=bucket, Key="pre/fix/data/a", Body=b"forged")
    digest = hashlib.sha256(b"sealed").hexdigest()
    assert store.get("data/a", sha256=digest) == b"sealed"
    with pytest.raises(VerificationError):
        store.get("data/a", sha256="0" * 64)
    with pytest.raises(ObjectNotFoundError):
        store.get("data/b")


def test_a_log_name_freed_by_a_delete_marker_is_a_conflict(store, client, bucket):
    store.put_if_absent("log/commit/000000000000", b"first")
    client.delete_object(Bucket=bucket, Key="pre/fix/log/commit/000000000000")
    with pytest.raises(StoreConflictError, match="delete marker"):
        store.put_if_absent("log/commit/000000000000", b"second")


def test_listing_pages_through_many_versions(store, client, bucket):
    for number in range(1005):
        client.put_object(Bucket=bucket, Key=f"pre/fix/many/{number:04d}", Body=b"")
    names = list(store.list("many/"))
    assert names == [f"many/{number:04d}" for number in range(1005)]


def test_unfit_buckets_are_refused_with_the_fix(client):
    client.create_bucket(Bucket="plain-bucket")
    with pytest.raises(ConfigError, match="no versioning"):
        open_s3(client, "plain-bucket")
    client.put_bucket_versioning(Bucket="plain-bucket", VersioningConfiguration={"Status": "Enabled"})
    with pytest.raises(ConfigError, match="no Object Lock") as caught:
        open_s3(client, "plain-bucket")
    assert "object-lock" in caught.value.fix


class Dropping:
    """A client whose server does not know the arguments named, as some do not."""

    def __init__(self, client, *names):
        self._client, self._names = client, names

    def __getattr__(self, name):
        method = getattr(self._client, name)
        return lambda **words: method(**{key: value for key, value in words.items() if key not in self._names})


def test_a_server_without_conditional_writes_is_never_committed_to(client, bucket):
    store = open_s3(Dropping(client, "IfNoneMatch"), bucket)
    assert not store.writable
    with pytest.raises(StoreError, match="If-None-Match"):
        store.put_if_absent("data/a", b"x")
    assert list(store.list("data/")) == []


def test_addresses(tmp_path):
    def clock():
        return dt.datetime.now(dt.UTC)

    assert open_store("file:store", base=tmp_path, clock=clock).url.endswith("store")
    for url, mode in (("s3://b", "NONE"), ("file:x", "COMPLIANCE"), ("ftp://x", "NONE"), ("store", "NONE")):
        with pytest.raises(ConfigError):
            open_store(url, base=tmp_path, clock=clock, mode=mode)


def test_a_server_that_is_gone_is_a_store_error(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    gone = connect(endpoint_url="http://127.0.0.1:9", region="us-east-1")
    with pytest.raises(StoreError, match="gave no answer"):
        open_s3(gone, "any")


def test_another_bucket_keeps_every_checkpoint_once(client, s3_server):
    name = f"checkpoints-{next(NUMBER)}"
    client.create_bucket(Bucket=name)
    place = BucketDestination(name, "kept/", endpoint_url=s3_server.url, region="us-east-1")
    log = Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()])
    log = Log.open(log.store, signer=KEY, anchors=log._anchors, destinations=[place])
    for key in "ab":
        log.append(plain(key))
    place.send(log.checkpoint)  # the same again is fine
    names = [item["Key"] for item in client.list_objects_v2(Bucket=name)["Contents"]]
    assert names == [f"kept/checkpoint-{size:012d}" for size in (1, 2, 3)]
    assert client.get_object(Bucket=name, Key=names[-1])["Body"].read().decode() == log.checkpoint
    client.put_object(Bucket=name, Key=names[-1], Body=b"another history")
    with pytest.raises(StoreConflictError):
        place.send(log.checkpoint)
    with pytest.raises(StoreError, match="NoSuchBucket"):
        BucketDestination("nowhere", "", endpoint_url=s3_server.url, region="us-east-1").send(log.checkpoint)

"""The S3 backend against a second, unrelated server: Ceph's radosgw. Retention, signature, policy and read suites.

It takes a second conditional create on a versioned bucket, so the probe must refuse to write there; what it is good for is a
copy: a store restored to it is read, verified, locked and held.
"""

import contextlib
import datetime as dt
import io
import itertools
import json

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from fakes.memory_store import MemoryAnchor, MemoryStore
from fakes.sealed_store import KEY, plain, seal_snapshots

from evidence.cli.app import run
from evidence.errors import ConfigError, ObjectNotFoundError, StoreConflictError, StoreError, VerificationError
from evidence.snapshot.canonical import sha256_hex
from evidence.store.check import check_store
from evidence.store.log import Log
from evidence.store.objects import CACHE_PATH
from evidence.store.retention import shortfall
from evidence.store.s3 import S3Store
from evidence.store.s3_policy import bucket_policy, collector_policy

pytest_plugins = ["tests.servers.fixtures"]
pytestmark = pytest.mark.slow
NUMBER = itertools.count()
DAY = dt.timedelta(days=1)


def signed_in(radosgw, user, secret=""):
    return boto3.client(
        "s3", endpoint_url=radosgw.url, region_name="us-east-1",
        aws_access_key_id=user.key, aws_secret_access_key=secret or user.secret,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 2}),
    )  # fmt: skip


@pytest.fixture(scope="module")
def client(radosgw):
    return signed_in(radosgw, radosgw.owner)


@pytest.fixture
def bucket(client):
    name = f"evidence-{next(NUMBER)}"
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


def opened(client, bucket, mode="COMPLIANCE", days=2):
    return S3Store(client, bucket, "pre", mode=mode, retention_days=days, clock=lambda: dt.datetime.now(dt.UTC))


def put(client, bucket, path, body, mode="COMPLIANCE", span=2 * DAY):
    until = dt.datetime.now(dt.UTC) + span
    return client.put_object(
        Bucket=bucket, Key=f"pre/{path}", Body=body, ObjectLockMode=mode, ObjectLockRetainUntilDate=until
    )["VersionId"]  # fmt: skip


def copied(client, bucket):
    """A store made elsewhere and restored here; returns it and its log."""
    log = Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()])
    seal_snapshots(log, range(3))
    for path in log.store.list(""):
        if path == CACHE_PATH:
            client.put_object(Bucket=bucket, Key=f"pre/{path}", Body=log.store.get(path))
        else:
            put(client, bucket, path, log.store.get(path))
    return opened(client, bucket), log


def failures(store, log):
    return [c for c in check_store(store, trust=KEY.vkey, checkpoint=log.checkpoint) if c.ok is False]


class TestProbe:
    def test_a_second_conditional_create_is_accepted_here_and_refused_aloud(self, client, bucket):
        store = opened(client, bucket)
        assert store.writable is False
        with pytest.raises(StoreError, match="does not honour If-None-Match") as caught:
            store.put_if_absent("data/a", b"x")
        assert "read and verified only" in caught.value.fix
        assert list(store.list("")) == []
        with pytest.raises(StoreConflictError, match="cannot create a name exactly once"):
            Log.init(store, KEY, anchors=[MemoryAnchor()])
        assert list(store.list("")) == []

    def test_the_command_line_refuses_it_too(self, radosgw, bucket, tmp_path, monkeypatch):
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it remembers the first credentials of the process
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", radosgw.owner.key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", radosgw.owner.secret)
        place = ["--store", f"s3://{bucket}/pre", "--endpoint-url", radosgw.url, "--region", "us-east-1"]
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            code = run(["init", str(tmp_path / "w"), *place, "--retention-mode", "GOVERNANCE", "--demo"])
        assert code == 3
        assert "cannot create a name exactly once" in err.getvalue()
        assert not (tmp_path / "w").exists()

    def test_unfit_buckets_are_refused_with_the_fix(self, client, bucket):
        client.create_bucket(Bucket=f"plain-{bucket}")
        with pytest.raises(ConfigError, match="no versioning"):
            opened(client, f"plain-{bucket}")
        client.put_bucket_versioning(Bucket=f"plain-{bucket}", VersioningConfiguration={"Status": "Enabled"})
        with pytest.raises(ConfigError, match="no Object Lock"):
            opened(client, f"plain-{bucket}")
        with pytest.raises(StoreError, match="NoSuchBucket") as caught:
            opened(client, "nowhere")
        assert caught.value.fix == "create the bucket"


class TestRead:
    def test_a_store_that_was_copied_here_verifies(self, client, bucket):
        store, log = copied(client, bucket)
        assert failures(store, log) == []
        again = Log.open(store, trust=log.verifier)
        assert (again.size, again.checkpoint) == (log.size, log.checkpoint)
        with pytest.raises(StoreError, match="If-None-Match"):
            Log.open(store, signer=KEY, anchors=log._anchors).append(plain("a"))

    def test_reads_look_behind_delete_markers_and_newer_versions(self, client, bucket):
        store, log = copied(client, bucket)
        record = "log/commit/000000000001"
        manifest = next(entry.object for _, entry in log.entries("snapshot"))
        client.delete_object(Bucket=bucket, Key=f"pre/{record}")
        client.put_object(Bucket=bucket, Key=f"pre/{manifest.path}", Body=b"forged")
        assert failures(store, log) == []
        assert record in list(store.list("log/commit/"))
        assert store.head(record).size == len(log.store.get(record))
        assert store.get(manifest.path, sha256=manifest.sha256) == log.store.get(manifest.path)
        with pytest.raises(VerificationError):
            store.get(manifest.path, sha256="0" * 64)
        with pytest.raises(ObjectNotFoundError):
            store.get("data/nothing")
        assert store.head("data/nothing") is None

    def test_a_changed_byte_is_found(self, client, bucket):
        log = copied(client, bucket)[1]
        path = next(path for path in log.store.list("data/") if "part" in path)
        other = f"{bucket}-changed"
        client.create_bucket(Bucket=other, ObjectLockEnabledForBucket=True)
        for name in log.store.list(""):
            body = log.store.get(name)
            put(client, other, name, body if name != path else body[:-1] + b"?")
        found = failures(opened(client, other), log)
        assert [check.subject for check in found] == [path]

    def test_listing_pages_through_names_and_versions(self, radosgw, client, bucket):
        def few(params, **_):
            params["MaxKeys"] = 3

        for number in range(10):
            for _ in range(1 + number % 3 * 2):
                client.put_object(Bucket=bucket, Key=f"pre/many/{number:04d}", Body=b"")
        paging = signed_in(radosgw, radosgw.owner)
        paging.meta.events.register("provide-client-params.s3.ListObjectVersions", few)
        store = opened(paging, bucket)
        names = list(store.list("many/"))
        assert names == [f"many/{number:04d}" for number in range(10)]
        assert list(store.list("many/", start_after="many/0004")) == names[5:]
        assert len(store._versions("many/0005")) == 5


class TestRetention:
    @pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
    def test_a_lock_is_lengthened_and_never_shortened(self, client, bucket, mode):
        put(client, bucket, "data/a", b"x", mode)
        store = opened(client, bucket, mode)
        info = store.original("data/a")
        assert (info.retention_mode, info.held, shortfall("data/a", info, store.rule)) == (mode, False, "")
        assert store.lengthen("data/a", info.retain_until - DAY) is False
        assert store.original("data/a") == info
        assert store.lengthen("data/a", info.retain_until + DAY) is True
        assert store.original("data/a").retain_until - info.retain_until == DAY
        assert "is kept until" in shortfall("data/a", store.original("data/a"), opened(client, bucket, mode, 30).rule)

    def test_governance_becomes_compliance_and_then_nobody_shortens_it(self, client, bucket):
        version = put(client, bucket, "data/a", b"x", "GOVERNANCE")
        store = opened(client, bucket)
        with pytest.raises(StoreError, match="GOVERNANCE may not become COMPLIANCE") as caught:  # this server is strict
            store.lengthen("data/a", dt.datetime.now(dt.UTC))
        assert "s3:BypassGovernanceRetention" in caught.value.fix
        client.put_object_retention(
            Bucket=bucket, Key="pre/data/a", VersionId=version, BypassGovernanceRetention=True,
            Retention={"Mode": "COMPLIANCE", "RetainUntilDate": dt.datetime.now(dt.UTC) + 3 * DAY},
        )  # fmt: skip
        assert store.lengthen("data/a", dt.datetime.now(dt.UTC)) is False
        for until, mode in ((1, "COMPLIANCE"), (30, "GOVERNANCE")):
            with pytest.raises(ClientError, match="AccessDenied"):
                client.put_object_retention(
                    Bucket=bucket, Key="pre/data/a", VersionId=version, BypassGovernanceRetention=True,
                    Retention={"Mode": mode, "RetainUntilDate": dt.datetime.now(dt.UTC) + until * DAY},
                )  # fmt: skip
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_object(Bucket=bucket, Key="pre/data/a", VersionId=version, BypassGovernanceRetention=True)
        assert opened(client, bucket, "GOVERNANCE").lengthen("data/a", dt.datetime.now(dt.UTC) + 9 * DAY) is True
        assert store.original("data/a").retention_mode == "COMPLIANCE"  # never weaker than it was

    def test_governance_yields_to_a_bypass_and_that_is_seen(self, client, bucket):
        version = put(client, bucket, "data/a", b"x", "GOVERNANCE")
        store = opened(client, bucket, "GOVERNANCE")
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_object(Bucket=bucket, Key="pre/data/a", VersionId=version)
        client.put_object_retention(
            Bucket=bucket, Key="pre/data/a", VersionId=version, BypassGovernanceRetention=True,
            Retention={"Mode": "GOVERNANCE", "RetainUntilDate": dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)},
        )  # fmt: skip
        assert "is kept until" in shortfall("data/a", store.original("data/a"), store.rule)

    def test_a_date_in_the_past_is_refused_by_the_server(self, client, bucket):
        with pytest.raises(ClientError):
            put(client, bucket, "data/a", b"x", span=-DAY)

    def test_a_hold_outlasts_a_bypass_until_it_is_lifted(self, client, bucket):
        version = put(client, bucket, "data/a", b"x", "GOVERNANCE")
        store = opened(client, bucket, "GOVERNANCE")
        store.hold("data/a", on=True)
        assert store.head("data/a").held is True
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_object(Bucket=bucket, Key="pre/data/a", VersionId=version, BypassGovernanceRetention=True)
        client.delete_object(Bucket=bucket, Key="pre/data/a")  # a delete marker
        store.hold("data/a", on=False)
        assert store.original("data/a").held is False
        with pytest.raises(ObjectNotFoundError):
            store.hold("data/b", on=True)


class TestSignature:
    def test_another_secret_is_refused(self, radosgw, bucket):
        with pytest.raises(StoreError, match="SignatureDoesNotMatch"):
            opened(signed_in(radosgw, radosgw.owner, "0" * 32), bucket)

    def test_nobody_and_another_user_are_refused(self, radosgw, bucket):
        nobody = boto3.client(
            "s3", endpoint_url=radosgw.url, region_name="us-east-1",
            config=Config(signature_version=UNSIGNED, s3={"addressing_style": "path"}),
        )  # fmt: skip
        for client in (nobody, signed_in(radosgw, radosgw.other)):
            with pytest.raises(StoreError, match=r"AccessDenied|403") as caught:
                opened(client, bucket)
            assert "rights" in caught.value.fix

    def test_an_altered_request_is_refused(self, radosgw, client, bucket):
        def alter(request, **_):
            request.headers["x-amz-object-lock-mode"] = "GOVERNANCE"

        other = signed_in(radosgw, radosgw.owner)
        other.meta.events.register("before-send.s3.PutObject", alter)
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            put(other, bucket, "data/a", b"x")


class TestPolicy:
    """The document of ``evidence setup aws`` as this server enforces it, on another user and on the owner."""

    def attached(self, client, radosgw, bucket, sids):
        document = bucket_policy(bucket, "pre", 2, tls=False)
        document["Statement"] = [each for each in document["Statement"] if each["Sid"] in sids]
        for statement in collector_policy(bucket, "pre")["Statement"]:
            document["Statement"].append(
                {**statement, "Principal": {"AWS": f"arn:aws:iam:::user/{radosgw.other.name}"}}
            )
        client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))
        return signed_in(radosgw, radosgw.other)

    def test_the_collector_reads_and_locks_and_nobody_deletes_or_bypasses(self, client, radosgw, bucket):
        version = put(client, bucket, "data/a", b"x", "GOVERNANCE")
        free = client.put_object(Bucket=bucket, Key="pre/data/free", Body=b"no lock")["VersionId"]
        other = self.attached(client, radosgw, bucket, {"EvidenceDenyDeletes", "EvidenceDenyBypass"})
        store = opened(other, bucket, "GOVERNANCE")
        assert store.get("data/a") == b"x"
        assert store.head("data/nothing") is None
        assert store.lengthen("data/a", dt.datetime.now(dt.UTC) + 9 * DAY) is True
        store.hold("data/a", on=True)
        store.hold("data/a", on=False)
        for who in (other, client):
            for words in ({}, {"VersionId": free}):
                with pytest.raises(ClientError, match="AccessDenied"):
                    who.delete_object(Bucket=bucket, Key="pre/data/free", **words)
            with pytest.raises(ClientError, match="AccessDenied"):
                who.delete_object(
                    Bucket=bucket, Key="pre/data/a", VersionId=version, BypassGovernanceRetention=True
                )  # fmt: skip
            with pytest.raises(ClientError, match="AccessDenied"):
                who.put_object_retention(
                    Bucket=bucket, Key="pre/data/a", VersionId=version, BypassGovernanceRetention=True,
                    Retention={"Mode": "GOVERNANCE", "RetainUntilDate": dt.datetime.now(dt.UTC) + DAY},
                )  # fmt: skip
        with pytest.raises(ClientError, match="AccessDenied"):
            other.put_object(Bucket=bucket, Key="elsewhere/x", Body=b"")

    def test_puts_that_could_replace_are_refused_under_sealed_names_only(self, client, radosgw, bucket):
        """This server knows no ``s3:if-none-match``: to it every put is unconditional, and each sealed name is closed."""
        other = self.attached(client, radosgw, bucket, {"EvidenceDenyUnconditionalPuts"})
        for name in ("data/x", "log/commit/000000000000", "log/tile/0/000", "store.json", "findings/x"):
            with pytest.raises(ClientError, match="AccessDenied"):
                put(other, bucket, name, b"x")
        other.put_object(Bucket=bucket, Key=f"pre/{CACHE_PATH}", Body=b"x")
        other.put_object(Bucket=bucket, Key="pre/probe/x", Body=b"x")


def test_bytes_read_are_the_bytes_put(client, bucket):
    body = bytes(range(256)) * 40_000
    put(client, bucket, "data/large", body)
    assert opened(client, bucket).get("data/large", sha256=sha256_hex(body)) == body

"""docs/runbooks/leak.md: what taking a leaked object out does, and what it cannot do."""

import datetime as dt
import itertools
import re
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from fakes.memory_store import MemoryAnchor
from fakes.sealed_store import KEY, seal_snapshots

from evidence.store.local import LocalStore
from evidence.store.log import Log
from evidence.store.s3 import S3Store
from evidence.verify import verify_store

pytest_plugins = ["tests.servers.fixtures"]
NUMBER = itertools.count()
PAGE = Path(__file__).parent.parent / "docs" / "runbooks" / "leak.md"


def sealed(store):
    anchor = MemoryAnchor()
    log = Log.init(store, KEY, anchors=[anchor])
    for number in range(3):
        seal_snapshots(log, [number])
    victim = next(
        path for path in store.list("data/") if "date=2026-07-02" in path and path.endswith("part-0000.parquet")
    )
    return log, victim


def failed(store):
    return [check.subject for check in verify_store(store, [KEY.vkey]).failed]


def goes_on(log):
    seal_snapshots(log, [5])
    return log.proof(2).verify(log.raw(2), [log.verifier]).size == log.size


def test_a_removed_object_fails_alone_and_the_log_goes_on(tmp_path):
    store = LocalStore(tmp_path / "store")
    log, victim = sealed(store)
    (store.root / victim).unlink()
    assert failed(store) == [victim]
    assert goes_on(log)
    assert failed(store) == [victim]


def bucket_store(client, mode):
    bucket = f"evidence-leak-{next(NUMBER)}"
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    return bucket, S3Store(client, bucket, "s", mode=mode, retention_days=2, clock=lambda: dt.datetime.now(dt.UTC))


def delete(client, bucket, path):
    for version in client.list_object_versions(Bucket=bucket, Prefix=f"s/{path}")["Versions"]:
        client.delete_object(
            Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"], BypassGovernanceRetention=True
        )


def test_a_governance_lock_lets_the_bypass_right_remove_one_object(client):
    bucket, store = bucket_store(client, "GOVERNANCE")
    log, victim = sealed(store)
    delete(client, bucket, victim)
    assert failed(store) == [victim]
    assert goes_on(log)


def test_a_compliance_lock_lets_nobody(client):
    bucket, store = bucket_store(client, "COMPLIANCE")
    _, victim = sealed(store)
    with pytest.raises(ClientError, match="AccessDenied"):
        delete(client, bucket, victim)
    assert failed(store) == []


def test_the_page_admits_what_is_not_built():
    text = " ".join(PAGE.read_text().split())
    for admitted in (
        "cannot be deleted before its date",
        "Keys per dataset are not built",
        "no sealed entry for a disposal",
    ):
        assert admitted in text
    assert not re.search(r"\b(guarantee|tamper-proof|immutable)", text)

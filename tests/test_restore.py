"""The restore drill: a store copied to another disk or bucket verifies and goes on; docs/runbooks/restore.md as it stands."""

import datetime as dt
import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.memory_store import MemoryStore
from fakes.sealed_store import KEY, plain, put_snapshot, seal_snapshots

from evidence.errors import ForkError, ObjectNotFoundError, RollbackError, StoreConflictError, VerificationError
from evidence.store.anchor import FileAnchor
from evidence.store.copying import copy_store
from evidence.store.local import LocalStore
from evidence.store.log import Log, accept_anchor
from evidence.store.s3 import S3Store
from evidence.verify import verify_store
from tests.servers import tiny_export

pytest_plugins = ["tests.servers.fixtures"]
ROOT = Path(__file__).parent.parent
RUNBOOK = ROOT / "docs" / "runbooks" / "restore.md"
NUMBER = itertools.count()


@pytest.fixture
def bucket(client):
    name = f"evidence-restore-{next(NUMBER)}"
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


def s3(client, bucket, **changes):
    words = {"mode": "GOVERNANCE", "retention_days": 2, "clock": lambda: dt.datetime.now(dt.UTC)} | changes
    return S3Store(client, bucket, "store", **words)


@pytest.fixture
def anchor(tmp_path):
    return FileAnchor(tmp_path / "anchors" / "checkpoint")


@pytest.fixture
def store(tmp_path, anchor):
    """Three snapshots, and plain entries enough for a full bundle and its tile."""
    made = LocalStore(tmp_path / "store")
    log = Log.init(made, KEY, anchors=[anchor])
    seal_snapshots(log, [0, 1])
    log.append(plain(*(f"k{number}" for number in range(260))))
    seal_snapshots(log, [2])
    return made


def goes_on(store, anchor, *, key="next"):
    """Open as the signer does, append, and verify against what the anchor remembered before."""
    kept = anchor.load(KEY.name)
    log = Log.open(store, signer=KEY, anchors=[anchor])
    before = log.size
    assert log.append(plain(key)) == [before]
    result = verify_store(store, [KEY.vkey], checkpoint=kept)
    assert result.ok, result.failed
    return log


def test_a_folder_copied_by_anything_verifies_and_goes_on(store, anchor, tmp_path):
    shutil.copytree(store.root, tmp_path / "elsewhere")  # modes, owners and times are the copy's own
    goes_on(LocalStore(tmp_path / "elsewhere"), anchor)
    with pytest.raises(RollbackError, match="went back in time"):  # the old place is behind now
        Log.open(store, signer=KEY, anchors=[anchor])


def test_from_disk_to_bucket_and_back(store, anchor, client, bucket, tmp_path):
    (store.root / "data" / "orphan").write_bytes(b"no entry names this")
    there = s3(client, bucket)
    copied = dict(copy_store(store, there, verifier_of(store)))
    assert set(copied) == set(store.list("")) - {"data/orphan", "log/checkpoint"}
    assert list(there.list("")) == [path for path in store.list("") if path != "data/orphan"]
    for path in ("log/commit/000000000000", "store.json", next(iter(there.list("data/")))):
        info = there.head(path)
        assert info.retention_mode == "GOVERNANCE"
        assert info.retain_until > dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    log = goes_on(there, anchor, key="in the bucket")
    seal_snapshots(log, [3])
    # Somebody hides an object and a record behind delete markers: the copy finds both.
    hidden = [next(iter(there.list("data/"))), "log/commit/000000000001"]
    for path in hidden:
        client.delete_object(Bucket=bucket, Key=f"store/{path}")
    back = LocalStore(tmp_path / "back")
    assert set(hidden) <= set(dict(copy_store(there, back, log.verifier)))
    goes_on(back, anchor, key="on disk again")
    assert Log.open(back, trust=log.verifier).size == log.size + 1


def verifier_of(store):
    return Log.open(store, signer=KEY).verifier


def test_a_lock_of_the_source_is_never_shortened_by_a_copy(store, client, bucket):
    far = dt.datetime.now(dt.UTC) + dt.timedelta(days=400)
    first = s3(client, bucket, retention_days=400)
    list(copy_store(store, first, verifier_of(store)))
    name = f"evidence-restore-{next(NUMBER)}"
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    second = s3(client, name)
    list(copy_store(first, second, verifier_of(store)))
    assert second.head("store.json").retain_until > far - dt.timedelta(minutes=5)


@pytest.mark.parametrize("stop", [0, 1, 4, 8, 9, 10, 11, 12])
def test_a_copy_that_stopped_half_way_is_refused_by_the_anchor_and_completed_by_the_next(store, anchor, stop):
    target = MemoryStore()
    copying = copy_store(store, target, verifier_of(store))
    for _ in range(stop):
        next(copying)
    copying.close()
    with pytest.raises((RollbackError, VerificationError)):
        Log.open(target, signer=KEY, anchors=[anchor])
    again = dict(copy_store(store, target, verifier_of(store)))
    assert set(again) | {"log/checkpoint"} == set(store.list(""))
    goes_on(target, anchor)


def test_a_copy_never_carries_damage_on_and_never_overwrites(store, tmp_path):
    verifier, target = verifier_of(store), MemoryStore()
    target.put_if_absent("store.json", b"another store")
    with pytest.raises(StoreConflictError):
        list(copy_store(store, target, verifier))
    part = store.root / next(path for path in store.list("data/") if path.endswith("part-0000.parquet"))
    part.chmod(0o600)
    part.write_bytes(part.read_bytes()[:-1] + b"?")
    with pytest.raises(VerificationError, match="digest"):
        list(copy_store(store, MemoryStore(), verifier))
    part.unlink()
    with pytest.raises(ObjectNotFoundError):
        list(copy_store(store, MemoryStore(), verifier))


def test_two_copies_that_both_went_on_are_a_fork_for_whoever_kept_a_checkpoint(store, anchor, tmp_path):
    shutil.copytree(store.root, tmp_path / "elsewhere")
    other_anchor = FileAnchor(tmp_path / "other" / "checkpoint")
    other_anchor.advance(anchor.load(KEY.name))
    kept = goes_on(store, anchor, key="here").checkpoint
    goes_on(LocalStore(tmp_path / "elsewhere"), other_anchor, key="there")
    (failed,) = verify_store(tmp_path / "elsewhere", [KEY.vkey], checkpoint=kept).failed
    assert failed.step == "checkpoint"
    with pytest.raises(ForkError):
        Log.open(LocalStore(tmp_path / "elsewhere"), signer=KEY, anchors=[anchor])


def test_a_lost_anchor_needs_a_kept_checkpoint_that_the_store_continues(store, anchor, tmp_path):
    kept = anchor.load(KEY.name)
    anchor.path.unlink()
    with pytest.raises(RollbackError, match="no anchor remembers"):
        Log.open(store, signer=KEY, anchors=[anchor])
    ahead = MemoryStore()
    list(copy_store(store, ahead, verifier_of(store)))
    newer = Log.open(ahead, signer=KEY)
    put = put_snapshot(ahead, 9)
    newer.append(lambda now: [put] if now.find(put.type, put.key) is None else [])
    with pytest.raises(RollbackError):
        accept_anchor(store, newer.verifier, [anchor], newer.checkpoint)
    accept_anchor(store, newer.verifier, [anchor], kept)
    goes_on(store, anchor)


@pytest.mark.slow
def test_the_runbook_s_commands_work_as_they_stand(client, bucket, s3_server, tmp_path):
    """Each bash block of the page, in order, by bash, in a workspace that has collected one night."""
    blocks = re.findall(r"^```bash\n(.*?)^```$", RUNBOOK.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    work, tools = tmp_path / "work", tmp_path / "bin"
    tools.mkdir()
    call = f'"{sys.executable}" -c "import sys; from evidence.cli import main; main(sys.argv[1:])" "$@"'
    texts = {  # the export is of July 2026: a collect that names no night is of the one the test is at
        "evidence": f'case "$1" in collect) set -- "$@" --date "$NIGHT";; esac\n{call}\ncode=$?\n'
        '[ "$1" = collect ] && [ $code -lt 9 ] && exit 0\nexit $code\n',
        "python": f'exec "{sys.executable}" "$@"\n',
    }
    for name, text in texts.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}")
        (tools / name).chmod(0o755)
    variables = {
        **os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "AWS_ENDPOINT_URL_S3": s3_server.url,
        "AWS_DEFAULT_REGION": "us-east-1", "COPY": str(tmp_path / "other disk" / "store"), "BUCKET": f"s3://{bucket}/store",
        "BACK": str(tmp_path / "again" / "store"), "NIGHT": "2026-07-01",
    }  # fmt: skip

    def bash(text, folder=work):
        command = ["bash", "-euo", "pipefail", "-c", text]
        made = subprocess.run(
            command, cwd=folder, env=variables, capture_output=True, text=True, timeout=120, check=False
        )
        assert made.returncode == 0, f"{text}\n{made.stdout}\n{made.stderr}"
        return made.stdout + made.stderr

    bash(f'evidence init "{work}" --size none', tmp_path)
    tiny_export.write(work / "exports")
    toml = (work / "evidence.toml").read_text().split("[sources.")[0]
    (work / "evidence.toml").write_text(toml + '\n[sources.exports]\nkind = "files"\npath = "exports"\n')
    bash("evidence collect")
    before = bash("evidence status --json")
    said = []
    for number, block in enumerate(blocks):
        variables["NIGHT"] = f"2026-07-0{2 + (number == 4)}"
        said.append(bash(block))
    assert "the log continues there" in said[1]
    assert "no anchor remembers log" in said[4]
    assert "the anchors now hold size" in said[4]
    assert bash("evidence status --json") != before
    assert str(tmp_path / "again") in bash("evidence status")

"""Eight processes, 125 entries each, SIGKILL among them, on one folder and on one bucket: 1,000 entries, no fork, proofs hold."""

import itertools
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes.sealed_store import KEY
from fakes.share_worker import key_of, open_store

from evidence.store.anchor import FileAnchor
from evidence.store.check import check_store
from evidence.store.log import Log
from evidence.store.s3_client import connect
from evidence.tlog.note import Verifier
from evidence.tlog.proof import parse_consistency, parse_inclusion
from evidence.tlog.record import Record

pytest_plugins = ["tests.servers.fixtures"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
TESTS = Path(__file__).parent
WRITERS, SHARE, SECONDS = 8, 125, 1000


class Race:
    """Runs the writers, kills some of them and starts those again, until each has sealed its share."""

    def __init__(self, folder, *place):
        self.folder, self.place = folder, place
        self.seeds = itertools.count()
        self.ended = []  # (exit code, what it wrote to stderr)

    def start(self, writer):
        environment = {**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"}
        command = [sys.executable, str(TESTS / "fakes" / "share_worker.py"), str(self.folder), str(writer), str(SHARE)]
        return subprocess.Popen([*command, str(next(self.seeds)), *self.place], env=environment, stderr=subprocess.PIPE)

    def run(self, kills, pause):
        chance = random.Random(kills)
        running = {writer: self.start(writer) for writer in range(WRITERS)}
        end = time.monotonic() + SECONDS
        try:
            while running:
                assert time.monotonic() < end, "the writers did not finish"
                time.sleep(chance.uniform(*pause))
                if kills and (self.folder / "anchor" / "checkpoint").exists():
                    chance.choice(list(running.values())).kill()
                    kills -= 1
                for writer, process in list(running.items()):
                    if process.poll() is None:
                        continue
                    del running[writer]
                    self.ended.append((process.returncode, process.stderr.read().decode()))
                    if process.returncode == -9:
                        running[writer] = self.start(writer)
        finally:
            for process in running.values():
                process.kill()
                process.wait()
        return sum(code == -9 for code, _ in self.ended)


def check_log(store, folder):
    """Every window once, the whole store verified, every proof under the last checkpoint; return entries and commits."""
    anchor = FileAnchor(folder / "anchor" / "checkpoint")
    log = Log.open(store, signer=KEY, anchors=[anchor])
    assert sorted(e.key for _, e in log.entries("snapshot")) == sorted(key_of(n) for n in range(WRITERS * SHARE))
    assert log.size == 1 + WRITERS * SHARE
    assert [c for c in check_store(store, trust=KEY.vkey, checkpoint=anchor.load(log.origin)) if c.ok is False] == []
    verifiers = [Verifier(KEY.name, KEY.public_key)]
    for index in range(log.size):
        proof = parse_inclusion(log.proof(index).to_text())
        assert proof.verify(log.raw(index), verifiers).size == log.size
    records = [Record.from_bytes(store.get(path), path) for path in store.list("log/commit/")]
    for record in records[:-1]:
        proof = parse_consistency(log.consistency(record.size).to_text())
        assert proof.verify(record.checkpoint, verifiers).size == log.size
    return log.size - 1, len(records)


def test_on_a_folder(tmp_path, capsys):
    race, began = Race(tmp_path), time.monotonic()
    killed = race.run(40, (0.05, 0.3))
    spent = time.monotonic() - began
    assert {code for code, _ in race.ended} <= {0, -9}, [text for code, text in race.ended if code not in {0, -9}]
    assert killed >= 20
    entries, commits = check_log(open_store(tmp_path), tmp_path)
    with capsys.disabled():
        sys.stdout.write(f"\nfolder: {entries} entries in {commits} commits, {killed} kills, {spent:.0f} s\n")


def test_on_a_bucket(tmp_path, s3_server, monkeypatch, capsys):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    client = connect(endpoint_url=s3_server.url, region="us-east-1")
    client.create_bucket(Bucket="contended", ObjectLockEnabledForBucket=True)
    race, began = Race(tmp_path, s3_server.url, "contended"), time.monotonic()
    killed = race.run(24, (2, 5))
    spent = time.monotonic() - began
    assert {code for code, _ in race.ended} <= {0, -9}, [text for code, text in race.ended if code not in {0, -9}]
    assert killed >= 12
    entries, commits = check_log(open_store(tmp_path, s3_server.url, "contended"), tmp_path)
    pages = client.get_paginator("list_object_versions").paginate(Bucket="contended", Prefix="pre/log/commit/")
    keys = [version["Key"] for page in pages for version in page.get("Versions", [])]
    assert len(keys) == len(set(keys)) == commits  # no name was ever created twice
    with capsys.disabled():
        sys.stdout.write(f"\nbucket: {entries} entries in {commits} commits, {killed} kills, {spent:.0f} s\n")

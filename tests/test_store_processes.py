"""Real processes on a real folder: eight at once with SIGKILL, and death at every system call of one append."""

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes.sealed_store import KEY, plain

from evidence.errors import ForkError, RollbackError
from evidence.store.anchor import FileAnchor
from evidence.store.check import check_store
from evidence.store.local import LocalStore
from evidence.store.log import Log

TESTS = Path(__file__).parent
WRITERS = 8
CALLS = ("open", "link", "fsync", "close", "mkdir", "unlink", "replace", "scandir")


def failures(store, checkpoint):
    return [c for c in check_store(store, trust=KEY.vkey, checkpoint=checkpoint) if c.ok is False]


def start(folder, count, seed):
    environment = {**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"}
    command = [sys.executable, str(TESTS / "fakes" / "append_worker.py"), str(folder), str(count), str(seed)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)


def race(folder, count, kills, seconds):
    """Run eight writers until every window is sealed; meanwhile kill ``kills`` of them. Return what they wrote to stderr."""
    chance, seeds, wrote = random.Random(count), iter(range(10_000)), []
    running = [start(folder, count, next(seeds)) for _ in range(WRITERS)]
    end = time.monotonic() + seconds
    try:
        while running:
            assert time.monotonic() < end, "the writers did not finish"
            time.sleep(chance.uniform(0.02, 0.3))
            if kills and (folder / "anchor" / "checkpoint").exists():
                victim = chance.choice(running)
                victim.kill()
                kills -= 1
            for process in [p for p in running if p.poll() is not None]:
                running.remove(process)
                wrote.append((process.returncode, process.stderr.read().decode()))
                if process.returncode == -9:
                    running.append(start(folder, count, next(seeds)))
    finally:
        for process in running:
            process.kill()
            process.wait()
    return wrote


def check_race(folder, count, kills):
    wrote = race(folder, count, kills, seconds=280)
    assert {code for code, _ in wrote} <= {0, -9}, [text for code, text in wrote if code not in {0, -9}]
    assert sum(code == -9 for code, _ in wrote) >= kills // 2  # enough were killed while they had work
    store, anchor = LocalStore(folder / "store"), FileAnchor(folder / "anchor" / "checkpoint")
    log = Log.open(store, signer=KEY, anchors=[anchor])
    keys = [entry.key for _, entry in log.entries("snapshot")]
    assert (len(keys), len(set(keys))) == (count, count)
    assert failures(store, anchor.load(log.origin)) == []


def test_eight_writers_with_kills_seal_every_window_once(tmp_path):
    check_race(tmp_path, count=300, kills=20)


@pytest.mark.slow
def test_eight_writers_with_many_kills_seal_every_window_once(tmp_path):
    check_race(tmp_path, count=700, kills=60)


def die_at(number, action):
    """Run ``action`` in a child that exits at its ``number``-th system call of ``CALLS``; return whether it finished."""
    child = os.fork()
    if child == 0:
        left = [number]

        def counted(real):
            def call(*arguments, **options):
                if left[0] == 0:
                    os._exit(9)
                left[0] -= 1
                return real(*arguments, **options)

            return call

        try:
            for name in CALLS:
                setattr(os, name, counted(getattr(os, name)))
            action()
        except BaseException:  # noqa: BLE001 - a child of the test runner must never return into it
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, 9}
    return code == 0


def test_dead_at_any_system_call_the_store_verifies_and_the_next_run_completes(tmp_path):
    def night(folder):
        log = Log.init(LocalStore(folder / "store"), KEY, anchors=[FileAnchor(folder / "anchor")])
        log.append(plain("a", "b"))
        log.append(plain("c"))
        return log

    finished = number = 0
    while not finished:
        folder = tmp_path / str(number)
        finished = die_at(number, lambda folder=folder: night(folder))
        store = LocalStore(folder / "store")
        if any(store.list("log/commit/")):
            assert failures(store, FileAnchor(folder / "anchor").load(KEY.name)) == [], number
        log = night(folder)
        assert [entry.key for _, entry in log.entries("coverage")] == ["a", "b", "c"], number
        assert failures(store, log.checkpoint) == [], number
        shutil.rmtree(folder)
        number += 1
    assert number > 60


def test_an_old_copy_of_the_store_is_refused_because_of_the_anchor(tmp_path):
    store, anchor = LocalStore(tmp_path / "store"), FileAnchor(tmp_path / "anchor")
    log = Log.init(store, KEY, anchors=[anchor])
    log.append(plain("a"))
    shutil.copytree(tmp_path / "store", tmp_path / "old")
    log.append(plain("b"))
    newer = log.checkpoint
    shutil.rmtree(tmp_path / "store")
    shutil.copytree(tmp_path / "old", tmp_path / "store")
    before = sorted((p, p.stat().st_mtime_ns) for p in (tmp_path / "store").rglob("*"))
    with pytest.raises(RollbackError, match=str(tmp_path / "anchor")):
        Log.open(LocalStore(tmp_path / "store"), signer=KEY, anchors=[anchor])
    assert sorted((p, p.stat().st_mtime_ns) for p in (tmp_path / "store").rglob("*")) == before
    assert [c.step for c in failures(store, newer)] == ["checkpoint"]
    twin = Log.open(LocalStore(tmp_path / "old"), signer=KEY)  # a signer without memory goes on from the old state
    twin.append(plain("x", "y"))
    with pytest.raises(ForkError):
        Log.open(LocalStore(tmp_path / "old"), signer=KEY, anchors=[anchor])

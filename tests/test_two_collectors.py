"""Two collectors as real processes, of two hosts on one store: started at once, one killed, every window is sealed once."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter

import job
import pytest

from evidence.demo import Size
from evidence.store.check import check_store
from evidence.store.local import LocalStore

NIGHTS = Size(nights=4, users=60, roles=50, tables=160, columns=600, queries=120)
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
ENDED = {0, 5, 6}


@pytest.fixture
def hosts(tmp_path):
    """Two workspaces, each with a lease, a spool and anchors of its own, on the store of the first."""
    one, two = tmp_path / "one", tmp_path / "two"
    job.workspace(one, NIGHTS)
    shutil.copytree(one, two)
    shutil.rmtree(two / "store")
    config = two / "evidence.toml"
    text = config.read_text()
    assert 'url = "file:store"' in text
    config.write_text(text.replace('url = "file:store"', f'url = "file:{one / "store"}"'))
    return one, two


def collect(folder):
    return job.start("-w", folder, "collect", "--jobs", "1", start_new_session=True, **QUIET)


def commits(folder):
    return len(list((folder / "store" / "log" / "commit").iterdir()))


def kill_at(process, folder, wanted):
    """Kill the process group once the store holds ``wanted`` commit records; True if it was still running."""
    end = time.monotonic() + 60
    while process.poll() is None and commits(folder) < wanted and time.monotonic() < end:
        time.sleep(0.01)
    running = process.poll() is None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)
    return running


def finish(process):
    _, errors = process.communicate(timeout=120)
    assert process.returncode in ENDED, errors


@pytest.mark.parametrize("rounds", [1, pytest.param(8, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_started_at_once_and_one_killed_each_window_is_sealed_once(tmp_path, hosts, rounds):
    one, two = hosts
    calm = tmp_path / "calm"
    shutil.copytree(one, calm)
    job.run("-w", calm, "collect", "--jobs", "1", codes=tuple(ENDED))
    expected = job.sealed_rows(calm)
    fresh = tmp_path / "fresh"
    shutil.copytree(one, fresh)
    choose, killed = random.Random(20260701), 0
    for _ in range(rounds):
        shutil.rmtree(one)
        shutil.copytree(fresh, one)
        shutil.rmtree(two / "anchors")
        shutil.copytree(one / "anchors", two / "anchors")
        pair = [collect(one), collect(two)]
        victim = choose.randrange(2)
        killed += kill_at(pair[victim], one, choose.randint(2, 4))
        finish(pair[1 - victim])
        finish(collect((one, two)[victim]))
        each_window_once(one, expected)
    assert killed, "every kill came after the run had ended"


def each_window_once(folder, expected):
    log = job.open_log(folder)
    windows = Counter(entry.key.rsplit("/", 1)[0] for _, entry in log.entries("snapshot"))
    assert windows
    assert set(windows.values()) == {1}, [key for key, times in windows.items() if times > 1]
    assert job.sealed_rows(folder) == expected
    vkey = (folder / "trust" / "log.vkey").read_text().strip()
    failed = [c for c in check_store(LocalStore(folder / "store"), trust=vkey) if c.ok is False]
    assert not failed, failed[:3]


def test_of_one_host_the_second_is_told_that_the_first_is_running(hosts):
    one, _ = hosts
    pair = [collect(one), collect(one)]
    codes = []
    for process in pair:
        _, errors = process.communicate(timeout=120)
        codes.append(process.returncode)
        if process.returncode == 75:
            assert "is held by process" in errors
    assert set(codes) <= {*ENDED, 75}
    assert set(codes) & ENDED, "one of them did the work"
    job.run("-w", one, "collect", "--jobs", "1", codes=tuple(ENDED))
    windows = Counter(entry.key.rsplit("/", 1)[0] for _, entry in job.open_log(one).entries("snapshot"))
    assert set(windows.values()) == {1}

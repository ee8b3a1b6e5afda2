"""Kill -9 the collector at random moments: the store always verifies and the next run ends in the same evidence."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time

import job
import pytest

from evidence.demo import Size
from evidence.store.check import check_store
from evidence.store.local import LocalStore

NIGHTS = Size(nights=4, users=60, roles=50, tables=160, columns=600, queries=120)
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=[pytest.mark.slow, pytest.mark.timeout(1500)])])
def test_killed_at_random_moments_it_ends_in_the_same_evidence(tmp_path, kills):
    fresh, work, calm = tmp_path / "fresh", tmp_path / "work", tmp_path / "calm"
    job.workspace(fresh, NIGHTS)
    for copy in (work, calm):
        shutil.copytree(fresh, copy)
    job.run("-w", calm, "collect", "--jobs", "1", codes=(0, 5, 6))
    expected = job.sealed_rows(calm)
    choose = random.Random(20260701)
    landed = 0
    for _ in range(kills):
        landed += kill_one(work, choose)
        vkey = (work / "trust" / "log.vkey").read_text().strip()
        failed = [c for c in check_store(LocalStore(work / "store"), trust=vkey) if c.ok is False]
        assert not failed, failed[:3]
        if job.sealed_rows(work) == expected:
            shutil.rmtree(work)
            shutil.copytree(fresh, work)
    assert landed >= kills // 2, "most kills came after the runs had ended"
    job.run("-w", work, "collect", codes=(0, 5, 6))
    assert job.sealed_rows(work) == expected
    totals = {key: facts[1] for key, facts in expected.items()}
    assert sum(totals.values()) > 5000
    job.run("verify", work / "store", "--trust", work / "trust")


def kill_one(work, choose):
    """Start a collect, kill its whole process group at a random moment; True if it was still running."""
    started = job.start("-w", work, "collect", "--jobs", choose.choice("12"), start_new_session=True, **QUIET)
    time.sleep(choose.uniform(0.8, 4.0))
    running = started.poll() is None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)
    started.wait(30)
    return running

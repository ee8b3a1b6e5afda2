"""kill -9 of the daemon, with and without the run it started, at random moments: the next start ends in the same evidence."""

import json
import os
import random
import shutil
import signal
import subprocess
import time

import job
import pytest

from evidence.assess import sealed_findings
from evidence.cli.workspace import Workspace
from evidence.demo import Size
from evidence.store.lease import Lease
from evidence.verify import verify_store

FEW = Size(nights=2, users=60, roles=50, tables=160, columns=600, queries=120)
ONLY = ("identity-dormant", "identity-mfa-humans", "access-no-raw-grants")
KILLS = 50


def started(folder):
    return subprocess.Popen(
        [*job.COMMAND, "-w", str(folder), "schedule"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def told(folder):
    """The last outcome of a night, as the heartbeat has it."""
    try:
        return json.loads((folder / ".evidence" / "heartbeat.json").read_text())["last"].get("night")
    except (OSError, ValueError):
        return None


def identities(folder):
    log = Workspace.open(folder).log
    return {(entry.type, entry.key, entry.body.get("status")) for _, entry in log.entries() if entry.type == "snapshot"}


def verdicts(folder):
    workspace = Workspace.open(folder)
    return {
        (night, each.control, each.status, each.population, each.fingerprint)
        for night in workspace.index.assessed_nights()
        for each in sealed_findings(workspace.store, workspace.index, night)
    }


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_killed_at_fifty_moments_the_next_start_completes_the_work(tmp_path):
    whole, work = tmp_path / "whole", tmp_path / "work"
    job.workspace(whole, FEW, only=ONLY)
    config = whole / "evidence.toml"
    config.write_text(config.read_text() + '\n[schedule]\naddress = ""\n')
    shutil.copytree(whole, work)
    begun = time.monotonic()
    job.run("-w", whole, "run", codes=(0, 5, 6))
    takes = time.monotonic() - begun
    chance = random.Random(5)
    for number in range(KILLS):
        daemon = started(work)
        time.sleep(chance.uniform(0.3, takes * 1.2))
        if number % 3:
            os.killpg(daemon.pid, signal.SIGKILL)
        else:
            daemon.kill()  # the run it started goes on, and holds the lease meanwhile
        daemon.wait()
    (work / ".evidence" / "heartbeat.json").unlink(missing_ok=True)
    daemon = started(work)
    try:
        end = time.monotonic() + 300
        while (said := told(work)) is None or said["exit_code"] == 75:
            assert time.monotonic() < end, said
            time.sleep(0.2)
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(120)
    assert said["exit_code"] in {0, 5, 6}
    with Lease(work / ".evidence" / "lease"):
        pass  # nobody holds it any more
    assert identities(work) == identities(whole)
    assert verdicts(work) == verdicts(whole)
    workspace = Workspace.open(work)
    checks = verify_store(workspace.store, [workspace.verifier.to_text()]).checks
    assert not [check for check in checks if check.ok is False]

"""The daemon: due at the right moments, one thing at a time, tried again, stopped in good time; and what it says of itself."""

import ast
import datetime as dt
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import job
import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from evidence.cli.metrics import serve
from evidence.config import ScheduleConfig
from evidence.errors import ConfigError
from evidence.schedule import Daemon, Job, Run, State, triggers

NEVER = "0 0 1 1 *"
# appends a line when it starts and one when it ends; the exit codes of its runs stand in a file, one a line
STUB = """
import pathlib, sys, time
place = pathlib.Path({place!r})
name = sys.argv[1]
with (place / "runs").open("a") as out: out.write(f"begin {{name}}\\n")
codes = (place / "codes").read_text().split() if (place / "codes").exists() else []
runs = (place / "runs").read_text().count(f"begin {{name}}")
time.sleep(float((place / "takes").read_text()) if (place / "takes").exists() else 0)
with (place / "runs").open("a") as out: out.write(f"end {{name}}\\n")
print('{{"standing": {{"high": 2}}}}')
sys.exit(int(codes[runs - 1]) if runs <= len(codes) else 0)
"""


def now():
    return dt.datetime.now(dt.UTC)


@pytest.fixture
def daemon(tmp_path):
    jobs = [Job("night", NEVER, ("night",)), Job("check", NEVER, ("check",))]
    command = [sys.executable, "-c", STUB.format(place=str(tmp_path))]
    made = Daemon(jobs, command, tmp_path / "heartbeat.json", now, jitter=0)
    yield made
    if not made._stopping.is_set():
        made.stop(grace=0)


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)


def runs(folder):
    return (folder / "runs").read_text().splitlines() if (folder / "runs").exists() else []


def test_a_start_catches_up_at_once_and_the_heartbeat_says_what_came_of_it(daemon, tmp_path):
    daemon.start()
    until(lambda: daemon.state.last.get("night"))
    assert runs(tmp_path) == ["begin night", "end night"]
    beat = json.loads((tmp_path / "heartbeat.json").read_text())
    assert (beat["health"], beat["pid"]) == ("ok", os.getpid())
    assert beat["next"]["night"].startswith(f"{now().year + 1}-01-01T00:00")
    daemon.stop()
    assert not (tmp_path / "heartbeat.json").exists()


def test_one_thing_at_a_time(daemon, tmp_path):
    (tmp_path / "takes").write_text("0.4")
    daemon.start()
    for name in ("check", "night"):
        daemon._scheduler.add_job(daemon.run, args=[name])
    until(lambda: len(runs(tmp_path)) == 6)
    assert runs(tmp_path) == ["begin night", "end night", "begin check", "end check", "begin night", "end night"]


def test_what_a_later_try_may_mend_is_tried_again_a_few_times(daemon, tmp_path, monkeypatch):
    monkeypatch.setattr("evidence.schedule.AGAIN", {75: 0.05, 4: 0.05})
    (tmp_path / "codes").write_text("75 4 75 75 75 75")
    daemon.start()
    until(lambda: daemon.state.counts.get(("night", 75)) == 3)
    time.sleep(0.5)
    assert daemon.state.counts == {("night", 75): 3, ("night", 4): 1}  # four in all
    assert "night" not in daemon.state.well


def test_what_no_later_try_mends_is_not_tried_again_and_is_not_healthy(daemon, tmp_path, monkeypatch):
    monkeypatch.setattr("evidence.schedule.AGAIN", {75: 0.05, 4: 0.05})
    (tmp_path / "codes").write_text("9")
    daemon.start()
    until(lambda: daemon.state.last.get("night"))
    time.sleep(0.3)
    assert daemon.state.counts == {("night", 9): 1}
    assert "exit code 9" in daemon.report()["health"]


@pytest.mark.parametrize("code", [0, 5, 6, 7, 8])
def test_findings_and_gaps_are_no_illness_of_the_daemon(code):
    state = State(now())
    state.last["night"] = Run(now(), 1, code)
    state.well["night"] = now()
    assert state.health(now()) == ""
    assert "no night ended well" in state.health(now() + dt.timedelta(hours=27))


def test_stopping_waits_for_the_run_and_ends_one_that_takes_too_long(daemon, tmp_path):
    (tmp_path / "takes").write_text("0.5")
    daemon.start()
    until(lambda: runs(tmp_path))
    daemon.stop(grace=10)
    assert runs(tmp_path) == ["begin night", "end night"]


def test_a_run_that_does_not_end_is_ended(daemon, tmp_path):
    (tmp_path / "takes").write_text("60")
    daemon.start()
    until(lambda: runs(tmp_path))
    started = time.monotonic()
    daemon.stop(grace=0.2)
    assert time.monotonic() - started < 10
    assert runs(tmp_path) == ["begin night"]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "UTC"])
def test_the_clocks_of_the_host_change_and_runs_do_not(zone, monkeypatch):
    """Summer time skips an hour and repeats one; expressions are in UTC, which does neither."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        cron, seen, previous = ScheduleConfig().night, [], None
        trigger = triggers([Job("night", cron, ())], 0)["night"]
        at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        while at.year == 2026:
            following = trigger.get_next_fire_time(previous, at)
            seen.append(following)
            previous = at = following
        days = {(first + dt.timedelta(days=n)) for first in [dt.date(2026, 1, 1)] for n in range(365)}
        assert {at.date() for at in seen if at.year == 2026} == days
        assert {later - earlier for earlier, later in itertools.pairwise(seen)} == {dt.timedelta(hours=6)}
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("cron", ["61 2 * * *", "daily", "0 2 * *"])
def test_an_expression_that_means_nothing_is_named(cron):
    with pytest.raises(ConfigError, match=r"schedule\.night"):
        triggers([Job("night", cron, ())], 0)


def fetch(address, path):
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_health_and_figures_over_http(daemon):
    server = serve(daemon, "127.0.0.1:0")
    address = f"127.0.0.1:{server.server_port}"
    daemon.start()
    until(lambda: daemon.state.last.get("night"))
    assert fetch(address, "/healthz") == (200, '{"health": "ok"}')
    families = {each.name: each for each in text_string_to_metric_families(fetch(address, "/metrics")[1])}
    values = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for each in families.values()
        for sample in each.samples
    }
    assert values["evidence_runs_total", "0", "night"] == 1
    assert values["evidence_conditions", "high"] == 2
    assert values["evidence_healthy",] == 1
    assert abs(values["evidence_last_success_timestamp_seconds", "night"] - time.time()) < 60
    daemon.state.last["check"] = Run(now(), 1, 10)
    assert fetch(address, "/healthz")[0] == 503
    assert fetch(address, "/other")[0] == 404
    server.shutdown()
    server.server_close()
    with pytest.raises(ConfigError, match=r"schedule\.address"):
        serve(daemon, "127.0.0.1:not-a-port")


def test_the_command_runs_nights_until_it_is_told_to_stop(tmp_path):
    """`evidence schedule` on a workspace without sources: a night at start, files beside it, and an end on SIGTERM."""
    work = tmp_path / "work"
    job.run("init", work, "--demo", "--size", "none")
    config = work / "evidence.toml"
    config.write_text(config.read_text().partition("[sources")[0] + '[schedule]\naddress = ""\n')
    (work / "overlay.toml").write_text("")
    process = subprocess.Popen(
        [*job.COMMAND, "-w", str(work), "schedule"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        beat = work / ".evidence" / "heartbeat.json"
        until(lambda: beat.exists() and json.loads(beat.read_text())["last"].get("night"), seconds=60)
        assert json.loads(beat.read_text())["last"]["night"]["exit_code"] == 0
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "check: 0 5 * * sun" in said
    events = [json.loads(line) for line in (work / ".evidence" / "journal.ndjson").read_text().splitlines()]
    assert [each["event"] for each in events] == ["collect", "assess", "alert", "end"]
    assert len({each["run"] for each in events}) == 1


EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.iterdir()), ids=lambda path: path.name)
def test_the_examples_are_what_their_readers_read(path, tmp_path):
    text = path.read_text()
    assert "evidence" in text
    if path.suffix == ".py":
        ast.parse(text)
    elif path.suffix == ".yaml":
        spec = yaml.safe_load(text)["spec"]
        assert spec["schedule"] == ScheduleConfig().night
        assert spec["concurrencyPolicy"] == "Forbid"
    elif path.name == "Containerfile":
        steps = [line.split()[0] for line in text.splitlines() if line and not line.startswith(("#", " "))]
        assert steps[-1] == "CMD"
        assert "USER 10001" in text
        assert "--require-hashes" in text
        needs = set(re.findall(r"need (lib\S+)", (EXAMPLES.parents[1] / "scripts" / "bootstrap.sh").read_text()))
        assert needs
        assert needs <= set(text.split())
    elif shutil.which("systemd-analyze"):
        unit = tmp_path / path.name
        unit.write_text(text.replace("/usr/local/bin/evidence", sys.executable).replace("User=evidence\n", ""))
        for other in EXAMPLES.glob("*.service"):
            shutil.copy(other, tmp_path / other.name) if other.name != path.name else None
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(unit)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        mine = [line for line in done.stderr.splitlines() if path.name in line]
        assert (done.returncode, mine) == (0, []), done.stderr

"""The daemon: runs ``evidence run`` and ``evidence check`` by cron expressions, each in a process of its own. APScheduler keeps the time.

It holds no state that matters: what is due is derived from the log by each run, so a restart catches up by itself, and two daemons do
the work once (the lease of the workspace; without it, the commit). A run that finds the lease taken, or a source that does not answer, is
tried again after a while, a few times, before the next night.
"""

import datetime as dt
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger

from evidence.errors import BusyError, ConfigError, SourceError

AGAIN: Final = {BusyError.exit_code: 60, SourceError.exit_code: 900}  # exit code -> seconds until it is tried again
TRIES: Final = 4
PATIENCE: Final = dt.timedelta(hours=26)  # without a night that ended well: `/healthz` says so
GRAVE: Final = frozenset({1, 3, 9, 10})  # exit codes that no further run mends
Clock = Callable[[], dt.datetime]


@dataclass(frozen=True, slots=True)
class Job:
    """One thing to do: the words of the command after ``evidence -w WORKSPACE``, and when (five cron fields)."""

    name: str
    cron: str
    words: tuple[str, ...]


@dataclass(slots=True)
class Run:
    """The last run of a job: when, how long in seconds, with which exit code and, where it printed JSON, what it said."""

    started: dt.datetime
    seconds: float
    exit_code: int
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class State:
    """What the daemon knows of itself; guarded by its lock, spelled in the heartbeat."""

    started: dt.datetime
    last: dict[str, Run] = field(default_factory=dict)
    well: dict[str, dt.datetime] = field(default_factory=dict)  # job -> end of the last run with a harmless exit code
    counts: dict[tuple[str, int], int] = field(default_factory=dict)  # (job, exit code) -> runs

    def health(self, now: dt.datetime) -> str:
        """Return what is wrong, or ""."""
        for name, run in sorted(self.last.items()):
            if run.exit_code in GRAVE:
                return f"{name} ended with exit code {run.exit_code} at {run.started:%Y-%m-%d %H:%M} UTC"
        since = self.well.get("night", self.started)
        return f"no night ended well since {since:%Y-%m-%d %H:%M} UTC" if now - since > PATIENCE else ""


def triggers(jobs: Sequence[Job], jitter: int) -> dict[str, CronTrigger]:
    """Return the trigger of each job. Raises ``ConfigError`` naming an expression that means nothing.

    In UTC, as nights are: in a zone with summer time the library compares wall clocks, and in the repeated hour it fires without end.
    """
    found = {}
    for job in jobs:
        try:
            found[job.name] = CronTrigger.from_crontab(job.cron, timezone=dt.UTC)
        except (ValueError, LookupError) as exc:
            fix = 'five cron fields, in UTC, for example "30 2 * * *"'
            raise ConfigError(f"schedule.{job.name}: {job.cron!r}: {exc}", fix=fix) from exc
        found[job.name].jitter = jitter or None
    return found


class Daemon:
    """Runs ``jobs``. ``command`` is what starts ``evidence``; one job runs at a time, late ones once and never twice."""

    def __init__(
        self, jobs: Sequence[Job], command: Sequence[str], heartbeat: Path, clock: Clock, *, jitter: int
    ) -> None:
        self.jobs = {job.name: job for job in jobs}
        self.state = State(clock())
        self._command, self._heartbeat, self._clock = list(command), heartbeat, clock
        self._lock = threading.Lock()
        self._child: subprocess.Popen[str] | None = None
        self._stopping = threading.Event()
        self._scheduler = BackgroundScheduler(
            timezone=dt.UTC,
            executors={"default": ThreadPoolExecutor(1), "pulse": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        for name, trigger in triggers(jobs, jitter).items():
            self._scheduler.add_job(self.run, trigger, args=[name], id=name)

    def start(self) -> None:
        """Begin, with a night at once: whatever was missed while no daemon ran is due."""
        self._scheduler.add_job(self._beat, "interval", seconds=15, executor="pulse", id="heartbeat")
        self._scheduler.start()
        self._scheduler.add_job(self.run, args=["night"], id="catch-up")
        self._beat()

    def stop_soon(self) -> None:
        """Let :meth:`wait` return; safe in a signal handler."""
        self._stopping.set()

    def wait(self) -> None:
        """Return after :meth:`stop_soon`."""
        while not self._stopping.wait(3600):
            pass

    def stop(self, grace: float = 60) -> None:
        """Start nothing any more; give the run at work ``grace`` seconds, then end it: what is committed stays committed."""
        self._stopping.set()
        self._scheduler.shutdown(wait=False)
        child = self._child
        if child is not None:
            try:
                child.wait(grace)
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGTERM)
                child.wait(10)
        self._heartbeat.unlink(missing_ok=True)

    def run(self, name: str, tries: int = 1) -> int:
        """Run one job now; arrange for another try where its exit code says that a later one may do."""
        started, begun = self._clock(), time.monotonic()
        code, said = self._launch(self.jobs[name])
        seconds = round(time.monotonic() - begun, 3)
        with self._lock:
            self.state.last[name] = Run(started, seconds, code, said)
            self.state.counts[name, code] = self.state.counts.get((name, code), 0) + 1
            if code not in GRAVE | set(AGAIN):
                self.state.well[name] = self._clock()
        if code in AGAIN and tries < TRIES and not self._stopping.is_set():
            later = self._clock() + dt.timedelta(seconds=AGAIN[code] * tries)
            again = {"args": [name, tries + 1], "id": f"{name} again", "replace_existing": True}
            self._scheduler.add_job(self.run, DateTrigger(later), **again)
        self._beat()
        return code

    def _launch(self, job: Job) -> tuple[int, Mapping[str, Any]]:
        if self._stopping.is_set():
            return 0, {}
        self._child = subprocess.Popen([*self._command, *job.words], stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own command
        try:
            text, _ = self._child.communicate()
            code = self._child.returncode
        finally:
            self._child = None
        try:
            said = json.loads(text)
        except ValueError:
            said = {}
        return (code if code >= 0 else 1), said if isinstance(said, dict) else {}

    def report(self) -> dict[str, Any]:
        """Return what the heartbeat file and ``/healthz`` say."""
        now = self._clock()
        with self._lock:
            wrong = self.state.health(now)
            last = {
                name: {k: v for k, v in asdict(run).items() if k != "said"} for name, run in self.state.last.items()
            }
        following = {job.id: job.next_run_time for job in self._scheduler.get_jobs() if job.id != "heartbeat"}
        return {
            "pid": os.getpid(),
            "at": now,
            "started": self.state.started,
            "health": wrong or "ok",
            "running": self._child is not None,
            "last": last,
            "next": {name: at for name, at in following.items() if at},
        }

    def _beat(self) -> None:
        """Replace the heartbeat file: its age says whether the daemon lives, its content how it does."""
        temporary = self._heartbeat.with_suffix(".tmp")
        temporary.write_text(json.dumps(self.report(), default=_spell, indent=2, sort_keys=True) + "\n")
        temporary.replace(self._heartbeat)


def _spell(value: object) -> str:
    return value.isoformat(timespec="seconds") if isinstance(value, dt.datetime) else str(value)

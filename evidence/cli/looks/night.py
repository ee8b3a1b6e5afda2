"""What makes nights happen: the schedule's expressions, the daemon's heartbeat, the address it serves."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Final

from evidence.cli.workspace import Workspace
from evidence.doctor import Examination, Line, fail, failed, ok
from evidence.errors import ConfigError
from evidence.schedule import Job, triggers

SILENT: Final = dt.timedelta(seconds=90)  # the daemon writes its heartbeat every 15 seconds


def looks(workspace: Workspace) -> list[Examination]:
    """Return the looks at schedule and daemon."""
    return [
        Examination("schedule", lambda: _schedule(workspace)),
        Examination("daemon", lambda: _daemon(workspace)),
    ]


def _schedule(workspace: Workspace) -> Iterator[Line]:
    settings, now = workspace.config.schedule, workspace.clock()
    for name, cron in (("night", settings.night), ("check", settings.check)):
        try:
            following = triggers([Job(name, cron, ())], 0)[name].get_next_fire_time(None, now)
        except ConfigError as error:
            yield failed(f"schedule {name}", error)
            continue
        if following is None:
            yield fail(
                f"schedule {name}",
                f"{cron!r} never comes",
                f"[schedule] {name} = five cron fields of a day that exists, in UTC",
            )
        else:
            yield ok(f"schedule {name}", f"{cron}, next at {following:%Y-%m-%d %H:%M} UTC")
    if settings.address:
        host, _, port = settings.address.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            yield fail(
                "schedule address",
                f"{settings.address!r} is no HOST:PORT",
                '[schedule] address = "127.0.0.1:9464", or "" for none',
            )


def _daemon(workspace: Workspace) -> Iterator[Line]:
    file = workspace.config.workspace / ".evidence" / "heartbeat.json"
    if not file.exists():
        yield ok("daemon", "none runs here; cron or a timer runs `evidence run` (docs/alerts.md)")
        return
    try:
        body = json.loads(file.read_bytes())
        at, health = dt.datetime.fromisoformat(body["at"]), str(body["health"])
        age = workspace.clock() - at
    except (ValueError, KeyError, TypeError):
        yield fail("daemon", f"{file} is no heartbeat", f"rm {file}, and start it again: systemctl restart evidence")
        return
    if age > SILENT:
        detail = f"its last sign is of {at:%Y-%m-%d %H:%M} UTC: it died, or was ended without stopping"
        yield fail("daemon", detail, f"systemctl restart evidence; if none should run here: rm {file}")
    elif health != "ok":
        yield fail("daemon", health, "evidence status, and .evidence/journal.ndjson, say which night and why")
    else:
        yield ok("daemon", f"alive {max(age.total_seconds(), 0):.0f} s ago")

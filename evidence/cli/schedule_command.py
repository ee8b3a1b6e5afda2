"""``evidence schedule``: the same nights as cron would run, kept by a daemon."""

import signal
import sys
from typing import Final

import typer

from evidence.cli import output
from evidence.cli.metrics import serve
from evidence.cli.workspace import Workspace
from evidence.schedule import Daemon, Job

EXAMPLES: Final = ("evidence -w work schedule",)


def schedule(context: typer.Context) -> int:
    """Run nights and weekly checks by the cron expressions of evidence.toml until SIGTERM. A restart catches up by itself."""
    workspace = Workspace.open(context.obj)
    settings, folder = workspace.config.schedule, workspace.config.workspace / ".evidence"
    folder.mkdir(mode=0o700, exist_ok=True)
    jobs = [Job("night", settings.night, ("run", "--json")), Job("check", settings.check, ("check", "--json"))]
    command = [sys.executable, "-m", "evidence", "-w", str(context.obj)]
    daemon = Daemon(
        jobs,
        command,
        folder / "heartbeat.json",
        workspace.clock,
        jitter=settings.jitter_seconds,
    )
    server = serve(daemon, settings.address) if settings.address else None
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: daemon.stop_soon())
    daemon.start()
    at = f", http://{settings.address}/healthz and /metrics" if server else ""
    output.say(f"night: {settings.night}; check: {settings.check}; UTC{at}")
    daemon.wait()
    daemon.stop()
    if server:
        server.shutdown()
    return 0

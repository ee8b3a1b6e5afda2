"""``/healthz`` and ``/metrics`` of the daemon, on loopback unless the configuration says otherwise: counts and times, nothing else."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from evidence.errors import ConfigError
from evidence.schedule import Daemon, Run

_LAST: Final[Sequence[tuple[str, str, Callable[[Run], float]]]] = (
    ("evidence_last_run_seconds", "How long the last run took.", lambda run: run.seconds),
    ("evidence_last_run_exit_code", "Exit code of the last run.", lambda run: run.exit_code),
    ("evidence_last_run_start_timestamp_seconds", "When the last run began.", lambda run: run.started.timestamp()),
)


class Figures(Collector):
    """The daemon's state as OpenMetrics, read when asked."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def collect(self) -> Iterator[Metric]:
        """Yield a family per figure."""
        state = self._daemon.state
        healthy = GaugeMetricFamily("evidence_healthy", "1 if /healthz says ok.")
        healthy.add_metric([], float(self._daemon.report()["health"] == "ok"))
        yield healthy
        runs = CounterMetricFamily("evidence_runs", "Runs that ended.", labels=["job", "exit_code"])
        for (job, code), count in sorted(state.counts.items()):
            runs.add_metric([job, str(code)], count)
        yield runs
        for name, words, value in _LAST:
            family = GaugeMetricFamily(name, words, labels=["job"])
            for job, run in sorted(state.last.items()):
                family.add_metric([job], value(run))
            yield family
        well = GaugeMetricFamily(
            "evidence_last_success_timestamp_seconds", "When a run last ended well.", labels=["job"]
        )
        for job, at in sorted(state.well.items()):
            well.add_metric([job], at.timestamp())
        yield well
        night = state.last.get("night")
        standing = GaugeMetricFamily("evidence_conditions", "Conditions that stand.", labels=["severity"])
        for severity, count in sorted((night.said.get("standing") or {}).items()) if night else ():
            standing.add_metric([severity], count)
        yield standing


def serve(daemon: Daemon, address: str) -> ThreadingHTTPServer:
    """Serve in a thread of its own at ``address`` (host:port) until ``shutdown``. Raises ``ConfigError`` if it cannot be had."""
    registry = CollectorRegistry()
    registry.register(Figures(daemon))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/healthz":
                report = daemon.report()
                body = json.dumps({"health": report["health"]}).encode()
                self._answer(200 if report["health"] == "ok" else 503, "application/json", body)
            elif self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))  # type: ignore[no-untyped-call]
            else:
                self._answer(404, "text/plain", b"/healthz or /metrics\n")

        def _answer(self, code: int, kind: str, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing: whoever scrapes every ten seconds would fill the journal."""

    host, _, port = address.rpartition(":")
    try:
        server = ThreadingHTTPServer((host, int(port)), Handler)
    except (OSError, ValueError) as exc:
        raise ConfigError(f"schedule.address {address!r}: {exc}", fix='a free "host:port", or "" for none') from exc
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server

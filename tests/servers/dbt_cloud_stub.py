"""The dbt Cloud Administrative API (v2) as far as a reader needs it, on 127.0.0.1, in a thread of the test process.

Shapes are those of recorded answers: the ``status`` and ``extra`` envelope, runs with times like ``2026-07-01 02:00:05.123456+00:00``, steps
that begin with cloning and end with what the job runs, artifacts per step (the last one's without a step). Faults are scripted.
"""

import datetime as dt
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "dbtc_planted-secret-token"
ACCOUNT = 70403
MOMENT = "%Y-%m-%d %H:%M:%S.%f+00:00"
STATUS = {1: "Queued", 3: "Running", 10: "Success", 20: "Error", 30: "Cancelled"}


@dataclass
class Step:
    """A step of a run: what it invokes, how it ended, what it left in ``target/``."""

    name: str
    artifacts: Mapping[str, Any] = field(default_factory=dict)
    status: int = 10


@dataclass
class Fault:
    """An answer given instead, ``times`` times, to requests whose path and query match."""

    pattern: str
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    times: int = 1
    cut: bool = False  # promise more bytes than come


class Stub:
    """The account. Runs may be added and faults scripted while it serves."""

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []
        self.steps: dict[int, list[Step]] = {}
        self.faults: list[Fault] = []
        self.asked: list[str] = []
        self.methods: set[str] = set()
        self.ignores_filters = False
        self.before_page: Any = None  # called with (stub, offset) before a page of runs is cut
        self.lists_steps = True
        self.url = ""

    def add(
        self,
        number: int,
        steps: Sequence[Step] = (),
        *,
        started: str | None,
        finished: str | None,
        created: str | None = None,
        status: int = 10,
        job: int = 1,
        environment: int = 5,
        project: int = 9,
        target: str = "prod",
    ) -> None:
        """Add a run. Times are ISO; ``finished`` None: still running."""
        first = [
            Step("Clone git repository"),
            Step("Create profile from connection Snowflake"),
            Step("Invoke dbt with `dbt deps`"),
        ]
        self.steps[number] = [*first, *steps] if started else []
        names = {name for step in steps for name in step.artifacts}
        self.runs.append(
            {
                "id": number,
                "trigger_id": number + 1,
                "account_id": ACCOUNT,
                "environment_id": environment,
                "project_id": project,
                "job_definition_id": job,
                "status": status,
                "dbt_version": "versionless",
                "git_branch": "main",
                "git_sha": "981c5cf1ba299e942c6c277c38c8dec9b0738dd0",
                "status_message": None,
                "deferring_run_id": None,
                "artifacts_saved": bool(names),
                "artifact_s3_path": f"prod/runs/{number}/artifacts/target",
                "has_docs_generated": "catalog.json" in names,
                "has_sources_generated": "sources.json" in names,
                "created_at": _spell(created or started),
                "updated_at": _spell(finished or started),
                "dequeued_at": _spell(started),
                "started_at": _spell(started),
                "finished_at": _spell(finished),
                "trigger": None,
                "job": {"id": job, "name": "nightly", "settings": {"threads": 4, "target_name": target}},
                "environment": None,
                "run_steps": [],
                "status_humanized": STATUS[status],
                "in_progress": finished is None,
                "is_complete": finished is not None,
                "is_success": status == 10,
                "is_error": status == 20,
                "is_cancelled": status == 30,
                "href": f"https://cloud.getdbt.com/deploy/{ACCOUNT}/projects/{project}/runs/{number}",
                "duration": "00:01:50",
                "job_id": job,
            }
        )

    def answer(self, path: str, query: Mapping[str, Sequence[str]]) -> tuple[int, bytes]:
        """Return status and body for a GET."""
        root = f"/api/v2/accounts/{ACCOUNT}/runs/"
        if path == root:
            return 200, _json(self._page(query))
        found = re.fullmatch(rf"{root}(\d+)/(?:(artifacts)/(.*))?", path)
        run = next((run for run in self.runs if found and run["id"] == int(found[1])), None)
        if found is None or run is None:
            return 404, _json(_envelope(None, code=404))
        if found[2] is None:
            return 200, _json(_envelope(run | {"run_steps": self._steps(run)}))
        step = int(query["step"][0]) - 1 if "step" in query else -1
        steps = self.steps[run["id"]]
        held = steps[step].artifacts if steps else {}
        if not found[3]:
            return (
                (200, _json(_envelope(["compiled/shop/orders.sql", *held])))
                if held
                else (404, _json(_envelope(None, code=404)))
            )
        if found[3] not in held:
            return 404, _json(_envelope(None, code=404))
        value = held[found[3]]
        return 200, value if isinstance(value, bytes) else _json(value)

    def _page(self, query: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        offset, limit = int(query.get("offset", ["0"])[0]), min(int(query.get("limit", ["100"])[0]), 100)
        if self.before_page:
            self.before_page(self, offset)
        filters = {} if self.ignores_filters else {
            key: int(query[key][0]) for key in ("job_definition_id", "environment_id", "project_id") if key in query
        }  # fmt: skip
        found = [run for run in self.runs if all(run[key] == value for key, value in filters.items())]
        order = query.get("order_by", ["id"])[0]
        found.sort(key=lambda run: run[order.lstrip("-")], reverse=order.startswith("-"))
        page = found[offset : offset + limit]
        related = query.get("include_related", [""])[0]
        page = [run if "job" in related else run | {"job": None} for run in page]
        pagination = {"count": len(page), "total_count": len(found)}
        shown = {"filters": {"account_id": ACCOUNT, "limit": limit, "offset": offset, **filters}, "order_by": order}
        return _envelope(page) | {"extra": shown | {"pagination": pagination}}

    def _steps(self, run: Mapping[str, Any]) -> list[dict[str, Any]]:
        if not self.lists_steps:
            return []
        return [
            {
                "id": run["id"] * 100 + number,
                "run_id": run["id"],
                "account_id": ACCOUNT,
                "index": number,
                "status": step.status,
                "status_humanized": STATUS[step.status],
                "name": step.name,
                "logs": "",
                "truncated_debug_logs": None,
                "created_at": run["started_at"],
                "started_at": run["started_at"],
                "finished_at": run["finished_at"],
                "duration": "00:00:12",
            }
            for number, step in enumerate(self.steps[run["id"]], 1)
        ]


@contextmanager
def serving(stub: Stub) -> Iterator[Stub]:
    """Serve ``stub`` until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _respond(self, stub)

        do_POST = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815 - the names are http.server's

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()


def _respond(handler: BaseHTTPRequestHandler, stub: Stub) -> None:
    stub.asked.append(handler.path)
    stub.methods.add(handler.command)
    fault = next((fault for fault in stub.faults if fault.times > 0 and re.search(fault.pattern, handler.path)), None)
    headers: Mapping[str, str] = {}
    cut = 0
    if fault:
        fault.times -= 1
        status, body, headers, cut = fault.status, fault.body, fault.headers, 10 if fault.cut else 0
    elif handler.headers.get("Authorization") not in {f"Token {TOKEN}", f"Bearer {TOKEN}"}:
        status, body = 401, _json(_envelope(None, code=401))
    else:
        parts = urlsplit(handler.path)
        status, body = stub.answer(parts.path, parse_qs(parts.query))
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body) + cut))
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(body)
    handler.close_connection = True


def _envelope(data: Any, *, code: int = 200) -> dict[str, Any]:
    good = code == 200
    status = {
        "code": code,
        "is_success": good,
        "user_message": "Success!" if good else "refused",
        "developer_message": "",
    }
    return {"status": status, "data": data}


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _spell(moment: str | None) -> str | None:
    return dt.datetime.fromisoformat(moment).strftime(MOMENT) if moment else None

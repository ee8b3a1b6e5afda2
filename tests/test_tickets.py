"""Tickets over the services' own shapes: one per condition, written under while it is open, closed when it is over."""

import base64
import datetime as dt
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from fakes.memory_store import MemoryAnchor, MemoryStore
from fakes.sealed_store import KEY

from evidence.alert.condition import Condition, Seen
from evidence.alert.ledger import note, tell
from evidence.alert.tickets import GitHub, Jira, ServiceNow, TicketTarget
from evidence.cli.watch import targets
from evidence.cli.workspace import Workspace
from evidence.errors import ConfigError, StoreError
from evidence.store.log import Log

AT = dt.datetime(2026, 7, 21, 3, tzinfo=dt.UTC)


class Desk:
    """What the three services keep, as far as tickets need it, in the shapes of their documentation."""

    def __init__(self):
        self.tickets, self.asked, self.down = [], [], False

    def answer(self, method, path, query, body):
        self.asked.append((method, path, body))
        if self.down:
            return 503, None
        if path.startswith("/api/now/table/incident"):
            return self.incident(method, path, query, body)
        if path.startswith("/rest/api/"):
            return self.jira(method, path, query, body)
        return self.github(method, path, query, body)

    def make(self, mark, words):
        self.tickets.append({"mark": mark, "words": words, "notes": [], "open": True})
        return len(self.tickets)

    def found(self, mark):
        return [n for n, each in enumerate(self.tickets, 1) if each["mark"] == mark and each["open"]]

    def incident(self, method, path, query, body):
        if method == "GET":
            mark = re.fullmatch(r"correlation_id=(\S+)\^active=true", query["sysparm_query"][0]).group(1)
            return 200, {"result": [{"sys_id": f"{n:032x}", "number": f"INC{n:07}"} for n in self.found(mark)[:1]]}
        if method == "POST":
            assert set(body) <= {"short_description", "description", "correlation_id", "correlation_display", "urgency", "impact", "assignment_group"}  # fmt: skip
            assert len(body["short_description"]) <= 160
            n = self.make(body["correlation_id"], body["short_description"])
            return 201, {"result": {"sys_id": f"{n:032x}", "number": f"INC{n:07}"}}
        ticket = self.tickets[int(path.rpartition("/")[2], 16) - 1]
        if body.get("state") == "6":
            assert body["close_code"]
            assert body["close_notes"]
            ticket["open"] = False
        ticket["notes"].append(body.get("work_notes") or body["close_notes"])
        return 200, {"result": {}}

    def jira(self, method, path, query, body):
        if path == "/rest/api/3/search/jql":
            mark = re.search(r'labels = "([^"]+)" AND statusCategory != Done', query["jql"][0]).group(1)
            return 200, {"issues": [{"id": str(n), "key": f"SEC-{n}"} for n in self.found(mark)], "isLast": True}
        if method == "POST" and path == "/rest/api/2/issue":
            fields = body["fields"]
            assert fields["project"] == {"key": "SEC"}
            assert fields["issuetype"] == {"name": "Task"}
            assert not any(" " in label for label in fields["labels"])
            n = self.make(fields["labels"][1], fields["summary"])
            return 201, {"id": str(n), "key": f"SEC-{n}", "self": "https://…"}
        ticket = self.tickets[int(re.search(r"SEC-(\d+)", path).group(1)) - 1]
        if path.endswith("/comment"):
            ticket["notes"].append(body["body"])
            return 201, {"id": "1"}
        if method == "GET":
            steps = [("11", "In Progress", "indeterminate"), ("31", "Done", "done")]
            return 200, {
                "transitions": [{"id": i, "name": n, "to": {"statusCategory": {"key": k}}} for i, n, k in steps]
            }
        assert body == {"transition": {"id": "31"}}
        ticket["open"] = False
        return 204, None

    def github(self, method, path, query, body):
        assert path.startswith("/repos/acme/platform/issues")
        if method == "GET":
            assert query["state"] == ["open"]
            return 200, [{"number": n, "state": "open"} for n in self.found(query["labels"][0])[:1]]
        if path == "/repos/acme/platform/issues":
            assert all(len(label) <= 50 for label in body["labels"])
            return 201, {"number": self.make(body["labels"][1], body["title"]), "state": "open"}
        ticket = self.tickets[int(re.search(r"issues/(\d+)", path).group(1)) - 1]
        if path.endswith("/comments"):
            ticket["notes"].append(body["body"])
            return 201, {"id": 1}
        assert (method, body) == ("PATCH", {"state": "closed", "state_reason": "completed"})
        ticket["open"] = False
        return 200, {}


@pytest.fixture
def desk():
    made = Desk()

    class Handler(BaseHTTPRequestHandler):
        def do(self):
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            made.authorization = self.headers["Authorization"]
            code, value = made.answer(
                self.command, parts.path, parse_qs(parts.query), json.loads(body) if body else None
            )
            sent = b"" if value is None else json.dumps(value).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PATCH = do  # noqa: N815

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    yield made
    server.shutdown()
    server.server_close()


TRACKERS = {
    "servicenow": lambda url: ServiceNow(url, "robot:hunter2", "alerts.tickets.x", group="Security"),
    "jira": lambda url: Jira(url, "robot@acme.example:hunter2", "alerts.tickets.x", project="SEC"),
    "github": lambda url: GitHub(url, "ghp_hunter2", "alerts.tickets.x", repository="acme/platform"),
}


def condition(name, kind="failing"):
    return Condition(kind, name, "high", AT.date(), f"{name}: 2 of 9 items are exceptions", "look")


def opened():
    store, anchor = MemoryStore(), MemoryAnchor()
    Log.init(store, KEY, anchors=[anchor])
    return Log.open(store, signer=KEY, anchors=[anchor])


@pytest.mark.parametrize("kind", TRACKERS)
def test_fail_still_failing_recovered_is_one_ticket_opened_and_closed(desk, kind):
    log = opened()
    target = TicketTarget("board", TRACKERS[kind](desk.url), "low", ["failing"], log.origin)
    nights = [
        [condition("a"), condition("x", "expiring")],
        [condition("a"), condition("x", "expiring")],
        [],
        [condition("a")],
    ]
    for number, standing in enumerate(nights):
        note(log, Seen(tuple(standing)), f"r{number}", AT)
        assert tell(log, [target], AT) == {}
    assert [(each["words"], each["open"], len(each["notes"])) for each in desk.tickets] == [
        ("a: 2 of 9 items are exceptions", False, 1),
        ("a: 2 of 9 items are exceptions", True, 0),
    ]
    named = [entry.body["tickets"] for _, entry in log.entries("told") if "tickets" in entry.body]
    assert len(named) == 2
    assert set(named[0]) == {"failing/a"}
    assert desk.authorization.startswith("Bearer " if kind == "github" else "Basic ")


@pytest.mark.parametrize("kind", TRACKERS)
def test_a_desk_that_is_down_gets_its_ticket_later_and_a_message_sent_twice_opens_one(desk, kind):
    log = opened()
    target = TicketTarget("board", TRACKERS[kind](desk.url), "low", ["failing"], log.origin)
    note(log, Seen((condition("a"),)), "r1", AT)
    desk.down = True
    failed = tell(log, [target], AT)
    assert "answered 503" in failed["board"]
    assert "hunter2" not in failed["board"]
    desk.down = False
    alerts = list(log.entries("alert"))
    assert tell(log, [target], AT) == {}
    from evidence.alert.ledger import _read

    target.send(_read(log, alerts[0][1]))  # as a run does that died before it wrote down what it told
    assert [(each["open"], len(each["notes"])) for each in desk.tickets] == [(True, 1)]


def test_strange_answers_are_refused_and_never_shown(desk):
    desk.answer = lambda *_: (200, "<html>secret</html>")
    with pytest.raises(StoreError) as caught:
        TRACKERS["servicenow"](desk.url).open(condition("a"), "m")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ('kind = "jira"\nurl = "https://x.example"\nsecret = "env:T"', "project is missing"),
        ('kind = "github"\nurl = "http://x.example"\nproject = "a/b"\nsecret = "env:T"', "must be https"),
        ('kind = "servicenow"\nurl = "https://x.example"\nsecret = "env:T"\nkinds = ["fail"]', "kinds: fail"),
    ],
)
def test_a_section_that_cannot_work_is_named(tmp_path, monkeypatch, section, named):
    import job

    monkeypatch.setenv("T", "user:hunter2")
    job.run("init", tmp_path / "work", "--demo", "--size", "none")
    config = tmp_path / "work" / "evidence.toml"
    config.write_text(config.read_text() + f"\n[alerts.tickets.board]\n{section}\n")
    with pytest.raises(ConfigError, match=re.escape(named)) as caught:
        targets(Workspace.open(tmp_path / "work"))
    assert "hunter2" not in str(caught.value)


def test_a_user_and_password_are_basic():
    tracker = TRACKERS["servicenow"]("http://127.0.0.1:1")
    assert base64.b64decode(tracker._headers["Authorization"].removeprefix("Basic ")) == b"robot:hunter2"

"""The OPS mirror on the emulator: what is new goes once, twice is once, and a row that somebody touched is found."""

import datetime as dt
import json

import pytest
import snowflake.connector
from fakes.memory_store import MemoryAnchor, MemoryStore
from fakes.sealed_store import KEY, seal_snapshots

from evidence import publish as verb
from evidence.cli import app
from evidence.control.replaced import Observation
from evidence.control.result import NightFinding, Waived
from evidence.ops.script import script
from evidence.ops.tables import TABLES, VIEWS, ddl, grants, insert
from evidence.snapshot.entry import Entry
from evidence.store.log import Log

pytest_plugins = ["tests.servers.fixtures"]

SCHEMA = "EVIDENCE.OPS"
PLACE = {"account": "TESTACCT", "user": "EVIDENCE", "password": "pw", "host": "127.0.0.1", "protocol": "http"}
NIGHT = dt.date(2026, 7, 1)
HOSTILE = '\'; DROP TABLE EVIDENCE.OPS.LEDGER; -- "x" \u202e Ω'


@pytest.fixture
def cursor(account, monkeypatch):
    monkeypatch.setenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
    words = {"paramstyle": "qmark", "enable_server_session_keep_alive_auto_detection": False}
    with snowflake.connector.connect(**PLACE, port=account.port, **words) as connection:
        made = connection.cursor()
        for statement in ddl(SCHEMA):
            made.execute(statement)
        for table in TABLES:
            made.execute(f"DELETE FROM {SCHEMA}.{table.name}")
        yield made


def finding(number, control, status, items=(), waived=0):
    seen = tuple(Observation(item, "fail", "dormant", "90 days", "under 90") for item in items)
    accepted = tuple(Waived(each.item, each.reason, "W1") for each in seen[:waived])
    return NightFinding(
        control, "1.0.0", "0" * 64, NIGHT + dt.timedelta(days=number), status, "high", population=9, fingerprint="f" * 64,
        passed=9 - len(items), exceptions=seen, waived=accepted, reason="" if status != "not-assessed" else "denied",
    )  # fmt: skip


FINDINGS = {
    "2026-07-01/0": [finding(0, "identity-dormant", "not-satisfied", ["ann", HOSTILE, "ann"]), finding(0, "b", "satisfied")],
    "2026-07-02/0": [finding(1, "identity-dormant", "not-satisfied", ["ann", "bob"], waived=1), finding(1, "b", "not-assessed")],
    "2026-07-02/1": [finding(1, "identity-dormant", "not-satisfied", ["ann", "bob", "cy"], waived=1), finding(1, "b", "not-assessed")],
}  # fmt: skip


def findings_of(entry):
    return FINDINGS[entry.key]


def opened(snapshots=3):
    store, anchor = MemoryStore(), MemoryAnchor()
    Log.init(store, KEY, anchors=[anchor])
    log = Log.open(store, signer=KEY, anchors=[anchor])
    seal_snapshots(log, range(snapshots))
    return log


def assessed(log, *keys):
    facts = {key: {"night": key[:10], "revision": int(key[-1])} for key in keys}
    log.append(
        lambda now: [Entry("assessment", k, None, f) for k, f in facts.items() if now.find("assessment", k) is None]
    )


def count(cursor, table):
    cursor.execute(f"SELECT COUNT(*) FROM {SCHEMA}.{table}")
    return int(cursor.fetchone()[0])


def counts(cursor):
    return {table.name: count(cursor, table.name) for table in TABLES}


def publish(log, cursor, start=None):
    begin = verb.published(cursor, SCHEMA, log.origin) if start is None else start
    return verb.publish(log, findings_of, cursor, SCHEMA, start=begin)


def differences(log, cursor):
    until = verb.published(cursor, SCHEMA, log.origin)
    return [(d.table, d.what, d.columns) for d in verb.differences(log, findings_of, cursor, SCHEMA, until)]


def test_twice_is_once_and_what_is_new_follows(cursor):
    log = opened()
    assessed(log, "2026-07-01/0")
    publish(log, cursor)
    first = counts(cursor)
    assert first == {"LEDGER": log.size, "RECEIPTS": 3, "FINDINGS": 2, "EXCEPTIONS": 3}
    assert publish(log, cursor) == 0
    publish(log, cursor, start=0)
    assert counts(cursor) == first
    assessed(log, "2026-07-02/0", "2026-07-02/1")
    publish(log, cursor)
    assert counts(cursor) == {"LEDGER": log.size, "RECEIPTS": 3, "FINDINGS": 6, "EXCEPTIONS": 8}
    assert differences(log, cursor) == []
    cursor.execute(
        f"SELECT ITEM, NUMBER, WAIVER FROM {SCHEMA}.EXCEPTIONS WHERE NIGHT = '2026-07-01' ORDER BY ITEM, NUMBER"
    )
    assert [tuple(row) for row in cursor.fetchall()] == [(HOSTILE, 0, None), ("ann", 0, None), ("ann", 1, None)]


def test_a_run_that_died_between_tables_is_gone_on_with(cursor, monkeypatch):
    log = opened()
    assessed(log, "2026-07-01/0")
    whole = verb._merge

    def dies(cursor, schema, table, rows):
        if table.name == "LEDGER":
            raise ConnectionError
        return whole(cursor, schema, table, rows)

    monkeypatch.setattr(verb, "_merge", dies)
    with pytest.raises(ConnectionError):
        publish(log, cursor)
    assert verb.published(cursor, SCHEMA, log.origin) == 0
    monkeypatch.undo()
    publish(log, cursor)
    assert differences(log, cursor) == []
    assert counts(cursor)["FINDINGS"] == 2


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE {s}.FINDINGS SET STATUS = 'satisfied' WHERE CONTROL = 'identity-dormant'", ("FINDINGS", "altered", ("STATUS",))),
        ("DELETE FROM {s}.EXCEPTIONS WHERE ITEM = 'ann' AND NUMBER = 1", ("EXCEPTIONS", "missing", ())),
        ("UPDATE {s}.RECEIPTS SET LANDED = 7, STATUS = NULL WHERE NIGHT = '2026-07-01'", ("RECEIPTS", "altered", ("STATUS", "LANDED"))),
        ("UPDATE {s}.LEDGER SET BODY = '{{}}' WHERE LOG_INDEX = 1", ("LEDGER", "altered", ("BODY",))),
        (
            "INSERT INTO {s}.EXCEPTIONS (ORIGIN, LOG_INDEX, CONTROL, ITEM, REASON, NUMBER) VALUES ('acme.example/evidence', 999, 'x', 'x', 'x', 0)",
            ("EXCEPTIONS", "extra", ()),
        ),
    ],
)  # fmt: skip
def test_a_row_that_somebody_touched_is_found_and_put_right(cursor, statement, found):
    log = opened()
    assessed(log, "2026-07-01/0")
    publish(log, cursor)
    cursor.execute(statement.format(s=SCHEMA))
    assert differences(log, cursor) == [found]
    publish(log, cursor, start=0)
    assert differences(log, cursor) == ([found] if found[1] == "extra" else [])


def test_the_views_answer(cursor):
    log = opened()
    assessed(log, *FINDINGS)
    publish(log, cursor)
    cursor.execute(f"SELECT CONTROL, ITEM FROM {SCHEMA}.OPEN_EXCEPTIONS ORDER BY ITEM")
    assert [tuple(row) for row in cursor.fetchall()] == [("identity-dormant", "bob"), ("identity-dormant", "cy")]
    cursor.execute(
        f"SELECT NIGHT, SATISFIED, NOT_SATISFIED, NOT_ASSESSED, OPEN_EXCEPTIONS FROM {SCHEMA}.TREND ORDER BY NIGHT"
    )
    assert [tuple(map(int, row[1:])) for row in cursor.fetchall()] == [(1, 1, 0, 3), (0, 1, 1, 2)]
    cursor.execute(f"SELECT DATASET, NIGHTS, COMPLETE FROM {SCHEMA}.COVERAGE")
    assert [(row[0], int(row[1]), int(row[2])) for row in cursor.fetchall()] == [("snowflake.users", 3, 3)]


def test_statements_are_bound_and_small_enough():
    for table in TABLES:
        text = insert(SCHEMA, table, verb.ROWS)
        assert text.count("?") == verb.ROWS * len(table.columns) < 16_384
    assert not any(word in " ".join(grants(SCHEMA, "PUBLISHER")) for word in ("DELETE", "TRUNCATE", "OWNERSHIP"))
    assert json.dumps(sorted(VIEWS))


def test_the_command_creates_publishes_checks_and_says_what_differs(cursor, account, tmp_path, monkeypatch, capsys):
    work = tmp_path / "work"
    assert app.run(["init", str(work), "--demo", "--size", "none"]) == 0
    config = work / "evidence.toml"
    config.write_text(
        config.read_text().partition("[sources")[0] + '[publish]\nconnection = "publisher"\ninto = "EVIDENCE.OPS"\n'
    )
    lines = "\n".join(f'{key} = "{value}"' for key, value in PLACE.items())
    home = tmp_path / "home"
    home.mkdir()
    (home / "connections.toml").write_text(f"[publisher]\n{lines}\nport = {account.port}\n")
    (home / "connections.toml").chmod(0o600)
    monkeypatch.setattr("evidence.sources.snowflake_login.CONNECTIONS_FILE", home / "connections.toml", raising=False)
    monkeypatch.setenv("SNOWFLAKE_HOME", str(home))

    def evidence(*words):
        capsys.readouterr()
        code = app.run(["-w", str(work), *words, "--json"])
        out = capsys.readouterr().out
        return code, json.loads(out) if out else {}

    assert evidence("publish", "--create")[1]["entries"] == 1
    assert evidence("publish")[1]["rows"] == 0
    code, night = evidence("run")
    assert (code, night["failures"]) == (0, [])
    code, said = evidence("publish", "--check")
    assert (code, said["differences"]) == (0, [])
    assert said["entries"] == said["log_size"] > 1  # the run published what it sealed
    cursor.execute(f"UPDATE {SCHEMA}.LEDGER SET ENTRY_SHA256 = 'x' WHERE LOG_INDEX = 1")
    code, said = evidence("publish", "--check")
    assert code == 10
    assert [(d["table"], d["columns"]) for d in said["differences"]] == [("LEDGER", ["ENTRY_SHA256"])]
    assert evidence("publish", "--all")[0] == 0
    assert evidence("publish", "--check")[0] == 0


def test_the_script_of_the_mirror_runs_but_for_users_and_backups(cursor):
    text = script(SCHEMA)
    assert "WITH RETENTION LOCK" in text
    for statement in text.splitlines():
        if statement.startswith("CREATE") and not statement.startswith(("CREATE ROLE", "CREATE USER")):
            cursor.execute(statement.rstrip(";"))

"""The nightly probe: what the collecting role sees, one row per dataset, over the real protocol."""

import datetime as dt
import json

import pytest
from wired import stand_still

from evidence import collect as verb
from evidence.cli.looks import clock, sources_snowflake
from evidence.cli.workspace import Workspace
from evidence.datasets.load import load_contracts
from evidence.errors import SourceUnavailableError
from evidence.snapshot.model import Window
from evidence.snapshot.redact import Redactor
from evidence.sources import snowflake_sql as sql
from evidence.sources.snowflake import SnowflakeSource
from evidence.sources.snowflake_login import Login
from evidence.sources.snowflake_session import Backoff
from tests.servers.tiny_export import ACCOUNT, NIGHT

pytest_plugins = ["tests.servers.fixtures"]
CONTRACTS = load_contracts()
VISIBILITY = CONTRACTS["snowflake.collector_visibility"]
NOW = dt.datetime(2026, 7, 2, 3, tzinfo=dt.UTC)
ASKED = [
    *("snowflake.users", "snowflake.login_history", "snowflake.access_history", "snowflake.parameters"),
    *("snowflake.tables", "snowflake.roles", VISIBILITY.name),
]


@pytest.fixture
def source(account, monkeypatch):
    monkeypatch.setenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
    account.post("account", {"grants": {
        "COLLECTOR": [["USAGE", "ROLE", "VIEWERS"], ["USAGE", "DATABASE_ROLE", "SNOWFLAKE.SECURITY_VIEWER"]],
        "VIEWERS": [["USAGE", "DATABASE_ROLE", "SNOWFLAKE.OBJECT_VIEWER"], ["USAGE", "ROLE", '"odd ""one"""']],
        'odd "one"': [["USAGE", "ROLE", "VIEWERS"]],
    }})  # fmt: skip
    place = {"host": "127.0.0.1", "port": account.port, "protocol": "http", "attempts": 2}
    login = Login(account=ACCOUNT, user="alice", role="COLLECTOR", warehouse="WH", password="pw", **place)
    account.post("people", {"user": "ALICE", "password": "pw"})
    made = SnowflakeSource(
        "acme", login, ASKED, run="R", clock=lambda: NOW, edition="enterprise", contracts=CONTRACTS,
        backoff=Backoff(attempts=2), sleep=lambda _: None,
    )  # fmt: skip
    yield made
    made.close()


def probe(source):
    reading = source.read(VISIBILITY, Window(NIGHT, "state"))
    rows = {row["dataset"]: row for batch in reading.batches for row in batch.to_pylist()}
    assert reading.totals.rows == len(rows)
    return rows


def test_every_configured_dataset_has_a_row(account, source):
    rows = probe(source)
    assert set(rows) == set(ASKED) - {VISIBILITY.name}
    users = rows["snowflake.users"]
    assert (users["visible"], users["refused"], users["roles_held"]) == (True, None, ["SECURITY_VIEWER"])
    assert (users["probe"], users["probe_seen"]) == ("NAME = ALICE", True)
    assert rows["snowflake.tables"]["roles_held"] == ["OBJECT_VIEWER"], "through an inherited role"
    assert rows["snowflake.access_history"]["roles_held"] == []
    assert (rows["snowflake.roles"]["probe"], rows["snowflake.roles"]["probe_seen"]) == ("NAME = COLLECTOR", False)
    show = rows["snowflake.parameters"]
    assert (show["visible"], show["row_cap"], show["probe"]) == (None, 10_000, None)
    assert {row["edition_stated"] for row in rows.values()} == {"enterprise"}
    asked = [text for text in account.statements() if text.startswith("SHOW GRANTS")]
    assert sorted(asked) == sorted(
        f"SHOW GRANTS TO ROLE {role}" for role in ('"COLLECTOR"', "PUBLIC", "VIEWERS", '"odd ""one"""')
    )


def test_what_is_refused_is_a_row_and_what_changed_is_said(account, source):
    account.post("rules", [{"match": "DESCRIBE VIEW.*ACCESS_HISTORY", "action": "error", "code": "002003"}])
    account.post("view", {"view": "USERS", "hide": ["HAS_MFA"], "add": ["BRAND_NEW"]})
    rows = probe(source)
    refused, users = rows["snowflake.access_history"], rows["snowflake.users"]
    assert (refused["visible"], refused["refused"], refused["columns_seen"]) == (False, "002003", None)
    assert users["columns_new"] == ["BRAND_NEW"]
    assert "HAS_MFA" in users["columns_missing"]
    assert "NAME" not in users["columns_missing"]


def test_a_view_that_answers_but_hides_the_collector_itself_is_seen_as_such(account, source):
    account.post("view", {"view": "USERS", "empty": True})
    users = probe(source)["snowflake.users"]
    assert (users["visible"], users["probe_seen"]) == (True, False)


def test_no_answer_is_an_error_and_an_answer_at_the_cap_too(account, source, monkeypatch):
    monkeypatch.setattr(sql, "PAGE_ROWS", 2)
    with pytest.raises(SourceUnavailableError, match="at which SHOW stops"):
        probe(source)
    monkeypatch.undo()
    account.post("rules", [{"match": "DESCRIBE VIEW.*ROLES", "action": "unavailable"}])
    with pytest.raises(SourceUnavailableError):
        probe(source)


def test_it_is_landed_as_a_dataset_like_any_other(source, tmp_path):
    task = verb.Task(source, VISIBILITY, Window(NIGHT, "state"))
    item = verb.collect(task, Redactor(b"k" * 32, "k"), tmp_path / "spool", lambda: NOW)
    assert (item.receipt.status, item.receipt.landed, item.receipt.quarantined) == ("complete", 6, 0)


def test_the_probe_goes_before_everything_else(source):
    from evidence.store.index import Index

    planned = verb.plan(source, CONTRACTS, Index(), NOW)
    assert planned[0].contract.name == VISIBILITY.name


# --- the doctor: the same probe, with grants, warehouse and edition -------------------------------------------------------------------------------------------

DOCTOR_ASKED = ["snowflake.users", "snowflake.access_history", "snowflake.parameters", "snowflake.collector_visibility"]
RIGHT = [["USAGE", "DATABASE_ROLE", "SNOWFLAKE.SECURITY_VIEWER"], ["USAGE", "DATABASE_ROLE", "SNOWFLAKE.GOVERNANCE_VIEWER"], ["USAGE", "WAREHOUSE", "EVIDENCE_WH"]]  # fmt: skip


@pytest.fixture
def snowflake(account, tmp_path, monkeypatch):
    """Ask the account; ``grants`` are those of the role, ``settings`` further keys of the source."""
    stand_still(monkeypatch, NOW)
    monkeypatch.setenv("DOCTOR_PASSWORD", "pw")
    account.post("people", {"user": "EVIDENCE", "password": "pw"})

    def look(grants=RIGHT, **settings):
        account.post("account", {"grants": {"EVIDENCE_COLLECTOR": grants}})
        own = {
            "kind": "snowflake", "account": "TESTACCT", "user": "EVIDENCE", "password": "env:DOCTOR_PASSWORD",
            "host": "127.0.0.1", "port": account.port, "protocol": "http", "datasets": DOCTOR_ASKED, "edition": "enterprise",
        } | settings  # fmt: skip
        text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in own.items())
        head = '[entity]\nname = "x"\nsystem = "y"\n'
        (tmp_path / "evidence.toml").write_text(f"{head}[sources.acme]\n{text}\n")
        workspace = Workspace.open(tmp_path)
        try:
            section = workspace.config.sources["acme"]
            return list(sources_snowflake.lines(workspace, clock.Clocks(), "acme", section))
        finally:
            workspace.close()

    return look


def fixes(lines, what, outcome):
    return [line.fix for line in lines if (line.what, line.outcome) == (f"source acme{what}", outcome)]


def test_an_account_that_is_right_is_ok(snowflake):
    lines = snowflake()
    assert not [line for line in lines if line.outcome == "fail"]
    for what in ("", " grants", " warehouse", " edition", ": snowflake.parameters"):
        assert fixes(lines, what, "ok") == [""], what


def test_what_an_account_lacks_is_named_with_the_grant(account, snowflake):
    account.post("rules", [{"match": "DESCRIBE VIEW.*ACCESS_HISTORY", "action": "error", "code": "002003"}])
    account.post("view", {"view": "USERS", "hide": ["HAS_MFA"]})
    lines = snowflake([RIGHT[0], ["SELECT", "TABLE", "PHI.CLAIMS"]], edition="")
    governance = "GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE EVIDENCE_COLLECTOR"
    (refused,) = [line for line in lines if line.what == "source acme: snowflake.access_history"]
    assert (refused.outcome, refused.fix, refused.exit_code) == ("fail", governance, 5)
    assert "002003" in refused.detail
    warehouse = "GRANT USAGE ON WAREHOUSE EVIDENCE_WH TO ROLE EVIDENCE_COLLECTOR;"
    assert sorted(fixes(lines, " grants", "fail")) == [f"{governance};", warehouse]
    (more,) = [line for line in lines if line.what == "source acme grants" and line.outcome == "warn"]
    assert "PHI.CLAIMS" in more.detail
    (drift,) = [line for line in lines if line.what == "source acme: snowflake.users"]
    assert (drift.outcome, "HAS_MFA" in drift.detail) == ("warn", True)
    assert 'edition = "standard"' in fixes(lines, " edition", "warn")[0]


def test_a_stated_edition_that_is_too_low_would_leave_views_out(snowflake):
    assert '[sources.acme] edition = "enterprise"' in fixes(snowflake(edition="standard"), " edition", "fail")[0]

"""Receipts over the real protocol: what an auditor needs to rely on them, and what failed, refused and empty reads say."""

import dataclasses
import datetime as dt
import json

import pytest

from evidence import collect as verb
from evidence.datasets.load import load_contracts
from evidence.snapshot.entry import ObjectRef, SealedEntry
from evidence.snapshot.manifest import Manifest, build
from evidence.snapshot.model import Window
from evidence.snapshot.redact import Redactor
from evidence.sources.files import FilesSource
from evidence.sources.snowflake import SnowflakeSource
from evidence.sources.snowflake_login import Login
from evidence.sources.snowflake_session import Backoff
from tests.servers.tiny_export import ACCOUNT, NIGHT, QUIET

pytest_plugins = ["tests.servers.fixtures"]
CONTRACTS = load_contracts()
LOGINS = CONTRACTS["snowflake.login_history"]
USERS = CONTRACTS["snowflake.users"]
NOW = dt.datetime(2026, 7, 2, 12, tzinfo=dt.UTC)
STAMP = {"version": "1.2.3", "config_sha256": "ab" * 32}


@pytest.fixture
def make(account, monkeypatch):
    monkeypatch.setenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
    made = []

    def build_source(*, edition="", password="pw"):
        place = {"host": "127.0.0.1", "port": account.port, "protocol": "http", "attempts": 2}
        login = Login(account=ACCOUNT, user="evidence", role="COLLECTOR", warehouse="WH", password=password, **place)
        options = {"edition": edition, "backoff": Backoff(attempts=2), "sleep": lambda _: None}
        source = SnowflakeSource("acme", login, list(CONTRACTS), run="01RUN", clock=lambda: NOW, **options)
        made.append(source)
        return source

    yield build_source
    for source in made:
        source.close()


@pytest.fixture
def read(tmp_path):
    numbers = iter(range(100))

    def collect(source, contract, night=NIGHT, *, previous=None, before=None):
        task = verb.Task(source, contract, Window(night, contract.kind), previous, "night 1" if previous else "first")
        spool = tmp_path / str(next(numbers))
        redactor = Redactor(b"k" * 32, "key-1")
        return verb.collect(task, redactor, spool, lambda: NOW, attempts=3, collector=STAMP, before=before)

    return collect


def as_sealed(item):
    """What the log and the store would hold of a read."""
    made = build(item.key, item.kind, "S", item.contract, item.parts, item.quarantine, item.receipt)
    receipt = Manifest.from_bytes(made.to_bytes()).receipt
    body = {key: receipt[key] for key in ("status", "rows_digest", "quarantined", "landed", "finality")}
    return SealedEntry(1, item.key, ObjectRef("data/m", "0" * 64, 1), body), receipt


def test_a_receipt_stands_as_information_produced_by_the_entity(make, read):
    receipt = read(make(edition="enterprise"), LOGINS).receipt.to_json()
    system = receipt["system"]
    assert (system["product"], system["account"], system["account_name"], system["region"]) == (
        "snowflake", "XY12345", ACCOUNT, "AWS_US_EAST_1",
    )  # fmt: skip
    assert (system["user"], system["role"], system["warehouse"], system["edition"]) == (
        "EVIDENCE", "COLLECTOR", "EVIDENCE_WH", "enterprise",
    )  # fmt: skip
    assert {"secondary_roles", "session", "clock_offset_seconds", "connector", "hash_agg", "hash_agg_columns"} <= set(
        system
    )
    assert json.loads(system["session_parameters"])["TIMEZONE"] == "UTC"
    rows = next(s for s in receipt["statements"] if s["text"].startswith('SELECT "EVENT_ID"'))
    assert rows["parameters"] == ["2026-07-01T00:00:00.000000Z", "2026-07-02T00:00:00.000000Z"]
    assert (rows["rows"], "error" in rows) == (4000, False)
    assert all(s["query_id"] and s["started_at"] <= s["ended_at"] for s in receipt["statements"])
    assert receipt["source_totals"] == receipt["landed_totals"]
    assert receipt["source_totals"]["columns"]["USER_NAME"] == {"non_null": 4000, "length_sum": 8000}
    assert (receipt["landed"], receipt["quarantined"], receipt["status"]) == (4000, 0, "complete")
    assert (receipt["collector"], receipt["key_id"], receipt["finality"]) == (STAMP, "key-1", "provisional")
    assert (receipt["cost"]["reads"], receipt["cost"]["statements"]) == (1, len(receipt["statements"]))
    assert "empty" not in receipt


def test_drift_and_treatment_are_counted_by_column(account, make, read):
    account.post("view", {"view": "USERS", "hide": ["HAS_MFA"], "add": ["BRAND_NEW"]})
    receipt = read(make(), USERS).receipt.to_json()
    assert set(receipt["drift"]) == {"missing", "unknown"}
    assert receipt["drift"]["unknown"] == ["BRAND_NEW"]
    assert "HAS_MFA" in receipt["drift"]["missing"]
    queries = read(make(), CONTRACTS["snowflake.query_history"]).receipt.to_json()
    assert queries["treated"]["query_text"] == {"scrubbed": 200}


def test_a_mismatch_that_goes_away_is_read_again_and_complete(account, make, read):
    late = {"match": 'SELECT "USER_ID"', "action": "late-row", "times": 1, "message": "USERS"}
    account.post("rules", [late])
    item = read(make(), USERS)
    assert (item.receipt.status, item.receipt.landed, item.receipt.cost["reads"]) == ("complete", 6, 2)
    assert item.receipt.cost["statements"] > len(item.receipt.statements), "all tries are paid for"


def test_a_mismatch_that_stays_is_sealed_as_incomplete(account, make, read):
    """An answer that is cut, and says it is whole."""
    account.post("rules", [{"match": 'SELECT "USER_ID"', "action": "cut", "rows": 3, "times": 9}])
    item = read(make(), USERS)
    receipt = item.receipt
    assert (receipt.status, receipt.landed, receipt.cost["reads"]) == ("incomplete", 3, 3)
    assert "rows 5 / 3" in receipt.differences
    assert "rows 5 / 3" in receipt.reason
    assert (receipt.source_totals.rows, receipt.landed_totals.rows) == (5, 3)
    assert sum(part.rows for part in item.parts) == 3, "what came is kept"


def test_a_refused_read_says_who_asked_what_and_what_was_answered(account, make, read):
    account.post("rules", [{"match": 'SELECT "USER_ID"', "action": "error", "code": "003001", "sqlstate": "42501"}])
    item = read(make(), USERS)
    receipt = item.receipt
    assert (receipt.status, receipt.system["role"], receipt.system["account"]) == ("denied", "COLLECTOR", "XY12345")
    refused = [s for s in receipt.statements if s.error]
    assert [(s.error, s.rows) for s in refused] == [("003001", None)]
    assert refused[0].text.startswith('SELECT "USER_ID"')
    assert refused[0].query_id
    assert "GRANT DATABASE ROLE SNOWFLAKE.SECURITY_VIEWER" in receipt.reason
    assert receipt.empty is None, "denied is not empty"


def test_a_login_that_fails_sent_no_statement(make, read):
    receipt = read(make(password="not-the-one"), USERS).receipt
    assert (receipt.status, receipt.statements) == ("denied", ())
    assert "not-the-one" not in json.dumps(receipt.to_json())


def later(account):
    """By the account's clock the quiet night is over."""
    account.post("night", {"night": "2026-07-01", "clock": "2026-07-05T03:00:00+00:00"})


def test_denied_edition_and_nothing_are_three_receipts(account, make, read):
    access = CONTRACTS["snowflake.access_history"]
    rule = {"match": "ACCESS_HISTORY", "action": "error", "code": "000002", "sqlstate": "0A000"}
    account.post("rules", [rule | {"message": "Unsupported feature 'ACCESS_HISTORY'."}])
    by_account, by_configuration = read(make(), access).receipt, read(make(edition="standard"), access).receipt
    for receipt in (by_account, by_configuration):
        assert (receipt.status, receipt.empty.word) == ("edition", "edition")
        assert "enterprise" in receipt.empty.ground
    later(account)
    quiet = read(make(), LOGINS, QUIET).receipt
    assert (quiet.status, quiet.landed, quiet.empty.word) == ("complete", 0, "nothing")
    assert "4010 rows from 2026-06-03 to 2026-08-02" in quiet.empty.ground


def test_an_empty_view_proves_nothing(account, make, read):
    account.post("view", {"view": "USERS", "empty": True})
    state = read(make(), USERS).receipt
    assert (state.status, state.empty.word) == ("complete", "unproven")
    later(account)
    account.post("view", {"view": "LOGIN_HISTORY", "empty": True})
    assert read(make(), LOGINS, QUIET).receipt.empty.word == "unproven"
    filtered = LOGINS.model_copy(update={"privilege_filtered": True})
    account.post("view", {"view": "LOGIN_HISTORY"})
    said = read(make(), filtered, QUIET).receipt.empty
    assert (said.word, "privilege" in said.ground) == ("unproven", True)


def test_if_the_weeks_around_cannot_be_counted_the_day_is_still_read(account, make, read):
    later(account)
    account.post("rules", [{"match": r"^SELECT COUNT\(\*\) AS n ", "action": "error"}])
    receipt = read(make(), LOGINS, QUIET).receipt
    assert (receipt.status, receipt.empty.word) == ("complete", "unproven")


def test_a_recount_asks_for_numbers_and_no_rows(account, make, read):
    source = make()
    sealed, receipt = as_sealed(read(source, LOGINS))
    before = len(account.statements())
    item = read(source, LOGINS, previous=sealed, before=receipt)
    assert (item.recount.result, item.parts, item.receipt.landed) == ("stable", (), 4000)
    assert item.recount.facts["hash_agg"] == receipt["system"]["hash_agg"]
    assert len(item.recount.facts["query_ids"]) == 3
    sent = account.statements()[before:]
    assert [text.split('"')[0].split("(")[0] for text in sent] == ["DESCRIBE VIEW ", "SELECT CAST", "SELECT HASH_AGG"]


def test_a_recount_that_differs_reads_the_window_and_makes_a_revision(account, make, read):
    source = make()
    sealed, receipt = as_sealed(read(source, LOGINS))
    account.post("view", {"view": "LOGIN_HISTORY", "late": True})
    item = read(source, LOGINS, previous=sealed, before=receipt)
    assert (item.recount, item.key.revision, item.receipt.landed) == (None, 1, 4001)
    assert (item.receipt.finality, item.receipt.drift["repeated_keys"]) == ("provisional", ("1",))


def test_a_recount_under_a_changed_view_reads_the_window(account, make, read):
    source = make()
    sealed, receipt = as_sealed(read(source, LOGINS))
    changed = {**receipt, "system": {**receipt["system"], "hash_agg_columns": "EVENT_ID,NO_LONGER_THERE"}}
    item = read(source, LOGINS, previous=sealed, before=changed)
    assert (item.recount.result, "rows_digest" in item.recount.compared) == ("stable", True)


def test_a_refused_recount_keeps_what_is_sealed(account, make, read):
    source = make()
    sealed, receipt = as_sealed(read(source, LOGINS))
    account.post("rules", [{"match": "LOGIN_HISTORY", "action": "error"}])
    item = read(source, LOGINS, previous=sealed, before=receipt)
    assert (item.recount.result, item.unchanged) == ("denied", True)
    assert "SECURITY_VIEWER" in item.recount.reason


def test_an_export_costs_the_bytes_of_its_files(tiny_folder, read):
    source = FilesSource("files", tiny_folder, contracts=CONTRACTS, clock=lambda: NOW)
    size = (tiny_folder / "snowflake" / "login_history" / f"date={NIGHT}" / "part-0000.parquet").stat().st_size
    receipt = read(source, LOGINS).receipt
    assert receipt.cost == {"bytes_scanned": size, "reads": 1, "statements": 1}
    assert read(source, LOGINS, QUIET).receipt.empty.word == "unproven", "an export cannot show that rows would be seen"


def test_a_manifest_with_strange_receipt_parts_is_not_read():
    from evidence.errors import MalformedError
    from evidence.snapshot.model import Receipt, SnapshotKey

    contract = {"version": 1, "sha256": "0" * 64}
    made = build(SnapshotKey("a", "dbt.nodes", NIGHT), "state", "S", contract, (), (), Receipt("complete", NOW))
    assert Manifest.from_bytes(made.to_bytes()) == made
    with pytest.raises(MalformedError, match="surprise"):
        dataclasses.replace(made, receipt={**made.receipt, "surprise": 1})

"""The snowflake source, over the real protocol with connector 5.2.0, against the emulator."""

import datetime as dt
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from evidence.collect import Task, collect
from evidence.datasets.land import land
from evidence.datasets.load import load_contracts
from evidence.errors import ConfigError, SourceDeniedError, SourceEditionError, SourceUnavailableError
from evidence.snapshot.model import Window
from evidence.snapshot.redact import Redactor
from evidence.sources import snowflake_sql as sql
from evidence.sources import snowflake_standing as standing
from evidence.sources.files import FilesSource
from evidence.sources.patience import within
from evidence.sources.snowflake import SnowflakeSource
from evidence.sources.snowflake_login import PINNED, Login, turn_platform_detection_off
from evidence.sources.snowflake_session import Backoff
from tests.servers import tiny_export
from tests.servers.tiny_export import ACCOUNT, BIG_ID, LARGE, NEXT, NIGHT

pytest_plugins = ["tests.servers.fixtures"]

CONTRACTS = load_contracts()
VIEWS = [contract for contract in CONTRACTS.values() if contract.read == "view"]
# What the tiny export has rows for, and one that is empty there; tests/test_every_dataset.py reads every dataset there is.
HELD = [CONTRACTS[f"snowflake.{name}"] for name in tiny_export.DATASETS] + [CONTRACTS["snowflake.roles"]]
ROLE = "EVIDENCE_COLLECTOR"
ROOT = Path(__file__).parent.parent
LATER = {"night": "2026-07-01", "clock": "2026-07-12T03:00:00+00:00"}  # every day of the export is over


def pem(key, passphrase=None):
    wrap = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, wrap)


def public_pem(key):
    public = key.public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def make(account, monkeypatch):
    """Sources that are closed again. ``waits`` collects what would have been slept."""
    monkeypatch.setenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
    made = []

    def build(*, edition="", waits=None, attempts=2, **login):
        options = {"account": ACCOUNT, "user": "evidence", "role": ROLE, "warehouse": "EVIDENCE_WH", "attempts": 2}
        options |= {"host": "127.0.0.1", "port": account.port, "protocol": "http", "password": "pw"} | login
        source = SnowflakeSource(
            "acme",
            Login(**options),
            [contract.name for contract in HELD],
            run="01RUN",
            clock=lambda: dt.datetime(2026, 7, 2, 3, 0, 1, tzinfo=dt.UTC),
            edition=edition,
            backoff=Backoff(attempts=attempts),
            sleep=(waits if waits is not None else []).append,
        )
        made.append(source)
        return source

    yield build
    for source in made:
        source.close()


def read(source, dataset, night=NIGHT):
    """Read to the end: (reading, table with text columns unified)."""
    contract = CONTRACTS[dataset]
    reading = source.read(contract, Window(night, contract.kind))
    batches = list(reading.batches)
    names = batches[0].schema.names if batches else []
    rows = [row for batch in batches for row in batch.to_pylist()]
    return reading, [{name: row.get(name) for name in names} for row in rows]


# --- signing in ---------------------------------------------------------------------------------------------------


def test_key_pair(account, make, key):
    account.post("people", {"user": "EVIDENCE", "public_keys": [public_pem(key)]})
    reading, rows = read(
        make(password=None, private_key=pem(key, b"sesame"), private_key_passphrase=b"sesame\n"), "snowflake.users"
    )
    assert len(rows) == 5
    assert account.log("login")[-1]["authenticator"] == "SNOWFLAKE_JWT"
    assert reading.system["user"] == "EVIDENCE"


def test_key_pair_from_a_file_and_on_an_elliptic_curve(account, make, tmp_path):
    curve = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "key.p8"
    file.write_bytes(pem(curve))
    account.post("people", {"user": "EVIDENCE", "public_keys": [public_pem(curve)]})
    _, rows = read(make(password=None, private_key_file=file), "snowflake.users")
    assert len(rows) == 5


def test_a_wrong_key_is_refused_and_named(account, make, key):
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    account.post("people", {"user": "EVIDENCE", "public_keys": [public_pem(key)]})
    with pytest.raises(SourceDeniedError, match="390144") as caught:
        read(make(password=None, private_key=pem(other)), "snowflake.users")
    assert "fingerprint" in caught.value.fix
    assert len(account.log("login")) == 1, "a refusal is not tried again: it would lock the user"


def test_a_wrong_password_is_refused_once(account, make):
    with pytest.raises(SourceDeniedError, match="390100"):
        read(make(password="other"), "snowflake.users")
    assert len(account.log("login")) == 1


def test_a_wrong_passphrase_says_so_without_the_key(make, key):
    with pytest.raises(ConfigError, match="passphrase") as caught:
        make(password=None, private_key=pem(key, b"sesame"), private_key_passphrase=b"other")
    assert "PRIVATE" not in str(caught.value)


@pytest.mark.parametrize("authenticator", ["OAUTH", "PROGRAMMATIC_ACCESS_TOKEN"])
def test_tokens(account, make, authenticator):
    account.post("people", {"user": "EVIDENCE", "tokens": ["a-token"]})
    _, rows = read(make(password=None, token="a-token", authenticator=authenticator), "snowflake.users")
    assert len(rows) == 5
    with pytest.raises(SourceDeniedError):
        read(make(password=None, token="another", authenticator=authenticator), "snowflake.users")


def test_a_named_connection_keeps_its_place_and_gets_our_session(account, make, tmp_path):
    file = tmp_path / "connections.toml"
    file.write_text(
        f'[prod]\naccount = "{ACCOUNT}"\nuser = "EVIDENCE"\npassword = "pw"\nhost = "127.0.0.1"\nport = {account.port}\n'
        'protocol = "http"\nrole = "FROM_TOML"\n[prod.session_parameters]\nQUERY_TAG = "toml"\nTIMEZONE = "Europe/Paris"\n'
    )
    file.chmod(0o600)
    named = {"account": "", "user": "", "role": "", "password": None, "host": "", "protocol": "https"}
    _, rows = read(make(connection="prod", connections_file=file, **named), "snowflake.users")
    login = account.log("login")[-1]
    assert (len(rows), login["role"], login["parameters"]["TIMEZONE"]) == (5, "FROM_TOML", "UTC")
    assert login["parameters"]["QUERY_TAG"] == "evidence/01RUN"
    with pytest.raises(ConfigError, match="nope"):
        read(make(connection="nope", connections_file=file, **named), "snowflake.users")


def test_workload_identity_options_are_handed_on():
    login = Login(account="a", user="u", workload_identity={"provider": "AWS", "impersonation_path": "arn:x"})
    options = login.options("r")
    assert options["authenticator"] == "WORKLOAD_IDENTITY"
    assert options["workload_identity_provider"] == "AWS"
    assert options["workload_identity_impersonation_path"] == "arn:x"


def test_every_option_is_one_the_connector_knows():
    from snowflake.connector.connection_config import ConnectionConfig

    logins = [
        Login(account="a", user="u", password="p", host="h", workload_identity={}),
        Login(
            account="a",
            user="u",
            workload_identity={"provider": "OIDC", "entra_resource": "x", "impersonation_path": "y"},
        ),
        Login(account="a", user="u", token="t"),
    ]
    known = set(ConnectionConfig.__dataclass_fields__)
    for login in logins:
        assert set(login.options("r")) <= known


@pytest.mark.parametrize(
    "bad",
    [
        {"account": "a", "user": "u"},
        {"account": "a", "password": "p"},
        {"account": "a", "user": "u", "password": "p", "host": "example.com", "protocol": "http"},
    ],
)
def test_a_login_that_cannot_work_is_refused_early(bad):
    with pytest.raises(ConfigError) as caught:
        Login(**bad)
    assert caught.value.fix


def test_secrets_are_not_in_the_repr():
    login = Login(account="a", user="u", password="hunter2", token="hunter3", private_key_passphrase=b"hunter4")
    assert "hunter" not in repr(login)
    assert "private_key=" not in repr(login)


def test_the_session_is_pinned(account, make):
    account.post("account", {"parameters": {"ROWS_PER_RESULTSET": "2", "TIMEZONE": "Asia/Tokyo"}})
    reading, rows = read(make(), "snowflake.users")
    login = account.log("login")[0]
    for name, value in PINNED.items():
        assert login["parameters"][name].lower() == str(value).lower()
    assert (login["parameters"]["QUERY_TAG"], login["role"]) == ("evidence/01RUN", ROLE)
    assert "SECONDARY_ROLES" in login["fields"]
    assert len(rows) == 5, "the account's ROWS_PER_RESULTSET did not cut the answer"
    assert '"ROWS_PER_RESULTSET":"0"' in reading.system["session_parameters"]
    assert not [note for note in reading.notes if "session parameter" in note]


# --- rows ---------------------------------------------------------------------------------------------------------


def test_state_rows_with_nulls_and_exact_ids(make):
    reading, rows = read(make(), "snowflake.users")
    assert [row["USER_ID"] for row in rows] == [BIG_ID + at for at in range(5)]
    assert [row["DELETED_ON"] for row in rows[:4]] == [None] * 4
    assert rows[4]["DELETED_ON"] == dt.datetime(2026, 7, 1, 0, 0, 5, tzinfo=dt.UTC)
    assert rows[0]["LAST_SUCCESS_LOGIN"] == dt.datetime(2026, 7, 1, 0, 0, 0, 456789, tzinfo=dt.UTC)
    assert (rows[1]["DISABLED"], rows[1]["HAS_MFA"], rows[4]["NAME"]) == ("true", None, "ÉVA")
    assert reading.as_of == (dt.datetime(2026, 7, 2, 3, tzinfo=dt.UTC), False)
    assert reading.finality is None


@pytest.mark.parametrize("clock", ["2026-07-03T00:00:00+00:00", "2026-07-01T23:59:59+00:00"])
def test_a_state_is_not_read_outside_the_span_of_its_night(account, make, clock):
    account.post("night", {"night": "2026-07-01", "clock": clock})
    with pytest.raises(SourceUnavailableError, match=re.escape(clock)) as caught:
        read(make(), "snowflake.users")
    assert "clock" in caught.value.fix
    assert not [text for text in account.statements() if "USERS" in text]


def test_a_day_that_is_not_over_at_the_account_is_not_read(account, make):
    account.post("night", {"night": "2026-07-01", "clock": "2026-07-01T23:59:59+00:00"})
    with pytest.raises(SourceUnavailableError, match="2026-07-02T00:00:00"):
        read(make(), "snowflake.login_history")
    account.post("night", {"night": "2026-07-01", "clock": "2026-07-02T00:00:00+00:00"})
    reading, rows = read(make(), "snowflake.login_history")
    assert (len(rows), reading.finality) == (4000, "provisional"), "by the account's clock, rows may still come"


def test_event_window_is_half_open_and_in_order(account, make):
    account.post("account", {"chunk_rows": 700, "first_rows": 100})
    account.post("night", LATER)
    reading, rows = read(make(), "snowflake.login_history")
    times = [row["EVENT_TIMESTAMP"] for row in rows]
    assert len(rows) == 4000, "the first instant of the next day belongs to the next window"
    assert times == sorted(times)
    assert times[0] == dt.datetime(2026, 7, 1, tzinfo=dt.UTC)
    assert (reading.as_of, reading.finality) == (None, None)
    assert {entry["outcome"] for entry in account.log("chunk")} == {"ok"}
    assert all(entry["headers"] for entry in account.log("chunk")), "chunkHeaders travel with every chunk request"
    assert len(read(make(), "snowflake.login_history", NEXT)[1]) == 10


def test_totals_and_digest_of_the_source(make):
    reading, rows = read(make(), "snowflake.login_history")
    assert (reading.totals.rows, reading.totals.distinct_keys) == (4000, 4000)
    assert reading.totals.columns["EVENT_ID"].value_sum == sum(row["EVENT_ID"] for row in rows)  # beyond 2^63
    assert reading.totals.columns["USER_NAME"].length_sum == sum(len(row["USER_NAME"]) for row in rows)
    assert reading.totals.columns["ERROR_CODE"].non_null == sum(row["ERROR_CODE"] is not None for row in rows)
    assert int(reading.system["hash_agg"]) != 0
    again, _ = read(make(), "snowflake.login_history")
    assert again.system["hash_agg"] == reading.system["hash_agg"]


def test_sensitive_and_volatile_columns_stay_out_of_the_digest(make):
    reading, _ = read(make(), "snowflake.query_history")
    hashed = set(reading.system["hash_agg_columns"].split(","))
    contract = CONTRACTS["snowflake.query_history"]
    assert hashed
    assert not hashed & {c.name for c in contract.columns if c.volatile or c.treatment != "keep"}


def test_dropped_columns_are_never_read(account, make):
    reading, rows = read(make(), "snowflake.query_history")
    assert len(rows) == 200
    assert not [text for text in account.statements() if "BIND_VALUES" in text]
    assert "never read, by treatment: BIND_VALUES" in reading.notes


def test_a_late_row_between_read_and_totals_shows(account, make):
    late = {"match": 'SELECT "USER_ID"', "action": "late-row", "times": 1, "message": "USERS"}
    account.post("night", {"night": "2026-07-02", "clock": "2026-07-03T03:00:00+00:00"})
    account.post("rules", [late])
    reading, rows = read(make(), "snowflake.users", NEXT)
    assert (len(rows), reading.totals.rows, reading.totals.distinct_keys) == (4, 5, 4)
    again, rows = read(make(), "snowflake.users", NEXT)
    assert (len(rows), again.totals.rows) == (5, 5), "the next read has it"


def test_an_empty_view_has_columns_and_a_count(account, make):
    account.post("view", {"view": "USERS", "empty": True})
    reading, rows = read(make(), "snowflake.users")
    assert (rows, reading.totals.rows, reading.system["hash_agg"]) == ([], 0, "0")
    source = make()
    header = next(source.read(CONTRACTS["snowflake.users"], Window(NIGHT, "state")).batches)
    assert {"USER_ID", "NAME", "HAS_MFA"} <= set(header.schema.names)


def test_missing_and_new_columns(account, make):
    account.post("view", {"view": "USERS", "hide": ["HAS_MFA"], "add": ["BRAND_NEW"]})
    source = make()
    reading = source.read(CONTRACTS["snowflake.users"], Window(NIGHT, "state"))
    batches = list(reading.batches)
    assert "HAS_MFA" not in batches[0].schema.names
    assert "BRAND_NEW" in batches[0].schema.names, "drift shows in the header"
    assert not [text for text in account.statements() if '"BRAND_NEW"' in text], "but is not read"
    assert any("BRAND_NEW" in note for note in reading.notes)
    assert reading.totals.rows == 5


def test_a_missing_key_column_stops_the_read(account, make):
    account.post("view", {"view": "USERS", "hide": ["USER_ID"]})
    with pytest.raises(SourceUnavailableError, match="USER_ID"):
        read(make(), "snowflake.users")


def test_show_parameters_and_future_grants(account, make):
    source = make()
    parameters, rows = read(source, "snowflake.parameters")
    assert (rows[0]["key"], rows[0]["value"], parameters.totals.rows) == ("PREVENT_UNLOAD_TO_INLINE_URL", "true", 1)
    grants, rows = read(source, "snowflake.future_grants")
    assert {row["name"] for row in rows} == {"PROD.<SCHEMA>", "PROD.RAW.<TABLE>"}
    assert rows[0]["created_on"] == "2026-01-01T00:00:00+00:00"
    assert grants.totals.rows == 2
    assert grants.as_of == (dt.datetime(2026, 7, 2, 3, tzinfo=dt.UTC), False)
    sent = account.statements()
    assert 'SHOW FUTURE GRANTS IN SCHEMA "PROD"."odd ""one"""' in sent
    assert not [text for text in sent if '"SNOWFLAKE"' in text and "FUTURE" in text], "imported databases are left out"


REFUSED = {"action": "error", "sqlstate": "02000"}


def test_one_refused_object_makes_the_capture_incomplete_with_its_name(account, make, tmp_path):
    account.post("rules", [{"match": r'IN SCHEMA "PROD"."RAW"', **REFUSED}])
    contract = CONTRACTS["snowflake.future_grants"]
    task = Task(make(), contract, Window(NIGHT, "state"))
    moment = dt.datetime(2026, 7, 2, 3, 0, 1, tzinfo=dt.UTC)
    receipt = collect(task, Redactor(b"k" * 32, "test"), tmp_path, lambda: moment, attempts=1).receipt
    assert (receipt.status, receipt.landed, receipt.quarantined) == ("incomplete", 1, 1)
    assert any('refused: "PROD"."RAW"' in reason for reason in receipt.quarantine_reasons)
    assert any('refused: "PROD"."RAW"' in note for note in receipt.notes)
    assert receipt.differences == ()


def test_a_dropped_object_is_noted_and_the_rest_is_complete(account, make):
    account.post("rules", [{"match": r'IN SCHEMA "PROD"."odd ""one"""', **REFUSED}])
    source = make()
    reading = source.read(CONTRACTS["snowflake.future_grants"], Window(NIGHT, "state"))
    batches = iter(reading.batches)
    next(batches)  # the database's own; the schemas are listed next
    first = next(batches)
    account.post("view", {"view": "TABLES", "empty": True})  # now there is no schema of that name
    account.post("night", {"night": "2026-07-01", "clock": "2026-07-02T03:00:00+00:00"})
    rest = list(batches)
    account.post("view", {"view": "TABLES"})
    assert first.num_rows + sum(batch.num_rows for batch in rest) == 1
    assert '"PROD"."odd ""one""" was dropped while the capture ran' in reading.notes
    assert not list(reading.rejected)


def test_a_listing_that_is_refused_for_one_object_names_it(account, make):
    account.post("rules", [{"match": "SHOW SCHEMAS", **REFUSED}])
    reading, rows = read(make(), "snowflake.future_grants")
    assert (len(rows), reading.totals.rows) == (1, 2), "the database's own grants, and one row for what is missing"
    assert ['refused: "PROD"' in reason for _, reason in reading.rejected] == [True]


def test_a_capture_in_which_all_is_refused_is_denied(account, make):
    account.post("rules", [{"match": "SHOW FUTURE GRANTS", **REFUSED}])
    with pytest.raises(SourceDeniedError, match='"PROD"'):
        read(make(), "snowflake.future_grants")


def test_a_refused_listing_is_denied(account, make):
    account.post("rules", [{"match": "SHOW DATABASES", **REFUSED}])
    with pytest.raises(SourceDeniedError, match="SHOW DATABASES"):
        read(make(), "snowflake.future_grants")


def test_an_answer_at_the_cap_of_show_does_not_count(make, monkeypatch):
    monkeypatch.setattr(sql, "PAGE_ROWS", 1)
    with pytest.raises(SourceUnavailableError, match="cannot be paged"):
        read(make(), "snowflake.parameters")


def test_show_pages_through_more_names_than_fit(account, make, monkeypatch):
    monkeypatch.setattr(sql, "PAGE_ROWS", 2)
    _, rows = read(make(), "snowflake.future_grants")
    assert len(rows) == 2
    assert "SHOW SCHEMAS IN DATABASE \"PROD\" LIMIT 2 FROM 'RAW'" in account.statements()


def landed(source, contract, night, spool):
    window = Window(night, contract.kind)
    reading = source.read(contract, window)
    spool.mkdir(mode=0o700)
    return reading, land(reading.batches, reading.rejected, contract, window, spool, Redactor(b"k" * 32, "test"))


@pytest.mark.parametrize("name", [contract.name for contract in HELD])
def test_the_wire_lands_what_the_files_land(account, make, tiny_folder, tmp_path, name):
    contract = CONTRACTS[name]
    night = dt.date(2026, 7, 1)
    wired, over_wire = landed(make(), contract, night, tmp_path / "wire")
    assert wired.totals.differences(over_wire.totals) == []
    assert (over_wire.quarantined, over_wire.landed) == (0, wired.totals.rows)
    files = FilesSource("files", tiny_folder, contracts=CONTRACTS, clock=lambda: dt.datetime(2026, 7, 3, tzinfo=dt.UTC))
    if night not in (files.nights(contract) or ()):
        assert over_wire.landed == 0
        return
    _, from_files = landed(files, contract, night, tmp_path / "files")
    assert over_wire.rows_digest == from_files.rows_digest


# --- refusals and trouble -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "state"), [("002003", "42S02"), ("003001", "42501")])
def test_a_denied_view_names_the_grant(account, make, code, state):
    rule = {"match": "ACCOUNT_USAGE.*USERS", "action": "error", "code": code, "sqlstate": state, "message": "denied"}
    account.post("rules", [rule])
    with pytest.raises(SourceDeniedError, match="USERS") as caught:
        read(make(), "snowflake.users")
    assert caught.value.fix == f"GRANT DATABASE ROLE SNOWFLAKE.SECURITY_VIEWER TO ROLE {ROLE}"
    assert len([text for text in account.statements() if "USERS" in text]) == 1, "asked once"


def test_denied_only_when_the_rows_are_read(account, make):
    account.post("rules", [{"match": 'SELECT "USER_ID"', "action": "error"}])
    with pytest.raises(SourceDeniedError):
        read(make(), "snowflake.users")


def test_denied_totals_are_not_a_complete_read(account, make):
    account.post("rules", [{"match": r"COUNT\(\*\)", "action": "error"}])
    with pytest.raises(SourceDeniedError):
        read(make(), "snowflake.users")


def test_no_warehouse(account, make):
    rule = {
        "match": "USERS",
        "action": "error",
        "code": "000606",
        "sqlstate": "57P03",
        "message": "No active warehouse",
    }
    account.post("rules", [rule])
    with pytest.raises(SourceDeniedError) as caught:
        read(make(), "snowflake.users")
    assert "GRANT USAGE ON WAREHOUSE" in caught.value.fix


def test_edition_by_the_account_and_by_configuration(account, make):
    rule = {"match": "ACCESS_HISTORY", "action": "error", "code": "000002", "sqlstate": "0A000"}
    account.post("rules", [rule | {"message": "Unsupported feature 'ACCESS_HISTORY'."}])
    with pytest.raises(SourceEditionError):
        read(make(), "snowflake.access_history")
    with pytest.raises(SourceEditionError, match="standard"):
        read(make(edition="standard"), "snowflake.access_history")
    reading, _ = read(make(edition="enterprise"), "snowflake.users")
    assert (reading.system["edition"], reading.system["edition_source"]) == ("enterprise", "configuration")


def test_an_expired_session_is_renewed(account, make):
    account.post("rules", [{"match": r"COUNT\(\*\)", "action": "expire", "times": 1}])
    reading, rows = read(make(), "snowflake.users")
    assert (len(rows), reading.totals.rows) == (5, 5)
    assert [entry["ok"] for entry in account.log("renewal")] == [True]
    assert len(account.log("login")) == 1


def test_a_login_whose_description_fails_is_not_used(account, make):
    busy = {"match": "CURRENT_ACCOUNT", "action": "error", "code": "390114", "sqlstate": "", "message": "expired"}
    account.post("rules", [busy | {"times": 1}])
    reading, _ = read(make(), "snowflake.users")
    assert reading.system["account"] == "XY12345"
    assert len(account.log("login")) == 2


def test_a_session_that_cannot_be_renewed_is_opened_again(account, make):
    gone = {"action": "error", "code": "390114", "sqlstate": "", "message": "expired", "times": 1}
    account.post("rules", [gone | {"match": "DESCRIBE VIEW"}])
    waits = []
    reading, rows = read(make(waits=waits), "snowflake.users")
    assert (len(rows), len(account.log("login")), waits) == (5, 2, [1.0])
    assert reading.totals.rows == 5


def test_totals_of_another_session_do_not_count(account, make):
    gone = {"action": "error", "code": "390114", "sqlstate": "", "message": "expired", "times": 1}
    account.post("rules", [gone | {"match": r"COUNT\(\*\)"}])
    with pytest.raises(SourceUnavailableError, match="between the rows and their totals"):
        read(make(), "snowflake.users")


def test_a_long_statement_is_polled(account, make):
    account.post("rules", [{"match": 'SELECT "EVENT_ID"', "action": "poll", "polls": 3, "times": 1}])
    _, rows = read(make(), "snowflake.login_history")
    assert (len(rows), len(account.log("poll"))) == (4000, 3)


def test_a_busy_chunk_is_fetched_again(account, make):
    account.post("account", {"chunk_rows": 1000, "first_rows": 100})
    account.post("rules", [{"match": "^chunk$", "action": "unavailable", "times": 2}])
    reading, rows = read(make(), "snowflake.login_history")
    outcomes = [entry["outcome"] for entry in account.log("chunk")]
    assert (len(rows), reading.totals.rows, outcomes.count("503")) == (4000, 4000, 2)


def test_a_service_that_stays_away_is_unavailable_after_backoff(account, make):
    account.post("rules", [{"match": "USERS", "action": "unavailable"}])
    waits = []
    with pytest.raises(SourceUnavailableError):
        read(make(waits=waits, attempts=3), "snowflake.users")
    assert waits == [1.0, 2.0]


def test_a_statement_that_takes_too_long_is_unavailable(account, make):
    account.post("rules", [{"match": 'SELECT "USER_ID"', "action": "delay", "seconds": 4}])
    with pytest.raises(SourceUnavailableError, match="timed out"):
        read(make(timeout_seconds=1, attempts=1), "snowflake.users")


def test_nobody_answers(make):
    with pytest.raises(SourceUnavailableError):
        read(make(port=1, attempts=1), "snowflake.users")


def test_backoff_has_a_ceiling():
    assert list(Backoff(attempts=7, first=1, ceiling=8).waits()) == [1, 2, 4, 8, 8, 8]


def test_waiting_for_an_answer_has_an_end():
    assert within(5, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)
    released = threading.Event()
    with pytest.raises(TimeoutError):
        within(0.05, released.wait)
    released.set()


@pytest.mark.parametrize(
    ("asked", "role", "good"),
    [
        ("EVIDENCE", "EVIDENCE", True),
        ("evidence", "EVIDENCE", True),
        ('"Own"', "Own", True),
        ("", "PUBLIC", True),
        ("EVIDENCE", "PUBLIC", False),
        ("EVIDENCE", "", False),
        ('"Own"', "OWN", False),
    ],
)
def test_the_role_of_a_session_is_the_one_that_was_asked_for(asked, role, good):
    login = Login(account="a", user="u", password="p", role=asked)
    context = {"role": role} if role else {}
    if good:
        standing.check(login, context, {})
        return
    with pytest.raises(SourceDeniedError, match=role or "none") as caught:
        standing.check(login, context, {})
    assert "GRANT ROLE" in caught.value.fix


@pytest.mark.parametrize(
    ("said", "active"),
    [
        ('{"roles":"","value":""}', ""),
        ('{"roles":"A,B","value":"ALL"}', "A,B"),
        ("", ""),
        ("odd", "odd"),
        ("[1]", "[1]"),
    ],
)
def test_secondary_roles_in_words(said, active):
    assert standing.secondary_roles(said) == active


# --- only reads ---------------------------------------------------------------------------------------------------


def test_everything_that_was_sent_is_a_read_and_in_the_receipt(account, make):
    source = make()
    receipts = []
    for contract in HELD:
        reading = source.read(contract, Window(NIGHT, contract.kind))
        for _ in reading.batches:
            pass
        receipts += reading.statements
    source.close()
    log = account.log("statement")
    assert [statement.text for statement in receipts] == [entry["sql"] for entry in log]
    assert {entry["query_id"] for entry in log} == {statement.query_id for statement in receipts}
    for text in account.statements():
        assert re.match(r"(SELECT|SHOW|DESCRIBE) ", text)
        assert not re.search(r"SELECT\s+\*|;|\bUSE\b|\bINTO\b", text)
    assert [entry["kind"] for entry in account.log("logout")] == ["logout"]
    assert not account.log("other"), "no telemetry, no heartbeat"


@pytest.mark.parametrize("contract", VIEWS, ids=lambda contract: contract.name)
def test_every_statement_that_can_be_built_is_a_read_with_named_columns(contract):
    window = Window(NIGHT, contract.kind)
    selection = sql.choose(contract, [column.name for column in contract.columns])
    texts = [
        sql.describe(contract),
        sql.select(contract, selection, window)[0],
        sql.totals(contract, selection, window)[0],
        sql.hash_agg(contract, selection, window)[0],
    ]
    for text in texts:
        assert sql.is_read(text)
        assert not re.search(r"SELECT\s+\*|;", text)
    for column in contract.kept:
        assert f'"{column.name}"' in texts[1]
    if contract.kind == "event":
        assert all(text.count("?") == 2 for text in texts[1:])
        order = ", ".join(f'"{name}"' for name in dict.fromkeys((contract.watermark, *contract.key)))
        assert texts[1].endswith(f"ORDER BY {order}")


@pytest.mark.parametrize(
    "text", ["DELETE FROM x", "SELECT 1; DROP TABLE x", "USE ROLE ACCOUNTADMIN", "ALTER SESSION SET X=1"]
)
def test_the_session_refuses_to_send_anything_else(account, make, text):
    with pytest.raises(ValueError, match="not a read"):
        make().session.rows(text)
    assert not account.statements()


@pytest.mark.parametrize("name", ['a"b', "x.y", "lower", "ünï"])
def test_identifiers_are_quoted_exactly(name):
    import sqlglot

    column = sqlglot.parse_one(f"SELECT {sql.quoted(name)}", read="snowflake").find(sqlglot.exp.Identifier)
    assert (column.name, column.quoted) == (name, True)


def test_names_in_show_pages_cannot_break_out():
    text = sql.show_page("SHOW DATABASES", "x' ; DROP \\")
    assert text == r"SHOW DATABASES LIMIT 10000 FROM 'x'' ; DROP \\'"


# --- the connector's own habits -----------------------------------------------------------------------------------

MEASURE = """
import datetime as dt, re, sys
from pathlib import Path
from evidence.datasets.land import land
from evidence.datasets.load import load_contracts
from evidence.snapshot.model import Window
from evidence.snapshot.redact import Redactor
from evidence.sources.snowflake import SnowflakeSource
from evidence.sources.snowflake_login import Login
login = Login(account="TESTACCT", user="evidence", password="pw", host="127.0.0.1", port=int(sys.argv[1]), protocol="http")
source = SnowflakeSource("acme", login, [], run="r", clock=lambda: dt.datetime.now(dt.UTC))
contract = load_contracts()["snowflake.query_history"]
reading = source.read(contract, Window(dt.date.fromisoformat(sys.argv[2]), "event"))
rows = sum(batch.num_rows for batch in reading.batches)
assert reading.totals.rows == rows
source.close()
# not ru_maxrss: that one starts at the size of the process that started us
print(rows, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def measure(port, night):
    environment = {"SNOWFLAKE_DISABLE_PLATFORM_DETECTION": "true", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", MEASURE, str(port), str(night)]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=200)
    return tuple(int(word) for word in result.stdout.split())


def test_memory_does_not_grow_with_rows(account):
    account.post("account", {"chunk_rows": 10_000})
    account.post("night", LATER)
    small_rows, small = measure(account.port, NIGHT)
    large_rows, large = measure(account.port, LARGE)
    assert (small_rows, large_rows) == (200, 200_000)
    assert large / small < 1.6, f"{small} KiB for 200 rows, {large} KiB for 200,000 rows of half a kilobyte"


def test_platform_detection_is_turned_off_by_the_one_word_the_connector_takes():
    variables = {}
    turn_platform_detection_off(variables)
    assert variables == {"SNOWFLAKE_DISABLE_PLATFORM_DETECTION": "true"}
    kept = {"SNOWFLAKE_DISABLE_PLATFORM_DETECTION": "TRUE"}
    turn_platform_detection_off(kept)
    assert kept == {"SNOWFLAKE_DISABLE_PLATFORM_DETECTION": "TRUE"}


def test_batches_are_bounded(account, make):
    account.post("account", {"chunk_rows": 150_000, "first_rows": 1000})
    account.post("night", LATER)
    source = make()
    reading = source.read(CONTRACTS["snowflake.query_history"], Window(LARGE, "event"))
    sizes = [batch.num_rows for batch in reading.batches]
    assert sum(sizes) == 200_000
    assert max(sizes) <= 65_536

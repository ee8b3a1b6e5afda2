"""Public test events of another project's detections: which of our controls answers each, and whether it agrees.

The events lie in ``../shared/samples/snowflake/panther`` (Apache-2.0), are read there and never committed; without the folder the
tests are skipped. ``expected_alert`` is that project's verdict on one event; where ours differs the reason is written down.
"""

import datetime as dt
import json
from pathlib import Path

import pytest

from evidence.control.cases import Case, prepared
from evidence.control.definition import load_library
from evidence.control.engine import Engine

ROOT = Path(__file__).parent.parent
EVENTS = ROOT.parent / "shared" / "samples" / "snowflake" / "panther"
NIGHT = dt.date(2026, 9, 1)
BURST = 6  # one failed sign-in is no burst: the event happens this often, a minute apart
pytestmark = pytest.mark.skipif(not EVENTS.is_dir(), reason="no samples/snowflake/panther beside the repository")


def logins(log, times=BURST):
    start = dt.datetime(2026, 9, 1, 14, 38, tzinfo=dt.UTC)
    rows = [{key.lower(): value for key, value in log.items() if not key.startswith("p_")} for _ in range(times)]
    for number, row in enumerate(rows):
        moment = start + dt.timedelta(minutes=number)
        row |= {"event_timestamp": moment, "event_id": number + 1, "related_event_id": 0}
        if "error_code" in row:
            row["error_code"] = str(row["error_code"])
    return {"snowflake.login_history": rows}


def people(log):
    """A person signs in once; that the user exists and is a person is ours to say, the event does not."""
    return logins(log, 1) | {"snowflake.users": [{"name": log["USER_NAME"], "type": "PERSON", "disabled": "false"}]}


def statements(log):
    given = {key.lower(): value for key, value in log.items() if not key.startswith("p_")}
    kept = {
        name: given[name]
        for name in ("execution_status", "query_text", "query_type", "role_name", "user_name")
        if name in given
    }
    moment = dt.datetime(2026, 9, 1, 10, tzinfo=dt.UTC)
    row = {
        "query_id": "01b2",
        "start_time": moment,
        "end_time": moment,
        "session_id": 7,
        "role_name": "SYSADMIN",
        "rows_produced": 100,
    }
    return {"snowflake.query_history": [row | kept]}


def untyped(kind):
    """The event has the text only; a row of QUERY_HISTORY has its type, as the account would give it."""
    return lambda log: statements(log | {"query_type": kind, "execution_status": "SUCCESS"})


def key_user(log):
    login = {
        "user_name": log["name"],
        "event_timestamp": dt.datetime(2026, 9, 1, 9, tzinfo=dt.UTC),
        "is_success": "YES",
    }
    user = {
        "name": log["name"],
        "type": "SERVICE",
        "has_password": False,
        "has_rsa_public_key": True,
        "disabled": "false",
    }
    return {
        "snowflake.login_history": [login | {"first_authentication_factor": "PASSWORD"}],
        "snowflake.users": [user],
    }


def client(log):
    return {
        "snowflake.sessions": [
            {"session_id": 1, "client_application_id": log["client_application_id"], "user_name": "U"}
        ]
    }


REGISTERED = {"service_accounts": [{"user": "testuser", "auth": "KEYPAIR"}]}
BRUTE, MFA, UNLOAD, CHANGES = (
    "monitor-bruteforce",
    "identity-mfa-at-login",
    "data-phi-unload",
    "monitor-privileged-changes",
)
SPRAY, FORCE = "Snowflake.Stream.PasswordSpray", "Snowflake.Stream.BruteForceByIp"
# (rule, test) -> control, what it sees, the reason it hits for (None: no hit)
RUN = {
    (FORCE, "Successful Login"): (BRUTE, logins, None),
    (FORCE, "Unsuccessful Login"): (BRUTE, logins, "burst-user"),
    (FORCE, "Unsuccessful Login due to Invalid JWT Fingerprint"): (BRUTE, logins, "burst-user"),
    (FORCE, "Overflow Failure"): (BRUTE, logins, "burst-user"),
    (SPRAY, "Match - Failed Login"): (BRUTE, logins, "burst-user"),
    (SPRAY, "Match - Failed Login Different User Same IP"): (BRUTE, logins, "burst-user"),
    (SPRAY, "Match - JWT Key Mismatch Downgraded to Info"): (BRUTE, logins, "burst-user"),
    (SPRAY, "No Match - Successful Login"): (BRUTE, logins, None),
    (SPRAY, "No Match - Overflow Failure Event"): (BRUTE, logins, "burst-user"),
    (SPRAY, "No Match - Non-Login Event"): (BRUTE, logins, None),
    ("Snowflake.Stream.LoginSuccess", "Successful Login"): (MFA, people, "single-factor"),
    ("Snowflake.Stream.LoginSuccess", "Unsuccessful Login"): (MFA, people, None),
    ("Snowflake.KeyUserPasswordLogin", "Key user logged in with Password"): ("identity-service-keypair", key_user, "password-login"),
    ("Snowflake.User.Access", "User Access"): ("sharing-integrations", client, "not-registered"),
    ("Snowflake.Stream.TableCopiedIntoStage", "Copy from Table into Stage"): (UNLOAD, statements, "role-not-approved"),
    ("Snowflake.Stream.TableCopiedIntoStage", "Copy from Stage into Table"): (UNLOAD, statements, "role-not-approved"),
    ("Snowflake.CopyIntoStage", "Value Returned By Query"): (UNLOAD, statements, "role-not-approved"),
    ("Snowflake.Stream.UserCreated", "User Created"): (CHANGES, statements, "no-change-record"),
    ("Snowflake.UserCreated", "Return True"): (CHANGES, untyped("CREATE_USER"), "no-change-record"),
    ("Snowflake.UserCreated", "IF NOT EXISTS syntax extracts correct username"): (CHANGES, untyped("CREATE_USER"), "no-change-record"),
    ("Snowflake.UserCreated", "Unknown User"): (CHANGES, untyped("CREATE_USER"), "no-change-record"),
}  # fmt: skip
# Where the verdict of RUN is not theirs, and why.
OVERFLOW = "the event says that failures were left out of the history: several of one user are a burst that somebody should look at"
DIFFERS = {
    (FORCE, "Overflow Failure"): OVERFLOW,
    (SPRAY, "No Match - Overflow Failure Event"): OVERFLOW,
    (
        "Snowflake.Stream.TableCopiedIntoStage",
        "Copy from Stage into Table",
    ): "the event is typed UNLOAD though its text loads: we go by the type that the account gives, not by the text, which is scrubbed",
}
# Results of their own queries, not rows of a view: nothing of ours can be run on them. Which control looks for the same, and how it differs.
AGGREGATED = {
    ("Snowflake.BruteForceByIp", "Value Returned By Query"): (BRUTE, "counts by address are counted again from the sign-ins: 10 users from one address, 5 failures of one user"),
    ("Snowflake.BruteForceByIp", "Common Error"): (BRUTE, "as above; `ignore_error_codes` leaves common errors out"),
    ("Snowflake.Multiple.Failed.Logins.Followed.By.Success", "Multiple Failed Logins Followed By Success"): (BRUTE, "reason success-after-burst, from the sign-ins themselves"),
    ("Snowflake.Configuration.Drift", "Configuration Drift"): (CHANGES, "a load is no change of configuration: changes are told by QUERY_TYPE"),
    ("Snowflake.External.Shares", "External Share Started"): ("sharing-known-accounts", "who may receive is judged by the share's targets and the register, also before anything is transferred"),
    ("Snowflake.Stream.ExternalShares", "Disallowed Share"): ("sharing-known-accounts", "as above: regions are an account's, not a receiver's"),
    ("Snowflake.Stream.ExternalShares", "Zero byte transfer"): ("sharing-known-accounts", "as above: an unregistered receiver is an exception whatever was sent"),
    ("Snowflake.Stream.UserDailyQueryVolumeSpike", "High Query Volume"): ("data-phi-bulk-read", "limits in rows of PHI and peers of the same night instead of a z-score of bytes: floats are refused, and a baseline of 30 nights would hide a slow rise"),
}  # fmt: skip


def events():
    found = {}
    for path in sorted(EVENTS.glob("*.ndjson")):
        for line in path.read_text().splitlines():
            event = json.loads(line)
            found[event["rule"], event["test"]] = event
    return found


@pytest.fixture(scope="module")
def library():
    return load_library([ROOT / "controls"])


@pytest.fixture(scope="module")
def engine():
    with Engine(threads=1) as opened:
        yield opened


def test_every_event_has_an_answer(library):
    assert set(events()) == {*RUN, *AGGREGATED}
    assert {control for control, *_ in (*RUN.values(), *AGGREGATED.values())} <= set(library.controls)
    assert set(DIFFERS) <= set(RUN)


@pytest.mark.parametrize(("rule", "test"), sorted(RUN))
def test_the_control_that_answers_agrees_or_says_why_not(library, engine, rule, test):
    event = events()[rule, test]
    name, rows, reason = RUN[rule, test]
    registers = REGISTERED if name == "identity-service-keypair" else {}
    case = Case(
        why="an event of others",
        night=NIGHT,
        evidence=rows(event["log"]),
        registers=registers,
        expect=(),
        status="satisfied",
    )
    finding, judged = prepared(library, library.control(name), case).assessed(engine.select)
    assert judged is not None, finding.detail
    hits = {row["reason"] for row in judged.to_pylist() if row["result"] != "pass"}
    if reason is None:
        assert hits == set(), hits
    else:
        assert reason in hits, (hits, finding.detail)
    agrees = bool(hits) == event["expected_alert"]
    assert agrees != ((rule, test) in DIFFERS), f"ours {sorted(hits)}, theirs {event['expected_alert']}"

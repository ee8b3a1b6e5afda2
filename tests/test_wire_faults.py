"""Every fault on the wire, through ``evidence collect``: complete data or a receipt that says what is missing and why.

One row per fault: what the account does wrong, and what must come of it. After each the account is healthy again and
the next run must complete the night. Secrets that were planted are searched for in everything that was written.
"""

import datetime as dt
import re
from dataclasses import dataclass, field

import pytest
from wired import DATASETS, LOGINS, PARAMETERS, USERS, KeyPair, stand_still

from tests.servers import tiny_export

pytest_plugins = ["wired_fixtures"]

LOGIN_ROWS, USER_ROWS, SHOWN = 'SELECT "EVENT_ID"', 'SELECT "USER_ID"', "SHOW PARAMETERS IN ACCOUNT"
TOTALS = r"SELECT CAST\(COUNT\(\*\)"
GONE = {"code": "390114", "sqlstate": "", "message": "Authentication token has expired. Authenticate again."}
KEY_REFUSED = {"code": "390144", "sqlstate": "", "message": "JWT token is invalid."}
HTML = "<!DOCTYPE html><html><body>Proxy: your session is over</body></html>"
S3_EXPIRED = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
SECONDARY = {"facts": {"CURRENT_SECONDARY_ROLES": '{"roles":"ACCOUNTADMIN","value":"ALL"}'}}
LOCKED = {"TIMEZONE": "America/New_York", "JSON_INDENT": "2", "STRICT_JSON_OUTPUT": "false"}
EXIT = {"unavailable": 4, "denied": 5, "incomplete": 6}


def rule(match, action, **more):
    return "rules", [{"match": match, "action": action, **more}]


def chunks(action, **more):
    """From the second chunk on."""
    return rule("^chunk$", action, skip=1, **more)


def clock(text):
    return "night", {"night": str(tiny_export.NIGHT), "clock": f"{text}+00:00"}


def show(text, dataset):
    """Statements that read one view."""
    return rf"{text}.*{dataset.rpartition('.')[2].upper()}"


@dataclass(frozen=True)
class Fault:
    """``missing``: dataset -> status it is sealed with; all others are complete and equal to the source's rows.

    ``says`` is a pattern for the reason, ``fix`` for what to do. ``notes`` is a pattern in the receipt of what is
    complete. ``logins`` is how often the account was asked to let us in.
    """

    name: str
    arranged: list
    missing: dict = field(default_factory=dict)
    says: str = ""
    fix: str = ""
    notes: str = ""
    logins: int | None = None
    timeout: int = 60
    attempts: int = 2
    slow: bool = False


def unavailable(*datasets):
    return dict.fromkeys(datasets, "unavailable")


def denied(*datasets):
    return dict.fromkeys(datasets, "denied")


HEALED = [  # the data come whole, in the same run
    Fault("session-expired", [rule(TOTALS, "expire", times=1)], logins=1),
    Fault(
        "renewal-fails-before-rows",
        [rule(USER_ROWS, "expire", times=1), rule("renewal", "error", **GONE, times=1)],
        logins=2,
    ),
    Fault(
        "renewal-fails-before-totals",
        [rule(TOTALS, "expire", times=1), rule("renewal", "error", **GONE, times=1)],
        logins=2,
    ),
    Fault("chunk-503-a-few-times", [rule("^chunk$", "unavailable", times=2)]),
    Fault("chunk-reset-once", [chunks("reset", times=1)]),
    Fault("chunk-short-once", [chunks("short", times=1)]),
    Fault("chunk-gzip-corrupt-once", [chunks("corrupt-gzip", times=1)]),
    Fault("chunk-arrow-corrupt-once", [chunks("corrupt-arrow", times=1)]),
    Fault("chunk-empty-once", [chunks("empty", times=1)]),
    Fault("chunk-address-expired-once", [chunks("answer", times=1, status=403, message=S3_EXPIRED)]),
    Fault("chunk-drips", [chunks("drip", seconds=0.8, times=1)]),
    Fault("statement-reset-once", [rule(LOGIN_ROWS, "reset", times=1)]),
    Fault("rate-limited-a-few-times", [rule(LOGIN_ROWS, "answer", status=429, message="{}", times=2)]),
    Fault("login-rate-limited", [rule("^login ", "answer", status=429, message="{}", times=2)]),
    Fault("html-once", [rule(LOGIN_ROWS, "answer", message=HTML, times=1)]),
    Fault("announces-too-many-once", [rule(LOGIN_ROWS, "announce", rows=7, times=1)]),
    Fault("answer-does-not-count-itself", [rule(LOGIN_ROWS, "without", message="total returned")]),
    Fault("login-without-parameters", [rule("^login ", "without", message="parameters sessionInfo serverVersion")]),
    Fault("clock-hours-ahead", [clock("2026-07-02T19:00:00")], notes=r"clock is \+43200 s from ours"),
    Fault(
        "parameters-locked",
        [("account", {"locked": LOCKED})],
        notes="session parameter TIMEZONE is America/New_York, asked for UTC",
    ),
    Fault("secondary-roles-forced", [("account", SECONDARY)], notes="secondary roles are active .*ACCOUNTADMIN"),
]
LOST = [  # one dataset of the night is missing
    Fault(
        "chunk-503-for-ever", [rule("^chunk$", "unavailable")], unavailable(LOGINS), "nothing arrived|HTTP status",
        "timeout_seconds|SYSTEM.ALLOWLIST", timeout=3, attempts=1,
    ),
    Fault(
        "chunk-503-until-the-connector-gives-up", [rule("^chunk$", "unavailable")], unavailable(LOGINS),
        "non-successful HTTP status", "SYSTEM.ALLOWLIST", attempts=1, slow=True,
    ),
    Fault("chunk-reset", [chunks("reset")], unavailable(LOGINS), "chunk data", "SYSTEM.ALLOWLIST"),
    Fault("chunk-short", [chunks("short")], unavailable(LOGINS), "chunk data", "SYSTEM.ALLOWLIST"),
    Fault("chunk-gzip-corrupt", [chunks("corrupt-gzip")], unavailable(LOGINS), "chunk data", "try again"),
    Fault("chunk-arrow-corrupt", [chunks("corrupt-arrow")], unavailable(LOGINS), "End of Stream", "try again"),
    Fault("chunk-empty", [chunks("empty")], unavailable(LOGINS), r"4000 rows were announced and \d+ arrived", "proxy"),
    Fault(
        "chunk-address-expired", [chunks("answer", status=403, message=S3_EXPIRED)], unavailable(LOGINS),
        "non-successful HTTP status", "SYSTEM.ALLOWLIST",
    ),
    Fault("chunk-html", [chunks("answer", message=HTML)], unavailable(LOGINS), "error getting next batch", "try again"),
    Fault(
        "chunk-silent", [chunks("stall", seconds=20)], unavailable(LOGINS), "nothing arrived for 3 s",
        "timeout_seconds", timeout=3, attempts=1,
    ),
    Fault(
        "statement-too-slow", [rule(LOGIN_ROWS, "delay", seconds=8)], unavailable(LOGINS), "timed out after 3s",
        "timeout_seconds", timeout=3, attempts=1,
    ),
    Fault(
        "rate-limited", [rule(LOGIN_ROWS, "answer", status=429, message="{}")], unavailable(LOGINS), "timed out|429",
        "later", timeout=3, attempts=1,
    ),
    Fault(
        "rate-limited-until-the-connector-gives-up", [rule(LOGIN_ROWS, "answer", status=429, message="{}")],
        unavailable(LOGINS), "last status 429 Too Many Requests", "later", attempts=1, slow=True,
    ),
    Fault(
        "html", [rule(LOGIN_ROWS, "answer", message=HTML)], unavailable(LOGINS), "Invalid Snowflake response", "proxy",
        timeout=3, attempts=1,
    ),
    Fault(
        "html-502", [rule(SHOWN, "answer", status=502, message=HTML)], unavailable(PARAMETERS), "timed out|502",
        "later", timeout=3, attempts=1, slow=True
    ),
    Fault(
        "statement-reset", [rule(LOGIN_ROWS, "reset")], unavailable(LOGINS), "reset by peer", "proxy",
        timeout=3, attempts=1, slow=True
    ),
    Fault("announces-too-many", [rule(LOGIN_ROWS, "announce", rows=7)], unavailable(LOGINS), "4007 .* 4000 arrived", "proxy"),
    Fault("show-announces-too-many", [rule(SHOWN, "announce", rows=7)], unavailable(PARAMETERS), "8 .* 1 arrived", "proxy"),
    Fault("show-without-rows", [rule(SHOWN, "without", message="rowset")], unavailable(PARAMETERS), "1 .* 0 arrived", "proxy"),
    Fault(
        "show-does-not-count-itself", [rule(SHOWN, "without", message="rowset total returned")],
        unavailable(PARAMETERS), "unknown number of rows .* 0 arrived", "proxy",
    ),
    Fault("rows-without-first-part", [rule(LOGIN_ROWS, "without", message="rowsetBase64")], unavailable(LOGINS), r"4000 .* \d+ arrived", "proxy"),
    Fault(
        "columns-missing-in-describe", [rule(show("DESCRIBE", USERS), "without", message="rowset")],
        unavailable(USERS), r"\d+ .* 0 arrived", "proxy",
    ),
    Fault("totals-without-row", [rule(show(TOTALS, USERS), "without", message="rowsetBase64")], unavailable(USERS), "0 arrived", "proxy"),
    Fault("result-cut", [rule(LOGIN_ROWS, "cut", rows=900)], {LOGINS: "incomplete"}, "rows 4,000 / 900", ""),
    Fault(
        "result-cut-and-not-counted", [rule(LOGIN_ROWS, "without", message="total returned chunks")],
        {LOGINS: "incomplete"}, "rows 4,000 / 500", "",
    ),
    Fault("describe-denied", [rule(show("DESCRIBE", USERS), "error")], denied(USERS), "002003", "SECURITY_VIEWER TO ROLE EVIDENCE_COLLECTOR"),
    Fault("select-denied", [rule(USER_ROWS, "error")], denied(USERS), "002003", "SECURITY_VIEWER TO ROLE EVIDENCE_COLLECTOR"),
    Fault("totals-denied", [rule(show(TOTALS, USERS), "error")], denied(USERS), "002003", "SECURITY_VIEWER TO ROLE EVIDENCE_COLLECTOR"),
    Fault("show-denied", [rule(SHOWN, "error", code="003001", sqlstate="42501", message="Insufficient privileges")], denied(PARAMETERS), "003001", "GRANT"),
    Fault(
        "warehouse-missing",
        [rule("ACCOUNT_USAGE", "error", code="000606", sqlstate="57P03", message="No active warehouse selected")],
        denied(USERS, LOGINS), "No active warehouse", "GRANT USAGE ON WAREHOUSE",
    ),
    Fault(
        "warehouse-suspended",
        [rule("SELECT.*ACCOUNT_USAGE", "error", code="090073", sqlstate="22000",
              message="Warehouse 'EVIDENCE_WH' cannot be resumed because resource monitor 'RM' has exceeded its quota.")],
        unavailable(USERS, LOGINS), "resource monitor 'RM'", "ALTER WAREHOUSE",
    ),
    Fault(
        "key-revoked-meanwhile",
        [rule(show("DESCRIBE", LOGINS), "expire"), rule("renewal", "error", **GONE), rule("^login ", "error", **KEY_REFUSED, skip=1)],
        denied(LOGINS), "390144", "fingerprint", logins=2,
    ),
    Fault(
        "renewal-fails-for-ever", [rule(show("DESCRIBE", LOGINS), "expire"), rule("renewal", "error", **GONE)],
        unavailable(LOGINS), "390114", "later", timeout=3, attempts=1,
    ),
]  # fmt: skip
ALL = [  # the account lets us read nothing
    Fault("key-not-registered", [("people", {"user": "EVIDENCE"})], denied(*DATASETS), "390144", "fingerprint", logins=1),
    Fault(
        "key-wrong", [("people", {"user": "EVIDENCE", "public_keys": [KeyPair.new().public()]})],
        denied(*DATASETS), "390144", "fingerprint", logins=1,
    ),
    Fault(
        "role-not-granted",
        [rule("^login ", "error", code="390189", message="Role 'EVIDENCE_COLLECTOR' specified in the connect string does not exist or not authorized.")],
        denied(*DATASETS), "390189", "GRANT ROLE EVIDENCE_COLLECTOR", logins=1,
    ),
    Fault("role-switched", [("account", {"forced_role": "PUBLIC"})], denied(*DATASETS), "role PUBLIC, not EVIDENCE_COLLECTOR", "GRANT ROLE", logins=1),
    Fault(
        "results-limited", [("account", {"locked": {"ROWS_PER_RESULTSET": "3"}})], denied(*DATASETS),
        "ROWS_PER_RESULTSET is 3", "ALTER USER EVIDENCE UNSET ROWS_PER_RESULTSET", logins=1,
    ),
    Fault("clock-a-day-ahead", [clock("2026-07-03T01:00:00")], unavailable(PARAMETERS, USERS), r"2026-07-03T01:00:00.* 64800.* s from ours", "machine's clock"),
    Fault("clock-hours-behind", [clock("2026-07-01T20:00:00")], unavailable(*DATASETS), r"2026-07-01T20:00:00.* -39600.* s from ours", "machine's clock"),
    Fault("login-html", [rule("^login ", "answer", message=HTML)], unavailable(*DATASETS), "login: .*Invalid Snowflake response", "proxy", timeout=3),
    Fault("login-503", [rule("^login ", "unavailable")], unavailable(*DATASETS), "login: .*(503|timed out)", "later", timeout=3),
    Fault("login-without-token", [rule("^login ", "without", message="token")], unavailable(*DATASETS), "Missing response field: session token", "proxy", timeout=3),
    Fault("login-without-master", [rule("^login ", "without", message="masterToken")], unavailable(*DATASETS), "Missing response field: master token", "proxy", timeout=3, slow=True),
    Fault("login-without-session", [rule("^login ", "without", message="sessionId")], unavailable(*DATASETS), "Missing response field: session ID", "proxy", timeout=3, slow=True),
    Fault("login-reset", [rule("^login ", "reset")], unavailable(*DATASETS), "login: ", "later|proxy", timeout=3, slow=True),
    Fault("context-without-row", [rule("CURRENT_ACCOUNT", "without", message="rowsetBase64")], unavailable(*DATASETS), "CURRENT_ACCOUNT.* 0 arrived", "proxy"),
    Fault("time-without-row", [rule("CURRENT_TIMESTAMP", "without", message="rowsetBase64")], unavailable(*DATASETS), "CURRENT_TIMESTAMP.* 0 arrived", "proxy", slow=True),
    Fault("parameters-without-rows", [rule("PARAMETERS IN SESSION", "without", message="rowset")], unavailable(*DATASETS), r"\d+ .* 0 arrived", "proxy"),
]  # fmt: skip


def table():
    for fault in (*HEALED, *LOST, *ALL):
        yield pytest.param(fault, id=fault.name, marks=[pytest.mark.slow] if fault.slow else [])


@pytest.mark.parametrize("fault", list(table()))
def test_fault(wired, wired_truth, fault):
    wired.configure(timeout=fault.timeout, attempts=fault.attempts)
    for path, body in fault.arranged:
        wired.emulator.post(path, body)
    done = wired.collect()
    check_outcome(wired, done, fault, wired_truth)
    assert wired.failed_checks() == []
    assert wired.left_in_spool() == []
    assert wired.leaks(done.printed, done.logged) == []

    before = wired.sealed()
    wired.healthy()
    again = wired.collect()
    assert again.code == 0, again.printed
    assert wired.facts() == wired_truth
    revisions = {name: manifest.key.revision for name, manifest in wired.sealed().items()}
    assert revisions == {name: int(before[name].status != "complete") for name in DATASETS}


def check_outcome(wired, done, fault, truth):
    facts, sealed = wired.facts(), wired.sealed()
    assert {name: facts[name][0] for name in DATASETS} == {**dict.fromkeys(DATASETS, "complete"), **fault.missing}
    assert done.code == min((EXIT[status] for status in fault.missing.values()), default=0)
    for name in DATASETS:
        if name not in fault.missing:
            assert facts[name] == truth[name], "complete is what the source has"
            assert re.search(fault.notes, " | ".join(sealed[name].receipt.get("notes", []))), sealed[name].receipt
            continue
        reason = sealed[name].receipt["reason"]
        assert re.search(fault.says, reason), reason
        assert re.search(fault.fix, reason), reason
        assert reason in done.problem(name)
        assert facts[name][1] < truth[name][1]
    assert fault.logins in {None, len(wired.emulator.log("login"))}
    assert "Traceback" not in done.printed


# --- what needs more than one row of the table --------------------------------------------------------------------


def test_a_row_that_arrives_between_rows_and_totals_is_read_again(wired, wired_truth):
    wired.emulator.post(*rule(USER_ROWS, "late-row", times=1, message="USERS"))
    assert wired.collect().code == 0
    status, rows, digest = wired.facts()[USERS]
    assert (status, rows) == ("complete", wired_truth[USERS][1] + 1)
    assert digest != wired_truth[USERS][2]


def test_a_row_that_arrives_between_rows_and_totals_is_never_passed_over(wired):
    wired.configure(attempts=1)
    wired.emulator.post(*rule(USER_ROWS, "late-row", times=1, message="USERS"))
    done = wired.collect()
    assert (done.code, wired.facts()[USERS][0]) == (6, "incomplete")
    assert "rows 6 / 5" in done.problem(USERS)
    assert wired.collect().code == 0
    assert wired.facts()[USERS][:2] == ("complete", 6)


def test_json_is_the_same_whatever_the_account_makes_of_its_layout(wired):
    """VARIANT text comes with line breaks and blanks if JSON_INDENT does not hold."""
    wired.configure(datasets=["snowflake.access_history"])
    assert wired.collect().code == 0
    plain = wired.facts()
    wired.folder.joinpath("store").rename(wired.folder / "first")
    wired.restart()
    wired.emulator.post("account", {"locked": LOCKED})
    done = wired.collect()
    assert (done.code, wired.facts()) == (0, plain)
    assert plain["snowflake.access_history"][:2] == ("complete", 3)


def test_events_are_not_settled_by_our_clock_alone(wired, monkeypatch):
    """A collector whose clock runs three days ahead would take the first look for the last."""
    stand_still(monkeypatch, dt.datetime(2026, 7, 5, 12, tzinfo=dt.UTC))
    done = wired.collect("--date", str(tiny_export.NIGHT), "--dataset", LOGINS)
    assert done.code == 0
    manifest = wired.sealed()[LOGINS]
    assert manifest.receipt["finality"] == "provisional"
    assert any("clock is -277" in note for note in manifest.receipt["notes"])


@pytest.mark.parametrize(
    ("settings", "code", "says"),
    [
        ({"private_key": "file:keys/not-there.p8"}, 3, "not-there.p8"),
        ({"private_key": "env:NOBODY_SET_THIS"}, 3, "NOBODY_SET_THIS"),
        ({"host": "127.0.0.1", "port": 1, "timeout_seconds": 2}, 4, "unavailable"),
    ],
    ids=["no-key-file", "no-variable", "nobody-there"],
)
def test_a_source_that_fails_does_not_stop_the_others(wired, wired_export, settings, code, says):
    more = f'[sources.exports]\nkind = "files"\npath = "{wired_export}"\n'
    wired.configure(more=more, attempts=1, **settings)
    done = wired.collect("--date", str(tiny_export.NIGHT), "--dataset", LOGINS)
    assert done.code == min(code, 6), "what the exports leave unproven is 6"
    failed, others = done.outcome["sources"]
    assert says in f"{failed['failure']} {failed['problems']}"
    assert failed["exit_code"] == code
    assert sum(others["sealed"].values()) == 1
    assert wired.leaks(done.printed, done.logged) == []


def test_a_value_that_the_account_quotes_in_a_message_is_not_kept(wired):
    quoting = {
        "code": "100038",
        "sqlstate": "22018",
        "message": "Numeric value 'Ann O'Hara, born 1970-01-01' is not recognized",
    }
    wired.emulator.post(*rule(USER_ROWS, "error", **quoting))
    done = wired.collect()
    assert (done.code, wired.facts()[USERS][0]) == (4, "unavailable")
    assert "100038: Numeric value '…' is not recognized" in wired.sealed()[USERS].receipt["reason"]
    kept = [path for path in wired.folder.rglob("*") if path.is_file() and b"Hara" in path.read_bytes()]
    assert (kept, "Hara" in done.printed) == ([], False)


def test_an_account_that_lets_nobody_in_is_asked_once(wired):
    """A user is locked after a few refused logins; a night has dozens of datasets."""
    wired.configure(datasets=[])
    wired.emulator.post("people", {"user": "EVIDENCE"})
    done = wired.collect()
    assert done.code == 5
    assert len(done.outcome["sources"][0]["problems"]) > 8
    assert len(wired.emulator.log("login")) == 1

"""``evidence doctor mirror``: the sign-in of [publish] on the emulator, one thing broken at a time, each named with the exact grant."""

import json

import pytest
import snowflake.connector

from evidence.cli import app
from evidence.cli.workspace import Workspace
from evidence.ops.script import script
from evidence.ops.tables import ddl, needed
from tests.servers import tiny_export
from tests.servers.emulated import run_emulator

SCHEMA, ROLE = "EVIDENCE.OPS", "EVIDENCE_PUBLISHER"
PLACE = {"account": "TESTACCT", "user": "PUBLISHER", "password": "pw", "host": "127.0.0.1", "protocol": "http"}
DENIED = {
    "action": "error",
    "code": "003001",
    "sqlstate": "42501",
    "message": "Insufficient privileges to operate on table",
}
GONE = {"action": "error", "code": "002003", "sqlstate": "42S02", "message": "does not exist or not authorized"}
LEDGER = f"{SCHEMA}.LEDGER"
HELD = [[privilege, kind, name] for privileges, kind, name in needed(SCHEMA) for privilege in privileges]
HELD += [["USAGE", "WAREHOUSE", "EVIDENCE_WH"]]


WORDS = {"paramstyle": "qmark", "enable_server_session_keep_alive_auto_detection": False}


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    """An account with the tables of the mirror."""
    with (
        pytest.MonkeyPatch.context() as patch,
        run_emulator(tiny_export.write(tmp_path_factory.mktemp("export"))) as made,
    ):
        patch.setenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
        made.post("people", {"user": "PUBLISHER", "password": "pw"})
        with snowflake.connector.connect(**PLACE, port=made.port, **WORDS) as connection:
            for statement in ddl(SCHEMA):
                connection.cursor().execute(statement)
        yield made


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mirror") / "work"
    assert app.run(["init", str(folder)]) == 0
    with (folder / "evidence.toml").open("a") as file:
        file.write(f'\n[publish]\nconnection = "publisher"\ninto = "{SCHEMA}"\n')
    return folder


@pytest.fixture
def mirror(account, template, tmp_path, monkeypatch, capsys):
    """A mirror that is right, and a function that asks the doctor about it."""
    monkeypatch.setenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
    monkeypatch.setenv("SNOWFLAKE_HOME", str(tmp_path))
    (tmp_path / "connections.toml").touch(mode=0o600)

    def connection(**words):
        said = PLACE | {"role": ROLE, "port": account.port} | words
        lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in said.items() if value is not None)
        (tmp_path / "connections.toml").write_text(f"[publisher]\n{lines}\n")

    def doctor():
        capsys.readouterr()
        code = app.run(["-w", str(doctor.work), "doctor", "mirror", "--json"])
        return code, json.loads(capsys.readouterr().out)

    def with_config(old, new):
        text = (template / "evidence.toml").read_text()
        assert old in text
        (tmp_path / "work").mkdir()
        for each in template.iterdir():
            if each.name != "evidence.toml":
                (tmp_path / "work" / each.name).symlink_to(each)
        (tmp_path / "work" / "evidence.toml").write_text(text.replace(old, new))
        doctor.work = tmp_path / "work"

    account.post("reset")
    account.post("people", {"user": "PUBLISHER", "password": "pw"})
    account.post("account", {"grants": {ROLE: HELD}})
    connection()
    with snowflake.connector.connect(**PLACE, port=account.port, **WORDS) as made:
        made.cursor().execute(f"DELETE FROM {LEDGER}")
    doctor.work, doctor.account, doctor.connection, doctor.config = template, account, connection, with_config
    return doctor


def by_what(lines):
    return {line["what"]: line for line in lines}


def test_a_mirror_that_is_right(mirror):
    code, lines = mirror()
    found = by_what(lines)
    assert code == 0
    assert found["mirror"]["detail"] == f"{SCHEMA}, merged into by {ROLE} as PUBLISHER on EVIDENCE_WH"
    assert (found["mirror and log"]["outcome"], found["mirror and log"]["detail"]) == ("warn", "0 of 1 entries")
    assert app.run(["-w", str(mirror.work), "publish"]) == 0
    assert by_what(mirror()[1])["mirror and log"]["outcome"] == "ok"
    sent = [text for text in mirror.account.statements() if text.startswith("MERGE INTO EVIDENCE.OPS.FINDINGS")]
    assert sent, "merged into as a night does"


def test_no_mirror_no_line(mirror, capsys):
    mirror.config(f'\n[publish]\nconnection = "publisher"\ninto = "{SCHEMA}"\n', "\n")
    assert app.run(["-w", str(mirror.work), "doctor", "mirror"]) == 2
    assert "nothing is called mirror" in capsys.readouterr().err


def without(*rows):
    return [row for row in HELD if tuple(row) not in rows]


def rules(*each):
    return lambda m: m.account.post("rules", list(each))


def held(rows):
    return lambda m: m.account.post("account", {"grants": {ROLE: rows}})


SELECTS = f"SELECT .* FROM {SCHEMA}.LEDGER WHERE"
CASES = {
    "insert": (
        [held(without(("INSERT", "TABLE", LEDGER), ("UPDATE", "TABLE", LEDGER))), rules({"match": f"MERGE INTO {LEDGER}", **DENIED})],
        "mirror LEDGER", "fail", f"GRANT INSERT, UPDATE ON TABLE {LEDGER} TO ROLE {ROLE};", 5,
    ),
    "select": (
        [held(without(("SELECT", "TABLE", LEDGER))), rules({"match": SELECTS, **GONE})],
        "mirror LEDGER", "fail", f"GRANT SELECT ON TABLE {LEDGER} TO ROLE {ROLE};", 5,
    ),
    "schema": (
        [held(without(("USAGE", "SCHEMA", SCHEMA))), rules({"match": SCHEMA, **GONE})],
        "mirror FINDINGS", "fail", f"GRANT USAGE ON SCHEMA {SCHEMA} TO ROLE {ROLE};", 5,
    ),
    "database": (
        [held(without(("USAGE", "DATABASE", "EVIDENCE"))), rules({"match": SCHEMA, **GONE})],
        "mirror RECEIPTS", "fail", f"GRANT USAGE ON DATABASE EVIDENCE TO ROLE {ROLE};", 5,
    ),
    "grants-not-shown": (
        [rules({"match": "SHOW GRANTS TO ROLE", **DENIED}, {"match": f"MERGE INTO {LEDGER}", **DENIED})],
        "mirror LEDGER", "fail", f"GRANT SELECT, INSERT, UPDATE ON TABLE {LEDGER} TO ROLE {ROLE};", 5,
    ),
    "table-gone": ([rules({"match": SELECTS, **GONE})], "mirror LEDGER", "fail", "evidence publish --create", 9),
    "column-gone": (
        [rules({"match": SELECTS, "action": "error", "code": "000904", "sqlstate": "42000", "message": "invalid identifier"})],
        "mirror LEDGER", "fail", "a column is missing", 4,
    ),
    "may-delete": ([held([*HELD, ["DELETE", "TABLE", LEDGER]])], "mirror grants", "warn", f"REVOKE DELETE ON TABLE {LEDGER} FROM ROLE {ROLE};", 0),
    "owns": ([held([*HELD, ["OWNERSHIP", "SCHEMA", SCHEMA]])], "mirror grants", "warn", f"GRANT OWNERSHIP ON SCHEMA {SCHEMA} TO ROLE SYSADMIN", 0),
    "warehouse": (
        [lambda m: m.account.post("account", {"facts": {"CURRENT_WAREHOUSE": ""}})],
        "mirror warehouse", "fail", f"GRANT USAGE ON WAREHOUSE EVIDENCE_WH TO ROLE {ROLE};", 5,
    ),
    "password": ([lambda m: m.connection(password="no")], "mirror", "fail", "check the credential", 5),
    "nobody-answers": ([lambda m: m.connection(port=1)], "mirror", "fail", "try again", 4),
    "no-such-connection": (
        [lambda m: m.config('connection = "publisher"', 'connection = "nobody"')], "mirror", "fail", "connections.toml", 3,
    ),
    "no-schema": ([lambda m: m.config(f'into = "{SCHEMA}"', 'into = "OPS"')], "mirror", "fail", "write DATABASE.SCHEMA", 3),
    "the-collector": (
        [lambda m: m.config("[publish]", '[sources.acme]\nkind = "snowflake"\naccount = "A"\nuser = "publisher"\npassword = "env:X"\n\n[publish]')],
        "mirror role", "fail", "evidence setup snowflake --ops", 3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_broken_is_named_with_its_fix(mirror, name):
    steps, what, outcome, fix, code = CASES[name]
    for step in steps:
        step(mirror)
    ended, lines = mirror()
    found = by_what(lines)[what]
    assert (found["outcome"], fix in found["fix"]) == (outcome, True), lines
    assert ended == code


def test_rows_beyond_the_log_are_told(mirror):
    assert app.run(["-w", str(mirror.work), "publish"]) == 0
    origin = Workspace.open(mirror.work).log.origin
    with snowflake.connector.connect(**PLACE, port=mirror.account.port, **WORDS) as made:
        made.cursor().execute(f"INSERT INTO {LEDGER} (ORIGIN, LOG_INDEX) VALUES ('{origin}', 99)")
    code, lines = mirror()
    assert code == 10
    assert "evidence publish --check" in by_what(lines)["mirror and log"]["fix"]


def test_the_script_grants_what_the_doctor_looks_for():
    text = script(SCHEMA)
    for privileges, kind, name in needed(SCHEMA):
        assert f"GRANT {', '.join(privileges)} ON {kind} {name} TO ROLE {ROLE};" in text
    assert f"GRANT USAGE ON WAREHOUSE EVIDENCE_WH TO ROLE {ROLE};" in text

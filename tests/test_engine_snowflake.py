"""``[assess] engine = "snowflake"`` as a user runs it: the same findings as DuckDB's, on record where each was judged, and a packet that re-performs."""

import json
import shutil

import job
import pyarrow.parquet as pq
import pytest
import snowflake.connector

from evidence.cli import app
from evidence.control.engine import Engine
from evidence.control.pushdown.remote import SESSION, Remote
from evidence.demo import Size
from evidence.snapshot import canonical

pytest_plugins = ["tests.servers.fixtures"]

PLACE = {"account": "TESTACCT", "user": "EVIDENCE", "password": "pw", "host": "127.0.0.1", "protocol": "http"}
PUSHED = ("identity-mfa-humans", "change-record", "sharing-baa", "access-break-glass", "data-phi-bulk-read")
HERE = ("access-admin-count",)
NIGHT = "2026-07-01"


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    work = tmp_path_factory.mktemp("engine") / "work"
    job.workspace(work, Size(nights=1, users=60, roles=50, tables=160, columns=600, queries=120), only=(*PUSHED, *HERE))
    job.run("-w", work, "collect", "--jobs", "1")
    return work


@pytest.fixture
def publisher(account, tmp_path, monkeypatch):
    lines = "\n".join(f'{key} = "{value}"' for key, value in PLACE.items())
    home = tmp_path / "home"
    home.mkdir()
    (home / "connections.toml").write_text(f"[publisher]\n{lines}\nport = {account.port}\n")
    (home / "connections.toml").chmod(0o600)
    monkeypatch.setenv("SNOWFLAKE_HOME", str(home))
    monkeypatch.setattr("evidence.sources.snowflake_login.CONNECTIONS_FILE", home / "connections.toml", raising=False)
    monkeypatch.setenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
    words = {
        "paramstyle": "qmark",
        "enable_server_session_keep_alive_auto_detection": False,
        "session_parameters": SESSION,
    }
    with snowflake.connector.connect(**PLACE, port=account.port, **words) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE DATABASE IF NOT EXISTS EVIDENCE")
        cursor.execute("CREATE SCHEMA IF NOT EXISTS EVIDENCE.OPS")
        yield cursor


def copy(collected, place, engine="duckdb", rows="loaded"):
    shutil.copytree(collected, place)
    config = place / "evidence.toml"
    text = config.read_text()
    lines = f'engine = "{engine}"\nrows = "{rows}"\n'
    text = text.replace("[assess]\n", f"[assess]\n{lines}") if "[assess]\n" in text else f"{text}\n[assess]\n{lines}"
    config.write_text(text + '\n[publish]\nconnection = "publisher"\ninto = "EVIDENCE.OPS"\n')
    return place


def assessed(work):
    assert app.run(["-w", str(work), "assess", "--date", NIGHT]) in {0, 3}
    (found,) = (work / "store" / "findings" / NIGHT).iterdir()
    return canonical.decode(found.read_bytes())


def views(work, cursor):
    """What the external tables would show: the listed files' rows with the manifest's digest."""
    assert app.run(["-w", str(work), "export", "files", "--out", str(work / "list")]) == 0
    body = json.loads((work / "list" / "files.json").read_bytes())
    datasets = {}
    for row in body["files"]:
        if row["status"] == "complete":
            datasets.setdefault(row["dataset"], []).append(row)
    with Engine(threads=1) as engine:
        remote = Remote(cursor, "EVIDENCE.OPS", engine)
        for dataset in ("snowflake.users", "snowflake.credentials"):
            for row in datasets.get(dataset, ()):
                table = pq.read_table(work / "store" / row["path"])
                plain = table.select([f.name for f in table.schema if "struct" not in str(f.type)])
                slot = remote._placed(shown(plain, dataset))
                names = ", ".join(f'"{name}" AS "{name.upper()}"' for name in plain.column_names)
                view = dataset.replace(".", "_").upper()
                cursor.execute(
                    f"CREATE OR REPLACE TABLE EVIDENCE.OPS.{view} AS SELECT {names}, '{row['manifest_sha256']}' AS SEALED_MANIFEST FROM {remote.named(slot)}"
                )
    return datasets


def shown(table, slot):
    from evidence.control.windows import Shown

    return Shown(slot, table)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_night_is_judged_alike_and_its_packet_re_performs(collected, publisher, tmp_path):
    here = assessed(copy(collected, tmp_path / "here"))
    work = copy(collected, tmp_path / "there", "snowflake")
    there = assessed(work)
    assert there["findings"] == here["findings"]
    assert "engine" not in here
    ran = there["engine"]
    assert ran["name"] == "snowflake"
    assert set(PUSHED) & set(ran["pushed"]), ran
    assert "access-admin-count" in ran["here"]
    assert not set(ran["pushed"]) & set(ran["here"])
    assert all(len(each["population"]) == len(each["control"]) == 64 for each in ran["pushed"].values())
    assert app.run(["-w", str(work), "packet", "quarterly-soc2", "--period", f"{NIGHT}..{NIGHT}"]) == 0
    (packet,) = (work / "packets").glob("*.zip")
    assert "0 failed" in job.run("verify", packet, "--trust", work / "trust", "--reperform").stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_views_are_read_by_manifest_and_a_row_that_is_missing_is_no_pass(collected, publisher, tmp_path):
    here = assessed(copy(collected, tmp_path / "here"))
    work = copy(collected, tmp_path / "there", "snowflake", "external")
    views(work, publisher)
    found = {f["control"]: f for f in assessed(work)["findings"]}
    mine = {f["control"]: f for f in here["findings"]}
    assert found["identity-mfa-humans"] == mine["identity-mfa-humans"]
    assert found["identity-mfa-humans"]["population"] > 0
    publisher.execute(
        "DELETE FROM EVIDENCE.OPS.SNOWFLAKE_USERS WHERE NAME = (SELECT MIN(NAME) FROM EVIDENCE.OPS.SNOWFLAKE_USERS)"
    )
    shutil.rmtree(tmp_path / "there")
    again = {
        f["control"]: f for f in assessed(copy(collected, tmp_path / "there", "snowflake", "external"))["findings"]
    }
    assert (again["identity-mfa-humans"]["status"], again["identity-mfa-humans"]["reason"]) == (
        "not-assessed",
        "control-error",
    )
    assert "sealed are" in again["identity-mfa-humans"]["detail"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_session_that_ends_in_the_middle_seals_nothing(collected, publisher, account, tmp_path):
    work = copy(collected, tmp_path / "there", "snowflake")
    account.post(
        "rules", [{"match": "SHA2", "action": "error", "code": "390195", "sqlstate": "08001", "message": "no session"}]
    )
    code = app.run(["-w", str(work), "assess", "--date", NIGHT])
    account.post("rules", "clear")
    assert code == 4
    assert not (work / "store" / "findings").exists()


def test_without_a_session_nothing_is_sealed(tmp_path, monkeypatch):
    work = tmp_path / "work"
    assert app.run(["init", str(work)]) == 0
    config = work / "evidence.toml"
    text = config.read_text()
    lines = 'engine = "snowflake"\n'
    config.write_text(
        text.replace("[assess]\n", f"[assess]\n{lines}") if "[assess]\n" in text else f"{text}\n[assess]\n{lines}"
    )
    assert app.run(["-w", str(work), "assess", "--date", NIGHT]) == 3
    monkeypatch.setenv("SNOWFLAKE_HOME", str(tmp_path))
    config.write_text(config.read_text() + '\n[publish]\nconnection = "nowhere"\n')
    assert app.run(["-w", str(work), "assess", "--date", NIGHT]) == 4
    assert not (work / "store" / "findings").exists()

"""The OPS mirror of checkpoints: rows that are only added, through a named connection, on the emulator."""

import logging
import os
import subprocess
import sys

import pytest
import snowflake.connector
from fakes.memory_store import MemoryAnchor, MemoryStore
from fakes.sealed_store import KEY, plain

from evidence.errors import ConfigError, StoreConflictError, StoreError
from evidence.sources.snowflake_login import Login
from evidence.store.log import Log
from evidence.store.table import TableDestination

pytest_plugins = ["tests.servers.fixtures"]

TABLE = "EVIDENCE.OPS.CHECKPOINTS"
DDL = (
    "CREATE DATABASE IF NOT EXISTS EVIDENCE", "CREATE SCHEMA IF NOT EXISTS EVIDENCE.OPS",
    f"CREATE OR REPLACE TABLE {TABLE} (ORIGIN TEXT NOT NULL, LOG_SIZE NUMBER(18) NOT NULL, ROOT TEXT NOT NULL, CHECKPOINT TEXT NOT NULL, SENT_AT TIMESTAMP_TZ NOT NULL)",
)  # fmt: skip
PLACE = {"account": "TESTACCT", "user": "EVIDENCE", "password": "pw", "host": "127.0.0.1", "protocol": "http"}


def connected(account):
    return snowflake.connector.connect(
        **PLACE, port=account.port, paramstyle="qmark", enable_server_session_keep_alive_auto_detection=False
    )


@pytest.fixture
def table(account):
    """A cursor of the table's owner."""
    with connected(account) as connection:
        cursor = connection.cursor()
        for statement in DDL:
            cursor.execute(statement)
        yield cursor


@pytest.fixture
def connections(account, tmp_path):
    lines = [f'{key} = "{value}"' for key, value in PLACE.items()]
    file = tmp_path / "connections.toml"
    file.write_text("\n".join(["[publisher]", *lines, f"port = {account.port}", ""]))
    file.chmod(0o600)
    return file


@pytest.fixture
def place(connections, table):
    def connect(name):
        login = Login(connection=name, connections_file=connections)
        return snowflake.connector.connect(**login.options("checkpoint"))

    return TableDestination(f"publisher/{TABLE}", connect)


def test_a_workspace_names_the_connection_and_the_table(connections, table):
    """As a command opens it, in a process of its own: the connector looks for connections.toml when it is imported."""
    script = (
        "import sys, pathlib\n"
        "from evidence.cli.workspace import Workspace\n"
        "from evidence.config import Config, prepare_environment\n"
        "prepare_environment()\n"
        "log = {'checkpoints': [sys.argv[1]]}\n"
        "value = {'entity': {'name': 'x', 'system': 'y'}, 'log': log, 'workspace': pathlib.Path(sys.argv[2])}\n"
        "(place,) = Workspace(Config.model_validate(value), pathlib.Path(sys.argv[2])).destinations\n"
        "place.send(sys.argv[3])\n"
        "print(place.where)\n"
    )
    ref = f"snowflake:publisher/{TABLE}"
    made = subprocess.run(
        [sys.executable, "-c", script, ref, str(connections.parent), signed()],
        env={**os.environ, "SNOWFLAKE_HOME": str(connections.parent)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert made.stdout == ref + "\n", made.stderr
    assert [row[2] for row in rows(table)] == [signed()]


def rows(table):
    return table.execute(f"SELECT ORIGIN, LOG_SIZE, CHECKPOINT FROM {TABLE} ORDER BY LOG_SIZE").fetchall()


def test_every_checkpoint_is_a_row_once(place, table):
    log = Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()])
    log = Log.open(log.store, signer=KEY, anchors=log._anchors, destinations=[place])
    log.append(plain("a"))
    log.append(plain("b"))
    assert log.undelivered == {}
    place.send(log.checkpoint)
    found = rows(table)
    assert [(row[0], row[1]) for row in found] == [(KEY.name, size) for size in (1, 2, 3)]
    assert found[-1][2] == log.checkpoint


def test_another_checkpoint_of_that_size_is_left_and_said(place, table):
    signed = Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()]).checkpoint
    table.execute(
        f"INSERT INTO {TABLE} (ORIGIN, LOG_SIZE, ROOT, CHECKPOINT, SENT_AT) VALUES (?, 1, 'r', 'other', CURRENT_TIMESTAMP())",
        (KEY.name,),
    )
    with pytest.raises(StoreConflictError, match="another checkpoint of size 1"):
        place.send(signed)
    assert [row[2] for row in rows(table)] == ["other"]


def test_a_refusal_stops_nothing_and_shows_no_statement(place, table, account, caplog):
    caplog.set_level(logging.INFO)
    account.post("rules", [{"match": "INSERT INTO", "action": "error", "code": "003001", "sqlstate": "42501"}])
    log = Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()])
    log = Log.open(log.store, signer=KEY, anchors=log._anchors, destinations=[place])
    assert log.append(plain("a")) == [1]
    (reason,) = log.undelivered.values()
    assert "ProgrammingError" in reason
    assert "INSERT" not in reason
    with pytest.raises(StoreError) as caught:
        place.send(log.checkpoint)
    assert "GRANT" in caught.value.fix.upper()


def test_an_account_that_is_not_there_is_an_error_without_credentials():
    def refuse(name):
        raise OSError(f"{name}: 250001: no such host https://user:pw@acme")

    with pytest.raises(StoreError, match="OSError") as caught:
        TableDestination(f"publisher/{TABLE}", refuse).send(signed())
    assert "pw" not in str(caught.value)


def signed():
    return Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()]).checkpoint


@pytest.mark.parametrize("ref", ["", "x", f"/{TABLE}", "c/TABLE", f"c/{TABLE}; DROP TABLE X", "c/A.B.C.D", "a b/A.B.C"])
def test_what_names_no_table_is_refused(ref):
    with pytest.raises(ConfigError, match=r"log\.checkpoints"):
        TableDestination(ref, lambda _: None)

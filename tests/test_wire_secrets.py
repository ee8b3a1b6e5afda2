"""No credential in store, spool, output, any log, receipt, exception, traceback or repr: planted ones are searched for.

``tests/test_wire_faults.py`` searches after every fault of a key pair; here are the other credentials, what is raised
under the command, and the command as a process of its own.
"""

import datetime as dt
import logging
import os
import subprocess
import sys
import time
import traceback

import job
import pytest
from wired import DATASETS, LOGINS, NOW, PASSPHRASE, USERS

from evidence.datasets.load import load_contracts
from evidence.errors import EvidenceError
from evidence.snapshot.model import Window
from evidence.sources.snowflake import SnowflakeSource
from evidence.sources.snowflake_login import Login
from evidence.sources.snowflake_session import Backoff
from tests.servers.tiny_export import NIGHT

pytest_plugins = ["wired_fixtures"]

SECRET = "planted-credential-5e0f"
KINDS = {
    "password": {"password": "env:SECRET"},
    "access-token": {"token": "env:SECRET"},
    "oauth": {"token": "env:SECRET", "authenticator": "OAUTH"},
}
GONE = {"code": "390114", "sqlstate": "", "message": "expired"}
RAISING = {
    "refused": ("people", {"user": "EVIDENCE"}),
    "login-html": ("rules", [{"match": "^login ", "action": "answer", "message": "<html>no</html>"}]),
    "login-without-token": ("rules", [{"match": "^login ", "action": "without", "message": "token"}]),
    "session-lost": (
        "rules",
        [{"match": 'SELECT "USER_ID"', "action": "expire"}, {"match": "renewal", "action": "error", **GONE}],
    ),
    "denied": ("rules", [{"match": 'SELECT "USER_ID"', "action": "error"}]),
    "reset": ("rules", [{"match": 'SELECT "USER_ID"', "action": "reset"}]),
    "role": ("account", {"forced_role": "PUBLIC"}),
}


@pytest.mark.parametrize("refused", [False, True], ids=["let-in", "refused"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_credential_is_written_down(wired, monkeypatch, kind, refused):
    monkeypatch.setenv("SECRET", SECRET)
    wired.planted.append(SECRET.encode())
    known = {} if refused else {"password": SECRET, "tokens": [SECRET]}
    wired.emulator.post("people", {"user": "EVIDENCE", **known})
    wired.configure(**KINDS[kind])
    done = wired.collect()
    assert done.code == (5 if refused else 0)
    assert len(wired.emulator.log("login")) == 1
    assert wired.leaks(done.printed, done.logged) == []


def test_a_key_without_passphrase_in_der_is_not_written_down(wired):
    file = wired.folder.parent / "planted.der"
    file.write_bytes(wired.key.der())
    wired.configure(private_key=f"file:{file}")
    done = wired.collect()
    assert done.code == 0
    assert wired.leaks(done.printed, done.logged) == []


@pytest.mark.parametrize("passphrase", ["not-the-passphrase", ""])
def test_a_wrong_passphrase_is_a_configuration_error_without_the_key(wired, monkeypatch, passphrase):
    monkeypatch.setenv("PLANTED", passphrase)
    wired.planted.append(b"not-the-passphrase")
    done = wired.collect()
    assert done.code == 3
    assert "private_key_passphrase" in done.printed or "passphrase" in str(done.outcome)
    assert wired.leaks(done.printed, done.logged) == []


@pytest.mark.parametrize("fault", RAISING)
@pytest.mark.parametrize("kind", ["pair", "password"])
def test_what_is_raised_names_no_credential(wired, caplog, kind, fault):
    wired.planted.append(SECRET.encode())
    wired.emulator.post("people", {"user": "EVIDENCE", "public_keys": [wired.key.public()], "password": SECRET})
    wired.emulator.post(*RAISING[fault])
    pair = {"private_key": wired.key.pem(), "private_key_passphrase": PASSPHRASE}
    login = Login(
        account="TESTACCT",
        user="evidence",
        role="EVIDENCE_COLLECTOR",
        host="127.0.0.1",
        port=wired.emulator.port,
        protocol="http",
        timeout_seconds=20,
        **(pair if kind == "pair" else {"password": SECRET}),
    )
    source = SnowflakeSource(
        "acme", login, [USERS], run="r", clock=lambda: NOW, backoff=Backoff(2), sleep=lambda _: None
    )
    shown = [repr(login), repr(source), repr(source.session)]
    with caplog.at_level(logging.DEBUG), pytest.raises(EvidenceError) as caught:
        list(source.read(load_contracts()[USERS], Window(NIGHT, "state")).batches)
    shown += [repr(source.session), repr(source.session._connection), repr(vars(source.session)["login"])]
    source.close()
    whole = "".join(traceback.format_exception(caught.value))
    assert "Traceback" in whole
    assert wired.leaks(*shown, str(caught.value), repr(caught.value), caught.value.fix, whole, caplog.text) == []


def test_the_search_finds_what_is_there(wired):
    """Else all of the above could not fail."""
    assert wired.collect().code == 0
    (token, *_) = wired.emulator.get("secrets")
    assert wired.leaks() == []
    assert len(wired.leaks(f"Authorization: {token}", PASSPHRASE.decode())) == 2
    (wired.folder / "store" / "stray.txt").write_bytes(b"..." + wired.key.der() + b"...")
    assert len(wired.leaks()) == 1
    assert len(wired.emulator.get("secrets")) >= 8, (
        "session and master token, the signed key token, four chunks, their key"
    )


def test_a_process_of_its_own_ends_in_time_and_leaves_nothing_at_home(wired, tmp_path):
    """The account goes silent in the middle of a result and never says a word again."""
    home = tmp_path / "home"
    home.mkdir()
    wired.emulator.post("night", {"night": str(NIGHT), "clock": dt.datetime.now(dt.UTC).isoformat()})
    wired.configure(timeout=4, attempts=1)
    command = [*job.COMMAND, "-w", str(wired.folder), "collect", "--date", str(NIGHT), "--dataset", LOGINS, "--json"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PLANTED": PASSPHRASE.decode()}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    wired.emulator.post("rules", [{"match": "^chunk$", "action": "stall", "seconds": 300, "skip": 1}])
    started = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 4, done.stdout + done.stderr
    assert time.monotonic() - started < 60
    assert "nothing arrived for 4 s" in done.stdout
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr
    wired.emulator.post("reset")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert wired.facts()[LOGINS][:2] == ("complete", 4000)
    assert wired.leaks(done.stdout, done.stderr) == []
    assert [path for path in home.rglob("*") if path.is_file()] == []
    assert set(wired.facts()) < set(DATASETS)

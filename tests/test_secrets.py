"""Secrets by reference: where each may lie, who may read the file, and that none stands in anything a command leaves behind."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, NoCredentialsError, NoRegionError

from evidence import config, secret
from evidence.cli import app
from evidence.errors import ConfigError
from evidence.sources import dbt_cloud_api

EVERY = """
[entity]
name = "x"
system = "y"
[log]
key = "env:A"
key_passphrase = "aws-sm:arn:aws:secretsmanager:eu-west-1:111122223333:secret:log-key#pin"
checkpoints = ["env:B", "file:/mnt/checkpoint-{size}"]
witnesses = [{ url = "https://w", key = "file:trust/witness.vkey" }]
[redaction]
key = "file:C"
[packet]
key = "kms:1234"
key_passphrase = "file:D"
[alerts.targets.mail]
url = "env:E"
[alerts.tickets.desk]
kind = "jira"
secret = "aws-sm:desk"
[sources.acme]
kind = "snowflake"
account = "a"
user = "u"
private_key = "file:F"
private_key_passphrase = "env:G"
[sources.acme.elevated]
password = "aws-sm:elevated"
token = "env:I"
[sources.dbt]
kind = "dbt"
cloud = { account_id = 1, token = "env:J" }
"""
ARN = "aws-sm:arn:aws:secretsmanager:eu-west-1:111122223333:secret:log-key#pin"


def loaded(folder, text=EVERY):
    (folder / "evidence.toml").write_text(text)
    return config.load(folder)


def test_every_secret_of_a_configuration_is_known_and_nothing_else_is(tmp_path):
    assert dict(loaded(tmp_path).secrets()) == {
        "log.key": "env:A", "log.key_passphrase": ARN, "log.checkpoints": "env:B", "redaction.key": "file:C",
        "packet.key_passphrase": "file:D", "alerts.targets.mail.url": "env:E", "alerts.tickets.desk.secret": "aws-sm:desk", "sources.acme.private_key": "file:F",
        "sources.acme.private_key_passphrase": "env:G", "sources.acme.elevated.password": "aws-sm:elevated",
        "sources.acme.elevated.token": "env:I", "sources.dbt.cloud.token": "env:J",
    }  # fmt: skip


@pytest.mark.parametrize("ref", ["aws-sm:", "aws-sm:a b", "aws-sm:a#", "aws-sm:a#b#c", "password", "env:1", "kms:1"])
def test_what_is_no_reference_is_refused(tmp_path, ref):
    with pytest.raises(ConfigError, match=r"redaction\.key"):
        loaded(tmp_path, f'[entity]\nname = "x"\nsystem = "y"\n[redaction]\nkey = "{ref}"\n')


def test_a_file_that_others_may_use_is_used_and_said_once(tmp_path, caplog):
    file = tmp_path / "key"
    file.write_bytes(b"planted")
    for bits, loose in ((0o600, ""), (0o400, ""), (0o640, "0640"), (0o604, "0604")):
        file.chmod(bits)
        assert secret.others(file) == loose
    ref = f"file:{file}"
    reading = [secret.read(ref, {}, lambda text: Path(text.removeprefix("file:"))) for _ in range(3)]
    assert reading == [b"planted"] * 3
    said = caplog.text
    assert said.count(f"chmod 600 {file}") == 1
    assert "planted" not in said


class Manager:
    """AWS Secrets Manager, as boto3 shows it."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    def get_secret_value(self, **words):
        self.asked.append(words)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def refused(code):
    return ClientError({"Error": {"Code": code, "Message": "planted"}}, "GetSecretValue")


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (refused("AccessDeniedException"), "allow secretsmanager:GetSecretValue on this secret, and kms:Decrypt"),
        (refused("DecryptionFailure"), "kms:Decrypt"),
        (refused("Odd"), "look the code up"),
        (NoCredentialsError(), "check credentials"),
        (NoRegionError(), "region"),
    ],
)
def test_what_secrets_manager_refuses_is_named_with_what_lifts_it(monkeypatch, error, fix):
    monkeypatch.setattr(secret, "_client", lambda _: Manager(error))
    with pytest.raises(ConfigError, match="aws-sm:name") as caught:
        secret.from_manager("aws-sm:name#member")
    assert fix in caught.value.fix
    assert "planted" not in str(caught.value) + caught.value.fix


def test_a_secret_is_asked_for_once_and_stands_in_no_spelling_of_the_configuration(tmp_path, monkeypatch):
    manager = Manager({"SecretString": '{"pin": "planted"}'})
    monkeypatch.setattr(secret, "_client", lambda _: manager)
    made = loaded(tmp_path)
    assert [made.secret(ARN) for _ in range(3)] == [b"planted"] * 3
    assert manager.asked == [{"SecretId": ARN.removeprefix("aws-sm:").removesuffix("#pin")}]
    assert "planted" not in repr(made) + str(made) + made.model_dump_json()


# --- nothing is left behind ----------------------------------------------------------------------------------------

CANARY = "canary-4f1d9a"
WORDS = {name: f"{CANARY}-{name.lower()}" for name in ("PASSWORD", "TOKEN", "PASSPHRASE")}
WHERE = {"HOOK": f"http://127.0.0.1:9/{CANARY}-hook?key={CANARY}", "TARGET": f"json://{CANARY}:{CANARY}@127.0.0.1:9/"}
SOURCES = """
[alerts.targets.on-call]
url = "env:CANARY_TARGET"

[sources.acme]
kind = "snowflake"
account = "TESTACCT"
user = "evidence"
password = "env:CANARY_PASSWORD"
host = "127.0.0.1"
port = {port}
protocol = "http"
timeout_seconds = 2
datasets = ["snowflake.users"]

[sources.dbt]
kind = "dbt"
cloud = {{ host = "127.0.0.1:9", account_id = 1, token = "env:CANARY_TOKEN" }}
"""


@pytest.fixture
def silent():
    """An account that takes the sign-in and never answers; ``called`` is set when it does."""
    server, called, held = socket.create_server(("127.0.0.1", 0)), threading.Event(), []

    def serve():
        try:
            while True:
                connection, _ = server.accept()
                held.append(connection)
                called.set()
        except OSError:
            return

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1], called
    for each in (*held, server):
        each.close()


@pytest.fixture
def work(tmp_path, monkeypatch, silent):
    """A workspace in which every kind of secret is set to a canary, or is a key whose text is searched for."""
    monkeypatch.setattr(dbt_cloud_api, "ATTEMPTS", 1)
    folder = tmp_path / "work"
    assert app.run(["init", str(folder)]) == 0
    for name, value in (WORDS | WHERE).items():
        monkeypatch.setenv(f"CANARY_{name}", value)
    file = folder / "evidence.toml"
    text = file.read_text().replace("[log]\n", '[log]\ncheckpoints = ["env:CANARY_HOOK"]\n')
    text = text.replace("[packet]\n", '[packet]\nkey_passphrase = "env:CANARY_PASSPHRASE"\n')
    file.write_text(text + SOURCES.format(port=silent[0]))
    return folder


def planted(folder):
    """Canaries, and every line of every key, in the spellings that could leak."""
    lines = [CANARY, base64.b64encode(CANARY.encode()).decode().rstrip("=")]
    for name in ("collector.key", "redaction.key", "packet.pem"):
        text = (folder / "keys" / name).read_text().splitlines()
        lines += [line.split("+", 4)[-1] if name == "collector.key" else line for line in text if "---" not in line]
    assert len(lines) >= 6
    return lines


def found(folder, *texts):
    """Where anything planted stands: in what was printed, or in any file of the workspace beside the keys."""
    where = {f"text {n}": text for n, text in enumerate(texts)}
    where |= {
        str(path): path.read_bytes().decode(errors="replace")
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "keys"
    }
    return [(place, word[:14]) for place, text in where.items() for word in planted(folder) if word in text]


def test_a_night_that_fails_leaves_no_secret_behind(work, capfd):
    code = app.run(["-w", str(work), "run", "-v", "--jobs", "1"])  # the account is silent, everything else is refused
    out, err = capfd.readouterr()
    journal = (work / ".evidence/journal.ndjson").read_text()
    assert code == 4
    assert json.loads(journal.splitlines()[-1])["exit_code"] == 4
    app.run(["-w", str(work), "doctor", "-v", "--send-test", "secret", "alert", "checkpoints", "packet", "source dbt"])
    shown = capfd.readouterr()
    assert "fail" in shown.out
    assert found(work, out, err, *shown) == []


def test_a_bug_shows_no_secret_in_its_traceback(work, monkeypatch):
    def bug(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setattr("evidence.sources.snowflake_session.Session._describe", bug)
    monkeypatch.setattr("evidence.cli.run_command.collect_due", bug)
    with pytest.raises(RuntimeError) as caught:
        app.run(["-w", str(work), "run"])
    assert found(work, "".join(traceback.format_exception(caught.value))) == []


def test_a_process_that_is_aborted_leaves_no_secret_in_command_lines_or_dumps(work, silent):
    """While it waits for the account: what `ps` shows; then SIGABRT: what faulthandler dumps, and that no core is written."""
    command = [sys.executable, "-X", "faulthandler", "-m", "evidence", "-w", str(work), "run", "-v", "--jobs", "1"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert silent[1].wait(60)
        listed = subprocess.run(["ps", "-eww", "-o", "args="], capture_output=True, text=True, check=True).stdout
        assert f"-w {work} run" in listed
        limits = Path(f"/proc/{child.pid}/limits")
        if limits.exists():
            (core,) = [line for line in limits.read_text().splitlines() if "core file" in line]
            assert core.split()[4] == "0"
        os.kill(child.pid, signal.SIGABRT)
        out, err = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in err
    assert found(work, listed, out, err) == []

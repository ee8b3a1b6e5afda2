"""``evidence init``: what it asks on a terminal, that it asks nobody else, and that whatever is said becomes an evidence.toml that is read."""

import os
import pty
import re
import select
import subprocess
import sys
import time
import tomllib

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence import config
from evidence.cli import app
from evidence.cli.init_choices import Choices, rendered

COMMAND = [sys.executable, "-c", "import sys; from evidence.cli import main; main(sys.argv[1:])"]


class Terminal:
    """A command with a person on both ends: waits for a question before it types the answer."""

    def __init__(self, folder, *arguments):
        ours, theirs = pty.openpty()
        environment = os.environ | {"TERM": "dumb", "COLUMNS": "200"}
        self.process = subprocess.Popen(
            [*COMMAND, *arguments], cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
        )
        os.close(theirs)
        self.ours, self.said, self.read = ours, "", 0

    def _more(self, seconds):
        if not select.select([self.ours], [], [], seconds)[0]:
            return False
        try:
            body = os.read(self.ours, 65536)
        except OSError:  # the other end is closed
            return False
        self.said += body.decode()
        return bool(body)

    def answer(self, question, text, end="\n"):
        until = time.monotonic() + 60
        while not (found := re.search(re.escape(question), self.said[self.read :])):
            assert time.monotonic() < until, self.said
            assert self._more(60), f"{question!r} was not asked:\n{self.said}"
        self.read += found.end()
        os.write(self.ours, f"{text}{end}".encode())

    def end(self):
        while self._more(30):
            pass
        code = self.process.wait(timeout=60)
        os.close(self.ours)
        return code


def test_the_questions_are_asked_again_until_the_answers_can_be(tmp_path):
    person = Terminal(tmp_path, "init", "work")
    for question, answer in (
        ("Entity, as covers name it:", ""),  # a prompt without a default asks until there is one
        ("Entity, as covers name it:", 'Fern "& Hollow" Health'),
        ("System in scope [Member analytics platform]:", ""),
        ("Source (files: exports of the views; snowflake: the account; none) [files]:", "oracle"),
        ("write files, snowflake, none", ""),
        ("Folder of exports", "no/such/folder"),
        ("no folder", ""),
        ("Store (file:DIR or s3://bucket/prefix) [file:store]:", "s3://No_Bucket"),
        ("Lock, GOVERNANCE or COMPLIANCE [GOVERNANCE]:", "compliance"),
        ("Days that each object is locked [2557]:", "0"),
        ("seven are 2557", "2557"),
        ("Region", ""),
        ("Endpoint", ""),
        ("the root account included.", "n"),
        ("names no bucket: write s3://bucket/prefix", "file:kept"),
        ("Profile of the controls (none, phi-business-critical, standard-edition) [none]:", "hitrust"),
        ("write none, phi-business-critical, standard-edition", "standard-edition"),
        ("Alert target, such as env:EVIDENCE_ALERT_URL [none]:", "mailtos://me:planted-secret@example.org"),
        ("the secret itself is written nowhere", "env:EVIDENCE_ALERT_URL"),
    ):
        person.answer(question, answer)
    assert person.end() == 0, person.said
    body = (tmp_path / "work" / "evidence.toml").read_text()
    loaded = config.load(tmp_path / "work")
    assert (loaded.entity.name, loaded.store.url) == ('Fern "& Hollow" Health', "file:kept")
    assert loaded.assess.profile == "standard-edition"
    assert loaded.sources["carrier"].kind == "files"
    assert loaded.alerts.targets["on-call"].url == "env:EVIDENCE_ALERT_URL"
    assert "planted-secret" not in body
    assert all(line.startswith(("[", "#")) or " = " in line or not line for line in body.splitlines())


def test_a_snowflake_account_and_the_end_of_patience(tmp_path):
    person = Terminal(tmp_path, "init", "work")
    person.answer("Entity", "Acme")
    person.answer("System", "")
    person.answer("Source", "snowflake")
    person.answer("Account, such as", "https://acme.snowflakecomputing.com")
    person.answer("is no account identifier", "ACME-PROD")
    person.answer("User of TYPE = SERVICE [EVIDENCE_COLLECTOR]:", "")
    person.answer("Role [EVIDENCE_COLLECTOR]:", "")
    person.answer("private key, by reference [file:keys/snowflake.p8]:", "-----BEGIN PRIVATE KEY-----")
    person.answer("is no reference to a secret", "\x04", end="")  # end of input
    assert person.end() == 130
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("arguments", [["--no-input"], ["--demo", "--size", "none"], ["--entity", "Acme"]])
def test_who_gave_an_option_is_asked_nothing(tmp_path, arguments):
    person = Terminal(tmp_path, "init", "work", *arguments)
    assert person.end() == 0, person.said
    assert "Source (" not in person.said
    assert config.load(tmp_path / "work").store.url == "file:store"


def test_nobody_is_asked_where_nobody_sits(tmp_path):
    done = subprocess.run(
        [*COMMAND, "init", "work"],
        cwd=tmp_path,
        input="x\n" * 20,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "Entity" not in done.stdout
    assert config.load(tmp_path / "work").entity.name == "Your organisation"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--exports", "x", "--account", "A-B"], "one source at a time"),
        (["--exports", "no-such-folder"], "no folder"),
        (["--account", "https://a"], "no account identifier"),
        (["--account", "A-B", "--private-key", "planted-secret"], "no reference"),
        (["--private-key", "env:KEY"], "say which: --account"),
        (["--alert", "slack://planted-secret"], "no reference"),
        (["--profile", "hitrust"], "there are: phi-business-critical, standard-edition"),
        (["--entity", "a\nb"], "control character"),
        (["--store", "gs://b"], "write file:DIR or s3://bucket/prefix"),
        (["--store", "s3://b/x", "--retention-mode", "GOVERNANCE"], "names no bucket"),
    ],
)
def test_an_option_that_cannot_be_leaves_nothing_behind(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert app.run(["init", "work", *arguments]) in {2, 3}
    printed = "".join(capsys.readouterr())
    assert said in printed
    assert "planted-secret" not in printed
    assert not (tmp_path / "work").exists()


def test_a_bucket_without_credentials_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the credentials that another test gave it
    assert app.run(["init", "work", "--store", "s3://acme/p", "--retention-mode", "GOVERNANCE"]) == 9
    assert "aws configure" in capsys.readouterr().err
    assert not (tmp_path / "work").exists()


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=40)


@given(WORDS, WORDS, st.sampled_from(["", "files", "snowflake"]), st.booleans())
def test_any_words_become_a_toml_that_says_them(tmp_path_factory, entity, path, source, demo):
    chosen = Choices(entity=entity, system=path, source=source, exports=path, account=entity, user=path, alert="env:A")
    body = rendered(chosen, tmp_path_factory.getbasetemp(), demo=demo)
    told = tomllib.loads(body)
    assert told["entity"] == {"name": entity, "system": path}
    if source and not demo:
        said = told["sources"]["carrier"]
        assert said.get("path", path) == path
        assert said.get("account", entity) == entity


def test_doctor_reads_what_init_wrote(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    assert (
        app.run(["init", "work", "--exports", "mine", "--profile", "phi-business-critical", "--alert", "env:NOWHERE"])
        == 0
    )
    assert config.load(tmp_path / "work").sources["carrier"].path == str(tmp_path / "mine")
    capsys.readouterr()
    app.run(["-w", "work", "doctor", "--offline", "overlays", "alert", "source", "configuration"])
    told = capsys.readouterr().out
    assert "profile phi-business-critical" in told
    assert "NOWHERE" in told

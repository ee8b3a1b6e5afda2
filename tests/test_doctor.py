"""``evidence doctor``: a workspace in which one thing is broken, and the line, the outcome and the fix that name it."""

import datetime as dt
import json
import re
import shutil
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from wired import stand_still

from evidence.cli import app
from evidence.cli.looks import clock, content
from evidence.config import content_root
from evidence.control.lock import Locked
from evidence.doctor import Examination, Line, examine, warn
from evidence.errors import SourceDeniedError
from evidence.signing.certificate import certificate_pem, make_demo_authority
from tests.servers.tsa import Authority, serve

NOW = dt.datetime(2026, 7, 2, 7, tzinfo=dt.UTC)
TARGET = "json://127.0.0.1:9/secret-part"
SOURCE = """
[alerts.targets.on-call]
url = "env:DOCTOR_TARGET"

[sources.exports]
kind = "files"
path = "exports"
"""


@pytest.fixture(scope="module")
def authority():
    made = Authority(lambda: NOW)
    with serve(made.respond) as url:
        yield made, url


@pytest.fixture(scope="module")
def healthy(tmp_path_factory, authority):
    """A workspace in which nothing is wrong: made once, copied for each test."""
    folder = tmp_path_factory.mktemp("doctor") / "work"
    with pytest.MonkeyPatch.context() as patch:
        stand_still(patch, NOW)
        assert app.run(["init", str(folder)]) == 0
    made, url = authority
    (folder / "trust/tsa-test.pem").write_bytes(certificate_pem(made.root))
    elsewhere = (
        f'checkpoints = ["file:elsewhere/checkpoint-{{size}}"]\ntsa = ["{url}"]\ntsa_roots = ["trust/tsa-test.pem"]'
    )
    change(folder, "[log]\n", f"[log]\n{elsewhere}\n")
    (folder / "elsewhere").mkdir()
    for dataset in ("users", "login_history"):
        night = folder / f"exports/snowflake/{dataset}/date=2026-07-01"
        night.mkdir(parents=True)
        (night / "part.csv").write_text("NAME\nann\n")
    with (folder / "evidence.toml").open("a") as file:
        file.write(SOURCE)
    return folder


@pytest.fixture
def work(tmp_path, healthy, monkeypatch, authority):
    stand_still(monkeypatch, NOW)
    monkeypatch.setenv("DOCTOR_TARGET", TARGET)
    authority[0].status, authority[0].clock = "granted", lambda: NOW
    shutil.copytree(healthy, tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def doctor(work, capsys):
    """Run the command; return its exit code and its lines."""

    def run(*arguments):
        capsys.readouterr()
        code = app.run(["-w", str(work), "doctor", "--json", *arguments])
        return code, json.loads(capsys.readouterr().out)

    return run


def change(folder, old, new):
    path = folder / "evidence.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


def test_a_healthy_workspace_is_all_ok(doctor, work, capsys):
    code, lines = doctor()
    assert [line for line in lines if line["outcome"] != "ok"] == []
    assert code == 0
    assert len(lines) > 28
    assert app.run(["-w", str(work), "doctor", "source", "log", "secret"]) == 0
    shown = capsys.readouterr().out
    assert "to fix" not in shown
    assert "source exports: snowflake.users" not in shown
    app.run(["-w", str(work), "doctor", "-v", "source"])
    assert "source exports: snowflake.users" in capsys.readouterr().out


# --- one thing broken: how, what is asked, and the line that must say it ---------------------------------------------


def toml(old, new):
    return lambda work, **_: change(work, old, new)


def write(name, text):
    return lambda work, **_: (work / name).write_text(text)


def append(name, text):
    return lambda work, **_: (work / name).write_text((work / name).read_text() + text)


def mode(name, bits):
    return lambda work, **_: (work / name).chmod(bits)


def remove(name):
    def go(work, **_):
        path = work / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return go


def at(moment):
    return lambda monkeypatch, **_: stand_still(monkeypatch, moment)


def stamps_at(offset):
    def go(authority, **_):
        authority.clock = lambda: NOW + dt.timedelta(seconds=offset)

    return go


def another_certificate(work, **_):
    other, _root = make_demo_authority("Another", NOW)
    (work / "keys/packet-certificate.pem").write_bytes(certificate_pem(other.certificate))


def another_root(work, **_):
    _key, root = make_demo_authority("Another", NOW)
    (work / "trust/packet-root.pem").write_bytes(certificate_pem(root))


def another_log(work, **_):
    (work / "trust/log.vkey").write_text("other+00000000+AAAA\n")


def rejecting(authority, **_):
    authority.status = "rejection"


def revocation(days):
    def go(work, **_):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Issuer")])
        made = x509.CertificateRevocationListBuilder(name, NOW - dt.timedelta(days=30), NOW + dt.timedelta(days=days))
        body = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        (work / "trust/list.crl").write_bytes(body)
        change(work, "[packet]\n", '[packet]\ncrls = ["trust/list.crl"]\n')

    return go


def heartbeat(minutes, health="ok"):
    def go(work, **_):
        (work / ".evidence").mkdir(exist_ok=True)
        body = {"at": (NOW - dt.timedelta(minutes=minutes)).isoformat(), "health": health}
        (work / ".evidence/heartbeat.json").write_text(json.dumps(body))

    return go


def moved_control(monkeypatch, **_):
    real = content.read

    def read(root):
        locked = real(root)
        return locked and {**locked, ("controls", "identity-dormant"): Locked("1.0.0", "0" * 64)}

    monkeypatch.setattr(content, "read", read)


def own_templates(name, body):
    def go(work, monkeypatch, **_):
        shutil.copytree(content_root() / "templates", work / "own/templates")
        path = work / "own/templates" / name
        path.unlink() if body is None else path.write_bytes(body)
        monkeypatch.setattr(content, "content_root", lambda: work / "own")

    return go


def without_subsetting(monkeypatch, **_):
    from weasyprint.text import ffi

    monkeypatch.setattr(ffi, "harfbuzz_subset", None)


def full_disk(monkeypatch, **_):
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10, 9, 1))


def stopped_export(work, **_):
    shutil.rmtree(work / "exports/snowflake/users/date=2026-07-01")
    (work / "exports/snowflake/users/date=2026-06-20").mkdir()


def environment(name, value):
    return lambda monkeypatch, **_: monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)


ROW = """control = "identity-dormant"\ncontrol_version = "1.0.0"\nitems = ["ann"]\nreason = "r"\nrequested_by = "a"
approved_by = "b"\nrecorded_at = 2026-01-01T00:00:00Z\n"""
WAIVER = f'[[waivers]]\nid = "W1"\n{ROW}approved_on = 2026-01-01\nexpires = 2026-06-30\n'
RENEWAL = WAIVER + f'[[waivers]]\nid = "W2"\n{ROW}approved_on = 2026-06-30\nexpires = 2026-09-30\n'
STATEMENT = """[[attestations]]\nrequirement = "164.308(a)(2)"\nstatement = "s"\nowner = "o"\neffective_on = 2026-01-01
recorded_on = 2026-01-01\nnext_due = 2026-06-30\n"""


CASES = {
    "toml": (write("evidence.toml", "[entity"), (), "configuration", "fail", "correct the line"),
    "unknown-key": (toml("[store]\n", "[store]\nurll = 1\n"), (), "configuration", "fail", "config.example.toml"),
    "log-key-gone": (remove("keys/collector.key"), ("secret",), "secret log.key", "fail", "evidence init"),
    "log-key-loose": (mode("keys/collector.key", 0o644), ("secret",), "secret log.key", "fail", r"chmod 600 \S+/keys/collector\.key"),
    "key-folder-loose": (mode("keys", 0o777), ("secret",), "secret redaction.key", "fail", r"chmod go-w \S+/keys$"),
    "key-empty": (write("keys/redaction.key", "\n"), ("secret",), "secret redaction.key", "fail", "put the secret there"),
    "redaction-key": (write("keys/redaction.key", "xyz"), ("redaction",), "redaction key", "fail", "evidence init"),
    "variable": (environment("DOCTOR_TARGET", ""), ("secret",), "secret alerts.targets.on-call.url", "fail", "variable DOCTOR_TARGET"),
    "packet-key-elsewhere": (remove("keys/packet.pem"), ("packet",), "packet key", "warn", "point the key to it"),
    "certificate-over": (at(NOW + dt.timedelta(days=3700)), ("packet",), "packet certificate", "fail", "new certificate issued"),
    "certificate-soon": (at(NOW + dt.timedelta(days=3640)), ("packet",), "packet certificate", "warn", "new certificate issued"),
    "certificate-early": (at(NOW - dt.timedelta(days=2)), ("packet",), "packet certificate", "fail", "clock"),
    "certificate-gone": (remove("keys/packet-certificate.pem"), ("packet",), "packet key", "fail", r"\[packet\] certificate"),
    "certificate-other": (another_certificate, ("packet",), "packet key", "fail", r"\[packet\] certificate"),
    "root-other": (another_root, ("packet",), "packet key", "fail", r"root certificate of CN=Demonstration packet root.* in \S+/trust"),
    "log-not-trusted": (another_log, ("log key",), "log key", "warn", r"echo '\S+' > \S+/trust/log\.vkey"),
    "one-key-for-two": (toml("file:keys/packet.pem", "file:keys/collector.key"), ("keys",), "keys apart", "fail", "of its own for packet.key"),
    "store-gone": (remove("store"), ("store",), "store", "fail", r"\[store\] url"),
    "store-open": (mode("store", 0o777), ("store",), "store", "fail", r"chmod go-w \S+/store"),
    "store-read": (mode("store", 0o755), ("store",), "store", "warn", r"chmod 700 \S+/store"),
    "store-mode": (toml('"NONE"', '"GOVERNANCE"'), ("store",), "store", "fail", 'use "NONE" with file:'),
    "store-scheme": (toml("file:store", "ftp://x"), ("store",), "store", "fail", "s3://bucket/prefix"),
    "anchor-inside": (toml("file:anchors/", "file:store/"), ("anchors",), "anchors", "fail", r"move it out of \S+/store"),
    "anchor-none": (toml('"file:anchors/checkpoint"', ""), ("anchors",), "anchors", "fail", "outside the store"),
    "rolled-back": (remove("store/log"), ("log and",), "log and anchors", "fail", "."),
    "tsa-refuses": (rejecting, ("time",), "time-stamps http://.*", "fail", "another authority in tsa"),
    "tsa-root-gone": (remove("trust/tsa-test.pem"), ("time",), "time-stamps http://.*", "fail", "authority's root certificate"),
    "clock-warn": (stamps_at(120), ("time", "clock"), "clock", "warn", "timedatectl set-ntp true"),
    "clock-fail": (stamps_at(-900), ("time", "clock"), "clock", "fail", "timedatectl set-ntp true"),
    "crl-over": (revocation(-1), ("revocation",), "revocation list trust/list.crl", "fail", "current list"),
    "crl-soon": (revocation(0.5), ("revocation",), "revocation list trust/list.crl", "warn", "current list"),
    "crl-gone": (toml("[packet]\n", '[packet]\ncrls = ["no.crl"]\n'), ("revocation",), "revocation list no.crl", "fail", "current list"),
    "alert-address": (environment("DOCTOR_TARGET", "me@example.org"), ("alert",), "alert target on-call", "fail", "env:DOCTOR_TARGET, such as mailtos"),
    "alert-service": (environment("DOCTOR_TARGET", "nosuch://x"), ("alert",), "alert target on-call", "fail", "mailtos"),
    "alert-nobody": (toml('[alerts.targets.on-call]\nurl = "env:DOCTOR_TARGET"\n', ""), ("alert",), "alerts", "warn", r"\[alerts\.targets"),
    "tickets": (append("evidence.toml", '[alerts.tickets.desk]\nkind = "jira"\nurl = "https://x"\nsecret = "env:DOCTOR_TARGET"\n'), ("alert",), "tickets desk", "fail", "project's key in Jira"),
    "checkpoint-folder": (remove("elsewhere"), ("checkpoints",), "checkpoints 1", "fail", r"mkdir -p \S+/elsewhere"),
    "checkpoint-name": (toml("checkpoint-{size}", "checkpoint"), ("checkpoints",), "checkpoints 1", "fail", r"\{size\}"),
    "checkpoint-none": (toml('"file:elsewhere/checkpoint-{size}"', ""), ("checkpoints",), "checkpoints", "warn", r"\[log\] checkpoints"),
    "cron": (append("evidence.toml", '[schedule]\nnight = "at two"\n'), ("schedule",), "schedule night", "fail", "five cron fields"),
    "cron-never": (append("evidence.toml", '[schedule]\ncheck = "0 0 30 2 *"\n'), ("schedule",), "schedule check", "fail", "a day that exists"),
    "address": (append("evidence.toml", '[schedule]\naddress = "9464"\n'), ("schedule",), "schedule address", "fail", "127.0.0.1:9464"),
    "daemon-dead": (heartbeat(60), ("daemon",), "daemon", "fail", "systemctl restart evidence"),
    "daemon-ill": (heartbeat(0, "no night ended well since then"), ("daemon",), "daemon", "fail", "evidence status"),
    "overlay": (append("overlay.toml", "[controls.nothing]\nseverity = 'low'\nreason = 'x'\n"), ("overlays",), "overlays", "fail", "controls list"),
    "profile": (toml("[packet]\n", '[assess]\nprofile = "other"\n\n[packet]\n'), ("overlays",), "overlays", "fail", "standard-edition"),
    "lock": (moved_control, ("controls",), "controls lock", "fail", "install evidence again"),
    "register": (write("registers/waivers.toml", "[[waivers"), ("registers",), "registers", "fail", "docs/formats/registers.md"),
    "register-over": (write("registers/waivers.toml", WAIVER), ("registers",), "registers", "warn", r"approve each anew .* in \S+/registers/waivers\.toml"),
    "statement-overdue": (write("registers/attestations.toml", STATEMENT), ("registers",), "registers", "warn", "evidence attest"),
    "owners": (write("owners.toml", "[[owners]]\nowner = 'x'\n"), ("owners",), "owners.toml", "fail", "since"),
    "owners-nobody": (write("owners.toml", "[[owners]]\nowner = 'x'\nfamily = 'acces'\nsince = 2026-01-01\n"), ("owners",), "owners.toml", "fail", "access"),
    "system": (write("system.toml", "= ="), ("system",), "system.toml", "fail", "at the line"),
    "system-gone": (remove("system.toml"), ("system",), "system.toml", "warn", r"write \S+/system\.toml"),
    "font": (own_templates("fonts/inter-greek-400-normal.woff2", b"<html>"), ("templates",), "templates", "fail", "install evidence again"),
    "template-gone": (own_templates("packet/_night.html.j2", None), ("templates",), "templates", "fail", "install evidence again"),
    "template-broken": (own_templates("packet/_parts.html.j2", b"{% if"), ("templates",), "templates", "fail", "install evidence again"),
    "subsetting": (without_subsetting, ("PDF",), "PDF rendering", "fail", "libharfbuzz-subset0"),
    "disk": (full_disk, ("disk",), "disk", "fail", "2 GiB"),
    "source-gone": (remove("exports"), ("source",), "source exports", "fail", r"\[sources.exports\] path"),
    "source-empty": (remove("exports/snowflake"), ("source",), "source exports", "fail", r"keys under \[sources.exports\]"),
    "source-old": (at(NOW + dt.timedelta(days=9)), ("source",), "source exports", "warn", "what exports"),
    "dataset-stopped": (stopped_export, ("source",), "source exports: snowflake.users", "warn", "export of snowflake.users"),
    "file-of-none": (write("exports/notes.txt", "x"), ("source",), "source exports: files.unrecognised", "warn", "docs/formats/export.md"),
    "dataset-unknown": (append("evidence.toml", 'datasets = ["snowflake.user"]\n'), ("source",), "source exports", "fail", "docs/datasets.md"),
    "dataset-not-there": (append("evidence.toml", 'datasets = ["snowflake.users", "snowflake.roles"]\n'), ("source",), "source exports", "fail", "export them"),
    "source-none": (toml('[sources.exports]\nkind = "files"\npath = "exports"\n', ""), ("source",), "source", "warn", r"add \[sources\.NAME\]"),
}  # fmt: skip


def test_a_file_of_no_dataset_makes_no_night_newest(doctor, work):
    """It counts for the day it was written: each real dataset would look stopped beside it."""
    (work / "exports" / "notes.txt").write_text("x")
    code, lines = doctor("source")
    told = {line["what"]: line["outcome"] for line in lines}
    assert code == 0
    assert told["source exports: files.unrecognised"] == "warn"
    assert {told[f"source exports: snowflake.{name}"] for name in ("users", "login_history")} == {"ok"}


@pytest.mark.parametrize("name", CASES)
def test_what_is_broken_is_named_with_its_fix(doctor, work, monkeypatch, authority, name):
    break_it, asked, what, outcome, fix = CASES[name]
    break_it(work=work, monkeypatch=monkeypatch, authority=authority[0])
    code, lines = doctor(*asked)
    found = [line for line in lines if re.fullmatch(what, line["what"]) and line["outcome"] == outcome]
    assert found, lines
    assert any(re.search(fix, line["fix"]) for line in found), found
    assert (code > 0) == any(line["outcome"] == "fail" for line in lines)
    assert "secret-part" not in str(lines)


def test_what_was_renewed_has_not_run_out(doctor, work):
    (work / "registers/waivers.toml").write_text(RENEWAL)
    newer = STATEMENT.replace("recorded_on = 2026-01-01", "recorded_on = 2026-06-01").replace("06-30", "12-31")
    (work / "registers/attestations.toml").write_text(STATEMENT + newer)
    assert {line["outcome"] for line in doctor("registers")[1]} == {"ok"}


# --- how looks are taken -------------------------------------------------------------------------------------------


def raising(error):
    def look():
        raise error

    return look


def test_a_look_that_fails_stops_no_other():
    def broken_halfway():
        yield warn("half", "one", "fix it")
        raise ValueError("SELECT 'patient-4711'")

    lines = list(
        examine([
            Examination("denied", raising(SourceDeniedError("no", fix="GRANT x"))),
            Examination("optional", raising(SourceDeniedError("no", fix="GRANT x")), optional=True),
            Examination("disk", raising(OSError(28, "full"))),
            Examination("half", broken_halfway),
            Examination("last", lambda: "fine"),
        ])
    )  # fmt: skip
    assert [(line.what, line.outcome, line.exit_code) for line in lines] == [
        ("denied", "fail", 5), ("optional", "warn", 0), ("disk", "fail", 3), ("half", "warn", 0), ("half", "fail", 1), ("last", "ok", 0),
    ]  # fmt: skip
    assert lines[0].fix == "GRANT x"
    assert "4711" not in str(lines)


def test_what_does_not_answer_is_waited_for_a_bounded_time_and_what_came_is_shown():
    def hangs():
        yield Line("far", "ok", "one answer")
        time.sleep(30)

    began = time.monotonic()
    far = Examination("far", hangs, seconds=0.05)
    lines = list(examine([far, far, Examination("near", lambda: "fine")], overall=0.07))
    assert time.monotonic() - began < 5
    assert [(line.what, line.outcome) for line in lines] == [
        ("far", "ok"), ("far", "fail"), ("far", "ok"), ("far", "fail"), ("near", "ok"),
    ]  # fmt: skip
    assert lines[1].exit_code == 4
    used_up = list(examine([far], overall=0))
    assert [(line.outcome, line.detail) for line in used_up] == [("fail", "no answer within 0 s")]


def test_offline_asks_nobody_and_says_so(doctor, authority):
    before = len(authority[0].asked)
    code, lines = doctor("--offline")
    skipped = [line["what"] for line in lines if line["outcome"] == "skipped"]
    assert code == 0
    assert len(skipped) == 2
    assert skipped[0].startswith("time-stamps")
    assert skipped[1] == "clock"
    assert len(authority[0].asked) == before


def test_a_test_message_is_sent_to_each_target_only_if_asked_for(doctor, monkeypatch):
    sent = []
    monkeypatch.setattr("evidence.store.notify.Service.send", lambda self, *words: sent.append((self.where, *words)))
    assert doctor("alert")[0] == 0
    assert sent == []
    code, lines = doctor("alert", "--send-test")
    assert code == 0
    assert lines[-1]["detail"] == "apprise json://… took the test message"
    assert [where for where, *_ in sent] == ["apprise json://…"]


def test_a_word_that_names_nothing_is_said(work, capsys):
    assert app.run(["-w", str(work), "doctor", "nothing"]) == 2
    assert "there are: configuration, secret log.key" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("offset", "outcome", "words"),
    [(0.4, "ok", "within 30 s of S3"), (-29, "ok", "within"), (31, "warn", "31 s behind S3"), (-31, "warn", "31 s ahead of S3"), (301, "fail", "301 s behind S3")],
)  # fmt: skip
def test_how_far_a_clock_may_be_off(offset, outcome, words):
    (line,) = clock.lines(clock.Clocks({"S3": offset}))
    assert (line.outcome, words in line.detail) == (outcome, True)

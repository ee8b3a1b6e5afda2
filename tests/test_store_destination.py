"""Checkpoints that leave the building: what is written, what fails aloud, and that any kept one finds a rollback."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import job
import pytest
from fakes.memory_store import MemoryAnchor, MemoryStore
from fakes.sealed_store import KEY, plain, seal_snapshots

from evidence.cli import collect_command, output, verify_command
from evidence.cli.workspace import Workspace
from evidence.config import Config
from evidence.errors import ConfigError, StoreConflictError, StoreError
from evidence.store.destination import WebhookDestination, open_destination
from evidence.store.local import LocalStore
from evidence.store.log import Log
from evidence.store.telling import DeliveryNotes, deliveries
from evidence.tlog.checkpoint import parse_unverified
from evidence.verify import verify_store
from tests.servers import tiny_export


def opened(ref):
    return open_destination(ref, path=lambda text: Path(text.removeprefix("file:")), secret=lambda _: b"")


class Hook:
    """A webhook on this host: keeps what is posted, answers with ``status``."""

    def __init__(self):
        self.posted, self.paths, self.status, self.location = [], [], 200, ""
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                hook.paths.append(self.path)
                hook.posted.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.send_response(hook.status)
                if hook.location:
                    self.send_header("Location", hook.location)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks/secret-token"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_every_commit_is_told_to_every_place(tmp_path, hook):
    places = [opened(f"file:{tmp_path}/kept/checkpoint-{{size}}"), WebhookDestination(hook.url)]
    log = Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()])
    log = Log.open(log.store, signer=KEY, anchors=log._anchors, destinations=places)
    signed = []
    for key in "abc":
        log.append(plain(key))
        signed.append(log.checkpoint)
    log.append(plain("c"))  # nothing new: nothing is sent again
    kept = sorted((tmp_path / "kept").iterdir())
    assert [path.name for path in kept] == [f"checkpoint-{size:012d}" for size in range(1, 5)]
    assert [path.read_text() for path in kept[1:]] == hook.posted[1:] == signed
    assert log.undelivered == {}


def test_a_place_that_fails_is_said_stops_nothing_and_is_tried_again(tmp_path, hook, capsys):
    hook.status = 500
    folder = tmp_path / "kept"
    folder.write_text("in the way")
    places = [WebhookDestination(hook.url), opened(f"file:{folder}/c-{{size}}")]
    log = Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()])
    log = Log.open(log.store, signer=KEY, anchors=log._anchors, destinations=places)
    assert log.append(plain("a")) == [1]
    for number, key in enumerate("bcdefg"):
        assert log.append(plain(key)) == [2 + number]
    assert len(hook.posted) == 3  # a dead place costs three attempts per run, not one per commit
    assert "answered 500" in log.undelivered["http://127.0.0.1/…"]
    assert set(log.undelivered) == {place.where for place in places}
    output.undelivered(log.undelivered)
    said = capsys.readouterr().err
    assert said.count("checkpoint not delivered") == 2
    assert "secret-token" not in said
    hook.status = 200
    folder.unlink()
    again = Log.open(log.store, signer=KEY, anchors=log._anchors, destinations=places)
    again.append(lambda _: [])
    assert hook.posted[-1] == again.checkpoint == (folder / "c-000000000008").read_text()
    assert again.undelivered == {}


def test_a_webhook_that_is_gone_or_redirects_is_an_error_without_its_address(hook):
    hook.status, hook.location = 302, "http://127.0.0.1:9/elsewhere"
    with pytest.raises(StoreError, match="answered 302"):
        WebhookDestination(hook.url).send(signed_checkpoint())
    assert len(hook.posted) == 1
    for url in ("http://127.0.0.1:1/secret-token", "http://127.0.0.1:bad/secret-token"):
        with pytest.raises(StoreError) as caught:
            WebhookDestination(url).send(signed_checkpoint())
        assert "secret-token" not in str(caught.value)


def test_a_place_that_is_back_gets_the_next_checkpoint_of_the_same_run(hook):
    log = Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()])
    log = Log.open(log.store, signer=KEY, anchors=log._anchors, destinations=[WebhookDestination(hook.url)])
    for key, status in zip("abcdefg", (500, 200, 500, 500, 200, 500, 200), strict=True):
        hook.status = status
        log.append(plain(key))
        assert bool(log.undelivered) is (status == 500)
    assert len(hook.posted) == 8  # the first append sends what was there, too; never three failures in a row


def test_two_addresses_of_one_host_are_two_places(tmp_path, hook):
    """Their names in messages show the host alone."""
    notes = DeliveryNotes(tmp_path / "notes")
    places = [WebhookDestination(hook.url), WebhookDestination(hook.url + "-2")]
    log = Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()])
    log = Log.open(log.store, signer=KEY, anchors=log._anchors, destinations=places, notes=notes)
    log.append(plain("a"))
    assert hook.paths == ["/hooks/secret-token", "/hooks/secret-token-2"] * 2
    assert [(each.place, each.delivered) for each in deliveries(places, notes)] == [
        ("http://127.0.0.1/…", 2), ("http://127.0.0.1/… (2)", 2),
    ]  # fmt: skip


def signed_checkpoint():
    return Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()]).checkpoint


def test_a_checkpoint_file_is_never_replaced(tmp_path):
    place, signed = opened(f"file:{tmp_path}/c-{{size}}"), signed_checkpoint()
    place.send(signed)
    place.send(signed)
    (tmp_path / "c-000000000001").chmod(0o600)
    (tmp_path / "c-000000000001").write_text("another history")
    with pytest.raises(StoreConflictError):
        place.send(signed)
    assert (tmp_path / "c-000000000001").read_text() == "another history"


@pytest.mark.parametrize(
    "ref", ["file:kept", "file:{size}/kept", "file:k-{size}-{x}", "http://elsewhere.example/x", "ftp://x", "s3://"]
)
def test_what_is_no_destination_is_refused(ref):
    with pytest.raises(ConfigError, match=r"log\.checkpoints"):
        opened(ref)


def test_the_configuration_names_places_and_secrets_stay_references(tmp_path, monkeypatch):
    monkeypatch.setenv("HOOK", "https://hooks.example/T0/secret-token\n")
    text = {
        "entity": {"name": "x", "system": "y"},
        "log": {"checkpoints": ["env:HOOK", "file:kept/c-{size}", "s3://b/p"]},
    }
    workspace = Workspace(Config.model_validate({**text, "workspace": tmp_path}), tmp_path)
    assert [place.where for place in workspace.destinations] == [
        "https://hooks.example/…", f"file:{tmp_path}/kept/c-{{size}}", "s3://b/p",
    ]  # fmt: skip


@pytest.fixture
def history(tmp_path):
    """Four states of one store, copied after each commit, and every checkpoint that was sent on."""
    store = MemoryStore()
    log = Log.init(store, KEY, anchors=[MemoryAnchor()])
    log = Log.open(store, signer=KEY, anchors=log._anchors, destinations=[opened(f"file:{tmp_path}/kept/c-{{size}}")])
    states = []
    for number in range(4):
        seal_snapshots(log, [number])
        states.append((log.size, store.copy()))
    return states, sorted((tmp_path / "kept").iterdir())


def test_a_rollback_is_found_with_any_checkpoint_kept_since_and_not_checked_without_one(history):
    states, kept = history
    assert len(kept) == 5
    for size, store in states:
        without = verify_store(store, [KEY.vkey])
        assert without.ok
        assert [c.detail for c in without.checks if c.step == "checkpoint"] == [
            "no kept checkpoint was given: going back in time was not checked"
        ]
        for path in kept:
            result = verify_store(store, [KEY.vkey], checkpoint=path.read_text())
            assert result.ok is (parse_unverified(path.read_text()).size <= size), (size, path)
            assert {c.step for c in result.failed} <= {"checkpoint"}


def test_verify_takes_the_files_that_were_sent(history, tmp_path, capsys):
    states, kept = history
    (tmp_path / "log.vkey").write_text(KEY.vkey)
    for size, store in (states[1], states[-1]):
        folder = LocalStore(tmp_path / f"store-{size}")
        for path, body in store.objects.items():
            folder.put_if_absent(path, body)
        code = verify_command.verify(str(folder.root), [tmp_path / "log.vkey"], kept[-1])
        said = capsys.readouterr().out
        assert code == (10 if size < 5 else 0)
        assert ("went back in time" in said) is (size < 5)
    assert verify_command.verify(str(folder.root), [tmp_path / "log.vkey"]) == 0
    assert "going back in time was not checked" in capsys.readouterr().out


def test_a_collect_command_says_which_place_lacks_the_checkpoint(hook, capsys):
    """The summary of ``collect``: a line for a person, a field for a machine, the same exit code."""
    hook.status = 503
    log = Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()])
    log = Log.open(log.store, signer=KEY, anchors=log._anchors, destinations=[WebhookDestination(hook.url)])
    log.append(plain("a"))
    collect_command._report([], log_size=log.size, undelivered=log.undelivered, stamped="", json=True)
    said = capsys.readouterr()
    assert json.loads(said.out)["undelivered"] == {"http://127.0.0.1/…": "http://127.0.0.1/… answered 503"}
    assert "checkpoint not delivered" in said.err


@pytest.mark.slow
def test_collect_and_status_say_where_checkpoints_went(tmp_path):
    """As a user sees it: one place that works, one that does not, one run after the other."""
    work = tmp_path / "work"
    job.here("init", work, "--size", "none")
    tiny_export.write(work / "exports")
    head, rest = (work / "evidence.toml").read_text().split("\n[log]\n")
    dead = "http://127.0.0.1:1/hooks/secret-token"
    places = f'checkpoints = ["file:kept/c-{{size}}", "{dead}"]\n'
    sources = (
        '\n[sources.exports]\nkind = "files"\npath = "exports"\ndatasets = ["snowflake.users", "snowflake.tables"]\n'
    )
    (work / "evidence.toml").write_text(f"{head}\n[log]\n{places}{rest.split('[sources.')[0]}{sources}")
    told = job.here("-w", work, "collect", "--date", "2026-07-01", codes=range(9))
    assert "checkpoint not delivered" in told.stderr
    (last,) = sorted((work / "kept").iterdir())[-1:]
    shown = json.loads(job.here("-w", work, "status", "--json").stdout)
    size = shown["log_size"]
    assert last.name == f"c-{size:012d}"
    good, bad = shown["checkpoints"]
    assert (good["delivered"], good["failed"]) == (size, 0)
    assert (bad["delivered"], bad["failed"], bad["place"]) == (0, 2, "http://127.0.0.1/…")
    text = job.here("-w", work, "status").stdout
    assert f"has size {size}" in text
    assert "NOT DELIVERED, 2 failures since" in text
    assert "secret-token" not in text + told.stdout + told.stderr + (work / ".evidence" / "deliveries.json").read_text()
    again = job.here("verify", work / "store", "--trust", work / "trust", "--checkpoint", last)
    assert "verified" in again.stdout

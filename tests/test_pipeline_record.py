"""The pipeline's record of itself: one per night and state, by an injected clock; what a control makes of it; and nothing secret in it."""

import dataclasses
import datetime as dt
import json
import os
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fakes.live_source import EVENTS, FIRST, START, STATE, LiveSource, Row
from test_doctor_places import Server

from evidence.assess import findings_of_entry, sealed_findings
from evidence.cli import app as command_line
from evidence.cli import pipeline, pipeline_parts, run_command
from evidence.cli import workspace as workspace_module
from evidence.cli.journal import FILE, Journal, begun
from evidence.cli.workspace import Workspace
from evidence.control import definition
from evidence.errors import ConfigError
from evidence.signing.kms import key_standing
from evidence.snapshot import canonical
from evidence.snapshot.model import DAY
from evidence.sources import open as opening
from evidence.store.pipeline import seal_pipeline
from evidence.store.retention import RetentionRule
from evidence.store.s3 import S3Store

pytest_plugins = ["tests.servers.fixtures"]
ROOT = Path(__file__).parent.parent
CONTROL = "monitor-pipeline-state"
HOUR = dt.timedelta(hours=1)


class Pipeline:
    """A workspace of one control and one live source, run in this process by a clock that a test sets."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.now, self.packages = folder, START, {"packages_sha256": "a" * 64, "installed": {}}
        self.source = LiveSource("live", contracts=(EVENTS, STATE), clock=lambda: self.now)
        self.source.rows = [Row(n, START + n * DAY, "u", START + n * DAY) for n in range(12)]
        contracts = {each.name: each for each in (EVENTS, STATE)}
        for module in (workspace_module, definition):
            monkeypatch.setattr(module, "load_contracts", lambda: contracts)
        monkeypatch.setattr(opening, "BUILT_IN", {"contracts": lambda name, *, contracts, clock, path: self.source})
        monkeypatch.setattr(workspace_module, "now", lambda: self.now)
        monkeypatch.setattr(pipeline_parts, "packages", lambda: self.packages)
        monkeypatch.setattr(os, "fsync", lambda handle: None)

    def night(self, number, hour=2.5):
        """Return the moment on which a run of night ``number`` happens."""
        return START + (number + 1) * DAY + hour * HOUR

    def run(self, number, hour=2.5):
        self.now = self.night(number, hour)
        workspace = Workspace.open(self.folder)
        try:
            with Journal(workspace.config.workspace, f"r{number}-{hour}", workspace.clock) as journal:
                return run_command.run_night(workspace, journal, jobs=1)
        finally:
            workspace.close()

    @property
    def opened(self):
        return Workspace.open(self.folder)

    def records(self):
        workspace = self.opened
        return [
            (entry, canonical.decode(workspace.store.get(entry.object.path, sha256=entry.object.sha256)))
            for _, entry in workspace.log.entries("pipeline")
        ]

    def finding(self, number):
        workspace = self.opened
        (found,) = sealed_findings(workspace.store, workspace.index, FIRST + number * DAY)
        return found

    def said(self, number):
        found = self.finding(number)
        items = [*found.exceptions, *found.reviews]
        return found.status, found.reason, [(each.item, each.reason) for each in items]


@pytest.fixture
def pipe(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    assert command_line.run(["init", str(folder), "--demo", "--size", "none"]) == 0
    config = folder / "evidence.toml"
    head = config.read_text().partition("[sources")[0]
    config.write_text(f'{head}\n[sources.live]\nkind = "contracts"\npath = "."\n')
    library = folder / "library"
    shutil.copytree(ROOT / "controls" / "monitor" / CONTROL, library / "monitor" / CONTROL)
    shutil.copytree(ROOT / "controls" / "frameworks", library / "frameworks")
    (library / "facts").mkdir()
    (library / "library.toml").write_text('version = "test"\n[defaults]\nfrequency = "nightly"\n')
    monkeypatch.setattr(Workspace, "control_folders", [library])
    return Pipeline(folder, monkeypatch)


def certificate(path, begins, ends):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "signer")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 7, begins, ends).sign(key, hashes.SHA256())
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))


def test_each_night_has_one_record_and_what_it_says_is_judged(pipe, capsys, monkeypatch):
    # an older release made no records: its nights are not assessed, then and later
    with monkeypatch.context() as older:
        older.setattr("evidence.cli.collect_command.record_pipeline", lambda workspace: False)
        pipe.run(0)
    assert pipe.said(0) == ("not-assessed", "pending", [])

    # the first record; four runs a day leave one, and the second run seals nothing at all
    pipe.run(1)
    ((entry, body),) = pipe.records()
    assert (body["night"], body["at"], body["run"]["since"]) == ("2026-07-02", "2026-07-03T02:30:00.000000Z", None)
    assert entry.body == {"night": "2026-07-02", "at": body["at"], "tool": body["state"]["tool"]["version"]}
    pipe.run(1, 8.5)  # now the events of the night are there
    size = pipe.opened.log.size
    for hour in (14.5, 20.5):
        pipe.run(1, hour)
    assert pipe.opened.log.size == size
    assert len(pipe.records()) == 1
    found = pipe.finding(1)
    assert (found.status, found.population, found.passed) == ("satisfied", 3, 3)
    assert [each.dataset for each in found.inputs] == ["ops.pipeline"]

    # a state that changes within the night is a second record, and the night is judged again
    config = pipe.folder / "evidence.toml"
    plain = config.read_text()
    pipe.run(2)
    before = pipe.finding(2)
    config.write_text(plain.replace("[redaction]\n", '[redaction]\nquery_text = "full"\n'))
    pipe.run(2, 8.5)
    assert [entry.body["night"] for entry, _ in pipe.records()] == ["2026-07-02", "2026-07-03", "2026-07-03"]
    assert pipe.records()[-1][1]["state"]["configuration"]["redaction"]["query_text"] == "full"
    assert len(pipe.finding(2).inputs) == len(before.inputs) + 1 == 3
    config.write_text(plain)
    pipe.run(2, 14.5)  # back as it was: that is sealed already
    assert len(pipe.records()) == 3

    # two nights without a run: nobody can say how things stood, and the next record names them
    pipe.run(5)
    assert pipe.records()[-1][1]["run"]["since"] == {
        "night": "2026-07-03", "nights_missed": ["2026-07-04", "2026-07-05"],
    }  # fmt: skip
    run = pipe.records()[-1][1]["run"]["parts"][0]
    assert (run["runs_due"], run["runs_missed"], run["by"]) == (11, 9, "command")
    for number in (3, 4):
        assert pipe.said(number) == ("not-satisfied", "", [("log/run", "no-run")])
    assert pipe.said(0)[:2] == ("not-assessed", "before-coverage")
    assert pipe.said(5)[0] == "satisfied"

    # what the tool rests on changed and its version did not: a person looks. Then a certificate that ends soon, and one that ended
    pipe.packages = {"packages_sha256": "b" * 64, "installed": {}}
    pipe.run(6)
    assert pipe.said(6) == ("not-assessed", "pending-review", [("log/packages", "packages-changed")])
    place = pipe.folder / "keys" / "packet-certificate.pem"
    certificate(place, START, pipe.night(7) + 30 * DAY - HOUR)
    pipe.run(7)
    assert pipe.said(7) == ("not-satisfied", "", [("log/certificate packet", "certificate-ends-soon")])
    certificate(place, START, pipe.night(8) - HOUR)
    pipe.run(8)
    assert pipe.said(8)[2] == [("log/certificate packet", "certificate-ended")]
    place.unlink()
    place.mkdir()
    pipe.run(9)
    assert pipe.finding(9).population == 2, "absent: no item, and the record says so"
    absent = [part for part in pipe.records()[-1][1]["state"]["parts"] if part["part"] == "certificate"]
    assert [part["state"] for part in absent] == ["absent"]

    # a pass of one night never speaks for another: every assessment rests on records of its own night and the one before
    workspace = pipe.opened
    for _, entry in workspace.log.entries("assessment"):
        for one in findings_of_entry(workspace.store, entry):
            assert one.status != "satisfied" or max(each.night for each in one.inputs) == one.night
    capsys.readouterr()


@pytest.mark.parametrize("number", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_packet_that_rests_on_records_is_computed_again(pipe, capsys, number, tmp_path):
    """Night 1 had a run, night 2 had none: what is missing comes out again from what the packet carries."""
    for each in (0, 1, 4):
        pipe.run(each)
    words = ["packet", "nightly-brief", "--night", str(FIRST + number * DAY), "--out", str(tmp_path / "out")]
    assert command_line.run(["-w", str(pipe.folder), *words]) == 0
    (packet,) = (tmp_path / "out").glob("*.zip")
    capsys.readouterr()
    trust = ["--trust", str(pipe.folder / "trust")]
    assert command_line.run(["verify", str(packet), *trust, "--reperform", "--explain"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1 of 1 night findings computed again, equal" in said
    carried = [path for path in (tmp_path / "out").rglob("_pipeline/*") if path.is_dir()]
    assert carried


def test_two_hosts_leave_one_record_of_one_state(pipe):
    pipe.run(0)
    workspace = pipe.opened
    stale, state = dataclasses.replace(workspace.index, _others={}), pipe.records()[0][1]["state"]
    log, size = workspace.log, workspace.log.size
    assert not seal_pipeline(log, stale, pipe.now, state, {"parts": []}, "other"), "another run was first"
    assert log.size == size


CANARY = "canary-5f1e"
SECRETS = """
[store]
url = "file:store"
[alerts.targets.mail]
url = "env:CANARY_MAIL"
[alerts.tickets.desk]
kind = "jira"
url = "https://canary-5f1e.example"
secret = "env:CANARY_DESK"
[log]
checkpoints = ["env:CANARY_PLACE"]
tsa = ["https://user:canary-5f1e@tsa.example/"]
[packet]
key_passphrase = "env:CANARY_PASS"
[sources.acme]
kind = "snowflake"
account = "acme"
user = "u"
role = "AUDIT_READER"
private_key = "file:canary-5f1e/key.p8"
private_key_passphrase = "env:CANARY_PASS"
[sources.acme.elevated]
role = "AUDIT_ELEVATED"
password = "env:CANARY_PASS"
[sources.cloud]
kind = "aws"
profile = "canary-5f1e"
accounts = [{ role_arn = "arn:aws:iam::111122223333:role/Reader", external_id = "canary-5f1e" }]
[sources.dbt]
kind = "dbt"
cloud = { account_id = 1, token = "env:CANARY_TOKEN" }
[sources.exports]
kind = "files"
path = "/home/canary-5f1e/exports"
"""


def test_no_secret_and_no_path_stands_in_a_record(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    assert command_line.run(["init", str(folder), "--demo", "--size", "none"]) == 0
    head = '[entity]\nname = "x"\nsystem = "y"\n'
    (folder / "evidence.toml").write_text(head + SECRETS)
    for name in re.findall(r"env:(\w+)", SECRETS):
        monkeypatch.setenv(name, f"https://{CANARY}.example/{name}")
    monkeypatch.setenv("SECRET_TOKEN", CANARY)
    monkeypatch.setattr(Workspace, "destinations", [])
    workspace = Workspace.open(folder)
    assert pipeline.record_pipeline(workspace)
    assert not pipeline.record_pipeline(workspace)
    (record,) = (folder / "store" / "pipeline").rglob("*.json")
    everything = b"".join(path.read_bytes() for path in (folder / "store").rglob("*") if path.is_file())
    keys = [path.read_bytes().strip() for path in (folder / "keys").iterdir() if path.suffix != ".pem"]
    assert CANARY.encode() not in everything
    assert str(folder).encode() not in record.read_bytes()
    assert keys
    assert not [key for key in keys if key in record.read_bytes()]
    said = json.loads(record.read_bytes())["state"]["configuration"]["sources"]
    assert (said["acme"]["role"], said["acme"]["elevated_role"]) == ("AUDIT_READER", "AUDIT_ELEVATED")
    assert said["cloud"]["accounts"] == [{"role_arn": "arn:aws:iam::111122223333:role/Reader", "regions": []}]


class Kms:
    def __init__(self, about, rotation=None):
        self.about, self.rotation = about, rotation

    def describe_key(self, **words):
        if isinstance(self.about, Exception):
            raise self.about
        return {"KeyMetadata": self.about}

    def get_key_rotation_status(self, **words):
        if self.rotation is None:
            raise ClientError({"Error": {"Code": "UnsupportedOperationException"}}, "GetKeyRotationStatus")
        return {"KeyRotationEnabled": self.rotation}


def test_a_key_says_its_state_and_a_refusal_the_same_words_each_time():
    about = {"Arn": "arn", "Enabled": True, "KeyState": "Enabled", "KeySpec": "SYMMETRIC_DEFAULT"}
    assert key_standing("k", client=Kms(about, rotation=True)) == {
        "enabled": True, "rotation": True, "key_state": "Enabled", "spec": "SYMMETRIC_DEFAULT",
    }  # fmt: skip
    waiting = key_standing("k", client=Kms({**about, "Enabled": False, "KeyState": "PendingDeletion"}))
    assert (waiting["enabled"], waiting["rotation"], waiting["key_state"]) == (False, None, "PendingDeletion")
    assert key_standing("k", client=Kms({"Arn": "arn"}))["enabled"] is None
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": f"request {CANARY}"}}, "DescribeKey")
    for error, word in ((denied, "AccessDeniedException"), (EndpointConnectionError(endpoint_url="x"), "Endpoint")):
        with pytest.raises(ConfigError, match=word) as caught:
            key_standing("k", client=Kms(error))
        assert CANARY not in str(caught.value)
        part = pipeline_parts.looked("key", "store", lambda error=error: key_standing("k", client=Kms(error)))
        assert (part["state"], bool(part["reason"])) == ("not-read", True)


def test_a_key_is_asked_for_at_the_place_of_the_store(moto_server, monkeypatch):
    moto_server.reset()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    keys = boto3.client("kms", endpoint_url=moto_server.url, region_name="us-east-1")
    arn = keys.create_key()["KeyMetadata"]["Arn"]
    place = SimpleNamespace(region="us-east-1", endpoint_url=moto_server.url)
    workspace = SimpleNamespace(config=SimpleNamespace(store=place))

    def said(ref):
        return pipeline_parts.looked("key", "store", lambda: pipeline_parts.key(workspace, ref, of_store=True))

    assert (said(arn)["state"], said(arn)["enabled"], said(arn)["rotation"]) == ("read", True, False)
    keys.enable_key_rotation(KeyId=arn)
    assert said(arn)["rotation"] is True
    gone = said(arn[:-4] + "0000")
    assert (gone["state"], "NotFoundException" in gone["reason"]) == ("not-read", True)
    assert said("")["state"] == "absent"


def test_a_look_that_breaks_is_said_without_its_words():
    def breaks():
        raise ValueError(CANARY)

    part = pipeline_parts.looked("store", "", breaks)
    assert (part["state"], part["reason"]) == ("not-read", "the look ended with ValueError")


@pytest.mark.parametrize("default", [None, {"Mode": "GOVERNANCE", "Days": 30}, {"Mode": "COMPLIANCE", "Years": 7}])
def test_the_lock_of_a_bucket_is_read_beside_the_promise(monkeypatch, default):
    server = Server()
    store = S3Store(server, "evidence", "pre", mode="GOVERNANCE", retention_days=60, clock=lambda: START)
    server.default, server.versioning, server.lock = default, "Suspended", None
    monkeypatch.setattr(pipeline_parts, "promised", lambda log: RetentionRule("COMPLIANCE", 2557))
    said = pipeline_parts.store(SimpleNamespace(log=None, store=store))
    assert (said["versioning"], said["lock"]) == (False, False)
    assert (said["promised_mode"], said["promised_days"]) == ("COMPLIANCE", 2557)
    days = (default or {}).get("Days") or 365 * (default or {}).get("Years", 0) or None
    assert (said["lock_mode"], said["lock_days"]) == ((default or {}).get("Mode"), days)
    server.refuse = "get_bucket_versioning"
    denied = pipeline_parts.looked("store", "", lambda: pipeline_parts.store(SimpleNamespace(log=None, store=store)))
    assert (denied["state"], "AccessDenied" in denied["reason"]) == ("not-read", True)


def test_a_folder_that_was_promised_a_lock_has_none(monkeypatch, tmp_path):
    folder = SimpleNamespace(log=None, store=object())
    monkeypatch.setattr(pipeline_parts, "promised", lambda log: None)
    assert pipeline_parts.store(folder)["state"] == "absent"
    monkeypatch.setattr(pipeline_parts, "promised", lambda log: RetentionRule("GOVERNANCE", 60))
    assert pipeline_parts.store(folder)["lock"] is False


def test_runs_are_counted_by_the_journal_and_the_daemon_is_told_from_cron(tmp_path):
    folder = tmp_path / ".evidence"
    schedule = SimpleNamespace(night="30 2,8,14,20 * * *", check="0 5 * * sun")
    workspace = SimpleNamespace(config=SimpleNamespace(schedule=schedule, workspace=tmp_path))
    since, moment = START + 2.5 * HOUR, START + DAY + 2.5 * HOUR
    assert pipeline_parts.runs(workspace, None, since) == {"by": "command"}
    unknown = pipeline_parts.runs(workspace, since, moment)
    assert (unknown["runs_due"], "runs_missed" in unknown) == (4, False)
    folder.mkdir()
    lines = [
        {"at": (START + hour * HOUR).isoformat(timespec="milliseconds"), "run": run, "event": "collect"}
        for hour, run in ((2.6, "before"), (2.7, "first"), (8.6, "second"), (8.7, "second"), (20.6, "fourth"))
    ]
    text = "\n".join(json.dumps(line) for line in lines) + '\nnot ours\n{"at": "never", "run": "x", "event": "y"}\n'
    (folder / FILE).write_text(text)
    assert len(begun(tmp_path, since)) == 4
    assert pipeline_parts.runs(workspace, since, moment)["runs_missed"] == 1
    assert len(begun(tmp_path, START + 3 * HOUR)) == 2
    (folder / "heartbeat.json").write_text(json.dumps({"pid": os.getppid()}))
    assert pipeline_parts.runs(workspace, None, since)["by"] == "schedule"
    (folder / "heartbeat.json").write_text("[]")
    assert pipeline_parts.runs(workspace, None, since)["by"] == "command"


def test_the_packages_are_those_that_are_installed():
    found = pipeline_parts.packages()
    assert {"duckdb", "pyarrow", "cryptography"} <= set(found["installed"])
    assert found == pipeline_parts.packages()

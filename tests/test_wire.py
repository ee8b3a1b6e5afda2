"""The same nights over the Snowflake protocol into locked S3 and from exports into a folder: the same findings.

Two nights by default; the whole quarter is `slow`. What cannot be alike is left out of both: a broken line of an export
does not exist on a wire (night 70, future grants), and an account that says another time is not read at all, where an
export with a stale claim is sealed without a moment (night 62, parameters). Both give *not assessed*, for another reason.
Nor what is no view of the account, what needs a second connection, and what is asked for by the account's own locator.
"""

import datetime as dt
import hashlib
import itertools
import json
import re
from pathlib import Path

import job
import pytest
from botocore.exceptions import ClientError

from evidence import assess, collect
from evidence.bag.findings import canonical_findings
from evidence.cli.workspace import Workspace, new_id
from evidence.control.gate import requirements
from evidence.control.period import assess_period
from evidence.demo import SMALL, Size
from evidence.seal import seal
from evidence.signing.keys import NoteKey
from evidence.snapshot.model import DAY, start_of
from evidence.sources.snowflake import SnowflakeSource
from evidence.sources.snowflake_login import Login
from evidence.store.index import Index
from evidence.store.local import LocalStore
from evidence.store.log import Log
from evidence.store.s3 import S3Store, connect
from tests.servers.emulated import run_emulator

pytest_plugins = ["tests.servers.fixtures"]
KNOWN_AT = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
FEW = Size(nights=2, users=60, roles=50, tables=160, columns=600, queries=120)
UNLIKE = {
    ("snowflake.future_grants", dt.date(2026, 9, 9)),  # a broken line
    ("snowflake.parameters", dt.date(2026, 9, 1)),  # a stale capture
    ("snowflake.login_history", dt.date(2026, 8, 17)),  # the missed night: nobody asked the account either
}


def alike(contract):
    """True for what both ways can have."""
    product = contract.name.partition(".")[0]
    shown = product in {"dbt", "contracts"} or (product == "snowflake" and contract.connection == "base")
    return shown and contract.name != "snowflake.failover_group_databases"


def comparable(library, control):
    """What neither judges receipts nor reads what only a live account answers, such as the probe of the collector's own rights."""
    read = {requirement.dataset for requirement in requirements(library, control)}
    return not control.ops and "snowflake.collector_grants" not in read


def wanted(task):
    return alike(task.contract) and (task.contract.name, task.window.night) not in UNLIKE


class Place:
    """A store with its log and the sources that fill it."""

    def __init__(self, store, sources, workspace, spool):
        self.store, self.sources, self.workspace, self.spool = store, sources, workspace, spool
        self.log = Log.init(store, NoteKey.generate("test.example/wire"), anchors=anchors(spool))
        self.index = Index().catch_up(self.log)
        self.numbers = itertools.count()

    def collect(self, now, **narrow):
        """One run of every source at the moment ``now``."""
        for source in self.sources:
            tasks = collect.plan(source, self.workspace.contracts, self.index, now, **narrow)
            batch = [
                collect.collect(
                    t, self.workspace.redactor, self.spool / str(next(self.numbers)), lambda: now, attempts=1
                )
                for t in tasks
                if wanted(t)
            ]
            seal(self.log, self.index, batch, new_id)
            self.index.catch_up(self.log)

    def findings(self, size):
        """Canonical findings of all nights, without what names a receipt's words: of controls that judge receipts themselves none."""
        library, contracts = self.workspace.library, self.workspace.contracts
        asked = {s.name: [name for name in s.datasets() if alike(contracts[name])] for s in self.sources}
        reader = assess.StoreReader(self.store, self.index, contracts, asked, KNOWN_AT)
        nights = [size.night(n) for n in range(size.nights)]
        found = [
            f
            for _, fs in assess.judge(library, self.workspace.registers, reader, nights, self.workspace.engine)
            for f in fs
            if comparable(library, library.controls[f.control])
        ]
        periods = [
            assess_period(control, [f for f in found if f.control == name], nights[0], nights[-1])
            for name, control in library.controls.items()
            if comparable(library, control)
        ]
        body = canonical_findings(
            nights[0].isoformat(), nights[-1].isoformat(), [p.to_json() for p in periods], [n.to_json() for n in found]
        )
        return json.loads(body)


def anchors(folder):
    from evidence.store.anchor import FileAnchor

    return [FileAnchor(folder / "anchor")]


@pytest.fixture(
    params=[FEW, pytest.param(SMALL, marks=[pytest.mark.slow, pytest.mark.timeout(5400)])], ids=["few", "quarter"]
)
def size(request):
    return request.param


@pytest.fixture
def places(size, tmp_path, s3_server, monkeypatch):
    """The exports in a folder store, and the same account over the wire in a locked bucket."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    job.workspace(tmp_path / "work", size)
    workspace = Workspace.open(tmp_path / "work")
    client = connect(endpoint_url=s3_server.url, region="us-east-1")
    bucket = f"evidence-wire-{size.nights}"
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    bucket_store = S3Store(
        client, bucket, "prod", mode="COMPLIANCE", retention_days=1, clock=lambda: dt.datetime.now(dt.UTC)
    )
    with run_emulator(tmp_path / "work" / "exports", life=5400) as emulator:
        login = Login(
            account="TESTACCT",
            user="EVIDENCE",
            private_key=emulator.admit(),
            host="127.0.0.1",
            port=emulator.port,
            protocol="http",
        )
        moments = {"now": KNOWN_AT}
        datasets = [name for name in workspace.source("carrier").datasets() if alike(workspace.contracts[name])]
        wire = SnowflakeSource("carrier", login, datasets, run="test", clock=lambda: moments["now"])
        rest = [workspace.source("dbt"), workspace.source("products")]
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        files = Place(LocalStore(tmp_path / "store"), [workspace.source("carrier"), *rest], workspace, tmp_path / "a")
        over = Place(bucket_store, [wire, *rest], workspace, tmp_path / "b")
        yield files, over, emulator, moments, client, bucket
        wire.close()
        workspace.close()


def captures(folder: Path, names, night: dt.date) -> dict[str, list[str]]:
    """Return the datasets that were exported at one moment, by that moment as the export says it; "" where it says none.

    Of the planted missed night there are none: nobody asked the account.
    """
    found: dict[str, list[str]] = {}
    for name in names:
        place = folder / "exports" / "snowflake" / name.split(".")[1] / f"date={night}" / "_export.json"
        if place.parent.is_dir():
            found.setdefault(json.loads(place.read_text()).get("as_of") or "", []).append(name)
    return found


def test_the_wire_into_locked_s3_finds_what_the_exports_find(places, size, tmp_path):
    files, over, emulator, moments, client, bucket = places
    files.collect(KNOWN_AT, since=size.start)
    states = [n for n, c in files.workspace.contracts.items() if n.startswith("snowflake.") and c.kind == "state"]
    for number in range(size.nights):
        night = size.night(number)
        moments["now"] = start_of(night) + DAY + dt.timedelta(hours=3, seconds=5)
        for clock, names in captures(tmp_path / "work", states, night).items():
            emulator.post("night", {"night": night.isoformat(), "clock": clock or moments["now"].isoformat()})
            over.collect(moments["now"], since=size.start, datasets=names, nights=[night])
    last = start_of(size.night(size.nights)) + 5 * DAY
    moments["now"] = last
    emulator.post("night", {"night": size.night(size.nights - 1).isoformat(), "clock": last.isoformat()})
    over.collect(KNOWN_AT, since=size.start, nights=[size.night(n) for n in range(size.nights)])
    mine, theirs = plain(files.findings(size)), plain(over.findings(size))
    assert [(f["control"], f["night"]) for f in mine["nights"] if f not in theirs["nights"]] == []
    assert theirs == mine
    assert {f["status"] for f in mine["nights"]} >= {"satisfied", "not-satisfied"}
    only_reads(emulator.statements())
    nothing_can_be_removed(client, bucket, over)


def plain(findings):
    """Findings without the wording of receipts: details and reasons of unknown nights quote what the source said."""
    for night in findings["nights"]:
        night["detail"] = ""
    for period in findings["periods"]:
        period["unknown"] = {n: why.split(":")[0] for n, why in period["unknown"].items()}
    return findings


def only_reads(statements):
    assert len(statements) > 100
    for sql in statements:
        assert re.match(r"\s*(select|show|describe|desc)\b", sql, re.IGNORECASE), sql[:100]
        assert not re.search(r"select\s+\*", sql, re.IGNORECASE), sql[:100]


def nothing_can_be_removed(client, bucket, place):
    """Every version of every object the log names is locked: no delete, no bypass, no overwrite of the version."""
    names = {path for path in place.store.list("") if path != "log/checkpoint"}
    pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket)
    versions = [v for page in pages for v in page.get("Versions", []) if v["Key"].removeprefix("prod/") in names]
    assert {v["Key"].removeprefix("prod/") for v in versions} == names
    for bypass in ({}, {"BypassGovernanceRetention": True}):
        for start in range(0, len(versions), 1_000):  # S3 takes no more in one request
            asked = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in versions[start : start + 1_000]]
            answer = client.delete_objects(Bucket=bucket, Delete={"Objects": asked}, **bypass)
            assert "Deleted" not in answer
            refused = [(e["Key"], e["VersionId"], e["Code"]) for e in answer["Errors"]]
            assert sorted(refused) == sorted((v["Key"], v["VersionId"], "AccessDenied") for v in asked)
    some = sorted(names)[:: max(len(names) // 50, 1)]
    for name in some:
        with pytest.raises(ClientError, match="PreconditionFailed"):
            client.put_object(Bucket=bucket, Key=f"prod/{name}", Body=b"other", IfNoneMatch="*")
        before = place.store.get(name)
        client.put_object(Bucket=bucket, Key=f"prod/{name}", Body=b"other")
        assert place.store.get(name, sha256=hashlib.sha256(before).hexdigest()) == before

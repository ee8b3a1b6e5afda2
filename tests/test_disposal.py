"""Retention as its keeper meets it in a folder: what ends when, what was removed by rule and recorded, and what is lost."""

import dataclasses
import datetime as dt
import shutil

import pytest
from commands import evidence, said
from fakes.memory_store import MemoryAnchor, MemoryStore
from fakes.sealed_store import FIRST, KEY, put_snapshot

from evidence.cli import workspace as workspace_module
from evidence.cli.workspace import Workspace
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry
from evidence.store.check import check_store
from evidence.store.copying import copy_store
from evidence.store.disposal import Disposal, Disposals
from evidence.store.hold import LegalHold
from evidence.store.local import LocalStore
from evidence.store.log import Log
from evidence.store.retention import FLOOR_DAYS, RetentionRule
from evidence.tlog.note import parse_verifier

DAY = dt.timedelta(days=1)
START = dt.datetime(2026, 7, 2, 3, tzinfo=dt.UTC)  # when the first night was read; the next ones a day later each
USERS = ("prod", "snowflake.users")


def snapshots(store, count):
    for number in range(count):
        entry = put_snapshot(store, number)
        read = canonical.format_time(START + number * DAY)
        yield dataclasses.replace(entry, body={**entry.body, "landed": 2, "collected_at": read})


# --- what counts, by the log alone ---------------------------------------------------------------------------------


def held(action, by):
    return LegalHold("m", "why", by, START).to_body(action)


PROMISE = Entry("retention", "1", None, RetentionRule("GOVERNANCE", 3000).to_body())
SHORT = Entry("retention", "1", None, RetentionRule("GOVERNANCE", 30).to_body())
HELD = Entry("hold", "m/1", None, held("placed", "Counsel"))
ASKED = Entry("hold", "m/2", None, held("release-requested", "Ann Lee"))
ALONE = Entry("hold", "m/3", None, held("released", "ann  LEE"))
FREED = Entry("hold", "m/4", None, held("released", "Bo"))
LATER = Entry("check", "c", None, {"checked_at": canonical.format_time(START + 9 * DAY)})


@pytest.mark.parametrize(
    ("before", "days", "after", "fault"),
    [
        ((), FLOOR_DAYS, FLOOR_DAYS + 1, ""),
        ((), FLOOR_DAYS, FLOOR_DAYS, "to be kept until"),  # a day more, since nobody says when it was put
        ((), FLOOR_DAYS - 1, 9000, f"is kept for {FLOOR_DAYS}"),
        ((), 4000, FLOOR_DAYS + 9, "to be kept until"),  # its own word binds, too
        ((PROMISE,), FLOOR_DAYS, 9000, "is kept for 3000"),
        ((PROMISE,), 3000, 3001, ""),
        ((SHORT,), 30, 31, ""),  # a demonstration promises less, for everybody to see
        ((HELD,), FLOOR_DAYS, 9000, "under hold m"),
        ((HELD, ASKED), FLOOR_DAYS, 9000, "under hold m"),
        ((HELD, ASKED, ALONE), FLOOR_DAYS, 9000, "under hold m"),
        ((HELD, FREED), FLOOR_DAYS, 9000, "under hold m"),  # nobody asked
        ((HELD, ASKED, ALONE, FREED), FLOOR_DAYS, 9000, ""),
    ],
)
def test_a_disposal_counts_only_after_its_time_and_under_no_hold(before, days, after, fault):
    log, store = sealed(before)
    gone = Disposal(*USERS, [len(before) + 1], days, START + after * DAY, "the bucket")
    log.append(once(Entry("disposal", "d/1", None, gone.to_body())))
    for path in [path for path in store.objects if "/snapshot=a0/" in path]:
        del store.objects[path]
    checks = checked(store, START + 10_000 * DAY)
    bad = [check for check in checks if check.ok is False]
    if fault:
        assert fault in next(check.detail for check in bad if check.step == "disposal")
        assert any(check.step == "objects" and "snapshot=a0" in check.subject for check in bad)
        return
    assert bad == []
    said = {
        check.step: check.detail
        for check in checks
        if "entry" in check.detail and check.subject == "data/prod/snowflake.users/"
    }
    assert said["objects"].startswith(f"disposed, by rule, recorded in entry {len(before) + 3}: 1 files of 1 snapshots")
    assert "no hold stood" in said["disposal"]
    assert [check for check in checked(store, START) if check.ok is False]  # it says a time that is to come
    log.append(once(LATER))
    assert any("says 2026-07-11" in check.detail for check in checked(store, START + 10_000 * DAY))  # a clock ran ahead


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"entries": [0]}, "a store"), ({"entries": [9]}, "not before it"), ({"entries": [2, 1]}, "malformed"), ({"entries": []}, "malformed"),
        ({"entries": [True]}, "malformed"), ({"entries": "1"}, "malformed"), ({"dataset": "snowflake.roles"}, "of prod/snowflake.users"), ({"days": 10**12}, "since when"),
        ({"days": "9"}, "malformed"), ({"seen_at": "soon"}, "malformed"), ({"by": ""}, ""), ({"by": None}, "malformed"),
    ],
)  # fmt: skip
def test_what_is_no_disposal_is_said_and_excuses_nothing(change, fault):
    log, store = sealed(())
    body = Disposal(*USERS, [1], FLOOR_DAYS, START + 9000 * DAY, "x").to_body() | change
    log.append(once(Entry("disposal", "d/1", None, body)))
    found = Disposals.of(lambda kind: (i for i, _ in log.entries(kind)), log.entry)
    assert [number for number, _ in found.faults] == ([3] if fault else [])
    assert (found.entries == {}) is bool(fault)
    assert all(fault in text for _, text in found.faults)
    assert bool([c for c in checked(store, START + 9001 * DAY) if c.ok is False]) is bool(fault)


def once(entry):
    return lambda log: [entry] if log.find(entry.type, entry.key) is None else []


def sealed(before):
    store = MemoryStore()
    log = Log.init(store, KEY, anchors=[MemoryAnchor()])
    made = [*before, *snapshots(store, 2)]
    log.append(lambda current: [e for e in made if current.find(e.type, e.key) is None])
    return log, store


def checked(store, now):
    return list(check_store(store, trust=KEY.vkey, now=now))


# --- the command line ----------------------------------------------------------------------------------------------


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work"
    evidence("init", folder)
    log = Workspace.open(folder).log
    made = list(snapshots(log.store, 4))
    log.append(lambda current: [e for e in made if current.find(e.type, e.key) is None])
    return folder


def states(work, code=0):
    return [night["state"] for night in said("-w", work, "retention", "report", code=code)["nights"]]


def folder_of(work, number):
    return work / "store" / "data" / "prod" / "snowflake.users" / f"date={FIRST + number * DAY}"


def test_a_night_goes_from_kept_to_disposed_and_what_is_gone_before_is_lost(work, monkeypatch, tmp_path):
    now = START + 100 * DAY
    monkeypatch.setattr(workspace_module, "now", lambda: now)
    assert states(work) == ["kept"] * 4
    shutil.move(folder_of(work, 0), tmp_path / "aside")
    assert states(work, code=10) == ["lost", *["kept"] * 3]
    assert "lost: prod/snowflake.users 2026-07-01 revision 0, entry 1, to be kept until 2033-07" in evidence("-w", work, "retention", "report", code=10)  # fmt: skip
    assert "0 snapshots recorded, 1 lost" in evidence("-w", work, "retention", "record-disposal", code=10)
    evidence("-w", work, "check", code=10)
    shutil.move(tmp_path / "aside", folder_of(work, 0))

    now = START + 2556 * DAY
    assert states(work) == ["expiring"] * 4
    now = START + 2559 * DAY
    assert states(work) == ["past", "past", "expiring", "expiring"]
    now = START + 2600 * DAY
    shutil.rmtree(folder_of(work, 0))
    next(folder_of(work, 1).rglob("part-0000.parquet")).unlink()
    assert states(work) == ["gone", "gone", "past", "past"]
    words = ("verify", work / "store", "--trust", work / "trust")
    then = ("--at-time", f"{now:%Y-%m-%d}")
    evidence(*words, *then, code=10)  # not recorded yet
    made = said("-w", work, "retention", "record-disposal", "--by", "Records office")
    assert [(each["entries"], each["days"], each["by"]) for each in made["recorded"]] == [
        ([1, 2], 2557, "Records office")
    ]
    assert said("-w", work, "retention", "record-disposal")["recorded"] == []
    assert states(work) == ["disposed", "disposed", "past", "past"]
    assert "recorded in entry 6" in evidence("-w", work, "retention", "report", "--nights")
    assert "disposed, by rule, recorded in entry 6: 2 files of 2 snapshots" in evidence("-w", work, "check")
    evidence(*words, *then)
    evidence(*words, code=10)  # by today's clock the record is of the future: no excuse

    shutil.rmtree(folder_of(work, 2))  # the weekly check records by itself
    record = said("-w", work, "check")
    (month,) = [each for each in record["months"] if each["source"] == "prod"]
    assert (month["sealed"], month["read_back"]) == (4, 1)
    copy = LocalStore(tmp_path / "copy")
    assert sum(1 for _ in copy_store(LocalStore(work / "store"), copy, trusted(work)))
    evidence("verify", copy.root, "--trust", work / "trust", *then)
    evidence(*words, *then, "--mirror", copy.root)
    manifest = next(folder_of(work, 1).rglob("_manifest.json"))
    manifest.chmod(0o600)
    manifest.write_bytes(manifest.read_bytes().replace(b"2026", b"2027", 1))
    assert "_manifest.json" in evidence("-w", work, "check", code=10)  # what is still there is held to its digest


def trusted(work):
    return parse_verifier((work / "trust" / "log.vkey").read_text().strip())


def test_nothing_is_kept_for_less_than_the_law_asks_for(work, tmp_path):
    config = work / "evidence.toml"
    text = config.read_text()
    for line, wanted in (("retention_days = 2191", "set 2192 or more"), ("retention_days = 2192", "")):
        config.write_text(text.replace("[store]\n", f"[store]\n{line}\n"))
        assert wanted in evidence("-w", work, "retention", "report", code=3 if wanted else 0)
    config.write_text(f'{text}\n[retention]\n"snowflake.users" = 2556\n')
    assert "is shorter than store.retention_days = 2557" in evidence("-w", work, "status", code=3)
    config.write_text(f'{text}\n[retention]\n"snowflake.users" = 3653\n')
    assert {night["days"] for night in said("-w", work, "retention", "report")["nights"]} == {3653}
    assert "--demo" in evidence("init", tmp_path / "w", "--store", "s3://bucket/p", "--retention-mode", "GOVERNANCE", "--retention-days", 30, code=2)  # fmt: skip

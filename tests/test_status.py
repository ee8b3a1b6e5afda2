"""``evidence status``: every night has a word, and a gap is one of them."""

import datetime as dt

import pytest

from evidence.cli import output, status_command
from evidence.datasets.load import load_contracts
from evidence.snapshot.entry import Entry, ObjectRef, snapshot_entry_key
from evidence.snapshot.model import DAY, SnapshotKey
from evidence.status import MARKS, sealed_windows, standing
from evidence.store.index import Index

FIRST = dt.date(2026, 7, 1)
USERS, LOGINS = (load_contracts()[f"snowflake.{name}"] for name in ("users", "login_history"))
NOON = dt.datetime(2026, 7, 11, 12, tzinfo=dt.UTC)


def entry(contract, number, status="complete", revision=0, **body):
    key = SnapshotKey("acme", contract.name, FIRST + DAY * number, revision)
    facts = {"status": status, "finality": "settled", "landed": 3, **body}
    return Entry("snapshot", snapshot_entry_key(key), ObjectRef("m", "0" * 64, 1), facts)


def covered(number, kind):
    start = (FIRST + DAY * number).isoformat()
    return Entry("coverage", f"acme/{kind}/{start}", None, {"source": "acme", "kind": kind, "start": start})


def stand(contract, *entries, span=(FIRST, FIRST + DAY * 9), moment=NOON):
    index = Index.of(entries)
    return standing("acme", contract, index, sealed_windows(index), moment, span)


def test_every_night_has_a_word():
    found = stand(
        LOGINS,
        covered(2, "event"),
        entry(LOGINS, 2),
        entry(LOGINS, 3, finality="provisional"),
        entry(LOGINS, 4, "denied"),
        entry(LOGINS, 5, late=True),
        entry(LOGINS, 6, "incomplete"),
        moment=dt.datetime(2026, 7, 9, 12, tzinfo=dt.UTC),
    )
    assert list(found.nights.values()) == [
        "before coverage", "before coverage", "complete", "provisional", "denied", "late", "incomplete", "missing",
        "not due", "not due",
    ]  # fmt: skip
    assert set(found.nights.values()) <= MARKS.keys()
    assert (found.counts["missing"], found.counts["provisional"], found.counts["complete"]) == (1, 1, 3)


def test_a_state_night_is_missing_only_when_its_span_is_over():
    found = stand(USERS, covered(0, "state"), entry(USERS, 0), span=(FIRST, FIRST + DAY * 9))
    assert found.nights[FIRST + DAY * 8] == "missing", "captured on July 10 at the latest"
    assert found.nights[FIRST + DAY * 9] == "not due", "its span is July 11, which is not over"


def test_the_highest_revision_speaks():
    found = stand(USERS, covered(0, "state"), entry(USERS, 0, "denied"), entry(USERS, 0, revision=1))
    assert found.nights[FIRST] == "complete"
    assert found.to_row()["denied"] == 0


def test_what_was_never_collected_misses_nothing_yet():
    found = stand(USERS)
    assert set(found.nights.values()) == {"before coverage"}
    assert (found.to_row()["coverage"], found.to_row()["missing"]) == (None, 0)


def test_the_calendar_shows_a_mark_per_night(capsys, monkeypatch):
    monkeypatch.setattr(output, "WIDE", 200)
    found = stand(USERS, covered(0, "state"), entry(USERS, 0), entry(USERS, 2, "unavailable"))
    status_command._show_calendar([found])
    lines = capsys.readouterr().out.splitlines()
    assert next(line for line in lines if line.startswith("acme")).split("  ")[1] == "#MUMMMMMM"
    assert lines[-1].startswith("# complete")


@pytest.mark.parametrize("word", list(MARKS))
def test_marks_are_told_apart(word):
    assert list(MARKS.values()).count(MARKS[word]) == 1

"""Windows are counted again until they are stable: late rows become revisions, and nothing that was sealed gets lost."""

import datetime as dt
from collections import Counter

import pytest
from fakes.live_source import EVENTS, FIRST, START, STATE, Collector, LiveReading, LiveSource, Row, unavailable

from evidence import collect as verb
from evidence.assess import StoreReader
from evidence.control import gate
from evidence.datasets.timing import delay, due_at, late_check_at, night_number, settled_at, within_reach
from evidence.errors import SourceDeniedError
from evidence.snapshot.model import DAY
from evidence.store.index import Index
from tests.standing import row_of

HOUR = dt.timedelta(hours=1)


def row(number, at=START + 12 * HOUR, arrives=None, **more):
    return Row(number, at, f"who-{number}", arrives or at, **more)


@pytest.fixture
def make(tmp_path):
    def build(*rows, contracts=(EVENTS,), **options):
        source = LiveSource(contracts=contracts, **options)
        source.rows += rows
        return Collector(tmp_path, source, contracts)

    return build


def due(contract=EVENTS):
    return due_at(contract, FIRST)


def looks(collector):
    index = collector.index
    return index.recounts(index.latest("live", EVENTS.name, FIRST))


def revisions(collector, night=FIRST):
    return [sealed for sealed in collector.index.every_revision() if sealed.key.night == night]


# --- when ---------------------------------------------------------------------------------------------------------


def test_the_nights_of_a_window():
    end = START + DAY
    assert delay(EVENTS) == 6 * HOUR
    assert delay(EVENTS.model_copy(update={"latency_minutes": 480})) == 16 * HOUR
    assert settled_at(EVENTS, FIRST) == end + 6 * HOUR + 2 * DAY
    assert settled_at(EVENTS.model_copy(update={"recount_nights": 3}), FIRST) == end + 6 * HOUR + 3 * DAY
    assert late_check_at(EVENTS, FIRST) == end + 30 * DAY
    assert [night_number(EVENTS, FIRST, end + 6 * HOUR + gap) for gap in (-HOUR, 0 * HOUR, DAY - HOUR, DAY)] == [
        -1,
        0,
        0,
        1,
    ]


def test_a_documented_tail_of_lateness_puts_the_first_read_off():
    tail = EVENTS.model_copy(update={"latency_minutes": 120})
    object.__setattr__(tail, "latency_max_minutes", 2880)
    assert delay(tail) == 2 * DAY


def test_a_day_that_begins_to_fall_out_at_the_source_is_not_read(make):
    """Both sides would count the same short day."""
    collector = make(row(1))
    last = START + 365 * DAY - HOUR
    assert within_reach(EVENTS, FIRST, last)
    assert not within_reach(EVENTS, FIRST, last + HOUR)
    collector.now = last + HOUR
    planned = verb.plan(collector.source, collector.contracts, Index(), collector.now, since=FIRST)
    assert min(task.window.night for task in planned) == FIRST + DAY
    assert len(planned) == 363


def test_a_window_is_read_when_due_and_not_before(make):
    collector = make(row(1))
    collector.now = due() - dt.timedelta(microseconds=1)
    collector.run()
    assert collector.sealed(FIRST) is None
    collector.now = due()
    collector.run()
    assert collector.sealed(FIRST) == Counter([1])


# --- re-counts ----------------------------------------------------------------------------------------------------


def test_two_stable_nights_settle_a_window_by_counts_alone(make):
    collector = make(row(1), row(2))
    collector.now = due()
    collector.run()
    latest = collector.index.latest("live", EVENTS.name, FIRST)
    assert (latest.body["finality"], collector.index.settled(latest)) == ("provisional", False)
    collector.run()  # twice in a night: nothing more to do
    assert looks(collector) == []
    collector.nightly(1)
    assert [(look["result"], look["occasion"], look["finality"]) for look in looks(collector)] == [
        ("stable", "night 1", "provisional")
    ]
    assert not collector.index.settled(collector.index.latest("live", EVENTS.name, FIRST))
    collector.nightly(1)
    assert looks(collector)[-1]["finality"] == "settled"
    assert collector.index.settled(collector.index.latest("live", EVENTS.name, FIRST))
    asked = [what for what, _, night in collector.source.asked if night == FIRST]
    assert asked == ["read", "count", "count"], "the rows were sent once"
    collector.nightly(5)
    assert len(looks(collector)) == 2


@pytest.mark.parametrize(("counts", "words"), [(True, "hash_agg of 2 columns"), (False, "rows_digest")])
def test_a_recount_says_what_was_compared(make, counts, words):
    collector = make(row(1), counts=counts)
    collector.now = due()
    collector.run()
    collector.nightly(1)
    (look,) = looks(collector)
    assert words in look["compared"]
    assert look["rows"] == 1
    assert look["collected_at"] == "2026-07-03T06:00:00.000000Z"
    assert ("query_ids" in look) == counts


def test_a_missed_night_is_made_up_by_the_next(make):
    collector = make(row(1))
    collector.now = due()
    collector.run()
    collector.now += 9 * DAY
    collector.run()
    assert [(look["occasion"], look["finality"]) for look in looks(collector)] == [("night 9", "settled")]


def test_a_late_row_is_a_revision_that_is_counted_again(make):
    collector = make(row(1), row(2, arrives=due() + 2 * HOUR))
    collector.now = due()
    collector.run()
    collector.nightly(1)
    first, second = revisions(collector)
    assert (second.key.revision, second.status, second.body["finality"]) == (1, "complete", "provisional")
    assert collector.manifest(second).revises == first.manifest.sha256
    assert collector.sealed(FIRST) == Counter([1, 2])
    assert "late" not in second.body
    collector.nightly(1)
    assert collector.index.settled(collector.index.latest("live", EVENTS.name, FIRST))


def test_a_row_in_the_last_night_is_not_settled_before_it_was_seen_to_be_stable(make):
    collector = make(row(1), row(2, arrives=due() + 40 * HOUR))
    collector.now = due()
    collector.run()
    collector.nightly(2)
    latest = collector.index.latest("live", EVENTS.name, FIRST)
    assert (latest.key.revision, collector.index.settled(latest)) == (1, False)
    collector.nightly(1)
    assert looks(collector)[-1]["occasion"] == "night 3"
    assert collector.index.settled(latest)


def test_a_row_after_settling_is_found_at_thirty_days_and_said_to_be_late(make):
    collector = make(row(1), row(2, arrives=START + 20 * DAY))
    collector.now = due()
    collector.run()
    collector.nightly(2)
    collector.now = START + 30 * DAY
    collector.run()
    assert collector.sealed(FIRST) == Counter([1])
    collector.nightly(1)
    latest = collector.index.latest("live", EVENTS.name, FIRST)
    assert (latest.key.revision, latest.body["late"], collector.index.settled(latest)) == (1, True, False)
    receipt = collector.manifest(latest).receipt
    assert receipt["late"] is True
    assert any("after this window had been settled" in note for note in receipt["notes"])
    collector.nightly(1)
    assert collector.index.settled(latest)
    collector.now += 40 * DAY
    collector.run()
    assert [look["occasion"] for look in looks(collector)] == ["night 30"]


def test_a_row_that_replaces_another_is_found_by_the_digest(make):
    collector = make(row(1, leaves=due() + HOUR), row(3, arrives=due() + HOUR))
    collector.source.rows += [row(5)]
    collector.now = due()
    collector.run()
    collector.nightly(1)
    assert collector.sealed(FIRST) == Counter([3, 5])


def test_a_repeat_that_the_source_takes_back_is_a_revision(make):
    collector = make(row(1), row(1, leaves=due() + HOUR))
    collector.now = due()
    collector.run()
    assert collector.sealed(FIRST) == Counter([1, 1])
    collector.nightly(1)
    assert collector.sealed(FIRST) == Counter([1])


def test_rows_that_are_gone_do_not_make_a_smaller_revision(make):
    """A role that sees less tonight must not turn sealed rows into nothing."""
    collector = make(row(1), row(2, leaves=due() + HOUR))
    collector.now = due()
    collector.run()
    collector.nightly(3)
    assert collector.sealed(FIRST) == Counter([1, 2])
    assert len(revisions(collector)) == 1
    last = looks(collector)[-1]
    assert last["result"] == "fewer"
    assert "1 distinct keys, 2 are sealed" in last["reason"]
    assert not collector.index.settled(revisions(collector)[0])
    collector.source.rows[1] = row(2)
    collector.nightly(1)
    assert collector.index.settled(revisions(collector)[0])


@pytest.mark.parametrize("error", [unavailable(), SourceDeniedError("no", fix="GRANT")])
def test_a_recount_that_is_refused_leaves_what_is_sealed(make, error):
    collector = make(row(1))
    collector.now = due()
    collector.run()
    collector.source.fail = [error] * 20
    collector.nightly(1)
    collector.run()
    collector.source.fail = []
    latest = collector.index.latest("live", EVENTS.name, FIRST)
    assert (latest.key.revision, latest.status, collector.index.settled(latest)) == (0, "complete", False)
    kinds = [look["result"] for look in looks(collector)]
    assert kinds[0] in {"denied", "unavailable"}
    assert len(kinds) == 1, "the same answer twice is one entry"
    collector.nightly(2)
    assert collector.index.settled(latest)


def test_a_refused_check_of_a_settled_window_takes_nothing_back(make):
    collector = make(row(1))
    collector.now = START + 20 * DAY
    collector.run()
    latest = revisions(collector)[0]
    assert latest.body["finality"] == "settled", "read long after every late row"
    collector.now = START + 31 * DAY
    collector.source.fail = [SourceDeniedError("no", fix="GRANT")]
    collector.run()
    assert [look["result"] for look in looks(collector)] == ["denied"]
    assert collector.index.settled(latest)
    collector.run()
    assert [look["result"] for look in looks(collector)] == ["denied", "stable"], "tried again, then enough"


def test_before_a_packet_every_window_is_counted_once_more(make):
    collector = make(row(1), row(2, arrives=START + 50 * DAY))
    collector.now = due()
    collector.run()
    for days in (2, 30, 30):
        collector.now += days * DAY
        collector.run()
    assert collector.sealed(FIRST) == Counter([1])
    index = collector.index
    tasks = verb.plan_recounts(collector.source, collector.contracts, index, collector.now, [FIRST, FIRST + DAY])
    assert [(task.window.night, task.occasion, task.settled) for task in tasks] == [
        (FIRST, "packet", True),
        (FIRST + DAY, "packet", True),
    ]
    for found in collector.read(tasks):
        collector.seal(collector.log(), found, tasks)
    assert collector.sealed(FIRST) == Counter([1, 2])
    assert revisions(collector)[-1].body["late"] is True
    other = collector.index.latest("live", EVENTS.name, FIRST + DAY)
    assert collector.index.recounts(other)[-1]["occasion"] == "packet"


def test_entries_of_earlier_versions_still_settle():
    from evidence.snapshot.entry import Entry, ObjectRef

    ref = ObjectRef("data/a", "0" * 64, 1)
    body = {"status": "complete", "finality": "provisional"}
    key = "live/test.events/2026-07-01/0"
    index = Index.of([Entry("snapshot", key, ref, body), Entry("recount", key, None, {"result": "stable"})])
    assert index.settled(index.latest("live", "test.events", FIRST))


# --- order --------------------------------------------------------------------------------------------------------


def test_state_goes_first_and_what_has_no_history_before_all(make):
    kept = STATE.model_copy(update={"name": "test.a_kept", "columns": (*STATE.columns, _column("DELETED_ON"))})
    collector = make(row(1), contracts=(EVENTS, kept, STATE))
    collector.now = START + 5 * DAY + 3 * HOUR
    planned = verb.plan(collector.source, collector.contracts, Index(), collector.now, since=FIRST)
    names = [(task.contract.name, task.window.night.day) for task in planned]
    assert names == [
        ("test.state", 5), ("test.a_kept", 5),
        ("test.events", 1), ("test.events", 2), ("test.events", 3), ("test.events", 4),
    ]  # fmt: skip


def _column(name):
    return EVENTS.columns[1].model_copy(update={"name": name, "required": False})


def test_a_backfill_that_breaks_off_goes_on_oldest_first(make):
    collector = make(*(row(n, START + n * DAY) for n in range(9)))
    collector.now = START + 9 * DAY
    log = collector.log()
    tasks = collector.plan(collector.index)
    planned = collector.read(tasks)
    for _ in range(3):
        collector.seal(log, next(planned), tasks)
    collector.since = None  # the next run is not told again
    assert collector.index.coverage_start("live", "event") == FIRST
    left = verb.plan(collector.source, collector.contracts, collector.index, collector.now)
    assert [task.window.night.day for task in left] == [4, 5, 6, 7, 8]


def test_rows_that_came_are_kept_if_the_next_try_brings_none(make):
    collector = make(row(1), row(2), counts=False)
    collector.now = due()
    collector.source.fail = [("lose", 0), unavailable(), unavailable()]
    collector.run()
    (sealed,) = revisions(collector)
    assert (sealed.status, sealed.body["landed"]) == ("incomplete", 1)
    assert collector.manifest(sealed).receipt["cost"]["reads"] == 1
    collector.run()
    assert collector.sealed(FIRST) == Counter([1, 2]), "incomplete is tried again"


# --- coverage -----------------------------------------------------------------------------------------------------


def test_a_backfill_of_events_does_not_make_states_missing_that_nobody_could_capture(make):
    collector = make(row(1), contracts=(EVENTS, STATE))
    collector.now = START + 9 * DAY + 12 * HOUR
    collector.run()
    index = collector.index
    assert (index.coverage_start("live", "event"), index.coverage_start("live", "state")) == (FIRST, FIRST + 8 * DAY)
    state, events = (row_of("live", contract, index, None, collector.now) for contract in (STATE, EVENTS))
    assert (state["missing"], state["complete"], events["missing"], events["complete"]) == (0, 1, 0, 9)
    collector.now += 3 * DAY
    state = row_of("live", STATE, index, None, collector.now)
    assert state["missing"] == 2, "nights that went by uncaptured; the last one's span is still open"


def test_status_and_assess_agree_on_what_is_missing_and_what_is_before_coverage(make):
    collector = make(row(1), contracts=(EVENTS, STATE))
    collector.now = START + 9 * DAY + 12 * HOUR
    collector.run()
    collector.now += 5 * DAY
    index, contracts = collector.index, collector.contracts
    reader = StoreReader(collector.store, index, contracts, {"live": list(contracts)}, collector.now)
    for contract in (EVENTS, STATE):
        nights = [FIRST + n * DAY for n in range(-3, 16)]
        gaps = {
            night: gate.gather([gate.Requirement(contract.name)], reader, contracts, (), night).gaps for night in nights
        }
        why = Counter(found[0].why for found in gaps.values() if found)
        assert why["missing-evidence"] == row_of("live", contract, index, None, collector.now)["missing"]
        start = index.coverage_start("live", contract.kind)
        assert all(found[0].why == "before-coverage" for night, found in gaps.items() if night < start)
        assert not [
            found for night, found in gaps.items() if night >= start and found and found[0].why == "before-coverage"
        ]


def test_coverage_of_earlier_versions_counts_for_both_kinds():
    from evidence.snapshot.entry import Entry

    entries = [Entry("coverage", "a/2026-07-04", None, {"source": "a", "start": "2026-07-04"})]
    entries += [Entry("coverage", "a/event/2026-07-01", None, {"source": "a", "start": "2026-07-01", "kind": "event"})]
    index = Index.of(entries)
    assert (index.coverage_start("a", "event"), index.coverage_start("a", "state")) == (FIRST, FIRST + 3 * DAY)
    assert index.coverage_start("b", "event") is None


# --- what a reading says of itself --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("member", "value", "reason"),
    [
        ("gaps", ("kms: no answer: GRANT kms:ListKeys",), "not answered: kms: no answer"),
        ("notes", ("unproven: no row count is declared",), "unproven: no row count is declared"),
    ],
)
def test_a_reading_that_is_not_whole_by_its_own_word_is_incomplete(make, monkeypatch, member, value, reason):
    collector = make(row(1), counts=False)
    monkeypatch.setattr(LiveReading, member, value, raising=False)
    if member == "notes":
        monkeypatch.setattr("fakes.live_source.totals", lambda _rows: None)
    collector.now = due()
    collector.run()
    (sealed,) = revisions(collector)
    receipt = collector.manifest(sealed).receipt
    assert (sealed.status, receipt["landed"]) == ("incomplete", 1)
    assert reason in receipt["reason"]
    assert value[0] in receipt["notes"]

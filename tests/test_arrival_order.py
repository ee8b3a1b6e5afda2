"""Whatever order rows arrive in and wherever a run dies, the settled population is the source's.

Rows arrive late, out of order, on the edges of a day, and twice (delivered twice, or shown twice by the view for a while).
In between runs crash between any two steps (in the source, while spooling, at a put, at the commit, at an anchor),
start twice, lose the race, and meet a source that does not answer. After every step the store verifies and `status` counts
whatever is not whole and settled.
"""

import datetime as dt
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from fakes.live_source import EVENTS, FIRST, KEY, START, STATE, Collector, Crash, LiveSource, Row, unavailable
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from evidence.datasets.timing import due_at, late_check_at, settled_at
from evidence.errors import SourceDeniedError
from evidence.snapshot.canonical import parse_time
from evidence.snapshot.model import DAY
from evidence.store.check import check_store
from tests.standing import row_of

NIGHTS = [FIRST + n * DAY for n in range(3)]
HOUR = dt.timedelta(hours=1)
INSTANT = dt.timedelta(microseconds=1)
# Moments of events: anywhere in the three days, and right on, before and after each midnight.
moments = st.one_of(
    st.integers(0, 3 * 24 * 60 - 1).map(lambda minutes: START + minutes * dt.timedelta(minutes=1)),
    st.sampled_from([START + n * DAY + edge for n in range(4) for edge in (-INSTANT, 0 * INSTANT, INSTANT)]),
).filter(lambda at: START <= at < START + 3 * DAY)
# How late: at once, within the latency, after the first read, after settling; always before the check at 30 days.
delays = st.one_of(st.just(0), st.integers(0, 6), st.integers(6, 90), st.integers(90, 26 * 24)).map(
    lambda hours: hours * HOUR
)
faults = st.one_of(
    st.sampled_from([unavailable(), SourceDeniedError("no", fix="GRANT")]),
    st.tuples(st.sampled_from(["crash", "twice", "lose"]), st.integers(0, 5)),
)
waits = st.one_of(st.integers(0, 3), st.integers(12, 48))
deaths = st.tuples(st.integers(0, 12), st.sampled_from(["crash-before", "crash-after", "error-after"]))


class Arrivals(RuleBasedStateMachine):
    """One installation, and a source that the rules let rows arrive at."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="arrivals-"))
        self.ids = 0
        self.checked = set()
        self.verified = 0

    @initialize(counts=st.booleans())
    def install(self, counts):
        self.source = LiveSource(contracts=(EVENTS, STATE), counts=counts)
        self.collector = Collector(self.folder, self.source, (EVENTS, STATE))

    @precondition(lambda self: self.collector.now < START + 20 * DAY)
    @rule(at=moments, late=delays)
    def happen(self, at, late):
        """Rows arrive in the time to come: what the view showed before does not change after the fact."""
        self.ids += 1
        arrives = max(at + late, self.collector.now + INSTANT)
        self.source.rows.append(Row(self.ids, at, f"who-{self.ids}", arrives))

    @precondition(lambda self: self.collector.now < START + 20 * DAY)
    @rule(at=moments, late=delays, repeats=st.integers(1, 72))
    def shown_twice(self, at, late, repeats):
        """The view holds a row twice for some hours."""
        self.happen(at, late)
        row = self.source.rows[-1]
        self.source.rows.append(Row(row.id, at, row.who, row.arrives, row.arrives + repeats * HOUR))

    @rule(hours=waits)
    def wait(self, hours):
        self.collector.now += hours * HOUR

    @rule(later=waits)
    def run(self, later):
        self.wait(later)
        self.collector.run()

    @rule(trouble=st.lists(faults, min_size=1, max_size=4), later=waits)
    def run_in_trouble(self, trouble, later):
        """The source refuses, breaks off, delivers twice or loses a row; a crash in it is a death while spooling."""
        self.wait(later)
        self.source.fail = list(trouble)
        self.dying(self.collector.run)

    @rule(death=deaths, later=waits)
    def run_and_die(self, death, later):
        """A write to the outside is the last thing that happens, or its answer is lost."""
        self.wait(later)
        number, how = death
        self.dying(lambda: self.collector.run(lambda n, _what: how if n == number else None))

    @rule(stop=st.integers(0, 3), order=st.booleans(), later=waits)
    def start_twice(self, stop, order, later):
        """Two runs plan from the same log; one dies after ``stop`` nights, the other seals before or after it."""
        self.wait(later)
        one, two = self.collector.log(), self.collector.log()
        tasks = self.collector.plan(self.collector.index)
        first, second = list(self.collector.read(tasks)), list(self.collector.read(tasks))
        mine = [(one, batch) for batch in first[:stop]]
        theirs = [(two, batch) for batch in second]
        for log, batch in (*mine, *theirs) if order else (*theirs, *mine):
            self.collector.seal(log, batch, tasks)

    @precondition(lambda self: self.ids > 2 and self.collector.now < START + 250 * DAY)
    @rule()
    def month(self):
        """Time goes by, but not past the view's reach: what nobody read within a year cannot be read any more."""
        self.collector.now += 31 * DAY

    @invariant()
    def the_store_verifies(self):
        if hasattr(self, "collector") and self.verified != len(self.collector.store.objects):
            failed = [c for c in check_store(self.collector.store, trust=KEY.vkey) if c.ok is False]
            assert not failed, failed
            self.verified = len(self.collector.store.objects)

    @invariant()
    def a_gap_is_visible(self):
        """Every night that is due is complete and settled, or counted by `status` under the word for what it is."""
        if not hasattr(self, "collector"):
            return
        index, now = self.collector.index, self.collector.now
        shown = row_of("live", EVENTS, index, None, now)
        if shown["coverage"] is None:
            assert not list(index.every_revision())
            return
        assert shown["coverage"] == FIRST
        night, expected = shown["coverage"], Counter()
        while due_at(EVENTS, night) <= now:
            sealed = index.latest("live", EVENTS.name, night)
            expected["missing" if sealed is None else sealed.status] += 1
            expected["provisional"] += sealed is not None and not index.settled(sealed)
            if sealed is not None and sealed.status == "complete" and index.settled(sealed):
                assert index.looked_at(sealed) >= settled_at(EVENTS, night)
            night += DAY
        assert all(shown[word] == count for word, count in expected.items()), (shown, expected)

    @invariant()
    def complete_means_what_the_source_showed(self):
        """A revision that claims to be complete holds what the view showed when it was read, no row less or more."""
        if not hasattr(self, "collector"):
            return
        for sealed in self.collector.index.every_revision():
            if sealed.index in self.checked or sealed.status != "complete" or sealed.body["kind"] != "event":
                continue
            self.checked.add(sealed.index)
            read_at = parse_time(sealed.body["collected_at"])
            shown = [row for row in self.source.rows if row.shown(read_at)]
            assert self.collector.ids(sealed) == Counter(row.id for row in shown if row.at.date() == sealed.key.night)

    def dying(self, action):
        try:
            action()
        except (Crash, TimeoutError):
            pass
        finally:
            self.source.fail = []
            self.collector.anchor.faults.plan = lambda _n, _what: None

    def teardown(self):
        try:
            if hasattr(self, "collector"):
                self.settles_in_the_population_of_the_source()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def settles_in_the_population_of_the_source(self):
        """Quiet nights follow: two to settle, one for the check at 30 days, and those a correction needs."""
        collector = self.collector
        collector.run()
        for _ in range(3):
            collector.nightly(1)
        collector.now = max(collector.now, late_check_at(EVENTS, NIGHTS[-1]))
        collector.run()
        collector.nightly(2)
        index = collector.index
        keys = [entry.key for _, entry in collector.log().entries("snapshot")]
        assert len(keys) == len(set(keys))
        for night in NIGHTS:
            expected = Counter(row.id for row in self.source.rows if row.at.date() == night and row.leaves is None)
            latest = index.latest("live", EVENTS.name, night)
            assert collector.sealed(night) == expected, night
            assert latest.status == "complete"
            assert index.settled(latest), index.recounts(latest)
        shown = row_of("live", EVENTS, index, None, collector.now)
        assert (shown["missing"], shown["incomplete"]) == (0, 0)
        self.the_store_verifies()


COMMON = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes; a failure prints its own steps
}
TestArrivals = Arrivals.TestCase
TestArrivals.settings = settings(max_examples=15, stateful_step_count=12, **COMMON)


class Deeper(Arrivals):
    """The same, longer and more often."""


TestDeeper = pytest.mark.slow(pytest.mark.timeout(1500)(Deeper.TestCase))
TestDeeper.settings = settings(max_examples=100, stateful_step_count=40, **COMMON)

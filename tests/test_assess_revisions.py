"""Assessing again: a night that is added changes no sealed assessment, and a revision supersedes, it rewrites nothing."""

import datetime as dt
import itertools

from fakes.memory_store import MemoryAnchor, MemoryStore
from fakes.sealed_store import FIRST, KEY
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence import assess
from evidence.assess import StoreReader, sealed_findings
from evidence.control.model import Library
from evidence.control.register import Registers
from evidence.control.result import NightFinding, Observation
from evidence.snapshot.model import DAY
from evidence.store.index import Index
from evidence.store.log import Log

NOW = dt.datetime(2026, 7, 9, tzinfo=dt.UTC)
LIBRARY = Library("1", "0" * 64, {}, {}, {}, {})
RESULTS = st.sets(st.sampled_from("ABC"), max_size=3)
RUNS = st.lists(st.dictionaries(st.integers(0, 5), RESULTS, min_size=1, max_size=4), min_size=1, max_size=6)


def finding(night, items):
    failing = tuple(Observation(item, "fail", "idle") for item in sorted(items))
    return NightFinding(
        "c", "1", "0" * 64, night, "not-satisfied" if items else "satisfied", "high", 3, "0" * 64,
        passed=3 - len(items), exceptions=failing,
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(runs=RUNS)
def test_what_is_sealed_stays_and_the_highest_revision_is_what_was_found_last(runs):
    store, anchor, names = MemoryStore(), MemoryAnchor(), itertools.count()
    Log.init(store, KEY, anchors=[anchor])
    said, revisions = {}, {}
    for results in runs:
        log = Log.open(store, signer=KEY, anchors=[anchor])
        index = Index().catch_up(log)
        before = {path: body for path, body in store.objects.items() if path != "log/checkpoint"}  # the one that moves
        kept = {night: index.assessment(night) for night in said}
        reader = StoreReader(store, index, {}, {}, NOW)
        nights = {FIRST + DAY * number: items for number, items in sorted(results.items())}
        judged = [(night, [finding(night, items)]) for night, items in nights.items()]
        list(assess.seal(log, LIBRARY, Registers({}), reader, judged, lambda: f"a{next(names)}"))
        assert {path: store.objects[path] for path in before} == before, "an object was rewritten"
        after = Index().catch_up(log)
        for night, items in nights.items():
            moved = said.get(night) != items
            revisions[night] = revisions.get(night, -1) + moved
            said[night] = items
        for night, items in said.items():
            number, entry = after.assessment(night)
            assert entry.body["revision"] == revisions[night]
            assert {each.item for each in sealed_findings(store, after, night)[0].exceptions} == items
            if night not in nights:
                assert (number, entry) == kept[night], "a night that was not judged has another assessment"
        found = [entry.key for _, entry in log.entries("assessment")]
        assert sorted(found) == sorted(f"{night}/{n}" for night, last in revisions.items() for n in range(last + 1))

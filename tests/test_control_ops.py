"""Our own records as tables: what is missing is a row, what is not due waits, and late controls read sealed findings."""

import dataclasses
import datetime as dt
import itertools

import pytest
from fakes.memory_store import MemoryAnchor, MemoryStore
from fakes.sealed_store import KEY

from evidence import assess
from evidence.assess import StoreReader
from evidence.bag.exhibit import inputs_of
from evidence.control.definition import load_library
from evidence.control.engine import Engine
from evidence.control.evidence import Sealed, assessed_of
from evidence.control.model import Ops
from evidence.control.ops import look
from evidence.control.register import Registers
from evidence.control.result import Input, NightFinding, Observation
from evidence.datasets.load import load_contracts
from evidence.datasets.timing import overdue_at
from evidence.snapshot import canonical
from evidence.snapshot.model import DAY
from evidence.store.index import Index
from evidence.store.log import Log

NIGHT = dt.date(2026, 9, 1)
USERS, LOGINS = "snowflake.users", "snowflake.login_history"
CONTRACTS = {name: contract for name, contract in load_contracts().items() if name in {USERS, LOGINS}}
RECEIPT = {
    "status": "complete", "landed": 4, "quarantined": 1, "finality": "settled", "collected_at": "2026-09-02T03:01:00.000000Z",
    "source_totals": {"rows": 5}, "system": {"role": "EVIDENCE", "edition": "enterprise"}, "collector": {"version": "1.4.0"},
}  # fmt: skip


@dataclasses.dataclass
class Reader:
    """An ``EvidenceReader`` of one source."""

    sealed: dict
    known_at: dt.datetime = dt.datetime(2026, 9, 9, tzinfo=dt.UTC)
    start: dt.date = NIGHT - DAY
    nights: dict = dataclasses.field(default_factory=dict)

    def sources(self, dataset):
        return ("prod",)

    def coverage_start(self, source, dataset):
        return self.start

    def due(self, dataset, night):
        return overdue_at(CONTRACTS[dataset], night) <= self.known_at

    def snapshot(self, source, dataset, night):
        return self.sealed.get((dataset, night))

    def assessed(self, night):
        return self.nights.get(night)


def sealed(dataset, night, **changes):
    receipt = {**RECEIPT, **changes}
    used = Input("prod", dataset, night, 0, "a" * 64, "b" * 64, receipt["status"], receipt["landed"])
    return Sealed(used, receipt, dt.datetime(2026, 9, 2, 3, tzinfo=dt.UTC))


def finding(control, night, status="satisfied", items=(), reviews=()):
    def seen(names, result):
        return tuple(Observation(name, result, "r") for name in names)

    return NightFinding(
        control, "1.0.0", "c" * 64, night, status, "high",
        exceptions=seen(items, "fail"), reviews=seen(reviews, "review"), reason="" if status != "not-assessed" else "pending-review",
    )  # fmt: skip


def assessment(night, findings, revision=0, **more):
    return {
        "night": night.isoformat(), "revision": revision, "findings": [f.to_json() for f in findings],
        "library": {"version": "2026.1", "sha256": "d" * 64}, **more,
    }  # fmt: skip


def test_a_window_that_was_due_and_is_not_sealed_is_a_row():
    reader = Reader({(USERS, NIGHT): sealed(USERS, NIGHT)})
    looked = look(Ops(table="ops.receipts"), reader, CONTRACTS, NIGHT)
    rows = {row["dataset"]: row for row in looked.table.to_pylist()}
    assert rows[LOGINS]["status"] == "missing"
    assert rows[LOGINS]["landed"] is None
    users = rows[USERS]
    assert (users["status"], users["landed"], users["quarantined"], users["totals_agree"]) == ("complete", 4, 1, True)
    assert (users["role"], users["edition"], users["tool_version"]) == ("EVIDENCE", "enterprise", "1.4.0")
    assert users["captured_at"].isoformat() == "2026-09-02T03:00:00"
    assert [each.input.dataset for each in looked.sealed] == [USERS]
    assert looked.gaps == ()


@pytest.mark.parametrize(
    ("changes", "agree"),
    [
        ({"source_totals": {"rows": 4}}, False),
        ({"differences": ["NAME non_null 4 / 5"]}, False),
        ({"source_totals": None}, None),
    ],
)
def test_totals_agree_only_where_the_source_stated_some(changes, agree):
    reader = Reader({(USERS, NIGHT): sealed(USERS, NIGHT, **changes)})
    looked = look(Ops(table="ops.receipts", datasets=(USERS,)), reader, CONTRACTS, NIGHT)
    assert [row["totals_agree"] for row in looked.table.to_pylist()] == [agree]


def test_what_is_not_due_yet_is_a_gap_that_only_hides():
    reader = Reader({}, known_at=dt.datetime(2026, 9, 2, 1, tzinfo=dt.UTC))
    looked = look(Ops(table="ops.receipts"), reader, CONTRACTS, NIGHT)
    assert looked.table.num_rows == 0
    assert {(gap.why, gap.requirement.hides) for gap in looked.gaps} == {("pending", True)}


def test_before_coverage_nothing_is_expected_and_nothing_is_concluded():
    looked = look(Ops(table="ops.receipts", lookback_nights=3), Reader({}, start=NIGHT + DAY), CONTRACTS, NIGHT)
    assert [(gap.why, gap.requirement.hides) for gap in looked.gaps] == [("before-coverage", False)]
    nights = {row["night"] for row in look(Ops(table="ops.receipts", lookback_nights=3), Reader({}), CONTRACTS, NIGHT).table.to_pylist()}  # fmt: skip
    assert nights == {NIGHT - DAY, NIGHT}, "a covered night that was looked back to is expected too"


def test_findings_of_earlier_nights_and_the_nights_without():
    first = assessed_of(
        [(assessment(NIGHT - 3 * DAY, [finding("a-b", NIGHT - 3 * DAY, "not-satisfied", ["i"])]), "e" * 64)]
    )
    last = assessed_of(
        [(assessment(NIGHT - DAY, [finding("a-b", NIGHT - DAY), finding("c-d", NIGHT - DAY)]), "f" * 64)]
    )
    reader = Reader({}, nights={NIGHT - 3 * DAY: first, NIGHT - DAY: last})
    looked = look(Ops(table="ops.findings", lookback_nights=7), reader, CONTRACTS, NIGHT)
    rows = [(row["control"], (NIGHT - row["night"]).days, row["status"]) for row in looked.table.to_pylist()]
    assert rows == [
        ("a-b", 3, "not-satisfied"),
        ("a-b", 2, "missing"),
        ("a-b", 1, "satisfied"),
        ("c-d", 1, "satisfied"),
    ]
    named = [(i.input.source, i.input.dataset, i.input.night, i.input.manifest_sha256) for i in looked.sealed]
    assert named == [("log", "ops.findings", NIGHT - 3 * DAY, "e" * 64), ("log", "ops.findings", NIGHT - DAY, "f" * 64)]


def test_an_item_is_seen_since_the_first_night_of_its_run():
    nights = {}
    for back, status, items in ((4, "not-satisfied", ["i"]), (3, "not-assessed", []), (2, "not-satisfied", ["i", "j"]), (1, "not-satisfied", ["i"])):  # fmt: skip
        night = NIGHT - back * DAY
        nights[night] = assessed_of([(assessment(night, [finding("a-b", night, status, items)]), "e" * 64)])
    looked = look(Ops(table="ops.items", lookback_nights=7), Reader({}, nights=nights), CONTRACTS, NIGHT)
    rows = [(row["item"], (NIGHT - row["first_seen"]).days, row["nights"], row["open"]) for row in looked.table.to_pylist()]  # fmt: skip
    assert rows == [("i", 4, 3, True), ("j", 2, 1, False)]


def test_an_item_that_fails_on_for_another_reason_stands_since_its_first_night():
    nights = {}
    for back, reason in ((6, "r"), (5, ""), (4, "r"), (3, None), (2, "s"), (1, "s")):
        night = NIGHT - back * DAY
        plain = finding("a-b", night, "not-satisfied" if reason else "satisfied" if reason == "" else "not-assessed")
        seen = (Observation("i", "fail", reason),) if reason else ()
        found = dataclasses.replace(plain, exceptions=seen)
        nights[night] = assessed_of([(assessment(night, [found]), "e" * 64)])
    looked = look(Ops(table="ops.items", lookback_nights=7), Reader({}, nights=nights), CONTRACTS, NIGHT)
    rows = [(row["reason"], (NIGHT - row["first_seen"]).days, (NIGHT - row["standing_since"]).days, row["open"]) for row in looked.table.to_pylist()]  # fmt: skip
    assert rows == [("r", 6, 6, False), ("r", 4, 4, False), ("s", 2, 4, True)], (
        "an unknown night does not break the run"
    )


@pytest.mark.parametrize(("start", "why"), [(NIGHT, "before-coverage"), (NIGHT - DAY, "missing-evidence")])
def test_without_an_assessment_nothing_is_concluded(start, why):
    for table in ("ops.findings", "ops.items"):
        looked = look(Ops(table=table, lookback_nights=7), Reader({}, start=start), CONTRACTS, NIGHT)
        assert [(gap.why, gap.requirement.hides) for gap in looked.gaps] == [(why, False)]


def test_an_assessment_is_named_by_the_first_revision_that_said_the_same():
    early, late = finding("a-b", NIGHT), finding("p-q", NIGHT)
    changed = dataclasses.replace(late, population=9)
    revisions = [(assessment(NIGHT, [early, each], number, late=["p-q"]), f"{number}" * 64) for number, each in enumerate((late, changed))]  # fmt: skip
    found = assessed_of(revisions)
    assert (found.input.revision, found.input.manifest_sha256) == (0, "0" * 64)
    assert [f.control for f in found.findings] == ["a-b"], "findings about findings are not read"
    other = assessment(NIGHT, [dataclasses.replace(early, population=2), late], 2, late=["p-q"])
    assert assessed_of([*revisions, (other, "2" * 64)]).input.revision == 2
    assert assessed_of([]) is None


# --- sealing ------------------------------------------------------------------------------------------------------

CONTROL = """
id = "program-late"
version = "1.0.0"
title = "Late"
statement = "Reads what was concluded."
test = "Each control of the night before."
severity = "low"
mode = "state"
remediation = "None."

[[ops]]
table = "ops.findings"
lookback_nights = 3

[reasons]
no = "No."
"""
POPULATION = "select control || ' ' || night as item from ops.findings"
TEST = "select item, 'pass' as result, '' as reason, '' as observed, '' as expected from population"


def late_library(tmp_path):
    folder = tmp_path / "program" / "program-late"
    folder.mkdir(parents=True)
    (tmp_path / "library.toml").write_text('version = "1"\n')
    for name, text in (("control.toml", CONTROL), ("population.sql", POPULATION), ("control.sql", TEST)):
        (folder / name).write_text(text)
    return load_library([tmp_path])


def run(log, library, names):
    index = Index().catch_up(log)
    reader = StoreReader(log.store, index, CONTRACTS, {"prod": [USERS]}, dt.datetime(2026, 9, 9, tzinfo=dt.UTC))
    base = ((NIGHT + n * DAY, [finding("a-b", NIGHT + n * DAY)]) for n in range(3))
    with Engine() as engine:
        return dict(assess.seal(log, library, Registers({}), reader, base, lambda: f"n{next(names)}", engine=engine))


def test_late_controls_read_the_nights_sealed_before_in_the_same_run(tmp_path):
    log = Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()])
    library, names = late_library(tmp_path / "controls"), itertools.count()
    found = run(log, library, names)
    late = [next(f for f in found[NIGHT + n * DAY] if f.control == "program-late") for n in range(3)]
    assert [f.population for f in late] == [0, 1, 2]
    assert [f.status for f in late] == ["not-assessed", "satisfied", "satisfied"]
    size = log.size
    assert run(log, library, names) == found
    assert log.size == size, "the same again seals nothing"
    entry = Index().catch_up(log).assessment(NIGHT + 2 * DAY)[1]
    body = canonical.decode(log.store.get(entry.object.path), what="assessment")
    assert body["late"] == ["program-late"]
    assert body["log_size"] < body["earlier_log_size"]


def test_a_reason_that_changed_alone_is_a_new_assessment(tmp_path):
    log = Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()])
    late_library(tmp_path / "controls")
    names, bodies = itertools.count(), []
    for reason in ("first words", "other words", "other words"):
        overlay = {"controls": {"program-late": {"reason": reason, "severity": "high"}}}
        run(log, load_library([tmp_path / "controls"], overlay), names)
        _, entry = Index().catch_up(log).assessment(NIGHT)
        bodies.append(canonical.decode(log.store.get(entry.object.path), what="assessment"))
    first, second, same = bodies
    assert (second["revision"], second["cause"]) == (1, "configuration changed, results did not")
    assert second["findings"] == first["findings"]
    assert {first["configuration"], second["configuration"]} == {e.key for _, e in log.entries("configuration")}
    assert same == second, "the same again seals nothing"


def test_a_packet_knows_assessments_as_inputs():
    value = assessment(NIGHT, [finding("a-b", NIGHT)])

    class Shown:
        manifest, folder, body = None, "x", canonical.encode(value)
        entry = type("E", (), {"type": "assessment"})

    used = assessed_of([(value, "e" * 64)]).input
    place = (used.source, used.dataset, used.night.isoformat())
    assert inputs_of({"x": Shown()})[place] == {(used.status, used.rows, used.rows_digest)}

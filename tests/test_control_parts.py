"""Many events of a night are a table of their own: loaded once for all who look at that night or back at it, the same rows either way."""

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest

from evidence.control import windows
from evidence.control.cases import run_cases
from evidence.control.definition import load_library
from evidence.control.engine import Engine, assess_night
from evidence.control.factcases import run_fact_cases
from evidence.control.loaded import Slots
from evidence.control.made import MadeEvidence
from evidence.control.night import Night
from evidence.control.register import Registers
from evidence.control.windows import Shown, Windows

ROOT = Path(__file__).resolve().parent.parent / "controls"
DAY = dt.date(2026, 9, 2)
HISTORY = "snowflake.access_history"
LOOKING_BACK = (
    "access-admin-use",
    "data-phi-access-role",
    "monitor-bruteforce",
)  # with the fact of PHI reads, and without
MORE = ("change-prod-ddl", "data-phi-bulk-read", "data-phi-unload", "data-select-star")


@pytest.fixture(scope="module")
def library():
    return load_library([ROOT])


@pytest.fixture
def parted(monkeypatch):
    """Take every night apart, and return the slots of parts that were looked at."""
    seen = set()
    held = Slots.held

    def spied(self, slot, table, *, alone=False):
        seen.update({slot} if alone else ())
        return held(self, slot, table, alone=alone)

    monkeypatch.setattr(windows, "PARTED_ROWS", 0)
    monkeypatch.setattr(Slots, "held", spied)
    return seen


@pytest.mark.parametrize("control", [*LOOKING_BACK, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)])
def test_cases_come_out_the_same_over_nights_apart(library, parted, control):
    assert [result for result in run_cases(library, control) if not result.ok] == []
    assert len(parted) >= 2


@pytest.mark.parametrize("fact", ["phi_access", "prod_statement"])
def test_facts_come_out_the_same_over_nights_apart(library, parted, fact):
    assert [result for result in run_fact_cases(library, fact) if not result.ok] == []
    assert parted >= {f"snowflake.access_history, night {number}" for number in (0, 1)}


def test_a_night_is_loaded_once_and_looked_back_at_where_it_is(library, monkeypatch):
    monkeypatch.setattr(windows, "PARTED_ROWS", 2)
    loads = []
    load = Slots._load
    monkeypatch.setattr(
        Slots, "_load", lambda self, held: (loads.append(held.rows.table.num_rows), load(self, held))[1]
    )
    rows = [
        {"night": DAY + dt.timedelta(back), "query_id": f"{back}-{number}"}
        for back in (-1, 0, 1)
        for number in range(3 + back)
    ]
    own = {"snowflake.access_history": rows}
    controls = [library.control(name) for name in ("data-phi-lineage", "data-phi-bulk-read")]
    evidence = {
        name: {each.dataset: each for each in control.evidence}["snowflake.access_history"]
        for name, control in zip("01", controls, strict=True)
    }
    with Engine() as engine:

        def counted(today, room):
            made = MadeEvidence(library.contracts, today, dt.datetime(2026, 9, 9, tzinfo=dt.UTC), own)
            run = Night(library, Registers({}), made, today, made.captured_at, engine.select, controls)
            return [
                engine.select(
                    "select query_id from a.h order by 1", {"a.h": run.windows.shown(evidence[name])}, f"{room}{name}"
                ).num_rows
                for name in "01"
            ]

        assert counted(DAY, "x") == [3, 5]
        assert sorted(loads) == [2, 3], "the night before is loaded for the one who looks back, tonight once for both"
        loads.clear()
        assert counted(DAY + dt.timedelta(1), "x") == [4, 7]
        assert loads == [4], "last night is still there"
        assert counted(DAY + dt.timedelta(1), "x") == [4, 7]


def test_the_night_before_is_let_go_once_a_night_is_judged(library, monkeypatch):
    monkeypatch.setattr(windows, "PARTED_ROWS", 1)
    control = library.control("data-phi-bulk-read")
    rows = [{"night": DAY - dt.timedelta(back), "query_id": f"{back}"} for back in (0, 1)]
    made = MadeEvidence(library.contracts, DAY, dt.datetime(2026, 9, 9, tzinfo=dt.UTC), {HISTORY: rows})
    (history,) = (each for each in control.evidence if each.dataset == HISTORY)
    with Engine() as engine:
        run = Night(library, Registers({}), made, DAY, made.captured_at, engine.select, [control])
        asked = "select query_id from a.h order by 1", {"a.h": run.windows.shown(history)}
        assert engine.select(*asked).num_rows == 2
        assert run.windows.behind == [f"{HISTORY}, night {(DAY - dt.timedelta(1)).toordinal() % 2}"]
        engine.let_go(run.windows.behind)
        assert list(engine._slots._held) == [f"{HISTORY}, night {DAY.toordinal() % 2}"]
        assert len(engine._connection.execute("FROM duckdb_tables()").fetchall()) == 1
        engine.let_go(run.windows.behind)  # nothing is there any longer
        assert engine.select(*asked)["query_id"].to_pylist() == ["0", "1"]
        assert engine.select(asked[0].replace(" order", "  order"), asked[1])["query_id"].to_pylist() == ["0", "1"]


def test_an_assessment_lets_go_of_the_night_before(library, monkeypatch):
    made = MadeEvidence(library.contracts, DAY, dt.datetime(2026, 9, 9, tzinfo=dt.UTC), {})
    monkeypatch.setattr(Windows, "behind", property(lambda self: [f"before {self._night}"]))
    let_go = []
    monkeypatch.setattr(Engine, "let_go", lambda self, slots: let_go.extend(slots))
    assess_night(library, Registers({}), made, DAY, known_at=made.captured_at, controls=["data-phi-bulk-read"])
    assert let_go == [f"before {DAY}"]


def test_rows_of_parts_are_asked_again_when_they_are_others():
    def shown(*names):
        tables = [pa.table({"name": [name]}) for name in names]
        return {
            "t": Shown("t", pa.concat_tables(tables), parts=tuple((f"t{n}", table) for n, table in enumerate(tables)))
        }

    with Engine() as engine:
        for names in (("ANN", "BOB"), ("ANN", "CID"), ("CID", "ANN"), ("DAN",)):
            found = engine.select("select name from t order by 1", shown(*names))
            assert found["name"].to_pylist() == sorted(names)

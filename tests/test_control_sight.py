"""A statement sees the columns it names, and is answered from before only if all it sees is as it was."""

import datetime as dt

import pyarrow as pa
import pytest

from evidence.control.engine import Engine
from evidence.control.sight import Sight, sight_of
from evidence.control.windows import Shown

DAY = dt.date(2026, 9, 1)
COLUMNS = ("name", "kind", "night", "captured_at")


@pytest.fixture(scope="module")
def sight():
    with Engine() as engine:
        yield lambda sql: sight_of(sql, engine._spelled)


@pytest.mark.parametrize(
    ("sql", "seen"),
    [
        ("select name from a.t", ("name",)),
        ("select NAME from a.t where night = date '2026-09-01'", ("name", "night")),
        ("select count(*) from a.t", ()),
        ("select * from a.t", ("name", "kind")),
        ("select *, captured_at from a.t", ("name", "kind", "captured_at")),
        ("select t.* from a.t join b.u on true", ("name", "kind")),
        ("with x as (select name from a.t) select * from x", ("name",)),
        ("with x as (select * from a.t) select name from x", ("name", "kind")),
        ("select name from b.u where exists (select * from a.t)", ("name", "kind")),
        ("select 1 from b.u union all select * from a.t", ("name", "kind")),
        ("select columns('na.*') from a.t", ("name", "kind")),
        ("select to_json(w) from a.t w", ("name", "kind")),
        ("select t from a.t", ("name", "kind")),
        ("select 1 from b.u natural join a.t", ("name", "kind")),
        ("from a.t", ("name", "kind")),
        ("select (select max(kind) from a.t)", ("kind",)),
        ("this does not parse", ("name", "kind")),
    ],
)  # fmt: skip
def test_a_table_is_seen_with_the_columns_that_are_named(sight, sql, seen):
    assert sight(sql).columns("a.t", COLUMNS) == seen


def test_without_a_syntax_tree_everything_but_the_clock_is_seen():
    assert Sight.of("select 1", '{"error": true}').columns("a.t", COLUMNS) == ("name", "kind")


def test_a_text_is_looked_through_once_in_a_process(monkeypatch):
    asked = []

    def spelled(sql):
        asked.append(sql)
        return '{"error": true}'

    monkeypatch.setattr("evidence.control.sight._KNOWN", {})
    monkeypatch.setattr("evidence.control.sight._MOST", 2)
    for sql in ("one", "one", "two", "three", "three", "one"):
        sight_of(sql, spelled)
    assert asked == ["one", "two", "three", "one"]  # the oldest makes room


def users(night, names=("ANN", "BOB")):
    return pa.table({"name": list(names), "night": pa.array([night] * len(names), pa.date32())})


def asked(engine, monkeypatch):
    runs = []
    run = engine._run

    def counted(statement, room, seen):
        runs.append(room)
        return run(statement, room, seen)

    monkeypatch.setattr(engine, "_run", counted)
    return runs


@pytest.mark.parametrize(
    ("sql", "second", "runs"),
    [
        ("select name from s.u order by 1", users(DAY + dt.timedelta(1)), 1),  # another night, nothing asks for it
        ("select name, night from s.u order by 1", users(DAY + dt.timedelta(1)), 2),
        ("select name from s.u order by 1", users(DAY, ("ANN", "EVE")), 2),
        ("select name from s.u order by 1", users(DAY, ("ANN", None)), 2),
        ("select count(*) as n from s.u", users(DAY, ("ANN",)), 2),  # no column is named: the rows count
        ("select count(*) as n from s.u", users(DAY, ("EVE", "KIM")), 1),
        ("select night from s.u order by 1", users(DAY, ("EVE", "KIM")), 1),
        ("select name from s.u order by 1", pa.table({"name": pa.array([b"ANN", b"BOB"])}), 2),  # other type, same bytes
        ("select name from s.u order by 1", users(DAY, ("ANNB", "OB")), 2),
    ],
)  # fmt: skip
def test_a_statement_runs_again_if_anything_it_sees_has_moved(monkeypatch, sql, second, runs):
    with Engine() as engine:
        counted = asked(engine, monkeypatch)
        engine.select(sql, {"s.u": Shown("u", users(DAY))}, "one")
        got = engine.select(sql, {"s.u": Shown("u", second)}, "one")
        assert len(counted) == runs
    with Engine() as fresh:
        assert got.equals(fresh.select(sql, {"s.u": Shown("u", second)}, "one"))


def test_only_the_last_answer_counts_and_only_for_the_one_who_asked(monkeypatch):
    first, second = users(DAY), users(DAY, ("EVE", "KIM"))
    sql = "select name from s.u order by 1"
    with Engine() as engine:
        counted = asked(engine, monkeypatch)
        for room, table in (("one", first), ("two", first), ("one", second), ("one", first), ("two", first)):
            rows = engine.select(sql, {"s.u": Shown("u", table)}, room)
            assert rows["name"].to_pylist() == table["name"].to_pylist()
        assert counted == ["one", "two", "one", "one"]


def test_the_clock_is_there_for_a_statement_that_names_it():
    params = pa.table(
        {
            "limit_days": [90],
            "as_of": pa.array([1_788_318_000_000_000], pa.timestamp("us")),
            "night": pa.array([DAY], pa.date32()),
        }
    )
    with Engine() as engine:

        def columns(sql):
            return engine.select(sql, {"params": Shown("p", params)}).column_names

        assert columns("select * from params") == ["limit_days"]
        assert columns("select as_of as asked, * from params") == ["asked", "limit_days", "as_of"]
        assert engine.select("select 1 as one from params", {"params": Shown("p", params)}).num_rows == 1

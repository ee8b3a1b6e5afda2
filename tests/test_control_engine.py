"""The engine holds whatever text it is given: tests try to reach files, settings, other tables and the evidence itself."""

import datetime as dt

import pyarrow as pa
import pytest
from test_control_cases import POPULATION, TEST, write

from evidence.control.definition import load_library
from evidence.control.engine import LOCKED, Engine, assess_night, select
from evidence.control.made import MadeEvidence, registers_of
from evidence.control.windows import Shown
from evidence.errors import ControlError

NIGHT = dt.date(2026, 9, 1)
CAPTURED = dt.datetime(2026, 9, 2, 3, tzinfo=dt.UTC)
USERS = pa.table({"name": ["ANN", "BOB"], "created_on": pa.array([CAPTURED] * 2, pa.timestamp("us", tz="UTC"))})


@pytest.fixture(scope="module")
def engine():
    with Engine() as opened:
        yield opened


@pytest.mark.parametrize(
    "sql",
    [
        "select * from '{file}'", "select * from read_csv('{file}')", "select * from read_text('{file}')",
        "select * from read_blob('{file}')", "select * from glob('{folder}/*')", "select * from sniff_csv('{file}')",
        "select * from parquet_metadata('{file}')", "select * from read_parquet('{file}')", "select * from read_json('{file}')",
        "copy (select 1) to '{file}'", "copy snowflake.users to '{file}'", "export database '{folder}/x'",
        "attach '{folder}/x.db'", "attach '{folder}/x.db' as x; select 1", "install httpfs", "load httpfs",
        "set threads = 1", "set enable_external_access = true", "reset memory_limit", "pragma enable_profiling",
        "create table x as select 1", "create view x as select 1", "create macro f() as 1", "insert into snowflake.users values (1)",
        "drop view snowflake.users", "delete from snowflake.users", "update snowflake.users set name = 'x'", "call pragma_version()",
        "with x as (insert into _input_0 values ('x', now()) returning *) select * from x",
        "select 1; select 2", "", "-- nothing", "begin; select 1", "commit", "prepare p as select 1", "execute p",
        "explain select 1", "explain analyze select 1", "vacuum", "checkpoint", "set variable x = 1", "use memory",
        "select * from query('copy (select 1) to ''{file}''')", "select * from query('drop view snowflake.users')",
        "select getenv('HOME')", "select * from secret", "select * from local_table", "select * from pandas_scan(0)",
        "select * from arrow_scan(1, 2, 3)", "select * from duckdb_secrets()", "import database '{folder}'",
        "select * from read_csv('https://127.0.0.1:1/x.csv')", "select * from 's3://bucket/x.parquet'",
        "select * from fact.person", "select no_such_column from snowflake.users", "select error('boom')",
    ],
)  # fmt: skip
def test_nothing_gets_out_or_in(engine, tmp_path, sql):
    file = tmp_path / "evidence.csv"
    file.write_text("sealed\n1\n")
    local_table = pa.table({"a": [1]})
    with pytest.raises(ControlError):
        engine.select(sql.format(file=file, folder=tmp_path), {"snowflake.users": USERS})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evidence.csv"]
    assert file.read_text() == "sealed\n1\n"
    assert local_table.num_rows == 1
    assert engine.select("select name from snowflake.users order by 1", {"snowflake.users": USERS}).num_rows == 2


def test_only_what_is_handed_in_exists(engine):
    assert engine.select("select 1 from fact.person", {"fact.person": USERS}).num_rows == 2
    for gone in ("fact.person", "_input_0", "snowflake.users"):
        with pytest.raises(ControlError, match="does not exist"):
            engine.select(f"select * from {gone}", {})


def test_rooms_do_not_see_each_other_and_tables_follow_their_slot(engine):
    first, second = pa.table({"a": [1]}), pa.table({"a": [2]})
    assert engine.select("select a from s.t", {"s.t": first}, "one").to_pylist() == [{"a": 1}]
    assert engine.select("select a from s.u", {"s.u": second}, "two").to_pylist() == [{"a": 2}]
    with pytest.raises(ControlError, match="does not exist"):
        engine.select("select a from s.t", {"s.u": second}, "two")
    assert engine.select("select a from s.t", {"s.t": second}, "one").to_pylist() == [{"a": 2}]
    other = pa.table({"b": ["x"], "a": [3]})
    assert engine.select("select * from s.t", {"s.t": Shown("s.t", other, ("b",))}, "one").to_pylist() == [{"b": "x"}]
    with pytest.raises(ControlError, match='"a" not found'):
        engine.select("select a from s.t", {"s.t": Shown("s.t", other, ("b",))}, "one")


def test_a_statement_that_runs_again_reads_what_is_there_then():
    """What runs a statement is kept; what it read never is, whatever the shape of the statement or of its tables."""
    statements = [
        "select name from t order by name ;",
        "-- first\nwith x as (select * from t) from x order by name -- last",
        "select count(*) as name from t union all select n from (values (0)) v(n) order by name",
    ]
    with Engine(remember=False) as engine:
        for sql in statements:
            for room in ("a", "b"):
                for names in (["ANN"], [], ["BOB", "CID"]):
                    rows = engine.select(sql, {"t": pa.table({"name": pa.array(names, pa.string())})}, room)
                    wanted = [0, len(names)] if "count" in sql else names
                    assert rows.column("name").to_pylist() == wanted, (sql, room)
            wider = engine.select(sql, {"t": pa.table({"name": ["ANN"], "more": [1]})}, "a")
            assert ("more" in wider.column_names) == ("*" in sql and "count" not in sql)
            with pytest.raises(ControlError, match="does not exist"):
                engine.select(sql, {}, "c")


@pytest.mark.parametrize(
    "sql",
    [
        "select * from query((select 'select 1'))",
        "select * from query_table((select table_name from duckdb_tables() limit 1))",
        "select * from query((select 'select * from ' || table_name from duckdb_tables() where table_name like '%' limit 1))",
    ],
)
def test_names_that_are_found_at_run_time_cannot_be_read(engine, sql):
    engine.select("select a from s.t", {"s.t": pa.table({"a": [1]})}, "elsewhere")
    with pytest.raises(ControlError):
        engine.select(sql, {}, "thief")


def test_the_configuration_stays_locked(engine):
    found = engine.select(
        "select name, value from duckdb_settings() where name in "
        "('enable_external_access', 'lock_configuration', 'python_enable_replacements', 'autoload_known_extensions')",
        {},
    )
    assert {row["name"]: row["value"] for row in found.to_pylist()} == {
        "enable_external_access": "false",
        "lock_configuration": "true",
        "python_enable_replacements": "false",
        "autoload_known_extensions": "false",
    }


def test_times_come_without_zone_in_utc(engine):
    found = engine.select(
        "select created_on, created_on - to_days(1) as before from snowflake.users limit 1", {"snowflake.users": USERS}
    )
    assert found.to_pylist() == [{"created_on": dt.datetime(2026, 9, 2, 3), "before": dt.datetime(2026, 9, 1, 3)}]  # noqa: DTZ001


def test_a_statement_without_end_is_stopped_and_the_engine_lives_on():
    with Engine(time_limit=0.3) as engine:
        with pytest.raises(ControlError, match="took longer"):
            engine.select("select count(*) from range(100000000000) a, range(1000) b", {})
        assert engine.select("select 1 as one", {}).to_pylist() == [{"one": 1}]


def test_a_result_without_end_is_stopped():
    with Engine(result_limit=1 << 20) as engine:
        with pytest.raises(ControlError, match="larger than"):
            engine.select("select * from range(100000000000)", {})
        assert engine.select("select 1 as one", {}).to_pylist() == [{"one": 1}]


def test_what_goes_wrong_in_the_last_row_is_the_controls_error_too():
    names = pa.table({"name": ["1", "2"] * 200_000 + ["x"]})
    with Engine() as engine:
        with pytest.raises(ControlError, match="Could not convert string"):
            engine.select("select name::int as number from names", {"names": names})
        assert engine.select("select 1 as one", {}).to_pylist() == [{"one": 1}]


def test_what_needs_more_memory_than_there_is_ends_and_nothing_is_written_down(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # DuckDB puts what it cannot hold into a folder .tmp where it was started
    monkeypatch.setitem(LOCKED, "memory_limit", "100MB")
    with Engine(threads=1) as engine:
        with pytest.raises(ControlError, match=r"[Mm]emory"):
            engine.select("SELECT count(DISTINCT hash(range)) AS n FROM range(20000000)", {})
        assert engine.select("SELECT 1 AS n", {}).to_pylist() == [{"n": 1}]
    assert list(tmp_path.iterdir()) == []


def test_select_opens_an_engine_of_its_own():
    assert select("select count(*) as n from snowflake.users", {"snowflake.users": USERS}).to_pylist() == [{"n": 2}]


def run(tmp_path, rows, *, controls=None, **changes):
    library = load_library([write(tmp_path, **changes)])
    made = MadeEvidence(library.contracts, NIGHT, CAPTURED, {"snowflake.users": rows})
    return assess_night(library, registers_of({}, NIGHT), made, NIGHT, known_at=CAPTURED, controls=controls)


GOOD_ROWS = [{"name": "ANN", "has_mfa": True}, {"name": "BOB", "has_mfa": True}]


def test_a_night_that_passes(tmp_path):
    [finding] = run(tmp_path, GOOD_ROWS)
    assert (finding.status, finding.population, finding.passed, finding.exceptions) == ("satisfied", 2, 2, ())
    assert [(i.source, i.dataset) for i in finding.inputs] == [("snowflake", "snowflake.users")]
    assert finding.parameters == {"grace_hours": 24}


def test_the_same_evidence_in_any_order_gives_the_same_finding(tmp_path):
    rows = [*GOOD_ROWS, {"name": "EVE"}, {"name": "MAX", "has_mfa": False}]
    first = run(tmp_path, rows)
    assert [f.to_json() for f in first] == [f.to_json() for f in run(tmp_path, rows[::-1])]
    assert [o.item for o in first[0].exceptions] == ["EVE", "MAX"]


@pytest.mark.parametrize(
    ("control_sql", "said"),
    [
        ("select item, 'pass' as result, '' as reason, '' as observed, '' as expected from population where item = 'ANN'", "'BOB'"),
        ("select item || '!' as item, 'pass' as result, '' as reason, '' as observed, '' as expected from population", "not in the"),
        ("select item, null as result, '' as reason, '' as observed, '' as expected from population", "result of 'ANN' is None"),
        ("select item, 'ok' as result, '' as reason, '' as observed, '' as expected from population", "is 'ok'"),
        ("select item, 'fail' as result, 'odd' as reason, '' as observed, '' as expected from population", "reason of 'ANN' is 'odd'"),
        ("select item, 'fail' as result, null as reason, '' as observed, '' as expected from population", "reason of 'ANN'"),
        ("select item, 'pass' as result, '' as reason, '' as observed from population", "columns are"),
        ("select null::varchar as item, 'pass' as result, '' as reason, '' as observed, '' as expected from population", "NULL"),
        (
            "select p.item, 'pass' as result, '' as reason, '' as observed, '' as expected from population p, population q",
            "more than once",
        ),
        ("select item, 'fail' as result, 'unknown-value' as reason, 1::double as observed, '' as expected from population", "float"),
        ("select * from '/etc/passwd'", "does not exist"),
        ("selec", "syntax error"),
    ],
)  # fmt: skip
def test_a_control_that_errs_is_not_assessed(tmp_path, control_sql, said):
    [finding] = run(tmp_path, GOOD_ROWS, control_sql=control_sql)
    assert (finding.status, finding.reason) == ("not-assessed", "control-error")
    assert said in finding.detail


@pytest.mark.parametrize(
    ("population_sql", "said"),
    [
        ("select name as item from snowflake.users union all select name from snowflake.users", "more than once"),
        ("select nullif(name, 'BOB') as item, has_mfa, created_on from snowflake.users", "NULL"),
        ("select 1 as item, has_mfa, created_on from snowflake.users", "not text"),
        ("select name from snowflake.users", "no column item"),
        ("select name as item, owner from snowflake.users", "owner"),
        ("select name as item, has_mfa, created_on, has_mfa from snowflake.users", "more than one column has_mfa"),
    ],
)
def test_a_population_that_errs_is_not_assessed(tmp_path, population_sql, said):
    [finding] = run(tmp_path, GOOD_ROWS, population_sql=population_sql)
    assert (finding.status, finding.reason) == ("not-assessed", "control-error")
    assert said in finding.detail


def test_a_broken_fact_breaks_its_own_controls_only(tmp_path):
    [finding] = run(tmp_path, GOOD_ROWS, person_sql="select nothing from snowflake.users")
    assert finding.reason == "control-error"
    assert "fact person" in finding.detail


def test_nobody_in_scope_is_not_assessed_unless_the_control_says_so(tmp_path):
    robots = [{"name": "R", "type": "SERVICE"}]
    [finding] = run(tmp_path, robots)
    assert (finding.status, finding.reason) == ("not-assessed", "empty")
    from test_control_cases import CONTROL

    head = CONTROL.replace(
        'mode = "state"', 'mode = "state"\nempty_population = "not-applicable"\nempty_reason = "none there"'
    )
    [finding] = run(tmp_path, robots, control_toml=head)
    assert (finding.status, finding.detail) == ("not-applicable", "none there")


def test_undeclared_columns_do_not_exist(tmp_path):
    [finding] = run(tmp_path, GOOD_ROWS, population_sql=POPULATION.replace("u.has_mfa", "u.type, u.has_mfa"))
    assert finding.reason == "control-error"


def test_an_unknown_control_is_refused(tmp_path):
    with pytest.raises(ControlError, match="no control"):
        run(tmp_path, GOOD_ROWS, controls=["identity-none"])


def test_facts_are_computed_once_a_night(tmp_path, monkeypatch):
    from test_control_cases import CONTROL

    root = write(tmp_path)
    for name in ("org-one", "org-two"):
        folder = root / "org" / name
        folder.mkdir(parents=True)
        (folder / "control.toml").write_text(CONTROL.replace('id = "identity-two"', f'id = "{name}"'))
        (folder / "population.sql").write_text(POPULATION)
        (folder / "control.sql").write_text(TEST)
    library = load_library([root])
    made = MadeEvidence(library.contracts, NIGHT, CAPTURED, {"snowflake.users": GOOD_ROWS})
    ran = []
    real = Engine.select
    monkeypatch.setattr(
        Engine, "select", lambda self, sql, tables, room="": ran.append(sql) or real(self, sql, tables, room)
    )
    findings = assess_night(library, registers_of({}, NIGHT), made, NIGHT, known_at=CAPTURED)
    assert [f.status for f in findings] == ["satisfied"] * 3
    assert ran.count(library.facts["person"].sql) == 1

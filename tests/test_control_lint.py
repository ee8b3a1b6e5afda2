"""SQL whose answer depends on time, chance, order or floats is refused before it runs."""

import pytest
from test_control_cases import TEST, write

from evidence.control.definition import load_library
from evidence.control.lint import lint_library
from evidence.control.sqlrules import check_sql

DECLARED = frozenset({"snowflake.users", "params", "population"})


@pytest.mark.parametrize(
    "sql",
    [
        "select now()", "select current_date", "select CURRENT_TIMESTAMP", "select get_current_timestamp()", "select today()",
        "select random()", "select uuid()", "select gen_random_uuid()", "select current_setting('threads')",
        "select getvariable('x')", "select current_user", "select version()",
        "select 1 / 2", "select 1::double", "select cast(1 as float)", "select 1e3", "select avg(name) from snowflake.users",
        "select median(1)", "select timestamptz '2026-01-01 00:00:00+00'",
        "select string_agg(name, ',') from snowflake.users", "select list(name) from snowflake.users",
        "select any_value(name) from snowflake.users", "select first(name) from snowflake.users",
        "select arg_max(name, owner) from snowflake.users", "select mode(name) from snowflake.users",
        "select array_agg(name) from snowflake.users", "select approx_count_distinct(name) from snowflake.users",
        "select row_number() over (partition by name) from snowflake.users",
        "select name from snowflake.users limit 1", "select distinct on (name) name from snowflake.users",
        "select * from snowflake.users using sample 1", "select * from snowflake.users tablesample 10%",
        "select * from 'x.parquet'", "select * from read_csv('/etc/passwd')", "select * from glob('*')", "from 'a.csv'",
        "select * from query('select 1')", "select * from query_table('snowflake.users')", "select * from duckdb_settings()",
        "select * from read_text('/etc/passwd')", "select * from snowflake.roles", "select * from other",
        "select 1; select 2", "copy (select 1) to 'x'", "attach 'x.db'", "pragma version", "set threads = 4", "install httpfs",
        "create table x as select 1", "with x as (insert into snowflake.users values (1) returning *) select * from x",
        "select case when name = 'x' then 'fail' else 'pass' end from snowflake.users", "select from where", "",
        "call pragma_version()", "drop view snowflake.users",
    ],
)  # fmt: skip
def test_refused(sql):
    assert list(check_sql(sql, DECLARED)), sql


@pytest.mark.parametrize(
    "sql",
    [
        "select u.name from snowflake.users u, params where u.created_on > params.as_of - to_days(90)",
        "with a as (select name, count(*) as n from snowflake.users group by all) select name from a where n // 2 > 1",
        "select string_agg(name, ', ' order by name) from snowflake.users",
        "select list(name order by name) from snowflake.users",
        "select arg_max(name, owner order by name) from snowflake.users",
        "select name, row_number() over (partition by owner order by name) from snowflake.users",
        "select name from snowflake.users order by name limit 1",
        "select unnest(params.admin_roles) as role from params",
        "select t.x from params, unnest(params.admin_roles) as t(x)",
        "select min(name), max(owner), sum(1), 1.5 from snowflake.users",
        "with recursive r as (select 1 as n union all select n + 1 from r where n < 3) select n from r",
        "select case when name is not null then 'pass' else 'fail' end from snowflake.users",
        "select x from generate_series(1, 3) as g(x)",
    ],
)
def test_accepted(sql):
    assert list(check_sql(sql, DECLARED)) == []


def test_a_sound_library_has_no_problem(tmp_path):
    assert lint_library(load_library([write(tmp_path)])) == []


@pytest.mark.parametrize(
    ("change", "file", "said"),
    [
        ({"control_sql": TEST.replace("from population", "from populations")}, "control.sql", "not declared"),
        ({"control_sql": TEST.replace("has_mfa as observed", "has_mf as observed")}, "identity-two", "has_mf"),
        ({"control_sql": "select * from population"}, "control.sql", "says *"),
        ({"person_sql": "select name, 1::double as x from snowflake.users"}, "person.sql", "float"),
        ({"person_sql": "select name, {{ x }} from snowflake.users"}, "person.sql", "templating"),
        ({"good_toml": "why = 'x'"}, "good.toml", "expect"),
    ],
)
def test_problems_name_file_and_line(tmp_path, change, file, said):
    problems = lint_library(load_library([write(tmp_path, **change)]))
    assert any(file in p.file and said in p.message for p in problems), problems


def test_the_line_is_named(tmp_path):
    sql = "select item,\n result,\n now() as reason, '' as observed, '' as expected from population"
    problems = lint_library(load_library([write(tmp_path, control_sql=sql)]))
    assert any(p.line == 3 and "clock" in p.message for p in problems), problems

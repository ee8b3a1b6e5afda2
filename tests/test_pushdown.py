"""Control SQL in Snowflake's dialect: each construct that is allowed means the same on both engines; what is not allowed is refused by name.

The emulator is DuckDB behind sqlglot's other direction, so equality there proves the round trip of the text. That Snowflake means the same rests on
the pages that ``evidence/control/pushdown/constructs.toml`` names.
"""

import dataclasses
import datetime as dt
import runpy
from pathlib import Path

import pyarrow as pa
import pytest
import snowflake.connector

from evidence.control.cases import case_files, parse_case, prepared
from evidence.control.definition import load_library
from evidence.control.engine import Engine
from evidence.control.made import registers_of
from evidence.control.night import Night
from evidence.control.pushdown.letters import PLAIN
from evidence.control.pushdown.night import PushedNight
from evidence.control.pushdown.patterns import whole
from evidence.control.pushdown.refusal import RefusedError
from evidence.control.pushdown.remote import SESSION, Remote
from evidence.control.pushdown.transpile import constructs, qualified, transpile
from evidence.errors import ControlError

pytest_plugins = ["tests.servers.fixtures"]

ROOT = Path(__file__).parent.parent
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "engines_page.py"))
PLACE = {"account": "TESTACCT", "user": "EVIDENCE", "password": "pw", "host": "127.0.0.1", "protocol": "http"}
D, T = dt.date, dt.datetime
TEXT, TIME = pa.string(), pa.timestamp("us")
MEMBERS = pa.list_(pa.struct({"name": TEXT, "place": pa.int64(), "parts": pa.list_(TEXT)}))
PROBE = pa.table(
    {
        "k": pa.array([f"k{n}" for n in range(8)]),
        "t": pa.array(["a", "ab", "Grün é", "", None, "line\ntwo", " \u00a0pad ", "a"]),
        "u": pa.array(["a", "b", None, "", "ab", "x", "Ж", "b"]),
        "w": pa.array(["a.b.c", "x", "", None, ".", "a..b", "p.q", "a.b.c"]),
        "i": pa.array([1, 2, None, 0, -7, 40, 3, 1], pa.int64()),
        "j": pa.array([1, 1, 2, None, -7, 5, 1, 2], pa.int64()),
        "b": pa.array([True, False, None, True, False, True, None, True]),
        "d": pa.array([D(2026, 1, 31), D(2026, 2, 28), None, D(2024, 2, 29), D(2026, 12, 31), D(2026, 1, 1), D(2025, 3, 30), D(2026, 1, 31)]),
        "m": pa.array([T(2026, 1, 31, 23, 59, 59, 999999), T(2026, 2, 1), None, T(2024, 2, 29, 12), T(2026, 3, 1, 0, 0, 1), T(2026, 1, 1), T(2025, 3, 30, 2, 30), T(2026, 1, 31)], TIME),
        "n": pa.array([T(2026, 1, 30, 1), T(2026, 2, 1), T(2026, 1, 1), None, T(2026, 2, 27), T(2025, 12, 31, 23, 59, 59), T(2025, 3, 29), T(2026, 1, 29, 1)], TIME),
        "l": pa.array([["a", "b"], [], None, ["ab", ""], ["x"], ["a"], ["b", "b"], ["a"]], pa.list_(TEXT)),
        "q": pa.array(['{"a":"x","b":{"c":"Ж"},"l":["a",null,true,7],"n":null}', "{}", None, "[]", '{"a":true,"b":[1],"l":[],"o":[{"k":"1","m":null},{},{"k":null}]}', '{"a":-12,"b":{"c":null},"l":"x","o":{}}', "null", '{"o":[{"k":"2","m":"é"}],"x.y":"it is \\u0041 \\"q\\""}'], TEXT),
        "o": pa.array([[{"name": "é", "place": 1, "parts": ["a", None]}, {"name": None, "place": None, "parts": None}], [], None, [{"name": "", "place": -2, "parts": []}], None, [], None, [{"name": "x", "place": 40, "parts": ["b"]}]], MEMBERS),
    }
)  # fmt: skip
FEW = ("identity-mfa-humans",)  # all that are pushed: slow
CONTROLS = sorted(path.parent.name for path in (ROOT / "controls").glob("*/*/control.toml"))


def queries():
    for name, found in constructs().items():
        yield from ((name, f"select k as item, {each} as v from probe") for each in found.get("examples", ()))
        yield from ((name, each) for each in found.get("queries", ()))


def rows(table):
    return sorted(map(str, table.to_pylist()))


@pytest.fixture
def remote(account, monkeypatch):
    monkeypatch.setenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
    words = {
        "paramstyle": "qmark",
        "enable_server_session_keep_alive_auto_detection": False,
        "session_parameters": SESSION,
    }
    with snowflake.connector.connect(**PLACE, port=account.port, **words) as connection, Engine(threads=1) as engine:
        cursor = connection.cursor()
        cursor.execute("CREATE DATABASE IF NOT EXISTS EVIDENCE")
        cursor.execute("CREATE SCHEMA IF NOT EXISTS EVIDENCE.OPS")
        yield Remote(cursor, "EVIDENCE.OPS", engine)


@pytest.fixture(scope="module")
def library():
    return load_library([ROOT / "controls"], None)


@pytest.mark.slow
def test_every_construct_of_the_list_means_the_same_on_both(remote):
    for _, sql in queries():
        here = rows(remote.local.select(sql, {"probe": PROBE}))
        assert (
            rows(remote.local.select(qualified(sql, {"probe": PROBE.schema}).sql("duckdb"), {"probe": PROBE})) == here
        ), sql
        assert rows(remote.select(sql, {"probe": PROBE})) == here, sql


def test_every_construct_has_sources_and_examples():
    for name, found in constructs().items():
        if found.get("plain"):
            continue
        if "like" in found:
            assert "sources" in constructs()[found["like"]], name
            continue
        assert found["said"], name
        assert found["same"], name
        assert any("duckdb.org" in each for each in found["sources"]), name
        assert any("docs.snowflake.com" in each for each in found["sources"]), name
        assert found.get("examples") or found.get("queries"), name


REFUSED = [
    "try_cast(t as double)", "try_cast(t as decimal(9, 3))::text", "try_cast(t as json)", "t::bigint", "t::timestamp", "t::date", "i / 2", "t ilike 'a'", "t like 'a!%' escape '!'", "regexp_extract(t, 'a|ab')", "regexp_extract(t, 'a*')",
    "regexp_extract(t, '(a|b)+', 1)", "regexp_extract(t, '(?:x|xy)z')", "regexp_extract(t, '^a|b')", "regexp_extract(t, 'a.*?b')", "regexp_extract(t, u)", "regexp_extract(t, '\\ba')", "regexp_extract(t, '(a?)a', 1)",
    "regexp_extract(t, 'a', 0, 's')", "regexp_replace(t, '(a)', '\\1')", "regexp_replace(t, 'a', u)", "regexp_replace(t, 'a', 'b', 'i')", "regexp_extract_all(t, '(a)', 1)", "regexp_extract_all(t, 'a$')",
    "regexp_matches(t, u)", "regexp_matches(t, 'a+?')", "regexp_matches(t, 'a\\bA')", "regexp_matches(t, '\\b[^a]')", "regexp_matches(t, 'a^b')", "regexp_matches(t, 'a', 's')", "regexp_matches(t, '(?m)a')", "regexp_matches(t, '(a||b)')",
    "regexp_full_match(t, '(^a|b)')", "list_filter(l, lambda x, n: n > 1)", "list_filter(l, lambda x: (select count(*) from probe) > 1)", "list_transform(l, lambda x: length(x))", "list_sort(l, 'desc')", "list_distinct(l)",
    "array_to_string(list_distinct(l), ',')", "array_to_string(l, t)", "l || l || t", "l[-1]", "l[i]", "(l || l)[1]", "t[1]", "l[1:2:1]", "list_aggregate(l, 'max')", "l < ['a']", "o = o", "l in (['a'], l)", "nullif(l, ['a'])",
    "q ->> u", "q ->> '$..a'", "q ->> '$.a[-1]'", "array_to_string(q ->> '$.*.c', ',')", "array_to_string(json_keys(q), ',')", "json_type(q, '$.l[*]')", "t.a", "format('{:,}', i, j)", "format('{}', i)", "chr(i::int)", "list(t)",
    "m - n", "abs(" * 9 + "i" + ")" * 9, "to_days(3)", "m - n > to_months(1)", "t = i", "i = '1'", "trim(t, u)", "i::double::text",
    "coalesce(t, i)", "strftime(m, '%c')", "strftime(m, '%A')", "date_diff('week', m, n)", "extract(dow from m)", "t in l", "greatest(t, i)", "split_part(w, '.', -1)", "replace(t, '', 'x')",
    "left(t, -1)", "string_agg(t, ',')", "t collate nocase = 'a'", "hash(t)", "md5(t)", "i::double", "round(i, 2)", "sum(i) filter (where b) over (partition by t)", "b = i",
    "case when b then t else i end", "list_contains(l, i)", "nothing_known(t)", "t similar to 'a'", "(i, j) = (1, 2)", "max(t) over (order by i range between 1 preceding and current row)",
    "max(t) over (order by m range between interval 1 microsecond following and unbounded following)", "count(distinct t) over (order by k rows between 1 preceding and current row)",
]  # fmt: skip
QUERIES_REFUSED = [
    "with recursive r as (select 1 as n union select n + 1 from r where n < 3) select 'x' as item, n as v from r",
    "select distinct on (t) t as item, u as v from probe order by t, u",
    "select t as item, u as v from probe union all by name select u as v, t as item from probe",
    "select a.t as item, b.u as v from probe a asof join probe b on a.i >= b.i",
    "select a.t as item, b.u as v from probe a positional join probe b",
    "select t as item, unnest(l) as v, unnest(l) as x from probe",
    "select t as item, count(*) + i as v from probe group by all",
    "select t as item, i as v from probe using sample 10 percent",
    "select x as item, 1 as v from unnest([1]) as u(x)",
    "select p.k as item, x as v from probe p left join unnest(p.l) as u(x) on true",
    "select t as item, case when b then unnest(l) end as v from probe",
    "select distinct t as item, o as v from probe",
    "select max(t) as item, 1 as v from probe group by q -> '$.a'",
    "select t as item, count(*) as v from probe group by rollup (t)",
    "select t as item from elsewhere",
    "select t as item from read_parquet('x')",
    "pivot probe on t using count(*)",
]


@pytest.mark.parametrize("sql", [*(f"select k as item, {each} as v from probe" for each in REFUSED), *QUERIES_REFUSED])
def test_what_is_not_proven_is_refused_by_name(sql):
    with pytest.raises(RefusedError) as found:
        transpile(sql, {"probe": PROBE.schema}, lambda name: name)
    assert found.value.construct


def test_a_letter_without_one_mapping_stops_the_statement(remote):
    for letter in "ßİſς":
        assert letter not in PLAIN
        table = pa.table({"k": ["k"], "t": [f"a{letter}"]})
        with pytest.raises(RefusedError):
            remote.select("select k as item, upper(t) as v from probe", {"probe": table})
    plain = pa.table({"k": ["k"], "t": [PLAIN]})
    for name in ("upper", "lower"):
        sql = f"select k as item, {name}(t) as v from probe"
        assert rows(remote.select(sql, {"probe": plain})) == rows(remote.local.select(sql, {"probe": plain}))
        assert getattr(PLAIN, name)() == remote.local.select(sql, {"probe": plain})["v"][0].as_py()


def test_a_number_beyond_64_bits_stops_the_statement(remote):
    table = pa.table({"k": ["k"], "i": pa.array([2**62], pa.int64())})
    for value in ("i * 3", "i + i + i", "0 - i - i - i"):
        for select in (remote.select, remote.local.select):
            with pytest.raises((ControlError, RefusedError)):
                select(f"select k as item, {value} as v from probe", {"probe": table})


@pytest.mark.parametrize(
    ("value", "rows_"),
    [
        ("list_sort(l)", {"l": pa.array([["a", None]], pa.list_(TEXT))}),
        ("l = ['a']", {"l": pa.array([["a", None]], pa.list_(TEXT))}),
        ("regexp_extract(t, 'a$')", {"t": ["a\n"]}),
        ("try_cast(t as bigint)", {"t": ["1.5"]}),
        ("try_cast(t as bigint)", {"t": ["1_0"]}),
        ("try_cast(t as date)", {"t": ["2026/01/05"]}),
        ("try_cast(t as date)", {"t": ["epoch"]}),
        ("t ->> '$.a'", {"t": ['{"a":1.0}']}),
        ("t ->> '$.a'", {"t": ['{"b":[1,-0]}']}),
        ("t ->> '$.a'", {"t": ['{"a":{"b":1}}']}),
        ("t ->> '$.a'", {"t": [""]}),
        ("json_type(t)", {"t": ["1"]}),
        ("format('{:,}', i)", {"i": pa.array([10**15], pa.int64())}),
    ],
)
def test_what_the_pages_leave_open_stops_the_statement(remote, value, rows_):
    table = pa.table({"k": ["k"], **rows_})
    with pytest.raises(RefusedError, match="Snowflake"):
        remote.select(f"select k as item, {value} as v from probe", {"probe": table})


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ("['a', t]", 'COALESCE(TO_VARIANT("probe"."t"), PARSE_JSON(\'null\'))'),
        ("list_filter(l, lambda x: x <> 'a')", ", y -> NOT y IS NULL)) = ARRAY_SIZE("),
        ("l", 'FILTER("probe"."l", y -> NOT y IS NULL)'),
    ],
)
def test_an_element_that_is_null_is_never_left_out(listed, said):
    """Whether FLATTEN has a row for SQL's NULL is not left to it: the emulator cannot show it, its ARRAYs know JSON's null alone."""
    sql = f"select k || coalesce(x, '?') as item, 1 as v from (select k, unnest({listed}) as x from probe)"
    assert said in transpile(sql, {"probe": PROBE.schema}, lambda name: name).sql


@pytest.mark.parametrize(
    ("pattern", "full", "spelled"),
    [
        ("^a", False, "(a)(.|\n)*"),
        ("a$", False, "(.|\n)*(a)"),
        ("a|b", False, "(.|\n)*(a|b)(.|\n)*"),
        (r"\d+\.x", True, "([0-9]+[.]x)"),
    ],
)
def test_a_pattern_is_filled_where_it_is_not_anchored(pattern, full, spelled):
    assert whole(pattern, full=full) == spelled


def cases_of(library, name):
    control = library.control(name)
    return [prepared(library, control, parse_case(path)) for path in case_files(control)]


def both(setting, remote):
    """Findings of one case here and there, byte for byte, and what its own expectation says of the rows Snowflake returned."""
    case, made = setting.case, setting.made
    registers = registers_of(
        {n: r for n, r in case.registers.items() if n not in made.empty_registers}, case.night, made.missing_registers
    )
    library = dataclasses.replace(setting.library, contracts=setting._contracts(made))
    words = (library, registers, made, case.night, case.clock)
    here = Night(*words, remote.local.select, [setting.control], made.look)
    there = PushedNight(*words, [setting.control], remote.local, remote)
    there._look = made.look
    mine, theirs = here.findings()[0], there.findings()[0]
    assert there.judged.here == {}, there.judged
    return mine.to_json(), theirs.to_json()


@pytest.mark.parametrize("name", FEW)
def test_findings_of_a_controls_own_cases_are_the_same(library, remote, name):
    for setting in cases_of(library, name)[:2]:
        mine, theirs = both(setting, remote)
        assert mine == theirs, setting.case.why


@pytest.fixture(scope="module")
def pushed(library):
    return frozenset(name for name, why in SCRIPT["judged"](library)[0].items() if not why)


@pytest.mark.slow
def test_most_controls_are_pushed(pushed):
    assert len(pushed) > 71


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", CONTROLS)
def test_findings_of_all_cases_of_each_control_that_is_pushed_are_the_same(library, remote, pushed, name):
    if name not in pushed:
        pytest.skip("judged here: see docs/engines.md")
    for setting in cases_of(library, name):
        mine, theirs = both(setting, remote)
        assert mine == theirs, setting.case.why


def test_rows_that_are_unsound_there_are_refused_as_they_are_here(library, remote):
    """A control whose SQL doubles an item, says an unknown reason, or forgets one: the same error as in DuckDB."""
    setting = cases_of(library, "identity-mfa-humans")[0]
    for sql in (
        "select item, 'pass' as result, '' as reason, '' as observed, '' as expected from population union all select item, 'pass', '', '', '' from population",
        "select item, 'fail' as result, 'no-such-reason' as reason, '' as observed, '' as expected from population",
        "select item, 'maybe' as result, '' as reason, '' as observed, '' as expected from population",
        "select item, null::text as result, '' as reason, '' as observed, '' as expected from population",
        "select item, 'pass' as result, '' as reason, '' as observed, '' as expected from population where false",
        "select item || 'x' as item, 'pass' as result, '' as reason, '' as observed, '' as expected from population",
    ):
        control = setting.control.model_copy(update={"control_sql": sql})
        mine, theirs = both(dataclasses.replace(setting, control=control), remote)
        assert mine == theirs
        assert theirs["reason"] == "control-error", sql


def test_what_snowflake_refuses_is_judged_here(library, remote, account):
    setting = cases_of(library, "identity-mfa-humans")[0]
    words = (
        setting.library,
        registers_of(setting.case.registers, setting.case.night),
        setting.made,
        setting.case.night,
        setting.case.clock,
    )
    words = (dataclasses.replace(setting.library, contracts=setting._contracts(setting.made)), *words[1:])
    account.post(
        "rules",
        [
            {
                "match": "CREATE OR REPLACE TEMPORARY TABLE .* AS ",
                "action": "error",
                "code": "002031",
                "sqlstate": "42601",
                "message": "x",
            }
        ],
    )
    there = PushedNight(*words, [setting.control], remote.local, remote)
    found = there.findings()[0]
    account.post("rules", "clear")
    assert there.judged.here == {"identity-mfa-humans": "Snowflake: refused a statement: 2031"}
    assert there.judged.pushed == {}
    assert (
        found.to_json()
        == Night(*words, remote.local.select, [setting.control], setting.made.look).findings()[0].to_json()
    )


def test_the_page_of_engines_names_every_control(library):
    page = (ROOT / SCRIPT["PAGE"]).read_text()
    assert [name for name in library.controls if f"`{name}`" not in page] == []


@pytest.mark.slow
def test_the_page_of_engines_is_fresh(library):
    assert (ROOT / SCRIPT["PAGE"]).read_text() == SCRIPT["page"](library), "run scripts/engines_page.py"

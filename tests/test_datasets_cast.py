"""Casting: what Snowflake, its exports and other people's feeds send, and what may not be believed."""

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.datasets.cast import cast, stored

UTC = dt.UTC
BIG = 18260702004593906  # beyond 2**53: a float would change it
patient = settings(deadline=None)


def one(array, kind):
    made, wrong = cast(array, kind)
    assert made.type == stored(kind)
    return made.to_pylist(), dict(wrong)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([1, None], pa.int8()), [1, None]),
        (pa.array([BIG], pa.decimal128(38, 0)), [BIG]),
        (pa.array([Decimal("7.00")]), [7]),
        (pa.array([str(BIG), " 7 ", "", None]), [BIG, 7, None, None]),
        (pa.array(["1.0", "2e3"]), [1, 2000]),
        (pa.array([3.0, None]), [3, None]),
        (pa.array(["7"]).dictionary_encode(), [7]),
        (pa.array(["7"], pa.large_string()), [7]),
        (pa.nulls(2), [None, None]),
    ],
)
def test_integers(array, expected):
    assert one(array, "int") == (expected, {})


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (pa.array([float(BIG)]), "a float too large to be an exact integer"),
        (pa.array([1.5]), "not an integer"),
        (pa.array([float("nan")]), "not a finite number"),
        (pa.array([Decimal(1 << 70)]), "integer beyond 64 bits"),
        (pa.array([1 << 63], pa.uint64()), "integer beyond 64 bits"),
        (pa.array(["0x10"]), "not a number"),
        (pa.array(["1_0"]), "not a finite number"),
        (pa.array(["Jane Roe"]), "not a number"),
        (pa.array([True]), "not an integer"),
        (pa.array([dt.datetime(2026, 1, 1, tzinfo=UTC)]), "timestamp[us, tz=UTC] is no int"),
    ],
)
def test_what_is_no_integer(array, reason):
    assert one(array, "int") == ([None], {0: reason})


def test_only_the_bad_row_is_named():
    assert one(pa.array(["1", "x", None, "3", "x"]), "int") == (
        [1, None, None, 3, None],
        {1: "not a number", 4: "not a number"},
    )


EDGE = dt.datetime(2026, 7, 1, 23, 59, 59, 999999, tzinfo=UTC)
EDGE_NS = int(EDGE.timestamp()) * 10**9 + 999_999_999


@pytest.mark.parametrize(
    "array",
    [
        pa.array([EDGE_NS], pa.timestamp("ns", "UTC")),
        pa.array([EDGE_NS], pa.timestamp("ns", "America/Los_Angeles")),
        pa.array([EDGE_NS], pa.timestamp("ns")),
        pa.array([EDGE_NS // 1000], pa.timestamp("us", "UTC")),
        pa.array([EDGE_NS]),
        pa.array([str(EDGE_NS)]),
        pa.array([EDGE_NS // 1000]),
        pa.array(["2026-07-01T23:59:59.999999999Z"]),
        pa.array(["2026-07-01 23:59:59.999999999 Z"]),
        pa.array(["2026-07-01 16:59:59.999999999 -0700"]),
        pa.array(["2026-07-01T19:59:59.999999-04:00"]),
    ],
)
def test_times_are_cut_and_never_rounded_over_the_edge(array):
    assert one(array, "time") == ([EDGE], {})


def test_nanoseconds_before_1970_go_down_too():
    assert one(pa.array([-1], pa.timestamp("ns", "UTC")), "time")[0] == [
        dt.datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    ]


def test_years_outside_nanoseconds():
    assert one(pa.array([dt.datetime(1, 1, 1, tzinfo=UTC)]), "time")[0] == [dt.datetime(1, 1, 1, tzinfo=UTC)]
    assert one(pa.array(["0001-01-01T00:00:00Z"]), "time")[0] == [dt.datetime(1, 1, 1, tzinfo=UTC)]


@pytest.mark.parametrize("text", ["2026-07-01 10:00:00", "2026-07-01", "yesterday", "2026-13-01T00:00:00Z", "7", "0"])
def test_times_that_may_not_be_believed(text):
    values, wrong = one(pa.array([text]), "time")
    assert values == [None]
    assert list(wrong) == [0]


@pytest.mark.parametrize(
    ("array", "kind", "expected"),
    [
        (pa.array(["true", "NO", "", None, "1"]), "bool", [True, False, None, None, True]),
        (pa.array([1, 0]), "bool", [True, False]),
        (pa.array([True, None]), "text", ["true", None]),
        (pa.array([390100]), "text", ["390100"]),
        (pa.array([390100.0, 1.5]), "text", ["390100", "1.5"]),
        (pa.array([Decimal("0.00")]), "text", ["0.00"]),
        (pa.array(["é"], pa.large_string()), "text", ["é"]),
        (pa.array([[390100]]), "text", ["[390100]"]),
        (pa.array([0.1, 1e-5, None]), "decimal", [Decimal("0.100000000000"), Decimal("0.000010000000"), None]),
        (pa.array(["0.1234567890125"]), "decimal", [Decimal("0.123456789012")]),
        (pa.array([0.1234567890125]), "decimal", [Decimal("0.123456789012")]),
        (pa.array([3]), "decimal", [Decimal("3.000000000000")]),
        (pa.array(["12345678901234567890123456.123456789012"]), "decimal", [Decimal("12345678901234567890123456.123456789012")]),
        (pa.array(['["a", null]', "", None]), "texts", [["a", None], None, None]),
        (pa.array([["a", None]]), "texts", [["a", None]]),
        (pa.array(['{"b": 1,\n "a": 2.50}', "null", "", None]), "json", ['{"a":2.50,"b":1}', "null", None, None]),
        (pa.array([{"b": 1, "a": "x"}]), "json", ['{"a":"x","b":1}']),
        (pa.array(["2026-07-01"]), "date", [dt.date(2026, 7, 1)]),
        (pa.array([0.25, None]), "float", [0.25, None]),
        (pa.array(["0.25"]), "float", [0.25]),
    ],
)  # fmt: skip
def test_other_types(array, kind, expected):
    assert one(array, kind) == (expected, {})


def test_text_that_is_not_utf8_is_set_aside():
    raw = pa.array([b"ok", b"\xff"]).view(pa.string())
    assert one(raw, "text") == (["ok", None], {1: "not UTF-8"})


@patient
@given(
    st.lists(st.text(max_size=20), min_size=1),
    st.sampled_from(["int", "time", "bool", "float", "decimal", "date", "json", "texts"]),
)
def test_reasons_never_quote_the_value(texts, kind):
    _, wrong = one(pa.array([f"zqx{text}" for text in texts]), kind)
    assert len(wrong) == len(texts)
    assert all("zqx" not in reason for reason in wrong.values())


@patient
@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_every_spelling_of_an_integer_is_the_same(numbers):
    for array in (
        pa.array(numbers, pa.int64()),
        pa.array([Decimal(n) for n in numbers], pa.decimal128(38, 0)),
        pa.array([str(n) for n in numbers], pa.string()),
    ):
        assert one(array, "int") == (numbers, {})

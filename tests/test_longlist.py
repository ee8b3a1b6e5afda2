"""Many values in little room: a long list is what the same values as a tuple are, whole, by place, by slice and by column."""

import datetime as dt
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.control import longlist
from evidence.control.longlist import LongList, column, compact, ordered
from evidence.control.result import Interval

DAY = dt.date(2026, 7, 1)


@dataclass(frozen=True, slots=True)
class Pair:
    name: str
    number: int | None


PAIRS = st.lists(st.builds(Pair, st.text(max_size=3), st.none() | st.integers(-(2**80), 2**80)), max_size=30)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(longlist, "LEAST", 4)
    monkeypatch.setattr(longlist, "CHUNK", 3)


@settings(deadline=None)
@given(PAIRS.filter(bool), st.slices(31), st.integers(-31, 30))
def test_it_is_the_tuple_of_its_values(values, some, place):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(longlist, "CHUNK", 3)
        found = LongList(Pair, iter(values))
        assert tuple(found) == tuple(found) == tuple(values)  # more than once
        assert (len(found), found == tuple(values), found == LongList(Pair, values)) == (len(values), True, True)
        assert found[some] == tuple(values)[some]
        if -len(values) <= place < len(values):
            assert found[place] == values[place]
        else:
            with pytest.raises(IndexError):
                found.__getitem__(place)
        assert list(column(found, "number")) == list(column(values, "number"))
        assert ordered(found, "name") == ordered(values, "name") == sorted(values, key=lambda each: each.name)


def test_a_value_more_or_another_one_is_another_list():
    values = [Pair(str(n), n) for n in range(7)]
    found = LongList(Pair, values)
    assert found != values[:-1]
    assert found != [*values[:-1], Pair("6", 7)]
    assert found != "0123456"
    assert found != 7
    with pytest.raises(TypeError, match="unhashable"):
        hash(found)
    with pytest.raises(ValueError, match="nothing"):
        list(found.column("nothing"))


def test_few_values_stay_a_tuple(small):
    values = [Pair("a", n) for n in range(4)]
    assert compact(iter(values[:3])) == tuple(values[:3])
    assert isinstance(compact(values), LongList)
    assert compact(values) == tuple(values)
    assert compact([]) == ()


def test_what_is_in_order_is_handed_on_as_it_is():
    found = compact(Pair(f"{n:04}", n) for n in range(2000))
    assert ordered(found, "name", "number") is found


def test_an_exception_takes_a_hundredth_of_what_it_does_as_a_value():
    """As a value it is some 400 bytes."""
    found = LongList(
        Interval,
        (
            Interval(
                f"MART.T{n}.C{n * 7919 % 1009}", "stale", DAY, DAY, 1, open=True, days_open=0, observed=f"{n} rows"
            )
            for n in range(50_000)
        ),
    )
    assert sum(len(body) for chunk in found._chunks for _, body in chunk) < 10 * len(found)

"""How a period may be written."""

import datetime as dt

import pytest

from evidence.cli.period import parse_night, parse_period
from evidence.errors import UsageError
from evidence.workers import STRETCH, stretches


@pytest.mark.parametrize(
    ("text", "start", "end", "nights"),
    [
        ("2026-Q3", "2026-07-01", "2026-09-30", 92),
        ("2026-Q4", "2026-10-01", "2026-12-31", 92),
        ("2028-02", "2028-02-01", "2028-02-29", 29),
        ("2026-07-05..2026-07-05", "2026-07-05", "2026-07-05", 1),
        ("2026-07-14", "2026-07-14", "2026-07-14", 1),
    ],
)
def test_periods(text, start, end, nights):
    period = parse_period(text)
    assert (period.start.isoformat(), period.end.isoformat(), len(period.nights)) == (start, end, nights)


@pytest.mark.parametrize(
    "text", ["2026", "2026-Q5", "2026-13", "2026-07-02..2026-07-01", "Q3", "2026-02-30..2026-03-01"]
)
def test_what_is_no_period_is_refused_with_the_accepted_forms(text):
    with pytest.raises(UsageError) as caught:
        parse_period(text)
    assert "2026-Q3" in caught.value.fix


def test_nights():
    assert parse_night("2026-07-01") == dt.date(2026, 7, 1)
    with pytest.raises(UsageError):
        parse_night("yesterday")


@pytest.mark.parametrize("count", [8, 9, 15, 16, 92, 365])
@pytest.mark.parametrize("jobs", [2, 3])
def test_stretches_are_all_nights_once_in_order_and_none_is_long(count, jobs):
    nights = [dt.date(2026, 7, 1) + dt.timedelta(days=n) for n in range(count)]
    cut = stretches(nights, jobs)
    assert [night for each in cut for night in each] == nights
    assert max(map(len, cut)) <= STRETCH
    assert len(cut) >= jobs

"""The collector's memory does not grow with a night: peak of its process alone, over the wire, by the command line."""

import pytest

from tests.servers.large_night import collect_night, write_night

pytest_plugins = ["tests.servers.fixtures"]


@pytest.mark.slow
@pytest.mark.timeout(1700)
def test_four_times_the_rows_need_no_more_memory(tmp_path):
    """``benchmarks/collect_wire.py`` does the same with a million rows of each."""
    peaks = {}
    for rows in (120_000, 480_000):
        exports = write_night(tmp_path / f"exports-{rows}", rows)
        run = collect_night(exports, tmp_path / f"work-{rows}", chunk_rows=20_000)
        assert run.code == 0, run.said
        landed = {name: (count, status) for name, (count, status, _) in run.datasets.items()}
        assert landed == dict.fromkeys(("snowflake.query_history", "snowflake.access_history"), (rows, "complete"))
        peaks[rows] = run.peak
    assert peaks[480_000] < 600
    assert peaks[480_000] <= 1.15 * peaks[120_000], peaks

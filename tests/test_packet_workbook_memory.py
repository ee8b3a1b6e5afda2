"""The workbook and the Parquet of a packet need no more memory for ten times the findings; ``benchmarks/workbook.py`` does it with a million."""

import runpy
from pathlib import Path

import pytest

BENCHMARK = runpy.run_path(str(Path(__file__).parent.parent / "benchmarks" / "workbook.py"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_times_the_findings_need_no_more_memory():
    few, many = (BENCHMARK["measured"](count) for count in (70_000, 700_000))
    for run in (few, many):
        assert run["parquet_rows"] == run["xlsx_rows"] == run["findings"]
    assert many["peak"] < 350, (few, many)
    assert many["peak"] - few["peak"] < 80, (few, many)  # MiB; the library keeps a few bytes a row

"""The benchmarks that count: pandas and controls agree on a small carrier, and a statement is sorted by what answers it."""

from pathlib import Path

import job
import pytest

from benchmarks import night_cost, pandas_checks
from evidence.demo import Size

SIZE = Size(nights=2, users=60, roles=50, tables=160, columns=600, queries=300)


@pytest.mark.slow
def test_twelve_checks_in_pandas_count_what_controls_count(tmp_path: Path) -> None:
    job.workspace(tmp_path / "work", SIZE)
    job.here("-w", tmp_path / "work", "collect", "--jobs", "1", codes=(0, 5))
    given = pandas_checks.give(tmp_path / "work", SIZE.nights, tmp_path / "given")
    theirs = pandas_checks.by_controls(str(tmp_path / "work"), str(SIZE.nights))()["counts"]
    mine = pandas_checks.by_pandas(str(given))()["counts"]
    pandas_checks.compare(mine, theirs)
    assert all(theirs[str(SIZE.night(1))].values()), "each of the twelve was tested"
    mine[str(SIZE.night(1))]["identity-dormant"][1] += 1
    with pytest.raises(RuntimeError, match="identity-dormant"):
        pandas_checks.compare(mine, theirs)


@pytest.mark.parametrize(
    ("statement", "answered"),
    [
        ("SHOW USERS IN ACCOUNT LIMIT 10000", "SHOW and DESCRIBE"),
        ('DESCRIBE VIEW "SNOWFLAKE"."ACCOUNT_USAGE"."USERS"', "SHOW and DESCRIBE"),
        ("SELECT CURRENT_TIMESTAMP() AS server_time", "SELECT without a table"),
        ('SELECT "NAME" FROM "SNOWFLAKE"."ACCOUNT_USAGE"."USERS"', "SELECT of a view"),
    ],
)
def test_a_statement_is_sorted_by_what_answers_it(statement: str, answered: str) -> None:
    assert night_cost.kind(statement) == answered

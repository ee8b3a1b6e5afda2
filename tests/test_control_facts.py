"""Cases of facts, and evidence sealed by an older contract."""

import datetime as dt

import pyarrow as pa
import pytest
from test_control_cases import write

from evidence.control.definition import load_library
from evidence.control.engine import assess_night
from evidence.control.factcases import run_fact_cases
from evidence.control.fields import WHOLE
from evidence.control.made import MadeEvidence, registers_of
from evidence.errors import ControlError

NIGHT = dt.date(2026, 9, 1)
CAPTURED = dt.datetime(2026, 9, 2, 3, tzinfo=dt.UTC)
CASE = """
why = "robots and the dead are no people"
expect = [{ name = "ANN" }, { name = "ANN" }]
[evidence]
"snowflake.users" = [
  { name = "ANN" }, { name = "ANN", source = "two" }, { name = "R2", type = "SERVICE" }, { name = "OLD", deleted_on = 2026-01-01T00:00:00Z },
]
"""


def library_with(tmp_path, case):
    write(tmp_path)
    folder = tmp_path / "facts" / "cases" / "person"
    folder.mkdir(parents=True)
    (folder / "people.toml").write_text(case)
    return load_library([tmp_path])


def test_a_fact_gives_the_rows_its_case_says(tmp_path):
    [result] = run_fact_cases(library_with(tmp_path, CASE), "person")
    assert (result.control, result.case, result.ok, result.detail) == ("fact.person", "people", True, "")


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (CASE.replace('{ name = "ANN" }, { name = "ANN" }]', '{ name = "ANN" }]'), "not expected: name = ANN, 1 times"),
        (CASE.replace('expect = [{ name = "ANN" }', 'expect = [{ name = "BOB" }'), "missing: name = BOB"),
        (CASE.replace('expect = [{ name = "ANN" }', "expect = [{ age = 3 }"), "no column age"),
    ],
)
def test_other_rows_are_named(tmp_path, case, said):
    [result] = run_fact_cases(library_with(tmp_path, case), "person")
    assert not result.ok
    assert said in result.detail


def test_a_case_of_a_fact_may_name_only_what_it_reads(tmp_path):
    with pytest.raises(ControlError, match=r"snowflake\.roles"):
        run_fact_cases(library_with(tmp_path, CASE.replace("snowflake.users", "snowflake.roles")), "person")
    with pytest.raises(ControlError, match="no fact"):
        run_fact_cases(load_library([tmp_path]), "people")


class Older(MadeEvidence):
    """Rows as an older contract sealed them: without HAS_MFA, or with another type of it."""

    kind = None

    def rows(self, sealed, columns, fields=WHOLE):
        table = MadeEvidence.rows(self, sealed, columns, fields)
        place = table.column_names.index("has_mfa")
        without = table.remove_column(place)
        return without if self.kind is None else without.append_column("has_mfa", pa.array(["perhaps"], self.kind))


def test_a_column_that_was_not_sealed_is_unknown(tmp_path):
    library = load_library([write(tmp_path)])
    made = Older(library.contracts, NIGHT, CAPTURED, {"snowflake.users": [{"name": "ANN", "has_mfa": True}]})
    [finding] = assess_night(library, registers_of({}, NIGHT), made, NIGHT, known_at=CAPTURED)
    assert [(o.item, o.reason) for o in finding.exceptions] == [("ANN", "unknown-value")]


def test_a_column_of_another_type_is_a_control_error_and_ends_nothing_else(tmp_path, monkeypatch):
    library = load_library([write(tmp_path)])
    monkeypatch.setattr(Older, "kind", pa.string())
    made = Older(library.contracts, NIGHT, CAPTURED, {"snowflake.users": [{"name": "ANN", "has_mfa": True}]})
    [finding] = assess_night(library, registers_of({}, NIGHT), made, NIGHT, known_at=CAPTURED)
    assert (finding.status, finding.reason) == ("not-assessed", "control-error")
    assert "snowflake.users.has_mfa" in finding.detail

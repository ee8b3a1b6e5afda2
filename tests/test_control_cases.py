"""A small library written to disk: loading, cases, and what spoiled evidence does."""

import pytest

from evidence.control.cases import run_cases
from evidence.control.definition import load_library
from evidence.control.lint import lint_library
from evidence.errors import ControlError

CONTROL = """
id = "identity-two"
version = "1.0.0"
title = "Two factors"
statement = "People have two factors."
test = "HAS_MFA is true."
severity = "high"
mode = "state"
facts = ["person"]
registers = ["break_glass"]
remediation = "Enrol."

[[evidence]]
dataset = "snowflake.users"
columns = ["name", "has_mfa", "created_on"]
tested = ["has_mfa"]

[parameters.grace_hours]
type = "int"
default = 24
min = 0
max = 168
stricter = "lower"
about = "Enrolment happens at first sign-in."

[reasons]
no-second-factor = "No second factor is enrolled."

[[maps]]
framework = "tiny"
requirement = "T.1"
strength = "primary"
loosest = { grace_hours = 48 }
"""
POPULATION = """
select p.name as item, u.has_mfa, u.created_on from fact.person p join snowflake.users u using (name)
"""
TEST = """
select item,
  case when has_mfa then 'pass' when created_on > params.as_of - to_hours(grace_hours) then 'pass'
       when item in (select "user" from register.break_glass) then 'pass' else 'fail' end as result,
  case when has_mfa is null then 'unknown-value' when not has_mfa then 'no-second-factor' end as reason,
  has_mfa as observed, 'true' as expected
from population, params
"""
FACT = """
description = "Live people."
[[evidence]]
dataset = "snowflake.users"
columns = ["name", "type", "deleted_on"]
"""
CASE = """
why = "one with, one without, one not known"
status = "not-satisfied"
expect = [
  { item = "ANN", result = "pass" },
  { item = "BOB", result = "fail", reason = "no-second-factor", observed = "false" },
  { item = "EVE", result = "fail", reason = "unknown-value" },
  { item = "GLASS", result = "pass" },
]
[evidence]
"snowflake.users" = [
  { name = "ANN", has_mfa = true }, { name = "BOB", has_mfa = false }, { name = "EVE" }, { name = "ROBOT", type = "SERVICE" },
  { name = "GLASS", has_mfa = false },
]
[registers]
break_glass = [{ user = "GLASS" }]
"""
GOOD = """
why = "all enrolled"
status = "satisfied"
expect = [{ item = "ANN", result = "pass" }]
evidence = { "snowflake.users" = [{ name = "ANN", has_mfa = true }] }
"""
FRAMEWORK = (
    '{"framework":"tiny","name":"Tiny","catalog_version":"1","entries":'
    '[{"id":"T.1","citation":"T.1","title":"One","level":"standard","evidence_mode":"automated"}]}'
)


def write(root, **changes):
    files = {
        "library.toml": 'version = "1"\n[settings]\nphi_tags = ["PHI"]\n',
        "frameworks/tiny.json": FRAMEWORK,
        "facts/person.toml": FACT,
        "facts/person.sql": "select name from snowflake.users where deleted_on is null and coalesce(type, 'PERSON') = 'PERSON'",
        "identity/identity-two/control.toml": CONTROL,
        "identity/identity-two/population.sql": POPULATION,
        "identity/identity-two/control.sql": TEST,
        "identity/identity-two/cases/mixed.toml": CASE,
        "identity/identity-two/cases/good.toml": GOOD,
    }
    names = {name.rpartition("/")[2].replace(".", "_"): name for name in files}
    for name, text in changes.items():
        files[names[name]] = text
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_cases_come_out_as_written(tmp_path):
    results = run_cases(load_library([write(tmp_path)]), "identity-two")
    assert [r for r in results if not r.ok] == []
    names = {r.case for r in results}
    assert {"mixed", "good", "good, snowflake.users denied", "good, register break_glass missing"} <= names
    assert "good, snowflake.users.has_mfa unknown" in names


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"good_toml": GOOD.replace('"pass"', '"fail"')}, "result is 'pass', expected 'fail'"),
        ({"good_toml": GOOD.replace('item = "ANN"', 'item = "BOB"')}, "'ANN' is in the population and not expected"),
        ({"good_toml": GOOD.replace('"satisfied"', '"not-satisfied"')}, "expected not-satisfied"),
        (
            {"control_sql": TEST.replace("has_mfa then 'pass'", "has_mfa is not false then 'pass'")},
            "came out satisfied",
        ),
    ],
)
def test_a_case_that_does_not_come_out_says_what_differs(tmp_path, change, said):
    results = run_cases(load_library([write(tmp_path, **change)]), "identity-two")
    assert any(said in r.detail for r in results if not r.ok), results


def test_a_case_may_name_only_what_the_control_reads(tmp_path):
    library = load_library([write(tmp_path, good_toml=GOOD.replace("snowflake.users", "snowflake.roles"))])
    with pytest.raises(ControlError, match=r"snowflake\.roles, which the control does not read"):
        run_cases(library, "identity-two")


REGISTER_CONTROL = """
id = "identity-two"
version = "1.0.0"
title = "Emergency users have owners"
statement = "Emergency users have owners."
test = "The owner is named."
severity = "high"
mode = "state"
registers = ["break_glass"]
remediation = "Name one."
[reasons]
no-owner = "No owner."
"""
REGISTER_ONLY = {
    "control_toml": REGISTER_CONTROL,
    "population_sql": 'select "user" as item, owner from register.break_glass',
    "control_sql": "select item, case when owner <> 'nobody' then 'pass' else 'fail' end as result,"
    " 'no-owner' as reason, owner as observed, '' as expected from population, params where as_of is not null",
    "mixed_toml": 'why = "no owner"\nstatus = "not-satisfied"\nexpect = [{ item = "B", result = "fail" }]\n'
    '[registers]\nbreak_glass = [{ user = "B", owner = "nobody" }]',
    "good_toml": 'why = "owned"\nstatus = "satisfied"\nexpect = [{ item = "A", result = "pass" }]\n'
    '[registers]\nbreak_glass = [{ user = "A", owner = "ann" }]',
}


def test_a_control_may_rest_on_registers_alone(tmp_path):
    library = load_library([write(tmp_path, **REGISTER_ONLY)])
    results = run_cases(library, "identity-two")
    assert all(result.ok for result in results), results
    assert {"good, register break_glass missing", "good, every register empty"} <= {each.case for each in results}
    assert lint_library(library) == []


def test_a_control_on_registers_alone_may_not_pass_by_their_silence(tmp_path):
    silent = {
        "population_sql": "select 'all' as item, count(*) filter (where owner = 'nobody') as bad from register.break_glass",
        "control_sql": "select item, case when bad = 0 then 'pass' else 'fail' end as result,"
        " 'no-owner' as reason, '' as observed, '' as expected from population",
        "mixed_toml": 'why = "no owner"\nstatus = "not-satisfied"\nexpect = [{ item = "all", result = "fail" }]\n'
        '[registers]\nbreak_glass = [{ user = "B", owner = "nobody" }]',
        "good_toml": 'why = "owned"\nstatus = "satisfied"\nexpect = [{ item = "all", result = "pass" }]\n'
        '[registers]\nbreak_glass = [{ user = "A", owner = "ann" }]',
    }
    results = run_cases(load_library([write(tmp_path, **{**REGISTER_ONLY, **silent})]), "identity-two")
    assert [result.case for result in results if not result.ok] == ["good, every register empty"]

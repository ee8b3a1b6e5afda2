"""The mutation check itself, on a tiny control: what a case notices, what none does, what is known to change nothing."""

import json

import pytest

from evidence.cli.app import run
from evidence.control.cases import run_cases
from evidence.control.definition import load_library
from evidence.control.engine import select
from evidence.control.factcases import run_fact_cases
from evidence.control.mutants import mutants, unchanged
from evidence.control.mutation import EQUIVALENT, score_control, score_fact
from evidence.errors import ControlError
from tests.test_control_cases import write

FACT_CASE = """
why = "dropped people are none, services are none, a kind that is not known is a person"
expect = [{ name = "ANN" }]
[evidence]
"snowflake.users" = [
  { name = "ANN" }, { name = "GONE", deleted_on = 2026-01-01T00:00:00Z }, { name = "ROBOT", type = "SERVICE" },
]
"""
TYPED = FACT_CASE.replace('{ name = "ANN" },', '{ name = "ANN", type = "PERSON" },')
GRACE = "turned round: created_on > params.as_of - TO_HOURS(grace_hours)"


def tiny(root, fact_case=FACT_CASE, equivalent=""):
    write(root)
    cases = root / "facts" / "cases" / "person"
    cases.mkdir(parents=True)
    (cases / "kinds.toml").write_text(fact_case)
    (root / EQUIVALENT).write_text(equivalent)
    return load_library([root])


def entry(what, file="identity-two/control.sql", why="nobody has it"):
    return f"[[equivalent]]\nfile = {json.dumps(file)}\nwhat = {json.dumps(what)}\nwhy = {json.dumps(why)}\n"


def named(mutant_list):
    return {mutant.what for mutant in mutant_list}


def test_what_a_case_notices_and_what_none_does(tmp_path):
    score = score_control(tiny(tmp_path), "identity-two")[1]
    assert score.file == "identity-two/control.sql"
    assert "turned round: has_mfa" in named(score.made) - named(score.unnoticed)
    assert "branch left out: CASE WHEN has_mfa THEN 'pass' END" in named(score.made) - named(score.unnoticed)
    assert "boundary moved: created_on > params.as_of - TO_HOURS(grace_hours)" in named(score.unnoticed)
    # nobody in the cases has a time of creation: NULL is neither before nor after
    assert GRACE in named(score.unnoticed)


def test_a_further_case_notices(tmp_path):
    tiny(tmp_path)
    (tmp_path / "identity/identity-two/cases/grace.toml").write_text("""
why = "a new person has a day"
status = "not-satisfied"
expect = [{ item = "NEW", result = "pass" }, { item = "OLD", result = "fail" }]
[evidence]
"snowflake.users" = [{ name = "NEW", has_mfa = false, created_on = 2026-09-02T02:00:00Z }, { name = "OLD", has_mfa = false }]
""")
    assert GRACE not in named(score_control(load_library([tmp_path]), "identity-two")[1].unnoticed)


def test_a_mutant_known_to_change_nothing_is_counted_as_that(tmp_path):
    score = score_control(tiny(tmp_path, equivalent=entry(GRACE)), "identity-two")[1]
    assert GRACE in named(score.equivalent)
    assert GRACE not in named(score.unnoticed)
    assert GRACE in named(score.made)


@pytest.mark.parametrize(
    ("listed", "said"), [(entry("turned round: nothing = 1"), "no mutant"), (entry(GRACE, why=" "), "says no why")]
)
def test_a_list_that_is_wrong_is_refused(tmp_path, listed, said):
    with pytest.raises(ControlError, match=said):
        score_control(tiny(tmp_path, equivalent=listed), "identity-two")


def test_cases_that_fail_as_they_are_say_nothing_of_mutants(tmp_path):
    library = tiny(tmp_path)
    case = tmp_path / "identity/identity-two/cases/good.toml"
    case.write_text(case.read_text().replace('result = "pass"', 'result = "fail"'))
    with pytest.raises(ControlError, match="good fails before anything is changed"):
        score_control(library, "identity-two")


def test_a_fact_is_tried_on_its_own_cases_and_on_its_readers(tmp_path):
    score = score_fact(tiny(tmp_path, TYPED), "person")
    assert score.file == "facts/person.sql"
    # its own case has no user without a kind, the control's have
    assert "COALESCE removed: COALESCE(type, 'PERSON')" in named(score.made) - named(score.unnoticed)
    assert score.unnoticed == ()


def test_a_union_at_the_root_loses_either_part_and_keeps_what_stands_before_it():
    made = mutants("with a as (select 1 as x) select x from a union all select x + 1 from a")
    gave = {mutant.what.partition(":")[0]: select(mutant.sql, {}).column(0).to_pylist() for mutant in made}
    assert gave == {"first part left out": [2], "second part left out": [1]}


def test_no_two_mutants_of_a_text_share_a_name():
    made = list(mutants("select 1 from t where (a = 1 and b) or (a = 1 and c)"))
    assert len(named(made)) == len(made)
    assert {"turned round: a = 1", "turned round: a = 1 (no. 2)"} <= named(made)


def test_text_that_only_says_what_was_seen_is_left_alone():
    assert list(mutants("select case when a then 'x' when b then 'y' end as observed from t")) == []


def test_unreadable_text_is_an_error_that_says_so():
    with pytest.raises(ControlError, match="does not parse"):
        unchanged("select from where (")


def test_the_command_says_what_is_lost_and_exits_3_for_a_verdict(tmp_path, capsys, monkeypatch):
    library = tiny(tmp_path)
    monkeypatch.setattr("evidence.cli.controls_command.library_of", lambda _: library)
    assert run(["controls", "test", "identity-two", "--mutants"]) == 3
    told = capsys.readouterr()
    assert f"identity-two/control.sql: verdict: {GRACE}" in told.out
    assert "mutants: 2/2 identity-two/control.sql" in told.err
    assert run(["controls", "test", "identity-two", "--mutants", "--json"]) == 3
    scores = json.loads(capsys.readouterr().out)
    assert {"kind": "verdict", "what": GRACE} in scores[1]["unnoticed"]
    assert scores[1]["made"]["verdict"] >= 8
    assert run(["controls", "test", "fact.person", "--mutants"]) == 0
    assert "0 known to change nothing, 0 not noticed" in capsys.readouterr().out


def placed(root, join):
    """The tiny control with items that say their account."""
    case = 'evidence = { "snowflake.users" = [{ name = "ANN", has_mfa = true }] }'
    write(
        root,
        person_sql="select source, name from snowflake.users",
        population_sql=f"select p.source || '/' || p.name as item, has_mfa, created_on from fact.person p join snowflake.users u on {join}",
        good_toml=f'why = "w"\nstatus = "satisfied"\nexpect = [{{ item = "snowflake/ANN", result = "pass" }}]\n{case}',
    )
    (root / "identity/identity-two/cases/mixed.toml").unlink()
    return load_library([root])


def test_two_cases_are_two_accounts_that_do_not_mix(tmp_path):
    apart = run_cases(placed(tmp_path / "a", "u.name = p.name and u.source = p.source"), "identity-two")
    assert [r for r in apart if not r.ok] == []
    assert "good, beside good" in {r.case for r in apart}
    mixed = run_cases(placed(tmp_path / "b", "u.name = p.name"), "identity-two")
    assert [r.case for r in mixed if not r.ok] == ["good, beside good"]


def test_a_fact_that_mixes_accounts_is_found(tmp_path):
    library = tiny(tmp_path)
    assert {r.case for r in run_fact_cases(library, "person")} == {"kinds"}  # says no account
    where = "from snowflake.users where deleted_on is null and type is distinct from 'SERVICE'"
    (tmp_path / "facts/person.sql").write_text(f"select source, name {where}")
    assert [r.case for r in run_fact_cases(load_library([tmp_path]), "person") if r.ok] == [
        "kinds",
        "kinds, beside kinds",
    ]
    (tmp_path / "facts/person.sql").write_text(f"select max(source) as source, name {where} group by name")
    assert [r.case for r in run_fact_cases(load_library([tmp_path]), "person") if not r.ok] == ["kinds, beside kinds"]


def test_a_case_may_say_that_it_holds_of_one_account_alone(tmp_path):
    library = placed(tmp_path, "u.name = p.name")
    case = tmp_path / "identity/identity-two/cases/good.toml"
    case.write_text("alone = true\n" + case.read_text())
    assert [r for r in run_cases(library, "identity-two") if not r.ok] == []

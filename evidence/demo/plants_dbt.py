"""Deviations of the dbt project and its runs."""

from evidence.demo.dbt_project import RunChange, TestChange, model_id, test_id
from evidence.demo.state import ALWAYS
from evidence.demo.world import World

KEY_TESTS, RESULTS = "quality-key-tests", "quality-test-results"


def plant_dbt(world: World) -> None:
    """Plant them all."""
    _tests(world)
    _runs(world)


def _tests(world: World) -> None:
    changes, expect = world.project.test_changes, world.expect
    changes.append(TestChange(test_id("unique", "FCT_FILL", "FILL_ID"), 40, 46))
    expect("test-removed", KEY_TESTS, f"{model_id('fct_fill')}/fill_id", "no-unique", 40, 46)
    changes.append(TestChange(test_id("not_null", "DIM_DRUG", "DRUG_CODE"), 12, 13, {"enabled": False}))
    expect("test-disabled", KEY_TESTS, f"{model_id('dim_drug')}/drug_code", "test-disabled", 12, 13)
    changes.append(TestChange(test_id("relationships", "FCT_CLAIM", "MEMBER_ID"), 73, 75, {"severity": "WARN"}))
    expect("test-only-warns", KEY_TESTS, f"{model_id('fct_claim')}/member_id", "severity-warn", 73, 75)
    changes.append(
        TestChange(test_id("not_null", "DIM_MEMBER", "MEMBER_ID"), 85, ALWAYS, {"where": "valid_from > '2026-01-01'"})
    )
    expect("test-hides-history", KEY_TESTS, f"{model_id('dim_member')}/member_id", "where-filter", 85)


def _runs(world: World) -> None:
    project, expect = world.project, world.expect
    who = world.phi.patient()
    world.phi.plant(who.name, who.record)
    message = f"Got 1 result, configured to fail if != 0: unexpected value '{who.name}' ({who.record})"
    fixed = test_id("accepted_values", "FCT_CLAIM", "STATUS_CODE")
    project.run_changes.append(RunChange(fixed, 22, 22, "fail", message, 1))
    expect("failing-test-fixed-next-day", RESULTS, fixed, "failed", 22, 22)
    never = test_id("relationships", "FCT_FILL", "MEMBER_ID")
    project.run_changes.append(RunChange(never, 80, ALWAYS, "fail", "Got 4 results, configured to fail if != 0", 4))
    expect("failing-test-never-fixed", RESULTS, never, "failed", 80)
    built = model_id("fct_reserve")
    project.run_changes.append(
        RunChange(
            built, 68, 68, "error", f"Database Error in model fct_reserve: Numeric value '{who.ssn}' is not recognized"
        )
    )
    world.phi.plant(who.ssn)
    expect("model-fails", RESULTS, built, "failed", 68, 68)
    project.missing_runs.add(30)
    expect("missing-run", RESULTS, "2026-07-31", "run-missing", 30, 30)

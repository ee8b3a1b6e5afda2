"""Deviations of the dbt project and its runs."""

from evidence.demo.dbt_nodes import model_id, test_id
from evidence.demo.dbt_project import NodeChange, RunChange
from evidence.demo.state import ALWAYS
from evidence.demo.world import World

KEY_TESTS, RESULTS = "quality-key-tests", "quality-test-results"
MISSING_RUN = 30  # the morning without a production run


def plant_dbt(world: World) -> None:
    """Plant them all."""
    _project(world)
    _failures(world)
    _runs(world)


def _project(world: World) -> None:
    changes, expect = world.project.node_changes, world.expect
    changes.append(NodeChange(test_id("unique", "FCT_FILL", "FILL_ID"), 40, 46))
    expect("test-removed", KEY_TESTS, model_id("fct_fill"), "key-untested", 40, 46)
    changes.append(NodeChange(test_id("not_null", "DIM_DRUG", "DRUG_CODE"), 12, 13, {"config": {"enabled": False}}))
    expect("test-disabled", KEY_TESTS, model_id("dim_drug"), "test-disabled", 12, 13)
    changes.append(
        NodeChange(test_id("relationships", "FCT_CLAIM", "MEMBER_ID"), 73, 75, {"config": {"severity": "WARN"}})
    )
    expect("test-only-warns", KEY_TESTS, f"{model_id('fct_claim')}.member_id", "test-warns", 73, 75)
    recent = {"config": {"where": "valid_from > '2026-01-01'"}}
    changes.append(NodeChange(test_id("not_null", "DIM_MEMBER", "MEMBER_ID"), 85, ALWAYS, recent))
    expect("test-hides-history", KEY_TESTS, model_id("dim_member"), "test-filtered", 85)
    changes.append(NodeChange(test_id("relationships", "FCT_ENCOUNTER", "PROVIDER_ID"), 60, 62))
    expect("reference-untested", KEY_TESTS, f"{model_id('fct_encounter')}.provider_id", "foreign-key-untested", 60, 62)
    keyless = model_id("agg_loss_ratio")
    model = next(node for node in world.project.models if node["unique_id"] == keyless)
    columns = {name: column | {"constraints": []} for name, column in model["columns"].items()}
    changes.append(NodeChange(keyless, 18, 19, {"primary_key": [], "columns": columns}))
    changes += [NodeChange(test_id(kind, "AGG_LOSS_RATIO", "PERIOD_KEY"), 18, 19) for kind in ("unique", "not_null")]
    expect("model-without-key", KEY_TESTS, keyless, "no-key", 18, 19)


def _failures(world: World) -> None:
    """A failure is judged on the night after, when the 24 hours to fix it have run out."""
    project, expect = world.project, world.expect
    who = world.phi.patient()
    world.phi.plant(who.name, who.record, who.ssn)
    message = f"Got 1 result, configured to fail if != 0: unexpected value '{who.name}' ({who.record})"
    late = test_id("accepted_values", "FCT_CLAIM", "STATUS_CODE")
    # The run of day 23 finishes 24 hours and a minute after that of day 22; day 69 finishes in time for day 68.
    project.run_changes.append(RunChange(late, 22, 22, "fail", message, 1))
    expect("failing-test-fixed-next-day", RESULTS, late, "node-failed", 23, 23)
    rejected = f"Database Error in model fct_reserve: Numeric value '{who.ssn}' is not recognized"
    project.run_changes.append(RunChange(model_id("fct_reserve"), 68, 68, "error", rejected))
    never = test_id("relationships", "FCT_FILL", "MEMBER_ID")
    project.run_changes.append(RunChange(never, 80, ALWAYS, "fail", "Got 4 results, configured to fail if != 0", 4))
    expect("failing-test-never-fixed", RESULTS, never, "node-failed", 81)
    skipped = model_id("fct_member_month")
    project.run_changes.append(RunChange(skipped, 58, 58, "skipped", "Skipping because of upstream failure"))
    expect("model-skipped", RESULTS, skipped, "node-skipped", 59, 59)


def _runs(world: World) -> None:
    project, expect = world.project, world.expect
    project.missing_runs.add(MISSING_RUN)
    expect("missing-run", RESULTS, "runs", "run-missing", MISSING_RUN, MISSING_RUN)
    expect("missing-run", RESULTS, "tests", "tests-dropped", MISSING_RUN, MISSING_RUN)
    staging = [node for node in project.tests if node["fqn"][1] == "staging"]
    project.unselected[35] = frozenset(node["unique_id"] for node in staging)
    expect("tests-left-out", RESULTS, "tests", "tests-dropped", 35, 35)

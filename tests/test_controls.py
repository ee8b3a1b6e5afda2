"""Every control of the library: its cases, and what spoiled evidence does to it. Adding a control needs no Python."""

from pathlib import Path

import pytest

from evidence.control.cases import FAULTS, case_files, parse_case, prepared, run_cases, spoiled
from evidence.control.definition import load_library
from evidence.control.engine import Engine
from evidence.control.factcases import run_fact_cases
from evidence.control.gate import registers_needed, requirements
from evidence.control.lint import lint_library

ROOT = Path(__file__).parent.parent / "controls"
CONTROLS = sorted(path.parent.name for path in ROOT.glob("*/*/control.toml"))
TWELVE = {
    "access-admin-count", "access-no-raw-grants", "access-no-user-privileges", "data-phi-access-role",
    "data-phi-mask-coverage", "identity-dormant", "identity-mfa-humans", "identity-service-keypair",
    "monitor-bruteforce", "network-account-policy", "quality-key-tests", "quality-test-results",
}  # fmt: skip


@pytest.fixture(scope="module")
def library():
    return load_library([ROOT])


def test_the_first_controls_are_there(library):
    assert set(library.controls) >= TWELVE


def test_content_is_sound(library):
    assert [str(problem) for problem in lint_library(library)] == []


@pytest.mark.parametrize("control", CONTROLS)
def test_cases(library, control):
    assert [f"{r.case}: {r.detail}" for r in run_cases(library, control, automatic=False) if not r.ok] == []


def test_every_fact_is_read_and_gives_what_its_cases_say(library):
    read = {fact.name for control in library.controls.values() for fact in library.facts_of(control)}
    assert set(library.facts) - read == set()
    results = [result for name in library.facts for result in run_fact_cases(library, name)]
    assert [f"{r.control} {r.case}: {r.detail}" for r in results if not r.ok] == []


@pytest.mark.parametrize("control", CONTROLS)
def test_spoiled_evidence_never_satisfies(library, control):
    """Done when: unreadable, denied, empty and stale evidence and a NULL in every tested column never satisfy."""
    content = library.controls[control]
    settings = [prepared(library, content, parse_case(path)) for path in case_files(content)]
    good = [setting for setting in settings if setting.case.status == "satisfied"]
    assert good, "a control needs a case that comes out satisfied"
    seen = set()
    with Engine(threads=1) as engine:
        for setting in good:
            for label, made in spoiled(setting):
                finding, _ = setting.assessed(engine.select, made)
                assert finding.status != "satisfied", label
                if not label.endswith("unknown"):  # an item without its name is an error of its own
                    assert finding.reason != "control-error", (label, finding.detail)
                seen.add(label)
    for requirement in requirements(library, content):
        if not requirement.optional:
            assert {f"{requirement.dataset} {fault}" for fault in FAULTS[:4] if fault != "stale"} <= seen
    assert {f"register {name} missing" for name in registers_needed(library, content)} <= seen
    rests_on_rows = bool(requirements(library, content) or content.ops)
    assert not rests_on_rows or any(label.endswith(" unknown") for label in seen), "no tested column was made unknown"

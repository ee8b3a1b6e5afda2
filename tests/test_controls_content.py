"""The control library as content: every reason is shown, mappings and words stay inside the auditor's rules (examples run in test_controls.py)."""

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from evidence.control.cases import case_files, parse_case
from evidence.control.definition import load_library
from evidence.control.model import UNKNOWN_VALUE, Control, Library
from evidence.snapshot.redact import Redactor

ROOT = Path(__file__).resolve().parent.parent
CONTROLS = ROOT / "controls"
CATALOGUES = ROOT.parent / "shared" / "frameworks"
NAMES = sorted(path.parent.name for path in CONTROLS.glob("*/*/control.toml"))
FACTS = sorted(path.stem for path in (CONTROLS / "facts").glob("*.toml"))
WORDS = re.compile(
    r"\b(compliant|certified|audited|opinion|assurance|effective|requirement met|complete|no PHI|no breach|tamper-proof|immutable"
    r"|guarantee\w*|real-time|all access)\b|compliance \d",
    re.IGNORECASE,
)
# What the auditor's rules allow as supporting only, for the controls that are here.
# What they judge lies in no one source: in registers, contracts, or our own records; accounts and buckets have one name everywhere.
IN_NO_SOURCE = {
    "avail-backups", "avail-replication-rpo", "change-evidence-tool", "cost-budget", "monitor-finding-response", "program-control-freshness",
    "program-exceptions", "retention-contract", "retention-evidence-lock", "retention-purge",
}  # fmt: skip
SUPPORTING_ONLY = {
    ("identity-dormant", "164.308(a)(3)(ii)(C)"),
    ("access-no-raw-grants", "164.514(d)(2)"),
    ("data-phi-mask-coverage", "164.514(d)(2)"),
    ("network-account-policy", "164.312(e)(1)"),
    ("data-phi-access-role", "164.308(a)(1)(ii)(D)"),
}


@pytest.fixture(scope="module")
def library() -> Library:
    return load_library([CONTROLS])


@pytest.mark.parametrize("name", FACTS)
def test_every_fact_has_an_example(name: str) -> None:
    assert list((CONTROLS / "facts" / "cases" / name).glob("*.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_every_reason_is_shown_by_an_example(library: Library, name: str) -> None:
    control = library.control(name)
    shown = {item.reason for path in case_files(control) for item in parse_case(path).expect}
    assert set(control.reasons) - shown <= {UNKNOWN_VALUE}  # every control has it, not each can meet it


@pytest.mark.parametrize("name", NAMES)
def test_every_item_begins_with_its_source(library: Library, name: str) -> None:
    if name in IN_NO_SOURCE:
        return
    items = {item.item for path in case_files(library.control(name)) for item in parse_case(path).expect}
    assert {item for item in items if not re.match(r"[a-z0-9-]+/.", item)} == set()


def test_mappings_stay_as_weak_as_the_auditor_wants_them(library: Library) -> None:
    primary = {
        (control.id, mapped.requirement)
        for control in library.controls.values()
        for mapped in control.maps
        if mapped.strength == "primary"
    }
    assert primary & SUPPORTING_ONLY == set()


def test_every_control_speaks_to_a_framework(library: Library) -> None:
    """SOC 2 always: HIPAA asks for nothing about cost, and of identity-aws-humans the auditor wants CC6.1 alone."""
    for control in library.controls.values():
        assert {mapped.framework for mapped in control.maps} >= {"soc2"}, control.id


@pytest.mark.parametrize("name", NAMES)
def test_no_text_promises_too_much(library: Library, name: str) -> None:
    found = [(where, match[0]) for where, text in _texts(library.control(name)) if (match := WORDS.search(text))]
    assert found == []


def test_the_readme_lists_each_control_with_its_reasons(library: Library) -> None:
    rows = {
        line.split("|")[1].strip(): line
        for line in (CONTROLS / "README.md").read_text().splitlines()
        if line[:2] == "| "
    }
    for control in library.controls.values():
        missing = [code for code in control.reasons if code != "unknown-value" and f"`{code}`" not in rows[control.id]]
        assert missing == [], control.id


def test_every_hipaa_entry_has_our_own_gist(library: Library) -> None:
    entries = library.frameworks["hipaa"].entries
    assert len(entries) == 165
    assert [entry.id for entry in entries if not entry.gist] == []
    assert [entry.id for entry in entries if WORDS.search(entry.gist or "")] == []
    keys = {
        key for entry in json.loads((CONTROLS / "frameworks" / "hipaa.json").read_text())["entries"] for key in entry
    }
    assert "text" not in keys


@pytest.mark.skipif(not CATALOGUES.exists(), reason=f"no {CATALOGUES.name} catalogues beside the repository")
def test_catalogues_are_what_the_script_writes_and_share_no_five_words_with_the_regulation() -> None:
    script = _script()
    source = {name: json.loads((CATALOGUES / f"{name}.json").read_text()) for name in ("hipaa", "soc2", "crosswalk")}
    ours = {name: json.loads((CONTROLS / "frameworks" / f"{name}.json").read_text()) for name in source}
    gists = {entry["id"]: entry["gist"] for entry in ours["hipaa"]["entries"]}
    assert script.hipaa(source["hipaa"], gists) == ours["hipaa"]
    assert script.soc2(source["soc2"]) == ours["soc2"]
    assert script.crosswalk(source["crosswalk"]) == ours["crosswalk"]


def test_a_gist_too_near_the_regulation_is_refused() -> None:
    entry = {"id": "x", "text": "Ensure that every door is locked.", "rule": "security"}
    source = {"framework": "hipaa", "name": "n", "catalog_version": "1", "entries": [entry]}
    with pytest.raises(ValueError, match="too near the text: \\['x'\\]"):
        _script().hipaa(source, {"x": "See that every door is locked."})
    with pytest.raises(ValueError, match="no gist: \\['x'\\]"):
        _script().hipaa(source, {})


def _texts(control: Control) -> Iterator[tuple[str, str]]:
    for field in ("title", "statement", "test", "empty_reason", "remediation", "false_positives"):
        yield field, getattr(control, field)
    yield from ((f"reasons.{code}", text) for code, text in control.reasons.items())
    yield from ((f"parameters.{name}", parameter.about) for name, parameter in control.parameters.items())


def _script() -> ModuleType:
    path = ROOT / "scripts" / "frameworks_from_catalogues.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_course_codes_are_stored_as_they_are(library):
    """The training records keep a course's name only if it is plain; the default of the control must be."""
    redactor = Redactor(b"k" * 32, "test")
    courses = library.controls["program-attestations"].parameters["courses"].default
    assert [redactor.scrub(course, "label")[0] for course in courses] == list(courses)

"""The roll-up of controls to requirements: nothing done to controls, parameters or evidence makes a requirement greener unseen."""

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import job
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.cli.packet_inputs import _control_text
from evidence.control.coverage import (
    RELIABILITY,
    STRONGEST_FIRST,
    WORST_FIRST,
    Claim,
    claims_of,
    cover,
    refusal,
    tally,
)
from evidence.control.definition import load_library
from evidence.control.framework import Requirement
from evidence.control.model import Control, Evidence, Library, Mapped, Parameter
from evidence.control.period import assess_period
from evidence.control.result import NightFinding, Observation
from evidence.errors import ControlError
from evidence.snapshot.model import DAY

START = dt.date(2026, 7, 1)
GREEN = {"satisfied", "not-applicable"}
MODES = ("automated", "partial", "attestation", "inherited", "not_applicable", "container", "of-another-kind")
STATUSES = ("satisfied", "not-satisfied", "not-assessed", "not-applicable")


def entry(name, parent=None, mode="automated"):
    return Requirement(id=name, citation=name, title=name, level="x", parent=parent, evidence_mode=mode)


def primary(control, requirement="R", status="satisfied", **more):
    words = {"satisfied": "no exceptions noted", "not-applicable": "not applicable (nothing to test)"}
    exceptions = 2 if status == "not-satisfied" else 0
    return Claim(control, requirement, "primary", more.get("refused", ""), status, words.get(status, ""), exceptions)


def supporting(control, requirement="R", status="satisfied"):
    return replace(primary(control, requirement, status), strength="supporting")


def one(claims, entries=None):
    return {c.requirement: c for c in cover(entries or [entry("R")], claims, period=True)}


@st.composite
def catalogues(draw):
    names = [f"R{n}" for n in range(draw(st.integers(1, 7)))]
    parents = [None, *(draw(st.sampled_from([None, *names[:n]])) for n in range(1, len(names)))]
    return [entry(name, parent, draw(st.sampled_from(MODES))) for name, parent in zip(names, parents, strict=True)]


@st.composite
def trees(draw):
    entries = draw(catalogues())
    claims = [
        Claim(
            f"c-{draw(st.integers(0, 4))}",
            draw(st.sampled_from(entries)).id,
            draw(st.sampled_from(("primary", "supporting"))),
            draw(st.sampled_from(("", "", "x = 9 (counts to 3)"))),
            status := draw(st.sampled_from(STATUSES)),
            status,
            1 if status == "not-satisfied" else 0,
        )
        for _ in range(draw(st.integers(0, 8)))
    ]
    return entries, claims


def words(entries, claims):
    return {c.requirement: c for c in cover(entries, claims, period=True)}


@pytest.mark.parametrize(
    ("statuses", "rollup", "conclusion"),
    [
        (["satisfied"], "satisfied", "no exceptions noted"),
        (["satisfied", "not-assessed"], "not-assessed", "not assessed: 1 of 2 primary controls"),
        (["satisfied", "not-satisfied"], "not-satisfied", "exceptions noted (2)"),
        (["not-satisfied", "not-assessed"], "not-satisfied", "exceptions noted (2); not assessed: 1 of 2 primary controls"),
        (["satisfied", "not-applicable"], "satisfied", "no exceptions noted"),
        (["not-applicable"], "not-applicable", "not applicable (nothing to test)"),
    ],
)  # fmt: skip
def test_the_worst_of_the_primary_controls_is_the_word(statuses, rollup, conclusion):
    found = one([primary(f"c-{n}", status=status) for n, status in enumerate(statuses)])["R"]
    assert (found.coverage, found.rollup, found.conclusion) == ("primary", rollup, conclusion)


@pytest.mark.parametrize(
    ("mode", "coverage", "conclusion"),
    [
        ("automated", "none", "no conclusion: uncovered"),
        ("partial", "none", "no conclusion: uncovered"),
        ("attestation", "manual", "no conclusion: needs a signed statement"),
        ("inherited", "inherited", "no conclusion: rests on the provider's report"),
        ("of-another-kind", "none", "no conclusion: uncovered"),
        ("not_applicable", None, ""),
        ("container", None, ""),
    ],
)
def test_what_no_control_speaks_to_says_so(mode, coverage, conclusion):
    found = one([], [entry("R", mode=mode)])["R"]
    assert (found.coverage, found.conclusion) == (coverage, conclusion)


def test_supporting_controls_alone_never_conclude():
    found = one([supporting("c-1"), supporting("c-2", status="not-satisfied")])["R"]
    assert (found.coverage, found.rollup) == ("supporting", "not-concluded")
    assert found.conclusion == "no conclusion: supporting evidence only"


def test_a_loosened_control_does_not_count_and_its_exceptions_stay():
    loose = primary("c-1", refused="max_idle_days = 300 (counts to 180)")
    found = one([loose, supporting("c-2")])["R"]
    assert (found.coverage, found.rollup) == ("supporting", "not-assessed")
    assert [claim.control for claim in found.refused] == ["c-1"]
    assert one([loose, primary("c-2")])["R"].rollup == "not-assessed"
    assert one([replace(loose, status="not-satisfied"), primary("c-2")])["R"].rollup == "not-satisfied"


def test_a_standard_stands_for_its_parts():
    entries = [
        entry("S", mode="container"), entry("S(a)", "S", "partial"), entry("S(a)(1)", "S(a)"),
        entry("S(a)(2)", "S(a)", "attestation"), entry("S(b)", "S", "not_applicable"),
    ]  # fmt: skip
    found = one([primary("c-1", "S(a)(1)")], entries)
    assert found["S(a)"].coverage == "manual"
    assert found["S(a)"].parts == {"primary": 1, "manual": 1}
    assert found["S(a)"].conclusion == "no conclusion on 1 of 2 parts"
    assert found["S"].coverage is None
    assert found["S"].rollup == "not-concluded"
    assert found["S(b)"].rollup is None
    assert tally(found.values()) == {"primary": 1, "supporting": 0, "manual": 2, "inherited": 0, "none": 0}


def test_concluded_parts_do_not_conclude_a_standard_that_is_only_supported():
    found = one([supporting("c-1", "S"), primary("c-2", "S1")], [entry("S"), entry("S1", "S")])
    assert (found["S"].coverage, found["S"].conclusion) == ("supporting", "no conclusion: supporting evidence only")
    assert one([primary("c-2", "S1")], [entry("S"), entry("S1", "S")])["S"].conclusion == "no exceptions noted"


def test_an_exception_below_is_seen_above_and_counted_once():
    entries = [entry("S", mode="container"), entry("S1", "S"), entry("S2", "S")]
    found = one([primary("c-1", "S1", "not-satisfied"), primary("c-1", "S2", "not-satisfied")], entries)
    assert found["S"].conclusion == "exceptions noted (2)"


def test_a_mapping_to_nowhere_and_a_circle_are_errors():
    with pytest.raises(ControlError, match="'X', which is not in the catalogue"):
        cover([entry("R")], [primary("c-1", "X")])
    with pytest.raises(ControlError, match="stands under itself"):
        cover([entry("A", "B"), entry("B", "A")], [])


@given(trees())
def test_a_parent_is_never_greener_than_what_stands_below(tree):
    entries, claims = tree
    found = words(entries, claims)
    for each in entries:
        if each.parent and (below := found[each.id].rollup):
            above = found[each.parent].rollup
            assert above is not None
            assert WORST_FIRST.index(above) <= WORST_FIRST.index(below)
        if each.parent and not any(c.requirement == each.parent for c in claims):
            above, below = found[each.parent].coverage, found[each.id].coverage
            assert not above or not below or STRONGEST_FIRST.index(above) >= STRONGEST_FIRST.index(below)


@given(trees())
def test_nothing_is_concluded_without_a_primary_control_that_counts(tree):
    entries, claims = tree
    for found in words(entries, claims).values():
        if found.rollup in GREEN:
            below = {e.id for e in entries if found.requirement in {e.id, *_above(e, entries)}}
            assert [c for c in claims if c.requirement in below and c.strength == "primary" and not c.refused]
            assert not [c for c in claims if c.requirement in below and c.strength == "primary" and c.refused]


def _above(each, entries):
    parents = {e.id: e.parent for e in entries}
    while each := parents.get(getattr(each, "id", each)):
        yield each


@given(trees(), st.data())
def test_refusing_a_mapping_never_turns_a_requirement_greener(tree, data):
    entries, claims = tree
    chosen = [data.draw(st.booleans()) for _ in claims]
    after = [replace(c, refused=c.refused or "loose") if yes else c for c, yes in zip(claims, chosen, strict=True)]
    _never_greener(words(entries, claims), words(entries, after))


@given(trees(), st.data())
def test_adding_a_supporting_control_never_concludes(tree, data):
    entries, claims = tree
    more = supporting("c-new", data.draw(st.sampled_from(entries)).id, data.draw(st.sampled_from(STATUSES)))
    before, after = words(entries, claims), words(entries, [*claims, more])
    for name, found in after.items():
        assert found.rollup not in GREEN or before[name].rollup in GREEN


@given(trees(), st.data())
def test_a_finding_that_becomes_worse_or_is_lost_never_turns_a_requirement_greener(tree, data):
    entries, claims = tree
    after = []
    for each in claims:
        if each.status != "not-satisfied" and data.draw(st.booleans()):
            after.append(Claim(each.control, each.requirement, each.strength, each.refused))
        else:
            after.append(each)
    _never_greener(words(entries, claims), words(entries, after))


def _never_greener(before, after):
    for name, found in after.items():
        was, now = before[name].rollup, found.rollup
        assert was is None or WORST_FIRST.index(now) <= WORST_FIRST.index(was), name


PARAMETERS = {
    "days": Parameter(type="int", default=30, about="x", stricter="lower"),
    "least": Parameter(type="decimal", default="5", about="x", stricter="higher"),
    "strict": Parameter(type="bool", default=True, about="x", stricter="true"),
    "exempt": Parameter(type="texts", default=(), about="x", stricter="fewer"),
    "asked": Parameter(type="texts", default=("A", "B"), about="x", stricter="more"),
}
TO_STRICTEST = {  # from the loosest value to the strictest
    "days": (300, 90, 60, 30, 1), "least": ("0", "2.5", "5", "7"), "strict": (False, True),
    "exempt": (("A", "B"), ("A",), ()), "asked": ((), ("A",), ("A", "B"), ("A", "B", "C")),
}  # fmt: skip


def control(maps, **more):
    return Control(
        id="c-1", version="1.0.0", title="t", statement="s", test="t", severity="high", mode="state", remediation="r",
        evidence=(Evidence(dataset="snowflake.users", columns=("name",)),), parameters=PARAMETERS, reasons={"x": "x"},
        maps=maps, population_sql="", control_sql="", content_sha256="", **more,
    )  # fmt: skip


def library(*controls):
    return Library("", "", {c.id: c for c in controls}, {}, {}, {})


@st.composite
def limits(draw):
    names = draw(st.sets(st.sampled_from(sorted(TO_STRICTEST)), min_size=1))
    return {name: draw(st.sampled_from(TO_STRICTEST[name])) for name in names}


@given(limits(), st.data())
def test_loosening_a_parameter_never_makes_a_mapping_count(limit, data):
    mapped = Mapped(framework="f", requirement="R", strength="primary", loosest=limit)
    values = {name: data.draw(st.sampled_from(steps)) for name, steps in TO_STRICTEST.items()}
    name = data.draw(st.sampled_from(sorted(TO_STRICTEST)))
    steps = TO_STRICTEST[name]
    looser = steps[data.draw(st.integers(0, steps.index(values[name])))]
    before = control((mapped,), values=values)
    after = control((mapped,), values={**values, name: looser})
    was, now = (
        {c.requirement: c for c in cover([entry("R")], [replace(c, status="satisfied") for c in claims_of(library(each), "f")], period=True)}
        for each in (before, after)
    )  # fmt: skip
    assert not (refusal(before, mapped) and not refusal(after, mapped))
    _never_greener(was, now)


def night(day, status, parameters=None):
    exceptions = (Observation("u/1", "fail", "x"),) if status == "not-satisfied" else ()
    return NightFinding("c-1", "1.0.0", "00", START + DAY * day, status, "high", population=3, exceptions=exceptions,
                        parameters={"days": 30} if parameters is None else parameters)  # fmt: skip


NIGHTS = st.lists(st.sampled_from(STATUSES), min_size=1, max_size=5)


@given(NIGHTS, st.data())
def test_removing_evidence_never_turns_a_requirement_greener(statuses, data):
    rule = control((Mapped(framework="f", requirement="R", strength="primary"),))
    nights = [night(n, status) for n, status in enumerate(statuses)]
    left = [each for each in nights if data.draw(st.booleans())]
    end = START + DAY * (len(nights) - 1)
    was, now = (_word(rule, assess_period(rule, some, START, end)) for some in (nights, left))
    assert now not in GREEN or was in GREEN


def _word(rule, finding):
    return cover([entry("R")], claims_of(library(rule), "f", [finding]), period=True)[0].rollup


def test_one_loose_stretch_of_the_period_is_enough():
    rule = control((Mapped(framework="f", requirement="R", strength="primary", loosest={"days": 90}),))
    nights = [night(0, "satisfied"), night(1, "satisfied", {"days": 300}), night(2, "satisfied")]
    finding = assess_period(rule, nights, START, START + DAY * 2)
    (claim,) = claims_of(library(rule), "f", [finding])
    assert claim.refused == "days = 300 (counts to 90), 2026-07-02 to 2026-07-02"
    assert _word(rule, finding) == "not-assessed"
    assert _word(rule, assess_period(rule, [night(0, "satisfied")], START, START)) == "satisfied"
    unrecorded = assess_period(rule, [night(0, "satisfied", {})], START, START)
    assert _word(rule, unrecorded) == "not-assessed"


def test_a_finding_that_is_not_there_is_not_assessed():
    rule = control((Mapped(framework="f", requirement="R", strength="primary"),))
    found = cover([entry("R")], claims_of(library(rule), "f"), period=True)[0]
    assert found.conclusion == "not assessed: 1 of 1 primary control"


def test_what_is_switched_off_does_not_count_meanwhile():
    rule = control(
        (Mapped(framework="f", requirement="R", strength="primary"),), disabled_until=START, disabled_reason="x"
    )
    (off,) = claims_of(library(rule), "f", night=START - DAY)
    (on,) = claims_of(library(rule), "f", night=START)
    assert (off.refused, on.refused) == ("switched off until 2026-07-01", "")


def test_the_collecting_itself_covers_no_requirement():
    rule = control((Mapped(framework="f", requirement="R", strength="primary"),)).model_copy(
        update={"id": min(RELIABILITY)}
    )
    assert claims_of(library(rule), "f") == []


def test_the_command_lists_every_requirement_and_what_does_not_count(tmp_path):
    job.here("init", tmp_path / "w", "--demo", "--size", "none")
    (tmp_path / "w" / "overlay.toml").write_text(
        '[controls.identity-mfa-humans]\nreason = "agreed 2026-07-01"\nparameters = { grace_hours = 168 }\n'
    )
    both = json.loads(job.here("-w", tmp_path / "w", "controls", "coverage", "--json").stdout)
    rows = {row["requirement"]: row for row in both["hipaa"]["requirements"]}
    assert (len(rows), len(both["soc2"]["requirements"])) == (165, 74)
    assert {"control": "identity-mfa-humans", "strength": "primary", "why": "grace_hours = 168 (counts to 72)"} in rows[
        "164.312(d)"
    ]["not_counted"]
    assert "identity-mfa-humans" not in rows["164.312(d)"]["primary"]
    table = job.here("-w", tmp_path / "w", "controls", "coverage", "--framework", "hipaa").stdout
    assert "not counted: 164.312(d) by identity-mfa-humans (primary): grace_hours = 168 (counts to 72)" in table
    assert "CC6.1" not in table
    assert "frameworks: hipaa, soc2" in job.here("controls", "coverage", "--framework", "iso", codes=(2,)).stderr


def test_a_packet_is_given_the_reason_a_mapping_does_not_count():
    overlay = {"controls": {"identity-mfa-humans": {"reason": "agreed", "parameters": {"grace_hours": 168}}}}
    loosened = load_library([Path(__file__).parents[1] / "controls"], overlay)
    rule = loosened.control("identity-mfa-humans")
    refused = {
        m.requirement: m.refused for m in _control_text(loosened, rule, None, "").maps if m.strength == "primary"
    }
    assert refused["164.312(d)"] == "grace_hours = 168 (counts to 72)"
    nights = [
        replace(night(0, "satisfied", {"grace_hours": 24}), control=rule.id),
        replace(night(1, "satisfied", {"grace_hours": 168}), control=rule.id),
    ]
    whole, first = (assess_period(rule, nights, START, START + DAY * n) for n in (1, 0))
    texts = [
        {m.refused for m in _control_text(loosened, rule, each, "").maps if m.requirement == "164.312(d)"}
        for each in (whole, first)
    ]
    assert texts == [{"grace_hours = 168 (counts to 72), 2026-07-02 to 2026-07-02"}, {""}], (
        "as sealed, not as set today"
    )

"""Never pass by silence: what the evidence gates and the algebra of a night make of holes in the evidence."""

import dataclasses
import datetime as dt

import pytest
from test_control_cases import CONTROL, write

from evidence.control.definition import load_library
from evidence.control.engine import assess_night
from evidence.control.gate import Requirement, gather, requirements
from evidence.control.ledger import Ledger
from evidence.control.made import MadeEvidence, registers_of
from evidence.control.verdict import judge
from evidence.datasets.load import load_contracts
from evidence.snapshot.model import DAY

NIGHT = dt.date(2026, 9, 1)
CAPTURED = dt.datetime(2026, 9, 2, 3, tzinfo=dt.UTC)
GOOD = [{"name": "ANN", "has_mfa": True}]
BAD = [{"name": "BOB", "has_mfa": False}]
ROLES = '\n[[evidence]]\ndataset = "snowflake.roles"\ncolumns = ["name"]\n'
LOGINS = """
id = "monitor-fails"
version = "1.0.0"
title = "Failed sign-ins"
statement = "Failed sign-ins are looked at."
test = "Each user with failures is reviewed."
severity = "high"
mode = "event-review"
scope = "lookback"
review_days = 5
empty_population = "not-applicable"
empty_reason = "Nobody failed to sign in."
remediation = "Look."

[[evidence]]
dataset = "snowflake.login_history"
columns = ["user_name", "is_success"]
lookback_nights = 2
absence = "hides"
tested = ["is_success"]

[reasons]
burst = "Failed sign-ins."
"""
LOGIN_POPULATION = "select distinct user_name as item from snowflake.login_history"
LOGIN_TEST = """
select p.item, case when count(*) filter (where l.is_success is distinct from 'YES') = 0 then 'pass' else 'fail' end as result,
  case when count(*) filter (where l.is_success is distinct from 'YES') > 0 then 'burst' end as reason,
  count(*)::varchar as observed, '' as expected
from population p join snowflake.login_history l on l.user_name = p.item group by p.item
"""


def assess(
    tmp_path,
    rows,
    *,
    control_toml=CONTROL,
    faults=None,
    covered=None,
    known_at=CAPTURED,
    missing=frozenset(),
    more=None,
):
    library = load_library([write(tmp_path, control_toml=control_toml)])
    made = MadeEvidence(
        library.contracts, NIGHT, CAPTURED, {"snowflake.users": rows, **(more or {})}, faults or {}, covered or {}
    )
    [finding] = assess_night(library, registers_of({}, NIGHT, missing), made, NIGHT, known_at=known_at)
    return finding


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("missing", "missing-evidence"), ("pending", "pending"), ("denied", "denied"), ("unavailable", "unavailable"),
        ("incomplete", "incomplete"), ("quarantined", "incomplete"), ("edition", "edition"), ("stale", "stale"), ("empty", "empty"),
    ],
)  # fmt: skip
def test_a_spoiled_input_is_not_assessed_and_says_why(tmp_path, fault, reason):
    for rows in (GOOD, BAD):
        finding = assess(tmp_path, rows, faults={"snowflake.users": fault})
        assert (finding.status, finding.reason) == ("not-assessed", reason)
        assert "snowflake.users of snowflake for 2026-09-01" in finding.detail
        assert finding.exceptions == ()


def test_nobody_collects_it(tmp_path):
    library = load_library([write(tmp_path)])
    made = MadeEvidence(library.contracts, NIGHT, CAPTURED, {})
    [finding] = assess_night(library, registers_of({}, NIGHT), made, NIGHT, known_at=CAPTURED)
    assert (finding.status, finding.reason) == ("not-assessed", "missing-evidence")


def test_a_missing_register_is_not_an_empty_one(tmp_path):
    assert assess(tmp_path, GOOD).status == "satisfied"
    finding = assess(tmp_path, GOOD, missing=frozenset({"break_glass"}))
    assert (finding.status, finding.reason, finding.detail) == (
        "not-assessed", "missing-evidence", "missing-evidence: register break_glass has no file",
    )  # fmt: skip


def test_before_coverage_is_said_as_such(tmp_path):
    finding = assess(tmp_path, GOOD, covered={"snowflake": NIGHT + DAY})
    assert (finding.status, finding.reason) == ("not-assessed", "before-coverage")


def test_a_denial_is_not_hidden_behind_before_coverage(tmp_path):
    rows = [{**GOOD[0], "source": "one"}]
    finding = assess(
        tmp_path, rows, control_toml=CONTROL + ROLES, more={"snowflake.roles": [{"name": "R", "source": "two"}]},
        covered={"two": NIGHT + DAY}, faults={"snowflake.users": "denied"},
    )  # fmt: skip
    assert finding.reason == "denied"


def test_a_source_not_covered_yet_is_named_beside_the_finding(tmp_path):
    rows = [{**GOOD[0], "source": "one"}, {"name": "X", "has_mfa": True, "source": "two"}]
    finding = assess(tmp_path, rows, covered={"two": NIGHT + DAY})
    assert (finding.status, finding.population, finding.detail) == ("satisfied", 1, "not covered yet: two")


def test_one_denied_account_of_two_is_not_assessed(tmp_path):
    rows = [{**GOOD[0], "source": "one"}, {**BAD[0], "source": "two"}]
    library = load_library([write(tmp_path)])

    class OneDenied(MadeEvidence):
        def snapshot(self, source, dataset, night):
            spoiled = self.with_fault(dataset, "denied") if source == "two" else self
            return MadeEvidence.snapshot(spoiled, source, dataset, night)

        def with_fault(self, name, fault):
            return MadeEvidence(self.contracts, self.night, self.captured_at, self.rows_by_dataset, {name: fault})

    made = OneDenied(library.contracts, NIGHT, CAPTURED, {"snowflake.users": rows})
    [finding] = assess_night(library, registers_of({}, NIGHT), made, NIGHT, known_at=CAPTURED)
    assert (finding.status, finding.reason) == ("not-assessed", "denied")


def test_the_edition_of_the_account_is_looked_at(tmp_path):
    library = load_library(
        [write(tmp_path, control_toml=CONTROL.replace("mode =", 'editions = ["enterprise"]\nmode ='))]
    )

    class Standard(MadeEvidence):
        def snapshot(self, source, dataset, night):
            found = MadeEvidence.snapshot(self, source, dataset, night)
            return dataclasses.replace(found, receipt={**found.receipt, "system": {"edition": "STANDARD"}})

    made = Standard(library.contracts, NIGHT, CAPTURED, {"snowflake.users": GOOD})
    [finding] = assess_night(library, registers_of({}, NIGHT), made, NIGHT, known_at=CAPTURED)
    assert (finding.status, finding.reason) == ("not-assessed", "edition")


def test_too_old_a_capture_is_stale(tmp_path):
    young = CONTROL.replace('tested = ["has_mfa"]', 'tested = ["has_mfa"]\nmax_age_hours = 20')
    assert assess(tmp_path, GOOD, control_toml=young).reason == "stale"
    assert assess(tmp_path, GOOD, control_toml=young.replace("20", "21")).status == "satisfied"


def optional(absence="accuses"):
    return CONTROL + ROLES + f'optional = true\nabsence = "{absence}"\n'


def test_optional_evidence_may_be_missing_from_a_pass_but_casts_doubt_on_a_failure(tmp_path):
    roles = {"snowflake.roles": [{"name": "R"}]}
    gone = {"snowflake.roles": "missing"}
    assert assess(tmp_path, GOOD, control_toml=optional(), more=roles, faults=gone).status == "satisfied"
    finding = assess(tmp_path, BAD, control_toml=optional(), more=roles, faults=gone)
    assert (finding.status, finding.reason, finding.exceptions) == ("not-assessed", "missing-evidence", ())
    assert "1 items fail unless" in finding.detail
    assert assess(tmp_path, BAD, control_toml=optional()).status == "not-satisfied", (
        "nobody collects it: nothing clears"
    )
    edition = assess(tmp_path, BAD, control_toml=optional(), more=roles, faults={"snowflake.roles": "edition"})
    assert edition.status == "not-satisfied"


def test_what_hides_failures_does_not_hide_those_that_are_found(tmp_path):
    hides = CONTROL + ROLES + 'absence = "hides"\n'
    roles = {"snowflake.roles": [{"name": "R"}]}
    found = assess(tmp_path, BAD, control_toml=hides, more=roles, faults={"snowflake.roles": "denied"})
    assert (found.status, [o.item for o in found.exceptions]) == ("not-satisfied", ["BOB"])
    assert "denied: snowflake.roles" in found.detail
    clean = assess(tmp_path, GOOD, control_toml=hides, more=roles, faults={"snowflake.roles": "denied"})
    assert (clean.status, clean.reason) == ("not-assessed", "denied")


def test_facts_bring_their_needs_with_them(tmp_path):
    library = load_library([write(tmp_path)])
    [needed] = requirements(library, library.controls["identity-two"])
    assert (needed.dataset, needed.optional, needed.hides) == ("snowflake.users", False, False)


def logins(tmp_path, rows, *, known_at=CAPTURED, covered=None, faults=None):
    root = write(tmp_path)
    folder = root / "monitor" / "monitor-fails"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "control.toml").write_text(LOGINS)
    (folder / "population.sql").write_text(LOGIN_POPULATION)
    (folder / "control.sql").write_text(LOGIN_TEST)
    library = load_library([root])
    made = MadeEvidence(
        library.contracts, NIGHT, CAPTURED, {"snowflake.login_history": rows}, faults or {}, covered or {}
    )
    registers = registers_of({}, NIGHT)
    return assess_night(library, registers, made, NIGHT, known_at=known_at, controls=["monitor-fails"])[0]


def login(user, success, back=0):
    return {"user_name": user, "is_success": "YES" if success else "NO", "night": NIGHT - DAY * back}


def test_a_hit_waits_for_review_and_is_an_exception_when_overdue(tmp_path):
    rows = [
        login("ANN", success=False),
        login("BOB", success=True),
        *(login("BOB", success=True, back=n) for n in (1, 2)),
    ]
    waiting = logins(tmp_path, rows)
    assert (waiting.status, waiting.reason) == ("not-assessed", "pending-review")
    assert [(o.item, o.result) for o in waiting.reviews] == [("ANN", "review")]
    last = dt.datetime(2026, 9, 6, 23, 59, 59, tzinfo=dt.UTC)
    assert logins(tmp_path, rows, known_at=last).status == "not-assessed"
    overdue = logins(tmp_path, rows, known_at=last + dt.timedelta(seconds=1))
    assert overdue.status == "not-satisfied"
    assert [(o.item, o.result, o.expected) for o in overdue.exceptions] == [
        ("ANN", "fail", "a disposition within 5 days")
    ]


def test_lookback_reads_the_nights_before_and_misses_them(tmp_path):
    whole = [login("BOB", success=True, back=n) for n in (0, 1, 2)]
    assert logins(tmp_path, whole).status == "satisfied"
    assert logins(tmp_path, [*whole, login("EVE", success=False, back=2)]).population == 2
    assert logins(tmp_path, [*whole, login("EVE", success=False, back=3)]).population == 1
    hole = logins(tmp_path, whole[:2])
    assert (hole.status, hole.reason) == ("not-assessed", "empty")
    assert "2026-08-30" in hole.detail
    assert logins(tmp_path, whole[:2], covered={"snowflake": NIGHT - DAY}).status == "satisfied"


def test_a_state_looks_back_at_the_capture_of_the_night_before(tmp_path):
    write(tmp_path)
    text = CONTROL.replace('tested = ["has_mfa"]', 'tested = ["has_mfa"]\nlookback_nights = 1')
    both = [*GOOD, {**GOOD[0], "night": NIGHT - DAY}]
    new = """
select u.name as item from snowflake.users u cross join params p
where u.night = p.night and not exists (select 1 from snowflake.users o where o.night < p.night and o.name = u.name)
"""
    (tmp_path / "identity/identity-two/control.toml").write_text(text)
    (tmp_path / "identity/identity-two/population.sql").write_text(new)
    test = "select item, 'pass' as result, '' as reason, '' as observed, '' as expected from population"
    (tmp_path / "identity/identity-two/control.sql").write_text(test)
    library = load_library([tmp_path])

    def found(rows):
        made = MadeEvidence(library.contracts, NIGHT, CAPTURED, {"snowflake.users": rows})
        return assess_night(library, registers_of({}, NIGHT), made, NIGHT, known_at=CAPTURED)[0]

    assert found([*both, {"name": "EVE", "has_mfa": True}]).population == 1
    assert (found(GOOD).status, found(GOOD).reason) == ("not-assessed", "empty")


def test_reviews_outside_event_review_wait_too(tmp_path):
    library = load_library([write(tmp_path)])
    from evidence.control.result import Observation

    seen = (Observation("A", "review", "x"), Observation("B", "fail", "x"))
    control = library.controls["identity-two"]
    exceptions, reviews, disposed = judge(control, seen, Ledger(registers_of({}, NIGHT), control, NIGHT, CAPTURED))
    assert ([o.item for o in exceptions], [o.item for o in reviews], disposed) == (["B"], ["A"], ())


def test_a_control_switched_off_is_visibly_not_assessed(tmp_path):
    overlay = {
        "controls": {"identity-two": {"reason": "migration", "enabled": False, "until": NIGHT + DAY}},
    }
    library = load_library([write(tmp_path)], overlay)
    made = MadeEvidence(library.contracts, NIGHT, CAPTURED, {"snowflake.users": GOOD})
    [finding] = assess_night(library, registers_of({}, NIGHT), made, NIGHT, known_at=CAPTURED)
    assert (finding.status, finding.reason) == ("not-assessed", "disabled")
    later = dataclasses.replace(made, night=NIGHT + DAY, captured_at=CAPTURED + DAY)
    [finding] = assess_night(library, registers_of({}, NIGHT), later, NIGHT + DAY, known_at=CAPTURED + DAY)
    assert finding.status == "satisfied"


@pytest.mark.parametrize(
    ("dataset", "said", "believed"),
    [
        ("snowflake.login_history", {"word": "nothing", "ground": "the view shows 4 rows of the days around"}, True),
        ("snowflake.login_history", {"word": "nothing", "ground": ""}, False),
        ("snowflake.login_history", {"word": "unproven", "ground": "who knows"}, False),
        ("snowflake.login_history", {"word": "edition", "ground": "needs enterprise"}, False),
        ("snowflake.login_history", None, False),
        ("snowflake.users", {"word": "nothing", "ground": "a source says so of a state"}, False),
        ("dbt.run_results", {"word": "nothing", "ground": "of rows that depend on what the role may see"}, False),
    ],
)
def test_no_rows_are_believed_of_an_event_window_with_a_ground_only(dataset, said, believed):
    contracts = load_contracts()
    assert contracts["dbt.run_results"].privilege_filtered

    class Silent(MadeEvidence):
        def snapshot(self, source, name, night):
            found = MadeEvidence.snapshot(self, source, name, night)
            return dataclasses.replace(found, receipt={**found.receipt, **({"empty": said} if said else {})})

    made = Silent(contracts, NIGHT, CAPTURED, {dataset: []})
    gathered = gather([Requirement(dataset)], made, contracts, (), NIGHT)
    assert [gap.why for gap in gathered.gaps] == ([] if believed else ["empty"])
    if said and said["ground"] and not believed:
        assert said["ground"] in gathered.gaps[0].detail

"""Before a merge: only what is new fails, nothing passes by leaving or by not being read, and the past of a change is last night."""

import dataclasses
import datetime as dt
import json
from itertools import combinations, product

import pytest

from evidence import gate
from evidence.control.definition import load_library
from evidence.control.engine import Engine
from evidence.control.made import MadeEvidence, registers_of, typed
from evidence.control.model import Control
from evidence.control.result import NightFinding, Observation, Waived
from evidence.control.worse import Seen, chosen, weigh
from evidence.datasets.load import load_contracts
from evidence.errors import ControlError
from evidence.render.sarif import Places, sarif
from evidence.snapshot.model import DAY, Receipt

NIGHT = dt.date(2026, 9, 1)
CAPTURED = dt.datetime(2026, 9, 2, 3, tzinfo=dt.UTC)
CONTRACTS = load_contracts()
A, B, C = (Observation(f"dbt/{name}", "fail", "key-untested", "no test", "a test") for name in "ABC")
LOOK = Observation("dbt/R", "review", "suspected")
ITEMS = frozenset({"dbt/A", "dbt/B", "dbt/C", "dbt/R", "dbt/Z"})


def control(**more):
    given_ = {
        "id": "org-keys",
        "severity": "high",
        "reasons": {"key-untested": "No test."},
        "maps": (),
        "parameters": {},
    }
    texts = {name: name for name in ("title", "statement", "remediation")}
    return Control.model_construct(**{**given_, **texts, "version": "1.0.0", **more})


def found(*exceptions, reviews=(), status=None, reason="", detail="", waived=()):
    status = status or ("not-satisfied" if exceptions else "not-assessed" if reviews else "satisfied")
    reason = reason or ("pending-review" if reviews and not exceptions else "")
    return NightFinding(
        "org-keys", "1.0.0", "", NIGHT, status, "high", exceptions=exceptions, reviews=tuple(reviews), reason=reason,
        detail=detail, waived=tuple(waived),
    )  # fmt: skip


def test_what_was_so_already_is_known_and_what_is_new_is_worse():
    both = weigh(control(), Seen(found(A, B), ITEMS), Seen(found(B, C), ITEMS))
    assert (both.outcome, both.worse, both.known, both.gone) == ("worse", (A,), (B,), 1)
    other = dataclasses.replace(B, reason="no-key")
    assert weigh(control(), Seen(found(other), ITEMS), Seen(found(B), ITEMS)).worse == (other,)
    assert weigh(control(), Seen(found(B), ITEMS), Seen(found(B), ITEMS), everything=True).worse == (B,)
    assert weigh(control(), Seen(found(B), ITEMS), Seen(found(B), ITEMS), own=True).worse == (B,)
    assert weigh(control(), Seen(found(), ITEMS), Seen(found(B), ITEMS)).outcome == "no-worse"


def test_a_waived_exception_and_one_for_after_the_merge_do_not_fail():
    waived = found(A, waived=[Waived(A.item, A.reason, "W-1")])
    assert weigh(control(), Seen(waived, ITEMS), Seen(found(), ITEMS)).outcome == "no-worse"
    later = weigh(control(), Seen(found(A), ITEMS), Seen(found(), ITEMS), later=("key-untested",))
    assert (later.outcome, later.later) == ("no-worse", (A,))


@pytest.mark.parametrize(
    ("now", "before", "outcome"),
    [
        (Seen(found(reviews=[LOOK]), ITEMS), Seen(found(), ITEMS), "look"),
        (Seen(found(reviews=[LOOK]), ITEMS), Seen(found(reviews=[LOOK]), ITEMS), "no-worse"),
        (Seen(found(), ITEMS - {"dbt/Z"}), Seen(found(), ITEMS), "look"),  # it left the population
        (Seen(found(), ITEMS | {"dbt/Y"}), Seen(found(), ITEMS), "no-worse"),
        (Seen(found(status="not-assessed", reason="incomplete"), None), Seen(found(), ITEMS), "not-assessed"),
        (Seen(found(status="not-assessed", reason="empty"), ITEMS), Seen(found(), ITEMS), "not-assessed"),
        (Seen(found(status="not-assessed", reason="disabled"), None), Seen(found(), ITEMS), "not-assessed"),
        (Seen(found(), ITEMS), Seen(found(status="not-assessed", reason="denied"), None), "not-assessed"),
        (Seen(found(A, detail="denied: x"), ITEMS), Seen(found(A), ITEMS), "not-assessed"),  # more may be hidden
        (Seen(found(A, detail="not covered yet: x"), ITEMS), Seen(found(A), ITEMS), "no-worse"),
        (Seen(found(A), ITEMS), Seen(found(status="not-assessed", reason="denied"), None), "worse"),
    ],
)
def test_nothing_passes_by_silence(now, before, outcome):
    assert weigh(control(), now, before).outcome == outcome


SETS = [set(some) for size in range(4) for some in combinations((A, B, C), size)]


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize(("now", "before"), list(product(SETS, SETS)))
def test_more_failures_never_look_better(now, before, everything):
    some = weigh(control(), Seen(found(*now), ITEMS), Seen(found(*before), ITEMS), everything=everything)
    more = weigh(control(), Seen(found(*now, A), ITEMS), Seen(found(*before - {A}), ITEMS), everything=everything)
    assert more.outcome == "worse"
    assert set(some.worse) == (now if everything else now - before)


def own_control(root, *, evidence, population, sql):
    folder = root / "own" / "org-gate"
    folder.mkdir(parents=True)
    lookback = f"lookback_nights = {evidence}\n" if evidence else ""
    (folder / "control.toml").write_text(
        'id = "org-gate"\nversion = "1.0.0"\ntitle = "t"\nstatement = "s"\ntest = "t"\nseverity = "medium"\nmode = "state"\n'
        f'remediation = "r"\n[reasons]\nbad = "b"\n[[evidence]]\ndataset = "dbt.nodes"\n'
        f'columns = ["unique_id", "name", "project_name"]\n{lookback}'
    )
    (folder / "population.sql").write_text(population)
    (folder / "control.sql").write_text(sql)
    (root / "library.toml").write_text(
        'version = "1"\n[defaults]\nfrequency = "nightly"\n[gate]\ncontrols = ["org-gate"]\n'
    )
    return load_library([root])


def judged(library, rows, proposed, *, source="dbt", faults=None):
    base = MadeEvidence(library.contracts, NIGHT, CAPTURED, {"dbt.nodes": rows}, faults or {})
    change = gate.Proposed(
        source,
        "dbt.nodes",
        Receipt("complete", collected_at=CAPTURED, landed=len(proposed)),
        typed(proposed, CONTRACTS["dbt.nodes"]),
    )
    with Engine() as engine:
        done = gate.judge(
            library,
            registers_of({}, NIGHT),
            base,
            [change],
            NIGHT,
            engine,
            known_at=CAPTURED + DAY,
            controls=["org-gate"],
        )
    return done.weighed[0]


def node(name, project="ours", **more):
    return {
        "unique_id": f"model.{project}.{name}",
        "name": name,
        "resource_type": "model",
        "project_name": project,
        **more,
    }


ALL = "select source || '/' || unique_id as item, name from dbt.nodes"
GOOD = (
    "select item, case when name like 'good%' then 'pass' else 'fail' end as result, case when name like 'good%' then '' else 'bad' end as reason, "
    "name as observed, 'good' as expected from population"
)


def test_other_projects_of_the_source_stay_and_the_own_one_is_replaced(tmp_path):
    library = own_control(tmp_path, evidence=0, population=ALL, sql=GOOD)
    rows = [node("good_a"), node("bad_b"), node("good_x", "theirs"), node("bad_y", "theirs")]
    same = judged(library, rows, rows[:2])
    assert (same.outcome, same.finding.population, len(same.known)) == ("no-worse", 4, 2)
    worse = judged(library, rows, [*rows[:2], node("bad_new")])
    assert [each.item for each in worse.worse] == ["dbt/model.ours.bad_new"]
    assert judged(library, rows, rows[:1]).removed == ("dbt/model.ours.bad_b",)
    nothing = judged(library, rows, [])
    assert nothing.outcome == "not-assessed"  # not one of the others either: which project it is cannot be told
    unnamed = [{**row, "project_name": None} for row in rows[:2]]
    assert judged(library, rows, unnamed).removed == ("dbt/model.theirs.bad_y", "dbt/model.theirs.good_x")


@pytest.mark.parametrize("fault", ["missing", "denied", "incomplete", "unavailable"])
def test_without_last_nights_own_capture_nothing_is_concluded(tmp_path, fault):
    library = own_control(tmp_path, evidence=0, population=ALL, sql=GOOD)
    found_ = judged(library, [node("good_a")], [node("good_a")], faults={"dbt.nodes": fault})
    assert found_.outcome == "not-assessed"


def test_a_control_that_looks_back_sees_last_night_behind_the_change(tmp_path):
    """What changed the night before has been judged then; the change is held against what stands now."""
    library = own_control(
        tmp_path,
        evidence=1,
        population="select source || '/' || unique_id as item, count(distinct night) as nights, min(name) as first, max(name) as last from dbt.nodes group by all",
        sql="select item, case when nights = 2 and first = last then 'pass' else 'fail' end as result, case when nights = 2 and first = last then '' else 'bad' end as reason, "
        "first || ' ' || last as observed, '' as expected from population",
    )
    before = {
        "unique_id": "model.ours.a",
        "name": "old",
        "resource_type": "model",
        "project_name": "ours",
        "night": NIGHT - DAY,
    }
    rows = [before, {**before, "name": "now", "night": NIGHT}]
    kept = judged(library, rows, [{**node("a"), "name": "now"}])
    assert kept.outcome == "no-worse"  # though the night itself differs from the one before
    changed = judged(library, rows, [{**node("a"), "name": "old"}])
    assert changed.outcome == "worse"
    assert changed.before.status == "not-satisfied"  # the same item failed last night: for another change


def test_the_list_of_the_library_is_held_to_what_there_is(tmp_path):
    library = own_control(tmp_path, evidence=0, population=ALL, sql=GOOD)
    assert chosen(library) == ["org-gate"]
    with pytest.raises(ControlError, match="no control"):
        chosen(library, ["org-typo"])
    with pytest.raises(ControlError, match="to run"):
        chosen(dataclasses.replace(library, gate=()))


def test_the_products_own_list_reads_what_a_pull_request_brings():
    from evidence.config import content_root

    library = load_library([content_root() / "controls"])
    assert set(chosen(library)) == set(library.gate)
    with pytest.raises(ControlError, match="neither dbt nor contracts"):
        chosen(library, ["identity-dormant"])


def test_sarif_says_where_what_is_new_and_what_could_not_be_read():
    weighed = weigh(control(), Seen(found(A, B, reviews=[LOOK]), ITEMS - {"dbt/Z"}), Seen(found(B), ITEMS))
    body = json.loads(sarif([weighed], Places({"A": "models/a.sql"}), ["dbt.tests is not whole"], version="0.1"))
    (run,) = body["runs"]
    assert body["version"] == "2.1.0"
    assert run["invocations"] == [
        {
            "executionSuccessful": False,
            "toolExecutionNotifications": [{"level": "error", "message": {"text": "dbt.tests is not whole"}}],
        }
    ]
    results = {each["properties"]["item"]: each for each in run["results"]}
    assert {item: (r["kind"], r["level"], r["baselineState"]) for item, r in results.items()} == {
        "dbt/A": ("fail", "error", "new"),
        "dbt/B": ("fail", "error", "unchanged"),
        "dbt/R": ("review", "none", "new"),
        "dbt/Z": ("review", "none", "new"),
    }
    assert results["dbt/A"]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "models/a.sql"
    assert "physicalLocation" not in results["dbt/B"]["locations"][0]
    assert len({each["partialFingerprints"]["controlItemReason/v1"] for each in results.values()}) == 4


def test_an_item_belongs_to_the_longest_name_that_is_known():
    places = Places({"model.p.a": "a.sql", "DB.S.T": "t.yml", "DB.S.T.COL": "c.yml"})
    assert places.of("dbt/model.p.a.member_id") == "a.sql"
    assert places.of("carrier/Db.S.T.OTHER") == "t.yml"
    assert places.of("carrier/DB.S.T.COL") == "c.yml"
    assert places.of("carrier/DB.X") == ""

"""``evidence diff``: what came, went and changed between two captures, and what may not be compared."""

import datetime as dt

import pytest

from evidence.control.evidence import Sealed
from evidence.control.made import MadeEvidence
from evidence.datasets.load import load_contracts
from evidence.diff import diff
from evidence.errors import IncompleteSnapshotError, UsageError

EARLIER, LATER = dt.date(2026, 7, 1), dt.date(2026, 7, 8)
CONTRACTS = load_contracts()
CAPTURED = dt.datetime(2026, 7, 9, 3, tzinfo=dt.UTC)


def evidence(dataset, before, after, **more):
    rows = [{**row, "night": EARLIER} for row in before] + [{**row, "night": LATER} for row in after]
    return MadeEvidence(CONTRACTS, LATER, CAPTURED, {dataset: rows}, **more)


def drift(dataset, before, after):
    return diff(evidence(dataset, before, after), CONTRACTS[dataset], "snowflake", EARLIER, LATER)


def test_rows_that_came_went_and_changed():
    before = [{"user_id": 1, "name": "ANA"}, {"user_id": 2, "name": "BEN", "has_mfa": False}]
    after = [{"user_id": 2, "name": "BEN", "has_mfa": True}, {"user_id": 3, "name": "CLEO"}]
    found = drift("snowflake.users", before, after)
    assert [(c.word, c.key["user_id"], c.columns) for c in found.changes] == [
        ("removed", 1, ()),
        ("changed", 2, ("has_mfa",)),
        ("added", 3, ()),
    ]
    assert found.rows == (2, 2)


def test_a_column_that_moves_by_itself_is_no_drift_and_is_said_to_be_left_out():
    moments = [dt.datetime(2026, 7, day, tzinfo=dt.UTC) for day in (1, 2)]
    before, after = ([{"user_id": 1, "last_success_login": moment}] for moment in moments)
    found = drift("snowflake.users", before, after)
    assert found.changes == ()
    assert found.left_out["last_success_login"] == "moves by itself"


def test_exact_duplicates_are_counted_not_merged():
    grant = {"privilege": "SELECT", "granted_on": "TABLE", "name": "T", "grantee_name": "R"}
    assert [c.word for c in drift("snowflake.grants_to_roles", [grant], [grant, grant]).changes] == ["added"]
    assert [c.word for c in drift("snowflake.grants_to_roles", [grant, grant], [grant]).changes] == ["removed"]


def test_an_unknown_value_that_becomes_known_is_a_change():
    [change] = drift("snowflake.users", [{"user_id": 1}], [{"user_id": 1, "has_mfa": False}]).changes
    assert (change.before["has_mfa"], change.after["has_mfa"]) == (None, False)


@pytest.mark.parametrize("fault", ["denied", "incomplete", "unavailable", "edition"])
def test_what_is_not_complete_is_not_compared(fault):
    rows = [{"user_id": 1}]
    spoiled = evidence("snowflake.users", rows, rows, faults={"snowflake.users": fault})
    with pytest.raises(IncompleteSnapshotError, match=f"2026-07-08 is {fault}"):
        diff(spoiled, CONTRACTS["snowflake.users"], "snowflake", EARLIER, LATER)


def test_a_night_without_a_snapshot_is_named():
    spoiled = evidence("snowflake.users", [], [], faults={"snowflake.users": "missing"})
    with pytest.raises(UsageError, match=r"no snowflake\.users for 2026-07-08"):
        diff(spoiled, CONTRACTS["snowflake.users"], "snowflake", EARLIER, LATER)


def test_events_do_not_drift():
    with pytest.raises(UsageError, match="holds events"):
        drift("snowflake.login_history", [], [])


def test_digests_under_different_redaction_keys_are_not_compared():
    class Rekeyed(MadeEvidence):
        def snapshot(self, source, dataset, night):
            sealed = MadeEvidence.snapshot(self, source, dataset, night)
            return Sealed(sealed.input, {**sealed.receipt, "key_id": str(night)}, sealed.captured_at)

    rows = [{"user_id": 1, "comment": f"hmac:{n}", "night": night} for n, night in enumerate((EARLIER, LATER))]
    made = Rekeyed(CONTRACTS, LATER, CAPTURED, {"snowflake.users": rows})
    found = diff(made, CONTRACTS["snowflake.users"], "snowflake", EARLIER, LATER)
    assert found.changes == ()
    assert found.left_out["comment"] == "treated under different redaction keys"

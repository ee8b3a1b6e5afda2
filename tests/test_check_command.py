"""``evidence check``: the store is read back, the record sealed, and controls judge what it says."""

import datetime as dt
import json

import job

from evidence.demo import Size

FEW = Size(nights=2, start=dt.date(2026, 6, 30), users=60, roles=50, tables=160, columns=600, queries=120)
JUDGED = ("monitor-evidence-integrity", "retention-audit-6y")


def assessed(work):
    found = json.loads(job.here("-w", work, "assess", "--date", "2026-07-01", "--json").stdout)
    return {each["control"]: each for each in found if each["control"] in JUDGED}


def test_a_check_is_sealed_and_judged(tmp_path):
    work = tmp_path / "work"
    job.workspace(work, FEW, only=JUDGED)
    job.here("-w", work, "collect", "--since", "2026-06-30", "--jobs", "1")
    before = assessed(work)
    assert {each["reason"] for each in before.values()} == {"missing-evidence"}
    record = json.loads(job.here("-w", work, "check", "--json").stdout)
    assert record["failed"] == []
    assert {
        (row["expected"], row["sealed"], row["read_back"]) for row in record["months"] if row["source"] == "carrier"
    } == {(1, 1, 1)}
    sound = assessed(work)
    assert {each["status"] for each in sound.values()} == {"satisfied"}
    assert sound["retention-audit-6y"]["population"] == 6
    assert "0 failed" in job.here("verify", work / "store", "--trust", work / "trust").stdout


def test_what_does_not_match_is_recorded_and_fails_until_it_is_mended(tmp_path):
    work = tmp_path / "work"
    job.workspace(work, FEW, only=JUDGED)
    job.here("-w", work, "collect", "--since", "2026-06-30", "--jobs", "1")
    part = next(
        (work / "store" / "data" / "carrier" / "snowflake.login_history").rglob("date=2026-06-30/**/part-0000.parquet")
    )
    whole = part.read_bytes()
    part.chmod(0o600)
    part.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    record = json.loads(job.here("-w", work, "check", "--json", codes=(10,)).stdout)
    assert len(record["failed"]) == 1
    part.write_bytes(whole)
    found = assessed(work)
    assert [each["item"] for each in found["monitor-evidence-integrity"]["exceptions"]] == ["log/objects"]
    assert [(each["item"], each["reason"]) for each in found["retention-audit-6y"]["exceptions"]] == [
        ("carrier/snowflake.login_history 2026-06", "not-read-back")
    ]
    job.here("-w", work, "check")  # of a night collected late the first check counts, whatever comes after it
    assert assessed(work) == found

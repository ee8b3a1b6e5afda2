"""The hand-over folder: counts are those of the findings, cells are safe to open, long tables go on, customers learn no name."""

import csv
import datetime as dt
import hashlib
import io

import pytest

from evidence.control.definition import load_library
from evidence.control.requests import Request
from evidence.errors import PacketRefusedError, UsageError
from evidence.handover import parse_idmap, write
from evidence.render.handover import Exhibit, Handed
from evidence.render.inputs import SnapshotFact
from evidence.render.pseudonym import Veil
from tests.fakes.packet_inputs import ROOT

NAMES = ("JANE.DOE", "Ingrid Solvang", "Ole Berg", "Bo Dahl", "secret cause")
SEEN = {"item": "carrier/JANE.DOE", "reason": "no-second-factor", "observed": "=HYPERLINK(JANE.DOE)", "expected": "x\u202ey", "result": "fail"}  # fmt: skip
NIGHT = {
    "control": "identity-mfa-humans", "night": "2026-07-01", "status": "not-satisfied", "reason": "", "detail": "seen: JANE.DOE",
    "version": "1.0.0", "population": 1, "passed": 0, "exceptions": [SEEN], "reviews": [], "fingerprint": "f" * 64, "severity": "high",
    "inputs": [{"source": "carrier", "dataset": "snowflake.users", "night": "2026-07-01"}],
    "disposed": [{"item": "carrier/BO", "reason": "x", "outcome": "benign", "reviewer": "Bo Dahl"}],
}  # fmt: skip
INTERVAL = {"item": SEEN["item"], "reason": SEEN["reason"], "first_seen": "2026-07-01", "last_seen": "2026-07-01", "nights": 1, "open": True, "days_open": 1, "remediated_on": None, "observed": SEEN["observed"], "expected": SEEN["expected"]}  # fmt: skip
PERIOD = {
    "control": "identity-mfa-humans", "conclusion": "exceptions noted (1)", "status": "not-satisfied", "tested_items": 1,
    "nights": {"expected": 1, "satisfied": 0, "not_satisfied": 1, "not_assessed": 0}, "exceptions": [INTERVAL], "reviews": [],
    "stretches": [{"content_sha256": "c" * 64, "parameters": {"grace_hours": 96, "count_pending": False}}],
}  # fmt: skip
ANSWER = {"control": "identity-mfa-humans", "item": SEEN["item"], "reason": SEEN["reason"], "cause": "secret cause", "effect": "none", "action": "enrol", "owner": "Ole Berg", "due": dt.date(2026, 9, 1), "signed_by": "Ole Berg", "recorded_at": dt.datetime(2026, 8, 1, tzinfo=dt.UTC)}  # fmt: skip


class NoFiles:
    def names(self):
        return ()


@pytest.fixture(scope="module")
def handed():
    control = load_library([ROOT / "controls"]).control("identity-mfa-humans")
    fact = SnapshotFact("carrier", "snowflake.users", dt.date(2026, 7, 1), 0, "complete", "settled", 4, "a" * 64, "b" * 64, 7, as_of="2026-07-02T03:00:00.000000Z")  # fmt: skip
    return Handed(
        packet_id="PKT-1",
        findings={"period": {"start": "2026-07-01", "end": "2026-07-01"}, "periods": [PERIOD], "nights": [NIGHT]},
        controls={control.id: control},
        exhibits=[
            Exhibit("data/evidence/carrier/snowflake.users/2026-07-01/r0", "snapshot", "m", "a" * 64, fact),
            Exhibit("data/evidence/_register/000007", "register", "o", "d" * 64),
        ],
        owners={control.id: "Ingrid Solvang"},
        responses=[ANSWER],
        requests=[
            Request(
                "7",
                "@all leavers",
                "answered",
                owner="Ole Berg",
                answer="ask Bo Dahl",
                exhibits=("document:desk of Bo Dahl", "section:scope"),
                recorded_by="Ole Berg",
            )
        ],
        idmap={"carrier/snowflake.users": "THEIR-9", "identity-mfa-humans": "C-1"},
    )


def made(handed, audience, out, **words):
    write(handed, Veil.of(audience, b"k" * 32), NoFiles(), out, **words)
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def rows(body):
    return list(csv.DictReader(io.StringIO(body.decode(), newline="")))


def test_counts_owners_ids_and_safe_cells(handed, tmp_path):
    files = made(handed, "auditor", tmp_path / "out")
    (control,) = rows(files["controls.csv"])
    assert (control["their_id"], control["owner"], control["exceptions"], control["open_exceptions"]) == ("C-1", "Ingrid Solvang", "1", "1")  # fmt: skip
    assert control["severity"] == "high"
    assert "hipaa 164.312(d) (not counted: set looser)" in control["primary"]
    (issue,) = rows(files["issues.csv"])
    assert issue["observed"] == "'=HYPERLINK(JANE.DOE)"
    assert issue["expected"] == "x\\u{202E}y"
    assert (issue["cause"], issue["action_due"], issue["their_id"]) == ("secret cause", "2026-09-01", "C-1")
    assert rows(files["requests.csv"])[0]["inquiry"] == "'@all leavers"
    assert [row["kind"] for row in rows(files["controls/identity-mfa-humans.csv"])] == [
        "not-satisfied",
        "exception",
        "reviewed",
    ]
    index = {row["our_id"]: row for row in rows(files["evidence-index.csv"])}
    users = index["carrier/snowflake.users/2026-07-01/r0"]
    assert (users["their_id"], users["effective_date"], users["owner"], users["sha256"]) == ("THEIR-9", "2026-07-02", "Ingrid Solvang", "a" * 64)  # fmt: skip
    for name in ("controls.csv", "controls/identity-mfa-humans.csv"):
        assert index[name]["sha256"] == hashlib.sha256(files[name]).hexdigest()
    summed = dict(line.split("  ")[::-1] for line in files["sha256sums.txt"].decode().splitlines())
    assert summed == {
        name: hashlib.sha256(body).hexdigest() for name, body in files.items() if name != "sha256sums.txt"
    }


def test_customers_learn_no_name_and_the_same_name_is_the_same_word(handed, tmp_path):
    files = made(handed, "customer", tmp_path / "out")
    whole = b"".join(files.values()).decode()
    assert not [name for name in NAMES if name.casefold() in whole.casefold()]
    assert "f" * 64 not in whole, "the fingerprint of a population of one is a login's"
    assert "d" * 64 not in whole, "a register's digest can be guessed"
    word = Veil.of("customer", b"k" * 32).person("  ingrid  SOLVANG ")
    assert word in whole
    assert word == rows(files["controls.csv"])[0]["owner"]
    assert word != Veil.of("customer", b"j" * 32).person("Ingrid Solvang")
    assert rows(files["issues.csv"])[0]["item"] == rows(files["controls/identity-mfa-humans.csv"])[1]["item"]
    assert files == made(handed, "customer", tmp_path / "again")


def test_a_long_table_goes_on_and_nothing_is_left_half_written(handed, tmp_path):
    several = Handed(
        **{
            **{name: getattr(handed, name) for name in Handed.__slots__},
            "requests": [Request(str(n), "a" * 500, "open") for n in range(40)],
        }
    )
    files = made(several, "internal", tmp_path / "out", limit=9_000)
    parts = [body for name, body in files.items() if name.startswith("requests")]
    assert len(parts) > 2
    assert max(map(len, parts)) <= 9_000
    assert sum(len(rows(body)) for body in parts) == 40
    with pytest.raises(PacketRefusedError):
        made(several, "internal", tmp_path / "tiny", limit=300)
    assert not (tmp_path / "tiny").exists()
    with pytest.raises(PacketRefusedError, match="exists already"):
        made(several, "internal", tmp_path / "out")


def test_their_ids():
    assert parse_idmap("\ufeffours,theirs\r\na,b\r\n".encode()) == {"a": "b"}
    for bad in (b"", b"a,b\n", b"ours,theirs\na,b\na,c\n", b"ours,theirs\na\n", b"ours,theirs\na,\n", b"\xff\xfe"):
        with pytest.raises(UsageError):
            parse_idmap(bad)

"""``evidence access-review`` on the demo's first nights, as its users run it."""

import datetime as dt
import json

import job
import openpyxl
import pytest

from evidence.cli.app import run
from evidence.demo import Size
from evidence.review.workbook import COLUMNS, DECIDE

FEW = Size(nights=3, users=60, roles=50, tables=160, columns=600, queries=10)
MARTA, TOBIAS = "Marta Oyelaran", "Tobias Renwick"  # Marta holds administrator roles herself


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "work"
    job.workspace(folder, FEW)
    job.here("-w", folder, "collect", "--jobs", "1")
    return folder


def decide(path, person, say):
    book = openpyxl.load_workbook(path)
    for line in book[DECIDE].iter_rows(min_row=2):
        row = dict(zip(COLUMNS, line, strict=True))
        row["Decision"].value = say(row["Holder"].value, row["Access"].value)
        row["Reviewer"].value = person
    book.save(path)


@pytest.mark.slow
def test_exported_decided_by_two_signed_and_followed(work, tmp_path, capsys):
    def command(*words, code=0):
        assert run(["-w", str(work), "access-review", *map(str, words)]) == code
        return capsys.readouterr()

    path, registers = tmp_path / "review.xlsx", work / "registers"
    said = command(
        "export", "--night", "2026-07-02", "--since", "2026-07-01", "-o", path, "--used-nights", "2", "--csv"
    ).out
    assert path.stat().st_mode & 0o077 == 0
    assert "may hold decisions" in command("export", "--night", "2026-07-02", "-o", path, code=2).err
    assert "before-coverage" in command("export", "--night", "2026-06-01", "-o", tmp_path / "x.xlsx", code=6).err
    before = (registers / "access_decisions.toml").read_text()

    decide(path, "", lambda holder, access: "revoke" if access == "ORGADMIN" else "keep")
    assert "is about the reviewer" in command("import", path, "--reviewer", MARTA, code=2).err
    assert "may not review access" in command("import", path, "--reviewer", "Eve", code=2).err
    decide(
        path,
        MARTA,
        lambda holder, access: "" if holder == "MARTA.OYELARAN_ADM" else "revoke" if access == "ORGADMIN" else "keep",
    )
    assert "have no decision that counts" in command("import", path, "--reviewer", MARTA, "--sign", code=2).err
    assert (registers / "access_decisions.toml").read_text() == before  # nothing half imported
    told = json.loads(command("import", path, "--reviewer", MARTA, "--json").out)
    assert (told["undecided"], told["decided"] + told["undecided"]) == (3, told["rows"])
    decide(path, TOBIAS, lambda holder, access: "keep" if holder == "MARTA.OYELARAN_ADM" else "")
    told = json.loads(command("import", path, "--reviewer", TOBIAS, "--sign", "--json").out)
    assert (told["recorded"], told["undecided"], told["signed"]) == (3, 0, True)
    after = (registers / "access_decisions.toml").read_text()
    assert after.startswith(before.rstrip())
    assert json.loads(command("import", path, "--reviewer", TOBIAS, "--sign", "--json").out)["recorded"] == 0
    assert (registers / "access_decisions.toml").read_text() == after
    assert (registers / "access_reviews.toml").read_text().count(told["list"]) == 2  # sealed and signed, once

    (found,) = json.loads(command("status", "--json").out)["lists"]
    assert told["list"] in said
    assert (found["list"], found["undecided"], found["removals_open"]) == (told["list"], 0, 1)
    assert [row["state"] for row in found["removals"]] == ["waiting"]  # decided after the last capture
    (registers / "access_decisions.toml").write_text(
        after.replace(f"decided_at = {dt.datetime.now(dt.UTC).date()}T", "decided_at = 2026-07-03T")
    )
    assert "still there on 2026-07-03" in command("status", "--night", "2026-07-03").out
    job.here("verify", work / "store", "--trust", work / "trust")

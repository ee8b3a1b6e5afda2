"""The notebook of docs/notebook.md, run as it stands; and that nothing altered is ever read."""

import re
from pathlib import Path

import job
import pandas as pd
import pytest

import evidence
from evidence.demo import Size
from evidence.errors import EvidenceError, UsageError

PAGE = Path(__file__).parent.parent / "docs" / "notebook.md"
FEW = Size(nights=2, users=60, roles=50, tables=160, columns=600, queries=120)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebook") / "work"
    job.workspace(folder, FEW, only=("identity-dormant", "identity-mfa-humans"))
    job.run("-w", folder, "collect", codes=(0, 5))
    job.run("-w", folder, "assess", "--period", "2026-07-01..2026-07-02", "--jobs", "1")
    return folder


def test_the_page_runs_as_it_stands(work, monkeypatch):
    monkeypatch.chdir(work.parent)
    cells = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(cells) == 5
    names = {}
    for cell in cells:
        exec(compile(cell, str(PAGE), "exec"), names)
    assert len(names["receipts"]) == 2
    assert isinstance(names["users"], pd.DataFrame)
    assert len(names["users"]) > 50
    assert set(names["users"].columns) == {"name", "type", "has_mfa", "source", "night", "status"}
    assert len(names["findings"]) == 2 * len(job.CONTROLS)
    assert names["findings"].groupby("control")["status"].count().eq(2).all()
    counted = names["findings"][names["findings"]["night"].astype(str) == "2026-07-02"]["exceptions"].sum()
    assert counted == len(names["open_items"]) > 0


def test_what_is_not_there_is_said(work):
    store = evidence.open(work / "store", trust=work / "trust")
    with pytest.raises(UsageError, match=r"nothing is sealed of snowflake\.users on 2026-06-01"):
        store.as_of("snowflake.users", "2026-06-01")
    assert len(store.missing("snowflake.users", "2026-06-30", "2026-07-03")) == 2
    assert store.between("snowflake.users", "2025-01-01", "2025-02-01").num_rows == 0
    for words in (("snowflake.nothing", "2026-07-01"), ("snowflake.users", "yesterday")):
        with pytest.raises(UsageError):
            store.as_of(*words)
    with pytest.raises(UsageError, match="has no column nonsense"):
        store.as_of("snowflake.users", "2026-07-01", columns=["nonsense"])
    assert store.findings("2025-01-01").num_rows == 0


def test_rows_are_those_of_the_command(work):
    store = evidence.open(work / "store", trust=work / "trust")
    said = job.run(
        "-w", work, "query", "SELECT count(*) AS n FROM snowflake.login_history", "--as-of", "2026-07-02", "--json"
    ).stdout
    assert str(store.as_of("snowflake.login_history", "2026-07-02").num_rows) in said


def test_a_stranger_s_key_and_an_altered_row_are_refused(work, tmp_path):
    other = tmp_path / "other"
    job.run("init", other, "--demo", "--size", "none")
    with pytest.raises(EvidenceError):
        evidence.open(work / "store", trust=other / "trust")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="nothing to trust"):
        evidence.open(work / "store", trust=tmp_path / "empty")
    store = evidence.open(work / "store", trust=work / "trust")
    part = next(path for path in sorted((work / "store").glob("data/*/snowflake.users/date=2026-07-02/*/part-*")))
    body = part.read_bytes()
    part.chmod(0o600)
    part.write_bytes(body[:-20] + b"x" + body[-19:])
    try:
        with pytest.raises(EvidenceError):
            store.as_of("snowflake.users", "2026-07-02")
    finally:
        part.write_bytes(body)

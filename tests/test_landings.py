"""An export that is the same file again is sealed as if it had been landed again; anything else is landed."""

import dataclasses
import datetime as dt

import pyarrow as pa
import pytest

from evidence import collect as verb
from evidence.datasets.landings import LIMIT, Landings
from evidence.datasets.load import load_contracts
from evidence.demo.export import body_of, table_of, write_claims, write_night
from evidence.snapshot.model import Window
from evidence.snapshot.redact import Redactor
from evidence.sources.files import FilesSource

ALL = load_contracts()
ROLES, LOGINS = ALL["snowflake.roles"], ALL["snowflake.login_history"]
FIRST, SECOND = dt.date(2026, 7, 1), dt.date(2026, 7, 2)
NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
REDACTOR = Redactor(b"k" * 32, "test")


def body(*names):
    rows = [{"NAME": name, "ROLE_ID": n, "CREATED_ON": NOW, "OWNER": "USERADMIN"} for n, name in enumerate(names)]
    return body_of(ROLES, table_of(ROLES, rows))


def export(root, night, content, contract=ROLES):
    write_night(root.joinpath(*contract.name.split(".")), contract, night, content)


def read(root, nights, landings, spool, contract=ROLES):
    source = FilesSource("files", root, contracts=ALL, clock=lambda: NOW)
    found = []
    for night in nights:
        task = verb.Task(source, contract, Window(night, contract.kind), None, "first", settled=False)
        found.append(verb.collect(task, REDACTOR, spool / str(night), lambda: NOW, landings=landings))
    return found


@pytest.fixture
def landed(monkeypatch):
    """Count the landings that were made."""
    calls, real = [], verb.land

    def counted(*args):
        calls.append(args[2].name)
        return real(*args)

    monkeypatch.setattr(verb, "land", counted)
    return calls


def bodies(item):
    return [(item.spool / part.path).read_bytes() for part in item.parts]


def test_the_same_file_gives_the_same_snapshot_without_landing_it(tmp_path, landed):
    for night in (FIRST, SECOND):
        export(tmp_path / "x", night, body("ANALYST", "LOADER"))
    once, again = read(tmp_path / "x", (FIRST, SECOND), Landings(), tmp_path / "a")
    assert len(landed) == 1
    plain = read(tmp_path / "x", (FIRST, SECOND), None, tmp_path / "b")
    assert len(landed) == 3
    for mine, theirs in zip((once, again), plain, strict=True):
        assert bodies(mine) == bodies(theirs)
        assert mine.parts == theirs.parts
        assert mine.receipt == theirs.receipt
    assert all((item.spool / part.path).stat().st_mode & 0o777 == 0o600 for item in (again,) for part in item.parts)
    assert once.receipt.as_of != again.receipt.as_of  # what the night itself says is never borrowed


@pytest.mark.parametrize(
    "second",
    [body("ANALYST", "LOADER", "NEW"), body("ANALYST"), body("LOADER", "ANALYST"), body()],
    ids=["one more", "one less", "other order", "none"],
)
def test_another_file_is_landed(tmp_path, landed, second):
    export(tmp_path / "x", FIRST, body("ANALYST", "LOADER"))
    export(tmp_path / "x", SECOND, second)
    _, again = read(tmp_path / "x", (FIRST, SECOND), Landings(), tmp_path / "a")
    assert len(landed) == 2
    assert again.receipt == read(tmp_path / "x", (SECOND,), None, tmp_path / "b")[0].receipt


def test_a_wrong_claim_about_the_same_file_is_still_found(tmp_path, landed):
    export(tmp_path / "x", FIRST, body("ANALYST", "LOADER"))
    same = body("ANALYST", "LOADER")
    export(tmp_path / "x", SECOND, dataclasses.replace(same, totals=same.totals | {"rows": 5}))
    _, again = read(tmp_path / "x", (FIRST, SECOND), Landings(), tmp_path / "a")
    assert (len(landed), again.receipt.status) == (1, "incomplete")


def test_without_stated_totals_with_two_files_or_with_rows_set_aside_everything_is_landed(tmp_path, landed):
    root = tmp_path / "x"
    for night in (FIRST, SECOND):
        export(root, night, body("ANALYST"))
        folder = root / "snowflake" / "roles" / f"date={night}"
        write_claims(folder, ROLES, night, totals=None, statements=[])
    read(root, (FIRST, SECOND), Landings(), tmp_path / "a")
    assert len(landed) == 2
    for night in (FIRST, SECOND):
        folder = root / "snowflake" / "roles" / f"date={night}"
        write_claims(folder, ROLES, night, totals={"rows": 2})
        (folder / "more.ndjson").write_text('{"name": "LOADER"}\n')
    read(root, (FIRST, SECOND), Landings(), tmp_path / "b")
    assert len(landed) == 4
    for night in (FIRST, SECOND):
        folder = root / "snowflake" / "roles" / f"date={night}"
        (folder / "part.parquet").unlink()
        (folder / "more.ndjson").write_text('{"name": "LOADER"}\n{"name"\n')
    found = read(root, (FIRST, SECOND), Landings(), tmp_path / "c")
    assert len(landed) == 6
    assert all(item.receipt.quarantined for item in found)


def test_events_and_large_landings_are_not_kept(tmp_path, landed):
    for night in (FIRST, SECOND):
        export(tmp_path / "x", night, body_of(LOGINS, table_of(LOGINS, [])), LOGINS)
    read(tmp_path / "x", (FIRST, SECOND), Landings(), tmp_path / "a", LOGINS)
    assert len(landed) == 2
    landings = Landings()
    landings.keep("files", ROLES, "id", _landed(tmp_path), tmp_path)
    assert landings.again("files", ROLES, "id", tmp_path) is None


def _landed(folder):
    from evidence.datasets.land import land
    from evidence.snapshot.model import Part

    spool = folder / "large"
    spool.mkdir(mode=0o700)
    found = land([pa.record_batch({"NAME": ["A"]})], (), ROLES, Window(FIRST, "state"), spool, REDACTOR)
    return dataclasses.replace(found, parts=(Part("part-0000.parquet", "0" * 64, LIMIT + 1, 1),))

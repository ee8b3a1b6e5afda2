"""Texts as dictionaries hold what plain ones hold: in the file that is read, in the engine, and in the findings of a night."""

import datetime as dt
import io
from types import SimpleNamespace

import job
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence import assess
from evidence.cli.assess_command import reader_of
from evidence.cli.workspace import Workspace
from evidence.control import evidence
from evidence.control.engine import Engine
from evidence.control.folded import plain, plain_schema, together
from evidence.control.loaded import Rows
from evidence.control.windows import Shown, conformed
from evidence.demo import Size
from evidence.errors import ControlError

TEXT = st.none() | st.sampled_from(["", "a", "ä", "a long text that comes again and again"]) | st.text(max_size=3)
SEEN = pa.struct([("name", pa.string()), ("columns", pa.list_(pa.struct([("name", pa.string()), ("id", pa.int64())])))])
SCHEMA = pa.schema([("text", pa.string()), ("number", pa.int64()), ("tags", pa.list_(pa.string())), ("seen", pa.list_(SEEN))])  # fmt: skip
COLUMN = st.none() | st.fixed_dictionaries({"name": TEXT, "id": st.none() | st.integers(0, 9)})
OBJECT = st.none() | st.fixed_dictionaries({"name": TEXT, "columns": st.none() | st.lists(COLUMN, max_size=3)})
ROWS = st.lists(
    st.fixed_dictionaries({
        "text": TEXT, "number": st.none() | st.integers(0, 9), "tags": st.none() | st.lists(TEXT, max_size=3),
        "seen": st.none() | st.lists(OBJECT, max_size=3),
    }),
    max_size=20,
)  # fmt: skip


@pytest.fixture(scope="module")
def engine():
    with Engine(threads=1, remember=False) as opened:
        yield opened


def parquet(rows, size=7):
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), out, row_group_size=size)
    return out.getvalue()


def read_folded(body, columns):
    return evidence.part_rows(body, columns, SCHEMA, folded=True)


@settings(deadline=None, max_examples=60)
@given(ROWS, ROWS)
def test_what_is_read_as_dictionaries_is_the_same(engine, first, second):
    columns = ["seen", "text", "tags", "number"]
    wanted = pa.Table.from_pylist([*first, *second], SCHEMA).select(columns)
    found = together(read_folded(parquet(rows), columns) for rows in (first, second))
    assert plain_schema(found.schema).equals(wanted.schema)
    assert plain(found).equals(wanted)
    assert found.to_pylist() == wanted.to_pylist()
    assert Rows(found).digest("text") == Rows(plain(found)).digest("text")
    sql = "SELECT * FROM t ORDER BY ALL"
    usual = engine.select(sql, {"t": wanted})
    assert engine.select(sql, {"t": found}).equals(usual)
    parts = tuple(
        (f"part {number}", read_folded(parquet(rows), columns)) for number, rows in enumerate((first, second))
    )
    assert engine.select(sql, {"t": Shown("t", found, tuple(columns), parts)}).equals(usual)


def test_tables_of_which_one_is_plain_are_plain_together():
    rows = [{"text": "a", "number": 1, "tags": ["b"], "seen": []}]
    folded, usual = read_folded(parquet(rows), SCHEMA.names), pa.Table.from_pylist(rows, SCHEMA)
    assert folded.schema.field("text").type == pa.dictionary(pa.int32(), pa.string())
    assert folded.schema.field("tags").type == SCHEMA.field("tags").type, "texts inside stay plain"
    assert together([usual.slice(0, 0), folded]).schema.equals(folded.schema), "one without rows has no say"
    assert together([usual, folded]).equals(pa.concat_tables([usual, usual]))
    assert together([folded.slice(0, 0), usual]).schema.equals(SCHEMA)
    assert folded.schema.field("text").type == pa.dictionary(pa.int32(), pa.string())
    assert folded.schema.field("tags").type == SCHEMA.field("tags").type, "texts inside stay plain"
    assert together([usual.slice(0, 0)]).schema.equals(SCHEMA)


def test_parts_of_many_rows_are_read_as_dictionaries_and_a_column_they_lack_is_null(monkeypatch):
    rows = [{"text": "a", "number": 1, "tags": None, "seen": None}] * 3
    schema = SCHEMA.append(pa.field("later", pa.string()))
    part = type("Part", (), {"rows": 3})
    names = ["later", "text"]
    for many, kind in ((7, pa.string()), (6, pa.dictionary(pa.int32(), pa.string()))):
        monkeypatch.setattr(evidence, "MANY", many)
        found = evidence.rows_of_parts([part, part], lambda _: parquet(rows), names, schema)
        assert found.to_pylist() == [{"later": None, "text": "a"}] * 6
        assert found.schema.field("text").type == kind
    assert evidence.rows_of_parts([], lambda _: b"", names, schema).schema == pa.schema(
        [schema.field(n) for n in names]
    )


@pytest.mark.parametrize("folded", [False, True])
def test_what_was_sealed_as_text_is_read_in_todays_type_or_refused_by_name(folded):
    contract = SimpleNamespace(name="x.y", landed_schema=pa.schema([("text", pa.int64())]))

    def read(text):
        rows = [{"text": text, "number": 1, "tags": [], "seen": []}]
        return conformed(read_folded(parquet(rows), ["text"]), contract, ["text"], folded=folded)

    assert read("7").equals(pa.table({"text": pa.array([7], pa.int64())}))
    with pytest.raises(ControlError, match=r"x\.y\.text: sealed as .*string"):
        read("seven")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_night_read_as_dictionaries_has_the_same_findings(tmp_path, monkeypatch):
    size = Size(nights=2, users=60, roles=50, tables=160, columns=600, queries=120)
    job.workspace(tmp_path / "work", size)
    job.here("-w", tmp_path / "work", "collect", "--jobs", "1", codes=(0, 5))
    workspace = Workspace.open(tmp_path / "work")
    moment = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)

    def judged(many):
        monkeypatch.setattr(evidence, "MANY", many)
        nights = [size.night(1)]
        reader = reader_of(workspace, moment)
        ((_, findings),) = assess.judge(workspace.library, workspace.registers, reader, nights, workspace.engine)
        return {each.control: each.to_json() for each in findings}

    folded, usual = judged(1), judged(1 << 40)
    assert folded == usual
    assert len({each["status"] for each in usual.values()}) > 2
    workspace.close()

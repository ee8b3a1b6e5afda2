"""Nested columns that are declared by field: what is read is what the whole holds of them, and who declares less sees less, whoever else is there."""

import datetime as dt
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_control_cases import write

from evidence.control import windows
from evidence.control.definition import load_library
from evidence.control.engine import Engine
from evidence.control.evidence import part_rows
from evidence.control.fields import leaves, narrowed, united
from evidence.control.made import MadeEvidence
from evidence.control.model import Evidence
from evidence.control.windows import Shown, Windows
from evidence.datasets.contract import OBJECTS
from evidence.errors import ControlError

HISTORY = "snowflake.access_history"
NIGHT = dt.date(2026, 9, 2)
TEXT = st.none() | st.sampled_from(["", "-1", "CARE.MART.FCT"])
SOURCE = st.none() | st.fixed_dictionaries(
    dict.fromkeys(("object_domain", "object_name", "object_id", "column_name"), TEXT)
)
COLUMN = st.none() | st.fixed_dictionaries({
    "column_id": TEXT, "column_name": TEXT,
    **dict.fromkeys(("direct_sources", "base_sources"), st.none() | st.lists(SOURCE, max_size=2)),
})  # fmt: skip
OBJECT = st.none() | st.fixed_dictionaries({
    **dict.fromkeys(("object_domain", "object_name", "object_id"), TEXT), "columns": st.none() | st.lists(COLUMN, max_size=2),
})  # fmt: skip
ROWS = st.lists(st.fixed_dictionaries({"id": TEXT, "seen": st.none() | st.lists(OBJECT, max_size=2)}), max_size=12)
NAMED = st.frozensets(
    st.sampled_from(["object_domain", "object_id", "columns", "columns.column_id", "columns.base_sources", "columns.base_sources.object_id"]),
    min_size=1,
)  # fmt: skip
SCHEMA = pa.schema([("id", pa.string()), ("seen", OBJECTS)])


@settings(deadline=None, max_examples=150)
@given(ROWS, NAMED)
def test_what_is_read_by_field_is_what_the_whole_has_of_it(rows, named):
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), out, row_group_size=5)
    found = part_rows(out.getvalue(), ["seen", "id"], SCHEMA, {"seen": named})
    wanted = [
        {"seen": row["seen"] and [one and held(one, named) for one in row["seen"]], "id": row["id"]} for row in rows
    ]
    assert found.to_pylist() == wanted
    assert found.schema.field("seen").type == narrowed(OBJECTS, named)


def held(value, named):
    """Return of ``value`` what ``named`` says, member by member."""
    found = {}
    for name, inner in value.items():
        below = {each.partition(".")[2] for each in named if each.partition(".")[0] == name}
        if below:
            found[name] = inner if "" in below or inner is None else [each and held(each, below) for each in inner]
    return found


def test_only_what_is_named_is_read_from_the_file():
    names = leaves("seen", OBJECTS, frozenset({"object_id", "columns.column_id", "columns.base_sources"}))
    assert [name.replace(".list.item", "") for name in names] == [
        "seen.object_id", "seen.columns.column_id", *(f"seen.columns.base_sources.{name}" for name in ("object_domain", "object_name", "object_id", "column_name")),
    ]  # fmt: skip
    assert len(leaves("seen", OBJECTS, frozenset({"object"}))) == len(leaves("seen", OBJECTS, frozenset())) == 13


def test_a_file_of_an_older_contract_has_no_such_field(tmp_path):
    older = pa.list_(pa.struct([("object_name", pa.string())]))
    out = io.BytesIO()
    pq.write_table(pa.table({"base_objects_accessed": pa.array([[{"object_name": "T"}], None, []], older)}), out)
    contract = load_library([write(tmp_path)]).contracts[HISTORY]
    fields = {"base_objects_accessed": frozenset({"object_id", "columns.column_id"})}
    rows = part_rows(out.getvalue(), ["base_objects_accessed"], contract.landed_schema, fields)
    found = windows.conformed(rows, contract, ["base_objects_accessed"], fields)
    assert found.column(0).to_pylist() == [[{"object_id": None, "columns": None}], None, []]


def test_who_reads_the_whole_has_it_read_whole():
    few = {"a": frozenset({"x"}), "b": frozenset({"y.z"})}
    assert united([(("a", "b"), few), (("a",), {"a": frozenset({"y"})})]) == {"a": {"x", "y"}, "b": {"y.z"}}
    assert united([(("a", "b"), few), (("b", "c"), {})]) == {"a": {"x"}}


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ('columns = ["query_id"]\nfields.query_id = ["name"]', "query_id has no field name"),
        (
            'columns = ["objects_modified"]\nfields.objects_modified = ["object_id.x"]',
            "objects_modified has no field x",
        ),
        (
            'columns = ["objects_modified"]\nfields.objects_modified = ["columns.colum_id", "column"]',
            "has no field column",
        ),
        ('columns = ["query_id"]\nfields.objects_modified = ["object_id"]', "which are not read"),
        ('columns = ["objects_modified"]\nfields.objects_modified = []', "objects_modified"),
    ],
)
def test_a_field_that_is_not_there_is_refused_by_name(tmp_path, declared, said):
    fact = write(tmp_path) / "facts" / "person.toml"
    fact.write_text(f'{fact.read_text()}\n[[evidence]]\ndataset = "{HISTORY}"\n{declared}\n')
    with pytest.raises(ControlError, match=said):
        load_library([tmp_path])


OTHERS = {"alone": [], "beside one that reads other fields": ["object_name"], "beside one that reads the whole": None}


@pytest.mark.parametrize("rows_apart", [0, 1_000])
@pytest.mark.parametrize("others", OTHERS)
def test_a_statement_sees_its_fields_whoever_else_is_there(tmp_path, monkeypatch, others, rows_apart):
    monkeypatch.setattr(windows, "PARTED_ROWS", rows_apart)
    library = load_library([write(tmp_path)])
    mine = Evidence(dataset=HISTORY, columns=("base_objects_accessed",), fields={"base_objects_accessed": ["object_id", "columns.column_id"]}, lookback_nights=1)  # fmt: skip
    more = OTHERS[others]
    readers = [mine] if more == [] else [mine, Evidence(dataset=HISTORY, columns=("base_objects_accessed",), fields={"base_objects_accessed": more} if more else {})]  # fmt: skip
    control = next(iter(library.controls.values()))
    asking = [control.model_copy(update={"evidence": (each,), "facts": ()}) for each in readers]
    seen = [
        {"object_id": "1", "object_name": name, "columns": [{"column_id": "2", "column_name": name}]} for name in "ab"
    ]
    rows = [
        {"night": night, "base_objects_accessed": [one]} for one in seen for night in (NIGHT, NIGHT - dt.timedelta(1))
    ]
    made = MadeEvidence(library.contracts, NIGHT, dt.datetime(2026, 9, 9, tzinfo=dt.UTC), {HISTORY: rows})
    shown = Windows(library, made, NIGHT, asking).shown(mine)
    with Engine() as engine:
        ask = "select distinct base_objects_accessed as o from a.h"
        assert engine.select(ask, {"a.h": shown}).to_pylist() == [
            {"o": [{"object_id": "1", "columns": [{"column_id": "2"}]}]}
        ], "two documents that differ in what is not declared are one"
        with pytest.raises(ControlError, match="object_name"):
            engine.select("select base_objects_accessed[1].object_name as o from a.h", {"a.h": shown})


def test_the_facts_of_the_library_read_no_field_that_nobody_asks_for():
    library = load_library([Path(__file__).resolve().parent.parent / "controls"])
    read = windows.fields_declared(library, library.controls.values())[HISTORY]
    assert {field for fields in read.values() for field in fields} == {"object_id", "object_name", "columns.column_id", "columns.column_name"}  # fmt: skip
    assert "objects_modified" not in read, "lineage reads the sources of its columns"


def test_an_answer_is_remembered_for_what_was_seen():
    table = pa.table({"o": pa.array([[{"id": "1", "name": "a"}], [{"id": "1", "name": "b"}]])})
    few = pa.list_(pa.struct([("id", pa.string())]))
    with Engine() as engine:
        counts = [
            engine.select("select count(distinct o) as n from t", {"t": Shown("t", table, narrower=narrower)}, "room").to_pylist()[0]["n"]
            for narrower in ({}, {"o": few}, {})
        ]  # fmt: skip
    assert counts == [2, 1, 2]

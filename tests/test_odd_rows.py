"""Rows that Snowflake's views are known for: long statements, both sides of a SWAP, cut rows, equal grants, odd names."""

import datetime as dt
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evidence.datasets.land import land
from evidence.datasets.load import load_contracts
from evidence.datasets.nested import OBJECT_SHAPE, join
from evidence.snapshot.model import Window
from evidence.snapshot.redact import Redactor
from evidence.sources import snowflake_sql as sql

CONTRACTS = load_contracts()
ACCESS = CONTRACTS["snowflake.access_history"]
QUERIES = CONTRACTS["snowflake.query_history"]
GRANTS = CONTRACTS["snowflake.grants_to_roles"]
NIGHT = dt.date(2026, 7, 1)
NOON = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)
CUT = [{"objectDomain": "TRUNCATED", "objectId": -1, "objectName": "TRUNCATED"}]


def landed(tmp_path, contract, rows):
    required = {column.name: None for column in contract.columns if column.required}
    batch = pa.RecordBatch.from_pylist([{**required, **row} for row in rows])
    tmp_path.mkdir(mode=0o700, exist_ok=True)
    window = Window(NIGHT, contract.kind)
    found = land([batch], (), contract, window, tmp_path, Redactor(b"k" * 32, "k"))
    return found, [row for part in found.parts for row in pq.read_table(tmp_path / part.path).to_pylist()]


def access(query_id, objects, ddl=None, **more):
    return {
        "QUERY_ID": query_id, "QUERY_START_TIME": NOON, "USER_NAME": "U",
        "BASE_OBJECTS_ACCESSED": json.dumps(objects), "DIRECT_OBJECTS_ACCESSED": json.dumps(objects),
        "OBJECTS_MODIFIED": "[]", "OBJECT_MODIFIED_BY_DDL": json.dumps(ddl) if ddl else None, **more,
    }  # fmt: skip


def test_a_statement_belongs_to_the_day_it_ended(tmp_path):
    """A statement is in the view only once it ended; by its start it would be looked for in a day that is settled."""
    started = dt.datetime(2026, 6, 29, 23, tzinfo=dt.UTC)
    rows = [{"QUERY_ID": "long", "START_TIME": started, "END_TIME": NOON, "QUERY_TEXT": "select 1"}]
    found, (row,) = landed(tmp_path, QUERIES, rows)
    assert (found.quarantined, row["query_id"]) == (0, "long")
    selection = sql.choose(QUERIES, [column.name for column in QUERIES.columns])
    text, binds = sql.select(QUERIES, selection, Window(NIGHT, "event"))
    assert 'WHERE "END_TIME" >= ? AND "END_TIME" < ?' in text
    assert [moment for _, moment in binds] == [NOON.replace(hour=0), NOON.replace(hour=0) + dt.timedelta(days=1)]
    assert ACCESS.watermark == "QUERY_START_TIME"


def test_both_sides_of_a_swap_are_kept(tmp_path):
    sides = [access("q1", [], {"objectName": f"D.S.{name}", "operationType": "ALTER"}) for name in ("A", "B")]
    found, rows = landed(tmp_path, ACCESS, sides)
    assert [row["query_id"] for row in rows] == ["q1", "q1"]
    assert {json.loads(row["object_modified_by_ddl"])["objectName"] for row in rows} == {"D.S.A", "D.S.B"}
    assert (found.landed, found.totals.rows, found.totals.distinct_keys) == (2, 2, 1)
    assert "repeated_keys" not in found.drift, "documented, so no drift"


def test_cut_rows_are_kept_and_counted_by_column(tmp_path):
    whole = [
        {"objectDomain": "Table", "objectId": 7, "objectName": "D.S.T", "columns": [{"columnId": 1, "columnName": "A"}]}
    ]
    half = [
        {
            "objectDomain": "Table",
            "objectId": 7,
            "objectName": "D.S.T",
            "columns": [{"columnId": -1, "columnName": "TRUNCATED"}],
        }
    ]
    found, rows = landed(tmp_path, ACCESS, [access("q0", whole), access("q1", half), access("q2", CUT)])
    assert [row["query_id"] for row in rows] == ["q0", "q1", "q2"]
    assert found.treated["base_objects_accessed"]["truncated"] == 2
    assert found.treated["direct_objects_accessed"]["truncated"] == 2
    assert "objects_modified" not in found.treated
    cut = next(row for row in rows if row["query_id"] == "q2")["base_objects_accessed"][0]
    assert (cut["object_id"], cut["object_name"]) == ("-1", "TRUNCATED")


def test_a_table_called_truncated_is_not_counted_by_accident(tmp_path):
    named = [{"objectDomain": "Table", "objectId": 7, "objectName": "D.S.TRUNCATED_ROWS"}]
    found, _ = landed(tmp_path, ACCESS, [access("q0", named)])
    assert "truncated" not in found.treated.get("base_objects_accessed", {})


def test_equal_grants_are_a_multiset(tmp_path):
    grant = {"CREATED_ON": NOON, "PRIVILEGE": "SELECT", "GRANTED_ON": "TABLE", "NAME": "T", "GRANTEE_NAME": "R"}
    once, _ = landed(tmp_path / "once", GRANTS, [grant])
    twice, rows = landed(tmp_path / "twice", GRANTS, [grant, grant])
    assert (twice.landed, len(rows), twice.totals.rows) == (2, 2, 2)
    assert once.rows_digest != twice.rows_digest, "how often a row stands there is part of what was sealed"
    assert "repeated_keys" not in twice.drift


@pytest.mark.parametrize(
    "element",
    [
        {"objectDomain": "Table", "objectName": "SHARED.S.T"},
        {"locations": ["s3://bucket/"]},
        {"objectDomain": "FUNCTION", "objectId": "F(NUMBER):NUMBER", "objectName": "D.S.F(NUMBER):NUMBER"},
        {"objectDomain": "TABLE", "objectId": 5, "objectName": 'D."odd.schema"."T ""x"""'},
        {"objectDomain": "view", "objectId": 18260702004593906, "objectName": "A.B.C.D"},
        {"objectDomain": "Table", "objectId": 5, "objectName": "D.S.T", "columns": [{"columnName": 'a."b"'}]},
    ],
    ids=["shared", "location", "function", "quoted", "four parts", "column without id"],
)
def test_odd_objects_come_back_as_they_were(tmp_path, element):
    """Missing ids, domains in any case, dots and quotes in names: nothing is guessed and nothing is lost."""
    usual = {"objectDomain": "Table", "objectId": 1, "objectName": "D.S.T"}
    _, rows = landed(tmp_path, ACCESS, [access("q0", [usual]), access("q1", [element, usual])])
    row = next(row for row in rows if row["query_id"] == "q1")
    back = json.loads(join(row["base_objects_accessed"], row["base_objects_accessed_rest"], OBJECT_SHAPE))
    assert back[1] == usual
    assert back[0] == {**element, **({"locations": ["s3://bucket/?"]} if "locations" in element else {})}

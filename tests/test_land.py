"""Landing: every row lands or is set aside with a reason, totals are exact, nothing sensitive reaches a disk."""

import datetime as dt
import json
import re
import stat

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.datasets.contract import Contract
from evidence.datasets.land import land
from evidence.datasets.load import load_contracts
from evidence.datasets.nested import OBJECT_SHAPE, join
from evidence.datasets.totals import expressions, from_row
from evidence.errors import ConfigError, SourceUnavailableError
from evidence.snapshot.canonical import sha256_hex
from evidence.snapshot.model import ColumnTotals, Window
from evidence.snapshot.redact import Redactor
from evidence.snapshot.rows import RowsDigest

CONTRACTS = load_contracts()
NIGHT = dt.date(2026, 7, 1)
NOON = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)
REDACTOR = Redactor(b"k" * 32, "k1")
EVENT = Window(NIGHT, "event")
STATE = Window(NIGHT, "state")
PHI = "Jane Roe 123-45-6789"


@pytest.fixture
def spool(tmp_path):
    tmp_path.chmod(0o700)
    return tmp_path


def query(n=0, **more):
    return {
        "QUERY_ID": f"q{n}", "QUERY_TEXT": "select 1", "QUERY_TYPE": "SELECT", "USER_NAME": "U", "ROLE_NAME": "R",
        "EXECUTION_STATUS": "SUCCESS", "START_TIME": NOON, "END_TIME": NOON + dt.timedelta(microseconds=n), **more,
    }  # fmt: skip


def batch(*rows):
    return pa.RecordBatch.from_pylist(list(rows))


def history(batches, spool, rejected=(), window=EVENT, redactor=REDACTOR, name="snowflake.query_history"):
    return land(batches, rejected, CONTRACTS[name], window, spool, redactor)


def read(landed, spool):
    return pa.concat_tables([pq.read_table(spool / part.path) for part in landed.parts])


def test_rows_land_in_the_contract_schema(spool):
    landed = history([batch(query(1), query(0))], spool)
    table = read(landed, spool)
    assert table.schema.equals(CONTRACTS["snowflake.query_history"].landed_schema)
    assert table.column("query_id").to_pylist() == ["q0", "q1"], "sorted by watermark"
    assert (landed.landed, landed.quarantined, landed.totals.rows) == (2, 0, 2)
    for part in landed.parts:
        path = spool / part.path
        assert sha256_hex(path.read_bytes()) == part.sha256
        assert path.stat().st_size == part.size
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_digest_is_that_of_the_sealed_rows(spool):
    landed = history([batch(query(1)), batch(query(0))], spool)
    digest = RowsDigest()
    for piece in read(landed, spool).to_batches():
        digest.update(piece)
    assert digest.hexdigest() == landed.rows_digest


def test_nothing_sensitive_reaches_the_disk(spool):
    rows = [
        query(
            0,
            QUERY_TEXT=f"select '{PHI}'",
            ERROR_MESSAGE=f"Numeric value '{PHI}' is not recognized",
            BIND_VALUES=f'["{PHI}"]',
            QUERY_HASH=PHI,
        ),
        query(1, QUERY_TEXT=f"select '{PHI}", QUERY_TAG=PHI),
        query(2, QUERY_TEXT=PHI, SESSION_ID=f"{PHI}"),
        query(3, QUERY_TEXT=f"select 1 -- {PHI}", SESSION_ID="7", QUERY_ID=PHI, END_TIME=NOON + dt.timedelta(days=2)),
        query(4, SURPRISE=PHI),
    ]
    columns = {name: None for row in rows for name in row}
    landed = history([batch(*({**columns, **row} for row in rows))], spool, rejected=[(PHI, f"line 7: {PHI}")])
    assert (landed.landed, landed.quarantined) == (3, 3)
    values = json.dumps(
        [pq.read_table(spool / p.path).to_pylist() for p in (*landed.parts, *landed.quarantine)], default=str
    )
    for word in ("Jane", "Roe", "123-45", "6789"):
        assert word not in values
        assert word not in repr(landed)
    assert landed.treated["query_text"] == {"hashed": 1, "scrubbed": 2}
    assert landed.treated["query_tag"] == {"phi": 1}
    assert landed.treated["bind_values"] == {"dropped": 1}
    assert landed.drift["unknown"] == ("SURPRISE",)


def test_quarantine_says_why_and_which(spool):
    late = query(1, END_TIME=NOON + dt.timedelta(days=1))
    landed = history([batch(query(0, END_TIME=None), late)], spool, rejected=[("{", "not JSON")])
    assert landed.quarantine_reasons == {"no-watermark": 1, "outside-window": 1, "not JSON": 1}
    rows = [row for part in landed.quarantine for row in pq.read_table(spool / part.path).to_pylist()]
    assert [row["reason"] for row in rows] == ["no-watermark", "outside-window", "not JSON"]
    assert json.loads(rows[1]["row"]) == {"query_id": "q1", "end_time": "2026-07-02T12:00:00+00:00"}
    assert all(re.fullmatch("hmac:k1:[0-9a-f]{64}", row["row_hmac"]) for row in rows)
    assert landed.totals.rows == 3


@pytest.mark.parametrize(
    ("moment", "lands"),
    [
        (EVENT.start, 1),
        (EVENT.end - dt.timedelta(microseconds=1), 1),
        (EVENT.end, 0),
        (EVENT.start - dt.timedelta(microseconds=1), 0),
    ],
)
def test_window_edges(spool, moment, lands):
    assert history([batch(query(END_TIME=moment))], spool).landed == lands


def test_a_nanosecond_before_midnight_stays_in_its_day(spool):
    last = int(EVENT.end.timestamp()) * 10**9 - 1
    raw = (
        batch(query()).drop_columns(["END_TIME"]).append_column("END_TIME", pa.array([last], pa.timestamp("ns", "UTC")))
    )
    assert history([raw], spool).landed == 1


def test_missing_required_column_sets_every_row_aside(spool):
    landed = history([batch(query()).drop_columns(["USER_NAME"])], spool)
    assert landed.quarantine_reasons == {"user_name: required column is missing": 1}
    assert "USER_NAME" in landed.drift["missing"]
    assert "USER_NAME" not in landed.totals.columns


def test_batches_may_change_their_types(spool):
    one = pa.record_batch({**batch(query(0)).to_pydict(), "SESSION_ID": pa.array([5], pa.int8())})
    two = pa.record_batch({**batch(query(1)).to_pydict(), "SESSION_ID": pa.array(["18260702004593906"])})
    landed = history([one, two], spool)
    assert read(landed, spool).column("session_id").to_pylist() == [5, 18260702004593906]
    assert landed.totals.columns["SESSION_ID"].value_sum == 18260702004593911


def test_column_names_in_any_case_and_by_alias(spool):
    row = {
        "id": 1,
        "name": "R",
        "mode": "INGRESS",
        "type": "IPV4",
        "value_list": "10.0.0.0/8",
        "deleted": None,
        "schema": "S",
        "DATABASE": "D",
    }
    landed = history([batch(row)], spool, window=STATE, name="snowflake.network_rules")
    assert read(landed, spool).select(["schema_name", "database_name"]).to_pylist() == [
        {"schema_name": "S", "database_name": "D"}
    ]
    assert "unknown" not in landed.drift


def test_access_history_loses_nothing_but_paths(spool):
    document = [
        {"objectId": 7, "objectDomain": "Stage"},
        {"locations": ["s3://bucket/jane_roe.csv"]},
        {"objectId": -1, "objectName": "TRUNCATED"},
    ]
    row = {
        "QUERY_ID": "q", "QUERY_START_TIME": NOON, "USER_NAME": "U", "DIRECT_OBJECTS_ACCESSED": json.dumps(document, indent=2),
        "BASE_OBJECTS_ACCESSED": "[]", "OBJECTS_MODIFIED": None,
        "OBJECT_MODIFIED_BY_DDL": json.dumps({"properties": {"comment": {"value": PHI}}}),
    }  # fmt: skip
    landed = history([batch(row)], spool, name="snowflake.access_history")
    back = read(landed, spool).to_pylist()[0]
    document[1]["locations"] = ["s3://bucket/?"]
    assert (
        json.loads(join(back["direct_objects_accessed"], back["direct_objects_accessed_rest"], OBJECT_SHAPE))
        == document
    )
    assert back["objects_modified"] is None
    assert back["base_objects_accessed"] == []
    assert "Jane" not in str(back)
    assert landed.treated["direct_objects_accessed"] == {"located": 1, "rest": 1, "truncated": 1}


DOCUMENTS = (
    [],
    [{"objectId": 7, "objectDomain": "Table", "objectName": "D.S.T", "columns": [{"columnId": 1, "columnName": "C"}]}],
    [{"objectId": -1, "objectName": "TRUNCATED"}],
    [{"objectId": 7, "objectName": "TRUNCATED"}],
    [{"objectId": 7, "objectName": 'D.S."My table"'}, {"columns": [{"columnId": -1}]}],
    [{"objectId": 7, "locations": ["s3://bucket/jane_roe.csv"]}],
    [{"objectName": None, "columns": None}],
    [{"objectId": "7"}, {"objectId": 1.5}, 3],
    [{"comment": PHI}],
    {"objectId": 7},
)


def accesses(spell):
    return [
        {
            "QUERY_ID": f"q{n}", "QUERY_START_TIME": NOON, "USER_NAME": "U", "OBJECTS_MODIFIED": None,
            "DIRECT_OBJECTS_ACCESSED": spell(DOCUMENTS[n % len(DOCUMENTS)]), "BASE_OBJECTS_ACCESSED": spell(DOCUMENTS[n * 3 % len(DOCUMENTS)]),
            "POLICIES_REFERENCED": spell([{"objectId": n, "policies": [{"policyName": "P", "policyKind": "MASKING_POLICY"}]}]),
        }
        for n in range(40)
    ]  # fmt: skip


def test_documents_land_alike_however_they_are_spelled_and_beside_whatever_they_stand(tmp_path):
    landed = {}
    for name, spell in {
        "compact": lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False),
        "indented": lambda value: json.dumps(value, indent=2),
        "backwards": lambda value: json.dumps(json.loads(json.dumps(value), object_pairs_hook=lambda pairs: dict(reversed(pairs))), separators=(",", ":")),
    }.items():  # fmt: skip
        for batches in ([batch(*accesses(spell))], [batch(row) for row in accesses(spell)]):
            (folder := tmp_path / f"{name}-{len(batches)}").mkdir(mode=0o700)
            landed[folder] = history(batches, folder, name="snowflake.access_history")
    first = next(iter(landed.values()))
    assert first.quarantined == 0
    assert first.treated["direct_objects_accessed"] == {"truncated": 12, "located": 4, "commented": 4, "rest": 20}
    for folder, each in landed.items():
        assert (each.rows_digest, each.treated, each.totals) == (first.rows_digest, first.treated, first.totals)
        assert "Roe" not in str(read(each, folder).to_pylist())


def test_a_document_that_is_not_text_is_set_aside_and_the_others_land(spool):
    row = {"QUERY_START_TIME": NOON, "USER_NAME": "U", "BASE_OBJECTS_ACCESSED": "[]", "OBJECTS_MODIFIED": "[]"}
    made = batch({**row, "QUERY_ID": "good"}, {**row, "QUERY_ID": "bytes"}, {**row, "QUERY_ID": "half"})
    texts = [b'[{"objectId":7}]', b'[{"objectName":"\xff"}]', b'[{"objectId":7}']
    whole = pa.array(texts, pa.binary())
    column = pa.StringArray.from_buffers(len(texts), whole.buffers()[1], whole.buffers()[2])
    landed = history([made.append_column("DIRECT_OBJECTS_ACCESSED", column)], spool, name="snowflake.access_history")
    assert [row["query_id"] for row in read(landed, spool).to_pylist()] == ["good"]
    assert landed.quarantine_reasons == {
        "direct_objects_accessed: not JSON": 1,
        "direct_objects_accessed: not UTF-#": 1,
    }


def test_repeated_keys_are_kept_and_said(spool):
    landed = history([batch(query(0), query(0))], spool)
    assert landed.landed == 2
    assert landed.drift["repeated_keys"] == ("1",)
    assert landed.totals.distinct_keys == 1


def test_no_rows_no_files(spool):
    landed = history([], spool)
    assert (landed.parts, landed.quarantine, landed.landed, landed.totals.rows) == ((), (), 0, 0)


def test_an_open_spool_is_refused(spool):
    spool.chmod(0o755)
    with pytest.raises(ConfigError, match="open to others"):
        history([], spool)


def test_errors_of_the_source_pass(spool):
    def broken():
        yield batch(query(0))
        raise SourceUnavailableError("gone")

    with pytest.raises(SourceUnavailableError):
        history(broken(), spool)


def test_parts_roll_over(spool, monkeypatch):
    monkeypatch.setattr("evidence.snapshot.spool.GROUP_ROWS", 2)
    monkeypatch.setattr("evidence.snapshot.spool.PartWriter.__init__.__kwdefaults__", {"part_bytes": 1})
    landed = history([batch(query(n)) for n in range(5)], spool)
    assert [part.rows for part in landed.parts] == [2, 2, 1]
    assert read(landed, spool).column("query_id").to_pylist() == [f"q{n}" for n in range(5)]


def test_unfit_values_leave_their_column_unstated(spool):
    columns = history([batch(query(0, SESSION_ID="x"), query(1, SESSION_ID="5"))], spool).totals.columns
    assert columns["SESSION_ID"] == ColumnTotals()
    assert columns["QUERY_ID"] == ColumnTotals(non_null=2, length_sum=4)


SMALL = Contract(
    name="x.y", version=1, kind="state", read="view", object="T", description="d", page="p", key=("A", "B"),
    columns=({"name": "A", "type": "int"}, {"name": "B", "type": "text"}, {"name": "C", "type": "text", "source_type": "NUMBER"},
             {"name": "D", "type": "time"}, {"name": "E", "type": "int", "volatile": True}, {"name": "F", "type": "json", "treatment": "drop"}),
)  # fmt: skip
small_rows = st.fixed_dictionaries(
    {
        "A": st.none() | st.integers(-(2**62), 2**62),
        "B": st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4),
        "D": st.none() | st.just(NOON),
        "E": st.none() | st.integers(0, 9),
    }
)


@settings(deadline=None, max_examples=60)
@given(st.lists(small_rows, min_size=1, max_size=8))
def test_our_totals_mean_what_the_sql_means(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("spool")
    folder.chmod(0o700)
    schema = pa.schema(
        [("A", pa.int64()), ("B", pa.string()), ("C", pa.int64()), ("D", pa.timestamp("us", "UTC")), ("E", pa.int64())]
    )
    made = pa.Table.from_pylist([{**row, "C": row["A"]} for row in rows], schema)
    landed = land(made.to_batches(max_chunksize=3), [], SMALL, STATE, folder, REDACTOR)
    asked = expressions(SMALL)
    with duckdb.connect() as engine:
        engine.register("T", made)
        select = ", ".join(f"{e.sql} AS {e.alias}" for e in asked if e.alias != "K")
        keys = "COUNT(DISTINCT CASE WHEN A IS NULL OR B IS NULL THEN NULL ELSE (A, B) END) AS K"  # Snowflake's COUNT(DISTINCT A, B)
        relation = engine.execute(f"SELECT {select}, {keys} FROM T")
        row = dict(zip([column[0] for column in relation.description], relation.fetchone(), strict=True))
    assert from_row(asked, row) == landed.totals


def test_what_the_source_is_asked():
    assert [(e.alias, e.sql) for e in expressions(SMALL, {"B": "BEE"}, absent=["D"])] == [
        ("N", "COUNT(*)"), ("K", 'COUNT(DISTINCT "A", "BEE")'), ("C0", 'COUNT("A")'), ("S0", 'SUM("A")'), ("C1", 'COUNT("BEE")'),
        ("L1", 'SUM(LENGTH("BEE"))'), ("C2", 'COUNT("C")'),
    ]  # fmt: skip

import csv
import datetime as dt
import gzip
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence.datasets.load import load_contracts
from evidence.errors import ConfigError, SourceDeniedError, SourceEditionError, SourceUnavailableError
from evidence.snapshot.model import Window
from evidence.sources import decode as decoding
from evidence.sources import exact
from evidence.sources.files import UNRECOGNISED, FilesSource
from evidence.sources.moment import from_nanoseconds, parse_moment
from evidence.sources.open import kinds, open_source
from evidence.sources.tree import walk
from tests.contracts.source import SourceSuite

CONTRACTS = load_contracts()
LOGINS = CONTRACTS["snowflake.login_history"]
GRANTS = CONTRACTS["snowflake.grants_to_users"]
SLOW_START = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # shared machine
NIGHT = dt.date(2026, 7, 1)
NOW = dt.datetime(2026, 10, 1, 9, tzinfo=dt.UTC)
BIG = 18260702004593906  # above 2^53 and odd in its last digits

LOGIN = {
    "EVENT_ID": BIG,
    "EVENT_TIMESTAMP": "2026-07-01T08:00:00Z",
    "EVENT_TYPE": "LOGIN",
    "USER_NAME": "ADA",
    "CLIENT_IP": "10.0.0.1",
    "FIRST_AUTHENTICATION_FACTOR": "PASSWORD",
    "SECOND_AUTHENTICATION_FACTOR": None,
    "IS_SUCCESS": "YES",
}
GRANT = {
    "CREATED_ON": "2026-01-01T00:00:00Z",
    "DELETED_ON": None,
    "ROLE": "R",
    "GRANTEE_NAME": "ADA",
    "GRANTED_BY": "X",
}


def ndjson(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def put(root, name, body):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    os.utime(path, (1_790_000_000, 1_790_000_000))  # 2026-09-21
    return path


def claim(root, dataset="snowflake.login_history", night=NIGHT, **members):
    body = {"format": "evidence-export-v1", "dataset": dataset, "night": night.isoformat(), **members}
    put(root, f"{dataset.replace('.', '/')}/date={night}/_export.json", json.dumps(body))


def source(root):
    return FilesSource("acme", root, contracts=CONTRACTS, clock=lambda: NOW)


def dated(root, name, body, dataset="snowflake/login_history"):
    return put(root, f"{dataset}/date={NIGHT}/{name}", body)


def read(root, contract=LOGINS, night=NIGHT):
    reading = source(root).read(contract, Window(night, contract.kind))
    rows = [row for batch in reading.batches for row in batch.to_pylist()]
    return reading, rows, [reason for _, reason in reading.rejected]


def everything(root):
    """Rows and rejects of all windows of the source."""
    opened = source(root)
    rows, reasons = 0, []
    for name in opened.datasets():
        contract = CONTRACTS[name]
        for night in opened.nights(contract):
            reading = opened.read(contract, Window(night, contract.kind))
            rows += sum(batch.num_rows for batch in reading.batches)
            reasons += [reason for _, reason in reading.rejected]
    return rows, reasons


class TestContract(SourceSuite):
    @pytest.fixture
    def contracts(self):
        return CONTRACTS

    @pytest.fixture
    def source(self, tmp_path):
        dated(tmp_path, "a.ndjson", ndjson(LOGIN))
        claim(tmp_path, exported_at="2026-07-03T00:00:00Z", totals={"rows": 2})
        dated(tmp_path, "b.csv", csv_of([LOGIN]))
        put(tmp_path, "grants_to_users.ndjson", ndjson(GRANT) + b"{broken\n")
        put(tmp_path, "notes.txt", "hello")
        return source(tmp_path)


def csv_of(rows):
    names = list(rows[0])
    lines = [",".join(names)]
    lines += [",".join("" if row[name] is None else str(row[name]) for name in names) for row in rows]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("a.ndjson", lambda: ndjson(LOGIN)),
        ("a.jsonl", lambda: ndjson(LOGIN)),
        ("a.ndjson.gz", lambda: gzip.compress(ndjson(LOGIN))),
        ("a.csv", lambda: csv_of([LOGIN])),
        ("a.csv.gz", lambda: gzip.compress(csv_of([LOGIN]).encode())),
        ("a.CSV", lambda: csv_of([LOGIN])),
        ("bom.csv", lambda: b"\xef\xbb\xbf" + csv_of([LOGIN]).encode()),
        ("bom.ndjson", lambda: b"\xef\xbb\xbf" + ndjson(LOGIN)),
        ("crlf.csv", lambda: csv_of([LOGIN]).replace("\n", "\r\n")),
        ("crlf.ndjson", lambda: ndjson(LOGIN).replace(b"\n", b"\r\n\r\n")),
    ],
)
def test_text_formats_keep_every_digit(tmp_path, name, make):
    dated(tmp_path, name, make())
    reading, rows, reasons = read(tmp_path)
    assert reasons == []
    assert [row["EVENT_ID"] for row in rows] == [str(BIG)]
    assert rows[0]["SECOND_AUTHENTICATION_FACTOR"] is None
    assert reading.totals.rows == 1
    assert reading.finality == "provisional"  # nobody says when it was exported


def test_parquet_keeps_types_and_states_its_rows(tmp_path):
    path = dated(tmp_path, "a.parquet", b"")
    pq.write_table(pa.Table.from_pylist([LOGIN] * 20_000), path)
    reading, rows, reasons = read(tmp_path)
    assert (len(rows), reasons, reading.totals.rows) == (20_000, [], 20_000)
    assert rows[0]["EVENT_ID"] == BIG


def test_csv_tells_an_empty_text_from_null(tmp_path):
    dated(tmp_path, "a.csv", 'EVENT_ID,USER_NAME,ERROR_MESSAGE,CONNECTION\n1,"",,\\N\n2,"two\nlines",x,y\n')
    _, rows, reasons = read(tmp_path)
    assert reasons == []
    assert rows[0] == {"EVENT_ID": "1", "USER_NAME": "", "ERROR_MESSAGE": None, "CONNECTION": None}
    assert rows[1]["USER_NAME"] == "two\nlines"


GARBAGE = {
    "not json.ndjson": (ndjson(LOGIN) + b"{oops\n" + ndjson(LOGIN), 2, ["line 2: not JSON"]),
    "array.ndjson": (json.dumps([LOGIN, LOGIN]).encode(), 0, ["a JSON array, not one object per line"]),
    "scalar.ndjson": (b"17\n", 0, ["line 1: not a JSON object"]),
    "nul.ndjson": (b'{"EVENT_ID": "a\0b"}\n', 0, ["line 1: not JSON"]),
    "nan.ndjson": (b'{"EVENT_ID": NaN}\n', 0, ["line 1: not JSON"]),
    "latin.ndjson": (b'{"EVENT_ID": "\xff"}\n', 0, ["line 1: not UTF-8"]),
    "deep.ndjson": (b'{"EVENT_ID":' + b"[" * 200_000 + b"]" * 200_000 + b"}\n", 0, ["line 1"]),
    "key twice.ndjson": (b'{"EVENT_ID": 1, "EVENT_ID": 2}\n', 0, ["line 1: a JSON key stands twice"]),
    "column twice.ndjson": (b'{"EVENT_ID": 1, "event_id": 2}\n', 0, ["line 1: columns 1 and 2 have one name"]),
    "empty.ndjson": (b"", 0, ["empty file"]),
    "empty.csv": (b"", 0, ["empty file"]),
    "column twice.csv": (b"EVENT_ID,event_id\n1,2\n", 0, ["columns 1 and 2 have one name"]),
    "unnamed.csv": (b"EVENT_ID,\n1,2\n", 0, ["column 2 has no name"]),
    "ragged.csv": (b"EVENT_ID,USER_NAME\n1,A\n2\n3,C,D\n4,E\n", 2, ["line 3: 1 fields", "line 4: 3 fields"]),
    "latin.csv": (b"EVENT_ID,USER_NAME\n1,A\n2,\xff\n3,C\n", 2, ["record 2: not UTF-8"]),
    "nul.csv": (b"EVENT_ID,USER_NAME\n1,A\n2,b\0b\n", 1, ["record 2: not UTF-8 text, or holds NUL"]),
    "no header.csv": (b"123-45-6789,Ada\n987-65-4321,Bob\n", 0, ["no column of snowflake.login_history"]),
    "cut.ndjson.gz": (gzip.compress(ndjson(*[LOGIN] * 50))[:-20], None, ["breaks off"]),
    "flipped.csv.gz": (gzip.compress(csv_of([LOGIN]).encode())[:-8] + b"\0" * 8, None, ["cannot be read|breaks off"]),
    "cut.parquet": (b"PAR1" + b"\0" * 300, 0, ["breaks off"]),
    "disguised.csv": (b"PAR1....PAR1", 0, ["disagree on whether this is Parquet"]),
    "disguised.parquet": (b"EVENT_ID\n1\n", 0, ["disagree on whether this is Parquet"]),
    "packed.csv": (gzip.compress(b"EVENT_ID\n1\n"), 0, ["disagree on whether this is compressed"]),
    "unpacked.csv.gz": (b"EVENT_ID\n1\n", 0, ["disagree on whether this is compressed"]),
    "wrong ending.xlsx": (b"PK\3\4", 0, [r"no \.parquet"]),
    "wrong ending.json": (b"{}", 0, [r"no \.parquet"]),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_counted_with_file_and_place(tmp_path, name):
    body, landed, expected = GARBAGE[name]
    dated(tmp_path, name, body)
    reading, rows, reasons = read(tmp_path)
    assert landed is None or len(rows) == landed
    assert len(reasons) == len(expected)
    for reason, pattern in zip(reasons, expected, strict=True):
        assert f"date=2026-07-01/{name}" in reason
        assert any(part in reason.replace("\\", "") for part in pattern.replace("\\", "").split("|"))
    assert reading.totals.rows == len(rows) + len(reasons)
    assert "6789" not in " ".join(reasons)


def test_a_parquet_file_cut_in_the_middle_is_never_whole(tmp_path):
    path = dated(tmp_path, "a.parquet", b"")
    pq.write_table(pa.Table.from_pylist([LOGIN | {"EVENT_ID": n} for n in range(30_000)]), path, row_group_size=1000)
    body = bytearray(path.read_bytes())
    middle = len(body) // 3
    body[middle : middle + 4000] = bytes(4000)
    path.write_bytes(body)
    _, rows, reasons = read(tmp_path)
    assert len(rows) < 30_000
    assert len(reasons) == 1
    assert "breaks off" in reasons[0]


def test_an_endless_line_is_skipped_in_bounded_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "LINE_BYTES", 1000)
    long = b'{"EVENT_ID": "' + b"x" * 3_000_000 + b'"}\n'
    dated(tmp_path, "a.ndjson", ndjson(LOGIN) + long + ndjson(LOGIN))
    reading = source(tmp_path).read(LOGINS, Window(NIGHT, "event"))
    assert sum(batch.num_rows for batch in reading.batches) == 2
    ((text, reason),) = list(reading.rejected)
    assert text == ""
    assert "line 2: 3000017 bytes, over the limit of 1000 (SHA-256 " in reason


def test_links_are_refused_and_counted(tmp_path):
    outside = put(tmp_path, "outside/secret.ndjson", ndjson(LOGIN))
    root = tmp_path / "root"
    dated(root, "a.ndjson", ndjson(LOGIN))
    (root / f"snowflake/login_history/date={NIGHT}/b.ndjson").symlink_to(outside)
    (root / "loose").symlink_to(outside.parent)
    (root / "snowflake/login_history/date=2026-07-02").symlink_to(outside.parent)
    _, rows, reasons = read(root)
    assert len(rows) == 1
    assert ["symbolic link" in reason for reason in reasons] == [True]
    loose = source(root).read(CONTRACTS[UNRECOGNISED], Window(NIGHT, "state"))
    assert sorted(reason.partition(":")[0] for _, reason in loose.rejected) == [
        "loose",
        "snowflake/login_history/date=2026-07-02",
    ]
    assert source(root).nights(LOGINS) == [NIGHT]


@pytest.mark.parametrize(
    ("status", "error"),
    [("denied", SourceDeniedError), ("edition", SourceEditionError), ("unavailable", SourceUnavailableError)],
)
def test_a_claimed_refusal_is_raised(tmp_path, status, error):
    claim(tmp_path, status=status, reason="role lacks SECURITY_VIEWER")
    with pytest.raises(error, match="SECURITY_VIEWER"):
        read(tmp_path)


def test_claims_travel(tmp_path):
    dated(tmp_path, "a.ndjson", ndjson(LOGIN))
    claim(
        tmp_path,
        exported_at="2026-07-02T06:00:00Z",
        system={"account": "XY12345"},
        totals={"rows": 7, "distinct_keys": 7, "columns": {"user_name": {"non_null": 7}, "NEW": {"non_null": 1}}},
        statements=[{"text": "SELECT EVENT_ID FROM LOGIN_HISTORY", "rows": 7}],
    )
    reading, _, reasons = read(tmp_path)
    assert reasons == []
    assert reading.totals.rows == 7  # the claim, not what was found: the difference is what matters
    assert set(reading.totals.columns) == {"USER_NAME", "NEW"}
    assert reading.system == {"account": "XY12345"}
    assert [statement.rows for statement in reading.statements] == [7, 1]
    assert reading.finality == "settled"


@pytest.mark.parametrize(
    ("exported_at", "finality", "whole"),
    [
        ("2026-07-02T05:59:59Z", "provisional", True),
        ("2026-07-02T08:00:00+02:00", "settled", True),
        ("2026-07-01T23:00:00Z", "provisional", False),
    ],
)
def test_late_rows_decide_whether_it_is_settled(tmp_path, exported_at, finality, whole):
    dated(tmp_path, "a.ndjson", ndjson(LOGIN))
    claim(tmp_path, exported_at=exported_at)
    reading, _, _ = read(tmp_path)
    assert reading.finality == finality
    assert (reading.totals is not None) is whole


@pytest.mark.parametrize(
    ("as_of", "known"),
    [
        ("2026-07-02T03:00:05.000000Z", True),
        ("2026-07-01T23:59:59Z", False),
        ("2026-07-03T00:00:00Z", False),
        (None, False),
    ],
)
def test_a_state_has_the_claimed_moment_if_it_lies_in_its_window(tmp_path, as_of, known):
    dated(tmp_path, "a.ndjson", ndjson(GRANT), dataset="snowflake/grants_to_users")
    claim(tmp_path, "snowflake.grants_to_users", **({"as_of": as_of} if as_of else {}))
    reading, rows, _ = read(tmp_path, GRANTS)
    assert len(rows) == 1
    assert (reading.as_of is not None) is known
    assert reading.as_of is None or reading.as_of[1] is True


@pytest.mark.parametrize(
    "members",
    [
        {"status": "perfect"},
        {"totals": {"rows": "many"}},
        {"exported_at": "2026-07-02T06:00:00"},
        {"surprise": 1},
        {"dataset": "snowflake.users"},
        {"night": "2026-07-02"},
        {"format": "evidence-export-v2"},
    ],
)
def test_claims_that_do_not_hold_are_a_reject(tmp_path, members):
    dated(tmp_path, "a.ndjson", ndjson(LOGIN))
    body = {"format": "evidence-export-v1", "dataset": "snowflake.login_history", "night": "2026-07-01", **members}
    dated(tmp_path, "_export.json", json.dumps(body))
    reading, rows, reasons = read(tmp_path)
    assert len(rows) == 1
    assert len(reasons) == 1
    assert "_export.json" in reasons[0]
    assert reading.totals.rows == 2


def test_an_exporter_that_says_incomplete_states_no_totals(tmp_path):
    dated(tmp_path, "a.ndjson", ndjson(LOGIN))
    claim(tmp_path, status="incomplete", reason="cut at 10,000 rows", totals={"rows": 1})
    reading, _, _ = read(tmp_path)
    assert reading.totals is None
    assert any("cut at 10,000 rows" in note for note in reading.notes)


def test_an_empty_folder_is_not_an_empty_dataset(tmp_path):
    (tmp_path / f"snowflake/login_history/date={NIGHT}").mkdir(parents=True)
    with pytest.raises(SourceUnavailableError, match="empty folder"):
        read(tmp_path)
    claim(tmp_path, totals={"rows": 0})
    reading, rows, reasons = read(tmp_path)
    assert (rows, reasons, reading.totals.rows) == ([], [], 0)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_header_without_rows_is_an_empty_dataset(tmp_path, name):
    path = dated(tmp_path, name, csv_of([LOGIN]).splitlines()[0] + "\n")
    if name.endswith("parquet"):
        pq.write_table(pa.table({key: pa.array([], pa.string()) for key in LOGIN}), path)
    reading = source(tmp_path).read(LOGINS, Window(NIGHT, "event"))
    (batch,) = reading.batches
    assert (batch.num_rows, batch.schema.names) == (0, list(LOGIN))
    assert (list(reading.rejected), reading.totals.rows) == ([], 0)


def test_loose_rows_go_to_their_day_and_nobody_says_they_are_all(tmp_path):
    other = LOGIN | {"EVENT_TIMESTAMP": "2026-07-01T22:30:00-04:00"}
    put(tmp_path, "any_name.ndjson", ndjson(LOGIN, other))
    put(tmp_path, "deep/er/logins.csv", csv_of([LOGIN]))
    opened = source(tmp_path)
    assert opened.datasets() == ["snowflake.login_history"]
    assert opened.nights(LOGINS) == [NIGHT, dt.date(2026, 7, 2)]
    reading, rows, _ = read(tmp_path)
    assert len(rows) == 2
    assert (reading.totals, reading.finality, reading.as_of) == (None, "provisional", None)


def test_loose_state_has_no_moment(tmp_path):
    put(tmp_path, "grants.ndjson", ndjson(GRANT))
    reading, rows, _ = read(tmp_path, GRANTS, dt.date(2026, 9, 20))
    assert len(rows) == 1
    assert reading.as_of is None


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (LOGIN | {"EVENT_TIMESTAMP": "2026-07-01 08:00:00"}, "no moment with a zone"),
        (LOGIN | {"EVENT_TIMESTAMP": None}, "no moment with a zone"),
        (LOGIN | {"EVENT_TIMESTAMP": "2126-07-01T08:00:00Z"}, "lies in the future"),
        ({key: value for key, value in LOGIN.items() if key != "IS_SUCCESS"}, "missing: IS_SUCCESS"),
        ({"COLOUR": "red"}, "missing:"),
        ({}, "missing:"),
    ],
)
def test_loose_rows_that_fit_nowhere_are_kept_with_the_reason(tmp_path, row, reason):
    put(tmp_path, "login_history.ndjson", ndjson(row))
    _, rows, reasons = read(tmp_path, CONTRACTS[UNRECOGNISED], dt.date(2026, 9, 20))
    assert rows == []
    assert len(reasons) == 1
    assert reasons[0].startswith("login_history.ndjson line 1: ")
    assert reason in reasons[0]


def test_a_dated_folder_is_not_mixed_with_loose_rows(tmp_path):
    dated(tmp_path, "a.ndjson", ndjson(LOGIN))
    put(tmp_path, "more.ndjson", ndjson(LOGIN))
    assert len(read(tmp_path)[1]) == 1
    rows, reasons = everything(tmp_path)
    assert rows == 1
    assert reasons == ["more.ndjson line 1: a dated folder speaks for snowflake.login_history 2026-07-01"]


def test_a_folder_without_contract_is_not_skipped(tmp_path):
    put(tmp_path, f"snowflake/moon_phases/date={NIGHT}/a.ndjson", ndjson({"PHASE": 1}, {"PHASE": 2}))
    put(tmp_path, "snowflake/login_history/date=2026-7-1/a.ndjson", ndjson(LOGIN))
    assert everything(tmp_path) == (
        1,
        [f"snowflake/moon_phases/date={NIGHT}/a.ndjson line {line}: fits no dataset" for line in (1, 2)],
    )


def test_a_known_shape_is_unwrapped_exactly(tmp_path):
    attributes = {"event.id": BIG, "status.code": "ERROR", "authentication.factor.second": "DUO"}
    row = {
        "TIMESTAMP": 1782892800123456789,
        "DIMENSIONS": json.dumps({"event.name": "LOGIN", "db.user": "ADA"}, indent=2),
        "ATTRIBUTES": json.dumps(attributes, indent=2),
    }
    put(tmp_path, "feed.ndjson", ndjson(row))
    _, rows, _ = read(tmp_path)
    assert rows[0]["EVENT_ID"] == str(BIG)
    assert rows[0]["EVENT_TIMESTAMP"] == "2026-07-01T08:00:00.123456+00:00"
    assert (rows[0]["IS_SUCCESS"], rows[0]["SECOND_AUTHENTICATION_FACTOR"]) == ("NO", "DUO")
    assert rows[0]["FIRST_AUTHENTICATION_FACTOR"] is None


def test_the_siem_wrapper_is_unwrapped_and_its_searches_are_not_rows(tmp_path):
    log = {"EVENT_ID": str(BIG), "EVENT_TIMESTAMP": "2026-07-01 08:00:00.000000000", "USER_NAME": "ADA"}
    put(tmp_path, "x.ndjson", ndjson({"log_types": ["Snowflake.LoginHistory"], "log": log}))
    put(tmp_path, "y.ndjson", ndjson({"log_types": ["Query.Snowflake.X"], "log": log}))
    put(tmp_path, "z.ndjson", ndjson({"log_types": ["Jane Doe 123-45-6789!"], "log": log}))
    _, rows, _ = read(tmp_path)
    assert rows[0]["EVENT_TIMESTAMP"] == "2026-07-01T08:00:00+00:00"
    _, reasons = everything(tmp_path)
    assert reasons == [
        "y.ndjson line 1: siem-wrapper: Query.Snowflake.X: no dataset takes it",
        "z.ndjson line 1: siem-wrapper: kind unknown: no dataset takes it",
    ]


def test_a_root_that_is_not_there(tmp_path):
    with pytest.raises(SourceUnavailableError, match="no such folder"):
        source(tmp_path / "nowhere").datasets()


@SLOW_START
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "n": st.integers(),
                "t": st.none() | st.text(max_size=20),
                "f": st.decimals(allow_nan=False, allow_infinity=False, places=6),
            }
        ),
        max_size=5,
    )
)
def test_json_goes_through_without_losing_a_digit(rows):
    for row in rows:
        text = exact.dumps(row)
        assert exact.loads(text) == row
        assert exact.dumps(exact.loads(text)) == text


@SLOW_START
@given(
    st.lists(
        st.lists(
            st.text(alphabet=st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), min_size=1),
            min_size=2,
            max_size=2,
        ),
        min_size=1,
        max_size=6,
    )
)
def test_any_text_survives_csv(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([["A", "B"], *rows])
    (file,) = walk(path.parent)
    found = [list(row.values()) for batch in decoding.decode(file) for row in batch.to_pylist()]
    assert found == rows


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-07-01T08:00:00Z", "2026-07-01T08:00:00+00:00"),
        ("2024-05-31 19:20:08.604Z", "2024-05-31T19:20:08.604000+00:00"),
        ("2026-03-17 11:43:25.122 Z", "2026-03-17T11:43:25.122000+00:00"),
        ("2025-06-12T01:14:02.745-04:00", "2025-06-12T01:14:02.745000-04:00"),
        ("2025-10-17 06:05:31.197 +0530", "2025-10-17T06:05:31.197000+05:30"),
        ("2024-10-08 14:38:46.061000000", None),
        ("2026-02-30T00:00:00Z", None),
        ("1760681131197570000", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_moments(text, expected):
    moment = parse_moment(text)
    assert (moment.isoformat() if moment else None) == expected


def test_nanoseconds_are_not_floats():
    assert from_nanoseconds("1760681131197570999").isoformat() == "2025-10-17T06:05:31.197570+00:00"
    assert from_nanoseconds("1760681131") is None


def test_sources_open_by_kind(tmp_path):
    dated(tmp_path, "a.ndjson", ndjson(LOGIN))
    opened = open_source("files", "acme", contracts=CONTRACTS, clock=lambda: NOW, settings={"path": tmp_path})
    assert opened.datasets() == ["snowflake.login_history"]
    assert {"files", "dbt", "contracts"} <= set(kinds())
    with pytest.raises(ConfigError, match=r"sources\.acme: files: .*colour"):
        open_source("files", "acme", contracts=CONTRACTS, clock=lambda: NOW, settings={"path": tmp_path, "colour": 1})
    with pytest.raises(ConfigError, match="no source of kind 'moon'"):
        open_source("moon", "acme", contracts=CONTRACTS, clock=lambda: NOW, settings={})

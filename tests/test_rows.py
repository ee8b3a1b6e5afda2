"""The rows digest: against a second, slow encoder written from docs/formats/rows.md, and against order and layout."""

import datetime as dt
import decimal
import hashlib
import math
import re
import struct
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.datasets.load import load_contracts
from evidence.errors import MalformedError
from evidence.snapshot.rows import RowsDigest, spell

patient = settings(deadline=None)
FORMAT = Path(__file__).parent.parent / "docs" / "formats" / "rows.md"
INNER = pa.list_(pa.struct([("b", pa.string()), ("a", pa.list_(pa.struct([("z", pa.int64())])))]))
SCHEMA = pa.schema(
    [
        ("number", pa.int64()),
        ("text", pa.string()),
        ("moment", pa.timestamp("us", "UTC")),
        ("flag", pa.bool_()),
        ("ratio", pa.float64()),
        ("amount", pa.decimal128(38, 12)),
        ("day", pa.date32()),
        ("names", pa.list_(pa.string())),
        ("nested", INNER),
    ]
)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
elements = st.fixed_dictionaries(
    {
        "b": st.none() | st.text(max_size=3),
        "a": st.none() | st.lists(st.fixed_dictionaries({"z": st.none() | st.integers(-9, 9)}), max_size=2),
    }
)
rows = st.fixed_dictionaries(
    {
        "number": st.none() | st.integers(-(2**63), 2**63 - 1),
        "text": st.none() | st.text(max_size=5),
        "moment": st.none() | st.datetimes(timezones=st.just(dt.UTC), min_value=dt.datetime(1900, 1, 1)),  # noqa: DTZ001 - hypothesis wants it bare
        "flag": st.none() | st.booleans(),
        "ratio": st.none() | st.floats(),
        "amount": st.none() | st.decimals(-(10**20), 10**20, places=12),
        "day": st.none() | st.dates(),
        "names": st.none() | st.lists(st.none() | st.text(max_size=3), max_size=3),
        "nested": st.none() | st.lists(st.none() | elements, max_size=3),
    }
)


def reference(value):  # noqa: PLR0911
    """One value, spelled as the page says."""
    match value:
        case bool():
            return b"1" if value else b"0"
        case int():
            return str(value).encode()
        case str():
            return f"{len(value.encode())}:".encode() + value.encode()
        case float():
            bits = struct.unpack(
                ">q", struct.pack(">d", 0.0 if value == 0 else float("nan") if math.isnan(value) else value)
            )
            return str(bits[0]).encode()
        case decimal.Decimal():
            with decimal.localcontext(prec=60):
                return str(int(value.scaleb(12))).encode()
        case dt.datetime():
            return str((value - EPOCH) // dt.timedelta(microseconds=1)).encode()
        case dt.date():
            return str((value - EPOCH.date()).days).encode()
        case list():
            return b"[" + b",".join(b"~" if item is None else reference(item) for item in value) + b"]"
        case dict():
            held = sorted((key, item) for key, item in value.items() if item is not None)
            return b"{" + b"".join(f"{key}=".encode() + reference(item) + b";" for key, item in held) + b"}"
    raise AssertionError(value)


def reference_row(row):
    held = sorted((name, value) for name, value in row.items() if value is not None)
    return b"".join(hashlib.sha256(n.encode()).hexdigest()[:6].encode() + reference(v) + b";" for n, v in held)


def digest(*batches):
    made = RowsDigest()
    for batch in batches:
        made.update(batch)
    return made.hexdigest()


def table(made):
    return pa.RecordBatch.from_pylist(made, SCHEMA)


@patient
@given(st.lists(rows, max_size=6))
def test_spelling_is_the_one_written_down(made):
    assert spell(table(made)).to_pylist() == [reference_row(row) for row in made]
    total = sum(int.from_bytes(hashlib.sha256(reference_row(row)).digest(), "big") for row in made) % 2**256
    body = b"evidence-rows-v1\n" + f"{len(made)}\n".encode() + total.to_bytes(32, "big")
    assert digest(table(made)) == hashlib.sha256(body).hexdigest()


@patient
@given(st.lists(rows, min_size=1, max_size=3), st.integers(0, 1200))
def test_values_that_repeat_are_spelled_alike(made, apart):
    """Columns of few values are spelled once for each value, those of one value once; ``apart`` rows differ in their number."""
    many = [{**made[n % len(made)], **({"number": n} if n < apart else {})} for n in range(1300)]
    assert spell(table(many)).to_pylist() == [reference_row(row) for row in many]


@patient
@given(st.lists(rows, min_size=1, max_size=6), st.randoms())
def test_order_batches_and_columns_do_not_matter(made, random):
    mixed = random.sample(made, len(made))
    cut = random.randrange(len(made) + 1)
    backwards = table(mixed).select(list(reversed(SCHEMA.names)))
    assert digest(backwards.slice(0, cut), backwards.slice(cut)) == digest(table(made))


@patient
@given(st.lists(rows, min_size=2, max_size=5))
def test_a_lost_or_doubled_row_shows(made):
    assert digest(table(made)) not in {digest(table(made[1:])), digest(table([*made, made[0]]))}


@patient
@given(
    st.lists(st.none() | st.lists(st.none() | elements, max_size=3), min_size=1, max_size=3),
    st.lists(st.none() | st.integers(0, 2), min_size=1, max_size=9),
    st.integers(0, 4),
)
def test_documents_in_a_dictionary_are_spelled_as_in_rows(lists, places, start):
    """Any of its lists may be NULL, as may be a place; a dictionary of one, and a slice, too."""
    indices = pa.array([place if place is None else place % len(lists) for place in places], pa.int32())
    folded = pa.DictionaryArray.from_arrays(indices, pa.array(lists, INNER))
    numbers = pa.array(range(len(indices)), pa.int64())
    batch = pa.record_batch({"nested": folded, "number": numbers}).slice(start)
    plain = pa.record_batch({"nested": folded.dictionary_decode(), "number": numbers}).slice(start)
    assert spell(batch).to_pylist() == spell(plain).to_pylist()
    assert digest(batch) == digest(plain)


def test_dictionary_encoding_does_not_matter():
    plain = pa.record_batch({"text": pa.array(["x", None, "x"])})
    assert digest(pa.record_batch({"text": plain.column(0).dictionary_encode()})) == digest(plain)
    listed = pa.ListArray.from_arrays([0, 1, 1, 3], plain.column(0).dictionary_encode())
    assert digest(pa.record_batch({"texts": listed})) == digest(
        pa.record_batch({"texts": listed.cast(pa.list_(pa.string()))})
    )


def test_a_column_of_nulls_is_the_same_as_none():
    one = pa.record_batch({"a": pa.array([1, 2])})
    two = pa.record_batch({"a": pa.array([1, 2]), "b": pa.nulls(2, pa.string())})
    assert digest(one) == digest(two)


def test_null_and_empty_differ():
    assert digest(pa.record_batch({"t": pa.array([""])})) != digest(pa.record_batch({"t": pa.nulls(1, pa.string())}))


def test_rows_that_hold_nothing_are_counted():
    assert digest(pa.record_batch({"t": pa.nulls(2, pa.string())})) != digest(
        pa.record_batch({"t": pa.nulls(3, pa.string())})
    )


def test_unknown_types_are_refused():
    with pytest.raises(MalformedError, match="no canonical spelling"):
        digest(pa.record_batch({"t": pa.array([b"x"])}))


def test_no_contract_has_two_columns_with_one_tag():
    for contract in load_contracts().values():
        assert digest(pa.RecordBatch.from_pylist([{}], contract.landed_schema))


def test_vector_of_the_page():
    text = FORMAT.read_text()
    made = [
        {"number": 7, "text": "é", "moment": EPOCH, "names": ["a", None]},
        {"flag": True, "amount": decimal.Decimal("1.5"), "nested": [{"b": "x", "a": [{"z": -1}]}]},
    ]
    spelled = [row.decode() for row in spell(table(made)).to_pylist()]
    assert re.findall(r"^    ([0-9a-f]{6}\S+)$", text, re.MULTILINE) == spelled
    assert f"`{digest(table(made))}`" in text

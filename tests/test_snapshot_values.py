"""Canonical JSON, windows, totals, manifests and log entries: one spelling each, everything else refused."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import MalformedError
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry, ObjectRef, parse_snapshot_entry_key, snapshot_entry_key
from evidence.snapshot.manifest import Manifest, build
from evidence.snapshot.model import ColumnTotals, Part, Receipt, SnapshotKey, Totals, Window

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)
NIGHT = dt.date(2026, 7, 1)
NOON = dt.datetime(2026, 7, 2, 12, tzinfo=dt.UTC)


@given(JSON)
def test_canonical_round_trip(value):
    assert canonical.decode(canonical.encode(value)) == value


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON), st.data())
def test_what_is_written_piece_by_piece_is_the_same(value, data):
    lists = [name for name, member in value.items() if isinstance(member, list)]
    streamed = {name for name in lists if data.draw(st.booleans())}
    given = {name: iter(member) if name in streamed else member for name, member in value.items()}
    assert b"".join(canonical.pieces(given)) == canonical.encode(value)


def test_pieces_keep_the_bounds_of_a_value(monkeypatch):
    monkeypatch.setattr(canonical, "_SOME", 2)
    value = {"a": [*range(5)]}
    for name, least in (("MAX_BYTES", 17), ("MAX_VALUES", 6)):
        with monkeypatch.context() as patch:
            patch.setattr(canonical, name, least)
            assert b"".join(canonical.pieces({"a": iter(range(5))})) == canonical.encode(value)
            patch.setattr(canonical, name, least - 1)
            for write in (canonical.encode, lambda value: b"".join(canonical.pieces({"a": iter(value["a"])}))):
                with pytest.raises(MalformedError, match="over"):
                    write(value)
    with pytest.raises(MalformedError, match="not text"):
        b"".join(canonical.pieces({1: "a"}))


@pytest.mark.parametrize(
    "body",
    [b'{"a": 1}', b'{"b":1,"a":2}', b'{"a":1}\n', b'{"a":1.0}', b'{"a":1e2}', b'"\\u0041"', b'{"a":1,"a":1}', b"\xff"],
)
def test_other_spellings_are_refused(body):
    with pytest.raises(MalformedError):
        canonical.decode(body)


@pytest.mark.parametrize("value", [1.5, float("nan"), {1: 2}, b"x", "\ud800", dt.date(2026, 1, 1)])
def test_values_without_a_canonical_form_are_refused(value):
    with pytest.raises(MalformedError):
        canonical.encode(value)


def test_times_have_one_spelling():
    text = "2026-07-02T12:00:00.000001Z"
    assert canonical.format_time(canonical.parse_time(text)) == text
    offset = dt.datetime(2026, 7, 2, 14, 0, 0, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    assert canonical.format_time(offset) == text
    with pytest.raises(MalformedError):
        canonical.parse_time("2026-07-02T12:00:00Z")
    with pytest.raises(MalformedError):
        canonical.format_time(dt.datetime(2026, 7, 2))  # noqa: DTZ001  # the point of the test


def test_a_state_capture_belongs_to_the_night_before():
    assert Window.of_capture(NOON).night == NIGHT
    assert Window(NIGHT, "state").start == dt.datetime(2026, 7, 2, tzinfo=dt.UTC)
    assert Window(NIGHT, "event").end == dt.datetime(2026, 7, 2, tzinfo=dt.UTC)
    just_before = dt.datetime(2026, 7, 2, tzinfo=dt.UTC) - dt.timedelta(microseconds=1)
    assert Window.of_capture(just_before).night == NIGHT - dt.timedelta(days=1)


def test_totals_name_each_difference_and_skip_what_one_side_does_not_state():
    source = Totals(3, 3, {"A": ColumnTotals(3, 10, None), "B": ColumnTotals(2, None, 7)})
    landed = Totals(2, None, {"A": ColumnTotals(3, 11, 5), "B": ColumnTotals(2, None, 8)})
    assert source.differences(landed) == ["rows 3 / 2", "A total length 10 / 11", "B sum of values 7 / 8"]
    assert Totals.from_json(source.to_json()) == source


def make_manifest(**changes):
    receipt = Receipt("complete", NOON, landed=2, rows_digest="ab" * 32)
    part = Part("data/a/snowflake.users/date=2026-07-01/snapshot=X/part-0000.parquet", "0" * 64, 10, 2)
    arguments = {
        "key": SnapshotKey("a", "snowflake.users", NIGHT), "kind": "state", "snapshot": "X",
        "contract": {"version": 1, "sha256": "1" * 64}, "parts": (part,), "quarantine": (), "receipt": receipt,
    }  # fmt: skip
    return build(**{**arguments, **changes})


def test_manifest_round_trip_and_one_spelling():
    body = make_manifest().to_bytes()
    assert Manifest.from_bytes(body).to_bytes() == body
    value = canonical.decode(body)
    for bad in ({**value, "extra": 1}, {**value, "format": "x"}, {k: v for k, v in value.items() if k != "kind"}):
        with pytest.raises(MalformedError):
            Manifest.from_bytes(canonical.encode(bad))


def test_manifest_refuses_counts_that_do_not_add_up():
    with pytest.raises(MalformedError, match="landed rows differ"):
        make_manifest(parts=())
    with pytest.raises(MalformedError, match="quarantined rows differ"):
        make_manifest(quarantine=(Part("q", "0" * 64, 1, 1),))
    with pytest.raises(MalformedError, match="names"):
        make_manifest(revises="2" * 64)


def test_entry_round_trip_size_limit_and_paths():
    ref = ObjectRef("data/x/_manifest.json", "0" * 64, 5)
    entry = Entry("snapshot", snapshot_entry_key(SnapshotKey("a", "dbt.nodes", NIGHT, 2)), ref, {"status": "complete"})
    assert Entry.from_bytes(entry.to_bytes()) == entry
    assert parse_snapshot_entry_key(entry.key).revision == 2
    with pytest.raises(MalformedError):
        Entry("snapshot", "k", None, {"x": "y" * 70_000}).to_bytes()
    for path in ("/etc/passwd", "../x", "a/../b", ""):
        with pytest.raises(MalformedError):
            ObjectRef(path, "0" * 64, 1)
    for key in ("a/b", "A/snowflake.users/2026-07-01/0", "a/snowflake.users/2026-07-01/01", "a/snowflake.users/x/0"):
        with pytest.raises(MalformedError):
            parse_snapshot_entry_key(key)

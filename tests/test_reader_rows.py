"""What an assessment reads of a snapshot is read once while its night and the next look at it, and never more than two nights are held."""

import datetime as dt
from types import SimpleNamespace

import pyarrow as pa

from evidence import assess


def test_rows_are_read_once_for_a_night_and_the_next(monkeypatch):
    read = []

    def rows(_, sealed, columns, fields):
        read.append((sealed.input.manifest_sha256, *columns))
        return pa.table({name: [1] for name in columns})

    monkeypatch.setattr(assess.StoreReader, "_read", rows)
    reader = assess.StoreReader(None, None, {}, {}, dt.datetime(2026, 7, 9, tzinfo=dt.UTC))

    def ask(night, *columns, source="prod"):
        place = SimpleNamespace(source=source, dataset="snowflake.users", manifest_sha256=night)
        assert reader.rows(SimpleNamespace(input=place), columns).column_names == list(columns)

    for night in ("1", "1", "2", "1", "2", "3", "2", "3"):
        ask(night, "a")
    assert read == [("1", "a"), ("2", "a"), ("3", "a")]
    ask("3", "b")
    ask("9", "a", source="other")
    ask("3", "b")
    assert read[3:] == [("3", "b"), ("9", "a")], "other columns are another question; another source takes no place"
    ask("1", "a")
    assert read[5:] == [("1", "a")], "what was left behind is read and hashed anew"

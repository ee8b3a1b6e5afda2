"""What every source must do. A test module subclasses ``SourceSuite`` and provides the fixtures ``source`` and ``contracts``.

``source`` must hold at least one night of at least one dataset; ``empty_night`` is one it holds nothing for.
"""

import datetime as dt

import pyarrow as pa
import pytest

from evidence.errors import SourceError
from evidence.snapshot.model import NAME, Finality, Statement, Window
from evidence.sources.decode import BATCH_ROWS

TONIGHT = dt.date(2026, 10, 1)


class SourceSuite:
    empty_night = dt.date(1999, 1, 1)

    def windows(self, source, contracts):
        for name in source.datasets():
            contract = contracts[name]
            nights = source.nights(contract)
            for night in [TONIGHT] if nights is None else nights:
                yield contract, Window(night, contract.kind)

    def test_it_has_a_name_that_can_be_sealed(self, source):
        assert NAME.match(source.name)

    def test_its_datasets_have_contracts_and_something_to_read(self, source, contracts):
        names = list(source.datasets())
        assert len(set(names)) == len(names)
        assert set(names) <= set(contracts)
        assert list(self.windows(source, contracts))

    def test_nights_are_in_order_and_once(self, source, contracts):
        for name in source.datasets():
            nights = source.nights(contracts[name])
            assert nights is None or list(nights) == sorted(set(nights))

    def test_only_a_live_source_leaves_nights_open(self, source, contracts):
        opened = [name for name in source.datasets() if source.nights(contracts[name]) is None]
        assert source.live or not opened

    def test_every_row_is_a_row_or_rejected_with_a_reason(self, source, contracts):
        for contract, window in self.windows(source, contracts):
            reading = source.read(contract, window)
            batches = list(reading.batches)
            assert all(isinstance(batch, pa.RecordBatch) and batch.num_rows <= BATCH_ROWS for batch in batches)
            rejected = list(reading.rejected)
            assert all(reason.strip() and "\n" not in reason for _, reason in rejected)
            if reading.totals is not None:
                assert reading.totals.rows == sum(batch.num_rows for batch in batches) + len(rejected)

    def test_two_reads_give_the_same(self, source, contracts):
        for contract, window in self.windows(source, contracts):
            first, second = source.read(contract, window), source.read(contract, window)
            assert [b.to_pylist() for b in first.batches] == [b.to_pylist() for b in second.batches]
            assert list(first.rejected) == list(second.rejected)

    def test_facts_have_their_types(self, source, contracts):
        for contract, window in self.windows(source, contracts):
            reading = source.read(contract, window)
            list(reading.batches)
            assert all(isinstance(statement, Statement) for statement in reading.statements)
            assert all(isinstance(k, str) and isinstance(v, str) for k, v in reading.system.items())
            assert all(isinstance(note, str) and note for note in reading.notes)
            assert reading.finality in {None, *Finality.__args__}

    def test_only_state_has_a_moment_and_it_lies_in_its_window(self, source, contracts):
        for contract, window in self.windows(source, contracts):
            reading = source.read(contract, window)
            list(reading.batches)
            if contract.kind == "event":
                assert reading.as_of is None
            elif reading.as_of is not None:
                moment, claimed = reading.as_of
                assert moment.tzinfo is not None
                assert isinstance(claimed, bool)
                assert source.live or window.start <= moment < window.end

    def test_a_night_it_does_not_hold_is_refused_not_empty(self, source, contracts):
        for name in source.datasets():
            contract = contracts[name]
            if source.nights(contract) is None or contract.name == "files.unrecognised":
                continue
            with pytest.raises(SourceError) as caught:
                list(source.read(contract, Window(self.empty_night, contract.kind)).batches)
            assert caught.value.fix

    def test_closing_twice_is_fine(self, source):
        source.close()
        source.close()

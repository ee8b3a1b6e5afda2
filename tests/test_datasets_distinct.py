"""Distinct keys are counted exactly, however many wait on disk, and what waits there says nothing."""

import hashlib
import tracemalloc

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.datasets.distinct import DistinctKeys

NUMBERS = st.one_of(st.none(), st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1))
TEXTS = st.one_of(st.none(), st.text(max_size=3))


def counted(folder, batches, names, held):
    keys = DistinctKeys(folder, held=held)
    try:
        for batch in batches:
            keys.update(batch, names)
            assert keys.count() <= keys.complete
        return keys.count(), keys.complete
    finally:
        keys.close()


@settings(deadline=None)
@given(st.lists(st.lists(NUMBERS, max_size=20), max_size=6), st.sampled_from([1, 7, 1000]))
def test_numbers_are_counted_as_a_set_counts_them(tmp_path_factory, chunks, held):
    batches = [pa.record_batch({"id": pa.array(chunk, pa.int64())}) for chunk in chunks]
    whole = [number for chunk in chunks for number in chunk if number is not None]
    folder = tmp_path_factory.getbasetemp()
    assert counted(folder, batches, ["id"], held) == (len(set(whole)), len(whole))


@settings(deadline=None)
@given(st.lists(st.lists(st.tuples(TEXTS, NUMBERS), max_size=20), max_size=6), st.sampled_from([1, 7, 1000]))
def test_a_key_of_two_parts_is_counted_where_both_are_there(tmp_path_factory, chunks, held):
    batches = [
        pa.record_batch(
            {"a": pa.array([a for a, _ in chunk], pa.string()), "b": pa.array([b for _, b in chunk], pa.int64())}
        )
        for chunk in chunks
    ]
    whole = [pair for chunk in chunks for pair in chunk if None not in pair]
    folder = tmp_path_factory.getbasetemp()
    assert counted(folder, batches, ["a", "b"], held) == (len(set(whole)), len(whole))


@pytest.mark.parametrize("step", [1, 64, 1 << 20, 1 << 58])
def test_numbers_far_apart_do_not_share_one_bucket(tmp_path, step):
    keys = DistinctKeys(tmp_path, held=1)
    keys.update(pa.record_batch({"id": pa.array([n * step for n in range(-16, 16)], pa.int64())}), ["id"])
    (run,) = keys._runs
    largest = max(after - before for before, after in zip(run.edges, run.edges[1:], strict=False))
    keys.close()
    assert largest <= 8


def test_what_waits_on_disk_has_no_name_and_tells_no_key(tmp_path):
    name = "DOE^JANE^1950-01-02"
    keys = DistinctKeys(tmp_path, held=1)
    keys.update(pa.record_batch({"path": pa.array([name, name, "other"])}), ["path"])
    keys.count()
    assert list(tmp_path.iterdir()) == []
    keys._file.seek(0)
    body = keys._file.read()
    keys.close()
    assert len(body) == 3 * 16
    spelled = f"{len(name)}:{name}".encode()
    assert name.encode() not in body
    assert hashlib.blake2b(spelled, digest_size=16).digest() not in body


def test_few_keys_write_nothing(tmp_path):
    keys = DistinctKeys(tmp_path / "not there")
    keys.update(pa.record_batch({"id": pa.array([1, 1, 2], pa.int64())}), ["id"])
    assert (keys.count(), keys.complete) == (2, 3)
    keys.close()


def test_eight_times_the_keys_need_no_more_memory(tmp_path):
    peaks = {}
    for batches in (16, 128):
        keys = DistinctKeys(tmp_path, held=1 << 13)
        tracemalloc.start()
        for number in range(batches):
            keys.update(
                pa.record_batch({"id": pa.array(range(number * 2048, (number + 1) * 2048), pa.int64())}), ["id"]
            )
        assert keys.count() == batches * 2048
        peaks[batches] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        keys.close()
    assert peaks[128] < 1.5 * peaks[16], peaks

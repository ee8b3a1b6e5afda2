"""Apply the contract's treatments to a conformed batch; what leaves here may reach a disk.

Counts per column: ``scrubbed``, ``keyed``, ``hashed`` (could not be scrubbed safely), ``phi`` (the detector hit), ``kept`` (nothing to
scrub), ``located`` and ``commented`` (file paths and comments inside JSON), ``rest`` (rows whose document has more than the typed
columns hold), ``truncated`` (rows the source cut: ACCESS_HISTORY's sentinels).
"""

import functools
from collections import Counter
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from evidence.datasets import nested
from evidence.datasets.contract import NESTED, Column, Contract
from evidence.datasets.documents import Counts, root, times_of, treat_documents, unfold
from evidence.snapshot.redact import Redactor


def treat(
    batch: pa.RecordBatch,
    contract: Contract,
    redactor: Redactor,
    counts: Counts,
    read: Mapping[str, nested.Exact],
) -> pa.RecordBatch:
    """Return the batch with the contract's landed columns; adds outcomes to ``counts``. ``read``: documents that are typed already.

    Nested columns whose lists repeat are dictionaries, which :func:`decoded` takes apart.
    """
    unfolded = unfold(batch, contract, redactor, counts, read)
    arrays: list[pa.Array] = []
    for column in contract.kept:
        array = batch.column(column.landed)
        if column.type in NESTED:
            arrays += unfolded[column.landed]
        elif column.treatment in {"scrub", "keyed"} or column.keyed_when:
            arrays.append(_sensitive(array, batch, column, redactor, counts))
        elif column.type == "json":
            arrays.append(treat_documents(array, column.landed, redactor, counts))
        else:
            arrays.append(array)
    return pa.RecordBatch.from_arrays(arrays, names=contract.landed_schema.names)


def decoded(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return ``batch`` in ``schema``: what is in dictionaries stands in each row."""
    arrays = [each.dictionary_decode() if pa.types.is_dictionary(each.type) else each for each in batch.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _texts(array: pa.Array, column: Column, redactor: Redactor, counts: Counts) -> pa.Array:
    if array.null_count == len(array):
        return pa.nulls(len(array), pa.string())
    folded = array.cast(pa.string()).dictionary_encode()
    values = folded.dictionary.to_pylist()
    if column.treatment == "keyed":
        done = [(redactor.keyed(value), "keyed") for value in values]
    elif column.scrub_as == "location":
        done = [_located(value, redactor) for value in values]
    else:
        done = [redactor.scrub(value, column.scrub_as) for value in values]
    for (_, outcome), times in zip(done, times_of(folded), strict=True):
        counts.setdefault(column.landed, Counter())[outcome] += times
    return pa.array([text for text, _ in done], pa.string()).take(folded.indices)


def _located(value: str, redactor: Redactor) -> tuple[str, str]:
    """Cut a location after its host or stage; what is left goes past the detector."""
    text, outcome = redactor.scrub(root(value), "label")
    return text, outcome if outcome == "phi" or text == value else "located"


def _sensitive(array: pa.Array, batch: pa.RecordBatch, column: Column, redactor: Redactor, counts: Counts) -> pa.Array:
    """Treat a text column: rows that ``keyed_when`` names are keyed, the others as the treatment says."""
    if not column.keyed_when:
        return _texts(array, column, redactor, counts)
    chosen = [
        pc.is_in(pc.utf8_lower(batch.column(name.lower())), pa.array([value.lower() for value in values], pa.string()))
        for name, values in column.keyed_when
    ]
    rows = pc.and_(functools.reduce(pc.or_, chosen), array.is_valid())
    rest = pc.if_else(rows, pa.scalar(None, pa.string()), array)
    treated = rest if column.treatment == "keep" else _texts(rest, column, redactor, counts)
    texts = [redactor.keyed(text) for text in array.filter(rows).to_pylist()]
    if texts:
        counts.setdefault(column.landed, Counter())["keyed"] += len(texts)
    return pc.replace_with_mask(treated, rows, pa.array(texts, pa.string()))

"""Apply the contract's treatments to a conformed batch; what leaves here may reach a disk.

Counts per column: ``scrubbed``, ``keyed``, ``hashed`` (could not be scrubbed safely), ``phi`` (the detector hit), ``kept`` (nothing to
scrub), ``located`` and ``commented`` (file paths and comments inside JSON), ``rest`` (rows whose document has more than the typed
columns hold), ``truncated`` (rows the source cut: ACCESS_HISTORY's sentinels).
"""

import functools
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.datasets import nested, variant
from evidence.datasets.contract import NESTED, Column, Contract
from evidence.snapshot.redact import Redactor

# JSON members that hold free text or name files: ACCESS_HISTORY elements and OBJECT_MODIFIED_BY_DDL properties.
_LOCATIONS = {"location", "locations", "manifestStageLocation"}
_COMMENTS = {"comment"}
_SENSITIVE = tuple(sorted(f'"{key}":' for key in _LOCATIONS | _COMMENTS))
_SENTINEL = r'"(?:objectId|columnId|policyId)":-1[,}]|:"TRUNCATED"'
_ROOT = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*|@?[A-Za-z0-9_.~%$\"]*)", re.ASCII)

Counts = dict[str, Counter[str]]


def treat(batch: pa.RecordBatch, contract: Contract, redactor: Redactor, counts: Counts) -> pa.RecordBatch:
    """Return the batch in the contract's landed schema; adds outcomes to ``counts``."""
    unfolded = _unfold(batch, contract, redactor, counts)
    arrays: list[pa.Array] = []
    for column in contract.kept:
        array = batch.column(column.landed)
        if column.type in NESTED:
            arrays += unfolded[column.landed]
        elif column.treatment in {"scrub", "keyed"} or column.keyed_when:
            arrays.append(_sensitive(array, batch, column, redactor, counts))
        elif column.type == "json":
            arrays.append(_documents(array, column.landed, redactor, counts))
        else:
            arrays.append(array)
    return pa.RecordBatch.from_arrays(arrays, schema=contract.landed_schema)


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
    for (_, outcome), times in zip(done, _times(folded), strict=True):
        counts.setdefault(column.landed, Counter())[outcome] += times
    return pa.array([text for text, _ in done], pa.string()).take(folded.indices)


def _located(value: str, redactor: Redactor) -> tuple[str, str]:
    """Cut a location after its host or stage; what is left goes past the detector."""
    text, outcome = redactor.scrub(_root(value), "label")
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


def _times(folded: pa.DictionaryArray) -> list[int]:
    """Count the rows of each distinct value."""
    found: list[int] = np.bincount(folded.indices.drop_null().to_numpy(), minlength=len(folded.dictionary)).tolist()
    return found


def _unfold(
    batch: pa.RecordBatch, contract: Contract, redactor: Redactor, counts: Counts
) -> Mapping[str, tuple[pa.Array, pa.Array]]:
    """Split nested columns into typed value and rest; columns of one shape share their distinct texts."""
    found: dict[str, tuple[pa.Array, pa.Array]] = {}
    for kind, shape in nested.SHAPES.items():
        columns = [column.landed for column in contract.kept if column.type == kind]
        if not columns:
            continue
        texts = [_documents(batch.column(name), name, redactor, counts) for name in columns]
        for name, text in zip(columns, texts, strict=True):
            likely = text.filter(_contains(text, (":-1", ':"TRUNCATED"')))
            cut = pc.sum(pc.match_substring_regex(likely, _SENTINEL)).as_py()
            if cut:
                counts.setdefault(name, Counter())["truncated"] += cut
        folded = pa.concat_arrays(texts).dictionary_encode()
        typed, rest = nested.split(folded.dictionary.to_pylist(), shape)
        spread = pa.array(rest, pa.string())
        for n, name in enumerate(columns):
            indices = folded.indices.slice(n * batch.num_rows, batch.num_rows)
            more = spread.take(indices)
            if more.null_count < len(more):
                counts.setdefault(name, Counter())["rest"] += len(more) - more.null_count
            found[name] = (typed.take(indices), more)
    return found


def _documents(array: pa.Array, name: str, redactor: Redactor, counts: Counts) -> pa.Array:
    """Treat file paths and comments inside JSON; texts without any are not parsed."""
    hits = _contains(array, _SENSITIVE).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(hits)
    if not len(rows):
        return array
    tally = counts.setdefault(name, Counter())
    treated = []
    for text in array.take(pa.array(rows)).to_pylist():
        value = _walk(variant.parse(text), redactor, tally)
        treated.append(variant.dumps(value))
    return pc.replace_with_mask(array, pa.array(hits), pa.array(treated, pa.string()))


def _contains(texts: pa.Array, parts: tuple[str, ...]) -> pa.Array:
    """Say which texts hold one of ``parts``; NULL holds none. The bytes are looked at first: mostly there is none."""
    data = texts.buffers()[2]
    body = bytes(data) if data is not None else b""
    found = [pc.match_substring(texts, part) for part in parts if part.encode() in body]
    none = pa.array(np.zeros(len(texts), dtype=bool))
    return functools.reduce(pc.or_, found, none).fill_null(False)  # noqa: FBT003


def _walk(value: Any, redactor: Redactor, tally: Counter[str]) -> Any:
    if isinstance(value, list):
        return [_walk(item, redactor, tally) for item in value]
    if not isinstance(value, dict):
        return value
    out = {}
    for key, item in value.items():
        if key in _LOCATIONS:
            out[key] = _each_text(item, _root)
            tally["located"] += 1
        elif key in _COMMENTS:
            out[key] = _each_text(item, redactor.keyed)
            tally["commented"] += 1
        else:
            out[key] = _walk(item, redactor, tally)
    return out


def _each_text(value: Any, function: Any) -> Any:
    if isinstance(value, list):
        return [_each_text(item, function) for item in value]
    if isinstance(value, dict):
        return {key: _each_text(item, function) for key, item in value.items()}
    return function(value) if type(value) is str else value


def _root(path: str) -> str:
    """Keep scheme and host, or the stage; a path below it may name a person."""
    root = _ROOT.match(path)
    kept = root[0] if root else ""
    return kept if len(kept) == len(path) else f"{kept}/?"

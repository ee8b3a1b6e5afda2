"""JSON documents on their way to disk: what names a file or is a comment is treated, nested columns get their typed lists and rests.

Documents that hold exactly the shape of their column, nearly all, were read when they were checked (``nested.exact``): they have no other
members, so nothing in them is to be treated.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.datasets import nested, variant
from evidence.datasets.contract import Contract
from evidence.snapshot.redact import Redactor

# JSON members that hold free text or name files: ACCESS_HISTORY elements and OBJECT_MODIFIED_BY_DDL properties.
_LOCATIONS = {"location", "locations", "manifestStageLocation"}
_COMMENTS = {"comment"}
_SENSITIVE = tuple(sorted(f'"{key}":' for key in _LOCATIONS | _COMMENTS))
_SENTINEL = r'"(?:objectId|columnId|policyId)":-1[,}]|:"TRUNCATED"'
_ROOT = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*|@?[A-Za-z0-9_.~%$\"]*)", re.ASCII)

Counts = dict[str, Counter[str]]


@dataclass(frozen=True, slots=True)
class _Unfolded:
    """Distinct documents of one shape, and for each of them the typed list, the rest, and whether the source cut it."""

    texts: pa.Array
    lists: pa.Array
    rests: pa.Array
    cut: pa.Array


class _Given(NamedTuple):
    """The documents of a column, treated; those that were not read before; where the others are among what was read."""

    texts: pa.Array
    others: pa.Array
    places: pa.Array


def unfold(
    batch: pa.RecordBatch,
    contract: Contract,
    redactor: Redactor,
    counts: Counts,
    read: Mapping[str, nested.Exact],
) -> Mapping[str, tuple[pa.Array, pa.Array]]:
    """Return typed lists, as a dictionary where they repeat, and rests of each nested column; columns of one shape share their distinct texts.

    ``read``: column type -> documents that are typed already. Adds ``located``, ``commented``, ``truncated`` and ``rest`` to ``counts``.
    """
    found: dict[str, tuple[pa.Array, pa.Array]] = {}
    for kind, shape in nested.SHAPES.items():
        columns = [column.landed for column in contract.kept if column.type == kind]
        if not columns:
            continue
        given = [_treated(batch.column(name), read[kind], name, redactor, counts) for name in columns]
        unfolded = _unfolded(pa.concat_arrays([each.others for each in given]).unique(), shape, read[kind])
        for name, (text, others, places) in zip(columns, given, strict=True):
            indices = pc.index_in(text, unfolded.texts) if len(others) else places  # what was read comes first there
            found[name] = (_lists(unfolded.lists, indices), unfolded.rests.take(indices))
            _count(counts, name, "truncated", pc.sum(unfolded.cut.take(indices)).as_py() or 0)
            _count(counts, name, "rest", len(indices) - found[name][1].null_count)
    return found


def _lists(lists: pa.Array, indices: pa.Array) -> pa.Array:
    """Return the lists of the rows: as a dictionary if that is at most half as many."""
    few = len(lists) <= len(indices) // 2
    return pa.DictionaryArray.from_arrays(indices, lists) if few else lists.take(indices)


def _treated(array: pa.Array, exact: nested.Exact, name: str, redactor: Redactor, counts: Counts) -> _Given:
    places = exact.places(array)
    rows = pc.and_(places.is_null(), array.is_valid())
    others = treat_documents(array.filter(rows), name, redactor, counts)
    return _Given(pc.replace_with_mask(array, rows, others) if len(others) else array, others, places)


def _unfolded(others: pa.Array, shape: nested.Shape, exact: nested.Exact) -> _Unfolded:
    """Put the documents that were read before and the others, none of them twice, side by side."""
    others = others.filter(exact.lacks(others))  # made canonical, it may be one of those
    lists, rests = nested.split(others.to_pylist(), shape)
    texts = pa.concat_arrays([exact.texts, others])
    likely = nested.contains(texts, (":-1", ':"TRUNCATED"'))
    return _Unfolded(
        texts,
        pa.concat_arrays([exact.typed, lists]),
        pa.concat_arrays([pa.nulls(len(exact.texts), pa.string()), pa.array(rests, pa.string())]),
        pc.and_(likely, pc.match_substring_regex(texts, _SENTINEL)) if pc.any(likely).as_py() else likely,
    )


def _count(counts: Counts, name: str, outcome: str, times: int) -> None:
    if times:
        counts.setdefault(name, Counter())[outcome] += times


def treat_documents(array: pa.Array, name: str, redactor: Redactor, counts: Counts) -> pa.Array:
    """Treat file paths and comments inside JSON; texts without any are not parsed."""
    hits = nested.contains(array, _SENSITIVE).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(hits)
    if not len(rows):
        return array
    folded = array.take(pa.array(rows)).dictionary_encode()  # each text once: documents repeat
    treated = []
    for text, times in zip(folded.dictionary.to_pylist(), times_of(folded), strict=True):
        tally: Counter[str] = Counter()
        treated.append(variant.dumps(_walk(variant.parse(text), redactor, tally)))
        for outcome, found in tally.items():
            _count(counts, name, outcome, found * times)
    return pc.replace_with_mask(array, pa.array(hits), pa.array(treated, pa.string()).take(folded.indices))


def times_of(folded: pa.DictionaryArray) -> list[int]:
    """Count the rows of each distinct value."""
    found: list[int] = np.bincount(folded.indices.drop_null().to_numpy(), minlength=len(folded.dictionary)).tolist()
    return found


def _walk(value: Any, redactor: Redactor, tally: Counter[str]) -> Any:
    if isinstance(value, list):
        return [_walk(item, redactor, tally) for item in value]
    if not isinstance(value, dict):
        return value
    out = {}
    for key, item in value.items():
        if key in _LOCATIONS:
            out[key] = _each_text(item, root)
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


def root(path: str) -> str:
    """Keep scheme and host, or the stage; a path below it may name a person."""
    root = _ROOT.match(path)
    kept = root[0] if root else ""
    return kept if len(kept) == len(path) else f"{kept}/?"

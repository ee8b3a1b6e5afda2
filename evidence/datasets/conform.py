"""Bring raw batches to the contract's source-side schema: every column named, typed, NULL where the source has none.

Rows with a value that does not fit are named with column and reason; whoever lands them sets them aside. Drift (missing
optional columns, columns nobody knows, times without a zone that were taken as UTC) is gathered over all batches.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.datasets import nested
from evidence.datasets.cast import cast, stored
from evidence.datasets.contract import Column, ColumnType, Contract
from evidence.snapshot import phi

_NAME_LENGTH = 256  # an identifier has 255 characters (Snowflake: Identifier requirements)


@dataclass(frozen=True, slots=True)
class Bad:
    """Why a row is set aside: the landed name of the column and a reason without the value."""

    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class Conformed:
    """A batch in the source-side schema; row -> what is wrong with it (the first column that is); columns with any misfit;
    column type -> documents of nested columns that were read already (``nested.exact``).
    """

    batch: pa.RecordBatch
    bad: Mapping[int, Bad]
    unfit: frozenset[str]
    read: Mapping[str, nested.Exact]


@dataclass(slots=True)
class Drift:
    """Differences between contract and source over a whole read; names as the source spells them."""

    missing: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    assumed_utc: set[str] = field(default_factory=set)
    dropped: dict[str, int] = field(default_factory=dict)  # values that came although the treatment is drop

    def to_receipt(self) -> dict[str, tuple[str, ...]]:
        """Return what a receipt says of drift; nothing for nothing."""
        found = {"missing": self.missing, "unknown": self.unknown, "assumed_utc": self.assumed_utc}
        return {kind: tuple(sorted(names)) for kind, names in found.items() if names}


def source_schema(contract: Contract) -> pa.Schema:
    """Return the schema of conformed batches: landed names; JSON as canonical text, nested columns also as the source spells them."""
    return pa.schema([(column.landed, stored(column.type)) for column in contract.kept])


def conform(batch: pa.RecordBatch, contract: Contract, drift: Drift) -> Conformed:
    """Cast ``batch``; names match in any case and by the contract's aliases. Adds to ``drift``; never raises for data."""
    found = _matched(batch, contract, drift)
    bad: dict[int, Bad] = {}
    unfit: set[str] = set()
    arrays = []
    read = _read(found, contract)
    for column in contract.kept:
        raw = found.get(column.name)
        if raw is None:
            drift.missing.add(column.name)
            arrays.append(pa.nulls(batch.num_rows, stored(column.type)))
            if column.required:
                for row in range(batch.num_rows):
                    bad.setdefault(row, Bad(column.landed, "required column is missing"))
            continue
        if column.type == "time" and pa.types.is_timestamp(raw.type) and raw.type.tz is None:
            drift.assumed_utc.add(column.name)
        array, wrong = (
            _documents(raw, column.type, read[column.type]) if column.type in read else cast(raw, column.type)
        )
        if column.values:
            wrong = {**_strange(array, column.values), **wrong}
        if wrong:
            unfit.add(column.name)
        for row, reason in wrong.items():
            bad.setdefault(row, Bad(column.landed, reason))
        arrays.append(array)
    return Conformed(pa.RecordBatch.from_arrays(arrays, schema=source_schema(contract)), bad, frozenset(unfit), read)


def _read(found: Mapping[str, pa.Array], contract: Contract) -> Mapping[str, nested.Exact]:
    """Read the documents of nested columns that hold exactly their shape, each distinct text once."""
    read = {}
    for kind, shape in nested.SHAPES.items():
        columns = [column for column in contract.kept if column.type == kind]
        if columns:
            raw = [found[column.name] for column in columns if column.name in found]
            texts = [pa.array([], pa.string()), *(array for array in raw if pa.types.is_string(array.type))]
            read[kind] = nested.exact(pa.concat_arrays(texts).unique().drop_null(), shape)
    return read


def _documents(raw: pa.Array, kind: ColumnType, read: nested.Exact) -> tuple[pa.Array, Mapping[int, str]]:
    """Leave the texts that were read as they are; cast the others."""
    if not pa.types.is_string(raw.type):
        return cast(raw, kind)
    mask = read.lacks(raw)
    rows = np.flatnonzero(mask.to_numpy(zero_copy_only=False))
    if not len(rows):
        return raw, {}
    others, wrong = cast(raw.filter(mask), kind)
    return pc.replace_with_mask(raw, mask, others), {int(rows[n]): reason for n, reason in wrong.items()}


def _strange(array: pa.Array, vocabulary: tuple[str, ...]) -> dict[int, str]:
    """Return the rows whose value is no word of the vocabulary; NULL is said elsewhere."""
    known = pc.is_in(array, value_set=pa.array(vocabulary, pa.string()))
    rows = np.flatnonzero(pc.and_(pc.invert(known), array.is_valid()).to_numpy(zero_copy_only=False))
    return dict.fromkeys(rows.tolist(), "not a word of the contract's vocabulary")


def _matched(batch: pa.RecordBatch, contract: Contract, drift: Drift) -> dict[str, pa.Array]:
    """Return raw columns by contract name; note what the contract does not know and count what it drops."""
    spellings = _spellings(contract)
    omitted = {name.lower() for name in contract.omitted}
    found: dict[str, pa.Array] = {}
    for name, raw in zip(batch.schema.names, batch.columns, strict=True):
        column = spellings.get(name.lower())
        if column is None:
            if name.lower() not in omitted:
                drift.unknown.add(_shown(name))
        elif column.treatment == "drop":
            drift.dropped[column.landed] = drift.dropped.get(column.landed, 0) + len(raw) - raw.null_count
        elif column.name in found:
            drift.unknown.add(_shown(name))  # a second spelling of the same column
        else:
            found[column.name] = raw
    return found


def _shown(name: str) -> str:
    """Return an unknown column's name for the receipt, unless it looks like somebody's number: JSON keys can be anything."""
    return name if len(name) <= _NAME_LENGTH and not phi.hit(name) else "?"


def _spellings(contract: Contract) -> dict[str, Column]:
    return {name.lower(): column for column in contract.columns for name in (column.name, *column.aliases)}

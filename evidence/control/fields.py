"""Fields of nested columns: what evidence that is declared by field holds of a list of objects. Pure.

A field is named by its way through the objects, lists and structures alike: ``object_id``, ``columns.column_name``. Whoever names a field
that has fields of its own names all of them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import pyarrow as pa

# Nested column -> the fields that are read of it; a column that is not in it is read whole.
Fields = Mapping[str, frozenset[str]]
WHOLE: Final[Fields] = {}


def narrowed(kind: pa.DataType, fields: Iterable[str]) -> pa.DataType:
    """Return a list of structures (or a structure) with no fields but ``fields``, in its own order. Raises ``KeyError`` for one it does not have."""
    if pa.types.is_list(kind):
        return pa.list_(narrowed(kind.value_type, fields))
    if not pa.types.is_struct(kind):
        raise KeyError(*fields)
    below: dict[str, list[str]] = {}
    for name, _, rest in (field.partition(".") for field in fields):
        below.setdefault(name, []).append(rest)
    if strange := set(below) - {each.name for each in kind}:
        raise KeyError(*sorted(strange))
    kept = [each for each in kind if each.name in below]
    return pa.struct(
        [each if "" in below[each.name] else each.with_type(narrowed(each.type, below[each.name])) for each in kept]
    )


def united(declared: Iterable[tuple[Sequence[str], Fields]]) -> Fields:
    """Return the fields that some of those who declare columns by name and field read: a column that one reads whole is whole."""
    found: dict[str, set[str]] = {}
    whole: set[str] = set()
    for columns, fields in declared:
        whole |= set(columns) - set(fields)
        for column, named in fields.items():
            found.setdefault(column, set()).update(named)
    return {column: frozenset(named) for column, named in found.items() if column not in whole}


def leaves(name: str, kind: pa.DataType, fields: Iterable[str]) -> list[str]:
    """Return what Parquet calls the values of ``fields`` in a column ``name`` of ``kind``, as read from the file; all of them if it has none."""
    every = list(_leaves(kind, name, ""))
    named = [path for path, way in every if any(f"{way}.".startswith(f"{field}.") for field in fields)]
    return named or [path for path, _ in every]


def _leaves(kind: pa.DataType, path: str, way: str) -> Iterator[tuple[str, str]]:
    """Yield each value's way through the file, lists counted, and through the objects."""
    if pa.types.is_list(kind):
        yield from _leaves(kind.value_type, f"{path}.list.{kind.value_field.name}", way)
    elif pa.types.is_struct(kind):
        for each in kind:
            yield from _leaves(each.type, f"{path}.{each.name}", f"{way}.{each.name}".lstrip("."))
    else:
        yield path, way

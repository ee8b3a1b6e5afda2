"""Columns of texts that repeat, as dictionaries: a million statements have some hundred users, roles and texts. Pure.

Such a column holds the same values as the plain one and the engine takes either. Whoever looks at types or joins tables himself asks for
them plain. Texts inside of lists and structures stay plain: DuckDB refuses a batch whose lists are all empty over a dictionary.
"""

from collections.abc import Iterable

import pyarrow as pa


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of a column's values."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Return ``schema`` with plain types."""
    return pa.schema([each.with_type(plain_type(each.type)) for each in schema], metadata=schema.metadata)


def plain(table: pa.Table) -> pa.Table:
    """Return the same rows with plain values."""
    schema = plain_schema(table.schema)
    return table if schema.equals(table.schema) else table.cast(schema)


def together(tables: Iterable[pa.Table]) -> pa.Table:
    """Return the rows of ``tables``, one at least, whose types differ in nothing but dictionaries; plain unless those with rows are all alike."""
    every = list(tables)
    some = [each for each in every if each.num_rows] or every[:1]
    if any(not each.schema.equals(some[0].schema) for each in some):
        some = [plain(each) for each in some]
    return pa.concat_tables(some)

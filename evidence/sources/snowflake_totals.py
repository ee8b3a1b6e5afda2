"""The source's side of the control totals: one SELECT over the window, and its one row read back; pure.

COUNT(*), COUNT(DISTINCT key), per column COUNT, for text SUM(LENGTH), for integers SUM (design: control totals). All
come back as text, so that no driver type narrows them.
"""

from collections.abc import Sequence
from typing import Any

from evidence.datasets.contract import Column, Contract
from evidence.snapshot.model import ColumnTotals, Totals, Window
from evidence.sources import snowflake_sql as sql


def totals(
    contract: Contract, selection: sql.Selection, window: Window
) -> tuple[str, tuple[sql.Bind, ...], tuple[tuple[str, str], ...]]:
    """Return the statement, its binds, and for each answer column (landed column name, part of the totals)."""
    where, binds = sql.window_clause(contract, selection, window)
    parts = [("", "rows", "COUNT(*)")]
    if contract.key:
        key = ", ".join(sql.quoted(sql.spelling(selection, name)) for name in contract.key)
        parts.append(("", "distinct_keys", f"COUNT(DISTINCT {key})"))
    for name, column in selection.columns:
        parts += [(column.name, part, expression) for part, expression in _of_column(name, column)]
    named = ", ".join(f"CAST({expression} AS VARCHAR) AS t{at}" for at, (_, _, expression) in enumerate(parts))
    statement = f"SELECT {named} FROM {sql.path(contract.object)}{where}"
    return statement, binds, tuple((column, part) for column, part, _ in parts)


def read_totals(meaning: Sequence[tuple[str, str]], row: Sequence[Any]) -> Totals:
    """Read the row that answers :func:`totals`. A sum over no values is NULL and counts as 0."""
    whole: dict[str, int] = {}
    columns: dict[str, dict[str, int]] = {}
    for (column, part), value in zip(meaning, row, strict=True):
        number = int(value) if value is not None else 0
        if column:
            columns.setdefault(column, {})[part] = number
        else:
            whole[part] = number
    return Totals(
        whole["rows"], whole.get("distinct_keys"), {name: ColumnTotals(**parts) for name, parts in columns.items()}
    )


def _of_column(name: str, column: Column) -> list[tuple[str, str]]:
    quoted = sql.quoted(name)
    parts = [("non_null", f"COUNT({quoted})")]
    if column.type == "text":
        text = f"CAST({quoted} AS VARCHAR)" if column.source_type in sql.SPELLED_BY_SERVER else quoted
        parts.append(("length_sum", f"SUM(LENGTH({text}))"))
    elif column.type == "int":
        parts.append(("value_sum", f"SUM({quoted})"))
    return parts

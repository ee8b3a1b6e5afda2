"""Rows that could not be landed: counted, findable at the source, and free of values nobody checked.

A row that does not fit is often a row that slipped: a statement's text may sit in the column of a number. So of its values only
the key and the watermark are kept, each only if it is one short word without a hit of the PHI detector, else as a keyed
hash. The keyed hash of the whole raw row proves later which row it was, to somebody who has the row.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from evidence.datasets.conform import Bad
from evidence.datasets.contract import Contract
from evidence.snapshot import phi
from evidence.snapshot.model import Part
from evidence.snapshot.redact import Redactor
from evidence.snapshot.spool import PartWriter

SCHEMA = pa.schema([("reason", pa.string()), ("column", pa.string()), ("row", pa.string()), ("row_hmac", pa.string())])
_WORD = re.compile(r"[\w.:+@/-]{1,200}\Z")
_REASON_LENGTH = 200


class Quarantine:
    """Write rows that are set aside, with reasons; :meth:`close` returns the parts."""

    def __init__(self, contract: Contract, spool: Path, redactor: Redactor) -> None:
        self._writer = PartWriter(spool, "quarantine", SCHEMA)
        self._redactor = redactor
        self._names = [name.lower() for name in dict.fromkeys((*contract.key, contract.watermark)) if name]
        self.reasons: Counter[str] = Counter()
        self.rows = self.rejected = 0

    def add(self, raw: pa.RecordBatch, conformed: pa.RecordBatch, bad: Mapping[int, Bad]) -> None:
        """Set aside the rows ``bad`` names, by position in ``raw`` and in ``conformed``."""
        rows = sorted(bad)
        names = conformed.select(self._names).take(pa.array(rows)).to_pylist()
        for row, known, whole in zip(rows, names, _spelled(raw, rows), strict=True):
            why = bad[row]
            kept = {name: self._safe(value) for name, value in known.items() if name != why.column or _outside(why)}
            self._write(why.reason, why.column, json.dumps(kept), whole)

    def reject(self, text: str, reason: str) -> None:
        """Set aside something that is not even a row."""
        self.rejected += 1
        self._write(reason, None, None, text)

    def close(self) -> tuple[Part, ...]:
        """Return the parts."""
        return self._writer.close()

    def abort(self) -> None:
        """Close the open file after an error."""
        self._writer.abort()

    def _write(self, reason: str, column: str | None, row: str | None, whole: str) -> None:
        if len(reason) > _REASON_LENGTH or phi.hit(reason):
            reason = "unreadable"
        name = reason if column is None or reason in {"outside-window", "no-watermark"} else f"{column}: {reason}"
        self.reasons[re.sub(r"\d+", "#", name)] += 1
        self.rows += 1
        values = [reason, column, row, self._redactor.keyed(whole)]
        self._writer.write(pa.RecordBatch.from_arrays([pa.array([v], pa.string()) for v in values], schema=SCHEMA))

    def _safe(self, value: Any) -> str | None:
        if value is None:
            return None
        text = value.isoformat() if hasattr(value, "isoformat") else str(value)
        return (
            text if _WORD.match(text) and not (isinstance(value, str) and phi.hit(text)) else self._redactor.keyed(text)
        )


def _outside(why: Bad) -> bool:
    return why.reason == "outside-window"


def _spelled(raw: pa.RecordBatch, rows: list[int]) -> list[str]:
    """Spell raw rows for hashing; moments by their number, so that nothing is rounded on the way."""
    columns = {}
    for name, column in zip(raw.schema.names, raw.columns, strict=True):
        taken = column.take(pa.array(rows))
        kind = taken.type
        if pa.types.is_timestamp(kind) or pa.types.is_time64(kind) or pa.types.is_duration(kind):
            taken = taken.cast(pa.int64())
        columns[name] = _listed(taken)
    return [
        json.dumps({name: values[n] for name, values in columns.items()}, default=str, sort_keys=True)
        for n in range(len(rows))
    ]


def _listed(column: pa.Array) -> list[Any]:
    """Return the values; what is not UTF-8, which is a reason to be here, with its bytes spelled out."""
    try:
        found: list[Any] = column.to_pylist()
    except UnicodeDecodeError:
        found = [
            value if value is None else value.decode(errors="backslashreplace")
            for value in column.cast(pa.binary()).to_pylist()
        ]
    return found

"""Ad-hoc reading: one SELECT over the sealed evidence of one night, in the same locked engine that controls run in."""

import datetime as dt
from collections.abc import Mapping

import pyarrow as pa

from evidence.control.engine import select
from evidence.control.evidence import EvidenceReader
from evidence.control.folded import plain
from evidence.datasets.contract import Contract


def query(sql: str, reader: EvidenceReader, contracts: Mapping[str, Contract], night: dt.date) -> pa.Table:
    """Return the rows of ``sql``. Only datasets it names are read; incomplete snapshots are shown as they are.

    Raises ``ControlError`` when ``sql`` is not exactly one SELECT, or fails.
    """
    named = [name for name in contracts if name in sql.lower()]
    tables = {}
    for name in named:
        schema = contracts[name].landed_schema
        parts = [schema.append(pa.field("source", pa.string())).append(pa.field("night", pa.date32())).empty_table()]
        for source in reader.sources(name):
            sealed = reader.snapshot(source, name, night)
            if sealed is not None:
                rows = plain(reader.rows(sealed, schema.names))
                stamped = rows.append_column("source", pa.array([source] * rows.num_rows, pa.string()))
                parts.append(stamped.append_column("night", pa.array([night] * rows.num_rows, pa.date32())))
        tables[name] = pa.concat_tables(parts)
    return select(sql, tables)

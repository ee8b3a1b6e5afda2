"""Landing: ``python -m benchmarks.land [ROWS ...]``: rows per second of processor from batches to Parquet files ready to be sealed.

Baseline is the floor: the same batches written to one Parquet file by pyarrow (zstd), with nothing cast, counted, scrubbed, parsed or hashed.
"""

import datetime as dt
import json
import random
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

try:
    from benchmarks import common
except ImportError:
    import common

from evidence.datasets.land import land
from evidence.datasets.load import load_contracts
from evidence.snapshot.model import Window, start_of
from evidence.snapshot.redact import Redactor

DEFAULT = (200_000,)
DATASETS = ("snowflake.login_history", "snowflake.query_history", "snowflake.access_history", "snowflake.columns")
NIGHT = dt.date(2026, 7, 1)
TEXT = (
    "select a.member_id, b.claim_no, sum(c.paid_amount) as total from prod.mart.claims a join prod.mart.members b "
    "on a.member_id = b.member_id where b.last_name = 'Name{}' and a.service_date >= '2026-01-01' group by 1, 2 limit 100"
)


BUSY = {  # numbers that differ from statement to statement; the others are mostly zero or NULL
    "SESSION_ID", "TOTAL_ELAPSED_TIME", "BYTES_SCANNED", "BYTES_WRITTEN_TO_RESULT", "ROWS_PRODUCED", "PARTITIONS_SCANNED",
    "PARTITIONS_TOTAL", "COMPILATION_TIME", "EXECUTION_TIME", "TRANSACTION_ID", "TABLE_ID",
}  # fmt: skip


def value(column, n, at, rng):  # noqa: PLR0911
    if column.name == "QUERY_TEXT":
        return TEXT.format(rng.randrange(4000))
    if column.type == "time":
        return at + n
    if column.type == "bool":
        return n % 2 == 0
    if column.type == "int" and column.name in BUSY:
        return rng.randrange(10**6)
    if column.type == "int":
        return n if column.required else 0 if len(column.name) % 3 else None
    if column.type in {"objects", "policies"}:  # most statements name tables: direct and base are equal
        direct = random.Random(n) if column.name == "DIRECT_OBJECTS_ACCESSED" or n % 3 else rng
        return objects(direct) if column.name in {"DIRECT_OBJECTS_ACCESSED", "BASE_OBJECTS_ACCESSED"} else "[]"
    if column.type in {"decimal", "float"}:
        return rng.random()
    if column.type == "json" or column.treatment == "drop" or column.name in {"ERROR_MESSAGE", "ERROR_CODE"}:
        return None
    return f"{column.name}_{n if column.name == 'QUERY_ID' else n % 200}"


def objects(rng):
    tables = [rng.randrange(3000) for _ in range(2)]
    return json.dumps(
        [
            {
                "objectDomain": "Table",
                "objectId": 10_000 + t,
                "objectName": f"PROD.MART.T{t}",
                "columns": [{"columnId": t * 100 + c, "columnName": f"C{c}"} for c in range(3)],
            }
            for t in tables
        ],
        separators=(",", ":"),  # the session pins JSON_INDENT = 0
    )


def batches(contract, rows, seed=1):
    rng = random.Random(seed)
    at = int(start_of(NIGHT).timestamp()) * 10**9
    kinds = {
        "time": pa.timestamp("ns", "UTC"),
        "int": pa.int64(),
        "bool": pa.bool_(),
        "decimal": pa.float64(),
        "float": pa.float64(),
    }
    for start in range(0, rows, 20_000):
        size = min(20_000, rows - start)
        yield pa.record_batch(
            {
                c.name: pa.array([value(c, start + n, at, rng) for n in range(size)], kinds.get(c.type, pa.string()))
                for c in contract.columns
            }
        )


def run(sizes, rounds):
    """Return rows of rows per second for each dataset and size."""
    contracts, redactor = load_contracts(), Redactor(b"k" * 32, "bench")
    return [
        row
        for size in sizes
        for name in DATASETS
        for row in _measured(contracts[name], list(batches(contracts[name], size)), redactor, rounds)
    ]


def _measured(contract, made, redactor, rounds):
    with tempfile.TemporaryDirectory(prefix="evidence-bench-") as folder:

        def landed():
            with tempfile.TemporaryDirectory(dir=folder) as spool:
                found = land(made, [], contract, Window(NIGHT, contract.kind), Path(spool), redactor)
            if found.quarantined:
                raise RuntimeError(f"{found.quarantined} rows set aside: {found.quarantine_reasons}")

        def floor():
            with pq.ParquetWriter(Path(folder, "floor.parquet"), made[0].schema, compression="zstd") as writer:
                for batch in made:
                    writer.write_batch(batch)

        found = common.in_turn({f"{contract.name}, floor": floor, f"{contract.name}, landed": landed}, rounds)
    size, rows = sum(batch.num_rows for batch in made), common.rows_of("land", found, f"{contract.name}, floor")
    for row in rows:
        row.unit, row.values = "rows/s", [size / each for each in row.values]
        row.ratios = [1 / each for each in row.ratios]  # of speed
    return rows


if __name__ == "__main__":
    common.alone(run, DEFAULT, __doc__)

"""``evidence collect`` over the wire: ``python -m benchmarks.collect_wire [ROWS ...]``, by default 200,000 rows of each dataset.

The Snowflake emulator serves so many sign-ins, queries (no two texts alike, and texts as often as a generated night sends the same) and accesses, in
chunks of the size the collector asks for. Each is read in turn, each time in a process of its own, by: the floor, a bare loop that writes what the connector fetches to one Parquet file;
what people write, a data frame written to Parquet and copied to where it is kept, and a pipeline of dlt where that is installed (``pip install dlt``);
and ``evidence collect``. Seconds are of the wall, from the SELECT to the files, the server's included; for ``evidence`` also of the whole command, with
totals and sealing. Ratios are of speed. Memory is of the process that reads, beside the smallest size: it must not grow with the rows.
"""

import contextlib
import shutil
import tempfile
import tomllib
from importlib.util import find_spec
from pathlib import Path

try:
    from benchmarks import common
except ImportError:
    import common

from evidence.datasets.load import load_contracts
from evidence.snapshot.model import Window
from evidence.sources import snowflake_sql as sql
from evidence.sources.snowflake_login import Login
from tests.servers.large_night import DATASETS, NIGHT, REPEATED, sealed, served, workspace, write_night

DEFAULT = (200_000,)
CASES = {dataset: {dataset: own} for dataset, own in DATASETS.items()} | {"query_history, texts repeat": REPEATED}
WAYS = ("floor", "data_frame", *(["dlt"] if find_spec("dlt") else []), "collected")


def run(sizes, rounds):
    """Return rows of rows per second and memory for each dataset, way and size."""
    rows, smallest = [], {}
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="evidence-bench-") as scratch:
            for case, found in _nights(Path(scratch), size, rounds).items():
                rows += _rows(case, size, found, smallest)
    return rows


def _nights(scratch, size, rounds):
    found = {case: {way: [] for way in WAYS} for case in CASES}
    with contextlib.ExitStack() as servers:
        places = {}
        for case, owns in CASES.items():
            exports = write_night(scratch / case, size, owns=owns)
            places[case] = servers.enter_context(served(exports, life=3600 * rounds))
        for _ in range(rounds):
            for case, (port, pem) in places.items():
                (dataset,) = CASES[case]
                for way in WAYS:
                    work = scratch / "work"
                    workspace(work, pem, port, [dataset])
                    found[case][way].append(common.apart("collect_wire", way, work, dataset, size))
                    shutil.rmtree(work)
    return found


def _rows(case, size, found, smallest):
    seconds = {way: [each.notes.get("seconds", each.wall) for each in runs] for way, runs in found.items()}
    seconds["collected, whole command"] = [each.wall for each in found["collected"]]
    for way, values in seconds.items():
        row = common.Row(
            "collect", f"{case}, {size:,}, {way.replace('_', ' ')}", "rows/s", [size / each for each in values]
        )
        if way != "floor":
            row.base = "floor"
            row.ratios = [floor / mine for floor, mine in zip(seconds["floor"], values, strict=True)]
        yield row
    for way, runs in found.items():
        peaks = [each.peak for each in runs]
        row = common.Row("collect", f"{case}, {size:,}, {way.replace('_', ' ')}, memory", "MiB", peaks)
        before = smallest.setdefault((case, way), peaks)
        if before is not peaks:
            row.base, row.ratios = "the smallest", [mine / its for mine, its in zip(peaks, before, strict=True)]
        yield row


# --- one run, in a process of its own ------------------------------------------------------------------------------------------------------


def floor(work, dataset, size):
    """Write what the connector fetches to one Parquet file, batch by batch."""
    import pyarrow.parquet as pq

    def write(cursor):
        written, writer = 0, None
        for table in cursor.fetch_arrow_batches(force_microsecond_precision=True):
            writer = writer or pq.ParquetWriter(Path(work, "floor.parquet"), table.schema, compression="zstd")
            writer.write_table(table)
            written += table.num_rows
        writer.close()
        return written

    return _selected(work, dataset, size, write)


def data_frame(work, dataset, size):
    """Fetch everything as one data frame, write it, and copy the file to where it is kept."""

    def write(cursor):
        frame = cursor.fetch_pandas_all()
        frame.to_parquet(made := Path(work, "frame.parquet"), compression="zstd")
        shutil.copyfile(made, Path(work, "kept.parquet"))
        return len(frame)

    return _selected(work, dataset, size, write)


def dlt(work, dataset, size):
    """Hand what the connector fetches to a pipeline of dlt that writes Parquet into a folder."""
    import os

    os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_PROJECT_DIR": work, "DLT_DATA_DIR": work}
    import dlt

    target = dlt.destinations.filesystem(bucket_url=Path(work, "kept").as_uri())
    pipeline = dlt.pipeline("bench", destination=target, dataset_name="raw", pipelines_dir=str(Path(work, "dlt")))

    def write(cursor):
        tables = cursor.fetch_arrow_batches(force_microsecond_precision=True)
        pipeline.run(dlt.resource(tables, name=dataset), loader_file_format="parquet")
        return pipeline.last_trace.last_normalize_info.row_counts[dataset]

    return _selected(work, dataset, size, write)


def _selected(work, dataset, size, write):
    """Send the SELECT that the collector sends, with its login and its session, and let ``write`` do the rest."""
    from snowflake import connector

    settings = tomllib.loads(Path(work, "evidence.toml").read_text())["sources"]["account"]
    key, place = (
        Path(work, "keys", "snowflake.p8").read_bytes(),
        {name: settings[name] for name in ("host", "port", "protocol")},
    )
    options = Login(settings["account"], settings["user"], private_key=key, **place).options("bench")
    contract = load_contracts()[f"snowflake.{dataset}"]
    connection = connector.connect(**options)
    live = [row[0] for row in connection.cursor().execute(sql.describe(contract)).fetchall()]
    statement, binds = sql.select(contract, sql.choose(contract, live), Window(NIGHT, contract.kind))

    def run():
        cursor = connection.cursor()
        cursor.execute(statement, list(binds))
        if (written := write(cursor)) != int(size):
            raise RuntimeError(f"{dataset}: {written} rows of {size}")

    return run


def collected(work, dataset, size):
    """Run ``evidence collect``; the seconds are those of the statement that reads the rows, as its receipt has them."""
    from evidence.cli import app

    def run():
        code = app.run(["-w", work, "collect", "--date", NIGHT.isoformat()])
        landed, status, spent = sealed(Path(work))[f"snowflake.{dataset}"]
        if (code, landed, status) != (0, int(size), "complete"):
            raise RuntimeError(f"{dataset}: ended with {code}, {landed} rows of {size}, {status}")
        return {"seconds": spent["rows"]}

    return run


if __name__ == "__main__":
    common.alone(run, DEFAULT, __doc__)

"""Measure ``packet.xlsx`` and ``findings.parquet``: ``python -m benchmarks.workbook [FINDINGS ...]``, by default 100,000 and 1,000,000.

Each size is written by a process of its own from findings that are made as they are asked for, so that its peak is that of the writers and
of the library alone: in a packet the findings themselves are held as well. Every record of Parquet, and the rows each sheet says it has, are
counted afterwards.
"""

import dataclasses
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

try:
    from benchmarks import common
except ImportError:
    import common

from benchmarks.child import peak

SIZES = (100_000, 1_000_000)


class Many(Sequence[Any]):
    """As many intervals as wanted, each like the first and with an item of its own, made when it is asked for."""

    def __init__(self, like: Any, count: int) -> None:
        self._like, self._count = like, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: Any) -> Any:
        raise NotImplementedError

    def __iter__(self) -> Iterator[Any]:
        for number in range(self._count):
            item = f"CLAIMS.MEMBER.ELIGIBILITY_{number:07d}.SUBSCRIBER_ID"
            yield dataclasses.replace(self._like, item=item, observed=f"read by ANALYST_{number % 997} under no policy")


def write(count: int, folder: Path) -> dict[str, Any]:
    """Write both files with ``count`` findings into ``folder``; return MiB of the peak before and after, seconds, sizes and rows."""
    import pyarrow.parquet as pq

    from evidence.packet import _content
    from evidence.render.records import SCHEMA, findings_csv, records, write_parquet
    from evidence.render.workbook import write_book
    from evidence.render.worksheets import heading, tables
    from tests.fakes.packet_inputs import build_inputs, packet_key

    inputs = build_inputs(folder / "parts", count=2)
    content = _content(inputs, packet_key()[0], "PKT-1", (), findings_csv(inputs.periods))
    first = content.periods[0]
    others = sum(len(each.exceptions) + len(each.reviews) for each in content.periods[1:])
    many: Any = Many(first.exceptions[0], count - others)
    content = dataclasses.replace(
        content, periods=(dataclasses.replace(first, exceptions=many), *content.periods[1:]), findings_csv_rows=count
    )
    write_book(folder / "warm.xlsx", heading(content), [])  # libraries loaded: not what is measured
    before = peak()
    started = time.monotonic()
    write_parquet(folder / "findings.parquet", records(content.periods), SCHEMA)
    parquet = time.monotonic() - started
    started = time.monotonic()
    write_book(folder / "packet.xlsx", heading(content), tables(content))
    return {
        "findings": count,
        "before": before,
        "peak": peak(),
        "parquet_seconds": round(parquet, 1),
        "xlsx_seconds": round(time.monotonic() - started, 1),
        "parquet_bytes": (folder / "findings.parquet").stat().st_size,
        "xlsx_bytes": (folder / "packet.xlsx").stat().st_size,
        "parquet_rows": pq.ParquetFile(folder / "findings.parquet").metadata.num_rows,
        "xlsx_rows": rows_of(folder / "packet.xlsx"),
    }


def rows_of(path: Path) -> int:
    """Count the rows of the sheets of findings in the XML itself, without its two lines of heading each."""
    found = 0
    with zipfile.ZipFile(path) as parts:
        named = parts.read("xl/workbook.xml").decode().split("<sheet ")[1:]
        for number, sheet in enumerate(named, 1):
            if sheet.startswith('name="Exceptions and reviews'):
                with parts.open(f"xl/worksheets/sheet{number}.xml") as body:
                    rest = b""
                    while block := body.read(1 << 20):
                        found += (rest + block).count(b"<row ")
                        rest = (rest + block)[-4:]  # shorter than what is counted
                found -= 2
    return found


def measured(count: int) -> dict[str, Any]:
    """Return what :func:`write` says, from a process of its own."""
    root = Path(__file__).parent.parent
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--one", str(count), folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
        if done.returncode:
            raise RuntimeError(done.stderr)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def run(sizes: Sequence[int], rounds: int) -> list[Any]:
    """Return rows of seconds and memory for each number of findings."""
    rows: list[Any] = []
    for count in sizes:
        found = [measured(count) for _ in range(rounds)]
        for what, unit in (("xlsx_seconds", "s wall"), ("parquet_seconds", "s wall"), ("peak", "MiB")):
            named = f"{what.partition('_')[0]}, {count:,} findings"
            rows.append(common.Row("workbook", named, unit, [float(each[what]) for each in found]))
    return rows


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(write(int(sys.argv[2]), Path(sys.argv[3]))))
    else:
        common.alone(run, SIZES, __doc__)

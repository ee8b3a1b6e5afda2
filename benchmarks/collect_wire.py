"""Measure ``evidence collect`` of one night over the wire: ``python benchmarks/collect_wire.py [rows] [rounds]``.

``rows`` queries and as many accesses, no two texts alike, are served by the Snowflake emulator in chunks and collected by the
command line. Prints the peak resident memory of the collector's process alone (VmHWM), rows per second and where the time went.
Beside it stands the same night at a quarter of the rows: memory must not grow with them.
"""

import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.servers.large_night import collect_night, write_night  # noqa: E402


def main(rows, rounds):
    sizes = (rows // 4, rows)
    with tempfile.TemporaryDirectory() as scratch:
        exports = {size: write_night(Path(scratch) / f"exports-{size}", size) for size in sizes}
        peaks = {size: [] for size in sizes}
        for number in range(rounds):
            for size in sizes:
                run = collect_night(exports[size], Path(scratch) / f"work-{size}-{number}")
                peaks[size].append(run.peak)
                print(f"{size:,} + {size:,} rows: peak {run.peak:.0f} MB, {run.seconds:.0f} s, exit {run.code}")
                for name, (landed, status, spent) in run.datasets.items():
                    where = ", ".join(f"{kind} {seconds:.1f} s" for kind, seconds in spent.items())
                    print(f"  {name}: {landed:,} rows {status}, {landed / spent['rows']:,.0f} rows/s ({where})")
                if run.code:
                    print(run.said)
        for size in sizes:
            print(
                f"{size:,}: peak {statistics.median(peaks[size]):.0f} MB, {min(peaks[size]):.0f} to {max(peaks[size]):.0f}"
            )


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    main(*(arguments + [1_000_000, 1][len(arguments) :]))

"""``evidence collect`` of one night over the wire: ``python -m benchmarks.collect_wire [ROWS ...]``, by default 50,000 and 200,000.

So many queries and as many accesses, no two texts alike, are served by the Snowflake emulator in chunks and collected by the command line.
Rows per second are of the statement that reads the rows, as its receipt says; memory is the collector's process alone. Every size stands
beside the smallest: memory must not grow with the rows.
"""

import tempfile
from pathlib import Path

try:
    from benchmarks import common
except ImportError:
    import common

from tests.servers.large_night import collect_night, write_night

DEFAULT = (50_000, 200_000)


def run(sizes, rounds):
    """Return rows of memory, seconds and rows per second for each size."""
    with tempfile.TemporaryDirectory(prefix="evidence-bench-") as scratch:
        exports = {size: write_night(Path(scratch) / f"exports-{size}", size) for size in sizes}
        found = {size: [] for size in sizes}
        for number in range(rounds):
            for size in sizes:
                night = collect_night(exports[size], Path(scratch) / f"work-{size}-{number}")
                if night.code:
                    raise RuntimeError(f"collect ended with {night.code}: {night.said[-2000:]}")
                found[size].append(night)
    return [row for size, nights in found.items() for row in _rows(size, nights, found[min(sizes)])]


def _rows(size, nights, smallest):
    memory = common.Row("collect", f"memory, {size:,} + {size:,}", "MiB", [each.peak for each in nights])
    if nights is not smallest:
        memory.base = "the smallest"
        memory.ratios = [mine.peak / its.peak for mine, its in zip(nights, smallest, strict=True)]
    yield memory
    yield common.Row("collect", f"whole night, {size:,} + {size:,}", "s wall", [each.seconds for each in nights])
    for dataset in sorted(nights[0].datasets):
        speeds = [each.datasets[dataset][0] / each.datasets[dataset][2]["rows"] for each in nights]
        yield common.Row("collect", f"{dataset}, {size:,}", "rows/s", speeds)


if __name__ == "__main__":
    common.alone(run, DEFAULT, __doc__)

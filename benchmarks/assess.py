"""Judging a quarter: ``python -m benchmarks.assess [ROWS ...]``, by default 1,000,000 queries and as many accesses over ten nights; 3,000,000 and more are over three nights.

*Cold*: every control on every night by ``evidence assess`` in a new process, one job: sealed parts are read, hashed, judged, findings compared.
No control has a scope beyond its nights: a period is folded from its nights, *from sealed nights*, and that is all a packet does again.
*Bare pass*: one DuckDB statement per dataset that hashes every value of the same columns of the same files, once.
The full size is 100 M over 92 nights.
"""

import tempfile
from pathlib import Path

try:
    from benchmarks import common
except ImportError:
    import common

from benchmarks import quarter

DEFAULT = (1_000_000,)
NIGHTS = 10
LARGE = 3_000_000  # over three nights of a million, the last two of which look back at one as large


def nights_for(rows: int) -> int:
    """Return how many nights ``rows`` are spread over."""
    return 92 if rows >= 100_000_000 else 3 if rows >= LARGE else NIGHTS


def cold(folder: str, nights: str):
    """Every control on every night, sealed where it is new."""
    from evidence.cli.assess_command import assess_nights
    from evidence.cli.workspace import Workspace

    def run():
        workspace = Workspace.open(Path(folder))
        found = assess_nights(workspace, quarter.nights_of(int(nights)), 1)
        workspace.close()
        return {"findings": sum(map(len, found.values()))}

    return run


def sealed(folder: str, nights: str):
    """One finding per control, folded from what is sealed of its nights."""
    from evidence.cli.assess_command import sealed_periods
    from evidence.cli.workspace import Workspace

    def run():
        workspace = Workspace.open(Path(folder))
        return {"periods": len(sealed_periods(workspace, quarter.nights_of(int(nights))))}

    return run


def bare(folder: str, nights: str):
    """Hash every value of the columns that any control declares, nested ones whole, file by file of the store, in one locked-down DuckDB."""
    import duckdb

    from evidence.cli.workspace import Workspace
    from evidence.control.windows import declared

    workspace = Workspace.open(Path(folder))
    wanted, _ = declared(workspace.library, list(workspace.library.controls.values()))
    files = {dataset: _files(workspace, dataset, int(nights)) for dataset in wanted}

    def run():
        connection, rows = duckdb.connect(), 0
        connection.execute("SET threads = 1; SET enable_progress_bar = false")
        for dataset, columns in wanted.items():
            if files[dataset]:
                pieces = ", ".join(f'"{column}"' for column in columns)
                source = f"read_parquet({files[dataset]!r}, hive_partitioning = false, union_by_name = true)"
                ((count, _),) = connection.sql(f"SELECT count(*), bit_xor(hash({pieces})) FROM {source}").fetchall()
                rows += count
        return {"rows": rows}

    return run


def _files(workspace, dataset: str, nights: int) -> list[str]:
    """Return the parts of the highest revisions of the nights, of every source."""
    from evidence.snapshot.manifest import Manifest

    wanted, found = quarter.nights_of(nights), []
    for source in workspace.index.sources_of(dataset):
        for entry in filter(None, (workspace.index.latest(source, dataset, night) for night in wanted)):
            manifest = Manifest.from_bytes(workspace.store.get(entry.manifest.path, sha256=entry.manifest.sha256))
            found += [str(workspace.path / "store" / part.path) for part in manifest.parts]
    return found


def run(sizes, rounds, folder: Path | None = None):
    """Return rows of seconds and memory for each size."""
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="evidence-bench-") as scratch:
            rows += _measured(quarter.make(folder or Path(scratch), nights_for(size), size), size, rounds)
    return rows


def _measured(made: Path, size: int, rounds: int):
    nights = nights_for(size)
    whole = common.in_turn({name: _case(name, made, nights) for name in ("cold", "bare", "sealed")}, rounds)
    named = {"cold": "every control, cold", "bare": "bare pass", "sealed": "from sealed nights"}
    return _rows(whole, named, size, "bare")


def _case(name: str, made: Path, nights: int):
    return lambda: common.apart("assess", name, made, nights)


def _rows(found, names, size: int, base: str):
    named = {f"{names[name]}, {size:,} + {size:,}": runs for name, runs in found.items()}
    label = f"{names[base]}, {size:,} + {size:,}"
    return [*common.rows_of("assess", named, label), *common.peaks_of("assess", named)]


if __name__ == "__main__":
    common.alone(run, DEFAULT, __doc__)

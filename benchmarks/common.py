"""What all benchmarks share: runs in turn, what a run took, the machine, one shape of results, the table and the JSON.

A shared machine changes its speed from second to second, so nothing is compared across time: what is compared runs in turn, A B A B, and
the ratio is the median of the ratios pair by pair. Seconds are of processor (user and system, children included) and of the wall.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # each file runs alone, too

ROUNDS = 5
LIBRARIES = (
    "duckdb",
    "pyarrow",
    "weasyprint",
    "cryptography",
    "xlsxwriter",
    "sqlglot",
    "pandas",
    "snowflake-connector-python",
)


@dataclass(frozen=True)
class Took:
    """One run, in seconds of processor and of the wall; of a run apart also the peak of memory, its children's largest, in MiB."""

    cpu: float
    wall: float
    peak: float = 0
    below: float = 0
    notes: Mapping[str, object] = field(default_factory=dict)


@dataclass
class Row:
    """One line of a table: what was measured, each run's value in ``unit``, and pair by pair how many times that of ``base``."""

    benchmark: str
    case: str
    unit: str
    values: list[float]
    base: str = ""
    ratios: list[float] = field(default_factory=list)
    notes: dict[str, object] = field(default_factory=dict)

    def to_json(self):
        """Return the row with medians and spreads."""
        return {
            **asdict(self),
            "median": statistics.median(self.values),
            "spread": [min(self.values), max(self.values)],
        } | (
            {"ratio": statistics.median(self.ratios), "ratio_spread": [min(self.ratios), max(self.ratios)]}
            if self.ratios
            else {}
        )


def took(action: Callable[[], object]) -> Took:
    """Run ``action`` and return what it took of the processor, in this process and in children it waited for, and of the wall."""
    before, wall = _spent(), time.perf_counter()
    action()
    return Took(_spent() - before, time.perf_counter() - wall)


def _spent() -> float:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(sum(resource.getrusage(kind)[:2]) for kind in kinds)


def in_turn(actions: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[Took]]:
    """Run every action once in each of ``rounds``, in order: A B A B. One that returns what it took itself is taken at its word."""
    found: dict[str, list[Took]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            said: list[object] = []
            run = took(lambda action=action, said=said: said.append(action()))  # type: ignore[misc]
            found[name].append(said[0] if isinstance(said[0], Took) else run)
    return found


def apart(module: str, function: str, *arguments: object) -> Took:
    """Run what ``function(*arguments)`` returns in a process of its own, see ``benchmarks.child``."""
    command = [sys.executable, "-m", "benchmarks.child", f"benchmarks.{module}", function, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{module}.{function}: {done.stderr[-2000:]}")
    return Took(**json.loads(done.stdout.splitlines()[-1]))


def rows_of(
    benchmark: str, found: Mapping[str, Sequence[Took]], base: str = "", *, of: str = "cpu", notes=None
) -> list[Row]:
    """Return a row for each action; ratios are against ``base``, which is one of them."""
    rows = []
    for case, runs in found.items():
        values = [getattr(run, of) for run in runs]
        row = Row(benchmark, case, f"s {of}", values, notes={**runs[-1].notes, **(notes or {}).get(case, {})})
        if base and case != base:
            row.base, row.ratios = (
                base,
                [mine / getattr(its, of) for mine, its in zip(values, found[base], strict=True)],
            )
        rows.append(row)
    return rows


def peaks_of(benchmark: str, found: Mapping[str, Sequence[Took]]) -> list[Row]:
    """Return a row of memory for each action that ran apart: the larger of its process and its largest child."""
    return [
        Row(benchmark, f"{case}, memory", "MiB", [max(run.peak, run.below) for run in runs])
        for case, runs in found.items()
        if runs[0].peak
    ]


def environment() -> dict[str, object]:
    """Return what the figures depend on besides the code: machine, system, versions, and how busy others kept it."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "processor": _processor(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": [round(each, 1) for each in os.getloadavg()],
        "libraries": versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def show(rows: Sequence[Row]) -> None:
    """Print rows as a table: median and spread, and where there is a baseline how many times it."""
    width = max((len(row.case) for row in rows), default=0)
    for row in rows:
        values = [_short(each) for each in (statistics.median(row.values), min(row.values), max(row.values))]
        line = f"{row.benchmark:<10} {row.case:<{width}} {values[0]:>10} {row.unit:<9} {values[1]} to {values[2]}"
        if row.ratios:
            line += (
                f"   {statistics.median(row.ratios):.2f} x {row.base} ({min(row.ratios):.2f} to {max(row.ratios):.2f})"
            )
        notes = ", ".join(f"{name} {value}" for name, value in row.notes.items())
        print(f"{line}   {notes}".rstrip(), flush=True)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.1f}" if value >= 10 else f"{value:.3f}"


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write rows with the machine they were measured on."""
    body = {"environment": environment(), "rows": [row.to_json() for row in rows]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body, indent=1) + "\n")


def alone(run: Callable[..., list[Row]], default: Sequence[int], about: str | None) -> None:
    """Run one benchmark from the command line: sizes as arguments, ``--rounds``, ``--json FILE``."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "sizes",
        nargs="*",
        type=lambda text: int(text.replace("_", "").replace(",", "")),
        help=f"default: {' '.join(map(str, default))}",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", type=Path, help="also write the results there")
    asked = parser.parse_args()
    rows = run(asked.sizes or list(default), asked.rounds)
    show(rows)
    if asked.json:
        write(asked.json, rows)

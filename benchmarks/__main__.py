"""All benchmarks: ``python -m benchmarks [--size small|full] [--only NAME] [--rounds N] [--json FILE]``; ``make bench`` runs them small.

Each is a file of its own that can be run alone with sizes as arguments. A benchmark that breaks is said and costs its own figures only;
the exit code tells.
"""

import argparse
import importlib
import traceback
from pathlib import Path

from benchmarks import common

# name -> sizes; what a size counts stands at the head of each file
SIZES = {
    "scrub": {"small": [20_000], "full": [100_000]},
    "land": {"small": [40_000], "full": [1_000_000]},
    "collect_wire": {"small": [10_000, 40_000], "full": [1_000_000, 5_000_000]},
    "verify": {"small": [128], "full": [2048]},
    "assess": {"small": [200_000], "full": [3_000_000, 100_000_000]},
    "pandas_checks": {"small": [50_000], "full": [300_000, 3_000_000]},
    "night_cost": {"small": [400], "full": [5_000, 50_000]},
    "packet": {"small": [1_000], "full": [1_000, 100_000, 10_000_000]},
    "browser": {"small": [1_000], "full": [1_000, 100_000]},
    "workbook": {"small": [20_000], "full": [100_000, 1_000_000]},
    "growth": {"small": [1, 20, 100], "full": [1, 100, 1000, 2500]},
    "log_growth": {"small": [10_000], "full": [10_000, 100_000, 500_000]},
}


def main() -> int:
    """Run what is asked for, print a table for each and write one JSON; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("small", "full"), default="small")
    parser.add_argument("--only", choices=SIZES, action="append", help="may be repeated")
    parser.add_argument("--rounds", type=int, default=common.ROUNDS)
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"))
    asked = parser.parse_args()
    rows, broken = [], []
    for name in asked.only or SIZES:
        try:
            found = importlib.import_module(f"benchmarks.{name}").run(SIZES[name][asked.size], asked.rounds)
        except Exception:  # noqa: BLE001 - the others are measured all the same
            broken.append(name)
            traceback.print_exc()
            continue
        common.show(found)
        rows += found
        common.write(asked.json, rows)
    print(f"{asked.json}: {len(rows)} rows" + (f"; broken: {', '.join(broken)}" if broken else ""))
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())

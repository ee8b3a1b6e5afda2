"""All benchmarks: ``python -m benchmarks [--size small|full] [--only NAME] [--rounds N] [--json FILE]``; ``make bench`` runs them small.

Those that share one shape so far (the others of this folder run alone). Each is a file of its own that can be run alone with sizes as arguments. A benchmark that breaks is said and costs its own figures only;
the exit code tells.
"""

import argparse
import importlib
import traceback
from pathlib import Path

from benchmarks import common

# name -> sizes; what a size counts stands at the head of each file
SIZES = {
    "growth": {"small": [1, 20, 100], "full": [1, 100, 1000, 2500]},
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

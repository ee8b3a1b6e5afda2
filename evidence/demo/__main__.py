"""``python -m evidence.demo OUT --size small|week|month|full``: write the demo account into a new folder."""

import argparse
import sys
from pathlib import Path

from evidence.demo.size import size_named
from evidence.demo.write import generate


def main() -> None:
    """Parse the command line and write the demo; counts go to standard error."""
    parser = argparse.ArgumentParser(prog="python -m evidence.demo", description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT", help="a folder that holds no demo yet")
    parser.add_argument("--size", choices=("small", "week", "month", "full"), default="full")
    args = parser.parse_args()
    size = size_named(args.size)
    key = generate(args.out, size)
    plants = len({part.plant for part in key.expected} | {gap.plant for gap in key.gaps})
    sys.stderr.write(f"{size.nights} nights, {plants} plants: {args.out / 'answer-key.json'}\n")


if __name__ == "__main__":
    main()

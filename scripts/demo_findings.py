"""Compare the demo's findings with its answer key: ``python scripts/demo_findings.py --nights 20 --control ID …``.

Generates a small account, collects and assesses it in a temporary folder, and prints every night that differs. For whoever adds
plants; ``tests/test_main_job.py`` does the same over the quarter.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import job

from evidence.demo import Size


def main() -> int:
    """Print what differs; return 1 if anything does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=20)
    parser.add_argument("--control", action="append", default=[], help="only these; default: all that have answers")
    parser.add_argument("--jobs", default="1")
    parser.add_argument("--keep", type=Path, help="work here and leave it")
    args = parser.parse_args()
    size = Size(nights=args.nights, users=60, roles=50, tables=160, columns=600, queries=120)
    with tempfile.TemporaryDirectory() as scratch:
        work = args.keep or Path(scratch) / "work"
        key = job.workspace(work, size)
        print(job.run("-w", work, "collect", "--jobs", args.jobs, codes=(0, 5, 6)).stdout.splitlines()[-6:])
        job.assess(work, size.start, size.night(size.nights - 1), jobs=args.jobs, codes=(0, 3))
        controls = args.control or list(key["controls"])
        wrong = [*_differences(work, size, key, controls), *_periods(work, size, key, controls)]
    for line in wrong:
        print(line)
    print(f"{len(wrong)} nights and periods differ")
    return 1 if wrong else 0


def _differences(work: Path, size: Size, key: Mapping[str, Any], controls: list[str]) -> Iterator[str]:
    from evidence.assess import sealed_findings
    from evidence.store.index import Index

    log = job.open_log(work)
    index = Index().catch_up(log)
    for number in range(size.nights):
        night = size.night(number)
        found = {f.control: f for f in sealed_findings(log.store, index, night)}
        for control in controls:
            wanted, finding = key["controls"][control]["nights"][night.isoformat()], found[control]
            mine = job.spelled(finding)
            if mine != wanted:
                yield f"{number:3} {night} {control}\n    key   {wanted}\n    found {mine} {finding.detail[:200]}"


def _periods(work: Path, size: Size, key: Mapping[str, Any], controls: list[str]) -> Iterator[str]:
    from evidence.cli.assess_command import sealed_periods
    from evidence.cli.workspace import Workspace

    nights = [size.night(number) for number in range(size.nights)]
    for finding in sealed_periods(Workspace.open(work), nights, controls):
        mine, wanted = job.period(finding.to_json()), key["controls"][finding.control]["period"]
        if mine != wanted:
            runs = [
                run
                for run in (*mine["intervals"], *wanted["intervals"])
                if (run in mine["intervals"]) != (run in wanted["intervals"])
            ]
            yield f"period {finding.control}: key {wanted['status']} found {mine['status']}; in one of both: {runs}"


if __name__ == "__main__":
    sys.exit(main())

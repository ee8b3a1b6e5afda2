"""``data/findings.csv`` piece by piece: that of a million exceptions is never held in memory. Pure."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Final

from evidence.control.result import PeriodFinding, parts

CSV_COLUMNS: Final = (
    *("control", "kind", "item", "reason", "first_seen", "last_seen", "nights", "open", "days_open"),
    *("remediated_on", "observed", "expected"),
)
_ROWS: Final = 1000  # lines per piece


def csv_pieces(periods: Iterable[PeriodFinding]) -> Iterator[bytes]:
    """Yield ``data/findings.csv``: every exception and open review of the period, raw values, RFC 4180 with LF."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    held = 1
    for finding, kind, intervals in parts(periods):
        for interval in intervals:
            value = interval.to_json()
            writer.writerow([finding.control, kind, *(_cell(value[name]) for name in CSV_COLUMNS[2:])])
            held += 1
            if held == _ROWS:
                yield out.getvalue().encode()
                out.seek(0)
                out.truncate()
                held = 0
    yield out.getvalue().encode()


def csv_rows(periods: Iterable[PeriodFinding]) -> int:
    """Return the number of records of ``data/findings.csv``."""
    return sum(len(intervals) for _, _, intervals in parts(periods))


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)

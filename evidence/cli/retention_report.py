"""What ``evidence retention report`` prints: per dataset, and per night, what is kept until when and what became of it."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from evidence.cli import output
from evidence.snapshot import canonical
from evidence.store.expiry import MEANING, Expiry, State, totals

_WORDS: Final[tuple[State, ...]] = tuple(MEANING)


def as_json(found: Sequence[Expiry], now: dt.datetime, within: int) -> dict[str, Any]:
    """Return the JSON spelling: totals, datasets and every snapshot."""
    datasets = [
        {
            "source": source,
            "dataset": dataset,
            "first": min(each.key.night for each in some).isoformat(),
            "last": max(each.key.night for each in some).isoformat(),
            "states": _counts(some),
        }
        for source, dataset, some in totals(found)
    ]
    return {
        "at": canonical.format_time(now), "within_days": within, "states": _counts(found), "datasets": datasets, "nights": [each.to_json() for each in found],
    }  # fmt: skip


def show(found: Sequence[Expiry], within: int, *, nights: bool) -> None:
    """Print a row for each dataset, with ``nights`` one for each snapshot; what is lost or not recorded is always named."""
    rows = []
    for source, dataset, some in totals(found):
        counts, ends = _counts(some), [each.until.date() for each in some]
        span = f"{min(each.key.night for each in some)} to {max(each.key.night for each in some)}"
        rows.append([source, dataset, span, f"{min(ends)} to {max(ends)}", *(counts[word] or "" for word in _WORDS)])
    output.table("", ["source", "dataset", "nights", "kept until", *_WORDS], rows)
    if nights:
        output.table(
            "",
            ["source", "dataset", "night", "rev", "kept until", "state", ""],
            [
                [e.key.source, e.key.dataset, e.key.night, e.key.revision, e.until.date(), e.state, _why(e)]
                for e in found
            ],
        )
    counts = _counts(found)
    for word in _WORDS:
        if counts[word]:
            more = f" (within {within} days)" if word == "expiring" else ""
            output.say(f"{counts[word]} {word}: {MEANING[word]}{more}")
    for each in found:
        if each.state == "lost" and not nights:
            key = each.key
            output.say(
                f"  lost: {key.source}/{key.dataset} {key.night} revision {key.revision}, entry {each.index}{_tail(each)}"
            )


def _counts(found: Sequence[Expiry]) -> dict[str, int]:
    seen = Counter(each.state for each in found)
    return {word: seen[word] for word in _WORDS}


def _why(each: Expiry) -> str:
    if each.recorded is not None:
        return f"recorded in entry {each.recorded}"
    return f"hold {', '.join(each.holds)}" if each.holds else ""


def _tail(each: Expiry) -> str:
    return f", under hold {', '.join(each.holds)}" if each.holds else f", to be kept until {each.until.date()}"

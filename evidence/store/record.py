"""The record of a check of the store: what was verified when, sealed so that controls and readers know it was done.

One ``check`` entry with one object (docs/formats/log.md): the steps of the verification with their counts, and for each source, dataset
and month how many nights should be there, are, and were read back. Pure but for :func:`seal_record`.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from evidence.snapshot import canonical
from evidence.snapshot.check import Check
from evidence.snapshot.entry import Entry, SealedEntry
from evidence.snapshot.model import DAY, Kind
from evidence.store.index import Index
from evidence.store.log import Log
from evidence.store.sealing import append_new, put_object

FORMAT: Final = "evidence-check-v1"
TYPE: Final = "check"
_SHOWN: Final = 100  # faults listed one by one


def record_of(checks: Sequence[Check], log: Log, index: Index, checked_at: dt.datetime, tool: str) -> dict[str, Any]:
    """Return the body of the record: what ``checks`` (of the whole store) found, and the months that were read back."""
    failed = [check for check in checks if check.ok is False]
    return {
        "format": FORMAT,
        "checked_at": canonical.format_time(checked_at),
        "log_size": index.size,
        "root": log.checkpoint.split("\n")[2],
        "tool": tool,
        "steps": _steps(checks),
        "failed": [list(check.row()[1:]) for check in failed[:_SHOWN]],
        "months": list(_months(index, {check.subject for check in failed})),
    }


def seal_record(log: Log, body: Mapping[str, Any], unique: str) -> None:
    """Seal ``body`` as one entry."""
    ref = put_object(log.store, f"checks/{unique}.json", canonical.encode(dict(body)))
    counts = {name: sum(step[name] for step in body["steps"]) for name in ("proved", "failed", "not_made")}
    facts = {name: body[name] for name in ("checked_at", "log_size", "root", "tool")}
    append_new(log, [Entry(TYPE, unique, ref, {**facts, **counts})])


def _steps(checks: Iterable[Check]) -> list[dict[str, Any]]:
    tally: dict[str, Counter[bool | None]] = {}
    for check in checks:
        tally.setdefault(check.step, Counter())[check.ok] += 1
    return [
        {"step": step, "proved": found[True], "failed": found[False], "not_made": found[None]}
        for step, found in sorted(tally.items())
    ]


def _months(index: Index, damaged: set[str]) -> Iterator[dict[str, Any]]:
    """Yield a row for each source, dataset and month: nights expected from the first covered one to the last sealed one."""
    by_dataset: dict[tuple[str, str], list[SealedEntry]] = {}
    for sealed in index.snapshots():
        by_dataset.setdefault((sealed.key.source, sealed.key.dataset), []).append(sealed)
    for (source, dataset), found in sorted(by_dataset.items()):
        kind: Kind = found[0].body["kind"]
        start = index.coverage_start(source, kind) or found[0].key.night
        nights = {sealed.key.night: sealed for sealed in found}
        wanted: dict[str, list[dt.date]] = {}
        for night in (start + DAY * n for n in range((max(nights) - start).days + 1)):
            wanted.setdefault(f"{night:%Y-%m}", []).append(night)
        for month, expected in sorted(wanted.items()):
            there = [nights[night] for night in expected if night in nights]
            yield {
                "source": source,
                "dataset": dataset,
                "month": month,
                "expected": len(expected),
                "sealed": len(there),
                "complete": sum(each.status == "complete" for each in there),
                "read_back": sum(not _touched(each, damaged) and not index.disposed(each) for each in there),
            }


def _touched(sealed: SealedEntry, damaged: set[str]) -> bool:
    """Say whether a failed check named a file of this snapshot."""
    folder = sealed.manifest.path.rpartition("/")[0]
    return any(path.startswith(folder) for path in damaged)

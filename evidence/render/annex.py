"""The annex of the HTML packet: every exception, night and receipt, as columns the page unpacks in the browser. Pure.

Three tables, each a JSON array of blocks of rows ``{"n": rows, "columns": {name: column}}``, gzip, base64. A column is ``{"values": […]}`` or,
where values repeat in the block, ``{"words": […], "at": […]}``: the row's value is ``words[at]``. Record k of ``rows`` is record k of
``data/findings.csv``; in a brief, whose record is of one night, ``since``, ``run`` and ``days`` say how long it has failed, ``more`` that nobody looked further back. Text has passed ``escape_invisible``; the page sets it as text, never as markup.
"""

import base64
import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from evidence.control.result import Input, Interval, NightFinding, PeriodFinding, parts
from evidence.render.inputs import Content, RecordFact, SnapshotFact
from evidence.render.nightly import first_night, morning
from evidence.render.text import escape_invisible, reason_once
from evidence.render.words import _

_LEVEL: Final = 9
BLOCK: Final = 1 << 14  # rows
_GZIP: Final = 31  # zlib.h, deflateInit2: the largest window, with a gzip header, which is without a time
_UNKNOWN_SYSTEM: Final = 255  # RFC 1952 2.3.1: the file system of the machine is nobody's business
_ROWS: Final = (
    *("control", "kind", "item", "reason", "said", "first", "last", "nights", "open", "days", "gone"),
    *("observed", "expected", "waivers", "waived", "answer", "since", "run", "more"),
)
_NIGHTS: Final = ("control", "night", "status", "population", "passed", "exceptions", "reviews", "reason", "inputs")
_RECEIPTS: Final = (
    *("source", "dataset", "night", "revision", "outcome", "finality", "entry", "manifest", "stated", "landed"),
    *("aside", "masked", "as_of", "claimed", "reason", "folder"),
)
_Row = tuple[Any, ...]


def blocks(content: Content) -> dict[str, str]:
    """Return ``rows``, ``nights`` and ``receipts`` of ``content``, each as base64 of gzip of JSON."""
    sealed, places = receipts(content)
    return {
        "rows": packed(_ROWS, _rows(content)),
        "nights": packed(_NIGHTS, (_night(night, places) for night in _ordered(content.nights))),
        "receipts": packed(_RECEIPTS, sealed),
    }


def packed(names: Sequence[str], rows: Iterable[_Row]) -> str:
    """Return ``rows``, each read once, as blocks of columns: base64 of gzip of JSON. The same rows give the same text with the same zlib."""
    coder = zlib.compressobj(_LEVEL, wbits=_GZIP)
    made = bytearray()
    for piece in _pieces(names, iter(rows)):
        made += coder.compress(piece.encode())
    made += coder.flush()
    made[9] = _UNKNOWN_SYSTEM  # the default of zlib's builds
    return base64.b64encode(made).decode()


def _pieces(names: Sequence[str], rows: Iterator[_Row]) -> Iterator[str]:
    """Yield the JSON; no more rows are held than a block has."""
    mark = "["
    while (some := list(islice(rows, BLOCK))) or mark == "[":
        values = zip(*some, strict=True) if some else ((),) * len(names)
        columns = {name: _column(each) for name, each in zip(names, values, strict=True)}
        yield mark + json.dumps({"n": len(some), "columns": columns}, ensure_ascii=False, separators=(",", ":"))
        mark = ","
    yield "]"


def unpacked(text: str) -> dict[str, Any]:
    """Return ``n`` and the ``columns``, each as the list of its values, of what :func:`packed` made; for whoever checks a page without a browser."""
    blocks = json.loads(gzip.decompress(base64.b64decode(text)))
    columns: dict[str, list[Any]] = {}
    for block in blocks:
        for name, column in block["columns"].items():
            words = column.get("words")
            values = [words[place] for place in column["at"]] if words is not None else column["values"]
            columns.setdefault(name, []).extend(values)
    return {"n": sum(block["n"] for block in blocks), "columns": columns}


def _column(values: Sequence[Any]) -> dict[str, Sequence[Any]]:
    """Return a block's column; if its values repeat it is coded by its words, in order of first appearance."""
    if values and isinstance(values[0], list):  # all of a column are, or none is
        return {"values": values}
    places: dict[Any, int] = {}
    at = [places.setdefault(value, len(places)) for value in values]
    words = [escape_invisible(word) if isinstance(word, str) else word for word in places]
    if 2 * len(words) > len(at):
        return {"values": [words[place] for place in at]}
    return {"words": words, "at": at}


def _rows(content: Content) -> Iterator[_Row]:
    """Yield exceptions and reviews in the order of ``data/findings.csv``."""
    said = {text.id: text.reasons for text in content.controls}
    states = {text.id for text in content.controls if text.lasting}
    answers = {
        (r.control, r.item, r.reason): content.words.say(_("{owner}, due {due}", owner=r.owner, due=r.due.isoformat()))
        for r in content.responses
    }
    found = morning(content)
    open_items = {(e.text.id, e.seen.item, e.seen.reason): e for e in found.open} if found else {}
    for finding, kind, intervals in parts(content.periods):
        for each in intervals:
            words = said.get(finding.control, {}).get(each.reason, each.reason)
            answer = answers.get((finding.control, each.item, each.reason), "") if kind == "exception" else ""
            # an event is its night's own: nothing shows that it went away
            shown = each if finding.control in states or each.open else replace(each, remediated_on=None)
            stands = open_items.get((finding.control, each.item, each.reason)) if kind == "exception" else None
            if stands is not None:
                shown = replace(shown, days_open=stands.nights - 1)
                yield (
                    *_row(finding, kind, shown, words, answer),
                    content.words.say(first_night(stands)),
                    stands.nights,
                    stands.or_more,
                )
            else:
                yield (*_row(finding, kind, shown, words, answer), "", each.nights, False)


def first_records(content: Content) -> dict[tuple[str, str], int]:
    """Return (control, kind) -> the number of its first record in ``data/findings.csv``, counted from 1."""
    found: dict[tuple[str, str], int] = {}
    following = 1
    for finding, kind, intervals in parts(content.periods):
        found[finding.control, kind] = following
        following += len(intervals)
    return found


def _row(finding: PeriodFinding, kind: str, each: Interval, said: str, answer: str) -> _Row:
    return (
        *(finding.control, kind, each.item, each.reason, said),
        *(each.first_seen.isoformat(), each.last_seen.isoformat(), each.nights, each.open, each.days_open),
        each.remediated_on.isoformat() if each.remediated_on else "",
        *(each.observed, each.expected, ", ".join(each.waivers), each.waived_nights, answer),
    )


def _ordered(nights: Iterable[NightFinding]) -> list[NightFinding]:
    return sorted(nights, key=lambda n: (n.control, n.night))


def _night(night: NightFinding, places: Mapping[str, int]) -> _Row:
    why = reason_once(f"{night.reason}: {night.detail}") if night.detail else reason_once(night.reason)
    inputs = _runs(places[item.manifest_sha256] for item in night.inputs)
    return (
        *(night.control, night.night.isoformat(), night.status, night.population, night.passed),
        *(len(night.exceptions), len(night.reviews), why, inputs),
    )


def _runs(places: Iterable[int]) -> list[int]:
    """Return sorted numbers as start, length, start, length …: consecutive nights of a dataset lie together."""
    found: list[int] = []
    for place in sorted(set(places)):
        if found and found[-2] + found[-1] == place:
            found[-1] += 1
        else:
            found += [place, 1]
    return found


def receipts(content: Content) -> tuple[list[_Row], dict[str, int]]:
    """Return a row for each snapshot, then for each other input; and manifest digest -> place."""
    facts = sorted(content.snapshots, key=lambda f: (f.source, f.dataset, f.night, f.revision))
    rows = [_receipt(fact) for fact in facts]
    places = {fact.manifest_sha256: place for place, fact in enumerate(facts)}
    records = {fact.sha256: fact for fact in content.records}
    for item in sorted(_others(content), key=lambda i: (i.source, i.dataset, i.night, i.revision, i.manifest_sha256)):
        places[item.manifest_sha256] = len(rows)
        rows.append(_other(item, records.get(item.manifest_sha256)))
    return rows, places


def _others(content: Content) -> list[Input]:
    """Return each thing a finding rests on that is no snapshot of this packet, once."""
    snapshots = {fact.manifest_sha256 for fact in content.snapshots}
    found = {used.manifest_sha256: used for night in content.nights for used in night.inputs}
    return [used for digest, used in found.items() if digest not in snapshots]


def beside(content: Content) -> tuple[int, int]:
    """Return how many records of the store itself findings rest on that the packet carries, and how many things it does not carry."""
    others, records = _others(content), {fact.sha256 for fact in content.records}
    carried = sum(used.manifest_sha256 in records for used in others)
    return carried, len(others) - carried


def _receipt(fact: SnapshotFact) -> _Row:
    return (
        *(fact.source, fact.dataset, fact.night.isoformat(), fact.revision, _outcome(fact.status), fact.finality),
        *(fact.log_index, fact.manifest_sha256, fact.source_rows, fact.landed, fact.quarantined, fact.masked),
        *(fact.as_of, fact.as_of_claimed, fact.reason),
        f"data/evidence/{fact.source}/{fact.dataset}/{fact.night.isoformat()}/r{fact.revision}",
    )


def _outcome(status: str) -> str:
    """Say what a receipt's status means where its own word claims too much (auditor-rules section 1)."""
    return "totals match" if status == "complete" else status


def _other(item: Input, record: RecordFact | None) -> _Row:
    """A record of the store itself, or a receipt that this packet does not carry (a partial packet): what the finding says of it."""
    outcome = "sealed" if record and item.status == "complete" else _outcome(item.status)  # a record has no totals
    why, folder = ("", record.folder) if record else ("not exhibited in this packet", "")
    return (
        *(item.source, item.dataset, item.night.isoformat(), item.revision, outcome, ""),
        *(record and record.log_index, item.manifest_sha256, None, item.rows, 0, 0, "", False, why, folder),
    )

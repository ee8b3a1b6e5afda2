"""SVG by hand: the heat strip of all controls and the month calendar of one.

Status is never colour alone: each has its own shape and, in the calendars, its own letter. Every SVG begins with a
``<title>`` (PDF/UA-1 7.3). Presentation attributes only: the HTML's policy blocks inline styles, and WeasyPrint applies no
outer style sheet inside SVG.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Final

from markupsafe import Markup

PASS, FAIL, UNKNOWN, NONE = "satisfied", "not-satisfied", "not-assessed", "not-applicable"
LETTERS: Final = {PASS: "", FAIL: "X", UNKNOWN: "?", NONE: "n", "": "-"}
_FILL: Final = {PASS: "#cfe3d6", FAIL: "#9b2c2c", UNKNOWN: "#ffffff", NONE: "#eef0f3", "": "#ffffff"}
_EDGE: Final = {PASS: "#cfe3d6", FAIL: "#9b2c2c", UNKNOWN: "#8a6d1a", NONE: "#c9ced6", "": "#e2e5ea"}
_INK: Final = "#1c2733"
_FONT: Final = "Inter, sans-serif"
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def nights_of(start: dt.date, end: dt.date) -> list[dt.date]:
    """Return every night of the period, both ends included."""
    return [start + dt.timedelta(days=n) for n in range((end - start).days + 1)]


def heat_strip(rows: Sequence[tuple[str, Mapping[str, str]]], start: dt.date, end: dt.date, *, title: str) -> Markup:
    """Return controls by nights; ``rows`` are (label, night -> status). One mark per run of equal nights."""
    nights = nights_of(start, end)
    label, row, top = 172.0, 15.0, 16.0
    cell = (680.0 - label) / max(1, len(nights))
    parts = list(_month_axis(nights, label, cell, top, top + row * len(rows)))
    for number, (name, strip) in enumerate(rows):
        y = top + number * row
        parts.append(_text(0, y + 10.5, name, size=8))
        runs = groupby(enumerate(nights), key=lambda pair: strip.get(pair[1].isoformat(), ""))
        for status, run in runs:
            first, *rest = (index for index, _ in run)
            parts.extend(_mark(status, label + first * cell, y, (1 + len(rest)) * cell, row))
    return _svg(680, top + row * len(rows) + 2, title, parts)


def _month_axis(nights: Sequence[dt.date], left: float, cell: float, top: float, bottom: float) -> Iterator[str]:
    for index, night in enumerate(nights):
        x = left + index * cell
        if night.day == 1 or index == 0:
            yield _text(x + 1, top - 6, f"{_MONTHS[night.month - 1]} {night.year}", size=7.5, fill="#5a6675")
            yield f'<path d="M{x:.2f} {top - 14:.1f}V{bottom:.1f}" stroke="#9aa5b1" stroke-width="0.6"/>'
        elif night.weekday() == 0:
            yield f'<path d="M{x:.2f} {top - 3:.1f}V{top:.1f}" stroke="#b8c0ca" stroke-width="0.5"/>'


def _mark(status: str, x: float, y: float, width: float, row: float) -> Iterator[str]:
    """Satisfied: a low bar. Exceptions: a full solid bar. Not assessed: an outlined, hatched bar. Others: a thin line."""
    height = {PASS: 5.0, FAIL: row - 2.5, UNKNOWN: row - 4.5}.get(status, 1.2)
    low = y + row - 1.2 - height
    yield (
        f'<rect x="{x:.2f}" y="{low:.2f}" width="{width:.2f}" height="{height:.2f}" fill="{_FILL[status]}"'
        f' stroke="{_EDGE[status]}" stroke-width="0.4"/>'
    )
    if status == UNKNOWN:
        yield _hatch(x, low, width, height)


def _hatch(x: float, y: float, width: float, height: float) -> str:
    """Return diagonal lines clipped to the rectangle, as one path."""
    lines: list[str] = []
    offset = -height + 2.0
    while offset < width:
        x0, x1 = max(offset, 0.0), min(offset + height, width)
        lines.append(f"M{x + x0:.2f} {y + height - (x0 - offset):.2f}L{x + x1:.2f} {y + height - (x1 - offset):.2f}")
        offset += 3.0
    return f'<path d="{"".join(lines)}" stroke="#8a6d1a" stroke-width="0.7" fill="none"/>'


def calendar(strip: Mapping[str, str], start: dt.date, end: dt.date, *, title: str) -> Markup:
    """Return one row per month, one lettered box per night."""
    months = [list(group) for _, group in groupby(nights_of(start, end), key=lambda n: (n.year, n.month))]
    left, cell, row = 46.0, 20.0, 22.0
    parts: list[str] = []
    for number, days in enumerate(months):
        y = 12 + number * row
        parts.append(_text(0, y + 13, f"{_MONTHS[days[0].month - 1]} {days[0].year}", size=8))
        for night in days:
            parts.extend(_box(strip.get(night.isoformat(), ""), left + (night.day - 1) * cell, y, cell - 2, night.day))
    parts.extend(
        _text(left + d * cell + 9, 8, str(d + 1), size=6.5, fill="#5a6675", anchor="middle") for d in range(31)
    )
    return _svg(left + 31 * cell, 12 + row * len(months), title, parts)


def _box(status: str, x: float, y: float, size: float, night: int) -> Iterator[str]:
    del night  # the column says it
    yield (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{size:.1f}" height="{size:.1f}" rx="2" fill="{_FILL[status]}"'
        f' stroke="{_EDGE[status]}" stroke-width="0.8"/>'
    )
    if status == UNKNOWN:
        yield _hatch(x, y, size, size)
    letter = LETTERS[status]
    if letter:
        ink = "#ffffff" if status == FAIL else _INK
        if status == UNKNOWN:
            yield f'<rect x="{x + 5:.1f}" y="{y + 3:.1f}" width="8" height="12" fill="#ffffff"/>'
        yield _text(x + size / 2, y + 12.5, letter, size=9.5, fill=ink, anchor="middle", weight=600)


def legend() -> Markup:
    """Return the key of both charts."""
    parts: list[str] = []
    x = 0.0
    for status, words in (
        (PASS, "no exceptions noted"),
        (FAIL, "X exceptions noted"),
        (UNKNOWN, "? not assessed"),
        (NONE, "n not applicable"),
        ("", "- no finding sealed"),
    ):
        parts.extend(_mark(status, x, 1, 16, 14))
        parts.append(_text(x + 21, 12, words, size=8))
        x += 30 + 5.0 * len(words)
    return _svg(x, 16, "Legend: marks used for the status of a night", parts)


def bars(rows: Sequence[tuple[str, int, str]], *, title: str) -> Markup:
    """Return horizontal count bars; ``rows`` are (label, count, status)."""
    most = max((count for _, count, _ in rows), default=0) or 1
    parts: list[str] = []
    for number, (label, count, status) in enumerate(rows):
        y = number * 20.0
        width = 300.0 * count / most
        parts.append(_text(0, y + 13, label, size=9))
        if count:
            parts.append(
                f'<rect x="150" y="{y + 4:.1f}" width="{max(width, 2):.1f}" height="12" fill="{_FILL[status]}"'
                f' stroke="{_EDGE[status]}" stroke-width="0.8"/>'
            )
            if status == UNKNOWN:
                parts.append(_hatch(150, y + 4, max(width, 2), 12))
        parts.append(_text(156 + width, y + 13.5, str(count), size=9, weight=600))
    return _svg(500, 20 * len(rows) + 2, title, parts)


def _text(
    x: float, y: float, text: str, *, size: float, fill: str = _INK, anchor: str = "start", weight: int = 400
) -> str:
    return (
        f'<text x="{x:.2f}" y="{y:.2f}" font-family="{_FONT}" font-size="{size:g}" font-weight="{weight}" fill="{fill}"'
        f' text-anchor="{anchor}">{escape(text)}</text>'
    )


def _svg(width: float, height: float, title: str, parts: Sequence[str]) -> Markup:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:.1f} {height:.1f}"'
        f' width="{width:.1f}" height="{height:.1f}"><title>{escape(title)}</title>'
    )
    return Markup(head + "".join(parts) + "</svg>")  # noqa: S704 - every text went through escape()

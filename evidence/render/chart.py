"""SVG by hand: the heat strip of all controls and the month calendar of one.

Status is never colour alone: each has its own shape and, in the calendars, its own letter. Every SVG begins with a
``<title>`` (PDF/UA-1 7.3), a ``<desc>`` says in words what is drawn. Presentation attributes only: the HTML's policy blocks
inline styles, and WeasyPrint applies no outer style sheet inside SVG. One path holds all marks of a kind: a quarter of 100
controls has 9,000 cells, and each element costs both editions more than its ink.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Final

from markupsafe import Markup

from evidence.render.words import ENGLISH, Words, _, join

PASS, FAIL, UNKNOWN, NONE = "satisfied", "not-satisfied", "not-assessed", "not-applicable"
INK: Final = "#1c2733"
SOFT: Final = "#5a6675"
HATCH: Final = "#8a6d1a"
PAPER: Final = "#ffffff"
FILL: Final = {PASS: "#cfe3d6", FAIL: "#9b2c2c", UNKNOWN: PAPER, NONE: "#eef0f3", "": PAPER}
EDGE: Final = {PASS: "#cfe3d6", FAIL: "#9b2c2c", UNKNOWN: HATCH, NONE: "#7c8794", "": "#8b96a2"}
_FONT: Final = "Inter, sans-serif"
_MONTHS: Final = (
    *(_("Jan"), _("Feb"), _("Mar"), _("Apr"), _("May"), _("Jun"), _("Jul"), _("Aug"), _("Sep")),
    *(_("Oct"), _("Nov"), _("Dec")),
)
_WORDS: Final = {
    FAIL: _("exceptions noted"),
    UNKNOWN: _("not assessed"),
    NONE: _("not applicable"),
    "": _("no finding: before coverage, or none sealed"),
}
_ROWS: Final = 28  # of a strip: half a printed page, so that less stays empty before one that did not fit
_LETTER: Final = {  # strokes around the middle of a box; a fifth of the time a letter of a font takes
    FAIL: "m-3-3.6l6 7.2m0-7.2l-6 7.2",
    UNKNOWN: "m-2.6-1.6c0-3.6 5.2-3.6 5.2-.3c0 2-2.6 1.9-2.6 3.7m0 1.8v1",
    NONE: "m-2 3.2v-5.6m0 2c.8-2.4 4-2.4 4 .6v3",
    "": "m-2.4 0h4.8",
}


class Marks:
    """Marks of one drawing, gathered into one path for each kind; :meth:`parts` gives them in the order kinds were named."""

    def __init__(self, *kinds: tuple[str, str]) -> None:
        """Take the kinds as (name, attributes of the path)."""
        self._kinds = kinds
        self._paths: dict[str, list[str]] = defaultdict(list)

    def add(self, kind: str, path: str) -> None:
        """Add a piece of path data to a kind."""
        self._paths[kind].append(path)

    def parts(self) -> Iterator[str]:
        """Yield a path for each kind that has marks."""
        for kind, attributes in self._kinds:
            if kind in self._paths:
                yield f'<path d="{"".join(self._paths[kind])}" {attributes}/>'


def box(x: float, y: float, width: float, height: float) -> str:
    """Return the path data of a rectangle."""
    return f"M{num(x)} {num(y)}h{num(width)}v{num(height)}h{num(-width)}z"


def num(value: float) -> str:
    """Spell a coordinate with a hundredth at most."""
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"


def nights_of(start: dt.date, end: dt.date) -> list[dt.date]:
    """Return every night of the period, both ends included."""
    return [start + dt.timedelta(days=n) for n in range((end - start).days + 1)]


def heat_strips(
    rows: Sequence[tuple[str, Mapping[str, str]]], start: dt.date, end: dt.date, *, title: str, words: Words = ENGLISH
) -> tuple[Markup, ...]:
    """Return the strips of ``rows``, each no longer than half a page: a chart cannot be broken by one."""
    count = max(1, -(-len(rows) // _ROWS))
    size = max(1, -(-len(rows) // count))
    label = _label_width([name for name, _ in rows])
    pieces = [rows[at : at + size] for at in range(0, len(rows), size)] or [rows]
    many = len(pieces)
    names = [
        _("{title}, {place} of {n}", title=title, place=n, n=many) if many > 1 else title for n in range(1, many + 1)
    ]
    return tuple(
        heat_strip(piece, start, end, title=name, label=label, words=words)
        for piece, name in zip(pieces, names, strict=True)
    )


def heat_strip(
    rows: Sequence[tuple[str, Mapping[str, str]]],
    start: dt.date,
    end: dt.date,
    *,
    title: str,
    label: float = 172.0,
    words: Words = ENGLISH,
) -> Markup:
    """Return controls by nights; ``rows`` are (label, night -> status). One mark per run of equal nights."""
    nights = nights_of(start, end)
    row, top = 13.0, 16.0
    cell = (680.0 - label) / max(1, len(nights))
    parts = list(month_axis(nights, label, cell, top, top + row * len(rows), words))
    marks = _marks("0.4")
    for number, (name, strip) in enumerate(rows):
        y = top + number * row
        parts.append(text(0, y + 9.6, _cut(name, label), size=8))
        for status, places in groupby(range(len(nights)), key=lambda n: strip.get(nights[n].isoformat(), "")):
            first, *rest = places
            _mark(marks, status, label + first * cell, y, (1 + len(rest)) * cell, row)
    about = _(
        "A row for each of {n}, each position a night from {start} to {end}; the counts are in the tables of this packet.",
        n=len(rows),
        start=start,
        end=end,
    )
    return svg(680, top + row * len(rows) + 2, title, [*parts, *marks.parts()], about=about, words=words)


def _label_width(names: Sequence[str]) -> float:
    """Return the room that the longest label needs, within what leaves the nights legible."""
    return min(max([172.0, *(4.0 * len(name) + 8 for name in names)]), 260.0)


def _cut(name: str, room: float) -> str:
    most = int((room - 8) / 4.0)
    return name if len(name) <= most else name[: most - 1] + "…"


def month_axis(
    nights: Sequence[dt.date], left: float, cell: float, top: float, bottom: float, words: Words = ENGLISH
) -> Iterator[str]:
    """Yield the months' names with a line down to ``bottom``, and a tick for each Monday."""
    months, mondays = [], []
    for index, night in enumerate(nights):
        x = left + index * cell
        if night.day == 1 or index == 0:
            yield text(x + 3, top - 6, month(night, words), size=7.5, fill=SOFT)
            months.append(f"M{num(x)} {num(top - 14)}V{num(bottom)}")
        elif night.weekday() == 0:
            mondays.append(f"M{num(x)} {num(top - 3)}V{num(top)}")
    yield f'<path d="{"".join(months)}" stroke="#9aa5b1" stroke-width="0.6"/>'
    if mondays:
        yield f'<path d="{"".join(mondays)}" stroke="#b8c0ca" stroke-width="0.5"/>'


def month(night: dt.date, words: Words) -> str:
    """Return the month of a night as drawings spell it."""
    return f"{words.say(_MONTHS[night.month - 1])} {night.year}"


def _marks(edge: str) -> Marks:
    dashed = ' stroke-dasharray="1.5 1.5"'  # no finding: told from "not applicable" in grey too
    shapes = [
        (s, f'fill="{FILL[s]}" stroke="{EDGE[s]}" stroke-width="{edge}"{dashed if not s else ""}')
        for s in ("", NONE, PASS, UNKNOWN, FAIL)
    ]
    return Marks(
        *shapes,
        ("hatch", f'stroke="{HATCH}" stroke-width="0.7" fill="none"'),
        ("patch", f'fill="{PAPER}"'),
        *((f"letter {s}", f'stroke="{PAPER if s == FAIL else INK}" stroke-width="1.4" fill="none"') for s in _LETTER),
    )


def _mark(marks: Marks, status: str, x: float, y: float, width: float, row: float) -> None:
    """Satisfied: a low bar. Exceptions: a full solid bar. Not assessed: an outlined, hatched bar. Others: a thin line."""
    height = {PASS: 4.5, FAIL: row - 2.5, UNKNOWN: row - 4.5}.get(status, 1.2)
    low = y + row - 1.2 - height
    marks.add(status, box(x, low, width, height))
    if status == UNKNOWN:
        marks.add("hatch", hatch(x, low, width, height))


def hatch(x: float, y: float, width: float, height: float, step: float = 3.0) -> str:
    """Return diagonal lines clipped to the rectangle, as path data."""
    lines: list[str] = []
    offset = -height + 2.0
    while offset < width:
        x0, x1 = max(offset, 0.0), min(offset + height, width)
        lines.append(
            f"M{num(x + x0)} {num(y + height - (x0 - offset))}L{num(x + x1)} {num(y + height - (x1 - offset))}"
        )
        offset += step
    return "".join(lines)


def calendar(strip: Mapping[str, str], start: dt.date, end: dt.date, *, title: str, words: Words = ENGLISH) -> Markup:
    """Return one row per month, one lettered box per night."""
    months = [list(group) for _key, group in groupby(nights_of(start, end), key=lambda n: (n.year, n.month))]
    left, cell, row = 46.0, 20.0, 22.0
    parts: list[str] = []
    marks = _marks("0.8")
    for number, days in enumerate(months):
        y = 12 + number * row
        parts.append(text(0, y + 13, month(days[0], words), size=8))
        for night in days:
            _box(marks, strip.get(night.isoformat(), ""), left + (night.day - 1) * cell, y, cell - 2)
    parts.extend(
        text(left + (d - 1) * cell + 9, 8, str(d), size=7, fill=SOFT, anchor="middle") for d in (1, *range(5, 31, 5))
    )
    about = _said(strip, start, end)
    return svg(left + 31 * cell, 12 + row * len(months), title, [*parts, *marks.parts()], about=about, words=words)


def _box(marks: Marks, status: str, x: float, y: float, size: float) -> None:
    marks.add(status, box(x, y, size, size))
    if status == UNKNOWN:
        marks.add("hatch", hatch(x, y, size, size))
        marks.add("patch", box(x + 5, y + 3, 8, 12))
    if status in _LETTER:
        marks.add(f"letter {status}", f"M{num(x + size / 2)} {num(y + size / 2)}{_LETTER[status]}")


def _said(strip: Mapping[str, str], start: dt.date, end: dt.date) -> str:
    """Say what a calendar shows: the runs of nights that are not in the control's favour."""
    runs = []
    for status, group in groupby(nights_of(start, end), key=lambda night: strip.get(night.isoformat(), "")):
        first, *rest = list(group)
        if status != PASS:
            span = _("{start} to {end}", start=first, end=rest[-1]) if rest else str(first)
            runs.append(join(": ", [span, _WORDS[status]]))
    if not runs:
        return _("Each night: no exceptions noted.")
    return _("{runs}; other nights: no exceptions noted.", runs=join("; ", runs))


def legend(words: Words = ENGLISH) -> Markup:
    """Return the key of both charts: a drawing for each mark, so that a narrow page can break the line between them."""
    drawn = []
    for status, letter, word in (
        (PASS, "", _("no exceptions noted")),
        (FAIL, "X ", _WORDS[FAIL]),
        (UNKNOWN, "? ", _WORDS[UNKNOWN]),
        (NONE, "n ", _WORDS[NONE]),
        ("", "- ", _WORDS[""]),
    ):
        marks = _marks("0.4")
        _mark(marks, status, 0, 1, 16, 14)
        said = f"{letter}{words.say(word)}"
        title = _("Legend: {mark}", mark=said)
        drawn.append(svg(26 + 4.6 * len(said), 16, title, [text(21, 12, said, size=8), *marks.parts()], words=words))
    return Markup("").join(drawn)


def text(
    x: float, y: float, words: str, *, size: float, fill: str = INK, anchor: str = "start", weight: int = 400
) -> str:
    """Return a text element; ``words`` are escaped."""
    more = f' text-anchor="{anchor}"' if anchor != "start" else ""
    bold = f' font-weight="{weight}"' if weight != 400 else ""
    return (
        f'<text x="{num(x)}" y="{num(y)}" font-family="{_FONT}" font-size="{size:g}" fill="{fill}"{bold}{more}>'
        f"{escape(words)}</text>"
    )


def svg(
    width: float, height: float, title: str, parts: Iterable[str], *, about: str = "", words: Words = ENGLISH
) -> Markup:
    """Return the drawing with its name and, in ``about``, what it shows."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:.1f} {height:.1f}"'
        f' width="{width:.1f}" height="{height:.1f}"><title>{escape(words.say(title))}</title>'
    )
    described = f"<desc>{escape(words.say(about))}</desc>" if about else ""
    return Markup(head + described + "".join(parts) + "</svg>")  # noqa: S704 - every text went through escape()

"""SVG by hand: small multiples, one row per series over the nights of a period.

Each row has its own baseline and names itself and its scale, so nothing rests on colour or on telling lines apart. A night
without a number is hatched to its full height: a gap is drawn as a gap, never joined over.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from markupsafe import Markup

from evidence.render import chart, text
from evidence.render.words import ENGLISH, Phrase, Words, _

_WIDTH, _LABEL, _SCALE, _ROW, _PLOT, _TOP = 680.0, 172.0, 84.0, 30.0, 21.0, 18.0
_ASCII: Final = frozenset(range(0x20, 0x7F))  # of a label in a drawing: no font is asked for more
_LONGEST: Final = 30  # characters of a label


@dataclass(frozen=True, slots=True)
class Row:
    """One series: a count for each night that has one. With ``of`` it is a share, ``values`` out of ``of``, drawn as a line.

    A ``stock`` is what stands on a night, so that its sum over nights means nothing.
    """

    label: str
    values: Mapping[dt.date, int]
    of: Mapping[dt.date, int] | None = None
    stock: bool = False

    def share(self, night: dt.date) -> int:
        """Return tenths of a percent, rounded down: 1,000 only where all passed."""
        return self.values[night] * 1000 // self.of[night] if self.of and self.of[night] else 0


def multiples(
    rows: Sequence[Row], nights: Sequence[dt.date], *, title: str, about: str, words: Words = ENGLISH
) -> Markup:
    """Return the drawing of ``rows`` over ``nights``."""
    cell = (_WIDTH - _LABEL - _SCALE) / max(1, len(nights))
    parts = list(chart.month_axis(nights, _LABEL, cell, _TOP - 2, _TOP + _ROW * len(rows), words))
    marks = chart.Marks(
        ("base", 'stroke="#9aa5b1" stroke-width="0.6" fill="none"'),
        ("bar", f'fill="{chart.SOFT}"'),
        ("line", f'stroke="{chart.INK}" stroke-width="1.3" fill="none"'),
        ("gap", f'stroke="{chart.HATCH}" stroke-width="0.6" fill="none"'),
    )
    for number, row in enumerate(rows):
        bottom = _TOP + number * _ROW + _PLOT + 4
        parts.append(chart.text(0, bottom - 6, label(row.label, words), size=8))
        parts.append(
            chart.text(
                _WIDTH - _SCALE + 6,
                bottom - 6,
                words.say(_draw(marks, row, nights, bottom, cell)),
                size=7.5,
                fill=chart.SOFT,
            )
        )
    return chart.svg(_WIDTH, _TOP + _ROW * len(rows) + 2, title, [*parts, *marks.parts()], about=about, words=words)


def label(name: str, words: Words = ENGLISH) -> str:
    """Return words of evidence, or our own in their wording, as they may stand in a drawing."""
    plain = words.say(name) if isinstance(name, Phrase) else text.escape_uncovered(name, _ASCII)
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 3] + "..."


def _draw(marks: chart.Marks, row: Row, nights: Sequence[dt.date], bottom: float, cell: float) -> str:
    """Add the marks of a row and return its scale in words."""
    right = _LABEL + cell * len(nights)
    marks.add("base", f"M{chart.num(_LABEL)} {chart.num(bottom)}H{chart.num(right)}")
    for missing, places in groupby(range(len(nights)), key=lambda n: nights[n] not in row.values):
        run = list(places)
        if missing:
            left = _LABEL + run[0] * cell
            marks.add("gap", chart.hatch(left, bottom - _PLOT, len(run) * cell, _PLOT, step=2.6))
        elif row.of is None:
            _bars(marks, row, nights, run, bottom, cell)
        else:
            _line(marks, row, nights, run, bottom, cell)
    if row.of is not None:
        low = _floor(row)
        return _("{low} % to 100 %", low=low // 10) if row.values else _("no number")
    return _("0 to {most}", most=text.number(max(row.values.values()))) if row.values else _("no number")


def _bars(
    marks: chart.Marks, row: Row, nights: Sequence[dt.date], run: Sequence[int], bottom: float, cell: float
) -> None:
    most = max(row.values.values()) or 1
    for place in run:
        height = _PLOT * row.values[nights[place]] / most
        if height:
            marks.add("bar", chart.box(_LABEL + place * cell + cell * 0.12, bottom - height, cell * 0.76, height))


def _line(
    marks: chart.Marks, row: Row, nights: Sequence[dt.date], run: Sequence[int], bottom: float, cell: float
) -> None:
    low = _floor(row)
    steps: list[str] = []
    for place in run:
        y = bottom - _PLOT * (row.share(nights[place]) - low) / (1000 - low)
        x = _LABEL + place * cell
        steps.append(f"{'L' if steps else 'M'}{chart.num(x)} {chart.num(y)}H{chart.num(x + cell)}")
    marks.add("line", "".join(steps))


def _floor(row: Row) -> int:
    """Return where the scale of a share begins: the ten percent below the lowest, in tenths of a percent."""
    lowest = min((row.share(night) for night in row.values), default=0)
    return min(900, lowest // 100 * 100)

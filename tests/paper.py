"""What is wrong with the pages of a PDF, found by machine: nearly empty ones, headings that stand last, torn tables, text outside the frame."""

import html
import re
import subprocess
from collections import defaultdict
from dataclasses import dataclass

import pikepdf

POINTS = 72 / 25.4
HEAD, FOOT, SIDE = 17 * POINTS, 15 * POINTS, 12 * POINTS  # of an A4 page: running heads are outside
LEAST = 45  # points of the page's height that have text on them: five lines of SQL, the end of a chapter
TALLEST = 40  # points of a line; what is taller is the watermark across the page


@dataclass(frozen=True)
class Line:
    left: float
    top: float
    right: float
    bottom: float
    words: str


def pages(pdf):
    """Return (width, lines, foot) of each page: lines as the text tool sees them, and apart those of the foot."""
    made = subprocess.run(
        ["pdftotext", "-bbox-layout", str(pdf), "-"], check=True, capture_output=True, text=True
    ).stdout
    for page in made.split("<page ")[1:]:
        width, height = map(float, re.match(r'width="([\d.]+)" height="([\d.]+)"', page).groups())
        lines, foot = [], []
        for found in re.finditer(
            r'<line xMin="(.*?)" yMin="(.*?)" xMax="(.*?)" yMax="(.*?)">(.*?)</line>', page, re.DOTALL
        ):
            words = html.unescape(" ".join(re.findall(r"<word[^>]*>(.*?)</word>", found.group(5))))
            line = Line(*map(float, found.groups()[:4]), words)
            if line.top > HEAD and line.bottom - line.top < TALLEST:
                (lines if line.bottom < height - FOOT else foot).append(line)
        yield width, lines, foot


def faults(pdf, headings):
    """Yield what is wrong, page by page. ``headings`` are texts that must not stand last on a page."""
    found = list(pages(pdf))
    for number, (width, lines, foot) in enumerate(found, 1):
        covered = sum({round(line.top): line.bottom - line.top for line in lines}.values())
        if covered < LEAST and number < len(found):
            yield f"page {number} is nearly empty: {' / '.join(line.words for line in lines)[:200]}"
        lowest = max((line.bottom for line in lines), default=0)
        last = [line for line in lines if line.bottom > lowest - 3]  # the row of a table may name what a heading names
        if len(last) == 1 and last[0].words in headings:
            yield f"page {number} ends with a heading: {last[0].words}"
        if len(foot) > 2:
            yield f"page {number} runs over its foot: {' / '.join(line.words for line in foot)[:200]}"
        for line in lines:
            if line.left < SIDE or line.right > width - SIDE:
                yield f"page {number} has text beyond its margin: {line.words[:80]}"


def torn(pdf):
    """Yield, by the tags of the PDF (ours or Chromium's), what a page's end parts: heads from what they head, one row from its table."""
    found = defaultdict(list)
    with pikepdf.open(pdf) as document:
        numbers = {page.obj.objgen: number for number, page in enumerate(document.pages, 1)}
        for number, path in _marked(document.Root.StructTreeRoot.K, None, (), numbers):
            found[number].append(path)
    cells = {
        _up(path, "TR") for paths in found.values() for path in paths if _up(path, "TD") and not _up(path, "THead")
    }
    for number, paths in found.items():
        last, rows = paths[-1], _rows(paths, paths[-1], cells)
        if {kind for kind, _ in last} & {"H1", "H2", "H3"}:
            yield f"page {number} ends with a heading"
        if _up(last, "TR") and _up(last, "TR") not in cells:
            yield f"page {number} ends with the head of a table or of a group of rows"
        after = found.get(number + 1)
        if not after:
            continue
        if _up(after[0], "Table") and last[-2][0] == "P" and not _up(last, "Table") and len(after[0]) > len(last):
            yield f"page {number} ends with what introduces a table"
        if _up(last, "Table") and _up(after[0], "Table"):
            more = _rows(after, after[0], cells)
            if 1 in (len(rows), len(more)):
                yield f"a table is torn after page {number}: {len(rows)} and {len(more)} rows"


def _marked(kids, page, path, numbers):
    """Yield (number of the page, path of (kind, object)) of each piece of content, in the order of reading; feet and heads aside."""
    for each in kids if isinstance(kids, pikepdf.Array) else [kids]:
        if isinstance(each, pikepdf.Dictionary) and "/S" in each:
            deeper = (*path, (str(each.S)[1:], each.objgen))
            yield from _marked(each.get("/K", pikepdf.Array()), each.get("/Pg", page), deeper, numbers)
        elif len(path) > 2 and [kind for kind, _ in path[:2]] != ["Document", "Div"]:
            on = each.get("/Pg", page) if isinstance(each, pikepdf.Dictionary) else page
            yield numbers[on.objgen], path


def _up(path, kind):
    return next((step for step in path if step[0] == kind), None)


def _rows(paths, of, cells):
    table = _up(of, "Table")
    return {_up(path, "TR") for path in paths if table and _up(path, "Table") == table} & cells

"""What is wrong with the pages of a PDF, found by machine: nearly empty ones, headings that stand last, text outside the page's frame."""

import html
import re
import subprocess
from dataclasses import dataclass

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
        if lines and max(lines, key=lambda line: line.bottom).words in headings:
            yield f"page {number} ends with a heading: {max(lines, key=lambda line: line.bottom).words}"
        if len(foot) > 2:
            yield f"page {number} runs over its foot: {' / '.join(line.words for line in foot)[:200]}"
        for line in lines:
            if line.left < SIDE or line.right > width - SIDE:
                yield f"page {number} has text beyond its margin: {line.words[:80]}"

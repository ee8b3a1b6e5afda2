"""Write docs/ocr-inquiries.md from the shipped list: ``python scripts/inquiries_page.py``; a test compares the page with it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from evidence.control.inquiries import Inquiries, Inquiry

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "ocr-inquiries.md"
LIST: Final = ROOT / "reports" / "inquiries" / "ocr.toml"
HEAD: Final = """# OCR's inquiries, one by one

Made by `scripts/inquiries_page.py` from `reports/inquiries/ocr.toml`, which `evidence requests import --ocr` loads. The wording is ours: put OCR's own list beside it by citation. [auditor-guide.md](auditor-guide.md) says
how to answer one from a packet. *Named gap* is what a packet does not show, and what would answer it. A control that is named has its page in the packet; `register:` is a file in `data/controls/registers/`, `section:` an anchor of `packet.html` and a bookmark of the PDF.
"""


def page() -> str:
    """Return the page's text."""
    found = Inquiries.load(LIST)
    return "\n".join([HEAD, *_summary(found), *(line for item in found.items for line in _inquiry(item))])


def _summary(found: Inquiries) -> Iterator[str]:
    full = sum(bool(item.controls) and not item.gap for item in found.items)
    partly = sum(bool(item.controls) and bool(item.gap) for item in found.items)
    yield f"{len(found.items)} inquiries: {full} by controls alone, {partly} by controls in part, {len(found.items) - full - partly} by no control.\n"


def _inquiry(item: Inquiry) -> Iterator[str]:
    yield f"## {item.number}\n\n{item.requirement}: {item.asks}\n"
    if item.controls:
        yield f"- Controls: {', '.join(f'`{name}`' for name in item.controls)}"
    if item.exhibits:
        yield f"- Also: {', '.join(f'`{name}`' for name in item.exhibits)}"
    if item.gap:
        yield f"- Named gap: {item.gap}"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page())

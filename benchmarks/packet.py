"""A packet: ``python -m benchmarks.packet [EXCEPTIONS ...]``, by default 1,000 and 100,000; 10,000,000 by argument.

Each case runs in a process of its own on a packet of plain values (``tests.fakes.many_exceptions``): the page, the workbook, the data files
(findings as JSON, CSV and Parquet), the whole packet, and the PDF three ways from the same HTML: ours (PDF/A-3a in a closed child), bare
WeasyPrint, and headless Chromium's print. Memory is of the process and of the largest child; its first line is that of the values alone.
"""

import dataclasses
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

try:
    from benchmarks import common
except ImportError:
    import common

DEFAULT = (1_000, 100_000)
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def _made(count: str, folder: str):
    """Return inputs and content of a packet with so many exceptions."""
    from evidence.packet import _content
    from tests.fakes.many_exceptions import with_exceptions
    from tests.fakes.packet_inputs import build_inputs, packet_key

    scratch = Path(tempfile.mkdtemp(dir=folder))
    inputs = with_exceptions(build_inputs(scratch / "parts", count=2), int(count))
    content = _content(inputs, packet_key()[0], "PKT-1", (), "")
    return inputs, dataclasses.replace(content, findings_csv_rows=int(count)), scratch


def values(count: str, folder: str) -> Callable[[], None]:
    """Nothing but the values."""
    _made(count, folder)
    return lambda: None


def page(count: str, folder: str) -> Callable[[], dict[str, object]]:
    """The page with all rows in its annex, written to the folder."""
    from evidence.render import html
    from tests.fakes.packet_inputs import TEMPLATES

    _, content, _ = _made(count, folder)
    return lambda: {"MiB": Path(folder, f"{count}.html").write_bytes(html.render_screen(content, TEMPLATES)) >> 20}


def workbook(count: str, folder: str) -> Callable[[], dict[str, object]]:
    """packet.xlsx."""
    from evidence.render.workbook import write_book
    from evidence.render.worksheets import heading, tables

    _, content, scratch = _made(count, folder)
    out = scratch / "packet.xlsx"

    def run() -> dict[str, object]:
        write_book(out, heading(content), tables(content))
        return {"MiB": out.stat().st_size >> 20}

    return run


def data(count: str, folder: str) -> Callable[[], dict[str, object]]:
    """findings.json, findings.csv and findings.parquet."""
    from evidence.packet import findings_of
    from evidence.render.records import SCHEMA, csv_pieces, records, write_parquet

    inputs, content, scratch = _made(count, folder)

    def run() -> dict[str, object]:
        with (scratch / "findings.json").open("wb") as out:
            out.writelines(findings_of(inputs))
        with (scratch / "findings.csv").open("wb") as out:
            out.writelines(csv_pieces(inputs.periods))
        write_parquet(scratch / "findings.parquet", records(content.periods), SCHEMA)
        return {"MiB": sum(each.stat().st_size for each in scratch.glob("findings.*")) >> 20}

    return run


def whole(count: str, folder: str) -> Callable[[], None]:
    """The packet as it is made, signed and zipped."""
    from evidence.packet import build_packet
    from tests.fakes.packet_inputs import SIGNED_AT, TEMPLATES, packet_key

    inputs, _, scratch = _made(count, folder)
    return lambda: build_packet(inputs, packet_key()[0], scratch / "out", TEMPLATES, signed_at=SIGNED_AT) and None


def printed(count: str, folder: str) -> Callable[[], None]:
    """Write the HTML that is printed to the folder, for the three that print it."""
    from evidence.render import html
    from tests.fakes.packet_inputs import TEMPLATES

    _, content, _ = _made(count, folder)
    text = html.render_print(content, TEMPLATES)
    return lambda: Path(folder, "print.html").write_text(text) and None


def ours(folder: str) -> Callable[[], dict[str, object]]:
    """Our PDF."""
    import datetime as dt

    from evidence.render.pdf import render

    text = Path(folder, "print.html").read_text()
    return lambda: {"pages": render(text, (), dt.date(2026, 9, 30)).pages}


def weasyprint(folder: str) -> Callable[[], None]:
    """Bare WeasyPrint."""
    import weasyprint

    text = Path(folder, "print.html").read_text()
    return lambda: weasyprint.HTML(string=text).write_pdf(Path(folder, "bare.pdf"))


def chromium(folder: str) -> Callable[[], None]:
    """Headless Chromium prints the same file."""
    browser = next(filter(None, map(shutil.which, CHROMIUM)))
    profile, out = Path(folder, "profile"), Path(folder, "chromium.pdf")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", f"--user-data-dir={profile}"]
    command = [browser, *flags, f"--print-to-pdf={out}", Path(folder, "print.html").as_uri()]
    return lambda: subprocess.run(command, check=True, capture_output=True, timeout=600) and None


def run(sizes, rounds):
    """Return rows of seconds and memory for each number of exceptions."""
    rows = []
    for count in sizes:
        with tempfile.TemporaryDirectory(prefix="evidence-bench-") as folder:
            rows += _measured(count, rounds, folder)
    return rows


def _measured(count, rounds, folder):
    parts = {name: _case(name, count, folder) for name in ("values", "data", "page", "workbook", "whole")}
    common.apart("packet", "printed", count, folder)
    browser = ["chromium"] if any(map(shutil.which, CHROMIUM)) else []
    prints = {name: _case(name, folder) for name in ("ours", "weasyprint", *browser)}
    found = common.in_turn(parts, rounds), common.in_turn(prints, rounds)
    named = [{f"{name}, {count:,}": runs for name, runs in each.items()} for each in found]
    return [
        *common.rows_of("packet", named[0]),
        *common.peaks_of("packet", named[0]),
        *common.rows_of("packet", named[1], f"weasyprint, {count:,}"),
        *common.peaks_of("packet", named[1]),
    ]


def _case(name, *arguments):
    return lambda: common.apart("packet", name, *arguments)


if __name__ == "__main__":
    common.alone(run, DEFAULT, __doc__)

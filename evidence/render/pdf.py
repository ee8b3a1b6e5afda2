"""HTML to PDF/A-3a by WeasyPrint, in a fresh child process with clock, locale, fonts and network closed off.

Why a child: WeasyPrint keeps its memory, and the environment must be ours alone. The child gets an environment of its own
(time zone, locale, ``SOURCE_DATE_EPOCH`` = end of the period, an empty fontconfig), opens no sockets (an audit hook refuses
them), and fetches ``data:`` URLs only, so rendered text can name no file of this machine. A character without a glyph is an
error: it would be unreadable and break PDF/A (6.2.11.4.1). Started as ``python -m evidence.render.pdf``.
"""

import datetime as dt
import gc
import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from evidence.errors import EvidenceError

TIMEOUT: Final = 900  # seconds
_VARIANT: Final = "pdf/a-3a"
_FONTCONFIG: Final = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig></fontconfig>"""
_LIBRARIES: Final = "/opt/homebrew/lib:/usr/local/lib:/usr/lib"  # macOS finds Pango only there


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file embedded in the PDF. ``body`` may be a path, if it is long. ``relationship`` is the AFRelationship of PDF/A-3."""

    name: str
    description: str
    body: bytes | Path
    relationship: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """The unsigned PDF, its number of pages and the versions of what made it."""

    body: bytes
    pages: int
    engines: Mapping[str, str]


class Rendering:
    """A page being laid out by a child of its own; :meth:`finish` gives it the attachments and waits for the PDF.

    The layout, which takes longest, needs no attachment: the caller makes those meanwhile. Use as a context manager: a child
    that is not finished is ended.
    """

    def __init__(self, html: str, day: dt.date) -> None:
        """Begin with fixed dates (the first instant after ``day``)."""
        self._moment = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC) + dt.timedelta(days=1)
        self._folder = tempfile.TemporaryDirectory(prefix="evidence-pdf-")
        scratch = self._scratch = Path(self._folder.name)
        (scratch / "fonts.conf").write_text(_FONTCONFIG)
        (scratch / "page.html").write_text(html)
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "DYLD_FALLBACK_LIBRARY_PATH": _LIBRARIES,
            "PYTHONPATH": ":".join([str(Path(__file__).parents[2]), *(p for p in sys.path if p)]),
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(scratch),
            "XDG_CACHE_HOME": str(scratch),
            "FONTCONFIG_FILE": str(scratch / "fonts.conf"),
            "SOURCE_DATE_EPOCH": str(int(self._moment.timestamp())),
            "TZ": "UTC",
            "LC_ALL": "C.UTF-8",
        }
        self._child = subprocess.Popen(  # noqa: S603 - our own module with our own arguments
            [sys.executable, "-m", "evidence.render.pdf", str(scratch)],
            env=environment,
            cwd=scratch,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child.poll() is None:
            self._child.kill()
        self._child.communicate()
        self._folder.cleanup()

    def finish(self, attachments: Sequence[Attachment]) -> Rendered:
        """Return the PDF with ``attachments``. Raises ``EvidenceError`` with the child's words."""
        (self._scratch / "job.json").write_text(json.dumps(_job(attachments, self._moment, self._scratch)))
        _, errors = self._child.communicate("go\n", timeout=TIMEOUT)
        if self._child.returncode:
            last = (errors.strip().splitlines() or ["no message"])[-1]
            raise EvidenceError(
                f"the PDF did not render: {last}", fix="`evidence doctor` names missing system libraries"
            )
        facts = json.loads((self._scratch / "facts.json").read_text())
        return Rendered((self._scratch / "packet.pdf").read_bytes(), facts["pages"], facts["engines"])


def render(html: str, attachments: Sequence[Attachment], day: dt.date) -> Rendered:
    """Render ``html`` with fixed dates (the first instant after ``day``). Raises ``EvidenceError`` with the child's words."""
    with Rendering(html, day) as rendering:
        return rendering.finish(attachments)


def _job(attachments: Sequence[Attachment], moment: dt.datetime, scratch: Path) -> dict[str, Any]:
    """Return what the child is told; bodies lie beside it, because one in JSON would be there four times."""
    listed = []
    for number, item in enumerate(sorted(attachments, key=lambda a: a.name)):
        path = item.body if isinstance(item.body, Path) else scratch / f"attachment-{number}"
        if isinstance(item.body, bytes):
            path.write_bytes(item.body)
        words = {"name": item.name, "description": item.description, "relationship": item.relationship}
        listed.append({**words, "path": str(path.resolve())})
    return {"moment": moment.isoformat(), "attachments": listed}


class _MissingGlyphs(logging.Handler):
    """Collects WeasyPrint's warnings that would make an unreadable or changed page."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if ".notdef" in message or "Failed to load" in message or "font" in message.lower():
            self.found.append(message)


def _refuse_network(event: str, _: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.getaddrinfo", "socket.bind"}:
        raise PermissionError("rendering opens no sockets")


def _main(folder: Path) -> int:
    sys.addaudithook(_refuse_network)
    gc.disable()  # boxes by the million, nearly none of them garbage: looking for it is a fifth of the time and 4 % of the memory
    from importlib import metadata

    import weasyprint
    from weasyprint.text.ffi import harfbuzz_subset, pango
    from weasyprint.urls import URLFetcher

    if not harfbuzz_subset:
        print("libharfbuzz-subset is missing: fonts would differ from run to run", file=sys.stderr)  # noqa: T201 - child's answer
        return 1
    warnings = _MissingGlyphs()
    logging.getLogger("weasyprint").addHandler(warnings)
    fetcher = URLFetcher(allowed_protocols=("data",))
    html = (folder / "page.html").read_text()
    document = weasyprint.HTML(string=html, url_fetcher=fetcher).render(pdf_variant=_VARIANT)
    if not sys.stdin.readline():
        return 1  # the parent is gone
    job = json.loads((folder / "job.json").read_text())
    moment = dt.datetime.fromisoformat(job["moment"])
    attachments = [
        weasyprint.Attachment(
            file_obj=Path(item["path"]).open("rb"),  # noqa: SIM115 - WeasyPrint reads it when it writes, and this process ends then
            name=item["name"],
            description=item["description"],
            relationship=item["relationship"],
            created=moment,
            modified=moment,
        )
        for item in job["attachments"]
    ]
    document.write_pdf(folder / "packet.pdf", pdf_variant=_VARIANT, attachments=attachments)
    if warnings.found:
        print(f"{len(warnings.found)} warnings, first: {warnings.found[0]}", file=sys.stderr)  # noqa: T201 - child's answer
        return 1
    engines = {
        "weasyprint": weasyprint.__version__,
        "pydyf": metadata.version("pydyf"),
        "pango": str(pango.pango_version()),
    }
    (folder / "facts.json").write_text(json.dumps({"pages": len(document.pages), "engines": engines}))
    return 0


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1])))

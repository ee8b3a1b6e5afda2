"""HTML to PDF/A-3a by WeasyPrint, in a fresh child process with clock, locale, fonts and network closed off.

Why a child: WeasyPrint keeps its memory, and the environment must be ours alone. The child gets an environment of its own
(time zone, locale, ``SOURCE_DATE_EPOCH`` = end of the period, an empty fontconfig), opens no sockets (an audit hook refuses
them), and fetches ``data:`` URLs only, so rendered text can name no file of this machine. A character without a glyph is an
error: it would be unreadable and break PDF/A (6.2.11.4.1). Started as ``python -m evidence.render.pdf``.
"""

import base64
import datetime as dt
import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from evidence.errors import EvidenceError

TIMEOUT: Final = 900  # seconds
_FONTCONFIG: Final = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig></fontconfig>"""
_LIBRARIES: Final = "/opt/homebrew/lib:/usr/local/lib:/usr/lib"  # macOS finds Pango only there


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file embedded in the PDF. ``relationship`` is the AFRelationship of PDF/A-3."""

    name: str
    description: str
    body: bytes
    relationship: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """The unsigned PDF, its number of pages and the versions of what made it."""

    body: bytes
    pages: int
    engines: Mapping[str, str]


def render(html: str, attachments: Sequence[Attachment], day: dt.date) -> Rendered:
    """Render ``html`` with fixed dates (the first instant after ``day``). Raises ``EvidenceError`` with the child's words."""
    moment = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC) + dt.timedelta(days=1)
    with tempfile.TemporaryDirectory(prefix="evidence-pdf-") as folder:
        scratch = Path(folder)
        (scratch / "fonts.conf").write_text(_FONTCONFIG)
        (scratch / "job.json").write_text(json.dumps(_job(html, attachments, moment)))
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "DYLD_FALLBACK_LIBRARY_PATH": _LIBRARIES,
            "PYTHONPATH": ":".join([str(Path(__file__).parents[2]), *(p for p in sys.path if p)]),
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": folder,
            "XDG_CACHE_HOME": folder,
            "FONTCONFIG_FILE": str(scratch / "fonts.conf"),
            "SOURCE_DATE_EPOCH": str(int(moment.timestamp())),
            "TZ": "UTC",
            "LC_ALL": "C.UTF-8",
        }
        command = [sys.executable, "-m", "evidence.render.pdf", folder]
        done = subprocess.run(  # noqa: S603 - our own module with our own arguments
            command, env=environment, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise EvidenceError(
                f"the PDF did not render: {last}", fix="`evidence doctor` names missing system libraries"
            )
        facts = json.loads((scratch / "facts.json").read_text())
        return Rendered((scratch / "packet.pdf").read_bytes(), facts["pages"], facts["engines"])


def _job(html: str, attachments: Sequence[Attachment], moment: dt.datetime) -> dict[str, Any]:
    return {
        "html": html,
        "moment": moment.isoformat(),
        "attachments": [
            {
                "name": item.name,
                "description": item.description,
                "relationship": item.relationship,
                "body": base64.b64encode(item.body).decode(),
            }
            for item in sorted(attachments, key=lambda a: a.name)
        ],
    }


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
    import io
    from importlib import metadata

    import weasyprint
    from weasyprint.text.ffi import harfbuzz_subset, pango
    from weasyprint.urls import URLFetcher

    if not harfbuzz_subset:
        print("libharfbuzz-subset is missing: fonts would differ from run to run", file=sys.stderr)  # noqa: T201 - child's answer
        return 1
    job = json.loads((folder / "job.json").read_text())
    moment = dt.datetime.fromisoformat(job["moment"])
    warnings = _MissingGlyphs()
    logging.getLogger("weasyprint").addHandler(warnings)
    attachments = [
        weasyprint.Attachment(
            file_obj=io.BytesIO(base64.b64decode(item["body"])),
            name=item["name"],
            description=item["description"],
            relationship=item["relationship"],
            created=moment,
            modified=moment,
        )
        for item in job["attachments"]
    ]
    fetcher = URLFetcher(allowed_protocols=("data",))
    options = {"pdf_variant": "pdf/a-3a", "attachments": attachments}
    document = weasyprint.HTML(string=job["html"], url_fetcher=fetcher).render(**options)
    document.write_pdf(folder / "packet.pdf", **options)  # the variant is not remembered from render()
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

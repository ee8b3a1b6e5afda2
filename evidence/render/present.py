"""Is everything there that pages and PDFs are made of: template files, fonts, Pango, and the library that subsets fonts alike each time."""

from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, TemplateError, TemplateSyntaxError, meta

from evidence.errors import ConfigError, EvidenceError
from evidence.render.html import files

WOFF2: Final = b"wOF2"  # W3C WOFF File Format 2.0, section 4.1: the signature of a font
PANGO: Final = "apt-get install libpango-1.0-0 libpangoft2-1.0-0 (macOS: brew install pango)"
SUBSET: Final = "apt-get install libharfbuzz-subset0 (macOS: brew install harfbuzz)"
AGAIN: Final = "install evidence again: the package is not whole"


def check_templates(templates: Path) -> str:
    """Return how many files are there; raise ``ConfigError`` naming the first that is missing, empty or does not parse."""
    environment, names = Environment(loader=FileSystemLoader(templates), autoescape=True), files()
    waiting = list(names)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        body = _body(templates / name)
        if name.endswith(".woff2") and not body.startswith(WOFF2):
            raise ConfigError(f"templates/{name} is no WOFF2 font", fix=AGAIN)
        if name.endswith(".j2"):
            waiting += _named(environment, name, body)
    fonts = sum(name.endswith(".woff2") for name in seen)
    return f"{len(seen)} files, {fonts} fonts among them"


def check_libraries() -> str:
    """Return the versions of WeasyPrint and Pango; raise ``EvidenceError`` with what to install."""
    try:
        import weasyprint
        from weasyprint.text import ffi
    except OSError as exc:
        raise ConfigError(f"Pango does not load: {exc}", fix=PANGO) from exc
    if not ffi.harfbuzz_subset:
        raise ConfigError("libharfbuzz-subset is missing: fonts would differ from run to run", fix=SUBSET)
    return f"WeasyPrint {weasyprint.__version__}, Pango {ffi.pango.pango_version()}, libharfbuzz-subset"


def _body(path: Path) -> bytes:
    try:
        body = path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"templates/{path.parent.name}/{path.name}: {exc.strerror}", fix=AGAIN) from exc
    if not body:
        raise ConfigError(f"templates/{path.parent.name}/{path.name} is empty", fix=AGAIN)
    return body


def _named(environment: Environment, name: str, body: bytes) -> list[str]:
    """Return the templates that one names; raise ``EvidenceError`` where it does not parse."""
    try:
        return [each for each in meta.find_referenced_templates(environment.parse(body.decode())) if each]
    except (TemplateError, UnicodeDecodeError) as exc:
        line = f", line {exc.lineno}" if isinstance(exc, TemplateSyntaxError) else ""
        raise EvidenceError(f"templates/{name}{line} does not parse", fix=AGAIN) from exc

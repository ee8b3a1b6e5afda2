"""Templates to text: the screen edition (one self-contained file, strict policy) and the print edition for the PDF.

Autoescape is on and every printed value passes ``finalize``: invisible characters become visible escapes, in print also
those no bundled font can draw. The policy allows the one script and the one style by their SHA-256 and nothing else:
no network, no ``style`` attributes, no event attributes. The annex (annex.py) is data, which no policy runs.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from evidence.render import annex, explore, sections, text, view
from evidence.render.age import accepted
from evidence.render.inputs import Content
from evidence.render.segments import script_messages, speaking
from evidence.render.words import Phrase, Words, _, join, ngettext

_SCREEN_FONTS: Final = (
    ("Inter", 400, "inter-latin-400-normal.woff2"),
    ("Inter", 600, "inter-latin-600-normal.woff2"),
    ("JetBrains Mono", 400, "jetbrains-mono-latin-400-normal.woff2"),
)
_SCRIPTS: Final = ("annex.js", "drill.js", "reading.js", "packet.js")
_PAGES: Final = ("packet.html.j2", "PROVISIONAL.txt.j2", "VERIFY.md.j2", "verify.sh.j2")
_STATIC_ROWS: Final = 5000  # of all controls together, beside the annex: 97,000 took a browser over a minute to open
_NUMBER: Final = '"Page " counter(page) " of " counter(pages)'  # of print.css
_PRINT_FACES: Final = ("latin", "latin-ext", "greek", "cyrillic")


def files() -> list[str]:
    """Return the name of every file that pages are made of, below the templates: fonts, styles, scripts, pages."""
    scripts = [f"packet/{name}" for name in _SCRIPTS]
    styles = [f"packet/{name}.css" for name in ("common", "screen", "print")]
    printed = [f"fonts/inter-{script}-{weight}-normal.woff2" for script in _PRINT_FACES for weight in (400, 600)]
    printed += [f"fonts/jetbrains-mono-{script}-400-normal.woff2" for script in _PRINT_FACES]
    screen = [f"fonts/{face[2]}" for face in _SCREEN_FONTS]
    return sorted({*printed, *screen, *scripts, *styles, *(f"packet/{name}" for name in _PAGES)})


def render_screen(content: Content, templates: Path) -> bytes:
    """Return ``packet.html``."""
    environment = _environment(templates, content.words, text.escape_invisible, screen=True)
    variables = _variables(content, environment)
    faces = "".join(_face(templates / "fonts", *face) for face in _SCREEN_FONTS)
    brand = content.looks.brand
    style = faces + _source(templates, "packet/common.css") + _source(templates, "packet/screen.css")
    style += brand.style(screen=True) + _hyphens(content.words) + _foot(content)
    script = "".join(_source(templates, f"packet/{name}") for name in _SCRIPTS)
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; font-src data:; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    page = environment.get_template("packet/packet.html.j2").render(
        **variables,
        edition="screen",
        cap=min(content.report.html_rows, max(10, _STATIC_ROWS // max(1, len(content.controls)))),
        policy=policy,
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        explore=explore.build(content),
        record=annex.first_records(content),
        wording=_wording(content.words, script),
        annex={name: Markup(block) for name, block in annex.blocks(content).items()},  # noqa: S704 - base64
    )
    return page.encode()


def render_print(content: Content, templates: Path) -> str:
    """Return the HTML that the PDF is made of."""
    fonts = templates / "fonts"
    coverage = text.font_coverage(fonts)
    environment = _environment(templates, content.words, lambda value: text.escape_uncovered(value, coverage))
    style = _print_faces(fonts) + _settled(
        _source(templates, "packet/common.css")
        + _numbered(_source(templates, "packet/print.css"), content.words)
        + content.looks.brand.style(screen=False)
        + _hyphens(content.words)
    )
    return environment.get_template("packet/packet.html.j2").render(
        **_variables(content, environment),
        edition="print",
        cap=content.report.pdf_rows,
        policy="",
        style=Markup(style),  # noqa: S704 - our own file
        script="",
        wording="",
        explore=None,
        record=None,
    )


def render_text(content: Content, templates: Path, name: str) -> bytes:
    """Return a plain text file of the packet, ``VERIFY.md`` or ``verify.sh``."""
    environment = _environment(templates, content.words, text.escape_invisible)
    environment.autoescape = False
    return environment.get_template(f"packet/{name}").render(c=content).encode()


def _environment(templates: Path, words: Words, clean: Callable[[str], str], *, screen: bool = False) -> Environment:
    def finalize(value: Any) -> Any:
        if isinstance(value, Markup):
            return value
        return clean(str(words.say(value))) if isinstance(value, str) else value

    def said(value: str) -> Any:
        return words.word(value)

    environment = Environment(
        extensions=[speaking(lambda _line, message: words.of(message))] if words.own else [],
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= {"screen": screen, "_": _, "ngettext": ngettext}  # macros see no other variable of the page
    environment.filters |= {
        "n": text.number,
        "day": text.day,
        "short": text.short,
        "words": text.status_words,
        "said": said,
        "join": _join,
        "ticks": lambda value: _ticks(clean(value)),
        "accepted": accepted,
        "unbroken": lambda value: _unbroken(clean(value)),
        "known": text.known_as,
    }
    return environment


def _join(parts: Iterable[Any], between: str = "") -> Phrase:
    """Join as Jinja does; what is joined keeps its message, and is escaped when it is printed."""
    return join(between, (part if isinstance(part, str) else str(part) for part in parts))


def _ticks(value: str) -> Markup:
    """Return a control's sentence with what stands between backticks as code; all of it is escaped first."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(_unbroken(value))))  # noqa: S704 - escaped


def _unbroken(value: str) -> Markup:
    """Return an item, a sentence or SQL with its arrows kept in one piece; all of it is escaped first."""
    arrows = re.sub("-&gt;|&lt;-", r'<span class="whole">\g<0></span>', str(escape(value)))
    return Markup(arrows)  # noqa: S704 - escaped


def _variables(content: Content, environment: Environment) -> dict[str, Any]:
    built = view.build(content)
    more = sections.build(content, [*built["controls"], *built["reliability"]])
    environment.globals |= {"paged": more["paged"], "matrixed": "matrix" in more["shown"]}  # for macros
    return built | more | {"wording_said": content.looks.said()}


def _source(templates: Path, name: str) -> str:
    return (templates / name).read_text(encoding="utf-8")


def _foot(content: Content) -> str:
    """Return the running foot of the page printed from a browser: a loose sheet says of which packet it is."""
    packet, font = json.dumps(content.packet_id), "font:8pt Inter;color:#5a6675"
    feet = f"@bottom-left{{content:{packet};{font}}}@bottom-right{{content:{_NUMBER};{font}}}"
    return _numbered(f"@page{{{feet}}}", content.words)


def _numbered(style: str, words: Words) -> str:
    """Return the style with the page's number in its wording; a style sheet has no other words."""
    said = str(words.say(_("Page {page} of {pages}", page="\0", pages="\1")))
    quoted = (
        json.dumps(said, ensure_ascii=False)
        .replace("\\u0000", '" counter(page) "')
        .replace("\\u0001", '" counter(pages) "')
    )
    return style.replace(_NUMBER, quoted.removesuffix(' ""').removeprefix('"" '))


def _hyphens(words: Words) -> str:
    """Columns are as wide as English needs: longer words of another language are parted by its own rules."""
    return ".grid th,.tile-w,.badge,.facts th{hyphens:auto;hyphenate-character:'-'}\n" if words.own else ""


def _wording(words: Words, script: str) -> Markup | str:
    """Return what the script says otherwise, as JSON that is data on the page; empty if nothing."""
    found = words.among(script_messages(script)) if words.own else {}
    body = json.dumps(found, ensure_ascii=False, sort_keys=True).replace("<", "\\u003c")
    return Markup(body) if found else ""  # noqa: S704 - no markup without <


def _settled(style: str) -> str:
    """Return the style with its variables put in: WeasyPrint would work each of them out for each element."""
    values = dict(re.findall(r"(--[\w-]+):([^;}]+)", style))
    return re.sub(r"var\((--[\w-]+)\)", lambda found: values[found.group(1)], style)


def _hash(body: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()


def _print_faces(fonts: Path) -> str:
    """All faces; one family per script, because faces of one family and weight would replace each other in print."""
    inter = [
        _face(
            fonts, "Inter" if script == "latin" else f"Inter {script}", weight, f"inter-{script}-{weight}-normal.woff2"
        )
        for script in _PRINT_FACES
        for weight in (400, 600)
    ]
    mono = [
        _face(
            fonts,
            "JetBrains Mono" if script == "latin" else f"JetBrains Mono {script}",
            400,
            f"jetbrains-mono-{script}-400-normal.woff2",
        )
        for script in _PRINT_FACES
    ]
    return "".join(inter + mono)


def _face(fonts: Path, family: str, weight: int, file: str) -> str:
    data = base64.b64encode((fonts / file).read_bytes()).decode()
    return (
        f"@font-face{{font-family:'{family}';font-weight:{weight};font-style:normal;"
        f"src:url(data:font/woff2;base64,{data}) format('woff2')}}\n"
    )

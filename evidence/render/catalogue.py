"""All user text of a packet in one list: what ``templates/packet.pot`` holds and a wording may say otherwise (decision 0191).

Sentences of templates are found by themselves (``segments``), those of Python and JavaScript by their marks, titles of reports by key.
Babel's own extractors read the two languages. Entries carry the files they are in, no lines: the list changes when a text does.
"""

import io
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import write_po
from jinja2 import Environment, FileSystemLoader
from jinja2.ext import extract_from_ast

from evidence.render.segments import messages

FILE: Final = "packet.pot"
_MARKS: Final[Any] = {"_": None, "N_": None, "ngettext": (1, 2)}
_SPOKEN: Final = (
    "VERIFY.md.j2",
    "PROVISIONAL.txt.j2",
)  # of the text files; verify.sh is a program, and no wording writes one
_HEADER: Final = """\
# The texts of a packet, as scripts/catalogue.py finds them. A wording starts from a copy of it: docs/formats/wording.md.
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""
Message = str | tuple[str, str]


def catalogue(content: Path, package: Path) -> Catalog:
    """Return the catalogue of the templates and reports below ``content`` and of the modules below ``package``."""
    made = Catalog(fuzzy=False)
    found: dict[Message, set[str]] = {}
    for file, message in _texts(content, package):
        found.setdefault(message, set()).add(file)
    for message, files in sorted(found.items(), key=lambda item: (min(item[1]), str(item[0]))):
        made.add(message, locations=[(file, 0) for file in sorted(files)])
    return made


def pot(found: Catalog) -> bytes:
    """Return ``packet.pot``: the same texts give the same bytes."""
    out = io.BytesIO()
    write_po(out, found, width=120, include_lineno=False, omit_header=True)
    return _HEADER.encode() + out.getvalue()


def _texts(content: Path, package: Path) -> Iterator[tuple[str, Message]]:
    packet = content / "templates" / "packet"
    environment = Environment(
        loader=FileSystemLoader(content / "templates"), trim_blocks=True, lstrip_blocks=True, autoescape=True
    )
    environment.filters |= dict.fromkeys(("n", "day", "short", "words", "said"), str)
    for path in sorted((*packet.glob("*.html.j2"), *(packet / name for name in _SPOKEN))):
        source = path.read_text(encoding="utf-8")
        name = f"templates/packet/{path.name}"
        yield from ((name, message) for _line, message in messages(environment, source, path.name))
        tree = environment.parse(source, path.name)
        for _line, _function, message in extract_from_ast(tree, ("_", "ngettext")):
            yield name, _spelled(message)
    for path in sorted(packet.glob("*.js")):
        yield from _marked("javascript", path, f"templates/packet/{path.name}")
    for path in sorted((package / "render").glob("*.py")):
        yield from _marked("python", path, f"evidence/render/{path.name}")
    for path in sorted((content / "reports").glob("*.toml")):
        report = tomllib.loads(path.read_text(encoding="utf-8"))
        yield from ((f"reports/{path.name}", report[key]) for key in ("title", "subtitle"))


def _marked(language: str, path: Path, name: str) -> Iterator[tuple[str, Message]]:
    with path.open("rb") as file:
        for _line, message, _comments, _context in extract(language, file, _MARKS):
            yield name, _spelled(message)


def _spelled(message: Any) -> Message:
    if isinstance(message, str):
        return message
    found = [each for each in message if isinstance(each, str)]
    return (found[0], found[1]) if len(found) > 1 else found[0]

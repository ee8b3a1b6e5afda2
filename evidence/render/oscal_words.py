"""The small parts of an OSCAL document: ids, properties, tokens, text that is safe where Markdown is read. Pure.

Data types are those of NIST's OSCAL 1.2.3 JSON schema: a *token* begins with a letter, a *string* has no line break and no
blank at either end, *markup* is Markdown. Text from evidence goes into property values, which nobody renders; where it
must stand in markup its marks are escaped.
"""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Final
from uuid import UUID, uuid5

from evidence.errors import MalformedError
from evidence.render.inputs import Catalogue
from evidence.render.text import escape_invisible
from evidence.snapshot import canonical
from evidence.snapshot.model import start_of

OSCAL_VERSION: Final = "1.2.3"
NAMESPACE: Final = UUID("88b24abd-4540-44d1-979d-516c472d5081")  # of our ids, chosen once, never changed
NS: Final = f"urn:uuid:{NAMESPACE}"  # of our property names, docs/formats/oscal.md
_MARKS: Final = re.compile(r"([\\`*_~^\[\]{}#|])")
_NO_TOKEN: Final = re.compile(r"[^A-Za-z0-9.-]+")


def identify(*names: object) -> str:
    """Return the id of what ``names`` name: the same names, the same id, in every packet."""
    return str(uuid5(NAMESPACE, canonical.encode([_encodable(str(name)) for name in names]).decode()))


def _encodable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()  # lone surrogates


def prop(name: str, value: object, **more: str) -> dict[str, Any]:
    """Return a property in our namespace; ``more`` may hold remarks or class."""
    return {"name": name, "ns": NS, "value": plain(value), **more}


def props(values: Mapping[str, object]) -> list[dict[str, Any]]:
    """Return a property for each value that is not empty; 0 is not empty."""
    return [prop(name, value) for name, value in values.items() if value not in {"", None}]


def plain(value: object) -> str:
    r"""Spell a value as an OSCAL string: line breaks and what cannot be seen as ``\u{…}``, the same for blanks at either end."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = re.sub(r"[\n\t\r]", _visible, escape_invisible(str(value)))
    return re.sub(r"^\s|\s$", _visible, text) or "(empty)"


def _visible(found: re.Match[str]) -> str:
    return f"\\u{{{ord(found[0]):04X}}}"


def markup(text: str) -> str:
    """Return text as Markdown that shows just this text, and no element where it is taken for HTML."""
    return escape(_MARKS.sub(r"\\\1", escape_invisible(text)), quote=False).replace("\t", " ")


def line(text: str) -> str:
    """Return one line of Markdown that shows ``text``."""
    return " ".join(markup(text).split()) or "(empty)"


def moment(day: dt.date) -> str:
    """Return the first instant of a UTC day."""
    return canonical.format_time(start_of(day))


def latest(times: Iterable[str], otherwise: str) -> str:
    """Return the latest of the times that are spelled as ours; ``otherwise`` where there is none."""
    return max((each for each in times if _is_time(each)), default=otherwise)


def _is_time(text: str) -> bool:
    try:
        canonical.parse_time(text)
    except MalformedError:
        return False
    return True


def tokens(catalogue: Catalogue) -> dict[str, str]:
    """Return a token per requirement id: ``164.308(a)(1)`` of hipaa is ``hipaa-164.308_a_1``; two ids never share one."""
    made = {each.id: token(f"{catalogue.id}-{each.id}") for each in catalogue.requirements}
    owners: dict[str, set[str]] = {}
    for name, short in made.items():
        owners.setdefault(short, set()).add(name)
    return {n: s if len(owners[s]) == 1 else f"{s}-{identify(catalogue.id, n)[:8]}" for n, s in made.items()}


def token(text: str) -> str:
    """Spell ``text`` as an OSCAL token."""
    short = _NO_TOKEN.sub("_", text).rstrip("_")
    return short if short[:1].isalpha() else f"_{short}"

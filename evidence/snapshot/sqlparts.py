"""The parts of scrubbed SQL, for those who read it once more: ``sqlverb`` and ``sqlshape``."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from evidence.snapshot.words import sql_words

_PART = re.compile(
    r"""(?P<gap>/\*\?\*/) | (?P<uri>//\?) | (?P<stage>@(?:[\w.%~$]|"[^"]*")*(?:/\?)?) | (?P<literal>'[^']*\?') | (?P<number>\?)
    | (?P<quoted>"(?:[^"]|"")*") | (?P<word>[A-Za-z_][\w$]*) | (?P<variable>\$\w+) | (?P<operator>[=<>!:|-]*[=<>]+) | (?P<mark>\S)""",
    re.VERBOSE,
)


class RefusedError(Exception):
    """The text does not read like SQL; the caller hashes it. Raised and caught within this package."""


class Part(NamedTuple):
    """One element of scrubbed text: its kind, the text in lower case, where it stands."""

    kind: str  # uri, stage, literal, number, quoted, word, variable, operator, mark; end: there is none
    low: str
    start: int
    end: int


END: Final = Part("end", "", 0, 0)


def read(out: str) -> list[Part]:
    """Return the parts of ``out``, comments and white space left out."""
    found = _PART.finditer(out)
    return [Part(m.lastgroup or "", m[0].lower(), m.start(), m.end()) for m in found if m.lastgroup != "gap"]


def at(parts: Sequence[Part], n: int) -> Part:
    """Return a part, or ``END`` where there is none."""
    return parts[n] if 0 <= n < len(parts) else END


def is_name(part: Part) -> bool:
    """Say whether a part is a bare word that SQL itself does not use."""
    return part.kind == "word" and part.low not in sql_words()


def path(parts: Sequence[Part], n: int) -> int:
    """Return the index after a dotted name, ``IDENTIFIER(…)`` or a variable that begins at ``n``; ``n`` if there is none."""
    if at(parts, n).low in {"identifier", "table"} and at(parts, n + 1).low == "(":
        return n + 4 if at(parts, n + 3).low == ")" else n
    end = n
    while at(parts, end).kind in {"word", "quoted", "variable", "number"}:
        end += 1
        if at(parts, end).low != ".":
            return end
        while at(parts, end).low == ".":
            end += 1
    return n

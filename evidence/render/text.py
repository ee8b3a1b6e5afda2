"""Words for people: visible escapes for what cannot be printed honestly, short digests, dates, and the words lint."""

import datetime as dt
import re
import tomllib
import unicodedata
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from functools import cache
from html import unescape
from pathlib import Path
from typing import Final

WORDS_FILE: Final = "words.toml"
_STATUS: Final = {
    "satisfied": "no exceptions",
    "not-satisfied": "exceptions",
    "not-assessed": "not assessed",
    "not-applicable": "not applicable",
}
_FRAMEWORKS: Final = {"hipaa": "HIPAA", "soc2": "SOC 2"}
_QUOTED: Final = re.compile(r"<(\w+)[^>]*\bdata-quoted\b[^>]*>.*?</\1>", re.DOTALL)
_CODE: Final = re.compile(r"<(style|script|title)\b.*?</\1>", re.DOTALL)
_TWICE: Final = re.compile(r"^([a-z-]+): \1: ")
_SLUG: Final = re.compile(r"(?:^|(?<=[:;] ))(missing-evidence|before-coverage|pending-review|control-error)(?=:|$)")
_TAG: Final = re.compile(r"<[^>]+>")


def escape_invisible(text: str) -> str:
    r"""Replace control, format (bidi), surrogate and private characters by ``\\u{…}``: nobody reads what is not there."""
    if text.isprintable():  # none of those categories; nearly all text, and many times quicker
        return text
    return "".join(_visible(char) if _invisible(char) else char for char in text)


def escape_uncovered(text: str, coverage: AbstractSet[int]) -> str:
    """Also replace characters no bundled font can draw; the raw value stays in ``findings.json``."""
    return "".join(
        _visible(char) if _invisible(char) or (ord(char) not in coverage and char != "\n") else char for char in text
    )


def _invisible(char: str) -> bool:
    return char not in "\n\t" and unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _visible(char: str) -> str:
    return f"\\u{{{ord(char):04X}}}"


@cache
def font_coverage(fonts: Path) -> frozenset[int]:
    """Return the code points the bundled faces can draw."""
    from fontTools.ttLib import TTFont

    found: set[int] = set()
    for file in sorted(fonts.glob("*.woff2")):
        with TTFont(file, lazy=True) as font:
            found |= set(font.getBestCmap())
    return frozenset(found)


def status_words(status: str) -> str:
    """Return what people read for one night's status."""
    return _STATUS[status]


def reason_once(value: str) -> str:
    """Return ``incomplete: incomplete: …``, a reason before a detail that begins with it, with the reason said once and in words."""
    return _SLUG.sub(lambda found: found.group().replace("-", " "), _TWICE.sub(r"\1: ", value, count=1))


def day(value: dt.date | None) -> str:
    """Spell a date ``2026-07-01``; empty for None."""
    return value.isoformat() if value else ""


def known_as(framework: str) -> str:
    """Return how people call a framework, by its id."""
    return _FRAMEWORKS.get(framework, framework.upper())


def parameter_text(value: object) -> str:
    """Spell the value of a control's parameter as a packet prints it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def parameter_shown(value: object) -> str:
    """Spell the value of a control's parameter for reading: a count with separators."""
    return number(value) if isinstance(value, int) and not isinstance(value, bool) else parameter_text(value)


def number(value: int) -> str:
    """Spell a count with thousands separated by a comma."""
    return f"{value:,}"


def short(digest: str) -> str:
    """Return the first 16 hex digits of a digest; the whole one is in ``evidence-digests.json``."""
    return digest[:16]


def forbidden_words(html: str, templates: Path) -> Iterator[str]:
    """Yield ``word: context`` for each word a packet must not say (auditor-rules section 1, ``templates/words.toml``).

    Text inside elements marked ``data-quoted`` is not ours: titles of requirements, management's words, SQL, values.
    """
    rules = tomllib.loads((templates / WORDS_FILE).read_text(encoding="utf-8"))
    text = _CODE.sub(" ", html)
    while text != (text := _QUOTED.sub(" ", text)):
        pass
    text = re.sub(r"\s+", " ", unescape(_TAG.sub(" ", text)))
    for phrase in rules["allowed"]:
        text = re.sub(re.escape(phrase), " ", text, flags=re.IGNORECASE)
    for rule in rules["forbidden"]:
        for found in re.finditer(rule["pattern"], text, re.IGNORECASE):
            yield f"{rule['word']}: …{text[max(0, found.start() - 40) : found.end() + 40]}…"

"""A workspace's wording: a gettext file that says the catalogue's messages in another language, or in other words (decision 0191).

A wording changes words and nothing else. Values, elements, file names and commands of a message stay; the four words for a conclusion
stay apart from each other, and in English stay as they are; the words lint holds; every character is one that the bundled fonts draw.
What breaks one of these is refused with its file and entry. What a wording does not have stays English.
"""

import gettext
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from babel.core import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog
from babel.messages.catalog import Message as Entry
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po

from evidence.errors import ConfigError
from evidence.render.catalogue import FILE
from evidence.render.frame import fault, prose
from evidence.render.text import escape_uncovered, font_coverage, forbidden_words
from evidence.render.words import CONCLUSIONS, Words
from evidence.snapshot.canonical import sha256_hex

MOST: Final = 1 << 20  # bytes of a wording
_LONGEST: Final = 6  # times the message: what is longer is no wording of it
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*\Z")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}\.po\Z")
_RIGHT_TO_LEFT: Final = frozenset({"ar", "fa", "he", "ur", "yi", "ps", "sd", "ug", "dv", "ckb"})
_STEPS: Final = "docs/formats/wording.md says what a wording may change"
_NOT_WORDED: Final = frozenset({"PROVISIONAL", "DRAFT", "DEMONSTRATION KEYS"})


def load(body: bytes, file: str, language: str, templates: Path) -> Words:
    """Return the wording ``body``, of ``file``, in ``language`` (a tag such as ``de``).

    Raises ``ConfigError`` naming the file and the first entry that is refused, and why.
    """
    locale = _locale(language, file)
    if not _NAME.match(Path(file).name):
        raise ConfigError(
            f"{file}: the packet carries it by its name", fix='name it with letters, digits and ".po": de.po'
        )
    known = _parsed((templates / FILE).read_bytes(), FILE, None)
    if len(body) > MOST:
        raise ConfigError(f"{file} has {len(body)} bytes", fix=f"a wording has {MOST} at most")
    found = _parsed(body, file, locale)
    coverage = font_coverage(templates / "fonts")
    ids = {_key(entry): entry for entry in known if entry.id}
    said: dict[str, str] = {}
    bare = Catalog(locale=locale)
    for entry in found:
        if not entry.id or not any(_strings(entry)):
            continue
        if entry.fuzzy:
            _refuse(file, entry, "is marked fuzzy", "look at it, and take the mark away")
        if _key(entry) not in ids:
            _refuse(
                file,
                entry,
                "is no text of this release",
                "take the entry out, or take its new text from templates/packet.pot",
            )
        for message, string in zip(_messages(entry, found.num_plurals), _strings(entry), strict=True):
            _check(file, entry, message, string, templates, coverage)
        bare.add(entry.id, string=entry.string)
        said[_key(entry)] = _strings(entry)[0]
    _check_conclusions(file, language, said)
    return Words(
        language=language.replace("_", "-"),
        file=Path(file).name,
        sha256=sha256_hex(body),
        changed=len(said),
        total=len(ids),
        conclusions=tuple((word, said.get(word, word)) for word in CONCLUSIONS),
        translations=_compiled(bare),
    )


def _locale(language: str, file: str) -> Locale:
    steps = 'write [packet] language = "de", or another tag of a language'
    if not _LANGUAGE.match(language):
        raise ConfigError(f"[packet] language = {language!r} is no tag of a language, and {file} is of one", fix=steps)
    if language.replace("_", "-").split("-")[0] in _RIGHT_TO_LEFT:
        raise ConfigError(f"[packet] language = {language!r}: pages are laid out from left to right", fix=steps)
    try:
        return Locale.parse(language, sep="-" if "-" in language else "_")
    except (ValueError, UnknownLocaleError) as exc:
        raise ConfigError(f"[packet] language = {language!r} is not known", fix=steps) from exc


def _parsed(body: bytes, file: str, locale: Locale | None) -> Catalog:
    try:
        body.decode("utf-8")
        return read_po(io.BytesIO(body), locale=locale, abort_invalid=True)
    except (PoFileError, UnicodeDecodeError, ValueError, IndexError) as exc:
        raise ConfigError(
            f"{file} does not parse as a gettext file: {exc}", fix="msgfmt --check names the line"
        ) from exc


def _compiled(found: Catalog) -> gettext.GNUTranslations:
    out = io.BytesIO()
    write_mo(out, found)
    out.seek(0)
    return gettext.GNUTranslations(out)


def _key(entry: Entry) -> str:
    return entry.id if isinstance(entry.id, str) else entry.id[0]


def _strings(entry: Entry) -> list[str]:
    return [entry.string] if isinstance(entry.string, str) else [each or "" for each in entry.string or ()]


def _messages(entry: Entry, forms: int) -> list[str]:
    """Return the English that each string of an entry stands for: all plural forms but the first for the plural."""
    if isinstance(entry.id, str):
        return [entry.id]
    one, many = entry.id[0], entry.id[1]
    return [one if form == 0 and forms > 1 else many for form in range(len(_strings(entry)))]


def _check(file: str, entry: Entry, message: str, said: str, templates: Path, coverage: Any) -> None:
    if not said.strip():
        _refuse(file, entry, "lacks a plural form", "translate every form, or none")
    if why := fault(message, said):
        _refuse(file, entry, why, "keep every {name}, element, file name and command of the original")
    if (shown := escape_uncovered(said, coverage)) != said or "\t" in said:
        _refuse(
            file, entry, f"has a character that no bundled font draws, or that nobody sees: {shown[:60]}", "take it out"
        )
    if len(said) > _LONGEST * len(message) + 40:
        _refuse(file, entry, "is many times as long as the original", "say it in fewer words")
    if lacking := [mark for mark in _NOT_WORDED if mark in message and mark not in said]:
        _refuse(file, entry, f"lacks {lacking[0]}", "marks stand on every page as they are")
    if lint := next(forbidden_words(prose(said), templates), ""):
        _refuse(file, entry, f"says what a packet must not: {lint}", "templates/words.toml has what to say instead")


def _check_conclusions(file: str, language: str, said: Mapping[str, str]) -> None:
    """Words for a conclusion may be translated, not exchanged: a wording must not make a pass of a failure."""
    words = {word: said.get(word, word) for word in CONCLUSIONS}
    if len({each.casefold() for each in words.values()}) < len(words):
        raise ConfigError(f"{file}: two conclusions have one word", fix=f"keep apart: {', '.join(CONCLUSIONS)}")
    if language.split("-", maxsplit=1)[0].split("_", maxsplit=1)[0] == "en" and (
        changed := [w for w, mine in words.items() if mine != w]
    ):
        raise ConfigError(
            f"{file}: {changed[0]!r} is a word for a conclusion",
            fix="an English wording keeps the words for conclusions",
        )


def _refuse(file: str, entry: Entry, why: str, fix: str) -> None:
    where = f"{file}, line {entry.lineno}" if entry.lineno else file
    raise ConfigError(f"{where}: the text for {_key(entry)[:80]!r} {why}", fix=f"{fix}; {_STEPS}")

"""Official requirement text that a user brings: from an eCFR XML file, or from a licensed file of their own. Pure.

The library ships none (``docs/decisions/0173``). An eCFR file is what ecfr.gov publishes for a title or a part: ``DIV8 TYPE="SECTION"``
with ``P`` paragraphs whose designations, ``(a)(1)(i)``, place them; a paragraph goes to the most specific requirement that it stands under.
"""

import csv
import io
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from xml.etree import ElementTree as ET

from evidence.errors import ControlError
from evidence.snapshot import canonical

FORMAT: Final = "evidence-texts-v1"
MAX_BYTES: Final = 256 << 20  # a whole title of the CFR is some tens of MB
Kind = Literal["ecfr-xml", "csv", "toml", "json"]
_LEVELS: Final = ("letter", "number", "roman", "capital", "italic number", "italic roman")
_ITALIC: Final = "\x01"  # before a designation in italics: the fifth and sixth level, (1) and (i), are printed so
_MARKS: Final = re.compile(r"\s*\((\x01?(?:[a-z]{1,5}|[A-Z]{1,2}|\d{1,3}))\)")
_TO: Final = re.compile(r"\s*(?:-|\u2013|\u2014|through)\s*(?=\()")
_AFTER_HEADING: Final = re.compile(r"\s*[.:]?\s*[-\u2013\u2014]?\s*(?=\()")  # (b) Heading\u2014(1) Further heading.
# What stands inside a section and is not its text: notes of the editors and of amendments, footnotes, sources.
_BESIDE: Final = frozenset(
    {"EDNOTE", "EFFDNOT", "EFFDNOTP", "CROSSREF", "XREF", "FTNT", "SECAUTH", "CITA", "AUTH", "SOURCE", "APPRO"}
)
_ROMANS: Final = tuple(
    tens + ones
    for tens in ("", "x", "xx", "xxx", "xl")
    for ones in ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix")
)
_FIX: Final = "docs/formats/texts.md says what a file looks like"


@dataclass(frozen=True, slots=True)
class Texts:
    """Text by requirement of one framework, and where it came from."""

    framework: str
    kind: Kind
    file: str
    file_sha256: str
    edition: str
    imported_at: str
    note: str
    texts: Mapping[str, str]

    def to_bytes(self) -> bytes:
        """Return the canonical bytes that are kept and sealed."""
        return canonical.encode({"format": FORMAT, **{name: getattr(self, name) for name in self.__slots__}})

    @classmethod
    def from_bytes(cls, body: bytes, what: str) -> "Texts":
        """Parse :meth:`to_bytes`. Raises ``MalformedError`` or ``ControlError``."""
        value = canonical.decode(body, what=what)
        if not isinstance(value, dict) or value.pop("format", None) != FORMAT or set(value) != set(cls.__slots__):
            raise ControlError(f"{what} is no file of imported text", fix="import it again")
        return cls(**value)


def kind_of(name: str) -> Kind:
    """Return how a file is read, by its ending. Raises ``ControlError``."""
    kinds: Mapping[str, Kind] = {".xml": "ecfr-xml", ".csv": "csv", ".toml": "toml", ".json": "json"}
    ending = name[name.rfind(".") :].lower() if "." in name else ""
    if ending not in kinds:
        raise ControlError(f"{name}: neither .xml, .csv, .toml nor .json", fix=_FIX)
    return kinds[ending]


def read_texts(body: bytes, kind: Kind, ids: Sequence[str], what: str) -> tuple[dict[str, str], str]:
    """Return the text of those ``ids`` that the file has, and the edition it states. Raises ``ControlError`` naming what is wrong."""
    if len(body) > MAX_BYTES:
        raise ControlError(f"{what} has {len(body)} bytes, over {MAX_BYTES}", fix="download the part alone")
    try:
        if kind == "ecfr-xml":
            found, edition = _ecfr(body, ids, what)
        else:
            given, edition = _given(body, kind), ""
            found = {name: given[name] for name in ids if given.get(name, "").strip()}
    except (ValueError, KeyError, TypeError, AttributeError, ET.ParseError, csv.Error, RecursionError) as exc:
        raise ControlError(f"{what} cannot be read as {kind}: {exc}", fix=_FIX) from exc
    if not found:
        raise ControlError(f"{what} has text of no requirement of the framework", fix=_FIX)
    return {name: _tidy(text) for name, text in found.items()}, edition


def _given(body: bytes, kind: Kind) -> dict[str, str]:
    """Return id -> text of a licensed file; an id that stands twice with other text is an error."""
    text = body.decode("utf-8-sig")
    rows: Iterable[tuple[Any, Any]]
    if kind == "csv":
        rows = [(row["id"], row["text"]) for row in csv.DictReader(io.StringIO(text))]
    else:
        value = tomllib.loads(text) if kind == "toml" else json.loads(text)
        if isinstance(value, dict) and isinstance(value.get("texts"), dict | list):
            value = value["texts"]
        rows = value.items() if isinstance(value, dict) else [(row["id"], row["text"]) for row in value]
    found: dict[str, str] = {}
    for name, each in rows:
        if not isinstance(name, str) or not isinstance(each, str):
            raise ValueError(f"{name!r}: id and text are texts")  # noqa: TRY004 - one kind of error
        if found.setdefault(name.strip(), each) != each:
            raise ValueError(f"{name} stands twice")
    return found


def _ecfr(body: bytes, ids: Sequence[str], what: str) -> tuple[dict[str, str], str]:
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise ControlError(f"{what} declares a document type", fix="download the XML from ecfr.gov again")
    root = ET.fromstring(body)  # noqa: S314 - no document type, hence no entities
    wanted = {name: _path(name) for name in ids}
    sections = {section for section, _ in wanted.values()}
    parts: dict[str, list[str]] = {}
    for section in root.iter("DIV8"):
        number = (section.get("N") or "").replace("§", "").strip()
        if section.get("TYPE") == "SECTION" and number in sections:
            mine = {path: name for name, (where, path) in wanted.items() if where == number and path is not None}
            for path, text in _paragraphs(section, f"{what}: section {number}"):
                owner = _owner(path, mine)
                if owner is not None and text:
                    parts.setdefault(owner, []).append(text.replace(_ITALIC, ""))
    amended = root.findtext(".//AMDDATE") or ""
    return {name: "\n".join(texts) for name, texts in parts.items()}, " ".join(amended.split())


def _owner(path: tuple[str, ...], mine: Mapping[tuple[str, ...], str]) -> str | None:
    """Return the most specific requirement above a paragraph.

    A section that is listed by parts gets what stands before them: text of parts that the framework does not list is left out.
    """
    for size in range(len(path), 0, -1):
        if path[:size] in mine:
            return mine[path[:size]]
    leads = len(path) == 1 and any(other[:1] == path for other in mine)
    return mine.get(()) if not path or leads or len(mine) == 1 else None


def _path(name: str) -> tuple[str, tuple[str, ...] | None]:
    """Split ``164.312(a)(2)(i)`` into section and designations; an id with more than these has no place in a section."""
    section, _, rest = name.partition("(")
    marks = tuple(re.findall(r"\(([^()]+)\)", f"({rest}")) if rest else ()
    whole = section + "".join(f"({mark})" for mark in marks) == name
    return section, marks if whole and re.fullmatch(r"[\d.]+[a-z]?", section) else None


def _paragraphs(section: ET.Element, what: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield each paragraph with its place; a heading in italics before a further designation is a paragraph of the outer place."""
    place = _Place(what)
    for paragraph in _printed(section):
        text = _plain(paragraph)
        marks, rest = _leading(text)
        if not marks:
            if len(paragraph) and paragraph[0].tag == "I" and not (paragraph.text or "").strip():
                place.reset()  # a term that is defined stands in the section itself
            yield place.path, text
            continue
        outer = place.move(marks)
        heading = _heading(paragraph)
        tail = _AFTER_HEADING.sub("", rest[len(heading) :], count=1) if heading and rest.startswith(heading) else ""
        inner, after = _leading(tail)
        if inner:
            yield outer, f"{_spelled(marks)} {heading}"
            yield place.move(inner), f"{_spelled(inner)} {after}"
        else:
            yield outer, text


def _printed(element: ET.Element) -> Iterator[ET.Element]:
    """Yield the paragraphs of a section, without those of notes that are not its text."""
    for child in element:
        if child.tag in {"P", "FP"}:
            yield child
        elif child.tag not in _BESIDE:
            yield from _printed(child)


def _plain(element: ET.Element) -> str:
    """Return the words of an element, one space between them; a designation in italics is marked."""
    words = [element.text or ""]
    for child in element:
        inner = "".join(child.itertext())
        mark = child.tag in {"I", "E"} and words[-1].endswith("(") and re.fullmatch(r"\w{1,5}", inner.strip())
        words += [_ITALIC + inner.strip() if mark else inner, child.tail or ""]
    return " ".join("".join(words).split())


def _heading(paragraph: ET.Element) -> str:
    """Return the first words in italics, where they follow the designation."""
    for child in paragraph:
        if child.tag in {"I", "E"} and not re.fullmatch(r"[\w]{1,5}", _plain(child)):
            return _plain(child)
    return ""


def _leading(text: str) -> tuple[tuple[str, ...], str]:
    """Return the designations a text begins with, the last of a range, and the rest."""
    marks: list[str] = []
    at = 0
    while match := _MARKS.match(text, at):
        span = _TO.match(text, match.end())
        if span is None:
            marks.append(match[1])
        at = span.end() if span else match.end()
    return tuple(marks), text[at:].strip()


def _spelled(marks: Sequence[str]) -> str:
    return "".join(f"({mark.removeprefix(_ITALIC)})" for mark in marks)


class _Place:
    """Where we are in a section: designations follow one another, or go one level down from their first."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._stack: list[tuple[int, str]] = []  # level, designation

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(mark.removeprefix(_ITALIC) for _, mark in self._stack)

    def reset(self) -> None:
        self._stack = []

    def move(self, marks: Sequence[str]) -> tuple[str, ...]:
        """Go to where ``marks`` lead. Raises ``ControlError`` where the numbering does not follow: the text would go to a wrong place."""
        found = _follow(tuple(self._stack), tuple(marks))
        if found is None:
            raise ControlError(
                f"{self._what}: {_spelled(marks)} does not follow {_spelled(self.path) or 'the heading'}",
                fix="download the section again, or bring its text as CSV",
            )
        self._stack = list(found)
        return self.path


def _follow(stack: tuple[tuple[int, str], ...], marks: tuple[str, ...]) -> tuple[tuple[int, str], ...] | None:
    """Return the stack after ``marks``: down to a first one before on to a next one; what leads nowhere is tried otherwise."""
    if not marks:
        return stack
    mark, rest = marks[0], marks[1:]
    level = stack[-1][0] + 1 if stack else None
    for down in (0, 1) if level is None else (level,):
        if down < len(_LEVELS) and _number(_LEVELS[down], mark) == 1:
            found = _follow((*stack, (down, mark)), rest)
            if found is not None:
                return found
    for size in range(len(stack), 0, -1):
        at, before = stack[size - 1]
        kind = _LEVELS[at]
        number, last = _number(kind, mark), _number(kind, before)
        if number is not None and last is not None and 0 < number - last <= _GAP:
            found = _follow((*stack[: size - 1], (at, mark)), rest)
            if found is not None:
                return found
    if stack and _LEVELS[stack[-1][0]] == "number" and mark == "A":  # 164.404(c)(1)(A) to (E): no roman level between
        return _follow((*stack, (_LEVELS.index("capital"), mark)), rest)
    return None


_GAP: Final = 6  # paragraphs that are reserved leave gaps


def _number(kind: str, mark: str) -> int | None:
    """Return which one of its kind a designation is; None if it is of another kind."""
    if kind.startswith("italic ") != mark.startswith(_ITALIC):
        return None
    mark = mark.removeprefix(_ITALIC)
    match kind.removeprefix("italic "):
        case "number":
            return int(mark) if mark.isdecimal() else None
        case "roman":
            return _ROMANS.index(mark) if mark in _ROMANS and mark else None
        case "letter":
            return _letters(mark) if mark.islower() else None
    return _letters(mark.lower()) if mark.isupper() else None


def _letters(mark: str) -> int | None:
    if len(mark) == 1:
        return ord(mark) - 96
    return 26 + ord(mark[0]) - 96 if len(set(mark)) == 1 and len(mark) == 2 else None  # aa follows z


def _tidy(text: str) -> str:
    return "\n".join(line for line in (" ".join(line.split()) for line in text.splitlines()) if line)

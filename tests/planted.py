"""Statements with planted people: `vectors/*/*.txt` filled in, and what of a person may never be seen again."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

VECTORS = Path(__file__).parent / "vectors"
MARK = re.compile("«([a-z0-9]+)»")
HASHED, SAME = "#", "="


@dataclass(frozen=True)
class Case:
    """A statement as it is sent, the data planted in it, and the exact text wanted (None: only that nothing leaks)."""

    place: str
    text: str
    planted: tuple[str, ...]
    want: str | None


def person(first: str, last: str, **data: str) -> dict[str, str]:
    full = f"{first} {last}"
    raw = full.encode()
    return {
        "f": first,
        "l": last,
        "n": full,
        "ssn9": data["ssn"].replace("-", ""),
        "dob8": data["dob"].replace("-", ""),
        "hex": raw.hex(),
        "b64": base64.b64encode(raw).decode().rstrip("="),
        "url": quote(full),
        **data,
    }


PEOPLE = (
    person(
        "Zebulon",
        "Quillfeather",
        ssn="457-55-5462",
        dob="1957-03-09",
        mrn="MRN-00482137",
        ph="(212) 555-0147",
        em="zeb.quillfeather@kvikpost.example",
        ad="1788 Larkspur Hollow",
        sec="Hunzik7Trwq",
        npi="1234567893",
        card="4111111111111111",
    ),
    person(
        "Ørjan",
        "Müllervång",
        ssn="219-09-9871",
        dob="2003-11-30",
        mrn="P7734821",
        ph="+1 646.555.0188",
        em="oe_mullervang@klinikk.example",
        ad="Vågsbygd 4471b",
        sec="x9$Kvistrup!",
        npi="1987654328",
        card="5500-0000-0000-0004",
    ),
    person(
        "Siobhan",
        "O'Brannigan",
        ssn="601-73-2290",
        dob="1988-07-21",
        mrn="0099123477",
        ph="917-555-0133",
        em="siobhan.obrannigan@kvikpost.example",
        ad="6613 Grymwald's Row",
        sec="pa'ss\\wrdzz",
        npi="1538290017",
        card="378282246310005",
    ),
)


def lines(files: str) -> Iterator[tuple[str, str, str | None]]:
    """Yield place, template and wanted text of every line of ``files`` (a pattern)."""
    for file in sorted(VECTORS.glob(files)):
        for number, line in enumerate(file.read_text().split("\n"), 1):
            if line and not line.startswith("#"):
                template, _, want = line.partition(" ⇒ ")
                yield f"{file.stem}:{number}", _spaces(template), _spaces(want) if want else None


def _spaces(text: str) -> str:
    plain = text.replace("⏎", "\n").replace("⇥", "\t")
    return re.sub("<U\\+([0-9A-F]{4})>", lambda match: chr(int(match[1], 16)), plain)


def cases(files: str = "statements/*.txt", *, sql: bool = True) -> Iterator[Case]:
    """Yield every text for each of the people. In SQL apostrophes and backslashes are escaped as in a string, wherever they stand."""
    for place, template, want in lines(files):
        for number, who in enumerate(PEOPLE, 1):
            escaped = {
                key: value.replace("\\", "\\\\").replace("'", "''") if sql else value for key, value in who.items()
            }
            planted = tuple(dict.fromkeys(who[mark] for mark in MARK.findall(template)))
            text = MARK.sub(lambda match, values=escaped: values[match[1]], template)
            wanted = template if want == SAME else want
            yield Case(f"{place} person {number}", text, planted, wanted if plain(who, template, want) else None)


def plain(who: dict[str, str], template: str, want: str | None) -> bool:
    """Say whether the wanted text is to be expected for this person: outside literals an apostrophe or a Ø makes another text."""
    return want in {SAME, HASHED} or who is PEOPLE[0]


def traces(values: tuple[str, ...]) -> set[str]:
    """Return what betrays any of ``values``, in lower case: the parts, the digits, and the whole turned round or encoded."""
    found: set[str] = set()
    for value in values:
        raw = value.encode()
        packed = base64.b64encode(raw).decode()
        found |= {
            value,
            raw.hex(),
            quote(value),
            quote(value, safe="").replace("%20", "+"),
            packed,
            packed.rstrip("=")[:-1],
            value[::-1],
        }
        found |= set(re.findall(r"[^\W\d_]{4,}", value)) | set(re.findall(r"[0-9]{4,}", value))
        digits = "".join(filter(str.isdigit, value))
        found |= {digits} if len(digits) >= 4 else set()
    return {trace.casefold() for trace in found if len(trace) >= 4}


def leaks(out: str, values: tuple[str, ...]) -> list[str]:
    """Return the traces of ``values`` in ``out``."""
    seen = out.casefold()
    return sorted(trace for trace in traces(values) if trace in seen)


def starts(values: tuple[str, ...]) -> set[str]:
    """Return the first four letters or digits of every part: what a cut statement may still hold of them."""
    return {part[:4].casefold() for value in values for part in re.findall(r"[^\W\d_]{4,}|[0-9]{4,}", value)}

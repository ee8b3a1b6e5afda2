"""A report definition, ``reports/<name>.toml``: what a packet shows, about which controls, to whom (docs/formats/packet.md).

A definition chooses among what informs. What lets a stranger trust the rest is no choice: cover, what was collected, blind
spots, how to verify, sign-off and seal are in every packet, and the scope in every one that leaves the entity (decision 0181).
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, Self, get_args

from evidence.errors import ConfigError

Exhibits = Literal["full", "referenced"]
Audience = Literal["internal", "auditor"]

ALWAYS: Final[Mapping[str, str]] = {
    "cover": "whose packet it is, of which period and controls, and what it does not claim",
    "collected": "which reads match what the source returned, which do not, which are missing",
    "blind": "what the evidence cannot show",
    "verify": "how to check the packet without trusting who made it",
    "signoff": "who signed, and the seal",
}
SECTIONS: Final[Mapping[str, str]] = {
    "night": "one night in a minute: new, gone, open by age, not assessed, about to expire",
    "summary": "the period in plain words, counts, the most severe open exceptions",
    "review": "the user access review performed in the period",
    "strip": "each control on each night",
    "trends": "policy coverage, sign-ins, reads of PHI, open exceptions by age, completeness: drawn, with their numbers",
    "scope": "management's description of the system",
    "matrix": "every requirement of the frameworks, and what speaks to it",
    "controls": "a page for each control",
    "tests": "a page for each control in the order of section IV of a SOC 2 type 2 report",
    "glossary": "the words used",
}
USUAL: Final = ("summary", "strip", "trends", "scope", "matrix", "controls", "glossary")
CONCLUDING: Final = ("summary", "night", "controls", "tests")  # each states the conclusion of every control
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,60}\Z")
_LISTS: Final = ("frameworks", "families", "controls", "sections")
_ROWS: Final = ("pdf_rows", "html_rows", "export_rows")
_FIX: Final = "docs/formats/packet.md lists the keys of a report"


@dataclass(frozen=True, slots=True)
class Report:
    """A report definition. Caps are rows per control or table; ``export_rows`` is that of OSCAL and OCSF.

    ``families`` and ``controls`` choose the controls; without either they are those that map to ``frameworks``, and without
    any framework all. ``sections`` are those asked for; :attr:`shown` adds what no definition can leave out.
    """

    name: str
    title: str
    subtitle: str
    frameworks: tuple[str, ...]
    audience: str = "auditor"
    pdf_rows: int = 40
    html_rows: int = 50
    export_rows: int = 500
    sections: tuple[str, ...] = USUAL
    families: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    exhibits: str = "full"

    @classmethod
    def from_toml(cls, body: bytes, file: str) -> Self:
        """Parse the file. Raises ``ConfigError`` that names it, what is wrong, and what to write instead."""
        try:
            value = tomllib.loads(body.decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
            raise ConfigError(f"{file}: {exc}", fix=_FIX) from exc
        known = [field.name for field in fields(cls)]
        if strange := sorted(set(value) - set(known)):
            raise ConfigError(f"{file}: no key {', '.join(strange)}", fix=f"keys of a report: {', '.join(known)}")
        if lacking := [name for name in known[:4] if name not in value]:
            raise ConfigError(f"{file}: {', '.join(lacking)} is missing", fix=_FIX)
        for name, found in value.items():
            _check_type(file, name, found)
        words: dict[str, Any] = {name: tuple(found) if name in _LISTS else found for name, found in value.items()}
        made = cls(**words)
        _check(file, made)
        return made

    @property
    def chosen(self) -> bool:
        """Whether the controls are chosen otherwise than by framework: over a part of them no requirement is concluded."""
        return bool(self.families or self.controls)

    @property
    def by_tests(self) -> bool:
        """Whether the pages of controls are in the order of section IV of a type 2 report."""
        return "tests" in self.sections

    @property
    def brief(self) -> bool:
        """Whether the packet is of one night, to be read in a minute: short forms on few pages."""
        return "night" in self.sections

    @property
    def shown(self) -> frozenset[str]:
        """Every section of the packet."""
        return frozenset({*self.sections, *ALWAYS, *(() if self.audience == "internal" else ("scope",))})


def _check_type(file: str, name: str, found: Any) -> None:
    if name in _LISTS:
        if not (isinstance(found, list) and all(isinstance(each, str) for each in found)):
            raise ConfigError(f"{file}: {name} is a list of names", fix=f'write {name} = ["…"]')
        if len(set(found)) < len(found):
            raise ConfigError(f"{file}: {name} names one thing twice", fix="name each once")
    elif name in _ROWS:
        if type(found) is not int or found < 0:
            raise ConfigError(f"{file}: {name}: rows are counted from 0", fix=f"give {', '.join(_ROWS)} from 0 on")
    elif not (isinstance(found, str) and found.strip()):
        raise ConfigError(f"{file}: {name} is a text", fix=f'write {name} = "…"')


def _check(file: str, report: Report) -> None:
    if not _NAME.match(report.name):
        raise ConfigError(f"{file}: name {report.name!r}", fix="lower-case letters, digits and hyphens: it names files")
    if report.audience == "customer":
        raise ConfigError(
            f"{file}: a packet names people, and is not for customers",
            fix="audience auditor or internal; `evidence handover PACKET --audience customer` makes what customers may read",
        )
    for what, found, known in (
        ("audience", report.audience, get_args(Audience)),
        ("exhibits", report.exhibits, get_args(Exhibits)),
    ):
        if found not in known:
            raise ConfigError(f"{file}: {what} {found!r}", fix=f"one of {', '.join(known)}")
    if strange := [name for name in report.sections if name not in SECTIONS and name not in ALWAYS]:
        raise ConfigError(
            f"{file}: no section {', '.join(strange)}",
            fix=f"sections: {', '.join(SECTIONS)}; {', '.join(ALWAYS)} are always there",
        )
    _check_sections(file, report)


def _check_sections(file: str, report: Report) -> None:
    if not set(CONCLUDING) & set(report.sections):
        raise ConfigError(
            f"{file}: no section says what was found", fix=f"name at least one of {', '.join(CONCLUDING)}"
        )
    if {"controls", "tests"} <= set(report.sections):
        raise ConfigError(f"{file}: controls and tests are the same pages in two orders", fix="name one of them")
    if "matrix" in report.sections and not report.frameworks:
        raise ConfigError(
            f"{file}: a requirement matrix needs a framework", fix='name it in frameworks, or leave "matrix" out'
        )
    if "matrix" in report.sections and report.chosen:
        raise ConfigError(
            f"{file}: over chosen families or controls every requirement would read weaker than it is",
            fix='leave "matrix" out of sections, or families and controls',
        )

"""What the HTML packet's filters choose from: requirements, severities, owners; and which control has which. Pure.

Choices are numbered: the page compares numbers, so that no value of the evidence is ever part of an attribute it parses.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from evidence.control.model import GRAVEST_FIRST
from evidence.render.inputs import Catalogue, Content
from evidence.render.words import _


@dataclass(frozen=True, slots=True)
class Choice:
    """One option: its number, what people read, and how many controls it leaves."""

    number: int
    words: str
    controls: int


@dataclass(frozen=True, slots=True)
class Group:
    """One framework of the requirement filter: the whole of it, then its entries that any control is mapped to."""

    framework: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Explore:
    """``of_control`` maps a control to the numbers of its requirements, headings above them included, and of its owner.

    ``numbers`` maps framework and requirement to the option. ``owners`` are management's words (``owners.toml``).
    """

    groups: tuple[Group, ...]
    severities: tuple[str, ...]
    owners: tuple[Choice, ...]
    of_control: Mapping[str, str]
    owner_of: Mapping[str, int]
    numbers: Mapping[tuple[str, str], int]


def build(content: Content) -> Explore:
    """Return the choices of ``content``."""
    mapped = {text.id: _with_headings(content, text.id) for text in content.controls}
    groups: list[Group] = []
    numbers: dict[tuple[str, str], int] = {}
    for catalogue in content.catalogues:
        choices = list(_choices(catalogue, mapped, numbers))
        if choices:
            groups.append(Group(catalogue.id, tuple(choices)))
    named = [text.owner for text in content.controls]
    owners = sorted({name for name in named if name}) + ([""] if "" in named else [])
    return Explore(
        groups=tuple(groups),
        severities=tuple(s for s in GRAVEST_FIRST if any(text.severity == s for text in content.controls)),
        owners=tuple(Choice(n, name or _("none named"), named.count(name)) for n, name in enumerate(owners)),
        of_control={c: " ".join(str(n) for n in sorted(numbers[key] for key in keys)) for c, keys in mapped.items()},
        owner_of={text.id: owners.index(text.owner) for text in content.controls},
        numbers=numbers,
    )


def _choices(
    catalogue: Catalogue, mapped: Mapping[str, set[tuple[str, str]]], numbers: dict[tuple[str, str], int]
) -> list[Choice]:
    found: list[Choice] = []
    rows = [
        ("", _("all of {framework}", framework=catalogue.id.upper())),
        *((r.id, f"{r.id} {r.title}") for r in catalogue.requirements),
    ]
    for requirement, words in rows:
        key = (catalogue.id, requirement)
        controls = sum(1 for keys in mapped.values() if key in keys)
        if controls:
            numbers[key] = len(numbers)
            found.append(Choice(numbers[key], words, controls))
    return found


def _with_headings(content: Content, control: str) -> set[tuple[str, str]]:
    """Return the requirements of a control with every entry above them; the empty one is the framework itself."""
    found: set[tuple[str, str]] = set()
    parents = {c.id: {r.id: r.parent for r in c.requirements} for c in content.catalogues}
    text = next(text for text in content.controls if text.id == control)
    for each in text.maps:
        above = parents.get(each.framework, {})
        if each.requirement not in above:
            continue
        found.add((each.framework, ""))
        entry = each.requirement
        while entry in above and (each.framework, entry) not in found:
            found.add((each.framework, entry))
            entry = above[entry]
    return found

"""The requirement matrix of a packet: every entry of the report's frameworks, how it is covered, by what, and its word. Pure."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from evidence.control.coverage import (
    RELIABILITY,
    STRONGEST_FIRST,
    WORST_FIRST,
    Claim,
    Covered,
    Rollup,
    claim,
    cover,
    tally,
)
from evidence.render.inputs import Catalogue, Content, Requirement
from evidence.render.text import number

_MODE_WORDS: Final = {
    "automated": "platform evidence",
    "partial": "platform and people evidence",
    "attestation": "signed statement",
    "inherited": "provider's report",
    "not_applicable": "context only",
    "container": "heading",
}
_ROLLUP_WORDS: Final[dict[Rollup, str]] = {
    "not-satisfied": "with exceptions noted",
    "not-assessed": "not assessed",
    "not-concluded": "without a conclusion",
    "satisfied": "with no exceptions noted",
    "not-applicable": "not applicable",
}


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One requirement. ``heading`` has no coverage of its own, ``parts`` tells that of what stands below it."""

    requirement: Requirement
    covered: Covered
    heading: bool
    mode: str
    parts: str
    primary: tuple[Claim, ...]
    supporting: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """One framework: its rows in the catalogue's order, and two sentences that count them."""

    catalogue: Catalogue
    rows: tuple[MatrixRow, ...]
    sentences: tuple[str, ...]


def matrices(content: Content) -> list[Matrix]:
    """Return a matrix for each framework the report names, from the controls and findings of the packet.

    None in the answer to one request, or of chosen controls: over a part of them every row would read weaker than it is.
    """
    if content.request is not None or content.report.chosen:
        return []
    claims = _claims(content)
    return [_matrix(c, claims[c.id]) for c in content.catalogues if c.id in content.report.frameworks]


def _claims(content: Content) -> dict[str, list[Claim]]:
    findings = {finding.control: finding for finding in content.periods}
    found: dict[str, list[Claim]] = defaultdict(list)
    for text in (*content.controls, *content.unconcluded):
        if text.id not in RELIABILITY:
            for mapped in text.maps:
                found[mapped.framework].append(claim(text.id, mapped, mapped.refused, findings.get(text.id)))
    return found


def _matrix(catalogue: Catalogue, claims: Sequence[Claim]) -> Matrix:
    covered = cover(catalogue.requirements, claims, period=True)
    rows = tuple(_row(requirement, each) for requirement, each in zip(catalogue.requirements, covered, strict=True))
    return Matrix(catalogue, rows, _sentences(covered))


def _row(requirement: Requirement, covered: Covered) -> MatrixRow:
    return MatrixRow(
        requirement=requirement,
        covered=covered,
        heading=covered.coverage is None and requirement.evidence_mode == "container",
        mode=_MODE_WORDS.get(requirement.evidence_mode, requirement.evidence_mode),
        parts=", ".join(f"{number(count)} {coverage}" for coverage, count in covered.parts.items()),
        primary=covered.counted("primary"),
        supporting=covered.counted("supporting"),
    )


def _sentences(covered: Sequence[Covered]) -> tuple[str, ...]:
    counts = tally(covered)
    words = Counter(each.rollup for each in covered if each.coverage and each.rollup)
    refused = sum(len(each.refused) for each in covered)
    found = [
        f"Coverage of {number(sum(counts.values()))} requirements: "
        + ", ".join(f"{number(counts[coverage])} {coverage}" for coverage in STRONGEST_FIRST)
        + ".",
        "For the period: "
        + ", ".join(f"{number(words[word])} {_ROLLUP_WORDS[word]}" for word in WORST_FIRST if words[word])
        + ".",
    ]
    if refused:
        found.append(
            f"{number(refused)} mapping{'s' if refused > 1 else ''} not counted; the reason stands in the row."
        )
    return tuple(found)

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
    Coverage,
    Covered,
    Rollup,
    claim,
    cover,
    tally,
)
from evidence.render.inputs import Catalogue, Content, Requirement
from evidence.render.text import number
from evidence.render.words import N_, Phrase, _, join, ngettext

_MODE_WORDS: Final = {
    "automated": _("platform evidence"),
    "partial": _("platform and people evidence"),
    "attestation": _("signed statement"),
    "inherited": _("provider's report"),
    "not_applicable": _("context only"),
    "container": _("heading"),
}
_COVERAGE_WORDS: Final[dict[Coverage, str]] = {
    "primary": N_("{n} primary"),
    "supporting": N_("{n} supporting"),
    "manual": N_("{n} manual"),
    "inherited": N_("{n} inherited"),
    "none": N_("{n} none"),
}
_ROLLUP_WORDS: Final[dict[Rollup, str]] = {
    "not-satisfied": N_("{n} with exceptions noted"),
    "not-assessed": N_("{n} not assessed"),
    "not-concluded": N_("{n} without a conclusion"),
    "satisfied": N_("{n} with no exceptions noted"),
    "not-applicable": N_("{n} not applicable"),
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

    @property
    def short(self) -> bool:
        """True if ids are short enough for a narrow column."""
        return all(len(row.requirement.id) <= 6 for row in self.rows)


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
        parts=join(", ", (_counted(coverage, count) for coverage, count in covered.parts.items())),
        primary=covered.counted("primary"),
        supporting=covered.counted("supporting"),
    )


def _counted(coverage: Coverage, count: int) -> Phrase:
    return _(_COVERAGE_WORDS[coverage], n=number(count))


def _sentences(covered: Sequence[Covered]) -> tuple[str, ...]:
    counts = tally(covered)
    words = Counter(each.rollup for each in covered if each.coverage and each.rollup)
    refused = sum(len(each.refused) for each in covered)
    found = [
        _(
            "Coverage of {n} requirements: {counts}.",
            n=number(sum(counts.values())),
            counts=join(", ", (_counted(coverage, counts[coverage]) for coverage in STRONGEST_FIRST)),
        ),
        _(
            "For the period: {counts}.",
            counts=join(", ", (_(_ROLLUP_WORDS[w], n=number(words[w])) for w in WORST_FIRST if words[w])),
        ),
    ]
    if refused:
        found.append(
            ngettext(
                "{n} mapping not counted; the reason stands in the row.",
                "{n} mappings not counted; the reason stands in the row.",
                refused,
            )
        )
    return tuple(found)

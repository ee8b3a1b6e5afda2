"""Write docs/coverage.md from the controls: ``python scripts/coverage_page.py``; a test compares the page with them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from evidence.control.coverage import STRONGEST_FIRST, Covered, claims_of, cover, tally
from evidence.control.definition import load_library
from evidence.control.framework import Framework, Requirement
from evidence.control.model import Library

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "coverage.md"
SECURITY_RULE: Final = ("security", "administrative", "physical", "technical", "organizational", "documentation")
HEAD = """# Coverage

Made by `scripts/coverage_page.py` from the maps in `controls/*/*/control.toml` and the catalogues in `controls/frameworks/`, with the library's own
parameters; `evidence controls coverage` prints the same for a workspace, its overlay applied. It says which controls speak to a requirement, not what they
found: that is in a packet.

| word | meaning |
|---|---|
| primary | a control tests the requirement's own population and operation |
| supporting | controls speak to part of it; they never conclude on it |
| manual | a person's signed statement is needed, and no control speaks to it |
| inherited | it rests on the report of a provider, and no control speaks to it |
| none | it could be tested, and nothing here does |

A standard that nothing maps to is as weak as the weakest of its parts. Headings and context (definitions, applicability) have no word and are not counted.
Controls of the collecting itself (`monitor-collection-complete` and its like) cover no requirement.
"""


def page() -> str:
    """Return the page's text."""
    library = load_library([ROOT / "controls"])
    sections = (section for name in sorted(library.frameworks) for section in _framework(library, name))
    return "\n".join([HEAD, *sections]) + "\n"


def _framework(library: Library, name: str) -> Iterator[str]:
    framework = library.frameworks[name]
    rows = list(zip(framework.entries, cover(framework.entries, claims_of(library, name)), strict=True))
    yield f"## {name}\n\n{framework.name}, catalogue {framework.catalog_version}.\n"
    yield _counts(framework, rows)
    for category in dict.fromkeys(requirement.category for requirement, _ in rows):
        yield f"### {name}: {_words(category)}\n"
        yield "| requirement | title | shown by | coverage | primary | supporting |\n|---|---|---|---|---|---|"
        yield (
            "\n".join(_row(requirement, covered) for requirement, covered in rows if requirement.category == category)
            + "\n"
        )


def _counts(framework: Framework, rows: Sequence[tuple[Requirement, Covered]]) -> str:
    lines = [f"| {framework.framework} | {' | '.join(STRONGEST_FIRST)} |", "|---" * (len(STRONGEST_FIRST) + 1) + "|"]
    categories = dict.fromkeys(requirement.category for requirement, _ in rows)
    lines += [_count(_words(name), [c for r, c in rows if r.category == name]) for name in categories]
    rule = [c for r, c in rows if r.category in SECURITY_RULE]
    if framework.framework == "hipaa":
        lines.append(_count("**Security Rule**", rule))
    lines.append(_count("**all**", [c for _, c in rows]))
    return "\n".join(lines) + "\n"


def _count(name: str, rows: Sequence[Covered]) -> str:
    return f"| {name} | {' | '.join(str(n) for n in tally(rows).values())} |"


def _row(requirement: Requirement, covered: Covered) -> str:
    kind = f" ({requirement.requirement})" if requirement.requirement else ""
    cells = [
        f"{requirement.id}{kind}",
        requirement.title.replace("|", "\\|"),
        requirement.evidence_mode.replace("_", " "),
        covered.coverage or "",
        ", ".join(claim.control for claim in covered.counted("primary")),
        ", ".join(claim.control for claim in covered.counted("supporting")),
    ]
    return "| " + " | ".join(cells) + " |"


def _words(category: str | None) -> str:
    return (category or "other").replace("_", " ")


if __name__ == "__main__":
    PAGE.write_text(page())

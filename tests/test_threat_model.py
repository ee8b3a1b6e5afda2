"""docs/threat-model.md: every adversary has its table, every line an outcome and tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "threat-model.md").read_text()
ADVERSARIES = (
    "An outsider", "Somebody who may write to the bucket or folder", "The bucket's or the disk's administrator",
    "A thief of the collector's key", "The operator of the collector", "A malicious source, or its administrator",
    "A time-stamp authority", "Us, who wrote it",
)  # fmt: skip
OUTCOMES = ("**Found**", "**Refused**", "**Seen**", "**Not found**")
NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")


@cache
def functions(file):
    return {node.name for node in ast.walk(ast.parse((TESTS / file).read_text())) if isinstance(node, ast.FunctionDef)}


def section(title):
    return PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def lines(title):
    """(what they do, outcome, tests) of each line of an adversary's table."""
    rows = [line for line in section(title).splitlines() if line.startswith("|")][2:]
    return [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in rows]


@pytest.mark.parametrize("title", ADVERSARIES)
def test_every_line_names_tests_that_exist(title):
    found = lines(title)
    assert len(found) >= 5
    for does, outcome, shown in found:
        assert outcome.startswith(OUTCOMES), does
        named = NAMED.findall(shown)
        assert named, f"{does}: no test is named"
        assert NAMED.sub("", shown).strip(", ") == "", f"{does}: {shown} says more than tests"
        for file, name in named:
            assert name in functions(file), f"{does}: {file} has no {name}"


def test_tests_named_in_the_text_exist_as_well():
    for file, name in NAMED.findall(PAGE):
        assert name in functions(file), f"{file} has no {name}"


def test_what_is_not_found_is_said_of_most_adversaries():
    admitted = [
        title for title in ADVERSARIES if any(outcome.startswith("**Not found**") for _, outcome, _ in lines(title))
    ]
    assert len(admitted) >= 5


def test_the_page_has_no_other_tables():
    titles = re.findall(r"^## (.*)$", PAGE, flags=re.MULTILINE)
    assert [title for title in titles if "\n|" in section(title)] == list(ADVERSARIES)

"""The word lists of this package: one file each, lines with # are notes."""

from functools import cache
from importlib.resources import files


@cache
def read_words(file: str) -> frozenset[str]:
    """Return the words of a list."""
    lines = (files("evidence.snapshot") / file).read_text().splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def column_words() -> frozenset[str]:
    """Return the words of which a kept heading may consist, in lower case."""
    return read_words("column_words.txt")


def sql_words() -> frozenset[str]:
    """Return the words of the language itself, in lower case."""
    return read_words("sql_words.txt")

"""Whether two names that were typed are one person: what needs two people is not done by one who spells the name otherwise."""

import unicodedata
from collections.abc import Iterable


def same_person(one: str, other: str) -> bool:
    """Say whether two names differ at most in case, in spaces or in how their letters are encoded."""
    return _plain(one) == _plain(other)


def persons(names: Iterable[str]) -> int:
    """Return how many people ``names`` are, by :func:`same_person`; an empty name is nobody."""
    return len({_plain(name) for name in names} - {""})


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())

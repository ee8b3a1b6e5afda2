"""The population of a control as rows: every item of every night that was tested, and what was found on it. Pure."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from evidence.control.result import NightFinding
from evidence.errors import VerificationError

Item = tuple[dt.date, str, str, str]  # night, item, result, reason
PASSED: Final = "passed"
CONCLUDED: Final = frozenset({"satisfied", "not-satisfied"})
RESULTS: Final = {
    PASSED: "named by the control's SQL as the passing case",
    "exception": "an exception of the night, waived or not",
    "awaiting review": "a person has to judge it",
    "reviewed: benign": "a person judged it",
    "not concluded": "the night was not assessed: it counts for nothing",
}


def items_of(nights: Sequence[NightFinding], population: Callable[[NightFinding], Sequence[str]]) -> Iterator[Item]:
    """Yield the items of ``nights`` in order, with their results; one night's are held at a time.

    ``population`` gives the items of one night, checked against its fingerprint. Raises ``VerificationError`` if the night's counts are not
    those of its items.
    """
    for tested in nights:
        yield from _night(tested, population(tested))


def _night(tested: NightFinding, items: Sequence[str]) -> Iterator[Item]:
    noted = _noted(tested)
    rest = PASSED if tested.status in CONCLUDED else "not concluded"
    counts = Counter(noted[item][0] if item in noted else rest for item in items)
    if sum(counts.values()) - counts[rest] != len(noted) or (rest == PASSED and counts[PASSED] != tested.passed):
        raise VerificationError(
            f"{tested.control} on {tested.night}: {tested.passed} of {tested.population} items passed, the items say {counts[PASSED]}",
            step="population",
            fix=f"evidence assess --date {tested.night}, then again",
        )
    for item in items:
        yield tested.night, item, *noted.get(item, (rest, ""))


def _noted(tested: NightFinding) -> dict[str, tuple[str, str]]:
    """Return item -> result and reason of all that did not pass; what is an exception is nothing better by having been reviewed."""
    found = {each.item: (f"reviewed: {each.outcome}", each.reason) for each in tested.disposed}
    found |= {each.item: ("awaiting review", each.reason) for each in tested.reviews}
    return found | {each.item: ("exception", each.reason) for each in tested.exceptions}

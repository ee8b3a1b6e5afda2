"""Nights that follow each other with one reason, as one run. Pure."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unknown:
    """A run of not-assessed nights with one reason."""

    first: str
    last: str
    nights: int
    reason: str


def runs(told: Iterable[tuple[str, str]]) -> tuple[Unknown, ...]:
    """Join (night, reason) of nights that follow each other with one reason; a night's own date in it makes no other one."""
    found: list[Unknown] = []
    for night, why in told:
        reason = why.replace(f" for {night}", "")
        day = dt.date.fromisoformat(night)
        last = found[-1] if found else None
        if last and last.reason == reason and day - dt.date.fromisoformat(last.last) == dt.timedelta(days=1):
            found[-1] = Unknown(last.first, night, last.nights + 1, reason)
        else:
            found.append(Unknown(night, night, 1, reason))
    return tuple(found)

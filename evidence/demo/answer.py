"""The answer key: what an assessment of the account must find, written from the plants and never from running a control."""

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from evidence.demo.size import Size
from evidence.snapshot.model import DAY, start_of

Effect = Literal["nothing-concluded", "failures-stand", "failures-fall"]
REVIEW_DAYS = 5
GAPS = ("denied", "incomplete", "empty", "missing-evidence")  # a night with several is reported under the first
SATISFIED, NOT_SATISFIED, NOT_ASSESSED = "satisfied", "not-satisfied", "not-assessed"


@dataclass(frozen=True, slots=True)
class Expected:
    """One item that a control must fail, or send to review, on the nights ``first`` to ``last``."""

    plant: str
    control: str
    item: str
    reason: str
    first: int
    last: int
    result: str = "fail"


@dataclass(frozen=True, slots=True)
class Gap:
    """Nights on which evidence of a control is not whole, and why.

    ``effect`` says what that does: ``nothing-concluded``; ``failures-stand`` where lost rows can only hide failures, so that
    those found elsewhere count; ``failures-fall`` where the evidence might have cleared them.
    """

    plant: str
    control: str
    reason: str
    first: int
    last: int
    effect: Effect = "nothing-concluded"


@dataclass(frozen=True, slots=True)
class NightAnswer:
    """The answer for one control and night; pairs are (item, reason), sorted."""

    status: str
    reason: str = ""
    exceptions: tuple[tuple[str, str], ...] = ()
    reviews: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling; empty parts are left out."""
        body: dict[str, Any] = {"status": self.status}
        if self.reason:
            body["reason"] = self.reason
        for name, pairs in (("exceptions", self.exceptions), ("reviews", self.reviews)):
            if pairs:
                body[name] = [list(pair) for pair in pairs]
        return body


@dataclass(slots=True)
class AnswerKey:
    """All expectations over the nights of ``size``."""

    size: Size
    controls: tuple[str, ...]
    expected: list[Expected] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    quiet: list[tuple[str, int, int]] = field(default_factory=list)  # control, nights with nobody in scope

    def night(self, control: str, number: int, known_at: dt.datetime | None = None) -> NightAnswer:
        """Return the answer for one control on night ``number``.

        Hits that nobody disposed of within five days are exceptions: at ``known_at``, or (None) long afterwards.
        """
        exceptions = self._pairs(control, number, "fail")
        reviews = self._pairs(control, number, "review")
        if known_at is None or known_at >= start_of(self.size.night(number)) + DAY * (1 + REVIEW_DAYS):
            exceptions, reviews = tuple(sorted((*exceptions, *reviews))), ()
        gaps = [gap for gap in self.gaps if gap.control == control and gap.first <= number <= gap.last]
        gaps.sort(key=lambda gap: GAPS.index(gap.reason))
        fatal = [g for g in gaps if g.effect == "nothing-concluded" or (exceptions and g.effect == "failures-fall")]
        if fatal:
            return NightAnswer(NOT_ASSESSED, fatal[0].reason)
        if exceptions:
            return NightAnswer(NOT_SATISFIED, "", exceptions, reviews)
        hidden = [gap for gap in gaps if gap.effect == "failures-stand"]
        if hidden:
            return NightAnswer(NOT_ASSESSED, hidden[0].reason, (), reviews)
        if reviews:
            return NightAnswer(NOT_ASSESSED, "pending-review", (), reviews)
        if any(name == control and first <= number <= last for name, first, last in self.quiet):
            return NightAnswer("not-applicable", "empty")
        return NightAnswer(SATISFIED)

    def nights(self, control: str) -> dict[dt.date, NightAnswer]:
        """Return the answers of every night."""
        return {self.size.night(number): self.night(control, number) for number in range(self.size.nights)}

    def status(self, control: str) -> str:
        """Return the status over the whole period."""
        seen = {answer.status for answer in self.nights(control).values()}
        return next(status for status in (NOT_SATISFIED, NOT_ASSESSED, SATISFIED, "not-applicable") if status in seen)

    def intervals(self, control: str) -> list[dict[str, Any]]:
        """Return each exception as runs of assessed nights, with the night it was first gone."""
        assessed = [(night, answer) for night, answer in self.nights(control).items() if answer.status != NOT_ASSESSED]
        pairs = sorted({pair for _, answer in assessed for pair in answer.exceptions})
        return [interval for pair in pairs for interval in _runs(pair, assessed)]

    def to_json(self) -> dict[str, Any]:
        """Return the whole key."""
        parts: list[Expected | Gap] = [*self.expected, *self.gaps]
        controls = {
            control: {
                "period": {"status": self.status(control), "intervals": self.intervals(control)},
                "nights": {night.isoformat(): answer.to_json() for night, answer in self.nights(control).items()},
            }
            for control in self.controls
        }
        return {
            "format": "evidence-demo-answers-v1",
            "start": self.size.start.isoformat(),
            "nights": self.size.nights,
            "seed": self.size.seed,
            "controls": controls,
            "plants": [self._plant(part) for part in parts if part.first < self.size.nights],
        }

    def to_text(self) -> str:
        """Return the key as a JSON file."""
        return json.dumps(self.to_json(), indent=1) + "\n"

    def _pairs(self, control: str, number: int, result: str) -> tuple[tuple[str, str], ...]:
        found = {
            (part.item, part.reason)
            for part in self.expected
            if part.control == control and part.result == result and part.first <= number <= part.last
        }
        return tuple(sorted(found))

    def _plant(self, part: Expected | Gap) -> dict[str, Any]:
        last = self.size.night(min(part.last, self.size.nights - 1)).isoformat()
        body = {
            "plant": part.plant,
            "control": part.control,
            "first": self.size.night(part.first).isoformat(),
            "last": last,
        }
        if isinstance(part, Gap):
            return body | {"gap": part.reason, "effect": part.effect}
        return body | {"item": part.item, "reason": part.reason, "result": part.result}


def _runs(pair: tuple[str, str], assessed: Sequence[tuple[dt.date, NightAnswer]]) -> Iterator[dict[str, Any]]:
    """Yield the runs of assessed nights on which ``pair`` stands; a night that was not assessed does not end a run."""
    run: list[dt.date] = []
    for night, answer in assessed:
        if pair in answer.exceptions:
            run.append(night)
        elif run:
            yield _interval(pair, run, night)
            run = []
    if run:
        yield _interval(pair, run, None)


def _interval(pair: tuple[str, str], run: Sequence[dt.date], gone: dt.date | None) -> dict[str, Any]:
    return {
        "item": pair[0],
        "reason": pair[1],
        "first_seen": run[0].isoformat(),
        "last_seen": run[-1].isoformat(),
        "nights": len(run),
        "open": gone is None,
        "remediated_on": gone.isoformat() if gone else None,
    }

"""The answer key: what an assessment of the account must find, written from the plants and never from running a control."""

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from evidence.demo.size import Size
from evidence.snapshot.model import DAY, start_of

Effect = Literal["nothing-concluded", "failures-stand", "failures-fall"]
Outcome = Literal["benign", "confirmed", "late"]
REVIEW_DAYS = 5
BEFORE = "before-coverage"
GAPS = ("denied", "incomplete", "empty", "missing-evidence", BEFORE)  # a night with several is reported under the first
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
class Disposed:
    """What a person recorded of one item of one night; a benign one in time is no exception any more."""

    plant: str
    control: str
    item: str
    reason: str
    night: int
    outcome: Outcome
    recorded: int  # night on which it was written down


@dataclass(frozen=True, slots=True)
class Waiver:
    """A waiver as far as it can hold: from the night it is approved and recorded up to, not including, ``end``.

    ``compensating`` is the control that must come out satisfied the same night; None where none is needed.
    """

    plant: str
    name: str
    control: str
    items: tuple[str, ...]
    first: int
    end: int
    compensating: str | None = None


@dataclass(frozen=True, slots=True)
class NightAnswer:
    """The answer for one control and night; pairs are (item, reason), sorted, with a third word for what people decided."""

    status: str
    reason: str = ""
    exceptions: tuple[tuple[str, str], ...] = ()
    reviews: tuple[tuple[str, str], ...] = ()
    disposed: tuple[tuple[str, str, str], ...] = ()
    waived: tuple[tuple[str, str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling; empty parts are left out."""
        body: dict[str, Any] = {"status": self.status}
        if self.reason:
            body["reason"] = self.reason
        for name in ("exceptions", "reviews", "disposed", "waived"):
            if found := getattr(self, name):
                body[name] = [list(each) for each in found]
        return body

    @property
    def concluded(self) -> bool:
        """True if somebody came to a conclusion that night."""
        return self.status != NOT_ASSESSED


@dataclass(slots=True)
class AnswerKey:
    """All expectations over the nights of ``size``."""

    size: Size
    controls: tuple[str, ...]
    expected: list[Expected] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    quiet: list[tuple[str, int, int]] = field(default_factory=list)  # control, nights with nobody in scope
    passing: set[str] = field(default_factory=set)  # controls of events: such a night ends what was noted before
    disposed: list[Disposed] = field(default_factory=list)
    waivers: list[Waiver] = field(default_factory=list)
    _by_control: dict[str, list[Expected]] = field(default_factory=dict)
    _sorted: int = 0

    def night(self, control: str, number: int, known_at: dt.datetime | None = None) -> NightAnswer:
        """Return the answer for one control on night ``number``.

        Hits that nobody disposed of within five days are exceptions: at ``known_at``, or (None) long afterwards.
        """
        disposed = self._disposed(control, number)
        settled = {(item, reason) for item, reason, outcome in disposed if outcome == "benign"}
        exceptions = self._pairs(control, number, "fail")
        reviews = tuple(pair for pair in self._pairs(control, number, "review") if pair not in settled)
        if known_at is None or known_at >= start_of(self.size.night(number)) + DAY * (1 + REVIEW_DAYS):
            exceptions, reviews = tuple(sorted((*exceptions, *reviews))), ()
        gaps = [gap for gap in self.gaps if gap.control == control and gap.first <= number <= gap.last]
        gaps.sort(key=lambda gap: GAPS.index(gap.reason))
        fatal = [g for g in gaps if g.effect == "nothing-concluded" or (exceptions and g.effect == "failures-fall")]
        if fatal:
            return NightAnswer(NOT_ASSESSED, fatal[0].reason)
        if exceptions:
            waived = tuple(self._waived(control, number, exceptions))
            return NightAnswer(NOT_SATISFIED, "", exceptions, reviews, disposed, waived)
        hidden = [gap for gap in gaps if gap.effect == "failures-stand"]
        if hidden:
            return NightAnswer(NOT_ASSESSED, hidden[0].reason, (), reviews, disposed)
        if reviews:
            return NightAnswer(NOT_ASSESSED, "pending-review", (), reviews, disposed)
        if any(name == control and first <= number <= last for name, first, last in self.quiet):
            return NightAnswer("not-applicable", "empty")
        return NightAnswer(SATISFIED, disposed=disposed)

    def nights(self, control: str) -> dict[dt.date, NightAnswer]:
        """Return the answers of every night."""
        return {self.size.night(number): self.night(control, number) for number in range(self.size.nights)}

    def status(self, control: str) -> str:
        """Return the status over the whole period. That no event occurred is never concluded from silence: only a state is not applicable."""
        seen = {answer.status for answer in self.nights(control).values() if answer.reason != BEFORE}
        order = (NOT_SATISFIED, NOT_ASSESSED, SATISFIED, *(() if control in self.passing else ("not-applicable",)))
        return next((status for status in order if status in seen), NOT_ASSESSED)

    def intervals(self, control: str) -> list[dict[str, Any]]:
        """Return each exception as runs of assessed nights, with the night it was first gone: of a state one that was tested."""
        assessed = [
            (night, answer)
            for night, answer in self.nights(control).items()
            if answer.concluded and (answer.status != "not-applicable" or control in self.passing)
        ]
        pairs = sorted({pair for _, answer in assessed for pair in answer.exceptions})
        return [interval for pair in pairs for interval in _runs(pair, assessed)]

    def to_json(self) -> dict[str, Any]:
        """Return the whole key."""
        parts: list[Expected | Gap] = [*self.expected, *self.gaps]
        people = [
            *({"plant": d.plant, "control": d.control, "item": d.item, "night": d.night, "outcome": d.outcome} for d in self.disposed),
            *({"plant": w.plant, "control": w.control, "items": list(w.items), "waiver": w.name} for w in self.waivers),
        ]  # fmt: skip
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
            "people": people,
        }

    def to_text(self) -> str:
        """Return the key as a JSON file."""
        return json.dumps(self.to_json(), indent=1) + "\n"

    def of(self, control: str) -> Sequence[Expected]:
        """Return the expectations of one control; the list only ever grows."""
        if self._sorted != len(self.expected):
            for part in self.expected[self._sorted :]:
                self._by_control.setdefault(part.control, []).append(part)
            self._sorted = len(self.expected)
        return self._by_control.get(control, ())

    def _pairs(self, control: str, number: int, result: str) -> tuple[tuple[str, str], ...]:
        here = [part for part in self.of(control) if part.result == result and part.first <= number <= part.last]
        return tuple(sorted({(part.item, part.reason) for part in here}))

    def _disposed(self, control: str, number: int) -> tuple[tuple[str, str, str], ...]:
        found = [(d.item, d.reason, d.outcome) for d in self.disposed if d.control == control and d.night == number]
        return tuple(sorted(found))

    def _waived(
        self, control: str, number: int, exceptions: Sequence[tuple[str, str]]
    ) -> Iterator[tuple[str, str, str]]:
        """Yield the exceptions that a waiver accepts this night; they stay exceptions."""
        holding = [w for w in self.waivers if w.control == control and w.first <= number < w.end]
        holding = [w for w in holding if not w.compensating or self.night(w.compensating, number).status == SATISFIED]
        for item, reason in exceptions:
            for waiver in [next((w for w in holding if item in w.items), None)]:
                if waiver is not None:
                    yield item, reason, waiver.name

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
    run: list[tuple[dt.date, NightAnswer]] = []
    for night, answer in assessed:
        if pair in answer.exceptions:
            run.append((night, answer))
        elif run:
            yield _interval(pair, run, night, night)
            run = []
    if run:
        yield _interval(pair, run, None, assessed[-1][0])


def _interval(
    pair: tuple[str, str], run: Sequence[tuple[dt.date, NightAnswer]], gone: dt.date | None, until: dt.date
) -> dict[str, Any]:
    """Return a run as a period lists it; ``until`` is the night it was gone, or the last one assessed."""
    waived = [waiver for _, answer in run for item, reason, waiver in answer.waived if (item, reason) == pair]
    accepted = {"waivers": sorted(set(waived)), "waived_nights": len(waived)} if waived else {}
    return {
        "item": pair[0],
        "reason": pair[1],
        "first_seen": run[0][0].isoformat(),
        "last_seen": run[-1][0].isoformat(),
        "nights": len(run),
        "open": gone is None,
        "days_open": (until - run[0][0]).days,
        "remediated_on": gone.isoformat() if gone else None,
        **accepted,
    }

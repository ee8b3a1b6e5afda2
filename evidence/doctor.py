"""What works, what to fix, and how: one line or several per thing a nightly run needs. What is looked at is ``evidence.cli.looks``."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from evidence.errors import ConfigError, EvidenceError
from evidence.sources.patience import within

Outcome = Literal["ok", "warn", "fail", "skipped"]
NETWORK: Final = 60.0  # seconds one look at something behind the network may take
OVERALL: Final = 600.0  # seconds for all of those together


@dataclass(frozen=True, slots=True)
class Line:
    """One examined thing. ``fix`` is the exact command, key, grant or setting.

    ``part``: one of many alike, shown to people only where it is not ok. ``exit_code`` is 0 unless the outcome is ``fail``.
    """

    what: str
    outcome: Outcome
    detail: str
    fix: str = ""
    exit_code: int = 0
    part: bool = False


@dataclass(frozen=True, slots=True)
class Examination:
    """A named look at one thing: returns a detail, or the lines themselves; raises what is wrong.

    ``optional`` failures only warn. ``seconds`` bounds a look that needs the network; 0: it needs none, and is never skipped.
    """

    what: str
    look: Callable[[], str | Iterable[Line]]
    optional: bool = False
    seconds: float = 0.0


def ok(what: str, detail: str, *, part: bool = False) -> Line:
    """Return a line that says that something works."""
    return Line(what, "ok", detail, part=part)


def warn(what: str, detail: str, fix: str, *, part: bool = False) -> Line:
    """Return a line that says that something will need a hand, or may be meant."""
    return Line(what, "warn", detail, fix, part=part)


def fail(what: str, detail: str, fix: str, code: int = ConfigError.exit_code, *, part: bool = False) -> Line:
    """Return a line that says that a night would lack something; ``code`` is the exit code it asks for."""
    return Line(what, "fail", detail, fix, code, part)


def failed(what: str, error: EvidenceError, *, optional: bool = False, part: bool = False) -> Line:
    """Return the line of an expected failure; ``optional`` ones only warn."""
    if optional:
        return warn(what, str(error), error.fix, part=part)
    return fail(what, str(error), error.fix, error.exit_code, part=part)


def examine(
    examinations: Sequence[Examination],
    *,
    offline: bool = False,
    overall: float = OVERALL,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Line]:
    """Look at each thing; a failure never stops the next look, and what does not answer is waited for a bounded time.

    With ``offline`` what needs the network is skipped, and said to be. ``overall`` bounds the seconds of all network looks together.
    """
    left = overall
    for each in examinations:
        if not each.seconds:
            yield from _lines(each)
        elif offline:
            yield Line(each.what, "skipped", "not looked at: --offline")
        else:
            began = clock()
            yield from _bounded(each, min(each.seconds, left))
            left = max(left - (clock() - began), 0.0)


def _bounded(each: Examination, seconds: float) -> Iterator[Line]:
    """Yield the lines that came within ``seconds``, and that it was cut if it was; its thread is left behind."""
    lines: list[Line] = []
    if seconds > 0:
        try:
            within(seconds, lambda: lines.extend(_lines(each)))
        except TimeoutError:
            pass
        else:
            yield from lines
            return
    yield from tuple(lines)
    fix = "look at the network between here and there; try again with `evidence doctor` and the name of this line"
    yield Line(
        each.what,
        "warn" if each.optional else "fail",
        f"no answer within {seconds:.0f} s",
        fix,
        0 if each.optional else 4,
    )


def _lines(each: Examination) -> Iterator[Line]:
    """Yield what a look says, and what it raises as its last line."""
    line = None
    try:
        found = each.look()
        if isinstance(found, str):
            yield ok(each.what, found)
        else:
            yield from found
    except EvidenceError as error:
        line = failed(each.what, error)
    except (OSError, ImportError) as error:
        line = fail(each.what, f"{type(error).__name__}: {error}", "see docs/setup.md")
    except Exception as error:  # noqa: BLE001 - a look at what others wrote must not stop the next; its words may quote rows
        line = fail(each.what, f"the look ended with {type(error).__name__}", "report it with the name of this line", 1)
    if line is not None:
        yield replace(line, outcome="warn", exit_code=0) if each.optional else line

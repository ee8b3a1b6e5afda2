"""What works, what to fix, and how: one line per thing a nightly run needs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from evidence.errors import EvidenceError

Outcome = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Line:
    """One examined thing. ``fix`` is the exact command, key, grant or setting."""

    what: str
    outcome: Outcome
    detail: str
    fix: str = ""
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Examination:
    """A named look at one thing: returns a detail line, raises what is wrong. ``optional`` failures only warn."""

    what: str
    look: Callable[[], str]
    optional: bool = False


def examine(examinations: list[Examination]) -> Iterator[Line]:
    """Look at each thing; a failure never stops the next look."""
    for examination in examinations:
        try:
            yield Line(examination.what, "ok", examination.look())
        except EvidenceError as error:
            outcome: Outcome = "warn" if examination.optional else "fail"
            code = 0 if examination.optional else error.exit_code
            yield Line(examination.what, outcome, str(error), error.fix, code)
        except (OSError, ImportError) as error:
            outcome = "warn" if examination.optional else "fail"
            detail = f"{type(error).__name__}: {error}"
            yield Line(examination.what, outcome, detail, "see docs/setup.md", 0 if examination.optional else 3)

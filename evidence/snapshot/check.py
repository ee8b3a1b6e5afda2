"""What a verification says: one line per check, and the verdict over all of them. Shared by every front of ``verify``."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from evidence.errors import EXIT_OK, EvidenceError, VerificationError

WORDS: Final = {True: "ok", False: "fail", None: "not checked"}
MAX_TEXT: Final = 2_000  # characters of one printed text: a hostile file must not bury the verdict
MAX_FAULTS: Final = 10_000  # faults listed of one step; a packet of nothing but faults must not fill the memory
# The parsers of ``verify`` raise declared errors (fuzzed); should one not, hostile bytes still end in a failed check, never in a pass.
FAULTS: Final = (Exception,)


def printable(text: str) -> str:
    """Return ``text`` with control characters and lone surrogates spelled out, and cut where it is longer than people read.

    Names and messages come from inside what is verified: they must not move the reader's cursor.
    """
    cut = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({len(text) - MAX_TEXT} characters more)"
    return cut if cut.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)


@dataclass(frozen=True, slots=True)
class Check:
    """``ok`` is True (proved), False (failed) or None (not checked, and ``detail`` says why).

    ``step`` is the numbered step of ``evidence.verify``; ``subject`` the file or object concerned.
    """

    step: str
    ok: bool | None
    detail: str
    subject: str = ""

    def row(self) -> tuple[str, str, str, str]:
        """Return word, step, detail and subject: a line of the table that people read."""
        return WORDS[self.ok], self.step, printable(self.detail), printable(self.subject)


@dataclass(frozen=True, slots=True)
class Verification:
    """All checks of one packet or store. ``ok`` only if nothing failed and something was proved."""

    subject: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """True when no check failed and at least one proved something."""
        results = [item.ok for item in self.checks]
        return False not in results and True in results

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(item for item in self.checks if item.ok is False)

    @property
    def exit_code(self) -> int:
        """0 when verified, else 10."""
        return EXIT_OK if self.ok else VerificationError.exit_code

    def joined(self, other: "Verification") -> "Verification":
        """Return both lists of checks as one; what the second made replaces the first's "not checked" of that step."""
        made = {item.step for item in other.checks if item.ok is not None}
        kept = tuple(item for item in self.checks if item.ok is not None or item.step not in made)
        return Verification(self.subject, kept + other.checks)

    def shown(self, *, explain: bool) -> list[tuple[str, str, str, str]]:
        """Return the rows to print: all of them, or without ``explain`` what failed and what was not checked."""
        return [item.row() for item in self.checks if explain or item.ok is not True]

    def summary(self) -> str:
        """Return the last line: verdict and counts."""
        proved, failed, open_ = (sum(item.ok is word for item in self.checks) for word in (True, False, None))
        verdict = "verified" if self.ok else "NOT VERIFIED"
        return f"{verdict}: {proved} checks proved, {failed} failed, {open_} not made"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling; ``--json`` prints its ``checks``."""
        checks = [
            {"step": c.step, "ok": c.ok, "detail": printable(c.detail), "subject": printable(c.subject)}
            for c in self.checks
        ]
        return {"subject": self.subject, "ok": self.ok, "checks": checks}


def proved(step: str, detail: str, subject: str = "") -> Check:
    """Return a check that held."""
    return Check(step, ok=True, detail=detail, subject=subject)


def failed(step: str, detail: str, subject: str = "") -> Check:
    """Return a check that did not hold."""
    return Check(step, ok=False, detail=detail, subject=subject)


def unmade(step: str, detail: str, subject: str = "") -> Check:
    """Return a check that was not made; ``detail`` says why."""
    return Check(step, ok=None, detail=detail, subject=subject)


def said(exc: Exception) -> str:
    """Return the message of an expected failure, with the class of any other."""
    return str(exc) if isinstance(exc, EvidenceError) else f"{type(exc).__name__}: {exc}"


def from_faults(
    step: str, clean: str, look: Callable[[], Iterator[tuple[str, str]]], subject: str = ""
) -> Iterator[Check]:
    """Run ``look``, which yields (file, fault): a failed check for each; one proved check ``clean`` when there are none."""
    found = 0
    try:
        for name, fault in look():
            found += 1
            if found > MAX_FAULTS:
                yield failed(step, f"over {MAX_FAULTS} faults: the rest is not listed", subject)
                return
            yield failed(step, fault, name)
    except FAULTS as exc:
        found += 1
        yield failed(step, said(exc), subject)
    if not found:
        yield proved(step, clean, subject)

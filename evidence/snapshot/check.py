"""One line of a verification: what was checked, how it went, and what was found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """``ok`` is True (proved), False (failed) or None (not checked, and ``detail`` says why).

    ``step`` is the numbered step of ``evidence.verify``; ``subject`` the file or object concerned.
    """

    step: str
    ok: bool | None
    detail: str
    subject: str = ""

"""The error tree. A class says what the operator does next and carries the exit code of the command line.

::

    EvidenceError                     1   a bug, unless a subclass says otherwise
    ├── UsageError                    2   call again with other words
    ├── ConfigError                   3   fix the file or key that is named
    ├── ControlError                  3   fix the control file and line that are named
    ├── SourceError                   4
    │   ├── SourceUnavailableError    4   retry later
    │   ├── SourceDeniedError         5   ask for the grant that is named
    │   └── SourceEditionError        4   the account's edition does not have this view
    ├── IncompleteSnapshotError       6   sealed as incomplete; look at the receipt
    ├── TimestampError                4   no time-stamp authority gave a valid stamp; retry later
    ├── StoreError                    9
    │   ├── ObjectNotFoundError       9   nothing under that name
    │   ├── StoreConflictError        9   same name, other bytes: stop and find out who wrote
    │   ├── ForkError                 9   two signed histories: stop, alert, keep both
    │   └── RollbackError             9   the store is older than what the signer remembers: stop, alert
    ├── MalformedError               10   bytes the writer would never have written: do not trust
    ├── VerificationError            10   proof failed: do not trust
    ├── PacketRefusedError           11   evidence is missing; collect it, or ask for --partial
    └── BusyError                    75   another run holds the lease; try again later

Among several outcomes the most severe exit code wins: 9 and 10 first, then the smallest positive of the rest
(:func:`worst`). Codes 7 (not-satisfied) and 8 (not-assessed) are outcomes of a run, not errors.
"""

from collections.abc import Iterable
from typing import ClassVar, Final

EXIT_OK: Final = 0
EXIT_NOT_SATISFIED: Final = 7
EXIT_NOT_ASSESSED: Final = 8


class EvidenceError(Exception):
    """Base of all expected failures.

    ``fix`` is one sentence that tells the operator what to do; the command line prints it under the message.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class UsageError(EvidenceError):
    """The command was called with words that do not fit together."""

    exit_code = 2


class ConfigError(EvidenceError):
    """A configuration file or key is missing or wrong; the message names it."""

    exit_code = 3


class ControlError(EvidenceError):
    """A control, fact or register is wrong; the message names file and line where known."""

    exit_code = 3


class SourceError(EvidenceError):
    """A source could not be read."""

    exit_code = 4


class SourceUnavailableError(SourceError):
    """Transient: the source did not answer, or answered with a server error. Retry."""


class SourceDeniedError(SourceError):
    """The source refused the read; ``fix`` names the grant."""

    exit_code = 5


class SourceEditionError(SourceError):
    """The account's edition does not offer this dataset."""


class IncompleteSnapshotError(EvidenceError):
    """Source and landed totals differ after retries; what arrived was sealed as incomplete."""

    exit_code = 6


class TimestampError(EvidenceError):
    """No time-stamp authority gave a valid stamp; the message says what each answered."""

    exit_code = 4


class StoreError(EvidenceError):
    """The store cannot be used as it is."""

    exit_code = 9


class ObjectNotFoundError(StoreError):
    """No object of that name (or none with the wanted digest)."""


class StoreConflictError(StoreError):
    """An object of that name exists with other bytes."""


class ForkError(StoreError):
    """Two differing, validly signed records of one log position. Nothing is written any more."""


class RollbackError(StoreError):
    """The log is older than, or inconsistent with, an anchor the signer kept outside the store."""


class MalformedError(EvidenceError):
    """Bytes that the encoder would not have written."""

    exit_code = 10


class VerificationError(EvidenceError):
    """A proof, digest or signature failed. ``step`` names the check."""

    exit_code = 10

    def __init__(self, message: str, *, step: str = "", fix: str = "") -> None:
        super().__init__(f"{step}: {message}" if step else message, fix=fix)
        self.step = step


class PacketRefusedError(EvidenceError):
    """A packet would rest on missing, provisional or unverifiable evidence."""

    exit_code = 11


class BusyError(EvidenceError):
    """Another process holds the advisory lease."""

    exit_code = 75


def worst(codes: Iterable[int]) -> int:
    """Return the most severe of ``codes``: 10 and 9 before all, then the smallest positive one, else 0."""
    seen = {code for code in codes if code}
    for code in (VerificationError.exit_code, StoreError.exit_code):
        if code in seen:
            return code
    return min(seen, default=EXIT_OK)

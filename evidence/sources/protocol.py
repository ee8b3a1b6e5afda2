"""What every source must do. One module per system of record; the contract suite is ``tests/contracts/source.py``.

A source only *reads*: it yields rows as the system gives them, with the facts a receipt needs. Casting, counting,
redaction and quarantine happen once, in ``evidence.collect``, for all sources alike.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pyarrow as pa

from evidence.datasets.contract import Contract
from evidence.snapshot.model import Empty, Finality, Statement, Totals, Window

UNPROVEN = "unproven: "

UNPROVEN = "unproven: "


class Reading(Protocol):
    """One read of one dataset for one window. Iterate ``batches`` to the end before asking for the rest."""

    @property
    def batches(self) -> Iterator[pa.RecordBatch]:
        """Rows as the source gives them, columns under the source's own names, any Arrow types, bounded batch size."""

    @property
    def rejected(self) -> Iterator[tuple[str, str]]:
        """Rows that are not even rows (an unparsable line): ``(text, reason)``; quarantined and counted by the caller."""

    @property
    def statements(self) -> Sequence[Statement]:
        """What was sent, in order."""

    @property
    def system(self) -> Mapping[str, str]:
        """Product, account, region, edition, role, session … as far as the source can say; never a secret."""

    @property
    def totals(self) -> Totals | None:
        """The source's own control totals for the window, or None if it cannot state any."""

    @property
    def as_of(self) -> tuple[dt.datetime, bool] | None:
        """When the state was true at the source and whether that is only claimed; None for events or if not known."""

    @property
    def finality(self) -> Finality | None:
        """What the source itself says of late rows, or None to let the caller judge by the clock."""

    @property
    def notes(self) -> Sequence[str]:
        """Things an auditor should know, in plain words. One that begins with ``UNPROVEN`` says why no totals are stated."""


@runtime_checkable
class PartialReading(Protocol):
    """A reading that can be answered in part. Sources whose answer is all or nothing need not say so."""

    @property
    def gaps(self) -> Sequence[str]:
        """What was asked for and not answered, one line each with the grant that is missing; any makes the receipt
        incomplete. Rows that did come are kept, with NULL for what is not known.
        """


@runtime_checkable
class RepeatableReading(Protocol):
    """A reading that can say what its rows are without reading them as rows: the same identity, the same batches."""

    @property
    def identity(self) -> str | None:
        """Digest of all that decides what ``batches`` and ``rejected`` give; None if that is not known, or dear to know."""

    def repeat(self, rows: int) -> None:
        """Take it that ``batches`` gave ``rows`` rows and ``rejected`` none, as they did for the same identity."""


class Source(Protocol):
    """A named system of record."""

    @property
    def name(self) -> str:
        """The name from the configuration, for example ``acme``; part of every snapshot's identity."""

    @property
    def live(self) -> bool:
        """True if a state read answers for *now* only; False if past captures can be read (exports)."""

    def datasets(self) -> Sequence[str]:
        """Names of the datasets this source can be asked for."""

    def nights(self, contract: Contract) -> Sequence[dt.date] | None:
        """Nights that can be read, in order, if the source knows them (exports do); None: ask for any."""

    def read(self, contract: Contract, window: Window) -> Reading:
        """Start reading. Raises ``SourceDeniedError``, ``SourceUnavailableError`` or ``SourceEditionError``, here or
        while iterating; the message names the statement or file and ``fix`` the grant.
        """

    def close(self) -> None:
        """Release the connection. Idempotent."""


# What follows is optional: a source or reading that has the member is asked, one that has not is not.


@dataclass(frozen=True, slots=True)
class Count:
    """What a source says of a window without sending its rows: control totals, and a digest over named columns.

    The digest (HASH_AGG) compares the source with itself over time; it is no digest of ours.
    """

    totals: Totals
    digest: str
    columns: tuple[str, ...]
    statements: tuple[Statement, ...] = ()


@runtime_checkable
class Counting(Protocol):
    """A source that can count a window again: cheaper than reading it, which is done if the count differs."""

    def count(self, contract: Contract, window: Window, columns: Sequence[str]) -> Count | None:
        """Count now, digest over ``columns`` as spelled in an earlier receipt; None if it cannot. Raises as ``read`` does."""


@runtime_checkable
class SaysWhyEmpty(Protocol):
    """A reading that can say why it brought no rows."""

    @property
    def empty(self) -> Empty | None:
        """The word and its ground, after the last batch; None if there were rows. Absent: ``unproven``."""


@runtime_checkable
class SaysCost(Protocol):
    """A reading that knows what it cost beyond its statements."""

    @property
    def cost(self) -> Mapping[str, int]:
        """For example ``{"bytes_scanned": 1024}``."""

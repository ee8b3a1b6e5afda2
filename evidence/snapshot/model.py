"""The values that travel from a source to the store: window, totals, receipt, manifest.

Pure: standard library only, so that ``verify`` can read every one of them without an engine. JSON spellings are
written down in ``docs/formats/manifest.md``; ``from_json`` accepts only what ``to_json`` writes.
"""

import dataclasses
import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self

from evidence.errors import MalformedError
from evidence.snapshot import canonical

Kind = Literal["event", "state"]
Status = Literal["complete", "incomplete", "denied", "unavailable", "edition"]
Finality = Literal["provisional", "settled"]
EmptyWord = Literal["nothing", "edition", "unproven"]

STATUSES: tuple[Status, ...] = ("complete", "incomplete", "denied", "unavailable", "edition")
NAME = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_]*)?\Z")
HEX64 = re.compile(r"[0-9a-f]{64}\Z")
DAY = dt.timedelta(days=1)


def of_type(value: object, kind: type) -> bool:
    """Say whether a value parsed from JSON is exactly of ``kind``: ``true`` must not pass for 1."""
    return type(value) is kind


def start_of(night: dt.date) -> dt.datetime:
    """Return the first instant of the UTC day ``night``."""
    return dt.datetime(night.year, night.month, night.day, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """What one snapshot covers, named by its night D.

    For an event dataset the UTC day ``[D, D + 1 day)``; for a state dataset the first capture made in
    ``[D + 1 day, D + 2 days)`` (design: a missed night is missing, never borrowed).
    """

    night: dt.date
    kind: Kind

    @property
    def start(self) -> dt.datetime:
        """First instant covered: of the events, or of the span in which a capture counts for this night."""
        return start_of(self.night) + (DAY if self.kind == "state" else dt.timedelta(0))

    @property
    def end(self) -> dt.datetime:
        """First instant after the span."""
        return self.start + DAY

    @classmethod
    def of_capture(cls, moment: dt.datetime) -> Self:
        """Return the state window that a capture made at ``moment`` (aware) belongs to."""
        return cls(moment.astimezone(dt.UTC).date() - DAY, "state")


@dataclass(frozen=True, slots=True, order=True)
class SnapshotKey:
    """Identity of a sealed snapshot; never two log entries with one key."""

    source: str
    dataset: str
    night: dt.date
    revision: int = 0

    def __post_init__(self) -> None:
        if not of_type(self.revision, int) or self.revision < 0:
            raise MalformedError(f"malformed snapshot key: {self}")
        if not NAME.match(self.source) or not NAME.match(self.dataset):
            raise MalformedError(f"malformed snapshot key: {self}")


@dataclass(frozen=True, slots=True)
class ColumnTotals:
    """Control totals of one source column, before treatment. ``None``: not summed for this type, or not stated."""

    non_null: int | None = None
    length_sum: int | None = None  # characters, text columns
    value_sum: int | None = None  # integer columns

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling; parts that are ``None`` are left out."""
        stated = (("non_null", self.non_null), ("length_sum", self.length_sum), ("value_sum", self.value_sum))
        return {name: value for name, value in stated if value is not None}


_PARTS: Final = (  # of a column's totals, and what a reader is told
    ("non_null", "values that are not empty"),
    ("length_sum", "total length"),
    ("value_sum", "sum of values"),
)


@dataclass(frozen=True, slots=True)
class Totals:
    """Control totals of a window: taken by the source, or by us over what arrived."""

    rows: int
    distinct_keys: int | None = None
    columns: Mapping[str, ColumnTotals] = field(default_factory=dict)

    def differences(self, other: "Totals") -> list[str]:
        """List where the two sides disagree; what one side does not state is not compared."""
        found = [] if self.rows == other.rows else [f"rows {self.rows:,} / {other.rows:,}"]
        if None not in (self.distinct_keys, other.distinct_keys) and self.distinct_keys != other.distinct_keys:
            found.append(f"distinct keys {self.distinct_keys:,} / {other.distinct_keys:,}")
        for name in sorted(set(self.columns) & set(other.columns)):
            mine, theirs = self.columns[name], other.columns[name]
            for part, said in _PARTS:
                a, b = getattr(mine, part), getattr(theirs, part)
                if a is not None and b is not None and a != b:
                    found.append(f"{name} {said} {a:,} / {b:,}")
        return found

    def counts(self) -> Iterator[int]:
        """Yield every number that counts something; sums of values may be negative."""
        stated = [self.rows, self.distinct_keys]
        for column in self.columns.values():
            stated += [column.non_null, column.length_sum]
            if not of_type(column.value_sum, int) and column.value_sum is not None:
                raise TypeError(f"sum {column.value_sum!r}")
        yield from (number for number in stated if number is not None)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling; parts that are ``None`` are left out."""
        columns = {name: value.to_json() for name, value in self.columns.items()}
        return _compact({"rows": self.rows, "distinct_keys": self.distinct_keys, "columns": columns})

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Parse the JSON spelling."""
        columns = {name: ColumnTotals(**value) for name, value in body.get("columns", {}).items()}
        return cls(body["rows"], body.get("distinct_keys"), columns)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement that was sent to the source, exactly as sent. ``error`` is the source's code if it refused or failed."""

    text: str
    parameters: tuple[str, ...] = ()
    query_id: str | None = None
    started_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    rows: int | None = None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling; parts that are ``None`` are left out."""
        return _compact(
            {
                "text": self.text,
                "parameters": list(self.parameters),
                "query_id": self.query_id,
                "started_at": _time(self.started_at),
                "ended_at": _time(self.ended_at),
                "rows": self.rows,
                "error": self.error,
            }
        )

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Parse the JSON spelling; the receipt that holds it is compared with what it would write."""
        return cls(
            **{
                **body,
                "parameters": tuple(body["parameters"]),
                "started_at": _moment(body.get("started_at")),
                "ended_at": _moment(body.get("ended_at")),
            }
        )


@dataclass(frozen=True, slots=True)
class Empty:
    """Why a dataset came without rows, and the ground on which that rests.

    ``nothing``: there was nothing to report, and it was shown that rows would have been seen. ``edition``: the account's
    edition has no such rows. ``unproven``: nobody can tell it from missing rights.
    """

    word: EmptyWord
    ground: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The completeness record of a snapshot (IPE: information produced by the entity).

    ``as_of`` is the moment a state was true at the source; ``as_of_claimed`` says that somebody else's word is all we
    have for it (file exports). ``rows_digest`` is the order-free digest of canonical landed rows, see
    ``evidence.snapshot.rows``. ``treated`` counts values per column and treatment outcome. ``late``: this revision holds
    rows that came after the window had been settled. ``cost`` counts ``reads``, ``statements``, ``elapsed_ms`` and, where the
    source says, ``bytes_scanned``.
    """

    status: Status
    collected_at: dt.datetime
    finality: Finality = "settled"
    reason: str = ""
    as_of: dt.datetime | None = None
    as_of_claimed: bool = False
    system: Mapping[str, str] = field(default_factory=dict)
    statements: tuple[Statement, ...] = ()
    source_totals: Totals | None = None
    landed_totals: Totals | None = None
    differences: tuple[str, ...] = ()
    landed: int = 0
    quarantined: int = 0
    quarantine_reasons: Mapping[str, int] = field(default_factory=dict)
    treated: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    drift: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    rows_digest: str = ""
    key_id: str = ""
    collector: Mapping[str, str] = field(default_factory=dict)
    empty: Empty | None = None
    late: bool = False
    cost: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling; empty parts are left out, counts and status are always there."""
        return {
            "status": self.status,
            "finality": self.finality,
            "collected_at": canonical.format_time(self.collected_at),
            "landed": self.landed,
            "quarantined": self.quarantined,
            **_compact(
                {
                    "reason": self.reason or None,
                    "as_of": _time(self.as_of),
                    "as_of_claimed": self.as_of_claimed or None,
                    "system": dict(self.system) or None,
                    "statements": [s.to_json() for s in self.statements] or None,
                    "source_totals": self.source_totals.to_json() if self.source_totals else None,
                    "landed_totals": self.landed_totals.to_json() if self.landed_totals else None,
                    "differences": list(self.differences) or None,
                    "quarantine_reasons": dict(self.quarantine_reasons) or None,
                    "treated": {k: dict(v) for k, v in self.treated.items()} or None,
                    "drift": {k: list(v) for k, v in self.drift.items()} or None,
                    "notes": list(self.notes) or None,
                    "rows_digest": self.rows_digest or None,
                    "key_id": self.key_id or None,
                    "collector": dict(self.collector) or None,
                    "empty": dataclasses.asdict(self.empty) if self.empty else None,
                    "late": self.late or None,
                    "cost": dict(self.cost) or None,
                }
            ),
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Parse the JSON spelling; raise ``MalformedError`` for anything :meth:`to_json` does not write."""
        try:
            receipt = cls(**_receipt_words(body))
            again = receipt.to_json()
            counts = [receipt.landed, receipt.quarantined, *receipt.cost.values(), *receipt.quarantine_reasons.values()]
            counts += [n for side in (receipt.source_totals, receipt.landed_totals) if side for n in side.counts()]
            digest = not receipt.rows_digest or HEX64.match(receipt.rows_digest)
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise MalformedError(f"malformed receipt: {exc!r}") from exc
        if again != body:
            raise MalformedError("receipt has parts the writer does not write")
        if not all(of_type(count, int) and count >= 0 for count in counts):
            raise MalformedError("receipt has a count that is none")
        if not digest:
            raise MalformedError(f"receipt names {receipt.rows_digest!r} as the digest of its rows")
        return receipt


def _receipt_words(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a receipt's fields, those that its JSON has."""
    readers: Mapping[str, Callable[[Any], Any]] = {
        "collected_at": canonical.parse_time,
        "as_of": canonical.parse_time,
        "statements": lambda found: tuple(Statement.from_json(one) for one in found),
        "source_totals": Totals.from_json,
        "landed_totals": Totals.from_json,
        "differences": tuple,
        "drift": lambda found: {name: tuple(columns) for name, columns in found.items()},
        "notes": tuple,
        "empty": lambda found: Empty(**found),
    }
    return {name: readers[name](value) if name in readers else value for name, value in body.items()}


RECEIPT_KEYS = frozenset(member.name for member in dataclasses.fields(Receipt))


@dataclass(frozen=True, slots=True)
class Part:
    """One sealed file: its path in the store, digest, size in bytes and rows."""

    path: str
    sha256: str
    size: int
    rows: int

    def __post_init__(self) -> None:
        if not (of_type(self.path, str) and of_type(self.size, int) and of_type(self.rows, int)):
            raise MalformedError(f"malformed part: {self}")
        if not HEX64.match(self.sha256) or self.size < 0 or self.rows < 0 or not self.path:
            raise MalformedError(f"malformed part: {self}")

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling."""
        return {"path": self.path, "sha256": self.sha256, "size": self.size, "rows": self.rows}


def _compact(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if value is not None}


def _time(moment: dt.datetime | None) -> str | None:
    return canonical.format_time(moment) if moment else None


def _moment(text: str | None) -> dt.datetime | None:
    return canonical.parse_time(text) if text is not None else None

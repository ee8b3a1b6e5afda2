"""Disposal: sealed evidence whose time is over was removed, by the store's own rules or by its owner, and the log says so.

Nothing here removes anything. A ``disposal`` entry names snapshot entries of one dataset, by index, whose files were seen gone. It
counts only where the log alone shows that it was by rule: the time they were to be kept for had ended when they were seen gone, and
no hold stood. What is gone otherwise is lost, whatever an entry says.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from evidence.errors import EvidenceError, MalformedError
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry, parse_snapshot_entry_key
from evidence.store.hold import Holds
from evidence.store.retention import FLOOR_DAYS, TOLERANCE, RetentionRule

TYPE: Final = "disposal"
MOST: Final = 4_000  # entries named by one disposal entry: 64 KiB hold them with indexes of ten digits
_SEALING: Final = dt.timedelta(days=1)  # between reading a night and its commit, where no lock says when it was put
_APART: Final = dt.timedelta(days=1)  # two collectors may commit in another order than they read their clocks
_MOMENTS: Final = ("collected_at", "checked_at", "known_at", "seen_at", "at")
_MINUTE: Final = "%Y-%m-%d %H:%M"


@dataclass(frozen=True, slots=True)
class Disposal:
    """Snapshot entries of one dataset, ascending, seen gone at ``seen_at``; ``days`` is what they were kept for at least."""

    source: str
    dataset: str
    indexes: Sequence[int]
    days: int
    seen_at: dt.datetime
    by: str

    def to_body(self) -> dict[str, Any]:
        """Return what a ``disposal`` entry says."""
        seen = canonical.format_time(self.seen_at)
        return {
            "source": self.source, "dataset": self.dataset, "entries": list(self.indexes), "days": self.days, "seen_at": seen, "by": self.by,
        }  # fmt: skip

    @classmethod
    def from_entry(cls, entry: Entry) -> Self:
        """Return what an entry records. Raises ``MalformedError``."""
        body = entry.body
        try:
            found = cls(
                body["source"], body["dataset"], tuple(body["entries"]), body["days"], canonical.parse_time(body["seen_at"]), body["by"],
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise MalformedError(f"malformed disposal entry {entry.key}: {exc!r}") from exc
        numbers = (*found.indexes, found.days)
        texts = (found.source, found.dataset, found.by)
        sound = all(type(number) is int for number in numbers) and all(type(text) is str for text in texts)
        if not sound or not found.indexes or min(numbers) < 0 or list(found.indexes) != sorted(set(found.indexes)):
            raise MalformedError(f"malformed disposal entry {entry.key}")
        return found


@dataclass(slots=True)
class Disposals:
    """What a log records as disposed: ``entries`` (snapshot entry -> the disposal entry that counts for it), and what does not count."""

    entries: dict[int, int] = field(default_factory=dict)
    recorded: dict[int, Disposal] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        of_type: Callable[[str], Iterable[int]],
        entry: Callable[[int], Entry],
        *,
        size: int = 0,
        now: dt.datetime | None = None,
    ) -> Self:
        """Judge every ``disposal`` entry by the promises and the holds before it; ``entry`` returns the one at an index.

        With ``now``, the reader's clock, an entry of the future counts for nothing, nor one after which the log (of ``size``)
        goes on at an earlier time: a clock that ran ahead would let anything be disposed of. Raises ``MalformedError`` for holds and
        promises that cannot be read.
        """
        found = cls()
        numbers = sorted(number for kind in ("retention", "hold", TYPE) for number in of_type(kind))
        rule: RetentionRule | None = None
        holds: list[Entry] = []
        for number in numbers:
            each = entry(number)
            if each.type == "retention":
                rule = RetentionRule.from_body(each.body)
            elif each.type == "hold":
                holds.append(each)
            else:
                found._take(number, each, entry, rule, Holds.of(holds))
        if now is not None and found.recorded:
            found._drop_untimely(entry, size, now)
        return found

    def _take(
        self, number: int, body: Entry, entry: Callable[[int], Entry], rule: RetentionRule | None, holds: Holds
    ) -> None:
        try:
            disposal = Disposal.from_entry(body)
        except EvidenceError as exc:
            self.faults.append((number, str(exc)))
            return
        self.recorded[number] = disposal
        for index in disposal.indexes:
            fault = f"names entry {index}, which is not before it" if index >= number else ""
            fault = fault or _refusal(index, entry(index), disposal, rule, holds)
            if fault:
                self.faults.append((number, fault))
            else:
                self.entries.setdefault(index, number)

    def _drop_untimely(self, entry: Callable[[int], Entry], size: int, now: dt.datetime) -> None:
        earliest, where = now + TOLERANCE, -1  # of what was sealed after the entry in hand
        for index in range(size - 1, min(self.recorded) - 1, -1):
            moment = _moment(entry(index))
            if index in self.recorded and moment and moment > earliest + _APART * (where >= 0):
                after = (
                    f"entry {where}, sealed after it, says {earliest:{_MINUTE}}" if where >= 0 else "that is to come"
                )
                self.faults.append((index, f"says {moment:{_MINUTE}}; {after}"))
                self.entries = {one: by for one, by in self.entries.items() if by != index}
            if moment and moment < earliest:
                earliest, where = moment, index


def days_kept(path: str, rule: RetentionRule | None) -> int:
    """Return for how many days the object at ``path`` is kept at least: as the log promises, else what the law asks for."""
    return rule.days_of(path) if rule else FLOOR_DAYS


def kept_until(entry: Entry, days: int) -> dt.datetime:
    """Return until when a snapshot is kept: ``days`` from when it was read, and the lock that was read back. Raises ``MalformedError``.

    Without a lock nobody says when it was put: a day more is allowed for.
    """
    try:
        read = canonical.parse_time(entry.body["collected_at"])
        lock = entry.body.get("retention")
        ends = read + dt.timedelta(days=days)
        locked = canonical.parse_time(lock["until"]) if lock else ends + _SEALING
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as exc:
        raise MalformedError(f"entry {entry.key} does not say since when it is kept: {exc!r}") from exc
    return max(ends, locked)


def chunks(indexes: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield ``indexes`` in pieces that one entry holds."""
    yield from (indexes[start : start + MOST] for start in range(0, len(indexes), MOST))


def _refusal(index: int, entry: Entry, disposal: Disposal, rule: RetentionRule | None, holds: Holds) -> str:
    """Return why ``disposal`` does not count for the entry, empty if it does."""
    if entry.type != "snapshot" or entry.object is None:
        return f"names entry {index}, a {entry.type}: only snapshots are disposed of"
    try:
        key = parse_snapshot_entry_key(entry.key)
        if (key.source, key.dataset) != (disposal.source, disposal.dataset):
            return f"names entry {index} of {key.source}/{key.dataset}"
        days = days_kept(entry.object.path, rule)
        if disposal.days < days:
            return f"says {disposal.days} days; entry {index} is kept for {days}"
        until = kept_until(entry, disposal.days)
    except EvidenceError as exc:
        return str(exc)
    if until > disposal.seen_at:
        return f"names entry {index}, seen gone {disposal.seen_at:{_MINUTE}} and to be kept until {until:{_MINUTE}}"
    names = ", ".join(sorted(hold.name for hold in holds.covering(entry)))
    return f"names entry {index}, which was under hold {names}" if names else ""


def _moment(entry: Entry) -> dt.datetime | None:
    body: Mapping[str, Any] = entry.body
    said = next((body[name] for name in _MOMENTS if isinstance(body.get(name), str)), None)
    try:
        return canonical.parse_time(said) if said else None
    except (EvidenceError, ValueError):
        return None

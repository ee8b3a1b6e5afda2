"""How long each sealed night is kept, and what became of it: kept, held, past its date, disposed of, or lost. And recording what is gone.

By the log, and one listing of what is there; locks are read back by ``evidence.store.promise``, bytes by ``evidence.store.check``.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from evidence.errors import MalformedError, VerificationError
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry, parse_snapshot_entry_key
from evidence.snapshot.manifest import Manifest
from evidence.snapshot.model import SnapshotKey
from evidence.store.disposal import TYPE, Disposal, chunks, days_kept, kept_until
from evidence.store.log import Log
from evidence.store.promise import promised
from evidence.store.sealing import append_new, disposals_of, holds_of

State = Literal["kept", "expiring", "held", "past", "disposed", "gone", "lost"]
MEANING: Final[dict[State, str]] = {
    "kept": "there, and to be kept for longer",
    "expiring": "there, and its time ends soon",
    "held": "there, under a legal hold, whatever its date",
    "past": "there, past its date: the store's own rules may remove it",
    "disposed": "gone after its time, as the log records",
    "gone": "gone after its time, not recorded: evidence retention record-disposal",
    "lost": "gone, or part of it, while it was to be kept: restore it from a copy, docs/runbooks/restore.md",
}
Days = Callable[[str], int]  # path -> days it is kept as configured
_DATA: Final = "data/"
_NEVER: Final = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Expiry:
    """One snapshot entry: ``until`` when it is kept, the ``holds`` on it, and the disposal entry that ``recorded`` it gone."""

    index: int
    key: SnapshotKey
    until: dt.datetime
    days: int
    state: State
    holds: tuple[str, ...] = ()
    recorded: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling."""
        return {
            "source": self.key.source, "dataset": self.key.dataset, "night": self.key.night.isoformat(), "revision": self.key.revision,
            "entry": self.index, "until": canonical.format_time(self.until), "days": self.days, "state": self.state,
            "holds": list(self.holds), "recorded": self.recorded,
        }  # fmt: skip


def expiries(log: Log, days: Days, now: dt.datetime, within: dt.timedelta) -> list[Expiry]:
    """Return every snapshot entry in log order. Kept is what promise, lock, configuration and law say, whichever is longest.

    One listing of ``data/`` and, for what is past its date, a GET of its manifest. Raises ``StoreError``.
    """
    rule, holds, disposals = promised(log), holds_of(log), disposals_of(log)
    names = _listed(log)
    found = []
    for index, entry in log.entries("snapshot"):
        if entry.object is None:
            continue
        for_days = max(days(entry.object.path), days_kept(entry.object.path, rule))
        until = _until(entry, for_days)
        held = tuple(sorted(hold.name for hold in holds.covering(entry)))
        recorded = disposals.entries.get(index)
        there = _there(log, entry, names, ended=until <= now)
        state: State
        if recorded is not None:
            state = "disposed"
        elif not there:
            state = "gone" if until <= now and not held else "lost"
        elif held:
            state = "held"
        elif until <= now:
            state = "past"
        else:
            state = "expiring" if until <= now + within else "kept"
        found.append(Expiry(index, parse_snapshot_entry_key(entry.key), until, for_days, state, held, recorded))
    return found


def record_disposal(log: Log, days: Days, now: dt.datetime, by: str) -> list[Disposal]:
    """Seal a ``disposal`` entry of everything that is gone after its time and under no hold; return what was recorded.

    Idempotent. What is lost is not recorded: it stays a failure.
    """
    groups: dict[tuple[str, str, int], list[int]] = defaultdict(list)
    for each in expiries(log, days, now, dt.timedelta()):
        if each.state == "gone":
            groups[each.key.source, each.key.dataset, each.days].append(each.index)
    numbers: Counter[str] = Counter(entry.key.rpartition("/")[0] for _, entry in log.entries(TYPE))
    made: dict[str, Disposal] = {}
    for (source, dataset, for_days), indexes in sorted(groups.items()):
        for some in chunks(indexes):
            name = f"{source}/{dataset}"
            numbers[name] += 1
            made[f"{name}/{numbers[name]}"] = Disposal(source, dataset, some, for_days, now, by)
    sealed = append_new(log, [Entry(TYPE, key, None, disposal.to_body()) for key, disposal in made.items()])
    return [made[entry.key] for entry in sealed]


def totals(found: Sequence[Expiry]) -> Iterator[tuple[str, str, list[Expiry]]]:
    """Yield source, dataset and its expiries, sorted by name."""
    groups: dict[tuple[str, str], list[Expiry]] = defaultdict(list)
    for each in found:
        groups[each.key.source, each.key.dataset].append(each)
    for (source, dataset), some in sorted(groups.items()):
        yield source, dataset, some


def _listed(log: Log) -> dict[str, set[str]]:
    """Return folder -> names in it of all that lies under ``data/``."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in log.store.list(_DATA):
        folder, _, name = path.rpartition("/")
        found[folder].add(name)
    return found


def _there(log: Log, entry: Entry, names: dict[str, set[str]], *, ended: bool) -> bool:
    """Say whether manifest and parts are listed. How many parts there are is known of the manifest; before its end one is enough."""
    if entry.object is None:
        return True
    folder, _, name = entry.object.path.rpartition("/")
    if name not in names[folder]:
        return log.store.head(entry.object.path) is not None  # asked once more: a listing may be older than a put
    if not ended:
        return len(names[folder]) > 1 or not entry.body.get("landed")
    try:
        manifest = Manifest.from_bytes(log.store.get(entry.object.path, sha256=entry.object.sha256))
    except (VerificationError, MalformedError):
        return True  # what it is by its bytes is the matter of a check
    parts = [part.path for part in (*manifest.parts, *manifest.quarantine)]
    return all(_base(path) in names[_folder(path)] or log.store.head(path) is not None for path in parts)


def _until(entry: Entry, days: int) -> dt.datetime:
    """Without a date in its entry nobody can say when a snapshot's time is over: never."""
    try:
        return kept_until(entry, days)
    except MalformedError:
        return _NEVER


def _base(path: str) -> str:
    return path.rpartition("/")[2]


def _folder(path: str) -> str:
    return path.rpartition("/")[0]

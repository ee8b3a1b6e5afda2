"""What changed since people were told, kept in the log itself: no state file that could disagree, the same for every host.

An ``alert`` entry seals the changes one run found and everything that stood after it; alerts are numbered, and a number is sealed once, also
by two hosts at a time. A ``told`` entry says up to which alert a target was told: a run that ends between sending and that entry sends the
message again, under the same number, rather than not at all. Pure but for :func:`note` and :func:`tell`.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from evidence.alert.condition import AGEING, REACH, Condition, Seen
from evidence.control.model import SEVERITIES
from evidence.errors import EvidenceError, MalformedError
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry
from evidence.snapshot.model import DAY
from evidence.store.log import Log
from evidence.store.sealing import append_new, put_object

ALERT: Final = "alert"
TOLD: Final = "told"
FORMAT: Final = "evidence-alert-v1"


@dataclass(frozen=True, slots=True)
class Alert:
    """The changes of one run, and what stood after it."""

    id: str
    at: dt.datetime
    begun: tuple[Condition, ...]
    ended: tuple[Condition, ...]
    standing: tuple[Condition, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling."""
        parts = {name: [each.to_json() for each in getattr(self, name)] for name in ("begun", "ended", "standing")}
        return {"format": FORMAT, "id": self.id, "at": canonical.format_time(self.at), **parts}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Alert":
        """Parse the JSON spelling. Raises ``MalformedError``."""
        try:
            parts = {
                name: tuple(Condition.from_json(each) for each in body[name]) for name in ("begun", "ended", "standing")
            }
            return cls(body["id"], canonical.parse_time(body["at"]), **parts)
        except (KeyError, TypeError, ValueError) as exc:
            raise MalformedError(f"malformed alert: {exc!r}") from exc

    def at_least(self, severity: str) -> "Alert":
        """Return what of it is of ``severity`` or worse."""
        grave = SEVERITIES[SEVERITIES.index(severity) :]
        begun, ended, standing = (
            tuple(each for each in part if each.severity in grave) for part in (self.begun, self.ended, self.standing)
        )
        return Alert(self.id, self.at, begun, ended, standing)


class Target(Protocol):
    """Somebody to tell. ``name`` is what the log calls it and never a secret."""

    name: str
    severity: str

    def send(self, alert: Alert) -> Mapping[str, str]:
        """Tell, in bounded time; return condition -> ticket, where it keeps tickets. Raises ``EvidenceError`` or ``OSError``."""


def change(seen: Seen, before: Iterable[Condition], number: int, at: dt.datetime) -> Alert | None:
    """Return what begins and what ends, or None. What nothing can be said of goes on as it stood.

    What passed out of reach is dropped and not told of: a lost night does not recover by growing old.
    """
    oldest = at.date() - DAY * REACH
    stood = {each.key: each for each in before if each.kind not in AGEING or each.since >= oldest}
    stands = {each.key: each for each in seen.standing}
    kept = {key: each for key, each in stood.items() if key in seen.unknown and key not in stands}
    begun = tuple(each for key, each in sorted(stands.items()) if key not in stood)
    gone = [each for key, each in sorted(stood.items()) if key not in stands and key not in kept]
    if not begun and not gone:
        return None
    standing = tuple(each for _, each in sorted({**kept, **stands}.items()))
    return Alert(f"{number:06d}", at, begun, tuple(gone), standing)


def note(log: Log, seen: Seen, unique: str, at: dt.datetime) -> Alert | None:
    """Seal what changed since the last alert, if anything did."""
    last, count = log.last(ALERT)
    before = _read(log, log.entry(last)).standing if count else ()
    found = change(seen, before, count + 1, at)
    if found is None:
        return None
    ref = put_object(log.store, f"alerts/{found.id}-{unique}.json", canonical.encode(found.to_json()))
    counts = {name: len(getattr(found, name)) for name in ("begun", "ended", "standing")}
    append_new(log, [Entry(ALERT, found.id, ref, {"at": canonical.format_time(at), **counts})])
    return found


def untold(log: Log, target: str) -> list[Alert]:
    """Return the alerts a target has not been told, oldest first. The one it was met at tells it all that stood then.

    What is read are the entries since the target was told last, not those of every night before.
    """
    (last, count), told = log.last(ALERT), _told_last(log, target)
    if not count or told is None:
        return [_whole(_read(log, log.entry(last)))] if count else []
    if told["through"]:
        return [_numbered(log, number) for number in range(_place(log, told["through"]) + 1, count + 1)]
    met = _place(log, told["met"])
    return [_whole(_numbered(log, met)), *(_numbered(log, number) for number in range(met + 1, count + 1))]


def _told_last(log: Log, target: str) -> Mapping[str, Any] | None:
    """Return the last entry that says what ``target`` was told, or None: it was never met.

    Looked for by name from the last alert back: nearly always that is the one.
    """
    met = log.find(TOLD, f"{target}/met")
    names = (f"{target}/{number:06d}" for number in range(log.last(ALERT)[1], 0, -1))
    number = next((found for found in (log.find(TOLD, name) for name in names) if found is not None), met)
    return None if number is None else log.entry(number).body


def _place(log: Log, alert: str) -> int:
    """Return the number of an alert, from 1. Raises ``MalformedError`` if the log has none of that name."""
    if log.find(ALERT, alert) is None:
        raise MalformedError(f"the log has no alert {alert}")
    return int(alert)


def _numbered(log: Log, number: int) -> Alert:
    found = log.find(ALERT, f"{number:06d}")
    if found is None:
        raise MalformedError(f"the log has no alert {number:06d}")
    return _read(log, log.entry(found))


def _whole(alert: Alert) -> Alert:
    return Alert(alert.id, alert.at, alert.standing, (), alert.standing)


def _meet(log: Log, targets: Sequence[Target]) -> None:
    """Write down at which alert each new target was met, so that one that is down from its first day loses nothing either."""
    last, count = log.last(ALERT)
    new = [target.name for target in targets if log.find(TOLD, f"{target.name}/met") is None] if count else []
    met = log.name(last)[1] if new else ""
    append_new(log, [Entry(TOLD, f"{name}/met", None, {"target": name, "met": met, "through": ""}) for name in new])


def tell(log: Log, targets: Sequence[Target], at: dt.datetime) -> dict[str, str]:
    """Tell every target what it has not been told; return target -> why, of those that could not be told.

    A target is told in order: where one message fails the rest wait for the next run.
    """
    failed: dict[str, str] = {}
    _meet(log, targets)
    for target in targets:
        through, tickets = "", dict[str, str]()
        for alert in untold(log, target.name):
            due = alert.at_least(target.severity)
            try:
                if due.begun or due.ended:
                    tickets |= target.send(due)
            except (EvidenceError, OSError) as exc:
                failed[target.name] = str(exc)
                break
            through = alert.id
        if through:
            told: dict[str, Any] = {"target": target.name, "through": through, "at": canonical.format_time(at)}
            told |= {"tickets": tickets} if tickets else {}
            append_new(log, [Entry(TOLD, f"{target.name}/{through}", None, told)])
    return failed


def _read(log: Log, entry: Entry) -> Alert:
    if entry.object is None:
        raise MalformedError(f"alert {entry.key} names no object")
    body = log.store.get(entry.object.path, sha256=entry.object.sha256)
    return Alert.from_json(canonical.decode(body, what=entry.object.path))

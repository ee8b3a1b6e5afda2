"""What changed since people were told, kept in the log itself: no state file that could disagree, the same for every host.

An ``alert`` entry seals the changes one run found and everything that stood after it; alerts are numbered, and a number is sealed once, also
by two hosts at a time. A ``told`` entry says up to which alert a target was told: a run that ends between sending and that entry sends the
message again, under the same number, rather than not at all. Pure but for :func:`note` and :func:`tell`.
"""

import datetime as dt
from bisect import bisect_left
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
    numbers = log.numbers(ALERT)
    before = _read(log, log.entry(numbers[-1])).standing if numbers else ()
    found = change(seen, before, len(numbers) + 1, at)
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
    alerts, told = log.numbers(ALERT), _told_last(log, target)
    if not alerts or told is None:
        return [_whole(_read(log, log.entry(alerts[-1])))] if alerts else []
    if told["through"]:
        return [_read(log, log.entry(number)) for number in alerts[_place(log, told["through"]) + 1 :]]
    met, *since = alerts[_place(log, told["met"]) :]
    return [_whole(_read(log, log.entry(met))), *(_read(log, log.entry(number)) for number in since)]


def _told_last(log: Log, target: str) -> Mapping[str, Any] | None:
    """Return the last entry that says what ``target`` was told, or None: it was never met."""
    bodies = (log.entry(number).body for number in reversed(log.numbers(TOLD)))
    return next((body for body in bodies if body["target"] == target), None)


def _place(log: Log, alert: str) -> int:
    """Return which of the alerts that one is, from 0. Raises ``MalformedError`` if the log has none of that name."""
    number = log.find(ALERT, alert)
    if number is None:
        raise MalformedError(f"the log has no alert {alert}")
    return bisect_left(log.numbers(ALERT), number)


def _whole(alert: Alert) -> Alert:
    return Alert(alert.id, alert.at, alert.standing, (), alert.standing)


def _meet(log: Log, targets: Sequence[Target]) -> None:
    """Write down at which alert each new target was met, so that one that is down from its first day loses nothing either."""
    last = [log.name(number)[1] for number in log.numbers(ALERT)[-1:]]
    new = [target.name for target in targets if log.find(TOLD, f"{target.name}/met") is None] if last else []
    append_new(log, [Entry(TOLD, f"{name}/met", None, {"target": name, "met": last[0], "through": ""}) for name in new])


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

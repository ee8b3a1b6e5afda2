"""Legal holds: named, recorded in the log, placed on every sealed object they cover, lifted by name only.

A ``hold`` entry places, asks for the release, takes that back, or releases; its key is ``<name>/<n>``, so a name has one history.
A release takes two people: one asks, another confirms. Until then, and where an entry says otherwise, the hold stands. An object is
held while any standing hold covers it. What is sealed under a standing hold is held before its commit (``evidence.store.sealing``).
"""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from evidence.errors import MalformedError, UsageError
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry, parse_snapshot_entry_key
from evidence.snapshot.people import same_person

PLACED: Final = "placed"
ASKED: Final = "release-requested"
WITHDRAWN: Final = "request-withdrawn"
RELEASED: Final = "released"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class LegalHold:
    """What must not be removed while it stands. An empty source or dataset means every one; nights from ``since`` to ``until``."""

    name: str
    reason: str
    by: str
    at: dt.datetime
    source: str = ""
    dataset: str = ""
    since: dt.date | None = None
    until: dt.date | None = None

    def __post_init__(self) -> None:
        if not _NAME.match(self.name) or not self.reason.strip() or not self.by.strip():
            raise UsageError(
                "a hold has a name (lower case letters, digits, . _ -), a reason and somebody who placed it",
                fix="evidence hold add NAME --reason TEXT --by WHO",
            )
        if self.since and self.until and self.since > self.until:
            raise UsageError(f"hold {self.name}: {self.since} is after {self.until}")

    @property
    def narrow(self) -> bool:
        """Whether it names sources, datasets or nights; one that does not covers everything that is sealed."""
        return bool(self.source or self.dataset or self.since or self.until)

    def covers(self, entry: Entry) -> bool:
        """Say whether the objects of ``entry`` are held: snapshots by scope, assessments by night, all else by a wide hold only."""
        if entry.object is None:
            return False
        if entry.type == "snapshot":
            key = parse_snapshot_entry_key(entry.key)
            return self.source in {"", key.source} and self.dataset in {"", key.dataset} and self._spans(key.night)
        if entry.type == "assessment" and not (self.source or self.dataset):
            return self._spans(dt.date.fromisoformat(entry.body["night"]))
        return not self.narrow

    def to_body(self, action: str) -> dict[str, Any]:
        """Return what a ``hold`` entry says; ``action`` is one of the four at the top of this module."""
        return {
            "action": action,
            "reason": self.reason,
            "by": self.by,
            "at": canonical.format_time(self.at),
            "source": self.source,
            "dataset": self.dataset,
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
        }

    @classmethod
    def from_entry(cls, entry: Entry) -> Self:
        """Return the hold that an entry places or releases. Raises ``MalformedError``."""
        body = entry.body
        try:
            nights = [dt.date.fromisoformat(body[key]) if body[key] else None for key in ("since", "until")]
            at = canonical.parse_time(body["at"])
            name = entry.key.rsplit("/", 1)[0]
            return cls(name, body["reason"], body["by"], at, body["source"], body["dataset"], *nights)
        except (KeyError, TypeError, ValueError, UsageError) as exc:
            raise MalformedError(f"malformed hold entry {entry.key}: {exc!r}") from exc

    def _spans(self, night: dt.date) -> bool:
        return (self.since is None or self.since <= night) and (self.until is None or night <= self.until)


@dataclass(frozen=True, slots=True)
class Holds:
    """Every hold of a log, by name: the last word on each, open requests for a release, and how many entries each has."""

    standing: Mapping[str, LegalHold]
    released: Mapping[str, LegalHold]
    asked: Mapping[str, LegalHold]  # of standing holds: who asked for the release, why and when
    count: Mapping[str, int]

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Self:
        """Read ``hold`` entries, oldest first. A release that nobody else asked for releases nothing. Raises ``MalformedError``."""
        standing: dict[str, LegalHold] = {}
        released: dict[str, LegalHold] = {}
        asked: dict[str, LegalHold] = {}
        count: dict[str, int] = {}
        for entry in entries:
            hold, action = LegalHold.from_entry(entry), entry.body.get("action")
            count[hold.name] = count.get(hold.name, 0) + 1
            if action == PLACED:
                standing[hold.name] = hold
                released.pop(hold.name, None)
            elif action not in {ASKED, WITHDRAWN, RELEASED}:
                raise MalformedError(f"hold entry {entry.key} says {action!r}", fix="read it with a newer version")
            elif hold.name in standing:
                request = asked.pop(hold.name, None)
                if action == RELEASED and request and not same_person(request.by, hold.by):
                    released[hold.name] = hold
                    del standing[hold.name]
                elif action == ASKED:
                    asked[hold.name] = request or hold  # who asked first stays who asked
                elif action == RELEASED and request:
                    asked[hold.name] = request
        return cls(standing, released, asked, count)

    def covering(self, entry: Entry) -> Iterator[LegalHold]:
        """Yield the standing holds on ``entry``."""
        return (hold for hold in self.standing.values() if hold.covers(entry))

    def placed(self, hold: LegalHold) -> Entry:
        """Return the entry that places ``hold``. Raises ``UsageError`` if one of that name stands."""
        if hold.name in self.standing:
            raise UsageError(f"hold {hold.name} stands already", fix="choose another name, or release it first")
        return Entry("hold", f"{hold.name}/{self.count.get(hold.name, 0) + 1}", None, hold.to_body(PLACED))

    def asking(self, name: str, *, reason: str, by: str, at: dt.datetime) -> Entry:
        """Return the entry by which ``by`` asks for the release. Raises ``UsageError`` if it is asked for or does not stand."""
        self._check_stands(name)
        if name in self.asked:
            before = self.asked[name]
            raise UsageError(
                f"{before.by} asked for the release of hold {name} already: {before.reason}",
                fix=f"somebody else confirms: evidence hold release {name} --confirm; or --withdraw",
            )
        return self._next(name, ASKED, reason, by, at)

    def withdrawn(self, name: str, *, reason: str, by: str, at: dt.datetime) -> Entry:
        """Return the entry that takes an open request back. Raises ``UsageError`` if there is none."""
        self._request(name)
        return self._next(name, WITHDRAWN, reason, by, at)

    def lifted(self, name: str, *, reason: str, by: str, at: dt.datetime) -> Entry:
        """Return the entry that releases the hold ``name``. Raises ``UsageError`` unless another than ``by`` asked for it."""
        request = self._request(name)
        if same_person(request.by, by):
            raise UsageError(
                f"{by} asked for the release of hold {name}: nobody confirms what they asked for",
                fix="another person confirms: --by WHO",
            )
        return self._next(name, RELEASED, reason, by, at)

    def _check_stands(self, name: str) -> None:
        if name not in self.standing:
            known = ", ".join(sorted(self.standing)) or "none"
            raise UsageError(f"no hold {name!r} stands", fix=f"standing: {known}")

    def _request(self, name: str) -> LegalHold:
        self._check_stands(name)
        if name not in self.asked:
            raise UsageError(
                f"nobody asked for the release of hold {name}",
                fix=f"evidence hold release {name} --reason TEXT --by WHO; then another person confirms",
            )
        return self.asked[name]

    def _next(self, name: str, action: str, reason: str, by: str, at: dt.datetime) -> Entry:
        hold = replace(self.standing[name], reason=reason, by=by, at=at)
        return Entry("hold", f"{name}/{self.count[name] + 1}", None, hold.to_body(action))

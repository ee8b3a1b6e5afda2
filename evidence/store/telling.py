"""Telling further places of each new checkpoint: who has which one, who failed, how often, and when to try again.

What a place answers never stops a commit. A place that failed is tried again at the next commit, three times in a row at
most: then it is left alone until the next run, so that a dead address costs half a minute of a long backfill and not hours.
What was delivered is written down beside the workspace, for ``evidence status``; it is a note and proves nothing.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from evidence.errors import EvidenceError
from evidence.store.anchor import Destination
from evidence.tlog.checkpoint import parse_unverified
from evidence.tlog.cosignature import Cosigner

PATIENCE: Final = 3  # failures of one place in a row, per run

Prove = Callable[[int], Sequence[bytes]]


@runtime_checkable
class Witness(Protocol):
    """A place that answers: with its co-signature over a checkpoint that continues all it saw (``evidence.store.witness``)."""

    cosigner: Cosigner

    @property
    def where(self) -> str:
        """What to call it in messages, without secrets."""

    def cosign(self, signed: str, prove: Prove) -> str:
        """Return ``signed`` with its verified line, in bounded time. Raises ``EvidenceError`` or ``OSError``."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is known of one place: size of the last checkpoint it has (0: none known), failures since, the last one's words."""

    place: str
    delivered: int = 0
    failed: int = 0
    reason: str = ""


class DeliveryNotes:
    """A small file that outlives the run; damaged or absent it is empty."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> dict[str, Delivery]:
        """Return what was noted, by place."""
        try:
            rows = json.loads(self._path.read_bytes())
            found = [Delivery(str(r["place"]), int(r["delivered"]), int(r["failed"]), str(r["reason"])) for r in rows]
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return {each.place: each for each in found}

    def keep(self, known: dict[str, Delivery]) -> None:
        """Replace the file; a folder that cannot be written costs the note and nothing else."""
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        body = json.dumps([asdict(known[place]) for place in sorted(known)], indent=1)
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.write_text(body + "\n")
            temporary.replace(self._path)
        except OSError:
            return


class Telling:
    """The places of one log in this run. ``keep(signed, cosigner)`` puts a co-signed checkpoint into the store."""

    def __init__(
        self,
        places: Sequence[Destination | Witness],
        *,
        keep: Callable[[str, Cosigner], None],
        cosigned: Callable[[int, Cosigner], bool],
        notes: DeliveryNotes | None = None,
    ) -> None:
        self._places = dict(_named(places))
        self._keep, self._cosigned = keep, cosigned
        self._notes = notes
        self._tried: dict[str, str] = {}  # place -> the last checkpoint sent to it, taken or not
        self._row: dict[str, int] = {}  # place -> failures in a row, in this run
        self.undelivered: dict[str, str] = {}  # place -> why it has not got the last checkpoint

    def tell(self, signed: str, prove: Prove) -> None:
        """Send ``signed`` to every place it was not sent to yet. Raises nothing that a place does."""
        due = [name for name in self._places if self._tried.get(name) != signed and self._row.get(name, 0) < PATIENCE]
        if not due:
            return
        size = parse_unverified(signed).size
        known = self._notes.load() if self._notes else {}
        for name in due:
            before = known.get(name, Delivery(name))
            self._tried[name] = signed
            why = self._tell_one(self._places[name], signed, size, prove)
            if why is None:
                self._row.pop(name, None)
                self.undelivered.pop(name, None)
                known[name] = Delivery(name, size)
            else:
                self._row[name] = self._row.get(name, 0) + 1
                self.undelivered[name] = why
                known[name] = Delivery(name, before.delivered, before.failed + 1, why)
        if self._notes:
            self._notes.keep({name: each for name, each in known.items() if name in self._places})

    def _tell_one(self, place: Destination | Witness, signed: str, size: int, prove: Prove) -> str | None:
        """Return None, or why it failed."""
        try:
            if not isinstance(place, Witness):
                place.send(signed)
            elif not self._cosigned(size, place.cosigner):
                self._keep(place.cosign(signed, prove), place.cosigner)
        except Exception as exc:  # noqa: BLE001 - what is committed is committed, whatever a place answers
            known = isinstance(exc, (EvidenceError, OSError))
            return str(exc) if known else type(exc).__name__
        return None


def deliveries(places: Sequence[Destination | Witness], notes: DeliveryNotes) -> Sequence[Delivery]:
    """Return what is noted of each place, in the order of the configuration."""
    known = notes.load()
    return [known.get(name, Delivery(name)) for name, _ in _named(places)]


def _named(places: Sequence[Destination | Witness]) -> Iterator[tuple[str, Destination | Witness]]:
    """Yield (name, place); two addresses of one host look the same in messages and are two places all the same."""
    seen: dict[str, int] = {}
    for place in places:
        seen[place.where] = number = seen.get(place.where, 0) + 1
        yield (place.where if number == 1 else f"{place.where} ({number})"), place

"""What the commands of the access review share: held access of a night, sealed lists, reviewers."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from evidence.assess import StoreReader
from evidence.cli.assess_command import reader_of
from evidence.cli.workspace import Workspace
from evidence.config import content_root
from evidence.control.model import Library
from evidence.control.register import Registers
from evidence.errors import UsageError
from evidence.render.spreadsheet import csv_bytes
from evidence.review.decisions import counting, entitled
from evidence.review.held import Held, held_on, last_used, review_library
from evidence.review.listing import SHOWN, list_of, parse_list, period_end
from evidence.review.support import Table, support_of
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry
from evidence.store.sealing import append_new, put_object

GRANTS = "snowflake.grants_to_users"


@dataclass(frozen=True, slots=True)
class SealedList:
    """A list as it is sealed, and the SHA-256 of its bytes."""

    digest: str
    body: Mapping[str, Any]


def csv_of(sealed: Mapping[str, Any]) -> bytes:
    """Return the rows of a list as CSV, for reading elsewhere."""
    return csv_bytes(list(SHOWN.values()), ([row[name] for name in SHOWN] for row in sealed["rows"]))


@dataclass
class Reviewing:
    """A workspace as a review sees it, at one moment. Nights are read once."""

    workspace: Workspace
    moment: dt.datetime
    _held: dict[dt.date, Held] = field(default_factory=dict)

    @cached_property
    def library(self) -> Library:
        """The workspace's library with the review's own facts."""
        return review_library(self.workspace.library, content_root() / "controls")

    @cached_property
    def reader(self) -> StoreReader:
        """Verified read access to everything sealed so far."""
        return reader_of(self.workspace, self.moment)

    @property
    def registers(self) -> Registers:
        """The workspace's registers."""
        return self.workspace.registers

    def held(self, night: dt.date) -> Held:
        """Return what is held on ``night``. Raises ``IncompleteSnapshotError`` if any part of it is not there."""
        if night not in self._held:
            self._held[night] = held_on(self.library, self.registers, self.reader, night, self.workspace.engine)
        return self._held[night]

    def seal_list(self, night: dt.date, since: dt.date | None, used_nights: int) -> tuple[SealedList, dict[str, Table]]:
        """Make the list of ``night`` and seal it, once per content. Returns it with its supporting tables."""
        since = since or self._night_before(night)
        if since is not None and since >= night:
            raise UsageError(f"--since {since} is not before {night}", fix="name an earlier night")
        held, before = self.held(night), self.held(since) if since else None
        used = last_used(self.library, self.reader, sorted(held.captured), night, used_nights)
        support: dict[str, Table] = dict(support_of(held))
        entity, library = self.workspace.config.entity, self.workspace.library
        value = list_of(
            held,
            before,
            used,
            entity={"name": entity.name, "system": entity.system},
            library={"version": library.version, "sha256": library.sha256},
            latency=dt.timedelta(minutes=self.workspace.contracts[GRANTS].latency_minutes),
            position=self._positions(held),
            sheets=support,
        )
        return self._seal(value), support

    def list_of(self, digest: str) -> SealedList:
        """Return the sealed list of that digest. Raises ``UsageError`` if this store never sealed it."""
        for sealed in self._entries():
            if sealed.object is not None and sealed.object.sha256 == digest:
                return self._read(sealed)
        raise UsageError(
            f"this store sealed no list {digest}", fix="import into the workspace that exported the workbook"
        )

    def lists_to_follow(self, night: dt.date) -> list[SealedList]:
        """Return lists of nights up to ``night`` that somebody decided on, and the last one whether or not."""
        lists = [self._read(entry) for entry in self._entries() if dt.date.fromisoformat(entry.body["night"]) <= night]
        return [
            each
            for place, each in enumerate(lists, 1)
            if place == len(lists) or counting(self.registers, each.body, each.digest)
        ]

    def latest_night(self) -> dt.date:
        """Return the last night of which grants were captured. Raises ``UsageError`` if there is none."""
        nights = [night for _, dataset, night in self.workspace.index.windows() if dataset == GRANTS]
        if not nights:
            raise UsageError("no grants were ever captured", fix="evidence collect")
        return max(nights)

    def reviewers(self) -> Sequence[str]:
        """Names of those who may review access now."""
        people = {row["person"] for row in self.registers.rows.get("reviewers", ())}
        return sorted(person for person in people if entitled(self.registers, person, self.moment.date()))

    def _night_before(self, night: dt.date) -> dt.date | None:
        """Return the night of the last list of an earlier quarter."""
        earlier = [
            entry.body["night"] for entry in self._entries() if entry.body["period_end"] < period_end(night).isoformat()
        ]
        return dt.date.fromisoformat(max(earlier)) if earlier else None

    def _entries(self) -> list[Entry]:
        return [entry for _, entry in self.workspace.index.of_type("access-review")]

    def _positions(self, held: Held) -> dict[str, int]:
        used = ((each.input.source, each.input.dataset, each.input.night) for each in held.sealed)
        entries = (self.reader.index.latest(*place) for place in used)
        return {entry.manifest.sha256: entry.index for entry in entries if entry is not None}

    def _read(self, entry: Entry) -> SealedList:
        if entry.object is None:
            raise UsageError(
                f"the list {entry.key} names no object", fix="evidence verify says what is wrong with the store"
            )
        body = self.workspace.store.get(entry.object.path, sha256=entry.object.sha256)
        return SealedList(entry.object.sha256, parse_list(body, entry.object.path))

    def _seal(self, value: Mapping[str, Any]) -> SealedList:
        body = canonical.encode(dict(value))
        digest = canonical.sha256_hex(body)
        key = f"{value['period_end']}/{digest}"
        facts = {name: value[name] for name in ("night", "since", "period_end", "population", "fingerprint")}
        with self.workspace.lease():
            ref = put_object(self.workspace.store, f"access-reviews/{key}.json", body)
            append_new(self.workspace.log, [Entry("access-review", key, ref, facts)])
        return SealedList(digest, value)

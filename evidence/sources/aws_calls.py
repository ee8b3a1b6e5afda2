"""Ask one account and note what was asked: answers, facts that are not set, refusals by item, and a tally for the receipt.

Three answers are kept apart: a document, :data:`UNSET` (AWS says "not configured"), and :class:`Refused` (AWS did not answer).
A refusal of one item's call never looks like "not set"; it is named in the row and makes the receipt incomplete.
"""

import datetime as dt
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeVar

from evidence.snapshot.model import Statement
from evidence.sources.aws_operations import Operation, Place, load_operations
from evidence.sources.aws_session import Access, Clock, code_of, is_answer, is_transient, refused

WORKERS: Final = 8  # calls in flight per account; AWS's own limits per service are far above
NAMED: Final = 5  # items named in a message; rows name all of them
T = TypeVar("T")
R = TypeVar("R")


class Absent(Enum):
    """AWS says that this is not configured."""

    UNSET = "unset"


UNSET: Final = Absent.UNSET


@dataclass(frozen=True, slots=True)
class Refused:
    """AWS did not answer the call."""

    operation: str
    code: str

    def __str__(self) -> str:
        return f"{self.operation} {self.code}"


class GoneError(Exception):
    """The item was deleted after it was listed."""


Answer = Mapping[str, Any] | Absent | Refused


@dataclass(slots=True)
class _Tally:
    """How often one operation was sent in one region, and how it ended."""

    started_at: dt.datetime
    ended_at: dt.datetime
    outcomes: dict[str, int] = field(default_factory=dict)
    last_request: str | None = None

    @property
    def calls(self) -> int:
        return sum(self.outcomes.values())


class Calls:
    """What one reading asks of one account. Thread-safe."""

    def __init__(self, access: Access, clock: Clock, *, places: Sequence[Place] = ()) -> None:
        self.access = access
        self.account = access.account
        self.regions: tuple[str, ...] = ()  # of the account, in the order they are read
        self.places = tuple(places)
        self.clock = clock
        self._operations = load_operations()
        self._tallies: dict[tuple[str, str], _Tally] = {}
        self._refusals: dict[tuple[str, str], list[str]] = {}
        self._lock = threading.Lock()

    def need(self, name: str, region: str, **params: Any) -> Mapping[str, Any] | Absent:
        """Send a call without which the region cannot be read.

        Raises ``SourceDeniedError`` or ``SourceUnavailableError``, naming account, region and IAM action.
        """
        try:
            return self._send(name, region, params)
        except sdk_errors() as exc:
            raise self._error(exc, name, region) from exc

    def document(self, name: str, region: str, **params: Any) -> Mapping[str, Any]:
        """Like :meth:`need`, for operations that always have an answer."""
        answer = self.need(name, region, **params)
        return {} if isinstance(answer, Absent) else answer

    def ask(self, name: str, region: str, item: str, **params: Any) -> Answer:
        """Send a call about one item; a refusal is an answer. Raises :class:`GoneError`, ``SourceUnavailableError``."""
        try:
            return self._send(name, region, params)
        except sdk_errors() as exc:
            return self._refusal(exc, name, region, item)

    def ask_stranger(self, name: str, region: str, **params: Any) -> Answer:
        """Ask about an item of another account that shows here: a refusal is to be expected and is no gap."""
        try:
            return self._send(name, region, params)
        except GoneError:
            return Refused(name, "not of this account")
        except sdk_errors() as exc:
            if is_transient(exc) or not is_answer(exc):
                raise self._error(exc, name, region) from exc
            return Refused(name, code_of(exc))

    def pages(self, name: str, region: str, **params: Any) -> Iterator[Mapping[str, Any]]:
        """Yield every page of a listing without which the region cannot be read. Raises as :meth:`need` does."""
        try:
            yield from self._pages(name, region, params)
        except sdk_errors() as exc:
            raise self._error(exc, name, region) from exc

    def listed(self, name: str, region: str, member: str, **params: Any) -> list[Any]:
        """Return the members of every page."""
        return [item for page in self.pages(name, region, **params) for item in page.get(member) or ()]

    def ask_listed(self, name: str, region: str, item: str, member: str, **params: Any) -> list[Any] | Refused:
        """Return the members of every page of a listing that belongs to one item, or its refusal."""
        try:
            return [found for page in self._pages(name, region, params) for found in page.get(member) or ()]
        except sdk_errors() as exc:
            return self._refusal(exc, name, region, item)

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Do ``work`` for every item, several at a time; results in the order of the items. The first error ends it."""
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="evidence-aws") as pool:
            try:
                return list(pool.map(work, items))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def statements(self) -> list[Statement]:
        """One statement per operation and region, with how often it was sent and how the calls ended."""
        with self._lock:
            tallies = sorted(self._tallies.items(), key=lambda item: (item[1].started_at, item[0]))
        return [
            Statement(
                text=name,
                parameters=(
                    f"account={self.account}",
                    f"region={region}",
                    *(f"{outcome}={times}" for outcome, times in sorted(tally.outcomes.items())),
                ),
                query_id=tally.last_request,
                started_at=tally.started_at,
                ended_at=tally.ended_at,
            )
            for (name, region), tally in tallies
        ]

    def gaps(self) -> list[str]:
        """One line per IAM action that was refused for items: how many, which, and what to grant."""
        with self._lock:
            refusals = sorted(self._refusals.items())
        lines = []
        for (name, code), items in refusals:
            named = ", ".join(sorted(items)[:NAMED]) + (f" and {len(items) - NAMED} more" if len(items) > NAMED else "")
            operation = self._operations[name]
            lines.append(
                f"account {self.account}: {name} refused with {code} for {len(items)} item{'s' * (len(items) != 1)} ({named}): "
                f"allow {operation.action} to {self.access.caller}, in its own policies and in those of the item"
            )
        return lines

    def _send(self, name: str, region: str, params: Mapping[str, Any]) -> Mapping[str, Any] | Absent:
        from botocore import xform_name

        operation = self._operations[name]
        client = self.access.client(operation.service, region)
        method = getattr(client, xform_name(operation.call))
        answer: Mapping[str, Any] | Absent = self._noted(operation, region, lambda: method(**params))
        return answer

    def _pages(self, name: str, region: str, params: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        from botocore import xform_name

        operation = self._operations[name]
        client = self.access.client(operation.service, region)
        pages = iter(client.get_paginator(xform_name(operation.call)).paginate(**params))
        while True:
            page = self._noted(operation, region, lambda: next(pages, None))
            if page is None or isinstance(page, Absent):
                return
            yield page

    def _noted(self, operation: Operation, region: str, send: Callable[[], Any]) -> Any:
        """Send and count. Returns UNSET where AWS says so; raises :class:`GoneError` or the SDK's error."""
        started = self.clock()
        try:
            answer = send()
        except sdk_errors() as exc:
            code = code_of(exc)
            outcome = "unset" if code in operation.unset else "gone" if code in operation.gone else "refused"
            self._count(operation.name, region, outcome, started, getattr(exc, "response", {}))
            if outcome == "unset":
                return UNSET
            if outcome == "gone":
                raise GoneError(operation.name) from exc
            raise
        if answer is not None:
            self._count(operation.name, region, "answered", started, answer)
        return answer

    def _count(self, name: str, region: str, outcome: str, started: dt.datetime, answer: Mapping[str, Any]) -> None:
        metadata = answer.get("ResponseMetadata", {}) if answer else {}
        with self._lock:
            tally = self._tallies.setdefault((name, region), _Tally(started, started))
            tally.started_at = min(tally.started_at, started)
            tally.ended_at = max(tally.ended_at, self.clock())
            tally.outcomes[outcome] = tally.outcomes.get(outcome, 0) + 1
            tally.last_request = metadata.get("RequestId") or tally.last_request

    def _refusal(self, exc: Exception, name: str, region: str, item: str) -> Refused:
        if is_transient(exc) or not is_answer(exc):
            raise self._error(exc, name, region) from exc
        code = code_of(exc)
        with self._lock:
            self._refusals.setdefault((name, code), []).append(item)
        return Refused(name, code)

    def _error(self, exc: Exception, name: str, region: str) -> Exception:
        return refused(exc, self._operations[name].action, f"account {self.account}, {region}")


def sdk_errors() -> tuple[type[Exception], ...]:
    """Return the two roots of the SDK's errors."""
    from botocore.exceptions import BotoCoreError, ClientError

    return (BotoCoreError, ClientError)

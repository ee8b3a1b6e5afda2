"""Work in several processes: nights are independent, what seals or compares stays in one place.

Each worker opens what it works on for itself, once. Results come back in order, never more than two per worker ahead.
"""

import datetime as dt
import itertools
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.util import Finalize
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar

WORTH: Final = 3  # nights for each worker: below that, opening anew takes longer than it saves
STRETCH: Final = 8  # nights judged in one go by a worker, at most: what it found waits until those before are done


class Closing(Protocol):
    """What a worker opened and closes when it ends."""

    def close(self) -> None:
        """Give back what is held."""


Opened = TypeVar("Opened", bound=Closing)
Item = TypeVar("Item")
Result = TypeVar("Result")

_opened: dict[str, Any] = {}  # one per worker process, set before its first item


class Workers:
    """``jobs`` spawned processes that share what is asked of them; they start with the first of it. Use as a context manager."""

    def __init__(self, opener: Callable[[], Closing], jobs: int) -> None:
        """``opener`` travels between processes: a module-level function, with plain values."""
        self._opener = opener
        self.jobs = jobs
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def each(self, work: Callable[[Any, Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield ``work(opened, item)`` for every item, in order. ``work`` and items travel, too; what is not fetched is not begun."""
        waiting: deque[Future[Result]] = deque()
        todo = iter(items)
        try:
            waiting.extend(self._begun(work, itertools.islice(todo, 2 * self.jobs)))
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(self._begun(work, itertools.islice(todo, 1)))
                yield result
        finally:
            for future in waiting:
                future.cancel()

    def _begun(self, work: Callable[[Any, Item], Result], items: Iterable[Item]) -> list[Future[Result]]:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.jobs, mp_context=context, initializer=_open, initargs=(self._opener,))
        return [self._pool.submit(_call, work, item) for item in items]


def in_workers(
    opener: Callable[[], Opened], work: Callable[[Opened, Item], Result], items: Iterable[Item], jobs: int
) -> Iterator[Result]:
    """Yield ``work(opened, item)`` for every item, in order, done by ``jobs`` processes that end with it."""
    with Workers(opener, jobs) as workers:
        yield from workers.each(work, items)


def worth(nights: int, jobs: int) -> bool:
    """Return whether so many nights pay for ``jobs`` workers."""
    return jobs > 1 and nights >= WORTH * jobs


def stretches(nights: Sequence[dt.date], jobs: int) -> list[Sequence[dt.date]]:
    """Cut nights into runs for workers, two for each where that is not too long.

    Nights in a row see much the same, and what a statement says is remembered from one to the next (``evidence.control.engine``).
    """
    size = min(STRETCH, -(-len(nights) // (2 * jobs)))
    return [nights[start : start + size] for start in range(0, len(nights), size)]


def _open(opener: Callable[[], Closing]) -> None:
    opened = _opened["it"] = opener()
    Finalize(opened, opened.close, exitpriority=1)


def _call(work: Callable[[Any, Item], Result], item: Item) -> Result:
    return work(_opened["it"], item)

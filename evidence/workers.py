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
from typing import Any, Final, Protocol, TypeVar

WORTH: Final = 4  # nights for each worker: below that, opening anew takes longer than it saves
STRETCH: Final = 8  # nights judged in one go by a worker, at most: what it found waits until those before are done


class Closing(Protocol):
    """What a worker opened and closes when it ends."""

    def close(self) -> None:
        """Give back what is held."""


Opened = TypeVar("Opened", bound=Closing)
Item = TypeVar("Item")
Result = TypeVar("Result")

_opened: dict[str, Any] = {}  # one per worker process, set before its first item


def in_workers(
    opener: Callable[[], Opened], work: Callable[[Opened, Item], Result], items: Iterable[Item], jobs: int
) -> Iterator[Result]:
    """Yield ``work(opened, item)`` for every item, in order, done by ``jobs`` spawned processes.

    ``opener``, ``work`` and items travel between processes: module-level functions, plain values.
    """
    context = multiprocessing.get_context("spawn")
    waiting: deque[Future[Result]] = deque()
    todo = iter(items)
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_open, initargs=(opener,)) as pool:
        try:
            waiting.extend(pool.submit(_call, work, item) for item in itertools.islice(todo, 2 * jobs))
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(_call, work, item) for item in itertools.islice(todo, 1))
                yield result
        finally:
            pool.shutdown(cancel_futures=True)


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

"""Doing independent pieces of work side by side while their results come in order, however many workers there are."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

_PER_WORKER: Final = 4  # pieces begun before the oldest one is asked for; what bounds memory and work thrown away

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def cores() -> int:
    """Return how many workers to use by default: the cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(work: Callable[[Piece], Result], pieces: Iterable[Piece], jobs: int) -> Iterator[Result]:
    """Yield ``work(piece)`` in the order of ``pieces``, ``jobs`` of them at a time, in threads.

    Threads are enough for hashing, which lets the others run. With ``jobs`` 1 there are none. ``pieces`` is read no
    further ahead than needed; an exception of ``work`` comes where its result would have.
    """
    if jobs <= 1:
        yield from map(work, pieces)
        return
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for piece in pieces:
                waiting.append(pool.submit(work, piece))
                if len(waiting) >= _PER_WORKER * jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

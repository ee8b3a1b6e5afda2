"""Doing independent pieces of work side by side while their results come in order, however many workers there are."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

_PER_WORKER: Final = 4  # pieces begun before the oldest one is asked for; what bounds memory and work thrown away
LARGE: Final = 128 << 10  # bytes: hashing this much takes longer than handing it to a thread and waiting for the lock

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def cores() -> int:
    """Return how many workers to use by default: the cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(
    work: Callable[[Piece], Result], pieces: Iterable[Piece], jobs: int, *, large: Callable[[Piece], bool]
) -> Iterator[Result]:
    """Yield ``work(piece)`` in the order of ``pieces``; those that are ``large`` in ``jobs`` threads, the others here.

    Threads are enough for hashing and for waiting, which let others run; a small piece is done sooner than handed over.
    With ``jobs`` 1 there are no threads. ``pieces`` is read no further ahead than needed; an exception of ``work`` comes
    where its result would have.
    """
    if jobs <= 1:
        yield from map(work, pieces)
        return
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for piece in pieces:
                waiting.append(pool.submit(work, piece) if large(piece) else _now(work, piece))
                if len(waiting) >= _PER_WORKER * jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _now(work: Callable[[Piece], Result], piece: Piece) -> Future[Result]:
    done: Future[Result] = Future()
    try:
        done.set_result(work(piece))
    except Exception as exc:  # noqa: BLE001 - raised in its place by result()
        done.set_exception(exc)
    return done

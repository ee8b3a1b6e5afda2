"""Work on a workspace in several processes: nights are independent, what seals stays in one place.

Each worker opens the workspace for itself, once. Results come back in order, never more than two per worker ahead.
"""

import itertools
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TypeVar

from evidence.cli.workspace import Workspace

Item = TypeVar("Item")
Result = TypeVar("Result")

_opened: dict[str, Workspace] = {}  # one per worker process, set before its first item


def in_workers(
    path: Path, work: Callable[[Workspace, Item], Result], items: Iterable[Item], jobs: int
) -> Iterator[Result]:
    """Yield ``work(workspace, item)`` for every item, in order, done by ``jobs`` spawned processes.

    ``work`` and items travel between processes: a module-level function, plain values.
    """
    context = multiprocessing.get_context("spawn")
    waiting: deque[Future[Result]] = deque()
    todo = iter(items)
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_open, initargs=(path,)) as pool:
        try:
            waiting.extend(pool.submit(_call, work, item) for item in itertools.islice(todo, 2 * jobs))
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(_call, work, item) for item in itertools.islice(todo, 1))
                yield result
        finally:
            pool.shutdown(cancel_futures=True)


def _open(path: Path) -> None:
    workspace = _opened["workspace"] = Workspace.open(path)
    Finalize(workspace, workspace.close, exitpriority=1)


def _call(work: Callable[[Workspace, Item], Result], item: Item) -> Result:
    return work(_opened["workspace"], item)

"""Reading exports in several processes: nights are independent, landing them is CPU work, sealing stays in one place.

Each worker opens the workspace for itself and reads whole nights; the parent gets receipts and spooled files, in order.
Live sources are read in the parent: one session, one clock, one set of control totals.
"""

import itertools
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from evidence import collect as verb
from evidence.cli.workspace import Workspace, now
from evidence.snapshot.collected import Collected
from evidence.snapshot.entry import SealedEntry
from evidence.snapshot.model import Window

Landed = list[Collected]


@dataclass(frozen=True, slots=True)
class Order:
    """One window to read, in words that travel between processes."""

    source: str
    dataset: str
    window: Window
    previous: SealedEntry | None
    spool: Path


def nights_of(tasks: Sequence[verb.Task], spool: Path) -> list[list[Order]]:
    """Group tasks (sorted by night) into one list of orders per night, each with a spool folder of its own."""
    return [
        [
            Order(task.source.name, task.contract.name, task.window, task.previous, spool / night.isoformat() / str(n))
            for n, task in enumerate(group)
        ]
        for night, group in itertools.groupby(tasks, key=lambda task: task.window.night)
    ]


def read_here(workspace: Workspace, nights: Iterable[list[Order]], step: Callable[[str], None]) -> Iterator[Landed]:
    """Read night after night in this process."""
    for orders in nights:
        batch = []
        for order in orders:
            batch.append(_read(workspace, order))
            step(f"{order.window.night} {order.dataset}")
        yield batch


def read_in_workers(
    path: Path, nights: Iterable[list[Order]], step: Callable[[str], None], jobs: int
) -> Iterator[Landed]:
    """Read nights in ``jobs`` processes; yield them in order, never more than two per worker ahead."""
    context = multiprocessing.get_context("spawn")
    waiting: deque[Future[Landed]] = deque()
    todo = iter(nights)
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_open, initargs=(path,)) as pool:
        try:
            for orders in itertools.islice(todo, 2 * jobs):
                waiting.append(pool.submit(_read_night, orders))
            while waiting:
                batch = waiting.popleft().result()
                for orders in itertools.islice(todo, 1):
                    waiting.append(pool.submit(_read_night, orders))
                for item in batch:
                    step(f"{item.key.night} {item.key.dataset}")
                yield batch
        finally:
            pool.shutdown(cancel_futures=True)


def _read(workspace: Workspace, order: Order) -> Collected:
    task = verb.Task(workspace.source(order.source), workspace.contracts[order.dataset], order.window, order.previous)
    attempts = workspace.config.collect.attempts
    return verb.collect(task, workspace.redactor, order.spool, now, attempts=attempts, collector=workspace.stamp)


_worker: dict[str, Workspace] = {}  # one per worker process, set before its first night


def _open(path: Path) -> None:
    _worker["workspace"] = Workspace.open(path)


def _read_night(orders: Sequence[Order]) -> Landed:
    return [_read(_worker["workspace"], order) for order in orders]

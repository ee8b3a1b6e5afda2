"""Reading exports in several processes: nights are independent, landing them is CPU work, sealing stays in one place.

Workers read whole nights; the parent gets receipts and spooled files, in order.
Live sources are read in the parent: one session, one clock, one set of control totals.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence import collect as verb
from evidence.cli.workers import in_workers
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
    """Read nights in ``jobs`` processes; yield them in order."""
    for batch in in_workers(path, _read_night, nights, jobs):
        for item in batch:
            step(f"{item.key.night} {item.key.dataset}")
        yield batch


def _read_night(workspace: Workspace, orders: Sequence[Order]) -> Landed:
    return [_read(workspace, order) for order in orders]


def _read(workspace: Workspace, order: Order) -> Collected:
    task = verb.Task(workspace.source(order.source), workspace.contracts[order.dataset], order.window, order.previous)
    attempts = workspace.config.collect.attempts
    return verb.collect(task, workspace.redactor, order.spool, now, attempts=attempts, collector=workspace.stamp)

"""Reading exports in several processes: nights are independent, landing them is CPU work, sealing stays in one place.

Workers read whole nights; the parent gets receipts and spooled files, in order.
Live sources are read in the parent: one session, one clock, one set of control totals.
"""

import itertools
import shutil
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from evidence import collect as verb
from evidence.cli.workspace import Workspace
from evidence.errors import ConfigError
from evidence.snapshot.collected import Collected
from evidence.snapshot.entry import SealedEntry
from evidence.snapshot.manifest import Manifest
from evidence.snapshot.model import Window
from evidence.workers import Workers


@dataclass(frozen=True, slots=True)
class Order:
    """One window to read, in words that travel between processes; ``task`` but for the open source."""

    source: str
    dataset: str
    window: Window
    previous: SealedEntry | None
    occasion: str
    settled: bool
    spool: Path


@dataclass(frozen=True, slots=True)
class Bug:
    """A source raised what no source may raise: a type and a place, never the message, which may quote rows."""

    order: Order
    what: str


Landed = list[Collected | Bug]


def nights_of(tasks: Sequence[verb.Task], spool: Path) -> list[list[Order]]:
    """Group tasks, as they are ordered, into one list of orders per night, each list with a spool folder of its own."""
    grouped = itertools.groupby(tasks, key=lambda task: task.window.night)
    return [
        [_order(task, spool / f"{number:04d}-{night}" / str(n)) for n, task in enumerate(group)]
        for number, (night, group) in enumerate(grouped)
    ]


def _order(task: verb.Task, spool: Path) -> Order:
    return Order(task.source.name, task.contract.name, task.window, task.previous, task.occasion, task.settled, spool)


def read_here(workspace: Workspace, nights: Iterable[list[Order]], step: Callable[[str], None]) -> Iterator[Landed]:
    """Read night after night in this process."""
    for orders in nights:
        batch = []
        for order in orders:
            batch.append(_read(workspace, order))
            step(f"{order.window.night} {order.dataset}")
        yield batch


def readers(path: Path, jobs: int) -> Workers:
    """Return processes for the sources of a workspace: each opens it once, however many sources it reads."""
    return Workers(partial(Workspace.open, path), jobs)


def read_in_workers(workers: Workers, nights: Iterable[list[Order]], step: Callable[[str], None]) -> Iterator[Landed]:
    """Read nights in processes; yield them in order."""
    for batch in workers.each(_read_night, nights):
        for item in batch:
            step(f"{item.order.window.night} {item.order.dataset}" if isinstance(item, Bug) else _named(item))
        yield batch


def _named(item: Collected) -> str:
    return f"{item.key.night} {item.key.dataset}"


def _read_night(workspace: Workspace, orders: Sequence[Order]) -> Landed:
    return [_read(workspace, order) for order in orders]


def _read(workspace: Workspace, order: Order) -> Collected | Bug:
    """Read one window. What a source must not raise is caught here: it may cost this window, never those of others."""
    source, contract = workspace.source(order.source), workspace.contracts[order.dataset]
    task = verb.Task(source, contract, order.window, order.previous, order.occasion, order.settled)
    before = _sealed_receipt(workspace, order.previous) if task.is_recount else None
    redactor, attempts, stamp = workspace.redactor, workspace.config.collect.attempts, workspace.stamp
    try:
        return verb.collect(
            task,
            redactor,
            order.spool,
            workspace.clock,
            attempts=attempts,
            collector=stamp,
            before=before,
            landings=workspace.landings,
        )
    except ConfigError:
        raise
    except Exception as exc:  # noqa: BLE001 - third-party sources may raise anything
        shutil.rmtree(order.spool, ignore_errors=True)
        return Bug(order, place_of(exc))


def place_of(exc: BaseException) -> str:
    """Say what was raised and where, without the message."""
    frames = traceback.extract_tb(exc.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name}" if frames else ""
    return f"{type(exc).__name__}{where}"


def _sealed_receipt(workspace: Workspace, previous: SealedEntry | None) -> Mapping[str, Any] | None:
    if previous is None:
        return None
    ref = previous.manifest
    return Manifest.from_bytes(workspace.store.get(ref.path, sha256=ref.sha256)).receipt

"""What commands print: tables and progress for people on a terminal, JSON for machines, errors with their fix."""

import datetime as dt
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from evidence.errors import EvidenceError

WIDE = 240  # columns of a table in a file or pipe
STYLES = {
    "satisfied": "green",
    "complete": "green",
    "ok": "green",
    "not-satisfied": "bold red",
    "fail": "bold red",
    "not-assessed": "yellow",
    "incomplete": "yellow",
    "warn": "yellow",
    "denied": "yellow",
}


def console(*, err: bool = False) -> Console:
    """Return a console that never wraps paths in the middle and honours NO_COLOR; wide where nobody looks."""
    stream = sys.stderr if err else sys.stdout
    return Console(stderr=err, highlight=False, soft_wrap=True, width=None if stream.isatty() else WIDE)


def say(text: str) -> None:
    """Print one line for a person."""
    console().print(escape(text))


def as_json(value: Any) -> None:
    """Print ``value`` as indented JSON; dates in ISO form."""
    print(json.dumps(value, indent=2, sort_keys=True, default=_spell, ensure_ascii=False))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; known status words are coloured, and are words all the same."""
    grid = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(_cell(value) for value in row))
    console().print(grid)


def undelivered(places: Mapping[str, str]) -> None:
    """Print which places did not get the last checkpoint, to standard error: what was sealed is sealed all the same."""
    for where, why in places.items():
        console(err=True).print(f"[yellow]checkpoint not delivered[/] to {escape(where)}: {escape(why)}")


def show_error(error: EvidenceError) -> None:
    """Print an expected failure and what to do next, to standard error."""
    err = console(err=True)
    err.print(f"[bold red]{type(error).__name__}[/]: {escape(str(error))}")
    if error.fix:
        err.print(f"  to fix: {escape(error.fix)}")


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[str], None]]:
    """Yield a function to call once per finished step; a bar on a terminal, a line per tenth elsewhere."""
    if sys.stderr.isatty():
        with _bar() as bar:
            task = bar.add_task(what, total=total)

            def step(text: str) -> None:
                bar.update(task, advance=1, description=f"{what}: {text}")

            yield step
        return
    done = 0

    def plain(text: str) -> None:
        nonlocal done
        done += 1
        if done == total or done % max(total // 10, 1) == 0:
            print(f"{what}: {done}/{total} {text}", file=sys.stderr, flush=True)

    yield plain


def pairs(mapping: Mapping[str, object]) -> None:
    """Print ``key  value`` lines."""
    width = max((len(key) for key in mapping), default=0)
    for key, value in mapping.items():
        say(f"{key:<{width}}  {value}")


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console(err=True),
        transient=True,
    )


def _cell(value: object) -> str:
    text = escape("" if value is None else str(value))
    style = STYLES.get(str(value))
    return f"[{style}]{text}[/]" if style else text


def _spell(value: object) -> str:
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat()
    return str(value)

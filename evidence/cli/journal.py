"""The journal of runs: one event per line, JSON, the run's id on every line; beside the workspace, rotated, never evidence.

What commands print is for people; the journal is for whoever looks after the machine. Values are words and counts: no rows, no secrets.
"""

import datetime as dt
import json
import logging
import sys
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SIZE = 8 << 20  # bytes of one file, of which the last five are kept
FILE = "journal.ndjson"


class Journal:
    """Use as a context manager. ``verbose`` writes each line to standard error too."""

    def __init__(self, workspace: Path, run: str, clock: Callable[[], dt.datetime], *, verbose: bool = False) -> None:
        self.run = run
        self._clock = clock
        self._path = workspace / ".evidence" / FILE
        self._verbose = verbose
        self._handlers: list[logging.Handler] = []

    def __enter__(self) -> Self:
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        self._handlers = [RotatingFileHandler(self._path, maxBytes=SIZE, backupCount=5, encoding="utf-8")]
        if self._verbose:
            self._handlers.append(logging.StreamHandler(sys.stderr))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handler in self._handlers:
            handler.close()

    def write(self, event: str, **facts: Any) -> None:
        """Write one event."""
        at = self._clock().astimezone(dt.UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"at": at, "run": self.run, "event": event, **facts}, ensure_ascii=True, default=str)
        record = logging.makeLogRecord({"msg": line, "name": "evidence", "levelno": logging.INFO})
        for handler in self._handlers:
            handler.handle(record)


def begun(workspace: Path, since: dt.datetime) -> list[dt.datetime] | None:
    """Return when each run after ``since`` wrote its first line, in order; None where this host keeps no journal, or an unreadable one.

    Counts only: the journal is nobody's evidence, and a line that is not ours is passed over.
    """
    path, first = workspace / ".evidence" / FILE, dict[str, dt.datetime]()
    files = [path, *(path.with_name(f"{FILE}.{number}") for number in range(1, 6))]
    try:
        for file in files:
            if not file.is_file() or dt.datetime.fromtimestamp(file.stat().st_mtime, dt.UTC) < since:
                continue
            for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
                words = line.split('"', 8)  # {"at": "…", "run": "…", as it is written above
                if len(words) == 9 and (words[1], words[5]) == ("at", "run"):
                    _earliest(first, words[7], words[3])
    except OSError:
        return None
    return sorted(at for at in first.values() if at > since) if path.is_file() else None


def _earliest(first: dict[str, dt.datetime], run: str, text: str) -> None:
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        return
    if at.tzinfo is not None:
        first[run] = min(at, first.get(run, at))

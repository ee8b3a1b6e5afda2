"""The advisory lease: one flock(2) on a file of this host. It saves work, never correctness (the commit does that).

The kernel drops the lock with the process, so a killed run leaves none behind; the file itself stays.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from evidence.errors import BusyError


class Lease:
    """``with Lease(path): …`` raises ``BusyError`` at once when another process, or another Lease, holds ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock now."""
        return self._handle is not None

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            holder = os.pread(handle, 32, 0).decode(errors="replace").strip()
            os.close(handle)
            raise BusyError(
                f"{self.path} is held by process {holder or 'unknown'}", fix="wait for the other run to end"
            ) from exc
        self._handle = handle
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

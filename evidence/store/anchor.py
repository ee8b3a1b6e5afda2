"""Anchors: what a signer remembers of the log outside the store, so that it notices when the store went back in time.

An anchor holds the last signed checkpoint of one log. It only moves forward; :meth:`Anchor.reset` is the operator's
explicit way back and keeps what it replaces.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from evidence.errors import ForkError, RollbackError
from evidence.tlog.checkpoint import Checkpoint, parse_unverified


class Anchor(Protocol):
    """One memory. Signatures are checked by the log, which has the key."""

    @property
    def where(self) -> str:
        """What to call it in messages."""

    def load(self, origin: str) -> str | None:
        """Return the signed checkpoint kept for ``origin``, None if there never was one.

        Raises ``RollbackError`` when the anchor belongs to another log.
        """

    def advance(self, signed: str) -> None:
        """Keep ``signed`` durably and atomically unless a larger one is kept.

        Raises ``ForkError`` for another root at the kept size, ``RollbackError`` when it belongs to another log.
        """

    def reset(self, signed: str) -> None:
        """Keep ``signed`` whatever was kept before; the operator asked for it. What it replaces is put aside."""


class Destination(Protocol):
    """A further place that keeps signed checkpoints for others (``evidence.store.destination``). Never asked, only told."""

    @property
    def where(self) -> str:
        """What to call it in messages, without secrets."""

    def send(self, signed: str) -> None:
        """Deliver ``signed`` in bounded time; the same one twice is fine. Raises ``EvidenceError`` or ``OSError``."""


class FileAnchor:
    """A file outside the store, best on another disk or host than the store's."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def where(self) -> str:
        """The path."""
        return str(self.path)

    def load(self, origin: str) -> str | None:
        """See :class:`Anchor`."""
        signed = self._read()
        if signed is not None:
            self._same_log(parse_unverified(signed), origin)
        return signed

    def advance(self, signed: str) -> None:
        """See :class:`Anchor`."""
        new = parse_unverified(signed)
        with self._locked():
            kept = self._read()
            if kept is not None:
                old = parse_unverified(kept)
                self._same_log(old, new.origin)
                if old.size == new.size and old.root != new.root:
                    raise ForkError(
                        f"anchor {self.where} holds another root for size {old.size}",
                        fix="stop; keep the store and the anchor as they are and find out who else signs",
                    )
                if old.size >= new.size:
                    return
            self._write(signed)

    def reset(self, signed: str) -> None:
        """See :class:`Anchor`; the old file becomes ``<name>.before-<n>``."""
        parse_unverified(signed)
        with self._locked():
            if self._read() is not None:
                number = sum(1 for _ in self.path.parent.glob(f"{self.path.name}.before-*"))
                os.link(self.path, self.path.with_name(f"{self.path.name}.before-{number}"))
            self._write(signed)

    def _same_log(self, kept: Checkpoint, origin: str) -> None:
        if kept.origin != origin:
            raise RollbackError(
                f"anchor {self.where} belongs to log {kept.origin}, the store to {origin}",
                fix="give each store its own anchor file",
            )

    def _read(self) -> str | None:
        try:
            return self.path.read_bytes().decode()
        except FileNotFoundError:
            return None

    def _write(self, signed: str) -> None:
        temporary = self.path.with_name(f".{self.path.name}.tmp")  # one writer at a time: the lock is held
        with temporary.open("wb") as out:
            out.write(signed.encode())
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(self.path)
        handle = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

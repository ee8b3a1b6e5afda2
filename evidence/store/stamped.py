"""Judging the time-stamps of a store's checkpoints (``evidence.store.stamps``); who judges is an argument."""

from collections.abc import Callable, Iterator
from typing import Final

from evidence.errors import EvidenceError
from evidence.snapshot.check import Check, failed
from evidence.store.history import History
from evidence.store.objects import ObjectStore
from evidence.store.reading import small
from evidence.store.stamps import PREFIX, parse_stamp_path, stamp_path
from evidence.tlog.record import Record

MAX_STAMP: Final = 64 << 10  # bytes of a response; real ones have 2,000 to 8,000
Judge = Callable[[bytes, bytes], tuple[bool | None, str]]  # time-stamp file, stamped bytes -> result, words


class Stamped:
    """Time-stamps of checkpoints larger than ``after``. The records that end at a stamped size are kept as the log is read, once."""

    def __init__(self, store: ObjectStore, *, after: int = 0) -> None:
        self._store = store
        self._sizes: dict[str, int] = {}
        self._strange: dict[str, str] = {}
        self._signed: dict[int, str] = {}
        for path in store.list(PREFIX, start_after=stamp_path(after) if after else ""):
            try:
                self._sizes[path] = parse_stamp_path(path)
            except EvidenceError as exc:
                self._strange[path] = str(exc)
        self._wanted = set(self._sizes.values())

    def keep(self, record: Record) -> None:
        """Remember the record's checkpoint if its size is stamped; it is verified already."""
        if record.size in self._wanted:
            self._signed[record.size] = record.checkpoint

    def check(self, history: History, judge: Judge | None) -> Iterator[Check]:
        """Judge every stamp; those of sizes at which no checkpoint was signed are failures."""
        for path, fault in self._strange.items():
            yield failed("time", fault, path)
        for path, size in self._sizes.items():
            signed = self._signed.get(size)
            if signed is None:
                why = f"the log has {history.size} entries" if size > history.size else "no record ends there"
                yield failed("time", f"is of size {size}, {why}", path)
                continue
            try:
                body = small(self._store, path, MAX_STAMP)
            except (EvidenceError, OSError) as exc:
                yield failed("time", str(exc), path)
                continue
            ok, detail = judge(body, signed.encode()) if judge else (None, "time-stamps were not judged")
            yield Check("time", ok, f"checkpoint of size {size}: {detail}", path)

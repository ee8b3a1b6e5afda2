"""Time-stamps over checkpoints: ``log/tsr/<size, 12 digits>``, one RFC 3161 response over the signed checkpoint's bytes.

Made after the commit, by whoever comes next, at most once per size. A stamp covers everything before its checkpoint, so one
that could not be had is made up for by the next. The store only keeps it: who stamps and who judges are arguments.
"""

from collections.abc import Callable
from typing import Final

from evidence.errors import MalformedError
from evidence.store.log import Log

PREFIX: Final = "log/tsr/"


def stamp_path(size: int) -> str:
    """Return the name of the time-stamp over the checkpoint of ``size``."""
    return f"{PREFIX}{size:012d}"


def parse_stamp_path(path: str) -> int:
    """Return the size a time-stamp's name says; raise ``MalformedError`` for another spelling."""
    text = path.removeprefix(PREFIX)
    if not (text.isascii() and text.isdigit()) or stamp_path(int(text)) != path:
        raise MalformedError(f"{path} is not the name of a time-stamp")
    return int(text)


def stamp_checkpoint(log: Log, stamp: Callable[[bytes], bytes]) -> bool:
    """Keep ``stamp(checkpoint)``, a response file, for the log's tip; False when there is one already.

    Of two writers one wins and the other's stamp is dropped. Raises what ``stamp`` and the store raise.
    """
    path = stamp_path(log.size)
    if log.store.head(path) is not None:
        return False
    return log.store.put_if_absent(path, stamp(log.checkpoint.encode()), retain_until=log.retain_until())

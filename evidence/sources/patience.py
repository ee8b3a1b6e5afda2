"""How long to wait for a system that does not answer: between tries, and for one answer."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits between tries: doubling from ``first`` seconds up to ``ceiling``, ``attempts`` tries in all."""

    attempts: int = 4
    first: float = 1.0
    ceiling: float = 30.0

    def waits(self) -> Iterator[float]:
        """Yield the wait before each further try."""
        for turn in range(self.attempts - 1):
            yield min(self.first * 2**turn, self.ceiling)


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what ``call`` returns, or raise ``TimeoutError`` after ``seconds``.

    For native code that waits for the network without a limit of its own. It cannot be interrupted: the thread that
    runs it is left behind, as a daemon, and what it holds must not be used again.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as exc:  # noqa: BLE001  # raised again in the thread that waits
            errors.append(exc)

    thread = threading.Thread(target=run, name="within", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError
    return results[0]

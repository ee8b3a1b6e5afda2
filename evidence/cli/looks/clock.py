"""This host's clock, against whatever was asked anyway and tells its time: S3, Snowflake, AWS, time-stamp authorities."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from evidence.doctor import Examination, Line, fail, ok, warn

LARGE: Final = 30.0  # seconds; answers come in whole seconds and take some to arrive
GRAVE: Final = (
    300.0  # seconds; signatures of requests are refused from about here on (AWS), nights are read at the wrong time
)
FIX: Final = "set this host's clock: timedatectl set-ntp true, then chronyc tracking (or timedatectl timesync-status)"


@dataclass(slots=True)
class Clocks:
    """Where a time was told -> how far that clock is ahead of ours, in seconds; filled by the looks before."""

    offsets: dict[str, float] = field(default_factory=dict)

    def note(self, where: str, offset: float | None) -> None:
        """Keep what ``where`` told; None tells nothing."""
        if offset is not None:
            self.offsets[where] = offset


def looks(clocks: Clocks) -> list[Examination]:
    """Return the look at the clock, which goes last."""
    return [Examination("clock", lambda: lines(clocks))]


def lines(clocks: Clocks) -> Iterator[Line]:
    """Yield one line for each clock that ours was compared with."""
    if not clocks.offsets:
        yield Line("clock", "skipped", "not compared: nothing answered that tells its time")
    for where, offset in clocks.offsets.items():
        said = f"{abs(offset):.0f} s {'behind' if offset > 0 else 'ahead of'} {where}"
        if abs(offset) > GRAVE:
            yield fail("clock", said, FIX)
        elif abs(offset) > LARGE:
            yield warn("clock", said, FIX)
        else:
            yield ok("clock", f"within {LARGE:.0f} s of {where}")

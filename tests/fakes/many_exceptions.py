"""A packet with many exceptions from plain values, made in this process, which says what it took: for tests of memory.

``python -m tests.fakes.many_exceptions FOLDER COUNT`` writes the packet below ``FOLDER`` and prints one JSON line: its zip, seconds,
and the peak of resident memory in bytes of the values alone, of the process, and of the child that laid out the PDF.
"""

import datetime as dt
import json
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from evidence.control.longlist import compact
from evidence.control.result import Interval
from evidence.packet import PacketInputs, build_packet
from tests.fakes.packet_inputs import SIGNED_AT, TEMPLATES, build_inputs, packet_key

CONTROLS = 4  # share the exceptions


def with_exceptions(inputs: PacketInputs, count: int) -> PacketInputs:
    """Return ``inputs`` whose first controls with exceptions have ``count`` of them, every tenth gone again."""
    noted = [p for p in inputs.periods if p.status == "not-satisfied"][:CONTROLS]
    share, rest = divmod(count, len(noted))
    sizes = {p.control: share + (n < rest) for n, p in enumerate(noted)}
    periods = [
        replace(p, exceptions=compact(_many(sizes.get(p.control, 0), p.start, p.end)), reviews=())
        for p in inputs.periods
        if p.control in sizes
    ]
    kept = {p.control for p in periods}
    return replace(
        inputs,
        periods=periods,
        nights=[n for n in inputs.nights if n.control in kept],
        controls=[c for c in inputs.controls if c.id in kept],
    )


def _many(count: int, first: dt.date, last: dt.date) -> Iterator[Interval]:
    for k in range(count):
        gone = k % 10 == 0 and first < last
        yield Interval(
            f"MART.TABLE_{k:08d}.COLUMN_{k * 7919 % 1_000_003}",
            "no-second-factor",
            first,
            first if gone else last,
            1 if gone else (last - first).days + 1,
            not gone,
            1 if gone else (last - first).days,
            first + dt.timedelta(days=1) if gone else None,
            f"HAS_MFA = false, seen {k % 977} times",
            "HAS_MFA = true and no open bypass",
        )


def peak() -> int:
    """Return the peak of resident memory in bytes; ``ru_maxrss`` would begin with the parent's at the fork."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) << 10


def main(folder: Path, count: int) -> None:
    """Build and say."""
    key, root = packet_key()
    inputs = with_exceptions(build_inputs(folder / "parts", count=2), count)
    values, began = peak(), time.monotonic()
    steps: list[tuple[str, float, int]] = []
    made = build_packet(
        inputs, key, folder / "out", TEMPLATES, signed_at=SIGNED_AT,
        progress=lambda text: steps.append((text, round(time.monotonic() - began, 1), peak() >> 20)),
    )  # fmt: skip
    from evidence.signing.certificate import certificate_pem

    (folder / "packet-root.pem").write_bytes(certificate_pem(root))
    (folder / "log.vkey").write_text(inputs.log_key.to_text() + "\n")
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10
    sys.stdout.write(json.dumps({
        "zip": str(made.zip), "seconds": round(time.monotonic() - began, 1),
        "values": values, "peak": peak(), "child": child, "steps": steps,
    }))  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

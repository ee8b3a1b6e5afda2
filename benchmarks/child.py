"""One run in a process of its own: ``python -m benchmarks.child MODULE FUNCTION [ARGUMENT ...]``, as :func:`benchmarks.common.apart` starts it.

The function gets the arguments as texts, makes ready what is not to be measured, and returns what is. Printed is one line of JSON: seconds
of processor and wall, the peak of resident memory of this process and of the largest child it waited for, and what the run itself says.
"""

import importlib
import json
import resource
import sys
from pathlib import Path

from benchmarks.common import took


def peak() -> int:
    """Return the peak of this process's resident memory in MiB; ``ru_maxrss`` would begin with the parent's at the fork."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (20 if sys.platform == "darwin" else 10)
    return int(next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM"))) >> 10


def main(module: str, function: str, *arguments: str) -> None:
    """Run and say."""
    action = getattr(importlib.import_module(module), function)(*arguments)
    said: dict[str, object] = {}
    run = took(lambda: said.update(action() or {}))
    below = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
    sys.stdout.write(
        "\n" + json.dumps({"cpu": run.cpu, "wall": run.wall, "peak": peak(), "below": below, "notes": said})
    )


if __name__ == "__main__":
    main(*sys.argv[1:])

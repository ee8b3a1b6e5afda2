"""Which commit a folder stands at, and which of its files differ from it; by the ``git`` command, bounded in time.

A repository may configure programs that git runs (monitors, hooks); they are switched off here.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_SECONDS = 20
_ENVIRONMENT = {
    "PATH": os.defpath,
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
}


@dataclass(frozen=True, slots=True)
class Checkout:
    """``commit`` is empty where it cannot be told; ``changed`` are paths relative to the folder."""

    commit: str
    changed: frozenset[str]


def checkout(folder: Path) -> Checkout:
    """Return the commit that ``folder`` stands at; an empty one if it is no checkout or git does not answer."""
    commit = _git(folder, "rev-parse", "--verify", "HEAD").strip()
    prefix = _git(folder, "rev-parse", "--show-prefix").rstrip("\n")
    if len(commit) not in {40, 64} or not set(commit) <= set("0123456789abcdef"):
        return Checkout("", frozenset())
    # Ignored files are no part of the commit either.
    listed = _git(folder, "status", "--porcelain=v1", "-z", "--no-renames", "--ignored", "-uall", "--", ".")
    if listed == _FAILED:
        return Checkout("", frozenset())
    paths = (item[3:] for item in listed.split("\0") if len(item) > 3)
    return Checkout(commit, frozenset(path.removeprefix(prefix) for path in paths))


_FAILED = "\0failed"


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *words]
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, no shell
            command,
            capture_output=True,
            check=True,
            timeout=TIMEOUT_SECONDS,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return _FAILED
    return done.stdout.decode("utf-8", "surrogateescape")

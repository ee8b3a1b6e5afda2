"""Add rows to a register file: what stands in it, comments included, stays as it is, and the result must still be sound."""

import datetime as dt
import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from evidence.control.register import SHAPES, parse_register
from evidence.errors import ControlError, UsageError
from evidence.snapshot import phi

_FIX: Final = "docs/registers.md lists the columns"
_TEXTS: Final = frozenset({"note", "reason", "cause", "effect", "action", "statement"})


def append_row(folder: Path, name: str, row: Mapping[str, Any]) -> Path:
    """Append one row; see :func:`append_rows`."""
    return append_rows(folder, name, [row])


def append_rows(folder: Path, name: str, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Append ``rows`` to ``<folder>/<name>.toml``, all or none, and return the file's path; the file is replaced in one step.

    Values that are None or empty text are left out. Raises ``ControlError`` if the file, or the file with the rows, is not a sound
    register, ``UsageError`` if a text looks like it names a person's record (registers travel in packets).
    """
    path = folder / f"{name}.toml"
    before = path.read_text() if path.exists() else f"# {SHAPES[name].about}\n"
    text = "\n\n".join([before.rstrip(), *(_block(name, row) for row in rows)]) + "\n"
    try:
        body = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ControlError(f"{path}: {exc}", fix=_FIX) from exc
    parse_register(name, body, str(path))
    folder.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    with draft.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return path


def _block(name: str, row: Mapping[str, Any]) -> str:
    kept = {column: value for column, value in row.items() if value not in (None, "")}
    for column, value in kept.items():
        _no_phi(column, value)
    return "\n".join([f"[[{name}]]", *(f"{key} = {_spelled(value)}" for key, value in kept.items())])


def _no_phi(column: str, value: object) -> None:
    kind = phi.hit(value) if isinstance(value, str) and column in _TEXTS else None
    if kind:
        raise UsageError(
            f"{column} looks like it holds a {kind}: registers are printed in packets",
            fix="say it without naming the person, and point to the ticket instead",
        )


def _spelled(value: object) -> str:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, dt.date):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # a TOML text is spelled like a JSON one

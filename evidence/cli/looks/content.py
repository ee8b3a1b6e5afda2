"""What nights are judged by and packets are made of: controls with their locks and overlays, registers, descriptions, pages, PDF."""

import datetime as dt
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from evidence.cli.workspace import Workspace
from evidence.config import content_root
from evidence.control.lint import lint_library
from evidence.control.lock import RENEW, lines, moved, read, roots
from evidence.control.owners import FILE as OWNERS
from evidence.control.register import SHAPES
from evidence.doctor import Examination, Line, fail, ok, warn
from evidence.render.present import check_libraries, check_templates

SYSTEM: Final = "system.toml"
RENEWED: Final = {"waivers": ("control", "items")}  # a renewal of these has another key
NAMED: Final = 5  # rows named in a line


def looks(workspace: Workspace) -> list[Examination]:
    """Return the looks at content."""
    return [
        Examination("controls", lambda: _controls(workspace)),
        Examination("overlays", lambda: _overlays(workspace)),
        Examination("registers", lambda: _registers(workspace)),
        Examination(OWNERS, lambda: _owners(workspace)),
        Examination(SYSTEM, lambda: _system(workspace)),
        Examination("templates", lambda: check_templates(content_root() / "templates")),
        Examination("PDF rendering", check_libraries),
    ]


def _controls(workspace: Workspace) -> Iterator[Line]:
    """Hold every control to its lock; those of the workspace are linted besides. The product's own were, before they were locked."""
    library, own = workspace.library, content_root() / "controls"
    for root in roots(library):
        locked = read(root)
        if locked is None:
            continue
        for each in moved(locked, lines(library, root)):
            fix = (
                f"restore {root}, or raise its version and run `{RENEW}`"
                if root != own
                else "install evidence again: its controls were changed"
            )
            yield fail("controls lock", f"{each.name}: {each.message}", fix)
    mine = [control.id for control in library.controls.values() if not Path(control.folder).is_relative_to(own)]
    problems = lint_library(library, mine) if mine else []
    if problems:
        yield fail("controls", f"{len(problems)} problems, first: {problems[0]}", "evidence controls lint")
    own_words = f", {len(mine)} of them this workspace's" if mine else ""
    yield ok("controls", f"library {library.version}, {len(library.controls)} controls{own_words}")


def _overlays(workspace: Workspace) -> str:
    applied = [layer.name for layer in workspace.library.layers]
    return f"applied: {', '.join(applied)}" if applied else "none"


def _registers(workspace: Workspace) -> Iterator[Line]:
    registers, today = workspace.registers, workspace.clock().date()
    folder = workspace.config.path(workspace.config.assess.registers)
    for name, rows in sorted(registers.rows.items()):
        key = RENEWED.get(name, SHAPES[name].key)
        standing = {_identity(row, key) for row in rows if not _ended(row, today)}
        over = [row for row in rows if _ended(row, today) and _identity(row, key) not in standing]
        if over:
            last = max(over, key=lambda row: row["expires"])
            which = ", ".join(" ".join(_identity(row, key)) for row in over[:NAMED])
            detail = f"{name}: {len(over)} rows have run out, the last on {last['expires']}: {which}"
            detail += f" and {len(over) - NAMED} more" if len(over) > NAMED else ""
            yield warn(
                "registers",
                detail,
                f"approve each anew with a later `expires` in {folder / name}.toml, or leave it ended",
            )
    if late := _overdue(registers.rows.get("attestations", ()), today):
        yield warn(
            "registers", f"attestations: {len(late)} are overdue: {', '.join(late[:NAMED])}", "`evidence attest` anew"
        )
    yield ok("registers", f"{len(registers.digests)} registers")


def _overdue(rows: Sequence[Mapping[str, Any]], today: dt.date) -> list[str]:
    """Return the requirements whose statement is due anew; the row recorded last speaks for its requirement."""
    newest = {row["requirement"]: row for row in sorted(rows, key=lambda row: row["recorded_on"])}
    return [name for name, row in sorted(newest.items()) if row["next_due"] is not None and row["next_due"] <= today]


def _identity(row: Mapping[str, Any], key: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in key)


def _ended(row: Mapping[str, Any], today: dt.date) -> bool:
    return row.get("expires") is not None and row["expires"] <= today


def _owners(workspace: Workspace) -> str:
    rows = workspace.owners.rows
    return f"{len(rows)} rows" if rows else "nobody is named"


def _system(workspace: Workspace) -> Iterator[Line]:
    path = workspace.config.workspace / SYSTEM
    if not path.is_file():
        yield warn(
            SYSTEM,
            "not there: packets are drafts without management's description",
            f"write {path}; evidence init makes a sample",
        )
        return
    try:
        tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        yield fail(SYSTEM, f"does not parse: {error}", f"correct {path} at the line that is named")
        return
    yield ok(SYSTEM, "management's description")

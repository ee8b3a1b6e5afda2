"""What of a report goes into the answer to one request: its controls, and the registers that travel."""

import dataclasses
import re

from evidence.cli.packet_rules import DECIDED
from evidence.cli.workspace import Workspace
from evidence.control.gate import registers_needed
from evidence.control.model import Library
from evidence.control.register import SHAPES
from evidence.control.requests import REGISTERS, Request, controls_named
from evidence.errors import UsageError
from evidence.render.report import Report


def answering(library: Library, report: Report, mapped: set[str], request: Request) -> tuple[set[str], Report]:
    """Return the controls that answer and the report under a name of its own, so that answers continue answers."""
    named = controls_named(request, library)
    if missing := sorted(set(request.named("control")) - mapped):
        raise UsageError(
            f"{report.name} has no {missing[0]}, which answers {request.number}", fix="name another report"
        )
    if not mapped & set(named):
        raise UsageError(
            f"no control of {report.name} answers {request.number}",
            fix="`evidence requests list --json` has its exhibits",
        )
    name = re.sub(r"[^A-Za-z0-9]+", "-", request.number).strip("-").lower()
    subtitle = f"{report.title}: the controls and evidence that this answer names, and nothing else"
    answer = dataclasses.replace(
        report, name=f"{report.name}-request-{name}", title="Answer to one request", subtitle=subtitle
    )
    return mapped & set(named), answer


def registers_carried(workspace: Workspace, controls: set[str], request: Request | None) -> frozenset[str]:
    """Return the registers that travel: all but what others asked; for one answer what its controls, its people and it name."""
    if request is None:
        return frozenset(SHAPES) - set(REGISTERS)
    library = workspace.library
    needed = {name for each in controls for name in registers_needed(library, library.controls[each])}
    return frozenset({*needed, *DECIDED, *request.named("register")}) - set(REGISTERS)

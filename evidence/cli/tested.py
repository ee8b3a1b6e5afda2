"""The items that a control was tested on, taken from the sealed evidence again and held against what was sealed of them."""

import dataclasses
import datetime as dt

from evidence.assess import StoreReader, sealed_findings
from evidence.cli.period import parse_night, parse_period
from evidence.cli.workspace import Workspace
from evidence.control.change import ruled
from evidence.control.engine import population_of
from evidence.control.result import NightFinding
from evidence.errors import UsageError, VerificationError


def nights_asked(night: str | None, period: str | None) -> list[dt.date]:
    """Return the nights of ``--night`` or ``--period``; raise ``UsageError`` unless it is one of the two."""
    if (night is None) == (period is None):
        raise UsageError("a night or a period", fix="--night 2026-07-01, or --period 2026-Q3")
    return parse_period(period).nights if period is not None else [parse_night(str(night))]


def tested_on(workspace: Workspace, control: str, night: dt.date) -> NightFinding | None:
    """Return what was last sealed of a control's night, None if it was never assessed."""
    findings = sealed_findings(workspace.store, workspace.index, night)
    return next((finding for finding in findings if finding.control == control), None)


def items_tested(workspace: Workspace, reader: StoreReader, tested: NightFinding) -> list[str]:
    """Return the items that population.sql gives by the night's parameters, sorted.

    Count and fingerprint must be those of ``tested``. Raises ``VerificationError``: evidence, registers or content moved since.
    """
    library, control, night = workspace.library, tested.control, tested.night
    judged = ruled(library.controls[control], tested)
    items: list[str] = []
    fingerprint = ""
    if judged is not None:
        library = dataclasses.replace(library, controls={**library.controls, control: judged})
        items, fingerprint = population_of(library, workspace.registers, reader, night, control, workspace.engine)
    if (len(items), fingerprint) != (tested.population, tested.fingerprint):
        found = f"{len(items)} items" if judged is not None else "the control is another one by now"
        raise VerificationError(
            f"the population of {control} on {night} is not the one that was tested: evidence or content moved since "
            f"({tested.population} items were sealed, now {found})",
            step="population",
            fix=f"evidence assess --date {night}, then again",
        )
    return items

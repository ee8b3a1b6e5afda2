"""``evidence compare``: one period against the one before it."""

from collections import Counter
from typing import Annotated, Final

import typer

from evidence.cli import output
from evidence.cli.assess_command import sealed_periods
from evidence.cli.period import Period, parse_period
from evidence.cli.workspace import Workspace
from evidence.control import compare as pure
from evidence.control.result import PeriodFinding
from evidence.errors import UsageError

EXAMPLES: Final = (
    "evidence -w work compare 2026-Q2 2026-Q3",
    "evidence -w work compare 2026-07 2026-08 --json",
)


def compare(
    context: typer.Context,
    before: Annotated[str, typer.Argument(help="The earlier period, for example 2026-Q2.")],
    after: Annotated[str, typer.Argument(help="The later period, for example 2026-Q3.")],
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show which exceptions are new, repeated, reopened and closed, whether promises were kept, and how controls moved."""
    workspace = Workspace.open(context.obj)
    first, second = parse_period(before), parse_period(after)
    if second.start <= first.end:
        raise UsageError(f"{after} does not begin after {before} has ended", fix="name the earlier period first")
    earlier, later = _findings(workspace, first), _findings(workspace, second)
    found = pure.exceptions(earlier, later, workspace.registers.rows.get("responses", ()))
    moved = pure.shifts(earlier, later)
    if json:
        output.as_json(
            {
                "before": before,
                "after": after,
                "exceptions": [each.to_json() for each in found],
                "controls": [each.to_json() for each in moved],
            }
        )
        return
    counts = Counter(each.change for each in found)
    output.say(", ".join(f"{counts[change]} {change}" for change in pure.ORDER))
    output.table(
        "",
        ["", "control", "item", "reason", "state", "promise"],
        [[e.change, e.control, e.item, e.reason, "open" if e.open else "closed", e.promise] for e in found],
    )
    output.table(
        "",
        ["control", before, after, "items tested", "rule"],
        [
            [m.control, m.before or "-", m.after or "-", f"{m.items_before} / {m.items_after}", "changed" if m.rule_changed else ""]
            for m in moved
        ],
    )  # fmt: skip


def _findings(workspace: Workspace, period: Period) -> list[PeriodFinding]:
    if not set(period.nights) & set(workspace.index.assessed_nights()):
        raise UsageError(f"nothing is assessed for {period.label}", fix=f"evidence assess --period {period.label}")
    return sealed_periods(workspace, period.nights)

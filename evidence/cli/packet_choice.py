"""Which report, which of the library's controls it is about, and which period it can be of."""

from pathlib import Path

from evidence.cli.period import Period
from evidence.cli.workspace import Workspace
from evidence.config import content_root
from evidence.control.model import Library
from evidence.errors import UsageError
from evidence.render.report import Report


def report_named(workspace: Workspace, name: str) -> Report:
    """Return the report definition, the workspace's before the product's; raise ``UsageError`` naming those there are."""
    found = {
        path.stem: path
        for folder in (content_root() / "reports", workspace.path / "reports")
        for path in sorted(folder.glob("*.toml"))
    }
    if name not in found:
        raise UsageError(f"no report {name!r}", fix=f"reports: {', '.join(sorted(found))}")
    report = Report.from_toml(found[name].read_bytes(), str(found[name]))
    if report.name != name:
        raise UsageError(
            f"{found[name]} calls itself {report.name!r}", fix="name the file as the report: the packet is named by it"
        )
    return report


def controls_of(library: Library, report: Report) -> set[str]:
    """Return the ids of the report's controls. Raises ``UsageError`` for a framework, family or control that is not there."""
    families = {control.id: Path(control.folder).parent.name for control in library.controls.values()}
    for what, asked, known in (
        ("framework", report.frameworks, set(library.frameworks)),
        ("family", report.families, set(families.values())),
        ("control", report.controls, set(families)),
    ):
        if strange := [name for name in asked if name not in known]:
            some = sorted(known) if what != "control" else sorted(known)[:5]
            more = "" if what != "control" else " …; `evidence controls list` has all"
            raise UsageError(
                f"report {report.name}: no {what} {', '.join(strange)}", fix=f"there is {', '.join(some)}{more}"
            )
    if report.chosen:
        return {name for name, family in families.items() if family in report.families} | set(report.controls)
    if report.frameworks:
        wanted = set(report.frameworks)
        return {c.id for c in library.controls.values() if wanted & {m.framework for m in c.maps}}
    return set(families)


def check_period(report: Report, period: Period) -> None:
    """Raise ``UsageError`` if the report cannot be of the period."""
    if report.brief and period.start != period.end:
        raise UsageError(
            f"{report.name} is about one night, {period.label} has {len(period.nights)}",
            fix=f"--night {period.end}, or a report without the section night",
        )

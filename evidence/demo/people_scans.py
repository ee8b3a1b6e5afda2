"""Scans that run on schedule: the register of them, their runs, and the nights on which one did not run well."""

import datetime as dt
from typing import Any, Final

from evidence.demo.once import register
from evidence.demo.people_signers import APPROVAL
from evidence.demo.world import World

SCANS = "monitor-scanners-run"
_RUNS: Final = "records.scanner_runs"
# kind, tool, target, days between runs, hour
_SCANS: Final = (
    ("trust_center", "trust_center", "SECURITY_ESSENTIALS", 7, 2),
    ("iac", "checkov", "platform-infra", 1, 5),
    ("dependency", "osv-scanner", "fernhollow-dbt", 7, 6),
)
_SKIPPED: Final = {("checkov", 10), ("osv-scanner", 35)}
_FAILED: Final = {("checkov", 33), ("trust_center", 77)}


def build_scans(world: World) -> None:
    """Register the scans."""
    for kind, tool, target, days, _ in _SCANS:
        row = {"kind": kind, "tool": tool, "target": target, "every_days": days, "owner": "Security"}
        register(world, "scanners", row | APPROVAL)


def plant_scans(world: World) -> None:
    """Run the scans but for those that were skipped, and let some fail."""
    for night in range(world.size.nights):
        due = [scan for scan in _SCANS if night % scan[3] == 0 and (scan[1], night) not in _SKIPPED]
        world.happen(_RUNS, night, *(_run(world, night, scan) for scan in due))
    for plant, item, reason, first, last in (
        ("scan-skipped", "iac checkov platform-infra", "not-run", 10, 10),
        ("scan-failed", "iac checkov platform-infra", "run-failed", 33, 33),
        ("weekly-scan-skipped", "dependency osv-scanner fernhollow-dbt", "not-run", 35, 41),
        ("weekly-scan-failed", "trust_center trust_center SECURITY_ESSENTIALS", "run-failed", 77, 83),
    ):
        world.expect(plant, SCANS, f"scan {item}", reason, first, last, source="register")


def _run(world: World, night: int, scan: tuple[str, str, str, int, int]) -> dict[str, Any]:
    kind, tool, target, _, hour = scan
    started = world.size.evening(night, hour, 12)
    return {
        "tool": tool,
        "run_id": f"{tool}-{night:03}",
        "kind": kind,
        "target": target,
        "tool_version": "3.2.1",
        "started_at": started,
        "completed_at": started + dt.timedelta(minutes=9),
        "conclusion": "failure" if (tool, night) in _FAILED else "success",
        "findings": 0,
    }

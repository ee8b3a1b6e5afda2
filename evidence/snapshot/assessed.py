"""What later nights read of a sealed assessment: its findings by content, without those that rest on other assessments.

An assessment lists under ``late`` the controls that themselves read findings of earlier nights. These are left out here: a
finding about findings must not become the next one's subject.
"""

from collections.abc import Mapping
from typing import Any, Final

from evidence.snapshot import canonical

SOURCE: Final = "log"  # the source that inputs name which no source gave: our own log
FINDINGS: Final = "ops.findings"
CHECKS: Final = "ops.checks"
PIPELINE: Final = "ops.pipeline"
_INPUT: Final = ("source", "dataset", "night", "status", "rows", "rows_digest")


def canonical_night(finding: Mapping[str, Any]) -> dict[str, Any]:
    """Return a night finding's JSON with inputs named by content only: no revision, no manifest digest."""
    inputs = [{name: item[name] for name in _INPUT} for item in finding["inputs"]]
    return {**finding, "inputs": sorted(inputs, key=lambda i: (i["dataset"], i["source"], i["night"]))}


def early(assessment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the findings that later nights may read, in the order sealed."""
    late = set(assessment.get("late", ()))
    return [finding for finding in assessment["findings"] if finding["control"] not in late]


def content_of(assessment: Mapping[str, Any]) -> tuple[str, int, str]:
    """Return (status, count, digest) of what later nights may read, as an input spells it."""
    findings = early(assessment)
    library = assessment.get("library", {})
    body = {"library": library, "findings": [canonical_night(finding) for finding in findings]}
    return "complete", len(findings), canonical.sha256_hex(canonical.encode(body))

"""``data/ocsf.json``: the packet's findings as OCSF events of class Compliance Finding (2003). Pure, streamed.

An array with one event on each line: per control its finding for the period, then its exceptions up to the report's cap.
*Pass* is said of a control whose period is satisfied, of nothing else: what was not assessed is *Unknown* with unknown
severity. Values of enums are those of OCSF 1.8.0, schema.ocsf.io.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from evidence.control.longlist import column
from evidence.control.result import FindingStatus, Interval, PeriodFinding
from evidence.render.inputs import Content, ControlText
from evidence.render.oscal_words import identify
from evidence.render.text import escape_invisible, number
from evidence.snapshot.model import DAY

OCSF_VERSION: Final = "1.8.0"
_CLASS: Final = 2003
_STATUS: Final[Mapping[FindingStatus, tuple[int, str]]] = {
    "satisfied": (1, "Pass"),
    "not-satisfied": (3, "Fail"),
    "not-assessed": (0, "Unknown"),
    "not-applicable": (99, "Not Applicable"),
}
_SEVERITY: Final = {"critical": (5, "Critical"), "high": (4, "High"), "medium": (3, "Medium"), "low": (2, "Low")}
_UNKNOWN, _INFORMATIONAL = (0, "Unknown"), (1, "Informational")
_CREATE, _CLOSE = (1, "Create"), (3, "Close")
_NEW, _RESOLVED = (1, "New"), (4, "Resolved")
_SHA_256, _REGULAR_FILE = 3, 1


def compliance_findings(content: Content, digests: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the events; ``digests`` are the SHA-256 of the packet's files by name."""
    findings = {finding.control: finding for finding in content.periods}
    for text in content.controls:
        finding = findings[text.id]
        yield _of_control(content, text, finding, digests)
        for interval in islice(finding.exceptions, content.report.export_rows):
            yield _of_exception(content, text, interval)


def _of_control(
    content: Content, text: ControlText, finding: PeriodFinding, digests: Mapping[str, str]
) -> dict[str, Any]:
    total = len(finding.exceptions)
    listed = min(total, content.report.export_rows)
    cut = (
        f"; {number(listed)} of {number(total)} exceptions are listed, all in data/findings.csv"
        if listed < total
        else ""
    )
    uid = identify("ocsf", content.packet_id, text.id)
    return _event(content, uid, _CREATE, _severity(text, finding.status), _NEW) | {
        "message": _text(f"{text.id}: {finding.conclusion}{cut}"),
        "finding_info": {
            "uid": identify("ocsf-control", content.entity, content.system_name, text.id),
            "title": _text(text.title),
            "desc": _text(text.statement),
            "types": ["control"],
            "data_sources": [_text(name) for name in text.datasets],
        },
        "compliance": _compliance(content, text, finding.status)
        | {
            "status_details": [_text(finding.conclusion)],
            "control_parameters": [{"name": p.name, "value": _text(p.value) or "none"} for p in text.parameters],
        },
        "resources": [{"name": _text(content.system_name) or "system", "type": "system"}],
        "evidences": [
            _file(name, digests[name]) for name in ("data/findings.json", "data/findings.csv") if name in digests
        ],
        "unmapped": {
            "packet": content.packet_id,
            "status": finding.status,
            "nights_expected": finding.expected,
            "nights_satisfied": finding.satisfied,
            "nights_not_satisfied": finding.not_satisfied,
            "nights_not_assessed": finding.not_assessed,
            "nights_not_applicable": finding.not_applicable,
            "tested_items": finding.tested_items,
            "exceptions": total,
            "exceptions_open": sum(column(finding.exceptions, "open")),
            "exceptions_listed": listed,
            "reviews": len(finding.reviews),
        },
    }


def _of_exception(content: Content, text: ControlText, interval: Interval) -> dict[str, Any]:
    names = (text.id, interval.item, interval.reason, interval.first_seen)
    activity, status = (_CREATE, _NEW) if interval.open else (_CLOSE, _RESOLVED)
    uid = identify("ocsf", content.packet_id, *names)
    return _event(content, uid, activity, _severity(text, "not-satisfied"), status) | {
        "message": _text(f"{text.id}: {text.reasons.get(interval.reason, interval.reason)}"),
        "finding_info": {
            "uid": identify("ocsf-exception", content.entity, content.system_name, *names),
            "title": _text(f"{text.title}: {interval.reason}"),
            "desc": _text(text.reasons.get(interval.reason, interval.reason)),
            "types": ["exception"],
            "first_seen_time": _instant(interval.first_seen),
            "last_seen_time": _instant(interval.last_seen),
        },
        "compliance": _compliance(content, text, "not-satisfied")
        | {
            "status_code": _text(interval.reason),
            "status_details": [_text(interval.observed), _text(interval.expected)],
        },
        "resources": [{"uid": _text(interval.item) or "(empty)", "type": "population item"}],
        "unmapped": {
            "packet": content.packet_id,
            "nights": interval.nights,
            "open": interval.open,
            "days_open": interval.days_open,
            "remediated_on": interval.remediated_on.isoformat() if interval.remediated_on else None,
            "waivers": [_text(name) for name in interval.waivers],
            "waived_nights": interval.waived_nights,
        },
    }


def _event(
    content: Content, uid: str, activity: tuple[int, str], severity: tuple[int, str], status: tuple[int, str]
) -> dict[str, Any]:
    name, _, version = content.tool.partition(" ")
    return {
        "metadata": {
            "version": OCSF_VERSION,
            "uid": uid,
            "product": {"name": name, "version": version},
            "labels": list(content.marks),
        },
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": _CLASS,
        "class_name": "Compliance Finding",
        "activity_id": activity[0],
        "activity_name": activity[1],
        "type_uid": _CLASS * 100 + activity[0],
        "type_name": f"Compliance Finding: {activity[1]}",
        "time": _instant(content.end + DAY),
        "start_time": _instant(content.start),
        "end_time": _instant(content.end + DAY),
        "severity_id": severity[0],
        "severity": severity[1],
        "status_id": status[0],
        "status": status[1],
    }


def _severity(text: ControlText, status: FindingStatus) -> tuple[int, str]:
    if status == "not-satisfied":
        return _SEVERITY.get(text.severity, _UNKNOWN)
    return _UNKNOWN if status == "not-assessed" else _INFORMATIONAL


def _compliance(content: Content, text: ControlText, status: FindingStatus) -> dict[str, Any]:
    """Requirements are those of the report that the control is a primary test of, as far as the mapping counts."""
    names = {c.id: c for c in content.catalogues if c.id in content.report.frameworks}
    counted = [m for m in text.maps if m.framework in names and m.strength == "primary" and not m.refused]
    number_, word = _STATUS[status]
    return {
        "control": text.id,
        "desc": _text(text.test),
        "status_id": number_,
        "status": word,
        "standards": [_text(f"{names[f].name}, {names[f].version}") for f in sorted({m.framework for m in counted})],
        "requirements": sorted({f"{m.framework} {m.requirement}" for m in counted}),
    }


def _file(name: str, sha256: str) -> dict[str, Any]:
    hashes = [{"algorithm_id": _SHA_256, "algorithm": "SHA-256", "value": sha256}]
    return {"file": {"name": name.rpartition("/")[2], "path": name, "type_id": _REGULAR_FILE, "hashes": hashes}}


def _text(value: str) -> str:
    return escape_invisible(value)


def _instant(day: dt.date) -> int:
    """Return the first instant of a UTC day in milliseconds since 1970."""
    return (day - dt.date(1970, 1, 1)) // dt.timedelta(milliseconds=1)

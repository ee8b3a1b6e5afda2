"""What a gate found as SARIF 2.1.0 (OASIS, sarif-v2.1.0), for code review tools. Pure."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from evidence.control.result import Observation
from evidence.control.worse import Weighed

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Final[Mapping[str, str]] = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
_SCORES: Final[Mapping[str, str]] = {"critical": "9.5", "high": "8.0", "medium": "5.0", "low": "2.0"}


@dataclass(frozen=True, slots=True)
class Places:
    """Item, or the dotted beginning of one without its source -> file, relative to the repository."""

    files: Mapping[str, str]

    def of(self, item: str) -> str:
        """Return the file of the longest beginning that is known, or an empty text."""
        name = item.partition("/")[2]
        parts = name.split(".")
        for size in range(len(parts), 0, -1):
            start = ".".join(parts[:size])
            if found := self.files.get(start) or self.files.get(start.upper()):
                return found
        return ""


def sarif(weighed: Sequence[Weighed], places: Places, notices: Iterable[str], *, version: str) -> str:
    """Return the log file: a rule per control, a result per item, and what could not be concluded as notifications."""
    said = [{"level": "error", "message": {"text": text}} for text in notices]
    run = {
        "tool": {
            "driver": {
                "name": "evidence gate",
                "version": version,
                "rules": [_rule(each) for each in weighed],
            }
        },
        "invocations": [{"executionSuccessful": not said, "toolExecutionNotifications": said}],
        "columnKind": "unicodeCodePoints",
        "results": [result for number, each in enumerate(weighed) for result in _results(number, each, places)],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _rule(each: Weighed) -> dict[str, Any]:
    control = each.control
    return {
        "id": control.id,
        "name": control.id,
        "shortDescription": {"text": control.title},
        "fullDescription": {"text": control.statement},
        "help": {"text": control.remediation},
        "defaultConfiguration": {"level": _LEVELS[control.severity]},
        "properties": {
            "version": control.version,
            "severity": control.severity,
            "security-severity": _SCORES[control.severity],
            "tags": ["security", *(f"{m.framework}:{m.requirement}" for m in control.maps if m.strength == "primary")],
        },
    }


def _results(number: int, each: Weighed, places: Places) -> Iterator[dict[str, Any]]:
    known = {(o.item, o.reason) for o in each.known}
    level = _LEVELS[each.control.severity]
    for o in (*each.worse, *each.known):
        fail = o.result == "fail"
        state = "unchanged" if (o.item, o.reason) in known else "new"
        kind = {"kind": "fail", "level": level} if fail else {"kind": "review", "level": "none"}
        yield _result(number, each, o.item, o.reason, _message(each, o), places) | kind | {"baselineState": state}
    for o in (*each.look, *each.later):
        found = _result(number, each, o.item, o.reason, _message(each, o), places)
        yield found | {"kind": "review", "level": "none", "baselineState": "new"}
    for item in each.removed:
        text = f"{item} is no longer tested by {each.control.id}: it left the population."
        found = _result(number, each, item, "removed", text, places)
        yield found | {"kind": "review", "level": "none", "baselineState": "new"}


def _result(number: int, each: Weighed, item: str, reason: str, text: str, places: Places) -> dict[str, Any]:
    print_ = hashlib.sha256(f"{each.control.id}\n{item}\n{reason}".encode()).hexdigest()
    found: dict[str, Any] = {
        "ruleId": each.control.id,
        "ruleIndex": number,
        "message": {"text": text},
        "partialFingerprints": {"controlItemReason/v1": print_},
        "properties": {"item": item, "reason": reason},
    }
    path = places.of(item)
    location = (
        {"physicalLocation": {"artifactLocation": {"uri": quote(path)}, "region": {"startLine": 1}}} if path else {}
    )
    logical = {"logicalLocations": [{"fullyQualifiedName": item}]}
    return found | {"locations": [location | logical]}


def _message(each: Weighed, o: Observation) -> str:
    return f"{o.item}: {each.control.reasons.get(o.reason, o.reason)} Seen: {o.observed}. Expected: {o.expected}."

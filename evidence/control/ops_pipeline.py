"""``ops.pipeline``: how the pipeline itself stood, from the records that each day's first run seals (docs/formats/pipeline.md).

One row for each part of each record of the night. A night without a record, after the first one ever, is a row with the state ``missing``:
nobody can say afterwards how the pipeline stood, so it is not read as "as before".
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from evidence.control.evidence import EvidenceReader, Recorded
from evidence.control.gate import Gap, Requirement
from evidence.snapshot import canonical
from evidence.snapshot.assessed import PIPELINE

_TIME: Final = pa.timestamp("us")
SCHEMA: Final = pa.schema(
    [
        ("recorded_at", _TIME),
        ("tool_version", pa.string()),
        ("config_sha256", pa.string()),
        ("part", pa.string()),
        ("name", pa.string()),
        ("state", pa.string()),
        ("reason", pa.string()),
        ("before_at", _TIME),
        ("tool_before", pa.string()),
        ("packages_sha256", pa.string()),
        ("packages_before", pa.string()),
        ("runs_due", pa.int64()),
        ("runs_missed", pa.int64()),
        ("kind", pa.string()),
        ("versioning", pa.bool_()),
        ("lock", pa.bool_()),
        ("lock_mode", pa.string()),
        ("lock_days", pa.int64()),
        ("promised_mode", pa.string()),
        ("promised_days", pa.int64()),
        ("enabled", pa.bool_()),
        ("rotation", pa.bool_()),
        ("expires_at", _TIME),
        ("offset_seconds", pa.int64()),
    ]
)
_MOMENTS: Final = frozenset(field.name for field in SCHEMA if pa.types.is_timestamp(field.type))


def pipeline_rows(reader: EvidenceReader, night: dt.date) -> tuple[list[dict[str, Any]], list[Recorded], list[Gap]]:
    """Return the rows of ``night``, the records they rest on, and what keeps the night from being judged.

    Before the first record nothing is known and nothing is concluded; until the day after is over a record may still come.
    """
    found = reader.pipeline(night)
    mine = [each for each in found if each.input.night == night]
    before = next((each for each in found if each.input.night < night), None)
    if mine:
        return [row for each in mine for row in _rows(each, before)], list(found), []
    if not reader.due(PIPELINE, night):
        return [], [], [Gap(Requirement(PIPELINE), "pending", f"the record of the pipeline for {night.isoformat()}")]
    if before is None:
        said = f"the pipeline was first recorded after {night.isoformat()}, or never"
        return [], [], [Gap(Requirement(PIPELINE), "before-coverage", said)]
    missing = {"part": "run", "name": "", "state": "missing", **_head(None, before)}
    return [missing], list(found), []


def _rows(record: Recorded, before: Recorded | None) -> Iterator[dict[str, Any]]:
    body, head = record.body, _head(record, before)
    parts: Sequence[Mapping[str, Any]] = (*body["run"]["parts"], *body["state"]["parts"])
    for part in parts:
        known = {name: _value(name, value) for name, value in part.items() if name in SCHEMA.names}
        yield {**head, **known}


def _head(record: Recorded | None, before: Recorded | None) -> dict[str, Any]:
    """Return what every row of a record says: when it was made and by what, and the same of the record before the night."""
    head: dict[str, Any] = {}
    if record is not None:
        tool, configuration = record.body["state"]["tool"], record.body["state"]["configuration"]
        head |= {"recorded_at": _zoneless(record.at), "tool_version": tool["version"]}
        head["config_sha256"] = configuration["sha256"]
    if before is not None:
        state = before.body["state"]
        digests = [part.get("packages_sha256") for part in state["parts"] if part["part"] == "packages"]
        head |= {"before_at": _zoneless(before.at), "tool_before": state["tool"]["version"]}
        head["packages_before"] = digests[0] if digests else None
    return head


def _value(name: str, value: Any) -> Any:
    return _zoneless(canonical.parse_time(value)) if name in _MOMENTS and value is not None else value


def _zoneless(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(dt.UTC).replace(tzinfo=None)

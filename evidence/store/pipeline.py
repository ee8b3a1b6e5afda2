"""The record of the pipeline itself: what ran, on what, locked how, sealed beside the night's evidence (docs/formats/pipeline.md).

One ``pipeline`` entry for each night and each different state; what a run finds unchanged it does not seal again. The night is the one that
states are captured for at that moment: nobody can make the record of another. Pure but for :func:`seal_pipeline`.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry
from evidence.snapshot.model import DAY
from evidence.store.index import Index
from evidence.store.log import Log
from evidence.store.sealing import append_new, put_object

FORMAT: Final = "evidence-pipeline-v1"
TYPE: Final = "pipeline"


def night_at(moment: dt.datetime) -> dt.date:
    """Return the night whose states are captured at ``moment``: that of the day before, in UTC."""
    return moment.astimezone(dt.UTC).date() - DAY


def key_of(night: dt.date, state: Mapping[str, Any]) -> str:
    """Return the entry's key: the night, and what was found. What differs from run to run is no part of ``state``."""
    return f"{night.isoformat()}/{canonical.sha256_hex(canonical.encode(dict(state)))[:32]}"


def last_recorded(index: Index) -> tuple[dt.date, dt.datetime] | None:
    """Return night and moment of the last record, or None."""
    found = index.last(TYPE)
    if found is None:
        return None
    body = found[1].body
    return dt.date.fromisoformat(body["night"]), canonical.parse_time(body["at"])


def seal_pipeline(
    log: Log, index: Index, moment: dt.datetime, state: Mapping[str, Any], run: Mapping[str, Any], unique: str
) -> bool:
    """Seal how the pipeline stands at ``moment``; False if the same is sealed for that night already.

    ``state`` is what two runs of a night have in common, ``run`` what only this one can say. A record that is lost to another run is left
    as an object that no entry names.
    """
    night = night_at(moment)
    key = key_of(night, state)
    if index.find(TYPE, key) is not None:
        return False
    at = canonical.format_time(moment)
    body = {"format": FORMAT, "night": night.isoformat(), "at": at, "state": dict(state), "run": dict(run)}
    ref = put_object(log.store, f"pipeline/{night.isoformat()}/{unique}.json", canonical.encode(body))
    facts = {"night": night.isoformat(), "at": at, "tool": state["tool"]["version"]}
    return bool(append_new(log, [Entry(TYPE, key, ref, facts)]))

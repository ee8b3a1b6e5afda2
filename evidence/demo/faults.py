"""Exports that went wrong: refused, missed, short, stale or with a row that is none. Keyed by dataset and night."""

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evidence.datasets.contract import Contract
from evidence.demo.answer import Effect
from evidence.demo.export import Body, write_claims, write_night
from evidence.snapshot.canonical import format_time
from evidence.snapshot.model import DAY, start_of


@dataclass(frozen=True, slots=True)
class Fault:
    """What an exporter did instead of a clean export, and the status of the snapshot it becomes."""

    name: str
    reason: str  # of a control that needs this night's dataset
    write: Callable[[Path, Contract, dt.date, Body], None]


def _denied(folder: Path, contract: Contract, night: dt.date, body: Body) -> None:  # noqa: ARG001 - one shape of writers
    target = _target(folder, night)
    reason = f"Object {contract.object} does not exist or not authorized"
    write_claims(target, contract, night, status="denied", reason=reason, as_of=None)


def _missed(folder: Path, contract: Contract, night: dt.date, body: Body) -> None:
    """Write nothing: the exporter did not run."""


def _short(folder: Path, contract: Contract, night: dt.date, body: Body) -> None:
    """Claim three rows more than the file holds."""
    write_night(folder, contract, night, Body(body.parquet, body.totals | {"rows": body.totals["rows"] + 3}))


def _stale(folder: Path, contract: Contract, night: dt.date, body: Body) -> None:
    """Hand over a capture of two days before."""
    target = _target(folder, night)
    (target / "part.parquet").write_bytes(body.parquet)
    captured = format_time(start_of(night) - DAY + dt.timedelta(hours=3))
    write_claims(target, contract, night, totals=body.totals, as_of=captured)


def _broken_line(folder: Path, contract: Contract, night: dt.date, body: Body) -> None:
    """Write NDJSON with a line that was cut off in the middle."""
    target = _target(folder, night)
    rows = [json.dumps(_spelled(row)) for row in pq.read_table(pa.BufferReader(body.parquet)).to_pylist()]
    rows[len(rows) // 2] = rows[len(rows) // 2][:40]
    (target / "part.ndjson").write_text("\n".join(rows) + "\n")
    write_claims(target, contract, night, totals=body.totals)


def _spelled(row: dict[str, Any]) -> dict[str, Any]:
    return {name: format_time(value) if isinstance(value, dt.datetime) else value for name, value in row.items()}


def _target(folder: Path, night: dt.date) -> Path:
    target = folder / f"date={night.isoformat()}"
    target.mkdir(parents=True)
    return target


DENIED = Fault("denied-view", "denied", _denied)
MISSED = Fault("missed-night", "missing-evidence", _missed)
STOPPED = Fault("export-stops", "missing-evidence", _missed)
SHORT = Fault("short-export", "incomplete", _short)
STALE = Fault("stale-capture", "incomplete", _stale)
BROKEN = Fault("broken-line", "incomplete", _broken_line)

FAULTS: dict[tuple[str, int], Fault] = {
    **{("snowflake.resource_monitors_show", night): STOPPED for night in range(4, 8)},
    ("snowflake.policy_references", 33): DENIED,
    ("snowflake.policy_references", 34): DENIED,
    ("snowflake.login_history", 47): MISSED,
    ("snowflake.access_history", 55): SHORT,
    ("snowflake.parameters", 62): STALE,
    ("snowflake.future_grants", 70): BROKEN,
}

# What rests on a dataset, by a control itself or through a fact: control, what a gap does to it, nights it looks back.
Rests = dict[str, tuple[tuple[str, Effect, int], ...]]
RESTS_ON: Rests = {
    "snowflake.policy_references": (
        ("data-phi-mask-coverage", "nothing-concluded", 0),
        ("network-account-policy", "failures-stand", 0),
    ),
    "snowflake.login_history": (
        ("monitor-bruteforce", "failures-stand", 1),
        ("identity-service-keypair", "failures-stand", 0),
        ("identity-dormant", "failures-fall", 0),
    ),
    "snowflake.access_history": (("data-phi-access-role", "failures-stand", 1),),
    "snowflake.parameters": (
        ("access-no-user-privileges", "nothing-concluded", 0),
        ("network-account-policy", "nothing-concluded", 0),
    ),
    "snowflake.future_grants": (
        ("access-no-raw-grants", "nothing-concluded", 0),
        ("data-phi-mask-coverage", "nothing-concluded", 0),
    ),
    "dbt.nodes": (
        ("quality-key-tests", "nothing-concluded", 0),
        ("data-phi-mask-coverage", "nothing-concluded", 0),
        ("data-phi-access-role", "nothing-concluded", 0),
    ),
}

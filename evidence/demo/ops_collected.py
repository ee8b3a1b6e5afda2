"""What was collected, seen by the collector, and can be read back: follows from the exports that went wrong (``faults.py``).

No row is taken from a receipt: which read of which night failed stands in ``FAULTS`` and among the mornings without a dbt run.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from evidence.datasets.contract import Contract
from evidence.demo.answer import BEFORE
from evidence.demo.events import ACCESSES, LOGINS, QUERIES
from evidence.demo.faults import DENIED, FAULTS, MISSED, STOPPED
from evidence.demo.state import ALWAYS
from evidence.demo.world import World
from evidence.snapshot.model import DAY

COMPLETE, TRAILS, SIGHT, SOUND, LONG, STOOD = (
    "monitor-collection-complete",
    "monitor-audit-continuity",
    "monitor-collector-visibility",
    "monitor-evidence-integrity",
    "retention-audit-6y",
    "monitor-pipeline-state",
)
VISIBILITY: Final = "snowflake.collector_visibility"
SHOW_CAP: Final = 10_000
_STATUS: Final = {DENIED.name: "denied", MISSED.name: "missing", STOPPED.name: "missing"}
_OF_A_RUN: Final = ("dbt.exposures", "dbt.lineage", "dbt.nodes", "dbt.sources", "dbt.tests")  # of the night before it
_AT_A_RUN: Final = ("dbt.freshness", "dbt.manifest")
_TRAILS: Final = {
    QUERIES, ACCESSES, LOGINS, "snowflake.sessions", "snowflake.grants_to_users", "snowflake.grants_to_roles",
}  # fmt: skip
_KEPT: Final = (_TRAILS - {"snowflake.sessions"}) | {"snowflake.policy_references"}
STEPS: Final = ["log", "objects", "trust", "checkpoint"]  # what a check must prove once the overlay has changed


@dataclass(frozen=True, slots=True)
class Failed:
    """A read that left less than the source has: its plant and what its receipt says."""

    plant: str
    source: str
    dataset: str
    night: int
    status: str


def plant_sight(world: World) -> None:
    """Probe what is read, once every dataset is known; on some nights the collector does not see all of it."""
    for name in _read(world):
        world.state.add(VISIBILITY, _probe(world.contracts[name]))
    refreshes = _probe(world.contracts["snowflake.replication_refresh_history"])
    world.recorded_there[VISIBILITY] = {number: [refreshes] for number in range(world.size.nights)}
    for plant, dataset, reason, first, last, values in (
        ("collector-unseen", LOGINS, "probe-unseen", 2, 3, {"probe": "USER_NAME = EVIDENCE", "probe_seen": False}),
        ("column-hidden-from-collector", QUERIES, "columns-missing", 41, 43, {"columns_missing": ["ROLE_NAME"]}),
        ("collector-loses-role", "snowflake.policy_references", "no-role", 84, ALWAYS, {"roles_held": []}),
    ):
        world.state.find(VISIBILITY, dataset=dataset).change(first, last, **values)
        world.expect(plant, SIGHT, dataset, reason, first, last)


def answer_collected(world: World) -> None:
    """Write down what the failed reads do to the controls of the collecting itself."""
    for read in _failed(world):
        night, there = read.night, {"source": read.source}
        world.expect(read.plant, COMPLETE, read.dataset, read.status, night, night, **there)
        if read.dataset in _TRAILS:
            world.expect(read.plant, TRAILS, read.dataset, read.status, night, night, **there)
        if read.dataset.startswith("snowflake.") and read.status in {"denied", "missing"}:
            world.expect(read.plant, SIGHT, read.dataset, "not-read", night, night, **there)
    _kept(world)
    # the run that collects all of it records how the pipeline stands on that day, which is none of these nights
    world.gap("pipeline-never-recorded", STOOD, BEFORE, (0, world.size.nights - 1), "nothing-concluded")
    world.expect("checkpoint-never-compared", SOUND, "checkpoint", "not-made", world.change_night, source="log")


def _read(world: World) -> list[str]:
    every = {*world.state.datasets, *world.happened, QUERIES, ACCESSES, LOGINS}
    return sorted(name for name in every if name.startswith("snowflake.") and "collector" not in name)


def _probe(contract: Contract) -> dict[str, object]:
    """Return what the collector says of a view it sees whole; a SHOW list is not probed."""
    row = {
        "dataset": contract.name,
        "object": contract.object,
        "read": contract.read,
        "roles_any_of": list(contract.roles),
        "roles_held": list(contract.roles)[:1],
        "privilege_filtered": contract.privilege_filtered,
        "row_cap": SHOW_CAP if contract.read == "show" else None,
        "edition_needed": contract.edition,
    }
    seen = {"visible": True, "columns_seen": len(contract.columns), "columns_missing": [], "columns_new": []}
    return row | seen if contract.read == "view" else row


def _failed(world: World) -> Iterator[Failed]:
    nights = world.size.nights
    for (dataset, night), fault in FAULTS.items():
        if night < nights:
            yield Failed(fault.name, world.names.snowflake, dataset, night, _STATUS.get(fault.name, "incomplete"))
    for day in sorted(world.project.missing_runs):
        for night, datasets in ((day - 1, _OF_A_RUN), (day, _AT_A_RUN)):
            for dataset in datasets if night < nights else ():
                yield Failed("missing-run", world.names.dbt, dataset, night, "missing")


def _kept(world: World) -> None:
    """A month with a failed read is not whole, from the night after its last one on; before that it is not judged."""
    size = world.size
    ended = _months_end(size.start)
    world.quiet(LONG, 0, (ended - size.start).days)
    for read in _failed(world):
        day = size.night(read.night)
        if read.dataset not in _KEPT:
            continue
        reason, first = (
            "month-short" if read.status == "missing" else "not-whole",
            (_months_end(day) - size.start).days + 1,
        )
        world.expect(read.plant, LONG, f"{read.dataset} {day:%Y-%m}", reason, first, source=read.source)


def _months_end(day: dt.date) -> dt.date:
    return (day.replace(day=1) + 31 * DAY).replace(day=1) - DAY

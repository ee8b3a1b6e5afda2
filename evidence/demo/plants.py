"""The deviations of the demo, and what an assessment must say of each (``docs/demo.md`` lists them)."""

from collections.abc import Iterator

from evidence.demo import (
    estate_access,
    estate_avail,
    estate_aws,
    estate_change,
    estate_identity,
    estate_ops,
    estate_people,
    estate_phi,
)
from evidence.demo.answer import Effect
from evidence.demo.crossings import expect_crossings
from evidence.demo.faults import FAULTS, RESTS_ON
from evidence.demo.plants_access import plant_access
from evidence.demo.plants_data import plant_data
from evidence.demo.plants_dbt import MISSING_RUN, plant_dbt
from evidence.demo.plants_events import plant_sign_ins
from evidence.demo.plants_identity import plant_identity
from evidence.demo.plants_texts import plant_texts
from evidence.demo.world import CONTROLS, World

ESTATES = (
    estate_access, estate_avail, estate_aws, estate_change, estate_identity, estate_ops, estate_people, estate_phi,
)  # fmt: skip


def plant_all(world: World) -> None:
    """Change the clean account and write down what must be found."""
    world.project.missing_runs.add(MISSING_RUN)  # what is built looks at it
    for estate in ESTATES:
        estate.build(world)
    plant_identity(world)
    plant_access(world)
    plant_data(world)
    plant_sign_ins(world)
    plant_dbt(world)
    plant_texts(world)
    for estate in ESTATES:
        estate.plant(world)
    expect_crossings(world)
    world.key.controls = tuple(sorted({*CONTROLS, *(control for estate in ESTATES for control in estate.CONTROLS)}))
    _gaps(world)
    estate_ops.conclude(world)


def _gaps(world: World) -> None:
    """Write down what a bad export, or a production run that never was, does to the controls that rest on it."""
    missing = [("dbt.nodes", day - 1, "missing-run", "missing-evidence") for day in sorted(world.project.missing_runs)]
    faults = [(dataset, night, fault.name, fault.reason) for (dataset, night), fault in FAULTS.items()]
    for dataset, night, name, reason in (*faults, *missing):
        for control, effect, back in _resting(dataset):
            world.gap(name, control, reason, (night, night + back), effect)


def _resting(dataset: str) -> Iterator[tuple[str, Effect, int]]:
    for rests in (RESTS_ON, *(estate.RESTS_ON for estate in ESTATES)):
        yield from rests.get(dataset, ())

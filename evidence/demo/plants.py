"""The deviations of the demo, and what an assessment must say of each (``docs/demo.md`` lists them)."""

from evidence.demo.faults import FAULTS, RESTS_ON
from evidence.demo.plants_access import plant_access
from evidence.demo.plants_data import plant_data
from evidence.demo.plants_dbt import plant_dbt
from evidence.demo.plants_events import plant_sign_ins
from evidence.demo.plants_identity import plant_identity
from evidence.demo.plants_texts import plant_texts
from evidence.demo.world import World


def plant_all(world: World) -> None:
    """Change the clean account and write down what must be found."""
    plant_identity(world)
    plant_access(world)
    plant_data(world)
    plant_sign_ins(world)
    plant_dbt(world)
    plant_texts(world)
    _gaps(world)


def _gaps(world: World) -> None:
    """Write down what a bad export, or a production run that never was, does to the controls that rest on it."""
    missing = [("dbt.nodes", day - 1, "missing-run", "missing-evidence") for day in sorted(world.project.missing_runs)]
    faults = [(dataset, night, fault.name, fault.reason) for (dataset, night), fault in FAULTS.items()]
    for dataset, night, name, reason in (*faults, *missing):
        for control, effect, back in RESTS_ON[dataset]:
            world.gap(name, control, reason, (night, night + back), effect)

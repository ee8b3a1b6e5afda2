"""The deviations of the demo, and what an assessment must say of each (``docs/demo.md`` lists them)."""

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

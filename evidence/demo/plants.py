"""The deviations of the demo, and what an assessment must say of each."""

from evidence.demo.world import World


def plant_all(world: World) -> None:
    """Change the clean account and write down what must be found."""

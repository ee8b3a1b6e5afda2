"""The demo's estate of reviews, incidents and statements that people sign: the clean account first, then its deviations."""

from typing import Final

from evidence.demo.faults import Rests
from evidence.demo.people_access_review import REVIEW, build_access_review, plant_access_review
from evidence.demo.people_activity import ACTIVITY, build_activity, plant_activity
from evidence.demo.people_changes import CHANGES, build_changes, plant_changes
from evidence.demo.people_disclosures import DISCLOSURES, build_disclosures, plant_disclosures
from evidence.demo.people_incidents import CLOCK, LOG, build_incidents, plant_incidents
from evidence.demo.people_program import ATTESTED, DECIDED, build_program, plant_program
from evidence.demo.people_scans import SCANS, build_scans, plant_scans
from evidence.demo.people_scope import SCOPE, build_scope, plant_scope
from evidence.demo.people_signers import build_signers
from evidence.demo.people_vendors import BAA, REPORTS, build_vendors, plant_vendors
from evidence.demo.world import World

CONTROLS: Final[tuple[str, ...]] = (
    ACTIVITY, ATTESTED, BAA, CHANGES, CLOCK, DECIDED, DISCLOSURES, LOG, REPORTS, REVIEW, SCANS, SCOPE,
)  # fmt: skip
RESTS_ON: Final[Rests] = {}  # none of them reads a dataset whose export goes wrong


def build(world: World) -> None:
    """Add what these controls look at, without a deviation."""
    build_signers(world)
    build_vendors(world)
    build_activity(world)
    build_access_review(world)
    build_program(world)
    build_incidents(world)
    build_scope(world)
    build_disclosures(world)
    build_scans(world)
    build_changes(world)


def plant(world: World) -> None:
    """Plant the deviations and write down what must be found; first what goes over all that others have added."""
    plant_scope(world)
    plant_access_review(world)
    plant_program(world)
    plant_activity(world)
    plant_vendors(world)
    plant_incidents(world)
    plant_disclosures(world)
    plant_scans(world)
    plant_changes(world)

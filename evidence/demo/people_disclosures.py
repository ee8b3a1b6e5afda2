"""Flows of health data to others by share, and the disclosures that are accounted for."""

import datetime as dt
from typing import Any, Final

from evidence.demo.people_signers import register
from evidence.demo.shares import GRANTED, OUT, build_shares, shared
from evidence.demo.world import World

DISCLOSURES = "sharing-disclosures"
_STATE: Final = "STATE_CLAIMS"


def build_disclosures(world: World) -> None:
    """Add shares; one goes to the State, whose law requires it, and is accounted for every month."""
    build_shares(world)
    world.products["claims_core"]["legal_basis"] = "required_by_law"
    months = ((5, dt.date(2026, 6, 2)), (6, dt.date(2026, 7, 2)), (7, dt.date(2026, 8, 1)), (8, world.size.night(69)))
    for month, recorded in months:
        last = dt.date(2026, month + 1, 1) - dt.timedelta(days=1)
        register(world, "disclosures", _recurring(last, recorded))
    register(world, "disclosures", _single("DSC-041", dt.date(2026, 5, 12), dt.date(2026, 5, 20)))


def plant_disclosures(world: World) -> None:
    """Plant a share of what no contract covers, an entry that came late, and one that is not carried on."""
    table, size = world.catalog.by_path["CLAIMS.MART.AGG_LOSS_RATIO"], world.size
    row = world.state.add(GRANTED, shared("CARE_PARTNER", table, size.evening(6, 14)), first=6)
    row.change(9, 10**6, DELETED_ON=size.evening(9, 9))
    item = f"CARE_PARTNER -> {OUT['CARE_PARTNER'][0]} no contract"
    world.expect("share-without-contract", DISCLOSURES, item, "no-contract", 6, 8)
    item = f"{_STATE} -> {OUT[_STATE][0]} claims_core"
    world.expect("recurring-disclosure-not-carried-on", DISCLOSURES, item, "outdated", 66, 68)
    register(world, "disclosures", _single("DSC-047", size.night(20), size.night(76)))
    world.expect("disclosure-entered-late", DISCLOSURES, "entry DSC-047", "recorded-late", 76, source="register")
    short = _single("DSC-044", size.night(18), size.night(22))
    kept = short | {"recorded_on": size.night(25)}
    short["keep_until"] = dt.date(2030, 7, 31)
    register(world, "disclosures", short, kept)
    world.expect("disclosure-kept-too-short", DISCLOSURES, "entry DSC-044", "kept-too-short", 22, 24, source="register")


def _single(name: str, day: dt.date, recorded: dt.date) -> dict[str, Any]:
    return {
        "id": name,
        "disclosed_on": day,
        "recurring": False,
        "recipient": "State insurance department",
        "address": "not known",
        "flow": "file",
        "description": "claims of one examination",
        "purpose": "health oversight",
        "legal_basis": "health_oversight",
        "individuals_ref": f"accounting/{name}",
        "recorded_by": "Privacy office",
        "recorded_on": recorded,
        "keep_until": dt.date(2032, 12, 31),
    }


def _recurring(last: dt.date, recorded: dt.date) -> dict[str, Any]:
    flow = {"recipient_account": OUT[_STATE][0], "flow": _STATE, "product": "claims_core", "frequency": "daily"}
    row = _single("DSC-030", dt.date(2026, 1, 1), recorded) | flow
    row |= {
        "recurring": True,
        "last_on": last,
        "recipient": "State claims database",
        "purpose": "required by State law",
    }
    return row | {
        "legal_basis": "required_by_law",
        "description": "claim summaries",
        "keep_until": dt.date(2033, 12, 31),
    }

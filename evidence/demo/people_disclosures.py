"""Flows of health data to others by share, and the disclosures that are accounted for."""

import datetime as dt
from typing import Any, Final

from evidence.demo.once import register
from evidence.demo.products import Product
from evidence.demo.shares import CARE, GRANTS, HOSPITAL, build_shares, of_table
from evidence.demo.state import ALWAYS
from evidence.demo.world import World

DISCLOSURES, PROTECTED = "sharing-disclosures", "sharing-phi-protected"
_PRODUCT: Final = "member_360"


def build_disclosures(world: World) -> None:
    """Add shares, and a disclosure that was recorded in time."""
    build_shares(world)
    register(world, "disclosures", _single("DSC-041", dt.date(2026, 5, 12), dt.date(2026, 5, 20)))


def plant_disclosures(world: World) -> None:
    """Plant a share of what no contract covers, a flow that needs accounting, and entries that came late or go too early."""
    _share(world)
    _flow(world)
    _entries(world)


def _share(world: World) -> None:
    size, table = world.size, world.catalog.by_path["MEMBER.MART.DIM_PLAN"]
    row = world.state.add(GRANTS, of_table(CARE, table) | {"CREATED_ON": size.evening(6, 14)}, first=6)
    row.change(9, ALWAYS, DELETED_ON=size.evening(9, 9))
    plant = "share-without-contract"
    world.expect(plant, DISCLOSURES, f"{CARE} -> {HOSPITAL} no contract", "no-contract", 6, 8)
    world.expect(plant, PROTECTED, f"share {CARE}: TABLE {table.path}", "not-in-contract", 6, 8)


def _flow(world: World) -> None:
    """From September the hospital gets contacts because a law asks for it: that is accounted for, twice too late."""
    night = world.size.night

    def asked_by_law(products: dict[str, Product]) -> None:
        products[_PRODUCT]["legal_basis"] = "required_by_law"

    world.product_edits.append((66, ALWAYS, asked_by_law))
    item = f"{CARE} -> {HOSPITAL} {_PRODUCT}"
    register(world, "disclosures", _recurring(night(50), night(68)), _recurring(night(88), night(89)))
    world.expect("flow-not-accounted-for", DISCLOSURES, item, "not-recorded", 66, 67)
    world.expect("recurring-disclosure-not-carried-on", DISCLOSURES, item, "outdated", 86, 88)


def _entries(world: World) -> None:
    night = world.size.night
    register(world, "disclosures", _single("DSC-047", night(20), night(76)))
    world.expect("disclosure-entered-late", DISCLOSURES, "entry DSC-047", "recorded-late", 76, source="register")
    short = _single("DSC-044", night(18), night(22))
    kept = short | {"recorded_on": night(25)}
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
    flow = {"recipient_account": HOSPITAL, "flow": CARE, "product": _PRODUCT, "frequency": "daily"}
    row = _single("DSC-050", last - dt.timedelta(days=20), recorded) | flow
    row |= {"recurring": True, "last_on": last, "recipient": "Northgate Hospital", "purpose": "required by State law"}
    return row | {"legal_basis": "required_by_law", "description": "contacts", "keep_until": dt.date(2033, 12, 31)}

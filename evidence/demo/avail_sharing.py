"""Deviations of what is shared out and of what is connected."""

import json
from typing import Any

from evidence.demo.avail_recovery import ANY_GROUPS, GROUP, REPLICA_ACCOUNT
from evidence.demo.integrations import (
    DESCRIBED,
    INTEGRATIONS,
    OAUTH,
    SESSIONS,
    build_integrations,
    integration,
    register_vendors,
    session,
)
from evidence.demo.once import register
from evidence.demo.shares import (
    CARE,
    CONTACTS,
    EXCHANGE,
    FORMULARY,
    GRANTS,
    HOSPITAL,
    LISTING,
    LISTING_ID,
    LISTINGS,
    READER,
    READERS,
    SHARES,
    VIEWS,
    build_shares,
    of_table,
    reader,
)
from evidence.demo.workspace import APPROVED, EXPIRES, OFFICER
from evidence.demo.world import World

KNOWN, PROTECTED, OFFERED, CONNECTED = (
    "sharing-known-accounts",
    "sharing-phi-protected",
    "sharing-listings-readers",
    "sharing-integrations",
)


def build_sharing(world: World) -> None:
    """Add shares, receivers, integrations and sessions."""
    build_shares(world)
    build_integrations(world)
    # the failover group lists the account it stands in as well
    for account in ("FERNHOLLOW.CARRIER", REPLICA_ACCOUNT):
        row = {"account": account, "organisation": "Fernhollow Health Plan", "name": account.split(".")[1], "own": True}
        row |= {"purpose": "recovery", "shares": [GROUP]}
        row |= {"approved_by": OFFICER, "approved_on": APPROVED, "expires": EXPIRES}
        register(world, "counterparties", row)


def plant_sharing(world: World) -> None:
    """Plant them all."""
    register_vendors(world)
    _strangers(world)
    _unprotected(world)
    _agreements(world)
    _offers(world)
    _connections(world)


def _strangers(world: World) -> None:
    find, expect = world.state.find, world.expect
    find(SHARES, NAME=FORMULARY).change(2, 3, TARGET_ACCOUNTS=f"{EXCHANGE}, BROKER.DATA")
    expect("share-to-a-stranger", KNOWN, f"share {FORMULARY} -> BROKER.DATA", "not-registered", 2, 3)
    group = find(ANY_GROUPS, is_primary="true")
    group.change(28, 29, allowed_accounts=f"{group.values['allowed_accounts']}, FERNHOLLOW.TRAINING")
    expect("group-to-a-stranger", KNOWN, f"group {GROUP} -> FERNHOLLOW.TRAINING", "not-registered", 28, 29)


def _unprotected(world: World) -> None:
    """A table of fills gets into the share of drugs; a share takes a view that is not secure any more."""
    find, expect = world.state.find, world.expect
    fills = world.catalog.by_path["PHARMACY.MART.FCT_FILL"]
    world.state.add(GRANTS, of_table(FORMULARY, fills), first=4, last=6)
    plant = "fills-in-drug-share"
    expect(plant, PROTECTED, f"share {FORMULARY}: TABLE {fills.path}", "not-in-contract", 4, 6)
    for column in fills.phi:
        expect(plant, PROTECTED, f"share {FORMULARY}: {fills.path}.{column.name}", "asks-session", 4, 6)
    find(SHARES, NAME=CARE).change(20, 21, SECURE_OBJECTS_ONLY=False)
    expect("share-takes-any-object", PROTECTED, f"share {CARE}", "not-secure-only", 20, 21)
    view = world.catalog.by_path[CONTACTS]
    find(VIEWS, TABLE_ID=view.id).change(21, 21, IS_SECURE="NO")
    expect("shared-view-not-secure", PROTECTED, f"share {CARE}: VIEW {CONTACTS}", "view-not-secure", 21, 21)


def _agreements(world: World) -> None:
    """The hospital stands three nights without an agreement, so that it may see nothing; the exchange's approval ends."""
    _renew(world, HOSPITAL, 50, 50, baa_id=None)
    _renew(world, HOSPITAL, 53, 53)
    plant, expect = "receiver-without-agreement", world.expect
    expect(plant, KNOWN, f"share {CARE} -> {HOSPITAL}", "no-agreement", 50, 52)
    for column in world.catalog.by_path[CONTACTS].phi:
        expect(plant, PROTECTED, f"share {CARE}: {CONTACTS}.{column.name}", "asks-session", 50, 52)
    _renew(world, EXCHANGE, 78, 81)
    expect("receiver-approval-ends", KNOWN, f"share {FORMULARY} -> {EXCHANGE}", "registration-expired", 78, 80)


def _renew(world: World, account: str, ends: int, begins: int, **changes: Any) -> None:
    """End the registration in force on one night and begin the next on another; None removes a value."""
    rows = [row for row in world.registers["counterparties"] if row["account"] == account]
    first, last = rows[0], rows[-1]
    last["expires"] = world.size.night(ends)
    row = first | {"approved_on": world.size.night(begins), "expires": EXPIRES} | changes
    register(world, "counterparties", {name: value for name, value in row.items() if value is not None})


def _offers(world: World) -> None:
    find, expect = world.state.find, world.expect
    listing, item = find(LISTINGS, NAME=LISTING), f"listing {LISTING} ({LISTING_ID})"
    listing.change(8, 9, STATE="PUBLISHED")
    expect("listing-for-everybody", OFFERED, item, "open-listing", 8, 9)
    listing.change(40, 42, STATE="PUBLISHED", TARGETS=json.dumps({"accounts": [EXCHANGE, "BROKER.DATA"]}))
    expect("listing-for-a-stranger", OFFERED, item, "target-not-registered", 40, 42)
    world.state.add(READERS, reader("PILOT", "QX77198"), first=60, last=61)
    expect("reader-account-by-hand", OFFERED, "reader PILOT (QX77198)", "reader-not-registered", 60, 61)
    _renew(world, READER, 70, 73)
    expect("reader-approval-ends", OFFERED, f"reader PHARMACY_AUDIT ({READER})", "registration-expired", 70, 72)


def _connections(world: World) -> None:
    find, expect, night = world.state.find, world.expect, world.size.night
    for each in (3, 4):
        world.happen(SESSIONS, each, session(world, each, 900, "ABEL.ABERNATH", "DBeaver_DBeaver 26.1.0"))
    expect("client-not-registered", CONNECTED, "client DBeaver_DBeaver", "not-registered", 3, 4)
    find(DESCRIBED, integration_name=OAUTH).change(15, 17, property_value="ORGADMIN,SECURITYADMIN")
    expect("administrators-not-blocked", CONNECTED, f"integration {OAUTH}", "roles-not-blocked", 15, 17)
    world.state.add(INTEGRATIONS, integration("CHAT_HOOK", "NOTIFICATION", "WEBHOOK"), first=38, last=39)
    expect("integration-not-registered", CONNECTED, "integration CHAT_HOOK", "not-registered", 38, 39)
    row = next(row for row in world.registers["vendors"] if row["system"] == "TABLEAU")
    row["expires"] = night(64)
    register(world, "vendors", row | {"approved_on": night(67), "expires": EXPIRES})
    expect("vendor-registration-ends", CONNECTED, f"integration {OAUTH}", "registration-expired", 64, 66)

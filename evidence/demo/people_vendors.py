"""Providers of the demo: what they get, their agreements, and the reports on their controls."""

import datetime as dt
from typing import Any, Final

from evidence.demo.once import register
from evidence.demo.organization_accounts import ACCOUNT, ACCOUNTS
from evidence.demo.people_activity import KEPT
from evidence.demo.people_signers import AUDITOR, CISO, digest, document
from evidence.demo.workspace import APPROVED, OFFICER
from evidence.demo.world import World

BAA, REPORTS = "sharing-baa", "program-subservice-assurance"
_TYPES: Final = ("access", "query", "login", "privileged_change", "incident")
# system -> data classes, integrations, relied on
_VENDORS: Final[dict[str, tuple[list[str], list[str], bool]]] = {
    "SNOWFLAKE": (["PHI"], [], True),
    "AWS": (["PHI"], [], True),
    "FIVETRAN": (["PHI"], [], False),
    "OKTA": (["internal"], [], True),
    "DATADOG": (["internal"], [], False),
}


def build_vendors(world: World) -> None:
    """Add vendors with their agreements, and reports of providers."""
    for number, system in enumerate(_VENDORS):
        register(world, "vendors", _vendor(number, system))
    for system, (classes, _, relied) in _VENDORS.items():
        if relied or classes == ["PHI"]:
            register(world, "subservice_reports", _report(system))


def plant_vendors(world: World) -> None:
    """Plant the deviations of agreements and reports."""
    _agreements(world)
    _new_flow(world)
    _reports(world)


def _vendor(number: int, system: str, **extra: Any) -> dict[str, Any]:
    classes, names, relied = _VENDORS[system]
    row = {
        "system": system,
        "owner": "Data platform",
        "data_classes": classes,
        "integration_names": names,
        "keeps_no": [kind for kind in _TYPES if kind not in KEPT.get(system, ())],
        "subservice": relied,
        "approved_by": OFFICER,
        "approved_on": APPROVED,
    }
    if classes == ["PHI"]:
        row |= {
            "baa_id": f"BAA-2025-{number + 11:03}",
            "signed": dt.date(2025, 1, 20),
            "document_sha256": digest(f"agreement {system}"),
            "legal_reviewed_on": dt.date(2025, 1, 14),
            "subcontractor_clause": True,
            "breach_notice_days": 10,
            "last_review": dt.date(2026, 1, 8),
        }
    return row | extra


def _report(system: str, **extra: Any) -> dict[str, Any]:
    row = {
        "system": system,
        "report": "soc2_type2",
        "period_start": dt.date(2025, 4, 1),
        "period_end": dt.date(2026, 3, 31),
        "qualified": False,
        "gap_letter_until": dt.date(2026, 12, 31),
        **document(f"soc2-{system.lower()}", "2026"),
        "duties": 2,
        "duties_mapped": ["CUEC-1 = access-admin-count", "CUEC-2 = network-account-policy"],
        "reviewer": AUDITOR,
        "reviewed_on": dt.date(2026, 5, 19),
    }
    return row | extra


def _of(world: World, name: str, system: str) -> dict[str, Any]:
    return next(row for row in world.registers[name] if row["system"] == system)


def _expect(world: World, plant: str, control: str, item: str, reason: str, nights: tuple[int, int]) -> None:
    world.expect(plant, control, item, reason, *nights, source="register")


def _agreements(world: World) -> None:
    """An agreement runs out before it is renewed; a renewal forgets the subcontractors; the account changes its edition."""
    night = world.size.night
    row = _of(world, "vendors", "FIVETRAN")
    row["expires"] = night(8)
    register(world, "vendors", row | {"approved_on": night(11), "signed": night(11), "expires": night(150)})
    _expect(world, "agreement-runs-out", BAA, "vendor FIVETRAN", "agreement-expired", (8, 10))
    aws = _of(world, "vendors", "AWS")
    aws["expires"] = night(24)
    renewed = aws | {"approved_on": night(24), "subcontractor_clause": False, "expires": night(27)}
    register(world, "vendors", renewed)
    register(
        world, "vendors", renewed | {"approved_on": night(27), "subcontractor_clause": True, "expires": night(400)}
    )
    _expect(world, "subcontractors-not-bound", BAA, "vendor AWS", "no-subcontractor-clause", (24, 26))
    listed = world.state.find(ACCOUNTS, account_name=ACCOUNT)
    listed.change(82, 84, edition="ENTERPRISE")
    _expect(world, "edition-changed", BAA, f"account {ACCOUNT}", "edition-not-contracted", (82, 84))


def _new_flow(world: World) -> None:
    """A monitoring service gets health data before there is an agreement, or a report that anybody has read."""
    night = world.size.night
    row = _of(world, "vendors", "DATADOG")
    row["expires"] = night(40)
    more = row | {"approved_on": night(40), "data_classes": ["internal", "PHI"], "expires": night(48)}
    register(world, "vendors", more, row | {"approved_on": night(48), "expires": night(400)})
    _expect(world, "vendor-begins-with-phi", BAA, "vendor DATADOG", "no-agreement", (40, 47))
    _expect(world, "vendor-begins-with-phi", REPORTS, "DATADOG", "no-report", (40, 47))


def _reports(world: World) -> None:
    """A gap letter ends; a new report leaves a duty unassigned; one has reservations that nobody answered."""
    night = world.size.night
    row = _of(world, "subservice_reports", "SNOWFLAKE")
    row["gap_letter_until"] = night(55)
    renewed = {"reviewed_on": night(62), "reviewer": CISO, "gap_letter_until": dt.date(2026, 12, 31)}
    register(world, "subservice_reports", row | renewed)
    _expect(world, "gap-letter-ends", REPORTS, "SNOWFLAKE", "gap-not-bridged", (56, 61))
    new = {"period_start": dt.date(2025, 7, 1), "period_end": dt.date(2026, 6, 30), "reviewed_on": night(3)}
    row = _report("OKTA", **new, duties=3)
    mapped = [*row["duties_mapped"], "CUEC-3 = identity-mfa-humans"]
    register(world, "subservice_reports", row, row | {"reviewed_on": night(7), "duties_mapped": mapped})
    _expect(world, "duty-not-assigned", REPORTS, "OKTA", "duties-not-mapped", (3, 6))
    row = _report("AWS", period_end=dt.date(2026, 7, 31), reviewed_on=night(76), qualified=True)
    answer = {"reviewed_on": night(79), "qualification_response": "no effect: the region concerned is not used"}
    register(world, "subservice_reports", row, row | answer)
    _expect(world, "reservations-not-answered", REPORTS, "AWS", "no-response", (76, 78))

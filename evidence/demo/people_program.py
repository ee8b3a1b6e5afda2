"""What management signs: attestations, decisions on addressable specifications, and training."""

import datetime as dt
from typing import Any, Final

from evidence.demo.once import register
from evidence.demo.people_signers import AUDITOR, CISO, document
from evidence.demo.records_roster import ROSTER, build_roster
from evidence.demo.world import World

ATTESTED, DECIDED = "program-attestations", "program-addressable-decisions"
TRAINING, COURSE = "records.training", "HIPAA-PRIVACY-SECURITY"
# requirement -> document, version
_DOCUMENTS: Final = {
    "164.308(a)(1)(ii)(A)": ("risk-analysis", "2026"),
    "164.308(a)(1)(ii)(C)": ("sanctions", "4"),
    "164.308(a)(2)": ("security-official", "1"),
    "164.308(a)(5)": ("training-programme", "7"),
    "164.308(a)(7)(ii)(C)": ("emergency-mode", "2"),
    "164.308(a)(7)(ii)(E)": ("criticality", "2"),
    "164.308(a)(8)": ("evaluation", "2026"),
    "164.310(b)": ("workstations", "3"),
    "164.310(c)": ("workstations", "3"),
    "164.316(a)": ("security-policies", "9"),
    "164.316(b)(2)(ii)": ("document-access", "2"),
    "164.316(b)(2)(iii)": ("document-review", "2"),
    "164.530(b)(1)": ("privacy-training", "5"),
    "CC1.3": ("organization", "2026"),
    "CC1.4": ("hiring", "6"),
    "CC2.2": ("communication", "3"),
    "CC3.1": ("objectives", "2026"),
    "CC3.2": ("risk-register", "2026"),
    "CC5.3": ("procedures", "5"),
    "CC6.4": ("premises", "3"),
    "CC9.1": ("continuity", "4"),
}
_IMPLEMENTED: Final = {
    "164.308(a)(3)(ii)(A)": "access-admin-count",
    "164.308(a)(3)(ii)(B)": "access-review-signoff",
    "164.308(a)(3)(ii)(C)": "identity-dormant",
    "164.308(a)(4)(ii)(B)": "access-no-user-privileges",
    "164.308(a)(4)(ii)(C)": "access-review-signoff",
    "164.308(a)(5)(ii)(A)": "program-attestations",
    "164.308(a)(5)(ii)(B)": "monitor-scanners-run",
    "164.308(a)(5)(ii)(C)": "monitor-bruteforce",
    "164.308(a)(5)(ii)(D)": "identity-mfa-humans",
    "164.308(a)(7)(ii)(D)": "program-attestations",
    "164.308(a)(7)(ii)(E)": "program-attestations",
    "164.312(a)(2)(iv)": "data-phi-mask-coverage",
    "164.312(c)(2)": "quality-key-tests",
    "164.312(e)(2)(i)": "network-account-policy",
    "164.312(e)(2)(ii)": "network-account-policy",
}
_ALTERNATIVE: Final = {
    "164.310(a)(2)(i)": "the platform runs in the provider's data centres",
    "164.310(a)(2)(ii)": "the provider's premises are covered by its report",
    "164.310(a)(2)(iii)": "visitors are accompanied; doors are the landlord's",
    "164.312(a)(2)(iii)": "sessions end by the identity provider's policy",
}
_NOT_REASONABLE: Final = ("164.310(a)(2)(iv)", "164.310(d)(2)(iii)", "164.310(d)(2)(iv)")
_LAPSES = 3  # place in the roster of the person whose certificate runs out
_RECORDED = dt.date(2026, 2, 10)


def build_program(world: World) -> None:
    """Add statements, decisions and the roster."""
    register(world, "attestations", *(_attestation(requirement) for requirement in _DOCUMENTS))
    for specification, control in _IMPLEMENTED.items():
        register(world, "addressable_decisions", _decision(specification, "implemented", controls=[control]))
    for specification, instead in _ALTERNATIVE.items():
        why = {"reasoning": "there are no premises of ours that hold systems", "alternative": instead}
        register(world, "addressable_decisions", _decision(specification, "alternative", **why))
    for specification in _NOT_REASONABLE:
        row = _decision(specification, "not_reasonable", reasoning="no hardware of ours holds health data")
        register(world, "addressable_decisions", row)
    build_roster(world)


def none_in(month: int, recorded: dt.date) -> dict[str, Any]:
    """Return a signed statement that there was no incident in a month of 2026."""
    first = dt.date(2026, month, 1)
    return {
        "requirement": "no_incidents",
        "statement": f"There was none in {first:%Y-%m}.",
        "owner": CISO,
        "signed_by": CISO,
        "effective_on": recorded,
        "recorded_on": recorded,
        "period_start": first,
        "period_end": dt.date(2026, month + 1, 1) - dt.timedelta(days=1),
    }


def plant_program(world: World) -> None:
    """Plant the deviations; everybody's training is written last, when the roster is whole."""
    _attestations(world)
    _decisions(world)
    _training(world)


def _attestation(requirement: str, **extra: Any) -> dict[str, Any]:
    name, version = _DOCUMENTS[requirement]
    row = {
        "requirement": requirement,
        "statement": f"{name} is in force and was read by those it concerns",
        **document(name, version),
        "document_version": version,
        "owner": "Compliance",
        "signed_by": CISO,
        "effective_on": _RECORDED,
        "recorded_on": _RECORDED,
        "next_due": dt.date(2027, 2, 10),
    }
    return row | extra


def _decision(specification: str, decision: str, **extra: Any) -> dict[str, Any]:
    row = {
        "specification": specification,
        "decision": decision,
        **document("addressable-2026"),
        "decided_by": CISO,
        "decided_on": dt.date(2026, 1, 26),
        "review_due": dt.date(2027, 1, 26),
    }
    return row | extra


def _attestations(world: World) -> None:
    night = world.size.night
    changed = _attestation("164.316(a)", recorded_on=night(5), **document("security-policies", "10"))
    changed |= {"document_version": "10", "effective_on": night(5)}
    signed = changed | {"recorded_on": night(9)}
    del changed["signed_by"]
    register(world, "attestations", changed, signed)
    _expect(world, "policy-changed-after-signature", "requirement 164.316(a)", "changed-after-signature", 5, 8)
    stranger = _attestation("CC9.1", recorded_on=night(30), signed_by="Anselm Thackeray")
    register(world, "attestations", stranger, _attestation("CC9.1", recorded_on=night(33)))
    _expect(world, "stranger-attests", "requirement CC9.1", "signer-not-registered", 30, 32)
    due = next(row for row in world.registers["attestations"] if row["requirement"] == "CC3.2")
    due["next_due"] = night(50)
    register(world, "attestations", _attestation("CC3.2", recorded_on=night(55)))
    _expect(world, "attestation-overdue", "requirement CC3.2", "overdue", 50, 54)


def _expect(world: World, plant: str, item: str, reason: str, first: int, last: int) -> None:
    world.expect(plant, ATTESTED, item, reason, first, last, source="register")


def _decisions(world: World) -> None:
    night, rows = world.size.night, world.registers["addressable_decisions"]
    due = next(row for row in rows if row["specification"] == "164.310(d)(2)(iv)")
    due["review_due"] = night(4)
    again = {"decided_on": night(8), "review_due": dt.date(2027, 7, 9), "decided_by": AUDITOR}
    bare = _decision("164.312(a)(2)(iii)", "alternative", decided_on=night(44), alternative="browsers lock")
    reasoned = bare | {"decided_on": night(48), "reasoning": "screens lock after ten minutes by policy"}
    shown_by_none = _decision("164.308(a)(5)(ii)(A)", "implemented", decided_on=night(80), controls=[])
    register(world, "addressable_decisions", due | again, bare, reasoned, shown_by_none)
    for plant, specification, reason, first, last in (
        ("decision-past-review", "164.310(d)(2)(iv)", "overdue", 4, 7),
        ("decision-without-reasoning", "164.312(a)(2)(iii)", "no-reasoning", 44, 47),
        ("implemented-by-no-control", "164.308(a)(5)(ii)(A)", "no-controls", 80, 10**6),
    ):
        world.expect(plant, DECIDED, specification, reason, first, last, source="register")


def _training(world: World) -> None:
    """Everybody of the roster has taken the course; one certificate runs out before it is renewed."""
    start, usual = world.size.start, dt.date(2026, 3, 2)
    steady = [r.values["person_id"] for r in world.state.select(ROSTER, status="active", kind="person") if r.still]
    lapsing = steady[_LAPSES]
    hired = {r.values["person_id"]: r.values.get("hired_on") for r in world.state.select(ROSTER)}
    for person, begun in hired.items():
        if not person:
            continue
        day = max(usual, begun + dt.timedelta(days=6)) if begun else usual
        row = _course(person, day)
        if person == lapsing:
            row["expires_at"] = world.size.evening(64)
            world.state.add(TRAINING, _course(person, world.size.night(69)), first=69)
        world.state.add(TRAINING, row, first=max(0, (day - start).days))
    world.expect("certificate-runs-out", ATTESTED, f"{lapsing} {COURSE}", "not-trained", 63, 68)


def _course(person: str, day: dt.date) -> dict[str, Any]:
    moment = dt.datetime.combine(day, dt.time(14), dt.UTC)
    assigned = moment - dt.timedelta(days=4)
    return {
        "person_id": person,
        "course": COURSE,
        "course_version": "2026.1",
        "status": "completed",
        "assigned_at": assigned,
        "completed_at": moment,
    }

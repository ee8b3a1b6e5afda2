"""Deviations around PHI: masking, and who read it."""

import dataclasses
import json
from typing import Any, Literal

from evidence.demo.events import query_id
from evidence.demo.governance import TAG, masking_policy, policy_reference, tag_reference
from evidence.demo.people import grant, person_of
from evidence.demo.plants_access import ROLES, between
from evidence.demo.products import Edit, Product, object_of, readers_of
from evidence.demo.shapes import Access, Shape, reading
from evidence.demo.state import ALWAYS
from evidence.demo.texts import lookup
from evidence.demo.world import World

REFERENCES, TAGS, MASKS = "snowflake.policy_references", "snowflake.tag_references", "snowflake.masking_policies"
COVERAGE, READ = "data-phi-mask-coverage", "data-phi-access-role"
INVOKER = "CASE WHEN INVOKER_ROLE() IN ('CLAIMS_ANALYST') THEN VAL ELSE '***' END"
STARS = "CASE WHEN IS_ROLE_IN_SESSION('PHI_READER') THEN VAL ELSE '***' END"


# plant, column, policy (name, id, type, body; no body: no such policy), first and last night, reason
_WEAK: tuple[tuple[str, str, tuple[str, int, str, str], int, int, str], ...] = (
    (
        "text-policy-on-date",
        "PHARMACY.MART.FCT_FILL.FILL_DATE",
        ("MASK_TEXT", 8805, "VARCHAR", STARS),
        36,
        38,
        "type-mismatch",
    ),
    (
        "invoker-role-view",
        "CLAIMS.SERVE.V_CLAIM_SUMMARY.DIAGNOSIS_CODE",
        ("MASK_BY_INVOKER", 8806, "VARCHAR", INVOKER),
        56,
        59,
        "invoker-role",
    ),
    (
        "policy-dropped",
        "CLAIMS.MART.FCT_CLAIM_LINE.PROCEDURE_CODE",
        ("MASK_OLD", 8808, "VARCHAR", ""),
        61,
        63,
        "policy-unknown",
    ),
    (
        "pass-through-mask",
        "PROVIDER.MART.FCT_ENCOUNTER.VISIT_NOTE",
        ("MASK_NOTE", 8807, "VARCHAR", "VAL"),
        72,
        ALWAYS,
        "pass-through",
    ),
)


def plant_data(world: World) -> None:
    """Plant them all."""
    _unprotected(world)
    _weak_policies(world)
    _tag_only(world)
    _readers(world)
    _odd_records(world)
    _odd_contracts(world)


def _unprotected(world: World) -> None:
    expect = world.expect
    _reference(world, "CARE.MART.DIM_CARE_PLAN", "GOAL_TEXT").absent.append((3, 4))
    expect("column-not-masked", COVERAGE, "CARE.MART.DIM_CARE_PLAN.GOAL_TEXT", "no-policy", 3, 4)
    # The tag keeps its policy for text; the one for numbers is taken off for nine nights.
    for path in ("CARE.RAW.ASSESSMENTS", "CARE.STAGING.STG_ASSESSMENTS", "CARE.MART.FCT_ASSESSMENT"):
        _reference(world, path, "SCORE").absent.append((15, 23))
    world.state.find(REFERENCES, REF_ENTITY_DOMAIN="TAG", POLICY_NAME="MASK_PHI_NUMBER").absent.append((15, 23))
    expect("number-under-text-policy", COVERAGE, "CARE.MART.FCT_ASSESSMENT.SCORE", "no-policy", 15, 23)
    conflict = "MULTIPLE_MASKING_POLICY_ASSIGNED_TO_THE_COLUMN"
    _reference(world, "MEMBER.MART.DIM_MEMBER", "ZIP").change(66, 69, POLICY_STATUS=conflict)
    expect("policy-not-active", COVERAGE, "MEMBER.MART.DIM_MEMBER.ZIP", "policy-inactive", 66, 69)
    _edit(world, 26, 31, _naming("MEMBER.MART.DIM_MEMBER", "EMAIL", "MASK_EMAIL"))
    expect("contract-names-another", COVERAGE, "MEMBER.MART.DIM_MEMBER.EMAIL", "other-policy", 26, 31)
    _reference(world, "MEMBER.SERVE.V_MEMBER_CONTACT", "EMAIL").absent.append((43, 44))
    view = "MEMBER.SERVE.V_MEMBER_CONTACT.EMAIL"
    expect("view-column-unresolved", COVERAGE, view, "unresolved", 43, 44, "review")


def _weak_policies(world: World) -> None:
    for plant, column, (policy, identity, kind, body), first, last, reason in _WEAK:
        path, _, name = column.rpartition(".")
        table = world.catalog.by_path[path]
        _reference(world, path, name).absent.append((first, last))
        direct = policy_reference(table, table.column(name), policy, POLICY_ID=identity)
        world.state.add(REFERENCES, direct, first=first, last=last)
        if body:
            world.state.add(MASKS, masking_policy(identity, policy, kind, "", body), first=first, last=last)
        _edit(world, first, last, _naming(path, name, policy))
        world.expect(plant, COVERAGE, column, reason, first, last)
    table = world.catalog.by_path["MEMBER.MART.FCT_ENROLLMENT"]
    second = policy_reference(table, table.column("TERM_DATE"), "MASK_YEAR", POLICY_ID=8810)
    world.state.add(REFERENCES, second | TAG, first=7, last=8)
    world.expect("two-policies", COVERAGE, f"{table.path}.TERM_DATE", "policy-conflict", 7, 8)


def _tag_only(world: World) -> None:
    """A column only the tag calls PHI: it is masked, but no contract says who may read it."""
    table = world.catalog.by_path["CARE.MART.RPT_OUTREACH"]
    column = table.column("CONTACT_REASON")
    world.state.add(TAGS, tag_reference(table, column, "phi"), first=48, last=53)
    world.state.add(REFERENCES, policy_reference(table, column), first=48, last=53)
    person = person_of(world.workforce, "CARE_MGMT", 0).user
    for night, query in ((47, 1), (50, 2)):  # not PHI yet, PHI
        shape = _reads(world, person, "CARE_MGMT", table.path, ["OUTREACH_ID", "CONTACT_REASON"])
        _run(world, night, query, shape)
    world.expect("tag-only-phi", READ, f"{person} as CARE_MGMT -> {table.path}", "no-contract", 50, 50)


def _readers(world: World) -> None:
    """A role that a contract allows is granted to a broad role; its people read claims."""
    between(world, ROLES, grant("USAGE", "ROLE", "CLAIMS_ANALYST", "REPORTING"), 40, 43)
    person = person_of(world.workforce, "REPORTING", 0).user
    for night, query in ((42, 3), (43, 4)):
        _run(
            world,
            night,
            query,
            _reads(world, person, "REPORTING", "CLAIMS.MART.FCT_CLAIM", ["CLAIM_ID", "DIAGNOSIS_CODE"]),
        )
        world.expect(
            "broad-role-reads",
            READ,
            f"{person} as REPORTING -> CLAIMS.MART.FCT_CLAIM",
            "role-not-allowed",
            night,
            night,
        )
    _run(
        world,
        19,
        5,
        _reads(world, "LEOCADIA.BEXLEY", "MEMBER_SERVICES", "MEMBER.MART.DIM_MEMBER", ["MEMBER_ID", "EMAIL"]),
    )
    world.expect(
        "disabled-user-reads",
        READ,
        "LEOCADIA.BEXLEY as MEMBER_SERVICES -> MEMBER.MART.DIM_MEMBER",
        "disabled-user",
        19,
        19,
        "review",
    )
    _run(world, 60, 9, _reads(world, "GHOST.READER", "ACTUARIAL", "PHARMACY.MART.FCT_FILL", ["FILL_ID", "DRUG_CODE"]))
    world.expect(
        "unknown-user-reads", READ, "GHOST.READER as ACTUARIAL -> PHARMACY.MART.FCT_FILL", "unknown-user", 60, 60
    )
    _over_midnight(world)
    agent = json.dumps([{"agentType": "EXTERNAL_AGENT", "agentId": "7", "agentName": "helpdesk_bot"}])
    asked = person_of(world.workforce, "CARE_MGMT", 1).user
    _run(
        world,
        27,
        6,
        _reads(world, asked, "CARE_MGMT", "CARE.MART.DIM_CARE_PLAN", ["MEMBER_ID", "GOAL_TEXT"], agent=agent),
    )
    world.expect("agent-reads", READ, f"{asked} as CARE_MGMT -> CARE.MART.DIM_CARE_PLAN", "agent-not-approved", 27, 27)


def _over_midnight(world: World) -> None:
    """A read that starts on night 14 and ends on night 15 is judged on night 15; and one that a secondary role allows."""
    person = person_of(world.workforce, "PHARMACY_ANALYST", 0).user
    shape = _reads(world, person, "PHARMACY_ANALYST", "CLAIMS.MART.FCT_CLAIM", ["CLAIM_ID", "MEMBER_ID"])
    world.run(14, shape, 86_390, _query(10), parts="access")
    world.run(15, shape, -10, _query(10), parts="query")
    item = f"{person} as PHARMACY_ANALYST -> CLAIMS.MART.FCT_CLAIM"
    world.expect("read-over-midnight", READ, item, "role-not-allowed", 15, 15)
    actuarial = world.state.find("snowflake.roles", NAME="ACTUARIAL").values["ROLE_ID"]
    stats = json.dumps({"count": 1, "activeRoleIds": [actuarial]})
    other = person_of(world.workforce, "ACTUARIAL", 1).user
    _run(
        world,
        16,
        11,
        _reads(world, other, "PUBLIC", "CLAIMS.MART.FCT_CLAIM", ["CLAIM_ID", "MEMBER_ID"], secondary=stats),
    )


def _odd_records(world: World) -> None:
    """Records from which nobody can tell: cut ones, and one whose statement QUERY_HISTORY never showed."""
    person = person_of(world.workforce, "ACTUARIAL", 0).user
    cut = json.dumps([{"objectDomain": "TRUNCATED", "objectId": -1, "objectName": "TRUNCATED", "columns": []}])
    shape = _reads(world, person, "ACTUARIAL", "MEMBER.MART.DIM_MEMBER", ["MEMBER_ID"])
    _run(world, 76, 7, _with(shape, Access(cut, cut)))
    world.expect(
        "cut-record", READ, f"{person} as ACTUARIAL: truncated record {_query(7)}", "truncated", 76, 76, "review"
    )
    _run(world, 81, 8, shape, parts="access")
    world.expect("role-not-known", READ, f"{person} as unknown role -> MEMBER.MART.DIM_MEMBER", "unknown-value", 82, 82)


def _odd_contracts(world: World) -> None:
    """A contract that calls an object PHI and no column of it, and one that names a column nobody has built."""
    path = "CARE.MART.RPT_OUTREACH"
    whole = {"name": path} | readers_of(world.catalog.by_path[path])
    _edit(world, 10, 11, lambda products: products["care_management"]["interfaces"]["tables"].append(whole))
    world.expect("phi-object-without-columns", COVERAGE, f"{path}.*", "columns-unknown", 10, 11, "review")
    missing = {"name": "LEGACY_SSN", "class": "PHI"}
    claims = "CLAIMS.MART.FCT_CLAIM"
    _edit(world, 50, 51, lambda products: object_of(products, claims)["columns"].append(missing))
    world.expect("contract-column-not-built", COVERAGE, f"{claims}.LEGACY_SSN", "column-not-seen", 50, 51, "review")


def _reads(world: World, user: str, role: str, path: str, columns: list[str], **extra: Any) -> Shape:
    table = world.catalog.by_path[path]
    text = lookup(world.phi, path, columns)
    extra |= {"database": table.database, "schema": table.schema, "warehouse": f"WH_{role}"}
    return Shape(user, role, "SELECT", text, access=reading(table, columns), **extra)


def _with(shape: Shape, access: Access) -> Shape:
    return dataclasses.replace(shape, access=access)


def _run(world: World, night: int, number: int, shape: Shape, parts: Literal["both", "access"] = "both") -> None:
    world.run(night, shape, 36_000 + 60 * number, _query(number), parts=parts)


def _edit(world: World, first: int, last: int, edit: Edit) -> None:
    world.product_edits.append((first, last, edit))


def _query(number: int) -> str:
    return query_id("01c0ffee-0b0e", number)


def _reference(world: World, path: str, column: str) -> Any:
    database, schema, name = path.split(".")
    where = {
        "REF_DATABASE_NAME": database,
        "REF_SCHEMA_NAME": schema,
        "REF_ENTITY_NAME": name,
        "REF_COLUMN_NAME": column,
    }
    return world.state.find(REFERENCES, **where)


def _naming(path: str, column: str, policy: str) -> Any:
    return lambda products: _name_policy(products, path, column, policy)


def _name_policy(products: dict[str, Product], path: str, column: str, policy: str) -> None:
    item = object_of(products, path)
    next(c for c in item["columns"] if c["name"] == column)["masking_policy"] = policy

"""Health data on the move: builds, exports, large and whole reads, clones; deviations of each."""

import dataclasses
import json
from typing import Any

from evidence.demo.events import query_id
from evidence.demo.people import person_of
from evidence.demo.shapes import Access, Shape, build_of, builds, reading
from evidence.demo.workspace import APPROVED, EXPIRES, OFFICER
from evidence.demo.world import World

UNLOAD, BULK, STAR = "data-phi-unload", "data-phi-bulk-read", "data-select-star"
LINEAGE, ELSEWHERE = "data-phi-lineage", "data-no-phi-nonprod"
EXPORTER = "DBT_PROD"
PLACE = "GOVERNANCE.EXCHANGE.CLEARINGHOUSE"
FILLS, CLAIMS = "PHARMACY.STAGING.STG_FILLS", "CLAIMS.MART.FCT_CLAIM"
_MORNING = 4 * 3600


def build_movement(world: World) -> None:
    """Run one load and one registered export every night; dbt's builds come with the plants, which leave a run out."""
    approved = {"approved_by": OFFICER, "approved_on": APPROVED, "expires": EXPIRES}
    place = {"url": f"@{PLACE}", "holds": "phi", "env": "prod", "direction": "out", "owner": "Pharmacy"}
    world.registers.setdefault("locations", []).append(place | approved | {"purpose": "fills for the clearing house"})
    world.overlay.setdefault(UNLOAD, {})["export_roles"] = [EXPORTER]
    shapes = [_load(world), _export(world, PLACE, 42_000)]
    for night in range(world.size.nights):
        _nightly(world, night, 0, shapes, _MORNING + 3600)


def _nightly(world: World, night: int, kind: int, shapes: list[Shape], second: int) -> None:
    for number, shape in enumerate(shapes):
        world.run(night, shape, second + 5 * number, f"01d0b7a{kind}-0b0e-{night:04x}-0000-{number:012x}")


def _load(world: World) -> Shape:
    """Return a load that derives one raw table from another."""
    source, target = (world.catalog.by_path[f"MEMBER.RAW.{name}"] for name in ("MEMBERS", "ADDRESSES"))
    text = f"INSERT INTO {target.path} SELECT * FROM {source.path}"
    shape = dataclasses.replace(build_of(source, target), kind="INSERT", text=text, tag=None)
    return dataclasses.replace(shape, user="FIVETRAN", role="FIVETRAN_LOADER", warehouse="WH_LOAD")


def plant_movement(world: World) -> None:
    """Plant them all."""
    models = list(builds(world.catalog))
    for night in range(world.size.nights):
        if night not in world.project.missing_runs:
            _nightly(world, night, 1, models, _MORNING + 120)
    _exports(world)
    _reads(world)
    _lineage(world)
    _clone(world)


def _exports(world: World) -> None:
    analyst = person_of(world.workforce, "CLAIMS_ANALYST", 0).user
    text = f"COPY INTO @~/extract FROM (SELECT CLAIM_ID, DIAGNOSIS_CODE FROM {CLAIMS})"
    access = reading(world.catalog.by_path[CLAIMS], ["CLAIM_ID", "DIAGNOSIS_CODE"])
    own = Shape(analyst, "CLAIMS_ANALYST", "UNLOAD", text, "CLAIMS", "MART", "WH_CLAIMS_ANALYST", access, unloaded=900)
    _expected(world, "export-by-analyst", UNLOAD, _run(world, 3, 1, own), "role-not-approved", 3)
    _run(world, 25, 2, _export(world, PLACE, 300), session=1)
    text = f"GET @{PLACE}/fills/ file:///tmp/"
    fetch = Shape("DBT_PROD", EXPORTER, "GET_FILES", text, "PHARMACY", "STAGING", "WH_DBT", service=True)
    _expected(world, "unload-and-get", UNLOAD, _run(world, 25, 3, fetch, session=1), "unload-and-download", 25)
    many = _run(world, 53, 4, _export(world, PLACE, 400_000))
    _expected(world, "large-export", UNLOAD, many, "too-many-rows", 53)
    elsewhere = _run(world, 75, 5, _export(world, "MEMBER.RAW.INBOUND", 300))
    _expected(world, "export-to-unregistered-stage", UNLOAD, elsewhere, "destination-not-registered", 75)


def _export(world: World, place: str, rows: int) -> Shape:
    """Return an unload of pharmacy fills by the job that may."""
    table = world.catalog.by_path[FILLS]
    access = reading(table, [column.name for column in table.columns])
    text = f"COPY INTO @{place}/fills/ FROM {FILLS} FILE_FORMAT = (TYPE = PARQUET)"
    where = (table.database, table.schema, "WH_DBT")
    return Shape("DBT_PROD", EXPORTER, "UNLOAD", text, *where, access, service=True, unloaded=rows)


def _reads(world: World) -> None:
    some = ["CLAIM_ID", "SERVICE_DATE"]
    for plant, night, role, rows, hour, reason in (
        ("bulk-read", 5, "ACTUARIAL", 300_000, 10, "over-limit"),
        ("read-at-night", 35, "CLAIMS_ANALYST", 60_000, 2, "off-hours"),
        ("far-above-others", 65, "FRAUD", 240_000, 10, "above-peers"),
    ):
        user = person_of(world.workforce, role, 1).user
        _run(world, night, 20, _select(world, user, role, CLAIMS, some, rows), hour=hour)
        _expected(world, plant, BULK, user, reason, night)
    members = "MEMBER.MART.DIM_MEMBER"
    user = person_of(world.workforce, "MEMBER_SERVICES", 0).user
    every = [column.name for column in world.catalog.by_path[members].columns]
    _run(world, 6, 21, _select(world, user, "MEMBER_SERVICES", members, every, 5000, star=True), alone=True)
    _expected(world, "star-read", STAR, f"{user} -> {members}", "star", 6)
    scores = "CARE.MART.FCT_ASSESSMENT"
    user = person_of(world.workforce, "CARE_MGMT", 0).user
    every = [column.name for column in world.catalog.by_path[scores].columns]
    _run(world, 58, 22, _select(world, user, "CARE_MGMT", scores, every, 2000))
    _expected(world, "wide-read", STAR, f"{user} -> {scores}", "wide", 58)
    # How much was read by a statement that QUERY_HISTORY never showed, nobody knows.
    user = person_of(world.workforce, "ACTUARIAL", 0).user
    _expected(world, "role-not-known", BULK, user, "unknown-value", 82)
    _expected(world, "role-not-known", STAR, f"{user} -> {members}", "unknown-value", 82)


def _select(
    world: World, user: str, role: str, path: str, columns: list[str], rows: int, *, star: bool = False
) -> Shape:
    table = world.catalog.by_path[path]
    text = f"select * from {path}" if star else f"SELECT {', '.join(columns)} FROM {path}"
    access = reading(table, columns)
    return Shape(user, role, "SELECT", text, table.database, table.schema, f"WH_{role}", access, rows=rows)


def _lineage(world: World) -> None:
    expect, tables = world.expect, world.catalog.by_path
    source, target = tables[CLAIMS], tables["SANDBOX.STAGING.STG_SANDBOX_0009"]
    user = person_of(world.workforce, "ACTUARIAL", 1).user
    access = reading(source, ["CLAIM_ID", "MEMBER_ID"])
    written = json.dumps([_written(target.path, target.id, target.columns[0].name, source.path, "MEMBER_ID")])
    text = f"INSERT INTO {target.path} SELECT MEMBER_ID FROM {source.path}"
    access = Access(access.direct, access.base, written, None, access.policies)
    _run(world, 1, 30, Shape(user, "ACTUARIAL", "INSERT", text, "SANDBOX", "STAGING", "WH_ACTUARIAL", access))
    expect("phi-into-sandbox", LINEAGE, f"{target.path}.{target.columns[0].name}", "outside-production", 1, 1)
    outreach = tables["CARE.MART.RPT_OUTREACH"]
    _run(
        world,
        45,
        31,
        build_of(tables["CARE.STAGING.STG_ASSESSMENTS"], outreach, {"CONTACT_REASON": "MEMBER_ID"}),
        hour=4,
    )
    expect("derived-not-declared", LINEAGE, f"{outreach.path}.CONTACT_REASON", "not-declared", 45, 45)
    # Planted for the coverage by masks: dbt builds these columns from PHI every night.
    for plant, column, first, last in (
        ("column-not-masked", "CARE.MART.DIM_CARE_PLAN.GOAL_TEXT", 3, 4),
        ("two-policies", "MEMBER.MART.FCT_ENROLLMENT.TERM_DATE", 7, 8),
        ("number-under-text-policy", "CARE.MART.FCT_ASSESSMENT.SCORE", 15, 23),
        ("policy-dropped", "CLAIMS.MART.FCT_CLAIM_LINE.PROCEDURE_CODE", 61, 63),
        ("policy-not-active", "MEMBER.MART.DIM_MEMBER.ZIP", 66, 69),
    ):
        expect(plant, LINEAGE, column, "not-masked", first, last)


def _written(path: str, identity: int, column: str, origin: str, origin_column: str) -> dict[str, Any]:
    base = {"objectDomain": "Table", "objectName": origin, "columnName": origin_column}
    columns = [{"columnName": column, "directSources": [base], "baseSources": [base]}]
    return {"objectDomain": "Table", "objectId": identity, "objectName": path, "columns": columns}


def _clone(world: World) -> None:
    """An engineer copies a schema of production into a development database."""
    user = person_of(world.workforce, "ANALYTICS_ENG", 0).user
    made = {"objectDomain": "Schema", "objectName": "DEV.MEMBER_COPY", "operationType": "CREATE", "properties": {}}
    text = "CREATE SCHEMA DEV.MEMBER_COPY CLONE MEMBER.MART"
    clone = Shape(user, "ANALYTICS_ENG", "CREATE", text, "DEV", access=Access(ddl=json.dumps(made)))
    query = _run(world, 7, 40, clone)
    world.expect("clone-into-development", ELSEWHERE, f"clone {query}", "cloned-from-production", 7, 7)


def _run(
    world: World,
    night: int,
    number: int,
    shape: Shape,
    *,
    hour: int = 10,
    session: int | None = None,
    alone: bool = False,
) -> str:
    """Let a statement run; return its id."""
    second, query = 3600 * hour + 30 * number, query_id("01c0ffee-0b0f", number)
    return world.run(night, shape, second, query, session=session, alone=alone)


def _expected(world: World, plant: str, control: str, item: str, reason: str, night: int) -> None:
    world.expect(plant, control, item, reason, night, night, "review")

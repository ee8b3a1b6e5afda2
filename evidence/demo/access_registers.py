"""Registers of roles: who may hold what, in which environment, and who approves it."""

from collections.abc import Iterator
from typing import Any, Final

from evidence.demo.access_account import ACCOUNT, APPROVED_HOLDS
from evidence.demo.once import register
from evidence.demo.people import ADMINS, BREAK_GLASS, READERS, SERVICES, access_roles
from evidence.demo.shapes import SERVICE_WAREHOUSES
from evidence.demo.tables import DOMAINS, SCHEMAS
from evidence.demo.workspace import APPROVED, EXPIRES, OFFICER
from evidence.demo.world import World

SIGNED: Final = {"approved_by": OFFICER, "approved_on": APPROVED, "expires": EXPIRES}
OWNER: Final = "ingrid.solvang@fernhollow.example"
CLAIMS_RULE, BUILD_RULE = "claims-and-fraud", "build-and-grant"


def build_access_registers(world: World) -> None:
    """Write them."""
    baseline = {"privilege": "USAGE", "object_type": "DATABASE_ROLE", "object": "SNOWFLAKE.CORTEX_USER"}
    _add(world, "public_baseline", [baseline | {"reason": "Snowflake grants it to everybody"}])
    powers = [{"role": role, "privilege": power} for role, powers in APPROVED_HOLDS.items() for power in powers]
    _add(world, "privileged_roles", powers)
    _add(world, "service_baselines", list(_baselines()))
    _add(world, "sod_rules", _rules())
    makes_up = {"rule": "*", "compensation": "weekly review of what administrators ran"}
    _add(world, "sod_compensations", [{"user": user} | makes_up for user in _both_sides()])
    owned = (*READERS, *access_roles(), "ACCOUNTADMIN", "SECURITYADMIN", "ORGADMIN", "TABLEAU_READER")
    _add(world, "role_owners", [{"role": role, "owner": OWNER} for role in owned])
    loaders = [role for user, (role, _) in SERVICES.items() if user not in {"CI_RUNNER", "EVIDENCE_COLLECTOR"}]
    production = [*READERS, *access_roles(), *loaders, "MEMBER.MART_READER", "CLAIMS.MART_READER"]
    environments = dict.fromkeys(production, "prod") | {"CI_RUNNER": "test", "DATA_ENG": "dev"}
    world.registers["role_environments"] = [{"role": role, "env": env} for role, env in environments.items()]
    world.registers["environment_reads"] = []


def _add(world: World, name: str, rows: list[dict[str, Any]]) -> None:
    register(world, name, *(row | SIGNED for row in rows))


def _both_sides() -> tuple[str, ...]:
    """Return administrators by design: they reach every role."""
    return (*(name for name, _, _ in ADMINS), BREAK_GLASS[0])


def _rules() -> list[dict[str, Any]]:
    return [
        {
            "id": CLAIMS_RULE,
            "left": ["CLAIMS_ANALYST"],
            "right": ["FRAUD"],
            "rationale": "who works on claims does not investigate them",
        },
        {
            "id": BUILD_RULE,
            "left": ["ANALYTICS_ENG", "DATA_ENG"],
            "right": ["SECURITYADMIN", "ACCOUNTADMIN"],
            "rationale": "who builds data products does not grant access to them",
        },
    ]


def _baselines() -> Iterator[dict[str, Any]]:
    """Yield what each service role does: loaders write raw data, dbt owns what it builds, readers read."""
    for user, warehouse in SERVICE_WAREHOUSES.items():
        yield _place(user, f"WAREHOUSE {warehouse}", "USAGE")
    yield _place("AIRFLOW", f"ACCOUNT {ACCOUNT}", "EXECUTE TASK")
    for domain in DOMAINS:
        yield from (_place(user, domain, "USAGE") for user in ("FIVETRAN", "SNOWPIPE", "DBT_PROD"))
        yield _place("FIVETRAN", f"{domain}.RAW", "SELECT", "INSERT", "OWNERSHIP")
        yield _place("SNOWPIPE", f"{domain}.RAW", "SELECT", "INSERT")
        yield _place("DBT_PROD", f"{domain}.RAW", "SELECT", "INSERT")
        built = (schema for schema in SCHEMAS if schema != "RAW")
        yield from (_place("DBT_PROD", f"{domain}.{schema}", "SELECT", "OWNERSHIP") for schema in built)
    yield _place("TABLEAU", "FINANCE.*", "SELECT", "USAGE")
    # The month-end batch runs under a role of people for some weeks.
    for domain in READERS["FINANCE_ANALYST"]:
        yield {"role": "FINANCE_ANALYST", "place": f"{domain}.*", "privileges": ["SELECT", "USAGE"]}


def _place(user: str, place: str, *privileges: str) -> dict[str, Any]:
    return {"role": SERVICES[user][0], "place": place, "privileges": list(privileges)}

"""A Snowflake source's role, user, warehouse and grants as Terraform resources. Pure.

Resource names and arguments: the documentation of the provider snowflakedb/snowflake (account_role, service_user, warehouse, resource_monitor,
network_policy, grant_account_role, grant_database_role, grant_application_role, grant_privileges_to_account_role). It quotes every
name, so a plain one is spelled as Snowflake folds it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from evidence.datasets.contract import Contract
from evidence.sources.snowflake_rights import (
    LIMITS,
    NETWORK_POLICY,
    Identity,
    Needs,
    aside,
    folded,
    named,
    needs,
    statement,
)
from evidence.terraform.hcl import Block, Raw, quoted

# on_account_object takes these kinds, on_schema_object the others: grant_privileges_to_account_role, "Schema".
ACCOUNT_OBJECTS: Final = frozenset({
    "USER", "RESOURCE MONITOR", "WAREHOUSE", "COMPUTE POOL", "DATABASE", "INTEGRATION", "CONNECTION", "FAILOVER GROUP",
    "REPLICATION GROUP", "EXTERNAL VOLUME",
})  # fmt: skip
OBJECTS: Final = "objects"


def variables(elevated: Identity | None) -> Iterator[Block]:
    """Yield what only the administrator knows: addresses, public keys, and on which objects single grants are made."""
    addresses = {
        "type": Raw("list(string)"),
        "description": "Addresses that the collector comes from, as CIDR, and no others.",
    }
    closed = {
        "condition": Raw('length(var.collector_addresses) > 0 && !contains(var.collector_addresses, "0.0.0.0/0")'),
        "error_message": "Name the addresses that the collector comes from.",
    }
    yield Block("variable", ("collector_addresses",), addresses, [Block("validation", (), closed)])
    for name in ("collector", *(["elevated"] if elevated else [])):
        about = f"The {name} user's public key, without header and line breaks."
        yield Block("variable", (f"{name}_public_key",), {"type": Raw("string"), "description": about})
    about = 'Grant -> names it is made for, such as { "MONITOR ON WAREHOUSE" = ["LOAD_WH"] }: the grants below that say each.value.'
    words = {"type": Raw("map(set(string))"), "default": Raw("{}"), "description": about}
    yield Block("variable", (OBJECTS,), words)


def blocks(contracts: Sequence[Contract], base: Identity, elevated: Identity | None) -> Iterator[Block | str]:
    """Yield the resources of one source; grants that need a person's decision are comments, as in the script."""
    yield from _warehouse(base)
    policy = {"name": NETWORK_POLICY, "allowed_ip_list": Raw("var.collector_addresses")}
    yield Block("resource", ("snowflake_network_policy", "evidence"), policy)
    yield from _identity("collector", base, needs(contracts, "base"))
    if elevated is not None:
        yield "The elevated connection: another user, another role, used for nothing but the datasets named here."
        yield from _identity("elevated", elevated, needs(contracts, "elevated"))


def _warehouse(who: Identity) -> Iterator[Block]:
    monitor = {
        "name": LIMITS.monitor,
        "credit_quota": LIMITS.credits,
        "frequency": "MONTHLY",
        "start_timestamp": "IMMEDIATELY",
        "notify_triggers": [LIMITS.notify],
        "suspend_trigger": LIMITS.suspend,
    }
    yield Block("resource", ("snowflake_resource_monitor", "evidence"), monitor)
    warehouse = {
        "name": folded(who.warehouse),
        "warehouse_size": LIMITS.size,
        "auto_suspend": LIMITS.idle,
        "auto_resume": "true",
        "initially_suspended": True,
        "resource_monitor": Raw("snowflake_resource_monitor.evidence.name"),
        "statement_timeout_in_seconds": who.timeout_seconds,
    }
    note = ["Only ACCOUNTADMIN may assign a resource monitor."]  # the provider's page on warehouse says so
    yield Block("resource", ("snowflake_warehouse", "evidence"), warehouse, note=note)


def _identity(name: str, who: Identity, needed: Needs) -> Iterator[Block | str]:
    role, user = Raw(f"snowflake_account_role.{name}.name"), Raw(f"snowflake_service_user.{name}.name")
    warehouse = Raw("snowflake_warehouse.evidence.name")
    yield Block(
        "resource",
        ("snowflake_account_role", name),
        {"name": folded(who.role), "comment": "evidence collector: see evidence setup snowflake"},
    )
    attributes = {
        "name": folded(who.user),
        "default_role": role,
        "default_warehouse": warehouse,
        "default_secondary_roles_option": "NONE",
        "network_policy": Raw("snowflake_network_policy.evidence.name"),
        "rsa_public_key": Raw(f"var.{name}_public_key"),
        "comment": "evidence collector",
    }
    yield Block("resource", ("snowflake_service_user", name), attributes)
    yield Block("resource", ("snowflake_grant_account_role", name), {"role_name": role, "user_name": user})
    yield _privilege(f"{name}_warehouse", role, "USAGE", {"object_type": "WAREHOUSE", "object_name": warehouse})
    yield from _roles(name, role, needed)
    yield from _single(name, who, role, needed)


def _roles(name: str, role: Raw, needed: Needs) -> Iterator[Block]:
    for kind, parent, roles in (
        ("database", "parent_role_name", needed.database_roles),
        ("application", "parent_account_role_name", needed.application_roles),
    ):
        if roles:
            listed = ", ".join(map(quoted, roles))
            attributes = {
                "for_each": Raw(f"toset([{listed}])"),
                f"{kind}_role_name": Raw('"\\"SNOWFLAKE\\".\\"${each.key}\\""'),
                parent: role,
            }
            note = [f"{each}: {named(datasets)}" for each, datasets in roles.items()]
            yield Block("resource", (f"snowflake_grant_{kind}_role", name), attributes, note=note)


def _single(name: str, who: Identity, role: Raw, needed: Needs) -> Iterator[Block | str]:
    """Yield grants on the account and on single objects, these for the names that a variable gives; a person's decisions are comments."""
    for grant, datasets in needed.grants.items():
        words, powerful = aside(grant)
        privilege, _, on = grant.partition(" ON ")
        if powerful:
            yield f"{', '.join(words)}: {statement(grant, who.role)} -- {named(datasets)}"
            continue
        kind = on.partition(" {")[0]
        label = f"{name}_{privilege}_{kind}".lower().replace(" ", "_")
        if on == "ACCOUNT":
            yield _privilege(label, role, privilege, None, note=[named(datasets)])
            continue
        each = Raw(f'toset(lookup(var.{OBJECTS}, "{privilege} ON {kind}", []))')
        place = {"object_type": kind, "object_name": Raw("each.value")}
        yield _privilege(label, role, privilege, place, each=each, note=[f"for each: {named(datasets)}"])


def _privilege(
    label: str,
    role: Raw,
    privilege: str,
    place: Mapping[str, Any] | None,
    *,
    each: Raw | None = None,
    note: Sequence[str] = (),
) -> Block:
    """Return the grant of one privilege; ``place`` None: on the account."""
    attributes = {**({"for_each": each} if each else {}), "privileges": [privilege], "account_role_name": role}
    resource = ("snowflake_grant_privileges_to_account_role", label)
    if place is None:
        return Block("resource", resource, {**attributes, "on_account": True}, (), note)
    on = "on_account_object" if place["object_type"] in ACCOUNT_OBJECTS else "on_schema_object"
    return Block("resource", resource, attributes, [Block(on, (), place)], note)

"""Where services and people sign in from and what the account reaches outside, and deviations of both."""

from typing import Any, Final

from evidence.demo.aws_stages import INTEGRATIONS, SETTINGS, integration, setting
from evidence.demo.events import login
from evidence.demo.governance import network_policy, network_rule, rule_reference
from evidence.demo.once import once, register
from evidence.demo.people import SERVICES, person_of
from evidence.demo.plants_events import add
from evidence.demo.state import ALWAYS, Row
from evidence.demo.workspace import APPROVED, EXPIRES, OFFICER
from evidence.demo.world import World

RULES, RULE_USES = "snowflake.network_rules", "snowflake.network_rule_references"
POLICIES, POLICY_USES = "snowflake.network_policies", "snowflake.policy_references"
SIGN_INS, PINNED, EGRESS = "network-private-logins", "network-service-policy", "network-egress"
ENTRY: Final = "network-account-policy"
_OUT: Final = "RXNAV_ACCESS"
_RULE: Final = "GOVERNANCE.NETWORK.DRUG_LOOKUP"
_HOSTS: Final = "rxnav.example:443"
# integration -> category, type, property with its target
_OUTBOUND: Final = {
    _OUT: ("EXTERNAL_ACCESS", "EXTERNAL_ACCESS", None),
    "PAGER": ("NOTIFICATION", "WEBHOOK", ("WEBHOOK_URL", "https://hooks.pager.example/v1")),
    "ALERT_MAIL": ("NOTIFICATION", "EMAIL", None),
}
_APPROVAL: Final = {"owner": "Data platform", "approved_by": OFFICER, "approved_on": APPROVED, "expires": EXPIRES}


def build_network(world: World) -> None:
    """Pin each service to the private endpoint, and add the ways out."""
    for number, user in enumerate(SERVICES):
        pin(world, number, user)
    rule = network_rule(4601, _RULE.rpartition(".")[2], "HOST_PORT", _HOSTS) | {"MODE": "EGRESS"}
    world.state.add(RULES, rule)
    used = rule_reference(4601, rule["NAME"], "HOST_PORT", (4651, _OUT))
    world.state.add(RULE_USES, used | {"NETWORK_RULE_MODE": "EGRESS", "CONTAINER_TYPE": "INTEGRATION"})
    for name, (category, kind, target) in _OUTBOUND.items():
        once(world, INTEGRATIONS, integration(name, category, kind), "name")
        world.state.add(SETTINGS, setting(name, "ENABLED", "true"))
        if target:
            world.state.add(SETTINGS, setting(name, *target))
    world.state.add(INTEGRATIONS, integration("CHAT_ALERTS", "NOTIFICATION", "WEBHOOK"), first=87)
    night = world.size.night
    for kind, name in (("host", "rxnav.example"), ("host", "hooks.pager.example"), ("integration", "ALERT_MAIL")):
        row = {"kind": kind, "name": name, "purpose": "alerts and drug names"} | _APPROVAL
        if name == "hooks.pager.example":
            register(world, "egress", row | {"expires": night(64)})
            row["approved_on"] = night(68)
        register(world, "egress", row)


def pin(world: World, number: int, user: str, first: int = 0) -> None:
    """Give a service a policy of its own that lets it in by the private endpoint only."""
    made = (4420 + number, f"SVC_{user}")
    world.state.add(POLICIES, network_policy(*made), first=first)
    for identity, name, kind, action in (
        (4501, "PRIVATE_ENDPOINT", "AWSVPCEID", "ALLOW"),
        (4502, "PUBLIC_ADDRESSES", "IPV4", "BLOCK"),
    ):
        world.state.add(RULE_USES, rule_reference(identity, name, kind, made, action), first=first)
    attached = {"POLICY_DB": None, "POLICY_ID": made[0], "POLICY_NAME": made[1], "POLICY_KIND": "NETWORK_POLICY"}
    attached |= {"REF_ENTITY_NAME": user, "REF_ENTITY_DOMAIN": "USER", "POLICY_STATUS": "ACTIVE"}
    world.state.add(POLICY_USES, attached, first=first)


def plant_network(world: World) -> None:
    """Plant them all."""
    _sign_ins(world)
    _services(world)
    _elsewhere_planted(world)
    _egress(world)


def _sign_ins(world: World) -> None:
    """Sign-ins that succeed, from an office, from nowhere known, from a range given up, by somebody else's endpoint."""
    strange = "vpce-0d4e8b1c6f2a97530"
    for number, (plant, night, address, endpoint, reason) in enumerate(
        (
            ("sign-in-from-office", 5, "198.51.100.7", None, "public-address"),
            ("sign-in-from-unknown-address", 11, "203.0.113.150", None, "address-not-registered"),
            ("sign-in-from-former-office", 40, "192.0.2.44", None, "registration-expired"),
            ("sign-in-by-other-endpoint", 79, "10.31.4.20", strange, "endpoint-not-registered"),
        )
    ):
        user = person_of(world.workforce, "PROVIDER_OPS", number % 2).user
        row = login(user, world.size.evening(night, 19, number), address, "SAML2_ASSERTION", client="SNOWFLAKE_UI")
        add(world, night, row | ({"CLIENT_PRIVATE_LINK_ID": endpoint} if endpoint else {}))
        world.expect(plant, SIGN_INS, f"{user} from {endpoint or address}", reason, night, night)


def _services(world: World) -> None:
    state, expect = world.state, world.expect
    _attached(world, "DATADOG").absent.append((8, 10))
    expect("service-not-pinned", PINNED, "DATADOG", "no-policy", 8, 10)
    seen = login("TERRAFORM", world.size.evening(24, 15), "10.20.9.19", "RSA_KEYPAIR", client="SNOWFLAKE_UI")
    add(world, 24, seen)
    expect("service-in-web-interface", PINNED, "TERRAFORM", "interactive", 24, 24)
    state.find(POLICIES, NAME="SVC_TABLEAU").change(52, 53, ALLOWED_IP_LIST="198.51.100.0/24")
    expect("service-policy-too-wide", PINNED, "TABLEAU", "too-many-hosts", 52, 53)
    expect("service-policy-too-wide", ENTRY, "USER TABLEAU policy SVC_TABLEAU", "wider-than-account", 52, 53)
    # Nothing is wider than no account policy, but nothing can be compared with it either.
    for plant, night in (("network-policy-unset", 31), ("network-policy-gone", 46)):
        for user in SERVICES:
            expect(plant, ENTRY, f"USER {user} policy SVC_{user}", "wider-than-account", night, night)


def _elsewhere_planted(world: World) -> None:
    """What deviations of sign-ins, services and policies mean here."""
    expect = world.expect
    broken = next(p.user for p in world.workforce.people if p.password)
    expect("burst-then-success", SIGN_INS, f"{broken} from 203.0.113.67", "address-not-registered", 21, 21)
    expect("service-password-login", SIGN_INS, "AIRFLOW from 203.0.113.21", "address-not-registered", 65, 65)
    expect("service-password-login", PINNED, "AIRFLOW", "login-from-elsewhere", 65, 65)
    person = person_of(world.workforce, "FINANCE_ANALYST", 1).user
    expect("person-registered-as-service", PINNED, person, "no-policy", 20, 33)
    pin(world, len(SERVICES), "LOOKER", first=49)
    expect("service-not-registered", PINNED, "LOOKER", "no-policy", 44, 48)
    _attached(world, "AIRFLOW").absent.append((77, 80))  # a user has one policy: the vendor's takes its place
    expect("user-network-policy", PINNED, "AIRFLOW", "not-registered", 77, 80)
    expect("deployer-key-from-a-laptop", SIGN_INS, "DBT_PROD from 203.0.113.45", "address-not-registered", 10, 10)
    expect("deployer-key-from-a-laptop", PINNED, "DBT_PROD", "login-from-elsewhere", 10, 10)
    expect("integration-not-registered", EGRESS, "CHAT_HOOK", "not-registered", 38, 39)


def _attached(world: World, user: str) -> Row:
    return world.state.find(POLICY_USES, POLICY_NAME=f"SVC_{user}")


def _egress(world: World) -> None:
    state, expect = world.state, world.expect
    rule = state.find(RULES, ID=4601)
    for plant, first, last, entry, reason in (
        ("egress-not-registered", 3, 4, "paste.example:443", "not-registered"),
        ("egress-by-wildcard", 37, 38, "*.example", "wildcard"),
    ):
        rule.change(first, last, VALUE_LIST=f"{_HOSTS},{entry}")
        expect(plant, EGRESS, f"rule {_RULE} to {entry}", reason, first, last)
    state.find(RULE_USES, NETWORK_RULE_ID=4601).absent.append((54, 55))
    expect("way-out-without-rule", EGRESS, _OUT, "no-rule", 54, 55)
    target = "https://hooks.pager.example/v1"
    expect("egress-registration-expires", EGRESS, f"PAGER to {target}", "registration-expired", 64, 67)
    chat: dict[str, Any] = setting("CHAT_ALERTS", "WEBHOOK_URL", "https://chat.example/hook")
    state.add(SETTINGS, chat, first=87, last=ALWAYS)
    expect("webhook-not-registered", EGRESS, f"CHAT_ALERTS to {chat['property_value']}", "not-registered", 87)

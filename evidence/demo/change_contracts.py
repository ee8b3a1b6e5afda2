"""The demo's changes of product contracts: agreed ones, and those that break or widen without being agreed."""

import copy
import datetime as dt
import json
from typing import Any

from evidence.demo.products import Edit, Product, commit_of, object_of
from evidence.demo.state import ALWAYS
from evidence.demo.workspace import APPROVED, EXPIRES, OFFICER
from evidence.demo.world import World

BREAKING = "change-contract-breaking"
PRS = "records.prs"
CAPACITIES = {"steward": "pella-quist", "security": "ruben-ash", "privacy": "ingrid-solvang"}
# plant of another family, product, first and last night of its words: they come and go under one version
_WORDS = (
    ("contract-names-another", "member_360", 26, 31),
    ("text-policy-on-date", "pharmacy_core", 36, 38),
    ("invoker-role-view", "claims_core", 56, 59),
    ("policy-dropped", "claims_core", 61, 63),
    ("pass-through-mask", "provider_encounters", 72, ALWAYS),
)


def build_contracts(world: World) -> None:
    """Add who may approve, and the pull requests of the contracts' repository."""
    approved = {"approved_by": OFFICER, "approved_on": APPROVED, "expires": EXPIRES}
    world.registers["contract_approvers"] = [
        {"user": user, "capacity": capacity, **approved} for capacity, user in CAPACITIES.items()
    ]
    world.state.add(PRS, pull_request(world, 101, "data-products", -20, commit_of(world.products["claims_core"])))


def pull_request(world: World, number: int, repo: str, night: int, merge_sha: str, **extra: Any) -> dict[str, Any]:
    """Return a row of a pull request that was reviewed by everybody and merged at noon."""
    merged, head = world.size.evening(night, 12), merge_sha[::-1]
    approvals = [
        {"user": user, "at": _spelled(merged - dt.timedelta(hours=1)), "commit": head} for user in CAPACITIES.values()
    ]
    row = {
        "repo": repo,
        "number": number,
        "state": "merged",
        "draft": False,
        "title": "Contracts",
        "author": "juno-lindqvist",
        "commit_authors": ["juno-lindqvist"],
        "base_branch": "main",
        "created_at": merged - dt.timedelta(hours=20),
        "merged_at": merged,
        "closed_at": merged,
        "merged_by": "pella-quist",
        "head_sha": head,
        "merge_sha": merge_sha,
        "merge_method": "squash",
        "bypassed": False,
        "approvals": approvals,
        "paths": ["products/contract.yml"],
    }
    return as_text(row | extra)


def as_text(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row whose lists are JSON text, as exports give them."""
    return {name: json.dumps(value) if isinstance(value, list) else value for name, value in row.items()}


def plant_contracts(world: World) -> None:
    """Plant the deviations."""
    for name in world.products:
        _expect(world, "no-night-before", name, "nothing-to-compare", 0, "review")
    for plant, product, first, last in _WORDS:
        _expect(world, plant, product, "version-not-raised", first)
        if last != ALWAYS:
            _expect(world, plant, product, "version-not-raised", last + 1)
    _expect(world, "phi-object-without-columns", "care_management", "version-not-raised", 12)
    _expect(world, "contract-column-not-built", "claims_core", "version-not-raised", 52)
    _planted(world)


def _planted(world: World) -> None:
    # A reader more under the same version; taking the role away again widens nothing and breaks nothing.
    role = "MEMBER.MART.FCT_ENROLLMENT"
    world.product_edits.append((4, 6, lambda products: object_of(products, role)["roles_allowed"].append("FRAUD")))
    _expect(world, "reader-added", "member_360", "version-not-raised", 4)
    # A column is dropped in a new major version that steward and security approved: no deviation.
    agreed = _released(
        world, "pharmacy_core", "2.0.0", lambda products: _drop(products, "PHARMACY.MART.FCT_FILL", "COPAY"), 14
    )
    world.state.add(PRS, pull_request(world, 102, "data-products", 14, agreed), first=14)
    hasty = _released(
        world,
        "claims_feed",
        "2.0.0",
        lambda products: _drop(products, "CLAIMS.STAGING.STG_CLAIMS", "BILLED_AMOUNT"),
        19,
    )
    only = [{"user": CAPACITIES["steward"], "at": _spelled(world.size.evening(19, 11)), "commit": hasty[::-1]}]
    world.state.add(PRS, pull_request(world, 103, "data-products", 19, hasty, approvals=only), first=19)
    _expect(world, "release-without-security", "claims_feed", "not-approved", 19)
    world.product_edits.append(
        (65, ALWAYS, lambda products: _sunset(products["care_feed"], world.size.night(80).isoformat()))
    )
    # Announced 15 days ahead on night 65, and short of thirty on every night that follows until it is over.
    _expect(world, "sunset-too-soon", "care_feed", "short-notice", 65)
    world.product_edits.append((10, ALWAYS, _renamed("pharmacy_feed", "pharmacy_intake")))
    _expect(world, "contract-gone", "pharmacy_feed", "contract-gone", 10)


def _released(world: World, name: str, version: str, edit: Edit, first: int) -> str:
    """Change a contract for good from night ``first`` on and return the commit that did."""

    def release(products: dict[str, Product]) -> None:
        edit(products)
        products[name]["version"] = version

    world.product_edits.append((first, ALWAYS, release))
    after = copy.deepcopy(world.products)
    release(after)
    return commit_of(after[name])


def _drop(products: dict[str, Product], path: str, column: str) -> None:
    item = object_of(products, path)
    item["columns"] = [c for c in item["columns"] if c["name"] != column]


def _sunset(product: Product, day: str) -> None:
    product["deprecation"] = {"sunset": day}


def _renamed(old: str, new: str) -> Edit:
    """Let one product take another's place, with the same objects."""

    def rename(products: dict[str, Product]) -> None:
        products[new] = products.pop(old) | {"name": new}

    return rename


def _expect(world: World, plant: str, product: str, reason: str, night: int, result: str = "fail") -> None:
    world.expect(plant, BREAKING, product, reason, night, night, result, source=world.names.contracts)


def _spelled(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

"""Data-product contracts in YAML, as each night's checkout had them (``docs/formats/product-contract.md``)."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evidence.demo.export import CAPTURE
from evidence.demo.governance import POLICIES
from evidence.demo.size import Size
from evidence.demo.tables import Catalog, Table
from evidence.snapshot.canonical import format_time
from evidence.snapshot.model import DAY, start_of

LOADERS = ("DBT_PROD", "FIVETRAN_LOADER", "SNOWPIPE_LOADER")
PARENTS = ("SYSADMIN", "ACCOUNTADMIN")
OWNERS = {
    "member_feed": "data-member",
    "member_360": "data-member",
    "claims_feed": "data-claims",
    "claims_core": "data-claims",
    "provider_encounters": "data-provider",
    "pharmacy_feed": "data-pharmacy",
    "pharmacy_core": "data-pharmacy",
    "care_feed": "data-care",
    "care_management": "data-care",
    "loss_ratio": "data-actuarial",
}
DEIDENTIFIED = frozenset({"loss_ratio"})
Product = dict[str, Any]
Edit = Callable[[dict[str, Product]], None]


def build_products(catalog: Catalog) -> dict[str, Product]:
    """Return the contracts by product name."""
    found: dict[str, Product] = {}
    for table in catalog.named:
        if table.product:
            product = found.setdefault(table.product, _product(table.product))
            product["interfaces"]["views" if table.view else "tables"].append(_object(table))
    return found


def write_products(
    folder: Path, size: Size, products: Mapping[str, Product], edits: Sequence[tuple[int, int, Edit]]
) -> None:
    """Write ``date=D/<product>.yml`` for every night; ``edits`` change the contracts on the nights they name."""
    texts: dict[str, str] = {}
    for night in range(size.nights):
        active = [edit for first, last, edit in edits if first <= night <= last]
        current: dict[str, Product] = json.loads(json.dumps(products)) if active else dict(products)
        for edit in active:
            edit(current)
        written = {name: (_text(product, texts), commit_of(product)) for name, product in current.items()}
        _write(folder, size, night, written)


def object_of(products: dict[str, Product], path: str) -> Product:
    """Return the entry of one object, to edit."""
    for product in products.values():
        for listed in product["interfaces"].values():
            for item in listed:
                if isinstance(item, dict) and item["name"] == path:  # a share is a name alone
                    found: Product = item
                    return found
    raise LookupError(path)


def commit_of(product: Product) -> str:
    """Return the commit that gave a contract its present words."""
    return hashlib.sha256(json.dumps(product).encode()).hexdigest()[:40]


def _text(product: Product, known: dict[str, str]) -> str:
    """Return the YAML of a contract; most are the same every night."""
    import yaml

    key = json.dumps(product)
    if key not in known:
        known[key] = yaml.dump(product, sort_keys=False, Dumper=_dumper())
    return known[key]


def _write(folder: Path, size: Size, night: int, products: Mapping[str, tuple[str, str]]) -> None:
    """Write one night's contracts, each with the commit that last changed it."""
    day = size.night(night)
    target = folder / f"date={day.isoformat()}"
    target.mkdir(parents=True)
    for name, (text, _) in products.items():
        (target / f"{name}.yml").write_text(text)
    claims = {
        "format": "evidence-export-v1",
        "dataset": "contracts.products",
        "night": day.isoformat(),
        "as_of": format_time(start_of(day) + DAY + CAPTURE),
        "exported_at": format_time(start_of(day) + DAY + CAPTURE),
        "status": "complete",
        "system": {"repository": "data-products", "branch": "main"},
        "files": {f"{name}.yml": {"commit": commit} for name, (_, commit) in products.items()},
    }
    (target / "_export.json").write_text(json.dumps(claims, indent=1) + "\n")


def _dumper() -> Any:
    """Return a dumper that writes no aliases: readers refuse them."""
    import yaml

    class Plain(yaml.CSafeDumper):
        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the hook's signature
            return True

    return Plain


def _product(name: str) -> Product:
    made = {"deidentified": True, "deidentification": {"method": "safe_harbor"}} if name in DEIDENTIFIED else {}
    # Feeds serve loaded tables too, which no dbt run dates.
    promises = {} if name.endswith("_feed") else {"quality_slo": {"freshness": "<=26h", "completeness": ">=99%"}}
    return {
        "name": name,
        "version": "1.4.0",
        "owners": [f"{OWNERS[name]}@fernhollow.example"],
        "classification": "de-identified" if name in DEIDENTIFIED else "PHI",
        **made,
        "legal_basis": "treatment_payment_operations",
        "retention_policy": {"raw": "90d", "mart": "7y"},
        "security_controls": {"network_policy": "INTERNAL_ONLY"},
        "system_parents": list(PARENTS),
        "audit_evidence": [{"access_history": "enabled"}, {"dbt_tests": "required"}],
        "interfaces": {"tables": [], "views": [], "shares": []},
        **promises,
    }


def _object(table: Table) -> Product:
    columns = [
        {"name": c.name, "class": "PHI" if c.phi else "internal"}
        | ({"masking_policy": POLICIES[c.type][0]} if c.phi else {})
        for c in table.columns
    ]
    return {"name": table.path, "roles_allowed": list(table.roles or LOADERS), "columns": columns}

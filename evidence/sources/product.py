"""A data-product contract: YAML in git, one product per file (``docs/formats/product-contract.md``); pure.

The public shape (``name``, ``owners``, ``classification``, ``security_controls``, ``interfaces``) and the fuller one (columns with
class and policy, ``inherited_by``, ``system_parents``, ``version``) are one model. Sections we do not read may say what
they like; a misspelled key where we do read is an error, never a rule that silently does not apply.
"""

import datetime as dt
import math
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

Row = dict[str, Any]
_PART = re.compile(r'"((?:[^"]|"")+)"|([A-Za-z_][A-Za-z0-9_$]*)')


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    """Return ``value`` with what JSON can hold: YAML dates become text, keys become text. Raises ``ValueError`` for the rest."""
    match value:
        case None | bool() | int() | str():
            return value
        case float() if math.isfinite(value):
            return value
        case dt.datetime() | dt.date():
            return value.isoformat()
        case list():
            return [_plain(item) for item in value]
        case dict():
            found = {_key(key): _plain(item) for key, item in value.items()}
            if len(found) == len(value):
                return found
    raise ValueError("a value that JSON cannot hold")


def _key(key: Any) -> str:
    if isinstance(key, bool) or key is None:
        return {True: "true", False: "false", None: "null"}[key]
    return key.isoformat() if isinstance(key, dt.date) else str(key)


Section = Annotated[dict[str, Any] | None, BeforeValidator(_plain)]
Sections = Annotated[dict[str, Any] | list[Any] | None, BeforeValidator(_plain)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Text = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ProductColumn(_Strict):
    """One declared column; ``class`` is its classification, ``type`` its SQL type, ``masking_policy`` the policy that must sit on it."""

    name: Text
    column_class: str | None = Field(default=None, alias="class")
    data_type: str | None = Field(default=None, alias="type")
    masking_policy: str | None = None


class Security(_Strict):
    """What protects an object and who may read it. ``None``: not stated here."""

    masking_policy: str | None = None
    row_access_policy: str | None = None
    network_policy: str | None = None
    roles_allowed: Texts | None = None
    inherited_by: Texts | None = None
    system_parents: Texts | None = None


class ProductObject(Security):
    """A table or view; its own security keys stand before the product's."""

    name: Text
    classification: str | None = None
    columns: tuple[ProductColumn, ...] = ()


def _objects(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [{"name": item} if isinstance(item, str) else item for item in value]


Objects = Annotated[tuple[ProductObject, ...], BeforeValidator(_objects)]


class Interfaces(_Strict):
    """What the product serves. Tables and views as ``DATABASE.SCHEMA.NAME``, shares by name."""

    tables: Objects = ()
    views: Objects = ()
    shares: Texts = ()


class Product(BaseModel):
    """One contract. What stands beside these keys belongs to others and is not read."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: Text
    version: str | int | None = None
    owners: Texts = Field(min_length=1)
    classification: Text
    legal_basis: str | None = None
    retention_policy: dict[str, str | int] | str | int | None = None
    security_controls: Security = Security()
    inherited_by: Texts | None = None
    system_parents: Texts | None = None
    interfaces: Interfaces
    domain_database: str | None = None
    criticality: str | None = None
    deidentified: bool | None = None
    limited_data_set: bool | None = None
    deidentification: Section = None
    quality_slo: Section = None
    cost: Section = None
    deprecation: Section = None
    lineage: Sections = None
    collectors: Sections = None
    audit_evidence: Sections = None


def parse_product(value: Any) -> Product:
    """Validate a parsed YAML document. Raises ``ValueError`` naming each key that is wrong, never its value."""
    try:
        product = Product.model_validate(value)
    except ValidationError as exc:
        parts = sorted({f"{'.'.join(map(str, error['loc'])) or 'document'}: {error['msg']}" for error in exc.errors()})
        raise ValueError("; ".join(parts[:10])) from None
    served = (*product.interfaces.tables, *product.interfaces.views)
    for item in served:
        qualified(item.name)
    if not served and not product.interfaces.shares:
        raise ValueError("interfaces: names no table, view or share, so there is nothing the contract could be held to")
    return product


def rows(product: Product, file: Mapping[str, Any]) -> Iterator[Row]:
    """Yield one row per object (``column_name`` NULL) and one per declared column; ``file`` holds what is known of the file."""
    shared: Row = {
        "product": product.name,
        "version": None if product.version is None else str(product.version),
        "owner": ", ".join(product.owners),
        "legal_basis": product.legal_basis,
        "retention_policy": product.retention_policy,
        **_sections(product),
        **file,
    }
    kinds: tuple[tuple[Literal["table", "view"], tuple[ProductObject, ...]], ...] = (
        ("table", product.interfaces.tables),
        ("view", product.interfaces.views),
    )
    for interface, objects in kinds:
        for item in objects:
            database, schema, name = qualified(item.name)
            place = {"database_name": database, "schema_name": schema, "object_name": name, "interface": interface}
            own = _own(product, item) | place | shared
            yield own
            for column in item.columns:
                yield own | {
                    "column_name": identifier(column.name),
                    "column_class": column.column_class,
                    "column_type": column.data_type,
                    "masking_policy": column.masking_policy,
                }
    for share in product.interfaces.shares:
        yield _own(product, None) | {"object_name": identifier(share), "interface": "share"} | shared


def _sections(product: Product) -> Row:
    """Return what holds for the product as a whole, sections as they stand in the file."""
    said = _squeezed(product.classification)
    return {
        "owners": list(product.owners),
        "domain_database": None if product.domain_database is None else identifier(product.domain_database),
        "criticality": product.criticality,
        # The classification says it in so many words, or the key does; neither is "not stated".
        "deidentified": True if said == "deidentified" else product.deidentified,
        "limited_data_set": True if said == "limiteddataset" else product.limited_data_set,
        "deidentification": product.deidentification,
        "security_controls": _said(product.security_controls) or None,
        "interfaces": _said(product.interfaces),
        "quality_slo": product.quality_slo,
        "cost": product.cost,
        "deprecation": product.deprecation,
        "lineage": product.lineage,
        "collectors": product.collectors,
        "audit_evidence": product.audit_evidence,
    }


def _said(model: BaseModel) -> dict[str, Any]:
    """Return a section as the file states it, without what it leaves to defaults."""
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _squeezed(text: str) -> str:
    return re.sub(r"[^a-z]", "", text.lower())


def qualified(text: str) -> tuple[str, str, str]:
    """Split ``DATABASE.SCHEMA.NAME`` as Snowflake resolves it (unquoted parts in upper case). Raises ``ValueError``."""
    parts, at = [], 0
    while found := _PART.match(text, at):
        parts.append(_resolved(found))
        at = found.end() + 1
        if found.end() == len(text) or text[found.end()] != ".":
            break
    if len(parts) != 3 or at != len(text) + 1:
        raise ValueError("interfaces: an object is not named DATABASE.SCHEMA.NAME")
    return parts[0], parts[1], parts[2]


def identifier(text: str) -> str:
    """Resolve one identifier as Snowflake does; a name that would need quotes is kept as written."""
    found = _PART.fullmatch(text)
    return _resolved(found) if found else text


def _resolved(found: re.Match[str]) -> str:
    return found[1].replace('""', '"') if found[1] is not None else found[2].upper()


def _own(product: Product, item: ProductObject | None) -> Row:
    """Return what holds for an object: its own word, else the product's."""
    common = product.security_controls

    def first(key: str) -> Any:
        own = getattr(item, key) if item is not None else None
        stated = own if own is not None else getattr(common, key)
        return stated if stated is not None else getattr(product, key, None)

    def texts(key: str) -> list[str] | None:
        value = first(key)
        return None if value is None else list(value)

    return {
        "classification": (item.classification if item is not None else None) or product.classification,
        "masking_policy": first("masking_policy"),
        "row_access_policy": first("row_access_policy"),
        "roles_allowed": texts("roles_allowed"),
        "inherited_by": texts("inherited_by"),
        "system_parents": texts("system_parents"),
    }

"""The tables beside a list, for reading: the closure per user, what each role holds itself, and everybody who is there."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from evidence.review.held import Held
from evidence.review.listing import plain

SUPPORT: Final[Mapping[str, Sequence[str]]] = {
    "Effective roles": ("Account", "User", "Role kind", "Role", "Steps", "Path"),
    "Role privileges": ("Account", "Holder kind", "Holder", "Privilege", "Object type", "Object", "Objects", "PHI"),
    "Users": (
        "Account",
        "User",
        "Kind",
        "Type",
        "State",
        "Password",
        "Second factor",
        "Last sign-in",
        "Rows to decide",
    ),
}
Table = Sequence[Sequence[Any]]


def support_of(held: Held) -> dict[str, list[list[Any]]]:
    """Return the supporting tables of what is held."""
    return {
        "Effective roles": [
            [plain(each["source"]), plain(each["user_name"] or "unknown user"), _kind(each["role_kind"]), plain(each["role"] or "unknown role"),
             each["depth"], plain(each["path"])]
            for each in held.closure
        ],
        "Role privileges": _privileges(held.contents),
        "Users": _users(held.users, held.rows),
    }  # fmt: skip


def _privileges(contents: Iterable[Mapping[str, Any]]) -> list[list[Any]]:
    """Objects with PHI, future grants and what lies in no schema one by one; other objects of a schema counted."""
    counted: dict[tuple[Any, ...], list[str]] = {}
    for each in contents:
        alone = each["phi"] or each["future"] or each["schema_name"] is None or each["object_type"] == "SCHEMA"
        place = each["object"] if alone else ".".join(filter(None, (each["database_name"], each["schema_name"])))
        key = (
            each["source"],
            each["holder_kind"],
            each["holder"],
            each["privilege"],
            each["object_type"],
            place,
            bool(alone),
            each["phi"],
        )
        counted.setdefault(key, []).append(each["object"])
    rows = []
    for (source, kind, holder, privilege, object_type, place, alone, phi), objects in counted.items():
        name = objects[0] if alone or len(objects) == 1 else f"{place}.* ({len(objects)} objects without known PHI)"
        told = [source, _kind(kind), holder or "unknown holder", privilege or "unknown", object_type or "unknown", name]
        rows.append([*map(plain, told), len(objects), phi or ""])
    return sorted(rows)


def _users(users: Iterable[Mapping[str, Any]], rows: Iterable[Mapping[str, Any]]) -> list[list[Any]]:
    own = Counter((row["source"], row["holder"]) for row in rows if row["holder_kind"] == "USER")
    table = []
    for each in users:
        place = (plain(each["source"]), plain(each["user_name"] or "unknown user"))
        held = own[each["source"], each["user_name"]]
        state = "active" if each["active"] else "disabled or expired"
        seen = each["last_success_login"]
        told = [_known(each["has_password"]), _known(each["has_mfa"]), seen.date().isoformat() if seen else "not known"]
        table.append([*place, each["kind"], plain(each["user_type"] or "not set"), state, *told, held])
    return sorted(table)


def _known(flag: bool | None) -> str:
    return "not known" if flag is None else "yes" if flag else "no"


def _kind(kind: str | None) -> str:
    return (kind or "unknown").replace("_", " ").lower()

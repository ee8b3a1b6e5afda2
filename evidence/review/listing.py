"""The list of one review: what is sealed, shown in the workbook and decided on, row by row.

Pure. The list says which evidence it is from and holds no clock of its own: the same evidence and content give the same bytes.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from unicodedata import category

import pyarrow as pa

from evidence.control.verdict import fingerprint
from evidence.errors import MalformedError
from evidence.review.held import Held, Row, Used
from evidence.snapshot import canonical
from evidence.snapshot.model import DAY

FORMAT: Final = "evidence-access-review-v1"
SCOPE: Final = "snowflake"  # in register.access_reviews
IDENTITY: Final = ("system", "kind", "holder", "access")
GRAVE: Final = {
    1: "administrator", 2: "powerful privilege", 3: "changes PHI", 4: "reads PHI", 5: "future grant where PHI is",
    6: "privilege of a user himself", 7: "",
}  # fmt: skip
SHOWN: Final = {
    "system": "Account", "kind": "Kind", "holder": "Holder", "access": "Access", "who": "Holder is, or acts for", "gravest": "Gravest",
    "phi": "PHI objects", "roles": "Brings roles", "objects": "Objects", "granted_on": "Granted on", "granted_by": "Granted by",
    "used": "Last used", "change": "Change", "row": "Row",
}  # fmt: skip
ROLE_OF_A_ROLE: Final = "privileges of a role"
_USER: Final = " of a user"
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_LONG: Final = 2_000  # characters of one shown text; the identity of a row is in its digest
Listed = dict[str, Any]


def row_id(identity: Sequence[str]) -> str:
    """Return the digest that names a row: 16 hex digits over account, kind, holder and access."""
    return canonical.sha256_hex(canonical.encode(list(identity)))[:16]


def identity_of(row: Row) -> tuple[str, str, str, str]:
    """Return account, kind, holder and access as they are decided on; roles that hold are told apart from users of their name."""
    holder = row["holder"] or ("unknown user" if row["holder_kind"] == "USER" else "unknown role")
    if row["holder_kind"] != "USER":
        holder = f"{'database role' if row['holder_kind'] == 'DATABASE_ROLE' else 'role'} {holder}"
    access = f"database role {row['access']}" if _database_role(row) else row["access"]
    return plain(row["source"]), row["kind"], plain(holder), plain(access)


def _database_role(row: Row) -> bool:
    return bool(row["role_kind"] == "DATABASE_ROLE") and row["kind"] != ROLE_OF_A_ROLE


def of_user(row: Mapping[str, Any]) -> bool:
    """Say whether the holder of a row of the list is a user."""
    return str(row["kind"]).endswith(_USER)


def plain(text: str) -> str:
    r"""Return ``text`` with control and direction characters spelled ``\u000d``: no cell changes on its way, no name poses as another."""
    return "".join(f"\\u{ord(each):04x}" if category(each) in _UNSEEN else each for each in text)


def period_end(night: dt.date) -> dt.date:
    """Return the last day of the quarter that a list of ``night`` reviews: the latest that ended on or before it."""
    following = night + DAY
    return dt.date(following.year, (following.month - 1) // 3 * 3 + 1, 1) - DAY


def keyed(rows: Iterable[Row]) -> dict[tuple[str, str, str, str], Row]:
    """Return rows by identity. Raises ``MalformedError`` for two rows with one: a decision would stand for both."""
    found: dict[tuple[str, str, str, str], Row] = {}
    for row in rows:
        identity = identity_of(row)
        if identity in found:
            raise MalformedError(f"two rows of the list are one: {' / '.join(identity)}")
        found[identity] = row
    return found


def contents_of(held: Held) -> dict[tuple[str, str | None, str | None], list[str]]:
    """Return, by (source, kind of holder, holder), what it holds itself, each privilege a text, sorted."""
    found: dict[tuple[str, str | None, str | None], list[str]] = defaultdict(list)
    for row in held.contents:
        found[row["source"], row["holder_kind"], row["holder"]].append(
            f"{row['privilege'] or 'unknown privilege'} on {row['object_type'] or 'unknown kind'} {row['object']}"
        )
    return {place: sorted(texts) for place, texts in found.items()}


def list_of(
    held: Held,
    before: Held | None,
    used: Used,
    *,
    entity: Mapping[str, str],
    library: Mapping[str, str],
    latency: dt.timedelta,
    position: Mapping[str, int],
    sheets: Mapping[str, Sequence[Sequence[Any]]],
) -> dict[str, Any]:
    """Return the list: what stands in it, from which evidence, its rows and their fingerprint.

    ``latency`` is how late a grant may show in the account's views: what was granted within it before the capture is for the next
    review. ``position`` gives the log entry of each manifest by its SHA-256. ``sheets`` are the supporting tables, stated by digest.
    """
    rows = _rows(held, before, used)
    gone = _gone(held, before)
    listed_at = min(held.captured.values()) - latency
    items = pa.array(sorted(" / ".join(row[name] for name in IDENTITY) for row in rows), pa.string())
    return {
        "format": FORMAT,
        "entity": dict(entity),
        "night": held.night.isoformat(),
        "since": before.night.isoformat() if before else "",
        "period_end": period_end(held.night).isoformat(),
        "listed_at": canonical.format_time(listed_at),
        "captured_at": {name: canonical.format_time(moment) for name, moment in sorted(held.captured.items())},
        "evidence": _evidence(held, position),
        "library": dict(library),
        "queries": dict(held.queries),
        "phi": plain(held.phi_gap),
        "used_nights": used.nights,
        "population": len(rows),
        "fingerprint": fingerprint(items),
        "sheets": {
            name: {"rows": len(table), "sha256": canonical.sha256_hex(canonical.encode([list(row) for row in table]))}
            for name, table in sheets.items()
        },
        "rows": rows,
        "gone": gone,
    }


def parse_list(body: bytes, what: str) -> dict[str, Any]:
    """Return a sealed list. Raises ``MalformedError`` for another format."""
    value: dict[str, Any] = canonical.decode(body, what=what)
    if value.get("format") != FORMAT:
        raise MalformedError(f"{what} is no list of an access review")
    return value


def _rows(held: Held, before: Held | None, used: Used) -> list[Listed]:
    earlier = keyed(before.rows) if before else {}
    now, then = contents_of(held), contents_of(before) if before else {}
    people = _people(held)
    shown = []
    for identity, row in keyed(held.rows).items():
        change = _change(row, earlier.get(identity), now, then) if before else "no earlier night"
        place = (row["rank"], row["holder_kind"] != "USER", change == "unchanged", identity)
        shown.append((place, _shown(row, change, used, held, people)))
    return [each for _, each in sorted(shown, key=lambda each: each[0])]


def _people(held: Held) -> Mapping[tuple[str, str | None, str | None], int]:
    """Return how many users can act with each role, by (source, kind, role)."""
    return Counter((row["source"], row["role_kind"], row["role"]) for row in held.closure)


def _shown(
    row: Row, change: str, used: Used, held: Held, people: Mapping[tuple[str, str | None, str | None], int]
) -> Listed:
    identity = identity_of(row)
    acting = f"{people.get((row['source'], row['holder_kind'], row['holder']), 0)} users"
    return {
        **dict(zip(IDENTITY, identity, strict=True)),
        "who": f"{row['user_kind']}, {row['user_state']}" if row["holder_kind"] == "USER" else acting,
        "gravest": plain(_gravest(row))[:_LONG],
        "phi": _phi(row, held.phi_gap),
        "roles": row["roles"],
        "objects": row["objects"],
        "granted_on": row["created_on"].isoformat(sep=" ", timespec="minutes") if row["created_on"] else "",
        "granted_by": plain(row["granted_by"] or "")[:_LONG],
        "used": _used(row, used),
        "change": change,
        "row": row_id(identity),
    }


def _gravest(row: Row) -> str:
    word, names = GRAVE[row["rank"]], row["admin"] or row["powerful"]
    if names and names.startswith("unknown"):
        return str(names)
    return f"{word}: {names}" if names and row["rank"] <= 2 else word


def _phi(row: Row, gap: str) -> str:
    parts = [f"changes {row['phi_write']}"] if row["phi_write"] else []
    parts += [f"reads {row['phi_read']}"] if row["phi_read"] else []
    parts += ["future"] if row["phi_later"] else []
    return ", ".join(parts) or ("not known" if gap else "none found")


def _used(row: Row, used: Used) -> str:
    """Only account roles are primary roles; of what a role holds itself the role's own use is told."""
    if row["role_kind"] != "ROLE" or row["kind"] == "role in a role":
        return "not known"
    return used.said(row["source"], row["holder"] if row["holder_kind"] == "USER" else None, row["role"])


def _change(row: Row, earlier: Row | None, now: Mapping[Any, list[str]], then: Mapping[Any, list[str]]) -> str:
    if earlier is None:
        return "new"
    if row["kind"] == ROLE_OF_A_ROLE:
        place = (row["source"], row["holder_kind"], row["holder"])
        mine, theirs = set(now.get(place, ())), set(then.get(place, ()))
        return f"{len(mine - theirs)} more, {len(theirs - mine)} gone" if mine != theirs else "unchanged"
    return "unchanged" if row["created_on"] == earlier["created_on"] else "granted anew"


def _gone(held: Held, before: Held | None) -> list[dict[str, str]]:
    if before is None:
        return []
    lost = sorted(keyed(before.rows).keys() - keyed(held.rows).keys())
    return [dict(zip(IDENTITY, identity, strict=True)) for identity in lost]


def _evidence(held: Held, position: Mapping[str, int]) -> list[dict[str, Any]]:
    used = sorted({each.input for each in held.sealed}, key=lambda each: (each.source, each.dataset))
    return [
        {
            "source": each.source, "dataset": each.dataset, "night": each.night.isoformat(), "revision": each.revision,
            "status": each.status, "rows": each.rows, "manifest_sha256": each.manifest_sha256, "entry": position[each.manifest_sha256],
        }
        for each in used
    ]  # fmt: skip

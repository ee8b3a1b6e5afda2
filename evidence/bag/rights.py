"""What the evidence of a packet says of a person's rights: administrator roles held on its last night, and GRANT statements run.

Administrator roles are those of ``access-admin-count`` as the packet carries it. Not part of ``verify``: it reads Parquet. What the
packet does not carry is not compared, and that is said.
"""

import tomllib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from evidence.bag.files import MAX_SMALL, BagFiles, read

GRANTS: Final = "snowflake.grants_to_users"
QUERIES: Final = "snowflake.query_history"
ROLES_OF: Final = "data/controls/access-admin-count/control.toml"
_Place = tuple[str, int, str]  # night, revision, folder


def rights_of(files: BagFiles, marks: set[str]) -> Iterator[str]:
    """Yield what ``marks`` (names and logins of one person, without case) hold and gave. Raises what Parquet files raise."""
    admin, last = _admin_roles(files), _last_nights(files, GRANTS)
    if admin and last:
        rows = _rows(files, last, ["grantee_name", "role", "deleted_on"])
        held = {
            r["role"] for r in rows if r["deleted_on"] is None and r["role"] in admin and _is(r["grantee_name"], marks)
        }
        if held:
            yield f"holds {', '.join(sorted(held))}, as sealed"
    else:
        yield f"administrators not compared: the packet carries no rows of {GRANTS}, or not what counts as administrator"
    nights = _every_night(files, QUERIES)
    if nights:
        rows = _rows(files, nights, ["user_name", "query_type"])
        gave = sum(str(r["query_type"]).startswith("GRANT") for r in rows if _is(r["user_name"], marks))
        if gave:
            yield f"ran {gave} GRANT statements in the period, as sealed"
    else:
        yield f"granters not compared: the packet carries no rows of {QUERIES}"


def _is(value: object, marks: set[str]) -> bool:
    return isinstance(value, str) and value.casefold() in marks


def _places(files: BagFiles, dataset: str) -> dict[tuple[str, str], _Place]:
    """The last revision of each (source, night) whose rows the packet carries."""
    found: dict[tuple[str, str], _Place] = {}
    for name in files.names():
        parts = name.split("/")
        if len(parts) == 7 and parts[3] == dataset and parts[6].startswith("part-"):
            place = (parts[4], int(parts[5].removeprefix("r")), name.rpartition("/")[0])
            found[parts[2], parts[4]] = max(found.get((parts[2], parts[4]), place), place)
    return found


def _every_night(files: BagFiles, dataset: str) -> list[str]:
    return [folder for _, _, folder in _places(files, dataset).values()]


def _last_nights(files: BagFiles, dataset: str) -> list[str]:
    last: dict[str, _Place] = {}
    for (source, _), place in _places(files, dataset).items():
        last[source] = max(last.get(source, place), place)
    return [folder for _, _, folder in last.values()]


def _rows(files: BagFiles, folders: Sequence[str], columns: list[str]) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    wanted = frozenset(folders)
    for name in files.names():
        folder, _, file = name.rpartition("/")
        if folder in wanted and file.startswith("part-"):
            with files.open(name) as handle:
                yield from pq.read_table(handle, columns=columns).to_pylist()


def _admin_roles(files: BagFiles) -> frozenset[str]:
    if ROLES_OF not in files.names():
        return frozenset()
    control = tomllib.loads(read(files, ROLES_OF, limit=MAX_SMALL).decode())
    return frozenset(control.get("parameters", {}).get("admin_roles", {}).get("default", ()))

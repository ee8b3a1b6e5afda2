"""One night of statements, accesses and sign-ins, drawn from the shapes with the night's own dice."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.datasets.contract import Contract
from evidence.demo.export import source_schema, table_of
from evidence.demo.governance import VPCE
from evidence.demo.people import Person, Workforce
from evidence.demo.shapes import DBT_TAG, Shape, dbt_tag
from evidence.demo.size import Size

QUERIES, ACCESSES, LOGINS = "snowflake.query_history", "snowflake.access_history", "snowflake.login_history"
_DAY_MS, _HOUR_MS = 86_400_000, 3_600_000
_PLAIN = {
    "EXECUTION_STATUS": "SUCCESS",
    "WAREHOUSE_TYPE": "STANDARD",
    "ROLE_TYPE": "ROLE",
    "RELEASE_VERSION": "10.31.2",
}
_CORPORATE = "10.20."  # over the private endpoint addresses are the company's own


@dataclass(frozen=True)
class Statement:
    """One planted statement: a shape at a second of the day, with its own id, in a ``session`` of its own if it says so.

    One that runs over midnight is two: ``parts`` says which view shows it on this night; ``second`` may be negative.
    """

    shape: Shape
    second: int
    query_id: str
    parts: Literal["both", "access", "query"] = "both"
    session: int | None = None  # the session's id, where statements share one
    alone: bool = False  # nothing else of the night is its user's: what people wrote about it says how many there were


def query_id(mark: str, number: int, night: int = 0) -> str:
    """Return the id of a planted statement: ``mark`` (two groups of a UUID) tells whose it is, numbers tell which."""
    return f"{mark}-0000-{night:04x}-{number:012x}"


class Events:
    """Makes the event tables of a night. ``invocation`` gives the dbt run of a night, None if there was none."""

    def __init__(
        self,
        size: Size,
        contracts: Mapping[str, Contract],
        workforce: Workforce,
        shapes: Sequence[Shape],
        invocation: Callable[[int], str | None],
    ) -> None:
        self._size, self._contracts, self._workforce = size, contracts, workforce
        self._shapes, self._invocation = list(shapes), invocation
        self._builds = np.array([shape.tag == DBT_TAG for shape in shapes])
        self._people = {person.user: person for person in (*workforce.people, *workforce.services)}

    def queries(self, night: int, planted: Sequence[Statement] = ()) -> tuple[pa.Table, pa.Table]:
        """Return QUERY_HISTORY and ACCESS_HISTORY of one night, in the order of their watermarks."""
        dice = np.random.default_rng([self._size.seed, night, 1])
        present = {name for name, person in self._people.items() if person.signs_in(night)}
        can = np.array([shape.user in present for shape in self._shapes])
        able = np.flatnonzero(can if self._invocation(night) else can & ~self._builds)
        drawn = self._without(able, dice.choice(able, self._size.queries), {p.shape.user for p in planted if p.alone})
        starts = np.sort(dice.integers(6 * _HOUR_MS, 22 * _HOUR_MS, len(drawn)))
        drawn_ids = [
            f"01{night:04x}{n % 65536:04x}-0b0e-{n // 65536:04x}-00{night:02x}-{s:012x}" for n, s in enumerate(starts)
        ]
        # dbt builds while its run is under way, from two minutes past four.
        starts = np.where(
            self._builds[drawn], 4 * _HOUR_MS + 120_000 + (starts - 6 * _HOUR_MS) * 26 // (16 * 60), starts
        )
        pool = [*self._shapes, *(item.shape for item in planted)]
        index = np.concatenate([drawn, len(self._shapes) + np.arange(len(planted))]).astype(np.int64)
        moments = np.concatenate([starts, np.array([item.second * 1000 for item in planted], dtype=np.int64)])
        ids = [*drawn_ids, *(item.query_id for item in planted)]
        elapsed = dice.integers(20_000, 90_000, len(index))
        history, access = (
            np.flatnonzero([True] * len(drawn) + [item.parts in {"both", part} for item in planted])
            for part in ("query", "access")
        )
        sessions = 18_260_702_100_000_000 + night * 10_000 + index
        for at, item in enumerate(planted, len(drawn)):
            sessions[at] = item.session or sessions[at]
        table = self._history(night, dice, pool, index, moments, elapsed, ids, history, sessions)
        return table, self._access(night, pool, index, moments, ids, access)

    def _without(self, able: np.ndarray, drawn: np.ndarray, users: set[str]) -> np.ndarray:
        """Return what was drawn, with a statement of somebody else in the place of each of ``users``."""
        if not users:
            return drawn
        theirs = np.array([shape.user in users for shape in self._shapes])
        return np.where(theirs[drawn], able[~theirs[able]][0], drawn)

    def logins(self, night: int, planted: Sequence[Mapping[str, Any]] = ()) -> pa.Table:
        """Return LOGIN_HISTORY of one night."""
        dice = np.random.default_rng([self._size.seed, night, 2])
        rows = []
        for person in self._workforce.people:
            if person.signs_in(night):
                rows += self._person(dice, night, person)
        for service in self._workforce.services:
            rows += [self._service(dice, night, service, hour) for hour in range(0, 24, 3)]
        rows += [dict(row) for row in planted]
        rows.sort(key=lambda row: row["EVENT_TIMESTAMP"])
        for number, row in enumerate(rows):
            row.setdefault("EVENT_ID", 18_260_702_000_000_000 + night * 1_000_000 + number)
        return table_of(self._contracts[LOGINS], rows)

    def _person(self, dice: np.random.Generator, night: int, person: Person) -> list[dict[str, Any]]:
        moment = self._size.evening(night, 8) + dt.timedelta(
            minutes=int(dice.integers(0, 600)), microseconds=int(dice.integers(10**6))
        )
        address = f"{_CORPORATE}{dice.integers(0, 8)}.{dice.integers(1, 250)}"
        factor = ("PASSWORD", "TOTP") if person.holds_password(night) else ("SAML2_ASSERTION", None)
        good = login(person.user, moment, address, factor[0], second=factor[1], client="SNOWFLAKE_UI")
        if dice.random() > 0.04:
            return [good]
        before = moment - dt.timedelta(seconds=40)
        wrong = login(
            person.user,
            before,
            address,
            factor[0],
            error=("390100", "INCORRECT_USERNAME_PASSWORD"),
            client="SNOWFLAKE_UI",
        )
        return [wrong, good]

    def _service(self, dice: np.random.Generator, night: int, service: Person, hour: int) -> dict[str, Any]:
        moment = self._size.evening(night, hour, int(dice.integers(0, 59)), int(dice.integers(0, 59)))
        factor = "WORKLOAD_IDENTITY" if service.user == "CI_RUNNER" else "RSA_KEYPAIR"
        return login(service.user, moment, f"{_CORPORATE}9.{10 + len(service.user)}", factor, client="PYTHON_DRIVER")

    def _history(
        self,
        night: int,
        dice: np.random.Generator,
        pool: Sequence[Shape],
        index: Any,
        moments: Any,
        elapsed: Any,
        ids: Sequence[str],
        kept: Any,
        sessions: Any,
    ) -> pa.Table:
        order = kept[np.argsort((moments + elapsed)[kept], kind="stable")]
        taken, count = pa.array(index[order]), len(order)
        fixed = _joined(self._fixed, fixed_columns(pool[len(self._shapes) :]))
        start = _times(self._size, night, moments[order])
        columns = {name: values.take(taken) for name, values in fixed.items()}
        columns |= {
            "QUERY_ID": pa.array(np.array(ids, dtype=object)[order], pa.string()),
            "START_TIME": start,
            "END_TIME": _times(self._size, night, np.minimum((moments + elapsed)[order], _DAY_MS - 1)),
            "TOTAL_ELAPSED_TIME": pa.array(elapsed[order]),
            "EXECUTION_TIME": pa.array(elapsed[order] * 9 // 10),
            "COMPILATION_TIME": pa.array(elapsed[order] // 10),
            "SESSION_ID": pa.array(sessions[order]),
            "AUTHN_EVENT_ID": pa.array(18_260_702_000_000_000 + night * 1_000_000 + index[order] % 50),
            "BYTES_SCANNED": pa.array(dice.integers(0, 10**10, count)),
            "PERCENTAGE_SCANNED_FROM_CACHE": pa.array(dice.integers(0, 100, count) / 100),
            "ROWS_PRODUCED": pa.array(dice.integers(0, 10**5, count)),
            "PARTITIONS_SCANNED": pa.array(dice.integers(0, 900, count)),
            "QUERY_PARAMETERIZED_HASH_VERSION": pa.array(np.ones(count, dtype=np.int64)),
            "QUERY_TAG": pc.replace_substring(columns["QUERY_TAG"], DBT_TAG, dbt_tag(self._invocation(night) or "")),
        }
        return _filled(self._contracts[QUERIES], columns, count)

    def _access(
        self, night: int, pool: Sequence[Shape], index: Any, moments: Any, ids: Sequence[str], kept: Any
    ) -> pa.Table:
        seen = np.array([pool[at].access is not None for at in index])
        order = kept[seen[kept]]
        order = order[np.argsort(moments[order], kind="stable")]
        taken = pa.array(index[order])
        fixed = _joined(self._lists, access_columns(pool[len(self._shapes) :]))
        columns = {name: values.take(taken) for name, values in fixed.items()}
        columns["QUERY_ID"] = pa.array(np.array(ids, dtype=object)[order], pa.string())
        columns["QUERY_START_TIME"] = _times(self._size, night, moments[order])
        return _filled(self._contracts[ACCESSES], columns, len(order))

    @cached_property
    def _fixed(self) -> dict[str, pa.Array]:
        return fixed_columns(self._shapes)

    @cached_property
    def _lists(self) -> dict[str, pa.Array]:
        return access_columns(self._shapes)


def fixed_columns(pool: Sequence[Shape]) -> dict[str, pa.Array]:
    """Return the QUERY_HISTORY columns that a shape decides, one value per shape."""
    texts = {
        "QUERY_TEXT": [s.text for s in pool],
        "DATABASE_NAME": [s.database for s in pool],
        "SCHEMA_NAME": [s.schema for s in pool],
        "QUERY_TYPE": [s.kind for s in pool],
        "USER_NAME": [s.user for s in pool],
        "ROLE_NAME": [s.role for s in pool],
        "WAREHOUSE_NAME": [s.warehouse for s in pool],
        "WAREHOUSE_SIZE": ["X-Small" if s.warehouse else None for s in pool],
        "QUERY_TAG": [s.tag or "" for s in pool],
        "ERROR_CODE": [s.error[0] if s.error else None for s in pool],
        "ERROR_MESSAGE": [s.error[1] if s.error else None for s in pool],
        "BIND_VALUES": [s.binds for s in pool],
        "SECONDARY_ROLE_STATS": [s.secondary for s in pool],
        "AGENT_TYPE": ["EXTERNAL_AGENT" if s.agent else None for s in pool],
        "USER_TYPE": ["SERVICE" if s.service else "PERSON" for s in pool],
        **{name: [value] * len(pool) for name, value in _PLAIN.items()},
        "QUERY_HASH": [f"{hash_of(s.text):016x}" for s in pool],
    }
    texts["EXECUTION_STATUS"] = ["FAIL" if s.error else "SUCCESS" for s in pool]
    counts = {
        "ROWS_WRITTEN_TO_RESULT": [None if s.error else s.rows for s in pool],
        "ROWS_UNLOADED": [s.unloaded for s in pool],
    }
    found = {name: pa.array(values, pa.string()) for name, values in texts.items()}
    return found | {name: pa.array(values, pa.int64()) for name, values in counts.items()}


def access_columns(pool: Sequence[Shape]) -> dict[str, pa.Array]:
    """Return the ACCESS_HISTORY columns that a shape decides."""
    lists = {
        "USER_NAME": [s.user for s in pool],
        "DIRECT_OBJECTS_ACCESSED": [s.access.direct if s.access else None for s in pool],
        "BASE_OBJECTS_ACCESSED": [s.access.base if s.access else None for s in pool],
        "OBJECTS_MODIFIED": [s.access.modified if s.access else None for s in pool],
        "OBJECT_MODIFIED_BY_DDL": [s.access.ddl if s.access else None for s in pool],
        "POLICIES_REFERENCED": [s.access.policies if s.access else None for s in pool],
        "AGENTS_INFO": [s.agent for s in pool],
        "EVENT_SOURCE": ["snowflake_sql" for _ in pool],
    }
    return {name: pa.array(values, pa.string()) for name, values in lists.items()}


def _joined(fixed: Mapping[str, pa.Array], more: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    return {name: pa.concat_arrays([values, more[name]]) for name, values in fixed.items()}


def login(
    user: str | None,
    moment: dt.datetime,
    address: str,
    factor: str,
    *,
    second: str | None = None,
    error: tuple[str, str] | None = None,
    client: str = "PYTHON_DRIVER",
) -> dict[str, Any]:
    """Return a row of LOGIN_HISTORY; ``error`` makes it a failure."""
    return {
        "EVENT_TIMESTAMP": moment,
        "EVENT_TYPE": "LOGIN",
        "USER_NAME": user,
        "CLIENT_IP": address,
        "REPORTED_CLIENT_TYPE": client,
        "REPORTED_CLIENT_VERSION": "5.2.0",
        "FIRST_AUTHENTICATION_FACTOR": factor,
        "SECOND_AUTHENTICATION_FACTOR": second,
        "IS_SUCCESS": "NO" if error else "YES",
        "ERROR_CODE": error[0] if error else None,
        "ERROR_MESSAGE": error[1] if error else None,
        "RELATED_EVENT_ID": 0,
        "CLIENT_PRIVATE_LINK_ID": VPCE if address.startswith(_CORPORATE) else None,
    }


def hash_of(text: str) -> int:
    """Return a steady 64-bit number for a text."""
    import hashlib

    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def _times(size: Size, night: int, milliseconds: Any) -> pa.Array:
    start = int(size.evening(night).timestamp()) * 1_000_000
    return (
        pa.array(start + milliseconds.astype(np.int64) * 1000)
        .cast(pa.timestamp("us"))
        .cast(pa.timestamp("us", tz="UTC"))
    )


def _filled(contract: Contract, columns: Mapping[str, pa.Array], count: int) -> pa.Table:
    schema = source_schema(contract)
    unknown = set(columns) - set(schema.names)
    if unknown:
        raise ValueError(f"{contract.name} has no column {sorted(unknown)}")
    arrays = [columns[f.name] if f.name in columns else pa.nulls(count, f.type) for f in schema]
    return pa.Table.from_arrays(
        [a.cast(f.type) if a.type != f.type else a for a, f in zip(arrays, schema, strict=True)], schema=schema
    )

"""Registers: small dated tables that people keep in the workspace and that controls read (``docs/formats/registers.md``).

A row counts for a night from ``approved_on`` up to, not including, ``expires``. Rows that have expired by then are kept
apart, so that a control can say so and none lets them pass by accident.
"""

import datetime as dt
import itertools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from evidence.errors import ControlError
from evidence.snapshot import canonical

Row = Mapping[str, Any]
ColumnKind = Literal["text", "date", "free"]  # free: text that may be left out
_DATED: dict[str, ColumnKind] = {"approved_by": "text", "approved_on": "date", "expires": "date"}


@dataclass(frozen=True, slots=True)
class Shape:
    """Columns of a register, what makes a row the same row again, and columns with a closed list of values."""

    columns: Mapping[str, ColumnKind]
    key: tuple[str, ...]
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def schema(self) -> pa.Schema:
        """Arrow columns."""
        kinds = {"date": pa.date32(), "text": pa.string(), "free": pa.string()}
        return pa.schema([(name, kinds[kind]) for name, kind in self.columns.items()])


SHAPES: dict[str, Shape] = {
    "admins": Shape({"user": "text", "role": "text", **_DATED, "reason": "free"}, ("user", "role")),
    "service_accounts": Shape(
        {"user": "text", "owner": "text", "purpose": "text", "role": "text", "auth": "text", **_DATED},
        ("user",),
        {"auth": ("KEYPAIR", "WORKLOAD_IDENTITY")},
    ),
    "role_classes": Shape(
        {"role": "text", "class": "text"},
        ("role",),
        {"class": ("analyst", "team", "engineer", "service", "access", "admin", "system")},
    ),
    "zones": Shape(
        {"database": "text", "schema": "text", "zone": "text", "env": "text"},
        ("database", "schema"),
        {
            "zone": ("raw", "staging", "intermediate", "mart", "served", "sandbox", "governance"),
            "env": ("prod", "test", "dev"),
        },
    ),
    "network": Shape(
        {"entry": "text", "kind": "text", "owner": "text", "purpose": "text", **_DATED},
        ("entry",),
        {"kind": ("cidr", "vpce", "saas")},
    ),
    "break_glass": Shape({"user": "text", "owner": "text", **_DATED}, ("user",)),
}


@dataclass(frozen=True, slots=True)
class Registers:
    """Rows of every register that exists; one without a file is missing, which is not the same as empty."""

    rows: Mapping[str, tuple[Row, ...]]

    @property
    def missing(self) -> frozenset[str]:
        """Registers without a file."""
        return frozenset(SHAPES) - set(self.rows)

    @property
    def bodies(self) -> dict[str, bytes]:
        """Canonical JSON of each register, as it is sealed."""
        return {
            name: canonical.encode({"register": name, "rows": [_spelled(row) for row in rows]})
            for name, rows in sorted(self.rows.items())
        }

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each body."""
        return {name: canonical.sha256_hex(body) for name, body in self.bodies.items()}

    def effective(self, name: str, night: dt.date) -> pa.Table:
        """Rows in force on ``night``."""
        return self._table(
            name, [row for row in self.rows.get(name, ()) if _begun(row, night) and not _ended(row, night)]
        )

    def expired(self, name: str, night: dt.date) -> pa.Table:
        """Rows that were in force before ``night`` and are not any more."""
        return self._table(name, [row for row in self.rows.get(name, ()) if _begun(row, night) and _ended(row, night)])

    @staticmethod
    def _table(name: str, rows: Sequence[Row]) -> pa.Table:
        return pa.Table.from_pylist([dict(row) for row in rows], schema=SHAPES[name].schema)


def load_registers(folder: Path) -> Registers:
    """Read every register file in ``folder``. Raises ``ControlError`` that names file, row and column."""
    found = {}
    for name in SHAPES:
        path = folder / f"{name}.toml"
        if path.exists():
            try:
                body = tomllib.loads(path.read_text())
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
                raise ControlError(f"{path}: {exc}", fix="docs/formats/registers.md explains the form") from exc
            found[name] = parse_register(name, body, str(path))
    return Registers(found)


def parse_register(name: str, body: Mapping[str, Any], where: str) -> tuple[Row, ...]:
    """Check the parsed TOML of one register and return its rows in canonical order."""
    fix = "docs/formats/registers.md lists the columns"
    if name not in SHAPES:
        raise ControlError(f"{where}: no register {name!r}", fix=f"registers: {', '.join(SHAPES)}")
    strange = sorted(set(body) - {name})
    if strange or not isinstance(body.get(name, []), list):
        raise ControlError(f"{where}: only [[{name}]] tables stand here, not {', '.join(strange)}", fix=fix)
    rows = [_row(SHAPES[name], row, f"{where}: row {number}") for number, row in enumerate(body.get(name, []), 1)]
    ordered = sorted(rows, key=lambda row: canonical.encode(_spelled(row)))
    _no_overlap(SHAPES[name], ordered, where)
    return tuple(ordered)


def _row(shape: Shape, row: Any, where: str) -> Row:
    fix = "docs/formats/registers.md lists the columns"
    if not isinstance(row, dict) or set(row) - set(shape.columns):
        raise ControlError(f"{where}: unknown columns {sorted(set(row) - set(shape.columns))}", fix=fix)
    for name, kind in shape.columns.items():
        value = row.get(name)
        if kind == "free" and value is None:
            continue
        good = type(value) is dt.date if kind == "date" else isinstance(value, str) and bool(value.strip())
        if not good:
            raise ControlError(f"{where}: {name}: {value!r} is no {'date' if kind == 'date' else 'text'}", fix=fix)
        if name in shape.choices and value not in shape.choices[name]:
            raise ControlError(f"{where}: {name}: {value!r}", fix=f"one of {', '.join(shape.choices[name])}")
    if "expires" in shape.columns and row["expires"] <= row["approved_on"]:
        raise ControlError(f"{where}: expires {row['expires']} is not after approved_on {row['approved_on']}", fix=fix)
    return {name: row.get(name) for name in shape.columns}


def _no_overlap(shape: Shape, rows: Sequence[Row], where: str) -> None:
    by_key: dict[tuple[Any, ...], list[tuple[dt.date, dt.date]]] = {}
    for row in rows:
        span = (row.get("approved_on", dt.date.min), row.get("expires", dt.date.max))
        by_key.setdefault(tuple(row[name] for name in shape.key), []).append(span)
    for key, spans in by_key.items():
        for (_, end), (start, _) in itertools.pairwise(sorted(spans)):
            if start < end:
                raise ControlError(
                    f"{where}: {' '.join(map(str, key))} stands twice for the same time", fix="one row per time span"
                )


def _begun(row: Row, night: dt.date) -> bool:
    return bool(row.get("approved_on", dt.date.min) <= night)


def _ended(row: Row, night: dt.date) -> bool:
    return bool(night >= row.get("expires", dt.date.max))


def _spelled(row: Row) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, dt.date) else value for name, value in row.items()}

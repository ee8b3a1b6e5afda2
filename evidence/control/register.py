"""Registers: small dated tables that people keep in the workspace and that controls read (``docs/formats/registers.md``).

A row counts for a night from ``approved_on`` up to, not including, ``expires``. Rows that have expired by then are kept
apart, so that a control can say so and none lets them pass by accident.
"""

import datetime as dt
import itertools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from evidence.errors import ControlError
from evidence.snapshot import canonical

Row = Mapping[str, Any]
FOLDER: Final = Path(__file__).with_name("registers")
_KINDS: Final[Mapping[str, pa.DataType]] = {
    "text": pa.string(),
    "date": pa.date32(),
    "moment": pa.timestamp("us"),
    "int": pa.int64(),
    "bool": pa.bool_(),
    "texts": pa.list_(pa.string()),
}
_FIX: Final = "docs/formats/registers.md lists the columns"


@dataclass(frozen=True, slots=True)
class Shape:
    """Columns of a register, what makes a row the same row again, and columns with a closed list of values.

    The kind of a column is ``text``, ``date``, ``moment`` (a TOML time with an offset), ``int``, ``bool`` or ``texts``; one
    that ends in ``?`` may be left out. Each shape is a file ``registers/<name>.toml`` beside this module.
    """

    about: str
    columns: Mapping[str, str]
    key: tuple[str, ...]
    choices: Mapping[str, tuple[str, ...]]

    @property
    def schema(self) -> pa.Schema:
        """Arrow columns."""
        return pa.schema([(name, _KINDS[kind.rstrip("?")]) for name, kind in self.columns.items()])


def _shapes() -> dict[str, Shape]:
    shapes = {}
    for path in sorted(FOLDER.glob("*.toml")):
        body = tomllib.loads(path.read_text())
        choices = {name: tuple(values) for name, values in body.get("choices", {}).items()}
        shapes[path.stem] = Shape(body["about"], body["columns"], tuple(body["key"]), choices)
    return shapes


SHAPES: Final = _shapes()


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
    if name not in SHAPES:
        raise ControlError(f"{where}: no register {name!r}", fix=f"registers: {', '.join(SHAPES)}")
    strange = sorted(set(body) - {name})
    if strange or not isinstance(body.get(name, []), list):
        raise ControlError(f"{where}: only [[{name}]] tables stand here, not {', '.join(strange)}", fix=_FIX)
    rows = [_row(SHAPES[name], row, f"{where}: row {number}") for number, row in enumerate(body.get(name, []), 1)]
    ordered = sorted(rows, key=lambda row: canonical.encode(_spelled(row)))
    _no_overlap(SHAPES[name], ordered, where)
    return tuple(ordered)


def _row(shape: Shape, row: Any, where: str) -> Row:
    if not isinstance(row, dict) or set(row) - set(shape.columns):
        raise ControlError(f"{where}: unknown columns {sorted(set(row) - set(shape.columns))}", fix=_FIX)
    for name, kind in shape.columns.items():
        value = row.get(name)
        if value is None and kind.endswith("?"):
            continue
        if not _fits(value, kind.rstrip("?")):
            raise ControlError(f"{where}: {name}: {value!r} is no {kind.rstrip('?')}", fix=_FIX)
        if name in shape.choices and value not in shape.choices[name]:
            raise ControlError(f"{where}: {name}: {value!r}", fix=f"one of {', '.join(shape.choices[name])}")
    if _ends(row) <= _begins(row):
        raise ControlError(f"{where}: expires {_ends(row)} is not after approved_on {_begins(row)}", fix=_FIX)
    return {name: _stored(row.get(name)) for name in shape.columns}


def _fits(value: Any, kind: str) -> bool:
    match kind:
        case "text":
            return isinstance(value, str) and bool(value.strip())
        case "texts":
            return isinstance(value, list) and all(_fits(each, "text") for each in value)
        case "moment":
            return isinstance(value, dt.datetime) and value.tzinfo is not None
    return type(value) is {"date": dt.date, "int": int, "bool": bool}[kind]


def _stored(value: Any) -> Any:
    """Moments in UTC without a zone, as all control SQL sees them."""
    return value.astimezone(dt.UTC).replace(tzinfo=None) if isinstance(value, dt.datetime) else value


def _no_overlap(shape: Shape, rows: Sequence[Row], where: str) -> None:
    by_key: dict[tuple[Any, ...], list[tuple[dt.date, dt.date]]] = {}
    for row in rows:
        span = (_begins(row), _ends(row))
        by_key.setdefault(tuple(row[name] for name in shape.key), []).append(span)
    for key, spans in by_key.items():
        for (_, end), (start, _) in itertools.pairwise(sorted(spans)):
            if start < end:
                raise ControlError(
                    f"{where}: {' '.join(map(str, key))} stands twice for the same time", fix="one row per time span"
                )


def _begins(row: Row) -> dt.date:
    return row.get("approved_on") or dt.date.min


def _ends(row: Row) -> dt.date:
    return row.get("expires") or dt.date.max


def _begun(row: Row, night: dt.date) -> bool:
    return _begins(row) <= night


def _ended(row: Row, night: dt.date) -> bool:
    return night >= _ends(row)


def _spelled(row: Row) -> dict[str, Any]:
    return {name: _spelling(value) for name, value in row.items()}


def _spelling(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return canonical.format_time(value.replace(tzinfo=dt.UTC))
    return value.isoformat() if isinstance(value, dt.date) else value

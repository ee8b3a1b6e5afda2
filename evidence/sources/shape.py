"""Known shapes of exports that are not plain rows of a view, as data: one TOML each under ``shapes/``.

A shape says how to recognise a row (``requires``), how to unwrap it (``wrapper``, ``unpack``) and, per dataset, which member
becomes which column. Adding an exporter is adding a file; ``docs/formats/export.md`` explains the keys. What fits no
shape is taken as a plain row.
"""

import datetime as dt
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from evidence.datasets.contract import Contract
from evidence.errors import ConfigError
from evidence.sources import exact
from evidence.sources.moment import from_nanoseconds, parse_moment

_KIND = re.compile(r"[A-Za-z][A-Za-z0-9_. ]{0,79}\Z")


class ShapedDataset(BaseModel):
    """How a shape carries one dataset: ``kinds`` or ``marks`` recognise it, ``columns`` maps column -> members to try."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kinds: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = {}
    nanoseconds: tuple[str, ...] = ()
    values: Mapping[str, Mapping[str, str]] = {}


class Shape(BaseModel):
    """One export shape; ``page`` names where it was read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    page: str
    requires: tuple[str, ...]
    wrapper: str = ""
    kind_in: str = ""
    unpack: tuple[str, ...] = ()
    naive_zone: Literal["", "UTC"] = ""
    absent_is_null: bool = False
    datasets: tuple[ShapedDataset, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A row that fits a dataset: columns as text, under the contract's names where they are known."""

    dataset: str
    row: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Misfit:
    """A row that fits no dataset, and why."""

    reason: str


def load_shapes() -> tuple[Shape, ...]:
    """Return the shapes that the package carries, by file name. Raises ``ConfigError`` that names the file."""
    found = []
    for file in sorted(files("evidence.sources").joinpath("shapes").iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            try:
                found.append(Shape(**tomllib.loads(file.read_text(encoding="utf-8"))))
            except (tomllib.TOMLDecodeError, ValidationError, TypeError) as exc:
                raise ConfigError(f"shapes/{file.name}: {exc}", fix="docs/formats/export.md explains the keys") from exc
    return tuple(found)


class Placer:
    """Decides which dataset a loose row belongs to, by shape, then by file name and columns."""

    def __init__(self, contracts: Mapping[str, Contract], shapes: tuple[Shape, ...]) -> None:
        self._contracts = {name: contract for name, contract in contracts.items() if _tells(contract)}
        self._shapes = shapes

    def place(self, members: Mapping[str, Any], stem: str) -> Placed | Misfit:
        """Place one object; ``stem`` is the file's name without endings."""
        for shape in self._shapes:
            if all(key in members for key in shape.requires):
                return self._shaped(shape, members)
        found = self.by_columns(list(members), stem)
        if isinstance(found, Misfit):
            return found
        return Placed(found, {name: exact.as_text(value) for name, value in members.items()})

    def by_columns(self, names: list[str], stem: str) -> str | Misfit:
        """Return the one dataset whose required columns all stand in ``names``; the file's name decides between several.

        A dataset that asks for all that another one asks for and more is the closer fit: rows of every account of an
        organization also have all that the rows of one account have.
        """
        present = {name.lower() for name in names}
        fitting = [name for name, contract in self._contracts.items() if not _missing(contract, present)]
        fitting = [name for name in fitting if not any(self._asks_more(other, name) for other in fitting)]
        named = [name for name in self._contracts if name.partition(".")[2] in stem.lower()]
        chosen = fitting if len(fitting) == 1 else [name for name in fitting if name in named]
        if chosen:
            return max(chosen, key=len)
        if named:
            likely = max(named, key=lambda name: (len(name.partition(".")[2]), name))
            missing = ", ".join(_missing(self._contracts[likely], present)) or "nothing"
            return Misfit(f"named like {likely}, but these columns are missing: {missing}")
        nearest = self._nearest(present)
        return Misfit(f"fits no dataset{nearest}" if not fitting else f"fits several datasets: {', '.join(fitting)}")

    def _asks_more(self, other: str, name: str) -> bool:
        return _asked(self._contracts[other]) > _asked(self._contracts[name])

    def _nearest(self, present: set[str]) -> str:
        """Name the dataset that shares most columns, if it shares at least three, and what it lacks."""
        scored = [(len(present & _spellings(contract)), name) for name, contract in self._contracts.items()]
        score, name = max(scored, default=(0, ""))
        if score < 3:
            return ""
        return f" (nearest: {name}, without {', '.join(_missing(self._contracts[name], present)) or 'nothing'})"

    def _shaped(self, shape: Shape, members: Mapping[str, Any]) -> Placed | Misfit:
        row = members.get(shape.wrapper) if shape.wrapper else members
        if not isinstance(row, dict):
            return Misfit(f"{shape.name}: {shape.wrapper} is not an object")
        try:
            flat = _unpack(shape, row)
        except ValueError as exc:
            return Misfit(f"{shape.name}: {exc}")
        kinds = members.get(shape.kind_in) if shape.kind_in else None
        target = _target(shape, flat, kinds)
        contract = self._contracts.get(target.name) if target else None
        if target is None or contract is None:
            return Misfit(f"{shape.name}: {_label(kinds)} no dataset takes it")
        return _fit(shape, contract, _rename(shape, contract, target, flat))


def _target(shape: Shape, flat: Mapping[str, Any], kinds: Any) -> ShapedDataset | None:
    for dataset in shape.datasets:
        if shape.kind_in:
            if isinstance(kinds, list) and set(dataset.kinds) & {kind for kind in kinds if isinstance(kind, str)}:
                return dataset
        elif all(mark in flat for mark in dataset.marks):
            return dataset
    return None


def _label(kinds: Any) -> str:
    """Name the kinds a row states, if they look like names: reasons are read by everybody."""
    if isinstance(kinds, list) and kinds and all(isinstance(kind, str) and _KIND.match(kind) for kind in kinds):
        return f"{', '.join(kinds)}:"
    return "kind unknown:"


def _unpack(shape: Shape, row: Mapping[str, Any]) -> dict[str, Any]:
    """Lift the members of the packed columns; JSON text is parsed, integers stay exact."""
    flat = {key: value for key, value in row.items() if key not in shape.unpack}
    for key in shape.unpack:
        packed = row.get(key)
        if isinstance(packed, str):
            packed = exact.loads(packed)
        if packed is not None and not isinstance(packed, dict):
            raise ValueError(f"{key} is not an object")
        flat.update(packed or {})
    return flat


def _rename(shape: Shape, contract: Contract, target: ShapedDataset, flat: Mapping[str, Any]) -> dict[str, str | None]:
    taken: dict[str, str] = {}
    for column, tries in target.columns.items():
        member = next((name for name in tries if name in flat), None)
        if member is not None:
            taken[member] = column
    row: dict[str, str | None] = {}
    for member, value in flat.items():
        column = taken.get(member, member)
        text = exact.as_text(value)
        if text is not None and column in target.values:
            text = target.values[column].get(text, text)
        if text is not None and column in target.nanoseconds:
            moment = from_nanoseconds(text)
            text = moment.isoformat() if moment else text
        row[column] = text
    return _zoned(shape, contract, row)


def _zoned(shape: Shape, contract: Contract, row: dict[str, str | None]) -> dict[str, str | None]:
    """Give moments without a zone the shape's zone."""
    if not shape.naive_zone:
        return row
    for name, text in row.items():
        column = contract.by_name.get(name.lower())
        if text is not None and column is not None and column.type == "time":
            moment = parse_moment(text) or parse_moment(text, zone=dt.UTC)
            row[name] = moment.isoformat() if moment else text
    return row


def _fit(shape: Shape, contract: Contract, row: dict[str, str | None]) -> Placed | Misfit:
    by_lower = {name.lower(): value for name, value in row.items()}
    needed = {contract.watermark, *contract.key} - {""}
    lacking = sorted(name for name in needed if by_lower.get(name.lower()) is None)
    if lacking:
        return Misfit(f"{shape.name}: a row of {contract.name} without {', '.join(lacking)}")
    missing = _missing(contract, set(by_lower))
    if missing and not shape.absent_is_null:
        return Misfit(f"{shape.name}: a row of {contract.name} without {', '.join(missing)}")
    return Placed(contract.name, row | dict.fromkeys(missing))


def _tells(contract: Contract) -> bool:
    """Say whether rows can be known by their columns: a property beside an object's name looks like any other property."""
    beside = any(listing.beside for _, listing in contract.lists)
    return contract.read in {"view", "show", "function"} and not beside and not contract.unfold


def _asked(contract: Contract) -> set[str]:
    return {column.name.lower() for column in contract.columns if column.required}


def _missing(contract: Contract, present: set[str]) -> list[str]:
    return [
        column.name
        for column in contract.columns
        if column.required and not {column.name.lower(), *(alias.lower() for alias in column.aliases)} & present
    ]


def _spellings(contract: Contract) -> set[str]:
    return {name.lower() for column in contract.columns for name in (column.name, *column.aliases)}

"""``owners.toml`` of a workspace: who answers for controls, from which day on. Management's word, not tested.

A row names a family or one control, which goes before its family; a hand-over is a later row.
"""

import datetime as dt
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from evidence.errors import ConfigError

FILE: Final = "owners.toml"
FIX: Final = "each [[owners]] has family or control, owner, since (a date), and may have deputy, responder, reviewer"


class Row(BaseModel):
    """One row as it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    family: str = ""
    control: str = ""
    owner: str = Field(min_length=1)
    since: dt.date
    deputy: str = ""
    responder: str = ""
    reviewer: str = ""

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if bool(self.family) == bool(self.control):
            raise ValueError("names a family or a control")
        return self


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    owners: list[Row] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Owners:
    """The rows, in the order they begin."""

    rows: tuple[Row, ...] = ()

    def of(self, control: str, family: str, day: dt.date) -> str:
        """Return who answered for the control on ``day``; empty: nobody is named."""
        begun = [row for row in self.rows if row.since <= day]
        own = [row.owner for row in begun if row.control == control]
        return (own or [row.owner for row in begun if row.family == family] or [""])[-1]


def load_owners(workspace: Path, controls: Mapping[str, str] | None = None) -> Owners:
    """Read the file of a workspace; without it nobody is named. Raises ``ConfigError`` that says what is wrong.

    ``controls`` (id -> family) are those there are: a row that names another control or family would silently name nobody.
    """
    path = workspace / FILE
    if not path.is_file():
        return Owners()
    try:
        body = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{FILE}: {where}: {first['msg']}", fix=FIX) from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{FILE}: {exc}", fix=FIX) from exc
    if controls is not None:
        for row in body.owners:
            _check_named(row, controls)
    return Owners(tuple(sorted(body.owners, key=lambda row: row.since)))


def _check_named(row: Row, controls: Mapping[str, str]) -> None:
    what, name = ("family", row.family) if row.family else ("control", row.control)
    known = sorted(set(controls.values()) if row.family else controls)
    if name in known:
        return
    near = get_close_matches(name, known, n=1, cutoff=0.0)
    there = f"families: {', '.join(known)}" if row.family else "evidence controls list"
    raise ConfigError(
        f"{FILE}: no {what} {name!r} (owner {row.owner}); nearest: {near[0] if near else 'there are none'}",
        fix=f"correct or remove the row; {there}",
    )

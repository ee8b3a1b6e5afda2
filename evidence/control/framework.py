"""Framework catalogues: requirement ids, citations, titles and our own gists; never official text.

``controls/frameworks/<name>.json`` holds one framework, ``crosswalk.json`` what of one speaks to what of another.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evidence.errors import ControlError

CROSSWALK = "crosswalk"


class Requirement(BaseModel):
    """One line of a framework.

    ``requirement`` is the weight the framework gives it (for HIPAA specifications ``required`` or ``addressable``);
    ``evidence_mode`` says how it can be shown: automated, attestation, inherited, container …
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(min_length=1)]
    citation: str
    title: Annotated[str, Field(min_length=1)]
    level: str
    gist: str | None = None
    parent: str | None = None
    requirement: str | None = None
    evidence_mode: str
    category: str | None = None


class Framework(BaseModel):
    """One catalogue by requirement id, in the catalogue's order."""

    model_config = ConfigDict(frozen=True, extra="ignore")  # catalogues carry notes of their own

    framework: str
    name: str
    catalog_version: str
    entries: tuple[Requirement, ...]

    @property
    def requirements(self) -> dict[str, Requirement]:
        """Requirements by id."""
        return {entry.id: entry for entry in self.entries}


def load_frameworks(folder: Path) -> dict[str, Framework]:
    """Return every catalogue in ``folder`` by name. Raises ``ControlError`` that names the file and the key."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        if path.stem != CROSSWALK:
            framework = _parse(path, _read(path))
            found[framework.framework] = framework
    return found


def load_crosswalk(folder: Path) -> Mapping[str, Any]:
    """Return the crosswalk as it is written, or an empty mapping where there is none."""
    path = folder / f"{CROSSWALK}.json"
    return dict(_read(path)) if path.exists() else {}


def _parse(path: Path, body: Any) -> Framework:
    fix = f"correct {path.name}; docs/formats/control.md explains the catalogues"
    try:
        framework = Framework(**body)
    except (ValidationError, TypeError) as exc:
        raise ControlError(f"{path}: {exc}", fix=fix) from exc
    ids = [entry.id for entry in framework.entries]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    orphans = sorted(entry.id for entry in framework.entries if entry.parent and entry.parent not in ids)
    if framework.framework != path.stem or twice or orphans:
        raise ControlError(
            f"{path}: framework {framework.framework}, ids twice {twice}, parents missing for {orphans}", fix=fix
        )
    return framework


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as exc:
        raise ControlError(f"{path}: {exc}", fix="the file is not JSON") from exc

"""Draw a sample of a population so that anybody can draw it again (AU-C 530: each item has a chance, the selection is documented).

The order of a population and the machine do not matter: items are ranked by SHA-256 over ``<seed>`` LF ``<item>`` and the first k taken.
``sort`` and ``sha256sum`` do the same by hand (docs/formats/sample.md). Pure.
"""

import hashlib
import heapq
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from evidence.errors import ControlError

ALGORITHM: Final = "sha256-rank-v1"
FILE: Final = "sampling.toml"


class Policy(BaseModel):
    """How many of a population are drawn: ``all``, a ``fixed`` ``size``, or ``percent`` (rounded up) between ``min`` and ``max``.

    ``stratum = "night"``: so many of each night of a period, each drawn for itself; else of the period as one population.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["all", "fixed", "percent"]
    about: str
    size: Annotated[int, Field(gt=0)] | None = None
    percent: Annotated[int, Field(gt=0, le=100)] | None = None
    min: Annotated[int, Field(ge=0)] = 0
    max: Annotated[int, Field(gt=0)] | None = None
    stratum: Literal["night"] | None = None

    @model_validator(mode="after")
    def _whole(self) -> "Policy":
        if (self.kind == "fixed") != (self.size is not None) or (self.kind == "percent") != (self.percent is not None):
            raise ValueError("fixed needs size, percent needs percent, and neither has the other's")
        if self.max is not None and self.max < self.min:
            raise ValueError("max is below min")
        return self

    def count(self, population: int) -> int:
        """Return how many of ``population`` items are drawn."""
        if self.kind == "all":
            return population
        if self.size is not None:
            return min(self.size, population)
        part = -(-population * (self.percent or 0) // 100)
        return min(max(part, self.min), self.max or population, population)


@dataclass(frozen=True, slots=True)
class Sample:
    """What was drawn, and from what: ``fingerprint`` identifies the population (docs/formats/findings.md)."""

    policy: str
    seed: str
    population: int
    fingerprint: str
    items: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling."""
        return {
            "algorithm": ALGORITHM,
            "policy": self.policy,
            "seed": self.seed,
            "population": self.population,
            "fingerprint": self.fingerprint,
            "items": list(self.items),
        }


def draw(items: Sequence[str], fingerprint: str, policy: Policy, name: str, seed: str) -> Sample:
    """Return the sample of ``items``, in the order of their rank. The same items and seed give the same sample, in any order.

    A larger sample with the same seed holds the smaller one.
    """
    return Sample(name, seed, len(items), fingerprint, _ranked(items, policy.count(len(items)), seed))


@dataclass(frozen=True, slots=True)
class NightPopulation:
    """What was tested on one night of a period: how many items, and their fingerprint (docs/formats/findings.md)."""

    night: str
    population: int
    fingerprint: str


def draw_period(
    nights: Sequence[NightPopulation], items_of: Callable[[str], Iterable[str]], policy: Policy, name: str, seed: str
) -> Sample:
    """Return the sample of a period: its items are ``<night> <item>``, every item of every night that was tested.

    ``items_of`` gives the items of one night; one night's are held at a time, besides what is drawn. The fingerprint is SHA-256 over a line
    ``<night> <population> <fingerprint>`` for each night, in order.
    """
    ordered = sorted(nights, key=lambda each: each.night)
    named = ((each.night, (f"{each.night} {item}" for item in items_of(each.night))) for each in ordered)
    whole = sum(each.population for each in ordered)
    if policy.stratum:
        counts = {each.night: policy.count(each.population) for each in ordered}
        drawn = tuple(item for night, items in named for item in _ranked(items, counts[night], seed))
    else:
        drawn = _ranked((item for _, items in named for item in items), policy.count(whole), seed)
    return Sample(name, seed, whole, fingerprint_of(ordered), drawn)


def fingerprint_of(nights: Iterable[NightPopulation]) -> str:
    """Return what identifies the population of a period; ``nights`` are in order."""
    lines = "".join(f"{each.night} {each.population} {each.fingerprint}\n" for each in nights)
    return hashlib.sha256(lines.encode()).hexdigest()


def _ranked(items: Iterable[str], count: int, seed: str) -> tuple[str, ...]:
    """Return the first ``count`` by rank; no more than these are held."""
    return tuple(
        heapq.nsmallest(count, items, key=lambda item: (hashlib.sha256(f"{seed}\n{item}".encode()).digest(), item))
    )


def load_policies(*roots: Path) -> Mapping[str, Policy]:
    """Return the policies of each root's ``sampling.toml``; a later root may add, not replace. Raises ``ControlError``."""
    found: dict[str, Policy] = {}
    for path in (root / FILE for root in roots):
        if not path.exists():
            continue
        try:
            body = tomllib.loads(path.read_text())
            more = {name: Policy(**each) for name, each in body["policies"].items()}
        except (
            OSError,
            tomllib.TOMLDecodeError,
            UnicodeDecodeError,
            ValidationError,
            KeyError,
            TypeError,
            AttributeError,
        ) as exc:
            raise ControlError(
                f"{path}: {exc}",
                fix="each [policies.<name>] has kind, about, and size or percent; stratum is night or not there",
            ) from exc
        twice = sorted(found.keys() & more.keys())
        if twice:
            raise ControlError(f"{path}: {', '.join(twice)} is defined twice", fix="name it otherwise")
        found |= more
    return found

"""Draw a sample of a population so that anybody can draw it again (AU-C 530: each item has a chance, the selection is documented).

The order of a population and the machine do not matter: items are ranked by SHA-256 over ``<seed>`` LF ``<item>`` and the first k taken.
``sort`` and ``sha256sum`` do the same by hand. Pure.
"""

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from evidence.errors import ControlError

ALGORITHM: Final = "sha256-rank-v1"
FILE: Final = "sampling.toml"


class Policy(BaseModel):
    """How many of a population are drawn: ``all``, a ``fixed`` ``size``, or ``percent`` (rounded up) between ``min`` and ``max``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["all", "fixed", "percent"]
    about: str
    size: Annotated[int, Field(gt=0)] | None = None
    percent: Annotated[int, Field(gt=0, le=100)] | None = None
    min: Annotated[int, Field(ge=0)] = 0
    max: Annotated[int, Field(gt=0)] | None = None

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
    ranked = sorted(items, key=lambda item: (hashlib.sha256(f"{seed}\n{item}".encode()).digest(), item))
    return Sample(name, seed, len(items), fingerprint, tuple(ranked[: policy.count(len(items))]))


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
                f"{path}: {exc}", fix="each [policies.<name>] has kind, about, and size or percent"
            ) from exc
        twice = sorted(found.keys() & more.keys())
        if twice:
            raise ControlError(f"{path}: {', '.join(twice)} is defined twice", fix="name it otherwise")
        found |= more
    return found

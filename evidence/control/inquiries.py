"""Lists of inquiries that ship with the product: what a regulator is known to ask, in our own words, and where the answer stands.

``reports/inquiries/<name>.toml``. An inquiry names one requirement, the controls and exhibits that answer it, and as ``gap`` what
this evidence does not show and what would answer it. The regulator's sentences never ship.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from evidence.control.model import Library
from evidence.control.requests import check_exhibits
from evidence.errors import ControlError, EvidenceError


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One inquiry. ``gap`` is empty only where the controls test the requirement's own population."""

    number: str
    requirement: str
    asks: str
    controls: tuple[str, ...] = ()
    exhibits: tuple[str, ...] = ()
    gap: str = ""

    @property
    def answers(self) -> tuple[str, ...]:
        """Everything that answers it, as exhibits of a request."""
        return (*(f"control:{name}" for name in self.controls), *self.exhibits)


@dataclass(frozen=True, slots=True)
class Inquiries:
    """One list: whose, over what, and which sections of the catalogue it has to reach."""

    name: str
    title: str
    about: str
    asked_by: str
    framework: str
    sections: tuple[str, ...]
    items: tuple[Inquiry, ...]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Parse a list; raise ``ControlError`` that names file and inquiry."""
        try:
            body = tomllib.loads(path.read_text(encoding="utf-8"))
            items = tuple(_inquiry(each) for each in body.pop("inquiry"))
            return cls(
                path.stem,
                body["title"],
                body["about"],
                body["asked_by"],
                body["framework"],
                tuple(body["sections"]),
                items,
            )
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as exc:
            raise ControlError(f"{path}: {exc!r}", fix="docs/formats/registers.md shows the form") from exc

    def check(self, library: Library) -> None:
        """Raise ``ControlError`` for an inquiry whose requirement, controls or exhibits are not in ``library``, or that stands twice."""
        known = library.frameworks[self.framework].requirements
        for each in self.items:
            try:
                check_exhibits(each.answers, library)
            except EvidenceError as exc:
                raise ControlError(f"{self.name}: {each.number}: {exc}", fix=exc.fix) from exc
            if each.requirement not in known:
                raise ControlError(
                    f"{self.name}: {each.number}: no requirement {each.requirement!r}", fix="use the catalogue's id"
                )
        numbers = [each.number for each in self.items]
        if len(set(numbers)) < len(numbers):
            raise ControlError(f"{self.name}: a number stands twice", fix="number each inquiry once")

    def rows(self) -> list[dict[str, Any]]:
        """Return rows of ``register.requests``, without source and moment."""
        return [
            {
                "number": each.number,
                "inquiry": each.asks,
                "asked_by": self.asked_by,
                "requirements": [each.requirement],
                "exhibits": list(each.answers),
                "gap": each.gap,
            }
            for each in self.items
        ]


def _inquiry(body: Mapping[str, Any]) -> Inquiry:
    words = {**body, "controls": tuple(body.get("controls", ())), "exhibits": tuple(body.get("exhibits", ()))}
    return Inquiry(**words)

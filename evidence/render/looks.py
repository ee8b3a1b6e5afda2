"""How a packet says and shows what it says: its wording and its branding, with the files that go into it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from evidence.render.brand import NO_BRAND, Brand
from evidence.render.words import ENGLISH, Words


@dataclass(frozen=True, slots=True)
class Looks:
    """``files`` are wording and logo as they were given, by their names below ``data/``."""

    words: Words = ENGLISH
    brand: Brand = NO_BRAND
    files: Mapping[str, bytes] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return what ``render.json`` says; nothing where the product's own are used."""
        words, found = self.words, dict[str, Any]()
        if words.own:
            found["wording"] = {
                "language": words.language,
                "file": f"data/wording/{words.file}",
                "sha256": words.sha256,
                "texts": words.changed,
                "of": words.total,
            }
        return {**found, **({"brand": brand} if (brand := self.brand.to_json()) else {})}

    def said(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return rows for the seal. They are in the product's own words, which no wording reaches (decision 0191)."""
        words = self.words
        if not words.own:
            return []
        pairs = tuple(f"{mine}: {own}" for own, mine in words.conclusions if mine != own)
        name = f"data/wording/{words.file}, language {words.language}, SHA-256 {words.sha256}"
        said = f"{words.changed:,} of {words.total:,} texts of this packet are not the product's own, but from {name}. Files for machines are unchanged."
        return [("Wording", (said,)), *([("Conclusions, as the product words them", pairs)] if pairs else [])]


PLAIN: Final = Looks()

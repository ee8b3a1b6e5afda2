"""Names of people and items for readers who must not learn them: the same name, the same word, and no way back without the key. Pure.

HMAC-SHA-256 under a key derived from a secret of the workspace. No mapping is kept or written; who holds the secret can compute the
word of a name again. Two spellings of one person are two words.
"""

import hashlib
import hmac
import unicodedata
from dataclasses import dataclass, field
from typing import Final, Literal

Audience = Literal["internal", "auditor", "customer"]
AUDIENCES: Final[tuple[Audience, ...]] = ("internal", "auditor", "customer")
WITHHELD: Final = "withheld"
_LABEL: Final = b"evidence-handover-pseudonyms-v1"
_DIGITS: Final = 16  # 64 bits: no two people of one workspace share a word


@dataclass(frozen=True, slots=True)
class Veil:
    """What an audience sees of people, of items and of free text. Customers see words in their place; free text not at all."""

    audience: Audience
    _key: bytes = field(repr=False)

    @classmethod
    def of(cls, audience: Audience, secret: bytes) -> "Veil":
        """Derive the key; the secret itself hashes nothing here, so that its other uses say nothing about these words."""
        return cls(audience, hmac.digest(secret, _LABEL, hashlib.sha256))

    @property
    def drawn(self) -> bool:
        """True where people are not named."""
        return self.audience == "customer"

    def person(self, name: str) -> str:
        """Return the name, or its word. An empty name stays empty."""
        return self._word("person", name) if self.drawn and name.strip() else name

    def item(self, item: str) -> str:
        """Return the item, or its word: an item may be a person's login, so none is shown."""
        return self._word("item", item) if self.drawn and item else item

    def text(self, text: str) -> str:
        """Return free text, or say that there is some: it may name anybody."""
        return WITHHELD if self.drawn and text else text

    def _word(self, kind: str, name: str) -> str:
        spelled = " ".join(unicodedata.normalize("NFKC", name).casefold().split()) if kind == "person" else name
        digest = hmac.digest(self._key, f"{kind}\0{spelled}".encode(), hashlib.sha256)
        return f"{kind}-{digest.hex()[:_DIGITS]}"

"""Treat sensitive values before anything reaches a disk: scrub, hash with a key, or leave.

A value that cannot be scrubbed safely becomes ``hmac:<key_id>:<hex>``, HMAC-SHA-256 under a 32-byte key that lives apart
from the store and from the signing keys. Equal values give equal hashes within one ``key_id`` and only there.
``docs/formats/contract.md`` explains the treatments; ``docs/decisions/0011`` why they fail closed.
"""

import hmac
import re
from functools import cached_property
from typing import Final, Literal

from evidence.errors import ConfigError
from evidence.snapshot import label, phi, sqlshape, sqltext
from evidence.snapshot.recent import Recent
from evidence.snapshot.words import read_words

Mode = Literal["scrub", "keyed", "full"]
ScrubAs = Literal["statement", "expression", "message", "label"]
KEY_BYTES: Final = 32
REDACTED: Final = "<redacted>"  # what Snowflake shows of other people's syntax errors
_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_GIVEN_NAMES = {"An", "Do", "Max", "Pat", "So"}  # words of messages that begin no sentence there, but name people
_CUT_AT = 100_000  # characters of QUERY_TEXT (Snowflake, QUERY_HISTORY view)
_TEXT_BYTES = 32 << 20  # characters of texts and of their treated form that are remembered
_SHAPE_BYTES = 16 << 20  # the same for statements without literals

# A message: quoted or bracketed text, numbers, paths and unknown words go; SQLSTATE codes and known words stay.
_MESSAGE = re.compile(
    r"""
      (?P<code>(?<![0-9])[0-9]{6}\ \([0-9A-Z]{5}\))
    | (?P<quoted>'[^'\n]*'(?![A-Za-z]) | "[^"\n]*" | `[^`\n]*`)
    | (?P<path>[^\s'"/\\@]{0,255}+[/\\@][^\s'"]*+)
    | (?P<word>[^\W\d_]+(?:'[a-z]+)?(?:_[^\W\d_]+)*)(?![\w])
    | (?P<other>\w+)
    | (?P<mark>[\s.,:;!?()\[\]{}<>=+*%|&^~$\#-]+ | ['"`])
    | (?P<odd>.)
    """,
    re.VERBOSE | re.DOTALL,
)


class Redactor:
    """The key and the mode of one run, with a bounded memory of repeated texts.

    ``mode`` is for SQL (statements and expressions): ``scrub``, ``keyed`` (hash always) or ``full`` (keep as it is, by
    explicit choice). Raises ``ConfigError`` without a key of 32 bytes or more: no key, no collecting.
    """

    def __init__(self, key: bytes, key_id: str, *, mode: Mode = "scrub") -> None:
        if len(key) < KEY_BYTES:
            raise ConfigError(
                f"the treatment key has {len(key)} bytes, {KEY_BYTES} are needed",
                fix="name a reference to a 32-byte secret in [treatment] key; evidence init makes one",
            )
        if not _KEY_ID.match(key_id):
            raise ConfigError(f"malformed key_id {key_id!r}", fix="use letters, digits, dot, dash, underscore")
        if mode not in {"scrub", "keyed", "full"}:
            raise ConfigError(f"unknown query text mode {mode!r}", fix="use scrub, keyed or full")
        self.key_id = key_id
        self.mode = mode
        self._key = key
        self._texts: Recent[tuple[str, str], tuple[str, str]] = Recent(_TEXT_BYTES)
        self._shapes: Recent[tuple[bool, bool, str], tuple[str | None, str]] = Recent(_SHAPE_BYTES)

    def __repr__(self) -> str:
        return f"Redactor(key_id={self.key_id!r}, mode={self.mode!r})"

    def keyed(self, text: str) -> str:
        """Return ``hmac:<key_id>:<64 hex digits>`` of the UTF-8 bytes of ``text``."""
        return f"hmac:{self.key_id}:{hmac.digest(self._key, text.encode(errors='surrogatepass'), 'sha256').hex()}"

    def scrub(self, text: str, scrub_as: ScrubAs = "statement") -> tuple[str, str]:
        """Return the treated text and the outcome: ``scrubbed``, ``kept``, ``hashed`` or ``phi`` (hashed on a hit).

        A text that was seen lately is answered from memory, as is the judgement of a statement that differs in its literals only.
        """
        found = self._texts.get((scrub_as, text))
        if found is None:
            found = self._scrub(text, scrub_as)
            self._texts.keep((scrub_as, text), found, len(text) + len(found[0]))
        return found

    def _scrub(self, text: str, scrub_as: ScrubAs) -> tuple[str, str]:
        if text in {"", REDACTED}:
            return text, "kept"
        if scrub_as in {"statement", "expression"}:
            return self._sql(text, statement=scrub_as == "statement")
        if scrub_as == "label":
            return self._label(text)
        return self._outcome(text, self._message(text))

    def _sql(self, text: str, *, statement: bool) -> tuple[str, str]:
        if self.mode != "scrub":
            return (text, "kept") if self.mode == "full" else (self.keyed(text), "hashed")
        out = sqltext.scrub(text, statement=statement)
        if out is None:
            return self.keyed(text), "hashed"
        cut = len(text) >= _CUT_AT
        settled = self._shapes.get((statement, cut, out))
        if settled is None:
            settled = (None, "phi") if phi.hit(out) else (sqlshape.settle(out, statement=statement, cut=cut), "hashed")
            self._shapes.keep((statement, cut, out), settled, 2 * len(out))
        kept, why = settled
        return (kept, "scrubbed") if kept is not None else (self.keyed(text), why)

    def _outcome(self, text: str, out: str | None) -> tuple[str, str]:
        if out is None:
            return self.keyed(text), "hashed"
        return (self.keyed(text), "phi") if phi.hit(out) else (out, "scrubbed")

    def _label(self, text: str) -> tuple[str, str]:
        if phi.hit(text) or label.names_a_person(text):
            return self.keyed(text), "phi"
        return (text, "kept") if label.is_plain(text, self._words) else (self.keyed(text), "hashed")

    def _message(self, text: str) -> str | None:
        """Keep known words, marks and SQLSTATE codes; None when less than half of the words are known."""
        known = unknown = 0
        sentence = True
        parts: list[str] = []
        for match in _MESSAGE.finditer(text):
            kind, token = match.lastgroup, match[0]
            if kind == "word" and self._known(token, start=sentence):
                known += 1
                parts.append(token)
            elif kind in {"mark", "code"}:
                parts.append(token)
            else:
                unknown += kind == "word"
                if not parts or parts[-1] != "?":
                    parts.append("?")
            sentence = kind == "mark" and (sentence or bool(set(token) & set(".:;!?\n")))
        return "".join(parts) if known and known >= unknown else None

    def _known(self, token: str, *, start: bool) -> bool:
        for part in token.split("_"):
            whole = part.isupper() or (start and part[1:].islower() and part not in _GIVEN_NAMES)
            if part not in self._words and not (whole and part.lower() in self._words):
                return False
        return True

    @cached_property
    def _words(self) -> frozenset[str]:
        return read_words("message_words.txt")

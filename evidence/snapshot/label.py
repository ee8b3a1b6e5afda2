"""Labels such as QUERY_TAG: kept where they are made by machines, because attribution reads them; prose is not kept.

A label is plain when it is one token (``evidence/01J…``), JSON whose keys and texts are tokens, or words of the message list and tokens.
A token that happens to be a name cannot be told from a name of a job: ``docs/decisions/0101``.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

_PERSON = re.compile(
    r"""(?<![a-z])(?:patient|member|subscriber|insured|guarantor|beneficiary|enrollee|(?:first|last|middle|full|maiden|given|family)[_ -]?name|surname
    |birth|dob|ssn|mrn|chart|diagnosis|address|phone)(?:[_ -]?[a-z]+){0,2}["']?\s*[=:]\s*["'\[]*[\w+(]""",
    re.VERBOSE | re.IGNORECASE,
)
_TOKEN = re.compile(r"[A-Za-z0-9_.:/+=@#,;|~*()\[\]<>$&%?!{}\"'-]*", re.ASCII)
_WORDS = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)*[.,:;!?]?", re.ASCII)
_DEEPEST = 6  # levels of JSON


def names_a_person(text: str) -> bool:
    """Say whether a key of the label asks for a person's data: ``patient=…``, ``"last_name": "…"``."""
    return _PERSON.search(text) is not None


def is_plain(text: str, words: frozenset[str]) -> bool:
    """Say whether ``text`` may be kept; ``words`` may stand in prose, in lower case."""
    if text.lstrip()[:1] in {"{", "["}:
        try:
            value = json.loads(text)
            return all(_is_plain_text(part, words) for part in _texts(value, 0))
        except (ValueError, RecursionError):
            return False
    return _is_plain_text(text, words)


def _texts(value: Any, depth: int) -> Iterator[str]:
    """Yield all keys and texts; raise ``ValueError`` for a document nested deeper than labels are."""
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item, depth + 1)


def _is_plain_text(text: str, words: frozenset[str]) -> bool:
    parts = text.split()
    if not all(_TOKEN.fullmatch(part) for part in parts):
        return False
    return len(parts) < 2 or all(_is_known(part, words) for part in parts)


def _is_known(part: str, words: frozenset[str]) -> bool:
    """In prose a word of letters must be in the list; tokens with digits, underscores and the like are not prose."""
    if not _WORDS.fullmatch(part):
        return any(c in "0123456789_/:={}[]" for c in part) or not any(c.isalpha() for c in part)
    return all(word.lower() in words for word in re.findall(r"[A-Za-z]+", part))

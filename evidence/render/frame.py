"""What of a message a wording may not touch: values, elements, file names, commands. A translation has the same, or is refused."""

import re
from collections import Counter
from typing import Final

FRAME: Final = re.compile(r"<code>[^<>{}]*</code>|</?\w+>|\{\w*\}|`[^`]*`")
_STRAY: Final = re.compile(r"[<>{}`]")


def frame(message: str) -> Counter[str]:
    """Return every part of ``message`` that is not wording, with how often it stands there."""
    return Counter(found.group() for found in FRAME.finditer(message))


def prose(message: str) -> str:
    """Return the wording alone."""
    return FRAME.sub(" ", message)


def fault(message: str, translation: str) -> str:
    """Say how ``translation`` breaks the frame of ``message``; empty if it does not."""
    wanted, found = frame(message), frame(translation)
    if lacking := wanted - found:
        return f"lacks {_listed(lacking)}"
    if added := found - wanted:
        return f"has {_listed(added)}, which the original has not"
    if stray := _STRAY.search(prose(translation)):
        return f"has a stray {stray.group()}"
    return "" if _nested(translation) else "closes elements in another order than it opens them"


def _listed(parts: Counter[str]) -> str:
    return ", ".join(sorted(parts))


def _nested(text: str) -> bool:
    still: list[str] = []
    for found in FRAME.finditer(text):
        tag = found.group()
        if tag.startswith("</"):
            if not still or still.pop() != tag[2:]:
                return False
        elif tag.startswith("<") and not tag.endswith("</code>"):
            still.append(tag[1:])
    return not still

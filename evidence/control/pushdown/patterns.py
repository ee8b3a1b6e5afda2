"""Regular expressions that mean the same in RE2 (DuckDB) and in Snowflake, as a whole-text match.

Only whether a text matches is asked, so that leftmost-first and leftmost-longest cannot differ. Allowed are literals, classes, groups, alternatives and greedy
repetition; classes by name are spelled out (RE2's are ASCII). Anchors stand at the ends of the whole pattern only, since Snowflake's REGEXP_LIKE matches the whole text.
Sources: RE2 syntax page; Snowflake, "String functions (regular expressions)" (POSIX ERE, implicitly anchored, no lookaround, no lazy repetition).
"""

import re
from typing import Final, NoReturn

from evidence.control.pushdown.refusal import RefusedError

_NAMED: Final = {
    "d": "0-9",
    "w": "0-9A-Za-z_",
    "s": " \t\n\f\r",
}
_ANY: Final = "(.|\n)*"
_PLAIN: Final = re.compile(r"[A-Za-z0-9 _~%#@!,;:<>=/\"'&`-]")
_ESCAPED: Final = frozenset(".()[]{}*+?|$-/")
_IN_CLASS: Final = frozenset(".(){}*+?|$/")  # those that mean themselves in a class


def whole(pattern: str, *, full: bool, ignore_case: bool = False) -> str:
    """Return the pattern that REGEXP_LIKE must be given. ``full``: it matched the whole text anyway. Raises ``RefusedError``."""
    body, start, end = pattern, full, full
    if body.startswith("^"):
        body, start = body[1:], True
    if body.endswith("$") and not body.endswith("\\$"):
        body, end = body[:-1], True
    reader = _Reader(body, ignore_case)
    spelled = reader.read()
    if reader.branches and body != pattern:
        raise RefusedError("regular expression", f"an anchor in one of several alternatives ({pattern[:40]!r})")
    return f"{'' if start else _ANY}({spelled}){'' if end else _ANY}"


class _Reader:
    """Reads one pattern from left to right."""

    def __init__(self, text: str, ignore_case: bool) -> None:
        self._text, self._at, self._ignore = text, 0, ignore_case
        self.branches = False  # alternatives outside of every group

    def read(self) -> str:
        """Return it spelled for Snowflake."""
        out, depth, last = [], 0, False  # last: something that a repetition may follow
        while self._at < len(self._text):
            char = self._take()
            if char == "(":
                if self._peek("?"):
                    self._group()
                depth, last = depth + 1, False
                out.append("(")
            elif char in ")|":
                self.branches |= char == "|" and not depth
                depth, last = depth - (char == ")"), char == ")"
                if depth < 0:
                    self._refuse("a bracket that was not opened")
                out.append(char)
            elif char in "*+?{":
                if not last:
                    self._refuse("a repetition of nothing, or a lazy one")
                out.append(char if char != "{" else self._counted())
                last = False
            else:
                out.append(self._single(char))
                last = True
        if depth:
            self._refuse("a bracket that is not closed")
        return "".join(out)

    def _single(self, char: str) -> str:
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escape()
        if char == ".":
            return "[^\n]"
        if not _PLAIN.match(char):
            self._refuse(f"{char!r} inside a pattern")
        return self._cased(char)

    def _cased(self, char: str) -> str:
        """RE2 folds k and s with the Kelvin sign and the long s."""
        if not (self._ignore and char.isalpha()):
            return char
        more = {"k": "\u212a", "s": "\u017f"}.get(char.lower(), "")
        return f"[{char.lower()}{char.upper()}{more}]"

    def _escape(self) -> str:
        char = self._take()
        if char in _NAMED:
            return f"[{_NAMED[char]}]"
        if char.lower() in _NAMED:
            return f"[^{_NAMED[char.lower()]}]"
        if char not in _ESCAPED:
            self._refuse(f"\\{char}")
        return char if char in "-/" else f"[{char}]"

    def _class(self) -> str:
        out = "^" if self._peek("^") else ""
        while not self._peek("]") or not out.strip("^"):
            char = self._take()
            if char == "[" or (self._ignore and char.isalpha()):
                self._refuse("a class inside a class, or letters of a class without case")
            if char == "\\":
                char = self._take()
                if char in _NAMED:
                    out += _NAMED[char]
                    continue
                if char not in _IN_CLASS:
                    self._refuse(f"\\{char} in a class")
            elif char in "]^":
                self._refuse(f"{char} in a class")
            out += char
        return f"[{out}]"

    def _counted(self) -> str:
        found = re.match(r"(\d+)(,\d*)?\}", self._text[self._at :])
        if found is None:
            self._refuse("{ without a count")
        self._at += found.end()
        return "{" + found[0]

    def _group(self) -> None:
        if not self._text.startswith("?:", self._at - 1):
            self._refuse("a group with flags, a name or a look")
        self._at += 1

    def _take(self) -> str:
        if self._at >= len(self._text):
            self._refuse("an end that is missing")
        self._at += 1
        return self._text[self._at - 1]

    def _peek(self, char: str) -> bool:
        """Take ``char`` if it comes next."""
        found = self._text.startswith(char, self._at)
        self._at += len(char) if found else 0
        return found

    def _refuse(self, what: str) -> NoReturn:
        raise RefusedError("regular expression", f"{what} ({self._text[:40]!r})")

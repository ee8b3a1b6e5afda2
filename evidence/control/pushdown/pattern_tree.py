r"""The tree of a regular expression as both engines read it: classes by name spelled out (RE2's are ASCII), letters without case too, so that no backslash is left.

Sources: RE2 syntax page; Snowflake, "String functions (regular expressions)" (POSIX ERE, no lookaround, no lazy repetition).
"""

import re
from dataclasses import dataclass
from typing import Final, NoReturn

from evidence.control.pushdown.refusal import RefusedError

LAST: Final = 0x10FFFF


_NAMED: Final = {"d": "0-9", "w": "0-9A-Za-z_", "s": " \t\n\f\r"}


_SPACES: Final = tuple((ord(each), ord(each)) for each in "\t\n\f\r ")


RANGES: Final = {
    "d": ((0x30, 0x39),),
    "w": ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)),
    "s": _SPACES,
}


_PLAIN: Final = re.compile(r"[A-Za-z0-9 _~%#@!,;:<>=/\"'&`-]")


_ESCAPED: Final = frozenset(".()[]{}*+?|$-/")


_IN_CLASS: Final = frozenset(".(){}[]*+?|$/-")  # those that mean themselves in a class


_FOLDED: Final = {"k": "\u212a", "s": "\u017f"}  # RE2 folds k and s with the Kelvin sign and the long s


Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One character of a set."""

    spelled: str
    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Anchor:
    r"""``^``, ``$`` or ``\b``."""

    kind: str


@dataclass(frozen=True, slots=True)
class Group:
    """Alternatives in brackets, or the whole pattern (``number`` 0; None: it captures nothing)."""

    branches: tuple[tuple["Node", ...], ...]
    number: int | None


@dataclass(frozen=True, slots=True)
class Repeated:
    """Something low to high times (None: without end), as many as there are."""

    body: "Leaf | Group"
    low: int
    high: int | None
    spelled: str


Node = Leaf | Anchor | Group | Repeated


def has_anchor(node: Node) -> bool:
    """Whether an anchor is left anywhere."""
    match node:
        case Anchor():
            return True
        case Group():
            return any(has_anchor(each) for branch in node.branches for each in branch)
        case Repeated():
            return has_anchor(node.body)
    return False


def inside(group: Group) -> str:
    """Return alternatives spelled for Snowflake, without brackets around. Each group captures there: it has no other kind."""
    return "|".join("".join(_spelled(each) for each in branch) for branch in group.branches)


def _spelled(node: Node) -> str:
    match node:
        case Leaf():
            return node.spelled
        case Group():
            return f"({inside(node)})"
        case Repeated():
            return _spelled(node.body) + node.spelled
    return node.kind


def complement(ranges: Ranges) -> Ranges:
    """Return the characters that are not of ``ranges``."""
    found, at = [], 0
    for low, high in sorted(ranges):
        if low > at:
            found.append((at, low - 1))
        at = max(at, high + 1)
    return (*found, *([(at, LAST)] if at <= LAST else []))


def overlap(one: Ranges, other: Ranges) -> bool:
    """Whether a character is of both."""
    return any(a <= d and c <= b for a, b in one for c, d in other)


def parsed(pattern: str, *, ignore_case: bool = False) -> Group:
    """Return the tree of a pattern. Raises ``RefusedError``."""
    flags = re.match(r"\(\?([is]+)\)", pattern)
    body = pattern[flags.end() :] if flags else pattern
    said = flags[1] if flags else ""
    reader = _Reader(body, pattern, ignore_case or "i" in said, "s" in said)
    tree = reader.alternatives(0)
    if not reader.at_end():
        refused("a bracket that was not opened", pattern)
    return tree


def refused(what: str, pattern: str) -> NoReturn:
    """Refuse a pattern."""
    raise RefusedError("regular expression", f"{what} ({pattern[:40]!r})")


class _Reader:
    """Reads one pattern from left to right."""

    def __init__(self, text: str, shown: str, ignore: bool, newline: bool) -> None:
        self._text, self._at, self._shown, self._ignore, self._newline = text, 0, shown, ignore, newline
        self._groups = 0

    def at_end(self) -> bool:
        """Whether everything is read."""
        return self._at >= len(self._text)

    def alternatives(self, number: int | None) -> Group:
        """Read up to the bracket that closes."""
        branches: list[list[Node]] = [[]]
        while not self.at_end() and self._text[self._at] != ")":
            if self._peek("|"):
                branches.append([])
                continue
            branches[-1].append(self._repeated(self._one()))
        if len(branches) > 1 and not all(branches):
            self._refuse("an alternative that is empty")
        return Group(tuple(map(tuple, branches)), number)

    def _one(self) -> Node:
        char = self._take()
        match char:
            case "(":
                return self._group()
            case "^" | "$":
                return Anchor(char)
            case "[":
                return self._class()
            case "\\":
                return self._escape()
            case ".":
                return Leaf("(.|\n)", ((0, LAST),)) if self._newline else Leaf("[^\n]", complement(((10, 10),)))
            case "*" | "+" | "?" | "{":
                self._refuse("a repetition of nothing, or a lazy one")
        if not _PLAIN.match(char):
            self._refuse(f"{char!r} inside a pattern")
        return self._cased(char)

    def _group(self) -> Group:
        number: int | None = None
        if self._peek("?:"):
            pass
        elif self._peek("?"):
            self._refuse("a group with flags, a name or a look")
        else:
            self._groups += 1
            number = self._groups
        found = self.alternatives(number)
        if not self._peek(")"):
            self._refuse("a bracket that is not closed")
        return found

    def _repeated(self, node: Node) -> Node:
        start = self._at
        found = re.compile(r"[*+?]|\{(\d+)(,(\d*))?\}").match(self._text, start)
        if found is None:
            if self._text.startswith("{", start):
                self._refuse("{ without a count")
            return node
        if isinstance(node, Anchor | Repeated):
            self._refuse("a repetition of nothing, or a lazy one")
        self._at = found.end()
        if self._text[self._at : self._at + 1] in {"*", "+", "?", "{"}:
            self._refuse("a repetition of nothing, or a lazy one")
        low, high = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(found[0], (0, None))
        if found[1]:
            low = int(found[1])
            high = low if found[2] is None else int(found[3]) if found[3] else None
        return Repeated(node, low, high, found[0])

    def _cased(self, char: str) -> Leaf:
        if not (self._ignore and char.isalpha()):
            return Leaf(char, ((ord(char), ord(char)),))
        every = char.lower() + char.upper() + _FOLDED.get(char.lower(), "")
        return Leaf(f"[{every}]", tuple((ord(each), ord(each)) for each in every))

    def _escape(self) -> Node:
        char = self._take()
        if char == "b":
            return Anchor("b")
        if char in _NAMED:
            if self._ignore and char == "w":
                return self._set(
                    [_NAMED["w"], *_FOLDED.values()], [*RANGES["w"], *((ord(x), ord(x)) for x in _FOLDED.values())], ""
                )
            return Leaf(f"[{_NAMED[char]}]", RANGES[char])
        if char.lower() in _NAMED:
            if self._ignore and char == "W":
                self._refuse("\\W without case")
            return Leaf(f"[^{_NAMED[char.lower()]}]", complement(RANGES[char.lower()]))
        if char not in _ESCAPED:
            self._refuse(f"\\{char}")
        code = (ord(char), ord(char))
        return Leaf(char if char in "-/" else f"[{char}]", (code,)) if char not in "[]" else Leaf(f"[{char}]", (code,))

    def _class(self) -> Leaf:
        negated = "^" if self._peek("^") else ""
        pieces: list[str] = []
        ranges: list[tuple[int, int]] = []
        while not self._peek("]"):
            char = self._take()
            if char == "\\":
                char = self._take()
                if char in _NAMED:
                    pieces.append(_NAMED[char])
                    ranges += RANGES[char]
                    if self._ignore and char == "w":
                        pieces += _FOLDED.values()
                        ranges += [(ord(each), ord(each)) for each in _FOLDED.values()]
                    continue
                if char not in _IN_CLASS:
                    self._refuse(f"\\{char} in a class")
            elif char in "[^":
                self._refuse(f"{char} in a class")
            found = re.compile(r"-([A-Za-z0-9])").match(self._text, self._at)
            if found and re.fullmatch("[A-Za-z0-9]", char):
                self._at = found.end()
                self._span(char, found[1], pieces, ranges)
            else:
                self._span(char, char, pieces, ranges)
        if not pieces:
            self._refuse("] in a class")
        return self._set(pieces, ranges, negated)

    def _span(self, low: str, high: str, pieces: list[str], ranges: list[tuple[int, int]]) -> None:
        spans = [(low, high)]
        if self._ignore and low.isalpha():
            if low.islower() != high.islower() or not high.isalpha():
                self._refuse("a span of letters of both cases")
            spans = [(low.lower(), high.lower()), (low.upper(), high.upper())]
            spans += [(more, more) for letter, more in _FOLDED.items() if low.lower() <= letter <= high.lower()]
        for first, last in spans:
            pieces.append(first if first == last else f"{first}-{last}")
            ranges.append((ord(first), ord(last)))

    def _set(self, pieces: list[str], ranges: list[tuple[int, int]], negated: str) -> Leaf:
        """Spell a class so that no backslash is needed: ``]`` first, ``[`` and ``-`` last."""
        text = "".join(each for each in pieces if each not in {"]", "[", "-"})
        text = ("]" if "]" in pieces else "") + text + ("[" if "[" in pieces else "") + ("-" if "-" in pieces else "")
        return Leaf(f"[{negated}{text}]", complement(tuple(ranges)) if negated else tuple(ranges))

    def _take(self) -> str:
        if self.at_end():
            self._refuse("an end that is missing")
        self._at += 1
        return self._text[self._at - 1]

    def _peek(self, char: str) -> bool:
        """Take ``char`` if it comes next."""
        found = self._text.startswith(char, self._at)
        self._at += len(char) if found else 0
        return found

    def _refuse(self, what: str) -> NoReturn:
        refused(what, self._shown)

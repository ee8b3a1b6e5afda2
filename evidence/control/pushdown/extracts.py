"""What a pattern takes out of a text, or puts in its place: ``regexp_extract``, ``regexp_extract_all``, ``regexp_replace``.

RE2 prefers as Perl does, POSIX takes the longest: both find the leftmost place, and from there one and the same text where the pattern is deterministic, that is where at each
character at most one place of the pattern can take it, and where nothing is lazy. Then there is one way to read a text, so groups are the same too. A pattern that must reach the end of the text has
one end; only its groups need more. What is not so is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from evidence.control.pushdown import build as b
from evidence.control.pushdown import texts as t
from evidence.control.pushdown.pattern_tree import Anchor, Group, Leaf, Node, Ranges, Repeated, inside, overlap, parsed
from evidence.control.pushdown.refusal import RefusedError

_COPIES: Final = 64
_NAME: Final = "regular expression"


@dataclass(frozen=True, slots=True)
class Taken:
    """A pattern as REGEXP_SUBSTR and its like are given it. ``groups``: its own number of each group -> Snowflake's. ``ends``: it reaches the end of the text."""

    spelled: str
    groups: dict[int, int]
    ends: bool


def taken(pattern: str, *, ignore_case: bool, groups: bool) -> Taken:
    """Return the pattern in Snowflake's words; ``groups``: what they hold matters. Raises ``RefusedError``."""
    tree = parsed(pattern, ignore_case=ignore_case)
    branch = list(tree.branches[0]) if len(tree.branches) == 1 else []
    starts, ends = branch[:1] == [Anchor("^")], branch[-1:] == [Anchor("$")]
    if branch:
        tree = Group((tuple(branch[int(starts) : len(branch) - int(ends)]),), 0)
    _plain(tree, pattern)
    if (groups or not ends) and not _deterministic(tree):
        raise RefusedError(_NAME, f"may be read in several ways ({pattern[:40]!r})")
    if _Places(tree).empty:
        raise RefusedError(_NAME, f"matches the empty text ({pattern[:40]!r})")
    numbers = {own: place for place, own in enumerate(_groups(tree), 1) if own}
    body = inside(tree) if len(tree.branches) == 1 else f"({inside(tree)})"
    if len(tree.branches) > 1:
        numbers = {own: place + 1 for own, place in numbers.items()}
    return Taken(f"{'^' if starts else ''}{body}{'$' if ends else ''}", numbers, ends)


def _plain(node: Node, pattern: str, repeated: bool = False) -> None:
    """Refuse anchors inside, a group that is taken while it is repeated, and what is spelled as a group of its own."""
    match node:
        case Anchor():
            raise RefusedError(_NAME, f"an anchor that is not at an end ({pattern[:40]!r})")
        case Leaf() if "(" in node.spelled and node.spelled != "[(]" and not node.spelled.startswith("["):
            raise RefusedError(_NAME, f"a . that is a newline too ({pattern[:40]!r})")
        case Repeated():
            _plain(node.body, pattern, repeated or node.high != 1)
        case Group():
            if repeated and node.number:
                raise RefusedError(_NAME, f"a group that is repeated ({pattern[:40]!r})")
            for branch in node.branches:
                for each in branch:
                    _plain(each, pattern, repeated)


def _groups(node: Node) -> Iterator[int | None]:
    """Yield the number of each group inside, in the order of their brackets."""
    match node:
        case Repeated():
            if isinstance(node.body, Group):
                yield node.body.number
            yield from _groups(node.body)
        case Group():
            for branch in node.branches:
                for each in branch:
                    if isinstance(each, Group):
                        yield each.number
                    yield from _groups(each)


class _Places:
    """Which places of a pattern may come first, last and after one another: Glushkov's automaton. Counts are written out."""

    def __init__(self, tree: Group) -> None:
        self.sets: list[Ranges] = []
        self.after: dict[int, set[int]] = {}
        self.empty, self.first, _ = self._of(tree)

    def _of(self, node: Node) -> tuple[bool, set[int], set[int]]:
        match node:
            case Leaf():
                if len(self.sets) >= 4000:
                    raise RefusedError(_NAME, "with too many places")
                self.sets.append(node.ranges)
                place = len(self.sets) - 1
                self.after[place] = set()
                return False, {place}, {place}
            case Group():
                found = [self._sequence(list(branch)) for branch in node.branches]
                return (
                    any(e for e, _, _ in found),
                    set().union(*(f for _, f, _ in found)),
                    set().union(*(s for _, _, s in found)),
                )
            case Repeated():
                return self._repeated(node)
        return True, set(), set()

    def _sequence(self, parts: list[Node]) -> tuple[bool, set[int], set[int]]:
        empty, first, last = True, set[int](), set[int]()
        for each in parts:
            its_empty, its_first, its_last = self._of(each)
            for place in last:
                self.after[place] |= its_first
            first = first | its_first if empty else first
            last = last | its_last if its_empty else its_last
            empty = empty and its_empty
        return empty, first, last

    def _repeated(self, node: Repeated) -> tuple[bool, set[int], set[int]]:
        if max(node.low, node.high or 0) > _COPIES:
            raise RefusedError(_NAME, "with a count that is too high")
        body: Node = node.body
        if node.high is None:
            needed = [body] * max(0, node.low - 1)
            empty, first, last = self._of(body)
            for place in last:
                self.after[place] |= first
            before_empty, before_first, before_last = self._sequence(needed)
            for place in before_last:
                self.after[place] |= first
            return (
                empty or node.low == 0,
                before_first | first if before_empty else before_first,
                last | before_last if empty else last,
            )
        if node.low == 0 and node.high == 1:
            _, first, last = self._of(body)
            return True, first, last
        rest: list[Node] = []
        for _ in range(node.high - node.low):
            rest = [Repeated(Group(((body, *rest),), None), 0, 1, "?")]
        return self._sequence([*([body] * node.low), *rest])


def _deterministic(tree: Group) -> bool:
    places = _Places(tree)
    return all(_apart(places, each) for each in (places.first, *places.after.values()))


def _apart(places: _Places, some: set[int]) -> bool:
    """Whether no character can go to two of these places."""
    listed = sorted(some)
    return not any(
        overlap(places.sets[one], places.sets[other]) for at, one in enumerate(listed) for other in listed[at + 1 :]
    )


def _flags(node: exp.Expr | None, *allowed: str) -> str:
    if node is None:
        return ""
    if not (isinstance(node, exp.Literal) and node.name in allowed):
        raise RefusedError(_NAME, f"with options other than {' or '.join(map(repr, allowed))}")
    return str(node.name)


def _guarded(text: exp.Expr, found: Taken, value: exp.Expr, of: str) -> exp.Expr:
    """Return ``value``; a text that ends with a newline stops a pattern that reaches the end: some stop before it, some behind."""
    if not found.ends:
        return value
    stops = b.call("ENDSWITH", text, b.text("\n"), of=b.BOOLEAN)
    fails = b.cast(t.stopped(b.call("LENGTH", text, of=b.INTEGER)), "VARCHAR", b.TEXT)
    fails = b.call("ARRAY_CONSTRUCT", fails, of=of) if of == "TEXT[]" else fails
    return b.case(stops, fails, value, of)


def _substring(text: exp.Expr, found: Taken, group: int) -> exp.Expr:
    """Return what matches, empty where nothing does."""
    if group and group not in found.groups:
        raise RefusedError("regexp_extract", f"a group {group} that there is not")
    where = [b.text("ce"), b.number(found.groups[group])] if group else [b.text("c")]
    value = b.call("REGEXP_SUBSTR", text, b.text(found.spelled), b.number(1), b.number(1), *where, of=b.TEXT)
    some = exp.Coalesce(this=value, expressions=[exp.Literal.string("")])
    return b.case(
        exp.Is(this=text.copy(), expression=exp.Null()), exp.Null(), _guarded(text, found, some, b.TEXT), b.TEXT
    )


def group_of(node: exp.Expr, pattern: str, number: int) -> exp.Expr:
    """Return what group ``number`` holds."""
    ignore = _flags(node.args.get("parameters"), "i") == "i"
    return _substring(node.this, taken(pattern, ignore_case=ignore, groups=number > 0), number)


def extracted(node: exp.Expr) -> exp.Expr:
    """``regexp_extract`` of the whole, or of one group."""
    b.need(node.this, "regexp_extract", "text")
    pattern = b.literal_text(node.expression, "regexp_extract")
    group = node.args.get("group")
    if group is not None and not (isinstance(group, exp.Literal) and not group.is_string and group.name.isdigit()):
        raise RefusedError("regexp_extract", "with names of groups")
    return group_of(node, pattern, int(group.name) if group is not None else 0)


def all_extracted(node: exp.Expr) -> exp.Expr:
    """``regexp_extract_all`` of the whole: a list, empty where nothing matches."""
    b.need(node.this, "regexp_extract_all", "text")
    group = node.args.get("group")
    if (group is not None and group.name != "0") or node.args.get("parameters") is not None:
        raise RefusedError("regexp_extract_all", "of a group, or with options")
    found = taken(b.literal_text(node.expression, "regexp_extract_all"), ignore_case=False, groups=False)
    if found.ends:
        raise RefusedError("regexp_extract_all", "up to the end")
    value = b.call("REGEXP_SUBSTR_ALL", node.this, b.text(found.spelled), of="TEXT[]")
    nothing = b.call("ARRAY_CONSTRUCT", of="TEXT[]")
    some = exp.Coalesce(this=value, expressions=[nothing])
    return b.case(exp.Is(this=node.this.copy(), expression=exp.Null()), exp.Null(), some, "TEXT[]")


def replaced(node: exp.Expr) -> exp.Expr:
    """``regexp_replace`` by a literal: the first, or with 'g' each."""
    b.need(node.this, "regexp_replace", "text")
    found = taken(b.literal_text(node.expression, "regexp_replace"), ignore_case=False, groups=False)
    other = node.args.get("replacement")
    if not (isinstance(other, exp.Literal) and other.is_string) or set(other.name) & set("\\$&"):
        raise RefusedError("regexp_replace", "by other than a plain literal")
    every = _flags(node.args.get("modifiers"), "g") == "g"
    value = b.call(
        "REGEXP_REPLACE",
        node.this,
        b.text(found.spelled),
        other,
        b.number(1),
        b.number(0 if every else 1),
        b.text("c"),
        of=b.TEXT,
    )
    return _guarded(node.this, found, value, b.TEXT)

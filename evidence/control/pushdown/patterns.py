r"""Regular expressions that mean the same in RE2 (DuckDB) and in Snowflake.

Allowed are literals, classes, groups, alternatives and greedy repetition; classes by name are spelled out (RE2's are ASCII), letters without case too, and no backslash is left. Whether a text matches is
asked of the whole text, since Snowflake's REGEXP_LIKE is anchored: what stands outside of ``^`` and ``$`` is filled, and ``\b`` at an end of the pattern is the character beyond it. What a pattern takes out of a text is
the matter of ``extracts``.
Sources: RE2 syntax page; Snowflake, "String functions (regular expressions)" (POSIX ERE, implicitly anchored, no lookaround, no lazy repetition).
"""

from typing import Final

from evidence.control.pushdown.pattern_tree import (
    RANGES,
    Anchor,
    Group,
    Leaf,
    Node,
    Repeated,
    complement,
    has_anchor,
    inside,
    overlap,
    parsed,
    refused,
)

_ANY: Final = "(.|\n)*"


def whole(pattern: str, *, full: bool, ignore_case: bool = False) -> str:
    """Return the pattern that REGEXP_LIKE must be given. ``full``: it matched the whole text anyway. Raises ``RefusedError``."""
    tree = parsed(pattern, ignore_case=ignore_case)
    if len(tree.branches) == 1:
        inner, start, end = list(tree.branches[0]), full, full
        if inner[:1] == [Anchor("^")]:
            inner, start = inner[1:], True
        if inner[-1:] == [Anchor("$")]:
            inner, end = inner[:-1], True
        tree = Group((tuple(inner),), 0)
    else:
        start = end = full
    if not has_anchor(tree):
        return f"{'' if start else _ANY}({inside(tree)}){'' if end else _ANY}"
    if full:
        refused("an anchor inside of a pattern for the whole text", pattern)
    filled = _filled(_filled(tree, first=True, open_=not start), first=False, open_=not end)
    if has_anchor(filled):
        refused("an anchor that is not at an end", pattern)
    return f"({inside(filled)})"


_EVERYTHING: Final = Leaf(_ANY, ())


def _filled(group: Group, *, first: bool, open_: bool) -> Group:
    """Fill each branch at its start, or at its end, unless it is anchored there; a word's boundary is a character that is of no word, or the end."""
    return Group(tuple(_filled_branch(branch, first, open_) for branch in group.branches), group.number)


def _filled_branch(branch: tuple[Node, ...], first: bool, open_: bool) -> tuple[Node, ...]:
    edge, rest = (branch[:1], branch[1:]) if first else (branch[-1:], branch[:-1])

    def put(node: tuple[Node, ...], remains: tuple[Node, ...]) -> tuple[Node, ...]:
        return (*node, *remains) if first else (*remains, *node)

    if edge and isinstance(edge[0], Anchor):
        if edge[0].kind in "^$":
            return rest if edge[0].kind == ("^" if first else "$") else branch
        if not _is_word(rest, first):
            refused("\\b beside something that may be no letter", "\\b")
        outside = Leaf("[^0-9A-Za-z_]", complement(RANGES["w"]))
        beyond = (_EVERYTHING, outside) if first else (outside, _EVERYTHING)
        return put((Group(((), beyond), None),), rest) if open_ else rest
    if edge and isinstance(edge[0], Group) and any(_anchored_at(each, first) for each in edge[0].branches):
        return put((_filled(edge[0], first=first, open_=open_),), rest)
    return put((_EVERYTHING,), branch) if open_ else branch


def _anchored_at(branch: tuple[Node, ...], first: bool) -> bool:
    edge = branch[:1] if first else branch[-1:]
    return bool(edge) and isinstance(edge[0], Anchor)


def _is_word(branch: tuple[Node, ...], first: bool) -> bool:
    """Whether a branch begins, or ends, with a character of a word for sure."""
    edge = branch[:1] if first else branch[-1:]
    match edge:
        case (Leaf() as leaf,):
            return not overlap(leaf.ranges, complement(RANGES["w"]))
        case (Group() as group,):
            return all(_is_word(each, first) for each in group.branches)
        case (Repeated() as repeated,) if repeated.low > 0:
            return _is_word((repeated.body,), first)
    return False

"""Values and blocks spelled in HCL. Pure. Source: "HCL Native Syntax Specification", "Templates": ``${`` and ``%{`` begin sequences, doubled they are text."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_STEP: Final = "  "
_SEQUENCES: Final = (("${", "$${"), ("%{", "%%{"))


class Raw(str):
    """An expression that stands as it is: a reference, a function call."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON document as a heredoc. In ``value`` the text of a key of ``references`` stands for the expression under it."""

    value: Mapping[str, Any]
    references: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Block:
    """One block: its kind and labels, attributes in order, then blocks inside it; ``note`` is its comment, line by line."""

    kind: str
    labels: Sequence[str] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    blocks: Sequence["Block"] = ()
    note: Sequence[str] = ()

    def lines(self, depth: int = 0) -> Iterator[str]:
        """Yield the lines of the block, indented by ``depth`` steps."""
        pad = _STEP * depth
        yield from (f"{pad}# {line}" for line in self.note)
        yield f"{pad}{' '.join([self.kind, *map(quoted, self.labels)])} {{"
        yield from (f"{pad}{_STEP}{row}" for row in _rows(self.attributes, depth))
        for block in self.blocks:
            yield from block.lines(depth + 1)
        yield f"{pad}}}"


def text(blocks: Sequence[Block | str]) -> str:
    """Return a file: blocks with a blank line between them; a str is a comment, line by line."""
    parts = [
        "\n".join(each.lines()) if isinstance(each, Block) else "\n".join(f"# {x}".rstrip() for x in each.split("\n"))
        for each in blocks
    ]
    return "\n\n".join(parts) + "\n"


def spelled(value: Any, depth: int = 0) -> str:
    """Return a value as HCL spells it."""
    if isinstance(value, str):
        return str(value) if isinstance(value, Raw) else quoted(value)
    if isinstance(value, Document):
        return _heredoc(value, depth)
    if isinstance(value, Mapping):
        return _lines("{", _rows(value, depth), "}", depth)
    if isinstance(value, Sequence):
        one = len(value) < 2
        parts = [spelled(each, depth + 1) for each in value]
        return f"[{', '.join(parts)}]" if one else _lines("[", [f"{part}," for part in parts], "]", depth)
    return str(value).lower()  # a number, or true and false


def _rows(pairs: Mapping[str, Any], depth: int) -> Sequence[str]:
    """Return ``name = value`` of each pair with the signs below each other, as ``terraform fmt`` has them: lists and objects of several lines stand alone."""
    found = {name: spelled(value, depth + 1) for name, value in pairs.items()}
    width = max((len(name) for name, value in found.items() if not _is_tall(value)), default=0)
    return [f"{name:<{0 if _is_tall(value) else width}} = {value}" for name, value in found.items()]


def _is_tall(value: str) -> bool:
    return value.startswith(("{", "[")) and "\n" in value


def _lines(begin: str, rows: Sequence[str], end: str, depth: int) -> str:
    pad = _STEP * depth
    return "\n".join([begin, *(f"{pad}{_STEP}{row}" for row in rows), f"{pad}{end}"])


def quoted(value: str) -> str:
    """Return a quoted template that is this text and nothing else."""
    return json.dumps(_plain(value), ensure_ascii=False)


def _heredoc(document: Document, depth: int) -> str:
    """JSON escapes line breaks in texts, so no line of it can be the end mark."""
    body = _plain(json.dumps(document.value, indent=2, ensure_ascii=False))
    for stand_in, expression in document.references.items():
        body = body.replace(stand_in, f"${{{expression}}}")
    pad = _STEP * depth
    return "\n".join(["<<-JSON", *(f"{pad}{_STEP}{line}" for line in body.split("\n")), f"{pad}JSON"])


def _plain(value: str) -> str:
    for sequence, doubled in _SEQUENCES:
        value = value.replace(sequence, doubled)
    return value

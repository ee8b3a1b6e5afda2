"""ACCESS_HISTORY's JSON lists as typed LIST<STRUCT>, and back, with nothing dropped.

The typed columns hold what ``contract.OBJECTS`` and ``contract.POLICIES`` have a place for. What they do not hold (unknown keys such
as ``locations`` and ``joinObjects``, ids that are text, explicit nulls, the spelling ``directSourceColumns``) goes to ``<column>_rest`` as
a JSON Patch (RFC 6902, operations add, replace and move): applied to the document that the typed value spells, it gives
the source's document again. Sentinels of cut rows (``-1``, ``TRUNCATED``) are ordinary values and stay.

>>> rows, rest = split(['[{"locations":["s3://b/"],"objectId":7}]'], OBJECT_SHAPE)
>>> rest
['[{"op":"add","path":"/0/locations","value":["s3://b/"]}]']
>>> join(rows.to_pylist()[0], rest[0], OBJECT_SHAPE)
'[{"locations":["s3://b/"],"objectId":7}]'
"""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json

from evidence.datasets import variant

_PLAIN_ID = re.compile(r"-?(?:0|[1-9][0-9]*)\Z")
_LOOSE = (" ", "\n", "\r", "\t", "\\", '"v":')  # with one of these, a text may be read as other than it says
_MISSING: Any = object()


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a typed element: landed name, JSON key, what it holds, other spelling of the key."""

    name: str
    key: str
    holds: Literal["text", "id"] | tuple["Member", ...]
    other: str = ""


Shape = tuple[Member, ...]
_OBJECT: Shape = (
    Member("object_domain", "objectDomain", "text"),
    Member("object_name", "objectName", "text"),
    Member("object_id", "objectId", "id"),
)
_SOURCE: Shape = (*_OBJECT, Member("column_name", "columnName", "text"))
_COLUMN: Shape = (Member("column_id", "columnId", "id"), Member("column_name", "columnName", "text"))
_POLICY: Shape = (
    Member("policy_name", "policyName", "text"),
    Member("policy_id", "policyId", "id"),
    Member("policy_kind", "policyKind", "text"),
)
OBJECT_SHAPE: Shape = (
    *_OBJECT,
    Member(
        "columns",
        "columns",
        (
            *_COLUMN,
            Member("direct_sources", "directSources", _SOURCE, "directSourceColumns"),
            Member("base_sources", "baseSources", _SOURCE, "baseSourceColumns"),
        ),
    ),
)
POLICY_SHAPE: Shape = (
    *_OBJECT,
    Member("columns", "columns", (*_COLUMN, Member("policies", "policies", _POLICY))),
    Member("policies", "policies", _POLICY),
)
SHAPES: dict[str, Shape] = {"objects": OBJECT_SHAPE, "policies": POLICY_SHAPE}


def split(texts: Sequence[str | None], shape: Shape) -> tuple[pa.Array, list[str | None]]:
    """Return the typed lists and, per row, the patch that restores the document (None: the typed value says it all).

    ``texts`` are canonical JSON (``variant.canonical_text``); NULL gives NULL and no patch. Documents that hold exactly the
    shape, nearly all, are read by Arrow's JSON reader at once; the others are walked.
    """
    array = pa.array(texts, pa.string())
    plain, read = _exact(array, _plain(array), shape)
    odd = [text for text, fits in zip(texts, plain, strict=True) if not fits]
    walked, patches = _walk(odd, shape)
    order = np.empty(len(texts), dtype=np.int64)
    order[np.flatnonzero(plain)] = np.arange(len(read))
    order[np.flatnonzero(~plain)] = np.arange(len(odd)) + len(read)
    rest: list[str | None] = [None] * len(texts)
    for row, patch in zip(np.flatnonzero(~plain).tolist(), patches, strict=True):
        rest[row] = patch
    return pa.concat_arrays([read, walked]).take(pa.array(order)), rest


@dataclass(frozen=True, slots=True)
class Exact:
    """Documents that hold exactly a shape, as the source spells them, and their typed lists in the same order."""

    texts: pa.Array
    typed: pa.Array

    def places(self, texts: pa.Array) -> pa.Array:
        """Return where each of ``texts`` is among these; NULL if it is not, or is none."""
        return pc.index_in(texts, self.texts)

    def lacks(self, texts: pa.Array) -> pa.Array:
        """Say which of ``texts`` are documents that are not among these; NULL is none."""
        return pc.and_(self.places(texts).is_null(), texts.is_valid())


def exact(texts: pa.Array, shape: Shape) -> Exact:
    """Return those of ``texts`` (any text, none twice) that are read without being made canonical first.

    They are JSON of one spelling: without white space or escapes, no key twice, no number but an integer of 64 bits.
    What is left out may still be JSON, and may still hold the shape.
    """
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:  # a text is not UTF-8: whoever looks at them one by one says which
        texts = texts.slice(0, 0)
    plain, typed_lists = _exact(texts, _plain(texts, _LOOSE), shape)
    return Exact(texts.filter(pa.array(plain)), typed_lists)


def _exact(texts: pa.Array, plain: Any, shape: Shape) -> tuple[Any, pa.Array]:
    """Return which documents of those marked ``plain`` the reader takes, and what it made of them."""
    read = _read(texts, plain, shape)
    if read is None:  # unknown keys, or a type the shape does not have: nothing was dropped; look closer
        plain = plain & _known(texts, shape)
        read = _read(texts, plain, shape)
    if read is None:
        return np.zeros(len(texts), dtype=bool), pa.array([], _arrow(shape, pa.string()))
    return plain, read


def join(typed: Sequence[Any] | None, rest: str | None, shape: Shape) -> str | None:
    """Return the canonical document of one row: what the typed value spells, with the patch applied."""
    if typed is None and rest is None:
        return None
    document = _spell_list(typed, shape) if typed is not None else None
    for op in variant.parse(rest) if rest else ():
        document = _apply(document, op)
    return variant.dumps(document)


def _plain(texts: pa.Array, loose: tuple[str, ...] = ()) -> Any:
    """Say which documents the reader takes exactly: lists without null, which it takes for absent, without -0 and what is ``loose``."""
    lists = pc.starts_with(texts, "[").fill_null(False)  # noqa: FBT003
    return pc.and_not(lists, contains(texts, ("null", "-0", *loose))).to_numpy(zero_copy_only=False)


def contains(texts: pa.Array, parts: tuple[str, ...]) -> pa.Array:
    """Say which texts hold one of ``parts``; NULL holds none. The bytes are looked at first: mostly there is none."""
    data = texts.buffers()[2]
    body = bytes(data) if data is not None else b""
    found = [pc.match_substring(texts, part) for part in parts if part.encode() in body]
    return functools.reduce(pc.or_, found, pa.repeat(False, len(texts))).fill_null(False)  # noqa: FBT003


def _known(texts: pa.Array, shape: Shape) -> Any:
    """Say which documents have no key but those of the shape, and numbers for ids."""
    bare = pc.replace_substring_regex(texts, f'"(?:{"|".join(sorted(_keys(shape)))})":', "#")
    odd = pc.or_(pc.match_substring(bare, '":'), pc.match_substring_regex(texts, 'Id":[^0-9-]'))
    return pc.invert(odd).fill_null(False).to_numpy(zero_copy_only=False)  # noqa: FBT003


def _keys(shape: Shape) -> set[str]:
    inner = [_keys(member.holds) for member in shape if isinstance(member.holds, tuple)]
    return {member.key for member in shape}.union(*inner)


def _read(texts: pa.Array, plain: Any, shape: Shape) -> pa.Array | None:
    """Read the documents marked ``plain``; None if one does not fit (the reader never converts)."""
    documents = texts.filter(pa.array(plain)).to_pylist()
    if not documents:
        return pa.array([], _arrow(shape, pa.string()))
    body = ('{"v":' + '}\n{"v":'.join(documents) + "}\n").encode()
    expected = pa.schema([("v", _arrow(shape, pa.int64(), keys=True))])
    try:
        table = json.read_json(
            pa.BufferReader(body),
            read_options=json.ReadOptions(use_threads=False, block_size=len(body) + 1),
            parse_options=json.ParseOptions(explicit_schema=expected, unexpected_field_behavior="error"),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_rows != len(documents):  # a text that closes the line's object and opens another
        return None
    return _renamed(table.column("v").combine_chunks(), shape)


def _arrow(shape: Shape, ids: pa.DataType, *, keys: bool = False) -> pa.DataType:
    """Return the Arrow type of a list of elements, members under their landed names or their JSON keys."""
    return pa.list_(
        pa.struct(
            [
                (
                    member.key if keys else member.name,
                    _arrow(member.holds, ids, keys=keys)
                    if isinstance(member.holds, tuple)
                    else (ids if member.holds == "id" else pa.string()),
                )
                for member in shape
            ]
        )
    )


def _renamed(lists: pa.ListArray, shape: Shape) -> pa.ListArray:
    """Give members their landed names and ids their text."""
    elements = lists.values
    arrays = []
    for n, member in enumerate(shape):
        array = elements.field(n)
        arrays.append(_renamed(array, member.holds) if isinstance(member.holds, tuple) else array.cast(pa.string()))
    struct = pa.StructArray.from_arrays(arrays, names=[member.name for member in shape])
    mask = lists.is_null() if lists.null_count else None
    return pa.ListArray.from_arrays(lists.offsets, struct, mask=mask)


def _walk(texts: Sequence[str | None], shape: Shape) -> tuple[pa.Array, list[str | None]]:
    rows = _Rows(shape)
    rest: list[str | None] = []
    for text in texts:
        value = None if text is None else variant.parse(text)
        exact = rows.append(value if isinstance(value, list) else None)
        if text is None or (exact and isinstance(value, list)):
            rest.append(None)
        else:
            ops: list[dict[str, Any]] = []
            _patch_list(value, shape, "", ops)
            rest.append(variant.dumps(ops))
    return rows.array(), rest


class _Rows:
    """A list column under construction: offsets, validity, one list of values per leaf, one builder per inner list."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.ends = [0]
        self.missing: list[bool] = []
        self.leaves: list[tuple[str, bool, list[str | None]]] = []
        self.lists: list[tuple[str, str, _Rows]] = []
        for member in shape:
            if isinstance(member.holds, str):
                self.leaves.append((member.key, member.holds == "id", []))
            else:
                self.lists.append((member.key, member.other, _Rows(member.holds)))

    def append(self, elements: list[Any] | None) -> bool:
        """Take one list, or None for NULL; say whether the typed value spells exactly that list again."""
        exact = True
        self.missing.append(elements is None)
        for element in elements or ():
            known = element if type(element) is dict else {}
            if self._element(known) != len(known) or known is not element:
                exact = False
        self.ends.append(self.ends[-1] + (len(elements) if elements else 0))
        return exact

    def _element(self, element: dict[str, Any]) -> int:
        """Take one element; return how many of its members the typed value spells exactly."""
        held = 0
        for key, is_id, values in self.leaves:
            value = element.get(key)
            if type(value) is str:
                values.append(value)
                held += not (is_id and _PLAIN_ID.match(value))
            elif is_id and value is not None and _id(value):
                values.append(str(value))
                held += 1
            else:
                values.append(None)
        for key, other, rows in self.lists:
            value = element.get(key)
            if value is None and other and key not in element:
                value = element.get(other)
                held -= isinstance(value, list)  # spelled back under the usual key
            if type(value) is list:
                held += rows.append(value)
            else:
                rows.missing.append(True)
                rows.ends.append(rows.ends[-1])
        return held

    def array(self) -> pa.Array:
        built: dict[str, pa.Array] = {key: pa.array(values, pa.string()) for key, _, values in self.leaves}
        built |= {key: rows.array() for key, _, rows in self.lists}
        arrays = [built[member.key] for member in self.shape]
        elements = pa.StructArray.from_arrays(arrays, names=[member.name for member in self.shape])
        mask = pa.array(self.missing, pa.bool_()) if any(self.missing) else None
        return pa.ListArray.from_arrays(pa.array(np.array(self.ends, np.int32)), elements, mask=mask)


def _id(value: Any) -> bool:
    return type(value) is int or (type(value) is variant.Number and _PLAIN_ID.match(value) is not None)


def _patch_list(value: Any, shape: Shape, path: str, ops: list[dict[str, Any]]) -> None:
    """Add the operations that lead from what the typed value spells to ``value``."""
    if not isinstance(value, list):
        ops.append({"op": "add" if path else "replace", "path": path, "value": value})
        return
    for n, element in enumerate(value):
        if isinstance(element, dict):
            _patch_element(element, shape, f"{path}/{n}", ops)
        else:
            ops.append({"op": "replace", "path": f"{path}/{n}", "value": element})


def _patch_element(element: dict[str, Any], shape: Shape, path: str, ops: list[dict[str, Any]]) -> None:
    left = dict(element)
    for member in shape:
        key = member.key
        if member.other and key not in element and isinstance(element.get(member.other), list):
            key = member.other
            ops.append({"op": "move", "from": f"{path}/{member.key}", "path": f"{path}/{key}"})
        value = left.pop(key, _MISSING)
        if value is _MISSING:
            continue
        if isinstance(member.holds, tuple):
            _patch_list(value, member.holds, f"{path}/{key}", ops)
        elif type(value) is str and member.holds == "id" and _PLAIN_ID.match(value):
            ops.append({"op": "replace", "path": f"{path}/{key}", "value": value})  # the typed value spells a number
        elif type(value) is not str and not (member.holds == "id" and _id(value)):
            ops.append({"op": "add", "path": f"{path}/{key}", "value": value})
    ops.extend({"op": "add", "path": f"{path}/{_escape(key)}", "value": left[key]} for key in sorted(left))


def _spell_list(elements: Sequence[Any], shape: Shape) -> list[Any]:
    return [_spell(element, shape) for element in elements]


def _spell(element: dict[str, Any], shape: Shape) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for member in shape:
        value = element[member.name]
        if value is None:
            continue
        if isinstance(member.holds, tuple):
            out[member.key] = _spell_list(value, member.holds)
        else:
            out[member.key] = variant.Number(value) if member.holds == "id" and _PLAIN_ID.match(value) else value
    return out


def _apply(document: Any, op: dict[str, Any]) -> Any:
    """Apply one operation (RFC 6902 section 4); ours never address list ends."""
    if op["path"] == "":
        return op["value"]
    parent, key = _find(document, op["path"])
    if op["op"] == "move":
        source, name = _find(document, op["from"])
        parent[key] = source.pop(name)
    else:
        parent[key] = op["value"]
    return document


def _find(document: Any, path: str) -> tuple[Any, Any]:
    """Return the container that a JSON Pointer (RFC 6901) ends in and the last key or index."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]
    for step in steps[:-1]:
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document, int(steps[-1]) if isinstance(document, list) else steps[-1]


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")

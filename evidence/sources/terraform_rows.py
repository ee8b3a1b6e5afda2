"""Terraform's JSON -> rows of addresses, types and actions; pure. No value of an attribute, output or variable leaves here.

Three documents: ``terraform show -json`` of a state, of a plan (Terraform: Internals, JSON Output Format), and the raw state file,
version 4. Attribute *names* are taken where a control needs them (which are sensitive, which force a replacement), and
only such as a provider's schema can hold. Instance keys are texts that people choose: kept if they look like a name, else
hidden from the address and handed over apart, for the contract to hash.
"""

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evidence.snapshot import phi
from evidence.sources.moment import parse_moment

Row = dict[str, Any]

RAW_VERSION = 4
_SHOWN = re.compile(
    r"(?:1\.[0-9]{1,4}|0\.[12])\Z", re.ASCII
)  # 0.1, 0.2: before Terraform 1.1; other majors are refused
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,40}\Z", re.ASCII)
_NAME = re.compile(r"[^\W\d][\w-]{0,254}\Z")
_ATTRIBUTE = re.compile(r"[a-z_][a-z0-9_]{0,127}\Z", re.ASCII)
_WORD = re.compile(r"[a-z_]{1,64}\Z", re.ASCII)
_PROVIDER = re.compile(r"[\w.-]+(?:/[\w.-]+){0,3}\Z", re.ASCII)
_RAW_PROVIDER = re.compile(r'provider\["([^"\\]+)"\]')
_KEY = re.compile(r'\["((?:[^"\\]|\\.)*)"\]')
_KEY_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.$/-]{0,63}\Z", re.ASCII)
_LINEAGE = re.compile(r"[0-9A-Za-z-]{1,64}\Z", re.ASCII)
_ADDRESS = re.compile(r'[\w.\[\]"?$/-]+\Z')
_SECRET = re.compile(r"(?:^|_)(?:password|passwd|secret|token|private_key|private_key_pem|secret_key|api_key)\Z")
_HIDDEN = '["?"]'
ACTIONS = frozenset({"no-op", "create", "read", "update", "delete", "forget"})


@dataclass(frozen=True, slots=True)
class Document:
    """What one document holds: rows, what was no row, and how many it counts by a walk of its own."""

    rows: Sequence[Row]
    rejects: Sequence[str]
    counted: int
    planned_at: dt.datetime | None = None
    apart: int = 0  # rejects that are about the whole document, not about one of what was counted


def read_document(kind: str, value: Any) -> Document:
    """Return the rows of a ``state`` or ``plan`` document. Raises ``ValueError`` that quotes no value of it."""
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - callers catch one kind of error
    if "encrypted_data" in value or "encryption_version" in value:
        raise ValueError("an encrypted state: show it decrypted")
    if kind == "plan":
        return _plan(value)
    return _raw_state(value) if "version" in value else _shown_state(value)


def _shown_state(value: Mapping[str, Any]) -> Document:
    version = _format(value)
    if "resource_changes" in value or "planned_values" in value:
        raise ValueError("a plan where a state belongs")
    if not isinstance(value.get("values"), dict):
        raise ValueError("no state was shown (no values): the wrong workspace, or nothing was applied yet")  # noqa: TRY004
    root = _object(value["values"].get("root_module", {}), "root_module")
    header = {"format": "show", "format_version": version, "terraform_version": _version(value)}
    return _document(header, _each(_modules(root), _shown_resource), _walked(root))


def _raw_state(value: Mapping[str, Any]) -> Document:
    if value["version"] != RAW_VERSION or isinstance(value["version"], bool):
        raise ValueError(f"a state file of another version than {RAW_VERSION}")
    resources = _list(value.get("resources"), "resources")
    header = {
        "format": "raw",
        "format_version": str(RAW_VERSION),
        "terraform_version": _version(value),
        "serial": _int(value.get("serial")),
        "lineage": _matched(_LINEAGE, value.get("lineage")),
    }
    counted = sum(len(_list(item.get("instances"), "instances")) if isinstance(item, dict) else 1 for item in resources)
    return _document(header, _each(_instances(resources), _raw_resource), counted)


def _plan(value: Mapping[str, Any]) -> Document:
    version = _format(value)
    if "resource_changes" not in value and "planned_values" not in value:
        raise ValueError("a state, or nothing, where a plan belongs")
    parts = [(name, _list(value.get(key, []), key)) for name, key in _PLAN_PARTS]
    stamp = value.get("timestamp")
    planned_at = parse_moment(stamp) if isinstance(stamp, str) else None
    header = {
        "format": "show",
        "format_version": version,
        "terraform_version": _version(value),
        "planned_at": planned_at,
        **{key: value[key] for key in ("applyable", "complete", "errored") if isinstance(value.get(key), bool)},
    }
    found = _each(((name, item) for name, items in parts for item in items), _change)
    partial = []
    if header.get("errored"):
        partial.append("the plan says that planning failed")
    if header.get("complete") is False:
        partial.append("the plan says that it is not complete (targeted, or changes put off)")
    document = _document(header, found, sum(len(items) for _, items in parts))
    return Document(document.rows, (*document.rejects, *partial), document.counted, planned_at, len(partial))


_PLAN_PARTS = (("change", "resource_changes"), ("drift", "resource_drift"), ("deferred", "deferred_changes"))


def _document(header: Row, found: Iterator[Row | str], counted: int) -> Document:
    """Put the document's own row first: a document that holds nothing was looked at, too."""
    items = list(found)
    rows = [{**_facts(header), **item} for item in items if isinstance(item, dict)]
    first = {"part": "document", "resources": counted, **header}
    return Document([first, *rows], [item for item in items if isinstance(item, str)], counted)


def _facts(header: Row) -> Row:
    return {
        key: header[key]
        for key in ("format", "format_version", "terraform_version", "serial", "lineage")
        if key in header
    }


def _each(items: Any, row: Any) -> Iterator[Row | str]:
    for number, item in enumerate(items, 1):
        try:
            yield row(item)
        except ValueError as exc:
            yield f"resource {number}: {exc}"


def _modules(root: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield ``(module address, resource)`` of the root module and all below it."""
    yield from ((str(root.get("address") or ""), item) for item in _list(root.get("resources", []), "resources"))
    for child in _list(root.get("child_modules", []), "child_modules"):
        yield from _modules(_object(child, "child_modules"))


def _walked(root: Mapping[str, Any]) -> int:
    """Count the resources without making rows: the other side of the control total."""
    count = 0
    stack: list[Any] = [root]
    while stack:
        module = _object(stack.pop(), "child_modules")
        count += len(_list(module.get("resources", []), "resources"))
        stack += _list(module.get("child_modules", []), "child_modules")
    return count


def _instances(resources: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    for resource in resources:
        if not isinstance(resource, dict):
            yield None, None
            continue
        yield from ((resource, instance) for instance in _list(resource.get("instances"), "instances"))


def _shown_resource(found: tuple[str, Any]) -> Row:
    module, resource = found[0], _object(found[1], "resource")
    address = resource.get("address")
    if not isinstance(address, str):
        raise ValueError("no address")  # noqa: TRY004 - one kind of error
    return {
        "part": "resource",
        **_place(address, module, resource, resource.get("index")),
        "provider": _matched(_PROVIDER, resource.get("provider_name")),
        "schema_version": _int(resource.get("schema_version")),
        "depends_on": _addresses(resource.get("depends_on")),
        "tainted": resource.get("tainted") is True,
        "deposed": _matched(_LINEAGE, resource.get("deposed_key")),
        "sensitive_attributes": _sensitive(resource.get("sensitive_values"), resource.get("values")),
    }


def _raw_resource(found: tuple[Any, Any]) -> Row:
    resource, instance = _object(found[0], "resource"), _object(found[1], "instance")
    module = resource.get("module") or ""
    kind, name = _name(resource, "type"), _name(resource, "name")
    index = instance.get("index_key")
    data = "data." if resource.get("mode") == "data" else ""
    address = f"{module}{'.' if module else ''}{data}{kind}.{name}{_spelled(index)}"
    provider = _RAW_PROVIDER.search(str(resource.get("provider") or ""))
    marked = [path[0].get("value") for path in _paths(instance.get("sensitive_attributes"))]
    return {
        "part": "resource",
        **_place(address, str(module), resource, index),
        "provider": _matched(_PROVIDER, provider[1]) if provider else None,
        "schema_version": _int(instance.get("schema_version")),
        "depends_on": _addresses(instance.get("dependencies")),
        "tainted": instance.get("status") == "tainted",
        "deposed": _matched(_LINEAGE, instance.get("deposed")),
        "sensitive_attributes": _sensitive(dict.fromkeys(map(str, marked), True), instance.get("attributes")),
    }


def _change(found: tuple[str, Any]) -> Row:
    part, item = found[0], _object(found[1], "change")
    reason = item.get("reason") if part == "deferred" else item.get("action_reason")
    resource = _object(item.get("resource_change"), "resource_change") if part == "deferred" else item
    change = _object(resource.get("change"), "change")
    actions = change.get("actions")
    if not isinstance(actions, list) or not actions or not all(isinstance(a, str) and a in ACTIONS for a in actions):
        raise ValueError("an action that is not known")
    address, previous = resource.get("address"), resource.get("previous_address")
    if not isinstance(address, str):
        raise ValueError("no address")  # noqa: TRY004 - one kind of error
    paths = change.get("replace_paths")
    steps = [path[0] for path in paths if isinstance(path, list) and path] if isinstance(paths, list) else []
    return {
        "part": part,
        **_place(address, str(resource.get("module_address") or ""), resource, resource.get("index")),
        "provider": _matched(_PROVIDER, resource.get("provider_name")),
        "previous_address": _hidden(previous) if isinstance(previous, str) else None,
        "deposed": _matched(_LINEAGE, resource.get("deposed")),
        "actions": actions,
        "action_reason": _matched(_WORD, reason),
        "replace_paths": _names(steps),
        "importing": isinstance(change.get("importing"), dict),
    }


def _place(address: str, module: str, resource: Mapping[str, Any], index: Any) -> Row:
    kept = isinstance(index, int) and not isinstance(index, bool)
    text = str(index) if kept or isinstance(index, str) else None
    named = kept or (text is not None and _is_name(text))
    mode = resource.get("mode")
    if mode not in ("managed", "data"):  # a tuple: what is no text need not have a hash
        raise ValueError("a mode that is neither managed nor data")
    return {
        "address": _hidden(address),
        "instance": address,
        "module": _hidden(module) if module else None,
        "mode": mode,
        "type": _name(resource, "type"),
        "name": _name(resource, "name"),
        "index_key": text if named else None,
        "index_hidden": None if named else text,
    }


def _hidden(address: str) -> str:
    """Return an address without the instance keys that are no names. Raises ``ValueError`` if it is no address."""
    text = _KEY.sub(lambda found: found[0] if _is_name(found[1]) else _HIDDEN, address)
    if not _ADDRESS.match(text):
        raise ValueError("not an address")
    return text


def _is_name(text: str) -> bool:
    return bool(_KEY_NAME.match(text)) and not phi.hit(text)


def _spelled(index: Any) -> str:
    if index is None:
        return ""
    return f"[{json.dumps(index, ensure_ascii=False)}]" if isinstance(index, str | int) else ""


def _sensitive(marks: Any, values: Any) -> list[str]:
    """Name the attributes that hold something and are marked sensitive, or are called like a secret.

    Raw state files mark only what came from a sensitive variable, not what a provider declares. Values are looked at, never taken.
    """
    held = values if isinstance(values, dict) else {}
    marked = {name for name, mark in marks.items() if mark} if isinstance(marks, dict) else set()
    called = {name for name, value in held.items() if isinstance(value, str) and _SECRET.search(name)}
    return _names([name for name in marked | called if held.get(name) not in (None, "", [], {})])


def _names(found: Sequence[Any]) -> list[str]:
    """Keep what a provider's schema can call an attribute; anything else is somebody's text and shows as ``?``."""
    return sorted({name if isinstance(name, str) and _ATTRIBUTE.match(name) else "?" for name in found})


def _paths(value: Any) -> list[list[dict[str, Any]]]:
    paths = value if isinstance(value, list) else []
    return [path for path in paths if isinstance(path, list) and path and isinstance(path[0], dict)]


def _addresses(value: Any) -> list[str]:
    return [_hidden(item) for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _name(resource: Mapping[str, Any], key: str) -> str:
    found = _matched(_NAME, resource.get(key))
    if found is None:
        raise ValueError(f"{key} is no name")
    return found


def _format(value: Mapping[str, Any]) -> str:
    version = value.get("format_version")
    if not isinstance(version, str) or not _SHOWN.match(version):
        shown = f" ({version})" if isinstance(version, str) and re.fullmatch(r"[0-9]{1,4}\.[0-9]{1,4}", version) else ""
        raise ValueError(f"a format_version{shown} that is not read here: 1.x, 0.1 and 0.2 are")
    return version


def _version(value: Mapping[str, Any]) -> str | None:
    return _matched(_VERSION, value.get("terraform_version"))


def _matched(pattern: re.Pattern[str], value: Any) -> str | None:
    return value if isinstance(value, str) and pattern.match(value) else None


def _int(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63 else None


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} is not an object")  # noqa: TRY004 - one kind of error
    return value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{name} is not a list")  # noqa: TRY004 - one kind of error
    return value

"""Read a control library from directories: the product's own first, then a workspace's, then its overlay.

A workspace may add ``org-`` controls and ``org_`` facts; what overlays may change is in ``evidence.control.overlay``. SQL, population
and evidence of a library control are never changed.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from pydantic import BaseModel, ValidationError

from evidence.control.fields import narrowed
from evidence.control.framework import Framework, load_crosswalk, load_frameworks
from evidence.control.model import (
    UNKNOWN_VALUE,
    WORKSPACE_FACT_PREFIX,
    WORKSPACE_PREFIX,
    Control,
    Fact,
    Layer,
    Library,
    Value,
)
from evidence.control.overlay import ACCOUNT, apply_layers
from evidence.control.register import SHAPES
from evidence.datasets.contract import Contract
from evidence.datasets.load import load_contracts
from evidence.errors import ControlError
from evidence.snapshot import canonical

__all__ = ["Control", "Fact", "Library", "load_facts", "load_layers", "load_library", "load_overlay"]

FIX = "docs/formats/control.md explains every key"
Model = TypeVar("Model", bound=BaseModel)


def load_library(
    roots: Sequence[Path],
    overlay: Mapping[str, Any] | Sequence[Layer] | None = None,
    *,
    contracts: Mapping[str, Contract] | None = None,
) -> Library:
    """Return the library made of ``roots`` (the product's first) with the layers of ``overlay`` applied in order.

    Raises ``ControlError`` that names the file and key for anything unknown, out of bounds or reaching for more than a
    workspace may change.
    """
    contracts = load_contracts() if contracts is None else contracts
    head = _toml(roots[0] / "library.toml")
    settings = {name: _setting(name, value) for name, value in head.get("settings", {}).items()}
    gate = head.get("gate", {})
    facts: dict[str, Fact] = {}
    frameworks: dict[str, Framework] = {}
    raw: dict[str, tuple[Path, dict[str, Any]]] = {}
    for number, root in enumerate(roots):
        _merge(facts, load_facts(root / "facts"), WORKSPACE_FACT_PREFIX if number else "")
        _merge(frameworks, load_frameworks(root / "frameworks"), "")
        _merge(raw, _raw_controls(root), WORKSPACE_PREFIX if number else "")
    _check_facts(facts, contracts)
    controls = {}
    for name, (folder, body) in sorted(raw.items()):
        control = _control(folder, body, facts, settings, head.get("defaults", {}))
        _check_names(str(folder / "control.toml"), control, facts, contracts)
        _check_maps(folder, control, frameworks)
        controls[name] = control
    layers = (Layer(ACCOUNT, overlay),) if isinstance(overlay, Mapping) else tuple(overlay or ())
    controls = apply_layers(controls, layers)
    return Library(
        version=str(head.get("version", "")),
        sha256=_library_digest(controls, facts, frameworks),
        controls=controls,
        facts=facts,
        frameworks=frameworks,
        contracts=contracts,
        settings=settings,
        crosswalk=load_crosswalk(roots[0] / "frameworks"),
        gate=tuple(gate.get("controls", ())),
        gate_later={name: tuple(codes) for name, codes in gate.get("later", {}).items()},
        layers=layers,
    )


def load_overlay(path: Path) -> Mapping[str, Any]:
    """Read an ``overlay.toml``. Raises ``ControlError`` that names the file."""
    return _toml(path)


def load_layers(files: Sequence[tuple[str, Path]]) -> list[Layer]:
    """Read overlays in the order they apply, by name; a file that is not there is no layer. Raises ``ControlError``."""
    found = [(name, path) for name, path in files if path.is_file()]
    return [Layer(name, _toml(path), canonical.sha256_hex(path.read_bytes())) for name, path in found]


def _merge(into: dict[str, Any], more: Mapping[str, Any], prefix: str) -> None:
    for name, value in more.items():
        if name in into:
            raise ControlError(f"{name} is defined twice", fix="a workspace adds content, it does not replace any")
        if not name.startswith(prefix):
            raise ControlError(f"{name}: content of a workspace is named {prefix}…", fix=f"rename it to {prefix}{name}")
        into[name] = value


def _raw_controls(root: Path) -> dict[str, tuple[Path, dict[str, Any]]]:
    found: dict[str, tuple[Path, dict[str, Any]]] = {}
    for path in sorted(root.glob("*/*/control.toml")):
        body = _toml(path)
        if body.get("id") != path.parent.name:
            raise ControlError(f"{path}: id {body.get('id')!r} is not the name of its folder", fix=FIX)
        if path.parent.name in found:
            raise ControlError(f"{path}: {path.parent.name} is defined twice", fix="rename one")
        found[path.parent.name] = (path.parent, body)
    return found


def _control(
    folder: Path,
    body: dict[str, Any],
    facts: Mapping[str, Fact],
    settings: Mapping[str, Value],
    defaults: Mapping[str, Any],
) -> Control:
    sql = {name: _text(folder / name) for name in ("population.sql", "control.sql")}
    digests = {name: canonical.sha256_hex(text.encode()) for name, text in sql.items()}
    digests["control.toml"] = canonical.sha256_hex((folder / "control.toml").read_bytes())
    where = str(folder / "control.toml")
    control = _build(
        Control,
        where,
        {
            **defaults,
            **body,
            "population_sql": sql["population.sql"],
            "control_sql": sql["control.sql"],
            "content_sha256": "",
            "folder": str(folder),
        },
    )
    for name in control.facts:
        if name not in facts:
            raise ControlError(f"{where}: facts: no fact {name!r}", fix=f"facts: {', '.join(sorted(facts)) or 'none'}")
    probe = Library("", "", {}, facts, {}, {})
    used = {fact.name: fact.content_sha256 for fact in probe.facts_of(control)}
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}
    digest = canonical.sha256_hex(
        canonical.encode({"files": digests, "defaults": dict(defaults), "facts": used, "settings": plain})
    )
    reasons = {UNKNOWN_VALUE: "A value that the test needs is not known.", **control.reasons}
    return control.model_copy(update={"content_sha256": digest, "reasons": reasons})


def load_facts(folder: Path) -> dict[str, Fact]:
    """Read every fact of ``folder``, unchecked against others. Raises ``ControlError`` that names the file."""
    found = {}
    for path in sorted(folder.glob("*.toml")):
        body = _toml(path)
        sql = _text(path.with_suffix(".sql"))
        digest = canonical.sha256_hex(path.read_bytes() + b"\0" + sql.encode())
        found[path.stem] = _build(
            Fact,
            str(path),
            {"name": path.stem, **body, "sql": sql, "content_sha256": digest, "folder": str(path.parent)},
        )
    for path in sorted(folder.glob("*.sql")):
        if path.stem not in found:
            raise ControlError(f"{path}: no {path.stem}.toml beside it", fix="declare what the fact reads; " + FIX)
    return found


def _check_facts(facts: Mapping[str, Fact], contracts: Mapping[str, Contract]) -> None:
    for fact in facts.values():
        _check_names(f"facts/{fact.name}.toml", fact, facts, contracts)

    def walk(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ControlError(f"facts/{name}.toml: facts go in a circle: {' → '.join((*above, name))}", fix="break it")
        for other in facts[name].facts:
            walk(other, (*above, name))

    for name in facts:
        walk(name, ())


def _check_names(
    where: str, reader: Control | Fact, facts: Mapping[str, Fact], contracts: Mapping[str, Contract]
) -> None:
    for name in reader.facts:
        if name not in facts:
            raise ControlError(f"{where}: facts: no fact {name!r}", fix=f"facts: {', '.join(sorted(facts)) or 'none'}")
    for name in reader.registers:
        if name not in SHAPES:
            raise ControlError(f"{where}: registers: no register {name!r}", fix=f"registers: {', '.join(SHAPES)}")
    receipts = [name for ops in (reader.ops if isinstance(reader, Control) else ()) for name in ops.datasets]
    if strange := sorted(set(receipts) - set(contracts)):
        raise ControlError(f"{where}: ops: no dataset {', '.join(strange)}", fix=FIX)
    seen = set()
    for evidence in reader.evidence:
        contract = contracts.get(evidence.dataset)
        if contract is None or evidence.dataset in seen:
            raise ControlError(f"{where}: evidence: {evidence.dataset} is unknown or stands twice", fix=FIX)
        seen.add(evidence.dataset)
        strange = [name for name in evidence.columns if name not in contract.landed_schema.names]
        if strange:
            raise ControlError(f"{where}: {evidence.dataset} has no sealed column {', '.join(strange)}", fix=FIX)
        for column, fields in evidence.fields.items():
            _check_fields(f"{where}: {evidence.dataset}.{column}", contract.landed_schema.field(column).type, fields)


def _check_fields(where: str, kind: pa.DataType, fields: frozenset[str]) -> None:
    try:
        narrowed(kind, fields)
    except KeyError as exc:
        raise ControlError(f"{where} has no field {', '.join(exc.args)}", fix=FIX) from exc


def _check_maps(folder: Path, control: Control, frameworks: Mapping[str, Framework]) -> None:
    for mapped in control.maps:
        framework = frameworks.get(mapped.framework)
        if framework is None or mapped.requirement not in framework.requirements:
            raise ControlError(
                f"{folder / 'control.toml'}: maps: {mapped.framework} has no requirement {mapped.requirement!r}",
                fix=f"ids stand in controls/frameworks/{mapped.framework}.json",
            )


def _library_digest(
    controls: Mapping[str, Control], facts: Mapping[str, Fact], frameworks: Mapping[str, Framework]
) -> str:
    return canonical.sha256_hex(
        canonical.encode(
            {
                "controls": {
                    name: {
                        "content": control.content_sha256,
                        "parameters": control.effective,
                        "severity": control.severity,
                        "disabled_until": control.disabled_until.isoformat() if control.disabled_until else None,
                    }
                    for name, control in controls.items()
                },
                "facts": {name: fact.content_sha256 for name, fact in facts.items()},
                "frameworks": {name: framework.model_dump(mode="json") for name, framework in frameworks.items()},
            }
        )
    )


def _build(model: type[Model], where: str, body: Mapping[str, Any]) -> Model:
    try:
        return model(**body)
    except ValidationError as exc:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in exc.errors())
        raise ControlError(f"{where}: {problems}", fix=FIX) from exc


def _setting(name: str, value: Any) -> Value:
    match value:
        case bool() | int() | str():
            return value
        case list() if all(isinstance(text, str) for text in value):
            return tuple(value)
    raise ControlError(
        f"library.toml: settings.{name}: {value!r}", fix="text, whole number, true/false or a list of text"
    )


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ControlError(f"{path}: {exc}", fix=FIX) from exc


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as exc:
        raise ControlError(f"{path}: {exc}", fix=FIX) from exc

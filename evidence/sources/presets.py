"""Read field mappings: presets that the package carries, and files of the workspace."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from evidence.datasets.contract import Contract
from evidence.errors import ConfigError
from evidence.snapshot.canonical import sha256_hex
from evidence.sources.mapping import FieldMapping, parse_mapping

PREFIX = "preset:"


def presets() -> list[str]:
    """Return the names of the presets."""
    folder = files("evidence.datasets") / "records" / "presets"
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


def load_mappings(refs: Sequence[str], contracts: Mapping[str, Contract]) -> Mapping[str, Sequence[FieldMapping]]:
    """Return mappings by dataset, in the given order. A ref is ``preset:NAME`` or the path of a file.

    Raises ``ConfigError`` that names the ref and the key.
    """
    found: dict[str, list[FieldMapping]] = {}
    for ref in refs:
        body = _preset(ref) if ref.startswith(PREFIX) else _file(Path(ref))
        # A receipt names the file, not where this machine keeps it: the digest says which it was.
        name = ref if ref.startswith(PREFIX) else Path(ref).name
        mapping = parse_mapping(name, body, sha256_hex(body), contracts)
        found.setdefault(mapping.dataset, []).append(mapping)
    return found


def _preset(ref: str) -> bytes:
    name = ref.removeprefix(PREFIX)
    if name not in presets():
        raise ConfigError(f"no preset {name!r}", fix=f"known: {', '.join(presets())}")
    return (files("evidence.datasets") / "records" / "presets" / f"{name}.toml").read_bytes()


def _file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ConfigError(
            f"cannot read the mapping {path.name}: {exc.strerror}", fix="correct mappings in the source's section"
        ) from exc

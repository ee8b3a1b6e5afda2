"""Read the contracts that the package carries: one TOML file per dataset, ``<product>/<dataset>.toml``."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

from pydantic import ValidationError

from evidence.datasets.contract import Contract
from evidence.errors import ConfigError
from evidence.snapshot.canonical import sha256_hex


def load_contracts() -> Mapping[str, Contract]:
    """Return every contract by dataset name, sorted. Raises ``ConfigError`` that names the file and key."""
    found: dict[str, Contract] = {}
    for product in files("evidence.datasets").iterdir():
        if product.is_dir():
            for file in product.iterdir():
                if file.name.endswith(".toml"):
                    contract = parse_contract(f"{product.name}/{file.name}", _read(file))
                    found[contract.name] = contract
    return dict(sorted(found.items()))


def parse_contract(file: str, body: bytes) -> Contract:
    """Parse one contract; ``file`` is ``<product>/<dataset>.toml`` and must agree with the name inside."""
    fix = f"correct evidence/datasets/{file}; docs/formats/contract.md explains every key"
    try:
        contract = Contract(**tomllib.loads(body.decode()), sha256=sha256_hex(body))
    except ValidationError as exc:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in exc.errors())
        raise ConfigError(f"{file}: {problems}", fix=fix) from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError) as exc:
        raise ConfigError(f"{file}: {exc}", fix=fix) from exc
    if contract.name != file.removesuffix(".toml").replace("/", "."):
        raise ConfigError(f"{file}: name: {contract.name} does not fit the file", fix=fix)
    return contract


def _read(file: Traversable) -> bytes:
    return file.read_bytes()

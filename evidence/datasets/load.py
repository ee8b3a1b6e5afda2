"""Read the contracts that the package carries: one TOML file per dataset, ``<product>/<dataset>.toml``.

A contract that ``extends`` another takes every key it does not state from it; its columns replace those of the same name
(in any case) and follow the others. Its digest is SHA-256 over its own bytes and the other's digest in hex, so it
covers both files. One level only: what is extended states all of itself.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from pydantic import ValidationError

from evidence.datasets.contract import Contract
from evidence.errors import ConfigError
from evidence.snapshot.canonical import sha256_hex


def load_contracts() -> Mapping[str, Contract]:
    """Return every contract by dataset name, sorted. Raises ``ConfigError`` that names the file and key.

    They are the package's own, so a process reads them once.
    """
    return dict(_packaged())


@cache
def _packaged() -> Mapping[str, Contract]:
    bodies: dict[str, bytes] = {}
    for product in files("evidence.datasets").iterdir():
        if product.is_dir():
            for file in product.iterdir():
                if file.name.endswith(".toml"):
                    bodies[f"{product.name}/{file.name}"] = _read(file)
    found = [parse_contract(file, body, bodies) for file, body in bodies.items()]
    return {contract.name: contract for contract in sorted(found, key=lambda contract: contract.name)}


def parse_contract(file: str, body: bytes, others: Mapping[str, bytes] | None = None) -> Contract:
    """Parse one contract; ``file`` is ``<product>/<dataset>.toml`` and must agree with the name inside.

    ``others`` are the files it may extend, by the same names.
    """
    fix = f"correct evidence/datasets/{file}; docs/formats/contract.md explains every key"
    try:
        stated = tomllib.loads(body.decode())
        digest = sha256_hex(body)
        if "extends" in stated:
            stated, digest = _extended(stated, body, others or {})
        contract = Contract(**stated, sha256=digest)
    except ValidationError as exc:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in exc.errors())
        raise ConfigError(f"{file}: {problems}", fix=fix) from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError, ValueError) as exc:
        raise ConfigError(f"{file}: {exc}", fix=fix) from exc
    if contract.name != file.removesuffix(".toml").replace("/", "."):
        raise ConfigError(f"{file}: name: {contract.name} does not fit the file", fix=fix)
    return contract


def _extended(stated: dict[str, Any], body: bytes, others: Mapping[str, bytes]) -> tuple[dict[str, Any], str]:
    """Return the keys of both files and the digest over both."""
    other = f"{str(stated['extends']).replace('.', '/', 1)}.toml"
    if other not in others:
        raise ValueError(f"extends: there is no {other}")
    below = tomllib.loads(others[other].decode())
    if "extends" in below:
        raise ValueError(f"extends: {other} extends another contract itself")
    own = {column["name"].lower(): column for column in stated.get("columns", [])}
    columns = [own.pop(column["name"].lower(), column) for column in below["columns"]]
    return {**below, **stated, "columns": [*columns, *own.values()]}, sha256_hex(
        body + sha256_hex(others[other]).encode()
    )


def _read(file: Traversable) -> bytes:
    return file.read_bytes()

"""Open a source by its kind: our own, or one that a third party registers under the entry-point group below.

An entry point ``kind = "package.module:factory"`` is called as ``factory(name, contracts=…, clock=…, **settings)`` and returns
something that fulfils ``evidence.sources.protocol.Source`` (the suite in ``tests/contracts/source.py`` says what that is).
"""

import datetime as dt
import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, cast

from evidence.datasets.contract import Contract
from evidence.errors import ConfigError
from evidence.sources.protocol import Source

GROUP = "evidence.sources"
Clock = Callable[[], dt.datetime]


class Factory(Protocol):
    """What makes a source of one kind from the settings of the configuration."""

    def __call__(self, name: str, *, contracts: Mapping[str, Contract], clock: Clock, **settings: Any) -> Source:
        """Return the source, without touching the system yet; raise ``ConfigError`` for settings that do not fit."""


def open_source(
    kind: str, name: str, *, contracts: Mapping[str, Contract], clock: Clock, settings: Mapping[str, Any]
) -> Source:
    """Return the source ``name`` of ``kind`` (``files``, ``dbt``, ``contracts``, ``records``, ``terraform``, or a registered one).

    ``settings`` are the keys of the configuration's section beside ``kind``, paths already resolved. Raises
    ``ConfigError`` naming the source and the setting.
    """
    factory = BUILT_IN.get(kind) or _registered(kind)
    try:
        inspect.signature(factory).bind(name, contracts=contracts, clock=clock, **settings)
    except TypeError as exc:
        raise ConfigError(
            f"sources.{name}: {kind}: {exc}",
            fix=f"correct the keys of [sources.{name}]; config.example.toml names them",
        ) from exc
    return factory(name, contracts=contracts, clock=clock, **settings)


def kinds() -> list[str]:
    """Return the kinds that can be opened, our own and registered ones."""
    return sorted({*BUILT_IN, *(point.name for point in entry_points(group=GROUP))})


def _registered(kind: str) -> Factory:
    for point in entry_points(group=GROUP, name=kind):
        return cast("Factory", point.load())
    raise ConfigError(
        f"no source of kind {kind!r}; known: {', '.join(kinds())}",
        fix=f"correct kind, or install the package that registers it under {GROUP}",
    )


def _files(name: str, *, contracts: Mapping[str, Contract], clock: Clock, path: Path) -> Source:
    from evidence.sources.files import FilesSource

    return FilesSource(name, path, contracts=contracts, clock=clock)


def _dbt(
    name: str,
    *,
    contracts: Mapping[str, Contract],  # noqa: ARG001 - every factory is called alike
    clock: Clock,
    path: Path,
    target: str = "",
    live: bool | None = None,
) -> Source:
    from evidence.sources.dbt import DbtSource

    return DbtSource(name, path, clock=clock, target=target, live=live)


def _contracts(
    name: str,
    *,
    contracts: Mapping[str, Contract],  # noqa: ARG001 - every factory is called alike
    clock: Clock,
    path: Path,
    branch: str = "",
    folder: str = "",
    history: bool = False,
) -> Source:
    from evidence.sources.contracts import ContractsSource

    return ContractsSource(name, path, clock=clock, branch=branch, folder=folder, history=history)


def _records(
    name: str,
    *,
    contracts: Mapping[str, Contract],
    clock: Clock,
    path: Path,
    mappings: Sequence[str] = (),
) -> Source:
    from evidence.sources.presets import load_mappings
    from evidence.sources.records import RecordsSource

    return RecordsSource(name, path, contracts=contracts, clock=clock, mappings=load_mappings(mappings, contracts))


def _terraform(name: str, *, contracts: Mapping[str, Contract], clock: Clock, path: Path) -> Source:
    from evidence.sources.terraform import TerraformSource

    return TerraformSource(name, path, contracts=contracts, clock=clock)


BUILT_IN: Mapping[str, Factory] = {
    "files": cast("Factory", _files),
    "dbt": cast("Factory", _dbt),
    "contracts": cast("Factory", _contracts),
    "records": cast("Factory", _records),
    "terraform": cast("Factory", _terraform),
}

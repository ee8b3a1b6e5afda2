"""Open a source by its kind: our own, or one that a third party registers under the entry-point group below.

An entry point ``kind = "package.module:factory"`` is called as ``factory(name, contracts=…, clock=…, **settings)`` and returns
something that fulfils ``evidence.sources.protocol.Source`` (the suite in ``tests/contracts/source.py`` says what that is).
"""

import datetime as dt
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from evidence.datasets.contract import Contract
from evidence.errors import ConfigError
from evidence.sources.dbt_shelf import Shelf
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
    """Return the source ``name`` of ``kind``: one of ``BUILT_IN``, or a registered one.

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
    path: Path | str = "",
    cloud: Mapping[str, Any] | None = None,
    target: str = "",
    live: bool | None = None,
    endpoint_url: str = "",
    profile: str = "",
    region: str = "",
) -> Source:
    from evidence.sources.dbt import DbtSource

    place: Path | Shelf
    if cloud is not None:
        place = _dbt_cloud(**cloud)
    elif isinstance(path, str) and path.startswith("s3://"):
        from evidence.sources.dbt_s3 import S3Shelf, connect, parse_place

        bucket, prefix = parse_place(path)
        place = S3Shelf(partial(connect, endpoint_url=endpoint_url, profile=profile, region=region), bucket, prefix)
    else:
        place = Path(path)
    return DbtSource(name, place, clock=clock, target=target, live=live)


def _dbt_cloud(
    *,
    account_id: int,
    token: Callable[[], str],
    host: str = "cloud.getdbt.com",
    project_id: int | None = None,
    environment_id: int | None = None,
    job_ids: Sequence[int] = (),
    lookback_days: int = 35,
) -> Shelf:
    from evidence.sources.dbt_cloud import CloudShelf, Scope
    from evidence.sources.dbt_cloud_api import CloudApi

    scope = Scope(project_id, environment_id, tuple(job_ids))
    return CloudShelf(CloudApi(host, account_id, token), scope, lookback_days=lookback_days)


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


def _aws(
    name: str,
    *,
    contracts: Mapping[str, Contract],
    clock: Clock,
    run: str,
    accounts: Sequence[Mapping[str, Any]] = (),
    regions: Sequence[str] = (),
    home_region: str = "",
    profile: str = "",
    endpoint_url: str = "",
    retry_mode: Literal["standard", "adaptive"] = "standard",
    attempts: int = 8,
    inventory: Sequence[str] = (),
    datasets: Sequence[str] = (),
) -> Source:
    from evidence.sources.aws import READERS, AwsSource
    from evidence.sources.aws_operations import Place
    from evidence.sources.aws_session import HOME_REGION, AccountLogin, Connection

    unknown = sorted(set(datasets) - READERS.keys())
    if unknown:
        raise ConfigError(f"sources.{name}: datasets: {', '.join(unknown)}", fix=f"known: {', '.join(READERS)}")
    connection = Connection(
        profile=profile,
        endpoint_url=endpoint_url,
        retry_mode=retry_mode,
        attempts=attempts,
        home_region=home_region or next(iter(regions), HOME_REGION),
        places=tuple(Place.parse(url) for url in inventory),
    )
    logins = [AccountLogin(said["role_arn"], said["external_id"], tuple(said["regions"])) for said in accounts]
    every = [dataset for dataset in READERS if dataset in contracts]
    return AwsSource(
        name, logins, tuple(datasets) or every, regions=regions, connection=connection, run=run, clock=clock
    )


BUILT_IN: Mapping[str, Factory] = {
    "files": cast("Factory", _files),
    "dbt": cast("Factory", _dbt),
    "contracts": cast("Factory", _contracts),
    "aws": cast("Factory", _aws),
    "records": cast("Factory", _records),
    "terraform": cast("Factory", _terraform),
}

"""Each source: can it be reached, can each dataset be read, and how old is the newest night it has."""

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from evidence.cli.looks import sources_aws, sources_snowflake
from evidence.cli.looks.clock import Clocks
from evidence.cli.workspace import Workspace
from evidence.config import AwsSourceConfig, DbtSourceConfig, SnowflakeSourceConfig
from evidence.doctor import NETWORK, Examination, Line, fail, ok, warn
from evidence.sources.files import UNRECOGNISED
from evidence.sources.protocol import Source

OLD: Final = 2  # nights; an export of yesterday may still be on its way
NONE: Final = warn(
    "source", "none is configured: a night reads nothing", "add [sources.NAME]; config.example.toml shows each kind"
)
LONG: Final = 180.0  # seconds for an account with a hundred datasets


def looks(workspace: Workspace, clocks: Clocks) -> list[Examination]:
    """Return one look per source; what is behind the network is bounded."""
    if not workspace.config.sources:
        return [Examination("source", lambda: [NONE])]
    return [look for name in sorted(workspace.config.sources) for look in _looks(workspace, clocks, name)]


def _looks(workspace: Workspace, clocks: Clocks, name: str) -> list[Examination]:
    section, what = workspace.config.sources[name], f"source {name}"
    asked = Examination(f"{what} datasets", lambda: _asked(workspace, name))
    if isinstance(section, SnowflakeSourceConfig):
        reach = Examination(what, lambda: sources_snowflake.lines(workspace, clocks, name, section), seconds=LONG)
        return [asked, reach]
    if isinstance(section, AwsSourceConfig):
        return [asked, Examination(what, lambda: sources_aws.lines(workspace, clocks, name), seconds=LONG)]
    far = isinstance(section, DbtSourceConfig) and (section.cloud is not None or section.path.startswith("s3://"))
    place = None if far else workspace.config.path(section.path)
    return [Examination(what, lambda: _exports(workspace, name, place), seconds=NETWORK if far else 0)]


def _asked(workspace: Workspace, name: str) -> str:
    """Say what a source is asked for, by the configuration alone."""
    datasets, left_out = workspace.datasets_of(name), len(workspace.not_captured(name))
    rest = f", {left_out} not captured (evidence status names them)" if left_out else ""
    return f"{workspace.config.sources[name].kind}, {len(datasets)} datasets{rest}"


def _exports(workspace: Workspace, name: str, place: Path | None) -> Iterator[Line]:
    what = f"source {name}"
    if place is not None and not place.is_dir():
        yield fail(what, f"{place} is no folder", f"mount or make it, or correct [sources.{name}] path", 4)
        return
    if place is not None and not os.access(place, os.R_OK | os.X_OK):
        yield fail(what, f"{place} cannot be read", f"chmod u+rx {place}, or give it to the collector's user", 5)
        return
    datasets, source = workspace.datasets_of(name), workspace.source(name)
    if not datasets:
        yield fail(
            what,
            f"source {name} holds no dataset",
            f"check the keys under [sources.{name}]: nothing in it has a name that is known",
            4,
        )
        return
    if missing := sorted(set(workspace.wanted(name)) - set(datasets)):
        fix = f"export them, or take them out of [sources.{name}] datasets"
        yield fail(what, f"configured and not there: {', '.join(missing)}", fix, 4)
    if UNRECOGNISED in datasets:
        fix = "docs/formats/export.md says where files lie; `evidence collect` seals what it could not place, by name"
        yield warn(f"{what}: {UNRECOGNISED}", "files lie in it that fit no dataset", fix)
    newest = {dataset: _newest(workspace, source, dataset) for dataset in datasets if dataset != UNRECOGNISED}
    kind = workspace.config.sources[name].kind
    yield from _ages(what, kind, newest, workspace.clock().date())


def _newest(workspace: Workspace, source: Source, dataset: str) -> dt.date | None:
    """Return the newest night; None where the source is asked for now, or for any night."""
    contract = workspace.contracts.get(dataset)
    nights = source.nights(contract) if contract is not None else None
    return max(nights, default=None) if nights is not None else None


def _ages(what: str, kind: str, newest: dict[str, dt.date | None], today: dt.date) -> Iterator[Line]:
    known = {dataset: night for dataset, night in newest.items() if night is not None}
    last = max(known.values(), default=None)
    if last is None:
        yield ok(what, f"{kind}, {len(newest)} datasets, read as they are now")
        return
    age = (today - last).days - 1
    said = f"{kind}, {len(newest)} datasets, newest night {last}, {max(age, 0)} nights behind"
    if age > OLD:
        yield warn(what, said, "look at what exports: nights that were not exported cannot be collected")
    else:
        yield ok(what, said)
    for dataset, night in sorted(known.items()):
        if (last - night).days > OLD:
            detail = f"newest night {night}, the source's is {last}"
            yield warn(
                f"{what}: {dataset}",
                detail,
                f"look at the export of {dataset}: it stopped before the others",
                part=True,
            )
        else:
            yield ok(f"{what}: {dataset}", f"newest night {night}", part=True)

"""A pull request's manifest as a ``dbt`` source of its own: one file, wherever it lies, read by the same code as any other."""

import dataclasses
import datetime as dt
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from evidence.errors import SourceUnavailableError
from evidence.sources.dbt import DbtSource
from evidence.sources.dbt_artifact import Artifact, describe
from evidence.sources.dbt_file import of_tree
from evidence.sources.dbt_shelf import FolderShelf
from evidence.sources.tree import TreeFile


class OneFile(FolderShelf):
    """One manifest; whatever else the file turns out to be is refused by name."""

    @cached_property
    def _index(self) -> tuple[Artifact, ...]:
        path = self._folder.resolve()
        try:
            status = path.stat()
        except OSError as exc:
            raise SourceUnavailableError(
                f"{path.name}: {exc.strerror}", fix="name the manifest.json that dbt wrote"
            ) from None
        modified = dt.datetime.fromtimestamp(status.st_mtime, dt.UTC)
        found = describe(of_tree(TreeFile(path, path.name, status.st_size, modified)))
        if found.kind != "manifest":
            refusal = found.refusal or f"{found.label}: {found.schema_version} is no manifest"
            found = dataclasses.replace(found, kind="manifest", refusal=refusal)
        return (found,)


def manifest_source(name: str, path: Path, clock: Callable[[], dt.datetime]) -> DbtSource:
    """Return the source ``name`` as ``path`` has it, captured now."""
    return DbtSource(name, OneFile(path), clock=clock, live=True)

"""``evidence export files``: the sealed files of one log size, and tables of other engines over exactly these."""

import csv
import io
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer

from evidence.cli import output
from evidence.cli.assess_command import reader_of
from evidence.cli.workspace import Workspace, now
from evidence.config import PublishConfig
from evidence.errors import UsageError
from evidence.ops import external
from evidence.ops.listing import COLUMNS, WINDOW_COLUMNS, Place, Row, Window, file_rows, symlinks, window_rows
from evidence.snapshot import canonical
from evidence.store.index import Index

FORMAT = "evidence-files-v1"


def files(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="The folder to make; it must not be there yet.")],
    at: Annotated[int | None, typer.Option(help="What was sealed at this log size; default: now.")] = None,
    dataset: Annotated[list[str] | None, typer.Option(help="Only this dataset; may be repeated.")] = None,
    url: Annotated[str, typer.Option(help="Where other engines find the store; default: its own address.")] = "",
    manifests: Annotated[str, typer.Option(help="s3:// place the folder `athena` will be uploaded to.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Write the list of sealed files at a log size, Athena's symlink manifests and Snowflake's external tables over it; read no row."""
    if out.exists():
        raise UsageError(f"{out} exists already", fix="exports are never overwritten: choose another --out")
    if not out.parent.is_dir():
        raise UsageError(f"no folder {out.parent}", fix="make it, or name another folder")
    workspace = Workspace.open(context.obj)
    try:
        chosen = _datasets(workspace, dataset)
        place = _place(workspace, at, url)
        windows = _windows(workspace, place.log_size, chosen)
    finally:
        workspace.close()
    schemas = {
        name: workspace.contracts[name].landed_schema for name in sorted({w.sealed.key.dataset for w in windows})
    }
    settings = workspace.config.publish or PublishConfig(connection="publisher")
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        draft = Path(folder) / "draft"
        for name, text in _written(place, windows, schemas, manifests, settings.into):
            path = draft / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        draft.rename(out)
    _say(out, place, windows, json=json)


def _datasets(workspace: Workspace, asked: Sequence[str] | None) -> Sequence[str]:
    if unknown := sorted(set(asked or ()) - workspace.contracts.keys()):
        raise UsageError(f"no dataset {', '.join(unknown)}", fix="docs/datasets.md lists every dataset")
    return asked or list(workspace.contracts)


def _place(workspace: Workspace, at: int | None, url: str) -> Place:
    size = workspace.log.size
    if at is not None and not 0 < at <= size:
        raise UsageError(f"the log has no size {at}", fix=f"--at 1 … {size}")
    return Place(workspace.log.origin, size if at is None else at, (url or workspace.store.url).rstrip("/"))


def _windows(workspace: Workspace, size: int, datasets: Sequence[str]) -> list[Window]:
    """Return the last revision of every window at that size; each manifest is verified against its log entry."""
    reader = reader_of(workspace, now())
    if size != reader.index.size:
        reader.index = Index.at(workspace.log, size)
    wanted = set(datasets)
    found = [each for each in reader.index.snapshots() if each.key.dataset in wanted]
    with output.progress("manifests", len(found)) as step:
        windows = []
        for each in found:
            windows.append(Window(each, reader.manifest(each)))
            step(each.key.dataset)
    return windows


def _written(
    place: Place, windows: Sequence[Window], schemas: dict[str, pa.Schema], manifests: str, schema: str
) -> Iterator[tuple[str, str]]:
    listed = list(file_rows(place, windows))
    yield "files.csv", _csv(COLUMNS, listed)
    yield "windows.csv", _csv(WINDOW_COLUMNS, list(window_rows(place, windows)))
    body = {"format": FORMAT, "origin": place.origin, "log_size": place.log_size, "url": place.url, "files": listed}
    yield "files.json", canonical.encode(body).decode() + "\n"
    for name, text in symlinks(place, windows):
        yield f"athena/{name}", text
    yield "athena.sql", external.athena(schemas, manifests or "s3://YOUR-BUCKET/evidence-manifests")
    yield "snowflake.sql", external.snowflake(schemas, place.url, schema)


def _csv(columns: Sequence[str], rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _say(out: Path, place: Place, windows: Sequence[Window], *, json: bool) -> None:
    count = sum(len(each.manifest.parts) for each in windows)
    unread = [each for each in windows if not each.read]
    if json:
        said = {"log_size": place.log_size, "origin": place.origin, "url": place.url, "windows": len(windows)}
        output.as_json({**said, "files": count, "not_complete": len(unread), "folder": out})
        return
    output.say(f"{count} files of {len(windows)} windows at log size {place.log_size}")
    if unread:
        output.say(f"{len(unread)} windows are not complete: windows.csv says how; the tables do not show them")
    if not place.url.startswith("s3://"):
        output.say(f"the tables name {place.url}: Athena and Snowflake need the s3:// place of a copy, --url")
    output.say(str(out))

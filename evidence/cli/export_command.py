"""``evidence export``: a packet's evidence in the shapes of other tools, a control's population as a file, the list of sealed files."""

import datetime as dt
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final, get_args

import typer

from evidence.bag.files import open_bag
from evidence.bag.folders import by_control
from evidence.cli import output
from evidence.cli.assess_command import reader_of
from evidence.cli.export_files import files
from evidence.cli.tested import items_tested, nights_asked, tested_on
from evidence.cli.workspace import Workspace, now
from evidence.control.population import items_of
from evidence.control.result import NightFinding
from evidence.control.sampling import NightPopulation, fingerprint_of
from evidence.errors import UsageError
from evidence.render.inputs import DEMO
from evidence.render.population import Format, Population, nights_csv, write_population
from evidence.snapshot.ahead import cores

EXAMPLES: Final = {
    "audit-manager": ("evidence export audit-manager work/packets/PACKET.zip --out folders",),
    "files": (
        "evidence -w work export files --out files",
        "evidence -w work export files --at 3171 --dataset snowflake.users --out files",
    ),
    "population": (
        "evidence -w work export population identity-mfa-humans --night 2026-07-14 --out mfa.csv",
        "evidence -w work export population change-record --period 2026-Q3 --out changes.xlsx",
    ),
}

app = typer.Typer(help="Evidence in the shapes of other tools.", no_args_is_help=True)
app.command("files")(files)


@app.callback()
def root() -> None:
    """Evidence in the shapes of other tools."""


@app.command("audit-manager")
def audit_manager(
    packet: Annotated[Path, typer.Argument(help="A packet, folder or zip.")],
    out: Annotated[Path, typer.Option(help="Where to write the folder of the packet's name.")],
) -> None:
    """Folders by control, source and night, as AWS Audit Manager has them: digests and places of the exhibits, no copies."""
    if not packet.exists():
        raise UsageError(f"no packet at {packet}", fix="name a packet folder or zip")
    with open_bag(packet) as files:
        final = out / files.label
        if final.exists():
            raise UsageError(f"{final} exists already", fix="exports are never overwritten: choose another --out")
        building = out / f".{files.label}.partial"
        shutil.rmtree(building, ignore_errors=True)  # what an interrupted run left; the name is ours alone
        written = 0
        for name, body in by_control(files, cores()):
            path = building / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
            written += 1
        (building / files.label).rename(final)
        building.rmdir()
    output.say(f"{written} files. The digests are the packet's; who sealed it: evidence verify {packet} --trust …")
    output.say(str(final))


@app.command("population")
def population(
    context: typer.Context,
    control: Annotated[str, typer.Argument(help="The control whose population is written.")],
    out: Annotated[Path, typer.Option(help="The file to write; it must not be there yet.")],
    night: Annotated[str | None, typer.Option(help="One night, YYYY-MM-DD.")] = None,
    period: Annotated[str | None, typer.Option(help="All nights of a period, for example 2026-Q3.")] = None,
    form: Annotated[str, typer.Option("--format", help="csv, parquet or xlsx; default: by the file's ending.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Write every item that a control was tested on, with its result, from the sealed evidence; refused unless the items are those that were sealed."""
    chosen = _format(form or out.suffix.removeprefix("."))
    beside = [] if chosen == "xlsx" else [out.with_name(f"{out.name}.nights.csv")]
    for path in (out, *beside):
        if path.exists():
            raise UsageError(f"{path} is there already", fix="name another file")
    if not out.parent.is_dir():
        raise UsageError(f"no folder {out.parent}", fix="make it, or name another file")
    nights = nights_asked(night, period)
    workspace = Workspace.open(context.obj)
    try:
        workspace.library.control(control)
        found = [(each, tested_on(workspace, control, each)) for each in nights]
        made = _population(workspace, control, str(period or night), found)
        if not made.tested:
            raise UsageError(
                f"{control} tested nothing in {made.asked}",
                fix=f"evidence assess --period {nights[0]}..{nights[-1]} says why",
            )
        reader = reader_of(workspace, now())
        digest = _written(out, chosen, made, lambda tested: items_tested(workspace, reader, tested))
    finally:
        workspace.close()
    for path in beside:
        path.write_bytes(nights_csv(made))
    _say(out, beside, made, digest, json=json)


def _format(text: str) -> Format:
    for known in get_args(Format):
        if text == known:
            form: Format = known
            return form
    raise UsageError(f"no format {text!r}", fix="--format csv, parquet or xlsx")


def _population(
    workspace: Workspace, control: str, asked: str, nights: Sequence[tuple[dt.date, NightFinding | None]]
) -> Population:
    text = workspace.library.controls[control]
    tested = [
        NightPopulation(night.isoformat(), each.population, each.fingerprint)
        for night, each in nights
        if each and each.fingerprint
    ]
    return Population(
        control=control,
        title=text.title,
        statement=text.statement,
        entity=f"{workspace.config.entity.name}, {workspace.config.entity.system}",
        asked=asked,
        fingerprint=fingerprint_of(tested) if len(nights) > 1 else "".join(each.fingerprint for each in tested),
        log=f"size {workspace.log.size} of {workspace.verifier.name}",
        nights=nights,
        marks=(DEMO,) if workspace.config.demo else (),
    )


def _written(out: Path, form: Format, made: Population, items: Callable[[NightFinding], Sequence[str]]) -> str:
    """Write the file whole or not at all; return its SHA-256."""
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        draft = Path(folder) / "draft"
        write_population(draft, form, made, items_of(made.tested, items))
        with draft.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        draft.rename(out)
    return digest


def _say(out: Path, beside: Sequence[Path], made: Population, digest: str, *, json: bool) -> None:
    missing = {
        night.isoformat(): f"{each.reason}: {each.detail}" if each else "never assessed"
        for night, each in made.nights
        if each is None or not each.fingerprint
    }
    if json:
        said = {"control": made.control, "asked": made.asked, "items": made.count, "nights": len(made.tested)}
        output.as_json({**said, "fingerprint": made.fingerprint, "not_tested": missing, "file": out, "sha256": digest})
        return
    output.say(f"{made.count} items of {len(made.tested)} nights, {made.fingerprint}")
    for night, why in missing.items():
        output.say(f"not tested: {night}: {why}")
    for path in beside:
        output.say(f"nights: {path}")
    output.say(f"{out} {digest}")

"""``evidence export``: a packet's evidence in the shapes of other tools."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from evidence.bag.files import open_bag
from evidence.bag.folders import by_control
from evidence.cli import output
from evidence.errors import UsageError
from evidence.snapshot.ahead import cores

app = typer.Typer(help="A packet's evidence in the shapes of other tools.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """A packet's evidence in the shapes of other tools."""


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

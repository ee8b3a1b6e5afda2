"""``evidence verify``: check a packet or a store with keys that were carried outside."""

import datetime as dt
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from evidence.cli import output
from evidence.errors import UsageError
from evidence.signing.trust import load_trust, read_checkpoint, read_moment
from evidence.snapshot.ahead import cores
from evidence.snapshot.check import Verification
from evidence.store.local import LocalStore
from evidence.store.objects import ObjectStore
from evidence.store.open import open_store
from evidence.verify import is_store, verify_path

Trust = Annotated[
    list[Path] | None,
    typer.Option(
        help="Trusted key or certificate: the folder `trust`, a .vkey or a .pem file (tsa-*.pem: for time-stamps, people-*.pem: for approvals); may be repeated."
    ),
]


EXAMPLES: Final = (
    "evidence verify PACKET.zip --trust trust",
    "evidence verify PACKET.zip --trust trust --reperform",
    "evidence verify s3://acme-evidence/prod --trust trust --checkpoint kept",
    "evidence verify part-0000.parquet --trust log.vkey",
)


def verify(
    path: Annotated[
        str,
        typer.Argument(
            help="A packet (folder or zip), a store (folder or s3://bucket/prefix), or one exhibit's folder or file."
        ),
    ],
    trust: Trust = None,
    checkpoint: Annotated[Path | None, typer.Option(help="A checkpoint you kept: finds rollback.")] = None,
    since: Annotated[
        bool, typer.Option("--since", help="Of a store, check only what was committed after the kept checkpoint.")
    ] = False,
    mirror: Annotated[
        str | None, typer.Option(help="A second copy of the store: says which of the two differs.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Files hashed, and with --reperform nights computed, at a time; by default the cores."
        ),
    ] = None,
    at_time: Annotated[
        str | None,
        typer.Option(help="Judge certificates as of this time, 2026-10-06 or with T09:30:00Z, instead of now."),
    ] = None,
    endpoint_url: Annotated[str, typer.Option(help="S3 endpoint, if not AWS's own.")] = "",
    region: Annotated[str, typer.Option(help="S3 region.")] = "",
    reperform: Annotated[bool, typer.Option("--reperform", help="Also compute the findings again.")] = False,
    store: Annotated[
        str | None,
        typer.Option(help="With --reperform: the store (folder or s3://…) of rows that the packet only references."),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show every check, not only failures.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """Check a packet, a store or one exhibit offline; name the failed step. Exit 10 if anything fails."""
    place = _place(path, endpoint_url, region)
    if reperform and (not isinstance(place, Path) or is_store(place)):
        raise UsageError("--reperform takes a packet", fix="name a packet folder or zip")
    if store and not reperform:
        raise UsageError("--store is for --reperform", fix="add --reperform, or name the store as the path to verify")
    rows = partial(_store, store, endpoint_url, region) if store else None
    if rows:
        rows()  # a wrong name is said before the work begins
    given, kept = load_trust(trust or []), read_checkpoint(checkpoint)
    if not json:
        for role, files in given.roles.items():
            output.say(f"trusted for {role}: {', '.join(files)}")
    result = verify_path(
        place,
        certificates=given.certificates,
        vkeys=given.vkeys,
        authorities=given.authorities,
        checkpoint=kept,
        since=since,
        mirror=_place(mirror, endpoint_url, region) if mirror else None,
        jobs=jobs or cores(),
        lists=given.lists,
        people=given.people,
        at=read_moment(at_time),
    )
    if reperform and result.ok and isinstance(place, Path):
        from evidence.reperform import reperform as again

        result = result.joined(again(place, rows, jobs or cores()))
    return _show(result, explain=explain, json=json)


def _place(text: str, endpoint_url: str, region: str) -> Path | ObjectStore:
    """Return the path, or the bucket opened for reading: the lock mode is for puts, of which there are none."""
    if not text.startswith("s3://"):
        return Path(text)
    return open_store(
        text,
        base=Path.cwd(),
        clock=lambda: dt.datetime.now(dt.UTC),
        mode="GOVERNANCE",
        endpoint_url=endpoint_url,
        region=region,
    )


def _store(text: str, endpoint_url: str, region: str) -> ObjectStore:
    place = _place(text, endpoint_url, region)
    if isinstance(place, Path):
        if not is_store(place):
            raise UsageError(f"{place} is not a store", fix="name the folder that holds log/, or s3://bucket/prefix")
        return LocalStore(place)
    return place


def _show(result: Verification, *, explain: bool, json: bool) -> int:
    if json:
        output.as_json(result.to_json()["checks"])
    else:
        output.table("", ["", "step", "what", "subject"], result.shown(explain=explain))
        output.say(result.summary())
    return result.exit_code

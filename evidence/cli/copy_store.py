"""``python -m evidence.cli.copy_store``: a store to another folder or bucket, verified on the way; docs/runbooks/restore.md."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from evidence.cli import output
from evidence.errors import EvidenceError, UsageError
from evidence.signing.trust import load_trust
from evidence.store.copying import copy_store
from evidence.store.objects import ObjectStore
from evidence.store.open import open_store
from evidence.tlog.cosignature import is_cosigner
from evidence.tlog.note import parse_verifier


def main(
    source: Annotated[str, typer.Argument(help="file:DIR or s3://bucket/prefix.")],
    target: Annotated[
        str, typer.Argument(help="file:DIR or s3://bucket/prefix; the bucket versioned, with Object Lock.")
    ],
    trust: Annotated[Path, typer.Option(help="The log's verifier key: a .vkey file.")],
    mode: Annotated[str, typer.Option(help="Lock of objects put to S3: GOVERNANCE or COMPLIANCE.")] = "GOVERNANCE",
    days: Annotated[int, typer.Option(help="Days they are locked for, at least as long as in the source.")] = 2557,
    endpoint_url: Annotated[str, typer.Option(help="S3 endpoint, if not AWS's own.")] = "",
    region: Annotated[str, typer.Option(help="S3 region.")] = "",
) -> None:
    """Copy what the log names, log last; running it again goes on where it stopped."""

    def opened(url: str) -> ObjectStore:
        return open_store(
            url, base=Path.cwd(), clock=lambda: dt.datetime.now(dt.UTC), retention_days=days,
            endpoint_url=endpoint_url, region=region, mode=mode if url.startswith("s3:") else "NONE",
        )  # fmt: skip

    keys = [text for text in load_trust([trust]).vkeys if not is_cosigner(text)]
    if len(keys) != 1:
        raise UsageError(f"--trust names {len(keys)} log keys", fix="give the one log.vkey of this store")
    count = total = 0
    for _, size in copy_store(opened(source), opened(target), parse_verifier(keys[0])):
        count, total = count + 1, total + size
    output.say(f"copied {count} objects, {total:,} bytes to {target}: the log continues there")


if __name__ == "__main__":
    try:
        typer.run(main)
    except EvidenceError as error:
        output.show_error(error)
        raise SystemExit(error.exit_code) from None

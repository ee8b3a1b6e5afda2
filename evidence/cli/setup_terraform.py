"""``evidence setup terraform``: what ``setup aws`` and ``setup snowflake`` print, as a Terraform module."""

from pathlib import Path
from typing import Annotated, Final

import typer

from evidence.cli import output
from evidence.cli.setup_aws import bucket_of, partition_of
from evidence.cli.setup_snowflake import chosen_source, contracts_of, identity
from evidence.cli.workspace import Workspace
from evidence.config import AwsSourceConfig, SnowflakeSourceConfig
from evidence.errors import UsageError
from evidence.sources.aws import READERS
from evidence.sources.aws_operations import Place
from evidence.terraform.module import HEADER, Account, module
from evidence.terraform.store import Reader

_APART: Final = "# ---- {name}"


def terraform(
    context: typer.Context,
    out: Annotated[Path | None, typer.Option(help="Write the files into this folder instead of printing them.")] = None,
    store: Annotated[
        str, typer.Option(help="s3://bucket/prefix of a bucket that is still to be made; default: [store] url.")
    ] = "",
    retention_mode: Annotated[str, typer.Option(help="Its default lock, GOVERNANCE or COMPLIANCE.")] = "",
    retention_days: Annotated[int | None, typer.Option(help="How long it locks.", min=1)] = None,
    region: Annotated[str, typer.Option(help="Its region, where the partition is not aws.")] = "",
    source: Annotated[str, typer.Option(help="The snowflake source that is meant, if there are several.")] = "",
) -> None:
    """Print a Terraform module: the bucket with its locks, key and policies, roles for collector and auditor, and the Snowflake side.

    It holds the policies and grants that setup aws and setup snowflake print. Nothing is applied.
    """
    workspace = Workspace.open(context.obj)
    bucket = bucket_of(workspace.config.store, store, retention_mode, retention_days, region)
    readers = [s for s in workspace.config.sources.values() if isinstance(s, AwsSourceConfig)]
    files = module(
        bucket, _reader(readers), _account(workspace, source), _partition(readers, bucket.partition if bucket else "")
    )
    if set(files) == {"versions.tf"}:
        raise UsageError(
            "nothing in evidence.toml asks for a bucket, an AWS source or a Snowflake source",
            fix="--store s3://bucket/prefix, or add a source of kind snowflake or aws",
        )
    if out is None:
        print("\n".join(f"{_APART.format(name=name)}\n{body}" for name, body in files.items()), end="")
        return
    _write(out, files)


def _reader(sections: list[AwsSourceConfig]) -> Reader | None:
    """Put all AWS sources into one: the collector has one identity."""
    if not sections:
        return None
    return Reader(
        sorted({dataset for section in sections for dataset in (section.datasets or READERS)}),
        [Place.parse(url) for section in sections for url in section.inventory],
        sorted({each.role_arn for section in sections for each in section.accounts if each.role_arn}),
    )


def _partition(sections: list[AwsSourceConfig], of_bucket: str) -> str:
    return of_bucket or partition_of([each.role_arn for s in sections for each in s.accounts if each.role_arn])


def _account(workspace: Workspace, source: str) -> Account | None:
    if not source and not any(isinstance(each, SnowflakeSourceConfig) for each in workspace.config.sources.values()):
        return None
    name, section = chosen_source(workspace, source or None)
    elevated = identity(section.elevated, "EVIDENCE_ELEVATED") if section.elevated else None
    return Account(name, contracts_of(workspace, name, section), identity(section, "EVIDENCE_COLLECTOR"), elevated)


def _write(folder: Path, files: dict[str, str]) -> None:
    """Write the files. Raises ``UsageError`` before the first if one is there that is not ours."""
    for name in files:
        path = folder / name
        if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(f"# {HEADER}"):
            raise UsageError(f"{path} is not one that this command wrote", fix="choose another folder with --out")
    folder.mkdir(parents=True, exist_ok=True)
    for name, body in files.items():
        (folder / name).write_text(body, encoding="utf-8")
        output.say(str(folder / name))

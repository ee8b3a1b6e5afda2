"""``evidence setup aws``: the IAM documents that the configured datasets need, and what a policy grants beyond them."""

import json as spelled
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from evidence.cli import output
from evidence.cli.workspace import Workspace
from evidence.config import AwsSourceConfig, Config
from evidence.errors import SourceDeniedError, UsageError
from evidence.sources.aws import READERS
from evidence.sources.aws_operations import Place
from evidence.sources.aws_policy import beyond, caller_policy, reading_policy, trust_policy
from evidence.store.s3_policy import bucket_policy, collector_policy, lifecycle


def aws(
    context: typer.Context,
    source: Annotated[str, typer.Option(help="The aws source of evidence.toml; the only one may be left out.")] = "",
    principal: Annotated[str, typer.Option(help="ARN of the identity that the collector runs as.")] = "",
    check: Annotated[
        Path | None, typer.Option(help="A policy document (JSON): print what it allows beyond the need.")
    ] = None,
) -> int:
    """Print the least-privilege role for the configured datasets, and the policies of an s3: store, as JSON. Nothing is sent to AWS."""
    workspace = Workspace.open(context.obj)
    store = _store_policies(workspace.config)
    if (
        store
        and not source
        and not any(isinstance(each, AwsSourceConfig) for each in workspace.config.sources.values())
    ):
        output.as_json(store)
        return 0
    name, section = _section(workspace, source)
    datasets = section.datasets or tuple(READERS)
    places = [Place.parse(url) for url in section.inventory]
    roles = [account.role_arn for account in section.accounts if account.role_arn]
    partition = _partition(roles)
    if check is not None:
        return _check(check, beyond(_read(check), datasets, places, partition=partition))
    said: dict[str, Any] = {
        **store,
        "source": name,
        "role_policy": reading_policy(datasets, places, partition=partition),
    }
    if roles:
        trusted = principal or "<ARN of the collector's identity: --principal>"
        said["caller_policy"] = caller_policy(roles)
        said["trust_policies"] = {
            account.role_arn: trust_policy(trusted, account.external_id)
            for account in section.accounts
            if account.role_arn
        }
    output.as_json(said)
    return 0


def _store_policies(config: Config) -> dict[str, Any]:
    """Return what an administrator puts on the bucket and on the collector's role; nothing for a folder."""
    settings, parts = config.store, urlsplit(config.store.url)
    if parts.scheme != "s3":
        return {}
    partition = "aws-us-gov" if settings.region.startswith("us-gov-") else "aws"
    partition = "aws-cn" if settings.region.startswith("cn-") else partition
    place = (parts.netloc, parts.path)
    tls = not settings.endpoint_url.startswith("http://")
    return {
        "store_bucket_policy": bucket_policy(*place, settings.retention_days, partition=partition, tls=tls),
        "store_collector_policy": collector_policy(*place, partition=partition, kms_key_id=settings.kms_key_id),
        "store_lifecycle": lifecycle(parts.path, config.kept.longest),
    }


def _section(workspace: Workspace, source: str) -> tuple[str, AwsSourceConfig]:
    found = {name: said for name, said in workspace.config.sources.items() if isinstance(said, AwsSourceConfig)}
    if source not in found and (source or len(found) != 1):
        raise UsageError(
            f"no aws source {source!r} in evidence.toml" if source else f"{len(found)} aws sources in evidence.toml",
            fix=f"name one with --source; configured: {', '.join(sorted(found)) or 'none'}",
        )
    name = source or next(iter(found))
    return name, found[name]


def _check(file: Path, found: list[str]) -> int:
    for line in found:
        output.say(f"{file}: beyond the need: {line}")
    if not found:
        output.say(f"{file}: allows nothing beyond the need of the configured datasets")
    return SourceDeniedError.exit_code if found else 0


def _read(file: Path) -> dict[str, Any]:
    try:
        value = spelled.loads(file.read_text())
    except (OSError, ValueError) as exc:
        raise UsageError(f"cannot read {file}: {exc}", fix="give a JSON policy document") from exc
    document = value.get("role_policy", value) if isinstance(value, dict) else None
    if not isinstance(document, dict) or "Statement" not in document:
        raise UsageError(f"{file} holds no policy document", fix="give a JSON object with Version and Statement")
    return document


def _partition(roles: list[str]) -> str:
    return roles[0].split(":")[1] if roles else "aws"

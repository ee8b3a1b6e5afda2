"""``evidence setup aws``: the IAM documents that the configured datasets need, and what a policy grants beyond them."""

import json as spelled
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from evidence.cli import init_choices as rules
from evidence.cli import output
from evidence.cli.workspace import Workspace
from evidence.config import AwsSourceConfig, Config, StoreConfig
from evidence.errors import SourceDeniedError, UsageError
from evidence.sources.aws import READERS
from evidence.sources.aws_operations import Place
from evidence.sources.aws_policy import beyond, caller_policy, reading_policy, trust_policy
from evidence.store.s3_policy import auditor_policy, bucket_policy, bucket_settings, collector_policy, lifecycle
from evidence.terraform.store import Bucket


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
    partition = partition_of(roles)
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
    """Return what an administrator puts on the bucket, on the collector's role and on the auditor's; nothing for a folder."""
    bucket = bucket_of(config.store)
    if bucket is None:
        return {}
    place, key = (bucket.name, bucket.prefix), bucket.kms_key_id
    return {
        "store_bucket_settings": bucket_settings(bucket.mode, bucket.days, kms_key_id=key),
        "store_bucket_policy": bucket_policy(*place, bucket.days, partition=bucket.partition, tls=bucket.tls),
        "store_collector_policy": collector_policy(*place, partition=bucket.partition, kms_key_id=key),
        "store_auditor_policy": auditor_policy(*place, partition=bucket.partition, kms_key_id=key),
        "store_lifecycle": lifecycle(bucket.prefix, config.kept.longest),
    }


def bucket_of(
    settings: StoreConfig, url: str = "", mode: str = "", days: int | None = None, region: str = ""
) -> Bucket | None:
    """Return the bucket of the store; None for a folder. What is given besides stands for a bucket that is still to be made.

    Raises ``UsageError`` for an address that names no bucket, or a lock that is none.
    """
    made = rules.Choices(store=url or settings.url, mode=mode or settings.retention_mode, confirm=True)
    if not made.store.startswith("s3://"):
        if url:
            raise UsageError(f"{url!r} names no bucket", fix="write s3://bucket/prefix")
        return None
    rules.lock(made)
    region, parts = region or settings.region, urlsplit(made.store)
    partition = "aws-us-gov" if region.startswith("us-gov-") else "aws-cn" if region.startswith("cn-") else "aws"
    return Bucket(
        parts.netloc,
        parts.path,
        made.mode,
        days or settings.retention_days,
        partition,
        tls=not settings.endpoint_url.startswith("http://"),
        kms_key_id=settings.kms_key_id,
    )


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


def partition_of(roles: list[str]) -> str:
    """Return the partition of the first role's ARN."""
    return roles[0].split(":")[1] if roles else "aws"

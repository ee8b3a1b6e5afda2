"""The module as files. Pure: name -> text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from evidence.datasets.contract import Contract
from evidence.sources.snowflake_rights import Identity
from evidence.terraform import account, store
from evidence.terraform.hcl import Block, text
from evidence.terraform.store import Bucket, Reader

HEADER: Final = "Printed by `evidence setup terraform` from evidence.toml; print it again after a change. Read it, then plan and apply it yourself."
_AWS: Final = {"source": "hashicorp/aws", "version": ">= 5.0"}
_SNOWFLAKE: Final = {"source": "snowflakedb/snowflake", "version": ">= 1.0"}


@dataclass(frozen=True, slots=True)
class Account:
    """One Snowflake source: its name, the contracts it reads, and its one or two sign-ins."""

    source: str
    contracts: Sequence[Contract]
    base: Identity
    elevated: Identity | None = None


def module(
    bucket: Bucket | None, reader: Reader | None, snowflake: Account | None, partition: str = "aws"
) -> dict[str, str]:
    """Return the files of the module; parts that are None are left out."""
    aws = bucket is not None or reader is not None
    providers = {**({"aws": _AWS} if aws else {}), **({"snowflake": _SNOWFLAKE} if snowflake else {})}
    required = Block("required_providers", (), providers)
    files = {"versions.tf": text([HEADER, Block("terraform", (), {"required_version": ">= 1.5"}, [required])])}
    if aws:
        blocks: list[Block | str] = [HEADER, *store.variables(bucket=bucket is not None)]
        blocks += [*store.bucket_blocks(bucket)] if bucket else []
        blocks += store.role_blocks(bucket, reader, partition)
        blocks += [*store.outputs(bucket)] if bucket else []
        files["aws.tf"] = text(blocks)
    if snowflake:
        found = account.blocks(snowflake.contracts, snowflake.base, snowflake.elevated)
        files["snowflake.tf"] = text([
            HEADER, f"The source {snowflake.source}: {len(snowflake.contracts)} datasets.", *account.variables(snowflake.elevated), *found,
        ])  # fmt: skip
    return files

"""Which datasets a Snowflake account is asked for, and which not, with the reason; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evidence.datasets.contract import Contract
from evidence.errors import ConfigError

ACCOUNT, ORGANIZATION = "snowflake.", "organization."


@dataclass(frozen=True, slots=True)
class Choice:
    """The datasets of one source, and dataset -> why it is left out."""

    datasets: tuple[str, ...]
    left_out: Mapping[str, str]


def choose(
    name: str,
    contracts: Mapping[str, Contract],
    asked: Sequence[str] = (),
    *,
    organization: bool = False,
    elevated: bool = False,
) -> Choice:
    """Return what source ``name`` is asked for.

    ``asked`` are the datasets the configuration names; none: every one of the account, and with ``organization`` those of
    ORGANIZATION_USAGE too. Contracts that need an elevated connection are left out without one. Raises ``ConfigError`` for
    a dataset that is none of Snowflake's.
    """
    ours = [dataset for dataset in contracts if dataset.startswith((ACCOUNT, ORGANIZATION))]
    strange = sorted(set(asked) - set(ours))
    if strange:
        raise ConfigError(
            f"sources.{name}.datasets: no Snowflake dataset {', '.join(strange)}",
            fix="evidence/datasets/snowflake and evidence/datasets/organization hold one file per dataset",
        )
    wanted = asked or [dataset for dataset in ours if organization or dataset.startswith(ACCOUNT)]
    reason = f"needs an elevated connection: [sources.{name}.elevated] is not configured"
    left_out = {dataset: reason for dataset in wanted if contracts[dataset].connection == "elevated" and not elevated}
    return Choice(tuple(dataset for dataset in wanted if dataset not in left_out), left_out)

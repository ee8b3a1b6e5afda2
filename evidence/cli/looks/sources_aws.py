"""AWS accounts: who we are there, and what of each dataset is refused, by the IAM action that allows it."""

from collections.abc import Iterator

from evidence.cli.looks.clock import Clocks
from evidence.cli.workspace import Workspace
from evidence.doctor import Line, fail, failed, ok
from evidence.errors import ConfigError, EvidenceError
from evidence.snapshot.model import Window
from evidence.sources.aws import AwsSource
from evidence.sources.aws_session import account_of


def lines(workspace: Workspace, clocks: Clocks, name: str) -> Iterator[Line]:
    """Yield one line per account, then one per dataset: each is read as a night would read it, and the rows are dropped."""
    what, source = f"source {name}", workspace.source(name)
    if not isinstance(source, AwsSource):
        raise ConfigError(f"{name} is not of kind aws")
    reached = 0
    for access in source.sign_in():
        if isinstance(access, EvidenceError):
            yield failed(what, access)
            continue
        reached += 1
        clocks.note(f"AWS account {access.account}", access.offset)
        wanted = account_of(access.login.role_arn)
        if wanted and wanted != access.account:
            fix = f"correct role_arn in [sources.{name}] accounts, or what stands between here and AWS (endpoint_url, profile)"
            yield fail(what, f"{access.login.role_arn} leads to account {access.account}, not {wanted}", fix, 5)
        else:
            yield ok(what, f"aws, account {access.account} as {access.caller}")
    for dataset in workspace.datasets_of(name) if reached else ():
        yield from _dataset(f"{what}: {dataset}", workspace, source, dataset)


def _dataset(what: str, workspace: Workspace, source: AwsSource, dataset: str) -> Iterator[Line]:
    contract = workspace.contracts[dataset]
    try:
        reading = source.read(contract, Window.of_capture(workspace.clock()))
        rows = sum(batch.num_rows for batch in reading.batches)
        gaps = list(reading.gaps)
    except EvidenceError as error:
        yield failed(what, error, part=True)
        return
    for gap in gaps:
        detail, _, fix = gap.rpartition(": ")
        yield fail(what, detail, fix, 5, part=True)
    if not gaps:
        yield ok(what, f"{rows} rows", part=True)

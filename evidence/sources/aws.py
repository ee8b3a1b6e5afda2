"""AWS accounts as a source: S3, KMS, IAM, CloudTrail, VPC endpoints and the metadata of secrets, read and never written.

A dataset is read account by account and, for services that live in regions, region by region. What one account or region
refuses does not hide the others: the rows that came are kept, the receipt is incomplete and names what is missing. If nothing
could be read at all the reading is refused as a whole.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from evidence.datasets.contract import Contract
from evidence.errors import SourceDeniedError, SourceError, SourceUnavailableError
from evidence.snapshot.model import Statement, Totals, Window
from evidence.sources import aws_credentials, aws_iam, aws_inventory, aws_kms, aws_regional, aws_s3
from evidence.sources.aws_calls import Calls
from evidence.sources.aws_session import Access, AccountLogin, Clock, Connection, check_logins, sign_in
from evidence.sources.aws_unit import Row, Unit
from evidence.sources.reading import RowsReading

Read = Callable[[Calls, str], Unit]
LARGEST_OFFSET = 60.0  # seconds between the two clocks that are worth a note


@dataclass(frozen=True, slots=True)
class Reader:
    """How one dataset is read: once per ``account``, or once per ``region`` of it."""

    scope: Literal["account", "region"]
    read: Read


READERS: Mapping[str, Reader] = {
    "aws.s3_buckets": Reader("account", aws_s3.read_buckets),
    "aws.s3_account_pab": Reader("account", aws_s3.read_account_block),
    "aws.s3_object_lock": Reader("account", aws_s3.read_object_lock),
    "aws.s3_inventory": Reader("account", aws_inventory.read_inventory),
    "aws.kms_keys": Reader("region", aws_kms.read_keys),
    "aws.kms_grants": Reader("region", aws_kms.read_grants),
    "aws.iam_roles": Reader("account", aws_iam.read_roles),
    "aws.iam_users": Reader("account", aws_iam.read_users),
    "aws.iam_groups": Reader("account", aws_iam.read_groups),
    "aws.iam_policies": Reader("account", aws_iam.read_policies),
    "aws.iam_access_keys": Reader("account", aws_credentials.read_access_keys),
    "aws.iam_credential_report": Reader("account", aws_credentials.read_credential_report),
    "aws.iam_account_summary": Reader("account", aws_iam.read_summary),
    "aws.iam_password_policy": Reader("account", aws_iam.read_password_policy),
    "aws.trails": Reader("region", aws_regional.read_trails),
    "aws.vpc_endpoints": Reader("region", aws_regional.read_endpoints),
    "aws.secrets": Reader("region", aws_regional.read_secrets),
}


@dataclass(slots=True)
class _Gathered:
    """What the units of one reading came to."""

    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    listed: set[tuple[str, str]] = field(default_factory=set)
    statements: list[Statement] = field(default_factory=list)
    system: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    failures: list[SourceError] = field(default_factory=list)
    moments: list[dt.datetime] = field(default_factory=list)
    units: int = 0

    def add(self, account: str, unit: Unit, moment: dt.datetime) -> None:
        self.units += 1
        self.rows |= {(account, key): row for key, row in unit.rows.items()}
        self.listed |= {(account, key) for key in unit.listed}
        self.notes += unit.notes
        self.moments.append(unit.as_of or moment)

    def fail(self, error: SourceError) -> None:
        self.failures.append(error)
        self.gaps.append(f"{error}: {error.fix}")


class AwsSource:
    """Any number of accounts and regions. Accounts are signed in to at the first read and kept until :meth:`close`.

    ``regions`` narrows regional services; none: every region that an account has enabled. Raises ``ConfigError`` if two
    logins lead to one account.
    """

    live = True

    def __init__(
        self,
        name: str,
        logins: Sequence[AccountLogin],
        datasets: Sequence[str],
        *,
        regions: Sequence[str] = (),
        connection: Connection | None = None,
        run: str,
        clock: Clock,
    ) -> None:
        self.name = name
        self._logins = tuple(logins) or (AccountLogin(),)
        check_logins(name, self._logins)
        self._datasets = tuple(datasets)
        self._regions = tuple(regions)
        self._connection = connection or Connection()
        self._run = run
        self._clock = clock
        self._open: dict[AccountLogin, Access] = {}

    def datasets(self) -> Sequence[str]:
        """Return the datasets that were configured."""
        return self._datasets

    def nights(self, contract: Contract) -> None:
        """Return None: AWS answers for now only."""
        del contract

    def read(self, contract: Contract, window: Window) -> RowsReading:
        """Read every account and region.

        Raises ``SourceDeniedError`` or ``SourceUnavailableError`` if none of them could be read.
        """
        reader = READERS.get(contract.name)
        if reader is None:
            raise SourceUnavailableError(
                f"{self.name}: AWS has no dataset {contract.name}", fix="correct `datasets` of this source"
            )
        gathered = _Gathered()
        for access in self._accounts(gathered):
            self._read_account(reader, access, gathered)
        if not gathered.units:
            raise _nothing_read(gathered.failures)
        return self._reading(contract, window, gathered)

    def sign_in(self) -> Iterator[Access | SourceError]:
        """Yield each account that lets us in, and why another does not."""
        for login in self._logins:
            try:
                yield self._access(login)
            except SourceError as error:
                yield error

    def close(self) -> None:
        """Close every client. Idempotent."""
        for access in self._open.values():
            access.close()
        self._open.clear()

    def _accounts(self, gathered: _Gathered) -> Iterator[Access]:
        """Yield the accounts that let us in, each once."""
        seen: set[str] = set()
        for login in self._logins:
            try:
                access = self._access(login)
            except SourceError as error:
                gathered.fail(error)
                continue
            if access.account in seen:
                gathered.notes.append(f"{login.label} leads to account {access.account} again and was not read twice")
                continue
            seen.add(access.account)
            yield access

    def _access(self, login: AccountLogin) -> Access:
        if login not in self._open:
            self._open[login] = sign_in(self._connection, login, self._run, self._clock)
        return self._open[login]

    def _read_account(self, reader: Reader, access: Access, gathered: _Gathered) -> None:
        calls = Calls(access, self._clock, places=self._connection.places)
        try:
            regions = [access.home_region] if reader.scope == "account" else self._regions_of(calls, gathered)
        except SourceError as error:
            gathered.fail(error)
            regions = []
        calls.regions = tuple(regions)
        for region in regions:
            moment = self._clock()
            try:
                gathered.add(access.account, reader.read(calls, region), moment)
            except SourceError as error:
                gathered.fail(error)
        gathered.statements += calls.statements()
        gathered.gaps += calls.gaps()
        gathered.system |= _facts(access, regions if reader.scope == "region" else [])
        if access.offset is not None and abs(access.offset) > LARGEST_OFFSET:
            gathered.notes.append(f"AWS's clock was {access.offset} seconds from ours (account {access.account})")

    def _regions_of(self, calls: Calls, gathered: _Gathered) -> list[str]:
        """Return the regions to read; say which enabled ones the configuration leaves out."""
        wanted = list(calls.access.login.regions or self._regions)
        try:
            answer = calls.document("ec2:DescribeRegions", calls.access.home_region, AllRegions=False)
        except SourceError as error:
            if not wanted:
                raise
            gathered.notes.append(f"account {calls.account}: enabled regions could not be listed: {error}")
            return wanted
        enabled = sorted(region["RegionName"] for region in answer.get("Regions", []))
        left_out = sorted(set(enabled) - set(wanted)) if wanted else []
        if left_out:
            gathered.notes.append(
                f"account {calls.account}: enabled regions not read, by configuration: {', '.join(left_out)}"
            )
        return wanted or enabled

    def _reading(self, contract: Contract, window: Window, gathered: _Gathered) -> RowsReading:
        rows = [gathered.rows[key] for key in sorted(gathered.rows)]
        moment = min(gathered.moments)
        inside = window.start <= moment < window.end
        if not inside:
            gathered.notes.append(f"true at {moment.isoformat()}, outside the capture span of {window.night}")
        known = {column.name for column in contract.columns}
        unknown = sorted({name for row in rows for name in row} - known)
        if unknown:
            gathered.notes.append(f"columns the contract does not know, not kept: {', '.join(unknown)}")
        return RowsReading(
            contract,
            rows,
            statements=gathered.statements,
            system={"product": "aws", **dict(sorted(gathered.system.items()))},
            as_of=(moment, False) if inside else None,
            notes=tuple(dict.fromkeys(gathered.notes)),
            stated=Totals(rows=len(gathered.listed), distinct_keys=len(gathered.listed)),
            gaps=tuple(dict.fromkeys(gathered.gaps)),
        )


def _facts(access: Access, regions: Sequence[str]) -> dict[str, str]:
    """Return what the receipt says of one account: who asked, as AWS names the caller."""
    facts: dict[str, Any] = {
        f"account.{access.account}.caller": access.caller,
        f"account.{access.account}.caller_id": access.caller_id,
        f"account.{access.account}.role": access.login.role_arn,
        f"account.{access.account}.regions": ",".join(regions),
        f"account.{access.account}.clock_offset_seconds": "" if access.offset is None else str(access.offset),
    }
    return {key: value for key, value in facts.items() if value}


def _nothing_read(failures: Sequence[SourceError]) -> SourceError:
    """Return one error for all: a failure that may pass goes before a refusal, so that the reading is tried again."""
    if not failures:
        return SourceUnavailableError("AWS: no region to read", fix="name `regions`, or enable one for the account")
    first = next((error for error in failures if isinstance(error, SourceUnavailableError)), failures[0])
    kind = SourceUnavailableError if isinstance(first, SourceUnavailableError) else SourceDeniedError
    more = f" (and {len(failures) - 1} more accounts or regions)" if len(failures) > 1 else ""
    return kind(f"{first}{more}", fix=first.fix)

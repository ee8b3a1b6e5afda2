"""IAM access keys and the credential report: who has which credential, how old, with or without MFA.

The report is a CSV that AWS makes at most every four hours (IAM User Guide, "Generate credential reports for your AWS account");
its own time, not ours, is the moment it is true for.
"""

import csv
import datetime as dt
import io
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from evidence.errors import SourceUnavailableError
from evidence.sources.aws_calls import Calls, GoneError, Refused
from evidence.sources.aws_unit import GLOBAL, Row, Unit, compared, field, refusals

POLLS: Final = 30
POLL_SECONDS: Final = 2.0
ROOT: Final = "<root_account>"
_NOTHING: Final = frozenset({"", "N/A", "no_information", "not_supported"})
_TRUTH: Final = {"true": True, "false": False}
_TIMES: Final = ("_time", "_used", "_changed", "_rotated", "_next_rotation", "_used_date")
# Report columns that are stored under another name; all others keep AWS's.
_RENAMED: Final = {"user": "user_name", "user_creation_time": "created_at"}


def read_access_keys(calls: Calls, region: str) -> Unit:
    """``aws.iam_access_keys``: every key of every user. A user who refuses the list is a gap."""

    def of(user: str) -> list[Row] | Refused | None:
        try:
            keys = calls.ask_listed("iam:ListAccessKeys", region, user, "AccessKeyMetadata", UserName=user)
            return keys if isinstance(keys, Refused) else [_key_row(calls, region, user, key) for key in keys]
        except GoneError:
            return None

    names = _users(calls, region)
    found = dict(zip(names, calls.each(of, names), strict=True))
    asked: dict[str, Row] = {name: {} for name, keys in found.items() if keys is not None}
    users = compared(asked, _users(calls, region), "users", names)
    lists = [found[name] for name in users.rows]
    rows = {row["access_key_id"]: row for keys in lists if isinstance(keys, list) for row in keys}
    return Unit(rows, frozenset(rows) | (users.listed - users.rows.keys()), users.notes)


def read_credential_report(calls: Calls, region: str, sleep: Callable[[float], None] = time.sleep) -> Unit:
    """``aws.iam_credential_report``: one row per user and one for the root user.

    Users made before the report was and missing in it make the totals differ.
    """
    for _ in range(POLLS):
        if calls.document("iam:GenerateCredentialReport", region).get("State") == "COMPLETE":
            break
        sleep(POLL_SECONDS)
    else:
        raise SourceUnavailableError(
            f"account {calls.account}: the credential report was not ready in {POLLS * POLL_SECONDS:.0f} seconds",
            fix="retry later",
        )
    answer = calls.document("iam:GetCredentialReport", region)
    made: dt.datetime = answer["GeneratedTime"]
    rows = {row["user_name"]: row for row in report_rows(calls.account, answer["Content"])}
    users = calls.listed("iam:ListUsers", region, "Users")
    older = {user["UserName"] for user in users if user["CreateDate"] <= made}
    younger = len(users) - len(older)
    notes = [f"account {calls.account}: the report is of {made.isoformat()}"]
    if younger:
        notes.append(f"account {calls.account}: {younger} users were made after the report")
    deleted = rows.keys() - {user["UserName"] for user in users} - {ROOT}
    if deleted:
        notes.append(f"account {calls.account}: {len(deleted)} users of the report were deleted since")
    return Unit(rows, frozenset(rows) | older | {ROOT}, tuple(notes), as_of=made)


def report_rows(account: str, content: bytes) -> list[Row]:
    """Return the report's rows: truths as truths, times as times, ``N/A`` and its like as NULL.

    Raises ``SourceUnavailableError`` if the report is not of the documented form.
    """
    return [_report_row(account, line) for line in csv.DictReader(io.StringIO(content.decode()))]


def _report_row(account: str, line: Mapping[str, str]) -> Row:
    if not line.get("user") or not line.get("arn"):
        raise _odd(account, "user")
    row: Row = {"account": account, "region": GLOBAL}
    for column, value in line.items():
        row[_RENAMED.get(column, column)] = _value(account, column, value)
    return row


def _value(account: str, column: str, value: str) -> Any:
    if column == "password_enabled":  # the root user's is "not_supported": a statement, not an absence
        return value
    if value in _NOTHING:
        return None
    if column.endswith("_active"):
        if value not in _TRUTH:
            raise _odd(account, column)
        return _TRUTH[value]
    if column.endswith(_TIMES):
        try:
            moment = dt.datetime.fromisoformat(value)
        except ValueError:
            raise _odd(account, column) from None
        if moment.tzinfo is None:
            raise _odd(account, column)
        return moment
    return value


def _odd(account: str, column: str) -> SourceUnavailableError:
    return SourceUnavailableError(
        f"account {account}: the credential report is not of the documented form: {column}",
        fix="compare the report with the IAM User Guide; the contract may be older than the report",
    )


def _users(calls: Calls, region: str) -> list[str]:
    return [user["UserName"] for user in calls.listed("iam:ListUsers", region, "Users")]


def _key_row(calls: Calls, region: str, user: str, key: Mapping[str, Any]) -> Row:
    used = calls.ask("iam:GetAccessKeyLastUsed", region, key["AccessKeyId"], AccessKeyId=key["AccessKeyId"])
    region_used = field(used, "AccessKeyLastUsed", "Region")
    service = field(used, "AccessKeyLastUsed", "ServiceName")
    return {
        "account": calls.account,
        "region": GLOBAL,
        "user_name": user,
        "access_key_id": key["AccessKeyId"],
        "status": key.get("Status"),
        "created_at": key.get("CreateDate"),
        "last_used_at": field(used, "AccessKeyLastUsed", "LastUsedDate"),
        "last_used_service": None if service in _NOTHING else service,
        "last_used_region": None if region_used in _NOTHING else region_used,
        "never_used": None if isinstance(used, Refused) else field(used, "AccessKeyLastUsed", "LastUsedDate") is None,
        "refused": refusals([used]),
    }

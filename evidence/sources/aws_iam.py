"""IAM roles, users, groups, policies, the account summary and the password policy: once per account.

Identities come from one operation, GetAccountAuthorizationDetails, so that trust, attached and inline policies of an account
belong together; a plain listing beside it is the count that they are compared with.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from evidence.errors import SourceUnavailableError
from evidence.sources.aws_calls import Calls
from evidence.sources.aws_unit import GLOBAL, UNSET_TEXT, Row, Unit, compared, document, field, is_set, tags

_DETAILS: Final = "iam:GetAccountAuthorizationDetails"
_SUMMARY: Final = {
    "users": "Users",
    "groups": "Groups",
    "roles": "Roles",
    "policies": "Policies",
    "mfa_devices": "MFADevices",
    "mfa_devices_in_use": "MFADevicesInUse",
    "account_access_keys_present": "AccountAccessKeysPresent",
    "account_signing_certificates_present": "AccountSigningCertificatesPresent",
    "account_mfa_enabled": "AccountMFAEnabled",
    "account_password_present": "AccountPasswordPresent",
}
_PASSWORDS: Final = {
    "minimum_length": "MinimumPasswordLength",
    "require_symbols": "RequireSymbols",
    "require_numbers": "RequireNumbers",
    "require_uppercase": "RequireUppercaseCharacters",
    "require_lowercase": "RequireLowercaseCharacters",
    "users_may_change": "AllowUsersToChangePassword",
    "expire": "ExpirePasswords",
    "max_age_days": "MaxPasswordAge",
    "reuse_prevention": "PasswordReusePrevention",
    "hard_expiry": "HardExpiry",
}


def read_roles(calls: Calls, region: str) -> Unit:
    """``aws.iam_roles``: trust, attached and inline policies."""
    return _entities(calls, region, "Role", "RoleDetailList", role_row, ("iam:ListRoles", "Roles"))


def read_users(calls: Calls, region: str) -> Unit:
    """``aws.iam_users``: groups, attached and inline policies."""
    return _entities(calls, region, "User", "UserDetailList", user_row, ("iam:ListUsers", "Users"))


def read_groups(calls: Calls, region: str) -> Unit:
    """``aws.iam_groups``: attached and inline policies."""
    return _entities(calls, region, "Group", "GroupDetailList", group_row, ("iam:ListGroups", "Groups"))


def read_policies(calls: Calls, region: str) -> Unit:
    """``aws.iam_policies``: the account's own managed policies, and those of AWS that are in use.

    AWS's own have no listing to be compared with that means the same; they count as described.
    """
    both = ["LocalManagedPolicy", "AWSManagedPolicy"]
    found = calls.listed(_DETAILS, region, "Policies", Filter=both)
    rows = {item["Arn"]: policy_row(calls.account, item) for item in found if _own(item) or _used(item)}
    own = [item["Arn"] for item in calls.listed("iam:ListPolicies", region, "Policies", Scope="Local")]
    return compared(rows, {*own, *(item["Arn"] for item in found if not _own(item) and _used(item))}, "policies")


def read_summary(calls: Calls, region: str) -> Unit:
    """``aws.iam_account_summary``: root keys, root MFA and AWS's own counts; one row."""
    answer = calls.document("iam:GetAccountSummary", region)
    return _single(calls, summary_row(calls.account, answer.get("SummaryMap", {})))


def read_password_policy(calls: Calls, region: str) -> Unit:
    """``aws.iam_password_policy``: one row; an account without a policy of its own says so."""
    answer = calls.need("iam:GetAccountPasswordPolicy", region)
    values = {column: field(answer, "PasswordPolicy", member) for column, member in _PASSWORDS.items()}
    return _single(calls, {"account": calls.account, "region": GLOBAL, "configured": is_set(answer), **values})


def summary_row(account: str, summary: Mapping[str, int]) -> Row:
    """Return the row of the account summary; the whole map goes beside the columns that controls read."""
    counts: Row = {column: summary.get(member) for column, member in _SUMMARY.items()}
    for column in ("account_mfa_enabled", "account_password_present"):
        counts[column] = None if counts[column] is None else counts[column] == 1
    return {"account": account, "region": GLOBAL, **counts, "summary": dict(summary)}


def role_row(account: str, role: Mapping[str, Any]) -> Row:
    """Return the row of one role."""
    used = role.get("RoleLastUsed", {})
    return {
        **_identity(account, role, "Role"),
        "trust_policy": document(role.get("AssumeRolePolicyDocument")),
        "attached_policies": _attached(role),
        "inline_policies": _inline(role, "RolePolicyList"),
        "permissions_boundary": _boundary(role),
        "instance_profiles": sorted(profile["Arn"] for profile in role.get("InstanceProfileList", [])),
        "tags": tags(role.get("Tags")),
        "last_used_at": used.get("LastUsedDate"),
        "last_used_region": used.get("Region"),
    }


def user_row(account: str, user: Mapping[str, Any]) -> Row:
    """Return the row of one user."""
    return {
        **_identity(account, user, "User"),
        "groups": sorted(user.get("GroupList", [])),
        "attached_policies": _attached(user),
        "inline_policies": _inline(user, "UserPolicyList"),
        "permissions_boundary": _boundary(user),
        "tags": tags(user.get("Tags")),
    }


def group_row(account: str, group: Mapping[str, Any]) -> Row:
    """Return the row of one group."""
    return {
        **_identity(account, group, "Group"),
        "attached_policies": _attached(group),
        "inline_policies": _inline(group, "GroupPolicyList"),
    }


def policy_row(account: str, policy: Mapping[str, Any]) -> Row:
    """Return the row of one managed policy with the document of its default version.

    Raises ``SourceUnavailableError`` if AWS left the default version out: a policy without a document would grant nothing.
    """
    versions = policy.get("PolicyVersionList", [])
    default = next((version for version in versions if version.get("IsDefaultVersion")), None)
    if default is None:
        raise SourceUnavailableError(f"{policy['Arn']}: AWS gave no default version", fix="retry later")
    return {
        "account": account,
        "region": GLOBAL,
        "arn": policy["Arn"],
        "name": policy.get("PolicyName") or policy["Arn"].rpartition("/")[2],
        "policy_id": policy.get("PolicyId"),
        "path": policy.get("Path"),
        "aws_managed": not _own(policy),
        "default_version": policy.get("DefaultVersionId"),
        "attachments": policy.get("AttachmentCount"),
        "boundary_uses": policy.get("PermissionsBoundaryUsageCount"),
        "document": document(default.get("Document")),
        "description": policy.get("Description"),
        "created_at": policy.get("CreateDate"),
        "updated_at": policy.get("UpdateDate"),
    }


def _entities(
    calls: Calls,
    region: str,
    kind: str,
    member: str,
    row: Callable[[str, Mapping[str, Any]], Row],
    listing: tuple[str, str],
) -> Unit:
    """Describe, then count by the plain listing."""
    found = calls.listed(_DETAILS, region, member, Filter=[kind])
    rows = {item["Arn"]: row(calls.account, item) for item in found}
    later = [item["Arn"] for item in calls.listed(listing[0], region, listing[1])]
    return compared(rows, later, f"{kind.lower()}s")


def _single(calls: Calls, row: Row) -> Unit:
    return Unit({calls.account: row}, frozenset({calls.account}))


def _identity(account: str, item: Mapping[str, Any], kind: str) -> Row:
    return {
        "account": account,
        "region": GLOBAL,
        "arn": item["Arn"],
        "name": item[f"{kind}Name"],
        f"{kind.lower()}_id": item.get(f"{kind}Id"),
        "path": item.get("Path"),
        "created_at": item.get("CreateDate"),
    }


def _attached(item: Mapping[str, Any]) -> list[str]:
    return sorted(policy["PolicyArn"] for policy in item.get("AttachedManagedPolicies", []))


def _inline(item: Mapping[str, Any], member: str) -> list[Any]:
    found = [
        {"name": policy["PolicyName"], "document": document(policy.get("PolicyDocument"))}
        for policy in item.get(member, [])
    ]
    return sorted(found, key=lambda policy: policy["name"])


def _boundary(item: Mapping[str, Any]) -> str:
    return str(item.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn") or UNSET_TEXT)


def _own(policy: Mapping[str, Any]) -> bool:
    """Say whether a policy is the account's: those of AWS have ``aws`` where the account id stands."""
    return bool(policy["Arn"].split(":")[4] != "aws")


def _used(policy: Mapping[str, Any]) -> bool:
    return bool(policy.get("AttachmentCount") or policy.get("PermissionsBoundaryUsageCount"))

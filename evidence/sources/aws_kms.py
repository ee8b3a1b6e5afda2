"""KMS keys with state, rotation, policy and aliases, and their grants. One region at a time."""

from collections.abc import Mapping
from typing import Any, Final

from evidence.sources.aws_calls import Answer, Calls, GoneError, Refused
from evidence.sources.aws_unit import Row, Unit, compared, described, document, field, plain, refusals, tags

# AWS KMS Developer Guide, "Rotate AWS KMS keys": only these rotate by themselves, others answer with an error.
_ROTATING: Final = "SYMMETRIC_DEFAULT"


def read_keys(calls: Calls, region: str) -> Unit:
    """``aws.kms_keys``: every key of the region, AWS's own included."""
    aliases = _aliases(calls, region)

    def describe(key: Mapping[str, Any]) -> Row:
        arn = key["KeyArn"]
        about = calls.ask("kms:DescribeKey", region, arn, KeyId=arn)
        answers: dict[str, Answer | list[Any]] = {
            "policy": calls.ask("kms:GetKeyPolicy", region, arn, KeyId=arn, PolicyName="default"),
            "tags": calls.ask_listed("kms:ListResourceTags", region, arn, "Tags", KeyId=arn),
        }
        if field(about, "KeyMetadata", "KeySpec") in {_ROTATING, None}:
            answers["rotation"] = calls.ask("kms:GetKeyRotationStatus", region, arn, KeyId=arn)
        return key_row(calls.account, region, key, about, answers, aliases)

    found = {key["KeyArn"]: key for key in calls.listed("kms:ListKeys", region, "Keys")}
    return described(calls, found, describe, lambda: _arns(calls, region), "keys")


def read_grants(calls: Calls, region: str) -> Unit:
    """``aws.kms_grants``: the grants of every key of the region. A key that refuses the list is a gap."""

    def of(arn: str) -> list[Any] | Refused | None:
        try:
            return calls.ask_listed("kms:ListGrants", region, arn, "Grants", KeyId=arn)
        except GoneError:
            return None

    arns = _arns(calls, region)
    found = dict(zip(arns, calls.each(of, arns), strict=True))
    # Grants come and go by the second (AWS services make them): the keys are listed twice, not the grants.
    asked: dict[str, Row] = {arn: {} for arn, grants in found.items() if grants is not None}
    keys = compared(asked, _arns(calls, region), "keys", arns)
    rows = {
        f"{arn} {grant['GrantId']}": grant_row(calls.account, region, arn, grant)
        for arn in keys.rows
        for grant in _answered(found[arn])
    }
    return Unit(rows, frozenset(rows) | (keys.listed - keys.rows.keys()), keys.notes)


def key_row(
    account: str,
    region: str,
    key: Mapping[str, Any],
    about: Answer,
    answers: Mapping[str, Answer | list[Any]],
    aliases: Mapping[str, list[str]] | Refused,
) -> Row:
    """Return the row of one key. ``answers``: ``policy``, ``tags`` and, for keys that can rotate, ``rotation``."""
    rotation, policy, tagged = answers.get("rotation"), answers["policy"], answers["tags"]
    asked = [about, *answers.values(), *([aliases] if isinstance(aliases, Refused) else [])]
    return {
        "account": account,
        "region": region,
        "arn": key["KeyArn"],
        "key_id": key["KeyId"],
        "aliases": None if isinstance(aliases, Refused) else aliases.get(key["KeyId"], []),
        **{column: field(about, "KeyMetadata", member) for column, member in _ABOUT.items()},
        "multi_region_configuration": plain(field(about, "KeyMetadata", "MultiRegionConfiguration")),
        **_rotation(about, rotation),
        "policy": None if isinstance(policy, list) else document(field(policy, "Policy")),
        "tags": tags(tagged, "TagKey", "TagValue") if isinstance(tagged, list) else None,
        "refused": refusals(asked),
    }


def grant_row(account: str, region: str, arn: str, grant: Mapping[str, Any]) -> Row:
    """Return the row of one grant."""
    return {
        "account": account,
        "region": region,
        "key_arn": arn,
        "grant_id": grant["GrantId"],
        "name": grant.get("Name"),
        "created_at": grant.get("CreationDate"),
        "grantee": grant.get("GranteePrincipal") or grant.get("GranteeServicePrincipal"),
        "retiring": grant.get("RetiringPrincipal") or grant.get("RetiringServicePrincipal"),
        "issuing_account": grant.get("IssuingAccount"),
        "operations": sorted(grant.get("Operations", [])),
        "constraints": plain(grant.get("Constraints", {})),
    }


_ABOUT: Final = {
    "manager": "KeyManager",
    "state": "KeyState",
    "enabled": "Enabled",
    "spec": "KeySpec",
    "usage": "KeyUsage",
    "origin": "Origin",
    "created_at": "CreationDate",
    "deletion_date": "DeletionDate",
    "valid_to": "ValidTo",
    "multi_region": "MultiRegion",
    "custom_key_store_id": "CustomKeyStoreId",
    "description": "Description",
}


def _rotation(about: Answer, rotation: Answer | list[Any] | None) -> Row:
    """A key that cannot rotate by itself is said to be one; a refused call says nothing."""
    if rotation is None and not isinstance(about, Refused):
        return {"rotation_supported": False, "rotation_enabled": False}
    if rotation is None or isinstance(rotation, list | Refused):
        return {"rotation_supported": None, "rotation_enabled": None}
    return {
        "rotation_supported": isinstance(rotation, Mapping),
        "rotation_enabled": field(rotation, "KeyRotationEnabled", unset=False),
        "rotation_period_days": field(rotation, "RotationPeriodInDays"),
        "next_rotation_at": field(rotation, "NextRotationDate"),
    }


def _answered(grants: list[Any] | Refused | None) -> list[Any]:
    return grants if isinstance(grants, list) else []


def _arns(calls: Calls, region: str) -> list[str]:
    return [key["KeyArn"] for key in calls.listed("kms:ListKeys", region, "Keys")]


def _aliases(calls: Calls, region: str) -> Mapping[str, list[str]] | Refused:
    """Return alias names by key id; AWS's aliases without a key are left out."""
    listed = calls.ask_listed("kms:ListAliases", region, f"aliases of {region}", "Aliases")
    if isinstance(listed, Refused):
        return listed
    found: dict[str, list[str]] = {}
    for alias in listed:
        if alias.get("TargetKeyId"):
            found.setdefault(alias["TargetKeyId"], []).append(alias["AliasName"])
    return {key: sorted(names) for key, names in found.items()}

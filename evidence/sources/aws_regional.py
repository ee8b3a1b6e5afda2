"""CloudTrail trails, VPC endpoints and the metadata of secrets: one region at a time."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from evidence.sources.aws_calls import Answer, Calls
from evidence.sources.aws_session import account_of
from evidence.sources.aws_unit import UNSET_TEXT, Row, Unit, compared, described, document, field, plain, refusals, tags

_STATUS: Final = {
    "is_logging": "IsLogging",
    "latest_delivery_at": "LatestDeliveryTime",
    "latest_digest_delivery_at": "LatestDigestDeliveryTime",
    "latest_cloudwatch_delivery_at": "LatestCloudWatchLogsDeliveryTime",
    "started_logging_at": "StartLoggingTime",
    "stopped_logging_at": "StopLoggingTime",
}
_ERRORS: Final = {
    "latest_delivery_error": "LatestDeliveryError",
    "latest_digest_delivery_error": "LatestDigestDeliveryError",
    "latest_cloudwatch_delivery_error": "LatestCloudWatchLogsDeliveryError",
}
_TRAIL: Final = {
    "name": "Name",
    "is_multi_region": "IsMultiRegionTrail",
    "is_organization": "IsOrganizationTrail",
    "includes_global_events": "IncludeGlobalServiceEvents",
    "log_validation": "LogFileValidationEnabled",
    "bucket": "S3BucketName",
    "prefix": "S3KeyPrefix",
    "sns_topic_arn": "SnsTopicARN",
    "cloudwatch_log_group_arn": "CloudWatchLogsLogGroupArn",
}


def read_trails(calls: Calls, region: str) -> Unit:
    """``aws.trails``: every trail that covers the region, shadows of other regions included, each described once.

    A trail is described with its home region. If that region is not read, the first region that is stands in for it.
    """

    def describe(trail: Mapping[str, Any]) -> Row:
        home, arn = trail.get("HomeRegion") or region, trail["TrailARN"]
        if (
            account_of(arn) != calls.account
        ):  # an organisation's trail: its own account may be the only one that answers
            return trail_row(
                calls.account,
                trail,
                calls.ask_stranger("cloudtrail:GetTrailStatus", home, Name=arn),
                calls.ask_stranger("cloudtrail:GetEventSelectors", home, TrailName=arn),
            )
        status = calls.ask("cloudtrail:GetTrailStatus", home, arn, Name=arn)
        selectors = calls.ask("cloudtrail:GetEventSelectors", home, arn, TrailName=arn)
        return trail_row(calls.account, trail, status, selectors)

    def here(trail: Mapping[str, Any]) -> bool:
        home = trail.get("HomeRegion")
        return home in {None, region} or (home not in calls.regions and region == calls.regions[0])

    def trails() -> dict[str, Mapping[str, Any]]:
        found = calls.document("cloudtrail:DescribeTrails", region, includeShadowTrails=True)
        return {trail["TrailARN"]: trail for trail in found.get("trailList", []) if here(trail)}

    unit = described(calls, trails(), describe, trails, "trails")
    foreign = sum(account_of(arn) != calls.account for arn in unit.rows)
    note = f"{foreign} trails of other accounts cover account {calls.account}, {region}; their status is certain only there"
    return replace(unit, notes=(*unit.notes, note)) if foreign else unit


def read_endpoints(calls: Calls, region: str) -> Unit:
    """``aws.vpc_endpoints``: PrivateLink and gateway endpoints with their policies."""
    found = calls.listed("ec2:DescribeVpcEndpoints", region, "VpcEndpoints")
    rows = {item["VpcEndpointId"]: endpoint_row(calls.account, region, item) for item in found}
    later = [item["VpcEndpointId"] for item in calls.listed("ec2:DescribeVpcEndpoints", region, "VpcEndpoints")]
    return compared(rows, later, "endpoints")


def read_secrets(calls: Calls, region: str) -> Unit:
    """``aws.secrets``: what Secrets Manager lists; no operation that returns a value can be sent."""
    found = calls.listed("secretsmanager:ListSecrets", region, "SecretList", IncludePlannedDeletion=True)
    rows = {item["ARN"]: secret_row(calls.account, region, item) for item in found}
    again = calls.listed("secretsmanager:ListSecrets", region, "SecretList", IncludePlannedDeletion=True)
    return compared(rows, [item["ARN"] for item in again], "secrets")


def trail_row(account: str, trail: Mapping[str, Any], status: Answer, selectors: Answer) -> Row:
    """Return the row of one trail; basic and advanced selectors as CloudTrail gives them."""
    return {
        "account": account,
        "region": trail.get("HomeRegion"),
        "arn": trail["TrailARN"],
        **{column: trail.get(member) for column, member in _TRAIL.items()},
        "kms_key_id": trail.get("KmsKeyId") or UNSET_TEXT,
        **{column: field(status, member) for column, member in _STATUS.items()},
        **{column: _no_error(status, member) for column, member in _ERRORS.items()},
        "event_selectors": plain(field(selectors, "EventSelectors")) or _none(selectors),
        "advanced_selectors": plain(field(selectors, "AdvancedEventSelectors")) or _none(selectors),
        "refused": refusals([status, selectors]),
    }


def endpoint_row(account: str, region: str, endpoint: Mapping[str, Any]) -> Row:
    """Return the row of one endpoint."""
    return {
        "account": account,
        "region": region,
        "endpoint_id": endpoint["VpcEndpointId"],
        "owner_account": endpoint.get("OwnerId"),
        "vpc_id": endpoint.get("VpcId"),
        "service_name": endpoint.get("ServiceName"),
        "type": endpoint.get("VpcEndpointType"),
        "state": str(endpoint["State"]).lower() if endpoint.get("State") else None,
        "private_dns_enabled": endpoint.get("PrivateDnsEnabled"),
        "policy": document(endpoint.get("PolicyDocument")),
        "route_table_ids": sorted(endpoint.get("RouteTableIds", [])),
        "subnet_ids": sorted(endpoint.get("SubnetIds", [])),
        "security_group_ids": sorted(group["GroupId"] for group in endpoint.get("Groups", [])),
        "dns_names": sorted(entry["DnsName"] for entry in endpoint.get("DnsEntries", []) if entry.get("DnsName")),
        "requester_managed": endpoint.get("RequesterManaged"),
        "created_at": endpoint.get("CreationTimestamp"),
        "tags": tags(endpoint.get("Tags")),
    }


def secret_row(account: str, region: str, secret: Mapping[str, Any]) -> Row:
    """Return the row of one secret: metadata only. An empty key id means the account's ``aws/secretsmanager`` key."""
    return {
        "account": account,
        "region": region,
        "arn": secret["ARN"],
        "name": secret.get("Name"),
        "description": secret.get("Description"),
        "kms_key_id": secret.get("KmsKeyId") or UNSET_TEXT,
        "rotation_enabled": bool(secret.get("RotationEnabled")),
        "rotation_lambda_arn": secret.get("RotationLambdaARN"),
        "rotation_rules": plain(secret.get("RotationRules", {})),
        "last_rotated_at": secret.get("LastRotatedDate"),
        "last_changed_at": secret.get("LastChangedDate"),
        "last_accessed_at": secret.get("LastAccessedDate"),
        "next_rotation_at": secret.get("NextRotationDate"),
        "deleted_at": secret.get("DeletedDate"),
        "created_at": secret.get("CreatedDate"),
        "owning_service": secret.get("OwningService"),
        "primary_region": secret.get("PrimaryRegion"),
        "tags": tags(secret.get("Tags")),
    }


def _no_error(status: Answer, member: str) -> Any:
    """CloudTrail leaves an error out where there is none: said, so that a refused status cannot look like it."""
    return (field(status, member) or UNSET_TEXT) if isinstance(status, Mapping) else None


def _none(answer: Answer) -> list[Any] | None:
    """Of the two kinds of selectors CloudTrail gives one; the other is an empty list, a refusal NULL."""
    return [] if isinstance(answer, Mapping) else None

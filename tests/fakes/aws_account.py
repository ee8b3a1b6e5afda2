"""A small account on the fake wire: what each dataset needs to be read, to be changed by single tests."""

import datetime as dt
import json
from urllib.parse import quote

from fakes.aws_wire import HOME, Fault, Wire, paged

MADE = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
NOW = dt.datetime(2026, 10, 2, 4, tzinfo=dt.UTC)
KEY = f"arn:aws:kms:us-east-1:{HOME}:key/1111"
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::phi/*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}  # fmt: skip
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999999999999:user/abc"}, "Action": "sts:AssumeRole", "Condition": {"StringEquals": {"sts:ExternalId": "XY_SFCRole=2_a b+c"}}}]}  # fmt: skip
ENCODED = quote(json.dumps(TRUST), safe="")
REPORT_HEAD = (
    "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active,"
    "access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,"
    "access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,"
    "cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated"
)
T = "2026-01-02T03:04:05+00:00"
ROOT = f"<root_account>,arn:aws:iam::{HOME}:root,{T},not_supported,{T},not_supported,not_supported,true,false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A"
ANN = f"ann,arn:aws:iam::{HOME}:user/ann,{T},true,no_information,{T},N/A,false,true,{T},{T},us-east-1,s3,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A"


def buckets(*names, region="us-east-1"):
    listed = [{"Name": name, "CreationDate": MADE, "BucketRegion": region} for name in names]
    return {"Buckets": listed, "Owner": {"ID": "owner"}}


def s3(wire: Wire, *names) -> Wire:
    """Buckets with everything set, ``phi`` as a platform would have it."""
    wire.on("s3:ListBuckets", buckets(*(names or ("phi",))))
    wire.on(
        "s3:GetBucketEncryption",
        {
            "ServerSideEncryptionConfiguration": {
                "Rules": [
                    {
                        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY},
                        "BucketKeyEnabled": True,
                    }
                ]
            }
        },
    )
    wire.on("s3:GetBucketVersioning", {"Status": "Enabled"})
    wire.on(
        "s3:GetPublicAccessBlock",
        {
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            }
        },
    )
    wire.on("s3:GetBucketPolicy", {"Policy": json.dumps(POLICY)})
    wire.on("s3:GetBucketPolicyStatus", {"PolicyStatus": {"IsPublic": False}})
    wire.on(
        "s3:GetBucketOwnershipControls", {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}
    )
    wire.on(
        "s3:GetBucketAcl",
        {
            "Owner": {"ID": "owner", "DisplayName": "jane.doe"},
            "Grants": [
                {
                    "Grantee": {"Type": "CanonicalUser", "ID": "owner", "DisplayName": "jane.doe"},
                    "Permission": "FULL_CONTROL",
                }
            ],
        },
    )
    wire.on(
        "s3:GetBucketLifecycleConfiguration",
        {"Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Date": MADE}}]},
    )
    wire.on("s3:GetBucketLogging", {"LoggingEnabled": {"TargetBucket": "logs", "TargetPrefix": "phi/"}})
    wire.on(
        "s3:GetBucketReplication",
        {
            "ReplicationConfiguration": {
                "Role": "arn:aws:iam::111111111111:role/r",
                "Rules": [{"Status": "Enabled", "Destination": {"Bucket": "arn:aws:s3:::copy"}}],
            }
        },
    )
    wire.on("s3:GetBucketTagging", {"TagSet": [{"Key": "class", "Value": "PHI"}]})
    wire.on(
        "s3:GetObjectLockConfiguration",
        {
            "ObjectLockConfiguration": {
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 7}},
            }
        },
    )
    wire.on("s3:ListBucketInventoryConfigurations", {"InventoryConfigurationList": [], "IsTruncated": False})
    wire.on(
        "s3control:GetPublicAccessBlock",
        {
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            }
        },
    )
    return wire


def kms(wire: Wire) -> Wire:
    about = {
        "AWSAccountId": HOME,
        "KeyId": "1111",
        "Arn": KEY,
        "CreationDate": MADE,
        "Enabled": True,
        "Description": "key of Jane Doe",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "MultiRegion": True,
        "MultiRegionConfiguration": {
            "MultiRegionKeyType": "PRIMARY",
            "PrimaryKey": {"Arn": KEY, "Region": "us-east-1"},
            "ReplicaKeys": [],
        },
    }
    wire.on("kms:ListKeys", {"Keys": []}).on(
        "kms:ListKeys", {"Keys": [{"KeyId": "1111", "KeyArn": KEY}], "Truncated": False}, region="us-east-1"
    )
    wire.on(
        "kms:ListAliases",
        {"Aliases": [{"AliasName": "alias/phi", "TargetKeyId": "1111"}, {"AliasName": "alias/aws/s3"}]},
    )
    wire.on("kms:DescribeKey", {"KeyMetadata": about})
    wire.on("kms:GetKeyRotationStatus", {"KeyRotationEnabled": True, "RotationPeriodInDays": 365})
    wire.on(
        "kms:GetKeyPolicy", {"Policy": json.dumps({"Version": "2012-10-17", "Statement": []}), "PolicyName": "default"}
    )
    wire.on(
        "kms:ListResourceTags", {"Tags": [{"TagKey": "owner", "TagValue": "jane@carrier.example"}], "Truncated": False}
    )
    wire.on(
        "kms:ListGrants",
        {
            "Grants": [
                {
                    "KeyId": KEY,
                    "GrantId": "g1",
                    "GranteePrincipal": "arn:aws:iam::999999999999:role/x",
                    "Operations": ["Decrypt", "CreateGrant"],
                    "IssuingAccount": HOME,
                }
            ],
            "Truncated": False,
        },
    )
    return wire


def iam(wire: Wire) -> Wire:
    role = {
        "Path": "/",
        "RoleName": "snowflake",
        "RoleId": "AROAEXAMPLEEXAMPLE01",
        "Arn": f"arn:aws:iam::{HOME}:role/snowflake",
        "CreateDate": MADE,
        "AssumeRolePolicyDocument": ENCODED,
        "RolePolicyList": [{"PolicyName": "inline", "PolicyDocument": ENCODED}],
        "AttachedManagedPolicies": [{"PolicyName": "own", "PolicyArn": f"arn:aws:iam::{HOME}:policy/own"}],
        "InstanceProfileList": [],
        "Tags": [],
        "RoleLastUsed": {"LastUsedDate": MADE, "Region": "us-east-1"},
    }
    user = {
        "Path": "/",
        "UserName": "ann",
        "UserId": "AIDAEXAMPLEEXAMPLE01",
        "Arn": f"arn:aws:iam::{HOME}:user/ann",
        "CreateDate": MADE,
        "GroupList": ["admins"],
        "UserPolicyList": [],
        "AttachedManagedPolicies": [],
        "Tags": [],
    }
    group = {
        "Path": "/",
        "GroupName": "admins",
        "GroupId": "AGPAEXAMPLEEXAMPLE01",
        "Arn": f"arn:aws:iam::{HOME}:group/admins",
        "CreateDate": MADE,
        "GroupPolicyList": [],
        "AttachedManagedPolicies": [
            {"PolicyName": "AdministratorAccess", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
        ],
    }

    def policy(arn, attached):
        return {
            "PolicyName": arn.rpartition("/")[2],
            "PolicyId": "ANPAEXAMPLEEXAMPLE01",
            "Arn": arn,
            "Path": "/",
            "DefaultVersionId": "v2",
            "AttachmentCount": attached,
            "PermissionsBoundaryUsageCount": 0,
            "IsAttachable": True,
            "CreateDate": MADE,
            "UpdateDate": MADE,
            "PolicyVersionList": [
                {"Document": "%7B%7D", "VersionId": "v1", "IsDefaultVersion": False},
                {"Document": ENCODED, "VersionId": "v2", "IsDefaultVersion": True},
            ],
        }

    policies = [
        policy(f"arn:aws:iam::{HOME}:policy/own", 1),
        policy("arn:aws:iam::aws:policy/AdministratorAccess", 1),
        policy("arn:aws:iam::aws:policy/Unused", 0),
    ]
    shapes = {
        "Role": ("RoleDetailList", [role]),
        "User": ("UserDetailList", [user]),
        "Group": ("GroupDetailList", [group]),
        "LocalManagedPolicy": ("Policies", policies),
    }

    def details(params):
        member, found = shapes[params["Filter"][0]]
        return {member: json.loads(json.dumps(found, default=str), object_hook=_times), "IsTruncated": False}

    wire.on("iam:GetAccountAuthorizationDetails", details)
    wire.on(
        "iam:ListRoles",
        {
            "Roles": [{key: role[key] for key in ("Path", "RoleName", "RoleId", "Arn", "CreateDate")}],
            "IsTruncated": False,
        },
    )
    wire.on(
        "iam:ListUsers",
        {
            "Users": [{key: user[key] for key in ("Path", "UserName", "UserId", "Arn", "CreateDate")}],
            "IsTruncated": False,
        },
    )
    wire.on(
        "iam:ListGroups",
        {
            "Groups": [{key: group[key] for key in ("Path", "GroupName", "GroupId", "Arn", "CreateDate")}],
            "IsTruncated": False,
        },
    )
    wire.on("iam:ListPolicies", {"Policies": [{"Arn": policies[0]["Arn"], "PolicyName": "own"}], "IsTruncated": False})
    wire.on(
        "iam:ListAccessKeys",
        {
            "AccessKeyMetadata": [
                {"UserName": "ann", "AccessKeyId": "AKIAEXAMPLEEXAMPLE12", "Status": "Active", "CreateDate": MADE}
            ],
            "IsTruncated": False,
        },
    )
    wire.on(
        "iam:GetAccessKeyLastUsed", {"UserName": "ann", "AccessKeyLastUsed": {"ServiceName": "N/A", "Region": "N/A"}}
    )
    wire.on("iam:GenerateCredentialReport", {"State": "COMPLETE"})
    wire.on(
        "iam:GetCredentialReport",
        {
            "Content": f"{REPORT_HEAD}\n{ROOT}\n{ANN}".encode(),
            "ReportFormat": "text/csv",
            "GeneratedTime": NOW - dt.timedelta(hours=3),
        },
    )
    wire.on(
        "iam:GetAccountSummary",
        {"SummaryMap": {"Users": 1, "Roles": 1, "AccountMFAEnabled": 1, "AccountAccessKeysPresent": 0}},
    )
    wire.on(
        "iam:GetAccountPasswordPolicy",
        {"PasswordPolicy": {"MinimumPasswordLength": 14, "RequireSymbols": True, "ExpirePasswords": False}},
    )
    return wire


def regional(wire: Wire) -> Wire:
    arn = f"arn:aws:cloudtrail:us-east-1:{HOME}:trail/all"
    trail = {
        "Name": "all",
        "S3BucketName": "logs",
        "IsMultiRegionTrail": True,
        "HomeRegion": "us-east-1",
        "TrailARN": arn,
        "LogFileValidationEnabled": True,
        "KmsKeyId": KEY,
        "IsOrganizationTrail": False,
        "IncludeGlobalServiceEvents": True,
    }
    wire.on("cloudtrail:DescribeTrails", {"trailList": [trail]})
    wire.on("cloudtrail:GetTrailStatus", {"IsLogging": True, "LatestDeliveryTime": MADE})
    wire.on(
        "cloudtrail:GetEventSelectors",
        {
            "TrailARN": arn,
            "AdvancedEventSelectors": [
                {"Name": "data", "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Data"]}]}
            ],
        },
    )
    wire.on("ec2:DescribeVpcEndpoints", {"VpcEndpoints": []})
    wire.on(
        "ec2:DescribeVpcEndpoints",
        {
            "VpcEndpoints": [
                {
                    "VpcEndpointId": "vpce-1",
                    "VpcEndpointType": "Interface",
                    "VpcId": "vpc-1",
                    "ServiceName": "com.amazonaws.vpce.us-east-1.vpce-svc-1",
                    "State": "Available",
                    "PolicyDocument": json.dumps({"Statement": []}),
                    "PrivateDnsEnabled": True,
                    "OwnerId": HOME,
                    "CreationTimestamp": MADE,
                }
            ]
        },
        region="us-east-1",
    )
    wire.on("secretsmanager:ListSecrets", {"SecretList": []})
    wire.on(
        "secretsmanager:ListSecrets",
        {
            "SecretList": [
                {
                    "ARN": f"arn:aws:secretsmanager:us-east-1:{HOME}:secret:snowflake-abc",
                    "Name": "snowflake",
                    "Description": "password of Jane",
                    "LastChangedDate": MADE,
                    "Tags": [],
                }
            ]
        },
        region="us-east-1",
    )
    return wire


def account() -> Wire:
    """Everything answers."""
    return regional(iam(kms(s3(Wire()))))


def _times(item):
    return {
        key: dt.datetime.fromisoformat(value) if key in {"CreateDate", "UpdateDate", "LastUsedDate"} else value
        for key, value in item.items()
    }


__all__ = ["ENCODED", "HOME", "KEY", "NOW", "POLICY", "TRUST", "Fault", "account", "buckets", "paged"]

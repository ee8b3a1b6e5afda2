"""The aws source against a moto server on 127.0.0.1: real requests, signatures, parsers and pages.

What moto gets wrong (default encryption, the credential report, s3control's host name, MultiRegion) is tested on recorded
shapes in test_source_aws_answers.py. An ``aws`` source is also collected here by the command line, sealed and queried.
"""

import contextlib
import datetime as dt
import json
import os
import subprocess
import sys

import boto3
import pytest
from botocore.config import Config

from evidence import config
from evidence.collect import Task, collect
from evidence.datasets.load import load_contracts
from evidence.errors import ConfigError, SourceDeniedError
from evidence.snapshot.model import Window
from evidence.snapshot.redact import Redactor
from evidence.sources.aws import READERS
from evidence.sources.aws_operations import needed
from evidence.sources.open import open_source
from tests.contracts.source import SourceSuite

pytest_plugins = ["tests.servers.fixtures"]
CONTRACTS = load_contracts()
HOME, OTHER = "123456789012", "222222222222"
UNFAITHFUL = {"aws.s3_account_pab", "aws.iam_credential_report"}  # a host name nobody can resolve; a report of 2015
NIGHTLY = ["aws.s3_buckets", "aws.kms_keys", "aws.iam_roles", "aws.iam_access_keys", "aws.secrets"]
FAITHFUL = [name for name in READERS if name not in UNFAITHFUL]
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999999999999:user/snow"}, "Action": "sts:AssumeRole", "Condition": {"StringEquals": {"sts:ExternalId": "XY_SFCRole=2_abc+/="}}}]}  # fmt: skip
OPEN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::landing/*"}]}  # fmt: skip


def now():
    return dt.datetime.now(dt.UTC)


def maker(url, credentials=None):
    def make(service, region="us-east-1"):
        keys = credentials or {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(
            service, endpoint_url=url, region_name=region, config=Config(s3={"addressing_style": "path"}), **keys
        )

    return make


def build(make):
    """What the reference platform has: landing and log buckets, a key, Snowflake's role, a trail, an endpoint, a secret."""
    s3, kms, iam = make("s3"), make("kms"), make("iam")
    key = kms.create_key(Description="phi")["KeyMetadata"]
    kms.create_alias(AliasName="alias/phi", TargetKeyId=key["KeyId"])
    kms.enable_key_rotation(KeyId=key["KeyId"])
    kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    kms.create_grant(
        KeyId=key["KeyId"], GranteePrincipal=f"arn:aws:iam::{HOME}:role/x", Operations=["Decrypt"], Name="g"
    )
    s3.create_bucket(Bucket="bare")
    s3.create_bucket(Bucket="landing")
    s3.put_bucket_encryption(Bucket="landing", ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key["Arn"]}, "BucketKeyEnabled": True}]})  # fmt: skip
    s3.put_bucket_versioning(Bucket="landing", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_tagging(Bucket="landing", Tagging={"TagSet": [{"Key": "class", "Value": "PHI"}]})
    s3.put_public_access_block(Bucket="landing", PublicAccessBlockConfiguration={"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": False, "RestrictPublicBuckets": False})  # fmt: skip
    s3.put_bucket_policy(Bucket="landing", Policy=json.dumps(OPEN))
    s3.put_bucket_lifecycle_configuration(Bucket="landing", LifecycleConfiguration={"Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}}]})  # fmt: skip
    place = {"LocationConstraint": "eu-west-1"}
    make("s3", "eu-west-1").create_bucket(
        Bucket="logs", CreateBucketConfiguration=place, ObjectLockEnabledForBucket=True
    )
    iam.create_role(RoleName="snowflake", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName="snowflake", PolicyName="inline", PolicyDocument=json.dumps(OPEN))
    own = iam.create_policy(PolicyName="own", PolicyDocument=json.dumps(OPEN), Description="made for Jane Doe")[
        "Policy"
    ]
    iam.attach_role_policy(RoleName="snowflake", PolicyArn=own["Arn"])
    iam.create_group(GroupName="admins")
    for name in ("ann", "bob"):
        iam.create_user(UserName=name)
        iam.create_access_key(UserName=name)
    iam.add_user_to_group(GroupName="admins", UserName="ann")
    iam.update_account_password_policy(MinimumPasswordLength=14)
    trail = make("cloudtrail")
    s3.create_bucket(Bucket="trail-logs")
    trail.create_trail(Name="all", S3BucketName="trail-logs", IsMultiRegionTrail=True, EnableLogFileValidation=True)
    trail.start_logging(Name="all")
    ec2 = make("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", VpcEndpointType="Gateway")
    make("secretsmanager").create_secret(Name="snowflake", SecretString="hunter2", Description="login of Jane")


@pytest.fixture(scope="module")
def platform(moto_server):
    moto_server.reset()
    build(maker(moto_server.url))
    role = {"RoleName": "EvidenceCollector", "AssumeRolePolicyDocument": json.dumps(TRUST)}
    said = maker(moto_server.url)("sts").assume_role(
        RoleArn=f"arn:aws:iam::{OTHER}:role/admin", RoleSessionName="test"
    )["Credentials"]
    words = {
        "aws_access_key_id": said["AccessKeyId"],
        "aws_secret_access_key": said["SecretAccessKey"],
        "aws_session_token": said["SessionToken"],
    }
    theirs = maker(moto_server.url, words)
    theirs("iam").create_role(**role)
    theirs("s3").create_bucket(Bucket="theirs")
    theirs("secretsmanager", "eu-west-1").create_secret(Name="their-secret", SecretString="hunter3")
    return moto_server


@pytest.fixture
def opened(platform, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def go(**settings):
        words = {
            "run": "R",
            "regions": ["us-east-1", "eu-west-1"],
            "endpoint_url": platform.url,
            "datasets": FAITHFUL,
        } | settings
        return open_source("aws", "aws", contracts=CONTRACTS, clock=now, settings=words)

    return go


@pytest.fixture
def rows(opened):
    def go(dataset, **settings):
        source = opened(**settings)
        reading = source.read(CONTRACTS[f"aws.{dataset}"], Window.of_capture(now()))
        found = [row for batch in reading.batches for row in batch.to_pylist()]
        source.close()
        assert not reading.gaps
        return found

    return go


class TestAwsSourceOnMoto(SourceSuite):
    @pytest.fixture
    def source(self, opened):
        # Every dataset runs the suite on recorded shapes. Not here: trails, to which moto delivers at every look.
        return opened(datasets=["aws.s3_object_lock", "aws.kms_keys", "aws.iam_roles", "aws.secrets"])

    @pytest.fixture
    def contracts(self):
        return CONTRACTS


@pytest.mark.parametrize("name", FAITHFUL)
def test_every_dataset_is_collected_complete(opened, tmp_path, name):
    source = opened()
    said = collect(
        Task(source, CONTRACTS[name], Window.of_capture(now())), Redactor(b"k" * 32, "k1"), tmp_path, now
    ).receipt
    assert said.status == "complete", said.reason
    assert said.landed == said.source_totals.rows
    assert {statement.text for statement in said.statements} <= {operation.name for operation in needed([name])}
    if name != "aws.s3_inventory":
        assert said.landed > 0


def test_buckets_as_they_are_set(rows):
    found = {row["name"]: row for row in rows("s3_buckets")}
    landing, bare = found["landing"], found["bare"]
    assert set(found) == {"bare", "landing", "logs", "trail-logs"}
    assert (landing["sse_algorithm"], landing["bucket_key_enabled"], landing["versioning_status"]) == (
        "aws:kms",
        True,
        "Enabled",
    )
    assert landing["kms_key_id"].startswith("arn:aws:kms:us-east-1:")
    assert (landing["block_public_acls"], landing["block_public_policy"], landing["policy_is_public"]) == (
        True,
        False,
        True,
    )
    assert json.loads(landing["policy"]) == OPEN
    assert json.loads(landing["tags"]) == {"class": "PHI"}
    assert json.loads(landing["lifecycle_rules"])[0]["Expiration"] == {"Days": 30}
    assert (bare["policy_set"], bare["policy"], bare["public_access_block_set"], bare["versioning_status"]) == (
        False,
        None,
        False,
        "unset",
    )
    assert found["logs"]["region"] == "eu-west-1"


def test_locks_keys_and_grants(rows):
    locks = {row["bucket"]: row["enabled"] for row in rows("s3_object_lock")}
    assert locks == {"bare": False, "landing": False, "logs": True, "trail-logs": False}
    keys = {row["spec"]: row for row in rows("kms_keys")}
    phi = keys["SYMMETRIC_DEFAULT"]
    assert (phi["aliases"], phi["rotation_enabled"], phi["state"]) == (["alias/phi"], True, "Enabled")
    assert (keys["RSA_2048"]["rotation_supported"], keys["RSA_2048"]["rotation_enabled"]) == (False, False)
    assert [row["operations"] for row in rows("kms_grants")] == [["Decrypt"]]


def test_identities(rows):
    roles = {row["name"]: row for row in rows("iam_roles")}
    assert json.loads(roles["snowflake"]["trust_policy"]) == TRUST
    assert json.loads(roles["snowflake"]["inline_policies"]) == [{"name": "inline", "document": OPEN}]
    assert roles["snowflake"]["attached_policies"] == [f"arn:aws:iam::{HOME}:policy/own"]
    assert {row["name"]: row["groups"] for row in rows("iam_users")} == {"ann": ["admins"], "bob": []}
    assert {row["user_name"] for row in rows("iam_access_keys")} == {"ann", "bob"}
    assert [row["minimum_length"] for row in rows("iam_password_policy")] == [14]


def test_trails_endpoints_and_secrets(rows):
    (trail,) = rows("trails")
    assert (trail["is_multi_region"], trail["log_validation"], trail["is_logging"], trail["kms_key_id"]) == (
        True,
        True,
        True,
        "unset",
    )
    (endpoint,) = rows("vpc_endpoints")
    assert (endpoint["service_name"], endpoint["type"]) == ("com.amazonaws.us-east-1.s3", "Gateway")
    (secret,) = rows("secrets")
    assert (secret["name"], secret["rotation_enabled"]) == ("snowflake", False)


def test_another_account_by_an_assumed_role(rows):
    accounts = [
        {"role_arn": "", "external_id": "", "regions": []},
        {"role_arn": f"arn:aws:iam::{OTHER}:role/EvidenceCollector", "external_id": "EXTERNAL", "regions": []},
    ]
    buckets = {(row["account"], row["name"]) for row in rows("s3_buckets", accounts=accounts)}
    assert {(OTHER, "theirs"), (HOME, "landing")} < buckets
    secrets = {(row["account"], row["region"], row["name"]) for row in rows("secrets", accounts=accounts)}
    assert secrets == {(HOME, "us-east-1", "snowflake"), (OTHER, "eu-west-1", "their-secret")}


def test_an_endpoint_that_is_not_there_is_unavailable(opened):
    source = opened(endpoint_url="http://127.0.0.1:9", attempts=1)
    with pytest.raises(Exception, match="EndpointConnectionError") as caught:
        source.read(CONTRACTS["aws.secrets"], Window.of_capture(now()))
    assert not isinstance(caught.value, SourceDeniedError)


CONFIG = """
demo = true
[entity]
name = "x"
system = "y"
[sources.cloud]
kind = "aws"
regions = ["us-east-1", "eu-west-1"]
endpoint_url = "{url}"
datasets = {datasets}
"""


def test_a_night_of_aws_is_collected_sealed_and_queried_by_the_command_line(platform, tmp_path):
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(tmp_path),
    }

    def evidence(*words):
        command = [sys.executable, "-c", "from evidence.cli import main; main()", "-w", str(tmp_path / "work"), *words]
        return subprocess.run(
            command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False
        )

    made = evidence("init", str(tmp_path / "work"))
    assert made.returncode == 0, made.stderr
    (tmp_path / "work" / "evidence.toml").write_text(CONFIG.format(url=platform.url, datasets=json.dumps(NIGHTLY)))
    said = evidence("collect", "--json")
    assert said.returncode == 0, said.stdout + said.stderr
    (source,) = json.loads(said.stdout)["sources"]
    assert source["sealed"] == {"complete": len(NIGHTLY)}
    answer = evidence("query", "select name, sse_algorithm from aws.s3_buckets order by name")
    assert "landing" in answer.stdout, answer.stdout + answer.stderr
    assert "aws:kms" in answer.stdout


@pytest.mark.parametrize(
    ("ref", "value"),
    [
        ("aws-sm:whole", b"planted text"),
        ("aws-sm:login#password", b"planted member"),
        ("aws-sm:binary", bytes(range(32))),
        ("aws-sm:login#user", "name a member"),
        ("aws-sm:whole#password", "leave # out"),
        ("aws-sm:nothing", "correct the name or ARN"),
    ],
)
def test_secrets_come_from_secrets_manager_and_never_stand_in_what_goes_wrong(
    platform, monkeypatch, tmp_path, ref, value
):
    client = maker(platform.url)("secretsmanager")
    with contextlib.suppress(client.exceptions.ResourceExistsException):
        client.create_secret(Name="whole", SecretString="planted text")
        client.create_secret(Name="login", SecretString='{"password": "planted member", "port": 1}')
        client.create_secret(Name="binary", SecretBinary=bytes(range(32)))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", platform.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    (tmp_path / "evidence.toml").write_text("[entity]\nname='x'\nsystem='y'")
    loaded = config.load(tmp_path)
    if isinstance(value, bytes):
        assert loaded.secret(ref) == value
        arn = client.describe_secret(SecretId=ref.removeprefix("aws-sm:").partition("#")[0])["ARN"]
        assert loaded.secret(f"aws-sm:{arn}{ref[ref.find('#') :] if '#' in ref else ''}") == value
        assert "planted" not in repr(loaded) + loaded.model_dump_json()
        return
    with pytest.raises(ConfigError) as caught:
        loaded.secret(ref)
    assert value in caught.value.fix
    assert ref in str(caught.value)
    assert "planted" not in str(caught.value)

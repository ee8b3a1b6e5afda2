"""What may be sent to AWS: the list, the guard that enforces it, and the least-privilege documents made from it."""

import datetime as dt
import json
import re

import pytest
import typer
from botocore.session import Session
from fakes.aws_wire import Wire
from typer.testing import CliRunner

from evidence.cli.setup_aws import aws as setup_aws
from evidence.datasets.load import load_contracts
from evidence.errors import ConfigError, EvidenceError
from evidence.sources.aws import READERS
from evidence.sources.aws_operations import Place, guard, load_operations
from evidence.sources.aws_policy import actions, beyond, caller_policy, reading_policy, trust_policy
from evidence.sources.aws_session import AccountLogin, Connection, sign_in

OPERATIONS = load_operations()
SERVICES = sorted({operation.service for operation in OPERATIONS.values()})
READING = re.compile(r"(Get|List|Describe)[A-Z]|GenerateCredentialReport$")


def models(service):
    model = Session().get_service_model(service)
    return [model.operation_model(name) for name in model.operation_names]


def test_every_listed_operation_exists_and_only_reads():
    known = {f"{service}:{model.name}" for service in SERVICES for model in models(service)}
    for name, operation in OPERATIONS.items():
        assert name in known
        assert operation.page
        assert operation.login or READING.match(operation.call), name
        assert not re.search(r"Secret(Value|String)|Decrypt|GetParameter|Tagging.*Put", name)


@pytest.mark.parametrize("service", SERVICES)
def test_the_guard_lets_nothing_else_through(service):
    refuse = guard()["before-call"]

    def passes(model):
        try:
            refuse(model=model)
        except EvidenceError:
            return False
        return True

    passed = sorted(f"{service}:{model.name}" for model in models(service) if passes(model))
    assert passed == sorted(name for name in OPERATIONS if name.split(":")[0] == service)


def test_a_client_of_a_guarded_session_sends_nothing_that_is_not_listed():
    wire = Wire()
    access = sign_in(Connection(sessions=wire.session), AccountLogin(), "R", lambda: dt.datetime.now(dt.UTC))
    before = len(wire.sent)
    with pytest.raises(EvidenceError, match="s3:DeleteBucket was not sent"):
        access.client("s3", "us-east-1").delete_bucket(Bucket="phi")
    with pytest.raises(EvidenceError, match="secretsmanager:GetSecretValue was not sent"):
        access.client("secretsmanager", "us-east-1").get_secret_value(SecretId="x")
    with pytest.raises(EvidenceError, match="iam:CreateUser was not sent"):
        access.client("iam", "us-east-1").create_user(UserName="x")
    with pytest.raises(EvidenceError, match="in no place for reports"):
        access.client("s3", "us-east-1").get_object(Bucket="phi", Key="members.csv")
    assert len(wire.sent) == before


def test_objects_can_be_read_in_named_places_only():
    refuse = guard([Place.parse("s3://reports/inventory/")])["before-parameter-build"]
    model = next(model for model in models("s3") if model.name == "GetObject")
    refuse(params={"Bucket": "reports", "Key": "inventory/phi/x"}, model=model)
    for bucket, key in (("reports", "inventory-of-members/x"), ("reports", "other"), ("phi", "inventory/x")):
        with pytest.raises(EvidenceError):
            refuse(params={"Bucket": bucket, "Key": key}, model=model)


@pytest.mark.parametrize("url", ["reports/x", "s3://", "s3://bucket/*", "https://bucket/x"])
def test_a_place_is_a_bucket_and_a_prefix(url):
    with pytest.raises(ConfigError, match="no place for reports"):
        Place.parse(url)


def test_operations_and_datasets_name_each_other():
    named = {dataset for operation in OPERATIONS.values() for dataset in operation.datasets}
    contracts = {name for name in load_contracts() if name.startswith("aws.")}
    assert named == contracts == set(READERS)
    assert all(operation.login != bool(operation.datasets) for operation in OPERATIONS.values())


def test_the_policy_is_made_from_the_datasets():
    policy = reading_policy(["aws.kms_keys"])
    (statement,) = policy["Statement"]
    assert statement["Action"] == [
        "ec2:DescribeRegions", "kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListAliases", "kms:ListKeys",
        "kms:ListResourceTags",
    ]  # fmt: skip
    every = actions(READERS)
    assert not [action for action in every if "*" in action or not READING.match(action.partition(":")[2])]
    assert {
        "s3:GetEncryptionConfiguration",
        "s3:ListAllMyBuckets",
        "s3:GetAccountPublicAccessBlock",
        "iam:GetAccountAuthorizationDetails",
    } < set(every)
    assert "s3:GetObject" not in every
    assert len(json.dumps(reading_policy(list(READERS)), separators=(",", ":"))) < 6144, "the quota of a managed policy"


def test_reports_are_readable_only_where_they_lie():
    place = Place.parse("s3://reports/inventory")
    policy = reading_policy(["aws.s3_inventory"], [place])
    objects = [s for s in policy["Statement"] if s["Action"] == ["s3:GetObject"]]
    assert [s["Resource"] for s in objects] == ["arn:aws:s3:::reports/inventory/*"]
    assert not [s for s in reading_policy(["aws.s3_buckets"], [place])["Statement"] if "s3:GetObject" in s["Action"]]


def test_trust_names_one_principal_and_the_external_id():
    (statement,) = trust_policy("arn:aws:iam::1:role/c", "id")["Statement"]
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": "id"}}
    assert "Condition" not in trust_policy("arn:aws:iam::1:role/c")["Statement"][0]
    assert caller_policy(["b", "a"])["Statement"][0]["Resource"] == ["a", "b"]


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ({"Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*"}, []),
        ({"Effect": "Deny", "Action": "*", "Resource": "*"}, []),
        ({"Effect": "Allow", "Action": ["kms:*", "KMS:listkeys"], "Resource": "*"}, ["kms:*"]),
        ({"Effect": "Allow", "Action": "kms:List*", "Resource": "*"}, ["kms:List*"]),
        ({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}, ["s3:GetObject"]),
        (
            {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
            ["a statement by exclusion (NotAction or NotResource)"],
        ),
    ],
)
def test_what_a_policy_grants_beyond_the_need_is_named(statement, found):
    assert beyond({"Statement": statement}, ["aws.kms_keys"]) == found


def test_a_report_grant_without_its_condition_or_elsewhere_is_beyond_the_need():
    places = [Place.parse("s3://reports/inventory")]
    wanted = reading_policy(["aws.s3_inventory"], places)
    assert beyond(wanted, ["aws.s3_inventory"], places) == []
    wide = {
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket", "s3:GetObject"],
                "Resource": ["arn:aws:s3:::reports", "arn:aws:s3:::reports/*"],
            }
        ]
    }
    assert beyond(wide, ["aws.s3_inventory"], places) == [
        "s3:GetObject on arn:aws:s3:::reports", "s3:GetObject on arn:aws:s3:::reports/*", "s3:ListBucket on arn:aws:s3:::reports",
        "s3:ListBucket on arn:aws:s3:::reports/*",
    ]  # fmt: skip


CONFIG = """
[entity]
name = "x"
system = "y"
[sources.cloud]
kind = "aws"
accounts = [{ role_arn = "arn:aws:iam::222222222222:role/E", external_id = "ID" }]
datasets = ["aws.kms_keys"]
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "evidence.toml").write_text(CONFIG)
    app = typer.Typer()
    app.command()(setup_aws)

    def go(*arguments):
        return CliRunner().invoke(app, list(arguments), obj=tmp_path, standalone_mode=False)

    return go


def test_setup_prints_documents_for_what_is_configured(run):
    said = json.loads(run("--principal", "arn:aws:iam::111111111111:role/collector").output)
    assert said["role_policy"] == reading_policy(["aws.kms_keys"])
    assert said["trust_policies"]["arn:aws:iam::222222222222:role/E"] == trust_policy(
        "arn:aws:iam::111111111111:role/collector", "ID"
    )
    assert said["caller_policy"]["Statement"][0]["Resource"] == ["arn:aws:iam::222222222222:role/E"]


def test_setup_checks_that_a_role_holds_no_more(run, tmp_path):
    fine, wide = tmp_path / "fine.json", tmp_path / "wide.json"
    fine.write_text(json.dumps(reading_policy(["aws.kms_keys"])))
    wide.write_text('{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}')
    assert run("--check", str(fine)).return_value == 0
    answer = run("--check", str(wide))
    assert answer.return_value == 5
    assert "s3:*" in answer.output
    assert isinstance(run("--source", "nothing").exception, EvidenceError)

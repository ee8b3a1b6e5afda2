"""The aws source on recorded shapes: what is not set, what is refused, what comes and goes, and what moto gets wrong."""

import datetime as dt
import json
import logging

import pytest
from fakes.aws_account import ANN, ENCODED, HOME, KEY, NOW, POLICY, REPORT_HEAD, ROOT, TRUST, account, buckets
from fakes.aws_wire import Fault, Wire, paged

from evidence.collect import Task, collect
from evidence.datasets.load import load_contracts
from evidence.errors import ConfigError, SourceDeniedError, SourceError, SourceUnavailableError
from evidence.snapshot.model import Window
from evidence.snapshot.redact import Redactor
from evidence.sources import aws_credentials, aws_s3
from evidence.sources.aws import READERS, AwsSource
from evidence.sources.aws_session import AccountLogin, Connection
from tests.contracts.source import SourceSuite

CONTRACTS = load_contracts()
TONIGHT = dt.date(2026, 10, 1)
WINDOW = Window(TONIGHT, "state")
OTHER = "222222222222"
ROLE = f"arn:aws:iam::{OTHER}:role/EvidenceCollector"


def source(wire, *logins, regions=("us-east-1", "eu-west-1"), attempts=1, now=NOW, **more):
    connection = Connection(sessions=wire.session, attempts=attempts, **more)
    return AwsSource("aws", logins, list(READERS), regions=regions, connection=connection, run="R", clock=lambda: now)


def read(wire, dataset, *logins, **more):
    reading = source(wire, *logins, **more).read(CONTRACTS[f"aws.{dataset}"], WINDOW)
    return reading, [row for batch in reading.batches for row in batch.to_pylist()]


def only(wire, dataset, **more):
    reading, rows = read(wire, dataset, **more)
    assert len(rows) == 1
    return reading, rows[0]


@pytest.fixture
def receipt(tmp_path):
    """Collect a dataset and return its receipt: what is sealed, not what was read."""

    def go(wire, dataset, *logins, **more):
        task = Task(source(wire, *logins, **more), CONTRACTS[f"aws.{dataset}"], WINDOW)
        spool = tmp_path / f"{dataset}-{len(list(tmp_path.iterdir()))}"
        spool.mkdir()
        return collect(task, Redactor(b"k" * 32, "k1"), spool, lambda: NOW).receipt

    return go


class TestAwsSource(SourceSuite):
    @pytest.fixture
    def source(self):
        return source(account())

    @pytest.fixture
    def contracts(self):
        return CONTRACTS


# --- whole datasets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", READERS)
def test_every_dataset_is_complete_when_everything_answers(name, receipt):
    said = receipt(account(), name.removeprefix("aws."))
    assert said.status == "complete", said.reason
    assert said.source_totals.rows == said.landed == said.source_totals.distinct_keys
    assert said.as_of is not None
    assert said.system["product"] == "aws"
    assert said.system[f"account.{HOME}.caller"].startswith(f"arn:aws:sts::{HOME}:")
    assert {s.text.split(":")[0] for s in said.statements} <= {
        "s3",
        "s3control",
        "kms",
        "iam",
        "cloudtrail",
        "ec2",
        "secretsmanager",
    }


@pytest.mark.parametrize("name", READERS)
def test_a_reader_and_its_contract_have_the_same_columns(name):
    wire = account()
    if name == "aws.s3_inventory":
        wire.on(
            "s3:ListBucketInventoryConfigurations", {"InventoryConfigurationList": [CONFIGURED], "IsTruncated": False}
        )
    reading, rows = read(wire, name.removeprefix("aws."))
    assert rows
    assert not [note for note in reading.notes if "does not know" in note]
    given = {key for row in reading.rows for key in row}
    late = {
        "report_at",
        "objects",
        "bytes",
        "oldest_object_at",
        "newest_object_at",
        "older_versions",
        "oldest_older_version_at",
    }
    rotating = {"rotation_period_days", "next_rotation_at"}
    assert {column.name for column in CONTRACTS[name].columns} - given <= late | rotating


@pytest.mark.parametrize("name", READERS)
def test_what_is_sent_is_what_the_dataset_is_listed_for(name):
    from evidence.sources.aws_operations import needed

    wire = account()
    read(wire, name.removeprefix("aws."))
    sent = {sent for _, _, sent, _ in wire.sent} - {"sts:GetCallerIdentity"}
    assert {name for name in sent if not name.endswith(" (sent)")} <= {operation.name for operation in needed([name])}


CONFIGURED = {
    "Destination": {"S3BucketDestination": {"Bucket": "arn:aws:s3:::reports", "Format": "CSV", "Prefix": "inventory"}},
    "IsEnabled": True,
    "Id": "daily",
    "IncludedObjectVersions": "All",
    "Schedule": {"Frequency": "Daily"},
    "OptionalFields": ["Size", "LastModifiedDate"],
}

# --- not set, refused, gone: three different things --------------------------------------------------------------------------

UNSET = {
    "s3:GetBucketEncryption": ("ServerSideEncryptionConfigurationNotFoundError", {"sse_algorithm": "unset", "kms_key_id": "unset", "encryption_rules": "[]"}),
    "s3:GetPublicAccessBlock": ("NoSuchPublicAccessBlockConfiguration", {"public_access_block_set": False, "block_public_acls": False, "restrict_public_buckets": False}),
    "s3:GetBucketPolicy": ("NoSuchBucketPolicy", {"policy_set": False, "policy": None}),
    "s3:GetBucketPolicyStatus": ("NoSuchBucketPolicy", {"policy_is_public": False}),
    "s3:GetBucketOwnershipControls": ("OwnershipControlsNotFoundError", {"ownership": "unset"}),
    "s3:GetBucketLifecycleConfiguration": ("NoSuchLifecycleConfiguration", {"lifecycle_rules": "[]"}),
    "s3:GetBucketReplication": ("ReplicationConfigurationNotFoundError", {"replication_role": "unset", "replication_rules": "[]"}),
    "s3:GetBucketTagging": ("NoSuchTagSet", {"tags": "{}"}),
}  # fmt: skip
EMPTY = {
    "s3:GetBucketVersioning": {"versioning_status": "unset", "mfa_delete": "unset"},
    "s3:GetBucketLogging": {"logging_target_bucket": "unset", "logging_target_prefix": "unset"},
}
REFUSED_COLUMNS = {
    **{name: list(columns) for name, (_, columns) in UNSET.items()},
    **{name: list(columns) for name, columns in EMPTY.items()},
    "s3:GetBucketAcl": ["acl", "owner_id"],
}


@pytest.mark.parametrize("name", UNSET)
def test_what_is_not_configured_is_a_fact(name, receipt):
    code, expected = UNSET[name]
    wire = account().on(name, Fault(code, 404))
    _, row = only(wire, "s3_buckets")
    assert {column: row[column] for column in expected} == expected
    assert row["refused"] == []
    assert receipt(wire, "s3_buckets").status == "complete"


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_answer_is_a_fact_too(name):
    _, row = only(account().on(name, {}), "s3_buckets")
    assert {column: row[column] for column in EMPTY[name]} == EMPTY[name]


@pytest.mark.parametrize("name", REFUSED_COLUMNS)
def test_a_refused_call_never_reads_as_not_set(name, receipt):
    wire = account().on(name, Fault("AccessDenied"))
    _, row = only(wire, "s3_buckets")
    assert all(row[column] is None for column in REFUSED_COLUMNS[name])
    assert row["refused"] == [f"{name} AccessDenied"]
    said = receipt(wire, "s3_buckets")
    assert said.status == "incomplete"
    assert f"{name} refused with AccessDenied for 1 item (phi)" in said.reason
    assert "allow s3:" in said.reason
    assert said.landed == 1


def test_one_refused_bucket_among_many_is_named_and_the_others_are_kept(receipt):
    wire = account().on("s3:ListBuckets", buckets("a", "b", "c"))
    wire.on(
        "s3:GetBucketPolicy",
        lambda params: Fault("AccessDenied") if params["Bucket"] == "b" else {"Policy": json.dumps(POLICY)},
    )
    _, rows = read(wire, "s3_buckets")
    assert {row["name"]: (row["policy_set"], row["refused"]) for row in rows} == {
        "a": (True, []), "b": (None, ["s3:GetBucketPolicy AccessDenied"]), "c": (True, []),
    }  # fmt: skip
    said = receipt(wire, "s3_buckets")
    assert (said.status, said.landed) == ("incomplete", 3)
    assert "(b)" in said.reason
    statement = next(s for s in said.statements if s.text == "s3:GetBucketPolicy")
    assert "refused=1" in statement.parameters
    assert "answered=2" in statement.parameters


def test_many_refusals_are_one_line(receipt):
    wire = (
        account()
        .on("s3:ListBuckets", buckets(*(f"b{n:03}" for n in range(120))))
        .on("s3:GetBucketPolicy", Fault("AccessDenied"))
    )
    said = receipt(wire, "s3_buckets")
    assert "for 120 items (b000, b001, b002, b003, b004 and 115 more)" in said.reason
    assert len(said.reason) < 600


def test_a_key_whose_policy_shuts_us_out_is_a_row_without_knowledge(receipt):
    wire = account()
    for name in ("DescribeKey", "GetKeyPolicy", "GetKeyRotationStatus"):
        wire.on(f"kms:{name}", Fault("AccessDeniedException", 400))
    _, row = only(wire, "kms_keys")
    assert {
        row[column] for column in ("state", "manager", "rotation_enabled", "rotation_supported", "policy", "spec")
    } == {None}
    assert row["refused"] == [
        f"kms:{name} AccessDeniedException" for name in ("DescribeKey", "GetKeyPolicy", "GetKeyRotationStatus")
    ]
    assert receipt(wire, "kms_keys").status == "incomplete"


def test_a_trail_whose_status_is_refused_shows_no_absence_of_errors():
    _, row = only(account().on("cloudtrail:GetTrailStatus", Fault("AccessDeniedException", 400)), "trails")
    assert (row["is_logging"], row["latest_delivery_error"]) == (None, None)
    _, row = only(account(), "trails")
    assert (row["is_logging"], row["latest_delivery_error"]) == (True, "unset")


def test_refused_lists_of_keys_and_grants_are_gaps(receipt):
    for dataset, name in (("iam_access_keys", "iam:ListAccessKeys"), ("kms_grants", "kms:ListGrants")):
        said = receipt(account().on(name, Fault("AccessDenied")), dataset)
        assert (said.status, said.landed) == ("incomplete", 0)
        assert name in said.reason


def test_an_error_nobody_knows_is_a_refusal_not_a_fact():
    _, row = only(account().on("s3:GetBucketPolicy", Fault("SomethingNew", 400)), "s3_buckets")
    assert (row["policy_set"], row["refused"]) == (None, ["s3:GetBucketPolicy SomethingNew"])


# --- what comes and goes --------------------------------------------------------------------------------------------------


def test_a_bucket_that_vanished_is_left_out_and_noted(receipt):
    wire = account().on("s3:ListBuckets", buckets("phi", "gone"), buckets("phi"))
    wire.on(
        "s3:GetBucketTagging",
        lambda params: Fault("NoSuchBucket", 404) if params["Bucket"] == "gone" else {"TagSet": []},
    )
    said = receipt(wire, "s3_buckets")
    assert (said.status, said.landed) == ("complete", 1)
    assert "1 buckets vanished while reading and are left out: gone" in said.notes


def test_a_bucket_that_appeared_is_read_at_the_second_attempt(receipt):
    wire = account().on("s3:ListBuckets", buckets("phi"), buckets("new", "phi"))
    said = receipt(wire, "s3_buckets")
    assert (said.status, said.landed) == ("complete", 2)


def test_a_listing_that_never_stands_still_is_incomplete(receipt):
    numbers = iter(range(100))
    wire = account().on("s3:ListBuckets", lambda _: buckets(*(f"b{n}" for n in range(next(numbers) + 1))))
    said = receipt(wire, "s3_buckets")
    assert said.status == "incomplete"
    assert "totals differ (source / arrived): rows 6 / 5" in said.reason


def test_a_listed_bucket_that_says_it_is_not_there_is_missing_not_skipped(receipt):
    said = receipt(account().on("s3:GetBucketPolicy", Fault("NoSuchBucket", 404)), "s3_buckets")
    assert said.status == "incomplete"
    assert "rows 1 / 0" in said.reason


@pytest.mark.parametrize(
    ("dataset", "name", "fault"),
    [
        ("iam_access_keys", "iam:ListAccessKeys", Fault("NoSuchEntity", 404)),
        ("kms_grants", "kms:ListGrants", Fault("NotFoundException", 400)),
    ],
)
def test_a_list_inside_a_listed_item_that_is_not_there_is_missing_too(dataset, name, fault, receipt):
    said = receipt(account().on(name, fault), dataset)
    assert (said.status, said.landed) == ("incomplete", 0)
    assert "rows 1 / 0" in said.reason
    assert any("as if they were not there" in note for note in said.notes)


# --- accounts and regions -------------------------------------------------------------------------------------------------


def two_accounts():
    wire = account()
    wire.on("s3:ListBuckets", buckets("theirs"), account=OTHER)
    return wire, (AccountLogin(), AccountLogin(ROLE, "EXTERNAL"))


def test_accounts_are_reached_by_assumed_roles_and_every_row_says_which():
    wire, logins = two_accounts()
    reading, rows = read(wire, "s3_buckets", *logins)
    assert {(row["account"], row["name"]) for row in rows} == {(HOME, "phi"), (OTHER, "theirs")}
    (assumed,) = wire.calls("sts:AssumeRole")
    assert (assumed["RoleArn"], assumed["ExternalId"], assumed["RoleSessionName"]) == (ROLE, "EXTERNAL", "evidence-R")
    assert reading.system[f"account.{OTHER}.role"] == ROLE


def test_an_assumed_role_is_renewed_before_it_ends():
    wire = account()
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)
    words = {"AccessKeyId": f"ASIA{OTHER}", "SecretAccessKey": "s", "SessionToken": "t"}
    later = {"Credentials": {**words, "Expiration": soon + dt.timedelta(hours=1)}}
    wire.on("sts:AssumeRole", {"Credentials": {**words, "Expiration": soon}}, later)
    _, rows = read(wire, "s3_buckets", AccountLogin(ROLE))
    assert {row["account"] for row in rows} == {OTHER}
    assert len(wire.calls("sts:AssumeRole")) == 2


def test_global_services_are_read_once_per_account_and_regional_ones_per_region():
    wire, logins = two_accounts()
    read(wire, "iam_account_summary", *logins)
    assert len(wire.calls("iam:GetAccountSummary")) == 2
    read(wire, "secrets", *logins)
    regions = {(account, region) for account, region, name, _ in wire.sent if name == "secretsmanager:ListSecrets"}
    assert regions == {(account, region) for account in (HOME, OTHER) for region in ("us-east-1", "eu-west-1")}


def test_a_denied_account_does_not_hide_the_other(receipt):
    wire, logins = two_accounts()
    wire.on("sts:AssumeRole", Fault("AccessDenied"))
    said = receipt(wire, "s3_buckets", *logins)
    assert (said.status, said.landed) == ("incomplete", 1)
    assert ROLE in said.reason
    assert "sts:AssumeRole: AccessDenied" in said.reason
    assert "trust policy" in said.reason


def test_all_accounts_denied_is_denied(receipt):
    wire = account().on("sts:AssumeRole", Fault("AccessDenied"))
    said = receipt(wire, "s3_buckets", AccountLogin(ROLE))
    assert said.status == "denied"
    assert ROLE in said.reason


def test_a_refused_listing_is_denied_with_the_action_to_grant(receipt):
    said = receipt(account().on("iam:GetAccountAuthorizationDetails", Fault("AccessDenied")), "iam_roles")
    assert said.status == "denied"
    assert (
        "iam:GetAccountAuthorizationDetails: AccessDenied; to mend it: allow iam:GetAccountAuthorizationDetails"
        in said.reason
    )
    assert f"account {HOME}" in said.reason


def test_a_denied_region_is_named_and_the_others_are_kept(receipt):
    wire = account().on("kms:ListKeys", Fault("AccessDeniedException", 400), region="eu-west-1")
    said = receipt(wire, "kms_keys")
    assert (said.status, said.landed) == ("incomplete", 1)
    assert f"account {HOME}, eu-west-1: kms:ListKeys: AccessDeniedException" in said.reason


def test_a_region_that_is_not_enabled_says_so(receipt):
    wire = account().on("kms:ListKeys", Fault("OptInRequired", 403), region="eu-west-1")
    assert "leave it out of `regions`" in receipt(wire, "kms_keys").reason


def test_enabled_regions_that_are_not_read_are_noted():
    reading, _ = read(account(), "kms_keys", regions=("us-east-1",))
    assert f"account {HOME}: enabled regions not read, by configuration: eu-west-1" in reading.notes


def test_without_configured_regions_every_enabled_one_is_read(receipt):
    reading, _ = read(account(), "kms_keys", regions=())
    assert reading.system[f"account.{HOME}.regions"] == "eu-west-1,us-east-1"
    assert (
        receipt(account().on("ec2:DescribeRegions", Fault("UnauthorizedOperation")), "kms_keys", regions=()).status
        == "denied"
    )


def test_one_account_twice_is_counted_once():
    with pytest.raises(ConfigError, match="twice"):
        source(account(), AccountLogin(ROLE), AccountLogin(ROLE.replace("EvidenceCollector", "Second")))
    wire = account().on("s3:ListBuckets", buckets("theirs"), account=OTHER)
    wire.on("sts:GetCallerIdentity", {"Account": OTHER, "Arn": "arn:aws:iam::2:user/x", "UserId": "U"})
    reading, rows = read(wire, "s3_buckets", AccountLogin(), AccountLogin(ROLE))
    assert len(rows) == len({row["name"] for row in rows})
    assert any("was not read twice" in note for note in reading.notes)


def test_an_unknown_profile_or_missing_credentials_are_refusals_with_a_fix(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    ):
        monkeypatch.delenv(name, raising=False)
    for profile, word in (("nobody", "profile"), ("", "credentials")):
        plain = AwsSource(
            "aws", (), ["aws.s3_buckets"], connection=Connection(profile=profile), run="R", clock=lambda: NOW
        )
        with pytest.raises(SourceDeniedError) as caught:
            plain.read(CONTRACTS["aws.s3_buckets"], WINDOW)
        assert word in caught.value.fix


# --- throttling, outages, clocks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["standard", "adaptive"])
def test_throttling_is_waited_out_by_the_sdk(mode):
    wire = account().on(
        "kms:ListKeys",
        Fault("ThrottlingException", 400),
        {"Keys": [{"KeyId": "1111", "KeyArn": KEY}]},
        region="us-east-1",
    )
    # the scripted fault comes back on every try of the call it was made for: one call, several tries
    with pytest.raises(SourceUnavailableError, match="ThrottlingException"):
        read(wire, "kms_keys", regions=("us-east-1",), attempts=2, retry_mode=mode)
    assert len(wire.calls("kms:ListKeys (sent)")) == 2


@pytest.mark.parametrize(
    "fault", [Fault("ThrottlingException", 400), Fault("InternalFailure", 500), Fault("ServiceUnavailable", 503)]
)
def test_an_endless_outage_is_unavailable_and_never_partly_empty(fault, receipt):
    said = receipt(account().on("kms:DescribeKey", fault), "kms_keys", regions=("us-east-1",))
    assert said.status == "unavailable"
    assert fault.code in said.reason


def test_an_outage_of_one_region_keeps_the_other(receipt):
    said = receipt(account().on("kms:ListKeys", Fault("InternalFailure", 500), region="eu-west-1"), "kms_keys")
    assert (said.status, said.landed) == ("incomplete", 1)
    assert "retry later" in said.reason


def test_a_capture_outside_its_span_is_not_taken_for_the_night(receipt):
    said = receipt(account(), "s3_buckets", now=NOW + dt.timedelta(days=2))
    assert said.status == "incomplete"
    assert "moment of capture" in said.reason


def test_nothing_secret_reaches_receipts_errors_or_logs(receipt, caplog):
    caplog.set_level(logging.INFO)
    wire, logins = two_accounts()
    wire.on("s3:GetBucketPolicy", Fault("AccessDenied")).on("kms:ListKeys", Fault("AccessDenied"))
    wire.on("kms:ListKeys", Fault("AccessDenied"), region="us-east-1")
    said = json.dumps(receipt(wire, "s3_buckets", *logins).to_json())
    with pytest.raises(SourceError) as caught:
        read(wire, "kms_keys", *logins)
    for text in (said, str(caught.value), caught.value.fix, caplog.text):
        for secret in ("SECRETKEY", "SECRETTOKEN", "SECRETASSUMED", "SECRETMESSAGE"):
            assert secret not in text


# --- shapes that moto gets wrong -----------------------------------------------------------------------------------------------


def test_pages_are_read_to_the_end(receipt):
    wire = account()
    names = [f"b{n:02}" for n in range(25)]
    wire.on(
        "s3:ListBuckets",
        paged(buckets(*names)["Buckets"], "Buckets", 10, ask="ContinuationToken", tell="ContinuationToken"),
    )
    assert receipt(wire, "s3_object_lock").landed == 25
    keys = [{"KeyId": str(n), "KeyArn": f"arn:aws:kms:us-east-1:{HOME}:key/{n}"} for n in range(7)]
    wire.on(
        "kms:ListKeys", paged(keys, "Keys", 3, ask="Marker", tell="NextMarker", more="Truncated"), region="us-east-1"
    )
    assert receipt(wire, "kms_keys").landed == 7
    tags = [{"TagKey": f"k{n}", "TagValue": "v"} for n in range(5)]
    wire.on("kms:ListResourceTags", paged(tags, "Tags", 2, ask="Marker", tell="NextMarker", more="Truncated"))
    _, rows = read(wire, "kms_keys", regions=("us-east-1",))
    assert all(len(json.loads(row["tags"])) == 5 for row in rows)
    users = [
        {
            "Path": "/",
            "UserName": f"u{n}",
            "UserId": f"AIDAEXAMPLEEXAMPLE{n:02}",
            "Arn": f"arn:aws:iam::{HOME}:user/u{n}",
            "CreateDate": NOW,
        }
        for n in range(5)
    ]
    wire.on("iam:ListUsers", paged(users, "Users", 2, ask="Marker", tell="Marker", more="IsTruncated"))
    wire.on(
        "iam:ListAccessKeys",
        lambda params: {
            "AccessKeyMetadata": [
                {
                    "UserName": params["UserName"],
                    "AccessKeyId": f"AKIAEXAMPLEEXAMPL{params['UserName']}1",
                    "Status": "Active",
                    "CreateDate": NOW,
                }
            ],
            "IsTruncated": False,
        },
    )
    assert receipt(wire, "iam_access_keys").landed == 5
    wire.on(
        "iam:GetAccountAuthorizationDetails",
        paged(users, "UserDetailList", 2, ask="Marker", tell="Marker", more="IsTruncated"),
    )
    assert receipt(wire, "iam_users").landed == 5
    secrets = [
        {"ARN": f"arn:aws:secretsmanager:us-east-1:{HOME}:secret:s{n}-abcdef", "Name": f"s{n}"} for n in range(5)
    ]
    wire.on(
        "secretsmanager:ListSecrets",
        paged(secrets, "SecretList", 2, ask="NextToken", tell="NextToken"),
        region="us-east-1",
    )
    assert receipt(wire, "secrets").landed == 5
    endpoints = [
        {
            "VpcEndpointId": f"vpce-{n}",
            "VpcId": "v",
            "ServiceName": "s",
            "VpcEndpointType": "Interface",
            "State": "available",
        }
        for n in range(5)
    ]
    wire.on(
        "ec2:DescribeVpcEndpoints",
        paged(endpoints, "VpcEndpoints", 2, ask="NextToken", tell="NextToken"),
        region="us-east-1",
    )
    assert receipt(wire, "vpc_endpoints").landed == 5


def test_a_bucket_of_another_region_is_read_there():
    wire = account().on("s3:ListBuckets", buckets("phi", region="ap-southeast-2"))
    _, row = only(wire, "s3_buckets")
    assert row["region"] == "ap-southeast-2"
    assert {region for _, region, name, _ in wire.sent if name == "s3:GetBucketPolicy"} == {"ap-southeast-2"}


@pytest.mark.parametrize(
    ("constraint", "region"), [(None, "us-east-1"), ("EU", "eu-west-1"), ("eu-central-1", "eu-central-1")]
)
def test_where_the_listing_does_not_say_the_location_does(constraint, region):
    wire = account().on("s3:ListBuckets", buckets("phi", region=""))
    wire.on("s3:GetBucketLocation", {"LocationConstraint": constraint} if constraint else {})
    _, row = only(wire, "s3_buckets")
    assert row["region"] == region


def test_a_bucket_whose_place_is_refused_is_a_row_without_knowledge(receipt):
    wire = account().on("s3:ListBuckets", buckets("phi", region="")).on("s3:GetBucketLocation", Fault("AccessDenied"))
    _, row = only(wire, "s3_buckets")
    assert row["name"] == "phi"
    assert row["refused"] == ["s3:GetBucketLocation AccessDenied"]
    assert {
        row[column]
        for column in ("region", "sse_algorithm", "policy_set", "policy_is_public", "acl", "versioning_status")
    } == {None}
    assert receipt(wire, "s3_buckets").status == "incomplete"


def test_a_deny_of_plain_http_is_kept_word_for_word():
    _, row = only(account(), "s3_buckets")
    assert json.loads(row["policy"]) == POLICY


def test_display_names_of_grantees_stay_out():
    _, row = only(account(), "s3_buckets")
    assert "jane" not in row["acl"]
    assert json.loads(row["acl"])[0]["permission"] == "FULL_CONTROL"


def test_object_lock_says_days_or_years():
    _, row = only(account(), "s3_object_lock")
    assert (row["enabled"], row["default_mode"], row["default_days"], row["default_years"]) == (
        True,
        "COMPLIANCE",
        None,
        7,
    )
    _, row = only(
        account().on("s3:GetObjectLockConfiguration", {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}),
        "s3_object_lock",
    )
    assert (row["enabled"], row["default_mode"]) == (True, "unset")
    _, row = only(
        account().on("s3:GetObjectLockConfiguration", Fault("ObjectLockConfigurationNotFoundError", 404)),
        "s3_object_lock",
    )
    assert (row["enabled"], row["default_mode"], row["refused"]) == (False, "unset", [])
    _, row = only(account().on("s3:GetObjectLockConfiguration", Fault("AccessDenied")), "s3_object_lock")
    assert (row["enabled"], row["default_mode"]) == (None, None)


def test_an_account_without_a_public_access_block_has_none_of_the_switches():
    _, row = only(
        account().on("s3control:GetPublicAccessBlock", Fault("NoSuchPublicAccessBlockConfiguration", 404)),
        "s3_account_pab",
    )
    assert [row["configured"], *(row[column] for column in aws_s3.BLOCKS)] == [False] * 5


def test_keys_that_cannot_rotate_say_so():
    about = {"KeyMetadata": {"KeyId": "1111", "Arn": KEY, "KeySpec": "RSA_2048", "KeyState": "Enabled"}}
    wire = account().on("kms:DescribeKey", about)
    _, row = only(wire, "kms_keys")
    assert (row["rotation_supported"], row["rotation_enabled"], row["multi_region"]) == (False, False, None)
    assert not wire.calls("kms:GetKeyRotationStatus")
    _, row = only(account().on("kms:GetKeyRotationStatus", Fault("UnsupportedOperationException", 400)), "kms_keys")
    assert (row["rotation_supported"], row["rotation_enabled"], row["refused"]) == (False, False, [])
    _, row = only(account(), "kms_keys")
    assert (row["rotation_supported"], row["rotation_enabled"], row["rotation_period_days"], row["multi_region"]) == (
        True,
        True,
        365,
        True,
    )


def test_documents_are_decoded_once_and_never_lost():
    _, row = only(account(), "iam_roles")
    assert json.loads(row["trust_policy"]) == TRUST
    assert json.loads(row["inline_policies"]) == [{"name": "inline", "document": TRUST}]
    from evidence.sources.aws_unit import document

    assert document(ENCODED) == TRUST
    assert document('{"a": "50%25"}') == {"a": "50%25"}
    assert document("%7Bnot json") == "%7Bnot json"
    assert document(None) is None


def test_managed_policies_in_use_are_kept_with_their_default_version():
    _, rows = read(account(), "iam_policies")
    assert [(row["name"], row["aws_managed"], row["default_version"]) for row in rows] == [
        ("own", False, "v2"),
        ("AdministratorAccess", True, "v2"),
    ]
    assert all(json.loads(row["document"]) == TRUST for row in rows)


def test_an_organisations_trail_is_certain_only_in_its_own_account(receipt):
    arn = f"arn:aws:cloudtrail:us-east-1:{OTHER}:trail/org"
    wire = account().on(
        "cloudtrail:DescribeTrails",
        {
            "trailList": [
                {
                    "Name": "org",
                    "TrailARN": arn,
                    "HomeRegion": "us-east-1",
                    "IsOrganizationTrail": True,
                    "IsMultiRegionTrail": True,
                }
            ]
        },
    )
    wire.on("cloudtrail:GetTrailStatus", Fault("TrailNotFoundException", 400)).on(
        "cloudtrail:GetEventSelectors", Fault("AccessDeniedException", 400)
    )
    _, row = only(wire, "trails")
    assert (row["is_logging"], row["event_selectors"], row["latest_delivery_error"]) == (None, None, None)
    assert len(row["refused"]) == 2
    said = receipt(wire, "trails")
    assert said.status == "complete"
    assert any("certain only there" in note for note in said.notes)


def test_a_trail_of_a_region_that_is_not_read_is_still_described_once():
    arn = f"arn:aws:cloudtrail:ap-southeast-2:{HOME}:trail/far"
    wire = account().on(
        "cloudtrail:DescribeTrails",
        {"trailList": [{"Name": "far", "TrailARN": arn, "HomeRegion": "ap-southeast-2", "IsMultiRegionTrail": True}]},
    )
    _, row = only(wire, "trails")
    assert row["region"] == "ap-southeast-2"
    assert [region for _, region, name, _ in wire.sent if name == "cloudtrail:GetTrailStatus"] == ["ap-southeast-2"]


# --- the credential report -------------------------------------------------------------------------------------------------------


def report(*lines, made=NOW - dt.timedelta(hours=1)):
    return {"Content": "\n".join([REPORT_HEAD, *lines]).encode(), "ReportFormat": "text/csv", "GeneratedTime": made}


def test_the_report_shows_root_and_people():
    reading, rows = read(account(), "iam_credential_report")
    root, ann = rows
    assert (root["user_name"], root["mfa_active"], root["access_key_1_active"], root["password_enabled"]) == (
        "<root_account>",
        True,
        False,
        "not_supported",
    )
    assert (ann["password_enabled"], ann["mfa_active"], ann["access_key_1_active"], ann["password_last_used"]) == (
        "true",
        False,
        True,
        None,
    )
    assert ann["access_key_1_last_rotated"] == dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    assert reading.as_of == (NOW - dt.timedelta(hours=3), False)


def test_a_report_is_waited_for_and_not_for_ever(monkeypatch):
    waits = []
    monkeypatch.setattr(aws_credentials.read_credential_report, "__defaults__", (waits.append,))
    wire = account().on(
        "iam:GenerateCredentialReport", {"State": "STARTED"}, {"State": "INPROGRESS"}, {"State": "COMPLETE"}
    )
    read(wire, "iam_credential_report")
    assert len(waits) == 2
    with pytest.raises(SourceUnavailableError, match="not ready"):
        read(account().on("iam:GenerateCredentialReport", {"State": "INPROGRESS"}), "iam_credential_report")


def test_a_report_of_the_day_before_is_not_taken_for_this_one(receipt):
    said = receipt(
        account().on("iam:GetCredentialReport", report(ROOT, ANN, made=NOW - dt.timedelta(hours=5))),
        "iam_credential_report",
    )
    assert said.status == "incomplete"


@pytest.mark.parametrize("lines", [(ROOT,), (ANN,)], ids=["a user is missing", "root is missing"])
def test_a_report_that_lacks_somebody_is_incomplete(lines, receipt):
    said = receipt(account().on("iam:GetCredentialReport", report(*lines)), "iam_credential_report")
    assert said.status == "incomplete"
    assert "rows 2 / 1" in said.reason


@pytest.mark.parametrize(
    "line",
    [
        ANN.replace(",false,true,", ",perhaps,true,", 1),
        ANN.replace("2026-01-02T03:04:05+00:00", "yesterday", 1),
        ANN.replace("ann,", ",", 1),
    ],
)
def test_a_report_of_another_form_is_refused(line, receipt):
    said = receipt(account().on("iam:GetCredentialReport", report(ROOT, line)), "iam_credential_report")
    assert said.status == "unavailable"
    assert "documented form" in said.reason
    assert "yesterday" not in said.reason


def test_new_columns_of_the_report_are_said():
    wire = account()
    wire.on(
        "iam:GetCredentialReport",
        {
            **report(),
            "Content": "\n".join(
                line + tail for line, tail in ((REPORT_HEAD, ",passkey"), (ROOT, ",true"), (ANN, ",true"))
            ).encode(),
        },
    )
    reading, _ = read(wire, "iam_credential_report")
    assert "columns the contract does not know, not kept: passkey" in reading.notes


# --- treatments --------------------------------------------------------------------------------------------------------------------


def test_free_text_is_treated_before_it_is_stored(tmp_path):
    import pyarrow.parquet as pq

    for dataset, column, planted in (
        ("kms_keys", "description", "Jane"),
        ("kms_keys", "tags", "jane@"),
        ("secrets", "description", "Jane"),
    ):
        task = Task(source(account()), CONTRACTS[f"aws.{dataset}"], WINDOW)
        spool = tmp_path / f"{dataset}-{column}"
        spool.mkdir()
        collected = collect(task, Redactor(b"k" * 32, "k1"), spool, lambda: NOW)
        (part,) = collected.parts
        body = (collected.spool / part.path).read_bytes()
        assert planted.encode() not in body
        assert pq.read_table(collected.spool / part.path)[column][0].as_py().startswith("hmac:k1:")
    plain = pq.read_table(collected.spool / part.path)
    assert plain["name"].to_pylist() == ["snowflake"]


def test_a_call_nobody_scripted_fails_the_test():
    with pytest.raises(AssertionError, match="nobody scripted"):
        read(Wire(), "s3_buckets")

"""``evidence doctor`` on what lies elsewhere: a bucket behind a scripted client, AWS accounts on the scripted wire."""

import base64
import datetime as dt
import json
from email.utils import format_datetime
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from fakes.aws_account import s3
from fakes.aws_wire import HOME, Fault, Wire
from wired import stand_still

from evidence.cli.looks import clock, sources_aws, sources_snowflake, store
from evidence.cli.workspace import Workspace
from evidence.config import SnowflakeLoginConfig
from evidence.sources.aws import AwsSource
from evidence.sources.aws_session import AccountLogin, Connection
from evidence.sources.snowflake_session import Rows

NOW = dt.datetime(2026, 7, 2, 3, tzinfo=dt.UTC)
HEAD = 'demo = true\n[entity]\nname = "x"\nsystem = "y"\n'


def opened(folder, text):
    (folder / "evidence.toml").write_text(HEAD + text)
    return Workspace.open(folder)


def by_what(lines):
    return {(line.what, line.outcome): line for line in lines}


# --- a bucket ------------------------------------------------------------------------------------------------------

BUCKET = '[store]\nurl = "s3://evidence/pre"\nretention_mode = "GOVERNANCE"\nretention_days = 60\n'


class Server:
    """What an S3 server answers, as boto3 shows it. Fields are what a test breaks."""

    versioning, lock, default, conditional, offset = "Enabled", "Enabled", None, True, 0
    encrypts = "aws:kms"
    refuse = ""  # operation that answers AccessDenied
    kept: tuple[str, int] | None = ("GOVERNANCE", 60)

    def __init__(self):
        self.names, self.asked = set(), []

    def __getattr__(self, operation):
        def call(**words):
            self.asked.append((operation, words))
            if operation == self.refuse:
                raise ClientError(
                    {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}, operation
                )
            head = {"date": format_datetime(NOW + dt.timedelta(seconds=self.offset), usegmt=True)}
            return {**getattr(self, f"_{operation}")(**words), "ResponseMetadata": {"HTTPHeaders": head}}

        return call

    def _get_bucket_versioning(self, **_):
        return {"Status": self.versioning}

    def _get_object_lock_configuration(self, **_):
        rule = {"Rule": {"DefaultRetention": self.default}} if self.default else {}
        return {"ObjectLockConfiguration": {"ObjectLockEnabled": self.lock, **rule}}

    def _put_object(self, **words):
        key = words["Key"]
        if self.conditional and key in self.names:
            raise ClientError(
                {"Error": {"Code": "PreconditionFailed"}, "ResponseMetadata": {"HTTPStatusCode": 412}}, ""
            )
        self.names.add(key)
        return {"ServerSideEncryption": self.encrypts} if "SSEKMSKeyId" in words else {}

    def _list_object_versions(self, **words):
        return {"Versions": [{"Key": words["Prefix"], "VersionId": "1"}]}

    def _head_object(self, **_):
        info = {"ContentLength": 3, "LastModified": NOW}
        if self.kept:
            until = NOW + dt.timedelta(days=self.kept[1])
            info |= {"ObjectLockMode": self.kept[0], "ObjectLockRetainUntilDate": until}
        return info


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    stand_still(monkeypatch, NOW)
    server = Server()
    monkeypatch.setattr("evidence.store.s3.connect", lambda **_: server)

    def look(more=""):
        clocks = clock.Clocks()
        try:
            lines = list(store._store(opened(tmp_path, BUCKET + more), clocks))
        finally:
            look.clocks = clocks
        return lines

    look.server = server
    return look


def test_a_bucket_that_is_right_is_ok_and_tells_the_time(bucket):
    bucket.server.offset = 45
    (line,) = bucket('kms_key_id = "KEY"\nbucket_owner = "111122223333"\n')
    assert line.outcome == "ok"
    assert "GOVERNANCE for 60 days, encrypted with KEY, owned by 111122223333" in line.detail
    puts = [words for operation, words in bucket.server.asked if operation == "put_object"]
    assert [each["SSEKMSKeyId"] for each in puts] == ["KEY", "KEY"]
    assert {words["ExpectedBucketOwner"] for _, words in bucket.server.asked} == {"111122223333"}
    assert bucket.clocks.offsets == {"the store's server": 45}


@pytest.mark.parametrize(
    ("broken", "more", "outcome", "fix"),
    [
        ({"refuse": "put_object"}, "", "fail", "grant s3:PutObject on s3://evidence/pre/*"),
        ({"refuse": "put_object"}, 'kms_key_id = "KEY"\n', "fail", "kms:GenerateDataKey and kms:Decrypt on KEY"),
        ({"encrypts": "AES256"}, 'kms_key_id = "KEY"\n', "fail", "a server that encrypts with KEY"),
        ({"conditional": False}, "", "fail", "conditional writes"),
        ({"default": {"Mode": "GOVERNANCE", "Days": 7}}, "", "warn", "put-object-lock-configuration --bucket evidence"),
        ({"default": {"Mode": "GOVERNANCE", "Days": 60}}, "", "ok", ""),
        ({"kept": None}, "", "fail", "grant s3:GetObjectRetention"),
        ({"kept": ("GOVERNANCE", 5)}, "", "fail", "evidence retention show --check"),
    ],
)
def test_what_is_wrong_with_a_bucket(bucket, broken, more, outcome, fix):
    for name, value in broken.items():
        setattr(bucket.server, name, value)
    lines = bucket(more)
    assert (lines[-1].outcome, fix in lines[-1].fix) == (outcome, True), lines


@pytest.mark.parametrize(
    ("broken", "fix"),
    [({"versioning": "Suspended"}, "put-bucket-versioning --bucket evidence"), ({"lock": ""}, "enable Object Lock")],
)
def test_a_bucket_that_is_no_store_says_which_setting(tmp_path, monkeypatch, broken, fix):
    from evidence.doctor import examine

    stand_still(monkeypatch, NOW)
    server = Server()
    vars(server).update(broken)
    monkeypatch.setattr("evidence.store.s3.connect", lambda **_: server)
    look = store.looks(opened(tmp_path, BUCKET), clock.Clocks())[0]
    (line,) = examine([look])
    assert (line.outcome, fix in line.fix) == ("fail", True)
    assert look.seconds > 0


# --- a Snowflake account: test_source_snowflake_probe.py asks one; here a token alone -------------------------------


def token(ends):
    body = base64.urlsafe_b64encode(json.dumps({"exp": int(ends.timestamp())}).encode()).decode().rstrip("=")
    return f"eyJ.{body}.sig"


@pytest.mark.parametrize(
    ("text", "outcome"),
    [(token(NOW + dt.timedelta(days=60)), "ok"), (token(NOW + dt.timedelta(days=3)), "warn"), (token(NOW), "fail"), ("opaque", ""), ("a.b.c", ""), ("a.W10.c", "")],
)  # fmt: skip
def test_a_tokens_own_word_on_its_end(tmp_path, monkeypatch, text, outcome):
    stand_still(monkeypatch, NOW)
    monkeypatch.setenv("DOCTOR_TOKEN", text)
    source = '[sources.acme]\nkind = "snowflake"\naccount = "a"\nuser = "u"\ntoken = "env:DOCTOR_TOKEN"\n'
    workspace = opened(tmp_path, source)
    lines = list(sources_snowflake._token("source acme", workspace, workspace.config.sources["acme"]))
    assert [line.outcome for line in lines] == ([outcome] if outcome else [])
    assert text not in str(lines)


@pytest.mark.parametrize(
    ("warehouse", "held", "outcome", "fix"),
    [
        ("EVIDENCE_WH", "900", "ok", ""),
        ("EVIDENCE_WH", None, "ok", ""),
        ("EVIDENCE_WH", "172800", "warn", "ALTER WAREHOUSE EVIDENCE_WH SET STATEMENT_TIMEOUT_IN_SECONDS = 900;"),
        ("", "900", "fail", "GRANT USAGE ON WAREHOUSE EVIDENCE_WH TO ROLE COLLECTOR;"),
    ],
)
def test_the_sessions_warehouse_and_when_statements_end(warehouse, held, outcome, fix):
    rows = Rows(("key", "value"), (("STATEMENT_TIMEOUT_IN_SECONDS", held),) if held else ())
    system = {"role": "COLLECTOR", "warehouse": warehouse}
    session = SimpleNamespace(system=system, login=SimpleNamespace(warehouse="EVIDENCE_WH"), rows=lambda _: rows)
    section = SnowflakeLoginConfig(account="a", user="u")
    (line,) = sources_snowflake._warehouse("source acme", SimpleNamespace(session=session), section)
    assert (line.outcome, line.fix) == (outcome, fix)


# --- AWS accounts --------------------------------------------------------------------------------------------------

AWS = '[sources.aws]\nkind = "aws"\ndatasets = ["aws.s3_buckets"]\n'


def aws(folder, wire, *logins):
    workspace = opened(folder, AWS)
    connection = Connection(sessions=wire.session, attempts=1)
    workspace._sources["aws"] = AwsSource("aws", logins, ["aws.s3_buckets"], regions=["us-east-1"], connection=connection, run="R", clock=lambda: NOW)  # fmt: skip
    return by_what(sources_aws.lines(workspace, clock.Clocks(), "aws"))


def test_accounts_that_let_us_in_are_named_with_who_we_are(tmp_path):
    lines = aws(tmp_path, s3(Wire()))
    assert f"account {HOME} as arn:aws:sts::{HOME}" in lines["source aws", "ok"].detail
    assert lines["source aws: aws.s3_buckets", "ok"].detail == "1 rows"


def test_refused_operations_are_named_by_their_action(tmp_path):
    wire = s3(Wire()).on("s3:GetBucketVersioning", Fault("AccessDenied"))
    line = aws(tmp_path, wire)["source aws: aws.s3_buckets", "fail"]
    assert line.fix.startswith("allow s3:GetBucketVersioning to arn:aws:sts::")
    assert line.exit_code == 5
    wire = s3(Wire()).on("s3:ListBuckets", Fault("AccessDenied"))
    assert "allow s3:ListAllMyBuckets" in aws(tmp_path, wire)["source aws: aws.s3_buckets", "fail"].fix


def test_a_role_that_leads_to_another_account_and_one_that_may_not_be_assumed(tmp_path):
    login = AccountLogin("arn:aws:iam::222222222222:role/EvidenceCollector", "id")
    who = {"Account": "333333333333", "Arn": "arn:aws:sts::333333333333:assumed-role/x/y", "UserId": "U"}
    lines = aws(tmp_path, s3(Wire()).on("sts:GetCallerIdentity", who), login)
    assert "account 333333333333, not 222222222222" in lines["source aws", "fail"].detail
    lines = aws(tmp_path, s3(Wire()).on("sts:AssumeRole", Fault("AccessDenied")), login)
    assert "trust policy" in lines["source aws", "fail"].fix
    assert list(lines) == [("source aws", "fail")]

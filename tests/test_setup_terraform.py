"""``evidence setup terraform``: the module parses, and its policies, settings and grants are those that the other two commands print."""

import json
import re
import shutil
import subprocess

import hcl2
import pytest

from evidence.cli.app import run
from evidence.store.s3_policy import DELETES
from evidence.terraform.hcl import Block, Document, quoted, text

KEY = "arn:aws:kms:us-east-1:111122223333:key/0000"
STORE = f"""
[store]
url = "s3://acme-evidence/prod"
retention_mode = "COMPLIANCE"
retention_days = 2557
kms_key_id = "{KEY}"
"""
SNOWFLAKE = """
[sources.acme]
kind = "snowflake"
account = "ACME-PROD"
user = "evidence"
role = "Evidence Role"
private_key = "file:keys/snowflake.p8"
timeout_seconds = 321

[sources.acme.elevated]
private_key = "file:keys/up.p8"
"""
AWS = """
[sources.cloud]
kind = "aws"
datasets = ["aws.kms_keys"]
"""


@pytest.fixture
def workspace(tmp_path):
    def make(*parts):
        (tmp_path / "evidence.toml").write_text("[entity]\nname = 'x'\nsystem = 'y'\n" + "".join(parts))
        return str(tmp_path)

    return make


@pytest.fixture
def printed(capsys):
    def ask(*arguments):
        capsys.readouterr()
        assert run([*arguments]) == 0
        return capsys.readouterr().out

    return ask


def bare(value):
    """What python-hcl2 read, without its quotes and marks; heredocs of JSON as what they say."""
    if isinstance(value, dict):
        return {bare(k): bare(v) for k, v in value.items() if not str(k).startswith("__")}
    if isinstance(value, list):
        return [bare(each) for each in value]
    if isinstance(value, str) and value.startswith('"<<-JSON'):
        return json.loads(value.removeprefix('"<<-JSON').removesuffix('JSON"'))
    return json.loads(value) if isinstance(value, str) and value.startswith('"') else value


def resources(body):
    """(type, name) -> attributes."""
    return {
        (kind, name): attributes
        for each in bare(hcl2.loads(body)).get("resource", [])
        for kind, named in each.items()
        for name, attributes in named.items()
    }


def test_policies_and_settings_are_those_of_setup_aws(workspace, printed):
    place = workspace(STORE, AWS)
    told, found = (
        json.loads(printed("-w", place, "setup", "aws")),
        resources(printed("-w", place, "setup", "terraform")),
    )
    assert found["aws_s3_bucket_policy", "evidence"]["policy"] == told["store_bucket_policy"]
    assert found["aws_iam_role_policy", "collector_store"]["policy"] == told["store_collector_policy"]
    assert found["aws_iam_role_policy", "auditor_store"]["policy"] == told["store_auditor_policy"]
    assert found["aws_iam_role_policy", "collector_source"]["policy"] == told["role_policy"]
    settings = told["store_bucket_settings"]
    (rule,) = found["aws_s3_bucket_object_lock_configuration", "evidence"]["rule"]
    assert rule["default_retention"] == [{"mode": "COMPLIANCE", "days": 2557}]
    assert settings["object_lock"]["Rule"]["DefaultRetention"] == {"Mode": "COMPLIANCE", "Days": 2557}
    (rule,) = found["aws_s3_bucket_server_side_encryption_configuration", "evidence"]["rule"]
    (wanted,) = settings["encryption"]["Rules"]
    assert rule["bucket_key_enabled"] is wanted["BucketKeyEnabled"] is True
    assert rule["apply_server_side_encryption_by_default"] == [{"sse_algorithm": "aws:kms", "kms_master_key_id": KEY}]
    assert wanted["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
    block = dict(found["aws_s3_bucket_public_access_block", "evidence"])
    assert block.pop("bucket")
    assert list(block.values()) == list(settings["public_access_block"].values()) == [True] * 4
    assert found["aws_s3_bucket_versioning", "evidence"]["versioning_configuration"] == [{"status": "Enabled"}]
    assert found["aws_s3_bucket", "evidence"]["object_lock_enabled"] is True
    assert not [kind for kind, _ in found if kind == "aws_kms_key"], "the key that is configured is used"


def test_a_key_is_made_where_none_is_configured(workspace, printed):
    found = resources(printed("-w", workspace(STORE.replace(KEY, "")), "setup", "terraform"))
    key = found["aws_kms_key", "evidence"]
    assert key["enable_key_rotation"] is True
    assert key["lifecycle"] == [{"prevent_destroy": True}]
    for name, sid in (("collector_store", "EvidenceEncrypts"), ("auditor_store", "EvidenceDecrypts")):
        (statement,) = [
            each for each in found["aws_iam_role_policy", name]["policy"]["Statement"] if each["Sid"] == sid
        ]
        assert statement["Resource"] == ["${aws_kms_key.evidence.arn}"]
    aliased = printed("-w", workspace(STORE.replace(KEY, "alias/evidence")), "setup", "terraform")
    assert 'data "aws_kms_key" "evidence"' in aliased
    assert "${data.aws_kms_key.evidence.arn}" in aliased
    assert "STAND-IN" not in aliased


def test_nobody_shortens_bypasses_or_deletes_and_the_auditor_only_reads(workspace, printed):
    told = json.loads(printed("-w", workspace(STORE), "setup", "aws"))

    def allowed(name):
        return {action for each in told[name]["Statement"] for action in each["Action"] if each["Effect"] == "Allow"}

    forbidden = {*DELETES, "s3:BypassGovernanceRetention", "s3:PutBucketPolicy", "s3:PutBucketObjectLockConfiguration"}
    assert not allowed("store_collector_policy") & forbidden
    assert all(re.match(r"s3:(Get|List)|kms:Decrypt$", action) for action in allowed("store_auditor_policy"))
    denied = {action for each in told["store_bucket_policy"]["Statement"] for action in each["Action"]}
    assert denied >= {*DELETES, "s3:BypassGovernanceRetention", "s3:*"}


def statements(found):
    """The statements that the grants of the module come to, as the script spells them."""
    names = {
        f"${{{kind}.{name}.name}}": attributes["name"]
        for (kind, name), attributes in found.items()
        if "name" in attributes
    }

    def spelled(reference):
        name = names[reference]
        return name if re.fullmatch(r"\w+", name) else f'"{name}"'

    for (kind, _), said in found.items():
        if kind in {"snowflake_grant_database_role", "snowflake_grant_application_role"}:
            what = kind.split("_")[2]
            to = spelled(said["parent_role_name" if what == "database" else "parent_account_role_name"])
            assert said[f"{what}_role_name"] == '"SNOWFLAKE"."${each.key}"'
            for name in re.findall(r'"(\w+)"', said["for_each"]):
                yield f"GRANT {what.upper()} ROLE SNOWFLAKE.{name} TO ROLE {to};"
        elif kind == "snowflake_grant_account_role":
            yield f"GRANT ROLE {spelled(said['role_name'])} TO USER {spelled(said['user_name'])};"
        elif kind == "snowflake_grant_privileges_to_account_role":
            (privilege,) = said["privileges"]
            if said.get("on_account"):
                on = "ACCOUNT"
            else:
                (place,) = said.get("on_account_object") or said["on_schema_object"]
                object_kind, name = place["object_type"], place["object_name"]
                if name == "${each.value}":
                    assert f'"{privilege} ON {object_kind}"' in said["for_each"]
                    name = f"<{object_kind.lower().replace(' ', '_')}>"
                else:
                    name = spelled(name)
                on = f"{object_kind} {name}"
            yield f"GRANT {privilege} ON {on} TO ROLE {spelled(said['account_role_name'])};"


def test_grants_are_those_of_setup_snowflake(workspace, printed):
    place = workspace(SNOWFLAKE)
    script, body = printed("-w", place, "setup", "snowflake"), printed("-w", place, "setup", "terraform")
    made = set(statements(resources(body)))
    aside = set(re.findall(r"(?m)^# .*your decision: (GRANT [^;]+;)", body))
    wanted = re.findall(r"GRANT [^;]+;", script)
    assert len(wanted) > 20
    assert {each.upper() for each in made | aside} == {each.upper() for each in wanted}
    assert not made & aside
    run_as_is = re.findall(r"(?m)^(GRANT [^;]+;)", script)
    for_each = re.findall(r"(?m)^-- for each: (GRANT [^;]+;)", script)
    assert {each.upper() for each in made} == {each.upper() for each in (*run_as_is, *for_each)}


def test_who_signs_in_and_what_it_may_cost_are_those_of_setup_snowflake(workspace, printed):
    place = workspace(SNOWFLAKE)
    script, found = printed("-w", place, "setup", "snowflake"), resources(printed("-w", place, "setup", "terraform"))
    monitor, warehouse = found["snowflake_resource_monitor", "evidence"], found["snowflake_warehouse", "evidence"]
    assert f"MONITOR IF NOT EXISTS {monitor['name']} WITH CREDIT_QUOTA = {monitor['credit_quota']} " in script
    (told,), stopped = monitor["notify_triggers"], monitor["suspend_trigger"]
    assert f"ON {told} PERCENT DO NOTIFY ON {stopped} PERCENT DO SUSPEND" in script
    assert f"WAREHOUSE_SIZE = '{warehouse['warehouse_size']}' AUTO_SUSPEND = {warehouse['auto_suspend']} " in script
    assert warehouse["statement_timeout_in_seconds"] == 321
    assert "STATEMENT_TIMEOUT_IN_SECONDS = 321" in script
    user = found["snowflake_service_user", "collector"]
    assert (user["name"], found["snowflake_account_role", "collector"]["name"]) == ("EVIDENCE", "Evidence Role")
    assert user["default_secondary_roles_option"] == "NONE"
    assert user["network_policy"] == "${snowflake_network_policy.evidence.name}"
    assert user["rsa_public_key"] == "${var.collector_public_key}"
    assert f"SET NETWORK_POLICY = {found['snowflake_network_policy', 'evidence']['name']};" in script
    assert found["snowflake_service_user", "elevated"]["rsa_public_key"] == "${var.elevated_public_key}"


def test_a_bucket_that_is_still_to_be_made(workspace, printed, capsys, tmp_path):
    place, words = (
        workspace(SNOWFLAKE),
        ("--store", "s3://new-bucket/x", "--retention-mode", "GOVERNANCE", "--retention-days", "9"),
    )
    printed("-w", place, "setup", "terraform", *words, "--out", str(tmp_path / "tf"))
    assert {file.name for file in (tmp_path / "tf").iterdir()} == {"aws.tf", "snowflake.tf", "versions.tf"}
    assert resources((tmp_path / "tf/aws.tf").read_text())["aws_s3_bucket", "evidence"]["bucket"] == "new-bucket"
    printed(
        "-w", place, "setup", "terraform", *words, "--out", str(tmp_path / "tf")
    )  # its own files it may write again
    (tmp_path / "tf/aws.tf").write_text("# mine\n")
    assert run(["-w", place, "setup", "terraform", *words, "--out", str(tmp_path / "tf")]) == 2
    assert (tmp_path / "tf/aws.tf").read_text() == "# mine\n"
    assert run(["-w", place, "setup", "terraform", "--store", "s3://new-bucket/x"]) == 2
    assert "needs a lock" in capsys.readouterr().err
    assert run(["-w", workspace(), "setup", "terraform"]) == 2


def test_terraform_itself_reads_it(workspace, printed, tmp_path):
    terraform = shutil.which("terraform")
    if terraform is None:
        pytest.skip("terraform is not installed")
    out = tmp_path / "tf"
    printed("-w", workspace(STORE.replace(KEY, ""), SNOWFLAKE, AWS), "setup", "terraform", "--out", str(out))

    def asked(*words, **options):
        return subprocess.run(
            [terraform, *words], cwd=out, capture_output=True, text=True, timeout=300, check=False, **options
        )

    shaped = asked("fmt", "-check", "-diff")
    assert shaped.returncode == 0, shaped.stdout + shaped.stderr
    (one,) = re.findall(
        r'for_each += (toset\(lookup\(var\.objects, "MONITOR ON PIPE".*)', (out / "snowflake.tf").read_text()
    )
    empty = tmp_path / "console"
    empty.mkdir()
    (empty / "v.tf").write_text(
        'variable "objects" {\n  type = map(set(string))\n  default = {"MONITOR ON TASK" = ["A"]}\n}\n'
    )
    said = asked(f"-chdir={empty}", "console", input=one)
    assert said.stdout.strip() in {"toset([])", "toset([])\n"}, said.stdout + said.stderr
    if asked("init", "-backend=false", "-input=false").returncode:
        pytest.skip("terraform cannot fetch the providers: the module is read and shaped, not validated")
    assert asked("validate").returncode == 0


def test_texts_of_others_are_texts():
    assert quoted('a"${b}%{c}\n') == '"a\\"$${b}%%{c}\\n"'
    body = text([Block("x", ("y",), {"z": Document({"a": "${b} KEY\nJSON"}, {"KEY": "aws.arn"}), "n": [1, 2]})])
    assert "$${b} ${aws.arn}\\nJSON" in body
    assert bare(hcl2.loads(body))["x"][0]["y"]["n"] == [1, 2]

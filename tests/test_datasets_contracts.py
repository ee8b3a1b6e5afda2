"""The contract files: they load, say what must be said, and errors name the file and the key."""

import runpy
from pathlib import Path

import pytest

from evidence.datasets.contract import NESTED
from evidence.datasets.load import load_contracts, parse_contract
from evidence.errors import ConfigError
from evidence.snapshot.canonical import sha256_hex

CONTRACTS = load_contracts()
# Every sf_* name of the control library, as datasets of the product snowflake.
LIBRARY = """access_history backup_operation_history backup_policies backup_sets backups columns contacts copy_history credentials
data_classification_latest data_transfer_history databases dynamic_table_refresh_history external_access_history functions
future_grants grants_to_roles grants_to_shares grants_to_users ingress_network_access integrations integrations_desc
internal_stage_network_access listings login_history managed_accounts masking_policies network_policies network_rule_references
network_rules object_dependencies parameters password_policies pipes policy_attachments policy_references procedures query_history
replication_groups replication_refresh_history resource_monitors roles row_access_policies schemata session_policies sessions shares
stages storage_lifecycle_policies storage_lifecycle_policy_history tables tag_references task_history tasks tri_secret_history
trust_center_findings user_network_policies users views warehouse_metering warehouses"""
# The other names of the library, dbt_*, aws_*, ct_*, tf_* and ext_*.
AROUND = """aws.iam_access_keys aws.iam_policies aws.iam_roles aws.kms_keys aws.s3_account_pab aws.s3_buckets aws.s3_inventory
aws.s3_object_lock aws.trails contracts.products dbt.catalog dbt.freshness dbt.manifest dbt.nodes dbt.run_results dbt.sources dbt.tests
records.branch_protection records.ci_runs records.dlq records.iac_findings records.idp_groups records.posture_findings records.prs
records.roster records.secret_scan records.tickets records.training terraform.plan terraform.state"""
TABLES = runpy.run_path(str(Path(__file__).parent.parent / "scripts" / "contract_tables.py"))
LATE = {"copy_history": 2880, "warehouse_metering": 360, "metering_history": 720}  # documented tails, minutes
FREE_TEXT = {
    "COMMENT",
    "MESSAGE",
    "QUERY_TEXT",
    "QUERY_TAG",
    "CONDITION",
    "CONDITION_TEXT",
    "CONFIG",
    "QUERY_HASH",
    "PATTERN",
}
GOOD = b"""
name = "snowflake.users"
version = 1
kind = "state"
read = "view"
object = "X"
description = "d"
page = "p"
key = ["A"]
columns = [{ name = "A", type = "int" }]
"""


def test_every_dataset_is_there():
    ours = {name.removeprefix("snowflake.") for name in CONTRACTS if name.startswith("snowflake.")}
    assert set(LIBRARY.split()) <= ours
    assert set(AROUND.split()) <= set(load_contracts())
    described = set(TABLES["DATASETS"].values()) - TABLES["OF_THE_ORGANIZATION"]
    assert described <= ours, "every view and command that is described"
    assert set(TABLES["COVERED"].values()) <= ours
    assert {"aggregate_access_history", "aggregate_query_history"} <= ours, "beside the detailed views"
    assert {f"organization.{name}" for name in TABLES["OF_THE_ORGANIZATION"]} <= set(CONTRACTS)
    assert {"dbt.nodes", "dbt.tests", "dbt.run_results", "dbt.freshness", "contracts.products"} < set(CONTRACTS)


@pytest.mark.parametrize("name", [name for name in CONTRACTS if not name.startswith("files.")])
def test_contract(name):
    contract = CONTRACTS[name]
    assert contract.page
    assert contract.key
    assert len(contract.sha256) == 64
    assert any(column.required for column in contract.columns)
    if contract.watermark:
        assert contract.by_name[contract.watermark.lower()].type == "time"
        assert contract.by_name[contract.watermark.lower()].required
    if contract.read == "view":
        assert contract.roles or contract.application_roles, "the grant to ask for must be known"
    if contract.latency_max_minutes is not None:
        assert contract.latency_max_minutes >= contract.latency_minutes
    if contract.connection == "elevated":
        assert contract.grants, "what the second role needs must be said"
    for column in contract.columns:
        if column.name in {*contract.key, contract.watermark}:
            assert column.treatment != "drop"
        if column.type in NESTED:
            assert column.treatment == "keep"


def test_sensitive_columns_are_treated():
    history = CONTRACTS["snowflake.query_history"].by_name
    assert [history[n].treatment for n in ("query_text", "error_message", "query_hash", "query_parameterized_hash", "bind_values")] == [
        "scrub", "scrub", "keyed", "keep", "drop",
    ]  # fmt: skip
    for contract in CONTRACTS.values():
        for column in contract.columns:
            if column.name.upper() in FREE_TEXT or column.name.upper().endswith(("_COMMENT", "_MESSAGE", "DEFINITION")):
                assert column.treatment in {"keyed", "scrub"}, (contract.name, column.name)
    assert "bind_values" not in CONTRACTS["snowflake.query_history"].landed_schema.names


def test_ids_are_integers_and_codes_text():
    assert CONTRACTS["snowflake.login_history"].by_name["event_id"].type == "int"
    assert CONTRACTS["snowflake.query_history"].by_name["error_code"].type == "text"
    assert CONTRACTS["snowflake.users"].by_name["disabled"].type == "text"


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ((b'type = "int"', b'type = "number"'), "columns.0.type"),
        ((b'kind = "state"', b'kind = "stat"'), "kind"),
        ((b"version = 1", b""), "version"),
        ((b'key = ["A"]', b'key = ["B"]'), "B is not a column"),
        ((b"version = 1", b"version = "), "Invalid value"),
        ((b"snowflake.users", b"snowflake.roles"), "does not fit the file"),
        ((b'description = "d"', b'surprise = "d"'), "surprise"),
        ((b'type = "int"', b'type = "objects", treatment = "keyed"'), "cannot be"),
    ],
)
def test_errors_name_the_file_and_key(change, key):
    parse_contract("snowflake/users.toml", GOOD)
    with pytest.raises(ConfigError, match=r"snowflake/users\.toml") as caught:
        parse_contract("snowflake/users.toml", GOOD.replace(*change))
    assert key in str(caught.value)
    assert caught.value.fix


def treatment(dataset, column):
    found = CONTRACTS[dataset].by_name[column]
    return found.treatment if found.treatment != "scrub" else found.scrub_as


@pytest.mark.parametrize(
    ("dataset", "column", "how"),
    [
        ("copy_history", "first_error_message", "message"),
        ("copy_history", "file_name", "keyed"),
        ("copy_history", "stage_location", "location"),
        ("views", "view_definition", "statement"),
        ("procedures", "procedure_definition", "statement"),
        ("functions", "function_definition", "statement"),
        ("tasks", "definition", "statement"),
        ("tasks_view", "definition", "statement"),
        ("pipes", "definition", "statement"),
        ("aggregate_query_history", "query_text", "statement"),
        ("aggregate_query_history", "errors", "message"),
        ("task_history", "query_text", "statement"),
        ("task_history", "return_value", "keyed"),
        ("contacts", "contact_email_distribution_list", "keyed"),
        ("multi_party_approval_requests", "request_justification", "keyed"),
        ("internal_stage_network_access", "stage_path", "keyed"),
        ("replication_refresh_history", "error", "message"),
        ("trust_center_results", "metadata", "keyed"),
    ],
)
def test_what_may_hold_phi_is_treated(dataset, column, how):
    assert treatment(f"snowflake.{dataset}", column) == how


def test_what_is_late_or_changes_is_said():
    for dataset, minutes in LATE.items():
        assert CONTRACTS[f"snowflake.{dataset}"].latency_max_minutes == minutes
    assert CONTRACTS["snowflake.copy_history"].recount_nights == 3
    assert CONTRACTS["snowflake.query_history"].recount_nights == 2
    for dataset in (
        "sessions",
        "copy_history",
        "warehouse_metering",
        "replication_refresh_history",
        "metering_history",
    ):
        assert CONTRACTS[f"snowflake.{dataset}"].mutable, dataset
    for dataset, column in [
        ("warehouse_metering", "credits_used"),
        ("sessions", "access_time"),
        ("warehouses", "running"),
    ]:
        assert CONTRACTS[f"snowflake.{dataset}"].by_name[column].volatile


def test_what_is_not_settled_by_documentation_is_marked():
    assert CONTRACTS["snowflake.trust_center_results"].confidence == "assumed"
    assert CONTRACTS["snowflake.backups"].confidence == "assumed", "its database role is a guess"
    assert CONTRACTS["snowflake.parameters"].by_name["type"].confidence == "assumed"
    assert CONTRACTS["snowflake.grants_to_roles"].by_name["granted_to"].confidence == "assumed"
    assert CONTRACTS["snowflake.policy_references"].by_name["policy_kind"].confidence == "assumed"


def test_the_organization_has_the_columns_of_the_account_and_its_own():
    ours = CONTRACTS["organization.query_history"]
    below = CONTRACTS["snowflake.query_history"]
    assert [c.name for c in ours.columns] == [
        *[c.name for c in below.columns], "ORGANIZATION_NAME", "ACCOUNT_LOCATOR", "ACCOUNT_NAME",
    ]  # fmt: skip
    assert ours.by_name["query_text"] == below.by_name["query_text"]
    assert (ours.key, ours.roles) == (("ACCOUNT_LOCATOR", "QUERY_ID"), ())
    assert ours.application_roles == ("ORGANIZATION_GOVERNANCE_VIEWER",)


OTHER = b"""
name = "organization.users"
version = 1
extends = "snowflake.users"
key = ["A", "B"]
columns = [{ name = "A", type = "text" }, { name = "B", type = "int" }]
"""


def test_an_extended_contract_and_its_digest_cover_both_files():
    found = parse_contract("organization/users.toml", OTHER, {"snowflake/users.toml": GOOD})
    assert [(c.name, c.type) for c in found.columns] == [("A", "text"), ("B", "int")]
    assert (found.description, found.key) == ("d", ("A", "B"))
    changed = parse_contract("organization/users.toml", OTHER, {"snowflake/users.toml": GOOD + b"# more\n"})
    assert len({found.sha256, changed.sha256, sha256_hex(OTHER), sha256_hex(GOOD)}) == 4


@pytest.mark.parametrize(
    ("others", "said"),
    [({}, r"there is no snowflake/users\.toml"), ({"snowflake/users.toml": OTHER}, "extends another contract itself")],
)
def test_what_cannot_be_extended_is_named(others, said):
    with pytest.raises(ConfigError, match=said):
        parse_contract("organization/users.toml", OTHER, others)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (b'statements = ["DESCRIBE USER {user}"]\n', "nothing fills user"),
        (b'statements = ["SHOW USERS", "SHOW ROLES"]\npaged = true\n', "can be paged"),
        (
            b'lists = { user = { statement = "SHOW USERS", name = ["name"], beside = ["nobody"] } }\n',
            "beside names a column",
        ),
        (b"recount_nights = 0\n", "recount_nights"),
        (b'connection = "other"\n', "connection"),
    ],
)
def test_reads_that_cannot_be_sent_are_refused(more, said):
    with pytest.raises(ConfigError, match=said):
        parse_contract("snowflake/users.toml", GOOD.replace(b"columns", more + b"columns"))

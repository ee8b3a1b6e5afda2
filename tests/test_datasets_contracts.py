"""The contract files: they load, say what must be said, and errors name the file and the key."""

import pytest

from evidence.datasets.contract import NESTED
from evidence.datasets.load import load_contracts, parse_contract
from evidence.errors import ConfigError

CONTRACTS = load_contracts()
EXPECTED = """access_history collector_visibility columns credentials future_grants grants_to_roles grants_to_users login_history masking_policies
network_policies network_rule_references network_rules object_dependencies parameters policy_references query_history roles
row_access_policies tables tag_references users"""
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
    assert [name.removeprefix("snowflake.") for name in CONTRACTS if name.startswith("snowflake.")] == EXPECTED.split()
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
        assert contract.roles, "the grant to ask for must be known"
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
            if column.name.upper() in {"COMMENT", "POLICY_COMMENT", "ERROR_MESSAGE", "MESSAGE"}:
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

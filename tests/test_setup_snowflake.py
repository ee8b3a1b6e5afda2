"""evidence setup snowflake: grants exactly what the enabled datasets need, and every text that can be sent is readable SQL."""

import re

import pytest
import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel

from evidence.cli.app import run
from evidence.cli.workspace import Workspace
from evidence.datasets.load import load_contracts
from evidence.errors import ConfigError
from evidence.sources import snowflake_sql as sql
from evidence.sources.snowflake_datasets import choose
from evidence.sources.snowflake_rights import Held, Identity, beyond, needs, script
from evidence.sources.snowflake_texts import calls, command, documented, statements
from tests.servers import every_export
from tests.servers.emulated import run_emulator

CONTRACTS = load_contracts()
OURS = [contract for name, contract in CONTRACTS.items() if name.startswith(("snowflake.", "organization."))]
WHO = Identity("EVIDENCE", "EVIDENCE_COLLECTOR", "EVIDENCE_WH")
ABOVE = Identity("EVIDENCE_UP", "EVIDENCE_ELEVATED", "EVIDENCE_WH")
TEXTS = [text for texts in statements(OURS).values() for text in texts]


def granted(text, role):
    """Database and application roles that a script grants to a role; comments do not grant."""
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    return set(re.findall(rf"GRANT (?:DATABASE|APPLICATION) ROLE SNOWFLAKE\.(\w+) TO ROLE {role};", "\n".join(lines)))


def some(*datasets):
    return [CONTRACTS[f"snowflake.{name}"] for name in datasets]


# --- what is asked for --------------------------------------------------------------------------------------------


def test_by_default_an_account_is_asked_for_what_its_connections_may_read():
    base = choose("acme", CONTRACTS)
    assert {CONTRACTS[name].connection for name in base.datasets} == {"base"}
    assert all(name.startswith("snowflake.") for name in (*base.datasets, *base.left_out))
    assert "snowflake.policy_attachments" in base.left_out
    assert "[sources.acme.elevated]" in base.left_out["snowflake.policy_attachments"]
    both = choose("acme", CONTRACTS, elevated=True)
    assert both.left_out == {}
    assert set(both.datasets) == set(base.datasets) | set(base.left_out)


def test_the_organization_is_an_option_or_named():
    every = choose("acme", CONTRACTS, organization=True)
    assert "organization.query_history" in every.datasets
    assert "organization.accounts" in every.left_out
    assert choose("acme", CONTRACTS, ["organization.users"]).datasets == ("organization.users",)


def test_a_dataset_that_is_none_of_snowflakes_is_refused():
    with pytest.raises(ConfigError, match=r"sources\.acme\.datasets: no Snowflake dataset dbt\.nodes"):
        choose("acme", CONTRACTS, ["dbt.nodes", "snowflake.users"])


# --- grants -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("datasets", "roles"),
    [
        (["users"], {"SECURITY_VIEWER"}),
        (["users", "query_history"], {"SECURITY_VIEWER", "GOVERNANCE_VIEWER"}),
        (["policy_references"], {"GOVERNANCE_VIEWER"}),
        (["policy_references", "users"], {"SECURITY_VIEWER"}),
        (["trust_center_results"], {"TRUST_CENTER_VIEWER"}),
        (["parameters", "databases"], set()),
        (["tables", "copy_history", "tags"], {"OBJECT_VIEWER", "USAGE_VIEWER"}),
    ],
)
def test_exactly_the_roles_that_the_datasets_need(datasets, roles):
    assert granted(script("acme", some(*datasets), WHO, None), "EVIDENCE_COLLECTOR") == roles


def test_every_dataset_can_be_read_with_what_is_granted():
    for connection in ("base", "elevated"):
        needed = needs(OURS, connection)
        for contract in OURS:
            if contract.connection == connection and (contract.roles or contract.application_roles):
                assert {*needed.database_roles, *needed.application_roles} & {
                    *contract.roles,
                    *contract.application_roles,
                }


def test_the_elevated_role_is_apart_and_decides_nothing_by_itself():
    text = script("acme", OURS, WHO, ABOVE)
    base, _, elevated = text.partition("-- The elevated connection")
    assert granted(base, "EVIDENCE_COLLECTOR") >= {
        "SECURITY_VIEWER",
        "GOVERNANCE_VIEWER",
        "OBJECT_VIEWER",
        "USAGE_VIEWER",
    }
    assert "EVIDENCE_ELEVATED" not in base
    assert "EVIDENCE_COLLECTOR" not in elevated
    run_as_is = [line for line in elevated.splitlines() if not line.startswith("--")]
    assert not [
        line for line in run_as_is if re.search("APPLY|MANAGE|OWNERSHIP|ACCOUNTADMIN|ORGADMIN|IMPORT SHARE", line)
    ]
    assert re.search(r"your decision: GRANT APPLY PASSWORD POLICY ON ACCOUNT TO ROLE EVIDENCE_ELEVATED;", elevated)
    assert re.search(r"-- for each, more than reading, your decision: GRANT OWNERSHIP ON USER <user> TO ROLE", elevated)
    assert "OWNERSHIP" not in base
    assert "IMPORTED PRIVILEGES" not in text


def test_the_script_is_sql_and_says_what_a_user_expects():
    text = script("acme", OURS, WHO, ABOVE)
    for part in (
        "TYPE = SERVICE",
        "'XSMALL'",
        "STATEMENT_TIMEOUT_IN_SECONDS = 900",
        "RESOURCE MONITOR",
        "RSA_PUBLIC_KEY",
        "NETWORK_POLICY",
    ):
        assert part in text
    for statement in text.split(";\n"):
        bare = "\n".join(line for line in statement.splitlines() if not line.startswith("--")).strip()
        assert not bare or re.match(r"(CREATE|ALTER|GRANT) ", bare), bare


def test_odd_names_are_quoted():
    odd = Identity('we"ird', "evidence role", "W")
    text = script("acme", some("users"), odd, None)
    assert 'GRANT DATABASE ROLE SNOWFLAKE.SECURITY_VIEWER TO ROLE "evidence role";' in text
    assert '"we""ird"' in text


# --- does a role hold more? ---------------------------------------------------------------------------------------

RIGHT = [Held("USAGE", "WAREHOUSE", "EVIDENCE_WH"), Held("USAGE", "DATABASE_ROLE", "SNOWFLAKE.SECURITY_VIEWER")]


@pytest.mark.parametrize(
    ("held", "surplus", "lacking"),
    [
        (RIGHT, [], []),
        ([Held("USAGE", "DATABASE ROLE", '"SNOWFLAKE"."SECURITY_VIEWER"'), RIGHT[0]], [], []),
        (RIGHT[:1], [], [RIGHT[1]]),
        ([*RIGHT, Held("SELECT", "TABLE", "PROD.PHI.CLAIMS")], ["SELECT on TABLE PROD.PHI.CLAIMS"], []),
        ([*RIGHT, Held("USAGE", "ROLE", "ANALYST")], ["USAGE on ROLE ANALYST"], []),
        ([*RIGHT, Held("USAGE", "DATABASE_ROLE", "SNOWFLAKE.OBJECT_VIEWER")], ["USAGE on DATABASE_ROLE SNOWFLAKE.OBJECT_VIEWER"], []),
        ([*RIGHT, Held("OPERATE", "WAREHOUSE", "EVIDENCE_WH")], ["OPERATE on WAREHOUSE EVIDENCE_WH"], []),
        ([*RIGHT, Held("MANAGE GRANTS", "ACCOUNT", "ACME")], ["MANAGE GRANTS on ACCOUNT ACME"], []),
    ],
)  # fmt: skip
def test_what_a_role_holds_beyond_its_needs_and_what_it_lacks(held, surplus, lacking):
    found = beyond(held, needs(some("users"), "base"), WHO)
    assert ([str(row) for row in found[0]], found[1]) == (surplus, lacking)


def test_grants_on_single_objects_are_no_surplus_where_a_dataset_asks_for_them():
    held = [RIGHT[0], Held("MONITOR", "WAREHOUSE", "LOAD_WH"), Held("USAGE", "INTEGRATION", "S3")]
    assert beyond(held, needs(some("warehouses", "integrations"), "base"), WHO) == ([], [])
    assert beyond(held, needs(some("warehouses"), "base"), WHO)[0] == [held[2]]


# --- every text ---------------------------------------------------------------------------------------------------


def test_a_text_is_named_once_and_under_each_dataset_something_is():
    assert len(set(TEXTS)) == len(TEXTS)
    named = statements(OURS)
    assert all(named[contract.name] for contract in OURS if contract.read == "view")
    assert len(named) == len(OURS) + 3


@pytest.mark.parametrize("start", range(0, len(TEXTS), 100))
def test_every_text_parses_as_snowflake_sql_and_only_reads(start):
    for text in TEXTS[start : start + 100]:
        assert sql.is_read(text), text
        assert sqlglot.tokenize(text, read="snowflake")
        if text.startswith("SELECT"):
            (tree,) = sqlglot.parse(text, read="snowflake", error_level=ErrorLevel.RAISE)
            assert isinstance(tree, exp.Select)
            assert not tree.find(exp.Command, exp.Insert, exp.Update, exp.Delete, exp.Into)
            assert not tree.find(exp.Star) or "COUNT(*)" in text
        else:
            assert command(text) in documented()["commands"], (
                text
            )  # sqlglot has no grammar for most of SHOW and DESCRIBE


def test_only_documented_commands_and_functions_are_used():
    called = {name for text in TEXTS for name in calls(text) if text.startswith("SELECT")}
    assert called == set(documented()["functions"])
    said = {command(text) for text in TEXTS if not text.startswith("SELECT")}
    assert said == set(documented()["commands"])


def test_the_search_for_functions_finds_them():
    text = 'SELECT SYSTEM$CANCEL_QUERY(\'X(1)\'), A.B.C ("F(1)"), lower("x") FROM T'
    assert calls(text) == {"SYSTEM$CANCEL_QUERY", "A.B.C", "lower"}


# --- the command --------------------------------------------------------------------------------------------------

TOML = """
[entity]
name = "x"
system = "y"
[sources.acme]
kind = "snowflake"
account = "TESTACCT"
user = "EVIDENCE"
password = "env:EVIDENCE_TEST_PASSWORD"
host = "127.0.0.1"
port = {port}
protocol = "http"
datasets = {datasets}
{elevated}
"""
ELEVATED = """
[sources.acme.elevated]
user = "ELEVATED"
password = "env:EVIDENCE_TEST_PASSWORD"
"""


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("EVIDENCE_TEST_PASSWORD", "pw")
    monkeypatch.setenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")

    def make(*, port=1, datasets="[]", elevated=""):
        (tmp_path / "evidence.toml").write_text(TOML.format(port=port, datasets=datasets, elevated=elevated))
        return tmp_path

    return make


def test_the_command_prints_the_script(workspace, capsys):
    assert run(["-w", str(workspace(datasets='["snowflake.users"]')), "setup", "snowflake"]) == 0
    out = capsys.readouterr().out
    assert granted(out, "EVIDENCE_COLLECTOR") == {"SECURITY_VIEWER"}
    assert "EVIDENCE_ELEVATED" not in out
    assert run(["-w", str(workspace(elevated=ELEVATED)), "setup", "snowflake"]) == 0
    assert "TO ROLE EVIDENCE_ELEVATED" in capsys.readouterr().out


def test_the_command_prints_every_text(workspace, capsys):
    assert run(["-w", str(workspace(elevated=ELEVATED)), "setup", "snowflake", "--statements"]) == 0
    out = capsys.readouterr().out
    assert "SHOW PARAMETERS LIKE 'NETWORK_POLICY' IN USER \"<user>\";" in out
    assert "not documented" not in out
    assert out.count("SELECT CURRENT_TIMESTAMP() AS server_time;") == 1


def test_a_workspace_without_a_snowflake_source_says_so(tmp_path, capsys):
    (tmp_path / "evidence.toml").write_text("[entity]\nname='x'\nsystem='y'")
    assert run(["-w", str(tmp_path), "setup", "snowflake"]) == 2
    assert "--source NAME" in capsys.readouterr().err


def test_the_check_asks_the_account(workspace, tmp_path, capsys):
    """The test account's role holds odd things: all of them are surplus, and what is needed is lacking."""
    with run_emulator(every_export.write(tmp_path / "every")) as account:
        account.post("people", {"user": "EVIDENCE", "password": "pw"})
        account.post("night", {"night": str(every_export.NIGHT), "clock": "2026-07-02T03:00:00+00:00"})
        code = run(
            ["-w", str(workspace(port=account.port, datasets='["snowflake.users"]')), "setup", "snowflake", "--check"]
        )
        assert 'SHOW GRANTS TO ROLE "EVIDENCE_COLLECTOR"' in account.statements()
    out = capsys.readouterr().out
    assert code == 3
    assert re.search(r"surplus\s+PLAIN on PLAIN PLAIN", out)
    assert re.search(r"lacking\s+USAGE on DATABASE_ROLE SNOWFLAKE.SECURITY_VIEWER", out)


def test_status_and_doctor_say_what_is_not_captured(workspace, tmp_path, capsys):
    folder = tmp_path / "made"
    assert run(["init", str(folder)]) == 0
    body = (workspace() / "evidence.toml").read_text().split("[sources", 1)[1]
    config = folder / "evidence.toml"
    config.write_text(config.read_text() + "\n[sources" + body)
    capsys.readouterr()
    assert run(["-w", str(folder), "status"]) == 0
    out = capsys.readouterr().out
    assert "acme: not captured, needs an elevated connection" in out
    assert "snowflake.policy_attachments" in out
    run(["-w", str(folder), "doctor", "--offline", "source"])
    assert re.search(r"\d+ not captured", capsys.readouterr().out)
    config.write_text(config.read_text() + ELEVATED)
    assert run(["-w", str(folder), "status"]) == 0
    assert "not captured" not in capsys.readouterr().out


def test_the_elevated_sign_in_stands_at_the_place_of_the_first(workspace):
    source = Workspace.open(workspace(port=4711, elevated=ELEVATED)).source("acme")
    login = source.elevated.login
    assert (login.account, login.host, login.port, login.protocol) == ("TESTACCT", "127.0.0.1", 4711, "http")
    assert (login.user, login.role) == ("ELEVATED", "EVIDENCE_ELEVATED")
    assert source.not_captured() == {}

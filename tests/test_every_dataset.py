"""Every Snowflake dataset over the wire: as many rows land as are served, receipts are complete, nothing is set aside."""

import datetime as dt
import json
import re

import pyarrow.parquet as pq
import pytest

from evidence.collect import Task, collect
from evidence.datasets.load import load_contracts
from evidence.snapshot.model import Window
from evidence.snapshot.redact import Redactor
from evidence.sources.files import FilesSource
from evidence.sources.snowflake import SnowflakeSource
from evidence.sources.snowflake_login import Login
from evidence.sources.snowflake_session import Backoff
from evidence.sources.snowflake_show import argument_types
from evidence.sources.snowflake_sql import is_read
from evidence.sources.snowflake_texts import statements
from tests.contracts.source import SourceSuite
from tests.servers import every_export
from tests.servers.emulated import run_emulator

ALL = load_contracts()
CONTRACTS = every_export.CONTRACTS
NIGHT, ROLE = every_export.NIGHT, every_export.ROLE
MOMENT = dt.datetime(2026, 7, 9, tzinfo=dt.UTC)
CAPTURE = "2026-07-02T03:00:00+00:00"
FEW = ("organization.query_history", "organization.grants_to_roles", "organization.accounts")
EVERY = [
    name if name in FEW or not name.startswith("organization.") else pytest.param(name, marks=pytest.mark.slow)
    for name in CONTRACTS
]
KINDS = ("snowflake.sessions", "snowflake.trust_center_results", "snowflake.warehouses", "snowflake.network_policies_desc",
         "snowflake.user_parameters", "snowflake.policy_attachments", "snowflake.allowlist", "snowflake.collector_grants",
         "snowflake.replication_refresh_recent", "snowflake.backups_show", "organization.accounts")  # fmt: skip
RESHAPED = {
    "snowflake.copy_history": ("COPY_HISTORY", "BYTES_BILLED"),
    "organization.copy_history": ("ORGANIZATION_USAGE.COPY_HISTORY", "BYTES_BILLED"),
    "snowflake.trust_center_results": ("TRUST_CENTER.FINDINGS", "IMPACT"),
    "snowflake.warehouses": ("SHOW.WAREHOUSES", "generation"),
    "snowflake.users_desc": ("SHOW.USERS_DESC", "default"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return every_export.write(tmp_path_factory.mktemp("every"))


@pytest.fixture(scope="module")
def emulator(folder):
    with run_emulator(folder) as started:
        yield started


@pytest.fixture(scope="module")
def source(emulator):
    place = {"account": "TESTACCT", "password": "pw", "host": "127.0.0.1", "port": emulator.port, "protocol": "http"}
    opened = SnowflakeSource(
        "acme",
        Login(user="evidence", role=ROLE, warehouse="W", attempts=1, **place),
        list(CONTRACTS),
        run="01RUN",
        clock=lambda: MOMENT,
        elevated=Login(user="elevated", role="EVIDENCE_ELEVATED", warehouse="W", attempts=1, **place),
        backoff=Backoff(attempts=1),
    )
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def shown():
    """Every statement that is printed for whoever grants the rights."""
    return {text for texts in statements(CONTRACTS.values()).values() for text in texts}


@pytest.fixture
def account(emulator, monkeypatch):
    """The account at 03:00 after its night, with nothing scripted; sessions stay open from test to test."""
    monkeypatch.setenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
    emulator.post("reset")
    for user in ("EVIDENCE", "ELEVATED"):
        emulator.post("people", {"user": user, "password": "pw"})
    emulator.post("night", {"night": str(NIGHT), "clock": CAPTURE})
    return emulator


@pytest.fixture
def read(account, source, tmp_path):
    def run(dataset):
        contract = CONTRACTS[dataset]
        task = Task(source, contract, Window(NIGHT, contract.kind))
        spool = tmp_path / dataset.replace(".", "-")
        spool.mkdir()
        return collect(task, Redactor(b"k" * 32, "test"), spool, lambda: MOMENT, attempts=1)

    return run


def landed(collected):
    """The rows that were sealed, as Python values."""
    return [row for part in collected.parts for row in pq.read_table(collected.spool / part.path).to_pylist()]


@pytest.mark.parametrize(
    "dataset", [name for name in EVERY if isinstance(name, str) and CONTRACTS[name].read == "view"]
)
def test_nothing_is_sent_for_a_view_that_the_printed_texts_do_not_show(account, source, read, dataset, shown):
    window = Window(NIGHT, CONTRACTS[dataset].kind)
    read(dataset)
    columns = source.read(CONTRACTS[dataset], window).system.get("hash_agg_columns", "")
    source.count(CONTRACTS[dataset], window, tuple(filter(None, columns.split(","))))
    sent = set(account.statements())
    assert sent
    assert sent <= shown


@pytest.mark.parametrize("dataset", EVERY)
def test_as_many_rows_land_as_are_served(read, dataset):
    contract = CONTRACTS[dataset]
    collected = read(dataset)
    receipt = collected.receipt
    assert (receipt.status, receipt.reason) == ("complete", "")
    assert receipt.landed == len(every_export.rows_of(contract)) >= 3
    assert (receipt.quarantined, receipt.differences) == (0, ())
    assert set(receipt.drift) <= {"assumed_utc", "repeated_keys"}
    assert receipt.drift.get("assumed_utc", ()) == tuple(
        column.name for column in contract.columns if column.source_type == "TIMESTAMP_NTZ"
    )
    assert receipt.system["connection"] == contract.connection
    assert receipt.system["user"] == ("ELEVATED" if contract.connection == "elevated" else "EVIDENCE")
    assert receipt.statements
    rows = landed(collected)
    assert len(rows) == receipt.landed
    assert not re.search("Jane|078-05", json.dumps(rows, default=str)), "what was planted is in no sealed row"
    for column in contract.columns:
        if column.required and column.treatment != "drop":
            assert any(row[column.landed] is not None for row in rows) or column.name == "origin", column.name


def test_what_is_asked_for_object_by_object_names_each_object(read):
    rows = landed(read("snowflake.user_network_policies"))
    assert {row["user_name"] for row in rows} == set(every_export.NAMES[:5])
    rows = landed(read("snowflake.procedures_desc"))
    assert {(row["database_name"], row["procedure_name"], row["arguments"]) for row in rows} == {
        ("PROD", name, "(VARCHAR, NUMBER)") for name in every_export.NAMES[:5]
    }
    kinds = {row["integration_name"] for row in landed(read("snowflake.integrations_desc"))}
    assert kinds == set(every_export.NAMES[:5]), "security integrations are another dataset"
    assert {row["integration_name"] for row in landed(read("snowflake.security_integrations_desc"))} == {"SIXTH"}


def test_comments_and_bodies_among_properties_are_keyed(read):
    for dataset, column, secret in [
        ("users_desc", "value", {"COMMENT"}),
        ("procedures_desc", "value", {"BODY"}),
        ("integrations_desc", "property_value", {"COMMENT"}),
    ]:
        for row in landed(read(f"snowflake.{dataset}")):
            assert row[column] is None or row[column].startswith("hmac:") or row["property"] not in secret


@pytest.mark.parametrize("dataset", KINDS)
def test_the_wire_lands_what_the_files_land(read, folder, tmp_path, dataset):
    contract = CONTRACTS[dataset]
    files = FilesSource("files", folder, contracts=ALL, clock=lambda: MOMENT)
    assert dataset in files.datasets()
    spool = tmp_path / "files"
    spool.mkdir()
    task = Task(files, contract, Window(NIGHT, contract.kind))
    from_files = collect(task, Redactor(b"k" * 32, "test"), spool, lambda: MOMENT, attempts=1)
    assert from_files.receipt.quarantined == 0
    assert from_files.receipt.rows_digest == read(dataset).receipt.rows_digest


@pytest.mark.parametrize("dataset", KINDS)
def test_a_refusal_is_denied_and_names_the_grant(account, read, dataset):
    contract = CONTRACTS[dataset]
    heads = [text.split("{")[0] for text in contract.statements if contract.read == "show"]
    if contract.read == "function":
        heads = [contract.object]
    for head in heads or [contract.object.split(".")[-1]]:
        account.post("rules", [{"match": re.escape(head), "action": "error", "code": "003001", "sqlstate": "42501"}])
    receipt = read(dataset).receipt
    assert (receipt.status, receipt.landed) == ("denied", 0)
    assert "GRANT" in receipt.reason


@pytest.mark.parametrize("dataset", RESHAPED)
def test_a_missing_optional_column_is_null_and_a_new_one_is_drift(account, read, dataset):
    view, column = RESHAPED[dataset]
    account.post("view", {"view": view, "hide": [column], "add": ["BRAND_NEW"]})
    try:
        collected = read(dataset)
    finally:
        account.post("view", {"view": view})
    assert collected.receipt.status == "complete"
    assert (collected.receipt.drift["missing"], collected.receipt.drift["unknown"]) == ((column,), ("BRAND_NEW",))
    assert {row[column.lower()] for row in landed(collected)} == {None}


def test_a_list_that_cannot_be_asked_for_makes_the_capture_incomplete(account, read):
    refused = {"match": 'DESCRIBE USER "Mixed Case"', "action": "error", "code": "003001", "sqlstate": "42501"}
    account.post("rules", [refused])
    receipt = read("snowflake.users_desc").receipt
    assert (receipt.status, receipt.landed, receipt.quarantined) == ("incomplete", 12, 1)
    assert any('refused: "Mixed Case"' in note for note in receipt.notes)


def test_everything_that_was_sent_is_a_read(account, read):
    """Names with quotes, semicolons, comments, backslashes and line breaks stay names."""
    for dataset in ("snowflake.users_desc", "snowflake.procedures_desc", "snowflake.policy_attachments"):
        assert read(dataset).receipt.status == "complete"
    sent = account.log("statement")
    assert {entry["outcome"] for entry in sent} == {"ok"}
    for entry in sent:
        assert is_read(entry["sql"])
        assert not re.search(r"SELECT\s+\*", entry["sql"])
    assert any("o'brien" in entry["sql"] for entry in sent)
    assert any("o''brien \\\\ and; -- sons\nltd" in entry["sql"] for entry in sent), "escaped inside a literal"


@pytest.mark.parametrize(
    ("signature", "name", "types"),
    [
        ("P(VARCHAR, NUMBER) RETURN VARCHAR", "P", "(VARCHAR, NUMBER)"),
        ('odd "x"(TABLE(A NUMBER(38,0))) RETURN TABLE ()', 'odd "x"', "(TABLE(A NUMBER(38,0)))"),
        ("P(DEFAULT VARCHAR, [NUMBER]) RETURN X", "P", "(VARCHAR, NUMBER)"),
        ("p(q() RETURN NULL", "p(q", "()"),
        ("P(VARCHAR'); DROP) RETURN X", "P", None),
        ('P("A") RETURN X', "P", None),
        ("P(VARCHAR", "P", None),
        ("", "P", None),
    ],
)
def test_a_signature_gives_plain_argument_types_or_none(signature, name, types):
    assert argument_types(signature, name) == types


class TestFilesServeTheSame(SourceSuite):
    """The contract suite over an export of every dataset."""

    @pytest.fixture
    def contracts(self):
        return ALL

    @pytest.fixture
    def source(self, folder, contracts):
        return FilesSource("every", folder, contracts=contracts, clock=lambda: MOMENT)

    def test_every_dataset_is_held(self, source):
        assert set(source.datasets()) == set(CONTRACTS)

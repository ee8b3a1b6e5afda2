"""The live diagnostic: it settles the open questions, sends only reads, and lets nothing of the account out."""

import datetime as dt
import json

import pytest
import sqlglot

from evidence.datasets.load import load_contracts
from evidence.snapshot.model import Window
from evidence.sources import snowflake_sql as sql
from evidence.sources.snowflake import SnowflakeSource
from evidence.sources.snowflake_diagnosis import Question, diagnose, questions
from evidence.sources.snowflake_login import Login
from evidence.sources.snowflake_session import Backoff
from tests.servers.tiny_export import ACCOUNT, NIGHT

pytest_plugins = ["tests.servers.fixtures"]
VIEWS = [contract for contract in load_contracts().values() if contract.name.startswith("snowflake.")]

KNOWN = {contract.object.rpartition(".")[2] for contract in VIEWS if contract.read == "view"}


@pytest.fixture
def source(account, monkeypatch):
    monkeypatch.setenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
    login = Login(
        account=ACCOUNT, user="evidence", role="EVIDENCE_COLLECTOR", password="pw", attempts=2,
        host="127.0.0.1", port=account.port, protocol="http",
    )  # fmt: skip
    opened = SnowflakeSource(
        "acme", login, [c.name for c in VIEWS], run="01RUN", clock=lambda: dt.datetime(2026, 7, 2, 3, tzinfo=dt.UTC),
        backoff=Backoff(attempts=1),
    )  # fmt: skip
    yield opened
    opened.close()


@pytest.mark.parametrize("question", questions(), ids=lambda q: q.id)
def test_every_statement_is_one_read_with_no_star(question):
    for statement in question.statements:
        assert sql.is_read(statement)
        assert len(sqlglot.parse(statement, read="snowflake")) == 1
        if statement.startswith("SELECT"):
            tree = sqlglot.parse_one(statement, read="snowflake")
            stars = [star for star in tree.find_all(sqlglot.exp.Star) if not isinstance(star.parent, sqlglot.exp.Count)]
            assert not stars


def test_answers_are_counts_words_and_column_lists(source):
    found = diagnose(source.session, VIEWS)
    by_id = {each["id"]: each["answers"] for each in found["questions"]}
    assert set(by_id) == {question.id for question in questions()}
    repeats = {row["VIEW_NAME"]: row for answer in by_id["query-id-repeats"] for row in answer["rows"]}
    assert repeats["QUERY_HISTORY"]["N"] >= repeats["QUERY_HISTORY"]["IDS"] >= 0
    refused = [answer["statement"] for answers in by_id.values() for answer in answers if "refused" in answer]
    assert not [text for text in refused if any(f'"{view}"' in text for view in KNOWN)]
    assert all(isinstance(row["n"], int) for row in by_id["account-parameters"][0]["rows"])
    assert found["columns"]["snowflake.users"]["columns"] >= 8
    assert found["place"]["version"]


def test_nothing_of_the_account_is_in_it(source):
    said = json.dumps(diagnose(source.session, VIEWS))
    users = source.read(load_contracts()["snowflake.users"], Window(NIGHT, "state"))
    names = {row["NAME"] for batch in users.batches for row in batch.select(["NAME"]).to_pylist() if row["NAME"]}
    assert names
    assert not [name for name in names if name in said]
    assert ACCOUNT.upper() not in said.upper()


def test_a_refusal_is_an_answer(account, source):
    account.post(
        "rules", [{"match": "POLICY_REFERENCES", "action": "error", "code": "002003", "sqlstate": "42S02", "times": 9}]
    )
    found = diagnose(source.session, VIEWS)
    kinds = next(each for each in found["questions"] if each["id"] == "policy-references-kinds")
    assert kinds["answers"] == [{"statement": questions()[0].statements[0], "refused": "SourceDeniedError"}]
    assert found["columns"]["snowflake.policy_references"] == {"refused": "SourceDeniedError"}
    assert found["columns"]["snowflake.users"]["columns"] >= 8


def test_a_text_that_is_no_word_of_the_product_is_not_shown(account, source, monkeypatch):
    leaking = [Question("q", "?", "s", ('SELECT "NAME" AS "N" FROM "SNOWFLAKE"."ACCOUNT_USAGE"."USERS"',))]
    monkeypatch.setattr("evidence.sources.snowflake_diagnosis.questions", lambda: leaking)
    rows = diagnose(source.session, [])["questions"][0]["answers"][0]["rows"]
    assert rows
    assert all(row["N"] is None or row["N"].startswith("text of ") for row in rows)

"""The terraform source: addresses, types and actions of state and plan documents; no value ever."""

import datetime as dt
import json
import re

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence.collect import Task, collect
from evidence.datasets.load import load_contracts
from evidence.errors import SourceDeniedError, SourceUnavailableError
from evidence.snapshot.model import Window
from evidence.snapshot.redact import Redactor
from evidence.sources.open import open_source
from evidence.sources.reading import typed_batch
from evidence.sources.terraform_rows import read_document
from tests.contracts.source import SourceSuite

CONTRACTS = load_contracts()
NIGHT = dt.date(2026, 7, 1)
NOW = dt.datetime(2026, 10, 1, 9, tzinfo=dt.UTC)
SECRETS = [f"planted-secret-{n}" for n in range(40)]
SLOW = settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def shown(address, kind, *, values=None, sensitive=None, **more):
    bare = re.sub(r"\[[^]]*\]", "", address)
    return {
        "address": address, "mode": "managed", "type": kind, "name": bare.rpartition(".")[2],
        "provider_name": "registry.terraform.io/hashicorp/aws", "schema_version": 0, "values": values or {},
        "sensitive_values": sensitive or {}, **more,
    }  # fmt: skip


STATE = {
    "format_version": "1.0",
    "terraform_version": "1.9.8",
    "values": {
        "outputs": {"dsn": {"sensitive": True, "value": SECRETS[0], "type": "string"}},
        "root_module": {
            "resources": [
                shown(
                    "aws_db_instance.claims", "aws_db_instance",
                    values={"password": SECRETS[1], "tags": {SECRETS[2]: SECRETS[3]}, "user": SECRETS[4], "port": 5432},
                    sensitive={"password": True, "tags": {}, SECRETS[5]: True}, depends_on=["aws_kms_key.phi"],
                ),
                shown("aws_kms_key.phi[0]", "aws_kms_key", index=0, tainted=True),
                shown('snowflake_role.team["ANALYST_PHI"]', "snowflake_role", index="ANALYST_PHI"),
                shown('aws_iam_user.people["jane.roe@carrier.example"]', "aws_iam_user", index="jane.roe@carrier.example"),
            ],
            "child_modules": [
                {
                    "address": 'module.net["Jane Roe 123-45-6789"]',
                    "resources": [
                        shown(
                            'module.net["Jane Roe 123-45-6789"].data.aws_vpc.main', "aws_vpc",
                            mode="data", values={"secret": {"deep": [SECRETS[6]]}}, deposed_key="abc123",
                        )
                    ],
                    "child_modules": [{"address": "module.net.module.empty"}],
                }
            ],
        },
    },
    "checks": [{"address": {"to_display": "x"}, "instances": [{"problems": [{"message": SECRETS[7]}]}]}],
}  # fmt: skip
RAW = {
    "version": 4, "terraform_version": "1.9.8", "serial": 41, "lineage": "3f9c2f0e-1b1b-4a5e-9d3f-0123456789ab",
    "outputs": {"key": {"value": SECRETS[8], "type": "string", "sensitive": True}},
    "resources": [
        {
            "module": 'module.app["x"]', "mode": "managed", "type": "random_password", "name": "db",
            "provider": 'module.app.provider["registry.terraform.io/hashicorp/random"].west',
            "instances": [
                {
                    "index_key": "blue", "schema_version": 3, "status": "tainted",
                    "attributes": {"result": SECRETS[9], "bcrypt_hash": SECRETS[10], "length": 20, "empty": ""},
                    "sensitive_attributes": [[{"type": "get_attr", "value": "result"}], [{"type": "get_attr", "value": "empty"}]],
                    "private": SECRETS[11], "identity": {"id": SECRETS[12]}, "dependencies": ["aws_kms_key.phi"],
                },
                {"index_key": 7, "deposed": "00ab12cd", "attributes": {"password": SECRETS[13]}, "sensitive_attributes": []},
            ],
        },
        {"mode": "data", "type": "aws_vpc", "name": "main", "provider": "provider.aws", "instances": [{"attributes_flat": {"a": SECRETS[14]}}]},
    ],
    "check_results": [{"object_kind": "var", "failure_messages": [SECRETS[15]]}],
}  # fmt: skip
PLAN = {
    "format_version": "1.2", "terraform_version": "1.9.8", "applyable": True, "complete": True, "errored": False,
    "timestamp": "2026-07-02T02:00:00Z",
    "variables": {"password": {"value": SECRETS[16]}},
    "planned_values": {"outputs": {"o": {"value": SECRETS[17]}}, "root_module": {"resources": [shown("a.b", "a", values={"p": SECRETS[18]})]}},
    "resource_changes": [
        {
            "address": "aws_db_instance.claims", "previous_address": 'aws_db_instance.old["Jane Roe"]', "mode": "managed",
            "type": "aws_db_instance", "name": "claims", "provider_name": "registry.terraform.io/hashicorp/aws",
            "change": {
                "actions": ["delete", "create"], "before": {"password": SECRETS[19]}, "after": {"password": SECRETS[20]},
                "after_unknown": {"id": True}, "before_sensitive": {SECRETS[21]: True}, "after_sensitive": {"password": True},
                "replace_paths": [["engine"], ["tags", SECRETS[22]], [SECRETS[23]]], "importing": {"id": SECRETS[24]},
                "generated_config": SECRETS[25],
            },
            "action_reason": "replace_because_cannot_update",
        },
        {"address": "a.b", "mode": "managed", "type": "a", "name": "b", "change": {"actions": ["no-op"], "before": SECRETS[26]}},
    ],
    "resource_drift": [
        {"address": "a.c", "mode": "managed", "type": "a", "name": "c", "change": {"actions": ["update"], "after": SECRETS[27]}}
    ],
    "deferred_changes": [
        {"reason": "provider_config_unknown", "resource_change": {"address": "a.d", "mode": "managed", "type": "a", "name": "d", "change": {"actions": ["create"], "after": SECRETS[28]}}}
    ],
    "output_changes": {"dsn": {"actions": ["update"], "before": SECRETS[29], "after": SECRETS[30]}},
    "prior_state": {"format_version": "1.0", "values": {"root_module": {"resources": [shown("a.b", "a", values={"p": SECRETS[31]})]}}},
    "configuration": {"provider_config": {"aws": {"expressions": {"secret_key": {"constant_value": SECRETS[32]}}}}, "root_module": {"variables": {"v": {"default": SECRETS[33]}}}},
    "relevant_attributes": [{"resource": "a.b", "attribute": [SECRETS[34]]}],
    "checks": [{"instances": [{"problems": [{"message": SECRETS[35]}]}]}],
}  # fmt: skip


def put(root, name, body):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    )
    return path


def claim(root, kind, **members):
    stated = {"as_of": "2026-07-02T03:00:00Z", **members}
    body = {"format": "evidence-export-v1", "dataset": f"terraform.{kind}", "night": NIGHT.isoformat(), **stated}
    put(root, f"{kind}/date={NIGHT}/_export.json", {key: value for key, value in body.items() if value is not None})


def source(root):
    return open_source("terraform", "tf", contracts=CONTRACTS, clock=lambda: NOW, settings={"path": root})


def landed(root, kind):
    contract = CONTRACTS[f"terraform.{kind}"]
    spool = root.parent / f"{root.name}-spool-{len(list(root.parent.iterdir()))}"
    spool.mkdir(mode=0o700)
    task = Task(source(root), contract, Window(NIGHT, "state"))
    got = collect(task, Redactor(b"k" * 32, "t1"), spool, lambda: NOW)
    rows = [row for part in got.parts for row in pq.read_table(got.spool / part.path).to_pylist()]
    return got.receipt, rows, got.spool


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "terraform"
    folder.mkdir()
    return folder


class TestContract(SourceSuite):
    @pytest.fixture
    def contracts(self):
        return CONTRACTS

    @pytest.fixture
    def source(self, root):
        for kind in ("state", "plan"):
            claim(root, kind, documents=3 if kind == "state" else 1)
        put(root, f"state/date={NIGHT}/prod.json", STATE)
        put(root, f"state/date={NIGHT}/raw.tfstate", RAW)
        put(root, f"state/date={NIGHT}/cut.json", json.dumps(STATE)[:-9])
        put(root, f"plan/date={NIGHT}/prod.json", PLAN)
        put(root, "loose.json", STATE)
        return source(root)


def by_address(rows):
    return {row["address"]: row for row in rows}


def test_a_shown_state(root):
    put(root, f"state/date={NIGHT}/prod.json", STATE)
    claim(root, "state", documents=1, system={"commit": "a" * 40, "branch": "main"})
    receipt, rows, _ = landed(root, "state")
    assert (receipt.status, receipt.reason, receipt.source_totals.rows) == ("complete", "", 6)
    assert receipt.as_of_claimed
    found = by_address(rows)
    assert set(found) == {
        None, "aws_db_instance.claims", "aws_kms_key.phi[0]", 'snowflake_role.team["ANALYST_PHI"]',
        'aws_iam_user.people["?"]', 'module.net["?"].data.aws_vpc.main',
    }  # fmt: skip
    database = found["aws_db_instance.claims"]
    assert database["sensitive_attributes"] == ["password"]
    assert (database["depends_on"], database["commit_sha"], database["branch"]) == (
        ["aws_kms_key.phi"],
        "a" * 40,
        "main",
    )
    assert database["provider"] == "registry.terraform.io/hashicorp/aws"
    assert (found["aws_kms_key.phi[0]"]["index_key"], found["aws_kms_key.phi[0]"]["tainted"]) == ("0", True)
    assert found['snowflake_role.team["ANALYST_PHI"]']["index_key"] == "ANALYST_PHI"
    person = found['aws_iam_user.people["?"]']
    assert person["index_key"] is None
    assert person["index_hidden"].startswith("hmac:t1:")
    data = found['module.net["?"].data.aws_vpc.main']
    assert (data["mode"], data["module"], data["deposed"]) == ("data", 'module.net["?"]', "abc123")
    assert (found[None]["part"], found[None]["resources"], found[None]["format_version"]) == ("document", 5, "1.0")


def test_a_raw_state(root):
    put(root, f"state/date={NIGHT}/prod.tfstate", RAW)
    claim(root, "state", documents=1)
    receipt, rows, _ = landed(root, "state")
    assert (receipt.status, receipt.reason) == ("complete", "")
    found = by_address(rows)
    assert set(found) == {
        None, 'module.app["x"].random_password.db["blue"]', 'module.app["x"].random_password.db[7]', "data.aws_vpc.main",
    }  # fmt: skip
    blue, seven = (found[f'module.app["x"].random_password.db[{key}]'] for key in ('"blue"', "7"))
    assert (blue["sensitive_attributes"], blue["tainted"], blue["schema_version"]) == (["result"], True, 3)
    assert blue["provider"] == "registry.terraform.io/hashicorp/random"
    assert (seven["sensitive_attributes"], seven["deposed"], seven["index_key"]) == (["password"], "00ab12cd", "7")
    assert (blue["serial"], blue["lineage"], blue["format"]) == (41, RAW["lineage"], "raw")


def test_a_plan(root):
    put(root, f"plan/date={NIGHT}/prod.json", PLAN)
    claim(root, "plan", documents=1, as_of=None)
    receipt, rows, _ = landed(root, "plan")
    assert (receipt.status, receipt.reason) == ("complete", "")
    assert receipt.as_of == dt.datetime(2026, 7, 2, 2, tzinfo=dt.UTC)  # the plan's own word
    rows.sort(key=lambda row: (["document", "change", "drift", "deferred"].index(row["part"]), row["address"] == "a.b"))
    assert [row["part"] for row in rows] == ["document", "change", "change", "drift", "deferred"]
    head, change, noop, drift, deferred = rows
    assert (head["applyable"], head["complete"], head["errored"], head["resources"]) == (True, True, False, 4)
    assert change["actions"] == ["delete", "create"]
    assert change["action_reason"] == "replace_because_cannot_update"
    assert change["replace_paths"] == ["?", "engine", "tags"]
    assert (change["importing"], change["previous_address"]) == (True, 'aws_db_instance.old["?"]')
    assert (noop["actions"], drift["actions"], deferred["action_reason"]) == (
        ["no-op"],
        ["update"],
        "provider_config_unknown",
    )


def test_no_value_lands_anywhere(root):
    for kind, files in {"state": {"a.json": STATE, "b.tfstate": RAW}, "plan": {"a.json": PLAN}}.items():
        for name, body in files.items():
            put(root, f"{kind}/date={NIGHT}/{name}", body)
        put(root, f"{kind}/date={NIGHT}/broken.json", {"values": SECRETS[36], "format_version": SECRETS[37]})
        put(root, f"{kind}/date={NIGHT}/cut.json", json.dumps({"a": SECRETS[38]})[:-1])
        claim(root, kind, documents=len(files) + 2)
        receipt, rows, spool = landed(root, kind)
        assert receipt.quarantined == 2
        assert len(rows) > len(files)
        stored = repr(rows) + repr(receipt) + json.dumps(receipt.to_json())
        stored += "".join(path.read_bytes().decode("latin-1") for path in spool.rglob("*") if path.is_file())
        stored += "".join(
            repr(batch.to_pydict())
            for batch in source(root).read(CONTRACTS[f"terraform.{kind}"], Window(NIGHT, "state")).batches
        )
        assert [text for text in SECRETS if text in stored] == []
        # The keyed columns hold names of people before they are treated, and never after.
        for private in ("Jane", "jane.roe", "123-45"):
            assert private not in repr(rows) + repr(receipt)


REFUSED = {
    "unknown major": ("state", STATE | {"format_version": "2.0"}, r"format_version \(2\.0\)"),
    "no version": ("state", {key: value for key, value in STATE.items() if key != "format_version"}, "format_version"),
    "version of text": ("plan", PLAN | {"format_version": "secret"}, "format_version that"),
    "raw version 3": ("state", RAW | {"version": 3}, "another version than 4"),
    "plan for state": ("state", PLAN, "a plan where a state belongs"),
    "state for plan": ("plan", STATE, "where a plan belongs"),
    "nothing shown": ("state", {"format_version": "1.0"}, "no state was shown"),
    "encrypted": ("state", {"meta": {}, "encrypted_data": "x", "encryption_version": "v0"}, "encrypted"),
    "list": ("state", [], "not a JSON object"),
    "cut": ("state", json.dumps(STATE)[:200], "not JSON"),
    "latin": ("state", b'{"version":"\xe9"}', "not UTF-8"),
    "deep": ("state", b'{"values":' + b"[" * 500 + b"]" * 500 + b"}", "nested too deeply"),
    "twice": ("state", b'{"version":4,"version":4}', "stands twice"),
    "empty": ("state", b"", "not JSON"),
    "resources of text": ("state", RAW | {"resources": "x"}, "resources is not a list"),
    "module of text": ("state", STATE | {"values": {"root_module": {"child_modules": ["x"]}}}, "child_modules is not"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_document_that_is_not_read_is_refused_aloud(root, name):
    kind, body, pattern = REFUSED[name]
    put(root, f"{kind}/date={NIGHT}/bad.json", body)
    put(root, f"{kind}/date={NIGHT}/good.json", STATE if kind == "state" else PLAN)
    claim(root, kind, documents=2)
    reading = source(root).read(CONTRACTS[f"terraform.{kind}"], Window(NIGHT, "state"))
    (reason,) = (reason for _, reason in reading.rejected)
    assert reason.startswith(f"{kind}/date={NIGHT}/bad.json: ")
    assert re.search(pattern, reason), reason
    receipt, rows, _ = landed(root, kind)
    assert receipt.status == "incomplete"
    assert len(rows) == (6 if kind == "state" else 5)


def test_a_resource_that_makes_no_row_is_counted(root):
    changes = [
        {"address": "a.b", "mode": "managed", "type": "a", "name": "b", "change": {"actions": ["explode"]}},
        {"address": "a.b", "mode": "other", "type": "a", "name": "b", "change": {"actions": ["create"]}},
        {"address": "a b; rm", "mode": "managed", "type": "a", "name": "b", "change": {"actions": ["create"]}},
        {"address": "a.b", "mode": "managed", "type": "a", "name": "b c", "change": {"actions": ["create"]}},
        "text",
        *PLAN["resource_changes"],
    ]
    put(root, f"plan/date={NIGHT}/a.json", PLAN | {"resource_changes": changes})
    claim(root, "plan", documents=1)
    receipt, rows, _ = landed(root, "plan")
    assert (receipt.status, receipt.quarantined, receipt.differences) == ("incomplete", 5, ())
    assert len(rows) == 5


@pytest.mark.parametrize(("key", "value"), [("errored", True), ("complete", False)])
def test_a_plan_that_is_not_whole_is_incomplete(root, key, value):
    put(root, f"plan/date={NIGHT}/a.json", PLAN | {key: value})
    claim(root, "plan", documents=1)
    receipt, rows, _ = landed(root, "plan")
    assert (receipt.status, receipt.quarantined, receipt.differences) == ("incomplete", 1, ())
    assert [row[key] for row in rows if row["part"] == "document"] == [value]


def test_a_plan_without_changes_was_made(root):
    put(
        root,
        f"plan/date={NIGHT}/a.json",
        {key: value for key, value in PLAN.items() if "chang" not in key and "drift" not in key},
    )
    claim(root, "plan", documents=1)
    receipt, rows, _ = landed(root, "plan")
    assert (receipt.status, [row["part"] for row in rows]) == ("complete", ["document"])


@pytest.mark.parametrize(
    ("stated", "why"),
    [
        ({}, "how many workspaces there are is not stated (documents)"),
        ({"documents": 2}, "2 documents are stated, 1 are there"),
        ({"documents": 1, "status": "incomplete", "reason": "no access to prod"}, "the exporter reports incomplete: no access to prod"),
    ],
)  # fmt: skip
def test_a_folder_that_may_lack_a_workspace_is_unproven(root, stated, why):
    put(root, f"state/date={NIGHT}/a.json", STATE)
    claim(root, "state", **stated)
    receipt, rows, _ = landed(root, "state")
    assert (receipt.status, len(rows)) == ("incomplete", 6)
    assert f"unproven: {why}" in receipt.notes


def test_moments_and_refusals_are_the_exporters(root):
    put(root, f"state/date={NIGHT}/a.json", STATE)
    claim(root, "state", documents=1, as_of="2026-07-01T03:00:00Z")
    assert landed(root, "state")[0].status == "incomplete"  # of another night
    claim(root, "state", status="denied", reason="no read on the state bucket")
    with pytest.raises(SourceDeniedError):
        source(root).read(CONTRACTS["terraform.state"], Window(NIGHT, "state"))
    (root / f"plan/date={NIGHT}").mkdir(parents=True)
    with pytest.raises(SourceUnavailableError):
        source(root).read(CONTRACTS["terraform.plan"], Window(NIGHT, "state"))


def test_links_and_strangers_are_counted(root, tmp_path):
    outside = put(tmp_path, "outside.json", STATE)
    put(root, f"state/date={NIGHT}/a.json", STATE)
    put(root, f"state/date={NIGHT}/notes.txt", "hello")
    (root / f"state/date={NIGHT}/link.json").symlink_to(outside)
    claim(root, "state", documents=3)
    receipt, rows, _ = landed(root, "state")
    assert (receipt.status, receipt.quarantined, len(rows)) == ("incomplete", 2, 6)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["managed", "a.b", "1.0", "create"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "values",
                    "root_module",
                    "resources",
                    "child_modules",
                    "address",
                    "mode",
                    "type",
                    "name",
                    "index",
                    "change",
                    "actions",
                    "instances",
                    "version",
                    "format_version",
                    "resource_changes",
                    "module",
                    "sensitive_values",
                    "sensitive_attributes",
                    "replace_paths",
                    "provider",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


def nodes(value, path=()):
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from nodes(child, (*path, key))


def replaced(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


BASES = [STATE, RAW, PLAN]
PLACES = [(base, path) for base in BASES for path in nodes(base)]


@SLOW
@given(kind=st.sampled_from(["state", "plan"]), value=JSON, place=st.sampled_from(PLACES))
def test_any_document_is_read_or_refused(kind, value, place):
    """A true document in which one node, anywhere, is something else."""
    try:
        found = read_document(kind, replaced(*place, value))
    except ValueError as exc:
        said = str(exc)
    else:
        said = repr(found.rejects)
        assert len(found.rows) + len(found.rejects) == 1 + found.counted + found.apart
        assert typed_batch(CONTRACTS[f"terraform.{kind}"], found.rows).num_rows == len(found.rows)
    assert "planted" not in said

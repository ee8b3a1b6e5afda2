import copy
import datetime as dt
import json
import os

import pyarrow.parquet as pq
import pytest

from evidence.datasets.conform import Drift, conform
from evidence.datasets.land import land
from evidence.datasets.load import load_contracts
from evidence.snapshot.model import Window
from evidence.snapshot.redact import Redactor
from evidence.sources import dbt_parsed
from evidence.sources.dbt import DbtSource
from tests.contracts.source import SourceSuite

CONTRACTS = load_contracts()
NODES, TESTS = CONTRACTS["dbt.nodes"], CONTRACTS["dbt.tests"]
RUNS, FRESHNESS = CONTRACTS["dbt.run_results"], CONTRACTS["dbt.freshness"]
CATALOG = CONTRACTS["dbt.catalog"]
NOW = dt.datetime(2026, 10, 2, 4, tzinfo=dt.UTC)
NIGHT = dt.date(2026, 7, 1)
SECRET = "/Users/ada/work"


def metadata(kind, version, moment, invocation="inv-1", **more):
    return {
        "dbt_schema_version": f"https://schemas.getdbt.com/dbt/{kind}/v{version}.json",
        "dbt_version": "1.9.1",
        "generated_at": moment,
        "invocation_id": invocation,
        "env": {},
        "user_id": SECRET,
        **more,
    }


MODEL = {
    "resource_type": "model",
    "name": "orders",
    "package_name": "shop",
    "path": "marts/orders.sql",
    "original_file_path": "models\\marts\\orders.sql",
    "root_path": SECRET,
    "unique_id": "model.shop.orders",
    "raw_code": "select 'Jane Doe'",
    "description": "Jane Doe",
    "database": "DB",
    "schema": "MARTS",
    "alias": "orders",
    "config": {"materialized": "table", "enabled": True, "meta": {"owner": "x"}, "tags": ["t"]},
    "tags": ["t"],
    "meta": {},
    "fqn": ["shop", "marts", "orders"],
    "constraints": [
        {"type": "primary_key", "columns": ["order_id"]},
        {"type": "foreign_key", "columns": ["customer_id"], "to": "db.s.c", "to_columns": ["id"], "expression": None},
    ],
    "contract": {"enforced": True},
    "columns": {"order_id": {"name": "order_id", "description": "Jane", "data_type": "int", "meta": {"class": "PHI"}}},
    "depends_on": {"nodes": ["model.shop.stg"], "macros": ["macro.dbt.x"]},
}
TEST = {
    "resource_type": "test",
    "name": "unique_orders_order_id",
    "unique_id": "test.shop.unique_orders_order_id.1",
    "path": "unique.sql",
    "test_metadata": {
        "name": "unique",
        "namespace": None,
        "kwargs": {"column_name": "order_id", "model": "{{ ref('orders') }}"},
    },
    "config": {"enabled": True, "severity": "WARN", "where": "day > 1", "warn_if": "!= 0", "error_if": ">10"},
    "column_name": "order_id",
    "attached_node": "model.shop.orders",
    "depends_on": {"nodes": ["model.shop.orders"]},
    "tags": [],
}
SOURCE = {
    "name": "raw",
    "unique_id": "source.shop.s.raw",
    "resource_type": "source",
    "identifier": "RAW",
    "path": SECRET + "/s.yml",
}


def manifest(moment="2026-07-02T03:00:00.000000Z", invocation="inv-1", version=12, **more):
    return {
        "metadata": metadata("manifest", version, moment, invocation, project_name="shop", adapter_type="snowflake"),
        "nodes": {MODEL["unique_id"]: MODEL, TEST["unique_id"]: TEST},
        "sources": {SOURCE["unique_id"]: SOURCE},
        "disabled": {},
        **more,
    }


def results(
    moment="2026-07-01T02:00:00.000000Z", invocation="inv-1", *, which="build", target="prod", version=6, **more
):
    rows = [
        {
            "unique_id": TEST["unique_id"],
            "status": "fail",
            "failures": 3,
            "message": f"Got 3 results in {SECRET}",
            "execution_time": 0.12345678901234567,
            "thread_id": "Thread-1",
            "timing": [
                {"name": "compile", "started_at": "2026-07-01T01:59:00Z", "completed_at": "2026-07-01T01:59:01Z"},
                {"name": "execute", "started_at": "2026-07-01T01:59:02Z", "completed_at": "2026-07-01T01:59:03Z"},
            ],
            "adapter_response": {"query_id": "x"},
            "compiled_code": "select 'Jane Doe'",
        },
        {
            "unique_id": MODEL["unique_id"],
            "status": "success",
            "timing": [],
            "thread_id": "Thread-1",
            "execution_time": 1,
        },
    ]
    args = {"which": which, "target": target, "project_dir": SECRET}
    return {"metadata": metadata("run-results", version, moment, invocation), "results": rows, "args": args, **more}


def freshness(moment="2026-07-01T02:00:00.000000Z", version=3):
    row = {
        "unique_id": "source.shop.s.raw",
        "status": "warn",
        "max_loaded_at": "2026-07-01T00:00:00+00:00",
        "snapshotted_at": "2026-07-01T01:00:00+00:00",
        "max_loaded_at_time_ago_in_s": 3600.5,
        "criteria": {"warn_after": {"count": 1, "period": "hour"}, "error_after": None, "filter": "a > 'Jane'"},
    }
    failed = {"unique_id": "source.shop.s.other", "error": "no such table", "status": "runtime error"}
    return {"metadata": metadata("sources", version, moment), "results": [row, failed], "elapsed_time": 1.0}


def relation(columns, comment=None):
    return {
        "metadata": {
            "type": "BASE TABLE",
            "schema": "MARTS",
            "name": "X",
            "database": "DB",
            "comment": comment,
            "owner": "O",
        },
        "columns": {
            name: {"type": kind, "index": 1, "name": name, "comment": "Jane"} for name, kind in columns.items()
        },
        "stats": {"row_count": {"id": "row_count", "label": "Rows", "value": 7, "include": True}},
    }


def catalog(moment="2026-07-02T03:00:00.000000Z"):
    return {
        "metadata": metadata("catalog", 1, moment),
        "nodes": {"model.shop.orders": relation({"order_id": "NUMBER"}, "Jane Doe"), "model.shop.empty": relation({})},
        "sources": {"source.shop.s.raw": relation({"id": "TEXT"})},
        "errors": None,
    }


def put(root, name, value):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    os.utime(path, (1_790_000_000, 1_790_000_000))  # 2026-09-21
    return path


def source(root, **settings):
    return DbtSource("dbt", root, clock=lambda: NOW, **settings)


def read(opened, contract, night=NIGHT):
    reading = opened.read(contract, Window(night, contract.kind))
    batches = list(reading.batches)
    for batch in batches:
        assert conform(batch, contract, Drift()).bad == {}
    rows = [row for batch in batches for row in batch.to_pylist()]
    return reading, rows, [reason for _, reason in reading.rejected]


class TestArchive(SourceSuite):
    @pytest.fixture
    def contracts(self):
        return CONTRACTS

    @pytest.fixture
    def source(self, tmp_path):
        put(tmp_path, "2026-07-02/manifest.json", manifest())
        put(tmp_path, "2026-07-02/run_results.json", results())
        put(tmp_path, "2026-07-02/sources.json", freshness())
        put(tmp_path, "2026-07-02/catalog.json", catalog())
        put(tmp_path, "2026-07-03/manifest.json", manifest("2026-07-03T03:00:00Z", "inv-2"))
        put(tmp_path, "2026-07-03/run_results.json", "{cut")
        put(tmp_path, "odd.json", {"a": 1})
        return source(tmp_path)


class TestLive(SourceSuite):
    @pytest.fixture
    def contracts(self):
        return CONTRACTS

    @pytest.fixture
    def source(self, tmp_path):
        put(tmp_path, "target/manifest.json", manifest())
        put(tmp_path, "target/run_results.json", results())
        return source(tmp_path)


def test_a_model_becomes_a_row_without_code_or_paths(tmp_path):
    put(tmp_path, "a/manifest.json", manifest())
    reading, rows, reasons = read(source(tmp_path), NODES)
    assert reasons == []
    assert reading.as_of == (dt.datetime(2026, 7, 2, 3, tzinfo=dt.UTC), True)
    model, raw = rows
    assert (model["layer"], model["original_file_path"]) == ("marts", "models/marts/orders.sql")
    assert (model["primary_key"], model["contract_enforced"], model["enabled"]) == (["order_id"], True, True)
    assert json.loads(model["foreign_keys"])[0]["columns"] == ["customer_id"]
    assert json.loads(model["columns"])["order_id"]["meta"] == {"class": "PHI"}
    assert json.loads(model["meta"]) == {"owner": "x"}
    assert (raw["resource_type"], raw["alias"], raw["path"]) == ("source", "RAW", None)
    assert (model["described"], raw["described"]) == (True, False)
    keyed = [{**row, "description": None} for row in rows]  # landed as a keyed hash, see below
    told = json.dumps([keyed, list(reading.notes), [s.text for s in reading.statements]], default=str)
    assert "Jane" not in told
    assert SECRET not in told


def test_a_test_becomes_a_row(tmp_path):
    put(tmp_path, "a/manifest.json", manifest())
    _, (row,), _ = read(source(tmp_path), TESTS)
    assert (row["test_name"], row["attached_node"], row["column_name"]) == ("unique", "model.shop.orders", "order_id")
    assert (row["severity"], row["where_clause"], row["enabled"]) == ("warn", "day > 1", True)


@pytest.mark.parametrize(
    ("model", "nodes", "expected"),
    [
        ("{{ ref('orders') }}", ["model.shop.customers", "model.shop.orders"], "model.shop.orders"),
        ("{{ get_where_subquery(ref('shop', 'orders')) }}", ["model.shop.orders", "model.shop.x"], "model.shop.orders"),
        ("", ["model.shop.orders"], "model.shop.orders"),
        ("", ["model.shop.customers", "model.shop.orders"], None),
        ("", [], None),
    ],
)
def test_before_v9_the_attached_node_is_the_one_the_test_names(tmp_path, model, nodes, expected):
    node = copy.deepcopy(TEST)
    del node["attached_node"]
    node["test_metadata"]["kwargs"]["model"] = model
    node["depends_on"]["nodes"] = nodes
    put(tmp_path, "a/manifest.json", manifest(version=4, nodes={node["unique_id"]: node}))
    _, (row,), _ = read(source(tmp_path), TESTS)
    assert row["attached_node"] == expected


def test_disabled_nodes_are_rows_whichever_way_a_version_lists_them(tmp_path):
    for name, disabled in (("a", [TEST]), ("b", {TEST["unique_id"]: [TEST]})):
        put(tmp_path / name, "x/manifest.json", manifest(nodes={}, disabled=disabled))
        _, (row,), _ = read(source(tmp_path / name), TESTS)
        assert row["enabled"] is False


def test_results_carry_command_severity_and_exact_times(tmp_path):
    put(tmp_path, "a/manifest.json", manifest("2026-06-30T03:00:00Z", "inv-0"))
    put(tmp_path, "b/run_results.json", results())
    reading, (test, model), _ = read(source(tmp_path), RUNS)
    assert (test["status"], test["failures"], test["severity"], test["command"]) == ("fail", 3, "warn", "build")
    assert test["started_at"] == dt.datetime(2026, 7, 1, 1, 59, 2, tzinfo=dt.UTC)
    assert str(test["execution_time"]) == "0.123456789012"
    assert (model["severity"], model["started_at"], model["resource_type"]) == (None, None, "model")
    assert any("latest earlier manifest" in note for note in reading.notes)
    assert reading.as_of is None


def test_severity_is_of_the_invocation_and_never_of_a_later_manifest(tmp_path):
    loud = copy.deepcopy(TEST)
    loud["config"]["severity"] = "ERROR"
    put(tmp_path, "a/manifest.json", manifest("2026-07-01T01:00:00Z", "inv-1", nodes={TEST["unique_id"]: loud}))
    put(tmp_path, "b/manifest.json", manifest("2026-07-01T01:30:00Z", "inv-7"))
    put(tmp_path, "a/run_results.json", results())
    assert read(source(tmp_path), RUNS)[1][0]["severity"] == "error"
    put(tmp_path / "later", "a/manifest.json", manifest("2026-07-01T03:00:00Z", "inv-9"))
    put(tmp_path / "later", "a/run_results.json", results())
    reading, rows, _ = read(source(tmp_path / "later"), RUNS)
    assert rows[0]["severity"] is None
    assert any("severity is not known" in note for note in reading.notes)


def test_freshness_rows(tmp_path):
    put(tmp_path, "a/sources.json", freshness())
    _, (row, failed), _ = read(source(tmp_path), FRESHNESS)
    assert (row["status"], str(row["age_seconds"]), row["filter_clause"]) == ("warn", "3600.500000000000", "a > 'Jane'")
    assert json.loads(row["warn_after"]) == {"count": 1, "period": "hour"}
    assert (failed["status"], failed["max_loaded_at"]) == ("runtime error", None)


def test_the_first_manifest_of_a_night_is_the_night_and_none_is_borrowed(tmp_path):
    put(tmp_path, "b/manifest.json", manifest("2026-07-02T22:00:00Z", "inv-2"))
    put(tmp_path, "c/manifest.json", manifest("2026-07-02T00:00:00Z", "inv-3"))
    put(tmp_path, "d/manifest.json", manifest("2026-07-04T23:59:59Z", "inv-4"))
    opened = source(tmp_path)
    assert opened.nights(NODES) == [dt.date(2026, 7, 1), dt.date(2026, 7, 3)]
    reading, rows, _ = read(opened, NODES)
    assert {row["invocation_id"] for row in rows} == {"inv-3"}
    assert any(note.startswith("b/manifest.json: not the first") for note in reading.notes)


def test_all_invocations_of_a_day_count_and_a_copy_counts_once(tmp_path):
    put(tmp_path, "a/run_results.json", results())
    put(tmp_path, "copy/run_results.json", results())
    put(tmp_path, "b/run_results.json", results("2026-07-01T23:59:59Z", "inv-2"))
    reading, rows, reasons = read(source(tmp_path), RUNS)
    assert (len(rows), reasons) == (4, [])
    assert any("a copy of an invocation" in note for note in reading.notes)


def test_one_invocation_with_two_contents_is_a_contradiction(tmp_path):
    put(tmp_path, "a/run_results.json", results())
    put(tmp_path, "b/run_results.json", results(which="test"))
    reading, rows, reasons = read(source(tmp_path), RUNS)
    assert len(rows) == 2
    assert reasons == ["b/run_results.json: same invocation as another file, other content"]
    assert reading.totals.rows == 3


def test_another_target_is_left_out_and_said(tmp_path):
    put(tmp_path, "a/run_results.json", results(target="dev"))
    put(tmp_path, "b/run_results.json", results("2026-07-01T03:00:00Z", "inv-2", target="prod"))
    put(tmp_path, "c/run_results.json", results("2026-07-01T04:00:00Z", "inv-3", target=None))
    reading, rows, _ = read(source(tmp_path, target="prod"), RUNS)
    assert {row["invocation_id"] for row in rows} == {"inv-2", "inv-3"}
    assert any("another target; 2 results left out" in note for note in reading.notes)
    assert any("states no target" in note for note in reading.notes)


REFUSED = {
    "v99": (
        lambda value: value["metadata"].update(dbt_schema_version="https://schemas.getdbt.com/dbt/{k}/v99.json"),
        "v99 is not known",
    ),
    "v0": (
        lambda value: value["metadata"].update(dbt_schema_version="https://schemas.getdbt.com/dbt/{k}/v0.json"),
        "v0 is not known",
    ),
    "elsewhere": (
        lambda value: value["metadata"].update(dbt_schema_version="https://evil.example/dbt/{k}/v1.json"),
        "names no artifact",
    ),
    "undated": (lambda value: value["metadata"].pop("generated_at"), "generated_at is missing"),
    "no metadata": (lambda value: value.pop("metadata"), "dbt_schema_version is missing"),
    "no part": (lambda value: [value.pop(part, None) for part in ("nodes", "results")], "is missing"),
    "odd part": (lambda value: [value.update({part: ["x"]}) for part in ("nodes", "results")], "is missing|no object"),
}


@pytest.mark.parametrize("fault", REFUSED)
@pytest.mark.parametrize(
    ("name", "kind", "make", "contract"),
    [
        ("manifest.json", "manifest", manifest, NODES),
        ("run_results.json", "run-results", results, RUNS),
        ("sources.json", "sources", freshness, FRESHNESS),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(tmp_path, fault, name, kind, make, contract):
    spoil, pattern = REFUSED[fault]
    value = copy.deepcopy(make())
    spoil(value)
    put(tmp_path, f"x/{name}", json.dumps(value).replace("{k}", kind))
    opened = source(tmp_path)
    (night,) = opened.nights(contract)
    reading, rows, reasons = read(opened, contract, night)
    assert rows == []
    assert len(reasons) == 1
    assert reasons[0].startswith(f"x/{name}: ")
    assert any(part in reasons[0] for part in pattern.split("|"))
    assert reading.as_of is None or reading.totals.rows == 1


@pytest.mark.parametrize("cut", [1, 40, 1000, -2])
def test_a_cut_file_is_refused_not_empty(tmp_path, cut):
    put(tmp_path, "x/manifest.json", json.dumps(manifest())[:cut])
    opened = source(tmp_path)
    (night,) = opened.nights(NODES)
    _, rows, reasons = read(opened, NODES, night)
    assert rows == []
    assert len(reasons) == 1
    assert reasons[0].startswith("x/manifest.json: ")


def test_an_unknown_version_spoils_the_night_of_a_good_one(tmp_path):
    put(tmp_path, "a/manifest.json", manifest())
    put(tmp_path, "b/manifest.json", manifest("2026-07-02T04:00:00Z", "inv-2", version=13))
    reading, rows, reasons = read(source(tmp_path), NODES)
    assert len(rows) == 2
    assert reasons == ["b/manifest.json: manifest/v13 is not known (v1 to v12 are)"]
    assert reading.totals.rows == 3


def test_a_live_folder_is_captured_now(tmp_path):
    put(tmp_path, "manifest.json", manifest("2026-09-20T03:00:00Z"))
    opened = source(tmp_path)
    assert opened.live
    assert opened.nights(NODES) is None
    reading, rows, _ = read(opened, NODES, dt.date(2026, 10, 1))
    assert len(rows) == 2
    assert reading.as_of == (NOW, False)
    assert any("generated at 2026-09-20" in note for note in reading.notes)
    assert not source(tmp_path, live=False).live


def test_a_catalog_becomes_a_row_per_column_and_says_what_dbt_could_not_see(tmp_path):
    put(tmp_path, "a/manifest.json", manifest())
    assert "dbt.catalog" not in source(tmp_path).datasets()
    put(tmp_path, "a/catalog.json", catalog())
    opened = source(tmp_path)
    assert opened.nights(CATALOG) == [NIGHT]
    reading, rows, reasons = read(opened, CATALOG)
    assert [(row["unique_id"], row["column_name"], row["data_type"]) for row in rows] == [
        ("model.shop.orders", "order_id", "NUMBER"),
        ("model.shop.empty", None, None),
        ("source.shop.s.raw", "id", "TEXT"),
    ]
    assert (json.loads(rows[0]["stats"]), rows[0]["relation_type"]) == ({"row_count": 7}, "BASE TABLE")
    assert (reasons, reading.totals.rows) == ([], 3)
    assert reading.as_of == (dt.datetime(2026, 7, 2, 3, tzinfo=dt.UTC), True)
    put(tmp_path, "a/catalog.json", {**catalog(), "errors": ["no grant"]})
    _, rows, reasons = read(source(tmp_path), CATALOG)
    assert (len(rows), reasons) == (3, ["a/catalog.json: dbt could not catalogue everything: 1 errors"])


def test_by_products_and_links_of_dbt(tmp_path):
    put(tmp_path, "target/manifest.json", manifest())
    put(tmp_path, "target/graph_summary.json", {})
    put(tmp_path, "target/partial_parse.msgpack", "x")
    (tmp_path / "latest").symlink_to(tmp_path / "target")
    opened = source(tmp_path)
    (night,) = opened.nights(CONTRACTS["files.unrecognised"])
    _, _, reasons = read(opened, CONTRACTS["files.unrecognised"], night)
    assert [reason.partition(":")[0] for reason in reasons] == ["latest"]


def test_a_quarter_of_large_manifests_is_indexed_by_its_metadata_and_parsed_once(tmp_path, monkeypatch):
    filler = {f"macro.x.{n}": {"macro_sql": "x" * 200} for n in range(8000)}
    body = json.dumps(manifest("MOMENT", "INVOCATION", macros=filler))
    assert len(body) > 1_500_000
    for day in range(92):
        moment = dt.datetime(2026, 7, 2, 3, tzinfo=dt.UTC) + dt.timedelta(days=day)
        text = body.replace("MOMENT", moment.isoformat()).replace("INVOCATION", f"inv-{day}")
        put(tmp_path, f"{day:03}/manifest.json", text)
        put(tmp_path, f"{day:03}/run_results.json", results(moment.isoformat(), f"inv-{day}"))
    parsed = []
    load = dbt_parsed.load
    monkeypatch.setattr(dbt_parsed, "load", lambda artifact: parsed.append(artifact.name) or load(artifact))
    opened = source(tmp_path)
    nights = opened.nights(NODES)
    assert len(nights) == 92
    assert parsed == []  # metadata only
    for night in nights:
        for contract in (NODES, TESTS):
            read(opened, contract, night)
        if night in opened.nights(RUNS):
            assert read(opened, RUNS, night)[1][0]["severity"] == "warn"
    manifests = [name for name in parsed if name.endswith("manifest.json")]
    assert len(manifests) == len(set(manifests)) == 92


SNAPSHOT = {
    "resource_type": "snapshot",
    "name": "snap",
    "unique_id": "snapshot.shop.snap",
    "config": {
        "strategy": "timestamp",
        "unique_key": "id",
        "updated_at": "cast(at as date)",
        "invalidate_hard_deletes": True,
    },
    "depends_on": {"nodes": ["source.shop.s.raw"]},
}
EXPOSURE = {
    "name": "weekly",
    "unique_id": "exposure.shop.weekly",
    "resource_type": "exposure",
    "type": "dashboard",
    "maturity": "high",
    "owner": {"name": "Team", "email": "team@carrier.example"},
    "url": "https://bi.example/?member=Jane",
    "description": "about Jane",
    "depends_on": {"nodes": ["model.shop.orders", "model.shop.orders"]},
}


def whole(**more):
    """A manifest with something of everything, and the parent_map that dbt writes beside the nodes."""
    nodes = {node["unique_id"]: node for node in (MODEL | {"group": "core"}, TEST, SNAPSHOT)}
    parents = {
        "model.shop.orders": ["model.shop.stg"],
        TEST["unique_id"]: ["model.shop.orders"],
        "snapshot.shop.snap": ["source.shop.s.raw"],
        "exposure.shop.weekly": ["model.shop.orders"],
    }
    group = {"name": "core", "owner": {"name": "Core", "email": "core@carrier.example"}}
    made = manifest(
        nodes=nodes, exposures={EXPOSURE["unique_id"]: EXPOSURE}, groups={"group.shop.core": group}, parent_map=parents
    )
    return made | more


def named(dataset):
    return CONTRACTS[f"dbt.{dataset}"]


def test_a_node_says_who_owns_it_what_it_enforces_and_how_it_keeps_history(tmp_path):
    put(tmp_path, "a/manifest.json", whole())
    _, rows, _ = read(source(tmp_path), NODES)
    by_id = {row["unique_id"]: row for row in rows}
    model, snapshot = by_id["model.shop.orders"], by_id["snapshot.shop.snap"]
    assert (model["group_owner_name"], model["group_owner_email"]) == ("Core", "core@carrier.example")
    assert json.loads(model["constraints"])[0] == {
        "type": "primary_key", "name": None, "columns": ["order_id"], "expression": None,
    }  # fmt: skip
    assert (snapshot["strategy"], snapshot["unique_key"], snapshot["hard_deletes"]) == (
        "timestamp",
        ["id"],
        "invalidate",
    )
    assert (model["hard_deletes"], snapshot["described"]) == (None, False)


@pytest.mark.parametrize(
    ("node", "enforced"),
    [
        ({"contract": {"enforced": True}, "config": {"contract": {"enforced": True}}}, True),
        (
            {"contract": {"enforced": False}, "config": {"contract": True}},
            False,
        ),  # asked for the old way: parsed, not enforced
        ({"contract": {"enforced": False}, "config": {"contract": {"enforced": True}}}, False),
        ({"config": {"contract": {"enforced": True}}, "contract": None}, True),
        ({"config": {"contract": True}, "contract": None}, None),
        ({"config": {}, "contract": None}, None),
        ({"contract": {"enforced": "yes"}}, None),
    ],
)
def test_a_contract_is_enforced_only_if_dbt_resolved_it_so(tmp_path, node, enforced):
    put(tmp_path, "a/manifest.json", manifest(nodes={MODEL["unique_id"]: MODEL | node}))
    assert read(source(tmp_path), NODES)[1][0]["contract_enforced"] is enforced


@pytest.mark.parametrize(
    ("config", "deletes"),
    [
        ({}, "ignore"),
        ({"invalidate_hard_deletes": True}, "invalidate"),
        ({"hard_deletes": "new_record"}, "new_record"),
        ({"hard_deletes": "ignore", "invalidate_hard_deletes": True}, "ignore"),
    ],
)
def test_hard_deletes_as_dbt_resolves_them(tmp_path, config, deletes):
    put(tmp_path, "a/manifest.json", manifest(nodes={"snapshot.shop.snap": SNAPSHOT | {"config": config}}))
    assert read(source(tmp_path), NODES)[1][0]["hard_deletes"] == deletes


def test_arguments_of_tests_keep_names_and_leave_values_out(tmp_path):
    kwargs = {
        "column_name": "order_id", "combination_of_columns": ["a", "b"], "to": "ref('c')", "values": ["Jane Doe", 3],
        "expression": "name <> 'Jane'", "quote": False, "min_value": 5, "datepart": "day",
    }  # fmt: skip
    node = TEST | {"test_metadata": {"name": "t", "kwargs": kwargs}}
    put(tmp_path, "a/manifest.json", manifest(nodes={TEST["unique_id"]: node}))
    (row,) = read(source(tmp_path), TESTS)[1]
    assert json.loads(row["kwargs"]) == {
        "column_name": "order_id", "combination_of_columns": ["a", "b"], "to": "ref('c')", "values": ["?", "?"],
        "expression": "?", "quote": False, "min_value": 5, "datepart": "day",
    }  # fmt: skip


CRITERION = {"count": 2, "period": "day"}
NONE = {"count": None, "period": None}


@pytest.mark.parametrize(
    ("node", "stated", "minutes"),
    [
        ({"freshness": {"warn_after": None, "error_after": CRITERION}}, True, 2880),
        ({"freshness": {"warn_after": NONE, "error_after": NONE}}, False, None),
        ({"freshness": {"warn_after": {"count": 12, "period": "hour"}, "error_after": NONE}}, True, None),
        (
            {"freshness": None, "config": {"freshness": {"error_after": CRITERION}}},
            False,
            None,
        ),  # node level is the resolved one
        ({"config": {"freshness": {"error_after": CRITERION}}}, True, 2880),
        ({}, False, None),
    ],
)
def test_freshness_criteria_of_a_source(tmp_path, node, stated, minutes):
    put(tmp_path, "a/manifest.json", manifest(sources={SOURCE["unique_id"]: SOURCE | node}))
    (row,) = read(source(tmp_path), named("sources"))[1]
    assert (row["freshness_stated"], row["error_after_minutes"]) == (stated, minutes)


def test_exposures_and_edges(tmp_path):
    put(tmp_path, "a/manifest.json", whole())
    (row,) = read(source(tmp_path), named("exposures"))[1]
    assert (row["exposure_type"], row["owner_email"], row["described"]) == ("dashboard", "team@carrier.example", True)
    reading, rows, reasons = read(source(tmp_path), named("lineage"))
    assert {(edge["parent_id"], edge["child_id"]) for edge in rows} >= {("model.shop.orders", "exposure.shop.weekly")}
    assert (len(rows), reading.totals.rows, reasons) == (4, 4, [])


def test_edges_are_counted_on_both_sides(tmp_path):
    put(tmp_path, "a/manifest.json", whole(parent_map={"model.shop.orders": ["model.shop.stg", "model.shop.hidden"]}))
    reading, rows, _ = read(source(tmp_path), named("lineage"))
    assert (len(rows), reading.totals.rows) == (4, 2)  # collect seals that as incomplete


def test_a_disabled_node_has_no_edges(tmp_path):
    put(tmp_path, "a/manifest.json", manifest(nodes={}, disabled={MODEL["unique_id"]: [MODEL]}, parent_map={}))
    assert read(source(tmp_path), named("lineage"))[1] == []
    assert [row["enabled"] for row in read(source(tmp_path), NODES)[1] if row["resource_type"] == "model"] == [False]


def test_a_manifest_is_one_row_joined_to_its_run_by_invocation(tmp_path):
    value = whole()
    value["metadata"] |= {
        "generated_at": "2026-07-01T01:55:00Z",
        "env": {"GIT_SHA": "ABCDEF1234567", "PASSWORD": SECRET},
    }
    put(tmp_path, "a/manifest.json", value)
    put(tmp_path, "a/run_results.json", results())
    put(tmp_path, "b/manifest.json", manifest("2026-07-01T05:00:00Z", "parse-only"))
    reading, rows, reasons = read(source(tmp_path), named("manifest"))
    built, parsed = rows
    assert reasons == []
    assert (built["command"], built["target_name"], built["git_sha"]) == ("build", "prod", "abcdef1234567")
    assert (built["models"], built["tests"], built["snapshots"], built["exposures"], built["sources"]) == (
        1,
        1,
        1,
        1,
        1,
    )
    assert (parsed["command"], parsed["target_name"], parsed["invocation_id"]) == (None, None, "parse-only")
    assert built["env_names"] == ["GIT_SHA", "PASSWORD"]
    assert SECRET not in json.dumps(rows, default=str)
    assert reading.totals.rows == 2


def test_an_invocation_that_ran_nothing_is_a_row(tmp_path):
    put(tmp_path, "a/run_results.json", results() | {"results": [], "elapsed_time": 0.25})
    put(tmp_path, "a/manifest.json", manifest("2026-07-01T01:00:00Z"))
    assert read(source(tmp_path), RUNS)[1] == []
    (row,) = read(source(tmp_path), named("invocations"))[1]
    assert (row["results"], row["tests"], row["command"], row["project_name"]) == (0, 0, "build", "shop")
    assert (str(row["elapsed_seconds"]), json.loads(row["statuses"])) == ("0.250000000000", {})


EXECUTED = {
    "build": True, "run": True, "test": True, "seed": True, "snapshot": True, "retry": True, "generate": False, "compile": False,
    "show": False, "clone": False, "run-operation": False, "parse": False, "list": False, "freshness": False, "docs.generate": False,
    None: None,
}  # fmt: skip


@pytest.mark.parametrize("which", EXECUTED)
def test_only_commands_that_run_tests_leave_test_evidence(tmp_path, which):
    put(tmp_path, "a/run_results.json", results(which=which))
    test, model = read(source(tmp_path), RUNS)[1]
    assert test["executed"] is model["executed"] is EXECUTED[which]
    assert test["test_evidence"] is (None if which is None else which in {"build", "test", "retry"})
    assert model["test_evidence"] is False


@pytest.mark.parametrize("flags", [{"empty": True}, {"sample": "3 days"}, {"sample": {"start": "x", "end": "y"}}])
def test_a_build_over_no_rows_or_some_proves_nothing(tmp_path, flags):
    value = results()
    value["args"] |= flags
    put(tmp_path, "a/run_results.json", value)
    test, _ = read(source(tmp_path), RUNS)[1]
    assert (test["executed"], test["test_evidence"], test["command"]) == (False, False, "build")
    (row,) = read(source(tmp_path), named("invocations"))[1]
    assert (bool(row["empty"]), row["sample"]) == ("empty" in flags, "sample" in flags)


def test_what_a_test_says_when_it_did_not_run_is_no_evidence(tmp_path):
    value = results()
    value["results"] = [
        value["results"][0] | {"status": status} for status in ("pass", "warn", "error", "success", "skipped", "no-op")
    ]
    put(tmp_path, "a/run_results.json", value)
    evidence = [row["test_evidence"] for row in read(source(tmp_path), RUNS)[1]]
    assert evidence == [True, True, True, False, False, False]


def test_the_state_of_a_night_is_not_that_of_another_target(tmp_path):
    put(tmp_path, "a/manifest.json", manifest("2026-07-02T01:00:00Z", "ci"))
    put(tmp_path, "a/run_results.json", results("2026-07-02T01:10:00Z", "ci", target="ci"))
    put(tmp_path, "b/manifest.json", manifest("2026-07-02T03:00:00Z", "prod"))
    put(tmp_path, "b/run_results.json", results("2026-07-02T03:10:00Z", "prod"))
    reading, rows, reasons = read(source(tmp_path, target="prod"), NODES)
    assert ({row["invocation_id"] for row in rows}, reasons) == ({"prod"}, [])
    assert any(note.startswith("a/manifest.json: of a run on another target") for note in reading.notes)
    assert {row["invocation_id"] for row in read(source(tmp_path), NODES)[1]} == {"ci"}


def test_previews_of_fusion_are_refused_with_the_way_out(tmp_path):
    put(tmp_path, "a/manifest.json", manifest(version=20))
    (reason,) = read(source(tmp_path), NODES)[2]
    assert reason.startswith("a/manifest.json: manifest/v20 is not known")
    assert "later ones write v12" in reason


def test_no_free_text_reaches_a_part(tmp_path):
    """Land everything and search the sealed bytes for what was planted in every free text."""
    value = whole()
    value["nodes"][TEST["unique_id"]] = TEST | {
        "config": TEST["config"] | {"where": "name <> 'Jane Doe'"}, "description": "Jane Doe",
    }  # fmt: skip
    value["sources"][SOURCE["unique_id"]] = SOURCE | {
        "description": "Jane Doe", "source_description": "Jane Doe", "loaded_at_field": "nullif(at, 'Jane Doe')",
        "loaded_at_query": "select max(at) from t where name = 'Jane Doe'",
        "freshness": {"error_after": CRITERION, "filter": "name = 'Jane Doe'"},
    }  # fmt: skip
    run = results()
    run["results"][0]["message"] = "Database Error: value 'Jane Doe' is not a number"
    fresh = freshness()
    fresh["results"][1]["error"] = "no such table 'Jane Doe'"
    for name, artifact in (("manifest", value), ("run_results", run), ("sources", fresh), ("catalog", catalog())):
        put(tmp_path, f"in/{name}.json", artifact)
    opened = source(tmp_path / "in", live=False)
    redactor, seen = Redactor(b"k" * 32, "test"), set()
    for dataset in opened.datasets():
        contract = CONTRACTS[dataset]
        for night in opened.nights(contract):
            folder = tmp_path / "out" / dataset / night.isoformat()
            folder.mkdir(parents=True, mode=0o700)
            window = Window(night, contract.kind)
            reading = opened.read(contract, window)
            landed = land(reading.batches, reading.rejected, contract, window, folder, redactor)
            assert landed.quarantined == 0
            rows = [row for part in landed.parts for row in pq.read_table(folder / part.path).to_pylist()]
            seen |= {dataset} if rows else set()
            assert "Jane" not in json.dumps(rows, default=str), dataset
    assert seen == {name for name in CONTRACTS if name.startswith("dbt.")}

"""Public sample files: every row landed or quarantined, counted per file; every artifact landed or refused by name."""

import datetime as dt
import json
from collections import Counter
from pathlib import Path

import pytest

from evidence.datasets.conform import Drift, conform
from evidence.datasets.land import land
from evidence.datasets.load import load_contracts
from evidence.snapshot.model import Window
from evidence.snapshot.redact import Redactor
from evidence.sources.dbt import DbtSource
from evidence.sources.files import FilesSource

SAMPLES = Path(__file__).parent.parent.parent / "shared" / "samples"
CONTRACTS = load_contracts()
NOW = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)

SECTIONS = (
    "nodes", "sources", "exposures", "metrics", "semantic_models", "saved_queries", "unit_tests", "functions",
)  # fmt: skip

pytestmark = [
    pytest.mark.samples,
    pytest.mark.skipif(not SAMPLES.is_dir(), reason="the public samples are not beside the project"),
]


def readings(source):
    for name in source.datasets():
        contract = CONTRACTS[name]
        for night in source.nights(contract):
            window = Window(night, contract.kind)
            yield contract, window, source.read(contract, window)


def land_all(source, spool):
    """Land every window; rows per dataset that landed, and that were quarantined."""
    landed, aside = Counter(), Counter()
    redactor = Redactor(b"k" * 32, "test")
    for contract, window, reading in readings(source):
        folder = spool / f"{len(list(spool.iterdir()))}"
        folder.mkdir(mode=0o700)
        result = land(reading.batches, reading.rejected, contract, window, folder, redactor)
        landed[contract.name] += result.landed
        aside[contract.name] += result.quarantined
    return landed, aside


def test_every_snowflake_row_is_landed_or_quarantined(tmp_path):
    source = FilesSource("samples", SAMPLES / "snowflake", contracts=CONTRACTS, clock=lambda: NOW)
    expected = {
        path.relative_to(SAMPLES / "snowflake").as_posix(): len(path.read_bytes().splitlines())
        for path in sorted((SAMPLES / "snowflake").rglob("*"))
        if path.is_file()
    }
    taken = Counter()
    for _, _, reading in readings(source):
        list(reading.batches)
        for statement in reading.statements:
            taken[statement.text.removeprefix("read ")] += statement.rows
    assert dict(taken) == expected
    landed, aside = land_all(source, tmp_path)
    assert landed.total() + aside.total() == sum(expected.values()) == 60
    assert landed == {
        "snowflake.data_transfer_history": 1,
        "snowflake.grants_to_users": 1,
        "snowflake.login_history": 15,
        "snowflake.query_history": 3,
        "snowflake.sessions": 1,
        "snowflake.stages": 1,
        "snowflake.users": 2,
        "files.unrecognised": 0,
    }


def test_ids_above_2_to_the_53_keep_their_digits():
    source = FilesSource("samples", SAMPLES / "snowflake", contracts=CONTRACTS, clock=lambda: NOW)
    contract = CONTRACTS["snowflake.login_history"]
    reading = source.read(contract, Window(dt.date(2025, 10, 17), "event"))
    ids = [row["event_id"] for batch in reading.batches for row in conform(batch, contract, Drift()).batch.to_pylist()]
    assert ids == [18260702004593906, 18260702004595858]


def test_every_dbt_artifact_is_landed_or_refused_by_name():
    source = DbtSource("samples", SAMPLES / "dbt", clock=lambda: NOW)
    told = []
    for contract, _, reading in readings(source):
        for batch in reading.batches:
            assert conform(batch, contract, Drift()).bad == {}
        told += [statement.text for statement in reading.statements]
        told += [reason for _, reason in reading.rejected]
        told += reading.notes
    files = [path.relative_to(SAMPLES / "dbt").as_posix() for path in sorted((SAMPLES / "dbt").rglob("*.json"))]
    assert len(files) == 44
    for name in files:
        assert any(text.startswith((f"read {name} sha256:", f"{name}: ")) for text in told), name


def test_rows_of_dbt_equal_what_the_artifacts_hold():
    source = DbtSource("samples", SAMPLES / "dbt", clock=lambda: NOW)
    for contract, _, reading in readings(source):
        if contract.name == "files.unrecognised":
            continue
        rows = sum(batch.num_rows for batch in reading.batches)
        held = 0
        for statement in reading.statements:
            value = json.loads((SAMPLES / "dbt" / statement.text.split()[1]).read_bytes())
            held += len(_held(contract.name, value))
        assert rows == held, (contract.name, reading.statements)


def _held(dataset, value):
    """What a file holds for a dataset, counted here once more."""
    if dataset in {"dbt.run_results", "dbt.freshness"}:
        return value["results"]
    if dataset in {"dbt.manifest", "dbt.invocations"}:
        return [value["metadata"]]
    if dataset == "dbt.catalog":
        return [c for part in ("nodes", "sources") for r in value[part].values() for c in r["columns"] or [None]]
    if dataset == "dbt.lineage":
        nodes = [node for name in SECTIONS for node in value.get(name, {}).values()]
        return [p for node in nodes for p in set(node.get("depends_on", {}).get("nodes", []))]
    disabled = value.get("disabled") or []
    disabled = [node for nodes in disabled.values() for node in nodes] if isinstance(disabled, dict) else disabled
    nodes = {key: node.get("resource_type") for name in SECTIONS for key, node in value.get(name, {}).items()}
    nodes |= dict.fromkeys(value.get("sources", {}), "source") | dict.fromkeys(value.get("exposures", {}), "exposure")
    nodes |= {node["unique_id"]: node["resource_type"] for node in disabled if node["unique_id"] not in nodes}
    if dataset in {"dbt.sources", "dbt.exposures"}:
        return [key for key, kind in nodes.items() if f"dbt.{kind}s" == dataset]
    return [key for key, kind in nodes.items() if (kind == "test") == (dataset == "dbt.tests")]


def test_the_artifacts_own_counts_agree_but_for_a_manifest_that_was_cut_by_hand():
    source = DbtSource("samples", SAMPLES / "dbt", clock=lambda: NOW)
    apart = set()
    for contract, _, reading in readings(source):
        rows = sum(batch.num_rows for batch in reading.batches) + len(list(reading.rejected))
        if reading.totals.rows != rows:
            apart.add((contract.name, *(statement.text.split()[1] for statement in reading.statements)))
    assert apart == {("dbt.lineage", "openlineage/duckdb/manifest.json")}  # parent_map names edges its nodes lack


def test_no_path_of_an_author_and_no_code_gets_through():
    source = DbtSource("samples", SAMPLES / "dbt", clock=lambda: NOW)
    for contract, _, reading in readings(source):
        if contract.name == "dbt.run_results":
            continue  # its message column is scrubbed on landing
        text = json.dumps([batch.to_pylist() for batch in reading.batches], default=str)
        for word in ("/Users/", "/home/", "/tmp/", "C:\\\\", '"user_id":', "raw_code", "Vice City"):
            assert word not in text, (contract.name, word)


def test_every_dbt_row_is_landed_or_quarantined(tmp_path):
    source = DbtSource("samples", SAMPLES / "dbt", clock=lambda: NOW)
    landed, aside = land_all(source, tmp_path)
    assert landed == {
        "dbt.nodes": 373, "dbt.tests": 355, "dbt.sources": 31, "dbt.exposures": 1, "dbt.lineage": 748, "dbt.catalog": 1020,
        "dbt.manifest": 20, "dbt.run_results": 208, "dbt.invocations": 11, "dbt.freshness": 1, "files.unrecognised": 0,
    }  # fmt: skip
    state = ("dbt.nodes", "dbt.tests", "dbt.sources", "dbt.exposures", "dbt.lineage", "dbt.manifest")
    assert +aside == {
        **dict.fromkeys(state, 1),
        "files.unrecognised": 5,
    }  # the one manifest without a version, and JSON

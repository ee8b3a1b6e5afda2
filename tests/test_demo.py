"""The generated carrier: whole, steady, and as deviant as its answer key says."""

import datetime as dt
import json
import tomllib
from collections import Counter
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from evidence.collect import Task, collect
from evidence.config import content_root
from evidence.control.definition import load_library, load_overlay
from evidence.control.register import load_registers
from evidence.datasets.load import load_contracts
from evidence.demo import FULL, SMALL, AnswerKey, Names, Size, generate, size_named
from evidence.demo.answer import Disposed, Expected, Gap, Waiver
from evidence.demo.export import table_of
from evidence.demo.faults import FAULTS
from evidence.demo.judges import Judges
from evidence.demo.plants import plant_all
from evidence.demo.workspace import overlay_text, write_workspace
from evidence.demo.world import build_world
from evidence.errors import UsageError
from evidence.snapshot.canonical import sha256_hex
from evidence.snapshot.model import Window
from evidence.snapshot.redact import Redactor
from evidence.sources.contracts import ContractsSource
from evidence.sources.dbt import DbtSource
from evidence.sources.files import FilesSource

TINY = Size(nights=4, users=60, roles=50, tables=60, columns=400, queries=80)
NOW = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
DOCS = Path(__file__).parent.parent / "docs" / "demo.md"
TWENTY = {
    "access_history", "columns", "credentials", "future_grants", "grants_to_roles", "grants_to_users", "login_history",
    "masking_policies", "network_policies", "network_rule_references", "network_rules", "object_dependencies", "parameters",
    "policy_references", "query_history", "roles", "row_access_policies", "tables", "tag_references", "users",
}  # fmt: skip


@pytest.fixture(scope="module")
def judges():
    library = load_library([content_root() / "controls"])
    controls = library.controls.values()
    severities, versions = ({c.id: getattr(c, name) for c in controls} for name in ("severity", "version"))
    return Judges("0.0", severities, versions, lambda overlay: sha256_hex(repr(overlay).encode()))


@pytest.fixture(scope="module")
def small(tmp_path_factory, judges):
    out = tmp_path_factory.mktemp("small")
    return out, generate(out, SMALL, judges=judges)


@pytest.fixture(scope="module")
def world(judges):
    made = build_world(SMALL, Names(), judges)
    plant_all(made)
    return made


def landed(out, spool, *, nights):
    """Collect the named nights of every source and yield the results."""
    contracts, redactor = load_contracts(), Redactor(b"k" * 32, "test")
    sources = [
        FilesSource("carrier", out / "exports", contracts=contracts, clock=lambda: NOW),
        DbtSource("dbt", out / "exports" / "dbt", clock=lambda: NOW, target="prod"),
        ContractsSource("products", out / "exports" / "contracts", clock=lambda: NOW),
    ]
    for source in sources:
        for dataset in source.datasets():
            contract = contracts[dataset]
            for night in source.nights(contract) if not dataset.startswith("files.") else ():
                if night in nights:
                    folder = spool / source.name / dataset / night.isoformat()
                    folder.mkdir(parents=True)
                    window = Window(night, contract.kind)
                    yield collect(Task(source, contract, window), redactor, folder, lambda: NOW)


def test_the_same_size_gives_the_same_files(tmp_path):
    for name in ("one", "two"):
        generate(tmp_path / name, TINY)
    files = {name: tree(tmp_path / name) for name in ("one", "two")}
    assert files["one"] == files["two"]
    assert len(files["one"]) > 20 * TINY.nights


def tree(root):
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_two_demos_are_not_mixed(tmp_path):
    generate(tmp_path, TINY)
    with pytest.raises(FileExistsError):
        generate(tmp_path, TINY)


def test_every_view_is_exported_every_night(small):
    out, _ = small
    missing = {
        (f"snowflake.{name}", number)
        for name in TWENTY
        for number in range(SMALL.nights)
        if not (out / "exports/snowflake" / name / f"date={SMALL.night(number)}").is_dir()
    }
    assert missing == {("snowflake.login_history", 47)}
    assert {p.name for p in (out / "exports/snowflake").iterdir()} >= TWENTY


@pytest.mark.slow
def test_what_is_exported_lands_whole_but_for_the_faults(small, tmp_path):
    out, _ = small
    numbers = {0, 1, SMALL.nights - 1, *(number for _, number in FAULTS)}
    nights = {SMALL.night(number): number for number in numbers}
    seen = Counter()
    for result in landed(out, tmp_path, nights=nights):
        key, receipt = result.key, result.receipt
        fault = FAULTS.get((key.dataset, nights[key.night]))
        assert receipt.status == (fault.reason if fault else "complete"), (key, receipt.reason)
        assert receipt.quarantined == (1 if fault and fault.name == "broken-line" else 0)
        assert receipt.finality == "settled"
        assert not any(receipt.drift.values()), (key, receipt.drift)
        if receipt.status == "complete" and key.source == "carrier":
            assert receipt.source_totals.distinct_keys == receipt.landed_totals.distinct_keys is not None
        seen[receipt.status] += 1
    assert seen["complete"] > 20 * (len(nights) - 1)
    assert seen["denied"] == 2
    assert seen["incomplete"] == 3


def test_claimed_totals_are_what_another_engine_counts(small):
    out, _ = small
    for name, column in (("login_history", "EVENT_ID"), ("query_history", "QUERY_TEXT"), ("grants_to_roles", "NAME")):
        folder = out / "exports/snowflake" / name / f"date={SMALL.night(7)}"
        claims = json.loads((folder / "_export.json").read_text())["totals"]
        measure = f"sum({column})" if column == "EVENT_ID" else f"sum(length({column}))"
        found = duckdb.sql(f"select count(*), count({column}), {measure} from '{folder}/part.parquet'").fetchall()
        stated = claims["columns"][column]
        assert found == [(claims["rows"], stated["non_null"], stated.get("value_sum", stated.get("length_sum")))]


def test_no_planted_health_data_leaves_the_exports(small, tmp_path):
    out, _ = small
    literals = (out / "planted-phi.txt").read_text().splitlines()
    assert len(literals) > 200
    nights = [SMALL.night(number) for number in (2, 22, 42)]
    kept = "\n".join(
        repr(pq.read_table(part).to_pydict())
        for result in landed(out, tmp_path, nights=nights)
        for part in sorted(result.spool.rglob("*.parquet"))
    )
    assert "FCT_CLAIM" in kept
    assert [literal for literal in literals if literal in kept] == []


@pytest.mark.slow
def test_every_planted_literal_stands_in_the_exports(small):
    out, _ = small
    views = out / "exports/snowflake"
    texts = [repr(pq.read_table(part).to_pydict()) for part in sorted(views.rglob("part.parquet"))]
    texts += [path.read_text() for path in (out / "exports/dbt").rglob("run_results.json")]
    everything = "\n".join(texts)
    literals = (out / "planted-phi.txt").read_text().splitlines()
    there = [literal for literal in literals if literal in everything]
    assert len(there) > 0.9 * len(literals)  # a statement that no night drew stays unwritten


def test_sizes():
    assert (size_named("full"), size_named("small")) == (FULL, SMALL)
    assert (size_named("week").nights, size_named("month").nights) == (7, 31)
    with pytest.raises(UsageError, match="huge"):
        size_named("huge")
    made = build_world(FULL, Names())

    def count(dataset):
        return sum(1 for _ in made.state.select(f"snowflake.{dataset}"))

    assert abs(count("users") - 250) <= 5
    assert 55 <= count("roles") <= 70
    assert (count("tables"), count("columns")) == (3000, 20_000)


def test_accesses_speak_of_tables_and_people_that_exist(world):
    _, accesses = world.events.queries(3)
    ids = {table.id for table in world.catalog.all}
    users = {row.values["NAME"] for row in world.state.select("snowflake.users")}
    assert set(accesses["USER_NAME"].to_pylist()) <= users
    for listed in accesses["BASE_OBJECTS_ACCESSED"].to_pylist():
        assert {
            item["objectId"] for item in json.loads(listed) if item.get("objectDomain", "").lower() == "table"
        } <= ids


def test_who_is_judged_by_a_count_ran_nothing_else_that_night(judges):
    """What people wrote of such a statement says how many there were, at every size."""
    wide = build_world(Size(nights=7, users=60, roles=50, tables=160, columns=1000, queries=5000), Names(), judges)
    plant_all(wide)
    (night,) = {night for night, planted in wide.statements.items() if any(item.alone for item in planted)}
    planted = wide.statements[night]
    (alone,) = [item for item in planted if item.alone]
    queries, _ = wide.events.queries(night, planted)
    assert queries["USER_NAME"].to_pylist().count(alone.shape.user) == 1
    assert queries.num_rows == 5000 + len(planted)
    before, _ = wide.events.queries(night)
    assert before["USER_NAME"].to_pylist().count(alone.shape.user) > 1


def test_ids_are_too_large_for_a_float(world):
    logins = world.events.logins(3)
    assert min(logins["EVENT_ID"].to_pylist()) > 2**53
    assert len(set(logins["EVENT_ID"].to_pylist())) == logins.num_rows


def test_every_control_has_plants_and_good_nights(small):
    _, key = small
    for control in key.controls:
        statuses = Counter(answer.status for answer in key.nights(control).values())
        if control == "monitor-pipeline-state":  # nobody recorded how the pipeline stood on nights that were generated
            assert set(statuses) == {"not-assessed"}
            continue
        assert statuses["satisfied"] > 0, control
        assert any(part.control == control for part in key.expected)
    assert any(answer.status == "not-assessed" for control in key.controls for answer in key.nights(control).values())


def test_the_key_follows_the_finding_algebra():
    size = Size(nights=9)
    key = AnswerKey(
        size, ("c",), [Expected("p", "c", "x", "why", 1, 4), Expected("q", "c", "y", "look", 4, 6, "review")]
    )
    key.gaps.append(Gap("g", "c", "denied", 2, 2))
    key.gaps.append(Gap("h", "c", "incomplete", 3, 3, "failures-stand"))
    key.gaps.append(Gap("h", "c", "incomplete", 7, 7, "failures-stand"))
    key.gaps.append(Gap("i", "c", "missing-evidence", 4, 4, "failures-fall"))
    key.gaps.append(Gap("i", "c", "missing-evidence", 8, 8, "failures-fall"))
    early = [key.night("c", number, known_at=size.evening(5)) for number in range(9)]
    assert [answer.status for answer in early] == [
        "satisfied", "not-satisfied", "not-assessed", "not-satisfied", "not-assessed", "not-assessed", "not-assessed",
        "not-assessed", "satisfied",
    ]  # fmt: skip
    assert [early[number].reason for number in (2, 4, 5, 7)] == [
        "denied", "missing-evidence", "pending-review", "incomplete",
    ]  # fmt: skip
    late = [answer.status for answer in key.nights("c").values()]
    assert late[5:7] == ["not-satisfied", "not-satisfied"]
    first, second = key.intervals("c")
    assert (first["item"], first["first_seen"], first["last_seen"], first["nights"]) == (
        "x",
        "2026-07-02",
        "2026-07-04",
        2,
    )
    assert (first["open"], first["remediated_on"], first["days_open"]) == (False, "2026-07-06", 4)
    assert (second["item"], second["nights"], second["open"], second["remediated_on"]) == ("y", 2, False, "2026-07-09")
    assert key.status("c") == "not-satisfied"
    key.waivers.append(Waiver("w", "W-1", "c", ("x",), 3, 9))
    key.disposed.append(Disposed("d", "c", "y", "look", 5, "benign", 6))
    first, second = key.intervals("c")
    assert (first["waivers"], first["waived_nights"], "waivers" in second) == (["W-1"], 1, False)
    assert key.night("c", 5).to_json() == {"status": "satisfied", "disposed": [["y", "look", "benign"]]}


def test_a_quiet_night_ends_an_event_and_no_state():
    size = Size(nights=4)
    key = AnswerKey(size, ("c",), [Expected("p", "c", "x", "look", 0, 0, "fail")])
    key.quiet.append(("c", 1, 2))
    (still,) = key.intervals("c")
    assert (still["open"], still["remediated_on"], still["days_open"]) == (False, "2026-07-04", 3)
    key.passing.add("c")
    (past,) = key.intervals("c")
    assert (past["remediated_on"], past["days_open"]) == ("2026-07-02", 1)


def test_registers_and_overlay_are_read_as_they_were_meant(tmp_path, world):
    moment = dt.datetime(2026, 8, 1, 9, 30, tzinfo=dt.UTC)
    row = {"words": ["a", 'b "c"'], "none": [], "yes": True, "many": 3, "at": moment, "on": dt.date(2026, 8, 1)}
    overlay = overlay_text({"data-phi-unload": {"export_roles": ["X"], "max_rows": 5}})
    write_workspace(tmp_path, {"made_up": [row, {"text": "\\"}]}, overlay)
    assert tomllib.loads((tmp_path / "registers/made_up.toml").read_text()) == {"made_up": [row, {"text": "\\"}]}
    changed = load_overlay(tmp_path / "overlay.toml")["controls"]["data-phi-unload"]
    assert changed["parameters"] == {"export_roles": ["X"], "max_rows": 5}
    write_workspace(tmp_path / "demo", world.registers, overlay_text(world.overlay))
    assert load_registers(tmp_path / "demo" / "registers").rows["data_policies"]


def test_every_plant_is_written_down(small):
    _, key = small
    text = DOCS.read_text()
    plants = {part.plant for parts in (key.expected, key.gaps, key.disposed, key.waivers) for part in parts}
    assert [plant for plant in sorted(plants) if f"`{plant}`" not in text] == []


def test_one_text_is_no_list_of_texts():
    contract = load_contracts()["aws.s3_inventory"]
    assert table_of(contract, [{"fields": ["Size"]}, {}])["fields"].to_pylist() == [["Size"], None]
    with pytest.raises(ValueError, match="fields: 'Size' is one text"):
        table_of(contract, [{"fields": ["Size"]}, {"fields": "Size"}])

"""``evidence gate`` as a pipeline runs it: on a manifest of the demo's project, against its sealed nights."""

import json
import shutil

import job
import pytest

from evidence.demo import Size

FEW = Size(nights=2, users=60, roles=50, tables=160, columns=600, queries=120)
NIGHT = "2026-07-02"
CONTROLS = ("--control", "quality-key-tests", "--control", "data-phi-tag-coverage")
COMMIT = "0db607b275f1bd36f77a3a974082e850765df901"


@pytest.fixture(scope="module")
def assessed(tmp_path_factory):
    work = tmp_path_factory.mktemp("demo") / "work"
    job.workspace(work, FEW, only=CONTROLS[1::2])
    manifest = next(work.glob("dbt-artifacts/2026-07-03*/manifest.json"))
    (work / "pr" / "target").mkdir(parents=True)
    shutil.copy(manifest, work / "pr" / "target" / "manifest.json")
    bare = job.here("-w", work, "gate", "--manifest", manifest, *CONTROLS, codes=(8,))
    assert "no night is assessed yet" in bare.stdout
    job.here("-w", work, "collect", "--jobs", "1")
    job.here("-w", work, "assess", "--jobs", "1")
    return work


@pytest.fixture
def work(assessed, tmp_path):
    copy = tmp_path / "work"
    shutil.copytree(assessed, copy, symlinks=True)
    return copy


def change(work, edit):
    path = work / "pr" / "target" / "manifest.json"
    value = json.loads(path.read_text())
    edit(value)
    path.write_text(json.dumps(value))


def gate(work, *more, codes, night=NIGHT):
    given = ("--night", night) if night else ()
    manifest = work / "pr" / "target" / "manifest.json"
    return job.here("-w", work, "gate", "--manifest", manifest, *given, *CONTROLS, *more, codes=codes, cwd=work)


def the_test(value, kind="unique", model="model.fernhollow.dim_member"):
    return next(
        key
        for key, node in value["nodes"].items()
        if node.get("attached_node") == model and node["test_metadata"]["name"] == kind
    )


def without_test(value):
    key = the_test(value)
    del value["nodes"][key]
    value["parent_map"].pop(key, None)


def without_model(value):
    for key in [
        key
        for key in value["nodes"]
        if key.startswith(("model.fernhollow.dim_member", "test.")) and "dim_member" in key
    ]:
        del value["nodes"][key]
        value["parent_map"].pop(key, None)


def test_the_project_as_it_is_makes_nothing_worse(work):
    found = json.loads(gate(work, "--json", codes=(0,)).stdout)
    assert {each["control"]: each["outcome"] for each in found["controls"]} == dict.fromkeys(CONTROLS[1::2], "no-worse")
    assert found["exit_code"] == 0
    assert all(each["status"] == "complete" for each in found["inputs"])


def test_a_test_that_goes_fails_the_pull_request_and_says_where(work):
    change(work, without_test)
    out = gate(work, "--sarif", work / "gate.sarif", codes=(7,))
    assert "dbt/model.fernhollow.dim_member" in out.stdout
    (result,) = [
        each
        for each in json.loads((work / "gate.sarif").read_text())["runs"][0]["results"]
        if each["baselineState"] == "new"
    ]
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert place == "pr/models/marts/member/dim_member.sql"
    gate(work, "--fail-on", "critical", codes=(0,))


def test_what_leaves_the_population_is_looked_at(work):
    change(work, without_model)
    assert "removed: quality-key-tests dbt/model.fernhollow.dim_member" in gate(work, codes=(8,)).stdout
    assert "(accepted)" in gate(work, "--accept-removed", codes=(0,)).stdout


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"metadata": {}}',
        '{"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v99.json"}}',
    ],
)
def test_a_manifest_that_cannot_be_read_is_not_assessed(work, body):
    (work / "pr" / "target" / "manifest.json").write_text(body)
    out = gate(work, "--sarif", work / "gate.sarif", "--fail-on", "critical", codes=(8,))
    assert "not whole: dbt.nodes" in out.stdout
    assert json.loads((work / "gate.sarif").read_text())["runs"][0]["invocations"][0]["executionSuccessful"] is False


def test_a_manifest_without_tests_is_not_taken_for_the_tests_of_last_night(work):
    def emptied(value):
        for key in [key for key, node in value["nodes"].items() if node["resource_type"] == "test"]:
            del value["nodes"][key]
            value["parent_map"].pop(key, None)

    change(work, emptied)
    gate(work, codes=(7, 8))


def test_an_old_night_or_one_that_is_not_assessed_is_said(work):
    assert "name it with --night" in gate(work, codes=(8,), night=None).stdout
    assert "is not assessed" in gate(work, codes=(8,), night="2026-06-01").stdout


def test_contracts_of_the_pull_request_take_the_place_of_the_sealed_ones(work):
    folder = work / "pr" / "contracts"
    shutil.copytree(work / "contracts" / f"date={NIGHT}", folder)
    (folder / "_export.json").unlink()
    out = gate(work, "--contracts", folder, "--json", codes=(0,)).stdout
    read = [
        text for each in json.loads(out)["inputs"] if each["dataset"] == "contracts.products" for text in each["read"]
    ]
    assert len(read) > 3
    next(folder.glob("*.yml")).write_text("product: [")
    assert "not whole: contracts.products" in gate(work, "--contracts", folder, codes=(8,)).stdout


def test_what_it_saw_is_sealed_once_and_nothing_without_being_asked(work):
    change(work, without_test)
    before = job.open_log(work).size
    gate(work, codes=(7,))
    assert job.open_log(work).size == before
    assert "--commit" in gate(work, "--seal", codes=(2,)).stderr
    assert "no commit" in gate(work, "--seal", "--commit", "main", codes=(2,)).stderr
    assert f"sealed: {COMMIT}/" in gate(work, "--seal", "--commit", COMMIT, codes=(7,)).stdout
    assert "sealed already" in gate(work, "--seal", "--commit", COMMIT, codes=(7,)).stdout
    log = job.open_log(work)
    assert log.size == before + 1
    entry = log.entry(before)
    assert (entry.type, entry.body["commit"], entry.body["exit_code"]) == ("change", COMMIT, 7)
    body = json.loads(log.store.get(entry.object.path, sha256=entry.object.sha256))
    assert body["format"] == "evidence-change-v1"
    assert body["assessment"]["key"] == f"{NIGHT}/0"
    worse = {each["control"]: [one["item"] for one in each["worse"]] for each in body["controls"]}
    assert worse["quality-key-tests"] == ["dbt/model.fernhollow.dim_member"]
    assert any("sha256:" in each["text"] for one in body["inputs"] for each in one["receipt"]["statements"])
    assert "0 failed" in job.here("verify", work / "store", "--trust", work / "trust").stdout


def test_phi_that_the_projects_macros_leave_out_fails(work):
    toml = work / "evidence.toml"
    toml.write_text(toml.read_text() + '\n[gate.masking]\nmacros = ["mask_it"]\n')
    manifest = work / "pr" / "target" / "manifest.json"

    def masked(value):
        value["macros"] = {"macro.fernhollow.mask_it": {}}
        for node in value["nodes"].values():
            named = ", ".join(f"{{{{ mask_it('{name}') }}}} as {name}" for name in node.get("columns") or {})
            node["raw_code"] = f"select {named} from t"

    change(work, masked)
    change(work, lambda value: value["nodes"]["model.fernhollow.stg_members"].update(raw_code="select ssn from t"))
    asked = ("-w", work, "gate", "--manifest", manifest, "--night", NIGHT, "--json")
    found = json.loads(job.here(*asked, codes=(7,), cwd=work).stdout)
    (each,) = [each for each in found["controls"] if each["control"] == "gate-phi-masked"]
    assert each["outcome"] == "worse"
    assert {o["item"].rsplit(".", 1)[0] for o in each["worse"]} == {"dbt/model.fernhollow.stg_members"}
    assert "dbt/model.fernhollow.stg_members.ssn" in {o["item"] for o in each["worse"]}

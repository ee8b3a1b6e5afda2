"""Reading control content and what a workspace may change of it; errors name file and key."""

import datetime as dt
import json
from pathlib import Path

import pytest
from test_control_cases import CONTROL, FRAMEWORK, POPULATION, TEST, write

from evidence.control.definition import load_library, load_overlay
from evidence.control.framework import load_frameworks
from evidence.control.model import Parameter
from evidence.control.register import SHAPES, load_registers
from evidence.errors import ControlError

ROOT = Path(__file__).parent.parent
NIGHT = dt.date(2026, 9, 1)


def test_the_digest_follows_what_is_tested_and_not_the_cases(tmp_path):
    def digest(**changes):
        return load_library([write(tmp_path, **changes)]).controls["identity-two"].content_sha256

    first = digest()
    assert digest(good_toml="why = 'other'") == first
    assert digest(control_sql=TEST + " ") != first
    assert digest(population_sql=POPULATION + " ") != first
    assert digest(control_toml=CONTROL + "\n") != first
    assert digest(person_sql="select name from snowflake.users") != first
    assert digest(library_toml='version = "1"\n[settings]\nphi_tags = ["OTHER"]\n') != first


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"control_toml": CONTROL.replace("identity-two", "identity-three")}, "not the name of its folder"),
        ({"control_toml": CONTROL.replace('severity = "high"', 'severity = "huge"')}, "severity"),
        ({"control_toml": "colour = 1\n" + CONTROL}, "colour"),
        ({"control_toml": CONTROL.replace("snowflake.users", "snowflake.user")}, "unknown or stands twice"),
        ({"control_toml": CONTROL.replace('"created_on"]', '"createdon"]')}, "no sealed column createdon"),
        ({"control_toml": CONTROL.replace('["person"]', '["people"]')}, "no fact 'people'"),
        ({"control_toml": CONTROL.replace('["break_glass"]', '["glass"]')}, "no register 'glass'"),
        ({"control_toml": CONTROL.replace("T.1", "T.2")}, "no requirement 'T.2'"),
        ({"control_toml": CONTROL.replace("default = 24", "default = 240")}, "outside 0 … 168"),
        ({"control_toml": CONTROL.replace("default = 24", 'default = "x"')}, "not of type int"),
        ({"control_toml": CONTROL.replace("loosest = { grace", "loosest = { race")}, "race_hours is no parameter"),
        ({"control_toml": CONTROL.replace("tested = [", 'tested = ["email", ')}, "are not read"),
        ({"control_toml": CONTROL.replace('[reasons]\nno-second-factor = "No second factor is enrolled."', "[reasons]")}, "reasons"),
        ({"control_toml": "id = "}, "control.toml"),
        ({"person_toml": 'description = "x"\nfacts = ["person"]\n'}, "in a circle"),
        ({"library_toml": 'version = "1"\n[settings]\nx = 1.5\n'}, "settings.x"),
    ],
)  # fmt: skip
def test_bad_content_is_refused_and_named(tmp_path, change, said):
    with pytest.raises(ControlError) as caught:
        load_library([write(tmp_path, **change)])
    assert said in str(caught.value)
    assert caught.value.fix


def test_a_missing_file_is_named(tmp_path):
    write(tmp_path)
    (tmp_path / "identity/identity-two/population.sql").unlink()
    with pytest.raises(ControlError, match=r"population\.sql"):
        load_library([tmp_path])


def overlaid(tmp_path, **change):
    return load_library([write(tmp_path)], {"controls": {"identity-two": {"reason": "agreed", **change}}}).controls[
        "identity-two"
    ]


def test_an_overlay_sets_parameters_and_severity(tmp_path):
    plain = load_library([write(tmp_path)])
    control = overlaid(tmp_path, parameters={"grace_hours": 48}, severity="critical")
    assert (control.effective, control.severity) == ({"grace_hours": 48}, "critical")
    assert control.content_sha256 == plain.controls["identity-two"].content_sha256
    assert control.counts_for(control.maps[0])
    looser = overlaid(tmp_path, parameters={"grace_hours": 49})
    assert not looser.counts_for(looser.maps[0]), "looser than the mapping still accepts"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"parameters": {"grace_hours": 169}}, "outside"),
        ({"parameters": {"grace_hours": True}}, "not of type int"),
        ({"parameters": {"hours": 1}}, "no parameter hours"),
        ({"severity": "none"}, "severity"),
        ({"control_sql": "select 1"}, "control_sql cannot be changed"),
        ({"population_sql": "select 1"}, "population_sql cannot be changed"),
        ({"evidence": []}, "evidence cannot be changed"),
        ({"enabled": False}, "until"),
        ({"enabled": False, "until": "soon"}, "until"),
        ({"reason": " "}, "no reason"),
    ],
)
def test_an_overlay_reaches_no_further(tmp_path, change, said):
    with pytest.raises(ControlError, match=said):
        overlaid(tmp_path, **change)


def test_an_overlay_names_known_controls_only(tmp_path):
    write(tmp_path)
    with pytest.raises(ControlError, match="no control 'x-y'"):
        load_library([tmp_path], {"controls": {"x-y": {"reason": "r"}}})
    with pytest.raises(ControlError, match="unknown key"):
        load_library([tmp_path], {"sql": {}})


def test_a_workspace_adds_org_controls_and_replaces_nothing(tmp_path):
    first, second = write(tmp_path / "a"), tmp_path / "b"
    folder = second / "own" / "org-mine"
    folder.mkdir(parents=True)
    (folder / "control.toml").write_text(CONTROL.replace('id = "identity-two"', 'id = "org-mine"'))
    (folder / "population.sql").write_text(POPULATION)
    (folder / "control.sql").write_text(TEST)
    assert sorted(load_library([first, second]).controls) == ["identity-two", "org-mine"]
    folder.rename(second / "own" / "my-own")
    (second / "own" / "my-own" / "control.toml").write_text(CONTROL.replace('id = "identity-two"', 'id = "my-own"'))
    with pytest.raises(ControlError, match="org-"):
        load_library([first, second])
    copy = write(tmp_path / "c")
    with pytest.raises(ControlError, match=r"twice|org_|org-"):
        load_library([first, copy])


def test_the_skeleton_overlay_and_registers_load():
    assert load_overlay(ROOT / "templates/workspace/overlay.toml") == {}
    registers = load_registers(ROOT / "templates/workspace/registers")
    assert set(registers.digests) | registers.missing == set(SHAPES)
    assert {"admins", "service_accounts", "role_classes", "zones", "network", "break_glass"} <= set(registers.digests)


@pytest.mark.parametrize(
    ("kind", "stricter", "value", "limit", "looser"),
    [
        ("int", "lower", 3, 2, True), ("int", "lower", 2, 2, False), ("int", "higher", 1, 2, True),
        ("bool", "true", False, True, True), ("bool", "true", True, False, False),
        ("texts", "fewer", ("a", "b"), ("a",), True), ("texts", "fewer", ("a",), ("a", "b"), False),
        ("texts", "more", ("a",), ("a", "b"), True), ("decimal", "lower", "0.2", "0.1", True), ("int", None, 9, 1, False),
    ],
)  # fmt: skip
def test_which_way_is_stricter(kind, stricter, value, limit, looser):
    assert Parameter(type=kind, default=limit, about="x", stricter=stricter).looser(value, limit) is looser


def registers(tmp_path, text, name="admins"):
    (tmp_path / f"{name}.toml").write_text(text)
    return load_registers(tmp_path)


ADMIN = '[[admins]]\nuser = "ANN"\nrole = "ACCOUNTADMIN"\napproved_by = "CISO"\napproved_on = 2026-08-01\nexpires = 2026-09-02\n'


def test_a_row_counts_from_approval_up_to_expiry(tmp_path):
    found = registers(tmp_path, ADMIN)

    def on(day):
        return found.effective("admins", day).num_rows, found.expired("admins", day).num_rows

    assert on(dt.date(2026, 7, 31)) == (0, 0)
    assert on(dt.date(2026, 8, 1)) == on(NIGHT) == (1, 0)
    assert on(dt.date(2026, 9, 2)) == (0, 1)
    assert "zones" in found.missing
    assert json.loads(found.bodies["admins"])["rows"][0]["expires"] == "2026-09-02"


def test_the_digest_of_a_register_does_not_depend_on_the_order_of_rows(tmp_path):
    other = ADMIN.replace("ANN", "BOB")
    assert registers(tmp_path, ADMIN + other).digests == registers(tmp_path, other + ADMIN).digests


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ADMIN.replace("2026-09-02", '"2026-09-02"'), "expires"),
        (ADMIN.replace("2026-09-02", "2026-09-02T00:00:00Z"), "expires"),
        (ADMIN.replace("2026-09-02", "2026-08-01"), "not after"),
        (ADMIN.replace('"ANN"', '""'), "user"),
        (ADMIN.replace('approved_by = "CISO"\n', ""), "approved_by"),
        (ADMIN + "extra = 1\n", "unknown columns"),
        (ADMIN + ADMIN, "stands twice for the same time"),
        ("[[admin]]\n" + ADMIN, "not admin"),
        ("admins = 3", "only"),
        ("admins = [", "admins.toml"),
    ],
)
def test_a_bad_register_is_refused_and_named(tmp_path, text, said):
    with pytest.raises(ControlError) as caught:
        registers(tmp_path, text)
    assert said in str(caught.value)
    assert "admins.toml" in str(caught.value)


def test_a_renewal_is_a_second_row(tmp_path):
    renewed = ADMIN.replace("2026-09-02", "2026-12-01").replace("2026-08-01", "2026-09-02")
    found = registers(tmp_path, ADMIN + renewed)
    assert found.effective("admins", dt.date(2026, 9, 2)).num_rows == 1


@pytest.mark.parametrize(
    "broken",
    [
        FRAMEWORK.replace('"framework":"tiny"', '"framework":"other"'),
        FRAMEWORK.replace('"citation"', '"quotation"'),
        FRAMEWORK.replace("}]}", '},{"id":"T.1","citation":"","title":"x","level":"x","evidence_mode":"x"}]}'),
        FRAMEWORK.replace('"level"', '"parent":"T.0","level"'),
        FRAMEWORK.replace('"level"', '"text":"official words","level"'),
        "{",
    ],
)
def test_a_bad_catalogue_is_refused(tmp_path, broken):
    (tmp_path / "tiny.json").write_text(broken)
    with pytest.raises(ControlError, match=r"tiny\.json"):
        load_frameworks(tmp_path)


def test_the_catalogues_carry_no_official_text():
    found = load_frameworks(ROOT / "controls/frameworks")
    assert {"hipaa", "soc2"} <= set(found)
    assert all(entry.citation for framework in found.values() for entry in framework.entries)

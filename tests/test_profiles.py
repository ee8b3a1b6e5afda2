"""Overlays in layers: profile, organisation, account; the last wins, each with its reason, and the outcome is sealed with what it judged."""

import json
from dataclasses import replace
from pathlib import Path

import job
import pytest
from test_control_cases import write

from evidence.config import content_root
from evidence.control.definition import load_layers, load_library
from evidence.control.model import Layer
from evidence.control.overlay import configuration, sealed_unknown, within
from evidence.demo import Size
from evidence.errors import ControlError
from evidence.snapshot.canonical import sha256_hex

PROFILES = sorted((content_root() / "controls" / "profiles").glob("*.toml"))
FEW = Size(nights=2, users=60, roles=50, tables=160, columns=600, queries=120)


def layer(name, **change):
    return Layer(name, {"controls": {"identity-two": {"reason": f"{name} says so", **change}}})


def control(tmp_path, *layers):
    return load_library([write(tmp_path)], layers).controls["identity-two"]


def test_the_last_layer_wins_and_all_are_kept(tmp_path):
    found = control(
        tmp_path,
        layer("profile strict", parameters={"grace_hours": 8}, severity="critical"),
        layer("organisation", parameters={"grace_hours": 24}),
        layer("account", parameters={"grace_hours": 12}, by="Ivo", severity="critical"),
    )
    assert (found.effective, found.severity) == ({"grace_hours": 12}, "critical")
    assert [(c.layer, c.what, c.before, c.after, c.direction) for c in found.changes] == [
        ("profile strict", "grace_hours", 24, 8, "tighter"),
        ("profile strict", "severity", "high", "critical", "tighter"),
        ("organisation", "grace_hours", 8, 24, "looser"),
        ("account", "grace_hours", 24, 12, "tighter"),
    ]
    assert found.changes[-1].by == "Ivo"


def test_a_layer_may_switch_on_again_what_another_switched_off(tmp_path):
    import datetime as dt

    off = layer("organisation", enabled=False, until=dt.date(2026, 12, 1))
    assert control(tmp_path / "a", off).disabled(dt.date(2026, 11, 30))
    both = control(tmp_path / "b", off, layer("account", enabled=True))
    assert both.disabled_until is None
    assert [change.direction for change in both.changes] == ["looser", "tighter"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"on": "soon"}, "date"),
        ({"by": 7}, "name"),
        ({"until": None, "enabled": False}, "until"),
        ({"parameters": {"grace_hours": 169}}, "outside"),
    ],
)
def test_each_layer_stays_inside_the_bounds(tmp_path, change, said):
    with pytest.raises(ControlError, match=said):
        control(tmp_path, layer("organisation", **change))


def test_a_layer_names_itself_when_it_is_wrong(tmp_path):
    with pytest.raises(ControlError, match=r"profile strict: no control 'x-y'"):
        load_library([write(tmp_path)], [Layer("profile strict", {"controls": {"x-y": {"reason": "r"}}})])
    kept = within([Layer("account", {"controls": {"x-y": {"reason": "r"}}})], {"identity-two"})
    assert not control(tmp_path / "b", *kept).changes


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_the_products_profiles_fit_its_controls_and_say_why(path):
    layers = load_layers([(f"profile {path.stem}", path)])
    library = load_library([content_root() / "controls"], layers)
    changed = {control.id: control.changes for control in library.controls.values() if control.changes}
    assert changed.keys() == layers[0].body["controls"].keys(), "a table that changes nothing"
    assert all(len(change.reason) > 20 for changes in changed.values() for change in changes)
    if path.stem == "phi-business-critical":
        assert {change.direction for changes in changed.values() for change in changes} == {"tighter"}


def test_the_configuration_is_one_object_of_what_is_in_force(tmp_path):
    plain = load_library([write(tmp_path)])
    set_ = load_library([tmp_path], [layer("account", parameters={"grace_hours": 12})])
    body = json.loads(configuration(set_))
    assert body["controls"]["identity-two"]["parameters"] == {"grace_hours": 12}
    assert body["controls"]["identity-two"]["changes"][0]["reason"] == "account says so"
    assert configuration(set_) == configuration(
        load_library([tmp_path], [layer("account", parameters={"grace_hours": 12})])
    )
    assert configuration(set_) != configuration(plain)
    assert "max_unknown_nights" not in body, "a library of no workspace; so were all of earlier releases"


def test_tolerated_nights_are_those_that_the_last_night_sealed(tmp_path):
    plain = load_library([write(tmp_path)])
    said = {str(n): json.loads(configuration(replace(plain, max_unknown_nights=n))) for n in (0, 2)}
    assert said["2"]["max_unknown_nights"] == 2
    said["old"] = json.loads(configuration(plain))
    for names, wanted in ((("0", "2"), 2), (("2", "0"), 0), (("2", "old"), 2), (("old", "gone", ""), None), ((), None)):
        assert sealed_unknown([{"configuration": name} for name in names], said) == wanted


@pytest.mark.slow
def test_a_workspace_layers_them_seals_the_outcome_and_a_packet_runs_again(tmp_path):
    work = tmp_path / "work"
    job.workspace(work, FEW)
    toml = work / "evidence.toml"
    shared = tmp_path / "shared.toml"
    shared.write_text(
        '[controls.identity-dormant]\nreason = "agreed by the board"\nby = "CISO"\non = 2026-06-01\nparameters = { max_idle_days = 80 }\n'
    )
    plain = toml.read_text()
    toml.write_text(plain + '\n[assess]\nprofile = "none-such"\n')
    assert "phi-business-critical" in job.here("-w", work, "controls", "list", codes=(3,)).stderr
    toml.write_text(plain + f'\n[assess]\nprofile = "phi-business-critical"\norganisation = "{shared}"\n')
    (work / "overlay.toml").write_text(
        '[controls.identity-dormant]\nreason = "field staff"\nparameters = { max_idle_days = 85 }\n'
    )
    listed = job.here("-w", work, "controls", "list").stdout
    assert "library < profile phi-business-critical < organisation < account" in listed
    shown = job.here("-w", work, "controls", "show", "identity-dormant").stdout
    assert "max_idle_days = 85, library 90" in shown
    assert "changed by organisation CISO on 2026-06-01: max_idle_days 90 to 80, tighter: agreed by the board" in shown
    job.here("-w", work, "collect", "--jobs", "1")
    job.here("-w", work, "assess", "--date", "2026-07-01", "--jobs", "1")
    log = job.open_log(work)
    ((_, sealed),) = log.entries("configuration")
    body = log.store.get(sealed.object.path, sha256=sealed.object.sha256)
    assert sealed.key == sha256_hex(body)
    assert json.loads(body)["controls"]["identity-dormant"]["parameters"]["max_idle_days"] == 85
    assert sealed.key in listed
    for _, entry in log.entries("assessment"):
        assert json.loads(log.store.get(entry.object.path, sha256=entry.object.sha256))["configuration"] == sealed.key
    (work / "overlay.toml").write_text(
        '[controls.identity-dormant]\nreason = "board wants less"\nrequested_by = "Audit committee"\nby = "CISO"\nparameters = { max_idle_days = 30 }\n'
    )
    job.here("-w", work, "assess", "--date", "2026-07-02", "--jobs", "1")
    job.here("-w", work, "packet", "quarterly-hipaa", "--period", "2026-07-01..2026-07-02", "--partial")
    (packet,) = (work / "packets").glob("*.zip")
    out = job.here("verify", packet, "--trust", work / "trust", "--reperform").stdout
    assert "0 failed" in out
    data = packet.with_suffix("") / "data"
    assert {"profile.toml", "organisation.toml", "overlay.toml"} <= {
        path.name for path in (data / "controls").iterdir()
    }
    assert any(Path(data / "evidence" / "_configuration").iterdir())
    page = (data / "packet.html").read_text()
    assert "Tighter by organisation (CISO): agreed by the board" in page
    assert "Another rule from 2026-07-02 on" in page
    assert "board wants less (account). Requested by: Audit committee. Approved by: CISO." in page
    assert "Noted by the new rule alone: 1." in page
    periods = json.loads((data / "findings.json").read_bytes())["periods"]
    ((changed, (change,)),) = [(each["control"], each["changes"]) for each in periods if "changes" in each]
    assert (changed, change["night"]) == ("identity-dormant", "2026-07-02")
    old, new = change["replaced"]["result"], change["result"]
    assert (len(old["exceptions"]), len(new["exceptions"])) == (1, 2)

"""``data/oscal.json`` and ``data/ocsf.json``: valid by their owners' schemas, counts of findings.json, nothing unknown is a pass."""

import json
import subprocess
import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from evidence import packet as making
from evidence.bag.bag import BagWriter
from evidence.control.requests import Request
from evidence.control.result import Interval
from evidence.render.exports import exported
from evidence.render.inputs import Mapped, Response
from evidence.render.jsonstream import encoded
from evidence.render.oscal_words import plain, tokens
from evidence.render.records import findings_csv
from evidence.render.text import forbidden_words
from tests.fakes.packet_inputs import TEMPLATES, build_inputs, packet_key
from tests.servers.venvs import ensure

JUDGE = Path(__file__).parent / "servers" / "schema_judge.py"
NIGHTS = 5
HOSTILE = ["<script>alert(1)</script>", "=cmd|' /C calc'!A0", "{{ 7*7 }}", "a\nb\t", " \u202egnp.exe ", "\u0000", "\ud800", "", "[x](http://h)", "\u2028"]  # fmt: skip
STATES = {"satisfied": "satisfied", "not-satisfied": "not-satisfied", "not-assessed": "not-satisfied"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Besides what the fake has: a control that was not assessed, one that does not apply, waivers, a response, a changed mapping."""
    made = build_inputs(tmp_path_factory.mktemp("parts"), count=NIGHTS)
    periods = {period.control: period for period in made.periods}
    first = made.periods[0]
    noted = next(period for period in made.periods[1:] if period.exceptions)
    unknown = replace(periods["monitor-bruteforce"], status="not-assessed", conclusion="not assessed", exceptions=(), satisfied=0,
                      not_satisfied=0, not_assessed=NIGHTS, unknown={str(made.start): "denied: <b>users</b>"})  # fmt: skip
    none = replace(
        periods["identity-dormant"],
        status="not-applicable",
        conclusion="not applicable: another edition",
        exceptions=(),
    )
    waived = tuple(replace(each, waivers=("W-1",), waived_nights=1) for each in first.exceptions[:2])
    answered = noted.exceptions[0]
    response = Response(noted.control, answered.item, answered.reason, "A cause", "An effect", "<i>act</i>", "Ann", made.end, "Ann")  # fmt: skip
    first = replace(first, exceptions=(*waived, *first.exceptions[2:]))
    periods |= {period.control: period for period in (first, unknown, none)}
    return replace(made, periods=list(periods.values()), responses=[response])


@pytest.fixture(scope="module")
def key():
    return packet_key()[0]


def write(inputs, key, root, **report):
    """Return the content, and the folder ``data`` with evidence and both exports."""
    inputs = replace(inputs, report=replace(inputs.report, **report))
    proved, faults = making._prove(inputs)
    assert not faults
    bag = BagWriter(root)
    body = findings_csv(inputs.periods)
    bag.add("findings.json", making.findings_of(inputs))
    bag.add("findings.csv", body)
    making._write_evidence(bag, inputs, proved, lambda _: None)
    content = making._content(inputs, key, "PKT-1", (), body)
    for name, pieces in exported(content, bag.digests):
        bag.add(name, pieces)
    return content, root / "data"


@pytest.fixture(scope="module")
def made(inputs, key, tmp_path_factory):
    return write(inputs, key, tmp_path_factory.mktemp("bag") / "b")


def judged(*pairs):
    lines = "\n".join(json.dumps({"kind": kind, "path": str(path)}) for kind, path in pairs)
    done = subprocess.run(
        [str(ensure("schemas")), str(JUDGE)], input=lines, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def oscal_of(data):
    document = json.loads((data / "oscal.json").read_text())["assessment-results"]
    (result,) = document["results"]
    return document, result


def said(thing):
    """Properties by name; those that may stand more than once are counted."""
    names = Counter(each["name"] for each in thing["props"])
    return {each["name"]: each["value"] for each in thing["props"] if names[each["name"]] == 1}


def test_both_are_what_their_owners_schemas_ask_for(made):
    _, data = made
    assert judged(("oscal", data / "oscal.json"), ("ocsf", data / "ocsf.json")) == [[], []]


def test_the_answer_to_one_request_concludes_on_no_requirement(inputs, key, tmp_path):
    _, data = write(replace(inputs, request=Request("PBC-1", "What?", "answered")), key, tmp_path / "b")
    assert judged(("oscal", data / "oscal.json")) == [[]]
    _, result = oscal_of(data)
    assert not result.get("findings")
    assert [said(each)["requirements"] for each in result["reviewed-controls"]["control-selections"]] == ["0"]


def test_the_judge_finds_what_is_wrong(made, tmp_path):
    _, data = made
    document = json.loads((data / "oscal.json").read_text())
    result = document["assessment-results"]["results"][0]
    result["findings"][0]["target"]["status"]["state"] = "not-assessed"
    result["observations"][0]["uuid"] = "1"
    (tmp_path / "oscal").write_text(json.dumps(document))
    events = json.loads((data / "ocsf.json").read_text())
    events[0]["compliance"]["status_id"] = 7
    del events[0]["finding_info"]["uid"]
    (tmp_path / "ocsf").write_text(json.dumps(events))
    events = json.loads((data / "ocsf.json").read_text())
    events[0]["compliance"]["status"] = "Fine"
    (tmp_path / "unsaid").write_text(json.dumps(events))
    found = judged(("oscal", tmp_path / "oscal"), ("ocsf", tmp_path / "ocsf"), ("ocsf", tmp_path / "unsaid"))
    assert [len(each) for each in found] == [2, 2, 1], found


def test_counts_are_those_of_the_findings(made):
    content, data = made
    periods = {p["control"]: p for p in json.loads((data / "findings.json").read_text())["periods"]}
    _, result = oscal_of(data)
    whole = said(result)
    assert int(whole["exceptions"]) == sum(len(p["exceptions"]) for p in periods.values()) > 0
    for status in (*STATES, "not-applicable"):
        assert int(whole[status]) == sum(p["status"] == status for p in periods.values())
    controls = {
        p["control"]: p for o in result["observations"] if o["types"] == ["control-objective"] for p in [said(o)]
    }
    noted = Counter(said(o)["control"] for o in result["observations"] if o["types"] == ["finding"])
    risks = Counter()
    for risk in map(said, result["risks"]):
        risks[risk["control"]] += int(risk["exceptions"])
        risks["open", risk["control"]] += int(risk["exceptions-open"])
    events = json.loads((data / "ocsf.json").read_text())
    of_controls = {e["compliance"]["control"]: e for e in events if e["finding_info"]["types"] == ["control"]}
    of_exceptions = Counter(e["compliance"]["control"] for e in events if e["finding_info"]["types"] == ["exception"])
    assert controls.keys() == periods.keys() == of_controls.keys() == {text.id for text in content.controls}
    for control, period in periods.items():
        told, event = controls[control], of_controls[control]["unmapped"]
        assert told["status"] == event["status"] == period["status"]
        total = len(period["exceptions"])
        still = sum(each["open"] for each in period["exceptions"])
        assert (
            int(told["exceptions"])
            == event["exceptions"]
            == total
            == noted[control]
            == of_exceptions[control]
            == risks[control]
        )
        assert int(told["exceptions-open"]) == event["exceptions_open"] == still == risks["open", control]
        assert int(told["reviews"]) == event["reviews"] == len(period["reviews"])
        for name, nights in period["nights"].items():
            assert name == "longest_gap" or int(told[f"nights-{name.replace('_', '-')}"]) == nights
        days = [each["value"] for o in result["observations"] if said(o).get("control") == control for each in o["props"] if each["name"] == "not-assessed"]  # fmt: skip
        assert days == sorted(period["unknown"])


def test_satisfied_is_said_of_what_is_satisfied_and_of_nothing_else(made):
    content, data = made
    document, result = oscal_of(data)
    statuses = {text.id: next(p.status for p in content.periods if p.control == text.id) for text in content.controls}
    found = {said(each)["requirement"]: each for each in result["findings"]}
    assert {said(each)["status"] for each in found.values()} == set(STATES)
    observed = {o["uuid"]: said(o)["control"] for o in result["observations"]}
    for each in found.values():
        state = each["target"]["status"]
        assert state["state"] == STATES[said(each)["status"]]
        assert (
            state["reason"]
            == {"satisfied": "pass", "not-satisfied": "fail", "not-assessed": "other"}[said(each)["status"]]
        )
        controls = [observed[o["observation-uuid"]] for o in each["related-observations"]]
        assert state["state"] == "not-satisfied" or {statuses[c] for c in controls} <= {"satisfied", "not-applicable"}
    catalogue = next(c for c in content.catalogues if c.id == "hipaa")
    names = tokens(catalogue)
    (selection,) = result["reviewed-controls"]["control-selections"]
    included = {each["control-id"] for each in selection["include-controls"]}
    excluded = {each["control-id"] for each in selection["exclude-controls"]}
    assert included == {names[requirement] for requirement in found}
    assert included | excluded == set(names.values())
    assert not included & excluded
    assert {
        names[n] for n in ("164.310(a)(1)", "164.308(a)(7)(ii)(A)", "164.310", "164.308(a)(1)", "164.308(a)(3)(ii)(C)")
    } <= excluded
    objectives = {o["parts"][0]["id"] for o in document["local-definitions"]["objectives-and-methods"]}
    assert {each["target"]["target-id"] for each in found.values()} <= objectives
    for event in json.loads((data / "ocsf.json").read_text()):
        if event["finding_info"]["types"] == ["control"]:
            want = {"satisfied": 1, "not-satisfied": 3, "not-assessed": 0, "not-applicable": 99}
            assert event["compliance"]["status_id"] == want[statuses[event["compliance"]["control"]]]
        else:
            assert event["compliance"]["status_id"] == 3


def test_every_reference_leads_somewhere_and_every_digest_is_right(made):
    _, data = made
    document, result = oscal_of(data)
    resources = {r["uuid"]: r for r in document["back-matter"]["resources"]}
    made_ids = [
        r["uuid"] for r in (*resources.values(), *result["observations"], *result["risks"], *result["findings"])
    ]
    assert len(made_ids) == len(set(made_ids))
    for resource in resources.values():
        for link in resource["rlinks"]:
            (digest,) = link["hashes"]
            assert digest["value"] == making.hashlib.sha256((data / link["href"]).read_bytes()).hexdigest()
    evidence = [e for o in result["observations"] for e in o.get("relevant-evidence", ())]
    assert evidence
    assert all(e["href"].removeprefix("#") in resources for e in evidence)
    ids = {o["uuid"] for o in result["observations"]}
    assert {
        r["observation-uuid"] for x in (*result["findings"], *result["risks"]) for r in x["related-observations"]
    } <= ids
    risks = {r["uuid"] for r in result["risks"]}
    assert {r["risk-uuid"] for f in result["findings"] for r in f.get("related-risks", ())} <= risks
    assert document["import-ap"]["href"].removeprefix("#") in resources


def test_waivers_and_responses_change_no_count_and_no_state(made):
    content, data = made
    _, result = oscal_of(data)
    waived = [o for o in result["observations"] if {"waiver"} & {p["name"] for p in o["props"]}]
    assert len(waived) == 2
    answered = [(r, a) for r in result["risks"] for a in r["remediations"] if a["lifecycle"] == "planned"]
    ((risk, answer),) = answered
    assert "not tested" in answer["title"]
    assert "&lt;i&gt;act" in answer["description"]
    period = next(p for p in content.periods if p.control == said(risk)["control"])
    still = any(i.open for i in period.exceptions if i.reason == said(risk)["reason"])
    assert risk["status"] == ("open" if still else "closed")


def test_methods_say_what_was_done(inputs, key, tmp_path):
    first, *rest = inputs.controls
    kept = replace(first, datasets=("records.tickets",))
    _, data = write(replace(inputs, controls=[kept, *rest]), key, tmp_path / "b")
    methods = {said(o)["control"]: o["methods"] for o in oscal_of(data)[1]["observations"]}
    assert methods[first.id] == ["EXAMINE"]
    assert methods["monitor-bruteforce"] == ["UNKNOWN"]
    assert methods[inputs.periods[4].control] == ["TEST"]


def test_hostile_text_stays_text(inputs, key, tmp_path):
    first, *rest = inputs.periods
    intervals = tuple(replace(first.exceptions[0], item=item, observed=item, expected=item, reason="r" if n % 2 else item) for n, item in enumerate(HOSTILE))  # fmt: skip
    text = replace(inputs.controls[0], title=HOSTILE[0], statement=" ".join(HOSTILE[:5]))
    odd = replace(inputs, periods=[replace(first, exceptions=intervals), *rest], controls=[text, *inputs.controls[1:]],
                  entity=HOSTILE[0], system_name=HOSTILE[4])  # fmt: skip
    odd = replace(odd, nights=[n for n in odd.nights if n.control != first.control])
    content = making._content(odd, key, "PKT-1", (), b"")
    for name, pieces in exported(content, {}):
        (tmp_path / name).write_bytes(b"".join(pieces))
    assert judged(("oscal", tmp_path / "oscal.json"), ("ocsf", tmp_path / "ocsf.json")) == [[], []]
    items = [p["value"] for o in oscal_of(tmp_path)[1]["observations"] for p in o["props"] if p["name"] == "item"]
    assert items[: len(HOSTILE)] == [plain(item) for item in HOSTILE]
    for words in rendered(json.loads((tmp_path / "oscal.json").read_text())):
        assert "<script" not in words
        assert "\u202e" not in words


def rendered(value):
    """Yield the text that is read as Markdown: all but property values, ids and references."""
    for name, each in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(each, dict | list):
            yield from rendered(each)
        elif name in {"title", "description", "statement", "prose", "remarks"}:
            yield each


def test_words_that_claim_too_much_are_not_in_them(made):
    _, data = made
    document = json.loads((data / "oscal.json").read_text())
    events = json.loads((data / "ocsf.json").read_text())
    words = [*rendered(document), *(e["message"] for e in events), *(e["compliance"]["status"] for e in events)]
    assert list(forbidden_words(" ".join(words), TEMPLATES)) == []


def test_a_packet_with_gaps_says_so(inputs, key):
    content = making._content(replace(inputs, demo=True, system=None), key, "PKT-1", ("one night is missing",), b"")
    files = {name: json.loads(b"".join(pieces)) for name, pieces in exported(content, {})}
    metadata = files["oscal.json"]["assessment-results"]["metadata"]
    assert metadata["title"].startswith("PROVISIONAL / DEMONSTRATION KEYS / DRAFT: ")
    assert "one night is missing" in metadata["remarks"]
    assert all(e["metadata"]["labels"] == ["PROVISIONAL", "DEMONSTRATION KEYS", "DRAFT"] for e in files["ocsf.json"])


def test_a_report_without_findings_is_valid_too(inputs, key, tmp_path):
    bare = replace(inputs, controls=[], periods=[], nights=[])
    for number, frameworks in enumerate([("hipaa",), ()]):
        content = making._content(
            replace(bare, report=replace(bare.report, frameworks=frameworks)), key, "PKT-1", (), b""
        )
        for name, pieces in exported(content, {}):
            (tmp_path / f"{number}{name}").write_bytes(b"".join(pieces))
    pairs = [(kind, tmp_path / f"{n}{kind}.json") for n in (0, 1) for kind in ("oscal", "ocsf")]
    assert judged(*pairs) == [[]] * 4


def test_a_million_exceptions_are_counted_not_listed(inputs, key, tmp_path):
    first, *rest = inputs.periods
    one = Interval("item", "unknown-value", inputs.start, inputs.end, NIGHTS, open=True, days_open=4)
    many = replace(inputs, periods=[replace(first, exceptions=(one,) * 1_000_000), *rest])
    content = making._content(replace(many, periods=[]), key, "PKT-1", (), b"")
    content = replace(content, periods=tuple(many.periods), controls=tuple(many.controls))
    content = replace(content, report=replace(content.report, export_rows=7), findings_csv_sha256="ab" * 32)
    tracemalloc.start()
    for name, pieces in exported(content, {}):
        with (tmp_path / name).open("wb") as out:
            out.writelines(pieces)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 << 20
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 1 << 20
    document, result = oscal_of(tmp_path)
    told = next(said(o) for o in result["observations"])
    assert (told["exceptions"], told["exceptions-open"], told["exceptions-listed"]) == ("1000000", "1000000", "7")
    assert f"7 of each control; all are in data/findings.csv, SHA-256 {'ab' * 32}" in result["remarks"]
    event = json.loads((tmp_path / "ocsf.json").read_text())[0]
    assert event["unmapped"]["exceptions"] == 1_000_000
    assert "7 of 1,000,000 exceptions are listed, all in data/findings.csv" in event["message"]
    assert document["results"][0]["risks"]


def test_two_requirements_never_share_a_name(inputs):
    catalogue = next(c for c in inputs.catalogues if c.id == "hipaa")
    first = catalogue.requirements[1]
    twins = tuple(replace(first, id=name) for name in ("a(1)", "a[1]", "a.1", "(a)"))
    names = tokens(replace(catalogue, requirements=twins))
    assert len(set(names.values())) == 4


def test_a_stream_is_the_json_of_its_values():
    value = {"a": iter([{"b": iter([1, 2]), "c": [], "d": {"e": ""}}, {}]), "f": iter(()), "g": False, "h": {"i": {}}}
    body = b"".join(encoded(value))
    assert json.loads(body) == {"a": [{"b": [1, 2], "d": {}}, {}], "g": False, "h": {"i": {}}}


def test_refused_mappings_do_not_pass(inputs, key):
    """A control without exceptions whose parameters are too loose for the requirement: its objective is not satisfied."""
    good = next(p for p in inputs.periods if p.status == "satisfied")
    text = next(c for c in inputs.controls if c.id == good.control)
    loose = replace(text, maps=(Mapped("hipaa", "164.312(e)(1)", "primary", "max_days = 200 (counts to 180)"),))
    content = making._content(replace(inputs, controls=[loose], periods=[good], nights=[]), key, "PKT-1", (), b"")
    files = {name: json.loads(b"".join(pieces)) for name, pieces in exported(content, {})}
    (finding,) = files["oscal.json"]["assessment-results"]["results"][0]["findings"]
    assert finding["target"]["status"]["state"] == "not-satisfied"
    assert finding["target"]["status"]["reason"] == "other"
    assert "requirements" not in files["ocsf.json"][0]["compliance"]


def test_a_control_left_out_of_a_partial_packet_passes_for_nothing(inputs, key):
    """Its requirement was good by another control alone: with the finding missing it is not assessed, in the pages too."""
    good = next(p for p in inputs.periods if p.status == "satisfied")
    both = [c for c in inputs.controls if c.id in {good.control, inputs.periods[0].control}]
    mapped = [replace(c, maps=(Mapped("hipaa", "164.312(e)(1)", "primary"),)) for c in both]
    gap = replace(inputs, controls=mapped, periods=[good], nights=[])
    content = making._content(gap, key, "PKT-1", ("one control has no finding",), b"")
    files = {name: json.loads(b"".join(pieces)) for name, pieces in exported(content, {})}
    (finding,) = files["oscal.json"]["assessment-results"]["results"][0]["findings"]
    assert finding["target"]["status"] == {"state": "not-satisfied", "reason": "other", "remarks": "not assessed: 1 of 2 primary controls"}  # fmt: skip

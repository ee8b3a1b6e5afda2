"""The annex of the HTML packet: what it holds is what findings.csv and the findings hold; and what the filters choose from."""

import base64
import csv
import io
import re
from dataclasses import replace

import pytest

from evidence.packet import _content
from evidence.render import annex, explore, html, text, view
from evidence.render.annex import unpacked
from evidence.render.inputs import RecordFact
from evidence.render.records import findings_csv
from tests.fakes.packet_inputs import TEMPLATES, build_inputs, packet_key
from tests.hostile import CORPUS

SCRIPTS = sorted((TEMPLATES / "packet").glob("*.js"))


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    inputs = build_inputs(tmp_path_factory.mktemp("parts"), count=12)
    key, _ = packet_key()
    return _content(inputs, key, "PKT-1", (), findings_csv(inputs.periods))


def rows_of(block):
    body = unpacked(block)
    columns = body["columns"]
    assert {len(values) for values in columns.values()} <= {body["n"]}
    return [{name: values[k] for name, values in columns.items()} for k in range(body["n"])]


def test_record_k_of_the_annex_is_record_k_of_the_csv(content):
    first = next(p for p in content.periods if p.exceptions)
    odd = tuple(replace(first.exceptions[0], item=value, observed=value) for value in CORPUS)
    reviewed = replace(first, exceptions=(*first.exceptions, *odd), reviews=odd[:3])
    content = replace(content, periods=(reviewed, *(p for p in content.periods if p is not first)))
    records = list(csv.DictReader(io.StringIO(findings_csv(content.periods).decode(), newline="")))
    mine = rows_of(annex.blocks(content)["rows"])
    assert len(mine) == len(records)
    same = {
        "control": "control", "kind": "kind", "item": "item", "reason": "reason", "first": "first_seen",
        "last": "last_seen", "nights": "nights", "days": "days_open", "gone": "remediated_on", "observed": "observed",
        "expected": "expected",
    }  # fmt: skip
    for row, record in zip(mine, records, strict=True):
        assert {k: str(row[k]) for k in same} == {k: text.escape_invisible(record[v]) for k, v in same.items()}
        assert row["open"] == (record["open"] == "true")
    starts = annex.first_records(content)
    for (control, kind), number in starts.items():
        of_kind = [k for k, record in enumerate(records, 1) if (record["control"], record["kind"]) == (control, kind)]
        assert of_kind == list(range(number, number + len(of_kind)))


def test_a_table_of_several_blocks_is_the_same_table(monkeypatch):
    rows = [(f"item {n % 7}", n, n % 5 if n < 20 else 2, [n, 1]) for n in range(47)]
    whole = unpacked(annex.packed(("a", "b", "c", "d"), rows))
    assert whole == {"n": 47, "columns": dict(zip("abcd", map(list, zip(*rows, strict=True)), strict=True))}
    monkeypatch.setattr(annex, "BLOCK", 20)
    assert unpacked(annex.packed(("a", "b", "c", "d"), rows)) == whole
    assert unpacked(annex.packed(("a", "b"), [])) == {"n": 0, "columns": {"a": [], "b": []}}


def test_each_night_leads_to_the_receipts_it_rests_on(content):
    blocks = annex.blocks(content)
    receipts = rows_of(blocks["receipts"])
    assert [r["manifest"] for r in receipts] == [
        f.manifest_sha256 for f in sorted(content.snapshots, key=lambda f: (f.source, f.dataset, f.night, f.revision))
    ]
    found = {(n.control, n.night.isoformat()): n for n in content.nights}
    nights = rows_of(blocks["nights"])
    assert len(nights) == len(found)
    for row in nights:
        night = found[row["control"], row["night"]]
        runs = row["inputs"]
        places = [p for k in range(0, len(runs), 2) for p in range(runs[k], runs[k] + runs[k + 1])]
        assert {receipts[p]["manifest"] for p in places} == {i.manifest_sha256 for i in night.inputs}
        assert (row["status"], row["population"], row["exceptions"]) == (
            night.status, night.population, len(night.exceptions),
        )  # fmt: skip


def test_an_input_without_exhibit_is_said_to_have_none(content):
    gone = content.nights[0].inputs[0]
    partial = replace(
        content, snapshots=tuple(f for f in content.snapshots if f.manifest_sha256 != gone.manifest_sha256)
    )
    last = rows_of(annex.blocks(partial)["receipts"])[-1]
    assert (last["manifest"], last["entry"], last["folder"]) == (gone.manifest_sha256, None, "")
    assert "not exhibited" in last["reason"]


def test_a_record_of_the_store_that_is_carried_is_said_to_be(content):
    used = content.nights[0].inputs[0]
    record = RecordFact(used.manifest_sha256, "data/evidence/_assessment/000007", 7)
    held = replace(
        content,
        snapshots=tuple(f for f in content.snapshots if f.manifest_sha256 != used.manifest_sha256),
        records=(record,),
    )
    assert annex.beside(content) == (0, 0)
    assert annex.beside(held) == (1, 0)
    assert annex.beside(replace(held, records=())) == (0, 1)
    last = rows_of(annex.blocks(held)["receipts"])[-1]
    assert (last["manifest"], last["entry"], last["folder"]) == (record.sha256, 7, record.folder)
    assert (last["outcome"], last["reason"]) == ("sealed", "")


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (("2026-10-02",), "judged on 2026-10-02."),
        (("2026-07-02", "2026-10-02"), "judged from 2026-07-02 to 2026-10-02."),
    ],
)
def test_it_is_said_when_the_nights_were_judged(content, days, said):
    records = tuple(RecordFact(f"{k}", "data/x", k, f"{day}T03:00:00.000Z") for k, day in enumerate(days))
    assert said in str(view.build(replace(content, records=records))["looked_back"])
    assert "judged" not in str(view.build(content)["looked_back"])


def test_the_annex_tells_nothing_of_the_machine(content):
    assert base64.b64decode(annex.blocks(content)["rows"])[:10] == bytes.fromhex("1f8b08000000000002ff")
    assert annex.blocks(content) == annex.blocks(content)


def test_headings_and_owners_are_choices(content):
    hipaa, *others = content.catalogues
    entries = tuple(
        replace(r, parent="164.312" if r.id.startswith("164.312(") else r.parent) for r in hipaa.requirements
    )
    odd = CORPUS[0]
    content = replace(
        content,
        catalogues=(replace(hipaa, requirements=entries), *others),
        controls=tuple(replace(c, owner=odd if c.family == "identity" else "") for c in content.controls),
    )
    made = explore.build(content)
    under = made.numbers["hipaa", "164.312"]
    having = {c for c, numbers in made.of_control.items() if str(under) in numbers.split()}
    assert having == {c.id for c in content.controls if any(m.requirement.startswith("164.312(") for m in c.maps)}
    (group,) = made.groups
    assert next(c.controls for c in group.choices if c.number == under) == len(having)
    assert [(o.words, o.controls) for o in made.owners] == [
        (odd, sum(c.family == "identity" for c in content.controls)),
        ("none named", sum(c.family != "identity" for c in content.controls)),
    ]
    page = html.render_screen(content, TEMPLATES).decode()
    assert "<script>alert" not in page
    assert "Owner, as named by management: <span data-quoted>&lt;script&gt;" in page


def test_static_rows_stay_few_whatever_a_report_asks_for(content):
    p = next(p for p in content.periods if p.exceptions)
    many = replace(p, exceptions=tuple(replace(p.exceptions[0], item=f"item-{k}") for k in range(3000)))
    others = tuple(q for q in content.periods if q is not p)
    greedy = replace(content, periods=(many, *others), report=replace(content.report, html_rows=10**6))
    page = html.render_screen(greedy, TEMPLATES).decode()
    assert f"{5000 // len(content.controls)} of 3,000 exceptions, open ones among them; all 3,000 are in" in page
    assert page.count("data-record=") < 1000


def test_scripts_set_text_only_and_say_nothing_forbidden():
    assert sorted(path.name for path in SCRIPTS) == sorted(html._SCRIPTS)  # each that a page carries
    for path in SCRIPTS:
        script = path.read_text()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|fetch|XMLHttp|import\(|\.src\b", script
        )
        said = re.findall(r'"((?:[^"\\\n]|\\.)*)"', script)
        assert list(text.forbidden_words("<p>" + " | ".join(said) + "</p>", TEMPLATES)) == []

"""Sentences of a packet that depend on counts: of one they speak as of one, nothing is said twice, labels keep off the drawing."""

import datetime as dt
import re
from dataclasses import replace

import pytest

from evidence.packet import _content
from evidence.render import chart, html, text, view
from tests.fakes.packet_inputs import TEMPLATES, build_inputs, packet_key

ONE = re.compile(r"\b1 (items|exceptions|nights|rows|controls|removals|decisions|reads|datasets)\b")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """One exception on the one night that was tested, another night refused; the control's words have code in them."""
    key, _ = packet_key()
    content = _content(build_inputs(tmp_path_factory.mktemp("parts"), count=3), key, "PKT-1", (), b"x\n")
    finding = next(p for p in content.periods if p.exceptions)
    (first, *_), night = finding.exceptions, content.start.isoformat()
    finding = replace(
        finding, exceptions=(first,), satisfied=0, not_satisfied=1, not_assessed=1, tested_items=1,
        unknown={night: "denied: denied: snowflake.users"},
    )  # fmt: skip
    nights = [
        replace(n, population=1, passed=0) for n in content.nights if n.control == finding.control
    ][:1]  # fmt: skip
    (about,) = (c for c in content.controls if c.id == finding.control)
    about = replace(about, remediation="Run `evidence check` & <b>see</b>.", parameters=())
    content = replace(content, periods=(finding,), nights=tuple(nights), controls=(about,))
    return html.render_screen(content, TEMPLATES).decode()


def test_of_one_a_packet_speaks_as_of_one(page):
    body = re.sub(
        r'<p class="tile-n">.*?</p>', "", page[page.index("<main") :]
    )  # a number over a word that stands for a kind
    said = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))
    assert [said[at.start() - 60 : at.end() + 20] for at in ONE.finditer(said)] == []
    assert "1 in all; it is also in data/findings.csv" in said
    assert re.search(r"1 exception noted, (open on|gone|past)", said)
    assert "1 item on every night" in said


def test_a_reason_is_said_once(page):
    assert "denied: snowflake.users" in page
    assert "denied: denied" not in page
    assert text.reason_once("missing-evidence: a-b of missing-evidence") == "missing evidence: a-b of missing-evidence"
    assert text.reason_once("denied: x; missing-evidence: y") == "denied: x; missing evidence: y"
    assert text.reason_once("not assessed: control-error") == "not assessed: control error"
    assert text.reason_once("a-b: a-b: a-b: c") == "a-b: a-b: c"
    assert text.reason_once("denied: incomplete: c") == "denied: incomplete: c"


def test_code_in_a_control_is_code_and_nothing_else(page):
    assert "Run <code>evidence check</code> &amp; &lt;b&gt;see&lt;/b&gt;." in page


def test_labels_of_a_strip_end_before_its_nights():
    start = dt.date(2026, 7, 1)
    for longest in ("snowflake.replication_refresh_history (recovery)", "x" * 200):
        (drawn,) = chart.heat_strips([("short", {}), (longest, {})], start, start, title="t")
        first = min(float(x) for x in re.findall(r'd="M([\d.]+) ', drawn))
        label = max(re.findall(r">([^<]+)</text>", drawn), key=len)
        assert len(label) * 4 <= first, "a letter of this size is less than 4 wide on average"


def test_what_was_tested_and_what_lies_before_the_period_is_counted_in_words(tmp_path):
    key, _ = packet_key()
    content = _content(build_inputs(tmp_path / "parts", count=3), key, "PKT-1", (), b"x\n")
    assert view.build(content)["looked_back"] == ""
    early = replace(content.snapshots[0], night=content.start - dt.timedelta(days=1), manifest_sha256="0" * 64)
    first = content.periods[0]
    never = replace(first, satisfied=0, not_satisfied=0, not_assessed=3)
    built = view.build(replace(content, snapshots=(*content.snapshots, early), periods=(never, *content.periods[1:])))
    count, all_of = len(content.snapshots) + 1, len(content.controls)
    assert built["looked_back"] == (
        f"Of the {count} receipts in this packet 1 is of a night before {content.start}, to which a control looks back."
    )
    assert built["summary"][0].endswith(f"{all_of - 1} were tested on at least one night, 1 on none.")
    assert view.build(content)["summary"][0].endswith("Each was tested on at least one night.")

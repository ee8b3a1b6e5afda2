"""Official text of a user: each paragraph under its own requirement or none at all, sealed with its source, printed as sealed."""

import json
import shutil

import job
import pytest

from evidence.config import content_root
from evidence.control.framework import load_frameworks
from evidence.control.official import Texts, kind_of, read_texts
from evidence.demo import Size
from evidence.errors import ControlError

IDS = [entry.id for entry in load_frameworks(content_root() / "controls" / "frameworks")["hipaa"].entries]
FEW = Size(nights=2, users=60, roles=50, tables=160, columns=600, queries=120)
PERIOD = "2026-07-01..2026-07-02"
# The shape of what ecfr.gov publishes, with words of our own.
XML = """<?xml version="1.0" encoding="UTF-8"?>
<ECFR><AMDDATE>July 1, 2026
</AMDDATE><DIV5 N="164" TYPE="PART"><HEAD>PART 164</HEAD><DIV6 N="C" TYPE="SUBPART">
<DIV8 N="164.304" TYPE="SECTION"><HEAD>Words</HEAD><P><I>Lock</I> means a thing:</P><P>(1) One.</P><P><I>Key</I> means another.</P></DIV8>
<DIV8 N="164.308" TYPE="SECTION"><HEAD>h</HEAD><P>(a) Somebody must:</P><P>(1)(i) <I>Standard: Five.</I> five.</P>
<P>(ii) <I>Implementation specifications:</I></P><P>(A) <I>Six (Required).</I> six.</P><P>(B) <I>Seven.</I> seven.</P><P>(2) <I>Standard: Eight.</I> eight.</P></DIV8>
<DIV8 N="§ 164.312" TYPE="SECTION" hierarchy_metadata="{}"><HEAD>§ 164.312 Words.</HEAD><P>Somebody must, as elsewhere said:</P>
<P>(a)(1) <I>Standard: One.</I> First words, <E T="03">really</E>.
</P><P>(2) <I>Implementation specifications:</I></P><P>(i) <I>Two (Required).</I> Second words.</P><P>(ii) <I>Three.</I> Third words.</P>
<P>(b) <I>Standard: Four.</I> Fourth words.</P><CITA TYPE="N">[68 FR 8376]</CITA></DIV8>
<DIV8 N="164.530" TYPE="SECTION"><P>(a)(1) a1</P><P>(b) <I>Standard: b.</I> (1) <I>More.</I> b1</P><P>(c)(1) c1</P><P>(2) c2</P><P>(d)-(f) [Reserved]</P>
<P>(g) <I>G.</I> (1) g1</P><P>(h) h</P><P>(i)(1) <I>Changes.</I> i1</P><P>(i) deep one</P><P>(ii) deep two</P><P>(A) deeper</P><P>(<I>1</I>) deepest</P><P>(2) back</P><P>(j)(1) j1</P></DIV8>
</DIV6></DIV5></ECFR>"""


def test_paragraphs_go_to_the_most_specific_requirement():
    found, edition = read_texts(XML.encode(), "ecfr-xml", IDS, "title-45.xml")
    assert edition == "July 1, 2026"
    assert found["164.312"] == "Somebody must, as elsewhere said:"
    assert found["164.312(a)(1)"] == "(a)(1) Standard: One. First words, really."
    assert found["164.312(a)(2)(ii)"] == "(ii) Three. Third words."
    assert found["164.308(a)(1)"] == "(1)(i) Standard: Five. five.\n(ii) Implementation specifications:"
    assert found["164.308(a)(1)(ii)(B)"] == "(B) Seven. seven."
    assert found["164.308(a)(2)"] == "(2) Standard: Eight. eight."
    assert found["164.304"] == "Lock means a thing:\n(1) One.\nKey means another."
    assert found["164.530(b)(1)"] == "(1) More. b1"
    assert found["164.530(i)(1)"] == "(i)(1) Changes. i1\n(i) deep one\n(ii) deep two\n(A) deeper\n(1) deepest"
    assert found["164.530(j)(1)"] == "(j)(1) j1"
    assert not any("[68 FR" in text or "back" in text for text in found.values())


def test_the_odd_places_of_part_164():
    """A heading, a dash, the next designation; capitals right under a number (164.404(c)(1)); what the editors put beside the text."""
    xml = """<ECFR><DIV6 N="D" TYPE="SUBPART"><DIV8 N="164.404" TYPE="SECTION"><HEAD>h</HEAD>
<XREF ID="1">Link to an amendment</XREF><EDNOTE><HED>Note:</HED><P>(z) By the editors.</P></EDNOTE>
<P>(a) <I>Standard</I>\u2014(1) <I>Rule.</I> One.</P><P>(2) <I>When.</I> Two.</P><P>(b) <I>Time.</I> Three.</P>
<P>(c) <I>Content</I>\u2014(1) <I>Elements.</I> It holds:</P><P>(A) four;</P><EXTRACT><P>(B) five.</P></EXTRACT><P>(2) <I>Plain words.</I> Six.</P>
<P>(d) <I>How.</I> Seven: (1) <I>In writing.</I></P><P>(1) Eight. (i) nine</P><P>(i) ten</P><FTNT><P>(9) A footnote.</P></FTNT></DIV8>
<DIV8 N="164.310" TYPE="SECTION"><P>(a)(1) One.</P><P>(2) <I>Specs:</I></P><P>(i) two</P><P>(b) [Reserved]</P><P>(c) <I>Standard.</I> three</P></DIV8>
<DIV9 N="Appendix A to Subpart C of Part 164" TYPE="APPENDIX"><P>(a) A table of what is said above.</P></DIV9></DIV6></ECFR>"""
    found, _ = read_texts(xml.encode(), "ecfr-xml", ["164.404(a)", "164.404(c)", "164.404(c)(1)", "164.404(c)(2)", "164.404(d)", "164.310(a)(2)(i)", "164.310(b)", "164.310(c)"], "x.xml")  # fmt: skip
    assert found == {
        "164.404(a)": "(a) Standard\n(1) Rule. One.\n(2) When. Two.",
        "164.404(c)": "(c) Content",
        "164.404(c)(1)": "(1) Elements. It holds:\n(A) four;\n(B) five.",
        "164.404(c)(2)": "(2) Plain words. Six.",
        "164.404(d)": "(d) How. Seven: (1) In writing.\n(1) Eight. (i) nine\n(i) ten",
        "164.310(a)(2)(i)": "(i) two",
        "164.310(b)": "(b) [Reserved]",
        "164.310(c)": "(c) Standard. three",
    }


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('<DIV8 N="164.312" TYPE="SECTION"><P>(a) one</P><P>(k)(3) lost</P></DIV8>', "does not follow"),
        ('<DIV8 N="164.312" TYPE="SECTION"><P>(a) one</P><P>(ii) lost</P></DIV8>', "does not follow"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><DIV8/>", "document type"),
        ("<DIV8", "cannot be read"),
        ('<DIV8 N="165.1" TYPE="SECTION"><P>(a) one</P></DIV8>', "no requirement"),
    ],
)
def test_what_cannot_be_placed_is_not_taken(body, said):
    with pytest.raises(ControlError, match=said):
        read_texts(body.encode(), "ecfr-xml", IDS, "x.xml")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("csv", 'id,text\nCC6.1,"Words, ours"\nCC99,x\n'),
        ("json", '{"CC6.1": "Words, ours"}'),
        ("json", '[{"id": "CC6.1", "text": "Words, ours"}]'),
        ("toml", '[texts]\n"CC6.1" = "Words, ours"\n'),
        ("toml", '[[texts]]\nid = "CC6.1"\ntext = "Words, ours"\n'),
    ],
)
def test_a_licensed_file_in_each_shape(kind, body):
    assert read_texts(body.encode(), kind, ["CC6.1", "CC6.2"], "mine") == ({"CC6.1": "Words, ours"}, "")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("csv", "id;text\nCC6.1;x"),
        ("json", "[1]"),
        ("json", '{"CC6.1": 7}'),
        ("csv", "id,text\nCC6.1,a\nCC6.1,b"),
        ("toml", "x"),
        ("json", "{}"),
        ("csv", b"\xff".decode("latin1")),
    ],
)
def test_a_file_of_another_shape_is_refused(kind, body):
    with pytest.raises(ControlError):
        read_texts(body.encode(), kind, ["CC6.1"], "mine")


def test_the_ending_says_how_and_what_is_kept_has_one_spelling():
    assert kind_of("Title-45.XML") == "ecfr-xml"
    with pytest.raises(ControlError, match="neither"):
        kind_of("text.docx")
    kept = Texts("soc2", "csv", "c.csv", "0" * 64, "2022", "2026-07-01T00:00:00.000000Z", "", {"CC6.1": "Words"})
    assert Texts.from_bytes(kept.to_bytes(), "x") == kept


@pytest.mark.slow
def test_it_is_sealed_printed_and_refused_when_it_was_changed(tmp_path):
    work = tmp_path / "work"
    job.workspace(work, FEW)
    file = tmp_path / "title-45.xml"
    file.write_text(XML)
    found = json.loads(
        job.here("-w", work, "controls", "import-text", file, "--note", "as downloaded", "--json").stdout
    )
    assert found["requirements"] > 10
    assert "164.312(c)(1)" in found["without"]
    log = job.open_log(work)
    ((_, entry),) = log.entries("text")
    assert entry.body["file_sha256"] == found["file_sha256"]
    assert log.store.get(entry.object.path, sha256=entry.object.sha256) == (work / "texts" / "hipaa.json").read_bytes()
    job.here("-w", work, "collect", "--jobs", "1")
    job.here("-w", work, "assess", "--period", PERIOD, "--jobs", "1")
    job.here("-w", work, "packet", "quarterly-hipaa", "--period", PERIOD, "--partial")
    (packet,) = (work / "packets").glob("*.zip")
    page = (packet.with_suffix("") / "data" / "packet.html").read_text()
    assert "Fourth words." in page
    assert "title-45.xml, July 1, 2026" in page
    assert "0 failed" in job.here("verify", packet, "--trust", work / "trust").stdout
    shutil.rmtree(work / "packets")
    kept = work / "texts" / "hipaa.json"
    kept.write_text(kept.read_text().replace("Fourth words", "Other words"))
    assert (
        "not the text that was sealed"
        in job.here("-w", work, "packet", "quarterly-hipaa", "--period", PERIOD, "--partial", codes=(3,)).stderr
    )

"""``data/packet.xlsx`` and ``data/findings.parquet``: every finding by type, equal to findings.csv, and no text is ever more than text."""

import csv
import datetime as dt
import io
import shutil
import subprocess
import zipfile
from dataclasses import replace
from xml.etree import ElementTree as ET

import openpyxl
import pyarrow.parquet as pq
import pytest
from openpyxl.utils.escape import unescape

from evidence.control.requests import Request
from evidence.errors import EvidenceError
from evidence.packet import _content
from evidence.render.records import COLUMNS, SCHEMA, findings_csv, records, write_parquet
from evidence.render.sheet import cut
from evidence.render.text import escape_invisible, forbidden_words
from evidence.render.workbook import Column, Table, sheet_names, write_book
from evidence.render.worksheets import FINDINGS, heading, tables
from tests.fakes.packet_inputs import TEMPLATES, build_inputs, packet_key

MARKUP = '<r><t>x</t></r></is></c><c r="Z9"><f>HYPERLINK("http://h")</f></c><c r="Z8" t="inlineStr"><is><r><t>y</t></r>'
HOSTILE = (
    '=HYPERLINK("http://h","x")', "=cmd|' /C calc'!A0", "+1+1", "-2", "@SUM(A1)", "{=1+1}", "http://h.example/x", "mailto:a@b", "internal:'About'!A1",
    "external:c:\\x.xlsx", MARKUP, "<script>alert(1)</script>", "_x0041_ _x000D_", "\u202egnp.exe", "a\x00b\x1b\ufffe", "two\nlines\tand", " lead and trail ",
    "&lt;b&gt; ]]> <!-- -->", "1e5", "007", "TRUE", "2026-07-01", "#REF!", "'quoted", "\u200b", "\U0001f600" * 20_000, "x" * 40_000, "😀é\u2028",
)  # fmt: skip


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    inputs = build_inputs(tmp_path_factory.mktemp("parts"), count=5)
    first, second, *others = inputs.periods
    bad = tuple(
        replace(first.exceptions[n % len(first.exceptions)], item=text, reason=text, observed=text, expected=text)
        for n, text in enumerate(HOSTILE)
    )
    second = replace(second, reviews=bad[:3], exceptions=second.exceptions[:1])
    third = replace(others[0], strip={}, unknown={"2026-07-02": MARKUP})
    nights = [night for night in inputs.nights if (night.control, night.night.day) != (third.control, 2)]
    nights[0] = replace(nights[0], reason=MARKUP, detail=HOSTILE[0], fingerprint=HOSTILE[1], version=HOSTILE[2])
    texts = [
        replace(text, **dict.fromkeys(("title", "statement", "severity", "family", "owner", "version"), HOSTILE[n % 20]))
        for n, text in enumerate(inputs.controls)
    ]  # fmt: skip
    inputs = replace(inputs, periods=[replace(first, exceptions=bad, conclusion=MARKUP), second, third, *others[1:]], nights=nights, controls=texts, system=None)  # fmt: skip
    made = _content(
        inputs, packet_key()[0], "PKT-2026Q3-x-12345678", (HOSTILE[0], MARKUP), findings_csv(inputs.periods)
    )
    catalogues = tuple(replace(c, requirements=tuple(replace(r, title=MARKUP, gist=HOSTILE[0]) for r in c.requirements)) for c in made.catalogues)  # fmt: skip
    snapshots = tuple(replace(s, source=MARKUP, reason=HOSTILE[n % 24]) for n, s in enumerate(made.snapshots))
    return replace(
        made, catalogues=catalogues, snapshots=snapshots, entity=MARKUP, system_name=HOSTILE[0], prepared_by=HOSTILE[4]
    )


@pytest.fixture(scope="module")
def book(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("book") / "packet.xlsx"
    write_book(path, heading(content), tables(content))
    return path


def shown(record, number):
    note = f"cut here: whole in record {number:,} of data/findings.csv"
    return [cut(escape_invisible(value), note) if isinstance(value, str) else value for value in record]


def read_back(value):
    """Return a value as a spreadsheet shows it: openpyxl leaves ``_x005F_`` (an underscore, ISO 29500 22.9.2.19) as it stands."""
    if isinstance(value, dt.datetime):
        return value.date()
    return unescape(value) if isinstance(value, str) else value


def test_no_text_becomes_a_formula_a_link_or_markup(book):
    with zipfile.ZipFile(book) as parts:
        bodies = {name: parts.read(name) for name in parts.namelist()}
    sheets = [name for name in bodies if name.startswith("xl/worksheets/")]
    assert len(sheets) == 6
    kinds = set()
    for name, body in bodies.items():
        kinds |= {element.tag.rpartition("}")[2] for element in ET.fromstring(body).iter()} if name in sheets else set()
        assert b"TargetMode" not in body, name
    assert kinds & {"is", "t", "v"}
    assert not kinds & {
        "f",
        "hyperlink",
        "hyperlinks",
        "r",
        "drawing",
        "oleObjects",
        "dataValidations",
        "legacyDrawing",
    }
    assert not [name for name in bodies if "sheets/_rels" in name or "vba" in name or "external" in name.lower()]


def test_every_finding_is_there_by_type_as_in_the_csv(content, book):
    sheet = openpyxl.load_workbook(book)[FINDINGS]
    rows = list(sheet.iter_rows(min_row=2))
    assert [cell.value for cell in rows[0]] == list(COLUMNS)
    told = list(csv.reader(io.StringIO(findings_csv(content.periods).decode(), newline="")))
    assert len(rows) == len(told) > 30
    assert content.findings_csv_rows == len(told) - 1
    for number, (cells, record) in enumerate(zip(rows[1:], records(content.periods), strict=True), 1):
        for cell, value in zip(cells, shown(record, number), strict=True):
            read = read_back(cell.value)
            assert (read, type(read)) == ((value, type(value)) if value != "" else (None, type(None)))
            assert cell.data_type != "f"
            assert cell.hyperlink is None
    lengths = [len(cell.value.encode("utf-16-le")) // 2 for row in rows for cell in row if isinstance(cell.value, str)]
    assert 32_000 < max(lengths) < 32_767


def test_counts_are_those_of_the_findings_and_no_night_is_missing(content, book):
    opened = openpyxl.load_workbook(book)
    controls = {row[0]: row for row in opened["Controls"].iter_rows(min_row=3, values_only=True)}
    for finding in content.periods:
        row = controls[finding.control]
        still = sum(each.open for each in finding.exceptions)
        assert row[6:15] == (
            *(finding.expected, finding.satisfied + finding.not_satisfied, finding.not_assessed),
            *(finding.not_applicable, finding.longest_gap, finding.tested_items, len(finding.exceptions)),
            *(still, len(finding.reviews)),
        )
    nights = {(row[0], row[1].date()): row for row in opened["Population"].iter_rows(min_row=3, values_only=True)}
    assert len(nights) == len(content.periods) * 5
    for night in content.nights:
        row = nights[night.control, night.night]
        assert row[3:7] == (night.population, night.passed, len(night.exceptions), len(night.reviews))
    lost = nights[content.periods[2].control, dt.date(2026, 7, 2)]
    assert lost[2:9] == ("not assessed", *(None,) * 5, f"{MARKUP} ")  # nobody knows: no number, and never a good word
    evidence = list(opened["Evidence"].iter_rows(min_row=3, values_only=True))
    assert sorted(row[6] for row in evidence) == sorted(fact.log_index for fact in content.snapshots)
    assert not controls.keys() - {text.id for text in content.controls}


def test_every_sheet_of_a_marked_packet_says_so(content, book):
    assert content.marks == ("PROVISIONAL", "DRAFT")
    for sheet in openpyxl.load_workbook(book).worksheets:
        top = " ".join(str(cell.value) for row in sheet.iter_rows(max_row=2, max_col=1) for cell in row)
        assert "PROVISIONAL / DRAFT" in top, sheet.title
        assert "PROVISIONAL / DRAFT" in sheet.oddHeader.right.text
        assert sheet.title == "About" or sheet.freeze_panes is not None


def test_words_are_those_a_packet_may_say(content, tmp_path):
    plain = replace(content, entity="", system_name="", prepared_by="", omissions=())
    asked = Request(
        "PBC-1",
        "What?",
        "answered",
        answer="Here",
        recorded_by="Ann",
        recorded_at=dt.datetime(2026, 8, 1, 12, tzinfo=dt.UTC),
    )
    made = heading(replace(plain, request=asked))
    sheets = tables(replace(plain, request=asked))
    said = [made.title, *(word for fact in (*made.facts, *made.notes) for word in fact)]
    said += [
        word for table in sheets for word in (table.name, table.about, *(column.title for column in table.columns))
    ]
    assert list(forbidden_words(" . ".join(said), TEMPLATES)) == []
    write_book(tmp_path / "answer.xlsx", made, sheets)
    opened = openpyxl.load_workbook(tmp_path / "answer.xlsx")
    assert "Requirements" not in opened.sheetnames
    (row,) = opened["Requests"].iter_rows(min_row=3, values_only=True)
    assert (row[0], row[7], row[15]) == ("PBC-1", "What?", dt.datetime(2026, 8, 1, 12))  # noqa: DTZ001 - a sheet knows no zones


def test_what_one_sheet_cannot_hold_goes_on_in_the_next(content, tmp_path):
    made = [table for table in tables(content) if table.name == FINDINGS]
    total = made[0].count
    names = sheet_names(made[0], 20)
    assert names[:2] == [FINDINGS, f"{FINDINGS} (2)"]
    write_book(tmp_path / "b.xlsx", heading(content), made, limit=20)
    opened = openpyxl.load_workbook(tmp_path / "b.xlsx")
    assert opened.sheetnames == ["About", *names]
    assert f"Rows 1 to 20 of {total}. Goes on in the sheet {FINDINGS} (2)." in opened[FINDINGS]["A1"].value
    rows = [row for name in names for row in opened[name].iter_rows(min_row=3, values_only=True)]
    assert [read_back(row[2]) for row in rows] == [shown(r, n)[2] for n, r in enumerate(records(content.periods), 1)]
    for count in (1, 3):
        wrong = Table("T", "A row", (Column("a", 9),), iter([["x"], ["y"]]), count)
        with pytest.raises(EvidenceError, match="counted"):
            write_book(tmp_path / "w.xlsx", heading(content), [wrong])


def test_parquet_has_the_same_records_raw_and_typed(content, tmp_path):
    paths = [tmp_path / name for name in ("a", "b")]
    for path in paths:
        write_parquet(path, records(content.periods), SCHEMA)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    read = pq.read_table(paths[0])
    assert [(f.name, f.type) for f in read.schema] == [(f.name, f.type) for f in SCHEMA]
    assert [tuple(row.values()) for row in read.to_pylist()] == list(records(content.periods))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice (soffice) is not installed")
def test_libreoffice_reads_what_the_csv_says(content, book, tmp_path):
    options = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1"
    home = f"-env:UserInstallation=file://{tmp_path}/home"
    command = ["soffice", home, "--headless", "--convert-to", options, "--outdir", str(tmp_path), str(book)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = tmp_path.glob(f"*{FINDINGS}.csv")
    rows = list(csv.reader(made.open(encoding="utf-8", newline="")))[1:]
    told = list(csv.reader(io.StringIO(findings_csv(content.periods).decode(), newline="")))
    assert len(rows) == len(told)
    assert rows[0] == told[0]
    truth = {"TRUE": "true", "FALSE": "false"}
    place = COLUMNS.index("open")
    for number, (mine, theirs) in enumerate(zip(rows[1:], told[1:], strict=True), 1):
        mine[place] = truth[mine[place]]
        assert mine == shown(theirs, number)

"""Many exceptions: the packet is made, opened and verified within bounds of memory, and every file counts the same."""

import io
import json
import re
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest

from evidence import packet
from evidence.bag import findings
from evidence.bag.bag import BagWriter
from evidence.bag.files import FolderFiles
from evidence.bag.findings import canonical_findings, findings_pieces, read_findings
from evidence.errors import MalformedError
from evidence.render.annex import unpacked
from evidence.render.worksheets import FINDINGS
from evidence.signing.trust import load_trust
from evidence.snapshot import canonical
from evidence.verify import verify_packet
from tests.fakes.packet_inputs import AT
from tests.servers.chromium import Page, browser_or_skip

ROOT = Path(__file__).parent.parent
MIB = 1 << 20


def made(folder, count, seconds):
    """Build in a child whose address space is bounded; return what it says of itself, and the packet's folder."""
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_DATA, (4 << 30, 4 << 30))\n"
        "from pathlib import Path; from tests.fakes.many_exceptions import main; main(Path(sys.argv[1]), int(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(folder), str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout)
    return said, Path(said["zip"]).with_suffix("")


def listed_in_sheets(path):
    """Count the rows of the sheets of findings by control: in the XML, block by block, because a library takes minutes."""
    found = Counter()
    with zipfile.ZipFile(path) as parts:
        named = re.findall(rb'<sheet name="([^"]+)"', parts.read("xl/workbook.xml"))
        for number, name in enumerate(named, 1):
            if not name.decode().startswith(FINDINGS):
                continue
            rest = b""
            with parts.open(f"xl/worksheets/sheet{number}.xml") as body:
                while block := body.read(MIB):
                    rows = (rest + block).split(b"<row ")
                    rest = rows.pop()
                    found.update(map(first_cell, rows))
            found[first_cell(rest)] += 1
    del found[None], found["control"]
    return found


def nightly(bag):
    return sum(len(night["exceptions"]) for night in read_findings(FolderFiles(bag)).nights())


def first_cell(row):
    cell = re.search(rb'<c r="A(\d+)"[^>]*><is><t[^>]*>([^<]*)</t>', row)
    return cell[2].decode() if cell and int(cell[1]) > 1 else None


def same_everywhere(folder, bag, count):
    """Compare the counts of all files with those of findings.json."""
    data = bag / "data"
    periods = list(read_findings(FolderFiles(bag)).periods())
    counts = Counter({period["control"]: len(period["exceptions"]) for period in periods})
    assert counts.total() == count
    with (data / "findings.csv").open(newline="") as rows:
        assert Counter(line.split(",", 1)[0] for line in rows) == counts + Counter(control=1)
    columns = pq.read_table(data / "findings.parquet", columns=["control"]).column("control").value_counts().to_pylist()
    assert {each["values"]: each["counts"] for each in columns} == counts
    assert listed_in_sheets(data / "packet.xlsx") == counts
    book = openpyxl.load_workbook(data / "packet.xlsx", read_only=True)
    controls = {row[0]: row[12] for row in book["Controls"].iter_rows(min_row=3, values_only=True)}
    assert {name: number for name, number in controls.items() if number} == counts
    assert sum(row[5] or 0 for row in book["Population"].iter_rows(min_row=3, values_only=True)) == nightly(bag)
    book.close()
    page = (data / "packet.html").read_text()
    rows = unpacked(re.search(r'id="annex-rows"[^>]*>([^<]+)<', page)[1])
    assert rows["n"] == count
    assert {len(values) for values in rows["columns"].values()} == {count}
    assert len(rows["columns"]) == 19
    done = subprocess.run(
        ["pdftotext", "-layout", data / "packet.pdf", "-"], capture_output=True, text=True, check=True
    )
    printed = " ".join(done.stdout.split())
    assert f"{count:,} exceptions in total" in printed
    for control, number in counts.items():
        assert f"{number:,} exceptions noted" in printed, control
        cut = rf"of {number:,} exceptions(, open ones among them| in [\d,]+ rows, open ones first among those shown); all {number:,} are in"
        assert re.search(cut, printed), control
    (result,) = json.loads((data / "oscal.json").read_text())["assessment-results"]["results"]
    told = [p["value"] for o in result["observations"] for p in o.get("props", ()) if p["name"] == "exceptions"]
    assert sorted(map(int, told)) == sorted(counts.values())
    events = json.loads((data / "ocsf.json").read_text())
    listed = {
        e["compliance"]["control"]: e["unmapped"]["exceptions"] for e in events if "exceptions" in e.get("unmapped", {})
    }
    assert listed == counts
    trust = load_trust([folder / "packet-root.pem", folder / "log.vkey"])
    found = verify_packet(bag, certificates=trust.certificates, vkeys=trust.vkeys, at=AT)
    assert found.ok, found.failed


@pytest.mark.slow
def test_five_thousand(tmp_path):
    said, bag = made(tmp_path, 5_000, 300)
    same_everywhere(tmp_path, bag, 5_000)
    assert said["peak"] - said["values"] < 100 * MIB
    assert said["child"] < 350 * MIB


@pytest.mark.slow
@pytest.mark.chromium
@pytest.mark.timeout(1800)
def test_a_million(tmp_path):
    said, bag = made(tmp_path, 1_000_000, 1500)
    same_everywhere(tmp_path, bag, 1_000_000)
    assert said["values"] < 200 * MIB, "a thousand bytes each would be a gigabyte"
    assert said["peak"] - said["values"] < 250 * MIB, "about 130, of which 9 MB are the page, several times"
    assert said["child"] < 350 * MIB, "findings.json, 270 MB, is not attached"
    browser_or_skip()
    with Page() as page:
        page.open(bag / "data/packet.html")
        page.until("document.body.dataset.ready", 120)
        assert page.run("document.querySelector('#rows-table output').textContent") == "Rows 1 to 100 of 1,000,000"
        page.run("location.hash = '#row-1000000'")
        page.until("document.getElementById('drill').open", 60)
        assert page.log == []


NIGHT = {"control": "a[]{}", "night": "2026-07-01", "inputs": [], "text": 'q"\\"}],"period":{'}
PERIOD = {"control": "b", "start": "2026-07-01", "list": [[], {"x": "]}"}]}


class Held:
    def __init__(self, body):
        self.body = body

    def size(self, name):
        return len(self.body)

    def open(self, name):

        return io.BytesIO(self.body)


@pytest.mark.parametrize("nights", [[], [NIGHT], [NIGHT, {**NIGHT, "night": "2026-07-02"}]])
@pytest.mark.parametrize("periods", [[], [PERIOD], [PERIOD, {**PERIOD, "control": "c"}]])
def test_what_is_written_piece_by_piece_is_the_canonical_file_and_is_read_back(nights, periods):
    whole = {
        "format": "evidence-findings-v1",
        "period": {"start": "s", "end": "e"},
        "periods": periods,
        "nights": nights,
    }
    body = canonical_findings("s", "e", periods, nights)
    assert body == canonical.encode(whole)
    assert read_findings(Held(body)).whole() == whole


def test_findings_out_of_order_are_not_written():
    with pytest.raises(MalformedError, match="not sorted"):
        list(findings_pieces("s", "e", [], [{**NIGHT, "night": "2026-07-02"}, NIGHT]))


def test_findings_that_nobody_would_read_back_are_not_written(monkeypatch):
    size = len(canonical_findings("s", "e", [PERIOD], [NIGHT]))
    monkeypatch.setattr(findings, "MAX_FILE", size)
    assert len(canonical_findings("s", "e", [PERIOD], [NIGHT])) == size
    monkeypatch.setattr(findings, "MAX_FILE", size - 1)
    with pytest.raises(MalformedError, match="would have over") as refused:
        canonical_findings("s", "e", [PERIOD], [NIGHT])
    assert "shorter period" in refused.value.fix


def test_long_findings_are_named_by_the_pdf_and_not_carried(tmp_path, monkeypatch):
    bag = BagWriter(tmp_path / "bag")
    bag.add("findings.json", b"{}")
    assert [each.name for each in packet._attachments(bag)] == ["evidence-digests.json", "findings.json"]
    monkeypatch.setattr(packet, "ATTACHED", 1)
    (digests,) = packet._attachments(bag)
    assert json.loads(digests.body) == {"data/findings.json": canonical.sha256_hex(b"{}")}


BODY = canonical_findings("s", "e", [PERIOD], [NIGHT])


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", BODY + b"\n", BODY[:-1], b" " + BODY, BODY.replace(b'"nights":[', b'"nights":[1,'), BODY.replace(b'}],"period"', b'},],"period"'),
        BODY.replace(b'{"end":"e"', b'{"end":1'), BODY.replace(b'{"end":"e"', b'{"end" :"e"'),
        BODY.replace(b'"inputs":[]', b'"inputs":[ ]'), BODY.replace(b'"start":"2026', b'"start": "2026'), BODY.replace(b"v1", b"v2"),
        BODY[: BODY.index(b"inputs") + 9], BODY.replace(b'"periods":', b'"perioda":'), BODY + BODY,
    ],
)  # fmt: skip
def test_another_spelling_is_refused(body):
    with pytest.raises(MalformedError):
        read_findings(Held(body)).whole()

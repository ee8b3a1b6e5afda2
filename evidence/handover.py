"""A verified packet -> a folder for tools and people that take neither Parquet nor a bag (docs/formats/handover.md).

CSV alone, each file at most 100 MB, with one table of everything and its digests; for customers without a name of the staff. The packet
stays the evidence: the folder is a copy for reading, and says which packet it is of.
"""

import csv
import datetime as dt
import hashlib
import io
import shutil
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from evidence.bag.exhibit import ENTRY, exhibit_folders, object_name
from evidence.bag.files import BagFiles, read
from evidence.bag.findings import read_findings
from evidence.control.model import Control
from evidence.control.owners import Owners
from evidence.control.register import parse_register
from evidence.control.requests import Request
from evidence.errors import PacketRefusedError, UsageError
from evidence.render import handover as tables
from evidence.render.handover import Exhibit, Handed
from evidence.render.inputs import SnapshotFact
from evidence.render.pseudonym import Veil
from evidence.render.spreadsheet import Cell, csv_lines
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry

LIMIT: Final = 100_000_000  # bytes of one file
PAGES: Final = (
    "packet.pdf",
    "packet.html",
    "packet.xlsx",
)  # as they are in the packet, where they are; they name people
MAX_IDMAP: Final = 8 << 20
_CONTROLS: Final = "data/controls/"


@dataclass(frozen=True, slots=True)
class Written:
    """One file of the folder: name, control it is of, SHA-256, rows (None for pages)."""

    name: str
    control: str
    sha256: str
    rows: int | None


def read_handed(
    files: BagFiles,
    packet_id: str,
    *,
    requests: Sequence[Request] = (),
    owners: Owners | None = None,
    idmap: Mapping[str, str] | None = None,
) -> Handed:
    """Return the values of a packet that was verified. Raises ``MalformedError``."""
    findings = read_findings(files).whole()
    names = [finding["control"] for finding in findings["periods"]]
    controls = {name: _control(files, name) for name in names}
    families = canonical.decode(read(files, f"{_CONTROLS}effective.json"))["families"]
    end = dt.date.fromisoformat(findings["period"]["end"])
    return Handed(
        packet_id=packet_id,
        findings=findings,
        controls=controls,
        exhibits=tuple(_exhibits(files)),
        owners={name: (owners or Owners()).of(name, families[name], end) for name in names},
        responses=_register(files, "responses"),
        attestations=_register(files, "attestations"),
        requests=requests,
        idmap=idmap or {},
    )


def parse_idmap(body: bytes) -> dict[str, str]:
    """Return our id -> theirs of an ``idmap.csv`` with the columns ours and theirs; raise ``UsageError`` naming the row at fault."""
    try:
        text = body.decode("utf-8-sig")
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if any(row)]
    except (UnicodeDecodeError, csv.Error) as exc:
        raise UsageError(f"idmap.csv: {exc}", fix="save it as CSV UTF-8") from exc
    if len(body) > MAX_IDMAP or not rows or [cell.strip() for cell in rows[0]] != ["ours", "theirs"]:
        raise UsageError(
            "idmap.csv needs a heading row: ours,theirs", fix="one row for each id that they name otherwise"
        )
    found: dict[str, str] = {}
    for number, row in enumerate(rows[1:], 2):
        if len(row) != 2 or not row[0].strip() or not row[1].strip() or row[0].strip() in found:
            raise UsageError(
                f"idmap.csv row {number}: not one id of ours, once, and one of theirs", fix="correct the row"
            )
        found[row[0].strip()] = row[1].strip()
    return found


def write(
    handed: Handed, veil: Veil, files: BagFiles, out: Path, *, said: Sequence[str] = (), limit: int = LIMIT
) -> list[Written]:
    """Write the folder ``out``, which must not exist yet, whole or not at all; return its files.

    ``said`` are sentences for the readme (what the packet leaves out). Raises ``PacketRefusedError`` for a single file that cannot be
    kept under ``limit`` bytes.
    """
    if out.exists():
        raise PacketRefusedError(f"{out} exists already", fix="a hand-over is never overwritten: choose another --out")
    draft = out.with_name(f".{out.name}.partial")
    shutil.rmtree(draft, ignore_errors=True)
    (draft / "controls").mkdir(parents=True)
    folder = _Folder(draft, limit)
    for name, columns, rows in (
        ("controls", tables.CONTROLS, tables.control_rows(handed, veil)),
        ("tests", tables.TESTS, tables.test_rows(handed, veil)),
        ("requests", tables.REQUESTS, tables.asked_rows(handed, veil)),
        ("issues", tables.ISSUES, tables.issue_rows(handed, veil)),
    ):
        folder.table(name, columns, rows)
    nights: dict[str, list[Mapping[str, Any]]] = {name: [] for name in handed.controls}
    for finding in handed.findings["nights"]:
        nights.setdefault(finding["control"], []).append(finding)
    for name, found in nights.items():
        folder.table(
            f"controls/{name}", tables.ITEMS, (row for one in found for row in tables.item_rows(one, veil)), name
        )
    pages = [] if veil.drawn else [name for name in PAGES if f"data/{name}" in files.names()]
    for name in pages:
        folder.add(name, read(files, f"data/{name}"))
    listed = [(each.name, each.control, each.sha256, each.rows) for each in folder.written]
    folder.table("evidence-index", tables.INDEX, tables.index_rows(handed, veil, listed))
    folder.add("README.txt", _readme(handed, veil, said, folder.written).encode())
    sums = "".join(f"{each.sha256}  {each.name}\n" for each in sorted(folder.written, key=lambda each: each.name))
    folder.add("sha256sums.txt", sums.encode())
    draft.rename(out)
    return folder.written


class _Folder:
    """Writes files of at most ``limit`` bytes: a longer table goes on in ``<name>-2.csv``, with the heading again."""

    def __init__(self, root: Path, limit: int) -> None:
        self.written: list[Written] = []
        self._root, self._limit = root, limit

    def add(self, name: str, body: bytes, control: str = "", rows: int | None = None) -> None:
        if len(body) > self._limit:
            raise PacketRefusedError(
                f"{name} has {len(body)} bytes, over {self._limit}", fix="hand the packet itself over"
            )
        (self._root / name).write_bytes(body)
        self.written.append(Written(name, control, hashlib.sha256(body).hexdigest(), rows))

    def table(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]], control: str = "") -> None:
        lines = csv_lines(columns, rows)
        heading = next(lines)
        part, held, size = 1, [heading], len(heading)
        for line in lines:
            if size + len(line) > self._limit and len(held) > 1:
                self._part(name, part, held, control)
                part, held, size = part + 1, [heading], len(heading)
            held.append(line)
            size += len(line)
        self._part(name, part, held, control)

    def _part(self, name: str, part: int, lines: Sequence[bytes], control: str) -> None:
        file = f"{name}.csv" if part == 1 else f"{name}-{part}.csv"
        self.add(file, b"".join(lines), control, len(lines) - 1)


def _control(files: BagFiles, name: str) -> Control:
    sql = {part: read(files, f"{_CONTROLS}{name}/{part}.sql").decode() for part in ("population", "control")}
    body = tomllib.loads(read(files, f"{_CONTROLS}{name}/control.toml").decode())
    return Control(**body, population_sql=sql["population"], control_sql=sql["control"], content_sha256="")


def _exhibits(files: BagFiles) -> Iterator[Exhibit]:
    for folder in exhibit_folders(files):
        entry = Entry.from_bytes(read(files, f"{folder}/{ENTRY}"))
        name = f"{folder}/{object_name(entry)}"
        body = read(files, name, limit=canonical.MAX_BYTES)
        digest = canonical.sha256_hex(body)
        snapshot = (
            SnapshotFact.from_manifest(canonical.decode(body, what=name), digest, 0)
            if entry.type == "snapshot"
            else None
        )
        yield Exhibit(folder, entry.type, name, digest, snapshot)


def _register(files: BagFiles, name: str) -> Sequence[Mapping[str, Any]]:
    path = f"{_CONTROLS}registers/{name}.toml"
    return parse_register(name, tomllib.loads(read(files, path).decode()), path) if path in files.names() else ()


def _readme(handed: Handed, veil: Veil, said: Sequence[str], written: Sequence[Written]) -> str:
    counts = {each.name: each.rows for each in written if each.rows is not None}
    lines = [
        f"Hand-over of {handed.packet_id}, {handed.period}, for: {veil.audience}",
        "",
        "Copies for reading and for tools, made from a verified packet. The packet is the evidence: its seal, proofs and rows are not",
        "here. Text that a spreadsheet would take for a formula has an apostrophe before it; characters nobody sees are written \\u{...}.",
        "It is evidence, not an opinion: a conclusion about a requirement belongs to the reader.",
        "",
        "controls.csv         one row a control: what is tested, its owner, and the conclusion for the period",
        "tests.csv            one row a control and night",
        "issues.csv           one row an exception or open review of the period, with management's answer",
        "requests.csv         requests with status, answer and exhibits",
        "evidence-index.csv   every piece of evidence: our id, theirs, period, effective date, owner, SHA-256",
        "controls/ID.csv      one control night by night: its result, exceptions, reviews. A long one goes on in ID-2.csv",
        "sha256sums.txt       sha256sum -c sha256sums.txt",
        "",
        *(f"{name}: {count} rows" for name, count in sorted(counts.items()) if "/" not in name),
    ]
    if veil.drawn:
        lines += [
            "",
            "For customers: people are written person-..., items item-..., the same word for the same name in every hand-over under this",
            "workspace's key; free text, observed values and fingerprints are withheld; registers are left out of the index; there are no pages.",
        ]
    return "\n".join([*lines, *(["", *said] if said else [])]) + "\n"

"""Step 4: findings + evidence -> a signed bag, as a folder and as a deterministic zip (docs/formats/packet.md).

In this order: check the exhibits against the log; write findings and evidence; render HTML and PDF purely from values;
sign the PDF; close the bag; sign its tag manifest; zip. Before signing everything is deterministic: the same inputs give
the same bytes. A packet whose evidence is missing, unverifiable or provisional is refused, or made *partial*: then every
page says PROVISIONAL and the omissions are listed.
"""

import datetime as dt
import hashlib
import json
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

from evidence.bag.bag import SIGNATURE, STAMPED, TIMESTAMP, BagWriter
from evidence.bag.exhibit import ENTRY, PROOF, check_sealed, folder_of, object_name, part_names
from evidence.bag.files import FolderFiles
from evidence.bag.findings import FINDINGS, canonical_night, findings_pieces
from evidence.bag.rotations import Handover, keys_of
from evidence.bag.validation import list_name
from evidence.bag.zip import write_zip
from evidence.control.measure import Measured
from evidence.control.requests import Request
from evidence.control.result import NightFinding, PeriodFinding, streamed
from evidence.errors import EvidenceError, PacketRefusedError, TimestampError
from evidence.render import html, pdf, trends
from evidence.render.campaign import AccessReview
from evidence.render.exports import engines, exported, tabled
from evidence.render.inputs import (
    NOT_LOOKED_FOR,
    Before,
    Catalogue,
    Content,
    ControlText,
    LogState,
    RecordFact,
    Response,
    Seal,
    SnapshotFact,
)
from evidence.render.looks import PLAIN, Looks
from evidence.render.nightly import NightFacts
from evidence.render.records import count, csv_pieces
from evidence.render.report import Report
from evidence.signing.cades import sign_detached
from evidence.signing.certificate import PacketKey
from evidence.signing.pades import Pades, sign_pdf
from evidence.signing.timestamp import attach_token, response_der, stamped_part
from evidence.snapshot import canonical
from evidence.snapshot.entry import RECORDS, Entry
from evidence.snapshot.manifest import Manifest
from evidence.snapshot.model import Part
from evidence.tlog.note import Verifier
from evidence.tlog.proof import parse_consistency

_BLOCK: Final = 1 << 20  # bytes
ATTACHED: Final = 64 << 20  # bytes of findings that the PDF carries, too; of more it names the digest
Progress = Callable[[str], None]
Stamper = Callable[[bytes], bytes]  # content -> a verified RFC 3161 token over its SHA-256; raises TimestampError


@dataclass(frozen=True, slots=True)
class ExhibitInput:
    """One sealed object to exhibit.

    ``entry`` are the exact bytes of log entry ``index``, ``proof`` the text of its inclusion proof under the packet's
    checkpoint, ``body`` the bytes of the object it names (a manifest, an assessment, a register). ``parts`` maps store
    paths to verified private copies. ``settled`` is False while late rows may still come. Without ``rows`` only the manifest
    is exhibited, because nothing but the receipt was looked at: the parts are referenced by digest. So are they, though read
    and verified, where they are not to be ``carried``.
    """

    entry: bytes
    index: int
    proof: str
    body: bytes
    parts: Mapping[str, Path] = field(default_factory=dict)
    settled: bool = True
    rows: bool = True
    carried: bool = True


@dataclass(frozen=True, slots=True)
class PacketInputs:
    """Everything a packet is made of. Pure values and paths of verified copies; no store, no source.

    ``content_files`` go below ``data/controls/`` (facts, registers, overlay, library.toml). ``previous`` is the signed
    checkpoint of the previous packet and the consistency proof from it. ``exhibit_limit`` is in bytes: above it the parts
    of all snapshots are referenced instead of carried. ``rotations`` show how the log came to ``log_key``, oldest first.
    ``revocation_lists`` (DER) are carried for those who verify offline; ``pades`` is what else the PDF's signature is to have.
    """

    report: Report
    entity: str
    system_name: str
    period: str
    start: dt.date
    end: dt.date
    prepared_by: str
    tool: str
    controls: Sequence[ControlText]
    periods: Sequence[PeriodFinding]
    nights: Sequence[NightFinding]
    catalogues: Sequence[Catalogue]
    exhibits: Sequence[ExhibitInput]
    log_key: Verifier
    checkpoint: str
    previous: tuple[str, str] | None = None
    rotations: Sequence[Handover] = ()
    revocation_lists: Sequence[bytes] = ()
    pades: Pades = field(default_factory=Pades)
    system: Mapping[str, Any] | None = None
    content_files: Mapping[str, bytes] = field(default_factory=dict)
    blind_spots: tuple[str, ...] = ()
    exhibit_limit: int = 256 << 20
    demo: bool = False
    responses: Sequence[Response] = ()
    request: Request | None = None
    before: Before = NOT_LOOKED_FOR
    measured: Sequence[Measured] = ()
    review: AccessReview | None = None
    night: NightFacts | None = None
    looks: Looks = PLAIN


@dataclass(frozen=True, slots=True)
class Packet:
    """What was made: the id, the folder, the zip and what had to be left out."""

    packet_id: str
    folder: Path
    zip: Path
    omissions: tuple[str, ...]


def build_packet(
    inputs: PacketInputs,
    key: PacketKey,
    out: Path,
    templates: Path,
    *,
    signed_at: dt.datetime,
    stamp: Stamper | None = None,
    partial: bool = False,
    progress: Progress = lambda _: None,
) -> Packet:
    """Write the packet below ``out`` and return it; ``templates`` is the content folder of that name.

    Raises ``PacketRefusedError`` naming what is missing, unverifiable or provisional unless ``partial``; nothing is left
    behind half-written under the final name then. ``stamp`` time-stamps the seal; ``TimestampError`` of it refuses the packet
    too, unless ``partial``: then it is an omission and the time stays unproven.
    """
    progress("checking exhibits against the log")
    proved, faults = _prove(inputs)
    omissions = tuple(_omissions(inputs, proved, faults))
    if omissions and not partial:
        shown = "; ".join(omissions[:3]) + (f" and {len(omissions) - 3} more" if len(omissions) > 3 else "")
        raise PacketRefusedError(
            f"the packet would rest on gaps: {shown}", fix="collect and assess the gaps, or --partial"
        )
    packet_id, bag = _begun(inputs, out)
    folder, final = bag.root, out / packet_id
    rows = bag.add("findings.csv", csv_pieces(inputs.periods))
    content = _content(inputs, key, packet_id, omissions, rows, TIMESTAMP if stamp else "")
    extra = replace(inputs.pades, lists=tuple(inputs.revocation_lists))
    signing = _Signing(key, templates, signed_at, stamp, extra, partial=partial)
    with pdf.Rendering(html.render_print(content, templates), content.end) as rendering:  # laid out meanwhile
        if "trends" in inputs.report.shown:
            bag.add("trends.json", trends.as_json(content))
        if inputs.request is not None:
            bag.add("request.json", canonical.encode(inputs.request.to_json()))
        for name, body in sorted(inputs.looks.files.items()):
            bag.add(name, body)
        progress("writing evidence")
        _write_evidence(bag, inputs, proved, progress)
        for name, pieces in chain(exported(content, bag.digests), tabled(content, out)):
            bag.add(name, pieces)
        omissions = (*omissions, *_add_pages(bag, content, rendering, signing, progress))
    omissions = (*omissions, *_seal(bag, content, signing, progress))
    folder.rename(final)
    progress("writing the zip")
    zip_path = out / f"{packet_id}.zip"
    temporary = out / f".{packet_id}.zip.partial"
    with temporary.open("wb+") as handle:
        write_zip(FolderFiles(final), handle, packet_id)
    temporary.rename(zip_path)
    return Packet(packet_id, final, zip_path, omissions)


def _begun(inputs: PacketInputs, out: Path) -> tuple[str, BagWriter]:
    """Return the packet's id and its bag, begun with the findings: these are spelled once, and the id is made of them."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=out) as findings:
        findings.writelines(findings_of(inputs))
        findings.seek(0)
        packet_id = _packet_id(inputs, hashlib.file_digest(findings, "sha256").hexdigest())
        if (out / packet_id).exists():
            raise PacketRefusedError(
                f"{out / packet_id} exists already", fix="packets are never overwritten: choose another --out"
            )
        folder = out / f".{packet_id}.partial"
        _remove_tree(folder)
        bag = BagWriter(folder)
        findings.seek(0)
        bag.add("findings.json", iter(lambda: findings.read(_BLOCK), b""))
    return packet_id, bag


def findings_of(inputs: PacketInputs) -> Iterator[bytes]:
    """Yield ``data/findings.json`` piece by piece. Raises ``MalformedError`` where it would be longer than anybody reads."""
    periods = sorted(inputs.periods, key=lambda f: (f.control, f.start))
    nights = sorted(inputs.nights, key=lambda f: (f.control, f.night))
    return findings_pieces(
        inputs.start.isoformat(),
        inputs.end.isoformat(),
        map(streamed, periods),
        (canonical_night(streamed(finding)) for finding in nights),
    )


@dataclass(frozen=True, slots=True)
class _Proved:
    """An exhibit that was verified. ``parts`` are the files of a snapshot by their name in the exhibit's folder.

    ``referenced``: it has parts that are not to be carried.
    """

    exhibit: ExhibitInput
    entry: Entry
    parts: Mapping[str, Part]
    referenced: bool = False


def _prove(inputs: PacketInputs) -> tuple[list[_Proved], list[str]]:
    """Return the exhibits that verify, by log index, and what of the others does not."""
    proved: list[_Proved] = []
    faults: list[str] = []
    for exhibit in sorted(inputs.exhibits, key=lambda e: e.index):
        try:
            proved.append(_prove_exhibit(inputs, exhibit))
        except (EvidenceError, OSError) as exc:
            faults.append(f"log entry {exhibit.index} is not verifiable: {exc}")
    return proved, faults


def _prove_exhibit(inputs: PacketInputs, exhibit: ExhibitInput) -> _Proved:
    entry = check_sealed(exhibit.entry, exhibit.index, exhibit.body, exhibit.proof, [inputs.log_key], inputs.checkpoint)
    parts = part_names(Manifest.from_bytes(exhibit.body)) if entry.type == "snapshot" else {}
    if not exhibit.rows:
        return _Proved(exhibit, entry, {}, referenced=bool(parts))
    for part in parts.values():
        path = exhibit.parts.get(part.path)
        if path is None:
            raise PacketRefusedError(f"{part.path} is missing")
        with path.open("rb") as handle:
            if hashlib.file_digest(handle, "sha256").hexdigest() != part.sha256:
                raise PacketRefusedError(f"{part.path} is not the file its manifest names")
    return _Proved(exhibit, entry, parts) if exhibit.carried else _Proved(exhibit, entry, {}, referenced=bool(parts))


def _omissions(inputs: PacketInputs, proved: Sequence[_Proved], faults: Sequence[str]) -> Iterator[str]:
    """Say what a packet of ``inputs`` would leave unproved: the log, exhibits, inputs without exhibit, findings."""
    try:
        keys = keys_of(inputs.rotations, inputs.log_key, inputs.checkpoint)
        if inputs.previous:
            parse_consistency(inputs.previous[1]).verify(inputs.previous[0], [key for _, key in keys])
    except EvidenceError as exc:
        yield f"the log's checkpoint does not verify: {exc}"
    yield from faults
    yield from (
        f"{p.entry.key} is provisional: late rows may still come"
        for p in proved
        if p.exhibit.rows and not p.exhibit.settled
    )
    manifests = {canonical.sha256_hex(p.exhibit.body) for p in proved}
    for night in inputs.nights:
        for item in night.inputs:
            if item.manifest_sha256 not in manifests:
                yield f"{night.control} {night.night}: {item.source} {item.dataset} {item.night} has no exhibit"
    yield from _missing_findings(inputs)


def _missing_findings(inputs: PacketInputs) -> Iterator[str]:
    concluded = {finding.control for finding in inputs.periods}
    have = {(finding.control, finding.night.isoformat()) for finding in inputs.nights}
    for control in inputs.controls:
        if control.id not in concluded:
            yield f"{control.id} has no finding for the period"
    for finding in inputs.periods:
        missing = [
            n for n, status in finding.strip.items() if status != "not-assessed" and (finding.control, n) not in have
        ]
        if missing:
            yield f"{finding.control}: {len(missing)} nights are concluded without a night finding, first {missing[0]}"


def _packet_id(inputs: PacketInputs, findings: str) -> str:
    """Return the id; ``findings`` is the SHA-256 of its findings."""
    named = [inputs.report.name, inputs.entity, inputs.period, inputs.checkpoint, findings]
    digest = hashlib.sha256(canonical.encode(named)).hexdigest()
    period = inputs.period.replace("..", "_").replace("-", "")
    return f"PKT-{period}-{inputs.report.name}-{digest[:8]}"


def _write_evidence(bag: BagWriter, inputs: PacketInputs, proved: Sequence[_Proved], progress: Progress) -> None:
    """Write exhibits, control content and log files; exhibits that do not verify are omissions by now."""
    total = sum(part.size for each in proved for part in each.parts.values())
    carried = total <= inputs.exhibit_limit
    if not carried:
        progress(f"evidence has {total} bytes: referenced by digest")
    _write_exhibits(bag, proved, carried=carried)
    contents = {f"{c.id}/{name}": body for c in inputs.controls for name, body in c.files.items()}
    for name, body in sorted({**contents, **inputs.content_files}.items()):
        bag.add(f"controls/{name}", body)
    bag.add("log/checkpoint", inputs.checkpoint.encode())
    bag.add("log/key", (inputs.log_key.to_text() + "\n").encode())
    for body in inputs.revocation_lists:
        bag.add(list_name(hashlib.sha256(body).hexdigest()), body)
    for handover in inputs.rotations:
        for name, body in handover.files().items():
            bag.add(name, body)
    if inputs.previous:
        bag.add("log/previous-checkpoint", inputs.previous[0].encode())
        bag.add("log/consistency-from-previous", inputs.previous[1].encode())


def _write_exhibits(bag: BagWriter, proved: Sequence[_Proved], *, carried: bool) -> None:
    referenced: list[str] = []
    for each in proved:
        exhibit, folder = each.exhibit, folder_of(each.entry, each.exhibit.index)
        bag.add(f"{folder}/{ENTRY}", exhibit.entry)
        bag.add(f"{folder}/{object_name(each.entry)}", exhibit.body)
        bag.add(f"{folder}/{PROOF}", exhibit.proof.encode())
        if carried:
            for name, part in each.parts.items():
                bag.add(f"{folder}/{name}", exhibit.parts[part.path])
        if each.referenced or (not carried and each.entry.type == "snapshot"):
            referenced.append(f"data/{folder}\n")
    if referenced:
        bag.add("evidence/referenced.txt", "".join(referenced).encode())


def _content(
    inputs: PacketInputs, key: PacketKey, packet_id: str, omissions: tuple[str, ...], rows: bytes | str, stamp: str = ""
) -> Content:
    origin, size, root = inputs.checkpoint.split("\n")[:3]
    facts = [_fact(exhibit) for exhibit in inputs.exhibits]
    used = {finding.control: finding for finding in inputs.periods}
    return Content(
        packet_id=packet_id,
        report=inputs.report,
        entity=inputs.entity,
        system_name=inputs.system_name,
        period=inputs.period,
        start=inputs.start,
        end=inputs.end,
        prepared_by=inputs.prepared_by,
        tool=inputs.tool,
        controls=tuple(control for control in inputs.controls if control.id in used),
        unconcluded=tuple(control for control in inputs.controls if control.id not in used),
        periods=tuple(inputs.periods),
        nights=tuple(inputs.nights),
        snapshots=tuple(fact for fact in facts if isinstance(fact, SnapshotFact)),
        catalogues=tuple(c for c in inputs.catalogues if c.id in inputs.report.frameworks),
        log=LogState(origin, int(size), root, hashlib.sha256(inputs.checkpoint.encode()).hexdigest()),
        seal=Seal(key.subject, key.fingerprint, inputs.demo, stamp),
        system=inputs.system,
        blind_spots=inputs.blind_spots,
        omissions=omissions,
        findings_csv_sha256=rows if isinstance(rows, str) else hashlib.sha256(rows).hexdigest(),
        findings_csv_rows=count(inputs.periods),
        responses=tuple(inputs.responses),
        request=inputs.request,
        before=inputs.before,
        measured=tuple(inputs.measured),
        review=inputs.review,
        night=inputs.night,
        looks=inputs.looks,
        records=tuple(fact for fact in facts if isinstance(fact, RecordFact)),
    )


def _fact(exhibit: ExhibitInput) -> SnapshotFact | RecordFact | None:
    """Return what the pages say of a snapshot or of a record of the store; None of other content, and of what is listed as an omission."""
    try:
        entry, body = Entry.from_bytes(exhibit.entry), exhibit.body
        if entry.type == "snapshot":
            fact = SnapshotFact.from_manifest(json.loads(body), canonical.sha256_hex(body), exhibit.index)
            return replace(fact, finality="settled") if exhibit.settled else fact
        if entry.type in RECORDS:
            judged_at = canonical.decode(body).get("known_at", "") if entry.type == "assessment" else ""
            folder = f"data/{folder_of(entry, exhibit.index)}"
            return RecordFact(canonical.sha256_hex(body), folder, exhibit.index, judged_at)
    except (EvidenceError, ValueError, KeyError):
        pass
    return None


@dataclass(frozen=True, slots=True)
class _Signing:
    """What the PDF and the bag are signed with."""

    key: PacketKey
    templates: Path
    signed_at: dt.datetime
    stamp: Stamper | None
    extra: Pades
    partial: bool


def _add_pages(
    bag: BagWriter, content: Content, rendering: pdf.Rendering, signing: _Signing, progress: Progress
) -> list[str]:
    """Render the HTML, sign the PDF; return what had to be left out."""
    templates = signing.templates
    progress("rendering the HTML")
    for name in ("VERIFY.md", "verify.sh", *(("PROVISIONAL.txt",) if content.omissions else ())):
        bag.add(name, html.render_text(content, templates, f"{name}.j2"))
    page = html.render_screen(content, templates)
    bag.add("packet.html", page)
    progress("rendering the PDF")
    rendered = rendering.finish(list(_attachments(bag)))
    progress("signing")
    signed, omissions = _sign_pdf(rendered.body, content.entity, signing)
    bag.add("packet.pdf", signed)
    bag.add("render.json", canonical.encode(_render_facts(content, rendered, page)))
    return omissions


def _attachments(bag: BagWriter) -> Iterator[pdf.Attachment]:
    """Yield what is in the PDF beside its pages: the digests, and the findings where they are no longer than a reader opens."""
    digests = canonical.encode(dict(bag.digests))
    yield pdf.Attachment("evidence-digests.json", "SHA-256 of every other payload file", digests, "Supplement")
    findings = bag.root / FINDINGS
    if findings.stat().st_size <= ATTACHED:
        yield pdf.Attachment("findings.json", "Canonical findings", findings, "Data")


def _seal(bag: BagWriter, content: Content, signing: _Signing, progress: Progress) -> list[str]:
    """Close the bag, sign and time-stamp it. What is signed says that a stamp lies beside, so that taking it away is found."""
    if signing.stamp is None:
        _sign_bag(bag, content, signing, {})
        return []
    progress("time-stamping")
    _sign_bag(bag, content, signing, {STAMPED: TIMESTAMP})
    try:
        _time_stamp(bag.root / SIGNATURE, bag.root / TIMESTAMP, signing.stamp)
    except TimestampError as exc:
        if not signing.partial:
            raise
        _sign_bag(bag, content, signing, {})
        return [f"time not proven: {exc}"]
    return []


def _sign_bag(bag: BagWriter, content: Content, signing: _Signing, more: Mapping[str, str]) -> None:
    tagmanifest = bag.close(
        {
            "Source-Organization": _printable(content.entity),
            "Bagging-Date": signing.signed_at.date().isoformat(),
            "External-Identifier": content.packet_id,
            "External-Description": _printable(
                f"{'PROVISIONAL: ' if content.omissions else ''}{content.report.title}, {content.period}"
            ),
            **more,
        }
    )
    (bag.root / SIGNATURE).write_bytes(sign_detached(tagmanifest, signing.key, signing.signed_at))


def _sign_pdf(pdf: bytes, entity: str, signing: _Signing) -> tuple[bytes, list[str]]:
    words: dict[str, Any] = {"name": entity[:100], "reason": "Seal of the entity"}
    try:
        return sign_pdf(pdf, signing.key, **words, stamp=signing.stamp, extra=signing.extra), []
    except TimestampError as exc:
        if not signing.partial:
            raise
        return sign_pdf(pdf, signing.key, **words), [f"the PDF's time is not proven: {exc}"]


def _time_stamp(signature: Path, response: Path, stamp: Stamper) -> None:
    """Stamp the signature value into the signature (CAdES-T), then the whole signature file beside it: both or none."""
    made = signature.read_bytes()
    made = attach_token(made, stamp(stamped_part(made)))
    outer = response_der(stamp(made))
    signature.write_bytes(made)
    response.write_bytes(outer)


def _render_facts(content: Content, rendered: pdf.Rendered, page: bytes) -> dict[str, Any]:
    return {
        "format": "evidence-render-v1",
        "packet": content.packet_id,
        "tool": content.tool,
        "engines": {**rendered.engines, "zlib": zlib.ZLIB_RUNTIME_VERSION, **engines()},  # zlib: of the annex, too
        "pages": rendered.pages,
        "unsigned_pdf": {"length": len(rendered.body), "sha256": hashlib.sha256(rendered.body).hexdigest()},
        "html_sha256": hashlib.sha256(page).hexdigest(),
        **content.looks.to_json(),
    }


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _remove_tree(folder: Path) -> None:
    """Remove what an earlier, interrupted run left; the name is ours alone."""
    import shutil

    if folder.exists():
        shutil.rmtree(folder)

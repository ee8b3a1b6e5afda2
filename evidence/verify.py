"""Step 5: a packet or a store, and a key -> what is proved, what failed, and what was not checked. Offline, reads only.

Standard library, cryptography and asn1crypto are all it needs. The steps of a packet, in this order:

 1  open          the folder or zip can be read without leaving it; names are plain and unique
 2  closed set    exactly the files the manifests name, and the signature files beside them
 3  digests       tag manifest over tag files, manifest over payload
 4  seal          CAdES signature over the tag manifest, chained to the given certificate
 5  pdf           one signature that covers the whole file and forbids changes, by the same certificate; unsigned prefix
 6  zip           a zip equals its own re-encoding
 7  log           the checkpoint is signed by the log's key; consistency from the previous packet
 8  exhibits      manifest or object digest <- log entry <- inclusion proof <- signed checkpoint; parts <- manifest
 9  findings      each input of the findings is an exhibit; each night finding is in an assessment sealed in the log
10  not proved    what this verification does not show, said aloud

A failed step does not stop the later ones that can still run: the reader wants all faults, each with its file.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from cryptography import x509

from evidence.bag import check
from evidence.bag.bag import SIGNATURE, TAGMANIFEST, TIMESTAMP
from evidence.bag.exhibit import Exhibit, exhibit_folders, inputs_of, read_exhibit, read_referenced, unaccounted
from evidence.bag.files import MAX_SMALL, BagFiles, FolderFiles, ZipFiles, read, read_text
from evidence.bag.findings import canonical_night
from evidence.bag.rotations import KEY as LOG_KEY
from evidence.bag.rotations import packet_keys
from evidence.bag.validation import carried_lists
from evidence.bag.zip import equals_reencoding
from evidence.errors import EvidenceError, MalformedError, VerificationError
from evidence.signing.certificate import load_certificates
from evidence.signing.cms import Signed, verify_detached, verify_pdf
from evidence.signing.revocation import Moment, judge_chain, load_carried, load_list
from evidence.signing.timestamp import LIMIT, Judged, judge_pdf, judge_signature, judge_stamps
from evidence.snapshot import canonical
from evidence.snapshot.check import Check, Verification
from evidence.store.check import Judge, check_store
from evidence.store.local import LocalStore
from evidence.store.objects import ObjectStore
from evidence.tlog.note import Verifier, parse_verifier
from evidence.tlog.proof import parse_consistency
from evidence.tlog.rotation import LogKeys

CHECKPOINT: Final = "data/log/checkpoint"
PREVIOUS: Final = "data/log/previous-checkpoint"
CONSISTENCY: Final = "data/log/consistency-from-previous"
FINDINGS: Final = "data/findings.json"
PDF: Final = "data/packet.pdf"
RENDER: Final = "data/render.json"
MAX_PDF: Final = 256 << 20  # bytes held in memory; ours have up to about 30 MiB
MAX_FAULTS: Final = 10_000  # faults listed of one step; a packet of nothing but faults must not fill the memory
# The parsers below raise declared errors (fuzzed); should one not, hostile bytes still end in a failed check, never in a pass.
_FAULTS: Final = (Exception,)
_LAST: Final = ("time", "revocation")  # steps whose results are shown after the others


@dataclass(frozen=True, slots=True)
class Trust:
    """What the verifier was given: certificates of the packet's root (or of the seal itself), and keys of logs.

    ``checkpoint`` is a signed checkpoint kept outside. ``at`` is the moment the certificates must be valid at, unless a
    time-stamp that chains to ``authorities`` proves when the seal was made: then it is that moment.
    """

    certificates: Sequence[x509.Certificate]
    at: dt.datetime
    authorities: Sequence[x509.Certificate] = ()
    log_keys: Sequence[Verifier] = ()
    checkpoint: str | None = None
    lists: Sequence[x509.CertificateRevocationList] = ()


def verify_path(
    path: Path,
    *,
    certificates: Sequence[bytes],
    vkeys: Sequence[str],
    authorities: Sequence[bytes] = (),
    checkpoint: str | None = None,
    lists: Sequence[bytes] = (),
    at: dt.datetime | None = None,
) -> Verification:
    """Verify what lies at ``path``: a store when it looks like one, else a packet."""
    words: dict[str, Any] = {"checkpoint": checkpoint, "authorities": authorities, "lists": lists, "at": at}
    if is_store(path):
        return verify_store(path, vkeys, **words)
    return verify_packet(path, certificates=certificates, vkeys=vkeys, **words)


def is_store(path: Path) -> bool:
    """Say whether the folder at ``path`` is to be verified as a store; a packet has neither name."""
    return (path / "store.json").is_file() or (path / "log").is_dir()


def verify_packet(
    path: Path,
    *,
    certificates: Sequence[bytes],
    vkeys: Sequence[str] = (),
    checkpoint: str | None = None,
    at: dt.datetime | None = None,
    authorities: Sequence[bytes] = (),
    lists: Sequence[bytes] = (),
) -> Verification:
    """Verify the packet at ``path``, a folder or a zip. Raises nothing of what it looks for.

    ``certificates`` (PEM or DER) and ``vkeys`` (verifier keys of logs) are the trust carried outside; ``at`` is the moment
    the certificates must be valid at, now by default. ``authorities`` are certificates of time-stamp authorities: they judge
    time and nothing else. ``lists`` are revocation lists beside those the packet carries. Raises ``ConfigError`` or
    ``MalformedError`` for unreadable trust.
    """
    trusted = [one for body in certificates for one in load_certificates(body)]
    keys = [parse_verifier(text) for text in vkeys]
    stampers = [one for body in authorities for one in load_certificates(body, "time-stamp authority's certificate")]
    given = [load_list(body, "the given revocation list") for body in lists]
    trust = Trust(trusted, at or dt.datetime.now(dt.UTC), stampers, keys, checkpoint, given)
    return Verification(path.name, tuple(_packet_checks(path, trust)))


def verify_store(
    store: Path | ObjectStore,
    vkeys: Sequence[str] = (),
    *,
    checkpoint: str | None = None,
    authorities: Sequence[bytes] = (),
    at: dt.datetime | None = None,
    lists: Sequence[bytes] = (),
) -> Verification:
    """Verify a store, or the store in a folder: every commit record, object and tile (``evidence.store.check``).

    Of several ``vkeys`` those count that name this log, else all: then the step ``trust`` fails.
    Time-stamps of checkpoints are judged under ``authorities`` (certificates of time-stamp authorities), read at ``at``.
    """
    stampers = [one for body in authorities for one in load_certificates(body, "time-stamp authority's certificate")]
    now = at or dt.datetime.now(dt.UTC)
    opened: ObjectStore = LocalStore(store) if isinstance(store, Path) else store
    given = [load_list(body, "the given revocation list") for body in lists]
    judge = partial(_judge, stampers, given, now)
    return Verification(opened.url, tuple(_store_checks(opened, vkeys, checkpoint, judge)))


def _store_checks(store: ObjectStore, keys: Sequence[str], checkpoint: str | None, judge: Judge) -> Iterator[Check]:
    try:
        yield from check_store(store, trust=keys, checkpoint=checkpoint, judge=judge)
    except _FAULTS as exc:
        yield _failed("store", _said(exc), store.url)


def _judge(
    stampers: Sequence[x509.Certificate],
    lists: Sequence[x509.CertificateRevocationList],
    now: dt.datetime,
    body: bytes,
    content: bytes,
) -> tuple[bool | None, str]:
    results = judge_stamps([("the time-stamp", body, content)], stampers, now, lists).results
    return next((one for one in results if one[0] is False), results[0])


def _packet_checks(path: Path, trust: Trust) -> Iterator[Check]:
    try:
        files: BagFiles = FolderFiles(path) if path.is_dir() else ZipFiles(path)
    except _FAULTS as exc:
        yield _failed("open", _said(exc), path.name)
        return
    try:
        yield _proved("open", f"{len(files.names())} files, plain and unique names", path.name)
        yield from _faults("closed set", "exactly the files that are named", lambda: check.closed_set(files))
        yield from _faults("digests", "every tag file is as named", lambda: check.tag_digests(files), TAGMANIFEST)
        yield from _faults("digests", "every payload file is as named", lambda: check.payload_digests(files))
        trust = replace(trust, lists=[*trust.lists, *load_carried(carried_lists(files))])
        stamps = _stamps(files, trust)
        signatures = list(_signatures(files, replace(trust, at=stamps.at or trust.at), stamps, trust.at))
        yield from (one for one in signatures if one.step not in _LAST)
        if isinstance(files, ZipFiles):
            yield _zip(path)
        yield from _evidence(files, trust)
        yield from _not_proved(stamps, [one for one in signatures if one.step in _LAST])
    finally:
        if isinstance(files, ZipFiles):
            files.close()


def _said(exc: Exception) -> str:
    """Return the message of an expected failure, with the class of any other."""
    return str(exc) if isinstance(exc, EvidenceError) else f"{type(exc).__name__}: {exc}"


def _proved(step: str, detail: str, subject: str) -> Check:
    return Check(step=step, ok=True, detail=detail, subject=subject)


def _failed(step: str, detail: str, subject: str) -> Check:
    return Check(step=step, ok=False, detail=detail, subject=subject)


def _faults(
    step: str, proved: str, look: Callable[[], Iterator[tuple[str, str]]], subject: str = "manifest-sha256.txt"
) -> Iterator[Check]:
    """Run a check that yields (file, fault); one proved line when it yields none."""
    clean = True
    try:
        for count, (name, fault) in enumerate(look()):
            clean = False
            if count == MAX_FAULTS:
                yield _failed(step, f"over {MAX_FAULTS} faults: the rest is not listed", subject)
                break
            yield _failed(step, fault, name)
    except _FAULTS as exc:
        clean = False
        yield _failed(step, _said(exc), subject)
    if clean:
        yield _proved(step, proved, subject)


def _signatures(files: BagFiles, trust: Trust, stamps: Judged, now: dt.datetime) -> Iterator[Check]:
    seal: Signed | None = None
    try:
        seal = verify_detached(
            read(files, SIGNATURE, limit=MAX_SMALL),
            read(files, TAGMANIFEST, limit=MAX_SMALL),
            trust.certificates,
            trust.at,
        )
        yield _proved("seal", f"sealed by {seal.subject}, certificate SHA-256 {seal.certificate_sha256}", SIGNATURE)
        moment = Moment(trust.at, proved=stamps.at is not None, now=now)
        standing = judge_chain(seal.chain, trust.lists, moment)
        yield from (Check("revocation", ok, words, SIGNATURE) for ok, words in standing)
    except _FAULTS as exc:
        yield _failed("seal", _said(exc), SIGNATURE)
    try:
        body = read(files, PDF, limit=MAX_PDF)
        signed = verify_pdf(body, trust.certificates, trust.at)
        if seal is not None and signed.certificate_sha256 != seal.certificate_sha256:
            raise VerificationError("the PDF is signed by another certificate than the packet", step="certificate")
        yield _proved("pdf", "one signature over the whole file, no change allowed", PDF)
        yield _unsigned_prefix(files, body)
        stamp = judge_pdf(body, trust.authorities, now, trust.lists)
        yield from (Check("time", ok, words, PDF) for ok, words in stamp.results)
    except _FAULTS as exc:
        yield _failed("pdf", _said(exc), PDF)


def _unsigned_prefix(files: BagFiles, body: bytes) -> Check:
    stated = canonical.decode(read(files, RENDER, limit=MAX_SMALL), what=RENDER)["unsigned_pdf"]
    if type(stated["length"]) is not int or not 0 < stated["length"] <= len(body):
        return _failed("pdf", "render.json names a length that the PDF does not have", RENDER)
    if hashlib.sha256(body[: stated["length"]]).hexdigest() != stated["sha256"]:
        return _failed("pdf", "the PDF does not begin with the render that render.json names", RENDER)
    return _proved("pdf", f"its first {stated['length']} bytes are the render that render.json names", RENDER)


def _zip(path: Path) -> Check:
    try:
        same = equals_reencoding(path)
    except _FAULTS as exc:
        return _failed("zip", _said(exc), path.name)
    return Check(
        "zip", same, "equals its own re-encoding" if same else "is not the one spelling of its files", path.name
    )


def _evidence(files: BagFiles, trust: Trust) -> Iterator[Check]:
    try:
        signed = read_text(files, CHECKPOINT)
        keys, origin = _log_keys(files, trust, signed)
        key, head = keys.current, keys.open(signed)
    except _FAULTS as exc:
        yield _failed("log", _said(exc), CHECKPOINT)
        return
    yield _proved("log", f"checkpoint of {head.origin} at size {head.size} is signed by its key", CHECKPOINT)
    yield origin
    yield from _consistency(files, [one for _, one in keys], signed, trust)
    exhibits: dict[str, Exhibit] = {}
    yield from _exhibits(files, key, signed, exhibits)
    yield from _faults("findings", "every input is exhibited", lambda: _check_inputs(files, exhibits), FINDINGS)
    yield from _faults(
        "findings", "every night finding is sealed in the log", lambda: _check_nights(files, exhibits), FINDINGS
    )


def _log_keys(files: BagFiles, trust: Trust, signed: str) -> tuple[LogKeys, Check]:
    keys = packet_keys(files, signed)
    own = keys.current
    if not trust.log_keys:
        return keys, Check(
            "log", None, "no log key was given: the key is the packet's own, vouched for by its seal", LOG_KEY
        )
    if own in trust.log_keys:
        return keys, _proved("log", "the log's key is one that was given", LOG_KEY)
    for since, key in reversed(list(keys)):
        if key in trust.log_keys:
            return keys, _proved(
                "log", f"given key {key.to_text()} (since {since}) was handed over to the log's", LOG_KEY
            )
    raise VerificationError(
        f"the packet names log key {own.to_text()}, which was not given",
        step="log key",
        fix="a packet made before a rotation needs the key of its time: keep every log*.vkey in the trust folder",
    )


def _consistency(files: BagFiles, keys: Sequence[Verifier], signed: str, trust: Trust) -> Iterator[Check]:
    if PREVIOUS in files.names() or CONSISTENCY in files.names():
        try:
            proof = parse_consistency(read_text(files, CONSISTENCY))
            if proof.checkpoint != signed:
                raise VerificationError("the proof ends at another checkpoint", step="consistency")
            previous = read_text(files, PREVIOUS)
            proof.verify(previous, keys)
            yield _proved("log", f"continues the previous packet's log of size {proof.old}", CONSISTENCY)
            if trust.checkpoint is not None:
                yield _kept(previous, signed, trust.checkpoint)
        except _FAULTS as exc:
            yield _failed("log", _said(exc), CONSISTENCY)
    elif trust.checkpoint is not None:
        yield _kept("", signed, trust.checkpoint)


def _kept(previous: str, signed: str, kept: str) -> Check:
    if kept.split("\n")[:3] in (previous.split("\n")[:3], signed.split("\n")[:3]):
        return _proved("log", "the kept checkpoint is one this packet is proved to continue", CHECKPOINT)
    theirs, ours = kept.split("\n")[:2], signed.split("\n")[:2]
    if theirs == ours:
        return _failed("log", "the kept checkpoint has this size and another root: the history forked", CHECKPOINT)
    return Check("log", None, "the packet has no proof from the kept checkpoint: verify the store with it", CHECKPOINT)


def _exhibits(files: BagFiles, key: Verifier, signed: str, found: dict[str, Exhibit]) -> Iterator[Check]:
    known: set[str] = set()
    faults = 0
    try:
        referenced = read_referenced(files)
    except _FAULTS as exc:
        yield _failed("exhibits", _said(exc), "data/evidence/referenced.txt")
        return
    below: dict[str, set[str]] = {}  # looked up once: a packet of nothing but faults must not cost its square
    for name in files.names():
        below.setdefault(name.rpartition("/")[0], set()).add(name)
    for folder in exhibit_folders(files):
        try:
            found[folder], names = read_exhibit(files, folder, [key], signed, referenced)
            known |= names
        except _FAULTS as exc:
            faults += 1
            known |= below.get(folder, set())
            yield _failed("exhibits", _said(exc), folder)
    for name in unaccounted(files, known):
        faults += 1
        yield _failed("exhibits", "belongs to no exhibit: nothing ties it to the log", name)
    for folder in sorted(referenced - set(found)):
        faults += 1
        yield _failed("exhibits", "is referenced but has no manifest", folder)
    if not faults:
        yield _proved("exhibits", f"{len(found)} exhibits are in the log under the signed checkpoint", "data/evidence")
    absent = sum(1 for exhibit in found.values() if not exhibit.carried)
    if absent:
        detail = f"the rows of {absent} exhibits are referenced by digest only: check them in the store"
        yield Check("exhibits", None, detail, "data/evidence/referenced.txt")


def _check_inputs(files: BagFiles, exhibits: dict[str, Exhibit]) -> Iterator[tuple[str, str]]:
    known = inputs_of(exhibits)
    for night in _findings(files)["nights"]:
        for item in night["inputs"]:
            facts = (item["status"], item["rows"], item["rows_digest"])
            if facts not in known.get((item["source"], item["dataset"], item["night"]), set()):
                where = f"{item['source']} {item['dataset']} {item['night']}"
                yield FINDINGS, f"{night['control']} of {night['night']} rests on {where}, which is not exhibited"


def _check_nights(files: BagFiles, exhibits: dict[str, Exhibit]) -> Iterator[tuple[str, str]]:
    """Each night finding equals, in canonical form, one that an exhibited assessment sealed; and the strips agree."""
    sealed: dict[tuple[str, str], tuple[int, bytes]] = {}
    for exhibit in exhibits.values():
        if exhibit.entry.type == "assessment":
            body = canonical.decode(exhibit.body, what=exhibit.folder)
            for finding in body["findings"]:
                key, value = (
                    (finding["control"], finding["night"]),
                    (exhibit.index, canonical.encode(canonical_night(finding))),
                )
                sealed[key] = max(sealed.get(key, value), value)
    value = _findings(files)
    statuses: dict[tuple[str, str], str] = {}
    for night in value["nights"]:
        key = (night["control"], night["night"])
        statuses[key] = night["status"]
        if sealed.get(key, (0, b""))[1] != canonical.encode(night):
            yield FINDINGS, f"{key[0]} of {key[1]} is not the finding that was sealed"
    for period in value["periods"]:
        yield from ((FINDINGS, fault) for fault in _period_faults(period, statuses, set(sealed)))


def _period_faults(
    period: Mapping[str, Any], statuses: Mapping[tuple[str, str], str], sealed: Iterable[tuple[str, str]]
) -> Iterator[str]:
    """No sealed night is left out, the strip says what the nights say, and a failed night is not concluded away."""
    control, strip = period["control"], period["strip"]
    for name, night in sorted(sealed):
        if name == control and period["start"] <= night <= period["end"] and (name, night) not in statuses:
            yield f"{control} of {night} was sealed but is left out"
    for night, status in strip.items():
        if statuses.get((control, night), "not-assessed") != status:
            yield f"{control}: the strip says {status} for {night}, the night finding does not"
    found = {status for (name, night), status in statuses.items() if name == control}
    if "not-satisfied" in found and period["status"] != "not-satisfied":
        yield f"{control} has nights with exceptions, the period says {period['status']}"
    if period["status"] == "satisfied" and "satisfied" not in found:
        yield f"{control} is satisfied over the period without one satisfied night"


def _findings(files: BagFiles) -> Any:
    value = canonical.decode(read(files, FINDINGS, limit=canonical.MAX_BYTES), what=FINDINGS)
    if not isinstance(value, dict) or value.get("format") != "evidence-findings-v1":
        raise MalformedError(f"{FINDINGS} has an unknown format")
    return value


def _stamps(files: BagFiles, trust: Trust) -> Judged:
    try:
        response = read(files, TIMESTAMP, limit=LIMIT) if TIMESTAMP in files.names() else None
        return judge_signature(read(files, SIGNATURE), response, trust.authorities, trust.at, trust.lists)
    except _FAULTS as exc:
        return Judged(None, ((False, str(exc)),))


def _not_proved(stamps: Judged, standing: Sequence[Check]) -> Iterator[Check]:
    yield from (Check("time", ok, detail, SIGNATURE) for ok, detail in stamps.results)
    yield from sorted(standing, key=lambda one: _LAST.index(one.step))
    if not any(one.step == "revocation" for one in standing):
        yield Check("revocation", None, "revocation not checked: the seal does not verify", SIGNATURE)
    yield from (Check("revocation", None, words, TIMESTAMP) for words in stamps.unknown)
    yield Check(
        "re-performance", None, "findings not re-performed, pages not rendered again: use --reperform", FINDINGS
    )

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
10  sign-off      each statement of a person beside the packet is of this packet and signed; who is not independent
11  not proved    what this verification does not show, said aloud

A failed step does not stop the later ones that can still run: the reader wants all faults, each with its file.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from cryptography import x509

from evidence.bag import check
from evidence.bag.alone import check_alone, is_exhibit
from evidence.bag.approval import folder_beside, read_approvals
from evidence.bag.bag import MANIFEST, SIGNATURE, TAGMANIFEST, TIMESTAMP
from evidence.bag.chain import check_continues, open_chain
from evidence.bag.concluded import check_findings
from evidence.bag.files import MAX_SMALL, BagFiles, ZipFiles, open_bag, read
from evidence.bag.findings import FINDINGS
from evidence.bag.sealed import Exhibits
from evidence.bag.signoff import Seal, check_signoff
from evidence.bag.validation import carried_lists
from evidence.bag.zip import equals_reencoding
from evidence.errors import UsageError, VerificationError
from evidence.signing.certificate import load_certificates
from evidence.signing.cms import Signed, verify_detached, verify_pdf
from evidence.signing.encrypted import encrypted_for
from evidence.signing.lta import split
from evidence.signing.person import PersonTrust, is_demonstration, judge_person, name_of
from evidence.signing.revocation import Moment, judge_chain, load_carried, load_list
from evidence.signing.timestamp import LIMIT, Judged, judge_archived, judge_pdf, judge_signature, judge_stamps
from evidence.snapshot import canonical
from evidence.snapshot.check import FAULTS, Check, Verification, failed, from_faults, proved, said, unmade
from evidence.store.check import check_store
from evidence.store.local import LocalStore
from evidence.store.objects import ObjectStore
from evidence.tlog.cosignature import is_cosigner, parse_cosigner
from evidence.tlog.note import Verifier, parse_verifier

PDF: Final = "data/packet.pdf"
RENDER: Final = "data/render.json"
PROVISIONAL: Final = "data/PROVISIONAL.txt"
_LAST: Final = ("time", "revocation")  # steps whose results are shown after the others
MAX_PDF: Final = 256 << 20  # bytes held in memory; ours have up to about 30 MiB


@dataclass(frozen=True, slots=True)
class Trust:
    """What the verifier was given: certificates of the packet's root (or of the seal itself), and keys of logs.

    ``checkpoint`` is a signed checkpoint kept outside. ``people`` vouch for approvals, beside the ``certificates``. ``at`` is the moment the certificates must be valid at, unless a
    time-stamp that chains to ``authorities`` proves when the seal was made: then it is that moment.
    """

    certificates: Sequence[x509.Certificate]
    at: dt.datetime
    authorities: Sequence[x509.Certificate] = ()
    log_keys: Sequence[Verifier] = ()
    checkpoint: str | None = None
    lists: Sequence[x509.CertificateRevocationList] = ()
    people: Sequence[x509.Certificate] = ()


def verify_path(
    path: Path | ObjectStore,
    *,
    certificates: Sequence[bytes],
    vkeys: Sequence[str],
    authorities: Sequence[bytes] = (),
    checkpoint: str | None = None,
    lists: Sequence[bytes] = (),
    at: dt.datetime | None = None,
    since: bool = False,
    mirror: Path | ObjectStore | None = None,
    people: Sequence[bytes] = (),
    jobs: int = 1,
) -> Verification:
    """Verify what lies at ``path``: a store when it looks like one, one exhibit when it looks like that, else a packet.

    Raises ``UsageError`` for ``since`` and ``mirror`` with anything but a store.
    """
    words: dict[str, Any] = {
        "checkpoint": checkpoint,
        "authorities": authorities,
        "lists": lists,
        "at": at,
        "jobs": jobs,
    }
    if not isinstance(path, Path) or is_store(path):
        return verify_store(path, vkeys, **words, since=since, mirror=mirror)
    if since or mirror is not None:
        raise UsageError("--since and --mirror take a store", fix="name the folder that holds store.json")
    if is_exhibit(path):
        return verify_exhibit(path, vkeys, checkpoint=checkpoint, jobs=jobs)
    return verify_packet(path, certificates=certificates, vkeys=vkeys, people=people, **words)


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
    people: Sequence[bytes] = (),
    jobs: int = 1,
) -> Verification:
    """Verify the packet at ``path``, a folder or a zip. Raises nothing of what it looks for.

    ``certificates`` (PEM or DER) and ``vkeys`` (verifier keys of logs) are the trust carried outside; ``at`` is the moment
    the certificates must be valid at, now by default. ``authorities`` are certificates of time-stamp authorities: they judge
    time and nothing else. ``people`` vouch for approvals, and for nothing else. ``lists`` are revocation lists beside those the packet carries. ``jobs`` files are hashed at a time;
    what is said does not depend on it. Raises ``ConfigError`` or ``MalformedError`` for unreadable trust.
    """
    trusted = [one for body in certificates for one in load_certificates(body)]
    keys = [parse_verifier(text) for text in vkeys if not is_cosigner(text)]
    stampers = [one for body in authorities for one in load_certificates(body, "time-stamp authority's certificate")]
    given = [load_list(body, "the given revocation list") for body in lists]
    persons = [one for body in people for one in load_certificates(body, "certificate of people")]
    trust = Trust(trusted, at or dt.datetime.now(dt.UTC), stampers, keys, checkpoint, given, persons)
    return Verification(path.name, tuple(_packet_checks(path, trust, jobs)))


def verify_exhibit(path: Path, vkeys: Sequence[str], *, checkpoint: str | None = None, jobs: int = 1) -> Verification:
    """Verify one exhibit taken out of a packet, a folder or one of its files, with its own proof (``evidence.bag.alone``)."""
    keys = [parse_verifier(text) for text in vkeys if not is_cosigner(text)]
    return Verification(path.name, tuple(check_alone(path, keys, checkpoint, jobs)))


def verify_store(
    store: Path | ObjectStore,
    vkeys: Sequence[str] = (),
    *,
    checkpoint: str | None = None,
    authorities: Sequence[bytes] = (),
    at: dt.datetime | None = None,
    lists: Sequence[bytes] = (),
    since: bool = False,
    mirror: Path | ObjectStore | None = None,
    jobs: int = 1,
) -> Verification:
    """Verify a store, or the store in a folder: every commit record, object and tile (``evidence.store.check``).

    Of several ``vkeys`` those count that name this log, else all: then the step ``trust`` fails.
    Time-stamps of checkpoints are judged under ``authorities`` (certificates of time-stamp authorities), read at ``at``.
    With ``since`` only what was committed after ``checkpoint`` is checked; ``mirror`` is a second copy to compare with.
    Raises ``UsageError`` for ``since`` without a checkpoint.
    """
    if since and checkpoint is None:
        raise UsageError("--since needs the checkpoint to begin at", fix="add --checkpoint FILE")
    stampers = [one for body in authorities for one in load_certificates(body, "time-stamp authority's certificate")]
    opened = _opened(store)
    witnesses = [parse_cosigner(text) for text in vkeys if is_cosigner(text)]
    given = [load_list(body, "the given revocation list") for body in lists]
    check = partial(
        check_store,
        opened,
        trust=[text for text in vkeys if not is_cosigner(text)],
        checkpoint=checkpoint,
        judge=partial(_judge, stampers, given, at or _now()),
        witnesses=witnesses,
        since=since,
        mirror=None if mirror is None else _opened(mirror),
        jobs=jobs,
        now=max(at or _now(), _now()),
    )
    return Verification(opened.url, tuple(_store_checks(check, opened.url)))


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _opened(store: Path | ObjectStore) -> ObjectStore:
    return LocalStore(store) if isinstance(store, Path) else store


def _store_checks(check: Callable[[], Iterator[Check]], url: str) -> Iterator[Check]:
    try:
        yield from check()
    except FAULTS as exc:
        yield failed("store", said(exc), url)


def _judge(
    stampers: Sequence[x509.Certificate],
    lists: Sequence[x509.CertificateRevocationList],
    now: dt.datetime,
    body: bytes,
    content: bytes,
) -> tuple[bool | None, str]:
    results = judge_stamps([("the time-stamp", body, content)], stampers, now, lists).results
    return next((one for one in results if one[0] is False), results[0])


def _packet_checks(path: Path, trust: Trust, jobs: int) -> Iterator[Check]:
    if path.is_file() and (words := encrypted_for(path)):
        yield unmade("open", words, path.name)
        return
    try:
        files = open_bag(path)
    except FAULTS as exc:
        yield failed("open", said(exc), path.name)
        return
    try:
        yield proved("open", f"{len(files.names())} files, plain and unique names", path.name)
        yield from from_faults(
            "closed set", "exactly the files that are named", lambda: check.closed_set(files), MANIFEST
        )
        yield from from_faults("digests", "every tag file is as named", lambda: check.tag_digests(files), TAGMANIFEST)
        hashed: dict[str, str] = {}
        yield from from_faults(
            "digests", "every payload file is as named", lambda: check.payload_digests(files, hashed, jobs), MANIFEST
        )
        trust = replace(trust, lists=[*trust.lists, *load_carried(carried_lists(files))])
        stamps = _stamps(files, trust)
        signatures = list(_signatures(files, replace(trust, at=stamps.at or trust.at), stamps, trust.at))
        yield from (one for one in signatures if one.step not in _LAST)
        if isinstance(files, ZipFiles):
            yield _zip(path)
        yield from _evidence(files, trust, hashed)
        yield from _sign_off(path, files, trust, stamps.at or trust.at)
        if PROVISIONAL in files.names():
            yield unmade(
                "findings",
                "the packet says of itself that it is PROVISIONAL: evidence is missing or not settled",
                PROVISIONAL,
            )
        yield from _not_proved(stamps, [one for one in signatures if one.step in _LAST])
    finally:
        files.close()


def _signatures(files: BagFiles, trust: Trust, stamps: Judged, now: dt.datetime) -> Iterator[Check]:
    seal: Signed | None = None
    try:
        seal = verify_detached(
            read(files, SIGNATURE, limit=MAX_SMALL),
            read(files, TAGMANIFEST, limit=MAX_SMALL),
            trust.certificates,
            trust.at,
        )
        yield proved("seal", f"sealed by {seal.subject}, certificate SHA-256 {seal.certificate_sha256}", SIGNATURE)
        moment = Moment(trust.at, proved=stamps.at is not None, now=now)
        standing = judge_chain(seal.chain, trust.lists, moment)
        yield from (Check("revocation", ok, words, SIGNATURE) for ok, words in standing)
    except FAULTS as exc:
        yield failed("seal", said(exc), SIGNATURE)
    try:
        body = read(files, PDF, limit=MAX_PDF)
        body, archived = split(body)
        signed = verify_pdf(body, trust.certificates, trust.at)
        if seal is not None and signed.certificate_sha256 != seal.certificate_sha256:
            raise VerificationError("the PDF is signed by another certificate than the packet", step="certificate")
        more = " but the document time-stamp after it" if archived else ""
        yield proved("pdf", f"one signature over the whole file{more}, no change allowed", PDF)
        yield _unsigned_prefix(files, body)
        stamp = judge_pdf(body, trust.authorities, now, trust.lists)
        late = judge_archived(archived, trust.authorities, now, trust.lists) if archived else ()
        yield from (Check("time", ok, words, PDF) for ok, words in (*stamp.results, *late))
    except FAULTS as exc:
        yield failed("pdf", said(exc), PDF)


def _unsigned_prefix(files: BagFiles, body: bytes) -> Check:
    stated = canonical.decode(read(files, RENDER, limit=MAX_SMALL), what=RENDER)["unsigned_pdf"]
    if type(stated["length"]) is not int or not 0 < stated["length"] <= len(body):
        return failed("pdf", "render.json names a length that the PDF does not have", RENDER)
    if hashlib.sha256(body[: stated["length"]]).hexdigest() != stated["sha256"]:
        return failed("pdf", "the PDF does not begin with the render that render.json names", RENDER)
    return proved("pdf", f"its first {stated['length']} bytes are the render that render.json names", RENDER)


def _zip(path: Path) -> Check:
    try:
        same = equals_reencoding(path)
    except FAULTS as exc:
        return failed("zip", said(exc), path.name)
    return Check(
        "zip", same, "equals its own re-encoding" if same else "is not the one spelling of its files", path.name
    )


def _evidence(files: BagFiles, trust: Trust, hashed: Mapping[str, str]) -> Iterator[Check]:
    chain, checks = open_chain(files, trust.log_keys)
    yield from checks
    if chain is None:
        return
    yield from check_continues(files, chain, trust.checkpoint)
    found = Exhibits(files, chain, hashed)
    yield from found.check()
    yield from check_findings(files, found.verified)


def _sign_off(path: Path, files: BagFiles, trust: Trust, at: dt.datetime) -> Iterator[Check]:
    """What people signed beside the packet, each at its own moment (``evidence.bag.signoff``)."""
    try:
        body, content = (read(files, name, limit=MAX_SMALL) for name in (SIGNATURE, TAGMANIFEST))
        signed = verify_detached(body, content, trust.certificates, at)
        seal = Seal(signed.certificate_sha256, is_demonstration(name_of(signed.chain[0])))
    except FAULTS:
        seal = Seal()  # said in its own step
    judged = PersonTrust([*trust.people, *trust.certificates], trust.authorities, trust.lists, trust.at)
    try:
        yield from check_signoff(files, read_approvals(folder_beside(path)), partial(judge_person, trust=judged), seal)
    except FAULTS as exc:
        yield failed("sign-off", said(exc), path.name)


def _stamps(files: BagFiles, trust: Trust) -> Judged:
    try:
        response = read(files, TIMESTAMP, limit=LIMIT) if TIMESTAMP in files.names() else None
        return judge_signature(
            read(files, SIGNATURE, limit=MAX_SMALL), response, trust.authorities, trust.at, trust.lists
        )
    except FAULTS as exc:
        return Judged(None, ((False, str(exc)),))


def _not_proved(stamps: Judged, standing: Sequence[Check]) -> Iterator[Check]:
    yield from (Check("time", ok, detail, SIGNATURE) for ok, detail in stamps.results)
    yield from sorted(standing, key=lambda one: _LAST.index(one.step))
    if not any(one.step == "revocation" for one in standing):
        yield unmade("revocation", "revocation not checked: the seal does not verify", SIGNATURE)
    yield from (unmade("revocation", words, TIMESTAMP) for words in stamps.unknown)
    yield Check(
        "re-performance", None, "findings not re-performed, pages not rendered again: use --reperform", FINDINGS
    )

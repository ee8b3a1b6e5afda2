"""A person's name under a packet: a statement about a packet that was verified, signed and time-stamped, in files beside the bag.

Nothing of the packet changes. Who must come first and what makes the person doubtful is found here, before anything is signed; the
same is found again by whoever verifies (``evidence.bag.signoff``).
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from evidence.bag.approval import ROLES, SIGNED, STAMPED, Approvals, Statement, folder_beside, read_approvals
from evidence.bag.bag import TAGMANIFEST
from evidence.bag.files import MAX_SMALL, BagFiles, open_bag, read
from evidence.bag.rights import rights_of
from evidence.bag.signoff import marks, packet_id_of
from evidence.errors import UsageError
from evidence.signing.cades import sign_detached
from evidence.signing.certificate import PacketKey
from evidence.signing.cms import verify_detached
from evidence.signing.person import is_demonstration, name_of
from evidence.signing.timestamp import attach_token, response_der, stamped_part
from evidence.snapshot import canonical
from evidence.snapshot.check import FAULTS, said

FIRST: Final[Mapping[str, str]] = {"approver": "reviewer", "issuer": "approver"}  # who must have signed before
Stamper = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the person says: role, comment, own logins, and the packet that an issued one replaces."""

    role: str
    comment: str = ""
    logins: Sequence[str] = ()
    supersedes: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What a workspace knows of people beside the packet: who prepared it, name -> controls owned, whether all is a demonstration."""

    prepared_by: str = ""
    owners: Mapping[str, Sequence[str]] = field(default_factory=dict)
    demo: bool = False


@dataclass(frozen=True, slots=True)
class Approved:
    """What was written: the statement, its bytes, the signature (DER), the time-stamp response or none, and the folder."""

    statement: Statement
    body: bytes
    signature: bytes
    response: bytes | None
    folder: Path

    def to_json(self) -> dict[str, Any]:
        """Return the record that a store keeps: all of it, so that a lost folder loses no signature."""
        return {
            "format": "evidence-approval-record-v1",
            "statement": self.body.decode(),
            "signature": self.signature.hex(),
            "timestamp": self.response.hex() if self.response else None,
        }


def approve(
    packet: Path,
    key: PacketKey,
    asked: Asked,
    seal: str,
    *,
    at: dt.datetime,
    known: Known | None = None,
    stamp: Stamper | None = None,
) -> Approved:
    """Sign a statement about the verified ``packet`` (folder or zip), sealed by the certificate of digest ``seal``, and write it.

    Raises ``UsageError`` when the key is the seal's, the role signed already, another role must sign first, or an issued packet that
    supersedes another does not say why; ``VerificationError`` when the certificate may not sign or is not valid at ``at``;
    ``TimestampError`` of ``stamp``, with nothing written.
    """
    known = known or Known()
    folder = folder_beside(packet)
    files = open_bag(packet)
    try:
        earlier = _earlier(read_approvals(folder))
        _check_turn(asked, earlier, key, seal)
        statement = _statement(files, key, asked, known, at)
    finally:
        files.close()
    body = statement.to_bytes()
    signature = sign_detached(body, key, at)
    verify_detached(signature, body, [key.certificate], at)
    response = None
    if stamp is not None:
        signature = attach_token(signature, stamp(stamped_part(signature)))
        response = response_der(stamp(signature))
    made = Approved(statement, body, signature, response, folder)
    _write(made)
    return made


def _earlier(found: Approvals) -> list[Statement]:
    names = [name for name in found.files if name.endswith(".json")]
    return [Statement.from_bytes(found.files[name]) for name in names]


def _check_turn(asked: Asked, earlier: Sequence[Statement], key: PacketKey, seal: str) -> None:
    if asked.role not in ROLES:
        raise UsageError(f"no role {asked.role!r}", fix=f"roles: {', '.join(ROLES)}")
    if key.fingerprint == seal:
        raise UsageError(
            "this is the key that sealed the packet: a seal is the entity's, an approval a person's",
            fix="sign with the person's own key and certificate",
        )
    signed = {each.role for each in earlier}
    if any(each.role == asked.role and each.certificate_sha256 == key.fingerprint for each in earlier):
        raise UsageError(
            f"{name_of(key.certificate)} signed as {asked.role} already", fix="there is nothing left to do"
        )
    first = FIRST.get(asked.role)
    if first and first not in signed:
        raise UsageError(f"nobody signed as {first} yet", fix=f"evidence approve PACKET --role {first}")
    if asked.supersedes and (asked.role != "issuer" or not asked.comment):
        raise UsageError("only an issuer supersedes another packet, and says why", fix="--role issuer --comment REASON")


def _statement(files: BagFiles, key: PacketKey, asked: Asked, known: Known, at: dt.datetime) -> Statement:
    name = name_of(key.certificate)
    packet = packet_id_of(files)
    if asked.supersedes == packet:
        raise UsageError("a packet does not supersede itself", fix="name the earlier packet")
    made = Statement(
        packet=packet,
        tagmanifest_sha256=canonical.sha256_hex(read(files, TAGMANIFEST, limit=MAX_SMALL)),
        role=asked.role,
        name=name,
        certificate_sha256=key.fingerprint,
        at=at,
        comment=asked.comment,
        logins=tuple(sorted(set(asked.logins))),
        supersedes=asked.supersedes,
        demo=known.demo or is_demonstration(name),
    )
    return replace(made, conflicts=(*_own_conflicts(files, made, known), *_others(files, made)))


def _own_conflicts(files: BagFiles, made: Statement, known: Known) -> Iterator[str]:
    """What only the organisation knows: who prepared the packet, and who owns controls in it."""
    own = marks(made)
    if made.role != "preparer" and known.prepared_by and _is_one_of(known.prepared_by, own):
        yield "prepared this packet"
    for person, controls in sorted(known.owners.items()):
        held = [control for control in controls if f"data/controls/{control}/control.toml" in files.names()]
        if held and _is_one_of(person, own):
            more = f" and {len(held) - 3} more" if len(held) > 3 else ""
            yield f"owns {len(held)} controls in it: {', '.join(held[:3])}{more}"


def _is_one_of(person: str, own: set[str]) -> bool:
    """``Dana Okafor, Compliance`` is Dana Okafor."""
    return bool({person.strip().casefold(), person.partition(",")[0].strip().casefold()} & own)


def _others(files: BagFiles, made: Statement) -> Iterator[str]:
    """What the sealed evidence says: administrators, and who granted rights."""
    try:
        yield from list(rights_of(files, marks(made)))
    except FAULTS as exc:
        yield f"rights not compared: {said(exc)}"


def _write(made: Approved) -> None:
    made.folder.mkdir(exist_ok=True)
    name = made.statement.file
    pieces = {name + SIGNED: made.signature, name + STAMPED: made.response, name: made.body}
    for piece, body in pieces.items():  # the statement last: without it the others count as leftovers, and say so
        if body is not None:
            with (made.folder / piece).open("xb") as out:
                out.write(body)

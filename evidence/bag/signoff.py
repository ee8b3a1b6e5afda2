"""Checking what people signed of a packet: each statement is of this packet and valid, and who could not be independent is said.

A name counts only with a valid signature under a certificate that was given; what is valid but vouched for by nobody is not a
fault, and proves no name. Conflicts are flagged and never decide: whether they matter is the reader's judgement.
"""

import datetime as dt
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Protocol

from evidence.bag.approval import ROLES, SIGNED, STAMPED, STATES, Approvals, Statement
from evidence.bag.bag import TAGMANIFEST
from evidence.bag.files import MAX_SMALL, BagFiles, read
from evidence.errors import VerificationError
from evidence.snapshot import canonical
from evidence.snapshot.check import FAULTS, Check, failed, proved, said, unmade

STEP: Final = "sign-off"
ADMINS: Final = "data/controls/registers/admins.toml"


class Signer(Protocol):
    """A judged signature (``evidence.signing.person``)."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def subject(self) -> str: ...  # noqa: D102
    @property
    def certificate_sha256(self) -> str: ...  # noqa: D102
    @property
    def at(self) -> dt.datetime | None: ...  # noqa: D102
    @property
    def vouched(self) -> bool: ...  # noqa: D102
    @property
    def demo(self) -> bool: ...  # noqa: D102
    @property
    def results(self) -> tuple[tuple[bool | None, str], ...]: ...  # noqa: D102


Judge = Callable[[bytes, bytes, bytes | None], Signer]  # statement, signature, time-stamp response


@dataclass(frozen=True, slots=True)
class Seal:
    """The packet's seal: the digest of its certificate (empty if it did not verify) and whether it is a demonstration."""

    certificate_sha256: str = ""
    demo: bool = False


def check_signoff(files: BagFiles, found: Approvals, judge: Judge, seal: Seal) -> Iterator[Check]:
    """Yield a check for each statement, each doubt of independence, and one for what is still unsigned."""
    yield from (failed(STEP, fault, name) for name, fault in found.faults)
    valid: dict[str, Statement] = {}
    for name in (name for name in found.files if name.endswith(".json") and name + SIGNED in found.files):
        try:
            statement = Statement.from_bytes(found.files[name])
            yield from _statement(files, name, statement, found.files, judge, seal)
            valid[name] = statement
        except FAULTS as exc:
            yield failed(STEP, said(exc), name)
    people = sorted(valid.values(), key=lambda each: list(ROLES).index(each.role))
    yield from (unmade(STEP, f"independence not shown: {words}") for words in conflicts(people, admins_of(files)))
    missing = [role for role in ROLES if role not in {each.role for each in people}]
    if missing:
        state = state_of(each.role for each in people)
        yield unmade(STEP, f"{state}; unsigned by: {', '.join(missing)}")


def _statement(
    files: BagFiles, name: str, statement: Statement, bodies: Mapping[str, bytes], judge: Judge, seal: Seal
) -> Iterator[Check]:
    person = judge(bodies[name], bodies[name + SIGNED], bodies.get(name + STAMPED))
    _check_same(files, name, statement, person, seal)
    when = f"at {person.at:%Y-%m-%d %H:%M}Z, stamped" if person.at else f"who claims {statement.at:%Y-%m-%d %H:%M}Z"
    demo = "DEMO " if statement.demo else ""
    comment = f': "{statement.comment}"' if statement.comment else ""
    if person.vouched:
        yield proved(STEP, f"{demo}{statement.role}: signed by {person.subject}, {when}{comment}", name)
    else:
        yield unmade(
            STEP,
            f"{demo}{statement.role}: a valid signature that names {person.subject}, {when}; no certificate that was given vouches "
            "for the name (people-….pem in the trust folder), so it counts as unsigned",
            name,
        )
    if statement.supersedes:
        yield proved(STEP, f"{demo}issued in the place of {statement.supersedes}{comment}", name)
    yield from (Check(STEP, ok, f"{statement.role}: {words}", name) for ok, words in person.results)


def _check_same(files: BagFiles, name: str, statement: Statement, person: Signer, seal: Seal) -> None:
    """Raise ``VerificationError`` unless the statement is of this packet and by the person whose certificate signed it."""
    if statement.packet != packet_id_of(files):
        raise VerificationError(f"approves another packet, {statement.packet}", step="packet")
    if statement.tagmanifest_sha256 != canonical.sha256_hex(read(files, TAGMANIFEST, limit=MAX_SMALL)):
        raise VerificationError("approves other files: the tag manifest has another digest", step="packet")
    if person.certificate_sha256 != statement.certificate_sha256 or person.name != statement.name:
        raise VerificationError(f"names {statement.name}, and {person.subject} signed", step="signer")
    if name != statement.file:
        raise VerificationError(f"has the name of another statement: {statement.file}", step="file")
    if person.certificate_sha256 == seal.certificate_sha256:
        raise VerificationError("is signed by the entity's seal: that is no person's approval", step="signer")
    if (person.demo or seal.demo) and not statement.demo:
        raise VerificationError("demonstration keys approve as DEMO only", step="demo")


def state_of(signed: Iterable[str]) -> str:
    """Return how far a packet came, by the roles that signed: ``draft``, ``reviewed``, ``approved`` or ``issued``."""
    have = set(signed)
    return [state for role, state in STATES.items() if role in have or role == "preparer"][-1]


def conflicts(people: Sequence[Statement], admins: Sequence[str] = ()) -> Iterator[str]:
    """Say which of these people are one person, which are registered administrators, and what was known when they signed."""
    for one, other in combinations(people, 2):
        if one.role == other.role:
            continue
        if one.certificate_sha256 == other.certificate_sha256:
            yield f"{one.role} and {other.role} signed with one certificate ({one.name})"
        elif marks(one) & marks(other):
            yield f"{one.role} and {other.role} are one person ({one.name})"
    known = {user.casefold() for user in admins}
    for each in people:
        if marks(each) & known:
            yield f"{each.role} {each.name} is a registered administrator of what the packet is about"
        yield from (f"{each.role} {each.name}: {words}" for words in each.conflicts)


def marks(each: Statement) -> set[str]:
    """Return what a person is known by: name and logins, without case."""
    return {text.strip().casefold() for text in (each.name, *each.logins)}


def packet_id_of(files: BagFiles) -> str:
    """Return the packet's id from ``bag-info.txt``; empty if it has none."""
    lines = read(files, "bag-info.txt", limit=MAX_SMALL).decode("utf-8", "replace").split("\n")
    return next((line.partition(": ")[2] for line in lines if line.startswith("External-Identifier: ")), "")


def admins_of(files: BagFiles) -> list[str]:
    """Return the users of the administrators' register that the packet carries; none if it has none that parses."""
    if ADMINS not in files.names():
        return []
    try:
        rows = tomllib.loads(read(files, ADMINS, limit=MAX_SMALL).decode()).get("admins", [])
        return [row["user"] for row in rows if isinstance(row["user"], str)]
    except FAULTS:
        return []

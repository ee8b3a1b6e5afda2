"""What a person signs of a packet: one small statement in canonical JSON, in files beside the bag and never inside it.

::

    PKT-….approvals/reviewer-1f0c9a2b.json            the statement: packet, digest of its tag manifest, role, name, date, comment
    PKT-….approvals/reviewer-1f0c9a2b.json.p7s        detached CAdES over it by the person's certificate, DER
    PKT-….approvals/reviewer-1f0c9a2b.json.p7s.tsr    RFC 3161 response over that file; only with an authority

The bag is closed when it is sealed, and a person signs later: so the statements lie in a folder of their own named after the
packet. The tag manifest's digest names every file of it (docs/decisions/0183-approvals-beside-the-packet.md).
"""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from evidence.bag.files import MAX_SMALL, open_plain
from evidence.errors import EvidenceError, MalformedError
from evidence.snapshot import canonical
from evidence.snapshot.model import of_type

FORMAT: Final = "evidence-approval-v1"
SUFFIX: Final = ".approvals"
SIGNED: Final = ".p7s"
STAMPED: Final = ".p7s.tsr"
MAX_FILES: Final = 200  # three for each signature
ROLES: Final[Mapping[str, str]] = {  # in the order of a packet's life; what each role puts a name under
    "preparer": "I prepared this packet and know of nothing that it leaves out.",
    "reviewer": "I read this packet, its exceptions and what it could not show, and did not prepare it.",
    "approver": "I approve this packet for issue, having seen the review of it.",
    "issuer": "I issued this packet to those who asked for it.",
}
STATES: Final[Mapping[str, str]] = {
    "preparer": "draft",
    "reviewer": "reviewed",
    "approver": "approved",
    "issuer": "issued",
}
_NAME: Final = re.compile(rf"({'|'.join(ROLES)})-[0-9a-f]{{8}}\.json(\.p7s(\.tsr)?)?\Z")
_MAX_TEXT: Final = 4_000  # characters of a comment


@dataclass(frozen=True, slots=True)
class Statement:
    """What is signed. ``name`` is the common name of the signer's certificate, ``logins`` the accounts this person says to have.

    ``conflicts`` are those known when it was signed; whoever verifies compares again. ``supersedes`` names the packet that an
    issued one replaces, ``comment`` says why. ``demo``: by a demonstration key, or of a demonstration packet.
    """

    packet: str
    tagmanifest_sha256: str
    role: str
    name: str
    certificate_sha256: str
    at: dt.datetime
    comment: str = ""
    logins: Sequence[str] = ()
    conflicts: Sequence[str] = ()
    supersedes: str = ""
    demo: bool = False

    def __post_init__(self) -> None:
        texts = (self.packet, self.name, self.comment, self.supersedes, *self.logins, *self.conflicts)
        if self.role not in ROLES:
            raise MalformedError(f"no role {self.role!r}", fix=f"roles: {', '.join(ROLES)}")
        if not of_type(self.demo, bool):
            raise MalformedError("the approval does not say whether it is a demonstration")
        if not self.name or not all(of_type(text, str) and len(text) <= _MAX_TEXT for text in texts):
            raise MalformedError("a text of the approval is missing or has over 4,000 characters", fix="write less")

    @property
    def file(self) -> str:
        """Name of its file."""
        return f"{self.role}-{self.certificate_sha256[:8]}.json"

    def to_bytes(self) -> bytes:
        """Return what is signed: canonical JSON."""
        return canonical.encode({
            "format": FORMAT,
            "packet": self.packet,
            "tagmanifest_sha256": self.tagmanifest_sha256,
            "role": self.role,
            "statement": ROLES[self.role],
            "name": self.name,
            "certificate_sha256": self.certificate_sha256,
            "at": canonical.format_time(self.at),
            "comment": self.comment,
            "logins": list(self.logins),
            "conflicts": list(self.conflicts),
            "supersedes": self.supersedes,
            "demo": self.demo,
        })  # fmt: skip

    @classmethod
    def from_bytes(cls, body: bytes) -> Self:
        """Parse what :meth:`to_bytes` writes, and nothing else. Raises ``MalformedError``."""
        value: Any = canonical.decode(body, what="the approval")
        try:
            taken = {name: value[name] for name in cls.__slots__ if name != "at"}
            lists = {name: tuple(taken[name]) for name in ("logins", "conflicts")}
            made = cls(**{**taken, **lists, "at": canonical.parse_time(value["at"])})
            again = made.to_bytes()
        except (KeyError, TypeError, AttributeError) as exc:
            raise MalformedError(f"the approval lacks a part: {exc!r}") from exc
        if again != body:
            raise MalformedError("the approval has parts the writer does not write")
        return made


@dataclass(frozen=True, slots=True)
class Approvals:
    """The files of one packet's approvals by name, and what is wrong with the folder: (name, fault)."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    faults: Sequence[tuple[str, str]] = ()


def folder_beside(packet: Path) -> Path:
    """Return where the approvals of the packet at ``packet`` (a folder or a zip) lie."""
    place = Path(packet).absolute()
    return place.with_name((place.stem if place.suffix == ".zip" else place.name) + SUFFIX)


def read_approvals(folder: Path) -> Approvals:
    """Read the folder; without one there are none. What does not belong there is a fault, and no file of it is left unsaid."""
    if not folder.is_dir():
        return Approvals()
    files: dict[str, bytes] = {}
    faults: list[tuple[str, str]] = []
    for path in sorted(folder.iterdir())[: MAX_FILES + 1]:
        if len(files) == MAX_FILES or not _NAME.match(path.name):
            faults.append((path.name, "does not belong to the approvals"))
            continue
        try:
            with open_plain(path) as handle:
                files[path.name] = handle.read(MAX_SMALL)
        except (EvidenceError, OSError) as exc:
            faults.append((path.name, f"cannot be read: {exc}"))
    for name in files:
        if name.endswith(".json") and name + SIGNED not in files:
            faults.append((name, "is not signed: its .p7s is missing"))
        if not name.endswith(".json") and name.partition(".json")[0] + ".json" not in files:
            faults.append((name, "signs a statement that is missing"))
    return Approvals(files, faults)

"""The log's keys as a packet shows them: from the first one, over each rotation, to the key of the packet's checkpoint.

::

    data/log/key                              the key that signed data/log/checkpoint
    data/log/rotation/<entry, 12 digits>/     entry.json  tlog-proof  consistency      one folder per rotation before it

``tlog-proof`` shows the entry under the checkpoint that ends with it, signed by the old and the new key; ``consistency`` leads
from there to the packet's checkpoint. A reader who holds any of the keys is led to the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from evidence.bag.files import BagFiles, read, read_text
from evidence.errors import MalformedError, VerificationError
from evidence.snapshot.entry import MAX_BYTES, Entry
from evidence.tlog.checkpoint import parse_unverified
from evidence.tlog.merkle import verify_consistency
from evidence.tlog.note import Verifier, parse_verifier
from evidence.tlog.proof import parse_consistency, parse_inclusion
from evidence.tlog.rotation import TYPE, LogKeys, read_rotation

KEY: Final = "data/log/key"
FOLDER: Final = "data/log/rotation/"
_MAX_ROTATIONS: Final = 1_000  # a key a day for three years; each costs a few signatures to check


@dataclass(frozen=True, slots=True)
class Handover:
    """One rotation: the exact entry, its proof under the checkpoint that ends with it, and the proof from there on."""

    entry: bytes
    proof: str
    consistency: str

    @property
    def index(self) -> int:
        """The entry's place in the log."""
        return parse_inclusion(self.proof).index

    def files(self) -> dict[str, bytes]:
        """Return name below ``data/`` -> bytes."""
        folder = f"{FOLDER.removeprefix('data/')}{self.index:012d}"
        texts = {"tlog-proof": self.proof, "consistency": self.consistency}
        return {f"{folder}/entry.json": self.entry} | {f"{folder}/{n}": text.encode() for n, text in texts.items()}


def keys_of(handovers: Sequence[Handover], last: Verifier, signed: str) -> LogKeys:
    """Return the keys that ``handovers`` lead over to ``last``, which signed the checkpoint ``signed``.

    Raises ``MalformedError`` or ``VerificationError`` naming the entry at fault.
    """
    keys: LogKeys | None = None
    for handover in handovers:
        keys = _follow(keys, handover, signed)
    keys = keys or LogKeys(last)
    if keys.current != last:
        raise VerificationError(
            f"the rotations lead to {keys.current.to_text()}, not to {last.to_text()}", step="rotation"
        )
    keys.open(signed)
    return keys


def packet_keys(files: BagFiles, signed: str) -> LogKeys:
    """Return the keys of the log as the packet's files show them, proved by their own signatures only."""
    last = parse_verifier(read_text(files, KEY).removesuffix("\n"))
    names = sorted({name[: -len("/entry.json")] for name in files.names() if _is_entry(name)})
    if len(names) > _MAX_ROTATIONS:
        raise MalformedError(f"the packet has over {_MAX_ROTATIONS} key rotations")
    found = [
        Handover(
            read(files, f"{name}/entry.json", limit=MAX_BYTES),
            read_text(files, f"{name}/tlog-proof"),
            read_text(files, f"{name}/consistency"),
        )
        for name in names
    ]
    for name, handover in zip(names, found, strict=True):
        if name != f"{FOLDER}{handover.index:012d}":
            raise MalformedError(f"{name} holds the rotation of entry {handover.index}")
    return keys_of(found, last, signed)


def _is_entry(name: str) -> bool:
    return name.startswith(FOLDER) and name.endswith("/entry.json")


def _follow(keys: LogKeys | None, handover: Handover, signed: str) -> LogKeys:
    entry, proof = Entry.from_bytes(handover.entry), parse_inclusion(handover.proof)
    if entry.type != TYPE:
        raise MalformedError(f"entry {proof.index} is no rotation")
    old, new = read_rotation(entry.key, entry.body)
    keys = keys or LogKeys(old)
    head = proof.verify(handover.entry, [old])
    if head.size != proof.index + 1:
        raise VerificationError(
            f"the rotation of entry {proof.index} is not the last of its checkpoint", step="rotation"
        )
    keys.rotate(head.size, proof.checkpoint, old, new)
    onward = parse_consistency(handover.consistency)
    if onward.checkpoint != signed:
        raise VerificationError("the proof from a rotation ends at another checkpoint", step="rotation")
    end = parse_unverified(signed)  # its signature is checked last, under the key that all of this leads to
    if onward.old != head.size:
        raise VerificationError(f"the proof begins at {onward.old}, not at the rotation's {head.size}", step="rotation")
    verify_consistency(head.size, head.root, end.size, end.root, onward.path)
    return keys

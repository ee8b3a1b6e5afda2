"""Proof files that are checked offline with nothing but the log's verifier key.

Inclusion, C2SP tlog-proof::

    c2sp.org/tlog-proof@v1
    index 7
    <base64 hash, leaf's sibling first>
    …
                                     <- one empty line
    <signed checkpoint>

Consistency, in the shape of a C2SP tlog-witness request::

    old 5
    <base64 hash>
    …

    <signed checkpoint of the newer log>

The optional ``extra`` line of tlog-proof is not authenticated; this project writes none and accepts none.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from evidence.errors import MalformedError
from evidence.tlog.checkpoint import Checkpoint, open_checkpoint, parse_unverified
from evidence.tlog.merkle import HASH_BYTES, leaf_hash, verify_consistency, verify_inclusion
from evidence.tlog.note import Verifier

HEADER: Final = "c2sp.org/tlog-proof@v1\n"
MAX_HASHES: Final = 128  # an inclusion proof has at most 63, a consistency proof at most 65 hashes below size 2**63


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """Entry ``index`` is under the signed ``checkpoint``."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: str

    def __post_init__(self) -> None:
        _check(self.index, self.path)

    def to_text(self) -> str:
        """Return the file."""
        return f"{HEADER}index {self.index}\n{_lines(self.path)}\n{self.checkpoint}"

    def verify(self, entry: bytes, verifiers: Sequence[Verifier]) -> Checkpoint:
        """Return the signed checkpoint that ``entry`` is proved to be under; raise ``VerificationError``."""
        checkpoint = open_checkpoint(self.checkpoint, verifiers)
        verify_inclusion(leaf_hash(entry), self.index, checkpoint.size, self.path, checkpoint.root)
        return checkpoint


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """The log of ``old`` entries is a prefix of the log under the signed ``checkpoint``."""

    old: int
    path: tuple[bytes, ...]
    checkpoint: str

    def __post_init__(self) -> None:
        _check(self.old, self.path)

    def to_text(self) -> str:
        """Return the file."""
        return f"old {self.old}\n{_lines(self.path)}\n{self.checkpoint}"

    def verify(self, older: str, verifiers: Sequence[Verifier]) -> Checkpoint:
        """Return the newer checkpoint, proved to continue the signed checkpoint ``older``."""
        new, old = open_checkpoint(self.checkpoint, verifiers), open_checkpoint(older, verifiers)
        if old.size != self.old or old.origin != new.origin:
            raise MalformedError(f"proof is from {self.old} of {new.origin}, not from {old.size} of {old.origin}")
        verify_consistency(old.size, old.root, new.size, new.root, self.path)
        return new


def parse_inclusion(text: str) -> InclusionProof:
    """Parse a ``.tlog-proof`` file; raise ``MalformedError`` for what :class:`InclusionProof` does not write."""
    proof = InclusionProof(*_parse(text.removeprefix(HEADER), "index "))
    if proof.to_text() != text:
        raise MalformedError("malformed tlog-proof: not in canonical form")
    return proof


def parse_consistency(text: str) -> ConsistencyProof:
    """Parse a consistency proof file; raise ``MalformedError`` for what :class:`ConsistencyProof` does not write."""
    proof = ConsistencyProof(*_parse(text, "old "))
    if proof.to_text() != text:
        raise MalformedError("malformed consistency proof: not in canonical form")
    return proof


def _check(number: int, path: tuple[bytes, ...]) -> None:
    if number < 0 or len(path) > MAX_HASHES or any(len(item) != HASH_BYTES for item in path):
        raise MalformedError(f"malformed proof: {number}, {len(path)} hashes")


def _lines(path: tuple[bytes, ...]) -> str:
    return "".join(base64.b64encode(item).decode() + "\n" for item in path)


def _parse(text: str, word: str) -> tuple[int, tuple[bytes, ...], str]:
    head, _, checkpoint = text.partition("\n\n")
    try:
        first, *hashes = head.split("\n")
        number, path = int(first.removeprefix(word)), tuple(base64.b64decode(line) for line in hashes)
    except ValueError as exc:
        raise MalformedError(f"malformed proof: {exc}") from exc
    parse_unverified(checkpoint)
    return number, path, checkpoint

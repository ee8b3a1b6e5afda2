"""Step 7 of a packet: its checkpoint is signed by the log's key, and continues what the reader saw before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from evidence.bag.files import BagFiles, read_text
from evidence.bag.rotations import KEY, packet_keys
from evidence.errors import VerificationError
from evidence.snapshot.check import FAULTS, Check, failed, proved, said, unmade
from evidence.tlog.checkpoint import open_checkpoint, parse_unverified
from evidence.tlog.note import Verifier
from evidence.tlog.proof import parse_consistency
from evidence.tlog.rotation import LogKeys

CHECKPOINT: Final = "data/log/checkpoint"
PREVIOUS: Final = "data/log/previous-checkpoint"
CONSISTENCY: Final = "data/log/consistency-from-previous"
_STEP: Final = "log"


@dataclass(frozen=True, slots=True)
class Chain:
    """The keys of the packet's log, in the order of their use, and the checkpoint's text that the last of them signed."""

    keys: Sequence[Verifier]
    signed: str


def open_chain(files: BagFiles, given: Sequence[Verifier]) -> tuple[Chain | None, list[Check]]:
    """Return the packet's signed checkpoint, None when it does not verify, and the checks that say so.

    ``given`` are log keys carried outside; without any the packet's own is used, and the check says whose word that is.
    """
    try:
        signed = read_text(files, CHECKPOINT)
        keys, origin = _log_keys(files, given, signed)
        head = keys.open(signed)
    except FAULTS as exc:
        return None, [failed(_STEP, said(exc), CHECKPOINT)]
    detail = f"checkpoint of {head.origin} at size {head.size} is signed by its key"
    return Chain([key for _, key in keys], signed), [proved(_STEP, detail, CHECKPOINT), origin]


def check_continues(files: BagFiles, chain: Chain, kept: str | None) -> Iterator[Check]:
    """Check the proof from the previous packet, where there is one, and the checkpoint the reader ``kept``, where given."""
    if PREVIOUS in files.names() or CONSISTENCY in files.names():
        try:
            proof = parse_consistency(read_text(files, CONSISTENCY))
            if proof.checkpoint != chain.signed:
                raise VerificationError("the proof ends at another checkpoint", step="consistency")
            previous = read_text(files, PREVIOUS)
            proof.verify(previous, chain.keys)
            yield proved(_STEP, f"continues the previous packet's log of size {proof.old}", CONSISTENCY)
            if kept is not None:
                yield compare_kept(chain, kept, CHECKPOINT, previous=previous)
        except FAULTS as exc:
            yield failed(_STEP, said(exc), CONSISTENCY)
    elif kept is not None:
        yield compare_kept(chain, kept, CHECKPOINT)


def compare_kept(chain: Chain, kept: str, subject: str, *, previous: str = "") -> Check:
    """Compare the checkpoint the reader ``kept`` with the packet's and the ``previous`` one that it is proved to continue."""
    try:
        theirs = open_checkpoint(kept, chain.keys)
    except FAULTS as exc:
        return failed(_STEP, f"the kept checkpoint is not one of this log: {said(exc)}", subject)
    for ours in (parse_unverified(signed) for signed in (chain.signed, previous) if signed):
        if ours == theirs:
            return proved(_STEP, f"the log continues the kept checkpoint of size {theirs.size}", subject)
        if ours.size == theirs.size:
            return failed(
                _STEP, f"the kept checkpoint of size {theirs.size} has another root: the history forked", subject
            )
    return unmade(_STEP, "there is no proof from the kept checkpoint here: verify the store with it", subject)


def _log_keys(files: BagFiles, given: Sequence[Verifier], signed: str) -> tuple[LogKeys, Check]:
    keys = packet_keys(files, signed)
    own = keys.current
    if not given:
        detail = "no log key was given: the key is the packet's own, vouched for by its seal"
        return keys, unmade(_STEP, detail, KEY)
    if own in given:
        return keys, proved(_STEP, "the log's key is one that was given", KEY)
    for since, key in reversed(list(keys)):
        if key in given:
            return keys, proved(_STEP, f"given key {key.to_text()} (since {since}) was handed over to the log's", KEY)
    raise VerificationError(
        f"the packet names log key {own.to_text()}, which was not given",
        step="log key",
        fix="a packet made before a rotation needs the key of its time: keep every log*.vkey in the trust folder",
    )

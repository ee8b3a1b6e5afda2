"""Co-signed checkpoints in the store: ``log/cosigned/<size, 12 digits>-<key id of the witness, 8 hex digits>``.

Each is the signed checkpoint with one more line, the witness's: whoever reads it can check both. Made after the commit, at
most one per size and witness; of two writers one wins and the other's line is dropped. The store only keeps it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from evidence.errors import EvidenceError, MalformedError
from evidence.snapshot.check import Check
from evidence.store.history import History
from evidence.store.objects import ObjectStore
from evidence.tlog.checkpoint import Checkpoint, open_checkpoint, parse_unverified
from evidence.tlog.cosignature import MAX_ANSWER, Cosigner, cosigned_at
from evidence.tlog.note import parse_note

PREFIX: Final = "log/cosigned/"
_STEP: Final = "witness"


def cosigned_path(size: int, cosigner: Cosigner) -> str:
    """Return the name of the checkpoint of ``size`` as ``cosigner`` co-signed it."""
    return f"{PREFIX}{size:012d}-{cosigner.key_id.hex()}"


def check_cosigned(
    store: ObjectStore, history: History, cosigners: Sequence[Cosigner], *, since: int = 0
) -> Iterator[Check]:
    """Check every co-signed checkpoint against the log, and its second line where its witness's key was given.

    A witness whose key was given and who co-signed nothing here is a failure: somebody relies on it. What lies beyond its
    last co-signature is said. With ``since`` checkpoints smaller than that are not looked at, nor missed.
    """
    seen: dict[Cosigner, tuple[int, str]] = {}
    for path in store.list(PREFIX, start_after=f"{PREFIX}{since:012d}" if since else ""):
        try:
            check, cosigner, size = _check_one(store, history, path, cosigners)
        except (EvidenceError, OSError, UnicodeDecodeError) as exc:
            yield Check(_STEP, ok=False, detail=str(exc), subject=path)
            continue
        yield check
        if cosigner is not None:
            seen[cosigner] = max(seen.get(cosigner, (0, "")), (size, check.detail))
    yield from (_coverage(cosigner, seen.get(cosigner), history.size, since) for cosigner in cosigners)


def _check_one(
    store: ObjectStore, history: History, path: str, cosigners: Iterable[Cosigner]
) -> tuple[Check, Cosigner | None, int]:
    found = store.head(path)
    if found is not None and found.size > MAX_ANSWER:
        raise MalformedError(f"{path} has {found.size} bytes, over {MAX_ANSWER}")
    signed = store.get(path).decode()
    size = _checkpoint(signed, history).size
    lines = parse_note(signed).signatures
    if len(lines) != 2 or path != f"{PREFIX}{size:012d}-{lines[1].key_id.hex()}":
        raise MalformedError(f"{path} is not the name of this checkpoint, or it has more than the witness's line")
    for cosigner in cosigners:
        if (lines[1].name, lines[1].key_id) == (cosigner.name, cosigner.key_id):
            moment = cosigned_at(signed, cosigner)
            detail = f"checkpoint of size {size} co-signed by {cosigner.name} at {moment:%Y-%m-%dT%H:%M:%SZ}"
            return Check(_STEP, ok=True, detail=detail, subject=path), cosigner, size
    claim = f"checkpoint of size {size}: co-signature of {lines[1].name}, whose key was not given: a claim"
    return Check(_STEP, ok=None, detail=claim, subject=path), None, size


def _checkpoint(signed: str, history: History) -> Checkpoint:
    """Return the checkpoint, which the log signed and continues."""
    size = parse_unverified(signed).size
    if size > history.size:
        open_checkpoint(signed, [history.verifier])
        raise MalformedError(f"is of size {size}, the log has {history.size} entries: the store went back in time")
    return history.check_remembered(signed, "a co-signed checkpoint")


def _coverage(cosigner: Cosigner, last: tuple[int, str] | None, size: int, since: int) -> Check:
    if last is None and since:
        detail = f"{cosigner.name} co-signed nothing from size {since} on; whether it did before was not looked at"
        return Check(_STEP, ok=None, detail=detail, subject=PREFIX)
    if last is None:
        detail = f"{cosigner.name} is trusted as a witness and co-signed no checkpoint of this store"
        return Check(_STEP, ok=False, detail=detail, subject=PREFIX)
    if last[0] < size:
        detail = f"{last[1]}; the {size - last[0]} entries after it are not co-signed"
        return Check(_STEP, ok=None, detail=detail, subject=PREFIX)
    return Check(_STEP, ok=True, detail=f"all {size} entries are under it: {last[1]}", subject=PREFIX)

"""The keys of a log over time: which of them sign the checkpoint of a size, and what a rotation entry says.

::

    size      1 … r      r + 1      r + 2 …
    signed by old        old, new   new            entry r is the rotation, alone in its commit record

The old key names its successor in an entry; both sign the checkpoint that ends with it. So whoever trusts the old key is
led to the new one, and whoever trusts the new one has its signature over everything before. Without the second signature
a thief of the old key could put the new key's name under a history of his own.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from evidence.errors import MalformedError, VerificationError
from evidence.tlog.checkpoint import Checkpoint, open_checkpoint, parse_unverified
from evidence.tlog.note import Verifier, parse_note, parse_verifier

TYPE: Final = "rotation"
FROM: Final = "from"


def rotation_body(old: Verifier) -> dict[str, str]:
    """Return the body of a rotation entry; its key is the new key's text."""
    return {FROM: old.to_text()}


def read_rotation(key: str, body: Mapping[str, Any]) -> tuple[Verifier, Verifier]:
    """Return (old key, new key) of a rotation entry; raise ``MalformedError`` for what a writer does not write."""
    if set(body) != {FROM} or not isinstance(body[FROM], str):
        raise MalformedError("malformed rotation entry")
    old, new = parse_verifier(body[FROM]), parse_verifier(key)
    if old.name != new.name or old == new:
        raise MalformedError("a rotation entry hands over to a key of another log, or to itself")
    return old, new


class LogKeys:
    """The verifier keys of one log in the order of their use. Grows by proved rotations only."""

    def __init__(self, first: Verifier) -> None:
        self._keys = [first]
        self._since = [0]  # the size whose checkpoint is the first that the key signs

    @property
    def first(self) -> Verifier:
        """The key that ``store.json`` names."""
        return self._keys[0]

    @property
    def current(self) -> Verifier:
        """The key that signs from now on."""
        return self._keys[-1]

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[tuple[int, Verifier]]:
        """Yield (first size whose checkpoint it signs, key); that of the first key is 0."""
        return zip(self._since, self._keys, strict=True)

    def turned(self, size: int) -> bool:
        """Say whether a rotation that ends at ``size`` is among these."""
        return size > 0 and size in self._since

    def signing(self, size: int) -> tuple[Verifier, ...]:
        """Return the keys that must all have signed the checkpoint of ``size``."""
        ends = [*self._since[1:], None]
        return tuple(
            key
            for key, start, end in zip(self._keys, self._since, ends, strict=True)
            if start <= size and (end is None or size <= end)
        )

    def open(self, signed: str) -> Checkpoint:
        """Return the checkpoint of a signed note after verifying it under the keys of its size.

        Raises ``MalformedError`` or ``VerificationError``.
        """
        checkpoint = parse_unverified(signed)
        for key in self.signing(checkpoint.size):
            try:
                open_checkpoint(signed, [key])
            except VerificationError as exc:
                raise self._explained(signed, checkpoint.size, exc) from exc
        return checkpoint

    def rotate(self, size: int, signed: str, old: Verifier, new: Verifier) -> None:
        """Take ``new`` as the key after ``size``, whose checkpoint ``signed`` both keys signed.

        Raises ``VerificationError`` when the old key is not the current one, the new one was used before, or one of them did
        not sign.
        """
        if old != self.current:
            raise VerificationError(f"{old.to_text()} hands over the log, but is not its key", step="rotation")
        if new in self:
            raise VerificationError(f"{new.to_text()} was a key of this log before", step="rotation")
        checkpoint = open_checkpoint(signed, [old])
        try:
            open_checkpoint(signed, [new])
        except VerificationError as exc:
            raise VerificationError(f"the new key did not sign its own introduction: {exc}", step="rotation") from exc
        if checkpoint.size != size or size <= self._since[-1]:
            raise VerificationError(f"the rotation is signed for size {checkpoint.size}", step="rotation")
        self._keys.append(new)
        self._since.append(size)

    def _explained(self, signed: str, size: int, exc: VerificationError) -> VerificationError:
        """Say so when the signature is of a key that has been retired by then, or did not sign yet."""
        by = {(line.name, line.key_id) for line in parse_note(signed).signatures}
        for since, key in self:
            if (key.name, key.key_id) in by and key not in self.signing(size):
                when = "before it was introduced" if size < since else "after it was retired"
                return VerificationError(
                    f"the checkpoint of size {size} is signed by {key.to_text()} {when}", step="rotation"
                )
        return exc

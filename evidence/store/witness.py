"""A witness over HTTP (C2SP tlog-witness): it sees each checkpoint with a proof that it continues the last one it saw.

Stateless on our side: the request that begins with size 0 is answered, by a witness that knows the log, with 409 and the size
it knows; the second one proves from there. A witness that knows more than we do is reported, never believed in silence.
"""

from collections.abc import Callable, Sequence
from typing import Final

from evidence.errors import ForkError, RollbackError, StoreError
from evidence.store.posting import Answer, Poster
from evidence.tlog.checkpoint import parse_unverified
from evidence.tlog.cosignature import Cosigner, with_cosignature
from evidence.tlog.proof import ConsistencyProof

SIZE_KIND: Final = "text/x.tlog.size"
_REFUSALS: Final = {
    400: "it could not read the request",
    403: "it does not know the log's key",
    404: "it does not know this log: give its operator the log's verifier key",
    422: "it does not accept the consistency proof",
}
_STOP: Final = "keep the store as it is; verify it with the co-signed checkpoint that the witness holds"

Prove = Callable[[int], Sequence[bytes]]


class HttpWitness:
    """``<url>/add-checkpoint`` of a witness, and the key its co-signatures must verify with."""

    def __init__(self, url: str, cosigner: Cosigner) -> None:
        self.cosigner = cosigner
        self._poster = Poster(url.rstrip("/") + "/add-checkpoint", "log.witnesses")
        self.where = f"witness {cosigner.name} ({self._poster.where})"

    def cosign(self, signed: str, prove: Prove) -> str:
        """Return ``signed`` with the witness's verified line; ``prove`` gives the consistency proof from an older size.

        Raises ``RollbackError`` when the witness knows a larger log, ``ForkError`` when it knows another one, ``StoreError``
        when it does not answer or refuses, ``VerificationError`` or ``MalformedError`` when its line is not its key's.
        """
        size = parse_unverified(signed).size
        answer, old = self._ask(signed, prove, 0), 0
        if answer.status == 409:
            old = self._known(answer)
            if old > size:
                raise RollbackError(
                    f"{self.where} has co-signed {old} entries, the log has {size}: another run is ahead, or the store went back",
                    fix=_STOP,
                )
            answer = self._ask(signed, prove, old)
        if answer.status == 409 and old < size:
            raise StoreError(f"{self.where} moved on from size {old} meanwhile: another run is ahead")
        if answer.status in {409, 422} and old:
            raise ForkError(f"{self.where} does not see this log continue the one of size {old} it knows", fix=_STOP)
        if answer.status != 200:
            raise StoreError(
                f"{self.where} answered {answer.status}: {_REFUSALS.get(answer.status, 'no co-signature')}"
            )
        return with_cosignature(signed, _text(answer), self.cosigner)

    def _ask(self, signed: str, prove: Prove, old: int) -> Answer:
        return self._poster.post(ConsistencyProof(old, tuple(prove(old)), signed).to_text().encode())

    def _known(self, answer: Answer) -> int:
        """Return the size that a 409 names, in the one spelling the protocol has."""
        text = _text(answer).removesuffix("\n")
        if answer.kind.split(";")[0].strip() != SIZE_KIND or not (
            text.isascii() and text.isdigit() and len(text) <= 18
        ):
            raise StoreError(f"{self.where} answered 409 without the size it knows")
        return int(text)


def _text(answer: Answer) -> str:
    return answer.body.decode(errors="replace")

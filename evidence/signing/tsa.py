"""Asking time-stamp authorities over HTTP (RFC 3161 section 3.4): several are tried in order, each with a bounded wait.

Only ``http`` and ``https``, no redirects, no more than 64 KiB of answer. Plain ``http`` is what most authorities offer: the
token is signed and bound to the request by imprint and nonce, so a changed answer is refused.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cryptography import x509

from evidence.errors import ConfigError, EvidenceError, TimestampError
from evidence.signing.asking import SECONDS, ask, check_url, shown
from evidence.signing.timestamp import LIMIT, StampRequest, accept_response, make_request

_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"


@dataclass(frozen=True, slots=True)
class Authorities:
    """Time-stamp authorities in the order they are asked, and the certificates their tokens must chain to.

    ``seconds`` bounds the wait for one authority, connecting and reading included.
    """

    urls: Sequence[str]
    roots: Sequence[x509.Certificate]
    clock: Callable[[], dt.datetime]
    seconds: float = SECONDS
    passed_over: dict[str, str] = field(default_factory=dict, compare=False)  # those that gave none, while another did

    def __post_init__(self) -> None:
        for url in self.urls:
            check_url(url, "tsa")
        if self.urls and not self.roots:
            raise ConfigError(
                "a time-stamp authority is configured without a certificate to check its answers",
                fix="save the authority's root certificate as trust/tsa-NAME.pem and name it in tsa_roots",
            )

    def __bool__(self) -> bool:
        return bool(self.urls)

    def stamp(self, content: bytes) -> bytes:
        """Return a verified token over SHA-256 of ``content`` from the first authority that gives one.

        Raises ``TimestampError`` that names what each of them answered.
        """
        answers = []
        for url in self.urls:
            request = make_request(content)
            try:
                return accept_response(self._post(url, request), request, self.roots, self.clock())
            except EvidenceError as exc:
                answers.append(f"{shown(url)}: {exc}")
                self.passed_over[shown(url)] = str(exc)
        raise TimestampError(
            f"no time-stamp: {'; '.join(answers) or 'no authority is configured'}",
            fix="try again later, or name another authority in tsa",
        )

    def _post(self, url: str, request: StampRequest) -> bytes:
        return ask(url, request.der, (_QUERY, _REPLY), LIMIT, TimestampError, self.seconds)

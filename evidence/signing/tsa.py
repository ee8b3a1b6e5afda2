"""Asking time-stamp authorities over HTTP (RFC 3161 section 3.4): several are tried in order, each with a bounded wait.

Only ``http`` and ``https``, no redirects, no more than 64 KiB of answer. Plain ``http`` is what most authorities offer: the
token is signed and bound to the request by imprint and nonce, so a changed answer is refused.
"""

import datetime as dt
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509

from evidence.errors import ConfigError, EvidenceError, TimestampError
from evidence.signing.timestamp import LIMIT, StampRequest, accept_response, make_request

SECONDS: Final = 15.0
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
            _check_url(url)
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
                return accept_response(_post(url, request, self.seconds), request, self.roots, self.clock())
            except EvidenceError as exc:
                answers.append(f"{shown(url)}: {exc}")
                self.passed_over[shown(url)] = str(exc)
        raise TimestampError(
            f"no time-stamp: {'; '.join(answers) or 'no authority is configured'}",
            fix="try again later, or name another authority in tsa",
        )


def shown(url: str) -> str:
    """Return ``url`` without its query, which may hold a credential."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise ConfigError(
            "a tsa entry is not a plain http or https address", fix='write "https://HOST/PATH", without a password'
        )


def _post(url: str, request: StampRequest, seconds: float) -> bytes:
    deadline = time.monotonic() + seconds
    headers = {"Content-Type": _QUERY, "Accept": _REPLY}
    call = urllib.request.Request(url, data=request.der, headers=headers, method="POST")  # noqa: S310  # _check_url
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(call, timeout=seconds) as answer:
            kind = answer.headers.get_content_type()
            if kind != _REPLY:
                raise TimestampError(f"answered {kind[:60]!r} instead of {_REPLY}")
            return _read(answer, deadline)
    except urllib.error.HTTPError as exc:
        raise TimestampError(f"answered HTTP {exc.code}") from None
    except (OSError, http.client.HTTPException) as exc:
        reason = getattr(exc, "reason", None) or exc
        raise TimestampError(f"did not answer: {type(reason).__name__}") from None


def _read(answer: Any, deadline: float) -> bytes:
    """Read piece by piece, so that neither an endless nor a dripping answer holds us."""
    body = b""
    while piece := answer.read1(LIMIT):
        body += piece
        if len(body) > LIMIT:
            raise TimestampError(f"answered more than {LIMIT} bytes")
        if time.monotonic() > deadline:
            raise TimestampError("did not finish its answer in time")
    return body

"""One bounded question over HTTP: no redirects, no password in the address, an answer of the right type, of bounded size, in bounded time."""

import http.client
import time
import urllib.error
import urllib.request
from typing import Any, Final
from urllib.parse import urlsplit

from evidence.errors import ConfigError, EvidenceError

SECONDS: Final = 15.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def check_url(url: str, key: str) -> None:
    """Raise ``ConfigError`` that names the configuration's ``key`` unless ``url`` is a plain address."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise ConfigError(
            f"a {key} entry is not a plain http or https address", fix='write "https://HOST/PATH", without a password'
        )


def shown(url: str) -> str:
    """Return ``url`` without its query, which may hold a credential."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def ask(
    url: str,
    body: bytes | None,
    types: tuple[str, str],
    limit: int,
    error: type[EvidenceError],
    seconds: float = SECONDS,
) -> bytes:
    """POST ``body``, or GET without one, and return the answer; ``types`` are the media types sent and wanted (empty: any).

    Raises ``error`` for everything else than an answer of at most ``limit`` bytes within ``seconds``.
    """
    sent, wanted = types
    deadline = time.monotonic() + seconds
    headers = ({"Content-Type": sent} if sent else {}) | ({"Accept": wanted} if wanted else {})
    call = urllib.request.Request(url, data=body, headers=headers, method="GET" if body is None else "POST")  # noqa: S310  # check_url
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(call, timeout=seconds) as answer:
            kind = answer.headers.get_content_type()
            if wanted and kind != wanted:
                raise error(f"answered {kind[:60]!r} instead of {wanted}")
            return _read(answer, deadline, limit, error)
    except urllib.error.HTTPError as exc:
        raise error(f"answered HTTP {exc.code}") from None
    except (OSError, http.client.HTTPException) as exc:
        reason = getattr(exc, "reason", None) or exc
        raise error(f"did not answer: {type(reason).__name__}") from None


def _read(answer: Any, deadline: float, limit: int, error: type[EvidenceError]) -> bytes:
    """Read piece by piece, so that neither an endless nor a dripping answer holds us."""
    body = b""
    while piece := answer.read1(64 << 10):
        body += piece
        if len(body) > limit:
            raise error(f"answered more than {limit} bytes")
        if time.monotonic() > deadline:
            raise error("did not finish its answer in time")
    return body

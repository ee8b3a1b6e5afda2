"""One bounded HTTP request to an address that may be a secret: no redirects, no proxy to this host, no address in messages."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from evidence.errors import ConfigError, StoreError

TIMEOUT_SECONDS: Final = 10
MAX_ANSWER: Final = 65_536  # bytes of an answer that are read
LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever the status."""

    status: int
    kind: str  # Content-Type
    body: bytes


class Poster:
    """An https address, or an http one of this host. ``where`` shows its host alone. Raises ``ConfigError`` for others."""

    def __init__(self, url: str, key: str) -> None:
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            raise ConfigError(f"{key}: an address does not parse", fix="use an https:// address") from None
        if not host or (parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK)):
            raise ConfigError(f"{key}: an address must be https", fix="use its https:// address")
        self.where = f"{parts.scheme}://{host}/…"
        self._url = url
        near = [urllib.request.ProxyHandler({})] if host in LOOPBACK else []
        self._opener = urllib.request.build_opener(_NoRedirect(), *near)

    def post(self, body: bytes) -> Answer:
        """POST ``body`` as text; raise ``StoreError`` when there is no answer within the time."""
        return self.call("POST", "", body, {"Content-Type": "text/plain; charset=utf-8"})

    def call(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Ask for ``path`` below the address; raise ``StoreError`` when there is no answer within the time."""
        said = {"User-Agent": "evidence", **headers}
        try:
            request = urllib.request.Request(self._url + path, body, said, method=method)  # noqa: S310 - checked above
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return Answer(answer.status, answer.headers.get("Content-Type", ""), answer.read(MAX_ANSWER))
        except urllib.error.HTTPError as exc:
            with exc:
                return Answer(exc.code, exc.headers.get("Content-Type", ""), _rest(exc))
        except (OSError, ValueError, http.client.HTTPException) as exc:  # their messages may hold the whole address
            reason = getattr(exc, "reason", None)
            raise StoreError(f"{self.where}: {type(reason or exc).__name__}") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: object, **_words: object) -> None:
        """Refuse: the answer's own status, 3xx, becomes the error."""


def _rest(answer: urllib.error.HTTPError) -> bytes:
    try:
        return answer.read(MAX_ANSWER)
    except (OSError, http.client.HTTPException):
        return b""

"""The dbt Cloud Administrative API (v2), read only: GET with a token, bounded retries, bounded answers, no way to another host.

Facts: dbt documentation, "dbt Administrative API" (v2), "API rate limits" (429, then a cooldown of five minutes),
release notes of March 2023 (at most 100 items per list) and May 2023 (``order_by`` id, created_at, finished_at).
"""

import datetime as dt
import json
import math
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPMessage
from typing import IO, Any

from evidence.errors import ConfigError, SourceDeniedError, SourceUnavailableError

PAGE = 100
ATTEMPTS = 6
LONGEST_WAIT = 300.0  # seconds: the documented cooldown
REQUEST_SECONDS = 600.0  # a whole answer, however slowly it drips
SOCKET_SECONDS = 60.0
JSON_BYTES = 64 * 2**20
UNREACHED_SECONDS = 120.0  # no further try of a request that nobody answers begins later than this after its first
IN_A_ROW = (
    2  # requests that failed for good, one after the other: the account is taken to be out for the rest of the run
)
RETRIED = frozenset({408, 429, 500, 502, 503, 504})
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_CHUNK = 2**18


@dataclass(frozen=True, slots=True)
class Time:
    """The clock of the retries: monotonic seconds, a way to wait, and the date that Retry-After is measured from."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], dt.datetime] = field(default=lambda: dt.datetime.now(dt.UTC))


class _Tries:
    """The tries of one request: whether to go on after one that failed, having waited. ``reached``: somebody answered at all."""

    def __init__(self, timing: Time) -> None:
        self.problem, self.reached, self.go_on = "", False, True
        self._time, self._begun, self._made = timing, timing.monotonic(), 0

    def refused(self, status: int, after: str | None) -> None:
        """The server answered with an error; ``after`` is its Retry-After."""
        self.problem, self.reached = f"HTTP {status}", True
        if status not in RETRIED:
            self.go_on = False
            return
        asked = _seconds(after, self._time.now()) if after else None
        self._again(None if asked is None else max(asked, 0.0))

    def broken(self, exc: Exception) -> None:
        """No answer, or not the whole of one."""
        self.problem = type(getattr(exc, "reason", None) or exc).__name__
        self.reached = self.reached or not isinstance(exc, (urllib.error.URLError, TimeoutError))
        patience = REQUEST_SECONDS if self.reached else UNREACHED_SECONDS
        self._again(None, self._begun + patience)

    def _again(self, asked: float | None, latest: float = math.inf) -> None:
        """Wait what the server asks for, else 1, 2, 4 … seconds, unless that is too long, too late or once too often."""
        wait = min(2.0**self._made, 60.0) if asked is None else asked
        self._made += 1
        if wait > LONGEST_WAIT:
            self.problem += f", asks to wait {wait:.0f} s"
        self.go_on = self._made < ATTEMPTS and wait <= LONGEST_WAIT and self._time.monotonic() + wait <= latest
        if self.go_on:
            self._time.sleep(wait)


class CloudApi:
    """One account. ``token`` is asked for at each request and goes nowhere but into its header.

    A host that cannot be reached is tried for a while, once: every later request of this object fails at once with the same reason,
    so that each dataset has it in its receipt and the night goes on. So it is after two requests in a row that only met errors.
    """

    def __init__(self, host: str, account_id: int, token: Callable[[], str], *, timing: Time | None = None) -> None:
        self.root = api_root(host)
        self.host = urllib.parse.urlsplit(self.root).netloc
        self.account_id = account_id
        self._token = token
        self._failed, self._out = 0, ""
        self._time = timing or Time()
        near = urllib.parse.urlsplit(self.root).hostname in LOOPBACK
        self._opener = urllib.request.build_opener(_SameHost(), *([urllib.request.ProxyHandler({})] if near else []))

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Mapping[str, Any] | None:
        """Return the JSON object at ``/accounts/<id>/<path>``; None if there is no such thing (404)."""
        body = self.fetch(path, query, limit=JSON_BYTES)
        if body is None:
            return None
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise self._odd(path)
        return value

    def pages(self, path: str, query: Mapping[str, Any]) -> Iterator[list[Mapping[str, Any]]]:
        """Yield the pages of a list. Each page begins with the last item of the one before: a list that shifts is noticed.

        Raises ``SourceUnavailableError`` if items went missing between two pages, or before the stated total was reached.
        """
        offset, last, seen, total = 0, None, 0, None
        while True:
            answer = self.get(path, {**query, "limit": PAGE, "offset": offset})
            total = _total(answer or {}) if last is None else total  # later ones count what came in between
            items = answer.get("data") if answer else None
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise self._odd(path)
            ids = [item.get("id") for item in items]
            if last is not None and last not in ids:
                raise SourceUnavailableError(
                    f"{self.host}: the list of {path} changed while it was read", fix="collect again"
                )
            fresh = items[ids.index(last) + 1 :] if last is not None else items
            seen += len(fresh)
            if fresh:
                yield fresh
                last = ids[-1]
            if len(items) < PAGE:
                if total is not None and seen < total:
                    raise SourceUnavailableError(
                        f"{self.host}: {path}: {seen} of {total} items came", fix="collect again"
                    )
                return
            if not fresh:
                raise self._odd(path)
            offset += len(items) - 1

    def fetch(self, path: str, query: Mapping[str, Any] | None = None, *, limit: int) -> bytes | None:
        """Return the bytes of an answer; None for 404. Raises ``SourceDeniedError``, ``SourceUnavailableError``."""
        if self._out:
            raise self._unavailable(path, f"{self._out} before; not asked again in this run")
        url = f"{self.root}/accounts/{self.account_id}/{path}"
        if query:
            url += "?" + urllib.parse.urlencode({key: value for key, value in query.items() if value is not None})
        tries = _Tries(self._time)
        while tries.go_on:
            try:
                body = self._once(url, limit)
            except urllib.error.HTTPError as exc:
                exc.close()
                if exc.code in {401, 403}:
                    raise self._denied(path, exc.code) from None
                if exc.code != 404:
                    tries.refused(exc.code, exc.headers.get("Retry-After"))
                    continue
                body = None
            except (OSError, HTTPException) as exc:
                tries.broken(exc)
                continue
            self._failed = 0
            return body
        self._failed += 1
        if not tries.reached or self._failed >= IN_A_ROW:
            self._out = tries.problem
        raise self._unavailable(path, tries.problem)

    def _once(self, url: str, limit: int) -> bytes:
        headers = {"Authorization": f"Token {self._token()}", "Accept": "*/*", "User-Agent": "evidence"}
        request = urllib.request.Request(url, headers=headers, method="GET")  # noqa: S310 - the scheme was checked
        deadline = self._time.monotonic() + REQUEST_SECONDS
        body = bytearray()
        with self._opener.open(request, timeout=SOCKET_SECONDS) as answer:
            stated = answer.headers.get("Content-Length")
            while chunk := answer.read1(_CHUNK):
                body += chunk
                if len(body) > limit:
                    raise SourceUnavailableError(
                        f"{self.host}: an answer of over {limit} bytes", fix="leave this run out"
                    )
                if self._time.monotonic() > deadline:
                    raise AnswerTooSlowError
        if stated is not None and stated.isdigit() and len(body) != int(stated):
            raise HTTPException  # cut short: tried again
        return bytes(body)

    def _denied(self, path: str, status: int) -> SourceDeniedError:
        return SourceDeniedError(
            f"{self.host}: {path}: HTTP {status}",
            fix=f"give the token read access to jobs and runs of account {self.account_id} (Job Viewer; Read-Only on Starter)",
        )

    def _unavailable(self, path: str, problem: str) -> SourceUnavailableError:
        return SourceUnavailableError(
            f"{self.host}: {path}: {problem}", fix="try again later; check the host and the network"
        )

    def _odd(self, path: str) -> SourceUnavailableError:
        return SourceUnavailableError(
            f"{self.host}: {path}: not the documented answer", fix="check that the host is dbt Cloud's"
        )


class AnswerTooSlowError(HTTPException):
    """An answer that came in pieces for longer than one may take."""


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follow a redirect only to the same scheme and host: the token must not travel."""

    max_redirections = 3

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        """Refuse another host."""
        here, there = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            fp.close()
            raise SourceUnavailableError(
                f"{here.netloc}: redirects to another host, which is not followed",
                fix="set host to the account's own access URL",
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def api_root(host: str) -> str:
    """Return ``https://<host>/api/v2``; plain http is for the loopback only. Raises ``ConfigError``."""
    parts = urllib.parse.urlsplit(host if "://" in host else f"https://{host}")
    plain = parts.scheme == "http" and parts.hostname in LOOPBACK
    named = re.fullmatch(r"[A-Za-z0-9.:\[\]-]+", parts.netloc) and parts.hostname
    if not named or parts.path not in {"", "/"} or parts.query or (parts.scheme != "https" and not plain):
        raise ConfigError(
            f"dbt Cloud host {host!r} cannot be used", fix="write the access URL's host, for example cloud.getdbt.com"
        )
    return f"{parts.scheme}://{parts.netloc}/api/v2"


def _total(answer: Mapping[str, Any]) -> int | None:
    extra = answer.get("extra")
    pagination = extra.get("pagination") if isinstance(extra, dict) else None
    total = pagination.get("total_count") if isinstance(pagination, dict) else None
    return total if isinstance(total, int) else None


def _seconds(after: str, now: dt.datetime) -> float | None:
    """Parse Retry-After: seconds or an HTTP date (RFC 9110 section 10.2.3)."""
    if after.strip().isdigit():
        return float(after)
    try:
        return (parsedate_to_datetime(after) - now).total_seconds()
    except (ValueError, TypeError):
        return None

"""What can go wrong between a client and S3: a proxy in this process, on 127.0.0.1, that gives wrong answers on plan.

It stands in front of a real server (LocalStack): requests are forwarded unless the plan says otherwise, and every one is
kept in ``seen``. ``FAULTS`` names what can befall a request; ``after`` means that the server carried it out.
"""

import http.client
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

SLOW_DOWN = (503, "SlowDown", "Please reduce your request rate.")
REFUSALS = {
    "500": (500, "InternalError", "We encountered an internal error."),
    "503": (503, "ServiceUnavailable", "Service is unable to handle request."),
    "slow down": SLOW_DOWN,
    "throttled": (429, "TooManyRequests", "Slow down."),
    "denied": (403, "AccessDenied", "Access Denied"),
}
FAULTS = (
    *REFUSALS,
    *(f"{name} after" for name in REFUSALS),
    "reset before",
    "reset after",
    "hang",  # no answer before the client's patience ends; the server carried it out
    "slow",  # the body drips in, whole
    "truncated",  # fewer bytes than announced, then the connection ends
    "short",  # half the body, announced as such
    "wrong byte",  # of the announced length, with the true checksum
    "lying",  # another byte, and a checksum that fits it
    "unlocked",  # the lock headers never reach the server
    "unconditional",  # If-None-Match never reaches the server
)
DROPPED = {"unlocked": ("x-amz-object-lock",), "unconditional": ("if-none-match",)}
HOP = {"connection", "expect", "transfer-encoding", "content-length", "host", "keep-alive"}


@dataclass
class Request:
    """One request as the client sent it. ``key`` is the path below the bucket, ``fault`` what befell it."""

    number: int
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    fault: str | None = None
    status: int = 0

    @property
    def key(self) -> str:
        return urlsplit(self.target).path.lstrip("/").partition("/")[2]

    @property
    def creates(self) -> bool:
        """Whether it is a PutObject, and not of a lock or a hold."""
        return self.method == "PUT" and bool(self.key) and not urlsplit(self.target).query

    @property
    def reads(self) -> bool:
        """Whether it is a GetObject, of any version."""
        asked = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return self.method == "GET" and bool(self.key) and asked.keys() <= {"x-id", "versionId"}


@dataclass
class Proxy:
    """``plan`` is asked once per request and returns a fault's name or None; ``hang`` is how long a client waits in vain."""

    url: str
    upstream: str
    plan: Callable[[Request], str | None] = lambda _: None
    hang: float = 2.0
    seen: list[Request] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Request:
        with self._lock:
            request = Request(len(self.seen), method, target, headers, body)
            self.seen.append(request)
        request.fault = self.plan(request)
        assert request.fault is None or request.fault in FAULTS, request.fault
        return request


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy
    timeout = 60

    def log_message(self, *_: object) -> None: ...

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        request = self.proxy.take(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
        fault = request.fault or ""
        if fault == "reset before":
            return self._reset()
        if fault in REFUSALS:
            return self._refuse(request, *REFUSALS[fault])
        status, headers, body = self._forward(request)
        request.status = status
        if fault == "reset after":
            return self._reset()
        if fault.endswith(" after"):
            return self._refuse(request, *REFUSALS[fault.removesuffix(" after")])
        if fault == "hang":
            time.sleep(self.proxy.hang)
            return self._reset()
        return self._answer(fault, status, headers, body)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _serve  # noqa: N815 - the names http.server asks for

    def _forward(self, request: Request) -> tuple[int, list[tuple[str, str]], bytes]:
        dropped = DROPPED.get(request.fault or "", ())
        headers = {
            name: value for name, value in request.headers.items()
            if name.lower() not in HOP and not name.lower().startswith(dropped or ("\0",))
        }  # fmt: skip
        there = urlsplit(self.proxy.upstream)
        connection = http.client.HTTPConnection(there.hostname or "", there.port, timeout=60)
        try:
            connection.request(request.method, request.target, request.body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _answer(self, fault: str, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        announced = next((int(v) for k, v in headers if k.lower() == "content-length"), len(body))
        length = announced if self.command == "HEAD" else len(body)
        if fault == "short":
            body = body[: len(body) // 2]
            length = len(body)
        if fault in {"wrong byte", "lying"} and body:
            body = body[:-1] + bytes([body[-1] ^ 1])
        self.send_response_only(status)
        for name, value in headers:
            lying = fault == "lying" and name.lower().startswith("x-amz-checksum")
            if name.lower() not in HOP and not lying:
                self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault == "truncated":
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self._reset()
            return
        for piece in self._pieces(fault, body):
            self.wfile.write(piece)

    def _pieces(self, fault: str, body: bytes) -> Iterator[bytes]:
        if fault != "slow":
            yield body
            return
        step = max(len(body) // 5, 1)
        for start in range(0, len(body), step):
            time.sleep(0.05)
            yield body[start : start + step]

    def _refuse(self, request: Request, status: int, code: str, message: str) -> None:
        request.status = request.status or -status  # negative: the server never saw it
        text = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'.encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_: object) -> None:
        """A client that went away, or a connection that we reset: the test sees it from its side."""


@contextmanager
def run_proxy(upstream: str) -> Iterator[Proxy]:
    """Run a proxy in front of ``upstream`` until the block ends."""
    handler = type("Handler", (_Handler,), {})
    with _Server(("127.0.0.1", 0), handler) as server:
        proxy = handler.proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}", upstream)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join(10)

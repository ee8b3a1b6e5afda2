"""Answers that go wrong on their way: other words than JSON, cut, reset, slow or corrupt bytes.

What TCP does cannot be said through ASGI, so these answers are written to the connection itself, which :class:`Wired`
puts within reach.
"""

import asyncio
import contextlib
import gzip
import json
import socket
import struct
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.servers.snowflake_emulator.state import Rule

RESET_NOW = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST, not FIN
DRIP_PIECES = 40


class Wired:
    """Wraps an application and puts uvicorn's transport into the scope."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["transport"] = getattr(getattr(send, "__self__", None), "transport", None)
        await self.app(scope, receive, send)


def spoil(rule: Rule, answer: Response) -> Response:
    """Return ``answer`` as ``rule`` wants it to arrive; see ``state.Rule`` for the actions."""
    return SPOILED[rule.action](rule, answer)


def _other(rule: Rule, _answer: Response) -> Response:
    return Response(rule.message, status_code=rule.status, media_type=rule.media)


def _without(rule: Rule, answer: Response) -> Response:
    """Leave fields out of the data of a JSON answer."""
    body = json.loads(answer.body)
    body["data"] = {key: value for key, value in body["data"].items() if key not in rule.message.split()}
    return JSONResponse(body)


def _announced(rule: Rule, answer: Response) -> Response:
    """Announce more rows than there are."""
    body = json.loads(answer.body)
    body["data"]["total"] += rule.rows
    body["data"]["returned"] += rule.rows
    return JSONResponse(body)


def _empty(_rule: Rule, answer: Response) -> Response:
    """A good chunk, with no rows in it."""
    schema = pa.ipc.open_stream(gzip.decompress(answer.body)).schema
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema):
        pass
    return _packed(answer, gzip.compress(sink.getvalue().to_pybytes(), 1))


def _corrupt_gzip(_rule: Rule, answer: Response) -> Response:
    """Bytes in the middle are turned over; the length stays."""
    body = bytearray(answer.body)
    for at in range(len(body) // 2, len(body) // 2 + 64):
        body[at] ^= 0xFF
    return _packed(answer, bytes(body))


def _corrupt_arrow(_rule: Rule, answer: Response) -> Response:
    """Good gzip around an Arrow stream that ends in the middle of its last batch."""
    plain = gzip.decompress(answer.body)
    return _packed(answer, gzip.compress(plain[: len(plain) * 2 // 3], 1))


def _packed(answer: Response, body: bytes) -> Response:
    headers = {key: value for key, value in answer.headers.items() if key != "content-length"}
    return Response(body, headers=headers)


class _Raw(Response):
    """An answer that is written to the connection in a way of its own."""

    def __init__(self, rule: Rule, answer: Response) -> None:
        self.rule, self.answer = rule, answer
        super().__init__()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        transport = scope["transport"]
        with contextlib.suppress(OSError):
            await self.write(transport, bytes(self.answer.body))

    async def write(self, transport: Any, body: bytes) -> None:
        raise NotImplementedError

    def head(self) -> bytes:
        """The status line and headers, with the full length."""
        lines = [b"HTTP/1.1 200 OK", *(key + b": " + value for key, value in self.answer.raw_headers)]
        return b"\r\n".join(lines) + b"\r\n\r\n"


class _Short(_Raw):
    """Half of the body, then an orderly end."""

    async def write(self, transport: Any, body: bytes) -> None:
        transport.write(self.head() + body[: len(body) // 2])
        transport.close()


class _Reset(_Raw):
    """Half of the body, then the connection is reset."""

    async def write(self, transport: Any, body: bytes) -> None:
        transport.write(self.head() + body[: len(body) // 2])
        await asyncio.sleep(0.05)  # so that it is on its way: a reset throws away what was not sent
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_NOW)
        transport.abort()


class _Drip(_Raw):
    """All of the body, in small pieces over ``seconds``."""

    async def write(self, transport: Any, body: bytes) -> None:
        transport.write(self.head())
        size = -(-len(body) // DRIP_PIECES)
        for at in range(0, len(body), size):
            if transport.is_closing():
                return
            transport.write(body[at : at + size])
            await asyncio.sleep(self.rule.seconds / DRIP_PIECES)
        transport.close()


class _Stall(_Raw):
    """Half of the body, then nothing for ``seconds``, then the end."""

    async def write(self, transport: Any, body: bytes) -> None:
        transport.write(self.head() + body[: len(body) // 2])
        await asyncio.sleep(self.rule.seconds)
        transport.close()


SPOILED: dict[str, Callable[[Rule, Response], Response]] = {
    "answer": _other,
    "without": _without,
    "announce": _announced,
    "empty": _empty,
    "corrupt-gzip": _corrupt_gzip,
    "corrupt-arrow": _corrupt_arrow,
    "short": _Short,
    "reset": _Reset,
    "drip": _Drip,
    "stall": _Stall,
}

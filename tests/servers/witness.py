"""A small witness (C2SP tlog-witness and tlog-cosignature), written from the specifications alone: nothing here is ours.

It keeps, in memory, the size and root it last co-signed of each log it knows, and answers as the protocol says: 200, 400, 403,
404, 409 with the size, 422. ``answer`` makes it misbehave.

``python -m tests.servers.witness ORIGIN+KEYID+KEY`` runs one on 127.0.0.1 and prints its address and key.
"""

import base64
import hashlib
import json
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

Reply = tuple[int, str, str]  # status, content type, body
TEXT = "text/plain; charset=utf-8"


class RefusalError(Exception):
    """An answer other than a co-signature."""

    def __init__(self, status: int, body: str = "", kind: str = TEXT) -> None:
        super().__init__(status)
        self.reply: Reply = (status, kind, body)


class Witness:
    """``logs`` maps an origin to its public keys (32 bytes). The clock gives seconds since 1970."""

    def __init__(
        self, logs: dict[str, list[bytes]], *, name: str = "witness.example/w1", seed: bytes = b"w" * 32,
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self.name, self.logs, self.clock = name, logs, clock
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.known: dict[str, tuple[int, bytes]] = {}
        self.requests: list[str] = []
        self.answer: Callable[[str], Reply] | None = None
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/secret-prefix"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def public_key(self) -> bytes:
        return self._key.public_key().public_bytes_raw()

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n\x04" + self.public_key).digest()[:4]

    @property
    def vkey(self) -> str:
        packed = base64.b64encode(b"\x04" + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{packed}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add_checkpoint(self, body: str) -> Reply:
        """Return the answer to one request."""
        try:
            with self._lock:
                return 200, TEXT, self._cosign(*self._checked(body))
        except RefusalError as refusal:
            return refusal.reply

    def _checked(self, body: str) -> tuple[str, int, bytes, str]:
        head, _, checkpoint = body.partition("\n\n")
        lines = head.split("\n")
        text, _, signatures = checkpoint.rpartition("\n\n")
        try:
            old = int(lines[0].removeprefix("old "))
            proof = [base64.b64decode(line, validate=True) for line in lines[1:]]
            origin, size_text, root_text = text.split("\n")[:3]
            size, root = int(size_text), base64.b64decode(root_text, validate=True)
        except ValueError:
            raise RefusalError(400, "malformed\n") from None
        if lines[0] != f"old {old}" or len(proof) > 63 or old > size:
            raise RefusalError(400, "malformed\n")
        if origin not in self.logs:
            raise RefusalError(404, "unknown log\n")
        if not any(_signed_by(text + "\n", signatures, key) for key in self.logs[origin]):
            raise RefusalError(403, "no trusted signature\n")
        known_size, known_root = self.known.get(origin, (0, b""))
        if old != known_size or (old == size and old and root != known_root):
            raise RefusalError(409, f"{known_size}\n", "text/x.tlog.size")
        if not _continues(old, known_root, size, root, proof):
            raise RefusalError(422, "proof\n")
        return origin, size, root, text + "\n"

    def _cosign(self, origin: str, size: int, root: bytes, text: str) -> str:
        self.known[origin] = (size, root)
        seconds = int(self.clock())
        signature = self._key.sign(f"cosignature/v1\ntime {seconds}\n{text}".encode())
        line = base64.b64encode(self.key_id + seconds.to_bytes(8, "big") + signature).decode()
        return f"\u2014 {self.name} {line}\n"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        witness = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                witness.requests.append(body)
                known = self.path == "/secret-prefix/add-checkpoint"
                reply = (witness.answer or witness.add_checkpoint)(body) if known else (404, TEXT, "no such call\n")
                self.send_response(reply[0])
                self.send_header("Content-Type", reply[1])
                self.send_header("Content-Length", str(len(reply[2].encode())))
                self.end_headers()
                self.wfile.write(reply[2].encode())

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _signed_by(text: str, signatures: str, key: bytes) -> bool:
    """One line is this log key's (type byte 1) and right; lines of other keys do not count."""
    name = text.split("\n", 1)[0]
    key_id = hashlib.sha256(name.encode() + b"\n\x01" + key).digest()[:4]
    for line in signatures.splitlines():
        parts = line.split(" ")
        if len(parts) == 3 and parts[:2] == ["\u2014", name] and (packed := base64.b64decode(parts[2]))[:4] == key_id:
            try:
                Ed25519PublicKey.from_public_bytes(key).verify(packed[4:], text.encode())
            except InvalidSignature:
                return False
            return True
    return False


def _continues(old: int, old_root: bytes, new: int, new_root: bytes, proof: list[bytes]) -> bool:
    """RFC 6962 section 2.1.2 read backwards: rebuild both roots from the proof by the recursion that made it."""
    if old == 0:
        return not proof
    if old == new:
        return not proof and old_root == new_root
    rest = list(proof)

    def rebuild(m: int, n: int, *, whole: bool) -> tuple[bytes, bytes]:
        if m == n:
            return (old_root, old_root) if whole else (rest[-1], rest.pop())
        k = 1 << ((n - 1).bit_length() - 1)
        right = rest.pop()
        if m <= k:
            before, after = rebuild(m, k, whole=whole)
            return before, _node(after, right)
        before, after = rebuild(m - k, n - k, whole=False)
        return _node(right, before), _node(right, after)

    try:
        return rebuild(old, new, whole=True) == (old_root, new_root) and not rest
    except IndexError:
        return False


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


if __name__ == "__main__":
    log, _, packed = sys.argv[1].split("+", 2)
    running = Witness({log: [base64.b64decode(packed)[1:]]})
    print(json.dumps({"url": running.url, "vkey": running.vkey}), flush=True)
    time.sleep(float(sys.argv[2]) if len(sys.argv) > 2 else 3600)

"""A store that gives one wrong answer: at call number N, of the kind asked for; every other call is the inner store's."""

import hashlib

from fakes.memory_store import Crash

from evidence.errors import ObjectNotFoundError, StoreError, VerificationError

WRITES = ("put_if_absent", "replace_cache")
FAULTS = {  # kind -> the calls it can befall
    "error before": (*WRITES, "get", "list", "head"),
    "hang": (*WRITES, "get", "list", "head"),  # seen by the caller as a timeout
    "crash before": (*WRITES, "get", "list", "head"),
    "error after": WRITES,  # a 5xx that came after the write happened
    "timeout after": WRITES,
    "crash after": WRITES,
    "disk full": WRITES,
    "exists, it says": ("put_if_absent",),  # and there is nothing
    "truncated": ("get",),
    "other bytes": ("get",),
    "not found, it says": ("get", "head"),
    "stale list": ("list",),  # the newest names are missing
    "empty list": ("list",),
    "listing breaks off": ("list",),
}
LOST = "acknowledged and lost"  # breaks the promise of put_if_absent itself


class OneFault:
    """``calls`` names the calls made so far; with ``at`` and ``kind`` one of them fails."""

    def __init__(self, inner, at=-1, kind=""):
        self.inner, self.at, self.kind = inner, at, kind
        self.calls = []
        self.url, self.writable = inner.url, inner.writable

    def _due(self, call):
        self.calls.append(call)
        return self.kind if len(self.calls) - 1 == self.at else ""

    def _before(self, kind, what):
        if kind == "error before":
            raise StoreError(f"503 at {what}")
        if kind == "hang":
            raise TimeoutError(f"no answer to {what}")
        if kind == "disk full":
            raise OSError(28, "No space left on device")
        if kind == "crash before":
            raise Crash

    def _after(self, kind, what):
        if kind == "error after":
            raise StoreError(f"500 at {what}")
        if kind == "timeout after":
            raise TimeoutError(f"no answer to {what}")
        if kind == "crash after":
            raise Crash

    def put_if_absent(self, path, body, *, retain_until=None):
        kind = self._due("put_if_absent")
        self._before(kind, path)
        if kind == "exists, it says":
            return False
        if kind == LOST:
            return True
        created = self.inner.put_if_absent(path, body, retain_until=retain_until)
        self._after(kind, path)
        return created

    def replace_cache(self, body):
        kind = self._due("replace_cache")
        self._before(kind, "log/checkpoint")
        self.inner.replace_cache(body)
        self._after(kind, "log/checkpoint")

    def get(self, path, *, sha256=None):
        kind = self._due("get")
        self._before(kind, path)
        if kind == "not found, it says":
            raise ObjectNotFoundError(f"no object {path}")
        body = self.inner.get(path)
        if kind == "truncated":
            body = body[: len(body) // 2]
        if kind == "other bytes":
            body = body[:-1] + bytes([body[-1] ^ 1])
        if sha256 and hashlib.sha256(body).hexdigest() != sha256:  # the promise of every backend
            raise VerificationError(f"{path} does not have the digest {sha256}")
        return body

    def list(self, prefix, *, start_after=""):
        kind = self._due("list")
        self._before(kind, prefix)
        names = list(self.inner.list(prefix, start_after=start_after))
        if kind == "stale list":
            names = names[:-2]
        if kind == "empty list":
            names = []
        return self._broken(names) if kind == "listing breaks off" else iter(names)

    def _broken(self, names):
        yield from names[:1]
        raise StoreError("503 on the second page")

    def head(self, path):
        kind = self._due("head")
        self._before(kind, path)
        return None if kind == "not found, it says" else self.inner.head(path)

"""An object store in memory, and a wrapper that fails on plan around any store or anchor."""

import hashlib
import threading
from pathlib import Path

from evidence.errors import ObjectNotFoundError, StoreError, VerificationError
from evidence.store.objects import ObjectInfo, check_path


class Crash(BaseException):
    """The process dies here: nothing may catch this."""


class MemoryStore:
    def __init__(self):
        self.objects = {}
        self.retain = {}
        self._lock = threading.Lock()
        self.url = "memory:"
        self.writable = True

    def copy(self):
        other = MemoryStore()
        other.objects = dict(self.objects)
        return other

    def put_if_absent(self, path, body, *, retain_until=None):
        check_path(path)
        with self._lock:
            if path in self.objects:
                return False
            self.objects[path] = body.read_bytes() if isinstance(body, Path) else bytes(body)
            self.retain[path] = retain_until
            return True

    def get(self, path, *, sha256=None):
        if path not in self.objects:
            raise ObjectNotFoundError(f"no object {path}")
        if sha256 and hashlib.sha256(self.objects[path]).hexdigest() != sha256:
            raise VerificationError(f"{path} does not have the digest {sha256}")
        return self.objects[path]

    def list(self, prefix, *, start_after=""):
        return iter(sorted(path for path in self.objects if path.startswith(prefix) and path > start_after))

    def head(self, path):
        if path not in self.objects:
            return None
        return ObjectInfo(path, len(self.objects[path]), self.retain.get(path))

    def replace_cache(self, body):
        self.objects["log/checkpoint"] = body


class Spy(MemoryStore):
    """Says in ``asked`` what was read and listed."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def get(self, path, *, sha256=None):
        self.asked.append(path)
        return super().get(path, sha256=sha256)

    def list(self, prefix, *, start_after=""):
        self.asked.append(f"{prefix}*")
        return super().list(prefix, start_after=start_after)


class Faults:
    """Counts every write to the outside (puts, cache, anchors) and fails on plan.

    ``plan(number, what)`` returns None, "crash-before", "crash-after", "error-before", "error-after", or a callable that
    is run before the write.
    """

    def __init__(self, plan=lambda number, what: None):
        self.plan = plan
        self.writes = []

    def around(self, what, action):
        fault = self.plan(len(self.writes), what)
        self.writes.append(what)
        if callable(fault):
            fault()
        if fault == "crash-before":
            raise Crash
        if fault == "error-before":
            raise StoreError(f"503 before {what}")
        result = action()
        if fault == "crash-after":
            raise Crash
        if fault == "error-after":
            raise TimeoutError(f"timeout after {what}")
        return result


class FaultyStore:
    def __init__(self, inner, faults):
        self.inner, self.faults = inner, faults
        self.url, self.writable = inner.url, inner.writable
        self.get, self.list, self.head = inner.get, inner.list, inner.head

    def put_if_absent(self, path, body, *, retain_until=None):
        return self.faults.around(path, lambda: self.inner.put_if_absent(path, body, retain_until=retain_until))

    def replace_cache(self, body):
        return self.faults.around("log/checkpoint", lambda: self.inner.replace_cache(body))


class MemoryAnchor:
    where = "memory"

    def __init__(self, faults=None):
        self.signed = None
        self.faults = faults or Faults()

    def load(self, origin):
        return self.signed

    def advance(self, signed):
        def keep():
            self.signed = signed

        if signed != self.signed:
            self.faults.around("anchor", keep)

    def reset(self, signed):
        self.signed = signed

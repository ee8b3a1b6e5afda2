"""What a year brings: a store in a folder that is out for a while, and a time-stamp authority that does not answer, or answers wrongly."""

from collections import Counter

from evidence.errors import StoreError, TimestampError
from evidence.store.local import LocalStore
from tests.servers.tsa import Authority

KINDS = ("puts", "reads", "after")  # "after": the object is written and the answer is lost


class Outage:
    """``left`` calls of the ``kind`` fail, after ``skip`` that do not. ``befallen`` counts the runs that met one, by kind."""

    def __init__(self):
        self.kind, self.skip, self.left, self.hit, self.befallen = "", 0, 0, False, Counter()

    def begin(self, kind, skip, left):
        self.kind, self.skip, self.left = kind, skip, left

    def strike(self, kind, what):
        if kind != self.kind or not self.left:
            return
        if self.skip:
            self.skip -= 1
            return
        self.left -= 1
        self.befallen[kind] += not self.hit
        self.hit = True
        raise StoreError(f"503 at {what} ({kind})")


class UnsteadyStore(LocalStore):
    def __init__(self, root, outage):
        super().__init__(root)
        self.outage = outage

    def put_if_absent(self, path, body, *, retain_until=None):
        self.outage.strike("puts", path)
        created = super().put_if_absent(path, body, retain_until=retain_until)
        self.outage.strike("after", path)
        return created

    def replace_cache(self, body):
        self.outage.strike("puts", "cache")
        super().replace_cache(body)
        self.outage.strike("after", "cache")

    def get(self, path, *, sha256=None):
        self.outage.strike("reads", path)
        return super().get(path, sha256=sha256)

    def list(self, prefix, *, start_after=""):
        self.outage.strike("reads", prefix)
        return super().list(prefix, start_after=start_after)

    def head(self, path):
        self.outage.strike("reads", path)
        return super().head(path)


class UnsteadyAuthority(Authority):
    """An authority that is asked without a network. ``down`` is the chance of no answer, and of one to another question."""

    def __init__(self, clock, chance):
        super().__init__(clock)
        self.chance, self.down, self.refused = chance, 0.15, 0

    def post(self, request):
        if self.chance.random() < self.down:
            self.refused += 1
            raise TimestampError("did not answer")
        self.nonce = 1 if self.chance.random() < self.down else None
        self.refused += self.nonce is not None
        return self.respond(request)

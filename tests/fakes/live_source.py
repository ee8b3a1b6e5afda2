"""A live source in memory whose rows arrive when they like: late, twice, out of order; and a runner that collects it.

The source answers for the moment its clock shows, counts like a server (totals and a digest) and fails on plan. The runner
does what ``evidence collect`` does, on a memory store; a ``Crash`` from anywhere leaves the store as a dead process would.
"""

import dataclasses
import datetime as dt
import hashlib
import itertools
import random
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
from fakes.memory_store import Crash, Faults, FaultyStore, MemoryAnchor, MemoryStore

from evidence import collect as verb
from evidence.datasets.contract import Contract
from evidence.errors import SourceUnavailableError
from evidence.seal import seal
from evidence.signing.keys import NoteKey
from evidence.snapshot.manifest import Manifest
from evidence.snapshot.model import ColumnTotals, Statement, Totals
from evidence.snapshot.redact import Redactor
from evidence.sources.protocol import Count
from evidence.store.index import Index
from evidence.store.log import Log

KEY = NoteKey("test.example/arrivals", bytes(range(32)))
REDACTOR = Redactor(b"k" * 32, "k1")
FIRST = dt.date(2026, 7, 1)
START = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)
EVENTS = Contract(
    name="test.events",
    version=1,
    kind="event",
    read="view",
    object="TEST.EVENTS",
    description="Events that arrive when they like.",
    page="none",
    latency_minutes=180,
    retention_days=365,
    watermark="AT",
    key=("ID",),
    columns=(
        {"name": "ID", "type": "int", "required": True},
        {"name": "AT", "type": "time", "required": True},
        {"name": "WHO", "type": "text", "treatment": "keyed"},
    ),
    sha256="1" * 64,
)
STATE = EVENTS.model_copy(update={"name": "test.state", "kind": "state", "watermark": "", "object": "TEST.STATE"})
COLUMNS = ("ID", "AT")  # what the digest reads: kept columns


@dataclasses.dataclass(frozen=True)
class Row:
    """One row and when the view shows it: from ``arrives`` on, until ``leaves`` (a repeat the source takes back)."""

    id: int
    at: dt.datetime
    who: str
    arrives: dt.datetime
    leaves: dt.datetime | None = None

    def shown(self, now):
        return self.arrives <= now and (self.leaves is None or now < self.leaves)

    @property
    def value(self):
        return {"ID": self.id, "AT": self.at, "WHO": self.who}


class LiveSource:
    """``fail`` holds what the next reads do: an exception to raise, ``("crash", n)``, ``("twice", n)``, ``("lose", n)``."""

    live = True

    def __init__(self, name="live", contracts=(EVENTS,), *, counts=True, clock=lambda: START):
        self.name, self.contracts, self.counts, self.clock = name, contracts, counts, clock
        self.rows, self.fail, self.asked = [], [], []
        self.chance = random.Random(7)

    def datasets(self):
        return [contract.name for contract in self.contracts]

    def nights(self, contract):
        return None

    def visible(self, window, contract=EVENTS):
        now = self.clock()
        shown = [row for row in self.rows if row.shown(now)]
        return [r for r in shown if contract.kind == "state" or window.start <= r.at < window.end]

    def read(self, contract, window):
        self.asked.append(("read", contract.name, window.night))
        fault = self.fail.pop(0) if self.fail and contract.kind == "event" else None
        if isinstance(fault, Exception):
            raise fault
        return LiveReading(self, contract, window, fault)

    def count(self, contract, window, columns):
        if not self.counts:
            return None
        self.asked.append(("count", contract.name, window.night))
        if self.fail and isinstance(self.fail[0], Exception):
            raise self.fail.pop(0)
        rows = self.visible(window, contract)
        return Count(totals(rows), digest(rows), tuple(columns), (Statement("COUNT", query_id="q1"),))

    def close(self):
        pass


class LiveReading:
    finality = None
    notes = ()
    rejected = ()

    def __init__(self, source, contract, window, fault):
        self.source, self.contract, self.window, self.fault = source, contract, window, fault
        self.totals, self.system, self.as_of = None, {}, None
        self.statements = (Statement(f"SELECT {window.night}", query_id="q0"),)

    @property
    def batches(self):
        rows = self.source.visible(self.window, self.contract)
        kind, place = self.fault or ("", 0)
        sent = [row.value for row in rows]
        self.source.chance.shuffle(sent)
        if kind == "twice" and sent:
            sent.append(sent[place % len(sent)])
        if kind == "lose" and sent:
            sent.pop(place % len(sent))
        for start in range(0, max(len(sent), 1), 2):
            if kind == "crash" and start >= place % (len(sent) + 1):
                raise Crash
            yield batch(sent[start : start + 2])
        if kind == "crash":
            raise Crash
        self.totals = totals(rows)
        self.system = {"hash_agg": digest(rows), "hash_agg_columns": ",".join(COLUMNS)}
        if self.contract.kind == "state":
            self.as_of = (self.source.clock(), False)


def batch(values):
    schema = pa.schema([("ID", pa.int64()), ("AT", pa.timestamp("us", tz="UTC")), ("WHO", pa.string())])
    return pa.RecordBatch.from_pylist(values, schema=schema)


def totals(rows):
    """What a server would answer, by other code than ours."""
    columns = {
        "ID": ColumnTotals(len(rows), None, sum(row.id for row in rows)),
        "AT": ColumnTotals(len(rows)),
        "WHO": ColumnTotals(len(rows), sum(len(row.who) for row in rows), None),
    }
    return Totals(len(rows), len({row.id for row in rows}), columns)


def digest(rows):
    parts = [hashlib.sha256(f"{row.id}|{row.at}".encode()).digest()[:8] for row in rows]
    return str(sum(int.from_bytes(part) for part in parts) % 2**63)


class Collector:
    """One installation: a store, an anchor, a clock, a source; every run opens the log anew."""

    def __init__(self, folder, source, contracts=(EVENTS,), since=FIRST):
        self.folder, self.source, self.since = folder, source, since
        self.contracts = {contract.name: contract for contract in contracts}
        self.store, self.anchor = MemoryStore(), MemoryAnchor()
        self.now = START
        source.clock = lambda: self.now
        self.numbers = itertools.count()
        self._seen = -1, Index()
        Log.init(self.store, KEY, anchors=[self.anchor])

    def log(self, faults=None):
        if faults is None:
            return Log.open(self.store, signer=KEY, anchors=[self.anchor])
        anchor = MemoryAnchor(faults)
        anchor.signed = self.anchor.signed
        self.anchor = anchor
        return Log.open(FaultyStore(self.store, faults), signer=KEY, anchors=[anchor])

    @property
    def index(self):
        """What the log says now; read again only when the store has other objects."""
        if self._seen[0] != len(self.store.objects):
            self._seen = len(self.store.objects), Index().catch_up(self.log())
        return self._seen[1]

    def run(self, faults=None):
        """One run of the collector at this moment; ``faults`` is a plan for writes to the outside."""
        log = self.log(Faults(faults)) if faults else self.log()
        tasks = self.plan(Index().catch_up(log))
        for batch_ in self.read(tasks):
            self.seal(log, batch_, tasks)
        self.anchor.faults = Faults()

    def plan(self, index):
        return verb.plan(self.source, self.contracts, index, self.now, since=self.since)

    def read(self, tasks):
        """Yield what was read, night by night, without sealing it."""
        for _, group in itertools.groupby(tasks, key=lambda task: task.window.night):
            yield [self.collect(task) for task in group]

    def collect(self, task):
        before = self.manifest(task.previous).receipt if task.is_recount else None
        spool = self.folder / f"spool-{next(self.numbers)}"
        return verb.collect(task, REDACTOR, spool, lambda: self.now, attempts=3, before=before)

    def seal(self, log, batch_, tasks):
        new_id = lambda: f"S{next(self.numbers):06d}"  # noqa: E731
        return seal(log, Index().catch_up(log), batch_, new_id, starts=verb.starts_of(tasks))

    def manifest(self, sealed):
        ref = sealed.manifest
        return Manifest.from_bytes(self.store.get(ref.path, sha256=ref.sha256))

    def sealed(self, night, contract=EVENTS):
        """The sealed population of a night: a multiset of ids, or None if nothing is sealed."""
        found = self.index.latest(self.source.name, contract.name, night)
        return None if found is None else self.ids(found)

    def ids(self, found):
        """The ids in one sealed revision, with how often each stands there."""
        ids = Counter()
        for part in self.manifest(found).parts:
            path = self.folder / "copy.parquet"
            path.write_bytes(self.store.get(part.path, sha256=part.sha256))
            ids.update(pq.read_table(path).column("id").to_pylist())
        return ids

    def nightly(self, nights):
        """Run once a day for ``nights`` days."""
        for _ in range(nights):
            self.now += dt.timedelta(days=1)
            self.run()


def unavailable():
    return SourceUnavailableError("503", fix="try again")

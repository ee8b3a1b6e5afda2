"""A year of nights with everything going wrong now and then: each night settled or explained, nothing twice, each change told once."""

import contextlib
import datetime as dt
import os
import random
from collections import Counter

import pytest
from fakes.live_source import EVENTS, FIRST, START, STATE, LiveSource, Row, unavailable
from fakes.outages import KINDS, Outage, UnsteadyAuthority, UnsteadyStore

from evidence.assess import sealed_findings
from evidence.cli import app as command_line
from evidence.cli import collect_command, run_command
from evidence.cli import workspace as workspace_module
from evidence.cli.journal import Journal
from evidence.cli.workspace import Workspace
from evidence.control import definition
from evidence.errors import BusyError, StoreError
from evidence.signing.tsa import Authorities
from evidence.snapshot.manifest import Manifest
from evidence.snapshot.model import DAY, Window
from evidence.sources import open as opening
from evidence.verify import verify_store

HOUR = dt.timedelta(hours=1)
CONTROL = """
id = "org-few-events"
version = "1.0.0"
title = "No event of the forbidden kind"
statement = "No event carries a number that ends in 9."
test = "For each event of the night, its number does not end in 9."
severity = "high"
mode = "period"
scope = "night"
frequency = "nightly"
empty_population = "not-applicable"
empty_reason = "no event on the night"
remediation = "None."
false_positives = "None."

[[evidence]]
dataset = "test.events"
columns = ["id"]
tested = ["id"]

[reasons]
forbidden = "The number ends in 9."
"""
POPULATION = "SELECT CAST(id AS VARCHAR) AS item, id FROM test.events"
SQL = """SELECT item, CASE WHEN id % 10 <> 9 THEN 'pass' ELSE 'fail' END AS result,
CASE WHEN id % 10 <> 9 THEN '' ELSE 'forbidden' END AS reason, CAST(id AS VARCHAR) AS observed, 'not 9' AS expected FROM population"""


class Inbox:
    severity = "low"

    def __init__(self, name, chance):
        self.name, self.chance, self.got, self.down = name, chance, [], 0.3
        self.run = 0

    def send(self, alert):
        if self.chance.random() < self.down:
            raise StoreError("no answer")
        self.got.append((self.run, alert))
        return {}

    def once(self, failed):
        """Return each alert once, in order; one may come again only after a run whose store failed to note that it was sent."""
        first = {}
        for run, alert in self.got:
            sent = first.setdefault(alert.id, (run, alert))
            assert sent == (run, alert) or (sent[1] == alert and sent[0] in failed), alert.id
            first[alert.id] = run, alert
        return [alert for _, alert in first.values()]


class World:
    """A workspace on disk, a live source in memory, a clock, and dice."""

    def __init__(self, folder, monkeypatch, seed):
        self.chance, self.now, self.folder = random.Random(seed), START, folder
        self.source = LiveSource("live", contracts=(EVENTS, STATE), clock=lambda: self.now)
        self.inboxes = [Inbox("mail", self.chance), Inbox("pager", self.chance)]
        self.outcomes, self.quiet, self.leased = Counter(), False, True
        self.outage, self.failed, self.runs = Outage(), set(), 0
        self.authority = UnsteadyAuthority(lambda: self.now, random.Random(seed))
        contracts = {each.name: each for each in (EVENTS, STATE)}
        for module in (workspace_module, definition):
            monkeypatch.setattr(module, "load_contracts", lambda: contracts)
        monkeypatch.setattr(opening, "BUILT_IN", {"contracts": lambda name, *, contracts, clock, path: self.source})
        monkeypatch.setattr(workspace_module, "now", lambda: self.now)
        monkeypatch.setattr(run_command, "targets", lambda workspace: self.inboxes)
        store = UnsteadyStore(folder / "store", self.outage)
        monkeypatch.setattr(workspace_module, "open_store", lambda url, **words: store)
        monkeypatch.setattr(Authorities, "_post", lambda known, url, request: self.authority.post(request.der))

    def events(self, night):
        """A few rows of a night; some arrive late, some nights have one that must not be."""
        start = START + (night - FIRST)
        for number in range(self.chance.randrange(4)):
            at = start + HOUR * self.chance.randrange(24)
            late = DAY * self.chance.choice([0, 0, 0, 1, 3])
            bad = 9 if self.chance.random() < 0.1 else self.chance.randrange(9)
            identity = ((night - FIRST).days * 10 + number) * 10 + bad
            self.source.rows.append(Row(identity, at, f"u{number}", at + HOUR + late))

    def calm(self):
        """Everything answers again, until the last window is past its last look."""
        self.source.fail, self.quiet = [], True
        self.outage.left = self.authority.down = 0
        for inbox in self.inboxes:
            inbox.down = 0
        for _ in range(16):
            self.now += DAY * 3
            self.run()

    def run(self):
        """One run by a scheduler that may find the lease taken by another, or die at its end."""
        self.source.fail = [unavailable()] * 20 if self.chance.random() < 0.15 and not self.quiet else []
        self.runs += 1
        for inbox in self.inboxes:
            inbox.run = self.runs
        self.outage.hit = False
        workspace = Workspace.open(self.folder)
        try:
            with Journal(workspace.config.workspace, f"r{self.now:%m%d%H}", workspace.clock) as journal:
                if self.leased and self.chance.random() < 0.1:
                    with workspace.lease(), pytest.raises(BusyError), Workspace.open(self.folder).lease():
                        pass
                night = run_command.run_night(workspace, journal, jobs=1)
        finally:
            workspace.close()
        self.outcomes[night.exit_code] += 1
        if night.exit_code == StoreError.exit_code:
            self.failed.add(self.runs)
        return night


def make(folder, monkeypatch, seed):
    assert command_line.run(["init", str(folder), "--demo", "--size", "none"]) == 0
    config = folder / "evidence.toml"
    head = config.read_text().partition("[sources")[0]
    tsa = '[log]\ntsa = ["http://tsa.test/"]\ntsa_roots = ["trust/tsa-test.pem"]'
    config.write_text(f'{head.replace("[log]", tsa)}\n[sources.live]\nkind = "contracts"\npath = "."\n')
    library = folder / "library"
    for name in ("facts", "frameworks"):
        (library / name).mkdir(parents=True)
    (library / "library.toml").write_text('version = "test"\n')
    own = library / "own" / "org-few-events"
    own.mkdir(parents=True)
    for name, text in (("control.toml", CONTROL), ("population.sql", POPULATION), ("control.sql", SQL)):
        (own / name).write_text(text)
    monkeypatch.setattr(Workspace, "control_folders", [library])
    world = World(folder, monkeypatch, seed)
    (folder / "trust" / "tsa-test.pem").write_bytes(world.authority.root_pem)
    return world


@pytest.mark.slow
@pytest.mark.parametrize("length", [60, pytest.param(365, marks=pytest.mark.timeout(900))])
def test_a_year_of_nights(tmp_path, monkeypatch, capsys, length):
    monkeypatch.setattr(
        os, "fsync", lambda handle: None
    )  # no process dies here; those that do are in test_kill_collector
    world = make(tmp_path / "work", monkeypatch, 11)
    nights = [FIRST + DAY * n for n in range(length)]
    for night in nights:
        world.events(night)
    while world.now < START + (length + 1) * DAY:
        world.now += HOUR * world.chance.choice([18, 24, 24]) + dt.timedelta(minutes=world.chance.randrange(20))
        if world.chance.random() < 0.02:
            world.now += DAY * world.chance.randrange(1, 4)  # the host was off
        if not world.outage.left and world.chance.random() < 0.15:  # a few calls, or days
            few = world.chance.choice([1, 4, 20, 20, 4000])
            world.outage.begin(world.chance.choice(KINDS), world.chance.randrange(25), few)
        elif world.chance.random() < 0.4:
            world.outage.left = 0
        world.run()
    world.calm()
    capsys.readouterr()
    workspace = Workspace.open(world.folder)
    index = workspace.index
    assert set(world.outcomes) <= {0, 4, 9}  # a source or a target without answer, a store that is out, nothing worse
    assert world.outcomes[4] > length // 12
    assert world.outcomes[9] > length // 20
    assert set(world.outage.befallen) == set(KINDS)
    # a run ends so only by an outage, and not by each: the lost answer to a commit is looked up, and the run goes on
    assert world.outage.befallen.total() >= world.outcomes[9]
    assert world.authority.refused > length // 8

    # every night is settled, with what the source shows now, or explained
    lost = set()
    for night in nights:
        sealed = index.latest("live", EVENTS.name, night)
        assert (sealed.status, index.settled(sealed)) == ("complete", True), night
        window = Window(night, "event")
        manifest = Manifest.from_bytes(workspace.store.get(sealed.manifest.path, sha256=sealed.manifest.sha256))
        assert sum(part.rows for part in manifest.parts) == len(world.source.visible(window))
        if index.latest("live", STATE.name, night) is None:
            lost.add(night)
        (finding,) = sealed_findings(workspace.store, index, night)
        bad = [row for row in world.source.visible(window) if row.id % 10 == 9]
        wanted = "not-satisfied" if bad else "satisfied" if world.source.visible(window) else "not-assessed"  # empty
        assert finding.status == wanted, night

    # nothing twice, and the store is whole
    keys = [(entry.type, entry.key) for _, entry in workspace.log.entries()]
    assert len(keys) == len(set(keys))
    found = verify_store(
        workspace.store, [workspace.verifier.to_text()], authorities=[world.authority.root_pem], at=world.now
    )
    assert not found.failed
    stamps = [int(path.rpartition("/")[2]) for path in workspace.store.list("log/tsr/")]
    assert sum(check.step == "time" and check.ok is True for check in found.checks) >= len(stamps) > length // 2
    assert workspace.log.size - max(stamps) < 9  # what a stamp missed, a later one covers; the last run's end is left

    # each change was told once to each, in order; what was lost was told
    alerts = [entry.key for _, entry in workspace.log.entries("alert")]
    for inbox in world.inboxes:
        got = inbox.once(world.failed)
        assert [alert.id for alert in got] == alerts
        heard = set()
        for alert in got:
            begun, ended = ({each.key for each in part} for part in (alert.begun, alert.ended))
            assert not begun & heard
            assert ended <= heard
            heard = heard - ended | begun
        told = {each.since for alert in got for each in alert.begun if each.kind == "missed-night"}
        assert lost
        assert lost <= told


def test_two_schedulers_do_the_work_of_one(tmp_path, monkeypatch, capsys):
    """Runs of two hosts without a common lease, one after the other and in each other's way, end in one history."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    world = make(tmp_path / "work", monkeypatch, 3)
    monkeypatch.setattr(Workspace, "lease", lambda self: contextlib.nullcontext())
    world.leased = False
    nights = [FIRST + DAY * n for n in range(10)]
    for night in nights:
        world.events(night)
    inner = []

    def interrupted(workspace, night, *rest):
        """Another host does a whole run between this one's collecting and its sealing."""
        if not inner:
            inner.append(1)
            world.run()
            inner.clear()
        return before(workspace, night, *rest)

    before = collect_command.seal_batch
    monkeypatch.setattr(collect_command, "seal_batch", interrupted)
    for _ in range(24):
        world.now += HOUR * 12
        world.run()
    world.calm()
    capsys.readouterr()
    workspace = Workspace.open(world.folder)
    assert not [
        check for check in verify_store(workspace.store, [workspace.verifier.to_text()]).checks if check.ok is False
    ]
    for night in nights:
        sealed = workspace.index.latest("live", EVENTS.name, night)
        assert sealed.key.revision <= 1 + sum(row.arrives > row.at + DAY for row in world.source.rows)
        assert workspace.index.settled(sealed)
    for inbox in world.inboxes:
        ids = [alert.id for _, alert in inbox.got]
        assert set(ids) == {entry.key for _, entry in workspace.log.entries("alert")}

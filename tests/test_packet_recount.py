"""Before a packet the command line counts the period's windows once more; collecting reports late, missing and refused rows."""

import datetime as dt
import json

import pytest
from fakes.live_source import EVENTS, FIRST, START, LiveSource, Row, unavailable

from evidence.cli import app as command_line
from evidence.cli import packet_recount
from evidence.cli import workspace as workspace_module
from evidence.cli.period import Period
from evidence.cli.workspace import Workspace
from evidence.datasets.timing import due_at
from evidence.errors import PacketRefusedError
from evidence.snapshot.model import DAY
from evidence.sources import open as opening

HOUR = dt.timedelta(hours=1)


class Place:
    """A workspace on disk whose only source is live and in memory, and a clock to set."""

    def __init__(self, folder):
        self.folder, self.now = folder, due_at(EVENTS, FIRST)
        self.source = LiveSource("live", clock=lambda: self.now)

    def collect(self, capsys, *more):
        code = command_line.run(["-w", str(self.folder), "collect", "--json", *more])
        text = capsys.readouterr().out
        return code, json.loads(text[text.index("{") :])["sources"][0]

    def recount(self, *, partial=False, nights=1):
        workspace = Workspace.open(self.folder)
        packet_recount.recount(workspace, Period(FIRST, FIRST + (nights - 1) * DAY, "July"), partial=partial)
        return workspace.index

    def looks(self):
        index = Workspace.open(self.folder).index
        return index.recounts(index.latest("live", EVENTS.name, FIRST))


@pytest.fixture
def place(tmp_path, monkeypatch):
    assert command_line.run(["init", str(tmp_path / "work"), "--demo", "--size", "none"]) == 0
    config = tmp_path / "work" / "evidence.toml"
    head = config.read_text().partition("[sources")[0]
    assert "since = 2026-07-01" in head
    config.write_text(f'{head}\n[sources.live]\nkind = "contracts"\npath = "."\n')
    made = Place(tmp_path / "work")
    monkeypatch.setattr(workspace_module, "load_contracts", lambda: {EVENTS.name: EVENTS})
    monkeypatch.setattr(opening, "BUILT_IN", {"contracts": lambda name, *, contracts, clock, path: made.source})
    monkeypatch.setattr(workspace_module, "now", lambda: made.now)
    made.source.rows += [Row(1, START + HOUR, "a", START + HOUR), Row(2, START + 2 * HOUR, "b", START + 2 * HOUR)]
    return made


def test_a_window_that_changed_stops_the_packet_until_it_is_assessed_again(place, capsys):
    for days in (0, 1, 1):
        place.now += days * DAY
        assert place.collect(capsys)[0] == 0
    place.source.rows.append(Row(3, START + 3 * HOUR, "c", START + 40 * DAY))
    place.now = START + 35 * DAY
    place.recount()
    assert [look["occasion"] for look in place.looks()] == ["night 1", "night 2", "packet"]
    place.now = START + 45 * DAY
    with pytest.raises(PacketRefusedError, match="1 windows") as caught:
        place.recount()
    assert "evidence assess" in caught.value.fix
    latest = Workspace.open(place.folder).index.latest("live", EVENTS.name, FIRST)
    assert (latest.key.revision, latest.body["late"]) == (1, True)
    index = place.recount(partial=True)
    assert index.settled(index.latest("live", EVENTS.name, FIRST))


def test_a_source_that_does_not_answer_is_said_and_does_not_stop_a_settled_packet(place, capsys):
    place.now = START + 20 * DAY
    place.collect(capsys)
    place.source.fail = [unavailable()]
    asked = len(place.source.asked)
    index = place.recount(nights=4)
    said = capsys.readouterr().err
    assert "packet: unavailable: 503" in said
    assert "the other windows were not asked about" in said
    assert len(place.source.asked) == asked + 1, "92 nights of a dead account are not 92 timeouts"
    latest = index.latest("live", EVENTS.name, FIRST)
    assert index.settled(latest)
    assert [look["result"] for look in index.recounts(latest)] == ["unavailable"]


def test_an_account_with_live_sources_needs_no_network_if_told_so(place, capsys):
    place.now = START + 20 * DAY
    place.collect(capsys)
    asked = len(place.source.asked)
    words = ["-w", str(place.folder), "packet", "quarterly-hipaa", "--period", "2026-07-01..2026-07-01", "--no-recount"]
    assert command_line.run(words) == 11, "nothing is assessed yet"
    assert len(place.source.asked) == asked


def test_collect_says_what_became_of_every_look(place, capsys):
    place.collect(capsys)
    place.now += DAY
    code, tally = place.collect(capsys)
    assert (code, tally["recounts"], tally["recounted"]) == (0, {"complete": 1}, 1)
    gone = place.source.rows.pop()
    place.now += DAY
    code, tally = place.collect(capsys)
    assert (code, tally["recounts"]["fewer"]) == (6, 1)
    assert any("what is sealed stands" in problem for problem in tally["problems"])
    place.source.rows.append(gone)
    place.now += DAY
    assert place.collect(capsys)[0] == 0
    place.source.rows.append(Row(4, START + HOUR, "d", place.now))
    place.now = START + 32 * DAY
    code, tally = place.collect(capsys)
    assert (code, tally["late"]) == (0, 1)
    assert any("late: rows came after" in problem for problem in tally["problems"])
    command_line.run(["-w", str(place.folder), "status", "--json"])
    (shown,) = json.loads(capsys.readouterr().out)["datasets"]
    assert (shown["late"], shown["missing"], shown["coverage"]) == (1, 0, "2026-07-01")
    assert shown["provisional"] >= 1

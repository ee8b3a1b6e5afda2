"""Several accounts and projects in one store: a source that fails in any way stops no other, and the summary says which."""

import datetime as dt
import json

import pyarrow as pa
import pytest

from evidence.cli import app as command_line
from evidence.cli.workspace import Workspace
from evidence.errors import SourceDeniedError
from evidence.snapshot.model import Totals
from evidence.sources import open as opening
from tests.servers import tiny_export

PHI = "Jane Roe 123-45-6789"


class ThirdParty:
    """A source as somebody else wrote it. ``faults``: where -> what it raises."""

    live = True

    def __init__(self, name, faults):
        self.name, self.faults = name, faults

    def _maybe(self, where):
        if where in self.faults:
            raise self.faults[where]

    def datasets(self):
        self._maybe("datasets")
        return ["snowflake.roles", "snowflake.users"]

    def nights(self, contract):
        self._maybe("nights")

    def read(self, contract, window):
        self._maybe(f"read {contract.name}")
        return ThirdPartyReading(self, contract)

    def close(self):
        self._maybe("close")


class ThirdPartyReading:
    rejected, statements, system, notes, finality = (), (), {}, (), None
    totals = Totals(1)

    def __init__(self, source, contract):
        self.source, self.contract = source, contract
        self.as_of = (dt.datetime.now(dt.UTC), False)

    @property
    def batches(self):
        required = {column.name: [None] for column in self.contract.columns if column.required}
        yield pa.record_batch({name: pa.array(values, pa.string()) for name, values in required.items()})
        self.source._maybe(f"after {self.contract.name}")


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A workspace; ``sources`` maps names to sections, or to faults of a third-party source."""

    def build(sources):
        assert command_line.run(["init", str(tmp_path / "work"), "--demo", "--size", "none"]) == 0
        config = tmp_path / "work" / "evidence.toml"
        head = config.read_text().partition("[sources")[0]
        sections, odd = [], {}
        for name, section in sources.items():
            text = section
            if isinstance(section, dict):
                odd[name], text = section, 'kind = "contracts"\npath = "."'
            sections.append(f"[sources.{name}]\n{text}\n")
        config.write_text(head + "\n".join(sections))
        real = opening.BUILT_IN["contracts"]

        def factory(name, *, contracts, clock, path):
            return (
                ThirdParty(name, odd[name]) if name in odd else real(name, contracts=contracts, clock=clock, path=path)
            )

        monkeypatch.setattr(opening, "BUILT_IN", {**opening.BUILT_IN, "contracts": factory})
        return tmp_path / "work"

    return build


def collect(folder, capsys, *more):
    code = command_line.run(["-w", str(folder), "collect", "--json", *more])
    captured = capsys.readouterr()
    assert PHI not in captured.out + captured.err
    assert "123-45" not in captured.out + captured.err
    tallies = json.loads(captured.out[captured.out.index("{") :])["sources"]
    return code, {tally["source"]: tally for tally in tallies}


def files(tmp_path, name):
    tiny_export.write(tmp_path / name)
    return f'kind = "files"\npath = "{tmp_path / name}"'


def test_two_accounts_are_two_sources_in_one_store(workspace, tmp_path, capsys):
    folder = workspace({"east": files(tmp_path, "east"), "west": files(tmp_path, "west")})
    code, tallies = collect(folder, capsys)
    assert tallies["east"]["sealed"] == tallies["west"]["sealed"]
    assert {tally["exit_code"] for tally in tallies.values()} == {code}
    keys = {sealed.key.source for sealed in Workspace.open(folder).index.snapshots()}
    assert keys == {"east", "west"}


@pytest.mark.parametrize("where", ["datasets", "nights", "read snowflake.roles", "after snowflake.roles"])
def test_an_error_no_source_may_raise_is_a_bug_of_that_source_alone(workspace, tmp_path, capsys, where):
    folder = workspace({
        "aardvark": {where: KeyError(PHI)}, "east": files(tmp_path, "east"), "zebra": {"close": RuntimeError(PHI)},
    })  # fmt: skip
    code, tallies = collect(folder, capsys)
    assert code == 1
    assert tallies["aardvark"]["exit_code"] == 1
    (bug,) = tallies["aardvark"]["bugs"]
    assert "KeyError at test_many_sources.py" in bug
    assert tallies["zebra"]["exit_code"] == 0
    assert tallies["zebra"]["sealed"] == {"complete": 2}
    assert sum(tallies["east"]["sealed"].values()) > 5
    if "snowflake" in where:
        assert tallies["aardvark"]["sealed"] == {"complete": 1}, "the other dataset of that source is sealed"
    status = shown(folder, capsys)
    row = next(r for r in status if (r["source"], r["dataset"]) == ("zebra", "snowflake.roles"))
    assert row["complete"] == 1


def test_a_refusal_and_a_missing_secret_have_their_own_codes(workspace, tmp_path, capsys):
    snowflake = (
        'kind = "snowflake"\naccount = "a"\nuser = "u"\nprivate_key = "env:NO_SUCH_KEY"\nhost = "127.0.0.1"\n'
        'protocol = "http"\nport = 1'
    )
    folder = workspace({
        "denied": {"read snowflake.roles": SourceDeniedError("no", fix="GRANT")},
        "keyless": snowflake,
        "west": files(tmp_path, "west"),
    })  # fmt: skip
    code, tallies = collect(folder, capsys)
    assert {name: tally["exit_code"] for name, tally in tallies.items()} == {"denied": 5, "keyless": 3, "west": 6}
    assert code == 3
    assert "NO_SUCH_KEY" in tallies["keyless"]["failure"]
    assert tallies["denied"]["sealed"] == {"complete": 1, "denied": 1}
    assert tallies["west"]["sealed"]["complete"] > 3


def test_the_table_names_the_source_that_failed(workspace, tmp_path, capsys):
    folder = workspace({"bad": {"nights": ZeroDivisionError(PHI)}, "east": files(tmp_path, "east")})
    assert command_line.run(["-w", str(folder), "collect"]) == 1
    text = capsys.readouterr().out
    assert "bad: BUG, nothing sealed: planning: ZeroDivisionError at test_many_sources.py" in text
    assert PHI not in text


def test_a_source_that_was_never_collected_is_said_so(workspace, tmp_path, capsys):
    folder = workspace({"bad": {"nights": ZeroDivisionError()}, "east": files(tmp_path, "east")})
    collect(folder, capsys)
    rows = shown(folder, capsys)
    assert {row["coverage"] for row in rows if row["source"] == "bad"} == {None}
    assert {row["coverage"] for row in rows if row["source"] == "east"} == {"2026-07-01"}
    command_line.run(["-w", str(folder), "status"])
    assert "not collected yet" in capsys.readouterr().out


def shown(folder, capsys):
    command_line.run(["-w", str(folder), "status", "--json"])
    return json.loads(capsys.readouterr().out)["datasets"]

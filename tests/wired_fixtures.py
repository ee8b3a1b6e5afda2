"""A workspace whose account is on the emulator; a test module asks for it with ``pytest_plugins = ["wired_fixtures"]``."""

import pytest
from wired import DATASETS, NOW, PASSPHRASE, KeyPair, Wired, copy_workspace, make_workspace, stand_still

from evidence.cli import app
from tests.servers import tiny_export
from tests.servers.emulated import run_emulator


@pytest.fixture(scope="session")
def wired_export(tmp_path_factory):
    """The account's data as files."""
    return tiny_export.write(tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="session")
def wired_emulator(wired_export):
    """The account."""
    with run_emulator(wired_export) as running:
        yield running


@pytest.fixture(scope="session")
def wired_key():
    """The planted key."""
    return KeyPair.new()


@pytest.fixture(scope="session")
def wired_template(tmp_path_factory):
    """A workspace to copy: making keys takes longer than copying them."""
    return make_workspace(tmp_path_factory.mktemp("wired") / "work")


@pytest.fixture
def wired(tmp_path, wired_template, wired_emulator, wired_key, capsys, monkeypatch):
    """A new workspace, a healthy account."""
    monkeypatch.setenv("PLANTED", PASSPHRASE.decode())
    stand_still(monkeypatch, NOW)
    made = Wired(copy_workspace(wired_template, tmp_path / "work"), wired_emulator, capsys, wired_key)
    made.healthy()
    made.configure()
    return made


@pytest.fixture(scope="session")
def wired_truth(wired_export, wired_template, wired_emulator, wired_key, tmp_path_factory):
    """Dataset -> (status, rows, digest) of the same night read from the export's files: what the source has."""
    folder = copy_workspace(wired_template, tmp_path_factory.mktemp("truth") / "work")
    with (folder / "evidence.toml").open("a") as file:
        file.write(f'[sources.acme]\nkind = "files"\npath = "{wired_export}"\n')
    assert app.run(["-w", str(folder), "collect", "--date", str(tiny_export.NIGHT), "--json"]) in {0, 6}
    found = Wired(folder, wired_emulator, None, wired_key).facts()
    return {name: ("complete", *found[name][1:]) for name in DATASETS}  # files claim no totals

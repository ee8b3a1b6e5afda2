"""The wheel carries its content: unpacked outside the checkout it finds controls, templates, reports and runs."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "dist", ROOT]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    (wheel,) = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(unpacked, tmp_path, *arguments):
    code = "import sys; from evidence.cli import main; main(sys.argv[1:])"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(unpacked)}
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip


def test_it_is_the_unpacked_package_that_runs(unpacked, tmp_path):
    code = "import evidence, evidence.config as c; print(evidence.__file__); print(c.content_root())"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(unpacked)}
    out = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert out.splitlines() == [str(unpacked / "evidence/__init__.py"), str(unpacked / "evidence/content")]


def test_content_is_in_the_wheel_and_found(unpacked, tmp_path):
    listed = run(unpacked, tmp_path, "controls", "list")
    assert "identity-mfa-humans" in listed
    run(unpacked, tmp_path, "init", "work", "--demo", "--size", "none")
    assert (tmp_path / "work" / "registers" / "admins.toml").is_file()
    for folder in ("controls", "templates", "reports"):
        inside = {p.relative_to(ROOT / folder) for p in (ROOT / folder).rglob("*") if p.is_file()}
        carried = {
            p.relative_to(unpacked / "evidence/content" / folder)
            for p in (unpacked / "evidence/content" / folder).rglob("*")
            if p.is_file()
        }
        assert inside == carried


def test_contracts_and_presets_are_in_the_wheel(unpacked):
    for folder in ("evidence/datasets", "evidence/sources"):
        inside = {p.relative_to(ROOT) for p in (ROOT / folder).rglob("*.toml")}
        assert inside == {p.relative_to(unpacked) for p in (unpacked / folder).rglob("*.toml")}
        assert inside

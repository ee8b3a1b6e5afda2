"""The documents keep up: every command, exit code, dataset and format that exists is written down."""

import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
from PIL import Image

from evidence import errors
from evidence.cli.app import application
from evidence.datasets.load import load_contracts

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_every_command_is_in_the_readme():
    group = typer.main.get_command(application())
    for name in group.commands:
        assert re.search(rf"`?{name}\b", README), name


def test_every_file_the_readme_links_to_exists():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(links) > 5
    for link in links:
        assert (ROOT / link).exists(), link


def test_the_pictures_of_a_packet_are_those_the_script_makes_and_are_shown():
    script = runpy.run_path(str(ROOT / "scripts" / "pictures.py"))
    folder = ROOT / "docs" / "pictures"
    assert {file.name for file in folder.iterdir()} == set(script["PICTURES"])
    for file in folder.iterdir():
        (about,) = re.findall(rf"!\[([^]]+)\]\(docs/pictures/{file.name}\)", README)
        assert len(about) > 60, "said in words for those who do not see it"
        assert file.stat().st_size < 400_000
        with Image.open(file) as picture:
            assert picture.format == "PNG"
            assert picture.width == script["WIDTH"]


def test_every_page_linked_from_the_docs_exists():
    for page in (ROOT / "docs").rglob("*.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


@pytest.mark.parametrize(
    "name",
    [
        "store",
        "manifest",
        "receipt",
        "log",
        "checkpoint",
        "proof",
        "versions",
        "rows",
        "contract",
        "export",
        "registers",
        "control",
        "findings",
        "packet",
        "oscal",
        "records",
        "terraform",
        "product-contract",
    ],
)
def test_every_format_has_its_page(name):
    text = (ROOT / "docs" / "formats" / f"{name}.md").read_text()
    assert len(text) > 500


def test_every_error_class_is_in_the_tree_of_its_module():
    tree = errors.__doc__
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.EvidenceError)]
    assert len(classes) > 10
    for cls in classes:
        assert re.search(rf"{cls.__name__}\s+{cls.exit_code}\b", tree), cls


def test_every_dataset_names_where_it_is_documented():
    for contract in load_contracts().values():
        assert contract.page
        assert contract.description


def test_dependencies_are_pinned_with_hashes_and_without_addresses():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    pinned = (ROOT / "requirements" / "product.txt").read_text()
    for requirement in wanted:
        name = re.match(r"[A-Za-z0-9_.-]+", requirement)[0].lower().replace("_", "-")
        assert re.search(rf"(?m)^{re.escape(name)}(\[[a-z,]+\])?==", pinned), name
    for file in (ROOT / "requirements").glob("*.txt"):
        text = file.read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text


def test_no_regulation_text_ships():
    for file in (ROOT / "controls" / "frameworks").glob("*.json"):
        assert '"text"' not in file.read_text(), file


def test_the_page_of_datasets_is_the_one_made_from_the_contracts():
    made = runpy.run_path(str(ROOT / "scripts" / "datasets_page.py"))["page"]()
    assert (ROOT / "docs" / "datasets.md").read_text() == made


def test_the_page_of_coverage_is_the_one_made_from_the_controls():
    made = runpy.run_path(str(ROOT / "scripts" / "coverage_page.py"))["page"]()
    assert (ROOT / "docs" / "coverage.md").read_text() == made


def test_the_page_of_registers_is_the_one_made_from_the_shapes():
    made = runpy.run_path(str(ROOT / "scripts" / "registers_page.py"))["page"]()
    assert (ROOT / "docs" / "registers.md").read_text() == made


def test_a_shell_completes_commands_and_options():
    import os

    for words, wanted in (
        ("evidence pac", "packet"),
        ("evidence packet --per", "--period"),
        ("evidence keys rot", "rotate"),
    ):
        asked = {"_EVIDENCE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        done = subprocess.run(
            [sys.executable, "-m", "evidence"],
            env=os.environ | asked,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout.split() == [wanted], done.stderr

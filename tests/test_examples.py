"""Every help page ends with command lines that the real command line takes: options exist, arguments fit, names are names of something."""

import re
import shlex

import pytest
import typer

from evidence.cli.app import EVERY, application
from evidence.cli.period import parse_night, parse_period
from evidence.config import content_root
from evidence.control.definition import load_library
from evidence.datasets.load import load_contracts

ROOT = typer.main.get_command(application())
LIBRARY = load_library([content_root() / "controls"], {})
REPORTS = {file.stem for file in (content_root() / "reports").glob("*.toml")}


def pages(command=ROOT, path=()):
    """Every command, group and the root, by its words."""
    yield path, command
    for name, sub in getattr(command, "commands", {}).items():
        yield from pages(sub, (*path, name))


def examples(command):
    """The lines of the epilog; a line that goes on is one."""
    text = (command.epilog or "").replace("\\\n", " ")
    return [" ".join(line.split()) for line in text.splitlines() if line.lstrip().startswith("evidence")]


PAGES = dict(pages())
LINES = [(path, line) for path, command in PAGES.items() for line in examples(command)]


def parsed(line):
    """The words of the commands, and the parameters of the last one: every parser on the way has taken its part."""
    words = shlex.split(line)
    if ">" in words:
        words = words[: words.index(">")]
    assert words.pop(0) == "evidence"
    context, path = ROOT.make_context("evidence", words), []
    while hasattr(context.command, "commands"):
        name, command, words = context.command.resolve_command(context, [*context._protected_args, *context.args])
        path.append(name)
        context = command.make_context(name, words, parent=context)
    return tuple(path), context.params


@pytest.mark.parametrize("path", PAGES, ids=" ".join)
def test_every_page_has_one_to_four(path, capsys):
    found = examples(PAGES[path])
    assert 1 <= len(found) <= (4 if len(path) != 1 or path[0] not in EVERY else 8)
    with pytest.raises(SystemExit):
        ROOT.main([*path, "--help"], prog_name="evidence")
    page = capsys.readouterr().out
    assert "Examples:\n    evidence" in page
    end = page[page.index("Examples:") :]
    assert max(map(len, end.splitlines())) <= 80
    assert [" ".join(shlex.split(x)) for x in end.replace("\\\n", " ").strip().splitlines()[1:]] == [
        " ".join(shlex.split(x)) for x in found
    ]


@pytest.mark.parametrize(("path", "line"), LINES, ids=[line for _, line in LINES])
def test_the_command_line_takes_it(path, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file in re.findall(r"[\w./-]+\.(?:csv|zip)\b", line):  # what a user has; options may ask that it is there
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    went, said = parsed(line)
    assert went[: len(path)] == path, "the example is one of this command"
    for name in ("control", "controls"):
        for control in [said[name]] if isinstance(said.get(name), str) else said.get(name) or []:
            assert not control or control in LIBRARY.controls or control.startswith("org-"), control
    for dataset in [said["dataset"]] if isinstance(said.get("dataset"), str) else said.get("dataset") or []:
        assert dataset in load_contracts(), dataset
    if said.get("framework"):
        assert said["framework"] in LIBRARY.frameworks, LIBRARY.frameworks.keys()
    if said.get("report"):
        assert said["report"] in REPORTS
    for name, parse in (
        ("period", parse_period),
        ("night", parse_night),
        ("date", parse_night),
        ("since", parse_night),
    ):
        if said.get(name):
            parse(said[name])


def test_a_made_up_option_is_found():
    with pytest.raises(Exception, match=r"(?i)no such option"):
        parsed("evidence -w work collect --dates 2026-07-14")
    with pytest.raises(Exception, match=re.compile("missing|argument", re.IGNORECASE)):
        parsed("evidence -w work packet")

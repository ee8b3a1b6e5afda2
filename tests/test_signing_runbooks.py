"""The runbooks' commands, as they stand on the page, in a workspace: each one does what the page says."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from evidence.cli.app import run
from evidence.cli.workspace import Workspace
from evidence.errors import RollbackError

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "runbooks"


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "evidence-1"
    assert run(["init", str(folder), "--demo", "--size", "none"]) == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "checkpoint").write_bytes((folder / "anchors/checkpoint").read_bytes())
    (elsewhere / "log.vkey").write_bytes((folder / "trust/log.vkey").read_bytes())
    return folder


def section(page, title):
    """Return the commands of a section, one string each: its indented blocks."""
    text = (PAGES / page).read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"(?m)(?:^(?: {4}| {7}).+\n)+", text)
    return [re.sub(r"(?m)^ +", "", block) for block in blocks]


@pytest.fixture
def typed(workspace, capsys, monkeypatch):
    """Type commands, line by line: `evidence` runs in this process, everything else in a shell. (exit code, output) of each."""
    monkeypatch.chdir(workspace)

    def line(text):
        text = text.replace("/somewhere/else/", f"{workspace.parent}/elsewhere/")
        if text.startswith("evidence "):
            capsys.readouterr()
            code = run(shlex.split(text)[1:])
            shown = capsys.readouterr()
            return code, shown.out + shown.err
        done = subprocess.run(["sh", "-ec", text], capture_output=True, text=True, check=False, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def run_all(commands):
        return [line(text) for command in commands for text in command.strip().splitlines()]

    return run_all


def configured(folder, old, new):
    path = folder / "evidence.toml"
    path.write_text(path.read_text().replace(old, new))


def test_a_lost_log_key_is_followed_by_a_new_log(workspace, typed):
    results = typed(section("key-loss.md", "The log's key"))
    assert [code for code, _ in results] == [0] * 6, results
    assert "CAdES Verification successful" in results[5][1]
    said = (workspace / "followed-by.txt").read_text()
    new = workspace.parent / "evidence-2"
    for part in (workspace / "trust/log.vkey", workspace / "store/log/checkpoint", new / "trust/log.vkey"):
        assert part.read_text().rstrip("\n") in said
    assert typed(["evidence verify ../evidence-2/store --trust ../evidence-2/trust"])[0][0] == 0
    (workspace / "followed-by.txt").write_text(said.replace("ended", "Ended"))
    assert typed(section("key-loss.md", "The log's key")[3:])[0][0] != 0


def test_a_lost_redaction_key_is_replaced(workspace, typed):
    before = (workspace / "keys/redaction.key").read_text()
    make, look = section("key-loss.md", "The redaction key")[0].splitlines()
    ((code, said),) = typed([make])
    assert code == 0, said
    after = workspace / "keys/redaction.key"
    assert after.read_text() != before
    assert after.stat().st_mode & 0o077 == 0
    assert look == "evidence doctor"  # tested elsewhere; it takes long
    assert len(Workspace.open(workspace).redactor.key_id) == 8


def test_lost_anchors_begin_again_at_a_checkpoint_from_elsewhere(workspace, typed):
    (workspace / "anchors/checkpoint").unlink()
    with pytest.raises(RollbackError, match="no anchor remembers"):
        _ = Workspace.open(workspace).log
    accept, verify = section("key-loss.md", "The anchors")[0].splitlines()
    results = typed([accept, verify])
    assert [code for code, _ in results] == [0, 0], results
    (workspace.parent / "elsewhere/checkpoint").write_text("nonsense")
    assert typed([accept])[0][0] == 10


def test_a_stolen_log_key_is_retired(workspace, typed):
    check, rotate, again = section("key-compromise.md", "The log's key")
    results = typed([check, rotate])
    assert [code for code, _ in results] == [0, 0], results
    configured(workspace, "file:keys/collector.key", "file:keys/collector-2.key")
    (checked, listed) = typed([again])
    assert checked[0] == 0, checked
    assert "retired" in listed[1]


def test_packet_keys_are_shown_and_lists_are_read(workspace, typed):
    commands = section("key-loss.md", "The packet key") + section("key-compromise.md", "The packet key")[:1]
    made = """
    printf '[ca]\\ndefault_ca=a\\n[a]\\ndatabase=index\\ndefault_md=sha256\\ndefault_crl_days=9\\n' > ca.cnf; : > index
    openssl ecparam -name prime256v1 -genkey -noout -out ca.key
    openssl req -x509 -new -key ca.key -subj /CN=Issuer -days 9 -out ca.pem
    openssl ca -gencrl -config ca.cnf -keyfile ca.key -cert ca.pem -out issuer.crl
    """
    results = typed([made, *commands])
    assert {code for code, _ in results} == {0}, results
    assert "current" in results[-1][1]
    ((code, said),) = typed(["evidence verify store --trust trust"])
    assert code == 0, said
    assert "trusted for revocation: packet-issuer.crl" in said


def test_every_evidence_command_of_the_runbooks_exists():
    for page in sorted(PAGES.glob("*.md")):
        for command in re.findall(r"evidence (\w[\w-]*(?: [\w-]+)?)", page.read_text()):
            words = command.split()
            if words[0] in {"keys", "verify", "doctor", "packet", "init"}:
                known = ["keys", words[1]] if words[0] == "keys" else [words[0]]
                assert run([*known, "--help"]) == 0, command

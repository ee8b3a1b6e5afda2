"""One exhibit taken out of a packet verifies by its own proof and a log key; nothing else is needed and little else is shown."""

import shutil

import pytest
from fakes.packet_inputs import blank_packet, build_inputs, packet_key

from evidence.cli.app import run as command
from evidence.signing.keys import NoteKey
from evidence.tlog.checkpoint import Checkpoint
from evidence.verify import verify_path

USERS = "data/evidence/carrier/snowflake.users/2026-07-01/r0"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    inputs = build_inputs(tmp_path_factory.mktemp("parts"), count=1)
    packet = blank_packet(inputs, packet_key()[0], tmp_path_factory.mktemp("out"))
    return packet, inputs


@pytest.fixture
def exhibit(made, tmp_path):
    return shutil.copytree(made[0].folder / USERS, tmp_path / "from the mail")


@pytest.fixture
def check(made):
    def run(path, **options):
        given = {"certificates": [], "vkeys": [made[1].log_key.to_text()], **options}
        return verify_path(path, **given)

    return run


def named(found):
    return " ".join(f"{c.step} {c.subject}: {c.detail}" for c in found.failed)


def test_the_folder_anywhere_under_any_name(exhibit, check):
    found = check(exhibit, jobs=2)
    assert found.ok, named(found)
    said = " ".join(c.detail for c in found.checks if c.ok)
    assert "snapshot carrier/snowflake.users/2026-07-01/0 is entry" in said
    assert {c.step for c in found.checks if c.ok is None} == {"findings", "time"}
    assert [c.subject for c in found.checks if c.detail == "is the file that the manifest names"]


def test_one_file_of_it(exhibit, check):
    part = next(exhibit.glob("part-*.parquet"))
    found = check(part)
    assert found.ok
    assert [c.subject for c in found.checks if "manifest names" in c.detail] == [part.name]
    part.write_bytes(part.read_bytes() + b"x")
    assert part.name in named(check(part))
    assert part.name in named(check(exhibit))
    assert not check(exhibit / "manifest.json").failed, "the other files are as they were"
    (exhibit / "letter.txt").write_bytes(b"x")
    assert "nothing ties it to the log" in named(check(exhibit / "letter.txt"))


def test_every_exhibit_of_a_packet_in_its_place(made, check):
    folders = [p.parent for p in made[0].folder.rglob("entry.json")]
    assert any("_assessment" in str(p) for p in folders)
    for folder in folders:
        assert check(folder).ok, folder


@pytest.mark.parametrize("name", ["entry.json", "manifest.json", "tlog-proof", "part"])
def test_a_flipped_byte_in_any_of_its_files(exhibit, check, name):
    path = next(p for p in exhibit.iterdir() if p.name.startswith(name))
    body = path.read_bytes()
    for at in range(0, len(body), max(1, len(body) // 40)):
        path.write_bytes(body[:at] + bytes([body[at] ^ 4]) + body[at + 1 :])
        assert not check(exhibit).ok, at
    path.write_bytes(body)
    assert check(exhibit).ok


def test_missing_added_and_swapped_files(exhibit, made, check):
    part = next(exhibit.glob("part-*.parquet"))
    (exhibit / "planted.parquet").write_bytes(b"x")
    assert "planted.parquet" in named(check(exhibit))
    (exhibit / "planted.parquet").unlink()
    part.unlink()
    found = check(exhibit)
    assert found.ok
    assert any("files of rows are not here" in c.detail and c.ok is None for c in found.checks)
    assert not check(part).ok
    other = made[0].folder / USERS.replace("users", "roles")
    for name in ("entry.json", "manifest.json", "tlog-proof"):
        shutil.copy(exhibit / name, exhibit.parent / name)
        shutil.copy(other / name, exhibit / name)
        assert not check(exhibit).ok, name
        shutil.copy(exhibit.parent / name, exhibit / name)
    (exhibit / "manifest.json").unlink()
    assert "manifest.json" in named(check(exhibit))


def test_without_a_log_key_nothing_is_proved(exhibit, check):
    assert "no log key was given" in named(check(exhibit, vkeys=[]))
    stranger = NoteKey("acme.example/evidence/demo", b"\x09" * 32).vkey
    assert not check(exhibit, vkeys=[stranger]).ok


def test_kept_checkpoints(exhibit, made, check):
    inputs = made[1]
    assert check(exhibit, checkpoint=inputs.checkpoint).ok
    origin, size, *_ = inputs.checkpoint.split("\n")
    forked = Checkpoint(origin, int(size), bytes(32)).sign(NoteKey(origin, b"\x07" * 32))
    assert "forked" in named(check(exhibit, checkpoint=forked))
    older = check(exhibit, checkpoint=inputs.previous[0])
    assert older.ok
    assert any("no proof from the kept checkpoint" in c.detail for c in older.checks)


def test_the_command(exhibit, made, tmp_path, capsys):
    (tmp_path / "log.vkey").write_text(made[1].log_key.to_text() + "\n")
    arguments = ["--trust", str(tmp_path / "log.vkey"), "--explain"]
    assert command(["verify", str(exhibit), *arguments]) == 0
    assert "is the file that the manifest names" in " ".join(capsys.readouterr().out.split())
    assert command(["verify", str(next(exhibit.glob("part-*"))), *arguments]) == 0
    next(exhibit.glob("part-*")).write_bytes(b"")
    assert command(["verify", str(exhibit), *arguments]) == 10

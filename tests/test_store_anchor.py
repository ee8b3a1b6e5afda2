"""The anchor file moves forward only, one log per file, and keeps what the operator replaces."""

import pytest

from evidence.errors import ForkError, MalformedError, RollbackError
from evidence.signing.keys import NoteKey
from evidence.store.anchor import FileAnchor
from evidence.tlog.checkpoint import Checkpoint

KEY = NoteKey("acme.example/log", bytes(32))


def signed(size, root=b"\1" * 32, key=KEY):
    return Checkpoint(key.name, size, root).sign(key)


@pytest.fixture
def anchor(tmp_path):
    return FileAnchor(tmp_path / "anchors" / "checkpoint")


def test_it_remembers_the_largest(anchor):
    assert anchor.load(KEY.name) is None
    for size in (3, 5, 4, 5):
        anchor.advance(signed(size))
    assert FileAnchor(anchor.path).load(KEY.name) == signed(5)
    assert anchor.where == str(anchor.path)


def test_another_root_at_the_same_size_is_a_fork_and_changes_nothing(anchor):
    anchor.advance(signed(5))
    with pytest.raises(ForkError):
        anchor.advance(signed(5, b"\2" * 32))
    assert anchor.load(KEY.name) == signed(5)


def test_one_file_serves_one_log(anchor):
    anchor.advance(signed(5))
    other = NoteKey("other.example/log", bytes(32))
    with pytest.raises(RollbackError, match=r"acme\.example/log"):
        anchor.load(other.name)
    with pytest.raises(RollbackError):
        anchor.advance(signed(9, key=other))
    assert anchor.load(KEY.name) == signed(5)


def test_a_reset_goes_back_and_keeps_what_was_there(anchor):
    anchor.advance(signed(5))
    anchor.reset(signed(3))
    anchor.reset(signed(2))
    assert anchor.load(KEY.name) == signed(2)
    kept = sorted(path.name for path in anchor.path.parent.iterdir() if not path.name.startswith("."))
    assert kept == ["checkpoint", "checkpoint.before-0", "checkpoint.before-1"]
    assert (anchor.path.parent / "checkpoint.before-0").read_text() == signed(5)


def test_junk_is_neither_kept_nor_read(anchor):
    with pytest.raises(MalformedError):
        anchor.advance("junk")
    assert anchor.load(KEY.name) is None
    anchor.advance(signed(5))
    anchor.path.write_text("junk")
    with pytest.raises(MalformedError):
        anchor.load(KEY.name)

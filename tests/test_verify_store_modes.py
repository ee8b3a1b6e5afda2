"""Stores: any number of jobs says the same; --since says what it took as verified; --mirror says which copy is at fault."""

import shutil

import pytest
from fakes.memory_store import MemoryAnchor
from fakes.sealed_store import KEY, plain, seal_snapshots

from evidence.cli.app import run as command
from evidence.errors import UsageError
from evidence.signing.keys import NoteKey
from evidence.store.local import LocalStore
from evidence.store.log import Log
from evidence.verify import verify_path, verify_store

OLD = "date=2026-07-01"  # sealed before the kept checkpoint
NEW = "date=2026-07-04"  # sealed after it


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """``store`` of 4 nights; ``early`` is a copy made when it had 2, ``kept`` the checkpoint of that time."""
    folder = tmp_path_factory.mktemp("modes")
    log = Log.init(LocalStore(folder / "store"), KEY, anchors=[MemoryAnchor()])
    log.append(plain(*(f"k{n}" for n in range(256))))
    seal_snapshots(log, range(2))
    (folder / "kept").write_text(log.checkpoint)
    shutil.copytree(folder / "store", folder / "early")
    seal_snapshots(log, range(2, 4))
    (folder / "tip").write_text(log.checkpoint)
    (folder / "log.vkey").write_text(KEY.vkey + "\n")
    for path in folder.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return folder


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made / "store", tmp_path / "store")


def one(root, night, name="part-0000.parquet"):
    return next(p for p in sorted(root.rglob(name)) if night in str(p) and "_quarantine" not in str(p))


def spoil(path):
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)


def steps(found, *, word):
    return [(c.step, c.detail) for c in found.checks if c.ok is word]


def check(root, **options):
    return verify_store(root, [KEY.vkey], **options)


def test_any_number_of_jobs_says_the_same_in_the_same_order(made, copy):
    spoil(one(copy, OLD))
    one(copy, NEW).unlink()
    one(copy, "date=2026-07-03", "_manifest.json").write_bytes(b"{}")
    (copy / "data/stray.txt").write_bytes(b"x")
    for root in (made / "store", copy):
        alone = check(root)
        for jobs in (2, 3, 16):
            assert check(root, jobs=jobs).checks == alone.checks
    assert len(check(copy, jobs=4).failed) == 3


def test_since_hashes_what_came_after_and_says_what_it_took(made, copy):
    kept = (made / "kept").read_text()
    found = check(copy, checkpoint=kept, since=True)
    assert found.ok
    assert [d for s, d in steps(found, word=True) if s == "objects"] == [
        f"entry {n}: snapshot prod/snowflake.users/2026-07-0{n - 256}/0, 3 files" for n in (259, 260)
    ]
    (taken,) = [d for s, d in steps(found, word=None) if s == "objects"]
    assert "entries up to 259: their records, objects, locks and time-stamps are taken as verified" in taken
    assert [d for s, d in steps(found, word=None) if s == "orphans"] == [
        "what lies in the store and nothing names was not looked for"
    ]
    spoil(one(copy, NEW))
    assert [c.subject for c in check(copy, checkpoint=kept, since=True).failed] == [
        one(copy, NEW).relative_to(copy).as_posix()
    ]


def test_since_does_not_see_old_bytes_and_says_so_while_a_whole_verification_does(made, copy):
    spoil(one(copy, OLD))
    kept = (made / "kept").read_text()
    found = check(copy, checkpoint=kept, since=True)
    assert found.ok
    assert any("they were not read now" in d for _, d in steps(found, word=None))
    assert not check(copy, checkpoint=kept).ok


def test_since_does_not_look_for_what_was_there_before_and_a_whole_verification_does(made, copy):
    kept = (made / "kept").read_text()
    one(copy, OLD, "_manifest.json").unlink()
    record = copy / "log/commit/000000000000"
    spoil(record)
    found = check(copy, checkpoint=kept, since=True)
    assert found.ok
    assert any("nor was it looked for whether they are still there" in d for _, d in steps(found, word=None))
    assert "log/commit/000000000000" in {c.subject for c in check(copy, checkpoint=kept).failed}


def test_since_a_record_that_is_altered_or_gone_is_found(made, copy):
    kept = (made / "kept").read_text()
    (copy / "log/commit/000000000259").rename(copy / "log/commit/000000000262")
    assert not check(copy, checkpoint=kept, since=True).ok
    (copy / "log/commit/000000000262").rename(copy / "log/commit/000000000259")
    assert check(copy, checkpoint=kept, since=True).ok
    spoil(copy / "log/commit/000000000259")
    assert "log/commit/000000000259" in {c.subject for c in check(copy, checkpoint=kept, since=True).failed}


def test_since_with_tiles_altered_or_gone_reads_the_whole_log_and_names_them(made, copy):
    kept, path = (made / "kept").read_text(), copy / "log/tile/0/000"
    spoil(path)
    found = check(copy, checkpoint=kept, since=True)
    assert [c.subject for c in found.failed] == ["log/tile/0/000"]
    assert any("the log was read from its first one" in d for _, d in steps(found, word=None))
    path.unlink()
    found = check(copy, checkpoint=kept, since=True)
    assert found.ok
    assert any("3 objects are taken as verified" in d for _, d in steps(found, word=None))


def test_since_a_checkpoint_that_is_not_of_this_log_takes_nothing_as_verified(made, copy):
    spoil(one(copy, OLD))
    for kept in ("junk", NoteKey.generate("other").vkey, (made / "tip").read_text().replace("261", "260")):
        found = check(copy, checkpoint=kept, since=True)
        assert {c.step for c in found.failed} == {"checkpoint", "objects"}
        assert any("nothing is taken as verified" in d for _, d in steps(found, word=None))


def test_rollback_is_found_with_any_kept_checkpoint_and_undetectable_without(made, copy):
    tip = (made / "tip").read_text()
    for options in ({"checkpoint": tip}, {"checkpoint": tip, "since": True}):
        found = check(made / "early", **options)
        assert [c.step for c in found.failed] == ["checkpoint"]
        assert "went back in time" in found.failed[0].detail
    blind = check(made / "early")
    assert blind.ok
    assert ("checkpoint", "no kept checkpoint was given: going back in time was not checked") in steps(blind, word=None)
    assert check(made / "early", checkpoint=(made / "kept").read_text()).ok, "one of that state itself cannot tell"


def test_since_and_mirror_are_refused_where_they_say_nothing(made, tmp_path):
    with pytest.raises(UsageError, match="checkpoint"):
        check(made / "store", since=True)
    (tmp_path / "packet").mkdir()
    for option in ({"since": True}, {"mirror": made / "early"}):
        with pytest.raises(UsageError, match="take a store"):
            verify_path(tmp_path / "packet", certificates=[], vkeys=[KEY.vkey], checkpoint="x", **option)


def mirror_rows(found):
    return [(c.ok, c.detail, c.subject) for c in found.checks if c.step == "mirror"]


def test_a_mirror_that_is_equal_and_one_that_lags_behind(made, copy):
    found = check(made / "store", mirror=copy, jobs=2)
    assert found.ok
    assert [ok for ok, *_ in mirror_rows(found)] == [True, True]
    lagging = check(made / "store", mirror=made / "early")
    assert lagging.ok
    assert "has 259 of 261 entries: it lags behind; safe to copy the rest" in mirror_rows(lagging)[0][1]


def test_the_longer_mirror_shows_that_the_store_went_back(made):
    found = check(made / "early", mirror=made / "store")
    assert [c.step for c in found.failed] == ["mirror"]
    assert "the mirror has 261 entries, the store 259: the store went back in time" in found.failed[0].detail


def test_damage_in_one_copy_or_both_is_told_apart(made, copy, tmp_path):
    mirror = shutil.copytree(made / "store", tmp_path / "mirror")
    spoil(one(copy, OLD))
    found = check(copy, mirror=mirror)
    assert (None, "whole in the mirror, not in the store: safe to copy it back under the same name",
            one(copy, OLD).relative_to(copy).as_posix()) in mirror_rows(found)  # fmt: skip
    one(mirror, NEW).unlink()
    found = check(copy, mirror=mirror)
    (row,) = [r for r in mirror_rows(found) if r[0] is False]
    assert "only the mirror's is damaged or absent" in row[1]
    assert NEW in row[2]
    spoil(one(mirror, OLD))
    assert any("in both copies" in row[1] for row in mirror_rows(check(copy, mirror=mirror)))
    shutil.copy(one(made / "store", OLD), one(copy, OLD))
    shutil.copy(one(made / "store", OLD), one(mirror, OLD))
    shutil.copy(one(made / "store", NEW), one(mirror, NEW.replace("04", "04"), "_manifest.json").parent)
    assert check(copy, mirror=mirror).ok, "what was called safe makes both whole"


def test_two_histories_and_a_mirror_without_a_log(made, tmp_path):
    log = Log.init(LocalStore(tmp_path / "fork"), KEY, anchors=[MemoryAnchor()])
    log.append(plain("another"))
    found = check(made / "store", mirror=tmp_path / "fork")
    assert "two histories" in next(c.detail for c in found.failed if c.step == "mirror")
    (tmp_path / "none").mkdir()
    assert not check(made / "store", mirror=tmp_path / "none").ok
    forged = Log.init(LocalStore(tmp_path / "forged"), NoteKey(KEY.name, b"\x09" * 32), anchors=[MemoryAnchor()])
    assert forged.size
    assert any("the mirror's log" in c.detail for c in check(made / "store", mirror=tmp_path / "forged").failed)


def test_the_command_takes_all_of_them(made, copy, capsys):
    trust = ["--trust", str(made / "log.vkey")]
    asked = ["verify", str(copy), *trust, "--checkpoint", str(made / "kept"), "--since", "--jobs", "2"]
    assert command([*asked, "--mirror", str(made / "early")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "taken as verified when the checkpoint was kept" in said  # with a mirror all records are read
    assert "lags behind" in said
    assert command(["verify", str(copy), *trust, "--jobs", "0"]) == 2
    assert command(["verify", str(copy), *trust, "--since"]) == 2

"""A store put back to an earlier valid night, through the commands: found by the anchor and any kept checkpoint, else said to be unchecked."""

import json
import shutil

import job
import pytest

from tests.servers import tiny_export

pytestmark = pytest.mark.slow  # a dozen processes


@pytest.fixture
def work(tmp_path):
    """Two nights collected; the store as it was after the first lies beside."""
    folder = tmp_path / "work"
    job.here("init", folder, "--size", "none")
    tiny_export.write(folder / "exports")
    toml = (folder / "evidence.toml").read_text().split("[sources.")[0]
    sources = (
        '\n[sources.exports]\nkind = "files"\npath = "exports"\ndatasets = ["snowflake.users", "snowflake.tables"]\n'
    )
    (folder / "evidence.toml").write_text(toml + sources)
    job.here("-w", folder, "collect", "--date", "2026-07-01", codes=range(9))
    shutil.copytree(folder / "store", tmp_path / "first")
    shutil.copyfile(folder / "anchors" / "checkpoint", tmp_path / "after-first")
    job.here("-w", folder, "collect", "--date", "2026-07-02", codes=range(9))
    shutil.copyfile(folder / "anchors" / "checkpoint", tmp_path / "after-second")
    return folder


def checks(folder, work, *more, code=0):
    done = job.here("verify", folder, "--trust", work / "trust", "--json", *more, codes=(code,))
    return {check["step"]: check for check in json.loads(done.stdout)}


def test_a_rollback_is_found_with_any_later_checkpoint_and_unchecked_without_one(work, tmp_path):
    newer = tmp_path / "newer"
    (work / "store").rename(newer)
    shutil.copytree(tmp_path / "first", work / "store")
    # Without a kept checkpoint the earlier state is a valid store; verify says what it did not check.
    assert checks(work / "store", work)["checkpoint"]["ok"] is None
    text = job.here("verify", work / "store", "--trust", work / "trust").stdout
    assert "going back in time was not checked" in text
    # One from before is continued by both; one from after shows the rollback.
    assert checks(work / "store", work, "--checkpoint", tmp_path / "after-first")["checkpoint"]["ok"] is True
    found = checks(work / "store", work, "--checkpoint", tmp_path / "after-second", code=10)["checkpoint"]
    assert found["ok"] is False
    assert "went back in time" in found["detail"]
    # The commands that write stop, say why, and leave the store as it is.
    before = sorted((path, path.stat().st_mtime_ns) for path in (work / "store").rglob("*"))
    for command in (["collect", "--date", "2026-07-02"], ["assess", "--date", "2026-07-01"], ["status"]):
        done = job.here("-w", work, *command, codes=(9,))
        assert "RollbackError" in done.stderr
        assert "to fix" in done.stderr
    assert sorted((path, path.stat().st_mtime_ns) for path in (work / "store").rglob("*")) == before
    # An operator who accepts a checkpoint the store does not have gets no further; the right store goes on.
    done = job.here("-w", work, "keys", "accept-anchor", tmp_path / "after-second", codes=(9,))
    assert "RollbackError" in done.stderr
    shutil.rmtree(work / "store")
    newer.rename(work / "store")
    job.here("-w", work, "collect", "--date", "2026-07-02", codes=range(9))
    assert checks(work / "store", work, "--checkpoint", tmp_path / "after-second")["checkpoint"]["ok"] is True

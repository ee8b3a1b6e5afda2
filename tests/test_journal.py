"""What a run prints and writes: nothing where nothing is wrong, one event per line, and never a secret."""

import json

import job

from evidence.cli.journal import FILE, SIZE, Journal


def made(folder):
    job.run("init", folder, "--demo", "--size", "none")
    config = folder / "evidence.toml"
    config.write_text(config.read_text().partition("[sources")[0])
    return folder


def events(folder):
    return [json.loads(line) for line in (folder / ".evidence" / FILE).read_text().splitlines()]


def test_cron_hears_nothing_of_a_night_without_trouble(tmp_path):
    work = made(tmp_path / "work")
    done = job.run("-w", work, "run")
    assert (done.stdout, done.stderr) == ("", "")
    said = events(work)
    assert [each["event"] for each in said] == ["collect", "assess", "alert", "end"]
    assert {each["run"] for each in said} == {said[0]["run"]}
    verbose = job.run("-w", work, "run", "--verbose")
    assert [json.loads(line)["event"] for line in verbose.stderr.splitlines() if line.startswith("{")] == ["collect", "assess", "alert", "end"]  # fmt: skip
    assert len(events(work)) == 8


def test_trouble_is_printed_with_what_to_do_and_a_target_that_is_down_is_named_without_its_address(
    tmp_path, monkeypatch
):
    work = made(tmp_path / "work")
    config = work / "evidence.toml"
    config.write_text(
        config.read_text()
        + '[sources.exports]\nkind = "files"\npath = "nowhere"\n'
        + '[alerts.targets.hook]\nurl = "env:HOOK"\n'
    )
    monkeypatch.setenv("HOOK", "json://user:hunter2@127.0.0.1:9/secret-token")
    done = job.run("-w", work, "run", codes=(1, 2, 3, 4))
    text = done.stdout + done.stderr + (work / ".evidence" / FILE).read_text()
    assert "to fix" in text
    assert "hunter2" not in text
    assert "secret-token" not in text
    assert events(work)[-1]["exit_code"] == done.returncode


def test_the_journal_is_rotated(tmp_path, monkeypatch):
    import datetime as dt

    monkeypatch.setattr("evidence.cli.journal.SIZE", 2000)
    with Journal(tmp_path, "R", lambda: dt.datetime(2026, 7, 1, tzinfo=dt.UTC)) as journal:
        for number in range(200):
            journal.write("x", number=number, text="line\nbreak \u202e")
    files = sorted((tmp_path / ".evidence").glob(f"{FILE}*"))
    assert len(files) == 6
    assert SIZE > 2000
    for path in files:
        assert all(json.loads(line)["run"] == "R" for line in path.read_text().splitlines())

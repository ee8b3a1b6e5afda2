"""One version names one content: what moved under an unchanged version is refused, by lint and by the renewal."""

from pathlib import Path

import job
import pytest
from test_control_cases import CONTROL, FACT, TEST, write

from evidence.control.definition import load_library
from evidence.control.lint import lint_library
from evidence.control.lock import LOCK, read, renewed, roots
from evidence.errors import ControlError

OTHER = TEST + "\n-- a remark moves the content too\n"
BUMPED = CONTROL.replace('version = "1.0.0"', 'version = "1.0.1"')


def locked(root, **changes):
    """Write a library with its lock, then change files under it."""
    library = load_library([write(root)])
    text, _ = renewed(root, library)
    (root / LOCK).write_text(text)
    assert lint_library(library) == []
    return load_library([write(root, **changes)])


def said(library):
    return [str(problem) for problem in lint_library(library)]


def test_the_product_has_a_lock():
    controls = Path(__file__).parents[1] / "controls"
    library = load_library([controls])
    assert roots(library) == (controls,)
    found = read(controls)
    assert {name for kind, name in found if kind == "controls"} == set(library.controls)
    assert {name for kind, name in found if kind == "facts"} == set(library.facts)
    assert renewed(controls, library) == ((controls / LOCK).read_text(), [])


def test_without_a_lock_nothing_is_held_against_it(tmp_path):
    assert read(tmp_path) is None
    assert lint_library(load_library([write(tmp_path)])) == []


def test_content_that_moved_under_its_version_is_refused(tmp_path):
    library = locked(tmp_path, control_sql=OTHER)
    assert said(library) == [
        "controls/identity-two: content moved under version 1.0.0; raise the version, then run `evidence controls lock`"
    ]
    with pytest.raises(ControlError, match="identity-two: content moved under version") as caught:
        renewed(tmp_path, library)
    assert "raise the version" in caught.value.fix
    text, changes = renewed(tmp_path, library, amend=True)
    assert [each.name for each in changes] == ["identity-two"]
    (tmp_path / LOCK).write_text(text)
    assert said(library) == []


def test_a_raised_version_only_asks_for_the_lock(tmp_path):
    library = locked(tmp_path, control_sql=OTHER, control_toml=BUMPED)
    assert said(library) == [
        "controls/identity-two: version 1.0.1 is not locked yet (1.0.0 is); run `evidence controls lock`"
    ]
    (tmp_path / LOCK).write_text(renewed(tmp_path, library)[0])
    assert said(library) == []
    older = load_library([write(tmp_path)])
    assert said(older) == ["controls/identity-two: version 1.0.0 is lower than the locked 1.0.1; raise it"]


def test_a_fact_that_moved_moves_what_rests_on_it(tmp_path):
    sql = "select name from snowflake.users where deleted_on is null"
    names = [line.partition(":")[0] for line in said(locked(tmp_path, person_sql=sql))]
    assert names == ["controls/identity-two", "facts/person"]
    library = load_library(
        [write(tmp_path, person_sql=sql, person_toml='version = "1.1.0"\n' + FACT, control_toml=BUMPED)]
    )
    (tmp_path / LOCK).write_text(renewed(tmp_path, library)[0])
    assert said(library) == []


def test_a_setting_that_moved_moves_every_control(tmp_path):
    library = locked(tmp_path, library_toml='version = "1"\n[settings]\nphi_tags = ["PHI", "PII"]\n')
    assert "controls/identity-two: content moved" in said(library)[0]


def test_an_example_moves_nothing(tmp_path):
    locked(tmp_path)
    more = tmp_path / "identity/identity-two/cases/more.toml"
    more.write_text((more.parent / "good.toml").read_text())
    assert said(load_library([tmp_path])) == []


def test_what_is_new_or_gone_asks_for_the_lock(tmp_path):
    locked(tmp_path)
    body = (tmp_path / LOCK).read_text()
    (tmp_path / LOCK).write_text(body.replace("identity-two", "identity-gone"))
    assert said(load_library([tmp_path])) == [
        "controls/identity-gone: is locked and no longer there; run `evidence controls lock`",
        "controls/identity-two: is not in the lock; run `evidence controls lock`",
    ]


@pytest.mark.parametrize(
    "body",
    ["[controls", "[other]\n", "controls = 3", "[controls]\nx = 3", '[controls]\nx = { version = "1.0.0" }',
     '[controls]\nx = { version = "new", sha256 = "" }', '[controls]\nx = { version = 1, sha256 = "" }', "\xff"],
)  # fmt: skip
def test_a_broken_lock_is_an_error_that_names_it(tmp_path, body):
    library = locked(tmp_path)
    (tmp_path / LOCK).write_bytes(body.encode("latin-1"))
    with pytest.raises(ControlError, match=r"lock\.toml"):
        lint_library(library)


def test_the_commands_hold_a_workspace_to_its_own_lock_if_it_has_one(tmp_path):
    work = tmp_path / "w"
    job.here("init", work, "--demo", "--size", "none")
    config = work / "evidence.toml"
    config.write_text(config.read_text() + '\n[assess]\ncontrols = ["controls"]\n')
    source = Path(__file__).parents[1] / "controls" / "identity" / "identity-mfa-humans"
    own = work / "controls" / "identity" / "org-mfa"
    own.mkdir(parents=True)
    for name in ("population.sql", "control.sql"):
        (own / name).write_text((source / name).read_text())
    text = (source / "control.toml").read_text().replace('id = "identity-mfa-humans"', 'id = "org-mfa"')
    (own / "control.toml").write_text(text)
    (own / "cases").mkdir()
    for case in (source / "cases").glob("*.toml"):
        (own / "cases" / case.name).write_text(case.read_text())
    assert "0 problems" in job.here("-w", work, "controls", "lint", "org-mfa").stdout
    assert "controls.org-mfa" in job.here("-w", work, "controls", "lock").stdout
    assert "org-mfa" in (work / "controls" / LOCK).read_text()
    assert "0 lines renewed" in job.here("-w", work, "controls", "lock").stdout
    (own / "control.toml").write_text(text + "\n# moved\n")
    assert "org-mfa: content moved" in job.here("-w", work, "controls", "lint", "org-mfa", codes=(3,)).stdout
    assert "raise the version" in job.here("-w", work, "controls", "lock", codes=(3,)).stderr
    job.here("-w", work, "controls", "lock", "--amend")
    assert "0 problems" in job.here("-w", work, "controls", "lint", "org-mfa").stdout


@pytest.mark.parametrize(
    ("limit", "stricter", "said"),
    [("0", 'stricter = "lower"', "the default of x is looser than 0"), ("3", "", "loosest.x has no `stricter`")],
)
def test_a_limit_that_cannot_do_its_work_is_a_problem(tmp_path, limit, stricter, said):
    text = (
        CONTROL
        + f'\n[parameters.x]\ntype = "int"\ndefault = 2\nabout = "x"\n{stricter}\n\n[[maps]]\nframework = "tiny"\n'
    )
    text += f'requirement = "T.1"\nstrength = "supporting"\nloosest = {{ x = {limit} }}\n'
    problems = [str(problem) for problem in lint_library(load_library([write(tmp_path, control_toml=text)]))]
    assert any(said in problem for problem in problems), problems

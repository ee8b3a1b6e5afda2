"""``owners.toml``: who answered for a control on a day, and what is no owner."""

import datetime as dt

import pytest

from evidence.config import content_root
from evidence.control.owners import load_owners
from evidence.errors import ConfigError

ROW = '[[owners]]\n{} = "{}"\nowner = "{}"\nsince = {}\n'
GIVEN = (
    ("family", "f", "late", "2026-09-01"), ("family", "f", "now", "2026-05-01"), ("family", "f", "old", "2026-01-01"),
    ("control", "c", "C", "2026-06-01"), ("control", "c", "D", "2026-07-02"),
)  # fmt: skip


def owners(folder, text):
    (folder / "owners.toml").write_text(text)
    return load_owners(folder)


@pytest.mark.parametrize(
    ("control", "family", "day", "owner"),
    [
        ("c", "f", dt.date(2026, 7, 1), "C"), ("c", "f", dt.date(2026, 7, 2), "D"), ("c", "f", dt.date(2026, 5, 31), "now"),
        ("d", "f", dt.date(2026, 4, 30), "old"), ("d", "f", dt.date(2025, 12, 31), ""), ("d", "g", dt.date(2026, 7, 1), ""),
    ],
)  # fmt: skip
def test_a_control_goes_before_its_family_and_a_hand_over_is_a_later_row(tmp_path, control, family, day, owner):
    assert owners(tmp_path, "".join(ROW.format(*each) for each in GIVEN)).of(control, family, day) == owner


def test_a_row_that_names_no_control_or_family_is_an_error_with_the_nearest(tmp_path):
    text = "".join(ROW.format(*each) for each in GIVEN)
    owners(tmp_path, text)
    assert load_owners(tmp_path, {"c": "f", "d": "g"}).of("c", "f", dt.date(2026, 7, 2)) == "D"
    for controls, said in (
        ({"access-one": "f", "cc": "f"}, r"no control 'c' \(owner C\); nearest: cc"),
        ({"c": "g", "d": "ff"}, "no family 'f' .*nearest: ff"),
        ({}, "nearest: there are none"),
    ):
        with pytest.raises(ConfigError, match=said):
            load_owners(tmp_path, controls)


def test_without_a_file_and_with_the_one_of_a_new_workspace_nobody_is_named(tmp_path):
    assert load_owners(tmp_path).rows == ()
    template = (content_root() / "templates" / "workspace" / "owners.toml").read_text()
    assert owners(tmp_path, template).rows == ()
    example = "\n".join(line.removeprefix("# ") for line in template.splitlines()[2:])
    assert owners(tmp_path, example).of("x", "access", dt.date(2026, 7, 1)) == "j.doe"


@pytest.mark.parametrize(
    "text",
    [
        "[controls.c]\nowner = 'C'\n", "[[owners]]\nowner = 'C'\nsince = 2026-01-01\n", "owners = 3", "[[owners",
        "[[owners]]\nfamily = 'f'\ncontrol = 'c'\nowner = 'C'\nsince = 2026-01-01\n",
        "[[owners]]\nfamily = 'f'\nowner = ''\nsince = 2026-01-01\n", "[[owners]]\nfamily = 'f'\nowner = 'C'\nsince = '2026-01-01'\n",
        "[[owners]]\nfamily = 'f'\nowner = 'C'\nsince = 2026-01-01\nboss = 'B'\n",
    ],
)  # fmt: skip
def test_anything_else_is_an_error_that_names_the_file(tmp_path, text):
    with pytest.raises(ConfigError, match=r"owners\.toml"):
        owners(tmp_path, text)

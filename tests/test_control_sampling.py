"""A sample can be drawn again by anybody, in any order, on any machine."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.control.sampling import NightPopulation, Policy, draw, draw_period, load_policies
from evidence.errors import ControlError

ROOT = Path(__file__).parent.parent / "controls"
ITEMS = [f"snowflake/USER_{n}" for n in range(400)]


def drawn(items=ITEMS, seed="2026-Q3", **rule):
    return draw(items, "f", Policy(about="x", **rule), "p", seed).items


@given(st.permutations(ITEMS[:40]), st.integers(1, 60), st.text(max_size=20))
def test_order_does_not_matter_and_a_larger_sample_holds_the_smaller(items, size, seed):
    small, large = drawn(items, seed, kind="fixed", size=size), drawn(ITEMS[:40], seed, kind="fixed", size=size + 7)
    assert small == large[: len(small)]
    assert len(set(small)) == len(small) == min(size, 40)


def test_another_seed_is_another_sample_and_every_item_has_its_chance():
    seen = [set(drawn(seed=str(n), kind="fixed", size=25)) for n in range(300)]
    assert seen[0] != seen[1]
    assert set().union(*seen) == set(ITEMS)


@pytest.mark.parametrize(
    ("rule", "population", "count"),
    [
        ({"kind": "all"}, 7, 7), ({"kind": "fixed", "size": 25}, 7, 7), ({"kind": "fixed", "size": 25}, 400, 25),
        ({"kind": "percent", "percent": 10, "min": 5, "max": 60}, 400, 40), ({"kind": "percent", "percent": 10, "min": 5, "max": 60}, 41, 5),
        ({"kind": "percent", "percent": 10, "min": 5, "max": 60}, 3, 3), ({"kind": "percent", "percent": 10, "max": 30}, 400, 30),
        ({"kind": "percent", "percent": 1}, 101, 2), ({"kind": "all"}, 0, 0),
    ],
)  # fmt: skip
def test_how_many_are_drawn(rule, population, count):
    assert Policy(about="x", **rule).count(population) == count


def test_the_sample_is_what_sha256sum_and_sort_give(tmp_path):
    script = 'for i in $(cat items); do printf "%s %s\\n" "$(printf "seed\\n%s" "$i" | sha256sum | cut -d" " -f1)" "$i"; done | sort | head -5 | cut -d" " -f2'
    (tmp_path / "items").write_text("\n".join(ITEMS[:50]))
    by_hand = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert by_hand.split() == list(drawn(ITEMS[:50], "seed", kind="fixed", size=5))
    assert drawn(ITEMS[:50], "seed", kind="fixed", size=1)[0] == min(
        ITEMS[:50], key=lambda item: hashlib.sha256(f"seed\n{item}".encode()).hexdigest()
    )


NIGHTS = {f"2026-07-{n:02}": [f"carrier/USER {n * k}" for k in range(1, 30 + n)] for n in (3, 1, 2)}
TESTED = [NightPopulation(night, len(items), f"{night}-digest") for night, items in NIGHTS.items()]


def of_period(nights=TESTED, **rule):
    return draw_period(nights, lambda night: NIGHTS[night], Policy(about="x", **rule), "p", "seed")


def test_a_period_is_one_population_and_is_drawn_as_by_hand(tmp_path):
    line = """while read -r i; do printf '%s %s\\n' "$(printf 'seed\\n%s' "$i" | sha256sum | cut -d' ' -f1)" "$i"; done < items"""
    lines = [f"{night} {item}" for night, items in NIGHTS.items() for item in items]
    (tmp_path / "items").write_text("\n".join(lines) + "\n")
    script = f"{line} | sort | head -9 | cut -d' ' -f2-"
    assert line.replace("seed", "SEED") in (ROOT.parent / "docs" / "formats" / "sample.md").read_text()
    by_hand = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    found = of_period(kind="fixed", size=9)
    assert by_hand.splitlines() == list(found.items)
    assert found.population == len(lines)
    stated = "".join(
        f"{each.night} {each.population} {each.fingerprint}\n" for each in sorted(TESTED, key=lambda t: t.night)
    )
    assert found.fingerprint == hashlib.sha256(stated.encode()).hexdigest()
    assert of_period(TESTED[::-1], kind="fixed", size=9) == found
    assert of_period(TESTED[1:], kind="fixed", size=9).fingerprint != found.fingerprint


def test_a_stratum_gives_every_night_its_own_sample():
    found = of_period(kind="fixed", size=2, stratum="night").items
    assert [item.split()[0] for item in found] == [night for night in sorted(NIGHTS) for _ in range(2)]
    alone = {
        night: drawn([f"{night} {i}" for i in items], "seed", kind="fixed", size=2) for night, items in NIGHTS.items()
    }
    assert found == tuple(item for night in sorted(NIGHTS) for item in alone[night])


@pytest.mark.parametrize(
    "text",
    [
        '[policies.x]\nkind = "fixed"\nabout = "x"', '[policies.x]\nkind = "all"\nsize = 3\nabout = "x"', "policies = 3", "[", "",
        '[policies.x]\nkind = "percent"\npercent = 0\nabout = "x"', '[policies.all]\nkind = "all"\nabout = "again"',
        '[policies.x]\nkind = "percent"\npercent = 5\nmin = 9\nmax = 3\nabout = "x"', '[policies.x]\nkind = "all"\nstratum = "week"\nabout = "x"',
    ],
)  # fmt: skip
def test_a_policy_that_says_nothing_sensible_is_refused(tmp_path, text):
    (tmp_path / "sampling.toml").write_text(text)
    with pytest.raises(ControlError, match=r"sampling\.toml"):
        load_policies(ROOT, tmp_path)


def test_the_library_has_policies():
    assert {"all", "small", "moderate", "tenth", "each-night"} <= set(load_policies(ROOT))

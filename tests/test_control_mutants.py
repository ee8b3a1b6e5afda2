"""Would the cases notice if the library's SQL were wrong? Every change of a verdict is noticed or explained (docs/formats/control.md).

``UNNOTICED`` is what is still open, exactly: who writes a case lowers it, and nothing may raise it.
"""

from pathlib import Path

import pytest

from evidence.control.definition import load_library
from evidence.control.mutation import Score, equivalents, score_control, score_fact

ROOT = Path(__file__).resolve().parent.parent / "controls"
CONTROLS = sorted(path.parent.name for path in ROOT.glob("*/*/control.toml"))
FACTS = sorted(path.stem for path in (ROOT / "facts").glob("*.toml"))
UNNOTICED: dict[str, int] = {}


@pytest.fixture(scope="module")
def library():
    return load_library([ROOT])


def unnoticed(score: Score) -> list[str]:
    return [mutant.what for mutant in score.unnoticed if mutant.kind == "verdict"]


@pytest.mark.slow
@pytest.mark.parametrize("control", CONTROLS)
def test_every_change_of_a_control_is_noticed(library, control):
    for score in score_control(library, control):
        lost = unnoticed(score)
        assert len(lost) == UNNOTICED.get(score.file, 0), "\n".join([score.file, *lost])


@pytest.mark.slow
@pytest.mark.parametrize("fact", FACTS)
def test_every_change_of_a_fact_is_noticed(library, fact):
    score = score_fact(library, fact)
    lost = unnoticed(score)
    assert len(lost) == UNNOTICED.get(score.file, 0), "\n".join([score.file, *lost])


def test_every_listed_file_is_there():
    """A mutant that is gone is an error where its file is scored; a file that is gone would never be."""
    files = {f"{control}/{name}.sql" for control in CONTROLS for name in ("population", "control")}
    files |= {f"facts/{name}.sql" for name in FACTS}
    assert set(equivalents(ROOT)) <= files
    assert set(UNNOTICED) <= files

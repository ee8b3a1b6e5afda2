"""Coverage-guided fuzzing of every parser of ``verify``: slow, with an environment of its own (requirements/fuzz.txt).

``EVIDENCE_FUZZ_SECONDS`` is the time of each parser, 5 by default; 60 makes a quarter of an hour of it. What an earlier run found
interesting is not kept: a corpus would be bytes that nobody reads.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.fuzz import vectors
from tests.fuzz.parsers import NAMES
from tests.servers.venvs import ensure

ROOT = Path(__file__).parent.parent
SECONDS = int(os.environ.get("EVIDENCE_FUZZ_SECONDS", "5"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS + 300)]


@pytest.fixture(scope="module")
def fuzz(tmp_path_factory):
    folder, python = tmp_path_factory.mktemp("fuzz"), ensure("fuzz")
    vectors.write(folder)

    def run(name):
        return subprocess.run(
            [python, "-m", "tests.fuzz", name, folder, str(SECONDS)],
            cwd=ROOT, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True, text=True, timeout=SECONDS + 240, check=False,
        )  # fmt: skip

    return run


@pytest.mark.parametrize("name", NAMES)
def test_no_crash_no_hang_no_flood(fuzz, name):
    done = fuzz(name)
    assert done.returncode == 0, done.stderr[-4000:]
    runs = int(re.search(r"number_of_executed_units: (\d+)", done.stderr)[1])
    assert runs > 100 * SECONDS
    print(name, runs)  # noqa: T201 - the figure that a report wants, shown by pytest -rP

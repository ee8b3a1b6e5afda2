"""axe-core, the accessibility checker: one script out of a wheel that carries it. Its other contents are not used.

Asked for by the slow tests only; the digest in requirements/axe.txt is checked by pip.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements" / "axe.txt"
SCRIPT = "axe_playwright_python/axe.min.js"
STANDARDS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


def source(folder: Path) -> str:
    """Return the script; ``folder`` is scratch. Raises ``RuntimeError`` with the installer's words."""
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
        *("--only-binary", ":all:", "--require-hashes", "--dest", str(folder), "-r", str(REQUIREMENTS)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    (wheel,) = folder.glob("axe_playwright_python-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(SCRIPT).decode()

"""Virtual environments of the test servers: ``ensure("emulator")`` gives the Python that has requirements/emulator.txt.

Servers pin other versions of the same libraries than the product does, so each has an environment of its own under
``.venvs/``. It is made on first use, atomically: built beside its final name, then renamed. A marker file holds the
digest of the requirements; other requirements mean another environment, never a changed one.

``python -m tests.servers.venvs emulator localstack`` makes them ahead of time and prints the interpreters: `make test`
does so, for on a slow machine an installation is longer than a test may take.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".venvs"
MARKER = ".requirements-sha256"


def ensure(name: str) -> Path:
    """Return the interpreter of the environment for ``requirements/<name>.txt``, making it if it is not there.

    Two processes may ask at once: a lock file lets the second wait. Raises ``RuntimeError`` with the output of the installer.
    """
    requirements = ROOT / "requirements" / f"{name}.txt"
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    final = FOLDER / f"{name}-{digest[:12]}"
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_made(final, digest):
            _make(final, requirements, digest)
    return final / "bin" / "python"


def _is_made(folder: Path, digest: str) -> bool:
    marker = folder / MARKER
    return marker.is_file() and marker.read_text() == digest


def _make(final: Path, requirements: Path, digest: str) -> None:
    shutil.rmtree(final, ignore_errors=True)  # a folder without a marker was never finished
    building = Path(tempfile.mkdtemp(prefix=f"{final.name}-", dir=FOLDER))
    try:
        _install(building, requirements)
        (building / MARKER).write_text(digest)
        building.rename(final)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def _install(folder: Path, requirements: Path) -> None:
    """Use uv where it is installed (seconds), else venv and pip. Both check every hash, and install what is listed alone:
    the lists are whole, or leave out on purpose what a package that is only read would pull in.
    """
    uv = shutil.which("uv")
    python = folder / "bin" / "python"
    if uv:
        _run([uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder)])
        pip = [uv, "pip", "install", "--quiet", "--python", str(python)]
        _run([*pip, "--no-deps", "--require-hashes", "-r", str(requirements)])
        return
    _run([sys.executable, "-m", "venv", str(folder)])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    _run([*pip, "--no-deps", "--require-hashes", "-r", str(requirements)])


def _run(command: list[str]) -> None:
    clean = {key: value for key, value in os.environ.items() if key not in {"VIRTUAL_ENV", "PYTHONHOME"}}
    result = subprocess.run(command, env=clean, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{result.stdout}{result.stderr}")


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        sys.stdout.write(f"{ensure(wanted)}\n")

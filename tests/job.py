"""The main job as a user runs it: the command line on a workspace of the demo; and what tests read from its store."""

import contextlib
import datetime as dt
import hashlib
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

from evidence.cli.app import run as in_process
from evidence.demo import Size, generate
from evidence.snapshot.manifest import Manifest
from evidence.store.index import Index
from evidence.store.local import LocalStore
from evidence.store.log import Log
from evidence.tlog.note import parse_verifier

COMMAND = [sys.executable, "-c", "import sys; from evidence.cli import main; main(sys.argv[1:])"]


def start(*arguments, **options):
    return subprocess.Popen([*COMMAND, *map(str, arguments)], **options)


def run(*arguments, codes=(0,), **options):
    """Run one command; it must end with one of ``codes``. Returns the finished process with its output as text."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=1200, check=False, **options
    )
    assert done.returncode in codes, f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def here(*arguments, codes=(0,), cwd="."):
    """Run one command as :func:`run` does, in this process: without the second a new interpreter takes to import everything."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = in_process([str(argument) for argument in arguments])
    assert code in codes, f"{arguments} ended with {code}\n{out.getvalue()}\n{err.getvalue()}"
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


CONTROLS = sorted(path.parent.name for path in (Path(__file__).parent.parent / "controls").glob("*/*/control.toml"))


# Where accounts that were made are kept while tests run (conftest.py), to be copied for the next.
ACCOUNTS: Path | None = None


def workspace(folder: Path, size: Size, only=None):
    """Make a demo workspace whose account has another ``size`` than the named ones.

    ``only`` names the controls that are judged: the overlay switches the others off, and of the carrier's account nothing is collected but
    what they need. Both spare a test most of its time.
    """
    here("init", folder, "--demo", "--size", "none")
    _account(folder, size)
    arrange(folder)
    if only is not None:
        off = 'enabled = false\nuntil = 2030-01-01\nreason = "not what the test is about"\n'
        (folder / "overlay.toml").write_text(
            "".join(f"[controls.{name}]\n{off}" for name in CONTROLS if name not in only)
        )
        _narrow(folder, only)
    return json.loads((folder / "answer-key.json").read_text())


def _account(folder: Path, size: Size):
    """Write the account of ``size`` into a workspace that has none: the same size gives the same files."""
    from evidence.cli.init_command import demo_judges
    from evidence.cli.workspace import Workspace

    def make(where):
        generate(where, size, judges=demo_judges(Workspace.open(folder)))

    if ACCOUNTS is None:
        make(folder)
        return
    kept = ACCOUNTS / hashlib.sha256(repr(size).encode()).hexdigest()[:16]
    if not kept.exists():
        make(begun := kept.with_suffix(".begun"))  # a half-made one is never copied
        begun.rename(kept)
    shutil.copytree(kept, folder, dirs_exist_ok=True)


def _narrow(folder: Path, only):
    """Let the carrier's source serve what the controls ``only`` and their facts read; everything where they read nothing of it."""
    from evidence.cli.workspace import Workspace
    from evidence.control.gate import requirements

    opened = Workspace.open(folder)
    needed = {need.dataset for name in only for need in requirements(opened.library, opened.library.controls[name])}
    served = sorted(needed & set(opened.source("carrier").datasets()))
    if served:
        settings, table = folder / "evidence.toml", "[sources.carrier]\n"
        text = settings.read_text()
        assert table in text
        settings.write_text(text.replace(table, f"{table}datasets = {json.dumps(served)}\n"))


def arrange(folder: Path):
    from evidence.cli.init_command import arrange as put_in_place

    put_in_place(folder)


def assess(folder: Path, start, end, *, jobs="2", codes=(0,)):
    """Check the store, then assess as the demo's carrier does: its overlay changes in the middle of the period."""
    run("-w", folder, "check")
    middle = start + dt.timedelta(days=((end - start).days + 1) // 2)
    if middle > start:
        run(
            "-w", folder, "assess", "--period", f"{start}..{middle - dt.timedelta(days=1)}", "--jobs", jobs, codes=codes
        )
    (folder / "overlay.toml").write_text((folder / "overlay-changed.toml").read_text())
    return run("-w", folder, "assess", "--period", f"{middle}..{end}", "--jobs", jobs, codes=codes)


def spelled(finding):
    """Return a night finding, an object or its JSON, as the answer key spells it."""
    body = finding if isinstance(finding, dict) else finding.to_json()
    answer = {"status": body["status"]}
    if body["status"] in {"not-assessed", "not-applicable"}:
        answer["reason"] = body["reason"]
    for name, last in (("exceptions", ""), ("reviews", ""), ("disposed", "outcome"), ("waived", "waiver")):
        found = sorted([o["item"], o["reason"], *([o[last]] if last else [])] for o in body.get(name, ()))
        if found:
            answer[name] = found
    return answer


def answers(key):
    """Return the answer key's nights as {(control, night): answer}."""
    return {
        (control, night): said for control, body in key["controls"].items() for night, said in body["nights"].items()
    }


def period(finding):
    """Return a period finding's JSON as the answer key spells it."""
    kept = (
        "item",
        "reason",
        "first_seen",
        "last_seen",
        "nights",
        "open",
        "days_open",
        "remediated_on",
        "waivers",
        "waived_nights",
    )
    found = [{name: run[name] for name in kept if name in run} for run in finding["exceptions"]]
    return {"status": finding["status"], "intervals": found}


def open_log(folder: Path) -> Log:
    vkey = (folder / "trust" / "log.vkey").read_text().strip()
    return Log.open(LocalStore(folder / "store"), trust=parse_verifier(vkey))


def sealed_rows(folder: Path) -> dict[tuple[str, str, str], tuple[str, int, str]]:
    """Window -> (status, rows, digest) of the highest revision of everything sealed."""
    log = open_log(folder)
    found = {}
    for sealed in Index().catch_up(log).snapshots():
        manifest = Manifest.from_bytes(log.store.get(sealed.manifest.path, sha256=sealed.manifest.sha256))
        key = manifest.key
        facts = (manifest.status, int(manifest.receipt["landed"]), str(manifest.receipt.get("rows_digest", "")))
        found[key.source, key.dataset, key.night.isoformat()] = facts
    return found

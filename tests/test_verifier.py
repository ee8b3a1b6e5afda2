"""``verify.pyz`` in a bare environment: standard library, cryptography and asn1crypto, and nothing else importable."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.memory_store import MemoryAnchor
from fakes.packet_inputs import blank_packet, build_inputs, packet_key
from fakes.sealed_store import KEY, plain, seal_snapshots

from evidence.cli.app import run as command
from evidence.signing.certificate import certificate_pem
from evidence.store.local import LocalStore
from evidence.store.log import Log

ROOT = Path(__file__).parent.parent
BARE = ("cryptography", "asn1crypto", "cffi", "pycparser", "_cffi_backend")
RUN = """
import sys
site, archive, *arguments = sys.argv[1:]
allowed = set(sys.stdlib_module_names) | {"evidence", "cryptography", "asn1crypto", "cffi", "pycparser", "_cffi_backend", "__main__"}

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in allowed:
            raise ImportError(name)

assert not any("site-packages" in place for place in sys.path), sys.path
sys.path.append(site)
for absent in ("pyarrow", "duckdb", "typer", "pydantic", "evidence"):
    try:
        __import__(absent)
    except ImportError:
        continue
    raise SystemExit(absent + " can be imported: this environment is not bare")
sys.meta_path.insert(0, Blocker())
import runpy
sys.argv = [archive, *arguments]
try:
    runpy.run_path(archive, run_name="__main__")
finally:
    strays = {m.partition(".")[0] for m in sys.modules} - allowed
    assert not {m for m in strays if not m.startswith("_")}, strays
    assert "evidence" not in sys.modules or archive in sys.modules["evidence"].__file__
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    target = tmp_path_factory.mktemp("dist") / "verify.pyz"
    build(target)
    return target


def build(target):
    return subprocess.run(
        [sys.executable, "-I", ROOT / "scripts" / "verifier.py", target],
        check=True, capture_output=True, text=True, timeout=60,
    ).stdout  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with links to what the verifier needs and to nothing else."""
    folder = tmp_path_factory.mktemp("site")
    for name in BARE:
        spec = importlib.util.find_spec(name)
        if spec is not None:
            source = Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
            (folder / source.name).symlink_to(source)
    return folder


@pytest.fixture
def bare(archive, site, tmp_path):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-I", "-S", "-c", RUN, site, archive, *arguments],
            cwd=tmp_path, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def packet(tmp_path_factory):
    """A packet and its trust folder."""
    key, root = packet_key()
    inputs = build_inputs(tmp_path_factory.mktemp("parts"), count=1)
    made = blank_packet(inputs, key, tmp_path_factory.mktemp("out"))
    trust = tmp_path_factory.mktemp("trust")
    (trust / "packet.pem").write_bytes(certificate_pem(root))
    (trust / "log.vkey").write_text(inputs.log_key.to_text() + "\n")
    return made, trust


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store folder, its trust file, and a checkpoint kept on the way."""
    folder = tmp_path_factory.mktemp("store")
    log = Log.init(LocalStore(folder / "store"), KEY, anchors=[MemoryAnchor()])
    log.append(plain(*(f"k{n}" for n in range(300))))
    (folder / "kept").write_text(log.checkpoint)
    seal_snapshots(log, range(3))
    (folder / "log.vkey").write_text(KEY.vkey + "\n")
    return folder


def outcomes(text):
    """What the verdict is made of: step, outcome and subject; wording apart, because paths differ."""
    return [(c["step"], c["ok"], c["subject"], c["detail"]) for c in json.loads(text)]


def both(bare, capsys, *arguments):
    """Run the archive and the command; return the archive's result after comparing verdict, words and exit code."""
    done = bare(*arguments, "--json")
    capsys.readouterr()
    code = command(["verify", *map(str, arguments), "--json"])
    assert done.stderr == ""
    assert outcomes(done.stdout) == outcomes(capsys.readouterr().out)
    assert done.returncode == code
    return done


def test_the_same_sources_give_the_same_bytes(archive, tmp_path):
    said = build(tmp_path / "again.pyz")
    assert (tmp_path / "again.pyz").read_bytes() == archive.read_bytes()
    assert len(said.split()[0]) == 64
    assert os.access(archive, os.X_OK)


def test_a_packet_verifies_alike(bare, capsys, packet):
    made, trust = packet
    for path in (made.folder, made.zip):
        done = both(bare, capsys, path, "--trust", trust)
        assert done.returncode == 0
    said = bare(made.zip, "--trust", trust).stdout
    assert said.splitlines()[-1].startswith("verified: ")
    assert "not checked" in said


def test_a_flipped_byte_of_a_packet_is_found_alike(bare, capsys, packet, tmp_path):
    made, trust = packet
    bag = shutil.copytree(made.folder, tmp_path / made.packet_id)
    target = bag / "data" / "findings.json"
    body = bytearray(target.read_bytes())
    body[len(body) // 2] ^= 4
    target.write_bytes(body)
    done = both(bare, capsys, bag, "--trust", trust)
    assert done.returncode == 10
    said = bare(bag, "--trust", trust).stdout
    assert said.splitlines()[-1].startswith("NOT VERIFIED: ")
    assert "data/findings.json" in said


def test_a_store_verifies_alike(bare, capsys, store):
    folder = store / "store"
    arguments = (folder, "--trust", store / "log.vkey", "--checkpoint", store / "kept")
    assert both(bare, capsys, *arguments).returncode == 0
    assert "log continues the kept checkpoint of size 301" in bare(*arguments, "--explain").stdout


def test_a_flipped_byte_of_a_store_is_found_alike(bare, capsys, store, tmp_path):
    folder = shutil.copytree(store / "store", tmp_path / "store")
    target = next(folder.rglob("part-0000.parquet"))
    target.chmod(0o600)
    target.write_bytes(b"X" + target.read_bytes()[1:])
    done = both(bare, capsys, folder, "--trust", store / "log.vkey")
    assert done.returncode == 10
    assert target.relative_to(folder).as_posix() in done.stdout


def test_wrong_words_and_unreadable_trust_are_said_without_a_traceback(bare, packet, tmp_path):
    made, trust = packet
    cases = [
        ((made.zip,), 2, "nothing to trust"),
        ((made.zip, "--trust", tmp_path / "none"), 2, "is not a file"),
        ((made.zip, "--trust", made.zip), 2, "has over 1048576 bytes"),
        ((made.zip, "--trust", trust, "--checkpoint", tmp_path), 2, "is not a file"),
        ((made.zip, "--tru", trust), 2, "unrecognized arguments"),
        ((tmp_path / "none", "--trust", trust), 10, ""),
    ]
    for arguments, code, words in cases:
        done = bare(*arguments)
        assert done.returncode == code, (arguments, done.stderr)
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_without_its_two_packages_it_says_what_to_install(archive):
    done = subprocess.run(
        [sys.executable, "-I", "-S", archive, "x"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 3
    assert "asn1crypto" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_builder_refuses_a_module_that_needs_more(tmp_path):
    tree = tmp_path / "tree"
    for name in ("evidence", "scripts"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "LICENSE", tree)
    target = tree / "evidence" / "bag" / "files.py"
    target.write_text(target.read_text().replace("import hashlib", "import hashlib\nimport pyarrow", 1))
    done = subprocess.run(
        [sys.executable, "-I", tree / "scripts" / "verifier.py", tmp_path / "x.pyz"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "evidence/bag/files.py imports pyarrow" in done.stderr

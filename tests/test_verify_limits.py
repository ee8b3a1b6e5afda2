"""Hostile packets and stores in a process of limited memory and time: the declared failure, its exit code, and no flood.

Each case runs ``python -m evidence.verifier`` under RLIMIT_AS and RLIMIT_CPU. A case may not end in a traceback, in a signal or
in another exit code than 10; its peak resident memory is bounded far below what it claims to need.
"""

import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import pytest
from fakes.memory_store import MemoryAnchor
from fakes.packet_inputs import blank_packet, build_inputs, packet_key
from fakes.sealed_store import KEY, plain, seal_snapshots

from evidence.signing.certificate import certificate_pem
from evidence.store.local import LocalStore
from evidence.store.log import Log

ROOT = Path(__file__).parent.parent
MIB = 1 << 20
ADDRESS_SPACE = 2048 * MIB
SMALL, LARGE = 200 * MIB, 1100 * MIB  # peak resident bytes: of anything, and of the largest JSON or PDF that is read
SECONDS = 60
HUGE = 1 << 40  # bytes of a sparse file


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A genuine packet and a genuine store, and the folder of trust for both."""
    folder = tmp_path_factory.mktemp("limits")
    key, root = packet_key()
    inputs = build_inputs(folder / "parts", count=1)
    packet = blank_packet(inputs, key, folder / "out")
    log = Log.init(LocalStore(folder / "store"), KEY, anchors=[MemoryAnchor()])
    log.append(plain(*(f"k{n}" for n in range(256))))
    seal_snapshots(log, range(2))
    trust = folder / "trust"
    trust.mkdir()
    (trust / "packet-root.pem").write_bytes(certificate_pem(root))
    (trust / "log.vkey").write_text(inputs.log_key.to_text() + "\n")
    (trust / "store.vkey").write_text(KEY.vkey + "\n")
    return packet, folder / "store", trust


@pytest.fixture
def bag(made, tmp_path):
    return shutil.copytree(made[0].folder, tmp_path / made[0].packet_id)


@pytest.fixture
def store(made, tmp_path):
    root = shutil.copytree(made[1], tmp_path / "store")
    for path in root.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return root


def mostly_slow(cases, often):
    """The first ``often`` cases by default, the others as slow tests."""
    return [pytest.param(c, marks=[] if n < often else [pytest.mark.slow], id=str(n)) for n, c in enumerate(cases)]


def some(names, bodies):
    """Every name and every body once by default, every pair of them as slow tests."""
    for first, name in enumerate(names):
        for second, body in enumerate(bodies):
            often = second % len(names) == first
            yield pytest.param(name, body, id=f"{name}-{second}", marks=[] if often else [pytest.mark.slow])


LIMITED = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({ADDRESS_SPACE}, {ADDRESS_SPACE}))
resource.setrlimit(resource.RLIMIT_CPU, ({SECONDS}, {SECONDS}))
resource.setrlimit(resource.RLIMIT_FSIZE, ({4 * MIB}, {4 * MIB}))
from evidence.verifier import main
code = main(sys.argv[1:])
with open("/proc/self/status") as status:  # ru_maxrss would begin with what this test's own process had when it forked
    peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
sys.stderr.write(f"\\npeak {{peak}}")
sys.exit(code)
"""  # it writes nothing anywhere but what it says


def refused(made, path, *words, most=SMALL, options=()):
    """Verify ``path`` in limits; it must fail as declared, saying each of ``words``. Returns what it printed."""
    arguments = [sys.executable, "-c", LIMITED, str(path), "--trust", str(made[2]), "--explain", *options]
    out = path.parent / "said"
    with out.open("wb") as said:
        child = subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=said,
            env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        text = child.stdout.read().decode()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        child.stdout.close()
    wrong = out.read_text()
    assert "Traceback" not in wrong, wrong[-2000:]
    assert child.returncode == 10, (child.returncode, wrong, text[-2000:])
    assert "NOT VERIFIED" in text
    for word in words:
        assert word in text, text[-3000:]
    peak = int(wrong.rpartition("\npeak ")[2]) << 10
    assert peak < most, f"{peak >> 20} MiB"
    assert used.ru_utime + used.ru_stime < SECONDS
    return text


def sparse(path, size=HUGE):
    with path.open("wb") as out:
        out.truncate(size)


def zipped(path, members, *, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression=compression) as archive:
        for name, body in members:
            archive.writestr(name, body)
    return path


@pytest.mark.parametrize(
    "name", ["../evil", "P/../../evil", "/etc/evil", "P/a/../evil", "C:\\evil", "P\\evil", "P//evil"]
)
def test_zip_slip(made, tmp_path, name):
    path = zipped(tmp_path / "x.zip", [("P/bagit.txt", b"x"), (zipfile.ZipInfo(name), b"evil")])
    refused(made, path, "open")
    assert not list(tmp_path.rglob("evil"))


def test_zip_bombs(made, tmp_path):
    body = bytes(64 * MIB)
    path = zipped(tmp_path / "x.zip", [("P/bagit.txt", body)], compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < MIB
    refused(made, path, "compressed")
    inner = path.read_bytes()
    refused(made, zipped(tmp_path / "y.zip", [(f"P/{n}.zip", inner) for n in range(16)]), "closed set")


def test_a_zip_whose_members_claim_more_than_it_holds(made, tmp_path):
    path = zipped(tmp_path / "x.zip", [("P/bagit.txt", b"x" * 100)])
    body = path.read_bytes().replace((100).to_bytes(4, "little"), (0xFFFFFFF0).to_bytes(4, "little"))
    path.write_bytes(body)
    refused(made, path, "cannot hold")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_stand_twice_or_are_links_or_devices(made, tmp_path):
    refused(made, zipped(tmp_path / "x.zip", [("P/bagit.txt", b"1"), ("P/bagit.txt", b"2")]), "twice")
    for kind in (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFBLK, stat.S_IFDIR):
        info = zipfile.ZipInfo("P/data/x")
        info.create_system, info.external_attr = 3, (kind | 0o777) << 16
        path = zipped(tmp_path / "y.zip", [("P/bagit.txt", b"1"), (info, b"/etc/passwd")])
        refused(made, path, "not a plain file")


def test_a_folder_with_links_pipes_and_a_loop(made, bag):
    (bag / "data/link").symlink_to("/dev/zero")
    refused(made, bag, "open")
    (bag / "data/link").unlink()
    os.mkfifo(bag / "data/findings.json.pipe")
    refused(made, bag, "open")
    (bag / "data/findings.json.pipe").unlink()
    (bag / "data/loop").symlink_to(bag)
    refused(made, bag, "open")


@pytest.mark.slow
def test_a_directory_of_too_many_names(made, tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("P/bagit.txt", b"")
        first = archive.filelist[0]
        for number in range(200_001):
            info = zipfile.ZipInfo(f"P/{number}")
            info.header_offset, info.CRC = first.header_offset, 0
            archive.filelist.append(info)
        archive._didModify = True
    refused(made, path, "open", most=400 * MIB)


DEEP = b"[" * 100_000 + b"]" * 100_000
NUMBER = b"9" * 2_000_000


JSON_NAMES = ("data/findings.json", "data/render.json", "entry.json", "manifest.json", "object.json")
JSON_BODIES = (DEEP, NUMBER, b'{"a":1e999999999}', b"{" * 100_000, b'"' + b"\\u0000" * 300_000 + b'"', b'{"a":' * 50_000, b"",
               b"\xff" * 100)  # fmt: skip


@pytest.mark.parametrize(("name", "body"), list(some(JSON_NAMES, JSON_BODIES)))
def test_json(made, bag, name, body):
    target = bag / name if (bag / name).exists() else next(bag.rglob(name))
    target.write_bytes(body)
    refused(made, bag, "digests", target.relative_to(bag).as_posix())


@pytest.mark.slow
def test_the_largest_json_that_is_read(made, bag):
    """Of 128 MiB, and of 8 million values: the bounds of ``canonical``, each just kept, then just passed."""
    target = bag / "data/findings.json"
    for body in (
        b'["' + b"x" * (126 * MIB) + b'"]',
        b"[" + b"{}," * 3_900_000 + b"{}]",
        b"[" + b"[]," * 5_000_000 + b"[]]",
    ):
        target.write_bytes(body)
        refused(made, bag, "findings", most=LARGE)
    sparse(target, 129 * MIB)
    refused(made, bag, "over")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tagmanifest-sha256.txt.p7s", "tagmanifest-sha256.txt", "manifest-sha256.txt", "bagit.txt",
                                  "bag-info.txt", "data/log/checkpoint", "data/log/key", "data/log/consistency-from-previous",
                                  "data/evidence/referenced.txt", "data/packet.pdf", "entry.json", "tlog-proof"])  # fmt: skip
def test_a_sparse_file_in_the_place_of_a_small_one(made, bag, name):
    """Half a gibibyte each: hashing reads it in blocks, nothing holds it."""
    target = bag / name if (bag / name).exists() or "/" in name or not list(bag.rglob(name)) else next(bag.rglob(name))
    sparse(target, 512 * MIB)
    refused(made, bag, target.relative_to(bag).as_posix())


@pytest.mark.parametrize("body", mostly_slow([
    b"%PDF-1.7\n" + b"/ByteRange[0 9 9 9]" * 400_000,
    b"%PDF-1.7\n/ByteRange[0 " + b"9" * 3_000_000 + b" 1 1]",
    b"%PDF-1.7\n" + b"1 0 obj\n" * 500_000,
    b"%PDF-1.7\n<</Perms<</DocMDP " + b"7 " * 2_000_000 + b"0 R>>>>",
    b"%PDF-1.7\n/Contents<" + b"0" * 20_000_000 + b">",
    b"%PDF-1.7\n" + b"<<" * 3_000_000,
    b"%PDF-1.7\n" + b"/Perms<</DocMDP 7 0 R>>\n7 0 obj\n<<" * 100_000,
    b"%PDF-1.7\n" + b"\n" * 30_000_000 + b"%%EOF",
], 4))  # fmt: skip
def test_pdf(made, bag, body):
    (bag / "data/packet.pdf").write_bytes(body)
    refused(made, bag, "data/packet.pdf", most=SMALL + 3 * len(body))


@pytest.mark.slow
def test_the_largest_pdf_that_is_read(made, bag):
    genuine = (bag / "data/packet.pdf").read_bytes()
    with (bag / "data/packet.pdf").open("wb") as out:
        out.write(genuine)
        out.truncate(255 * MIB)
    refused(made, bag, "data/packet.pdf", most=LARGE)


@pytest.mark.parametrize("body", [b"PAR1" + b"\xff" * 64 + (0x7FFFFFFF).to_bytes(4, "little") + b"PAR1",
                                  b"PAR1" + zlib.compress(bytes(MIB)) + b"PAR1", b""], ids=range(3))  # fmt: skip
def test_parquet_is_hashed_and_never_read(made, bag, body):
    target = next(bag.rglob("part-*.parquet"))
    target.write_bytes(body)
    refused(made, bag, target.relative_to(bag).as_posix(), "exhibits")


@pytest.mark.parametrize(
    "line", ["index " + "9" * 4000, "index -1", "index 99999999999999999999", "index 1e9", "index ٣"]
)
def test_numbers_in_proofs_and_checkpoints(made, bag, line):
    target = next(bag.rglob("tlog-proof"))
    text = target.read_text()
    target.write_text(text.replace(text.split("\n")[1], line))
    refused(made, bag, target.relative_to(bag).as_posix())
    checkpoint = bag / "data/log/checkpoint"
    origin, _, *rest = checkpoint.read_text().split("\n")
    checkpoint.write_text("\n".join([origin, line.removeprefix("index "), *rest]))
    refused(made, bag, "data/log/checkpoint")


@pytest.mark.parametrize("name", mostly_slow(["store.json", "log/commit/000000000257", "log/tsr/000000000257", "part-0000.parquet",
                                  "log/commit/000000000000", "log/checkpoint", "log/entries/000", "log/tile/0/000", "_manifest.json"], 4))  # fmt: skip
def test_a_terabyte_in_a_store(made, store, name):
    """Told from the size alone: a terabyte of zeros is not even hashed."""
    target = store / name if "/" in name or name == "store.json" else next(store.rglob(name))
    target.parent.mkdir(exist_ok=True)
    sparse(target)
    refused(made, store, target.relative_to(store).as_posix())


@pytest.mark.parametrize(("name", "body"), list(some(
    ("store.json", "log/commit/000000000000", "log/tsr/000000000257", "log/checkpoint"),
    (DEEP, NUMBER, b"{" * 100_000, b'{"before":' + NUMBER + b"}"),
)))  # fmt: skip
def test_json_of_a_store(made, store, name, body):
    (store / name).parent.mkdir(exist_ok=True)
    (store / name).write_bytes(body)
    refused(made, store, name)


@pytest.mark.slow
def test_a_store_of_pipes_links_and_too_many_strays(made, store):
    shutil.rmtree(store / "data")
    (store / "data").symlink_to("/proc")
    os.mkfifo(store / "log/commit/000000000300")
    refused(made, store, "objects")
    folder = store / "probe"
    folder.mkdir()
    for number in range(12_000):
        (folder / f"x{number}").touch()
    text = refused(made, store, "over 10000 orphans", options=["--jobs", "2"])
    assert len(text) < 4 * MIB


def test_stamps_of_every_size_are_not_looked_up_one_by_one(made, store):
    """A stamp for each size that was never signed: the records are read once, not once for each of them."""
    (store / "log/tsr").mkdir()
    for size in range(1, 3_000):
        (store / f"log/tsr/{size:012d}").write_bytes(b"x")
    refused(made, store, "log/tsr/000000000001", "log/tsr/000000002999")


def test_an_exhibit_alone(made, bag):
    folder = next(bag.rglob("entry.json")).parent
    for name, body in (("tlog-proof", NUMBER), ("entry.json", DEEP), ("manifest.json", DEEP)):
        target = folder / name
        if target.exists():
            genuine = target.read_bytes()
            target.write_bytes(body)
            refused(made, folder, "exhibit")
            target.write_bytes(genuine)
    sparse(folder / "part-9999.parquet")
    refused(made, folder, "part-9999.parquet")


def test_the_genuine_ones_verify_in_these_limits(made):
    for path in (made[0].folder, made[0].zip, made[1]):
        with pytest.raises(AssertionError, match=r"^\(0, "):
            refused(made, path)
    assert json.loads((made[0].folder / "data/findings.json").read_bytes())

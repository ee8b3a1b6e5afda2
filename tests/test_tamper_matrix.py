"""The tamper matrix: generated attacks on a small store and a small packet. Each is found, and file and step are named.

A case is (kind, seed). The seed draws file and place, so a failure is repeated by its name. What no check can see is
written down as such: a derived tile that is absent, an orphan, the cached checkpoint.
"""

import os
import random
import shutil
import zipfile
from itertools import pairwise
from pathlib import Path

import pytest
from fakes.memory_store import MemoryAnchor
from fakes.packet_inputs import AT, SIGNED_AT, TEMPLATES, build_inputs, packet_key
from fakes.sealed_store import KEY, plain, seal_snapshots

from evidence.bag.bag import manifest_bytes
from evidence.bag.files import FolderFiles
from evidence.bag.zip import write_zip
from evidence.packet import build_packet
from evidence.signing.cades import sign_detached
from evidence.signing.certificate import certificate_pem
from evidence.signing.keys import NoteKey
from evidence.snapshot import canonical
from evidence.store.local import LocalStore
from evidence.store.log import Log
from evidence.verify import verify_packet, verify_store

CACHE = "log/checkpoint"
DERIVED = ("log/tile/", "log/entries/")
FAST, DEEP = range(6), range(6, 56)  # seeds per kind


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of 300 small entries and 4 snapshots; ``older`` is a copy of an earlier state, ``kept`` its last checkpoint."""
    folder = tmp_path_factory.mktemp("matrix")
    log = Log.init(LocalStore(folder / "store"), KEY, anchors=[MemoryAnchor()])
    for start in range(0, 300, 100):
        log.append(plain(*(f"k{n}" for n in range(start, start + 100))))
    seal_snapshots(log, range(2))
    shutil.copytree(folder / "store", folder / "older")
    seal_snapshots(log, range(2, 4))
    (folder / "kept").write_text(log.checkpoint)
    for path in (folder / "store").rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)  # the attacker owns the disk
    return folder


@pytest.fixture(scope="module")
def packet(tmp_path_factory):
    key, root = packet_key()
    inputs = build_inputs(tmp_path_factory.mktemp("parts"), count=1)
    made = build_packet(inputs, key, tmp_path_factory.mktemp("out"), TEMPLATES, signed_at=SIGNED_AT)
    return made, inputs, root


class Bytes:
    """Files of a folder as a mapping that writes back only what changed, so that thousands of cases share one copy."""

    def __init__(self, root, source):
        self.root, self.source = root, source
        self.names = sorted(p.relative_to(source).as_posix() for p in source.rglob("*") if p.is_file())
        self.touched = set()

    def read(self, name):
        return (self.root / name).read_bytes()

    def write(self, name, body):
        self.touched.add(name)
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_bytes(body)

    def remove(self, name):
        self.touched.add(name)
        (self.root / name).unlink()

    def restore(self):
        for name in self.touched:
            if (self.source / name).is_file():
                shutil.copy(self.source / name, self.root / name)
            else:
                (self.root / name).unlink(missing_ok=True)
        self.touched.clear()


@pytest.fixture(scope="module")
def store_copy(store, tmp_path_factory):
    root = tmp_path_factory.mktemp("copy") / "store"
    shutil.copytree(store / "store", root)
    return Bytes(root, store / "store")


@pytest.fixture(scope="module")
def bag_copy(packet, tmp_path_factory):
    root = tmp_path_factory.mktemp("copy") / packet[0].packet_id
    shutil.copytree(packet[0].folder, root)
    return Bytes(root, packet[0].folder)


def flip(files, name, chance):
    body = bytearray(files.read(name))
    body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
    files.write(name, bytes(body))
    return {name}


def truncate(files, name, chance):
    body = files.read(name)
    files.write(name, body[: chance.randrange(len(body))])
    return {name}


def extend(files, name, chance):
    files.write(name, files.read(name) + chance.choice([b"\n", b"\0", b" ", b"x" * chance.randrange(1, 9999)]))
    return {name}


def prepend(files, name, chance):
    files.write(name, chance.choice([b"\n", b"\xef\xbb\xbf", b"PK", b"x"]) + files.read(name))
    return {name}


def empty(files, name, chance):
    files.write(name, b"")
    return {name}


def overwrite(files, name, chance):
    body = files.read(name)
    files.write(name, chance.randbytes(len(body)))
    return {name}


def swap(files, name, chance):
    other = chance.choice([n for n in files.names if files.read(n) != files.read(name) and visible(n)])
    mine, theirs = files.read(name), files.read(other)
    files.write(name, theirs)
    files.write(other, mine)
    return {name, other}


def replace(files, name, chance):
    other = chance.choice([n for n in files.names if files.read(n) != files.read(name)])
    files.write(name, files.read(other))
    return {name}


def delete(files, name, chance):
    files.remove(name)
    return {name}


def rename(files, name, chance):
    body = files.read(name)
    files.remove(name)
    files.write(name + "x", body)
    return {name, name + "x"}


def duplicate(files, name, chance):
    """In a bag; in a store a file that nothing names is an orphan, listed and not an error."""
    other = f"{name.rpartition('.')[0] or name}-copy{chance.randrange(99)}.txt"
    files.write(other, files.read(name))
    return {other}


def visible(name):
    return name != CACHE


KINDS = (flip, truncate, extend, prepend, empty, overwrite, swap, replace, delete, rename)


def cases(seeds, *more):
    return [pytest.param(kind, seed, id=f"{kind.__name__}-{seed}") for kind in (*KINDS, *more) for seed in seeds]


def failed(found):
    return " ".join(f"{c.step}: {c.subject} {c.detail}" for c in found.failed)


def attack_store(files, kind, seed):
    chance = random.Random(f"store {kind.__name__} {seed}")
    wanted = [n for n in files.names if visible(n) and not (kind in {delete, rename} and n.startswith(DERIVED))]
    name = wanted[seed] if seed < len(wanted) and seed % 2 else chance.choice(wanted)
    try:
        changed = kind(files, name, chance)
        found = verify_store(files.root, [KEY.vkey], checkpoint=None)
        assert not found.ok, name
        steps = {c.step for c in found.failed}
        assert steps <= {"trust", "log", "tiles", "objects", "store"}
        if name.startswith("log/commit/") and kind in {delete, rename}:
            assert "log/commit/" in failed(found)  # the gap is named by what comes after it
        else:
            assert any(n in failed(found) for n in changed), (name, failed(found))
    finally:
        files.restore()


def attack_packet(files, packet, kind, seed):
    chance = random.Random(f"packet {kind.__name__} {seed}")
    name = files.names[seed] if seed < len(files.names) and seed % 2 else chance.choice(files.names)
    try:
        changed = kind(files, name, chance)
        found = check(packet, files.root)
        assert not found.ok, name
        assert any(n in failed(found) for n in changed), (name, failed(found))
        assert all(c.step for c in found.failed)
    finally:
        files.restore()


def check(packet, path, **changes):
    _, inputs, root = packet
    trust = {"certificates": [certificate_pem(root)], "vkeys": [inputs.log_key.to_text()], "at": AT, **changes}
    return verify_packet(path, **trust)


@pytest.mark.parametrize(("kind", "seed"), cases(FAST))
def test_store(store_copy, kind, seed):
    attack_store(store_copy, kind, seed)


@pytest.mark.parametrize(("kind", "seed"), cases(FAST, duplicate))
def test_packet(bag_copy, packet, kind, seed):
    attack_packet(bag_copy, packet, kind, seed)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("kind", "seed"), cases(DEEP))
def test_store_deep(store_copy, kind, seed):
    attack_store(store_copy, kind, seed)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("kind", "seed"), cases(DEEP, duplicate))
def test_packet_deep(bag_copy, packet, kind, seed):
    attack_packet(bag_copy, packet, kind, seed)


def test_an_older_state_is_found_with_a_kept_checkpoint_and_only_with_one(store):
    """Rollback: every byte is genuine, so without a memory outside nothing can tell; the report says so."""
    blind = verify_store(store / "older", [KEY.vkey])
    assert blind.ok
    assert any(c.step == "checkpoint" and c.ok is None and "back in time" in c.detail for c in blind.checks)
    seen = verify_store(store / "older", [KEY.vkey], checkpoint=(store / "kept").read_text())
    assert [c.step for c in seen.failed] == ["checkpoint"]


def test_the_last_record_removed_is_found_with_a_kept_checkpoint(store_copy, store):
    last = max(n for n in store_copy.names if n.startswith("log/commit/"))
    try:
        store_copy.remove(last)
        seen = verify_store(store_copy.root, [KEY.vkey], checkpoint=(store / "kept").read_text())
        assert "checkpoint" in {c.step for c in seen.failed}
    finally:
        store_copy.restore()


def test_two_records_in_each_other_s_place_and_a_copied_one(store_copy):
    records = [n for n in store_copy.names if n.startswith("log/commit/")]
    for first, second in pairwise(records):
        try:
            one, two = store_copy.read(first), store_copy.read(second)
            store_copy.write(first, two)
            store_copy.write(second, one)
            assert first in failed(verify_store(store_copy.root, [KEY.vkey]))
            store_copy.restore()
            store_copy.write("log/commit/000000009999", one)
            assert "log/commit/000000009999" in failed(verify_store(store_copy.root, [KEY.vkey]))
        finally:
            store_copy.restore()


def test_a_store_signed_by_another_key_of_the_same_name(tmp_path, store):
    log = Log.init(LocalStore(tmp_path / "forged"), NoteKey(KEY.name, b"\x09" * 32), anchors=[MemoryAnchor()])
    seal_snapshots(log, range(3))
    found = verify_store(tmp_path / "forged", [KEY.vkey], checkpoint=(store / "kept").read_text())
    assert {"trust", "log"} <= {c.step for c in found.failed}


def reseal(files, key):
    digests = {n: canonical.sha256_hex(p.read_bytes()) for n, p in payload(files.root)}
    tags = {}
    files.write("manifest-sha256.txt", manifest_bytes(digests))
    for name in ("bagit.txt", "bag-info.txt", "manifest-sha256.txt"):
        tags[name] = canonical.sha256_hex(files.read(name))
    files.write("tagmanifest-sha256.txt", manifest_bytes(tags))
    files.write("tagmanifest-sha256.txt.p7s", sign_detached(manifest_bytes(tags), key, SIGNED_AT))


def payload(root):
    return [(p.relative_to(root).as_posix(), p) for p in sorted((root / "data").rglob("*")) if p.is_file()]


@pytest.mark.parametrize("seed", range(20))
def test_resealed_with_a_stranger_s_key(bag_copy, packet, seed):
    """Edit, hash again, sign again: the seal is not by the trusted root."""
    chance = random.Random(seed)
    try:
        flip(bag_copy, chance.choice([n for n in bag_copy.names if n.startswith("data/")]), chance)
        reseal(bag_copy, packet_key()[0])
        found = check(packet, bag_copy.root)
        assert ("seal", "tagmanifest-sha256.txt.p7s") in {(c.step, c.subject) for c in found.failed}
    finally:
        bag_copy.restore()


@pytest.mark.parametrize("name", ["tlog-proof", "entry.json", "manifest.json"])
def test_proofs_of_other_exhibits(bag_copy, packet, name):
    """Each exhibit's proof, entry or manifest replaced by another's, manifests hashed again by whoever could."""
    found = [n for n in bag_copy.names if n.endswith("/" + name)]
    for mine, other in pairwise(found):
        try:
            bag_copy.write(mine, bag_copy.read(other))
            checked = check(packet, bag_copy.root)
            assert "exhibits" in {c.step for c in checked.failed}, mine
            assert mine in failed(checked)
        finally:
            bag_copy.restore()


def untouched(packet, folder, seed):
    """Yield paths of the same packet in other forms: copied, with other times and modes, zipped and unzipped."""
    made = packet[0]
    copy = shutil.copytree(made.folder, folder / str(seed) / made.packet_id, copy_function=shutil.copyfile)
    chance = random.Random(seed)
    for path in sorted(copy.rglob("*")):
        moment = chance.randrange(2_000_000_000)
        os.utime(path, (moment, moment))
        if path.is_file():
            path.chmod(chance.choice([0o400, 0o444, 0o600, 0o755]))
    yield copy
    again = folder / str(seed) / "renamed-by-a-mail-program.zip"
    with again.open("wb+") as out:
        write_zip(FolderFiles(copy), out, made.packet_id)
    assert again.read_bytes() == made.zip.read_bytes()
    yield again
    with zipfile.ZipFile(again) as archive:
        archive.extractall(folder / str(seed) / "unzipped")
    yield folder / str(seed) / "unzipped" / made.packet_id


def no_false_alarms(packet, store, folder, seeds):
    count = 0
    for seed in seeds:
        for path in untouched(packet, folder, seed):
            found = check(packet, path)
            assert found.ok, failed(found)
            count += 1
        copy = shutil.copytree(store / "store", folder / f"store{seed}", copy_function=shutil.copyfile)
        assert verify_store(Path(copy), [KEY.vkey], checkpoint=(store / "kept").read_text()).ok
        count += 1
        for used in (folder / f"store{seed}", folder / str(seed)):
            shutil.rmtree(used)
    return count


def test_untouched_copies_raise_no_alarm(packet, store, tmp_path):
    assert no_false_alarms(packet, store, tmp_path, range(2)) == 8


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_thousand_untouched_copies_raise_no_alarm(packet, store, tmp_path):
    assert no_false_alarms(packet, store, tmp_path, range(250)) == 1000

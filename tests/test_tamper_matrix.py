"""The tamper matrix: generated attacks on a small store and a small packet. Each is found, and file and step are named.

A case is (kind, seed). The seed draws file and place, so a failure is repeated by its name. What no check can see is
written down as such: a derived tile that is absent, an orphan, the cached checkpoint.
"""

import datetime as dt
import json
import os
import random
import shutil
import zipfile
from dataclasses import replace as replace_info
from itertools import pairwise

import pytest
from fakes.memory_store import MemoryAnchor, MemoryStore
from fakes.packet_inputs import AT, SIGNED_AT, blank_packet, build_inputs, packet_key
from fakes.sealed_store import KEY, plain, put_snapshot, seal_snapshots

from evidence.bag.bag import SIGNATURE as SEAL
from evidence.bag.bag import TIMESTAMP as TSR
from evidence.bag.bag import manifest_bytes
from evidence.bag.files import FolderFiles
from evidence.bag.zip import write_zip
from evidence.signing.cades import sign_detached
from evidence.signing.certificate import certificate_pem
from evidence.signing.keys import NoteKey
from evidence.signing.timestamp import attach_token, response_der, stamped_part
from evidence.signing.tsa import Authorities
from evidence.snapshot import canonical
from evidence.store.local import LocalStore
from evidence.store.log import Log
from evidence.store.stamps import stamp_path
from evidence.tlog.record import Record
from evidence.verify import verify_packet, verify_store
from tests.servers.tsa import Authority, serve

CACHE = "log/checkpoint"
DERIVED = ("log/tile/", "log/entries/")
STAMPED_AT = SIGNED_AT
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
    made = blank_packet(inputs, key, tmp_path_factory.mktemp("out"))
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


def recoded(body, chance):
    """The same JSON in another spelling: keys in another order, white space, or an escape."""
    value = json.loads(body)
    return chance.choice([
        json.dumps(value, indent=1).encode(),
        json.dumps(value, separators=(",", ":"), sort_keys=True).encode() + b"\n",
        json.dumps(dict(reversed(value.items())), separators=(",", ":")).encode(),
    ])  # fmt: skip


def changed_field(body, chance):
    """One value of the JSON changed to another that a reader would believe; spelled as the writer spells."""
    value = json.loads(body)
    place = value[0] if isinstance(value, list) else value
    name = chance.choice(sorted(place))
    old = place[name]
    place[name] = (
        old + 1 if isinstance(old, int) else old + "x" if isinstance(old, str)
        else [*old, "more"] if isinstance(old, list) else {**(old or {}), "more": 1}
    )  # fmt: skip
    return canonical.encode(value)


@pytest.mark.parametrize("change", [recoded, changed_field])
@pytest.mark.parametrize("seed", range(30))
def test_metadata_of_a_store(store_copy, change, seed):
    """Manifests, records and store.json say another thing, or the same thing otherwise."""
    chance = random.Random(f"metadata {change.__name__} {seed}")
    names = [n for n in store_copy.names if n.endswith(".json") or n.startswith("log/commit/")]
    name = chance.choice(names)
    try:
        store_copy.write(name, change(store_copy.read(name), chance))
        found = verify_store(store_copy.root, [KEY.vkey])
        assert name in failed(found), (name, failed(found))
    finally:
        store_copy.restore()


@pytest.mark.parametrize("seed", range(30))
def test_metadata_of_a_packet_hashed_again(bag_copy, packet, seed):
    """Whoever may hash again but not seal changes bag-info, a manifest, an entry, the findings or the render's facts."""
    chance = random.Random(f"metadata {seed}")
    names = [n for n in bag_copy.names if n.endswith(".json") or n in {"bag-info.txt", "bagit.txt", "data/log/key"}]
    name = chance.choice(names)
    try:
        body = bag_copy.read(name)
        bag_copy.write(name, changed_field(body, chance) if name.endswith(".json") else flipped(body, chance))
        reseal(bag_copy, packet_key()[0])
        found = check(packet, bag_copy.root)
        steps = {c.step for c in found.failed}
        assert "seal" in steps
        if "/evidence/" in name:
            assert {"exhibits"} <= steps
    finally:
        bag_copy.restore()


def flipped(body, chance):
    at = chance.randrange(len(body))
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


@pytest.fixture(scope="module")
def authorities():
    return [Authority(lambda: STAMPED_AT), Authority(lambda: STAMPED_AT, name="Foreign")]


def token_by(authority, content):
    with serve(authority.respond) as url:
        return Authorities([url], [authority.root], authority.clock).stamp(content)


@pytest.fixture(scope="module")
def stamped(store, authorities, tmp_path_factory):
    """A copy of the store with time-stamps over its last three records' checkpoints."""
    root = shutil.copytree(store / "store", tmp_path_factory.mktemp("stamped") / "store")
    signed = {}
    for path in sorted((root / "log/commit").iterdir())[-3:]:
        record = Record.from_bytes(path.read_bytes(), path.name)
        signed[record.size] = record.checkpoint.encode()
    (root / "log/tsr").mkdir()
    for size, text in signed.items():
        (root / stamp_path(size)).write_bytes(response_der(token_by(authorities[0], text)))
    return root, signed


def check_stamped(root, authority):
    return verify_store(root, [KEY.vkey], authorities=[authority.root_pem], at=STAMPED_AT + dt.timedelta(days=1))


def test_stamps_of_a_store_untouched(stamped, authorities):
    found = check_stamped(stamped[0], authorities[0])
    assert found.ok
    assert [c.ok for c in found.checks if c.step == "time"] == [True] * 3


@pytest.mark.parametrize(
    "case", ["other message", "other authority", "older", "of another size", "flipped", "cut", "to come"]
)
def test_a_store_stamped_again(stamped, authorities, case):
    root, signed = stamped
    sizes = sorted(signed)
    path = root / stamp_path(sizes[-1])
    genuine = path.read_bytes()
    late = Authority(lambda: STAMPED_AT + dt.timedelta(days=90), name="Late")
    body = {
        "other message": lambda: response_der(token_by(authorities[0], signed[sizes[-1]] + b"x")),
        "other authority": lambda: response_der(token_by(authorities[1], signed[sizes[-1]])),
        "older": (root / stamp_path(sizes[0])).read_bytes,
        "of another size": lambda: response_der(token_by(authorities[0], signed[sizes[1]])),
        "flipped": lambda: flipped(genuine, random.Random(1)),
        "cut": lambda: genuine[: len(genuine) // 2],
        "to come": lambda: response_der(token_by(late, signed[sizes[-1]])),
    }[case]()
    trusted = late if case == "to come" else authorities[0]
    try:
        path.write_bytes(body)
        found = check_stamped(root, trusted)
        assert ("time", stamp_path(sizes[-1])) in {(c.step, c.subject) for c in found.failed}
    finally:
        path.write_bytes(genuine)


def test_a_stamp_for_a_size_that_was_never_signed_and_one_that_is_gone(stamped, authorities):
    """A stamp that is gone proves no time and is no fault: one over a later checkpoint covers everything before it."""
    root, signed = stamped
    path = root / stamp_path(max(signed))
    genuine = path.read_bytes()
    try:
        for size in (5, 99_999):
            stray = root / stamp_path(size)
            stray.write_bytes(genuine)
            assert ("time", stamp_path(size)) in {
                (c.step, c.subject) for c in check_stamped(root, authorities[0]).failed
            }
            stray.unlink()
        path.unlink()
        found = check_stamped(root, authorities[0])
        assert found.ok
        assert stamp_path(max(signed)) not in {c.subject for c in found.checks if c.ok}
    finally:
        path.write_bytes(genuine)


@pytest.fixture(scope="module")
def stamped_packet(packet, authorities, tmp_path_factory):
    """The packet sealed and stamped by a trusted authority, with a key of its own for the seal alone."""
    bag = shutil.copytree(packet[0].folder, tmp_path_factory.mktemp("stamped") / packet[0].packet_id)
    seal = (bag / SEAL).read_bytes()
    seal = attach_token(seal, token_by(authorities[0], stamped_part(seal)))
    (bag / SEAL).write_bytes(seal)
    (bag / TSR).write_bytes(response_der(token_by(authorities[0], seal)))
    return bag


def times_of(packet, bag, authority):
    found = check(packet, bag, authorities=[authority.root_pem])
    return found, [c.ok for c in found.checks if c.step == "time"]


def test_stamps_of_a_packet_untouched(packet, stamped_packet, authorities):
    found, times = times_of(packet, stamped_packet, authorities[0])
    assert found.ok, failed(found)
    assert times == [True, True]


@pytest.mark.parametrize("case", ["other message", "other authority", "older", "flipped", "cut", "later"])
def test_a_packet_stamped_again(packet, stamped_packet, authorities, case):
    """The response beside the seal is replaced; each is named and the seal's moment is not taken from it."""
    path, seal = stamped_packet / TSR, (stamped_packet / SEAL).read_bytes()
    genuine = path.read_bytes()
    far = dt.timedelta(days=20)
    moved = Authority(lambda: STAMPED_AT + (far if case == "later" else -far), name="Moved")
    body = {
        "other message": lambda: response_der(token_by(authorities[0], b"something else")),
        "other authority": lambda: response_der(token_by(authorities[1], seal)),
        "older": lambda: response_der(token_by(moved, seal)),
        "later": lambda: response_der(token_by(moved, seal)),
        "flipped": lambda: flipped(genuine, random.Random(2)),
        "cut": lambda: genuine[:-40],
    }[case]()
    try:
        path.write_bytes(body)
        trusted = [authorities[0].root_pem, moved.root_pem] if case == "older" else [authorities[0].root_pem]
        found = check(packet, stamped_packet, authorities=trusted)
        assert "time" in {c.step for c in found.failed}, [c.detail for c in found.checks if c.step == "time"]
    finally:
        path.write_bytes(genuine)


def test_the_stamps_of_a_packet_taken_away_prove_no_time(packet, stamped_packet, authorities):
    """Nothing signed says that there was one: the time is then said to be not proven, never proved."""
    seal, tsr = (stamped_packet / SEAL).read_bytes(), (stamped_packet / TSR).read_bytes()
    try:
        (stamped_packet / TSR).unlink()
        (stamped_packet / SEAL).write_bytes((packet[0].folder / SEAL).read_bytes())
        found, times = times_of(packet, stamped_packet, authorities[0])
        assert times == [None]
        assert any("time not proven" in c.detail for c in found.checks)
    finally:
        (stamped_packet / SEAL).write_bytes(seal)
        (stamped_packet / TSR).write_bytes(tsr)


class Locking(MemoryStore):
    """Keeps objects until a date, as S3 does; the test is the administrator who may change that."""

    def __init__(self):
        super().__init__()
        self.mode = {}

    def head(self, path):
        info = super().head(path)
        return info and replace_info(info, retention_mode=self.mode.get(path, "COMPLIANCE"))

    def lengthen(self, path, until):
        raise NotImplementedError


@pytest.fixture
def locked():
    log = Log.init(Locking(), KEY, anchors=[MemoryAnchor()])
    until = dt.datetime(2033, 7, 1, tzinfo=dt.UTC)
    promise = {"mode": "COMPLIANCE", "until": canonical.format_time(until)}
    entries = [put_snapshot(log.store, number) for number in range(4)]
    log.append(lambda _: [replace_info(e, body={**e.body, "retention": promise}) for e in entries])
    for path in log.store.objects:
        log.store.retain[path] = until
    return log.store, [e.object.path for e in entries], until


@pytest.mark.parametrize("case", ["sooner", "a second", "gone", "weaker"])
@pytest.mark.parametrize("which", range(4))
def test_shortened_retention(locked, case, which):
    store, paths, until = locked
    assert verify_store(store, [KEY.vkey]).ok
    path = paths[which]
    if case == "weaker":
        store.mode[path] = "GOVERNANCE"
    else:
        store.retain[path] = {
            "sooner": until - dt.timedelta(days=900),
            "a second": until - dt.timedelta(seconds=1),
        }.get(case)
    assert {(c.step, c.subject) for c in verify_store(store, [KEY.vkey]).failed} == {("retention", path)}


def test_longer_retention_is_no_fault_and_a_copy_says_that_it_keeps_none(locked):
    store, paths, until = locked
    store.retain[paths[0]] = until + dt.timedelta(days=900)
    assert verify_store(store, [KEY.vkey]).ok
    found = verify_store(store.copy(), [KEY.vkey])
    assert found.ok
    assert [c.ok for c in found.checks if c.step == "retention"] == [None]


def forms(packet, folder, seed):
    """Yield one packet of the same evidence in another form each time: copied in another order, dated, named, moded, zipped, unzipped."""
    made, chance = packet[0], random.Random(seed)
    root = folder / f"{seed:04d}" / "/".join(chance.choices(["a b", "ä", "x-1", "deep"], k=chance.randrange(4)))
    root.mkdir(parents=True)
    copy = root / chance.choice([made.packet_id, "mail attachment", "P"])
    names = [p.relative_to(made.folder) for p in made.folder.rglob("*") if p.is_file()]
    chance.shuffle(names)
    for name in names:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made.folder / name, copy / name)
    for path in sorted(copy.rglob("*")):
        if path.is_file():
            path.chmod(chance.choice([0o400, 0o444, 0o600, 0o755]))
        moment = chance.randrange(2_000_000_000)
        os.utime(path, (moment, moment))
    yield copy
    again = root / chance.choice(["renamed.zip", "a packet", "Q3 (final).zip"])
    with again.open("wb+") as out:
        write_zip(FolderFiles(copy), out, made.packet_id)
    assert again.read_bytes() == made.zip.read_bytes()
    yield again
    members = [f"{made.packet_id}/{name.as_posix()}" for name in names]
    chance.shuffle(members)
    with zipfile.ZipFile(again) as archive:
        for member in members:
            archive.extract(member, root / "unzipped")
    yield root / "unzipped" / made.packet_id


def store_forms(store, folder, seed):
    """Return a copy of the store written in another order, with other times and modes, its derived files there or not."""
    chance, source = random.Random(seed), store / "store"
    copy = folder / f"store{seed:04d}" / chance.choice(["store", "restored from tape", "é"])
    names = [p.relative_to(source) for p in source.rglob("*") if p.is_file()]
    chance.shuffle(names)
    for name in names:
        if name.as_posix().startswith(DERIVED) and chance.randrange(4) == 0:
            continue  # not written yet: the next run makes it
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, copy / name)
        moment = chance.randrange(2_000_000_000)
        os.utime(copy / name, (moment, moment))
        (copy / name).chmod(chance.choice([0o400, 0o444, 0o600]))
    return copy


def no_false_alarms(packet, store, folder, seeds):
    """Verify four different copies for each seed, with any number of jobs; return how many."""
    count = 0
    kept = (store / "kept").read_text()
    for seed in seeds:
        for path in forms(packet, folder, seed):
            found = check(packet, path, jobs=1 + seed % 3)
            assert found.ok, (path, failed(found))
            count += 1
        copy = store_forms(store, folder, seed)
        found = verify_store(copy, [KEY.vkey], checkpoint=kept, jobs=1 + seed % 3, since=seed % 5 == 4)
        assert found.ok, (copy, failed(found))
        count += 1
        for used in (folder / f"store{seed:04d}", folder / f"{seed:04d}"):
            shutil.rmtree(used)
    return count


def test_untouched_copies_raise_no_alarm(packet, store, tmp_path):
    assert no_false_alarms(packet, store, tmp_path, range(2)) == 8


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("first", range(0, 250, 25))
def test_a_thousand_untouched_copies_raise_no_alarm(packet, store, tmp_path, first):
    """Ten of a hundred each, so that a run that is cut short says how far it came."""
    assert no_false_alarms(packet, store, tmp_path, range(first, first + 25)) == 100

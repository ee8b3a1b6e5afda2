"""Re-performance against an insider: whoever may write every file of a packet, hash it again and seal it, but has not the log's key.

The machine of the reader has the packet and the package: an empty home, no workspace and, where the system allows, no network.
"""

import dataclasses
import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import job
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evidence.assess import sealed_findings
from evidence.bag.bag import MANIFEST, SIGNATURE, TAGMANIFEST, manifest_bytes
from evidence.bag.zip import equals_reencoding
from evidence.cli.packet_command import identity_of
from evidence.cli.packet_rules import check_rules
from evidence.cli.period import parse_period
from evidence.cli.workspace import Workspace, now
from evidence.demo import Size
from evidence.errors import PacketRefusedError
from evidence.reperform import reperform
from evidence.signing.cades import sign_detached
from evidence.snapshot import canonical
from evidence.store.local import LocalStore

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parent.parent
FEW = Size(nights=1, users=60, roles=50, tables=160, columns=600, queries=120)
DORMANT, MFA, MASK = "identity-dormant", "identity-mfa-humans", "data-phi-mask-coverage"
PERIOD = "2026-07-01"
NUMBER = "OCR-308.a4iiB-2"  # its packet has three controls: a whole one takes a minute to lay out
ASKED = ("packet", "quarterly-hipaa", "--request", NUMBER, "--period")
USERS = f"data/evidence/carrier/snowflake.users/{PERIOD}/r0"


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    work = tmp_path_factory.mktemp("demo") / "work"
    job.workspace(work, FEW, only=(DORMANT, MFA, MASK))
    job.run("-w", work, "collect", "--jobs", "1")
    job.run("-w", work, "assess", "--date", PERIOD, "--jobs", "1")
    job.run("-w", work, "requests", "import", "--ocr")
    named = [word for name in (DORMANT, MFA, MASK) for word in ("--exhibit", f"control:{name}")]
    job.run(
        "-w", work, "requests", "answer", NUMBER, "--by", "Bo", "--answer", "see", *named, "--exhibit", "register:zones"
    )
    return work


def made(work, folder, *words, codes=(0,), setting=None):
    config = work / "evidence.toml"
    before = config.read_text()
    if setting:
        config.write_text(before.replace("exhibit_limit_mb = 1024", setting))
        assert config.read_text() != before
    try:
        job.run("-w", work, *ASKED, f"{PERIOD}..{PERIOD}", "--out", folder, *words, codes=codes)
    finally:
        config.write_text(before)
    return next(folder.glob("*.zip"), None)


@pytest.fixture(scope="module")
def packet(work, tmp_path_factory):
    return made(work, tmp_path_factory.mktemp("out"))


@pytest.fixture
def bag(packet, tmp_path):
    return shutil.copytree(packet.with_suffix(""), tmp_path / packet.stem)


def sealed_again(bag, work):
    """Hash every file again and sign with the packet's own key."""
    names = sorted(path.relative_to(bag).as_posix() for path in (bag / "data").rglob("*") if path.is_file())
    (bag / MANIFEST).write_bytes(manifest_bytes({n: canonical.sha256_hex((bag / n).read_bytes()) for n in names}))
    octets = sum((bag / name).stat().st_size for name in names)
    info = re.sub(r"Payload-Oxum: .*", f"Payload-Oxum: {octets}.{len(names)}", (bag / "bag-info.txt").read_text())
    (bag / "bag-info.txt").write_text(info)
    tags = ("bag-info.txt", "bagit.txt", MANIFEST)
    tag = manifest_bytes({name: canonical.sha256_hex((bag / name).read_bytes()) for name in tags})
    (bag / TAGMANIFEST).write_bytes(tag)
    (bag / SIGNATURE).write_bytes(sign_detached(tag, identity_of(Workspace.open(work)), now()))


def verified(work, path, *words, codes=(0,)):
    return job.run("verify", path, "--trust", work / "trust", "--reperform", *words, codes=codes).stdout


def test_on_a_machine_with_only_the_packet_and_the_package(work, packet, tmp_path):
    shutil.copy(packet, tmp_path / "p.zip")
    shutil.copytree(work / "trust", tmp_path / "trust")
    command = [sys.executable, "-c", "import sys; from evidence.cli import main; main(sys.argv[1:])"]
    command += ["verify", "p.zip", "--trust", "trust", "--reperform", "--explain"]
    alone = ["unshare", "-rn"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        alone = []
    (tmp_path / "home").mkdir()
    done = subprocess.run(
        [*alone, *command], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"HOME": str(tmp_path / "home"), "PATH": os.defpath, "PYTHONPATH": str(ROOT), "TZ": "Asia/Kathmandu", "LC_ALL": "C"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "findings.json comes out byte for byte" in " ".join(done.stdout.split())
    assert not list((tmp_path / "home").iterdir())


def test_workers_compute_the_same_and_find_the_same(bag, monkeypatch):
    monkeypatch.setattr("evidence.workers.WORTH", 0)
    here, there = reperform(bag), reperform(bag, jobs=2)
    assert here.ok
    assert there.checks == here.checks
    change_row(bag)
    here, there = reperform(bag), reperform(bag, jobs=2)
    assert not here.ok
    assert there.checks == here.checks


def change_row(bag):
    """Everybody was seen lately: in the part, and all that names the part hashed again, up to the log entry."""
    (part,) = (bag / USERS).glob("part-*.parquet")
    table = pq.read_table(part)
    place = table.schema.get_field_index("last_success_login")
    field, seen = table.schema.field(place), table.column(place).to_pylist()
    latest = max(each for each in seen if each is not None)
    table = table.set_column(place, field, pa.array([latest] * len(seen), field.type))
    pq.write_table(table, part)
    manifest = json.loads((bag / USERS / "manifest.json").read_bytes())
    (named,) = manifest["parts"]
    named |= {"sha256": canonical.sha256_hex(part.read_bytes()), "size": part.stat().st_size}
    body = canonical.encode(manifest)
    (bag / USERS / "manifest.json").write_bytes(body)
    entry = json.loads((bag / USERS / "entry.json").read_bytes())
    entry["object"] |= {"sha256": canonical.sha256_hex(body), "size": len(body)}
    (bag / USERS / "entry.json").write_bytes(canonical.encode(entry))


def change_text(name, pattern, text):
    def change(bag):
        path = bag / "data" / name
        body = path.read_text()
        again = re.sub(pattern, text, body, count=1)
        assert again != body, (name, body[:2000])
        path.write_text(again)

    change.__name__ = name
    return change


SQL = f"controls/{MFA}/control.sql"
TOML = f"controls/{DORMANT}/control.toml"
LOOSER = f'\n[controls.{MFA}]\nreason = "x"\nparameters = {{ grace_hours = 24 }}\n'
CHANGES = [
    (change_row, "exhibits", "comes out otherwise"),
    (change_text(SQL, r"(?i)\bselect\b", "SELECT /* */"), "", "was in force on no night"),
    (change_text(TOML, "max = 365", "max = 366"), "", "was in force on no night"),
    (change_text(TOML, "default = 90", "default = 91"), "", "was in force on no night"),
    (change_text("controls/overlay.toml", r"\A", "# none\n"), "", "not one that was in force"),
    (change_text("controls/registers/zones.toml", r'"', '"x'), "", "not one that was sealed"),
    (
        change_text("controls/effective.json", '"max_unknown_nights":0', '"max_unknown_nights":9'),
        "",
        "9 nights may be not",
    ),
    (change_text("findings.json", '"status":"not-satisfied"', '"status":"satisfied"'), "findings", "otherwise"),
    (change_text("findings.json", r'"passed":(\d)', r'"passed":1\1'), "findings", "otherwise"),
]


@pytest.mark.parametrize(
    ("change", "step", "said"), CHANGES, ids=[f"{n}-{c[0].__name__}" for n, c in enumerate(CHANGES)]
)
def test_what_an_insider_changes_and_seals_again_is_found(work, bag, change, step, said):
    change(bag)
    sealed_again(bag, work)
    found = json.loads(job.run("verify", bag, "--trust", work / "trust", "--json", codes=(0, 10)).stdout)
    failed = {check["step"] for check in found if check["ok"] is False}
    again = reperform(bag)
    details = " ".join(f"{check.subject} {check.detail}" for check in again.failed)
    assert "seal" not in failed, "the insider's seal is genuine"
    if step:
        assert step in failed
    assert again.ok is (step is None)
    assert said in (details if step is not None else " ".join(check.detail for check in again.checks))


@pytest.mark.parametrize(
    ("setting", "absent", "present"),
    [
        ('exhibits = "referenced"', "snowflake.users", ""),
        ("exhibit_limit_mb = 0", "snowflake.users", ""),
        ('restricted = ["snowflake.users"]\nexhibit_limit_mb = 1024', "snowflake.users", "snowflake.policy_references"),
    ],
)
def test_rows_that_stay_with_the_entity_are_read_from_its_store(work, tmp_path, setting, absent, present):
    zipped = made(work, tmp_path / "out", setting=setting)
    data = zipped.with_suffix("") / "data"
    assert not list((data / "evidence" / "carrier" / absent).rglob("*.parquet"))
    assert not present or list((data / "evidence" / "carrier" / present).rglob("*.parquet"))
    findings = json.loads((data / "findings.json").read_bytes())
    (dormant,) = (night for night in findings["nights"] if night["control"] == DORMANT)
    assert dormant["exceptions"][0]["observed"], "the failing items are there, with what was seen"
    assert re.fullmatch("[0-9a-f]{64}", dormant["fingerprint"])
    blind = verified(work, zipped)
    assert "add --store" in " ".join(blind.split())
    assert "byte for byte" not in verified(work, zipped, "--explain") or present
    store = work / "store"
    assert "findings.json comes out byte for byte" in " ".join(
        verified(work, zipped, "--explain", "--store", store).split()
    )
    other = LocalStore(shutil.copytree(store, tmp_path / "store"))
    parts = json.loads((data / "evidence" / "carrier" / absent / PERIOD / "r0" / "manifest.json").read_bytes())["parts"]
    path = other.root / parts[0]["path"]
    body = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(body[:-1] + b"!")
    said = verified(work, zipped, "--store", other.root, codes=(10,))
    assert "cannot be computed" in " ".join(said.split()), "the store is not trusted: digests in the packet decide"
    job.run("verify", zipped, "--trust", work / "trust", "--store", store, codes=(2,))


def test_fails_whole_and_says_what(work, tmp_path):
    """Missing, altered and provisional evidence, each by its name; with --partial it is made and says so."""
    copy = tmp_path / "work"
    shutil.copytree(work, copy)
    index = Workspace.open(copy).index
    sealed = next(s for s in index.snapshots() if s.key.dataset == "snowflake.users" and s.key.source == "carrier")
    manifest = json.loads((copy / "store" / sealed.manifest.path).read_bytes())
    part = copy / "store" / manifest["parts"][0]["path"]
    body = part.read_bytes()
    part.chmod(0o600)
    part.parent.chmod(0o700)
    ask = ("-w", copy, *ASKED, f"{PERIOD}..{PERIOD}", "--out", tmp_path / "out")
    part.unlink()
    gone = job.run(*ask, codes=range(1, 12))
    assert part.name in " ".join(gone.stderr.split())
    assert gone.returncode in {9, 10, 11}
    part.write_bytes(body[:-1] + b"!")
    other = job.run(*ask, codes=range(1, 12))
    assert part.name in " ".join(other.stderr.split())
    assert other.returncode in {9, 10, 11}
    part.write_bytes(body)
    later = ("-w", copy, *ASKED, f"{PERIOD}..2026-07-02", "--out", tmp_path / "out")
    assert "1 nights of" in job.run(*later, codes=(11,)).stderr
    assert not list((tmp_path / "out").glob("*"))


BREAK_GLASS = """
[[break_glass]]
user = "{user}"
owner = "Ann"
approved_by = "Bo"
approved_on = {since}
expires = 2030-01-01
"""


def test_refused_early_where_what_is_in_use_is_not_what_the_night_was_judged_by(work, tmp_path):
    """Each is put back, or the night is assessed again; what changes no finding of the period is in nobody's way."""
    copy = tmp_path / "work"
    shutil.copytree(work, copy)
    (finding,) = (f for f in sealed(copy) if f.control == DORMANT)
    user = finding.exceptions[0].item.partition("/")[2]
    cases = (
        ("overlay.toml", "# nobody assessed with this\n", "account overlay as it is"),
        ("evidence.toml", "[assess]\nmax_unknown_nights = 3\n", "max_unknown_nights is 3, and was 0"),
        ("registers/break_glass.toml", BREAK_GLASS.format(user=user, since="2026-01-01"), f"{DORMANT} on {PERIOD} comes out"),
    )  # fmt: skip
    ask = ("-w", copy, *ASKED, f"{PERIOD}..{PERIOD}", "--out", tmp_path / "out")
    for name, more, said in cases:
        path = copy / name
        before = path.read_text()
        path.write_text(before + more)
        refused = " ".join(job.run(*ask, codes=(11,)).stderr.split())
        assert said in refused
        assert "evidence assess --period" in refused
        path.write_text(before)
    assert not list((tmp_path / "out").glob("*"))
    later = copy / "registers/break_glass.toml"
    later.write_text(later.read_text() + BREAK_GLASS.format(user=user, since="2026-07-02"))
    config = copy / "evidence.toml"
    config.write_text(config.read_text() + cases[1][1])
    job.run("-w", copy, "assess", "--date", PERIOD, "--jobs", "1")
    words = (
        "--cause",
        "c",
        "--effect",
        "e",
        "--action",
        "a",
        "--owner",
        "Bo",
        "--due",
        "2026-08-01",
        "--signed-by",
        "Ann",
    )
    answered = ("respond", DORMANT, finding.exceptions[0].item, "--period", f"{PERIOD}..{PERIOD}", *words)
    job.run("-w", copy, *answered)  # younger than the last assessment
    job.run("-w", copy, "requests", "answer", NUMBER, "--by", "Bo", "--answer", "see", "--exhibit", f"control:{DORMANT}", "--exhibit", "register:responses")  # fmt: skip
    job.run(*ask)
    (made,) = (tmp_path / "out").glob("*.zip")
    assert "with 3 nights not assessed allowed" in " ".join(verified(work, made, "--explain").split())


def sealed(work):
    workspace = Workspace.open(work)
    return sealed_findings(workspace.store, workspace.index, dt.date.fromisoformat(PERIOD))


def test_content_of_no_night_is_named(work):
    workspace = Workspace.open(work)
    found = {dt.date.fromisoformat(PERIOD): sealed(work)}
    check_rules(workspace, parse_period(f"{PERIOD}..{PERIOD}"), {DORMANT, MFA}, found)
    library = workspace.library
    other = library.controls[MFA].model_copy(update={"content_sha256": "0" * 64})
    workspace.__dict__["library"] = dataclasses.replace(library, controls={**library.controls, MFA: other})
    check_rules(workspace, parse_period(f"{PERIOD}..{PERIOD}"), {DORMANT}, found)
    with pytest.raises(PacketRefusedError, match=f"the content of {MFA} is that of no night"):
        check_rules(workspace, parse_period(f"{PERIOD}..{PERIOD}"), {DORMANT, MFA}, found)


SHUFFLED = """
import os, random
_listdir, _scandir = os.listdir, os.scandir

class Shuffled:
    def __init__(self, *where):
        with _scandir(*where) as found:
            self._found = list(found)
        random.shuffle(self._found)
    def __iter__(self):
        return iter(self._found)
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass
    def close(self):
        pass

def listdir(*where):
    found = _listdir(*where)
    random.shuffle(found)
    return found

os.listdir, os.scandir = listdir, Shuffled
"""
MACHINES = {
    "one": {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
    "two": {"TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8", "LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "77", "PYTHONUTF8": "0"},
}  # fmt: skip
MAY_DIFFER = {
    "data/packet.pdf",
    "bag-info.txt",
    MANIFEST,
    TAGMANIFEST,
    SIGNATURE,
}  # a signature, what hashes it, and the day


def test_two_machines_make_the_same_packet_of_the_same_store(work, tmp_path):
    """Another zone, locale, hash seed, home, folder, mask, order of files on disk, and fonts of its own beside ours."""
    made_on = {}
    for name, environment in MACHINES.items():
        home = tmp_path / name / "home of Zoë"
        (home / ".fonts").mkdir(parents=True)
        shutil.copytree(work, home / "work")
        path = [str(ROOT)]
        if name == "two":
            (home / "site").mkdir()
            (home / "site" / "sitecustomize.py").write_text(SHUFFLED)
            path.insert(0, str(home / "site"))
            for font in [*Path("/usr/share/fonts").rglob("*.ttf")][:1]:
                shutil.copy(font, home / ".fonts" / "inter.ttf")
        command = [sys.executable, "-c", "import sys; from evidence.cli import main; main(sys.argv[1:])", "-w", "work"]
        command += [*ASKED, f"{PERIOD}..{PERIOD}"]
        done = subprocess.run(
            command, cwd=home, capture_output=True, text=True, check=False, umask=0o077 if name == "two" else 0o022,
            env={**environment, "HOME": str(home), "PATH": os.defpath, "PYTHONPATH": os.pathsep.join(path)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        (made_on[name],) = (home / "work" / "packets").glob("*.zip")
    one, two = (path.with_suffix("") for path in made_on.values())
    names = [sorted(p.relative_to(bag).as_posix() for p in bag.rglob("*") if p.is_file()) for bag in (one, two)]
    assert names[0] == names[1]
    differ = {name for name in names[0] if (one / name).read_bytes() != (two / name).read_bytes()}
    assert differ <= MAY_DIFFER
    length = json.loads((one / "data/render.json").read_bytes())["unsigned_pdf"]["length"]
    assert (one / "data/packet.pdf").read_bytes()[:length] == (two / "data/packet.pdf").read_bytes()[:length]
    for zipped in made_on.values():
        assert equals_reencoding(zipped)

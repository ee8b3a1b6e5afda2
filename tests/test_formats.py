"""The pages of docs/formats: each opens with a real example that is read, written again byte for byte, and refused in other spellings."""

import hashlib
import json
import re
import runpy
import zipfile
from pathlib import Path

import pytest

from evidence.bag.bag import manifest_bytes, parse_manifest
from evidence.bag.findings import canonical_findings
from evidence.control.result import NightFinding
from evidence.errors import EvidenceError, MalformedError
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry
from evidence.snapshot.manifest import Manifest
from evidence.snapshot.model import Receipt
from evidence.store.check import check_store
from evidence.store.index import Index
from evidence.store.loading import own_key, store_json
from evidence.store.local import LocalStore
from evidence.store.log import Log
from evidence.tlog.checkpoint import open_checkpoint, parse_unverified
from evidence.tlog.cosignature import cosigned_at, parse_cosigner
from evidence.tlog.note import parse_note, parse_verifier
from evidence.tlog.proof import parse_consistency, parse_inclusion
from evidence.tlog.record import Record
from evidence.verify import verify_packet, verify_store

ROOT = Path(__file__).parent.parent
FORMATS = ROOT / "docs" / "formats"
V1 = Path(__file__).parent / "vectors" / "v1"
VKEY, WITNESS, PACKET_LOG = (
    (V1 / "trust" / name).read_text().strip() for name in ("log.vkey", "witness-1.vkey", "packet-log.vkey")
)
STORE = LocalStore(V1 / "store")
PACKET = next(V1.glob("PKT-*.zip"))
VERIFIER = parse_verifier(VKEY)


def examples(page):
    """The fenced blocks of a page, without the fences."""
    text = (FORMATS / f"{page}.md").read_text()
    return re.findall(r"^```(?:json)?\n(.*?\n)```$", text, flags=re.MULTILINE | re.DOTALL)


def file_in(page, number=0):
    return examples(page)[number].removesuffix("\n")


# --- every page opens with its example


@pytest.mark.parametrize("page", ["store", "manifest", "receipt", "log", "checkpoint", "proof", "findings", "packet"])
def test_a_page_opens_with_its_example(page):
    before = (FORMATS / f"{page}.md").read_text().split("\n```", 1)[0]
    assert before.count("\n#") == 0
    assert "test vector" in " ".join(before.split())


def test_the_store_is_the_list_on_its_page():
    made = "".join(
        f"{hashlib.sha256(STORE.get(path)).hexdigest()} {STORE.head(path).size:>5}  {path}\n" for path in STORE.list("")
    )
    assert examples("store")[0] == made
    assert file_in("store", 1).encode() == STORE.get("store.json") == store_json(VERIFIER)


def test_the_store_is_what_the_writer_writes_today(tmp_path):
    """Everything but the Parquet bytes, which are the library's: the kept part is taken as it is."""
    part = next(path for path in STORE.list("data/") if path.endswith(".parquet"))
    writer = runpy.run_path(str(ROOT / "scripts" / "format_fixture.py"))
    first, witness = writer["store"](tmp_path / "store", STORE.get(part))
    made = LocalStore(tmp_path / "store")
    assert list(made.list("")) == list(STORE.list(""))
    for path in STORE.list(""):
        assert made.get(path) == STORE.get(path), path
    assert (first, witness) == ((V1 / "checkpoint").read_text(), WITNESS)


def test_the_manifest_example_is_what_the_writer_writes():
    example = file_in("manifest").encode()
    manifest = Manifest.from_bytes(example)
    assert manifest.to_bytes() == example
    assert manifest.key.dataset == "snowflake.login_history"


def test_the_receipt_example_is_that_of_the_kept_manifest():
    example = file_in("receipt").encode()
    receipt = Receipt.from_json(canonical.decode(example))
    assert canonical.encode(receipt.to_json()) == example
    kept = next(path for path in STORE.list("data/") if path.endswith("_manifest.json"))
    assert canonical.encode(dict(Manifest.from_bytes(STORE.get(kept)).receipt)) == example


def test_the_page_names_every_key_of_a_receipt():
    text = (FORMATS / "receipt.md").read_text()
    for name in Receipt.__dataclass_fields__:
        assert f"`{name}`" in text, name


def test_the_checkpoint_example_is_signed_twice():
    signed, keys = examples("checkpoint")[:2]
    vkey, witness = keys.split()
    assert (vkey, witness) == (VKEY, WITNESS)
    assert open_checkpoint(signed, [VERIFIER]).size == 5
    assert cosigned_at(signed, parse_cosigner(witness)).isoformat() == "2026-07-02T06:00:00+00:00"
    assert signed.encode() in {STORE.get(path) for path in STORE.list("log/cosigned/")}
    assert signed.startswith(STORE.get("log/checkpoint").decode())


def test_the_proof_examples_prove_and_are_what_the_log_gives():
    inclusion, entry, consistency = examples("proof")[:3]
    log = Log.open(STORE, trust=VERIFIER)
    assert log.proof(4).to_text() == inclusion
    assert log.consistency(1).to_text() == consistency
    raw = entry.removesuffix("\n").encode()
    assert parse_inclusion(inclusion).verify(raw, [VERIFIER]).size == 5
    assert parse_consistency(consistency).verify((V1 / "checkpoint").read_text(), [VERIFIER]).size == 5
    assert Entry.from_bytes(raw) == log.entry(4)


def test_the_findings_example_is_the_sealed_assessment():
    example = file_in("findings").encode()
    entry = Log.open(STORE, trust=VERIFIER).entry(4)
    assert (hashlib.sha256(example).hexdigest(), len(example)) == (entry.object.sha256, entry.object.size)
    value = canonical.decode(example)
    (finding,) = (NightFinding.from_json(one) for one in value["findings"])
    assert canonical.encode({**value, "findings": [finding.to_json()]}) == example


def test_the_packet_examples_are_files_of_the_kept_packet():
    tag, info = examples("packet")[:2]
    with zipfile.ZipFile(PACKET) as archive:
        files = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    assert (files["tagmanifest-sha256.txt"], files["bag-info.txt"]) == (tag.encode(), info.encode())
    assert manifest_bytes(parse_manifest(tag.encode(), "tag")) == tag.encode()
    findings = json.loads(files["data/findings.json"])
    period = findings["period"]
    again = canonical_findings(period["start"], period["end"], findings["periods"], findings["nights"])
    assert again == files["data/findings.json"]


# --- what an earlier version wrote stays readable


def test_the_store_of_version_1_verifies_and_is_read():
    result = verify_store(V1 / "store", [VKEY, WITNESS], checkpoint=(V1 / "checkpoint").read_text())
    assert result.ok, result.failed
    assert all(check.ok for check in result.checks), [check for check in result.checks if not check.ok]
    index = Index().catch_up(Log.open(STORE, trust=VERIFIER))
    (sealed,) = index.snapshots()
    assert (sealed.status, sealed.body["landed"], index.settled(sealed)) == ("complete", 2, True)


def test_the_packet_of_version_1_verifies():
    root = (V1 / "trust" / "packet-root.pem").read_bytes()
    result = verify_packet(PACKET, certificates=[root], vkeys=[PACKET_LOG, WITNESS])
    assert result.ok, result.failed
    assert {"seal", "pdf", "zip", "log", "exhibits", "findings"} <= {check.step for check in result.checks if check.ok}


# --- one value, one spelling


def in_order(text):
    """Keys of the outermost object in the order they stand, the last one first."""
    value = json.loads(text)
    return json.dumps(dict(sorted(value.items(), reverse=True)), separators=(",", ":"), ensure_ascii=False)


def once_more(text):
    key = next(iter(json.loads(text)))
    return text.replace("{", '{"' + key + '":null,', 1)


def number_as(spelling):
    return lambda text: re.sub(r":(\d+)(?=[,}])", lambda m: ":" + spelling.format(m[1]), text)


JSON_SPELLINGS = {
    "blank before": lambda text: " " + text,
    "line feed after": lambda text: text + "\n",
    "byte after": lambda text: text + "\0",
    "blank inside": lambda text: text.replace(",", ", ", 1),
    "tab inside": lambda text: text.replace(":", ":\t", 1),
    "byte order mark": lambda text: "\ufeff" + text,
    "other key order": in_order,
    "a key twice": once_more,
    "unknown key": lambda text: text.replace("{", '{"!":null,', 1),
    "escaped letter": lambda text: re.sub(r'"([a-z])', lambda m: f'"\\u{ord(m[1]):04x}', text, count=1),
    "escaped slash": lambda text: text.replace("/", "\\/", 1),
    "float": number_as("{0}.0"),
    "exponent": number_as("{0}e0"),
    "leading zero": number_as("0{0}"),
    "minus zero or sign": number_as("-{0}"),
    "number as text": number_as('"{0}"'),
    "true for a number": number_as("true"),
    "huge number": number_as("1" * 5000),
    "upper-case hash": lambda text: re.sub(r'"([0-9a-f]{64})"', lambda m: f'"{m[1][:-1]}F"', text),
    "cut": lambda text: text[:-1],
    "twice": lambda text: text + text,
    "list around": lambda text: f"[{text}]",
    "null": lambda _: "null",
    "empty": lambda _: "",
}


def _manifest_path():
    return next(path for path in STORE.list("data/") if path.endswith("_manifest.json"))


def _assessment(body):
    value = canonical.decode(body)
    if set(value) != {
        "cause",
        "findings",
        "format",
        "known_at",
        "library",
        "log_size",
        "night",
        "registers",
        "revision",
    }:
        raise MalformedError("parts the writer does not write")
    return [NightFinding.from_json(finding) for finding in value["findings"]]


JSON_READERS = {
    "store.json": (STORE.get("store.json"), own_key),
    "commit record": (STORE.get("log/commit/000000000001"), Record.from_bytes),
    "entry": (Log.open(STORE, trust=VERIFIER).raw(2), Entry.from_bytes),
    "manifest": (STORE.get(_manifest_path()), Manifest.from_bytes),
    "receipt": (file_in("receipt").encode(), lambda body: Receipt.from_json(canonical.decode(body))),
}


NUMBERS = (
    "float",
    "exponent",
    "leading zero",
    "minus zero or sign",
    "number as text",
    "true for a number",
    "huge number",
)
WITHOUT = {("store.json", name) for name in (*NUMBERS, "upper-case hash")} | {
    ("commit record", "upper-case hash"),
    ("receipt", "escaped slash"),
}


@pytest.mark.parametrize("spelling", JSON_SPELLINGS)
@pytest.mark.parametrize("reader", JSON_READERS)
def test_json_is_read_in_one_spelling_only(reader, spelling):
    body, read = JSON_READERS[reader]
    read(body)
    other = JSON_SPELLINGS[spelling](body.decode()).encode()
    if other == body:
        assert (reader, spelling) in WITHOUT, "this spelling has nothing to change here"
        return
    with pytest.raises(EvidenceError):
        read(other)


TEXT_SPELLINGS = {
    "blank before": lambda text: " " + text,
    "line feed after": lambda text: text + "\n",
    "no line feed at the end": lambda text: text[:-1],
    "CR LF": lambda text: text.replace("\n", "\r\n"),
    "one CR": lambda text: text.replace("\n", "\r\n", 1),
    "byte after": lambda text: text + "\0",
    "blank at a line's end": lambda text: text.replace("\n", " \n", 1),
    "two blanks": lambda text: text.replace(" ", "  ", 1),
    "leading zero": lambda text: re.sub(r"(?m)^((?:index |old )?)(\d+)$", r"\g<1>0\g<2>", text, count=1),
    "sign": lambda text: re.sub(r"(?m)^((?:index |old )?)(\d+)$", r"\g<1>+\g<2>", text, count=1),
    "underscore": lambda text: re.sub(r"(?m)^((?:index |old )?)(\d+)$", r"\g<1>1_\g<2>", text, count=1),
    "other digits": lambda text: re.sub(r"(?m)^((?:index |old )?)(\d+)$", "\\g<1>\u0661", text, count=1),
    "no padding": lambda text: text.replace("=\n", "\n", 1),
    "url-safe base64": lambda text: re.sub(r"[+/](?=[A-Za-z0-9+/]*=)", "-", text, count=1),
    "other trailing bits": lambda text: re.sub(
        r"[AEIMQUYcgkosw048]=\n", lambda m: chr(ord(m[0][0]) + 1) + "=\n", text, count=1
    ),
    "hyphen for the dash": lambda text: text.replace("\u2014", "-", 1),
    "no empty line": lambda text: text.replace("\n\n", "\n", 1),
    "extension line": lambda text: text.replace("\n\n", "\nmore\n\n", 1),
    "empty": lambda _: "",
}
TEXT_READERS = {
    "checkpoint": (examples("checkpoint")[0], parse_unverified),
    "note": (examples("checkpoint")[0], parse_note),
    "inclusion proof": (examples("proof")[0], parse_inclusion),
    "consistency proof": (examples("proof")[2], parse_consistency),
}


@pytest.mark.parametrize("spelling", TEXT_SPELLINGS)
@pytest.mark.parametrize("reader", TEXT_READERS)
def test_text_is_read_in_one_spelling_only(reader, spelling):
    text, read = TEXT_READERS[reader]
    read(text)
    other = TEXT_SPELLINGS[spelling](text)
    assert other != text, "this spelling has nothing to change here"
    if reader == "note" and spelling in {"leading zero", "sign", "underscore", "other digits", "extension line", "blank before"} | {
        "blank at a line's end", "no padding", "url-safe base64", "other trailing bits"}:  # fmt: skip
        return  # a note's text is free; the checkpoint in it is not
    with pytest.raises(EvidenceError):
        read(other)


def test_a_store_whose_file_is_spelled_otherwise_fails_verify_with_its_name(tmp_path):
    """The same through the front door, for every file of the store."""
    for number, path in enumerate(list(STORE.list(""))):
        copy = LocalStore(tmp_path / str(number))
        for name in STORE.list(""):
            copy.put_if_absent(name, STORE.get(name) + (b"\n" if name == path else b""))
        failed = [
            check for check in check_store(copy, trust=VKEY, witnesses=[parse_cosigner(WITNESS)]) if check.ok is False
        ]
        assert failed, path
        assert path in {check.subject for check in failed}, path

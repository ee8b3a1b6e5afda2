"""docs/formats/log.md opens with a real log: built again byte for byte, and verified with hashlib and Ed25519 alone."""

import base64
import hashlib
import json
import re
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fakes.memory_store import MemoryAnchor, MemoryStore
from fakes.sealed_store import KEY as OTHER

from evidence.signing.keys import NoteKey
from evidence.snapshot.entry import Entry, ObjectRef
from evidence.store.log import Log

PAGE = Path(__file__).parent.parent / "docs" / "formats" / "log.md"
KEY = NoteKey("acme.example/evidence", bytes(range(32)))
MANIFEST = ObjectRef(
    "data/prod/snowflake.users/date=2026-07-01/snapshot=01JZ0000000000000000000000/_manifest.json",
    hashlib.sha256(b"manifest").hexdigest(),
    8,
)


def blocks():
    return re.findall(r"^```\n(.*?)\n```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)[:7]


def test_the_example_is_what_the_code_writes():
    log = Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()])
    entries = [
        Entry("coverage", "prod/2026-07-01", None, {"source": "prod", "start": "2026-07-01"}),
        Entry("snapshot", "prod/snowflake.users/2026-07-01/0", MANIFEST, {"kind": "state", "status": "complete"}),
    ]
    log.append(lambda _: entries)
    names = ["store.json", "log/commit/000000000000", "log/commit/000000000001", "log/checkpoint"]
    written = [log.store.get(name).decode() for name in names]
    written += [log.proof(2).to_text(), log.consistency(1).to_text(), KEY.vkey]
    assert blocks() == [text.removesuffix("\n") for text in written]
    assert OTHER.vkey == KEY.vkey


def test_the_example_verifies_without_our_code():
    store_json, first, second, checkpoint, inclusion, consistency, vkey = blocks()
    name, key_id, packed = vkey.split("+", 2)
    public = base64.b64decode(packed)
    assert hashlib.sha256(name.encode() + b"\n" + public).hexdigest()[:8] == key_id
    leaves = [hashlib.sha256(b"\0" + e.encode()).digest() for r in (first, second) for e in json.loads(r)["entries"]]
    left = hashlib.sha256(b"\1" + leaves[0] + leaves[1]).digest()
    root = base64.b64encode(hashlib.sha256(b"\1" + left + leaves[2]).digest()).decode()
    text, _, line = checkpoint.rpartition("\n\n")
    assert text == f"acme.example/evidence\n3\n{root}"
    signature = base64.b64decode(line.split(" ")[2])
    assert signature[:4].hex() == key_id
    Ed25519PublicKey.from_public_bytes(public[1:]).verify(signature[4:], (text + "\n").encode())
    assert json.loads(second)["checkpoint"] == checkpoint + "\n"
    assert inclusion.split("\n")[2] == base64.b64encode(left).decode()
    assert consistency.split("\n")[1:3] == [base64.b64encode(leaf).decode() for leaf in leaves[1:]]
    named = json.loads(json.loads(first)["entries"][0])["object"]
    assert (named["sha256"], named["size"]) == (hashlib.sha256(store_json.encode()).hexdigest(), len(store_json))

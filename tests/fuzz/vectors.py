"""Valid bytes for every parser of ``tests.fuzz.parsers``, and the files they judge by: what mutation starts from."""

import functools
import io
import json
import tempfile
from pathlib import Path

from fakes.memory_store import MemoryAnchor, MemoryStore
from fakes.packet_inputs import SIGNED_AT, packet_key
from fakes.sealed_store import KEY, plain, seal_snapshots

from evidence.bag.bag import BagWriter, manifest_bytes
from evidence.bag.files import FolderFiles
from evidence.bag.zip import write_zip
from evidence.signing.cades import sign_detached
from evidence.signing.certificate import certificate_pem
from evidence.signing.timestamp import accept_response, make_request, response_der
from evidence.store.log import Log
from evidence.tlog.merkle import Tree, leaf_hash
from evidence.tlog.proof import ConsistencyProof, InclusionProof
from evidence.tlog.tile import encode_bundle
from tests.servers.tsa import Authority

CONTENT = b"what was signed\n"


@functools.cache
def made():
    """Return (name -> valid bytes, file name -> bytes): what to parse and what to judge by."""
    log = Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()])
    log.append(plain(*(f"k{n}" for n in range(256))))
    seal_snapshots(log, range(2))
    objects = log.store.objects
    entries = [b"entry %d" % n for n in range(256)]
    tree = Tree(map(leaf_hash, entries))
    record = objects["log/commit/000000000257"]
    key, root = packet_key()
    authority = Authority(lambda: SIGNED_AT)
    request = make_request(CONTENT)
    token = accept_response(authority.respond(request.der), request, [authority.root], SIGNED_AT)
    manifest = next(body for name, body in objects.items() if name.endswith("_manifest.json"))
    valid = {
        "canonical": manifest,
        "manifest": manifest,
        "entry": json.loads(record)["entries"][0].encode(),
        "record": record,
        "bundle": encode_bundle(entries),
        "tile": bytes(8192),
        "checkpoint": log.checkpoint.encode(),
        "unverified": log.checkpoint.encode(),
        "verifier": KEY.vkey.encode(),
        "inclusion": InclusionProof(7, tree.inclusion(7), log.checkpoint).to_text().encode(),
        "consistency": ConsistencyProof(5, tree.consistency(5), log.checkpoint).to_text().encode(),
        "bag-manifest": manifest_bytes({f"data/{n}": "a" * 64 for n in range(9)}),
        "der": sign_detached(CONTENT, key, SIGNED_AT),
        "cms": sign_detached(CONTENT, key, SIGNED_AT),
        "pdf": small_pdf(key),
        "time-stamp": response_der(token),
        "certificates": certificate_pem(root),
        "zip": small_zip(),
    }
    trust = {"log.vkey": KEY.vkey.encode(), "root.pem": certificate_pem(root), "tsa.pem": authority.root_pem}
    return valid, {**trust, "content": CONTENT}


def write(folder):
    """Write the files that the parsers judge by into ``folder``, and one seed per parser below ``seeds/<name>/``."""
    valid, trust = made()
    for name, body in trust.items():
        (folder / name).write_bytes(body)
    for name, body in valid.items():
        (folder / "seeds" / name).mkdir(parents=True)
        (folder / "seeds" / name / "valid").write_bytes(body)


def small_pdf(key):
    """The bytes that matter of a certified PDF, signed."""
    head = b"%PDF-1.7\n5 0 obj\n<</Perms<</DocMDP 7 0 R>>>>\nendobj\n7 0 obj\n<</TransformMethod/DocMDP/P 1 /Contents"
    room, tail = 8192, b"/ByteRange[0 %04d %08d %04d]>>\nendobj\n%%%%EOF\n"
    tail %= len(head), len(head) + room + 2, len(tail % (0, 0, 0))
    sealed = sign_detached(head + tail, key, SIGNED_AT).hex().encode()
    return head + b"<" + sealed.ljust(room, b"0") + b">" + tail


def small_zip():
    with tempfile.TemporaryDirectory() as folder:
        writer = BagWriter(Path(folder) / "P")
        for number in range(4):
            writer.add(f"f{number}", b"%d" % number * 50)
        writer.close({})
        out = io.BytesIO()
        write_zip(FolderFiles(writer.root), out, "P")
        return out.getvalue()

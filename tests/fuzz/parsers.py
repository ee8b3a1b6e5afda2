"""Every parser that ``verify`` hands foreign bytes to, by name: bytes -> anything, or a declared error. Needs no test library.

``parsers(folder)`` reads what they judge by from files of a folder that ``tests.fuzz.vectors`` writes: ``log.vkey``,
``root.pem``, ``tsa.pem`` and ``content``. Shared by the hypothesis tests and by the coverage-guided fuzzer.
"""

import datetime as dt
import os
import tempfile
from pathlib import Path

from evidence.bag.bag import parse_manifest
from evidence.bag.files import ZipFiles, read, sha256_of
from evidence.bag.zip import equals_reencoding
from evidence.signing.certificate import load_certificates
from evidence.signing.cms import verify_detached, verify_pdf
from evidence.signing.der import check_der
from evidence.signing.timestamp import verify_response
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry
from evidence.snapshot.manifest import Manifest
from evidence.tlog.checkpoint import open_checkpoint, parse_unverified
from evidence.tlog.note import parse_verifier
from evidence.tlog.proof import parse_consistency, parse_inclusion
from evidence.tlog.record import Record
from evidence.tlog.tile import decode_bundle, decode_tile

NAMES = ("canonical", "manifest", "entry", "record", "bundle", "tile", "checkpoint", "unverified", "verifier", "inclusion",
         "consistency", "bag-manifest", "der", "cms", "pdf", "time-stamp", "certificates", "zip")  # fmt: skip
AT = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


def parsers(folder):
    """Return name -> parser; see the module."""
    keys = [parse_verifier((folder / "log.vkey").read_text())]
    root = load_certificates((folder / "root.pem").read_bytes())
    authority = load_certificates((folder / "tsa.pem").read_bytes())
    content = (folder / "content").read_bytes()
    return {
        "canonical": canonical.decode,
        "manifest": Manifest.from_bytes,
        "entry": Entry.from_bytes,
        "record": Record.from_bytes,
        "bundle": decode_bundle,
        "tile": decode_tile,
        "checkpoint": text(lambda t: open_checkpoint(t, keys)),
        "unverified": text(parse_unverified),
        "verifier": text(parse_verifier),
        "inclusion": text(parse_inclusion),
        "consistency": text(parse_consistency),
        "bag-manifest": lambda body: parse_manifest(body, "m"),
        "der": lambda body: check_der(body, "d"),
        "cms": lambda body: verify_detached(body, content, root, AT),
        "pdf": lambda body: verify_pdf(body, root, AT),
        "time-stamp": lambda body: verify_response(body, content, authority, AT),
        "certificates": load_certificates,
        "zip": read_zip,
    }


def text(parse):
    """A parser of text as one of bytes: callers decode first, and say so when that fails."""

    def run(body):
        try:
            decoded = body.decode()
        except UnicodeDecodeError:
            return None
        return parse(decoded)

    return run


def read_zip(body):
    """Read every member, as ``verify`` does."""
    handle, name = tempfile.mkstemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(body)
        with ZipFiles(path) as files:
            for member in files.names():
                sha256_of(files, member)
                read(files, member)
        return equals_reencoding(path)
    finally:
        path.unlink()

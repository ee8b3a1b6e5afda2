"""``evidence collect`` over the wire: a workspace with one Snowflake account on the emulator, run in this process.

The clock of the command stands still at NOW; everything else is the command's own: configuration, connector, spool,
store. The root logger is open for all that anybody logs, and what was planted as secret is searched for afterwards.
"""

import base64
import datetime as dt
import io
import json
import logging
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import job
import pyarrow as pa
import pyarrow.parquet as pq
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from evidence.cli import app, workspace
from evidence.snapshot.manifest import Manifest
from evidence.store.check import check_store
from evidence.store.index import Index
from evidence.store.local import LocalStore
from evidence.store.log import Log
from tests.servers.tiny_export import NIGHT

NOW = dt.datetime(2026, 7, 2, 7, tzinfo=dt.UTC)  # the night of 2026-07-01: its events are due, its state is now
PARAMETERS, USERS, LOGINS = DATASETS = ("snowflake.parameters", "snowflake.users", "snowflake.login_history")
PASSPHRASE = b"planted-passphrase-7c1d"


@dataclass(frozen=True)
class Done:
    """What one run of the command came to."""

    code: int
    outcome: dict
    printed: str
    logged: str

    def problem(self, dataset):
        """The line that says what is wrong with ``dataset``."""
        (line,) = [p for p in self.outcome["sources"][0]["problems"] if f" {dataset}: " in p]
        return line


@dataclass(frozen=True)
class KeyPair:
    """A planted private key, in every spelling that could leak, and its public half."""

    private: rsa.RSAPrivateKey

    @classmethod
    def new(cls):
        return cls(rsa.generate_private_key(public_exponent=65537, key_size=2048))

    def pem(self):
        wrap = serialization.BestAvailableEncryption(PASSPHRASE)
        return self.private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, wrap)

    def der(self):
        plain = serialization.NoEncryption()
        return self.private.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, plain)

    def public(self):
        kind = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, kind).decode()


class Wired:
    """A workspace in ``folder`` whose source ``acme`` is the account on ``emulator``."""

    def __init__(self, folder, emulator, capsys, key):
        self.folder, self.emulator, self.capsys, self.key = folder, emulator, capsys, key
        self.planted = [PASSPHRASE, key.der(), base64.b64encode(key.der())]
        self.planted += [line for line in base64.encodebytes(key.der()).split() if len(line) > 40]
        self.planted += [line for line in key.pem().split(b"\n") if len(line) > 40 and b"-----" not in line]

    def configure(self, *, timeout=60, attempts=2, more="", **settings):
        """Write evidence.toml. ``settings`` replace the key pair or anything else of the source."""
        own: dict[str, object] = {
            "kind": "snowflake",
            "account": "TESTACCT",
            "user": "evidence",
            "host": "127.0.0.1",
            "port": self.emulator.port,
            "protocol": "http",
            "timeout_seconds": timeout,
            "datasets": list(DATASETS),
        }
        pair = {"private_key": f"file:{self.folder.parent / 'planted.p8'}", "private_key_passphrase": "env:PLANTED"}
        credential = {} if {"password", "token", "private_key"} & set(settings) else pair
        lines = [f"{name} = {json.dumps(value)}" for name, value in (own | credential | settings).items()]
        base = (self.folder / "evidence.toml").read_text().partition("\n[collect]")[0]
        collect = f"\n[collect]\nsince = {NIGHT}\nattempts = {attempts}\n"
        body = base + collect + "\n[sources.acme]\n" + "\n".join(lines) + "\n" + more
        (self.folder / "evidence.toml").write_text(body)
        (self.folder.parent / "planted.p8").write_bytes(self.key.pem())

    def healthy(self):
        """An account with nothing arranged; its clock stands with ours."""
        self.emulator.post("reset")
        self.emulator.post("view", {"view": "USERS"})
        self.emulator.post("people", {"user": "EVIDENCE", "public_keys": [self.key.public()]})
        self.emulator.post("night", {"night": str(NIGHT), "clock": workspace.now().isoformat()})
        self.emulator.post("account", {"chunk_rows": 1000, "first_rows": 500})

    def collect(self, *arguments):
        """Run ``evidence collect --json`` with every logger open."""
        self.capsys.readouterr()
        stream = io.StringIO()
        root, handler = logging.getLogger(), logging.StreamHandler(stream)
        level = root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        try:
            code = app.run(["-w", str(self.folder), "collect", "--json", *arguments])
        finally:
            root.removeHandler(handler)
            root.setLevel(level)
        out, err = self.capsys.readouterr()
        return Done(code, json.loads(out) if out else {}, out + err, stream.getvalue())

    def restart(self):
        """Forget what was sealed: an empty store under the same keys."""
        for name in ("store", "anchors"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        space = workspace.Workspace.open(self.folder)
        Log.init(space.store, space.log_key, anchors=space.anchors)

    def sealed(self):
        """Dataset -> manifest of the highest revision, read through the log."""
        log = job.open_log(self.folder)
        found = {}
        for entry in Index().catch_up(log).snapshots():
            manifest = Manifest.from_bytes(log.store.get(entry.manifest.path, sha256=entry.manifest.sha256))
            found[manifest.key.source, manifest.key.dataset] = manifest
        return {dataset: manifest for (source, dataset), manifest in found.items() if source == "acme"}

    def facts(self):
        """Dataset -> (status, rows, digest)."""
        return {name: facts_of(manifest) for name, manifest in self.sealed().items()}

    def failed_checks(self):
        """What `evidence verify` would complain of."""
        vkey = (self.folder / "trust" / "log.vkey").read_text().strip()
        return [check for check in check_store(LocalStore(self.folder / "store"), trust=vkey) if check.ok is False]

    def left_in_spool(self):
        """Files that a run left behind."""
        return [path for path in (self.folder / ".evidence" / "spool").rglob("*") if path.is_file()]

    def leaks(self, *texts):
        """Where a planted or issued secret is found: in any file of the workspace or in ``texts``."""
        planted = [*self.planted, *(text.encode() for text in self.emulator.get("secrets"))]
        where = {str(path): bytes_of(path) for path in self.folder.rglob("*") if path.is_file()}
        where |= {f"text {n}": text.encode() for n, text in enumerate(texts)}
        return [(place, secret[:12]) for place, body in where.items() for secret in planted if secret in body]


def facts_of(manifest):
    """(status, rows, digest) of a manifest."""
    return manifest.status, int(manifest.receipt["landed"]), str(manifest.receipt.get("rows_digest", ""))


def bytes_of(path):
    """A file as it is, and a Parquet file's text columns beside it, since it is compressed."""
    body = path.read_bytes()
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        columns = [column for column in table.columns if pa.types.is_string(column.type)]
        body += "\n".join(value for column in columns for value in column.to_pylist() if value).encode()
    return body


def stand_still(monkeypatch, moment):
    """Let the command's clock stand at ``moment``, wherever it was imported to."""
    running = workspace.now
    for name, module in list(sys.modules.items()):
        if name.startswith("evidence.cli") and getattr(module, "now", None) is running:  # also one that stands already
            monkeypatch.setattr(module, "now", lambda: moment)


def make_workspace(folder):
    """A new workspace without sources, as `evidence init` makes it."""
    assert app.run(["init", str(folder)]) == 0
    return folder


def copy_workspace(template: Path, folder: Path):
    shutil.copytree(template, folder)
    return folder

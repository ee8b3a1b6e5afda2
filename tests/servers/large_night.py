"""One large night of a demo account over the wire, and what the collector's process needs for it.

A small night is generated and repeated on the way into Parquet, with ids and literals of its own per row: as many rows as asked for, no two texts alike
unless that is wanted.
"""

import contextlib
import datetime as dt
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from evidence.demo import Size, generate
from evidence.snapshot.manifest import Manifest
from evidence.store.index import Index
from evidence.store.local import LocalStore
from evidence.store.log import Log
from evidence.tlog.note import parse_verifier
from tests.servers.emulated import ROOT, run_emulator

NIGHT = dt.date(2026, 7, 1)
DATASETS = {
    "login_history": "EVENT_ID + n * 1000 AS EVENT_ID",  # a generated night has fewer than 1,000
    "query_history": "QUERY_ID || '-' || n AS QUERY_ID, replace(QUERY_TEXT, '''', '''' || n) || ' -- ' || QUERY_ID || n AS QUERY_TEXT",
    "access_history": "QUERY_ID || '-' || n AS QUERY_ID",
}
REPEATED = {"query_history": "QUERY_ID || '-' || n AS QUERY_ID"}  # texts as often as dbt and reports send the same
USUAL = ("query_history", "access_history")  # the large ones
SOURCE = """
[sources.account]
kind = "snowflake"
account = "TESTACCT"
user = "EVIDENCE"
private_key = "file:keys/snowflake.p8"
host = "127.0.0.1"
port = {port}
protocol = "http"
datasets = [{datasets}]
"""
# The child says what it needed at most: VmHWM is this program's alone, ru_maxrss would begin with the parent's.
CHILD = """
import sys
from pathlib import Path
from evidence.cli import main
try:
    main(sys.argv[2:])
finally:
    status = Path("/proc/self/status").read_text()
    Path(sys.argv[1]).write_text(status.split("VmHWM:")[1].split()[0])
"""


@dataclass(frozen=True)
class Run:
    """What one ``evidence collect`` took: peak resident memory in MB, seconds, and per dataset rows, status and seconds by statement."""

    peak: float
    seconds: float
    code: int
    datasets: dict[str, tuple[int, str, dict[str, float]]]
    said: str


def write_night(root: Path, rows: int, *, base: int = 20_000, owns: Mapping[str, str] | None = None) -> Path:
    """Write an export folder with ``rows`` rows of each dataset of ``owns`` on NIGHT, by default the large ones; it says what a repeated row has of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch)
        generate(made, Size(nights=1, queries=min(base, rows)))
        con = duckdb.connect()
        con.execute("SET TimeZone = 'UTC'")
        for name, own in (owns or {name: DATASETS[name] for name in USUAL}).items():
            (folder := root / "snowflake" / name / f"date={NIGHT}").mkdir(parents=True)
            source = f"{made}/exports/snowflake/{name}/date={NIGHT}/*.parquet"
            count = con.execute(f"SELECT count(*) FROM '{source}'").fetchone()[0]
            con.execute(
                f"COPY (SELECT * EXCLUDE (n) REPLACE ({own}) FROM (SELECT t.*, n FROM '{source}' t, range({-(-rows // count)}) r(n)) LIMIT {rows})"
                f" TO '{folder}/part.parquet' (COMPRESSION zstd)"
            )
    return root


def collect_night(exports: Path, work: Path, *, chunk_rows: int = 50_000, life: float = 1800) -> Run:
    """Serve ``exports`` by the emulator, collect NIGHT into a new workspace by the command line, and measure that process.

    A chunk of 50,000 of these rows has about the 50 MB that the collector asks Snowflake for.
    """
    with served(exports, chunk_rows=chunk_rows, life=life) as (port, pem):
        workspace(work, pem, port)
        peak = work / "peak"
        command = [sys.executable, "-c", CHILD, str(peak), "-w", str(work), "collect", "--date", NIGHT.isoformat()]
        started = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=life, check=False)
        seconds = time.perf_counter() - started
    said = done.stdout + done.stderr
    return Run(int(peak.read_text()) / 1024, seconds, done.returncode, sealed(work), said)


@contextlib.contextmanager
def served(exports: Path, *, chunk_rows: int = 50_000, life: float = 1800) -> Iterator[tuple[int, bytes]]:
    """Serve ``exports`` by an emulator while the context lasts; yield its port and the private key of the user EVIDENCE as PEM."""
    with run_emulator(exports, life=life) as emulator:
        emulator.post("account", {"chunk_rows": chunk_rows})
        yield emulator.port, emulator.admit()


def workspace(work: Path, pem: bytes, port: int, names: Sequence[str] = USUAL) -> None:
    """Make a workspace whose one source is the emulator behind ``port``, with the datasets ``names``."""
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from evidence.cli import main; main(sys.argv[1:])",
            "init",
            str(work),
            "--demo",
            "--size",
            "none",
        ],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    config, datasets = work / "evidence.toml", ", ".join(f'"snowflake.{name}"' for name in names)
    config.write_text(config.read_text().split("[sources.")[0] + SOURCE.format(port=port, datasets=datasets))
    (work / "keys" / "snowflake.p8").write_bytes(pem)
    (work / "keys" / "snowflake.p8").chmod(0o600)


def sealed(work: Path) -> dict[str, tuple[int, str, dict[str, float]]]:
    """Return rows, status and seconds by statement of each dataset that is sealed in ``work``."""
    vkey = (work / "trust" / "log.vkey").read_text().strip()
    log = Log.open(LocalStore(work / "store"), trust=parse_verifier(vkey))
    found = {}
    for sealed in Index().catch_up(log).snapshots():
        manifest = Manifest.from_bytes(log.store.get(sealed.manifest.path, sha256=sealed.manifest.sha256))
        receipt = manifest.receipt
        found[manifest.key.dataset] = (
            int(receipt["landed"]),
            manifest.status,
            _seconds(json.loads(json.dumps(receipt["statements"]))),
        )
    return found


def _seconds(statements: list[dict[str, str]]) -> dict[str, float]:
    spent: dict[str, float] = {}
    for statement in statements:
        took = dt.datetime.fromisoformat(statement["ended_at"]) - dt.datetime.fromisoformat(statement["started_at"])
        text = statement["text"]
        kind = (
            "HASH_AGG"
            if "HASH_AGG" in text
            else "totals"
            if "COUNT(" in text
            else "rows"
            if " ORDER BY " in text
            else "other"
        )
        spent[kind] = spent.get(kind, 0) + took.total_seconds()
    return spent

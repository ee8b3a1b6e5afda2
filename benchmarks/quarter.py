"""A quarter like a large carrier's, as far as wanted: a workspace of the demo whose statements, accesses and sign-ins are many times those of its account.

The demo's nights are collected and judged; then, night by night, DuckDB repeats the rows of QUERY_HISTORY, ACCESS_HISTORY and LOGIN_HISTORY
that no finding named, each time under another id and moment, and what comes is sealed as the next revision of the night. Planted deviations
stay as many as they are: what grows is what has to be looked through. Query texts repeat as those of dbt and of reports do.
"""

import contextlib
import datetime as dt
import hashlib
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from evidence.assess import findings_of_entry
from evidence.cli.workspace import Workspace, new_id
from evidence.demo import Size
from evidence.seal import seal
from evidence.snapshot.collected import Collected
from evidence.snapshot.entry import SealedEntry
from evidence.snapshot.manifest import Manifest
from evidence.snapshot.model import DAY, Receipt
from evidence.snapshot.spool import PartWriter
from tests import job

QUERY_ID = re.compile(rb"01[0-9a-f]{8}-[0-9a-f]{4}-0000-[0-9a-f]{4}-[0-9a-f]{12}")
STATEMENTS_TO_A_LOGIN = 100
BATCH = 50_000


@dataclass(frozen=True)
class Grows:
    """One dataset: what makes a repeated row (``n`` from 1 on) one of its own, and which rows are not repeated."""

    own: str
    keep: str


SOME_TIME = "date_trunc('hour', {0}) + to_microseconds((hash({1}, n) % 3600000000)::bigint)"
OTHER_ID = "replace(query_id, '-0000-', '-' || printf('%04x', n) || '-') AS query_id"
GROWS = {
    "snowflake.query_history": Grows(
        f"{OTHER_ID}, {SOME_TIME.format('start_time', 'query_id')} AS start_time,"
        f" {SOME_TIME.format('end_time', 'query_id')} AS end_time",
        "query_id NOT IN (SELECT id FROM named)",
    ),
    "snowflake.access_history": Grows(
        f"{OTHER_ID}, {SOME_TIME.format('query_start_time', 'query_id')} AS query_start_time",
        "query_id NOT IN (SELECT id FROM named)",
    ),
    "snowflake.login_history": Grows(
        f"event_id + n * 10000000000000 AS event_id, {SOME_TIME.format('event_timestamp', 'event_id')} AS event_timestamp",
        "is_success = 'YES'",
    ),
}


def make(folder: Path, nights: int, rows: int) -> Path:
    """Make the workspace below ``folder`` unless it is there; ``rows`` queries and as many accesses in all, a hundredth of sign-ins."""
    done = folder / f"quarter-{nights}-{rows}"
    if done.exists():
        return done
    making = done.with_name(done.name + ".making")
    with contextlib.redirect_stderr(sys.stdout):
        job.workspace(making, Size(nights=nights))
        job.run("-w", making, "collect", codes=(0, 5))  # a whole quarter has its planted gaps
        job.run("-w", making, "check")
        job.run("-w", making, "assess", "--jobs", "1", codes=(0, 3, 7, 8))
    _grow(Workspace.open(making), nights, rows // nights)
    return making.rename(done)


def nights_of(count: int) -> list[dt.date]:
    """Return the nights of a quarter of so many."""
    return [Size().start + DAY * number for number in range(count)]


def _grow(workspace: Workspace, nights: int, rows: int) -> None:
    named = _named(workspace)
    try:
        for night in nights_of(nights):
            with tempfile.TemporaryDirectory(prefix="evidence-quarter-") as spool:  # mode 0700
                many = list(_revisions(workspace, night, rows, named, Path(spool)))
                seal(workspace.log, workspace.index, many, new_id)
    finally:
        workspace.close()


def _named(workspace: Workspace) -> list[str]:
    """Return the ids of statements that any finding names."""
    found: set[bytes] = set()
    for night in workspace.index.assessed_nights():
        for _, entry in filter(None, [workspace.index.assessment(night)]):
            for finding in findings_of_entry(workspace.store, entry):
                found |= set(QUERY_ID.findall(repr((finding.exceptions, finding.reviews, finding.disposed)).encode()))
    return sorted(each.decode() for each in found)


def _revisions(workspace: Workspace, night: dt.date, rows: int, named: list[str], spool: Path) -> Iterator[Collected]:
    for dataset, grows in GROWS.items():
        sealed = workspace.index.latest("carrier", dataset, night)
        if sealed is None:  # a planted gap: it stays one
            continue
        wanted = rows // (STATEMENTS_TO_A_LOGIN if dataset.endswith("login_history") else 1)
        (own := spool / dataset).mkdir(mode=0o700)
        yield _repeated(workspace, sealed, grows, wanted, named, own)


def _repeated(
    workspace: Workspace, sealed: SealedEntry, grows: Grows, rows: int, named: list[str], spool: Path
) -> Collected:
    """Write ``rows`` rows of what is ``sealed`` in the layout of a collected night."""
    manifest = Manifest.from_bytes(workspace.store.get(sealed.manifest.path, sha256=sealed.manifest.sha256))
    contract = workspace.contracts[manifest.key.dataset]
    order = [name.lower() for name in (contract.watermark, *contract.key) if name]
    writer = PartWriter(spool, "part", contract.landed_schema, order)
    for batch in _rows(workspace, manifest, grows, rows, named):
        writer.write(batch.select(contract.landed_schema.names).cast(contract.landed_schema))
    parts = writer.close()
    receipt = Receipt.from_json(manifest.receipt)
    digest = hashlib.sha256(
        "".join(part.sha256 for part in parts).encode()
    ).hexdigest()  # stands in: nobody recounts it
    receipt = replace(receipt, landed=sum(part.rows for part in parts), rows_digest=digest)
    key = replace(manifest.key, revision=manifest.key.revision + 1)
    return Collected(key, manifest.kind, manifest.contract, spool, parts, (), receipt, sealed)


def _rows(workspace: Workspace, manifest: Manifest, grows: Grows, rows: int, named: list[str]):
    contract, connection = workspace.contracts[manifest.key.dataset], duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; SET threads = 1")
    connection.execute("CREATE TABLE named AS SELECT unnest(?::varchar[]) AS id", [named])
    files = [str(workspace.path / "store" / part.path) for part in manifest.parts]
    connection.execute(f"CREATE TABLE few AS SELECT * FROM read_parquet({files!r}, hive_partitioning = false)")
    counts = f"SELECT count(*), count(*) FILTER (WHERE {grows.keep}) FROM few"
    ((kept, ordinary),) = connection.execute(counts).fetchall()
    more = max(rows - kept, 0)
    ordinary_rows = f"(SELECT * FROM few WHERE {grows.keep}), range(1, {2 - -more // ordinary}) r(n)"
    repeated = f"SELECT * EXCLUDE (n) REPLACE ({grows.own}) FROM {ordinary_rows} LIMIT {more}"
    whole = f"SELECT * FROM few UNION ALL ({repeated}) ORDER BY {contract.watermark}"
    yield from connection.sql(whole).to_arrow_reader(BATCH)

"""What a night costs besides time: ``python -m benchmarks.night_cost [QUERIES ...]``, by default a demo account with 5,000 statements a night.

*Requests*: the third of three nights is collected, checked, judged and put into a packet of the three, into a bucket with Object Lock (LocalStack); every
request that the store's client sends is counted by its operation, retries too. *Bytes*: what the sealed parts take for a row, dataset by dataset, and what a
night takes beside them; of the demo's texts, which repeat, and once more where no two texts are alike. *Statements*: one night of the whole account over
the wire (the emulator), sorted by what Snowflake needs to answer them; what they cost in seconds nobody can measure without an account.
Counts do not change from round to round, so each is taken once. A size is queries a night.
"""

import datetime as dt
import os
import re
import tempfile
from collections import Counter
from pathlib import Path

try:
    from benchmarks import common
except ImportError:
    import common

from benchmarks import quarter
from tests import job

DEFAULT = (5_000,)
NIGHTS = 3
STEPS = {
    "collect": "collect --jobs 1 --date {last}",
    "check": "check",
    "assess": "assess --jobs 1 --date {last}",
    "packet": "packet quarterly-hipaa --period {first}..{last} --no-recount",
}
MEANT = (0, 3, 5, 7, 8)  # a demo has planted refusals and exceptions
LEAST = 5_000  # queries a night of a quarter's demo account
UNLIKE = 20_000  # rows of which no two texts are alike
WIRE = 400  # statements depend on datasets and integrations, not on rows
SOURCE = """
[sources.acme]
kind = "snowflake"
account = "TESTACCT"
user = "EVIDENCE"
private_key = "file:keys/snowflake.p8"
host = "127.0.0.1"
port = {port}
protocol = "http"
"""


# --- requests ------------------------------------------------------------------------------------------------------------------------------------------


def counted(folder: str, words: str):
    """Run one command of ``evidence`` and count what its S3 clients send."""
    from evidence.cli import app
    from evidence.store import s3_client

    found: Counter[str] = Counter()
    made = s3_client.patient_client

    def watched(*arguments, **named):
        client = made(*arguments, **named)
        client.meta.events.register(
            "before-send.s3", lambda event_name, **_: found.update([event_name.rpartition(".")[2]])
        )
        return client

    s3_client.patient_client = watched

    def run():
        code = app.run(["-w", folder, *words.split()])
        if code not in MEANT:
            raise RuntimeError(f"{words} ended with {code}")
        return dict(found)

    return run


def in_bucket(scratch: Path, url: str, queries: int) -> Path:
    """Return a demo workspace whose store is an empty locked bucket, its first nights sealed and judged."""
    from evidence.cli.workspace import Workspace
    from evidence.demo import Size
    from evidence.store.log import Log
    from evidence.store.s3_client import connect

    bucket = f"night-{queries}"
    connect(endpoint_url=url, region="us-east-1").create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    work = scratch / f"work-{queries}"
    job.workspace(work, Size(nights=NIGHTS, queries=queries))
    place = f'url = "s3://{bucket}/prod"\nendpoint_url = "{url}"\nregion = "us-east-1"\nretention_mode = "COMPLIANCE"\n'
    config = work / "evidence.toml"
    config.write_text(re.sub(r'url = "file:store"\nretention_mode = "NONE".*\n', place, config.read_text()))
    for path in sorted((work / "anchors").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    space = Workspace.open(work)
    Log.init(space.store, space.log_key, anchors=space.anchors)
    space.close()
    for night in quarter.nights_of(NIGHTS)[:-1]:
        job.run("-w", work, "collect", "--date", night, codes=MEANT)
        job.run("-w", work, "assess", "--date", night, codes=MEANT)
    return work


def requests(size: int, scratch: Path, url: str):
    """Yield a row for each step of the last night."""
    work, nights = in_bucket(scratch, url, size), quarter.nights_of(NIGHTS)
    for step, words in STEPS.items():
        took = common.apart("night_cost", "counted", work, words.format(first=nights[0], last=nights[-1]))
        yield common.Row(
            "night",
            f"S3, {step}, {size:,} queries",
            "requests",
            [sum(took.notes.values())],
            notes=dict(sorted(took.notes.items())),
        )


# --- bytes ---------------------------------------------------------------------------------------------------------------------------------------------


def stored(made: Path, nights: list[dt.date], about: str):
    """Yield what the parts of the nights take for a row of each large dataset, and what a night takes beside these."""
    from evidence.cli.workspace import Workspace
    from evidence.snapshot.manifest import Manifest

    workspace = Workspace.open(made)
    rows, size, manifests, windows = Counter(), Counter(), 0, 0
    for dataset in sorted(workspace.contracts):
        for source in workspace.index.sources_of(dataset):
            for entry in filter(None, (workspace.index.latest(source, dataset, night) for night in nights)):
                manifest = Manifest.from_bytes(workspace.store.get(entry.manifest.path, sha256=entry.manifest.sha256))
                rows[dataset] += sum(part.rows for part in manifest.parts)
                size[dataset] += sum(part.size for part in manifest.parts)
                manifests += entry.manifest.size
                windows += 1
    workspace.close()
    large = [dataset for dataset in quarter.GROWS if rows[dataset]]
    for dataset in large:
        yield common.Row(
            "night", f"{dataset}, {about}", "B/row", [size[dataset] / rows[dataset]], notes={"rows": rows[dataset]}
        )
    rest = sum(size.values()) - sum(size[dataset] for dataset in large)
    beside = {"parts of other datasets": rest, "manifests": manifests} | {
        name: _folder(made / "store" / name) for name in ("findings", "log")
    }
    for name, total in beside.items():
        yield common.Row(
            "night",
            f"{name}, {about}",
            "MB/night",
            [total / 1e6 / len(nights)],
            notes={"windows": windows} if name == "manifests" else {},
        )


def _folder(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def unlike(scratch: Path):
    """Yield bytes for a row where no two texts are alike."""
    from tests.servers.large_night import NIGHT, collect_night, write_night

    night = collect_night(write_night(scratch / "exports", UNLIKE), scratch / "work")
    if night.code:
        raise RuntimeError(f"collect ended with {night.code}: {night.said[-2000:]}")
    yield from (row for row in stored(scratch / "work", [NIGHT], "no two texts alike") if row.unit == "B/row")


# --- statements ----------------------------------------------------------------------------------------------------------------------------------------


def wired(folder: str, port: str):
    """Collect the last night of the account behind ``port``, at seven the morning after."""
    from evidence.cli import workspace

    last = quarter.nights_of(2)[-1]
    morning = dt.datetime.combine(last + dt.timedelta(days=1), dt.time(7), dt.UTC)
    workspace.now = lambda: morning
    from evidence.cli import app

    def run():
        return {"code": app.run(["-w", folder, "collect", "--date", str(last)]), "port": port}

    return run


def statements(scratch: Path):
    """Yield how many statements one night of the account takes, by what answers them."""
    from evidence.demo import Size
    from tests.servers.emulated import run_emulator

    last, work = quarter.nights_of(2)[-1], scratch / "wired"
    job.workspace(work, Size(nights=2, users=60, roles=50, tables=160, columns=1000, queries=WIRE))
    with run_emulator(work / "exports") as emulator:
        (work / "keys" / "snowflake.p8").write_bytes(emulator.admit())
        (work / "keys" / "snowflake.p8").chmod(0o600)
        emulator.post("night", {"night": str(last), "clock": f"{last + dt.timedelta(days=1)}T07:00:00+00:00"})
        config = work / "evidence.toml"
        config.write_text(config.read_text().split("[sources.")[0] + SOURCE.format(port=emulator.port))
        took = common.apart("night_cost", "wired", work, emulator.port)
        if took.notes["code"]:
            raise RuntimeError(f"collect ended with {took.notes['code']}")
        sent = Counter(map(kind, emulator.statements()))
        sessions = len(emulator.log("login"))
    for name, count in sorted(sent.items()):
        yield common.Row("night", f"Snowflake, {name}", "statements", [count], notes={"sessions": sessions})


def kind(statement: str) -> str:
    """Return what answers a statement: metadata, no table at all, or a warehouse."""
    if re.match(r"\s*(SHOW|DESC|DESCRIBE)\b", statement, re.IGNORECASE):
        return "SHOW and DESCRIBE"
    return "SELECT of a view" if re.search(r"\bFROM\b", statement, re.IGNORECASE) else "SELECT without a table"


# --- measured ------------------------------------------------------------------------------------------------------------------------------------------


def run(sizes, rounds, folder: Path | None = None):
    """Return rows of requests, bytes and statements; ``folder`` may hold a store of ``benchmarks.quarter``."""
    from tests.servers.localstack import LocalStack

    del rounds
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
    with tempfile.TemporaryDirectory(prefix="evidence-bench-") as name:
        scratch, rows = Path(name), []
        server = LocalStack()
        try:
            for size in sizes:
                rows += requests(size, scratch, server.url)
        finally:
            server.stop()
        for size in sorted({max(size, LEAST) for size in sizes}):
            made = quarter.make(folder or scratch, NIGHTS, NIGHTS * size)
            rows += stored(made, quarter.nights_of(NIGHTS), f"{size:,} queries")
        return [*rows, *unlike(scratch), *statements(scratch)]


if __name__ == "__main__":
    common.alone(run, DEFAULT, __doc__)

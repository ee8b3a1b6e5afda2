"""``evidence export files``: exactly what is committed and in force, at any size; tables over it show that, and no orphan."""

import csv
import datetime as dt
import json
import shutil
import subprocess
from pathlib import Path

import duckdb
import job
import pyarrow as pa
import pytest
import sqlglot
from fakes.sealed_store import FIRST, put_part, seal_snapshots

from evidence.cli import app
from evidence.cli.assess_command import reader_of
from evidence.cli.workspace import Workspace
from evidence.control.engine import population_of
from evidence.datasets.load import load_contracts
from evidence.demo import Size
from evidence.ops.external import hive_type, snowflake, snowflake_type
from evidence.snapshot import canonical, manifest
from evidence.snapshot.entry import Entry, ObjectRef, snapshot_entry_key
from evidence.snapshot.model import Receipt, SnapshotKey
from tests.servers.venvs import ensure

DAY = dt.timedelta(days=1)


def seal(log, night, revision, status, rows, revises=""):
    """Seal a revision of one part with ``rows`` rows, or of none."""
    key, name = SnapshotKey("prod", "snowflake.users", night, revision), f"r{revision}{night:%d}"
    folder = f"data/prod/snowflake.users/date={night}/snapshot={name}"
    parts = (put_part(log.store, f"{folder}/part-0000.parquet", f"{name} {rows}".encode(), rows),) if rows else ()
    receipt = Receipt(
        status, dt.datetime(2026, 7, 2, tzinfo=dt.UTC), landed=rows, quarantined=0, reason="" if rows else "no"
    )
    contract = {"version": 1, "sha256": "0" * 64}
    body = manifest.build(key, "state", name, contract, parts, (), receipt, revises).to_bytes()
    assert log.store.put_if_absent(f"{folder}/_manifest.json", body)
    ref = ObjectRef(f"{folder}/_manifest.json", canonical.sha256_hex(body), len(body))
    log.append(lambda _: [Entry("snapshot", snapshot_entry_key(key), ref, {"status": status, "kind": "state"})])
    return ref.sha256


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    """A workspace and its size before a correction: two nights, one corrected later, a refused one, rows set aside, an orphan."""
    work = tmp_path_factory.mktemp("files") / "work"
    assert app.run(["init", str(work)]) == 0
    opened = Workspace.open(work)
    log = opened.log
    seal_snapshots(log, range(2))
    seal(log, FIRST + 2 * DAY, 0, "denied", 0)
    before = log.size
    first = next(log.entry(n) for n in range(log.size) if log.entry(n).type == "snapshot")
    seal(log, FIRST, 1, "complete", 3, first.object.sha256)
    opened.close()
    orphan = work / "store" / "data/prod/snowflake.users" / f"date={FIRST}" / "snapshot=orphan" / "part-0000.parquet"
    orphan.parent.mkdir()
    orphan.write_bytes(b"nobody committed this")
    return work, before


def exported(work, out, *words):
    assert app.run(["-w", str(work), "export", "files", "--out", str(out), *map(str, words)]) == 0
    with (out / "files.csv").open() as listed, (out / "windows.csv").open() as windows:
        return list(csv.DictReader(listed)), list(csv.DictReader(windows))


def test_the_list_is_what_is_in_force_at_that_size(sealed, tmp_path):
    work, before = sealed
    now, windows = exported(work, tmp_path / "now")
    earlier, _ = exported(work, tmp_path / "earlier", "--at", before)
    assert [(f["night"], f["revision"], f["rows"]) for f in now] == [("2026-07-01", "1", "3"), ("2026-07-02", "0", "2")]
    assert [(f["night"], f["revision"], f["rows"]) for f in earlier] == [
        ("2026-07-01", "0", "2"),
        ("2026-07-02", "0", "2"),
    ]
    for row in now + earlier:
        body = Path(row["uri"].removeprefix("file://")).read_bytes()
        assert (len(body), canonical.sha256_hex(body)) == (int(row["bytes"]), row["sha256"])
        assert "orphan" not in row["path"]
        assert "_quarantine" not in row["path"]
    assert [(w["night"], w["status"], w["files"], w["rows"]) for w in windows][-1] == ("2026-07-03", "denied", "0", "0")
    body = json.loads((tmp_path / "earlier" / "files.json").read_bytes())
    assert body["log_size"] == before
    assert [{name: str(value) for name, value in row.items()} for row in body["files"]] == earlier


def test_manifests_name_the_listed_files_of_complete_windows(sealed, tmp_path):
    place = "s3://acme-evidence/prod"
    now, _ = exported(sealed[0], tmp_path / "out", "--url", place + "/", "--manifests", "s3://acme-other/m")
    texts = {
        str(p.relative_to(tmp_path / "out")): p.read_text() for p in (tmp_path / "out" / "athena").rglob("manifest")
    }
    assert sorted(texts) == [f"athena/snowflake_users/source=prod/night=2026-07-0{n}/manifest" for n in (1, 2)]
    assert "".join(texts[name] for name in sorted(texts)) == "".join(f"{place}/{row['path']}\n" for row in now)
    assert "LOCATION 's3://acme-other/m/snowflake_users/';" in (tmp_path / "out" / "athena.sql").read_text()
    assert f"URL = '{place}/'" in (tmp_path / "out" / "snowflake.sql").read_text()


@pytest.mark.parametrize("words", [("--at", "999"), ("--at", "0"), ("--dataset", "no.such")])
def test_what_is_not_there_is_refused_and_nothing_is_written(sealed, tmp_path, words):
    out = tmp_path / "out"
    assert app.run(["-w", str(sealed[0]), "export", "files", "--out", str(out), *words]) == 2
    assert not list(tmp_path.iterdir())
    out.mkdir()
    assert app.run(["-w", str(sealed[0]), "export", "files", "--out", str(out)]) == 2


def test_the_view_shows_what_is_listed_once_and_no_orphan(sealed, tmp_path):
    """The view's own SQL, over a table that holds what the stage would: every file there is, the orphan's rows too."""
    work = sealed[0]
    now, _ = exported(work, tmp_path / "out")
    text = snowflake({"snowflake.users": pa.schema([("name", pa.string())])}, "s3://acme/prod", "EVIDENCE.OPS")
    statements = [line for line in text.splitlines() if line.startswith(("CREATE TABLE", "CREATE OR REPLACE VIEW"))]
    (check,) = [line.partition(": ")[2] for line in text.splitlines() if line.startswith("-- must give no row")]
    with duckdb.connect() as con:
        con.execute("ATTACH ':memory:' AS EVIDENCE; CREATE SCHEMA EVIDENCE.OPS")
        con.execute("CREATE TABLE EVIDENCE.OPS.SNOWFLAKE_USERS_STORED (NAME TEXT, SEALED_PATH TEXT, SEALED_NIGHT DATE)")
        for statement in statements:
            con.execute(sqlglot.transpile(statement, read="snowflake", write="duckdb")[0])
        for path in sorted((work / "store").glob("data/prod/**/part-0000.parquet")):
            name, rows = str(path.relative_to(work / "store")), 2 if "snapshot=a" in str(path) else 3
            for n in range(rows):
                con.execute("INSERT INTO EVIDENCE.OPS.SNOWFLAKE_USERS_STORED VALUES (?, ?, ?)", [f"u{n}", name, FIRST])
        for _ in range(2):  # loaded twice, and an older list beside it
            for row in now:
                for size in (int(row["log_size"]), 1):
                    values = [size if name == "log_size" else value for name, value in row.items()]
                    con.execute(f"INSERT INTO EVIDENCE.OPS.FILES VALUES ({', '.join('?' * len(row))})", values)
        found = con.execute("SELECT SEALED_MANIFEST, count(*) FROM EVIDENCE.OPS.SNOWFLAKE_USERS GROUP BY 1").fetchall()
        assert dict(found) == {row["manifest_sha256"]: int(row["rows"]) for row in now}
        asked = sqlglot.transpile(check.rstrip(";"), read="snowflake", write="duckdb")[0]
        assert con.execute(asked).fetchall() == []
        con.execute("DELETE FROM EVIDENCE.OPS.SNOWFLAKE_USERS_STORED WHERE SEALED_PATH LIKE '%snapshot=r1%'")
        assert con.execute(asked).fetchall() != []


def test_every_column_has_a_type_elsewhere():
    for contract in load_contracts().values():
        for field in contract.landed_schema:
            assert hive_type(field.type)
            assert snowflake_type(field.type)


SPARK = """
import json, sys
from pyspark.sql import SparkSession
from pyspark.sql.functions import lit
words = json.load(sys.stdin)
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.sql.session.timeZone", "UTC").getOrCreate()
for name, uris in words["tables"].items():
    spark.read.parquet(*uris).withColumn("source", lit("carrier")).createOrReplaceTempView(name)
print("ANSWERS " + json.dumps([sorted(row["item"] for row in spark.sql(sql).collect()) for sql in words["questions"]]))
"""
COUNTED = ("cost-auto-suspend", "network-private-logins", "program-scope-reconciled")


def in_spark(sql):
    tree = sqlglot.parse_one(sql, read="duckdb")
    for table in list(tree.find_all(sqlglot.exp.Table)):
        table.replace(sqlglot.exp.to_table(f"{table.db}_{table.name}".strip("_")))
    return tree.sql("spark")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("java"), reason="needs Java 17")
def test_spark_counts_over_the_listed_files_as_controls_do(tmp_path):
    """The items of three controls' populations, from Spark over the listed files and from the locked engine."""
    work = tmp_path / "work"
    night = dt.date(2026, 7, 1)
    job.workspace(work, Size(nights=1, users=60, roles=50, tables=160, columns=600, queries=120), only=())
    job.run("-w", work, "collect", "--jobs", "1")
    files, _ = exported(work, tmp_path / "out")
    library = Workspace.open(work).library
    needed = {each.dataset for name in COUNTED for each in library.control(name).evidence}
    listed = [row for row in files if row["status"] == "complete" and row["dataset"] in needed]
    tables = {name.replace(".", "_"): [row["uri"] for row in listed if row["dataset"] == name] for name in needed}
    words = {"tables": tables, "questions": [in_spark(library.control(name).population_sql) for name in COUNTED]}
    done = subprocess.run(
        [ensure("spark"), "-c", SPARK],
        input=json.dumps(words),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    theirs = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("ANSWERS"))[8:])
    opened = Workspace.open(work)
    reader = reader_of(opened, dt.datetime(2026, 8, 1, tzinfo=dt.UTC))
    for name, items in zip(COUNTED, theirs, strict=True):
        mine, _ = population_of(library, opened.registers, reader, night, name, opened.engine)
        assert sorted(mine) == items
        assert items
    opened.close()

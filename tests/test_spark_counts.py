"""Spark over the files that ``evidence export files`` lists counts what controls counted: population and what failed, night by night.

The questions are written by hand in Spark's SQL from what the controls say, and share no line with theirs. Beside the listed files lie a part that nobody
committed and a night that was corrected since: the same questions over the folders count otherwise. Spark runs in an environment and a process of its own.
"""

import csv
import datetime as dt
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import job
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from evidence.assess import sealed_findings
from evidence.cli.assess_command import reader_of
from evidence.cli.workspace import Workspace, new_id
from evidence.control.night import Night
from evidence.demo import Size
from evidence.seal import seal
from evidence.snapshot.collected import Collected
from evidence.snapshot.model import Receipt
from evidence.snapshot.spool import PartWriter
from tests.servers.venvs import ensure

SIZE = Size(nights=2, users=60, roles=50, tables=160, columns=600, queries=300)
NIGHTS = [SIZE.night(number) for number in range(SIZE.nights)]
CORRECTED = NIGHTS[1]
JAVA = 17
GHOST = "NOBODY_COMMITTED"
# the dataset of which somebody left a part -> what its rows say that a sealed row does not
ORPHANS = {
    "snowflake.users": [
        {"name": GHOST, "type": "PERSON", "has_password": True},
        {"name": f"{GHOST}_ROBOT", "type": "SERVICE"},
    ],
    "snowflake.login_history": [{"user_name": GHOST}],
    "snowflake.warehouses": [{"name": GHOST}],
}

# What is true of a login on a night, for the questions below.
LOGINS = """
  SELECT u.source, u.night, u.name AS who, u.created_on, u.has_password, u.has_mfa, u.bypass_mfa_until, u.last_success_login,
    u.has_rsa_public_key OR u.has_workload_identity AS keyed, u.has_pat, upper(u.type) AS type, s.user IS NOT NULL AS registered,
    u.deleted_on IS NULL AS live,
    u.deleted_on IS NULL AND NOT lower(u.disabled) <=> 'true' AND coalesce(u.expires_at > m.as_of, true) AS active, m.as_of,
    CASE
      WHEN upper(u.type) IN ('SNOWFLAKE_SERVICE', 'SERVICE_AGENT') OR (array_contains(p.names, u.name) AND NOT u.has_password <=> true AND NOT u.has_rsa_public_key <=> true) THEN 'platform'
      WHEN upper(u.type) IN ('SERVICE', 'LEGACY_SERVICE') OR s.user IS NOT NULL THEN 'service'
      ELSE 'human'
    END AS kind
  FROM snowflake_users u JOIN moments m ON m.night = u.night CROSS JOIN platform p
  LEFT JOIN (SELECT DISTINCT night, user FROM service_accounts) s ON s.night = u.night AND s.user = u.name
"""
QUESTIONS = {
    "identity-mfa-at-login": """
      WITH machines AS (SELECT night, who FROM logins GROUP BY 1, 2 HAVING bool_and(coalesce(type = 'SERVICE', false) OR kind = 'platform')),
      ways AS (
        SELECT l.night, l.user_name AS who, upper(l.first_authentication_factor) AS factor,
          count_if(nullif(trim(l.second_authentication_factor), '') IS NULL) AS single, count_if(NOT upper(l.is_success) <=> 'YES') AS unclear
        FROM snowflake_login_history l LEFT ANTI JOIN machines m ON m.night = l.night AND m.who = l.user_name
        WHERE coalesce(upper(l.event_type), 'LOGIN') = 'LOGIN' AND NOT upper(l.is_success) <=> 'NO'
          AND NOT coalesce(l.client_ip IN ('INTERNAL_SNOWFLAKE_IP/0.0.0.0', '0.0.0.0'), false)
        GROUP BY 1, 2, 3)
      SELECT w.night, count(*), count_if(unclear > 0 OR w.who IS NULL OR factor IS NULL OR NOT (
          factor IN ('SAML2_ASSERTION', 'OAUTH_ACCESS_TOKEN', 'ID_TOKEN') OR (factor = 'PASSWORD' AND single = 0) OR a.user IS NOT NULL))
      FROM ways w LEFT JOIN human_key_allow a ON a.night = w.night AND a.user = w.who
        AND a.kind = CASE WHEN factor IN ('RSA_KEYPAIR', 'KEYPAIR') THEN 'KEYPAIR' WHEN factor = 'PROGRAMMATIC_ACCESS_TOKEN' THEN 'PAT' END
      GROUP BY 1""",
    "identity-dormant": """
      WITH used AS (
        SELECT night, user_name, event_timestamp AS at FROM snowflake_login_history WHERE upper(is_success) = 'YES'
        UNION ALL SELECT night, user_name, start_time FROM snowflake_query_history),
      last AS (SELECT night, user_name, max(at) AS at FROM used GROUP BY 1, 2)
      SELECT u.night, count(*), count_if(b.user IS NULL AND coalesce(greatest(l.at, u.last_success_login), TIMESTAMP '1900-01-01') < u.as_of - INTERVAL 90 DAYS)
      FROM logins u LEFT JOIN last l ON l.night = u.night AND l.user_name = u.who
      LEFT JOIN (SELECT DISTINCT night, user FROM break_glass) b ON b.night = u.night AND b.user = u.who
      WHERE u.active AND u.kind <> 'platform' AND coalesce(u.created_on < u.as_of - INTERVAL 90 DAYS, true)
      GROUP BY 1""",
    "identity-mfa-humans": """
      WITH factors AS (SELECT night, user_name, bool_and(upper(status) = 'PENDING') AS pending FROM snowflake_credentials WHERE upper(domain) = 'MFA_METHOD' GROUP BY 1, 2)
      SELECT u.night, count(*), count_if(NOT (
        coalesce(u.created_on BETWEEN u.as_of - INTERVAL 24 HOURS AND u.as_of, false)
        OR (coalesce(u.has_mfa, false) AND NOT coalesce(f.pending, false) AND NOT coalesce(u.bypass_mfa_until > u.as_of, false))))
      FROM logins u LEFT JOIN factors f ON f.night = u.night AND f.user_name = u.who
      WHERE u.kind = 'human' AND u.active AND NOT u.has_password <=> false
      GROUP BY 1""",
    "identity-service-keypair": """
      WITH passwords AS (SELECT DISTINCT night, user_name FROM snowflake_login_history WHERE upper(first_authentication_factor) = 'PASSWORD' AND NOT upper(is_success) <=> 'NO'),
      items AS (
        SELECT night, who, type = 'SERVICE' AND NOT coalesce(has_password, false) AND keyed AND NOT has_pat AND registered AS fine
        FROM logins WHERE live AND (type IN ('SERVICE', 'LEGACY_SERVICE') OR registered)
        UNION ALL
        SELECT DISTINCT s.night, s.user, false FROM service_accounts s LEFT ANTI JOIN (SELECT * FROM logins WHERE live) l ON l.night = s.night AND l.who = s.user)
      SELECT i.night, count(*), count_if(NOT coalesce(fine, false) OR p.user_name IS NOT NULL)
      FROM items i LEFT JOIN passwords p ON p.night = i.night AND p.user_name = i.who
      GROUP BY 1""",
    "cost-auto-suspend": """
      SELECT w.night, count(*), count_if(NOT coalesce(w.auto_suspend BETWEEN 1 AND 300 AND lower(w.auto_resume) = 'true'
        AND try_cast(t.value AS bigint) BETWEEN 1 AND 14400 AND w.max_cluster_count <= 4, false))
      FROM snowflake_warehouses w LEFT JOIN snowflake_warehouse_parameters t
        ON t.night = w.night AND t.warehouse_name = w.name AND t.key = 'STATEMENT_TIMEOUT_IN_SECONDS'
      WHERE w.name NOT LIKE 'SYSTEM$%'
      GROUP BY 1""",
    "data-phi-bulk-read": """
      WITH touched AS (
        SELECT query_id, user_name, query_start_time, night, o.object_name AS object, explode(o.columns.column_name) AS column
        FROM (SELECT *, explode(base_objects_accessed) AS o FROM snowflake_access_history)),
      ended AS (SELECT query_id, min(night) AS night, max(rows_written_to_result) AS got FROM snowflake_query_history GROUP BY 1),
      reads AS (
        SELECT DISTINCT coalesce(q.night, date_add(t.night, 1)) AS night, t.user_name AS who, t.query_id, t.query_start_time AS at, q.got
        FROM touched t JOIN phi p ON p.night = t.night AND p.object = t.object AND p.column = t.column LEFT JOIN ended q ON q.query_id = t.query_id),
      readers AS (
        SELECT r.night, r.who, sum(got) AS got, sum(CASE WHEN hour(at) >= 20 OR hour(at) < 6 THEN got END) AS off, bool_and(got IS NOT NULL AND at IS NOT NULL) AS told
        FROM reads r LEFT ANTI JOIN (SELECT night, who FROM logins GROUP BY 1, 2 HAVING bool_and(kind <> 'human')) s ON s.night = r.night AND s.who = r.who
        GROUP BY 1, 2),
      beside AS (SELECT *, sum(got) OVER (PARTITION BY night) - got AS others, count(*) OVER (PARTITION BY night) - 1 AS peers FROM readers)
      SELECT night, count(*), count_if(NOT told OR got > 250000 OR off > 50000 OR (got > 10000 AND peers >= 4 AND got * peers > 20 * others)) FROM beside GROUP BY 1""",
}
MISLED = {name for name in QUESTIONS if name != "data-phi-bulk-read"}  # nobody left a part of what this one reads

SPARK = """
import json, sys
from pyspark.sql import SparkSession

said = json.load(sys.stdin)
builder = SparkSession.builder.master("local[1]")
settings = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.sql.session.timeZone": "UTC",
  "spark.sql.shuffle.partitions": "1", "spark.sql.warehouse.dir": said["scratch"], "spark.local.dir": said["scratch"], "spark.driver.memory": "1g"}
for name, value in settings.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
for name, (columns, rows) in said["tables"].items():
    spark.createDataFrame([tuple(row) for row in rows], columns).createOrReplaceTempView(name + "_given")
answers = {}
for read, made in said["read"].items():
    for statement in made["statements"]:
        spark.sql(statement)
    for name, sql in made["views"].items():
        spark.sql(sql).createOrReplaceTempView(name)
    answers[read] = {name: sorted([str(row[0]), row[1], row[2]] for row in spark.sql(sql).collect()) for name, sql in said["questions"].items()}
print("ANSWERS " + json.dumps(answers))
"""


def correct(opened: Workspace, spool: Path) -> None:
    """Seal the sign-ins of a night again, without those of the first three who signed in as people do."""
    sealed = opened.index.latest("carrier", "snowflake.login_history", CORRECTED)
    reader = reader_of(opened, opened.clock())
    manifest = reader.manifest(sealed)
    contract = opened.contracts["snowflake.login_history"]
    rows = pa.concat_tables(
        pq.read_table(opened.path / "store" / part.path, partitioning=None) for part in manifest.parts
    )
    gone = rows.filter(pc.equal(rows["first_authentication_factor"], "SAML2_ASSERTION"))["user_name"].unique()[:3]
    spool.mkdir(mode=0o700)
    order = [name.lower() for name in (contract.watermark, *contract.key) if name]
    writer = PartWriter(spool, "part", contract.landed_schema, order)
    for batch in rows.filter(pc.invert(pc.is_in(rows["user_name"], gone))).cast(contract.landed_schema).to_batches():
        writer.write(batch)
    parts = writer.close()
    receipt = replace(
        Receipt.from_json(manifest.receipt), landed=sum(part.rows for part in parts), rows_digest="0" * 64
    )
    key = replace(manifest.key, revision=1)
    again = Collected(key, manifest.kind, manifest.contract, spool, parts, (), receipt, sealed)
    seal(opened.log, opened.index, [again], new_id)


def leave_orphans(work: Path) -> None:
    """Put beside each night of three datasets what a run leaves that died before its commit: rows of a name that nothing sealed has."""
    for dataset, changes in ORPHANS.items():
        for night in sorted((work / "store" / "data" / "carrier" / dataset).iterdir()):
            part = next(night.glob("snapshot=*/part-0000.parquet"))
            sealed = pq.read_table(part, partitioning=None).slice(0, 1)
            (row,) = sealed.to_pylist()
            (left := night / "snapshot=left").mkdir()
            pq.write_table(
                pa.Table.from_pylist([row | each for each in changes], schema=sealed.schema), left / "part-0000.parquet"
            )


@pytest.fixture(scope="module")
def carrier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Two nights of a small carrier, one corrected, judged by the controls that are asked about; then orphans beside what is sealed."""
    work = tmp_path_factory.mktemp("spark") / "work"
    job.workspace(work, SIZE, only=QUESTIONS)
    job.here("-w", work, "collect", "--jobs", "1")
    opened = Workspace.open(work)
    correct(opened, work.parent / "spool")
    opened.close()
    job.here("-w", work, "assess", "--jobs", "1", codes=(0, 7, 8))
    leave_orphans(work)
    opened = Workspace.open(work)
    yield opened
    opened.close()


def judged(opened: Workspace) -> dict[str, list[list]]:
    """Control -> night, population and what did not pass, as sealed."""
    found: dict[str, list[list]] = {name: [] for name in QUESTIONS}
    for night in NIGHTS:
        for finding in sealed_findings(opened.store, opened.index, night):
            if finding.control in found:
                assert finding.status in {"satisfied", "not-satisfied"}, (finding.control, night, finding.reason)
                found[finding.control].append([str(night), finding.population, finding.population - finding.passed])
    return found


def given(opened: Workspace) -> dict[str, tuple[str, list]]:
    """What no sealed file of a dataset holds: registers, when states were captured, and the objects that are declared to hold PHI."""
    library, registers, reader = opened.library, opened.registers, reader_of(opened, opened.clock())
    controls = [library.control(name) for name in QUESTIONS]
    tables: dict[str, tuple[str, list]] = {
        "service_accounts": ("night string, user string", []),
        "break_glass": ("night string, user string", []),
        "human_key_allow": ("night string, user string, kind string", []),
        "moments": ("night string, as_of string", []),
        "phi": ("night string, object string, column string", []),
        "platform": ("names array<string>", [[library.settings["platform_users"]]]),
    }
    for night in NIGHTS:
        for name in ("service_accounts", "break_glass", "human_key_allow"):
            columns = [each.split()[0] for each in tables[name][0].split(", ")[1:]]
            tables[name][1].extend(
                [str(night), *row.values()] for row in registers.effective(name, night).select(columns).to_pylist()
            )
        captured = reader.snapshot("carrier", "snowflake.users", night).captured_at
        tables["moments"][1].append([str(night), captured.astimezone(dt.UTC).replace(tzinfo=None).isoformat(" ")])
        facts = Night(library, registers, reader, night, opened.clock(), opened.engine.select, controls)
        names = ("database_name", "schema_name", "object_name")
        for row in facts.fact("phi_columns").to_pylist():
            if row["state"] == "declared" and row["column_name"]:
                tables["phi"][1].append([str(night), ".".join(row[name] for name in names), row["column_name"]])
    return tables


def tables_of(files: list[dict[str, str]], store: Path, read: str, placed: str) -> dict:
    """The DDL of docs/formats/files.md, a table for each dataset over just these files; and a view of each with ``placed`` beside its columns."""
    statements, views = [], {}
    for dataset in sorted({row["dataset"] for row in files}):
        name, paths = dataset.replace(".", "_"), ",".join(row["path"] for row in files if row["dataset"] == dataset)
        statements.append(f"CREATE TABLE {read}_{name} USING PARQUET OPTIONS (path 'file://{store}/{{{paths}}}')")
        views[name] = placed.format(f"{read}_{name}")
    return {"statements": statements, "views": views}


def over_folders(files: list[dict[str, str]], store: Path) -> list[dict[str, str]]:
    """What somebody reads who does not read the list: every part that lies where the listed ones do."""
    folders = sorted({(row["dataset"], Path(row["path"]).parents[1]) for row in files})
    return [
        {"dataset": dataset, "path": str(part.relative_to(store))}
        for dataset, folder in folders
        for part in sorted((store / folder).glob("snapshot=*/part-*.parquet"))
    ]


LISTED = "SELECT t.*, f.source, to_date(f.night) AS night FROM {0} t JOIN files f ON f.path = substring_index(t._metadata.file_path, '/', -6)"
LYING_THERE = "SELECT t.*, 'carrier' AS source, to_date(regexp_extract(t._metadata.file_path, 'date=([^/]+)', 1)) AS night FROM {0} t"


@pytest.fixture(scope="module")
def counted(carrier: Workspace, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[list]]]:
    """What Spark answers over the listed files, and over the folders they lie in."""
    scratch = tmp_path_factory.mktemp("scratch")
    out = scratch / "out"
    job.here("-w", carrier.path, "export", "files", "--out", out)
    needed = {each.dataset for name in QUESTIONS for each in carrier.library.control(name).evidence}
    with (out / "files.csv").open() as body:
        files = [row for row in csv.DictReader(body) if row["status"] == "complete" and row["dataset"] in needed]
    store, tables = (carrier.path / "store").resolve(), given(carrier)
    read = {
        "listed": tables_of(files, store, "listed", LISTED),
        "folders": tables_of(over_folders(files, store), store, "folders", LYING_THERE),
    }
    read["listed"]["statements"].append(
        f"CREATE TEMPORARY VIEW files USING CSV OPTIONS (path '{out}/files.csv', header true)"
    )
    casts = {"night": "to_date(night) AS night", "as_of": "to_timestamp(as_of) AS as_of"}
    for name, (columns, _) in tables.items():
        names = [each.split()[0] for each in columns.split(", ")]
        read["listed"]["views"][name] = f"SELECT {', '.join(casts.get(each, each) for each in names)} FROM {name}_given"
    for each in read.values():
        each["views"]["logins"] = LOGINS
    said = {"scratch": str(scratch / "spark"), "tables": tables, "read": read, "questions": QUESTIONS}
    done = subprocess.run(
        [ensure("spark"), "-c", SPARK], input=json.dumps(said), capture_output=True, text=True, timeout=280, check=False, cwd=scratch
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    answers = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("ANSWERS"))[8:])
    nights = {str(night) for night in NIGHTS}
    return {
        how: {name: [row for row in rows if row[0] in nights] for name, rows in found.items()}
        for how, found in answers.items()
    }


def java() -> int:
    """The Java that is installed, 0 for none."""
    if not shutil.which("java"):
        return 0
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, timeout=60, check=False).stderr
    version = said.partition('"')[2].partition(".")[0].strip('"')
    return int(version) if version.isdigit() else 0


pytestmark = [pytest.mark.slow, pytest.mark.skipif(java() < JAVA, reason=f"needs Java {JAVA}")]


@pytest.mark.timeout(600)  # a demo account and a JVM, on a machine with other work
def test_spark_counts_over_the_listed_files_what_controls_counted(carrier: Workspace, counted: dict) -> None:
    sealed = judged(carrier)
    assert counted["listed"] == sealed
    assert all(row[1] for rows in sealed.values() for row in rows), "a population of nobody proves nothing"
    assert sum(any(row[2] for row in rows) for rows in sealed.values()) >= 3, "in at least three something fails"


def test_the_folders_say_something_else(carrier: Workspace, counted: dict) -> None:
    sealed, wrong = judged(carrier), counted["folders"]
    assert {name for name in QUESTIONS if wrong[name] != sealed[name]} == MISLED
    before, after = (
        {row[0]: row[1] for row in each["identity-mfa-at-login"]}[str(CORRECTED)] for each in (wrong, sealed)
    )
    assert before > after + 1, "the revision before the correction is read, too, not only the orphan"

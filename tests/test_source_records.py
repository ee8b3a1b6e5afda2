"""The records source: exports of tickets, rosters, git hosts and scanners, mapped, and proved complete or said to be unproven."""

import csv
import datetime as dt
import io
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence.cli.workspace import Workspace
from evidence.collect import Task, collect
from evidence.control.evidence import part_rows
from evidence.datasets.conform import Drift, conform
from evidence.datasets.load import load_contracts
from evidence.errors import ConfigError, SourceDeniedError, SourceUnavailableError
from evidence.snapshot.model import Window
from evidence.snapshot.redact import Redactor
from evidence.sources import exact
from evidence.sources.document import MappedFiles
from evidence.sources.mapping import parse_mapping
from evidence.sources.open import open_source
from evidence.sources.presets import load_mappings, presets
from evidence.sources.records import RecordsSource
from evidence.sources.tree import walk
from tests.contracts.source import SourceSuite

CONTRACTS = load_contracts()
RECORDS = [name for name in CONTRACTS if name.startswith("records.")]
NIGHT = dt.date(2026, 7, 1)
NOW = dt.datetime(2026, 10, 1, 9, tzinfo=dt.UTC)
TICKET = {
    "system": "servicenow",
    "id": "REQ001",
    "type": "access",
    "status": "closed",
    "summary": "access for the new analyst",
    "opened_at": "2026-06-20T08:00:00Z",
    "approved_at": "2026-06-20T09:00:00Z",
    "approver": "lead@carrier.example",
    "user_name": "ADA",
    "role": "ACTUARIAL",
}
SPAN = {"start": "2026-04-01T00:00:00Z", "end": "2026-07-02T00:00:00Z"}


def put(root, name, body):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    os.utime(path, (1_790_000_000, 1_790_000_000))
    return path


def claim(root, dataset="tickets", **members):
    stated = {"as_of": "2026-07-02T03:00:00Z", "exported_at": "2026-07-03T03:00:00Z", "covers": SPAN, **members}
    body = {"format": "evidence-export-v1", "dataset": f"records.{dataset}", "night": NIGHT.isoformat(), **stated}
    kept = {key: value for key, value in body.items() if value is not None}
    put(root, f"{dataset}/date={NIGHT}/_export.json", json.dumps(kept))


def export(root, body, name="all.csv", dataset="tickets"):
    return put(root, f"{dataset}/date={NIGHT}/{name}", body)


def csv_of(*rows):
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def ndjson(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def source(root, *refs):
    return RecordsSource(
        "records", root, contracts=CONTRACTS, clock=lambda: NOW, mappings=load_mappings(refs, CONTRACTS)
    )


def landed(root, *refs, dataset="tickets", tmp="spool"):
    """Collect one night for real; return the receipt and the sealed rows."""
    contract = CONTRACTS[f"records.{dataset}"]
    spool = root.parent / f"{root.name}-{tmp}"
    spool.mkdir(mode=0o700)
    task = Task(source(root, *refs), contract, Window(NIGHT, contract.kind))
    got = collect(task, Redactor(b"k" * 32, "t1"), spool, lambda: NOW)
    folder = got.spool
    rows = [row for part in got.parts for row in pq.read_table(folder / part.path).to_pylist()]
    return got.receipt, rows, folder


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "exports"
    folder.mkdir()
    return folder


class TestContract(SourceSuite):
    @pytest.fixture
    def contracts(self):
        return CONTRACTS

    @pytest.fixture
    def source(self, root):
        export(root, csv_of(TICKET))
        export(root, json.dumps([TICKET | {"id": "REQ002"}, 7]), "more.json")
        export(root, "{broken", "bad.json")
        claim(root, totals={"rows": 4})
        change = {"change_id": "1", "person_id": "P1", "recorded_at": "2026-07-01T10:00:00Z", "kind": "job"}
        export(root, ndjson(change), "log.ndjson", "roster_changes")
        claim(root, "roster_changes", as_of=None, covers=None, totals={"rows": 1})
        put(root, "tickts/date=2026-07-01/a.csv", csv_of(TICKET))
        return source(root)


def test_a_stated_and_reached_count_is_complete(root):
    export(root, csv_of(TICKET, TICKET | {"id": "REQ002"}))
    claim(
        root, totals={"rows": 2}, exported_by="jo@carrier.example", statements=[{"text": "sys_updated_on>=2026-04-01"}]
    )
    receipt, rows, _ = landed(root)
    assert (receipt.status, receipt.reason, len(rows)) == ("complete", "", 2)
    assert receipt.as_of_claimed
    assert receipt.system == {
        "exported_by": "jo@carrier.example",
        "covers_start": "2026-04-01T00:00:00+00:00",
        "covers_end": "2026-07-02T00:00:00+00:00",
    }
    assert receipt.statements[0].text == "sys_updated_on>=2026-04-01"
    assert rows[0]["approver"] == "lead@carrier.example"  # an identity, kept


@pytest.mark.parametrize(
    ("stated", "why"),
    [
        ({}, "unproven: no row count is stated (totals.rows)"),
        ({"totals": {"rows": 1}, "covers": None}, "unproven: the span that the records cover is not stated (covers)"),
        (
            {"totals": {"rows": 1}, "covers": SPAN | {"end": "2026-07-01T20:00:00Z"}},
            "unproven: covers ends before the night does",
        ),
    ],
)
def test_an_export_that_states_too_little_is_never_complete(root, stated, why):
    export(root, csv_of(TICKET))
    claim(root, **stated)
    receipt, rows, _ = landed(root)
    assert (receipt.status, receipt.reason) == ("incomplete", why)
    assert why in receipt.notes
    assert len(rows) == 1  # what is there can still make a control fail


def test_no_claims_at_all_is_unproven(root):
    export(root, csv_of(TICKET))
    receipt, _, _ = landed(root)
    assert receipt.status == "incomplete"
    assert "unproven: no row count is stated (totals.rows)" in receipt.notes


def test_the_files_source_holds_records_to_the_same_rule(tmp_path):
    put(tmp_path, f"records/tickets/date={NIGHT}/a.csv", csv_of(TICKET))
    opened = open_source("files", "x", contracts=CONTRACTS, clock=lambda: NOW, settings={"path": tmp_path})
    reading = opened.read(CONTRACTS["records.tickets"], Window(NIGHT, "state"))
    list(reading.batches)
    assert reading.totals is None


def test_fewer_rows_than_stated_is_incomplete(root):
    export(root, csv_of(TICKET))
    claim(root, totals={"rows": 2})
    receipt, _, _ = landed(root)
    assert (receipt.status, receipt.differences) == ("incomplete", ("rows 2 / 1",))


def test_a_file_that_did_not_arrive_is_missed(root):
    export(root, csv_of(TICKET))
    claim(root, totals={"rows": 1}, documents=2)
    receipt, _, _ = landed(root)
    assert (receipt.status, receipt.reason) == ("incomplete", "unproven: 2 files are stated, 1 are there")


def test_none_is_said_by_the_exporter(root):
    claim(root, "incidents", totals={"rows": 0})
    receipt, rows, _ = landed(root, dataset="incidents")
    assert (receipt.status, rows) == ("complete", [])
    export(root, "[]", "none.json", "incidents")
    receipt, rows, _ = landed(root, dataset="incidents", tmp="two")
    assert (receipt.status, rows) == ("complete", [])


def test_a_refusal_is_sealed_as_one(root):
    claim(root, status="denied", reason="no read on sc_req_item")
    with pytest.raises(SourceDeniedError):
        source(root).read(CONTRACTS["records.tickets"], Window(NIGHT, "state"))
    assert landed(root)[0].status == "denied"


def test_a_missing_folder_is_not_an_empty_source(tmp_path):
    with pytest.raises(SourceUnavailableError):
        source(tmp_path / "gone").datasets()


def test_a_folder_of_a_misspelled_dataset_is_said(root):
    put(root, "tickts/date=2026-07-01/a.csv", csv_of(TICKET))
    opened = source(root)
    assert opened.datasets() == ["files.unrecognised"]
    contract = CONTRACTS["files.unrecognised"]
    (night,) = opened.nights(contract)
    assert [reason for _, reason in opened.read(contract, Window(night, "state")).rejected] == [
        "tickts/date=2026-07-01/a.csv: not in a folder <dataset>/date=D/"
    ]


def test_a_word_outside_the_vocabulary_is_set_aside(root):
    export(root, csv_of(TICKET, TICKET | {"id": "2", "status": "Closed Complete"}))
    claim(root, totals={"rows": 2})
    receipt, rows, _ = landed(root)
    assert (receipt.status, len(rows)) == ("incomplete", 1)
    assert receipt.quarantine_reasons == {"status: not a word of the contract's vocabulary": 1}


def test_free_text_and_secrets_do_not_land(root):
    planted = ["Jane Roe", "123-45-6789", "MRN 00123456", "ghp_PlantedSecretPlantedSecret"]
    words = "member Jane Roe 123-45-6789 has MRN 00123456"
    export(
        root,
        json.dumps(
            [TICKET | {"summary": words, "description": words, "outcome": words, "labels": [words], "purpose": words}]
        ),
        "a.json",
    )
    claim(root, totals={"rows": 1})
    alert = {
        "repo": "o/r",
        "finding_id": "1",
        "status": "open",
        "found_at": "2026-07-01T00:00:00Z",
        "secret": planted[3],
    }
    export(root, ndjson(alert | {"path": "members/123-45-6789.csv"}), "b.ndjson", "secret_scan")
    claim(root, "secret_scan", totals={"rows": 1})
    for dataset in ("tickets", "secret_scan"):
        receipt, rows, folder = landed(root, dataset=dataset, tmp=dataset)
        assert receipt.status == "complete", receipt
        stored = (
            repr(rows) + repr(receipt) + "".join(p.read_bytes().decode("latin-1") for p in folder.rglob("*.parquet"))
        )
        assert not [text for text in planted if text in stored]
    assert receipt.treated["secret"] == {"dropped": 1}


# --- mappings ---------------------------------------------------------------------------------------------------


OWN = """
name = "ours"
dataset = "records.roster"
requires = ["Mitarbeiter"]
zone = "Europe/Berlin"
[columns]
person_id = "Mitarbeiter"
email = ["Mail", "Mail 2"]
status = "Status"
worker_type = "Art"
terminated_at = "Austritt"
termination_recorded_at = "Gemeldet"
former_logins = "Alt"
[values.status]
aktiv = "active"
weg = "terminated"
[values.worker_type]
intern = "employee"
[otherwise]
worker_type = "contractor"
[times]
termination_recorded_at = ["%d.%m.%Y %H:%M"]
[days]
terminated_at = "end"
[split]
former_logins = ";"
"""
PERSON = {"Mitarbeiter": "P1", "Mail": "", "Mail 2": "a@c.example", "Status": "weg", "Art": "extern",
          "Austritt": "2026-06-30", "Gemeldet": "28.06.2026 14:30", "Alt": "ada; ada.l", "Gehalt": "1", "kind": "x"}  # fmt: skip


@pytest.mark.parametrize("kind", ["csv", "ndjson", "json", "parquet"])
def test_a_mapping_renames_translates_and_reads_dates(root, tmp_path, kind):
    (tmp_path / "ours.toml").write_text(OWN)
    path = export(root, b"", f"all.{kind}", "roster")
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist([PERSON]), path)
    else:
        path.write_text({"csv": csv_of, "ndjson": ndjson, "json": lambda row: json.dumps([row])}[kind](PERSON))
    claim(root, "roster", totals={"rows": 1})
    receipt, (row,), _ = landed(root, str(tmp_path / "ours.toml"), dataset="roster")
    assert receipt.status == "complete", receipt
    assert (row["person_id"], row["email"], row["status"], row["worker_type"]) == (
        "P1", "a@c.example", "terminated", "contractor",
    )  # fmt: skip
    assert row["terminated_at"] == dt.datetime(2026, 6, 30, 22, tzinfo=dt.UTC)  # the end of that day in Berlin
    assert row["termination_recorded_at"] == dt.datetime(2026, 6, 28, 12, 30, tzinfo=dt.UTC)
    assert json.loads(row["former_logins"]) == ["ada", "ada.l"]
    # A column that happens to be called like one of the contract's is not taken for it.
    assert row["kind"] is None
    assert receipt.drift["unknown"] == ("Gehalt", "unmapped:kind")
    assert receipt.system["mapping"].startswith("ours.toml sha256:")


def test_dates_of_parquet_are_moments_only_by_the_mapping(root, tmp_path):
    (tmp_path / "ours.toml").write_text(OWN)
    path = export(root, b"", "a.parquet", "roster")
    reported = dt.datetime(2026, 6, 28, 14, 30)  # noqa: DTZ001 - as files hold it
    pq.write_table(pa.Table.from_pylist([PERSON | {"Austritt": dt.date(2026, 6, 30), "Gemeldet": reported}]), path)
    claim(root, "roster", totals={"rows": 1})
    _, (row,), _ = landed(root, str(tmp_path / "ours.toml"), dataset="roster")
    assert row["terminated_at"] == dt.datetime(2026, 6, 30, 22, tzinfo=dt.UTC)
    assert row["termination_recorded_at"] == dt.datetime(2026, 6, 28, 12, 30, tzinfo=dt.UTC)


def test_an_hour_that_the_clock_showed_twice_is_set_aside(root, tmp_path):
    (tmp_path / "ours.toml").write_text(OWN)
    twice = PERSON | {"Gemeldet": "25.10.2026 02:30"}
    never = PERSON | {"Mitarbeiter": "P2", "Gemeldet": "29.03.2026 02:30"}
    export(root, csv_of(twice, never, PERSON | {"Mitarbeiter": "P3"}), dataset="roster")
    claim(root, "roster", totals={"rows": 3})
    receipt, rows, _ = landed(root, str(tmp_path / "ours.toml"), dataset="roster")
    assert (receipt.quarantined, [row["person_id"] for row in rows]) == (2, ["P3"])


def test_a_row_of_no_known_shape_is_set_aside(root, tmp_path):
    (tmp_path / "ours.toml").write_text(OWN)
    export(root, ndjson(PERSON, {"id": "x"}), "a.ndjson", "roster")
    claim(root, "roster", totals={"rows": 2})
    receipt, rows, _ = landed(root, str(tmp_path / "ours.toml"), dataset="roster")
    assert (receipt.status, len(rows), receipt.quarantined) == ("incomplete", 1, 1)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (('dataset = "records.roster"', 'dataset = "records.rooster"'), "no contract"),
        (('email = ["Mail"', 'e_mail = ["Mail"'), "columns.e_mail"),
        (('status = "Status"', ""), "values.status"),
        (('weg = "terminated"', 'weg = "left"'), "'left' is not in"),
        (('zone = "Europe/Berlin"', 'zone = "Berlin"'), "zone"),
        (("requires", "requries"), "requries"),
        (("[split]", "[constants]\nemail = 'x'\n[split]"), "email is given twice"),
        (('person_id = "Mitarbeiter"', ""), "person_id is required"),
        (("[times]", "[times"), "ours.toml"),
    ],
)
def test_a_mapping_is_held_against_its_contract(change, named):
    with pytest.raises(ConfigError, match=r"ours\.toml") as caught:
        parse_mapping("ours.toml", OWN.replace(*change).encode(), "", CONTRACTS)
    assert named in str(caught.value)
    assert caught.value.fix


def test_a_mapping_that_is_not_there_is_named():
    for ref in ("preset:nothing", "/nowhere/m.toml"):
        with pytest.raises(ConfigError):
            load_mappings([ref], CONTRACTS)


# --- presets: each reads a small answer in the shape of its product ----------------------------------------------


def _both(**fields):
    return {name: {"value": value, "display_value": shown} for name, (value, shown) in fields.items()}


SERVICENOW = _both(
    number=("CHG1", "CHG1"), state=("3", "Closed"), type=("emergency", "Emergency"), start_date=("2026-06-30 01:00:00", "…"),
    end_date=("2026-06-30 03:00:00", "…"), cmdb_ci=("0a1", "CARRIER_MART"), opened_at=("2026-06-29 20:00:00", "…"),
    requested_by=("0b2", "jo@carrier.example"), close_code=("successful", "Successful"),
)  # fmt: skip
ITEM = _both(
    number=("RITM1", "RITM1"), cat_item=("0c3", "Snowflake access"), state=("3", "Closed Complete"),
    requested_for=("0d4", "ADA"), opened_at=("2026-06-29 20:00:00", "…"), u_role=("ACTUARIAL", "ACTUARIAL"),
)  # fmt: skip
INCIDENT = _both(
    number=("SIR1", "SIR1"), severity=("1", "1 - High"), state=("3", "Closed"), opened_at=("2026-06-29 20:00:00", "…"),
    short_description=("a key was found", "…"), closed_at=("2026-06-30 20:00:00", "…"),
)  # fmt: skip
PULL = {
    "repo": "o/r", "number": 7, "state": "MERGED", "isDraft": False, "author": {"login": "ada"}, "headRefOid": "c2",
    "mergeCommit": {"oid": "m1"}, "mergedAt": "2026-06-30T10:00:00Z", "mergedBy": {"login": "bob"}, "baseRefName": "main",
    "reviews": [
        {"author": {"login": "bob"}, "state": "COMMENTED", "submittedAt": "2026-06-30T08:00:00Z", "commit": {"oid": "c1"}},
        {"author": {"login": "bob"}, "state": "APPROVED", "submittedAt": "2026-06-30T09:00:00Z", "commit": {"oid": "c1"}},
    ],
    "commits": [{"oid": "c1", "authors": [{"login": "ada"}]}, {"oid": "c2", "authors": [{"login": "ada"}, {"login": "eve"}]}],
    "labels": [{"name": "schema"}], "files": [{"path": "policies/mask.sql", "additions": 1}],
}  # fmt: skip
EXAMPLES = {
    "servicenow-change": ("tickets", {"result": [SERVICENOW]}, {
        "id": "CHG1", "type": "change", "status": "closed", "emergency": True, "ci": "CARRIER_MART",
        "window_start": dt.datetime(2026, 6, 30, 1, tzinfo=dt.UTC), "requester": "jo@carrier.example"}),
    "servicenow-request": ("tickets", {"result": [ITEM]}, {
        "type": "access", "status": "closed", "user_name": "ADA", "role": "ACTUARIAL"}),
    "servicenow-security-incident": ("incidents", {"result": [INCIDENT]}, {"severity": "high", "status": "closed"}),
    "jira-issues": ("tickets", {"total": 1, "issues": [{"key": "SEC-1", "fields": {
        "issuetype": {"name": "Access request"}, "status": {"name": "Done", "statusCategory": {"key": "done"}},
        "created": "2026-06-29T10:00:00.000+0200", "reporter": {"emailAddress": "jo@carrier.example"},
        "labels": ["prod"]}}]}, {
        "id": "SEC-1", "type": "access", "status": "closed", "labels": '["prod"]',
        "opened_at": dt.datetime(2026, 6, 29, 8, tzinfo=dt.UTC)}),
    "okta-users": ("accounts", [{"id": "00u1", "status": "DEPROVISIONED", "created": "2025-01-01T00:00:00.000Z",
        "statusChanged": "2026-06-30T10:00:00.000Z",
        "profile": {"login": "ada@c.example", "email": "ada@c.example", "employeeNumber": "P1"}}], {
        "account_id": "00u1", "status": "disabled", "person_id": "P1", "system": "okta"}),
    "okta-system-log": ("sign_ins", [{"uuid": "u1", "published": "2026-07-01T08:00:00.123Z",
        "eventType": "user.authentication.auth_via_mfa", "actor": {"id": "00u1", "alternateId": "ada@c.example"},
        "outcome": {"result": "SUCCESS"}, "client": {"ipAddress": "198.51.100.7"},
        "debugContext": {"debugData": {"factor": "FIDO_WEBAUTHN"}},
        "target": [{"type": "User", "displayName": "Ada"}, {"type": "AppInstance", "displayName": "Snowflake"}]}], {
        "result": "success", "second_factor_used": True, "factor": "FIDO_WEBAUTHN", "app": "Snowflake"}),
    "okta-policy-rules": ("sign_on_policies", [{"id": "r1", "policyId": "p1", "app": "Snowflake", "name": "all",
        "status": "ACTIVE", "priority": 1, "conditions": {"people": {"groups": {"include": ["g1"]}}},
        "actions": {"appSignOn": {"access": "ALLOW", "verificationMethod": {"factorMode": "1FA"}}}}], {
        "second_factor_required": False, "status": "active", "groups_included": '["g1"]', "groups_excluded": None}),
    "github-pulls": ("prs", [PULL], {
        "state": "merged", "head_sha": "c2", "merge_sha": "m1", "commit_authors": '["ada","ada","eve"]',
        "approvals": '[{"at":"2026-06-30T09:00:00Z","commit":"c1","user":"bob"}]', "paths": '["policies/mask.sql"]'}),
    "github-runs": ("ci_runs", {"total_count": 1, "workflow_runs": [{"id": 9007199254740993, "run_attempt": 2,
        "name": "build", "head_sha": "c2", "head_branch": "main", "event": "push", "status": "completed",
        "conclusion": "success", "run_started_at": "2026-07-01T08:00:00Z", "updated_at": "2026-07-01T08:10:00Z",
        "actor": {"login": "ada"}, "repository": {"full_name": "o/r"}}]}, {
        "run_id": "9007199254740993", "attempt": 2, "conclusion": "success", "repo": "o/r"}),
    "github-branch-protection": ("branch_protection", {"repo": "o/r", "branch": "main",
        "enforce_admins": {"enabled": False}, "allow_force_pushes": {"enabled": True},
        "required_pull_request_reviews": {"required_approving_review_count": 1, "dismiss_stale_reviews": True,
            "bypass_pull_request_allowances": {"users": [{"login": "root"}]}},
        "required_status_checks": {"strict": True, "contexts": ["build"]}}, {
        "required_approvals": 1, "enforce_admins": False, "allow_force_pushes": True, "protected": True,
        "bypass_actors": '["root"]', "required_checks": '["build"]', "restricted_pushers": None}),
    "github-secret-alerts": ("secret_scan", [{"number": 3, "state": "open", "secret_type": "aws_access_key_id",
        "secret": "AKIAPLANTEDPLANTED12", "validity": "active", "created_at": "2026-06-30T08:00:00Z",
        "repository": {"full_name": "o/r"}}], {"finding_id": "3", "active": True, "status": "open"}),
    "wiz-issues": ("posture_findings", {"data": {"issues": {"totalCount": 1, "nodes": [{"id": "w1",
        "severity": "CRITICAL", "status": "OPEN", "createdAt": "2026-06-30T08:00:00Z", "dueAt": "2026-07-07T08:00:00Z",
        "sourceRule": {"id": "wc-1", "name": "bucket is public"},
        "entitySnapshot": {"name": "phi-landing", "type": "BUCKET", "cloudPlatform": "AWS"},
        "serviceTickets": [{"externalId": "INC7"}]}]}}}, {
        "severity": "critical", "resource": "phi-landing", "ticket_id": "INC7"}),
    "vault-leases": ("secret_leases", [{"request_id": "q", "lease_id": "", "engine": "database", "role": "dbt_prod",
        "data": {"id": "database/creds/dbt_prod/abc", "issue_time": "2026-07-01T08:00:00.123456789Z",
            "expire_time": "2026-07-01T09:00:00.123456789Z", "last_renewal": None, "renewable": True, "ttl": 3600}}], {
        "role": "dbt_prod", "ttl_seconds": 3600, "issued_at": dt.datetime(2026, 7, 1, 8, 0, 0, 123456, tzinfo=dt.UTC)}),
    "datadog-monitors": ("monitors", [{"id": 11, "name": "phi_bulk_read", "type": "query alert", "query": "sum(last_1h)",
        "message": "@oncall look", "overall_state": "OK", "tags": ["team:data"], "created": "2026-01-01T00:00:00Z",
        "creator": {"email": "jo@carrier.example"}}], {"name": "phi_bulk_read", "tags": '["team:data"]'}),
}  # fmt: skip


def test_every_preset_has_an_example():
    assert sorted(EXAMPLES) == presets()


@pytest.mark.parametrize("name", EXAMPLES)
def test_preset(root, name):
    dataset, document, expected = EXAMPLES[name]
    export(root, json.dumps(document), "answer.json", dataset)
    event = CONTRACTS[f"records.{dataset}"].kind == "event"
    counted = load_mappings([f"preset:{name}"], CONTRACTS)[f"records.{dataset}"][0].count
    claim(root, dataset, totals=None if counted else {"rows": 1}, as_of=None if event else "2026-07-02T03:00:00Z")
    receipt, (row,), folder = landed(root, f"preset:{name}", dataset=dataset)
    assert (receipt.status, receipt.reason) == ("complete", ""), receipt
    assert {key: row[key] for key in expected} == expected
    assert set(receipt.drift) <= {"missing"}
    assert b"AKIAPLANTED" not in b"".join(p.read_bytes() for p in folder.rglob("*.parquet"))


def test_the_total_of_the_answer_is_the_count(root):
    pages = [{"total": 3, "issues": EXAMPLES["jira-issues"][1]["issues"]}] * 2
    for number, page in enumerate(pages):
        export(root, json.dumps(page), f"page{number}.json")
    claim(root)
    receipt, _, _ = landed(root, "preset:jira-issues")
    assert receipt.differences == ("rows 3 / 2",)
    export(root, json.dumps(pages[0] | {"total": 4}), "page1.json")
    receipt, _, _ = landed(root, "preset:jira-issues", tmp="two")
    assert receipt.status == "incomplete"
    assert any("do not fit together" in note for note in receipt.notes)


def test_whole_answers_of_several_repositories_add_up(root):
    runs = EXAMPLES["github-runs"][1]
    export(root, json.dumps(runs), "a.json", "ci_runs")
    two = [runs["workflow_runs"][0] | {"id": n} for n in (1, 2)]
    export(root, json.dumps({"total_count": 2, "workflow_runs": two}), "b.json", "ci_runs")
    export(root, json.dumps({"total_count": 0, "workflow_runs": []}), "c.json", "ci_runs")
    claim(root, "ci_runs", as_of=None)
    receipt, rows, _ = landed(root, "preset:github-runs", dataset="ci_runs")
    assert (receipt.status, len(rows), receipt.source_totals.rows) == ("complete", 3, 3)
    export(root, json.dumps({"total_count": 3, "workflow_runs": two}), "b.json", "ci_runs")
    assert landed(root, "preset:github-runs", dataset="ci_runs", tmp="two")[0].status == "incomplete"


def test_an_export_cut_at_the_tools_default_is_not_whole(root):
    export(root, json.dumps([PULL | {"number": n} for n in range(30)]), "a.json", "prs")
    claim(root, "prs", totals={"rows": 30})  # counted in the cut file itself
    receipt, _, _ = landed(root, "preset:github-pulls", dataset="prs")
    assert receipt.status == "incomplete"
    assert any("exactly as many rows" in note for note in receipt.notes)


# --- garbage ----------------------------------------------------------------------------------------------------

GOOD = json.dumps(TICKET)
GARBAGE = {
    "cut.json": (f"[{GOOD}, {GOOD[:40]}".encode(), 0, ["not JSON"]),
    "object.json": (GOOD.encode(), 0, ["no list of rows"]),
    "utf16.json": (json.dumps([TICKET]).encode("utf-16"), 1, []),  # JSON says which it is
    "bom.json": (b"\xef\xbb\xbf" + f"[{GOOD}]".encode(), 1, []),
    "latin.json": (b'[{"id":"\xe9"}]', 0, ["not UTF-8"]),
    "deep.json": (b"[" * 100_000 + b"]" * 100_000, 0, ["nested too deeply"]),
    "deepish.json": (b'[{"id":' + b"[" * 400 + b"]" * 400 + b"}]", 0, ["nested too deeply"]),
    "deepish.ndjson": (b'{"id":' + b"[" * 400 + b"]" * 400 + b"}\n", 0, ["nested too deeply"]),
    "digits.json": (b'[{"id":' + b"9" * 6000 + b"}]", 0, ["more digits"]),
    "surrogate.json": (b'[{"id":"\\ud800"}]', 0, ["surrogate"]),
    "surrogate.ndjson": (b'{"id":"\\ud800"}\n' + GOOD.encode(), 1, ["surrogate"]),
    "twice.json": (b'[{"id":"1","id":"2"}]', 0, ["stands twice"]),
    "empty.json": (b"", 0, []),  # says nothing; the stated total of none does
    "mixed.json": (f"[{GOOD},7,null,[]]".encode(), 1, ["item 2", "item 3", "item 4"]),
    "cut.json.gz": (b"\x1f\x8b\x08\x00garbage", 0, ["cannot be read"]),
    "twins.csv": (b"id,ID\n1,2\n", 0, ["have one name"]),
    "newline.csv": (csv_of(TICKET | {"summary": "two\nlines"}).encode(), 1, []),
    "nul.csv": (csv_of(TICKET, TICKET | {"id": "a\0b"}).encode(), 1, ["NUL"]),
    "latin.csv": (csv_of(TICKET).encode() + csv_of(TICKET).splitlines()[1].replace("REQ", "R\xe9").encode("latin-1"), 1, ["UTF-8"]),
    "ragged.csv": (csv_of(TICKET).encode() + b"only,two\n", 1, ["2 fields"]),
    "strange.xlsx": (b"PK\x03\x04", 0, ["no .parquet"]),
    "not.parquet": (b"PAR1 nothing", 0, ["breaks off"]),
}  # fmt: skip


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_counted_with_its_place_and_never_raises(root, tmp_path, name, mapped):
    body, good, reasons = GARBAGE[name]
    export(root, body, name)
    claim(root, totals={"rows": good + len(reasons)})
    refs = []
    if mapped:
        columns = "\n".join(f'{key} = "{key}"' for key in TICKET)
        (tmp_path / "same.toml").write_text(f'name = "same"\ndataset = "records.tickets"\n[columns]\n{columns}\n')
        refs = [str(tmp_path / "same.toml")]
    reading = source(root, *refs).read(CONTRACTS["records.tickets"], Window(NIGHT, "state"))
    rows = [row for batch in reading.batches for row in batch.to_pylist()]
    found = [reason for _, reason in reading.rejected]
    assert len(rows) == good
    assert len(found) == len(reasons), found
    for wanted, reason in zip(reasons, found, strict=True):
        assert wanted in reason
        assert name in reason
    receipt, _, _ = landed(root, *refs)
    assert receipt.status == ("incomplete" if reasons else "complete"), receipt


def test_links_are_refused(root, tmp_path):
    (tmp_path / "secret.csv").write_text(csv_of(TICKET))
    export(root, csv_of(TICKET))
    (root / f"tickets/date={NIGHT}/link.csv").symlink_to(tmp_path / "secret.csv")
    (root / f"tickets/date={NIGHT}/link.json").symlink_to(tmp_path / "secret.csv")
    claim(root, totals={"rows": 1})
    receipt, rows, _ = landed(root)
    assert (receipt.status, len(rows), receipt.quarantined) == ("incomplete", 1, 2)


def test_a_fractional_and_a_huge_number_keep_their_digits(root):
    export(
        root, '[{"person_id":"P1","course":"c","status":"completed","score":0.1,"extra":1e400}]', "a.json", "training"
    )
    claim(root, "training", totals={"rows": 1})
    receipt, rows, _ = landed(root, dataset="training")
    assert (receipt.status, len(rows)) == ("complete", 1)
    assert receipt.drift["unknown"] == ("extra", "score")


def test_a_key_that_is_somebodys_number_is_not_shown(root):
    export(root, ndjson(TICKET | {"123-45-6789": 1, "n" * 300: 2, "extra": 3}), "a.ndjson")
    claim(root, totals={"rows": 1})
    receipt, _, _ = landed(root)
    assert (receipt.status, receipt.drift["unknown"]) == ("complete", ("?", "extra"))


@pytest.mark.parametrize("name", RECORDS)
def test_a_dataset_takes_a_row_of_its_own_columns(root, name):
    contract = CONTRACTS[name]
    values = {"text": "x", "int": 3, "time": "2026-07-01T08:00:00Z", "bool": True, "json": ["x"], "date": "2026-07-01"}
    row = {column.name: column.values[0] if column.values else values[column.type] for column in contract.columns}
    dataset = name.partition(".")[2]
    export(root, ndjson(row), "a.ndjson", dataset)
    claim(root, dataset, totals={"rows": 1}, as_of=None if contract.kind == "event" else "2026-07-02T03:00:00Z")
    receipt, rows, _ = landed(root, dataset=dataset)
    assert (receipt.status, receipt.reason, receipt.drift) == ("complete", "", {}), receipt
    assert set(rows[0]) == set(contract.landed_schema.names)
    assert all(value is not None for value in rows[0].values())
    assert contract.must_state
    assert contract.page == "docs/formats/records.md"


# --- anything at all ----------------------------------------------------------------------------------------------

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
    | st.sampled_from(["2026-07-01", "2026-07-01 02:30:00", "1782864000", "9" * 30, "true", "{", "[1]", "closed"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc.*", max_size=4), inner, max_size=3),
    max_leaves=8,
)


def nodes(value, path=()):
    yield path
    for key, child in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from nodes(child, (*path, key))


def replaced(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


PLACES = [(name, path) for name, (_, document, _) in EXAMPLES.items() for path in nodes(document)]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(PLACES), value=ANYTHING)
def test_any_answer_is_read_or_set_aside(tmp_path_factory, place, value):
    """A true answer in which one node, anywhere, is something else: rows and rejects, never an error."""
    name, path = place
    dataset, document, _ = EXAMPLES[name]
    contract = CONTRACTS[f"records.{dataset}"]
    file = tmp_path_factory.mktemp("any") / "a.json"
    file.write_text(exact.dumps(replaced(document, path, value)))
    files = MappedFiles(contract, load_mappings([f"preset:{name}"], CONTRACTS)[contract.name])
    (tree,) = walk(file.parent)
    for item in files.decode(tree):
        if isinstance(item, pa.RecordBatch):
            assert conform(item, contract, Drift()).batch.num_rows == item.num_rows
        else:
            assert item.reason.startswith("a.json")
    assert files.stated is None or files.stated >= 0


def test_the_configuration_opens_it(tmp_path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps/ours.toml").write_text(OWN)
    (tmp_path / "evidence.toml").write_text(
        """
        [entity]
        name = "x"
        system = "y"
        [sources.hr]
        kind = "records"
        path = "exports"
        mappings = ["maps/ours.toml", "preset:github-pulls"]
        """
    )
    export(tmp_path / "exports", csv_of(PERSON), dataset="roster")
    opened = Workspace.open(tmp_path).source("hr")
    assert opened.datasets() == ["records.roster"]
    reading = opened.read(CONTRACTS["records.roster"], Window(NIGHT, "state"))
    assert [row["status"] for batch in reading.batches for row in batch.to_pylist()] == ["terminated"]
    assert "maps" not in reading.system["mapping"]  # the receipt names the file and its digest, not the machine's path


def test_a_part_of_an_older_contract_is_read_with_what_it_had(tmp_path):
    contract = CONTRACTS["records.dlq"]
    body = io.BytesIO()
    pq.write_table(pa.table({"queue": ["q"], "messages": [3]}), body)
    rows = part_rows(body.getvalue(), ["queue", "oldest_at", "messages"], contract.landed_schema)
    assert rows.to_pylist() == [{"queue": "q", "oldest_at": None, "messages": 3}]
    assert rows.schema.field("oldest_at").type == contract.landed_schema.field("oldest_at").type

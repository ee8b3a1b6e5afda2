"""dbt Cloud: every run is listed, every step's artifacts are read, and what cannot be shown makes the night incomplete."""

import datetime as dt
import logging
import traceback
import urllib.error

import pytest

from evidence.cli.workspace import Workspace
from evidence.collect import Task, collect, plan
from evidence.datasets.load import load_contracts
from evidence.errors import ConfigError, SourceDeniedError, SourceUnavailableError
from evidence.snapshot.model import Window
from evidence.snapshot.redact import Redactor
from evidence.sources.dbt import DbtSource
from evidence.sources.dbt_cloud import CloudShelf, Scope
from evidence.sources.dbt_cloud_api import CloudApi, Time, api_root
from evidence.store.index import Index
from tests.contracts.source import SourceSuite
from tests.servers.dbt_cloud_stub import ACCOUNT, STATUS, TOKEN, Fault, Step, Stub, serving
from tests.test_source_dbt import MODEL, TEST, catalog, freshness, manifest, results

CONTRACTS = load_contracts()
NODES, RUNS, FRESHNESS = CONTRACTS["dbt.nodes"], CONTRACTS["dbt.run_results"], CONTRACTS["dbt.freshness"]
INVOCATIONS, MANIFEST = CONTRACTS["dbt.invocations"], CONTRACTS["dbt.manifest"]
NOW = dt.datetime(2026, 7, 10, 8, tzinfo=dt.UTC)
NIGHT = dt.date(2026, 7, 1)
DAY = Window(NIGHT, "event")


def generate(moment, invocation):
    rows = [{"unique_id": TEST["unique_id"], "status": "success", "timing": [], "thread_id": "T", "execution_time": 0}]
    return results(moment, invocation, which="generate", target=None) | {"results": rows}


def nightly(day, number):
    """What a job leaves that builds, measures freshness and writes the docs: each step overwrites run_results.json."""
    build, docs, fresh = f"build-{number}", f"docs-{number}", f"fresh-{number}"
    return [
        Step(
            "Invoke dbt with `dbt build --select tag:nightly`",
            {
                "manifest.json": manifest(f"{day}T02:01:00Z", build),
                "run_results.json": results(f"{day}T02:10:00Z", build, target=None),
            },
            status=20,
        ),
        Step(
            "Invoke dbt with `dbt source freshness`",
            {"manifest.json": manifest(f"{day}T02:11:00Z", fresh), "sources.json": freshness(f"{day}T02:12:00Z")},
        ),
        Step(
            "Invoke dbt with `dbt docs generate`",
            {
                "manifest.json": manifest(f"{day}T02:13:00Z", docs),
                "run_results.json": generate(f"{day}T02:14:00Z", docs),
                "catalog.json": catalog(f"{day}T02:15:00Z"),
            },
        ),
    ]


@pytest.fixture
def stub():
    made = Stub()
    for number, day in enumerate(("2026-07-01", "2026-07-02", "2026-07-03"), 101):
        made.add(
            number, nightly(day, number), started=f"{day}T02:00:00+00:00", finished=f"{day}T02:20:00+00:00", status=20
        )
    with serving(made):
        yield made


class Waits(list):
    """A clock that only notes how long it was asked to wait."""

    def timing(self, now=NOW):
        return Time(monotonic=lambda: 0.0, sleep=self.append, now=lambda: now)


def api(stub, waits=None, token=TOKEN):
    return CloudApi(stub.url, ACCOUNT, lambda: token, timing=(waits if waits is not None else Waits()).timing())


def source(stub, scope=None, waits=None, token=TOKEN, **settings):
    shelf = CloudShelf(api(stub, waits, token), scope or Scope())
    return DbtSource("cloud", shelf, clock=lambda: NOW, **settings)


def read(opened, contract, night=NIGHT):
    reading = opened.read(contract, Window(night, contract.kind))
    rows = [row for batch in reading.batches for row in batch.to_pylist()]
    return reading, rows, [reason for _, reason in reading.rejected]


class TestCloud(SourceSuite):
    @pytest.fixture
    def contracts(self):
        return CONTRACTS

    @pytest.fixture
    def source(self, stub):
        return source(stub)


def test_every_step_counts_so_the_docs_do_not_hide_the_build(stub):
    opened = source(stub)
    reading, rows, reasons = read(opened, RUNS)
    assert reasons == []
    assert {(r["invocation_id"], r["unique_id"], r["status"], r["executed"], r["test_evidence"]) for r in rows} == {
        ("build-101", TEST["unique_id"], "fail", True, True),
        ("build-101", MODEL["unique_id"], "success", True, False),
        ("docs-101", TEST["unique_id"], "success", False, False),
    }
    assert {row["target_name"] for row in rows} == {"prod"}  # the job's own: dbt states only a --target
    assert {row["git_sha"] for row in rows} == {"981c5cf1ba299e942c6c277c38c8dec9b0738dd0"}
    assert {row["severity"] for row in rows if row["resource_type"] == "test"} == {"warn"}
    assert reading.system["account"] == str(ACCOUNT)
    assert "1 runs listed for 2026-07-01" in reading.notes
    assert any("runs of CI" in note for note in reading.notes)  # the scope names neither environment nor jobs
    assert len(read(opened, FRESHNESS)[1]) == 2
    _, invocations, _ = read(opened, INVOCATIONS)
    assert [(r["command"], r["cloud_run_id"], r["cloud_job_id"]) for r in invocations] == [
        ("build", "101", "1"),
        ("generate", "101", "1"),
    ]
    assert len(read(opened, MANIFEST)[1]) == 3
    assert stub.methods == {"GET"}


def test_state_is_the_first_manifest_of_the_night_by_its_own_moment(stub):
    opened = source(stub)
    nights = [dt.date(2026, 6, 30), dt.date(2026, 7, 1), dt.date(2026, 7, 2)]
    assert opened.nights(NODES) == nights == opened.nights(CONTRACTS["dbt.catalog"])
    assert opened.nights(RUNS) is None
    reading, rows, reasons = read(opened, NODES)
    assert ({row["invocation_id"] for row in rows}, reasons) == ({"build-102"}, [])
    assert reading.as_of == (dt.datetime(2026, 7, 2, 2, 1, tzinfo=dt.UTC), True)


def test_a_run_over_midnight_is_looked_into_for_its_day(stub):
    step = Step("Invoke dbt with `dbt build`", {"manifest.json": manifest("2026-07-05T23:58:00Z", "late"),
                                               "run_results.json": results("2026-07-06T00:04:00Z", "late")})  # fmt: skip
    stub.add(110, [step], started="2026-07-05T23:55:00+00:00", finished="2026-07-06T00:05:00+00:00")
    opened = source(stub)
    assert dt.date(2026, 7, 4) in opened.nights(NODES)
    assert dt.date(2026, 7, 5) not in opened.nights(NODES)
    assert read(opened, RUNS, dt.date(2026, 7, 5))[1] == []
    assert {row["invocation_id"] for row in read(opened, RUNS, dt.date(2026, 7, 6))[1]} == {"late"}


def test_a_night_without_runs_is_shown_to_have_been_looked_at_and_has_no_rows(stub):
    reading, rows, reasons = read(source(stub, Scope(environment_id=5)), RUNS, dt.date(2026, 7, 5))
    assert (rows, reasons, reading.totals.rows) == ([], [], 0)
    assert reading.notes == ["0 runs listed for 2026-07-05"]
    with pytest.raises(SourceUnavailableError, match="no manifest"):
        read(source(stub), NODES, dt.date(2026, 7, 5))
    assert RUNS.empty_means == "suspect"  # so that no rows never count as a pass


BUILD = "Invoke dbt with `dbt build`"
GAPS = {
    "nothing saved": ([Step(BUILD, status=20)], {"status": 20}, "run 120 of job 1 (Error): finished without artifacts"),
    "no results": (
        [Step(BUILD, {"manifest.json": manifest("2026-07-06T02:01:00Z", "x")}, status=20)],
        {"status": 20},
        "run 120 of job 1 (Error): step 4 left no run_results.json",
    ),
    "running": ([Step(BUILD, status=3)], {"status": 3, "finished": None}, "run 120 of job 1 (Running): not finished"),
    "cancelled midway": (
        [Step(BUILD, status=30)],
        {"status": 30},
        "run 120 of job 1 (Cancelled): finished without artifacts",
    ),
}


@pytest.mark.parametrize("case", GAPS)
def test_a_run_whose_results_cannot_be_shown_makes_the_night_incomplete_by_name(stub, tmp_path, case):
    steps, times, named = GAPS[case]
    stub.add(120, steps, **{"started": "2026-07-06T02:00:00+00:00", "finished": "2026-07-06T02:09:00+00:00"} | times)
    opened = source(stub)
    task = Task(opened, RUNS, Window(dt.date(2026, 7, 6), "event"))
    receipt = collect(task, Redactor(b"k" * 32, "test"), tmp_path, lambda: NOW).receipt
    assert receipt.status == "incomplete"
    assert receipt.quarantined == 1
    assert named in receipt.notes
    reading, _, _ = read(opened, RUNS, dt.date(2026, 7, 1))
    assert not list(reading.rejected)  # other nights are not touched


def test_a_step_of_an_unknown_status_is_asked_too(stub):
    stub.steps[101][3].status = stub.steps[101][5].status = 40
    STATUS[40] = "New"
    _, rows, reasons = read(source(stub), RUNS)
    assert ({row["command"] for row in rows}, reasons) == ({"build", "generate"}, [])


def test_a_step_that_was_never_come_to_is_no_gap(stub):
    stub.steps[101].append(Step(BUILD, status=1))
    assert read(source(stub), RUNS)[2] == []


def test_a_run_cancelled_in_the_queue_is_noted_not_missing(stub):
    stub.add(121, started=None, created="2026-07-06T02:00:00+00:00", finished="2026-07-06T02:05:00+00:00", status=30)
    reading, rows, reasons = read(source(stub), RUNS, dt.date(2026, 7, 6))
    assert (rows, reasons) == ([], [])
    assert "run 121 of job 1 (Cancelled): cancelled before it started" in reading.notes


def test_without_a_list_of_steps_only_the_last_is_in_reach_and_that_is_said(stub):
    stub.lists_steps = False
    _, rows, reasons = read(source(stub), RUNS)
    assert {row["command"] for row in rows} == {"generate"}
    assert any("its steps are not listed" in reason for reason in reasons)


def test_an_artifact_that_is_listed_but_gone_or_unreadable_is_refused_by_name(stub):
    stub.faults = [Fault(r"101/artifacts/run_results.json\?step=4", status=404)]
    reading, rows, reasons = read(source(stub), RUNS)
    assert {row["command"] for row in rows} == {"generate"}
    assert reasons == ["run-101/step-4/run_results.json: listed, but not to be had"]
    assert reading.totals.rows == len(rows) + 1
    stub.faults = [Fault(r"101/artifacts/run_results.json\?step=4", status=200, body=b"{cut")]
    assert "cannot be read as JSON" in read(source(stub), RUNS)[2][0]


def test_a_body_that_changes_between_two_reads_is_refused(stub, monkeypatch):
    monkeypatch.setattr("evidence.sources.dbt_cloud.BODIES", 0)  # every second look is a second request
    opened = source(stub)
    read(opened, RUNS)
    opened._shelved.clear()
    artifacts = stub.steps[101][3].artifacts
    artifacts["run_results.json"] = results("2026-07-01T02:10:00Z", "build-101", target="other")
    _, _, reasons = read(opened, RUNS)
    assert reasons == ["run-101/step-4/run_results.json: cannot be read: changed between two reads"]


@pytest.mark.parametrize(
    ("scope", "ignores", "expected"),
    [
        (Scope(), False, {101, 130, 131, 132}),
        (Scope(job_ids=(1,)), False, {101}),
        (Scope(job_ids=(1, 2)), False, {101, 130}),
        (Scope(environment_id=5, project_id=9), False, {101, 130}),
        (Scope(environment_id=5, project_id=9), True, {101, 130}),
        (Scope(job_ids=(3,)), True, {131}),
    ],
)
def test_only_runs_in_scope_count_even_if_the_server_ignores_the_filter(stub, scope, ignores, expected):
    for number, more in ((130, {"job": 2}), (131, {"job": 3, "environment": 6}), (132, {"job": 4, "project": 8})):
        steps = nightly("2026-07-01", number)
        stub.add(number, steps, started="2026-07-01T02:00:00+00:00", finished="2026-07-01T02:20:00+00:00", **more)
    stub.ignores_filters = ignores
    _, rows, _ = read(source(stub, scope), INVOCATIONS)
    assert {int(row["cloud_run_id"]) for row in rows} == expected


def test_another_target_is_left_out_by_the_jobs_setting(stub):
    ci = "2026-07-01T01:00:00+00:00", "2026-07-01T01:20:00+00:00"
    stub.add(140, nightly("2026-07-01", 140), started=ci[0], finished=ci[1], target="ci")
    opened = source(stub, target="prod")
    reading, rows, _ = read(opened, RUNS)
    assert {row["invocation_id"] for row in rows} == {"build-101", "docs-101"}
    assert any("run-140/step-4" in note and "another target" in note for note in reading.notes)
    reading, rows, _ = read(opened, NODES, dt.date(2026, 6, 30))
    assert {row["invocation_id"] for row in rows} == {"build-101"}  # not the one of CI, though it came first


def fill(stub, count):
    stub.runs.clear()
    for number in range(1, count + 1):
        moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=number)
        stub.add(number, started=moment.isoformat(), finished=(moment + dt.timedelta(minutes=5)).isoformat())


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 199, 200, 298, 299, 300])
def test_paging_gives_every_run_once(stub, count):
    fill(stub, count)
    ids = [run["id"] for page in api(stub).pages("runs/", {"order_by": "-id"}) for run in page]
    assert ids == list(range(count, 0, -1))


def test_the_list_is_read_no_further_back_than_the_night_needs(stub):
    fill(stub, 4000)
    opened = source(stub)
    stub.asked.clear()
    read(opened, RUNS, dt.date(2026, 6, 10))
    assert len([path for path in stub.asked if "offset" in path]) <= 4


def test_runs_that_start_while_the_list_is_read_hide_none(stub):
    fill(stub, 250)

    def one_more(stub, offset):
        stub.add(1000 + offset, started="2026-07-09T00:00:00+00:00", finished="2026-07-09T00:01:00+00:00")

    stub.before_page = one_more
    ids = [run["id"] for page in api(stub).pages("runs/", {"order_by": "-id"}) for run in page]
    assert len(ids) == len(set(ids))
    assert set(range(1, 251)) <= set(ids)


def test_runs_that_vanish_while_the_list_is_read_are_noticed(stub):
    fill(stub, 250)
    stub.before_page = lambda stub, offset: stub.runs.__delitem__(slice(-3, None)) if offset else None
    with pytest.raises(SourceUnavailableError, match="changed while it was read"):
        list(api(stub).pages("runs/", {"order_by": "-id"}))


def test_a_list_that_ends_before_its_own_total_is_refused(stub):
    body = b'{"data": [], "extra": {"pagination": {"count": 0, "total_count": 7}}}'
    stub.faults = [Fault("runs/", status=200, body=body)]
    with pytest.raises(SourceUnavailableError, match="0 of 7 items"):
        list(api(stub).pages("runs/", {}))


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b'{"data": null}', b'{"data": [1]}', b'{"data": [{"id": 1}]}', b"\xff"]
)
def test_an_answer_that_is_not_the_documented_one_is_no_empty_list(stub, body):
    stub.faults = [Fault("runs/", status=200, body=body, times=9)]
    with pytest.raises(SourceUnavailableError):
        read(source(stub), RUNS)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again_after_growing_waits(stub, status):
    waits = Waits()
    stub.faults = [Fault("runs/", status=status, times=3)]
    assert len(read(source(stub, waits=waits), RUNS)[1]) == 3
    assert waits == [1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("after", "wait"), [("7", 7.0), ("Fri, 10 Jul 2026 08:01:30 GMT", 90.0), ("300", 300.0), ("soon", 1.0), ("-1", 1.0)]
)
def test_retry_after_is_honoured(stub, after, wait):
    waits = Waits()
    stub.faults = [Fault("runs/", status=429, headers={"Retry-After": after})]
    read(source(stub, waits=waits), RUNS)
    assert waits == [wait]


def test_waiting_has_an_end(stub):
    waits = Waits()
    stub.faults = [Fault("runs/", status=503, times=99)]
    with pytest.raises(SourceUnavailableError, match="HTTP 503"):
        read(source(stub, waits=waits), RUNS)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0]
    stub.faults = [Fault("runs/", status=429, headers={"Retry-After": "86400"}, times=99)]
    stub.asked.clear()
    with pytest.raises(SourceUnavailableError, match="asks to wait 86400 s"):
        read(source(stub), RUNS)
    assert len(stub.asked) == 1


@pytest.mark.parametrize("out", ["nobody there", "silent", "errors"])
def test_an_account_that_is_out_is_asked_for_a_while_and_every_dataset_says_so(stub, tmp_path, monkeypatch, out):
    """Ten datasets, each with its own listing: without an end to it the night would wait for each."""
    clock = [0.0]
    waits = Waits()

    def sleep(seconds):
        waits.append(seconds)
        clock[0] += seconds

    timing = Time(monotonic=lambda: clock[0], sleep=sleep, now=lambda: NOW)
    asked = stub.asked
    if out == "errors":
        stub.faults = [Fault("runs/", status=503, times=999)]
        cloud = CloudApi(stub.url, ACCOUNT, lambda: TOKEN, timing=timing)
    else:
        asked = []
        cloud = CloudApi(stub.url, ACCOUNT, lambda: TOKEN, timing=timing)

        def answer(request, timeout):
            asked.append(request)
            clock[0] += timeout if out == "silent" else 0
            raise TimeoutError if out == "silent" else urllib.error.URLError(ConnectionRefusedError())

        monkeypatch.setattr(cloud._opener, "open", answer)
    opened = DbtSource("cloud", CloudShelf(cloud, Scope()), clock=lambda: NOW)
    tasks = plan(opened, CONTRACTS, Index(), NOW, since=dt.date(2026, 7, 9))
    assert len({task.contract.name for task in tasks}) > 6
    for number, task in enumerate(tasks):
        receipt = collect(task, Redactor(b"k" * 32, "test"), tmp_path / str(number), lambda: NOW).receipt
        assert receipt.status == "unavailable"
        assert "not asked again in this run" in receipt.reason
    assert len(asked) <= 12
    assert clock[0] <= 200  # seconds, for all of them
    stub.faults = []
    assert read(source(stub), RUNS)[1]  # the next run begins afresh


def test_a_single_artifact_that_only_gives_errors_costs_its_own_night(stub):
    stub.faults = [Fault(r"101/artifacts/manifest.json", status=500, times=6)]
    opened = source(stub)
    with pytest.raises(SourceUnavailableError):
        read(opened, RUNS)
    assert read(opened, RUNS, dt.date(2026, 7, 2))[1]


def test_a_cut_answer_is_asked_for_again_and_never_taken_short(stub):
    stub.faults = [Fault(r"artifacts/run_results.json\?step=4", status=200, body=b'{"metadata": {', cut=True)]
    assert len(read(source(stub), RUNS)[1]) == 3


def test_an_answer_without_end_is_not_read_to_it(stub):
    stub.faults = [Fault("artifacts/manifest.json", status=200, body=b"x" * 5000)]
    with pytest.raises(SourceUnavailableError, match="over 1000 bytes"):
        api(stub).fetch("runs/101/artifacts/manifest.json", limit=1000)


def test_a_refused_token_is_sealed_as_denied_and_told_nowhere(stub, tmp_path, caplog):
    opened = source(stub, token="dbtc_another-secret")
    now = NOW
    tasks = plan(opened, CONTRACTS, Index(), now, since=dt.date(2026, 7, 9))
    assert {task.contract.name for task in tasks} >= {"dbt.nodes", "dbt.run_results"}
    with caplog.at_level(logging.DEBUG):
        for number, task in enumerate(tasks):
            folder = tmp_path / str(number)
            receipt = collect(task, Redactor(b"k" * 32, "test"), folder, lambda: now).receipt
            assert receipt.status == "denied"
            assert "HTTP 401" in receipt.reason
            assert "Job Viewer" in receipt.reason
            assert "secret" not in str(receipt.to_json())
    with pytest.raises(SourceDeniedError) as caught:
        read(opened, RUNS)
    told = "".join(traceback.format_exception(caught.value)) + caplog.text + str(stub.asked)
    assert "another-secret" not in told


def test_the_token_does_not_travel_to_another_host(stub):
    with serving(Stub()) as other:
        stub.faults = [
            Fault("runs/", status=302, headers={"Location": f"{other.url}/api/v2/accounts/{ACCOUNT}/runs/"}, times=9)
        ]
        with pytest.raises(SourceUnavailableError, match="another host"):
            read(source(stub), RUNS)
        assert other.asked == []
    stub.faults = [Fault(r"runs/\?", status=302, headers={"Location": f"{stub.url}/api/v2/accounts/{ACCOUNT}/runs/"})]
    assert list(api(stub).pages("runs/", {}))  # the same host: followed


def test_a_redirect_in_a_circle_ends(stub):
    stub.faults = [
        Fault("runs/", status=302, headers={"Location": f"{stub.url}/api/v2/accounts/{ACCOUNT}/runs/"}, times=99)
    ]
    with pytest.raises(SourceUnavailableError):
        read(source(stub), RUNS)
    assert len(stub.asked) < 10


@pytest.mark.parametrize(
    "host", ["http://cloud.getdbt.com", "ftp://127.0.0.1", "cloud.getdbt.com/api", "a b", "", "user@host"]
)
def test_only_https_or_the_loopback(host):
    with pytest.raises(ConfigError, match="dbt Cloud host"):
        api_root(host)


def test_hosts():
    assert api_root("ab123.us1.dbt.com") == "https://ab123.us1.dbt.com/api/v2"
    assert api_root("https://cloud.getdbt.com/") == "https://cloud.getdbt.com/api/v2"
    assert api_root("http://127.0.0.1:80") == "http://127.0.0.1:80/api/v2"


def workspace(folder, stub, **more):
    (folder / "token").write_text(f"{TOKEN}\n")
    keys = {"host": f'"{stub.url}"', "account_id": ACCOUNT, "token": '"file:token"'} | more
    cloud = ", ".join(f"{key} = {value}" for key, value in keys.items())
    text = f'[entity]\nname = "x"\nsystem = "y"\n[sources.cloud]\nkind = "dbt"\ncloud = {{ {cloud} }}\n'
    (folder / "evidence.toml").write_text(text)
    return Workspace.open(folder)


def test_a_workspace_opens_it_with_a_token_by_reference(stub, tmp_path):
    opened = workspace(tmp_path, stub, environment_id=5, job_ids="[1]", lookback_days=30)
    assert set(opened.datasets_asked()["cloud"]) == {name for name in CONTRACTS if name.startswith("dbt.")}
    assert stub.asked == []  # nothing was connected to
    reading, rows, _ = read(opened.source("cloud"), RUNS)
    assert len(rows) == 3
    assert reading.system | {"host": ""} == {
        "product": "dbt", "host": "", "account": str(ACCOUNT), "environment": "5", "jobs": "1", "dbt_version": "1.9.1",
    }  # fmt: skip
    assert TOKEN not in str(reading.system) + str(reading.statements) + str(reading.notes)


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ('kind = "dbt"', "path or cloud"),
        ('kind = "dbt"\npath = "x"\ncloud = { account_id = 1, token = "env:T" }', "path or cloud"),
        ('kind = "dbt"\ncloud = { account_id = 1, token = "dbtc_in-the-open" }', "cloud.token"),
        ('kind = "dbt"\ncloud = { token = "env:T" }', "cloud.account_id"),
    ],
)
def test_mistakes_in_the_configuration_are_named(tmp_path, section, named):
    (tmp_path / "evidence.toml").write_text(f'[entity]\nname = "x"\nsystem = "y"\n[sources.cloud]\n{section}\n')
    with pytest.raises(ConfigError, match=named) as caught:
        Workspace.open(tmp_path)
    assert "in-the-open" not in str(caught.value)

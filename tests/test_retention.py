"""Retention and legal holds as a user meets them: the command line on a bucket with Object Lock (LocalStack)."""

import datetime as dt
import itertools
import json
import re
import shutil
import types

import pytest
from botocore.exceptions import ClientError
from commands import evidence, said

from evidence.cli import workspace as workspace_module
from evidence.cli.init_command import arrange
from evidence.cli.workspace import Workspace
from evidence.demo import Size, generate
from evidence.errors import ConfigError, MalformedError
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry, ObjectRef
from evidence.store.hold import Holds, LegalHold
from evidence.store.retention import RetentionRule
from evidence.store.s3_client import connect
from evidence.store.sealing import append_new, register_entries
from tests.servers.s3_proxy import run_proxy

pytest_plugins = ["tests.servers.fixtures"]
NUMBER = itertools.count()
FEW = Size(nights=2, users=60, roles=50, tables=60, columns=200, queries=60)
DAY = dt.timedelta(days=1)
SLOW_FAULTS = [pytest.param(fault, marks=pytest.mark.slow) for fault in ("503 after", "slow down", "wrong byte")]


@pytest.fixture(scope="module", autouse=True)
def credentials():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setattr("botocore.endpoint.time", types.SimpleNamespace(sleep=lambda _: None))  # between tries
        yield


@pytest.fixture
def client(s3_server):
    return connect(endpoint_url=s3_server.url, region="us-east-1")


@pytest.fixture
def bucket(client):
    name = f"retention-{next(NUMBER)}"
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports") / "made"
    folder.mkdir()
    generate(folder, FEW)
    return folder


def init(folder, url, bucket, *options, mode="GOVERNANCE", code=0):
    place = ("--endpoint-url", url, "--region", "us-east-1", "--retention-mode", mode, "--retention-days", 30)
    return evidence(
        "init", folder, "--demo", "--size", "none", "--store", f"s3://{bucket}/pre", *place, *options, code=code
    )


@pytest.fixture
def work(tmp_path, exports, s3_server, bucket):
    folder = tmp_path / "work"
    init(folder, s3_server.url, bucket)
    shutil.copytree(exports, folder, dirs_exist_ok=True)
    arrange(folder)
    return folder


def configure(work, **changes):
    """Set keys of [store]; ``retention`` is the whole section."""
    text = (work / "evidence.toml").read_text()
    section = changes.pop("retention", None)
    for key, value in changes.items():
        text = re.sub(rf"(?m)^{key} = \S+", f"{key} = {json.dumps(value)}", text)
    text = re.sub(r'\[retention\]\n(?:".*\n)*\n', "", text)
    if section is not None:
        text = text.replace(
            "[log]", "[retention]\n" + "".join(f'"{k}" = {v}\n' for k, v in section.items()) + "\n[log]"
        )
    (work / "evidence.toml").write_text(text)


def collect(work, *datasets, code=0, nights=("2026-07-01",)):
    chosen = [word for name in datasets for word in ("--dataset", name)]
    for night in nights:
        evidence("-w", work, "collect", "--source", "carrier", *chosen, "--date", night, "--jobs", "1", code=code)


def entries(work):
    log = Workspace.open(work).log
    return [log.entry(index) for index in range(log.size)]


def lock_of(client, bucket, path):
    answer = client.head_object(Bucket=bucket, Key=f"pre/{path}")
    return answer["ObjectLockMode"], answer["ObjectLockRetainUntilDate"] - answer["LastModified"]


def keys(client, bucket, prefix=""):
    return [
        v["Key"].removeprefix("pre/")
        for v in client.list_object_versions(Bucket=bucket, Prefix=f"pre/{prefix}")["Versions"]
    ]


def test_what_is_sealed_is_read_back_and_the_entry_says_until_when(work, client, bucket):
    collect(work, "snowflake.users")
    found = entries(work)
    assert [entry.type for entry in found] == ["store", "retention", "coverage", "snapshot", "pipeline"]
    assert found[1].body == {"mode": "GOVERNANCE", "days": 30, "datasets": {}}
    sealed = found[3]
    head = client.head_object(Bucket=bucket, Key=f"pre/{sealed.object.path}")
    assert sealed.body["retention"] == {
        "mode": "GOVERNANCE", "until": canonical.format_time(head["ObjectLockRetainUntilDate"]),
    }  # fmt: skip
    assert head["ObjectLockRetainUntilDate"] > dt.datetime.now(dt.UTC) + 29 * DAY
    assert "0 sealed objects are kept for less" in evidence("-w", work, "retention", "show", "--check")
    assert all(
        lock_of(client, bucket, key)[0] == "GOVERNANCE"
        for key in keys(client, bucket)
        if key[:5] not in {"probe", "log/c"}
    )


def test_a_lock_that_is_not_there_stops_the_commit(work, client, bucket, s3_server):
    with run_proxy(s3_server.url) as proxy:
        configure(work, endpoint_url=proxy.url)
        size = len(entries(work))
        proxy.plan = lambda r: "unlocked" if r.creates and r.key.endswith("_manifest.json") else None
        collect(work, "snowflake.users", code=9)
        assert len(entries(work)) == size
        proxy.plan = lambda r: "unlocked" if r.creates and "/log/commit/" in r.key else None
        collect(work, "snowflake.users", code=9)
        assert len(entries(work)) > size  # the commit stands, and the run says that its record is not locked


def test_reading_back_costs_one_head_for_each_entry_and_each_record(work, s3_server):
    with run_proxy(s3_server.url) as proxy:
        configure(work, endpoint_url=proxy.url)
        before = len(entries(work))
        proxy.seen.clear()
        collect(work, "snowflake.users", "snowflake.roles", "snowflake.login_history")
        heads = [r for r in proxy.seen if r.method == "HEAD"]
        new = entries(work)[before:]
        records = [r for r in proxy.seen if r.creates and "/log/commit/" in r.key]
        assert len(heads) == sum(entry.object is not None for entry in new) + len(records)


def test_a_dataset_is_kept_longer_and_nothing_is_ever_kept_shorter(work, client, bucket):
    configure(work, retention={"snowflake.users": 90})
    collect(work, "snowflake.users", "snowflake.roles")
    # the promise was sealed by init: what grew since is said, and what is new has the longer lock at once
    shown = said("-w", work, "retention", "show")
    assert "snowflake.users 30 -> 90 days" in shown["pending"]
    span = {key.split("/")[2]: lock_of(client, bucket, key)[1] for key in keys(client, bucket, "data/")}
    assert span["snowflake.users"] > 89 * DAY
    assert 29 * DAY < span["snowflake.roles"] < 31 * DAY
    (record,) = keys(client, bucket, "log/commit/000000000002")
    assert lock_of(client, bucket, record)[1] > 89 * DAY  # the log keeps the longest
    configure(work, retention_days=60, retention={"snowflake.users": 90})
    done = said("-w", work, "retention", "extend")
    assert done["lengthened"] > 3
    assert said("-w", work, "retention", "extend")["lengthened"] == 0
    assert said("-w", work, "retention", "show", "--check") == {
        "promised": {"mode": "GOVERNANCE", "days": 60, "datasets": {"snowflake.users": 90}},
        "configured": {"mode": "GOVERNANCE", "days": 60, "datasets": {"snowflake.users": 90}},
        "pending": "", "checked": True, "short": [],
    }  # fmt: skip
    span = {key.split("/")[2]: lock_of(client, bucket, key)[1] for key in keys(client, bucket, "data/")}
    assert span["snowflake.roles"] > 59 * DAY
    assert all(lock_of(client, bucket, key)[1] > 89 * DAY for key in keys(client, bucket, "log/commit/"))
    for shorter, named in (
        ({"retention_days": 30, "retention": {"snowflake.users": 90}}, "store.retention_days = 30, 60 was promised"),
        ({"retention_days": 60, "retention": {"snowflake.users": 61}}, "90 was promised"),
        ({"retention_days": 60, "retention": {}}, 'retention."snowflake.users" = 60, 90 was promised'),
    ):
        configure(work, **shorter)
        for command in (("collect",), ("assess", "--date", "2026-07-01"), ("retention", "extend")):
            answer = evidence("-w", work, *command, code=3)
            assert named in answer
            assert "set it back" in answer
    configure(work, retention_days=60, retention={"snowflake.user": 90})
    assert "no dataset snowflake.user" in evidence("-w", work, "doctor", code=3)
    configure(work, retention_days=60, retention={"snowflake.users": 10})
    assert "is shorter than store.retention_days" in evidence("-w", work, "collect", code=3)


def test_what_is_in_force_for_years_is_kept_from_when_it_was_last_in_force(work, client, bucket, monkeypatch):
    register = b'{"rows":[]}'
    log = Workspace.open(work).log
    append_new(log, register_entries(log, {"waivers": register}))
    real = dt.datetime.now
    monkeypatch.setattr(workspace_module, "now", lambda: real(dt.UTC) + 20 * DAY)
    evidence("-w", work, "hold", "add", "m", "--reason", "r", "--by", "b", "--source", "none")  # the log goes on
    (path,) = keys(client, bucket, "registers/")
    assert lock_of(client, bucket, path)[1] < 31 * DAY
    evidence("-w", work, "retention", "extend")
    assert 49 * DAY < lock_of(client, bucket, path)[1] < 51 * DAY
    assert said("-w", work, "retention", "extend")["lengthened"] == 0


def test_governance_may_become_compliance_and_not_the_other_way(work, client, bucket):
    collect(work, "snowflake.users")
    configure(work, retention_mode="COMPLIANCE")
    assert "before anybody confirmed it: mode GOVERNANCE -> COMPLIANCE" in evidence("-w", work, "collect", code=3)
    assert "--confirm" in evidence("-w", work, "retention", "extend", code=2)
    assert {lock_of(client, bucket, key)[0] for key in keys(client, bucket, "data/")} == {"GOVERNANCE"}
    evidence("-w", work, "retention", "extend", "--confirm")
    assert {lock_of(client, bucket, key)[0] for key in keys(client, bucket, "data/")} == {"COMPLIANCE"}
    version = client.head_object(Bucket=bucket, Key=f"pre/{keys(client, bucket, 'data/')[0]}")["VersionId"]
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(
            Bucket=bucket,
            Key=f"pre/{keys(client, bucket, 'data/')[0]}",
            VersionId=version,
            BypassGovernanceRetention=True,
        )
    configure(work, retention_days=300)
    assert "30 -> 300 days" in evidence("-w", work, "collect", code=3)
    configure(work, retention_days=30, retention_mode="GOVERNANCE")
    assert "COMPLIANCE was promised" in evidence("-w", work, "collect", code=3)


def test_a_lock_shortened_by_an_administrator_is_named(work, client, bucket):
    collect(work, "snowflake.users")
    manifest = next(entry.object.path for entry in entries(work) if entry.type == "snapshot")
    client.put_object_retention(
        Bucket=bucket, Key=f"pre/{manifest}", BypassGovernanceRetention=True,
        Retention={"Mode": "GOVERNANCE", "RetainUntilDate": dt.datetime.now(dt.UTC) + DAY},
    )  # fmt: skip
    found = said("-w", work, "retention", "show", "--check", code=10)
    assert [each["path"] for each in found["short"]] == [manifest]
    evidence("-w", work, "retention", "extend")
    found = said("-w", work, "retention", "show", "--check")
    assert found["short"] == []


def test_a_legal_hold_outlasts_its_lock_and_covers_what_comes_later(work, client, bucket):
    collect(work, "snowflake.users", "snowflake.roles")
    matter = ("--reason", "Doe v. Plan", "--by", "General Counsel")
    scope = ("--dataset", "snowflake.users", "--until", "2026-07-02")
    evidence("-w", work, "hold", "add", "matter-14", *matter, *scope)
    collect(work, "snowflake.users", nights=("2026-07-02",))

    def held():
        on = set()
        for key in keys(client, bucket, "data/"):
            if client.head_object(Bucket=bucket, Key=f"pre/{key}").get("ObjectLockLegalHoldStatus") == "ON":
                on.add((key.split("/")[2], key.split("/")[3]))
        return on

    users = {("snowflake.users", f"date=2026-07-0{n}") for n in (1, 2)}
    assert held() == users
    key = next(key for key in keys(client, bucket, "data/") if "users" in key)
    version = client.head_object(Bucket=bucket, Key=f"pre/{key}")["VersionId"]
    with pytest.raises(ClientError, match="AccessDenied"):  # the lock could be bypassed, the hold cannot
        client.delete_object(Bucket=bucket, Key=f"pre/{key}", VersionId=version, BypassGovernanceRetention=True)
    evidence("-w", work, "hold", "add", "audit", "--reason", "OCR letter", "--by", "Officer", "--since", "2026-07-02")
    shown = said("-w", work, "hold", "list", "--check")
    assert [(hold["name"], hold["state"]) for hold in shown["holds"]] == [
        ("audit", "standing"),
        ("matter-14", "standing"),
    ]
    assert shown["not_as_recorded"] == []
    release = ("-w", work, "hold", "release", "matter-14", "--reason", "settled", "--by")
    assert "nobody asked" in evidence(*release, "Officer", "--confirm", code=2)
    evidence(*release, "General Counsel")
    assert "asked for the release" in evidence(*release, "Officer", code=2)  # a second request confirms nothing
    assert "nobody confirms what they asked for" in evidence(*release, "general  counsel", "--confirm", code=2)
    assert "General Counsel" in evidence("-w", work, "hold", "list")
    assert "0 objects changed" in evidence("-w", work, "hold", "apply")
    assert held() == users  # half done, it stands
    evidence(*release, "Officer", "--withdraw")
    assert "nobody asked" in evidence(*release, "Officer", "--confirm", code=2)
    evidence(*release, "General Counsel")
    evidence(*release, "Officer", "--confirm")
    assert held() == {("snowflake.users", "date=2026-07-02")}
    client.put_object_legal_hold(Bucket=bucket, Key=f"pre/{next(k for k in keys(client, bucket, 'data/') if '07-02' in k)}",
                                 LegalHold={"Status": "OFF"})  # fmt: skip
    assert len(said("-w", work, "hold", "list", "--check", code=10)["not_as_recorded"]) == 1
    assert "1 objects changed" in evidence("-w", work, "hold", "apply")
    assert "stands already" in evidence("-w", work, "hold", "add", "audit", "--reason", "x", "--by", "y", code=2)
    assert "standing: audit" in evidence("-w", work, "hold", "release", "no", "--reason", "x", "--by", "y", code=2)
    assert [e.key for e in entries(work) if e.type == "hold"] == [
        "matter-14/1",
        "audit/1",
        *(f"matter-14/{n}" for n in range(2, 6)),
    ]


def test_what_a_life_cycle_rule_removed_after_its_lock_is_recorded_and_no_failure(work, client, bucket, monkeypatch):
    collect(work, "snowflake.users", "snowflake.roles")
    evidence("-w", work, "hold", "add", "m", "--reason", "r", "--by", "b", "--dataset", "snowflake.roles")
    evidence("-w", work, "check")
    real = dt.datetime.now

    def later(days):
        monkeypatch.setattr(workspace_module, "now", lambda: real(dt.UTC) + days * DAY)

    def remove(dataset):
        for key in keys(client, bucket, f"data/carrier/{dataset}/"):
            client.put_object_legal_hold(Bucket=bucket, Key=f"pre/{key}", LegalHold={"Status": "OFF"})
            version = client.head_object(Bucket=bucket, Key=f"pre/{key}")["VersionId"]
            client.delete_object(Bucket=bucket, Key=f"pre/{key}", VersionId=version, BypassGovernanceRetention=True)

    def states(code=0):
        found = said("-w", work, "retention", "report", code=code)["nights"]
        return {each["dataset"]: each["state"] for each in found}

    later(40)
    assert states() == {"snowflake.users": "past", "snowflake.roles": "held"}
    remove("snowflake.users")
    later(29)  # as if an administrator had done it before the lock's end
    assert states(code=10)["snowflake.users"] == "lost"
    evidence("-w", work, "check", code=10)
    later(40)
    assert states()["snowflake.users"] == "gone"
    assert "disposed, by rule" in evidence("-w", work, "check", "--explain")
    assert states()["snowflake.users"] == "disposed"
    evidence("-w", work, "retention", "extend")
    evidence("-w", work, "retention", "show", "--check")
    assert "0 objects changed" in evidence("-w", work, "hold", "apply")
    remove("snowflake.roles")
    assert states(code=10)["snowflake.roles"] == "lost"  # the hold stands
    assert said("-w", work, "retention", "record-disposal", code=10)["recorded"] == []


def test_init_asks_for_a_lock_and_a_confirmation_and_leaves_nothing_behind(tmp_path, s3_server, client, bucket):
    folder = tmp_path / "w"
    client.create_bucket(Bucket=f"plain-{bucket}")
    assert "needs a lock" in init(folder, s3_server.url, bucket, mode="", code=2)
    assert "--confirm" in init(folder, s3_server.url, bucket, mode="COMPLIANCE", code=2)
    assert "put-bucket-versioning" in init(folder, s3_server.url, f"plain-{bucket}", code=3)
    assert "a folder keeps no retention" in evidence("init", folder, "--retention-mode", "GOVERNANCE", code=2)
    assert not folder.exists()
    init(folder, s3_server.url, bucket, "--confirm", mode="COMPLIANCE")
    assert entries(folder)[1].body["mode"] == "COMPLIANCE"


def test_a_folder_says_that_it_keeps_nothing(tmp_path):
    evidence("init", tmp_path / "w")
    for command in (
        ("retention", "show"), ("retention", "extend"), ("hold", "list", "--check"),
        ("hold", "add", "x", "--reason", "r", "--by", "b"),
    ):  # fmt: skip
        assert "s3:// store" in evidence("-w", tmp_path / "w", *command, code=3)


@pytest.mark.parametrize("fault", ["reset after", "truncated", *SLOW_FAULTS])
def test_a_night_collected_over_a_bad_line_is_sealed_once(work, client, bucket, s3_server, fault):
    """Every third put, or every third read, goes wrong once; the run ends well and no name has two versions."""
    with run_proxy(s3_server.url) as proxy:
        configure(work, endpoint_url=proxy.url)
        due = itertools.count()
        befallen = []

        def plan(request):
            concerned = (
                request.reads
                if fault in {"truncated", "wrong byte"}
                else request.creates and "probe/" not in request.key
            )
            if concerned and request.target not in befallen and next(due) % 3 == 0:
                befallen.append(request.target)
                return fault
            return None

        proxy.plan = plan
        collect(work, "snowflake.users", "snowflake.roles")
        assert len(befallen) >= 2
        proxy.plan = lambda _: None
        assert [e.type for e in entries(work)].count("snapshot") == 2
        assert said("-w", work, "retention", "show", "--check")["short"] == []
    names = [name for name in keys(client, bucket) if name != "log/checkpoint"]
    assert len(names) == len(set(names))


def test_a_copy_in_a_folder_goes_on_and_says_what_it_does_not_keep(work, client, bucket):
    collect(work, "snowflake.users")
    for key in keys(client, bucket):
        body = client.get_object(Bucket=bucket, Key=f"pre/{key}")["Body"].read()
        (work / "store" / key).parent.mkdir(parents=True, exist_ok=True)
        (work / "store" / key).write_bytes(body)
    shutil.rmtree(work / "store" / "probe")
    text = (work / "evidence.toml").read_text()
    text = re.sub(r"(?m)^url = .*", 'url = "file:store"', text).replace('"GOVERNANCE"', '"NONE"')
    (work / "evidence.toml").write_text(text)
    before = len(entries(work))
    collect(work, "snowflake.roles")
    assert [entry.type for entry in entries(work)[before:]] == ["snapshot", "pipeline"], (
        "the lock is gone: another state"
    )
    answer = evidence("-w", work, "collect", "--source", "products")
    assert "keeps no retention; the log promises GOVERNANCE for 30 days" in answer
    evidence("verify", work / "store", "--trust", work / "trust")


def test_the_bucket_must_be_of_the_account_that_is_named(work, s3_server):
    with run_proxy(s3_server.url) as proxy:
        configure(work, endpoint_url=proxy.url)
        text = (work / "evidence.toml").read_text().replace("[log]", 'bucket_owner = "111122223333"\n\n[log]', 1)
        (work / "evidence.toml").write_text(text)
        collect(work, "snowflake.users")
        assert {r.headers.get("x-amz-expected-bucket-owner") for r in proxy.seen} == {"111122223333"}
        proxy.plan = lambda r: "denied" if r.headers["x-amz-expected-bucket-owner"] != "444455556666" else None
        answer = evidence("-w", work, "collect", code=9)  # as S3 answers when somebody else owns it
        assert "check that account 111122223333 owns it" in answer


def test_the_rule_goes_by_dataset_and_the_rest_keeps_the_longest():
    rule = RetentionRule("GOVERNANCE", 30, {"a.b": 90})
    assert rule.days_of("data/prod/a.b/date=2026-07-01/snapshot=1/part-0000.parquet") == 90
    assert rule.days_of("data/prod/a.c/date=2026-07-01/snapshot=1/_manifest.json") == 30
    for path in ("log/commit/000000000000", "store.json", "findings/x", "registers/x", "packets/x", "data/prod"):
        assert rule.days_of(path) == 90
    assert rule.until("x", dt.datetime(2026, 7, 1, 0, 0, 0, 1, dt.UTC)) == dt.datetime(
        2026, 9, 29, 0, 0, 1, tzinfo=dt.UTC
    )
    with pytest.raises(ConfigError, match="shorter"):
        RetentionRule("GOVERNANCE", 30, {"a.b": 29})
    assert RetentionRule.from_body(rule.to_body()) == rule
    for broken in (
        {},
        {**rule.to_body(), "mode": "NONE"},
        {**rule.to_body(), "days": True},
        {**rule.to_body(), "days": "1"},
    ):
        with pytest.raises(MalformedError):
            RetentionRule.from_body(broken)


def test_what_a_hold_covers():
    at = dt.datetime(2026, 7, 9, tzinfo=dt.UTC)
    ref = ObjectRef("x", "0" * 64, 1)
    night = Entry("snapshot", "prod/a.b/2026-07-02/0", ref)
    other = Entry("snapshot", "prod/a.c/2026-07-02/0", ref)
    judged = Entry("assessment", "2026-07-02/0", ref, {"night": "2026-07-02"})
    packet = Entry("packet", "p", ref)

    def hold(**scope):
        return [LegalHold("h", "r", "b", at, **scope).covers(e) for e in (night, other, judged, packet)]

    assert hold() == [True] * 4
    assert hold(source="prod") == [True, True, False, False]
    assert hold(dataset="a.b") == [True, False, False, False]
    assert hold(since=dt.date(2026, 7, 2), until=dt.date(2026, 7, 2)) == [True, True, True, False]
    assert hold(since=dt.date(2026, 7, 3)) == [False] * 4
    assert not LegalHold("h", "r", "b", at).covers(Entry("coverage", "x"))
    with pytest.raises(MalformedError):
        Holds.of([Entry("hold", "h/1", None, {"action": "placed"})])
    body = LegalHold("h", "r", "b", at).to_body("lifted")
    with pytest.raises(MalformedError, match="lifted"):
        Holds.of([Entry("hold", "h/1", None, body)])


@pytest.mark.slow
def test_a_store_in_a_bucket_is_verified_where_it_lies(work, bucket, client, s3_server, tmp_path):
    evidence("-w", work, "collect")
    words = ("--trust", work / "trust", "--endpoint-url", s3_server.url, "--region", "us-east-1")
    before = client.list_object_versions(Bucket=bucket)["Versions"]
    checks = said("verify", f"s3://{bucket}/pre", *words)
    assert {check["ok"] for check in checks if check["step"] in {"trust", "log", "objects", "retention"}} == {True}
    assert client.list_object_versions(Bucket=bucket)["Versions"] == before, "verifying writes nothing"
    part = next(v["Key"] for v in before if v["Key"].endswith(".parquet"))
    client.put_object(Bucket=bucket, Key=part, Body=b"other")  # a newer version hides nothing: identity is the digest
    assert all(check["ok"] is not False for check in said("verify", f"s3://{bucket}/pre", *words))
    evidence("verify", f"s3://{bucket}/elsewhere", *words, code=10)
    evidence("verify", f"s3://{bucket}/pre", *words, "--reperform", code=2)


def test_the_lock_is_recorded_as_the_server_has_it(work, bucket, client):
    """Each state of the night once: a default lock that is not there, then one that is shorter than the promise."""

    def recorded():
        collect(work, "snowflake.users")
        workspace = Workspace.open(work)
        *_, (_, entry) = workspace.log.entries("pipeline")
        body = json.loads(workspace.store.get(entry.object.path, sha256=entry.object.sha256))
        assert entry.body["retention"]["mode"] == "GOVERNANCE", "the record is locked like everything else"
        (store,) = (part for part in body["state"]["parts"] if part["part"] == "store")
        (clock,) = (part for part in body["run"]["parts"] if part["part"] == "clock")
        assert abs(clock["offset_seconds"]) <= 5
        return store, sum(1 for _ in workspace.log.entries("pipeline"))

    store, count = recorded()
    assert (store["kind"], store["versioning"], store["lock"], store["lock_mode"]) == ("s3", True, True, None)
    assert (store["promised_mode"], store["promised_days"]) == ("GOVERNANCE", 30)
    assert recorded()[1] == count, "the same again is sealed already"
    rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 29}}}
    client.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=rule)
    store, more = recorded()
    assert (store["lock_mode"], store["lock_days"], more) == ("GOVERNANCE", 29, count + 1)

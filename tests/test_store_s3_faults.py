"""Whatever happens between us and S3: one object per name, no wrong body accepted, and the next run completes.

A proxy in front of LocalStack gives each fault to the requests of an append, a collect and a read, one by one.
"""

import datetime as dt
import hashlib
import itertools
import types

import pytest
from fakes.memory_store import MemoryAnchor
from fakes.sealed_store import KEY, put_snapshot

from evidence.errors import EvidenceError, MalformedError, StoreError, VerificationError
from evidence.store.check import check_store
from evidence.store.log import Log
from evidence.store.s3 import S3Store
from evidence.store.s3_client import connect, patient_client
from evidence.store.sealing import append_new
from tests.servers.s3_proxy import FAULTS, REFUSALS, run_proxy

pytest_plugins = ["tests.servers.fixtures"]
NUMBER = itertools.count()
PATIENCE = {
    "hang": 0.4
}  # seconds without bytes before the client gives up; else so many that a busy machine is no fault
WRONG = ("truncated", "short", "wrong byte", "lying")
TRANSPORT = tuple(
    fault for fault in FAULTS if fault not in {*WRONG, "slow", "unlocked", "unconditional", "denied", "denied after"}
)
BODY = bytes(range(256)) * 40


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Without the waits between tries; credentials as LocalStack takes them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setattr("botocore.endpoint.time", types.SimpleNamespace(sleep=lambda _: None))
        yield


@pytest.fixture(scope="module")
def proxy(s3_server):
    with run_proxy(s3_server.url) as running:
        running.hang = PATIENCE["hang"] * 2
        yield running


@pytest.fixture(autouse=True)
def calm(proxy):
    yield
    proxy.plan = lambda _: None


@pytest.fixture
def bucket(s3_server):
    name = f"faults-{next(NUMBER)}"
    connect(endpoint_url=s3_server.url, region="us-east-1").create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


def opened(url, bucket, fault="", attempts=2):
    client = patient_client(url, "us-east-1", attempts=attempts, read_timeout=PATIENCE.get(fault, 20))
    return S3Store(client, bucket, "pre", mode="COMPLIANCE", retention_days=1, clock=lambda: dt.datetime.now(dt.UTC))


def versions(s3_server, bucket, key):
    client = connect(endpoint_url=s3_server.url, region="us-east-1")
    return client.list_object_versions(Bucket=bucket, Prefix=f"pre/{key}").get("Versions", [])


def once(wanted, fault):
    """A plan: ``fault`` for the first request that ``wanted`` picks, nothing after it."""
    left = [fault]
    return lambda request: left.pop() if left and wanted(request) else None


def puts_of(key):
    return lambda request: request.creates and request.key == f"pre/{key}"


@pytest.mark.parametrize("fault", TRANSPORT)
def test_a_put_that_is_repeated_makes_one_object_and_says_so(fault, proxy, bucket, s3_server):
    store = opened(proxy.url, bucket, fault)
    assert store.writable
    proxy.plan = once(puts_of("data/a"), fault)
    assert store.put_if_absent("data/a", BODY) is True  # ours, whether the first request or the second made it
    tries = [request for request in proxy.seen if puts_of("data/a")(request) and bucket in request.target]
    assert [request.fault for request in tries] == [fault, None]
    assert len(versions(s3_server, bucket, "data/a")) == 1
    assert store.get("data/a") == BODY
    assert store.put_if_absent("data/a", BODY) is False  # and the name is taken


def test_a_repeated_put_never_claims_what_another_put(proxy, bucket, s3_server):
    mine, other = opened(proxy.url, bucket), opened(s3_server.url, bucket)
    assert mine.writable

    def meanwhile(request):
        if puts_of("data/a")(request) and not versions(s3_server, bucket, "data/a"):
            assert other.put_if_absent("data/a", b"another")
            return "reset before"
        return None

    proxy.plan = meanwhile
    assert mine.put_if_absent("data/a", BODY) is False
    assert [each["Size"] for each in versions(s3_server, bucket, "data/a")] == [len(b"another")]


@pytest.mark.parametrize("fault", TRANSPORT)
def test_a_put_that_never_gets_an_answer_is_an_error_and_at_most_one_object(fault, proxy, bucket, s3_server):
    store = opened(proxy.url, bucket, fault)
    assert store.writable
    proxy.plan = lambda request: fault if puts_of("data/a")(request) else None
    with pytest.raises(StoreError):
        store.put_if_absent("data/a", BODY)
    carried_out = fault.endswith(" after") or fault == "hang"
    assert len(versions(s3_server, bucket, "data/a")) == carried_out


@pytest.mark.parametrize("fault", [*WRONG, *TRANSPORT, "slow"])
def test_a_read_gives_the_true_bytes_or_an_error(fault, proxy, bucket):
    store = opened(proxy.url, bucket, fault)
    store.put_if_absent("data/a", BODY)
    digest = hashlib.sha256(BODY).hexdigest()
    proxy.plan = once(lambda request: request.reads, fault)
    assert store.get("data/a", sha256=digest) == BODY  # once wrong: read again, or an older version is looked at
    proxy.plan = lambda request: fault if request.reads else None
    if fault == "slow":
        assert store.get("data/a", sha256=digest) == BODY
        return
    with pytest.raises((StoreError, VerificationError)):
        store.get("data/a", sha256=digest)
    if fault != "lying":  # with a checksum that fits, only a digest tells
        with pytest.raises(StoreError):
            store.get("data/a")


def test_a_server_that_alters_commit_records_is_found_by_their_signature(proxy, bucket):
    log = Log.init(opened(proxy.url, bucket), KEY, anchors=[MemoryAnchor()])
    proxy.plan = lambda request: "lying" if request.reads and "log/commit" in request.key else None
    with pytest.raises((MalformedError, VerificationError)):
        Log.open(log.store, signer=KEY, anchors=log._anchors)


def night(store, anchor, numbers=(0, 1)):
    """Open the log and seal what is not sealed yet: parts and manifests, one commit."""
    log = Log.open(store, signer=KEY, anchors=[anchor])
    due = [n for n in numbers if log.find("snapshot", f"prod/snowflake.users/2026-07-0{n + 1}/0") is None]
    append_new(log, [put_snapshot(store, n, tag=f"t{next(NUMBER)}x") for n in due])
    return log


@pytest.fixture(scope="module")
def calls(proxy, s3_server):
    """How many requests a night makes."""
    name = f"faults-{next(NUMBER)}"
    connect(endpoint_url=s3_server.url, region="us-east-1").create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    anchor = MemoryAnchor()
    Log.init(opened(s3_server.url, name), KEY, anchors=[anchor])
    before = len(proxy.seen)
    night(opened(proxy.url, name), anchor)
    return len(proxy.seen) - before


def check_night(fault, at, proxy, bucket, s3_server, persistent):
    """Seal a night with one request befallen (``persistent``: every one from it on), then again without."""
    anchor = MemoryAnchor()
    Log.init(opened(s3_server.url, bucket), KEY, anchors=[anchor])
    start = len(proxy.seen)
    proxy.plan = lambda r: fault if (r.number >= start + at if persistent else r.number == start + at) else None
    what, outcome = f"{fault} at {at}", "done"
    try:
        night(opened(proxy.url, bucket, fault), anchor)
    except (EvidenceError, OSError) as exc:
        outcome = f"{type(exc).__name__}: {exc}"
    proxy.plan = lambda _: None
    plain = opened(s3_server.url, bucket)
    bad = [c for c in check_store(plain, trust=KEY.vkey, checkpoint=anchor.signed) if c.ok is False]
    assert bad == [], (what, outcome)
    log = night(plain, anchor)
    assert [e.key for _, e in log.entries("snapshot")] == [f"prod/snowflake.users/2026-07-0{n}/0" for n in (1, 2)], what
    for path in plain.list("log/commit/"):
        assert len(versions(s3_server, bucket, path)) == 1, (what, path)
    return outcome


SOME = [
    "503 after",
    "truncated",
    *(pytest.param(each, marks=pytest.mark.slow) for each in ("reset after", "wrong byte")),
]


@pytest.mark.parametrize("fault", SOME)
def test_a_night_with_a_fault_in_its_middle_is_sealed_once(fault, proxy, bucket, s3_server, calls):
    for at in (calls // 2, calls - 5):
        check_night(fault, at, proxy, bucket, s3_server, persistent=False)
        bucket = f"faults-{next(NUMBER)}"
        connect(endpoint_url=s3_server.url, region="us-east-1").create_bucket(
            Bucket=bucket, ObjectLockEnabledForBucket=True
        )


@pytest.mark.slow
@pytest.mark.parametrize("persistent", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in {"unlocked", "unconditional", "slow"}])
def test_one_fault_at_every_request_of_a_night(fault, persistent, proxy, s3_server, calls):
    client = connect(endpoint_url=s3_server.url, region="us-east-1")
    step = (
        4 if persistent or fault in {"hang", *REFUSALS} else 2
    )  # each request of a night was tried once; this keeps watch
    outcomes = set()
    for at in range(0, calls, step):
        bucket = f"faults-{next(NUMBER)}"
        client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
        outcomes.add(check_night(fault, at, proxy, bucket, s3_server, persistent))
    assert not persistent or any(outcome != "done" for outcome in outcomes)


def test_what_loses_its_lock_on_the_way_is_never_committed(proxy, bucket, s3_server):
    anchor = MemoryAnchor()
    log = Log.init(opened(s3_server.url, bucket), KEY, anchors=[anchor])
    proxy.plan = once(lambda r: r.creates and r.key.endswith("_manifest.json"), "unlocked")
    with pytest.raises(StoreError, match="no lock"):
        night(opened(proxy.url, bucket), anchor)
    log.refresh()
    assert log.size == 1


def test_a_way_that_drops_conditions_is_seen_before_anything_is_put(proxy, bucket, s3_server):
    proxy.plan = lambda r: "unconditional" if r.method == "PUT" else None
    store = opened(proxy.url, bucket)
    with pytest.raises(StoreError, match="If-None-Match"):
        store.put_if_absent("data/a", BODY)
    assert versions(s3_server, bucket, "data/a") == []


@pytest.mark.parametrize("fault", ["truncated", "short"])
def test_a_listing_that_breaks_off_is_asked_for_again_and_never_taken_for_the_whole(fault, proxy, bucket):
    store = opened(proxy.url, bucket)
    for number in range(3):
        store.put_if_absent(f"data/{number}", b"x")

    def lists(request):
        return request.method == "GET" and not request.key

    proxy.plan = once(lists, fault)
    assert list(store.list("data/")) == ["data/0", "data/1", "data/2"]
    proxy.plan = lambda request: fault if lists(request) else None
    with pytest.raises(StoreError):
        list(store.list("data/"))

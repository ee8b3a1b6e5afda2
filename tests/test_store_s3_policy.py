"""The policy of the bucket, judged on what we really send: nothing we send is denied, and every attack is, by the named statement.

The requests are recorded by a proxy while a log is made, appended to, lengthened and held on LocalStack. The judge below knows
the few operators that the document uses; tests/test_store_radosgw.py shows the same document enforced by a server.
"""

import contextlib
import datetime as dt
import fnmatch
import io
import itertools
import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from fakes.memory_store import MemoryAnchor
from fakes.sealed_store import KEY, put_snapshot

from evidence.cli.app import run
from evidence.store import holding, promise
from evidence.store.hold import LegalHold
from evidence.store.log import Log
from evidence.store.s3 import S3Store
from evidence.store.s3_client import connect
from evidence.store.s3_policy import SEALED, bucket_policy, collector_policy
from evidence.store.sealing import append_new
from tests.servers.s3_proxy import run_proxy

pytest_plugins = ["tests.servers.fixtures"]
NUMBER = itertools.count()
DAYS = 30


def action_of(method, key, query):
    """The IAM action of a request (Service Authorization Reference, Amazon S3), as far as we or an attacker here send it."""
    sub = {"retention": "ObjectRetention", "legal-hold": "ObjectLegalHold"}
    kind = next((name for word, name in sub.items() if word in query), "Object")
    if not key:
        names = {"versioning": "GetBucketVersioning", "object-lock": "GetBucketObjectLockConfiguration"}
        return "s3:" + next(
            (name for word, name in names.items() if word in query),
            "ListBucketVersions" if "versions" in query else "ListBucket",
        )
    if method == "DELETE":
        return "s3:DeleteObjectVersion" if "versionId" in query else "s3:DeleteObject"
    if method == "PUT":
        return f"s3:Put{kind}"
    return "s3:GetObjectVersion" if "versionId" in query else f"s3:Get{kind}"


def context_of(headers, moment):
    """The condition keys that S3 takes from a request."""
    lower = {name.lower(): value for name, value in headers.items()}
    found = {"aws:SecureTransport": "false"}
    if "if-none-match" in lower:
        found["s3:if-none-match"] = lower["if-none-match"]
    if "x-amz-object-lock-mode" in lower:
        found["s3:object-lock-mode"] = lower["x-amz-object-lock-mode"]
    if until := lower.get("x-amz-object-lock-retain-until-date"):
        left = dt.datetime.fromisoformat(until) - moment
        found["s3:object-lock-remaining-retention-days"] = str(left.days)
    return found


def holds(condition, context):
    for operator, pairs in condition.items():
        for key, wanted in pairs.items():
            value = context.get(key)
            met = {
                "Null": lambda v, w: (v is None) == (w == "true"),
                "Bool": lambda v, w: v == w,
                "NumericLessThan": lambda v, w: v is not None and float(v) < float(w),
            }[operator](value, wanted)
            if not met:
                return False
    return True


def matched(document, effect, action, resource, context):
    """Sids of the statements of that effect that apply; an Action or Resource may end in a wildcard."""
    return [
        each["Sid"] for each in document["Statement"]
        if each["Effect"] == effect
        and any(fnmatch.fnmatchcase(action, pattern) for pattern in each["Action"])
        and any(fnmatch.fnmatchcase(resource, pattern) for pattern in each["Resource"])
        and holds(each.get("Condition", {}), context)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def recorded(s3_server):
    """Every request of a night, a longer lock, a hold and its release."""
    with pytest.MonkeyPatch.context() as patch, run_proxy(s3_server.url) as proxy:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        connect(endpoint_url=s3_server.url, region="us-east-1").create_bucket(
            Bucket="policed", ObjectLockEnabledForBucket=True
        )

        def opened(days):
            client = connect(endpoint_url=proxy.url, region="us-east-1")
            return S3Store(
                client, "policed", "pre", mode="GOVERNANCE", retention_days=days, clock=lambda: dt.datetime.now(dt.UTC)
            )

        words = {"anchors": [MemoryAnchor()], "clock": lambda: dt.datetime.now(dt.UTC)}
        log = Log.init(opened(DAYS), KEY, retention_days=DAYS, **words)
        promise.seal_promise(log)
        append_new(log, [put_snapshot(log.store, number) for number in range(2)])
        log = Log.open(opened(DAYS + 9), signer=KEY, retention_days=DAYS + 9, **words)
        assert promise.extend(log).lengthened
        at = dt.datetime.now(dt.UTC)
        assert holding.add(log, LegalHold("h", "r", "b", at))
        holding.ask(log, "h", reason="r", by="b", at=at)
        assert holding.release(log, "h", reason="r", by="c", at=at)
        yield proxy.seen


def test_nothing_that_we_send_is_denied_and_all_of_it_is_granted(recorded):
    document = bucket_policy("policed", "pre", DAYS, tls=False)
    granted = collector_policy("policed", "pre")
    used = set()
    for request in recorded:
        parts = urlsplit(request.target)
        query = parse_qs(parts.query, keep_blank_values=True)
        action = action_of(request.method, request.key, query)
        resource = "arn:aws:s3:::policed" + (f"/{request.key}" if request.key else "")
        context = context_of(request.headers, dt.datetime.now(dt.UTC))
        assert matched(document, "Deny", action, resource, context) == [], (action, request.key)
        assert matched(granted, "Allow", action, resource, context), (action, request.key)
        used.add(action)
    needless = {
        "s3:GetObjectRetention",
        "s3:GetObjectLegalHold",
        "s3:ListBucket",
    }  # shown in HEAD, and 404 instead of 403
    assert used | needless == {action for each in granted["Statement"] for action in each["Action"]}
    assert any(request.creates and "data/" in request.key for request in recorded)


ATTACKS = {
    "EvidenceDenyDeletes": [("DELETE", "data/a", "", {}), ("DELETE", "log/commit/000000000000", "versionId=1", {})],
    "EvidenceDenyUnconditionalPuts": [("PUT", name.replace("*", "x"), "", {"x-amz-object-lock-mode": "GOVERNANCE"}) for name in SEALED],
    "EvidenceDenyUnlockedPuts": [("PUT", name.replace("*", "x"), "", {"If-None-Match": "*"}) for name in SEALED],
    "EvidenceDenyShortLocks": [
        ("PUT", "data/x", "", {"If-None-Match": "*", "x-amz-object-lock-mode": "GOVERNANCE",
                               "x-amz-object-lock-retain-until-date": "2020-01-01T00:00:00Z"}),
    ],
    "EvidenceDenyPlainHttp": [("GET", "data/a", "", {})],
}  # fmt: skip


@pytest.mark.parametrize("sid", ATTACKS)
def test_every_attack_is_denied_by_the_statement_that_is_for_it(sid):
    document = bucket_policy("policed", "pre", DAYS)
    for method, key, query, headers in ATTACKS[sid]:
        action = action_of(method, key, parse_qs(query))
        context = context_of(headers, dt.datetime.now(dt.UTC))
        assert sid in matched(document, "Deny", action, f"arn:aws:s3:::policed/pre/{key}", context), (method, key)


def test_bypass_is_denied_whoever_asks():
    document = bucket_policy("policed", "pre", DAYS, tls=False)
    found = matched(document, "Deny", "s3:BypassGovernanceRetention", "arn:aws:s3:::policed/pre/data/a", {})
    assert found == ["EvidenceDenyBypass"]
    assert all(each["Principal"] == "*" for each in document["Statement"])


def test_the_cache_and_the_probe_stay_free_and_other_prefixes_untouched():
    document = bucket_policy("policed", "pre", DAYS, tls=False)
    for key in ("pre/log/checkpoint", "pre/probe/x", "other/data/x", "log/commit/x"):
        assert matched(document, "Deny", "s3:PutObject", f"arn:aws:s3:::policed/{key}", {}) == []
    assert matched(bucket_policy("policed", "", 1), "Deny", "s3:PutObject", "arn:aws:s3:::policed/data/x", {})


def test_setup_prints_both_documents_for_a_store_in_a_bucket(tmp_path):
    (tmp_path / "evidence.toml").write_text(
        'demo = true\n[entity]\nname = "x"\nsystem = "y"\n[store]\nurl = "s3://policed/pre"\nretention_mode = "GOVERNANCE"\n'
        'retention_days = 30\nregion = "us-gov-west-1"\nkms_key_id = "arn:aws-us-gov:kms:us-gov-west-1:1:key/k"\n'
        '[retention]\n"snowflake.users" = 90\n'
    )
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert run(["-w", str(tmp_path), "setup", "aws"]) == 0
    said = json.loads(out.getvalue())
    assert said["store_bucket_policy"] == bucket_policy("policed", "pre", DAYS, partition="aws-us-gov")
    assert said["store_lifecycle"]["Rules"][0]["Filter"] == {"Prefix": "pre/data/"}  # the log is never removed
    assert said["store_lifecycle"]["Rules"][0]["Expiration"] == {"Days": 90}
    assert said["store_collector_policy"]["Statement"][-1]["Resource"] == ["arn:aws-us-gov:kms:us-gov-west-1:1:key/k"]


def test_everything_that_is_sealed_lies_under_a_name_that_the_policy_protects():
    written = re.compile(r'put_object\([\w.]+, f"([a-z-]+)/')
    names = {
        name
        for file in (Path(__file__).parents[1] / "evidence").rglob("*.py")
        for name in written.findall(file.read_text())
    }
    assert {"pipeline", "checks", "alerts"} <= names
    assert {f"{name}/*" for name in names} <= set(SEALED)

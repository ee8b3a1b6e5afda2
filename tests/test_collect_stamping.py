"""``evidence collect`` with a time-stamp authority: the checkpoint is stamped, and no authority can stop a run."""

import datetime as dt
import json

import job
import pytest

from evidence.demo import Size
from tests.servers.tsa import Authority, serve

FEW = Size(nights=1, users=60, roles=50, tables=60, columns=200, queries=60)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("job") / "work"
    job.workspace(folder, FEW)
    return folder


def configure(work, url, authority):
    (work / "trust" / "tsa-test.pem").write_bytes(authority.root_pem)
    lines = (work / "evidence.toml").read_text().splitlines()
    lines = [line for line in lines if not line.startswith("tsa")]
    lines.insert(lines.index("[log]") + 1, f'tsa = ["{url}"]\ntsa_roots = ["trust/tsa-test.pem"]')
    (work / "evidence.toml").write_text("\n".join(lines) + "\n")


def test_a_run_is_stamped_and_no_authority_stops_one(work):
    authority = Authority(lambda: dt.datetime.now(dt.UTC))
    configure(work, "http://127.0.0.1:9/", authority)
    made = json.loads(job.here("-w", work, "collect", "--dataset", "snowflake.users", "--jobs", "1", "--json").stdout)
    assert "did not answer" in made["timestamp"]
    size = made["log_size"]
    assert size > 1
    assert not (work / "store/log/tsr").exists()
    assert "not time-stamped" in job.here("-w", work, "collect", "--dataset", "snowflake.users", "--jobs", "1").stdout
    with serve(authority.respond) as url:
        configure(work, url, authority)
        sizes = set()
        for _ in range(2):
            again = job.here("-w", work, "collect", "--dataset", "snowflake.users", "--jobs", "1", "--json").stdout
            assert json.loads(again)["timestamp"] == "stamped"
            sizes.add(json.loads(again)["log_size"])
    assert sizes == {size + 1}, "another configuration is another state of the pipeline, sealed and stamped once"
    assert len(authority.asked) == 1
    assert (work / f"store/log/tsr/{size + 1:012d}").is_file()
    said = job.here("verify", work / "store", "--trust", work / "trust", "--explain").stdout
    assert "trusted for time-stamps: tsa-test.pem" in said
    assert "0 failed" in said

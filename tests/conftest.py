"""Order of the files: those that take long go first, so that no worker is left alone with one at the end.

Demo accounts are made once for each size and worker.
"""

import sys
from pathlib import Path

import pytest

LONG = (
    "year", "wire", "short_job", "demo", "review_command", "verify_packet", "retention", "packet_build", "wire_faults", "gate_command",
    "controls", "kill_collector", "tamper_matrix", "verifier", "tlog_peer", "verify_exhibit", "two_collectors", "check_command",
    "render_packet", "source_snowflake", "control_lock", "doctor_mirror", "store_processes", "verify_limits", "wire_secrets",
)  # fmt: skip


def pytest_collection_modifyitems(items):
    places = {f"test_{name}": place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(Path(item.path).stem, len(LONG)))


@pytest.fixture(scope="session", autouse=True)
def accounts(tmp_path_factory):
    """Keep the demo accounts that tests make: most ask for the same few. Where no test imported ``job``, neither does this: it takes a second."""
    job = sys.modules.get("job")
    if job:
        job.ACCOUNTS = tmp_path_factory.mktemp("accounts")
    yield
    if job:
        job.ACCOUNTS = None

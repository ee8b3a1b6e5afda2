"""Servers for tests: started once per test session, stopped by pid. A server that cannot start fails the test.

A test module asks for them with ``pytest_plugins = ["tests.servers.fixtures"]``.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from evidence.store.s3_client import connect
from tests.servers import tiny_export
from tests.servers.emulated import Emulator, run_emulator
from tests.servers.localstack import LocalStack
from tests.servers.moto_server import Moto
from tests.servers.radosgw import Radosgw

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny export, as files."""
    return tiny_export.write(tmp_path_factory.mktemp("export"), large_rows=200_000)


@pytest.fixture(scope="session")
def tiny_account(tiny_folder: Path) -> Iterator[Emulator]:
    """An emulator over the tiny export, one per test session; use :func:`account` for a clean one."""
    with run_emulator(tiny_folder) as emulator:
        yield emulator


@pytest.fixture
def account(tiny_account: Emulator) -> Iterator[Emulator]:
    """The tiny account with nothing scripted and an empty log, at 03:00 after its first night."""
    tiny_account.post("reset")
    tiny_account.post("people", {"user": "EVIDENCE", "password": "pw"})
    tiny_account.post("night", {"night": "2026-07-01", "clock": "2026-07-02T03:00:00+00:00"})
    yield tiny_account
    for view in ("USERS", "LOGIN_HISTORY", "QUERY_HISTORY"):
        tiny_account.post("view", {"view": view})


@pytest.fixture(scope="session")
def s3_server() -> Iterator[LocalStack]:
    """S3 with Object Lock and KMS, one per test session."""
    server = LocalStack()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def client(s3_server: LocalStack, monkeypatch: pytest.MonkeyPatch) -> "S3Client":
    """A client of the S3 server; its credentials are in the environment, for commands that make their own."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return connect(endpoint_url=s3_server.url, region="us-east-1")


@pytest.fixture(scope="session")
def radosgw() -> Iterator[Radosgw]:
    """The second S3 with Object Lock, one per test session."""
    server = Radosgw()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def moto_server() -> Iterator[Moto]:
    """AWS services, one per test session; use ``reset`` for a clean account."""
    server = Moto()
    try:
        yield server
    finally:
        server.stop()

"""S3 with Object Lock and KMS for tests: LocalStack 4.13.1 in its own environment, on 127.0.0.1, stopped by pid.

``python -m tests.servers.localstack --port 0`` starts one, prints ``{"url": …, "pid": …}`` and stops on SIGTERM or
after ``--seconds`` (bounded life). The default gateway listens on all addresses; hypercorn honours GATEWAY_LISTEN.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

from tests.servers.venvs import ensure

START_SECONDS = 60


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class LocalStack:
    """One server process; state is in memory and gone with it."""

    def __init__(self, port: int = 0) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = Path(tempfile.mkdtemp(prefix="evidence-s3-"))
        self._log = self._folder / "server.log"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "GATEWAY_LISTEN": f"127.0.0.1:{self.port}",
            "GATEWAY_SERVER": "hypercorn",
            "SERVICES": "s3,kms",
            "DISABLE_EVENTS": "1",
            "SKIP_SSL_CERT_DOWNLOAD": "1",
            "DNS_ADDRESS": "0",
            "FILESYSTEM_ROOT": str(self._folder / "state"),
            "LOCALSTACK_HOST": f"localhost:{self.port}",
        }
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(ensure("localstack")), "-m", "localstack.runtime.main"],
                cwd=self._folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._wait()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(15)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/_localstack/health", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        text = self._log.read_text(errors="replace")[-2000:]
        self.stop()
        raise RuntimeError(f"LocalStack did not start on {self.url}: {text}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=3600, help="longest life")
    options = parser.parse_args()
    server = LocalStack(options.port)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        print(json.dumps({"url": server.url, "pid": server.process.pid}), flush=True)
        server.process.wait(options.seconds)
    except subprocess.TimeoutExpired:
        pass
    finally:
        server.stop()


if __name__ == "__main__":
    main()

"""AWS posture for tests: moto 5.2.5 in its own environment, on 127.0.0.1, stopped by pid. State is in memory.

``python -m tests.servers.moto_server --port 0`` starts one, prints ``{"url": …, "pid": …}`` and stops on SIGTERM or after
``--seconds`` (bounded life). What moto gets wrong is tested on recorded shapes instead (tests/fakes/aws_wire.py).
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.servers.localstack import free_port
from tests.servers.venvs import ensure

START_SECONDS = 60


class Moto:
    """One server process."""

    def __init__(self, port: int = 0) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = Path(tempfile.mkdtemp(prefix="evidence-moto-"))
        self._log = self._folder / "server.log"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(ensure("aws")), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
                cwd=self._folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._wait()

    def reset(self) -> None:
        """Forget everything."""
        request = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/moto-api/", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        text = self._log.read_text(errors="replace")[-2000:]
        self.stop()
        raise RuntimeError(f"moto did not start on {self.url}: {text}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=3600, help="longest life")
    options = parser.parse_args()
    server = Moto(options.port)
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

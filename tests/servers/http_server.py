"""A test server in an environment of its own: one process on 127.0.0.1, state in memory, stopped by pid."""

import argparse
import contextlib
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
STOP_SECONDS = 15


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class HttpServer:
    """What a kind of server says of itself: its environment, its command and when it is ready."""

    environment: str  # requirements/<environment>.txt
    ready: str  # the path that answers 200 once it is up
    patience: float = STOP_SECONDS  # between asking it to stop and ending it

    def __init__(self, port: int = 0) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = Path(tempfile.mkdtemp(prefix=f"evidence-{self.environment}-"))
        self._log = self.folder / "server.log"
        variables = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **self.variables()}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(ensure(self.environment)), "-m", *self.arguments()],
                cwd=self.folder, env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._wait()

    def arguments(self) -> list[str]:
        """The module to run and its arguments."""
        raise NotImplementedError

    def variables(self) -> dict[str, str]:
        """What it needs in its environment beyond PATH and HOME."""
        return {}

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(self.patience)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(STOP_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}{self.ready}", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        text = self._log.read_text(errors="replace")[-2000:]
        self.stop()
        raise RuntimeError(f"{type(self).__name__} did not start on {self.url}: {text}")

    @classmethod
    def main(cls, description: str) -> None:
        """Start one, print where it is, and stop on SIGTERM or after ``--seconds``."""
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("--port", type=int, default=0)
        parser.add_argument("--seconds", type=int, default=3600, help="longest life")
        options = parser.parse_args()
        server = cls(options.port)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            print(json.dumps({"url": server.url, "pid": server.process.pid}), flush=True)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.process.wait(options.seconds)
        finally:
            server.stop()

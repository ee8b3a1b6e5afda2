"""Start and stop the Snowflake emulator, and talk to its control endpoint."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Emulator:
    """A running Snowflake emulator and its control endpoint."""

    port: int
    pid: int

    def get(self, path: str) -> Any:
        """GET ``/_emulator/<path>``."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_emulator/{path}", timeout=30) as answer:
            return json.load(answer)

    def post(self, path: str, body: Any = None) -> None:
        """POST ``body`` as JSON to ``/_emulator/<path>``."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/_emulator/{path}",
            data=json.dumps(body if body is not None else {}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()

    def admit(self, user: str = "EVIDENCE") -> bytes:
        """Let ``user`` log in by a new key pair, and return its private key as PEM."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.post("people", {"user": user, "public_keys": [public.decode()]})
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return key.private_bytes(*form)

    def log(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the log, or its lines of one kind."""
        return [entry for entry in self.get("log") if kind in {None, entry["kind"]}]

    def statements(self) -> list[str]:
        """Return every statement that was sent, in order."""
        return [entry["sql"] for entry in self.log("statement")]


@contextlib.contextmanager
def run_emulator(data: Path, *, life: float = 1800, port: int | str = 0) -> Iterator[Emulator]:
    """Start an emulator over the export folder ``data``; stop it by its pid."""
    server = [sys.executable, "-m", "tests.servers.snowflake_emulator"]
    command = [*server, "--data", str(data), "--life", str(life), "--port", str(port)]
    scratch = tempfile.TemporaryDirectory(prefix="emulator-", ignore_cleanup_errors=True)  # also of one that was killed
    with scratch as folder, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, "TMPDIR": folder}
        )
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                errors.seek(0)
                raise RuntimeError(f"the Snowflake emulator did not start:\n{errors.read()[-4000:]}")
            yield Emulator(**json.loads(line))
        finally:
            _stop(process)


def _stop(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()

"""The second, unrelated S3: Ceph's radosgw from Debian with one monitor and one store in memory, on 127.0.0.1.

It enforces signatures, bucket policies and every rule of Object Lock, knows no SHA-256 checksums, and accepts a second
``If-None-Match: *`` on a versioned bucket: nothing may be committed there. ``python -m tests.servers.radosgw`` starts one,
prints ``{"url": …, "pids": …}`` and stops on SIGTERM or after ``--seconds``. Packages: radosgw ceph-mon ceph-osd
(``make test-all`` installs them).
"""

import argparse
import contextlib
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
import uuid
from pathlib import Path

from tests.servers.http_server import free_port

PROGRAMS = ("radosgw", "radosgw-admin", "ceph-mon", "ceph-osd", "monmaptool", "ceph")
START_SECONDS = 90
STOP_SECONDS = 10
CONFIGURATION = """
[global]
fsid = {fsid}
mon_host = v2:127.0.0.1:{mon_port}/0
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
osd_objectstore = memstore
memstore_device_bytes = 1073741824
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
osd_crush_chooseleaf_type = 0
osd_pool_default_pg_autoscale_mode = off
mon_max_pg_per_osd = 1000
run_dir = {folder}/run
log_file = {folder}/log/$name.log
log_to_stderr = false
admin_socket = {folder}/run/$name.asok
pid_file = {folder}/run/$name.pid
mon_data = {folder}/mon
osd_data = {folder}/osd
setuser_match_path =
ms_bind_ipv6 = false

[client]
rgw_frontends = beast endpoint=127.0.0.1:{port}
ms_mon_client_mode = crc
ms_client_mode = crc
rgw_lc_debug_interval = 0
rgw_enable_usage_log = false
rgw_dns_name = localhost
"""


class User:
    """An S3 user. ``secret`` is made up for this one process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.key = f"KEY{uuid.uuid4().hex[:16].upper()}"
        self.secret = uuid.uuid4().hex


class Radosgw:
    """Three daemons in the foreground of one process group each, ended by pid; state is gone with them."""

    def __init__(self, port: int = 0) -> None:
        missing = [name for name in PROGRAMS if not shutil.which(name)]
        if missing:
            raise RuntimeError(f"{', '.join(missing)}: not installed; apt-get install radosgw ceph-mon ceph-osd")
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = Path(tempfile.mkdtemp(prefix="evidence-radosgw-"))
        self.owner, self.other = User("owner"), User("other")
        self._running: list[subprocess.Popen[bytes]] = []
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._running]

    def stop(self) -> None:
        for process in reversed(self._running):
            if process.poll() is None:
                process.terminate()
        for process in reversed(self._running):
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self) -> None:
        fsid, mon_port = str(uuid.uuid4()), free_port()
        for name in ("run", "log", "mon", "osd"):
            (self.folder / name).mkdir()
        self._conf = self.folder / "ceph.conf"
        self._conf.write_text(CONFIGURATION.format(fsid=fsid, mon_port=mon_port, folder=self.folder, port=self.port))
        monmap = self.folder / "monmap"
        self._run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v2:127.0.0.1:{mon_port}]", str(monmap))
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", str(monmap))
        self._daemon("ceph-mon", "-i", "a", "-f")
        osd = str(uuid.uuid4())
        self._run("ceph", "--connect-timeout", "30", "osd", "new", osd)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._daemon("ceph-osd", "-i", "0", "-f")
        for user in (self.owner, self.other):
            self._run(
                "radosgw-admin", "user", "create", f"--uid={user.name}", f"--display-name={user.name}",
                f"--access-key={user.key}", f"--secret-key={user.secret}",
            )  # fmt: skip
        self._daemon("radosgw", "-n", "client.admin", "-f")
        self._wait()

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [program, "-c", str(self._conf), *arguments] if program != "monmaptool" else [program, *arguments],
            cwd=self.folder, env=self._environment(), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=START_SECONDS, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program} {' '.join(arguments)}: {done.stdout}{done.stderr}{self._logs()}")
        return done.stdout

    def _daemon(self, program: str, *arguments: str) -> None:
        with (self.folder / "log" / f"{program}.out").open("wb") as out:
            self._running.append(
                subprocess.Popen(
                    [program, "-c", str(self._conf), *arguments],
                    cwd=self.folder, env=self._environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                )
            )  # fmt: skip

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C"}

    def _wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and all(process.poll() is None for process in self._running):
            try:
                with urllib.request.urlopen(self.url, timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise RuntimeError(f"radosgw did not start on {self.url}: {self._logs()}")

    def _logs(self) -> str:
        texts = [
            f"\n{path.name}: {path.read_text(errors='replace')[-1500:]}" for path in (self.folder / "log").iterdir()
        ]
        return "".join(texts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=3600, help="longest life")
    options = parser.parse_args()
    server = Radosgw(options.port)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        users = {user.name: {"key": user.key, "secret": user.secret} for user in (server.owner, server.other)}
        print(json.dumps({"url": server.url, "pids": server.pids, "users": users}), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            time.sleep(options.seconds)
    finally:
        server.stop()


if __name__ == "__main__":
    main()

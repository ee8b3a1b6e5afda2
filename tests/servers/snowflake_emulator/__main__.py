"""``python -m tests.servers.snowflake_emulator --port 0 --data DIR``: one line of JSON with the port, then serve.

Listens on 127.0.0.1 only. Ends on SIGTERM, when the process that started it ends, and after ``--life`` seconds.
"""

import argparse
import importlib.util
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.servers import venvs


def main() -> None:
    parser = argparse.ArgumentParser(prog="snowflake_emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--data", type=Path, required=True, help="an export folder, see docs/formats/export.md")
    parser.add_argument("--life", type=float, default=1800, help="seconds after which the server ends by itself")
    arguments = parser.parse_args()
    if importlib.util.find_spec("fakesnow") is None:
        python = str(venvs.ensure("emulator"))
        os.execv(python, [python, "-m", "tests.servers.snowflake_emulator", *sys.argv[1:]])
    scratch = Path(tempfile.mkdtemp(prefix="snowflake-emulator-"))
    tempfile.tempdir = str(scratch)  # fakesnow makes a folder of its own when it is imported and never removes it
    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn stops at it, then raises it again: we would end here
    try:
        _serve(arguments.port, arguments.data, arguments.life, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _serve(port: int, data: Path, life: float, scratch: Path) -> None:
    import uvicorn

    from tests.servers.snowflake_emulator.app import build

    # The protocol is named, or asyncio does not see that this is TCP and leaves Nagle on: 40 ms an answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)  # so that a client that reads the port can connect at once
    app = build(data, scratch)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1))
    threading.Thread(target=_watch, args=(server, os.getppid(), time.monotonic() + life), daemon=True).start()
    print(json.dumps({"port": listener.getsockname()[1], "pid": os.getpid()}), flush=True)
    server.run(sockets=[listener])


def _watch(server: object, parent: int, until: float) -> None:
    """Stop when the parent is gone or the time is over."""
    while os.getppid() == parent and time.monotonic() < until:
        time.sleep(0.5)
    server.should_exit = True


if __name__ == "__main__":
    main()

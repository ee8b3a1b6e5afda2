"""Chromium for tests, driven over a pair of pipes by the DevTools protocol: no driver, no port, nothing to install but the browser.

``--remote-debugging-pipe`` reads JSON messages, each ended by a NUL byte, from descriptor 3 and answers on descriptor 4. Name
resolution is closed off, so whatever a page asks the network for is an entry in :attr:`Page.requests` and nothing else.
"""

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    *(
        "--headless",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--no-default-browser-check",
        "--disable-sync",
    ),
    *("--disable-background-networking", "--disable-component-update", "--disable-extensions", "--mute-audio"),
    *(
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--remote-debugging-pipe",
    ),
)


def browser_or_skip():
    """Return the browser's path; skip the test by name where there is none."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        pytest.skip("Chromium is not installed: apt-get install -y chromium (scripts/bootstrap.sh test-all does)")
    return found


def _place(reads, writes):
    """In the child: put the ends of the pipes where Chromium looks for them."""
    high = [fcntl.fcntl(each, fcntl.F_DUPFD, 10) for each in (reads, writes)]
    for number, each in zip((3, 4), high, strict=True):
        os.dup2(each, number)
        os.close(each)


class Page:
    """One page. ``log`` holds console messages, uncaught errors and policy reports; ``requests`` every address asked for."""

    def __init__(self, width=1280, height=900, dark=False, script=True):
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        self.requests, self.log, self._seen, self._number, self._rest = [], [], [], 0, b""
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        flags = [*_FLAGS, f"--user-data-dir={self._profile.name}", "about:blank"]
        if os.geteuid() == 0:
            flags.insert(0, "--no-sandbox")
        self._process = subprocess.Popen(
            [browser_or_skip(), *flags],
            close_fds=False,  # those that are ours alone are not inheritable
            preexec_fn=lambda: _place(theirs_in, theirs_out),  # noqa: PLW1509 - no threads here
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._in, self._out, self._session = ours_in, ours_out, None
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        self.look(width, height, dark=dark)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError, RuntimeError):
            self._session = None
            self.call("Browser.close")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)
        self._profile.cleanup()

    def look(self, width, height, *, dark=False, media=""):
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def open(self, path, timeout=60):
        """Open a file and wait until it is loaded."""
        self._seen.clear()
        self.call("Page.navigate", url=Path(path).resolve().as_uri() if "#" not in str(path) else str(path))
        self.wait_for(lambda: any(m.get("method") == "Page.loadEventFired" for m in self._seen), timeout)

    def run(self, expression):
        """Return the value of an expression; a promise is awaited. Raises ``RuntimeError`` with the page's error."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    def until(self, expression, timeout=60):
        """Wait until the expression is true in the page."""
        self.wait_for(lambda: self.run(f"Boolean({expression})"), timeout, expression)

    def press(self, key, code, **more):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **more)

    def picture(self, path, *, whole=False):
        made = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        Path(path).write_bytes(base64.b64decode(made["data"]))

    def paper(self, path):
        made = self.call(
            "Page.printToPDF",
            preferCSSPageSize=True,
            printBackground=True,
            generateTaggedPDF=True,
            paperWidth=8.27,
            paperHeight=11.69,
        )
        Path(path).write_bytes(base64.b64decode(made["data"]))

    def wait_for(self, holds, timeout, what="the page"):
        end = time.monotonic() + timeout
        while not holds():
            if time.monotonic() > end:
                raise RuntimeError(f"waited {timeout} s for {what}: {self.log}")
            self._receive(0.05)

    def call(self, method, **parameters):
        """Send a command and return its result. Raises ``RuntimeError`` for its error, or where none comes in two minutes."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        body = json.dumps(message).encode() + b"\0"
        while body:
            body = body[os.write(self._out, body) :]
        end = time.monotonic() + 120
        while time.monotonic() < end:
            for answer in self._receive(0.2):
                if answer.get("id") == self._number:
                    if "error" in answer:
                        raise RuntimeError(f"{method}: {answer['error']}")
                    return answer["result"]
        raise RuntimeError(f"{method}: no answer")

    def _receive(self, wait):
        """Return the messages that are there; note what the page asked for and said."""
        ready, _, _ = select.select([self._in], [], [], wait)
        if not ready:
            return []
        received = os.read(self._in, 1 << 20)
        if not received:
            raise RuntimeError("Chromium ended")
        *whole, self._rest = (self._rest + received).split(b"\0")
        messages = [json.loads(each) for each in whole]
        for message in messages:
            self._note(message.get("method", ""), message.get("params", {}))
        self._seen += [m for m in messages if m.get("method") == "Page.loadEventFired"]
        return messages

    def _note(self, method, said):
        if method == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"][:200])
        elif method == "Runtime.exceptionThrown":
            self.log.append(json.dumps(said["exceptionDetails"])[:1000])
        elif method == "Runtime.consoleAPICalled":
            self.log.append(json.dumps(said["args"])[:1000])
        elif method == "Log.entryAdded":
            self.log.append(said["entry"]["text"])
        elif method == "Page.javascriptDialogOpening":
            self.log.append(f"dialog: {said['message']}")

"""Checkpoints by mail and chat, through apprise: what arrives is the file, what fails is said, no address is ever shown."""

import base64
import email
import json
import logging
import socketserver
import threading
from email import policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from fakes.memory_store import MemoryAnchor, MemoryStore
from fakes.sealed_store import KEY, plain

from evidence.errors import ConfigError, StoreError
from evidence.store.destination import open_destination
from evidence.store.log import Log
from evidence.store.notify import NotifyDestination
from evidence.verify import verify_store


class Mailbox(socketserver.StreamRequestHandler):
    """As much of SMTP as a message needs."""

    def handle(self):
        self.wfile.write(b"220 test\r\n")
        lines = None
        while line := self.rfile.readline():
            if lines is not None:
                if line == b".\r\n":
                    self.server.mails.append(b"".join(lines))
                    lines = None
                    self.wfile.write(b"250 kept\r\n")
                else:
                    lines.append(line[1:] if line.startswith(b"..") else line)
            elif line.upper().startswith(b"DATA"):
                lines = []
                self.wfile.write(b"354 go on\r\n")
            elif line.upper().startswith(b"QUIT"):
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(self.server.answer)


@pytest.fixture
def mailbox():
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox)
    server.daemon_threads, server.mails, server.answer = True, [], b"250 fine\r\n"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    server.url = f"mailto://127.0.0.1:{server.server_address[1]}?from=evidence@acme.example&to=officer@acme.example"
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def hook():
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.server.posted.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(self.server.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.posted, server.status = [], 200
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    server.url = f"json://user:hunter2@127.0.0.1:{server.server_port}/secret-token"
    yield server
    server.shutdown()
    server.server_close()


def logged(*places):
    log = Log.init(MemoryStore(), KEY, anchors=[MemoryAnchor()])
    return Log.open(log.store, signer=KEY, anchors=log._anchors, destinations=places)


def test_a_mail_carries_the_checkpoint_as_a_file_that_verify_takes(mailbox):
    log = logged(NotifyDestination(mailbox.url))
    log.append(plain("a"))
    assert log.undelivered == {}
    mail = email.message_from_bytes(mailbox.mails[-1], policy=policy.default)
    assert mail["Subject"] == f"evidence checkpoint {KEY.name} 2"
    (attached,) = mail.iter_attachments()
    assert attached.get_filename() == "checkpoint-000000000002.txt"
    kept = attached.get_payload(decode=True).decode()
    assert kept == log.checkpoint
    assert log.checkpoint.split("\n")[2] in mail.get_body().get_content()
    assert verify_store(log.store, [KEY.vkey], checkpoint=kept).ok


def test_a_chat_gets_the_text(hook):
    log = logged(NotifyDestination(hook.url))
    log.append(plain("a"))
    assert log.undelivered == {}
    path, body = hook.posted[-1]
    message = json.loads(body)
    assert path == "/secret-token"
    assert message["message"].rstrip("\n") == log.checkpoint.rstrip("\n")
    (attached,) = message["attachments"]
    assert base64.b64decode(attached["base64"]).decode() == log.checkpoint


@pytest.mark.parametrize("status", [403, 500, 302])
def test_what_is_not_taken_is_said_without_the_address_also_in_logs(hook, status, caplog):
    caplog.set_level(logging.DEBUG)
    hook.status = status
    log = logged(NotifyDestination(hook.url))
    assert log.append(plain("a")) == [1]
    (reason,) = log.undelivered.values()
    assert reason == "apprise json://… did not take the message"
    for secret in ("secret-token", "hunter2", "127.0.0.1"):
        assert secret not in caplog.text + str(log.undelivered)
    assert logging.root.manager.disable == logging.NOTSET


def test_a_mail_server_that_is_gone_or_refuses_is_said(mailbox):
    mailbox.answer = b"550 no\r\n"
    place = NotifyDestination(mailbox.url)
    with pytest.raises(StoreError, match="did not take"):
        place.send(logged().checkpoint)
    mailbox.shutdown()
    mailbox.server_close()
    with pytest.raises(StoreError, match="did not take"):
        place.send(logged().checkpoint)


def test_an_address_that_is_none_is_said(monkeypatch):
    with pytest.raises(StoreError, match="no such service"):
        NotifyDestination("nonsense://x").send(logged().checkpoint)
    for wrong in ("", "mailto", "a b://x", "://x"):
        with pytest.raises(ConfigError):
            NotifyDestination(wrong)


def test_addresses_with_credentials_come_out_of_variables_only(tmp_path):
    words = {"path": lambda text: tmp_path / text, "secret": lambda _: b"apprise:mailto://u:p@h\n"}
    assert open_destination("env:MAIL", **words).where == "apprise mailto://…"
    with pytest.raises(ConfigError, match="holds its credentials") as caught:
        open_destination("apprise:mailto://user:hunter2@host", **words)
    assert "hunter2" not in str(caught.value) + caught.value.fix

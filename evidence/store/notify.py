"""Mail, chat and paging services, by the apprise library: for alerts, and as ``apprise:…`` destinations of checkpoints.

The signed note is the message, and an attachment where the service takes one: mail may wrap lines, a file stays as it is.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from evidence.errors import ConfigError, StoreError
from evidence.tlog.checkpoint import parse_unverified

TITLE: Final = "evidence checkpoint"


class Service:
    """One apprise address. Its every part may be a secret, so ``where`` shows the kind of service alone.

    ``place`` is the setting it stands in, for errors. Raises ``ConfigError`` for what is no address.
    """

    def __init__(self, url: str, place: str) -> None:
        scheme, separator, _ = url.partition("://")
        if not separator or not scheme.isascii() or not scheme.isalnum():
            raise ConfigError(f"{place}: no apprise address", fix='for example "mailtos://…" in env:NAME')
        self.where = f"apprise {scheme}://…"
        self._url = url

    def check(self) -> None:
        """Raise ``StoreError`` if no service can be made of the address; nothing is sent."""
        import apprise

        with _silent():
            if not apprise.Apprise().add(self._url):
                raise StoreError(f"{self.where}: no such service, or parts are missing", fix="see apprise's own pages")

    def send(self, title: str, body: str, file: tuple[str, str] | None = None) -> None:
        """Send plain text, with a file (name, text) where the service takes one; the library says only whether it was taken."""
        import apprise
        from apprise.attachment.memory import AttachMemory

        with _silent():
            service = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
            if not service.add(self._url):
                raise StoreError(f"{self.where}: no such service, or parts are missing", fix="see apprise's own pages")
            attached = None
            if file is not None and _takes_files(service):
                attached = apprise.AppriseAttachment(AttachMemory(file[1], name=file[0], mimetype="text/plain"))  # type: ignore[no-untyped-call]
            taken = service.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT, attach=attached)
        if not taken:
            raise StoreError(f"{self.where} did not take the message", fix="try the address with apprise's own command")


class NotifyDestination:
    """A place of checkpoints behind an apprise address."""

    def __init__(self, url: str) -> None:
        self._service = Service(url, "log.checkpoints")
        self.where = self._service.where

    def send(self, signed: str) -> None:
        """See :class:`Destination`: the signed note is the message, and a file."""
        head = parse_unverified(signed)
        file = (f"checkpoint-{head.size:012d}.txt", signed)
        self._service.send(f"{TITLE} {head.origin} {head.size}", signed, file)


def _takes_files(service: "object") -> bool:
    return all(getattr(one, "attachment_support", False) for one in service)  # type: ignore[attr-defined]


@contextmanager
def _silent() -> Iterator[None]:
    """Keep apprise and its HTTP library from logging: their lines show addresses, which are secrets."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)

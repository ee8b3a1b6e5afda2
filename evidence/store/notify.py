"""``apprise:…`` destinations: mail, chat and paging services, by the apprise library, which the alerts use too.

The signed note is the message, and an attachment where the service takes one: mail may wrap lines, a file stays as it is.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from evidence.errors import ConfigError, StoreError
from evidence.tlog.checkpoint import parse_unverified

TITLE: Final = "evidence checkpoint"


class NotifyDestination:
    """One apprise address. Its every part may be a secret, so ``where`` shows the kind of service alone."""

    def __init__(self, url: str) -> None:
        scheme, separator, _ = url.partition("://")
        if not separator or not scheme.isascii() or not scheme.isalnum():
            raise ConfigError(
                "log.checkpoints: no apprise address", fix='for example "apprise:mailtos://…" in env:NAME'
            )
        self.where = f"apprise {scheme}://…"
        self._url = url

    def send(self, signed: str) -> None:
        """See :class:`Destination`; the library says only whether the service took the message."""
        import apprise
        from apprise.attachment.memory import AttachMemory

        head = parse_unverified(signed)
        with _silent():
            service = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
            if not service.add(self._url):
                raise StoreError(f"{self.where}: no such service, or parts are missing", fix="see apprise's own pages")
            name = f"checkpoint-{head.size:012d}"
            attached = apprise.AppriseAttachment(AttachMemory(signed, name=f"{name}.txt", mimetype="text/plain"))  # type: ignore[no-untyped-call]
            taken = service.notify(
                body=signed, title=f"{TITLE} {head.origin} {head.size}", body_format=apprise.NotifyFormat.TEXT,
                attach=attached if _takes_files(service) else None,
            )  # fmt: skip
        if not taken:
            raise StoreError(f"{self.where} did not take the message", fix="try the address with apprise's own command")


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

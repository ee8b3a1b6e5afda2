"""Further places a signed checkpoint is sent to after each commit, so that anyone who kept one finds a rollback.

``file:PATH`` with ``{size}`` in its name (one new file per checkpoint), ``s3://bucket/prefix`` (one new object per checkpoint,
best in another account), ``https://…`` (a POST of the signed note). ``env:NAME`` names a variable that holds one of these:
addresses of webhooks are often secrets, so messages show their host alone.

Nothing here is asked before sealing (that is the anchors' part) and nothing that fails here stops a commit.
"""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from evidence.errors import ConfigError, StoreConflictError, StoreError
from evidence.store.anchor import Destination
from evidence.store.local import LocalStore
from evidence.store.objects import check_path, put_same
from evidence.tlog.checkpoint import parse_unverified

TIMEOUT_SECONDS: Final = 10
MAX_ANSWER: Final = 65_536  # bytes of a webhook's answer that are read
LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}
_CONFLICT: Final = "stop; keep both files and find out who else signs: they may be two histories of one log"


class FolderDestination:
    """``PATH`` with ``{size}``: every checkpoint becomes a file of its own, created once and read-only."""

    def __init__(self, template: Path) -> None:
        name = template.name
        if "{size}" not in name or "{" in name.replace("{size}", "") or "{" in str(template.parent):
            raise ConfigError(
                f"log.checkpoints: file:{template} has no {{size}} in its name",
                fix='write for example "file:/mnt/elsewhere/checkpoint-{size}"',
            )
        check_path(name.replace("{size}", "0"))
        self._folder, self._name = LocalStore(template.parent), name
        self.where = f"file:{template}"

    def send(self, signed: str) -> None:
        """See :class:`Destination`."""
        put_same(self._folder, self._name.replace("{size}", _number(signed)), signed.encode())


class BucketDestination:
    """``s3://bucket/prefix``: object ``checkpoint-<size>``, created once. The bucket need not be locked."""

    def __init__(self, bucket: str, prefix: str, *, endpoint_url: str = "", region: str = "") -> None:
        self._bucket, self._prefix = bucket, prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._place = {"endpoint_url": endpoint_url, "region": region}
        self.where = f"s3://{bucket}/{self._prefix}".rstrip("/")

    def send(self, signed: str) -> None:
        """See :class:`Destination`."""
        from botocore.exceptions import BotoCoreError, ClientError

        from evidence.store.s3 import connect

        client, key = connect(**self._place), f"{self._prefix}checkpoint-{_number(signed)}"
        try:
            client.put_object(
                Bucket=self._bucket, Key=key, Body=signed.encode(), IfNoneMatch="*", ChecksumAlgorithm="SHA256"
            )
        except ClientError as exc:
            code = exc.response.get("Error", {}).get("Code", "")
            if code not in {"PreconditionFailed", "412"}:
                raise StoreError(f"{self.where}: {code}", fix="grant s3:PutObject and s3:GetObject there") from None
            kept = client.get_object(Bucket=self._bucket, Key=key)["Body"].read(MAX_ANSWER)
            if kept != signed.encode():
                raise StoreConflictError(f"{self.where}: {key} exists with other bytes", fix=_CONFLICT) from None
        except BotoCoreError as exc:
            raise StoreError(f"{self.where}: {type(exc).__name__}") from None


class WebhookDestination:
    """``https://…``: a POST of the signed note as ``text/plain``; http only to this host. Redirects are not followed."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise ConfigError("log.checkpoints: a webhook must be https", fix="use its https:// address")
        self.where = f"{parts.scheme}://{parts.hostname}/…"
        self._url = url
        near = [urllib.request.ProxyHandler({})] if parts.hostname in LOOPBACK else []
        self._opener = urllib.request.build_opener(_NoRedirect(), *near)

    def send(self, signed: str) -> None:
        """See :class:`Destination`."""
        headers = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "evidence"}
        try:
            request = urllib.request.Request(self._url, signed.encode(), headers, method="POST")  # noqa: S310 - checked
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                answer.read(MAX_ANSWER)
        except urllib.error.HTTPError as exc:
            with exc:
                raise StoreError(f"{self.where} answered {exc.code}") from None
        except (OSError, ValueError, http.client.HTTPException) as exc:  # their messages may hold the whole address
            reason = getattr(exc, "reason", None)
            raise StoreError(f"{self.where}: {type(reason or exc).__name__}") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: object, **_words: object) -> None:
        """Refuse: the answer's own status, 3xx, becomes the error."""


def open_destination(
    ref: str,
    *,
    path: Callable[[str], Path],
    secret: Callable[[str], bytes],
    endpoint_url: str = "",
    region: str = "",
) -> Destination:
    """Return the destination that ``ref`` names. Raises ``ConfigError``; it never shows what an ``env:`` variable holds."""
    text = secret(ref).decode().strip() if ref.startswith("env:") else ref
    if text.startswith("file:"):
        return FolderDestination(path(text))
    if text.startswith("s3://") and urlsplit(text).netloc:
        parts = urlsplit(text)
        return BucketDestination(parts.netloc, parts.path, endpoint_url=endpoint_url, region=region)
    if text.startswith(("https://", "http://")):
        return WebhookDestination(text)
    raise ConfigError(
        f"log.checkpoints: {ref!r} is no destination",
        fix="write file:PATH-{size}, s3://bucket/prefix, https://… or env:NAME of one of them",
    )


def _number(signed: str) -> str:
    return f"{parse_unverified(signed).size:012d}"

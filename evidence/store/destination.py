"""Further places a signed checkpoint is sent to after each commit, so that anyone who kept one finds a rollback.

``file:PATH`` with ``{size}`` in its name (one new file per checkpoint), ``s3://bucket/prefix`` (one new object per checkpoint,
best in another account), ``https://…`` (a POST of the signed note), ``snowflake:CONNECTION/DB.SCHEMA.TABLE`` (a row) and, out of a variable only,
``apprise:…`` (mail and chat). ``env:NAME`` names a variable that holds one of these: addresses of webhooks are often secrets,
so messages show their host alone.

Nothing here is asked before sealing (that is the anchors' part) and nothing that fails here stops a commit.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from evidence.errors import ConfigError, StoreConflictError, StoreError
from evidence.store.anchor import Destination
from evidence.store.local import LocalStore
from evidence.store.notify import NotifyDestination
from evidence.store.objects import check_path, put_same
from evidence.store.posting import MAX_ANSWER, Poster
from evidence.store.table import Connect, TableDestination
from evidence.tlog.checkpoint import parse_unverified

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
        self._poster = Poster(url, "log.checkpoints")
        self.where = self._poster.where

    def send(self, signed: str) -> None:
        """See :class:`Destination`."""
        answer = self._poster.post(signed.encode())
        if not 200 <= answer.status < 300:
            raise StoreError(f"{self.where} answered {answer.status}")


def open_destination(
    ref: str,
    *,
    path: Callable[[str], Path],
    secret: Callable[[str], bytes],
    connect: Connect | None = None,
    endpoint_url: str = "",
    region: str = "",
) -> Destination:
    """Return the destination that ``ref`` names. Raises ``ConfigError``; it never shows what an ``env:`` variable holds.

    ``connect`` opens a named connection of the Snowflake connector; nothing connects before a checkpoint is sent.
    """
    text = secret(ref).decode().strip() if ref.startswith("env:") else ref
    if text.startswith("apprise:"):
        if text == ref:
            raise ConfigError(
                "log.checkpoints: an apprise address holds its credentials",
                fix="put it in a variable and write env:NAME",
            )
        return NotifyDestination(text.removeprefix("apprise:"))
    if text.startswith("snowflake:") and connect is not None:
        return TableDestination(text.removeprefix("snowflake:"), connect)
    if text.startswith("file:"):
        return FolderDestination(path(text))
    if text.startswith("s3://") and urlsplit(text).netloc:
        parts = urlsplit(text)
        return BucketDestination(parts.netloc, parts.path, endpoint_url=endpoint_url, region=region)
    if text.startswith(("https://", "http://")):
        return WebhookDestination(text)
    raise ConfigError(
        f"log.checkpoints: {ref!r} is no destination",
        fix="write file:PATH-{size}, s3://bucket/prefix, https://…, snowflake:CONNECTION/DB.SCHEMA.TABLE or env:NAME of one",
    )


def _number(signed: str) -> str:
    return f"{parse_unverified(signed).size:012d}"

"""From a store address to a backend."""

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from evidence.errors import ConfigError
from evidence.store.local import LocalStore
from evidence.store.objects import ObjectStore


def open_store(
    url: str,
    *,
    base: Path,
    clock: Callable[[], dt.datetime],
    mode: str = "NONE",
    retention_days: int = 2557,
    endpoint_url: str = "",
    region: str = "",
    kms_key_id: str = "",
    retention: Mapping[str, int] | None = None,
    owner: str = "",
) -> ObjectStore:
    """Return the backend of ``file:DIR`` (relative to ``base``) or ``s3://bucket/prefix``.

    Raises ``ConfigError`` for other schemes, for a lock mode that does not fit, and for unfit buckets.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        if mode != "NONE":
            raise ConfigError(
                f"store.retention_mode = {mode} on {url}: a folder keeps no retention",
                fix='use "NONE" with file:, or an s3:// store',
            )
        return LocalStore((base / url.removeprefix("file://").removeprefix("file:")).resolve())
    if parts.scheme == "s3" and parts.netloc:
        from evidence.store.s3 import S3Store, connect

        if mode not in {"GOVERNANCE", "COMPLIANCE"}:
            raise ConfigError(
                f"store.retention_mode = {mode} on {url}",
                fix="choose GOVERNANCE or COMPLIANCE; an unlocked bucket is no evidence store",
            )
        return S3Store(
            connect(endpoint_url=endpoint_url, region=region),
            parts.netloc,
            parts.path,
            mode=mode,  # type: ignore[arg-type]  # checked above
            retention_days=retention_days,
            clock=clock,
            kms_key_id=kms_key_id,
            retention=retention,
            owner=owner,
        )
    raise ConfigError(f"store.url = {url!r} is no store", fix="write file:DIR or s3://bucket/prefix")

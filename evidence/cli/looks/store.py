"""The store: can names be created once, is what is put locked and encrypted, who else may touch it, and does the log agree with its anchors."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from evidence.cli.looks.clock import Clocks
from evidence.cli.workspace import Workspace
from evidence.doctor import NETWORK, Examination, Line, fail, ok, warn
from evidence.errors import ConfigError, StoreError
from evidence.store.local import LocalStore
from evidence.store.promise import pending
from evidence.store.retention import shortfall
from evidence.store.s3 import S3Store
from evidence.store.s3_policy import KMS

LOW_DISK: Final = 2 * 1024**3
STORE: Final = "store.json"


def looks(workspace: Workspace, clocks: Clocks) -> list[Examination]:
    """Return the looks at store, log and anchors."""
    far = NETWORK if workspace.config.store.url.startswith("s3:") else 0
    return [
        Examination("store", lambda: _store(workspace, clocks), seconds=far),
        Examination("anchors", lambda: _anchors(workspace)),
        Examination("log and anchors", lambda: _log(workspace), seconds=far),
        Examination("disk", lambda: _disk(workspace)),
    ]


def _store(workspace: Workspace, clocks: Clocks) -> Iterator[Line]:
    store = workspace.store
    if isinstance(store, LocalStore):
        yield from _folder(store)
        return
    if isinstance(store, S3Store):
        yield from _bucket(workspace, store)
        clocks.note("the store's server", store.clock_offset)


def _folder(store: LocalStore) -> Iterator[Line]:
    if not store.root.is_dir():
        yield fail(
            "store", f"{store.root} is not there", "correct [store] url, mount it, or make it with `evidence init`", 9
        )
        return
    mode = stat.S_IMODE(store.root.stat().st_mode)
    if mode & 0o022:
        yield fail("store", f"{store.root} has mode {mode:04o}: others may write to it", f"chmod go-w {store.root}", 9)
    elif mode & 0o055:
        yield warn("store", f"{store.root} has mode {mode:04o}: others may read it", f"chmod 700 {store.root}")
    if not store.writable:
        fix = f"mount it writable, and give it to the collector's user: chown -R $(id -un) {store.root}"
        yield fail("store", f"{store.root} cannot be written to", fix, 9)
    else:
        yield ok("store", f"{store.url}, names are created once (hard links work)")


def _bucket(workspace: Workspace, store: S3Store) -> Iterator[Line]:
    settings, bucket = workspace.config.store, store.url.removeprefix("s3://").partition("/")[0]
    try:
        once = store.writable
    except StoreError as error:
        fix = f"grant s3:PutObject on {store.url}/* (evidence setup aws)"
        if settings.kms_key_id:
            fix += f", and {' and '.join(KMS)} on {settings.kms_key_id}"
        yield fail("store", str(error), fix, error.exit_code)
        return
    if not once:
        yield fail("store", f"{store.url} has no true conditional create", "use a server with conditional writes", 9)
        return
    if settings.kms_key_id and store.probed.get("ServerSideEncryption") != "aws:kms":
        said = store.probed.get("ServerSideEncryption") or "nothing"
        fix = f"use a server that encrypts with {settings.kms_key_id}, or take [store] kms_key_id out"
        yield fail("store", f"asked for SSE-KMS, the server says {said}", fix, 9)
        return
    key = f", encrypted with {settings.kms_key_id}" if settings.kms_key_id else ""
    owner = f", owned by {settings.bucket_owner}" if settings.bucket_owner else ""
    lock = f"{store.rule.mode} for {store.rule.days} days"
    yield ok("store", f"{store.url}, versions and Object Lock on, {lock}{key}{owner}, conditional create works")
    yield from _default(bucket, store)
    info = store.head(STORE)
    if info is not None and (problem := shortfall(STORE, info, store.rule)):
        yield fail(
            "store lock", problem, "grant s3:GetObjectRetention; if it has it: evidence retention show --check", 9
        )


def _default(bucket: str, store: S3Store) -> Iterator[Line]:
    default, rule = store.default_retention(), store.rule
    if default is None:
        return
    mode, days = default
    if (mode, days) != (rule.mode, rule.days):
        wanted = f"Mode={rule.mode},Days={rule.days}"
        fix = (
            f"aws s3api put-object-lock-configuration --bucket {bucket} --object-lock-configuration"
            f" 'ObjectLockEnabled=Enabled,Rule={{DefaultRetention={{{wanted}}}}}'"
        )
        said = f"the bucket's default is {mode} for {days} days, [store] says {rule.mode} for {rule.days}; ours name their own lock"
        yield warn("store default lock", said, fix)


def _anchors(workspace: Workspace) -> Iterator[Line]:
    config = workspace.config
    paths = [anchor.path for anchor in workspace.anchors]
    if not paths:
        fix = '[log] anchors = ["file:/var/lib/evidence/checkpoint"], a place outside the store'
        yield fail("anchors", "nothing outside the store remembers the log: going back in time would not show", fix)
    root = config.path(config.store.url) if config.store.url.startswith("file:") else None
    for path in paths:
        if root is not None and path.is_relative_to(root):
            fix = f"move it out of {root} and set [log] anchors: whoever puts the store back puts it back too"
            yield fail("anchors", f"{path} lies inside the store", fix)
        elif not os.access(_existing(path.parent), os.W_OK):
            yield fail("anchors", f"{path.parent} cannot be written to", f"chown $(id -un) {path.parent}")
        else:
            yield ok("anchors", f"{path}, outside the store")


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())


def _log(workspace: Workspace) -> Iterator[Line]:
    log = workspace.log
    yield ok("log and anchors", f"{log.size} entries, every anchor agrees")
    if said := pending(log):
        yield warn("retention", said, "evidence retention extend")
    for place, why in log.undelivered.items():
        yield warn(
            "checkpoints",
            f"{place} has not got the last checkpoint: {why}",
            "mend the place; the next commit tries again",
        )


def _disk(workspace: Workspace) -> str:
    config = workspace.config
    places = [config.workspace]
    if config.store.url.startswith("file:"):
        places.append(_existing(config.path(config.store.url)))
    free = min(shutil.disk_usage(place).free for place in places)
    if free < LOW_DISK:
        raise ConfigError(f"{free / 1024**3:.1f} GiB free", fix="free at least 2 GiB for spool and packets")
    return f"{free / 1024**3:.0f} GiB free"

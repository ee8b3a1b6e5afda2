"""What the record of the pipeline looks at: store and lock, keys, certificates, packages, clock, runs. Never a secret, never a row.

A part is read, ``absent`` (there is no such thing here, and why) or ``not-read`` (with the reason). Nothing that goes wrong here keeps a
night from being collected. Reasons are words that say the same each time: another reason is another state, hence another record.
"""

import datetime as dt
import json
import os
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import Any, Final

from evidence.cli.journal import begun
from evidence.cli.workspace import Workspace
from evidence.config import content_root
from evidence.errors import EvidenceError
from evidence.signing import kms
from evidence.signing.certificate import fingerprint, load_certificates
from evidence.snapshot import canonical
from evidence.store.promise import promised
from evidence.store.s3 import S3Store

Part = dict[str, Any]
LIMIT: Final = 500  # runs that were due since the last record; more are not counted one by one


def looked(part: str, name: str, look: Callable[[], Part]) -> Part:
    """Return what ``look`` says of one part, or that it could not be read and why; raises nothing that a look raises."""
    said: Part = {"part": part, "name": name, "state": "read", "reason": ""}
    try:
        return said | look()
    except EvidenceError as error:
        return said | {"state": "not-read", "reason": str(error)[:300]}
    except OSError as error:
        return said | {"state": "not-read", "reason": f"{type(error).__name__}: {error.strerror}"}
    except Exception as error:  # noqa: BLE001 - what others wrote may raise anything, and its words may quote anything
        return said | {"state": "not-read", "reason": f"the look ended with {type(error).__name__}"}


def absent(reason: str) -> Part:
    """Return that there is no such thing here."""
    return {"state": "absent", "reason": reason}


def store(workspace: Workspace) -> Part:
    """The lock as the store says now, beside what the log promises and what is configured."""
    promise, backend = promised(workspace.log), workspace.store
    said = {"promised_mode": promise.mode, "promised_days": promise.days} if promise else {}
    if isinstance(backend, S3Store):
        versioning, lock = backend.protection()
        default = backend.default_retention()
        mode, days = default or (None, None)
        rule = {"rule_mode": backend.rule.mode, "rule_days": backend.rule.days}
        return {
            "kind": "s3",
            "versioning": versioning,
            "lock": lock,
            "lock_mode": mode,
            "lock_days": days,
            **rule,
            **said,
        }
    if promise:
        return {"kind": "folder", "lock": False, **said}
    return {"kind": "folder", **absent("a folder keeps no lock of its own, and none is promised")}


def key(workspace: Workspace, ref: str, *, of_store: bool = False) -> Part:
    """A key in KMS: enabled, its state, whether it rotates. Keys that lie elsewhere have no state that could be asked for."""
    if not ref:
        return absent("no key of KMS is configured")
    settings = workspace.config.store
    place = {"region": settings.region, "endpoint_url": settings.endpoint_url} if of_store else {}
    return {"kind": "kms", **kms.key_standing(ref, **place)}


def certificates(workspace: Workspace) -> Iterator[tuple[str, Callable[[], Part]]]:
    """Yield name and look of the packet's certificate and of each file of its chain."""
    settings = workspace.config.packet
    yield "packet", lambda: _certificate(workspace.config.path(settings.certificate))
    for number, link in enumerate(settings.chain, 1):
        yield f"packet chain {number}", lambda link=link: _certificate(workspace.config.path(link))  # type: ignore[misc]


def _certificate(path: Path) -> Part:
    if not path.is_file():
        return absent("no certificate lies here: packets are signed elsewhere")
    found = load_certificates(path.read_bytes(), path.name)
    first = min(found, key=lambda each: each.not_valid_after_utc)  # a file may hold its chain
    ends = canonical.format_time(first.not_valid_after_utc)
    return {"kind": "x509", "expires_at": ends, "sha256": fingerprint(first)}


def packages() -> Part:
    """Name and version of everything that is installed where this runs, with one digest of it; from the folders' names, which PyPA fixes.

    ``lock_sha256`` is the digest of the file of locked versions where the product runs from its source, else None.
    """
    found: dict[str, str] = {}
    for place in sys.path:
        for folder in sorted(Path(place).glob("*.dist-info")) if place and Path(place).is_dir() else ():
            name, _, version = folder.name.removesuffix(".dist-info").partition("-")
            if not version:  # not spelled as the rule says: its own words then
                one = PathDistribution(folder)
                name, version = one.metadata["Name"], one.version
            found.setdefault(name.lower().replace("_", "-").replace(".", "-"), version)
    lock = content_root() / "requirements" / "product.txt"
    digest = canonical.sha256_hex(canonical.encode(found))
    locked = canonical.sha256_hex(lock.read_bytes()) if lock.is_file() else None
    return {"packages_sha256": digest, "lock_sha256": locked, "installed": found}


def clock(workspace: Workspace) -> Part:
    """How far the store's clock is ahead of this host's, in whole seconds, where its answers tell the time."""
    backend = workspace.store
    offset = backend.clock_offset if isinstance(backend, S3Store) else None
    return {"offset_seconds": round(offset)} if offset is not None else absent("no answer of the store tells its time")


def runs(workspace: Workspace, since: dt.datetime | None, moment: dt.datetime) -> Part:
    """Who started this run, and how many were due by the schedule since the last record and did not begin, by this host's journal."""
    from evidence.schedule import Job, triggers

    settings, said = workspace.config.schedule, {"by": _started_by(workspace.config.workspace / ".evidence")}
    if since is None or moment <= since:
        return said
    trigger = triggers([Job("night", settings.night, ())], 0)["night"]
    due: list[dt.datetime] = []
    at = trigger.get_next_fire_time(None, since + dt.timedelta(seconds=1))
    while at is not None and at <= moment and len(due) < LIMIT:
        due.append(at)
        at = trigger.get_next_fire_time(at, at + dt.timedelta(seconds=1))
    began = begun(workspace.config.workspace, since)
    if began is None:
        return {**said, "runs_due": len(due), "reason": "this host keeps no journal of runs: which began is not known"}
    ends = [*due[1:], moment + dt.timedelta(seconds=1)]
    missed = sum(
        not any(first <= each < end for each in (*began, moment)) for first, end in zip(due, ends, strict=True)
    )
    return {**said, "runs_due": len(due), "runs_missed": missed}


def _started_by(folder: Path) -> str:
    """``schedule`` if the parent process is the daemon whose heartbeat lies here, else ``command``: cron, a timer, a person."""
    try:
        pid = json.loads((folder / "heartbeat.json").read_text())["pid"]
    except (OSError, ValueError, KeyError, TypeError):
        return "command"
    return "schedule" if pid == os.getppid() else "command"

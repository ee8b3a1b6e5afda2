"""The nightly record of the pipeline itself, put together and sealed: what `evidence collect`, `run` and `schedule` leave beside the evidence.

Of the configuration only what is named here is taken, setting by setting: references to secrets, addresses of people and services, ids
that open doors and paths of this host are none of it.
"""

import datetime as dt
import platform
from typing import Any, Final

from evidence import __version__
from evidence.cli import pipeline_parts as parts
from evidence.cli.workspace import Workspace, new_id
from evidence.config import AwsSourceConfig, DbtSourceConfig, SnowflakeSourceConfig, SourceConfig
from evidence.signing import kms
from evidence.snapshot.model import DAY
from evidence.store.pipeline import last_recorded, night_at, seal_pipeline

GRANTS: Final = ("snowflake.collector_grants", "snowflake.collector_visibility")


def record_pipeline(workspace: Workspace) -> bool:
    """Seal how the pipeline stands now; False if that is sealed for the night already. Under the lease.

    Raises ``StoreError`` and what else a commit raises; what cannot be looked at stands in the record.
    """
    moment, index = workspace.clock(), workspace.index.catch_up(workspace.log)
    night, last = night_at(moment), last_recorded(index)
    since = None
    if last is not None:
        between = [last[0] + DAY * n for n in range(1, min((night - last[0]).days, 400))]
        since = {"night": last[0].isoformat(), "nights_missed": [each.isoformat() for each in between]}
    state = {
        "tool": {"version": __version__, "python": platform.python_version(), "system": platform.system()},
        "configuration": configuration(workspace),
        "grants": _grants(workspace, night),
        "parts": _standing(workspace),
    }
    run = {
        "log_size": index.size,
        "since": since,
        "parts": [
            parts.looked("run", "", lambda: parts.runs(workspace, last[1] if last else None, moment)),
            parts.looked("clock", "store", lambda: parts.clock(workspace)),
        ],
    }
    sealed = seal_pipeline(workspace.log, index, moment, state, run, new_id())
    index.catch_up(workspace.log)
    return sealed


def _standing(workspace: Workspace) -> list[parts.Part]:
    packet = workspace.config.packet.key
    signer = packet.removeprefix(kms.PREFIX) if packet.startswith(kms.PREFIX) else ""
    store = workspace.config.store.kms_key_id
    return [
        parts.looked("packages", "", parts.packages),
        parts.looked("store", "", lambda: parts.store(workspace)),
        parts.looked("key", "store", lambda: parts.key(workspace, store, of_store=True)),
        parts.looked("key", "packet", lambda: parts.key(workspace, signer)),
        *(parts.looked("certificate", name, look) for name, look in parts.certificates(workspace)),
    ]


def _grants(workspace: Workspace, night: dt.date) -> list[dict[str, Any]]:
    """Name the sealed captures of what the collecting role is granted and sees: they are evidence of their own."""
    asked = {name for name, said in workspace.config.sources.items() if isinstance(said, SnowflakeSourceConfig)}
    named = []
    for dataset in GRANTS:
        for source in sorted(asked | set(workspace.index.sources_of(dataset))):
            said: dict[str, Any] = {"source": source, "dataset": dataset, "status": "missing"}
            sealed = workspace.index.latest(source, dataset, night)
            if sealed is not None:
                said |= {"status": sealed.status, "manifest_sha256": sealed.manifest.sha256}
            named.append(said)
    return named


def configuration(workspace: Workspace) -> dict[str, Any]:
    """Return what of evidence.toml decides what is collected, how it is kept and when, with the digest of the whole file."""
    config = workspace.config
    store, log, packet = config.store, config.log, config.packet
    return {
        "sha256": config.sha256,
        "demo": config.demo,
        "store": {
            "kind": store.url.partition(":")[0],
            "retention_mode": store.retention_mode,
            "retention_days": store.retention_days,
            "retention": dict(config.retention),
            "kms_key_id": store.kms_key_id,
        },
        "log": {
            "key": _holder(log.key),
            "vkey": workspace.log_key.vkey,
            "anchors": len(log.anchors),
            "checkpoints": len(log.checkpoints),
            "witnesses": len(log.witnesses),
            "time_stamp_authorities": len(log.tsa),
        },
        "redaction": {"key": _holder(config.redaction.key), "query_text": config.redaction.query_text},
        "collect": {"since": str(config.collect.since or ""), "attempts": config.collect.attempts},
        "assess": {"profile": config.assess.profile, "max_unknown_nights": config.assess.max_unknown_nights},
        "packet": {
            "key": _holder(packet.key),
            "exhibits": packet.exhibits,
            "restricted": sorted(packet.restricted),
            "time_stamp_authorities": len(packet.tsa),
        },
        "schedule": {name: getattr(config.schedule, name) for name in ("night", "check", "jitter_seconds")},
        "alerts": {name: len(getattr(config.alerts, name)) for name in ("targets", "tickets")}
        | {"notice_days": config.alerts.notice_days},
        "publish": config.publish.into if config.publish else "",
        "sources": {name: _source(said) for name, said in sorted(config.sources.items())},
    }


def _holder(ref: str) -> str:
    """Say where a key lies, and nothing of which: ``env``, ``file``, ``aws-sm``, ``kms``, ``pkcs11``."""
    return ref.partition(":")[0]


def _source(said: SourceConfig) -> dict[str, Any]:
    """Return kind and datasets asked for (none: every one it holds), and by which role, warehouse, accounts and bounds."""
    found: dict[str, Any] = {"kind": said.kind, "datasets": sorted(said.datasets)}
    if isinstance(said, SnowflakeSourceConfig):
        names = ("role", "warehouse", "edition", "organization", "timeout_seconds")
        found |= {name: getattr(said, name) for name in names}
        found["by_connection"] = bool(said.connection)  # its own role and warehouse then, as the receipts say
        found["elevated_role"] = said.elevated.role if said.elevated else ""
    elif isinstance(said, AwsSourceConfig):
        found |= {"attempts": said.attempts, "regions": sorted(said.regions), "home_region": said.home_region}
        found["accounts"] = [{"role_arn": each.role_arn, "regions": sorted(each.regions)} for each in said.accounts]
    elif isinstance(said, DbtSourceConfig):
        found["target"] = said.target
        if said.cloud is not None:
            bounds = ("account_id", "project_id", "environment_id", "lookback_days")
            found["cloud"] = {name: getattr(said.cloud, name) for name in bounds}
            found["cloud"]["job_ids"] = sorted(said.cloud.job_ids)
    return found

"""The manifest of a snapshot: canonical JSON that names its files, their digests and its receipt.

``docs/formats/manifest.md`` shows one whole. Encode and decode stand side by side; decode accepts only what encode
writes. The receipt is kept as JSON here: readers look at the fields they need and the bytes stay exact.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, get_args

from evidence.errors import MalformedError
from evidence.snapshot import canonical
from evidence.snapshot.model import HEX64, RECEIPT_KEYS, STATUSES, Kind, Part, Receipt, SnapshotKey, of_type

FORMAT = "evidence-manifest-v1"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One snapshot: identity, contract it was read by, files and receipt.

    ``revises`` is the SHA-256 of the manifest this one corrects (revision > 0), else empty.
    """

    key: SnapshotKey
    kind: Kind
    snapshot: str
    contract: Mapping[str, Any]  # {"version": int, "sha256": hex}
    parts: tuple[Part, ...]
    quarantine: tuple[Part, ...]
    receipt: Mapping[str, Any]
    revises: str = ""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind) or self.receipt.get("status") not in STATUSES:
            raise MalformedError(f"malformed manifest of {self.key}")
        strange = sorted(set(self.receipt) - RECEIPT_KEYS)
        if strange:
            raise MalformedError(f"receipt of {self.key} has parts the writer does not write: {', '.join(strange)}")
        Receipt.from_json(self.receipt)
        version, digest = self.contract.get("version"), self.contract.get("sha256")
        if len(self.contract) != 2 or not of_type(version, int) or not HEX64.match(str(digest)):
            raise MalformedError(f"manifest of {self.key} names no contract by version and digest")
        if bool(self.revises) != (self.key.revision > 0) or (self.revises and not HEX64.match(self.revises)):
            raise MalformedError(f"revision {self.key.revision} of {self.key} names {self.revises!r}")
        if sum(part.rows for part in self.parts) != self.receipt.get("landed"):
            raise MalformedError(f"rows of the parts and landed rows differ in {self.key}")
        if sum(part.rows for part in self.quarantine) != self.receipt.get("quarantined"):
            raise MalformedError(f"rows of the quarantine and quarantined rows differ in {self.key}")

    @property
    def status(self) -> str:
        """The receipt's status."""
        return str(self.receipt["status"])

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        return canonical.encode(
            {
                "format": FORMAT,
                "source": self.key.source,
                "dataset": self.key.dataset,
                "kind": self.kind,
                "night": self.key.night.isoformat(),
                "revision": self.key.revision,
                "revises": self.revises or None,
                "snapshot": self.snapshot,
                "contract": dict(self.contract),
                "parts": [part.to_json() for part in self.parts],
                "quarantine": [part.to_json() for part in self.quarantine],
                "receipt": dict(self.receipt),
            }
        )

    @classmethod
    def from_bytes(cls, body: bytes) -> Self:
        """Parse ``body``; raise ``MalformedError`` for anything :meth:`to_bytes` would not write."""
        value = canonical.parse(body, what="manifest")  # another spelling is refused by the comparison below
        try:
            if value.pop("format") != FORMAT:
                raise MalformedError("unknown manifest format")
            key = SnapshotKey(
                value["source"], value["dataset"], dt.date.fromisoformat(value["night"]), value["revision"]
            )
            manifest = cls(
                key=key,
                kind=value["kind"],
                snapshot=value["snapshot"],
                contract=value["contract"],
                parts=tuple(Part(**part) for part in value["parts"]),
                quarantine=tuple(Part(**part) for part in value["quarantine"]),
                receipt=value["receipt"],
                revises=value["revises"] or "",
            )
            again = manifest.to_bytes()
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise MalformedError(f"malformed manifest: {exc!r}") from exc
        if again != body:
            raise MalformedError("manifest has parts the writer does not write")
        return manifest


def build(  # the one way a collector makes a manifest
    key: SnapshotKey,
    kind: Kind,
    snapshot: str,
    contract: Mapping[str, Any],
    parts: tuple[Part, ...],
    quarantine: tuple[Part, ...],
    receipt: Receipt,
    revises: str = "",
) -> Manifest:
    """Return the manifest of a snapshot with a typed receipt."""
    return Manifest(key, kind, snapshot, contract, parts, quarantine, receipt.to_json(), revises)

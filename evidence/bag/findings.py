"""Canonical findings: what two collections of the same rows must agree on, byte for byte (docs/formats/findings.md).

Works on the JSON spelling, so that ``verify`` and ``reperform`` share it with the writer without the control engine.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from evidence.snapshot import canonical
from evidence.snapshot.assessed import canonical_night

__all__ = ["FORMAT", "canonical_findings", "canonical_night"]
FORMAT: Final = "evidence-findings-v1"


def canonical_findings(
    start: str, end: str, periods: Iterable[Mapping[str, Any]], nights: Iterable[Mapping[str, Any]]
) -> bytes:
    """Return the bytes of ``data/findings.json``: findings sorted by control and night, no versions, no clocks."""
    body = {
        "format": FORMAT,
        "period": {"start": start, "end": end},
        "periods": sorted(periods, key=lambda p: (p["control"], p["start"])),
        "nights": sorted((canonical_night(n) for n in nights), key=lambda n: (n["control"], n["night"])),
    }
    return canonical.encode(body)

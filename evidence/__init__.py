"""Compliance evidence as code for Snowflake + dbt + AWS platforms that keep PHI.

The flow, in the order of the commands; verbs are modules, nouns are packages:

1. ``collect``    a ``sources`` system of record -> rows and a receipt that proves how complete they are
2. ``seal``       rows -> Parquet parts, a manifest and one entry in the append-only log (``snapshot``, ``store``, ``tlog``)
3. ``assess``     sealed snapshots + ``control`` content -> findings, sealed in turn
4. ``packet``     findings + evidence -> a signed bag an auditor can open (``render``, ``bag``, ``signing``)
5. ``verify``     a packet or a store, offline, trusting nothing but a key it was given
6. ``reperform``  verify, then compute the findings again from the packet's own evidence

``datasets`` are the contracts of what is read; ``errors`` is the tree of what can go wrong and its exit codes.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from evidence.notebook import Evidence

__all__ = ["__version__", "open"]
__version__ = "0.1.0"


def open(store: "str | Path", *, trust: "str | Path", **place: Any) -> "Evidence":  # noqa: A001 - evidence.open reads well
    """Open sealed evidence for reading: docs/notebook.md."""
    notebook = import_module(
        "evidence.notebook"
    )  # by name: the verifier in one file carries what is imported, and it reads no Parquet
    opened: Evidence = notebook.open_evidence(store, trust=trust, **place)
    return opened

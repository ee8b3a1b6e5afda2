"""How far each packet came: draft, reviewed, approved, issued, superseded; as the log says, signature by signature."""

from collections import defaultdict
from typing import Any

from evidence.bag.signoff import state_of
from evidence.cli import output
from evidence.cli.workspace import Workspace
from evidence.store.index import Index

COLUMNS = ("packet", "report", "state", "by", "reason")


def packet_states(index: Index) -> list[dict[str, Any]]:
    """Return a row for each packet of the log, oldest first; ``reason`` is why it was superseded, in the issuer's words.

    A signature was verified when it was recorded; ``evidence verify PACKET`` verifies those that lie beside the packet.
    """
    signed: dict[str, dict[str, str]] = defaultdict(dict)
    replaced: dict[str, dict[str, Any]] = {}
    for _, entry in index.of_type("approval"):
        demo = "DEMO " if entry.body["demo"] else ""
        signed[entry.body["packet"]][entry.body["role"]] = f"{demo}{entry.body['role']} {entry.body['name']}"
        if entry.body["supersedes"]:
            replaced[entry.body["supersedes"]] = dict(entry.body)
    rows = []
    for _, entry in index.of_type("packet"):
        by, later = signed[entry.key], replaced.get(entry.key)
        rows.append({
            "packet": entry.key,
            "report": entry.body["report"],
            "state": f"superseded by {later['packet']}" if later else state_of(by),
            "by": ", ".join(by.values()) or "nobody: unsigned",
            "reason": later["comment"] if later else "",
        })  # fmt: skip
    return rows


def show_packets(workspace: Workspace, *, json: bool) -> None:
    """Print them."""
    rows = packet_states(workspace.index)
    if json:
        output.as_json({"packets": rows})
        return
    output.table("", list(COLUMNS), [[row[column] for column in COLUMNS] for row in rows])

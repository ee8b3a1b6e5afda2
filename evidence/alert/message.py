"""An alert in words: one message for all changes of a run. No item, row or secret is ever in it."""

from collections.abc import Sequence
from typing import Final

from evidence.alert.condition import Condition
from evidence.alert.ledger import Alert
from evidence.control.model import SEVERITIES

LINES: Final = 40  # changes listed one by one in a message; the alert in the store has all
_WORDS: Final = {
    "missed-night": ("night lost", "nights lost"),
    "not-read-whole": ("dataset not read whole", "datasets not read whole"),
    "failing": ("control newly failing", "controls newly failing"),
    "not-assessed": ("control not assessed", "controls not assessed"),
    "review-overdue": ("review overdue", "reviews overdue"),
    "expiring": ("end near", "ends near"),
    "integrity": ("integrity finding", "integrity findings"),
}


def title(alert: Alert, entity: str) -> str:
    """Return the subject line: ``evidence, Example Health Plan: 2 controls newly failing, 1 over``."""
    parts = [
        f"{count} {_WORDS[kind][count > 1]}"
        for kind in _WORDS
        if (count := sum(each.kind == kind for each in alert.begun))
    ]
    if alert.ended:
        parts.append(f"{len(alert.ended)} over")
    return f"evidence, {entity}: {', '.join(parts)}"


def body(alert: Alert) -> str:
    """Return the plain text: what began, gravest first, each with its first step, then what is over."""
    lines = [f"Alert {alert.id} of {alert.at:%Y-%m-%d %H:%M} UTC. {len(alert.standing)} conditions stand.", ""]
    for each in _gravest(alert.begun)[:LINES]:
        lines.append(f"[{each.severity}] {each.summary}")
        lines += [f"    {each.fix}"] if each.fix else []
    for each in _gravest(alert.ended)[: max(LINES - len(alert.begun), 10)]:
        lines.append(f"[over] {each.summary}")
    listed = sum(line.startswith("[") for line in lines)
    if listed < len(alert.begun) + len(alert.ended):
        lines.append(
            f"First {listed} of {len(alert.begun) + len(alert.ended)}; the store's alert {alert.id} lists all."
        )
    return "\n".join(lines) + "\n"


def _gravest(conditions: Sequence[Condition]) -> list[Condition]:
    return sorted(conditions, key=lambda each: (-SEVERITIES.index(each.severity), each.kind, each.subject))

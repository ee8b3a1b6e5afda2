"""From one reading to its receipt: reconciled, judged, priced. Refusals get a receipt too, with what was sent until then."""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from evidence.datasets.contract import Contract
from evidence.datasets.land import Landed
from evidence.datasets.timing import settled_at
from evidence.errors import SourceDeniedError, SourceEditionError, SourceError
from evidence.snapshot.model import Empty, Finality, Receipt, Statement, Status, Totals, Window
from evidence.sources.protocol import UNPROVEN, PartialReading, Reading, SaysCost, SaysWhyEmpty

Refusal = Literal["denied", "unavailable", "edition"]
UNSAID = Empty("unproven", "the source does not say whether rows would have been seen")


def of_rows(contract: Contract, window: Window, reading: Reading, landed: Landed, moment: dt.datetime) -> Receipt:
    """Return the receipt of a read that came to its end at ``moment`` (our clock)."""
    source_totals, as_of = reading.totals, reading.as_of
    differences = _reconcile(source_totals, landed, reading.notes)
    gaps = tuple(reading.gaps) if isinstance(reading, PartialReading) else ()
    status, reason = _judge(
        contract, landed, differences, gaps, known_moment=as_of is not None, stated=source_totals is not None
    )
    return Receipt(
        status=status,
        reason=reason,
        collected_at=moment,
        finality=reading.finality or finality_by_clock(contract, window, moment),
        as_of=as_of[0] if as_of else None,
        as_of_claimed=as_of[1] if as_of else False,
        system=dict(reading.system),
        statements=tuple(reading.statements),
        source_totals=source_totals,
        landed_totals=landed.totals,
        differences=differences,
        landed=landed.landed,
        quarantined=landed.quarantined,
        quarantine_reasons=landed.quarantine_reasons,
        treated=landed.treated,
        drift=landed.drift,
        notes=(*gaps, *reading.notes),
        rows_digest=landed.rows_digest,
        empty=_empty(reading) if status == "complete" and not landed.landed else None,
        cost=_cost(reading),
    )


def of_refusal(exc: SourceError, reading: Reading | None, moment: dt.datetime) -> Receipt:
    """Return the receipt of a read that was refused or broke off; ``reading`` is None if it did not even begin."""
    status, reason = refusal(exc), reason_of(exc)
    receipt = Receipt(status=status, reason=reason, collected_at=moment)
    if reading is not None:
        receipt = dataclasses.replace(
            receipt,
            system=dict(reading.system),
            statements=tuple(reading.statements),
            notes=tuple(reading.notes),
            cost=_cost(reading),
        )
    return dataclasses.replace(receipt, empty=Empty("edition", reason)) if status == "edition" else receipt


def finality_by_clock(contract: Contract, window: Window, moment: dt.datetime) -> Finality:
    """Return what a look at ``moment`` can say of late rows; state has none."""
    if contract.kind == "state":
        return "settled"
    return "settled" if moment >= settled_at(contract, window.night) else "provisional"


def refusal(exc: SourceError) -> Refusal:
    """Return the status that an error of the source is sealed as."""
    if isinstance(exc, SourceDeniedError):
        return "denied"
    return "edition" if isinstance(exc, SourceEditionError) else "unavailable"


def reason_of(exc: SourceError) -> str:
    """One line; the message of a source error names the statement or file and never holds row values."""
    said = str(exc).rstrip(" .") + (f"; to mend it: {exc.fix}" if exc.fix else "")
    return " ".join(said.split())[:1000]


def add_costs(costs: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sum over all tries of one window."""
    total: dict[str, int] = {}
    for cost in costs:
        for name, value in cost.items():
            total[name] = total.get(name, 0) + value
    return dict(sorted(total.items()))


def cost_of(statements: Iterable[Statement]) -> dict[str, int]:
    """Return how many statements there were and how long the source took over them, in milliseconds."""
    sent = list(statements)
    spans = [s.ended_at - s.started_at for s in sent if s.started_at and s.ended_at]
    elapsed = sum(spans, dt.timedelta()) // dt.timedelta(milliseconds=1)
    return {"statements": len(sent), **({"elapsed_ms": elapsed} if spans else {})}


def _cost(reading: Reading) -> dict[str, int]:
    more: Mapping[str, Any] = reading.cost if isinstance(reading, SaysCost) else {}
    return {"reads": 1, **cost_of(reading.statements), **more}


def _empty(reading: Reading) -> Empty:
    said = reading.empty if isinstance(reading, SaysWhyEmpty) else None
    return said or UNSAID


def _reconcile(source: Totals | None, landed: Landed, notes: Sequence[str]) -> tuple[str, ...]:
    """Compare both sides (source / arrived); rows set aside count as arrived."""
    if source is not None:
        return tuple(source.differences(landed.totals))
    why = tuple(note.removeprefix(UNPROVEN) for note in notes if note.startswith(UNPROVEN))
    return why or ("the source stated no totals",)


def _judge(
    contract: Contract,
    landed: Landed,
    differences: tuple[str, ...],
    gaps: tuple[str, ...],
    *,
    known_moment: bool,
    stated: bool,
) -> tuple[Status, str]:
    problems = []
    if differences:
        said = "totals differ (source / arrived)" if stated else "unproven"
        problems.append(f"{said}: " + "; ".join(differences[:5]))
    if gaps:
        more = f" (and {len(gaps) - 3} more, see the notes)" if len(gaps) > 3 else ""
        problems.append("not answered: " + "; ".join(gaps[:3]) + more)
    if landed.quarantined:
        problems.append(f"{landed.quarantined:,} row{'' if landed.quarantined == 1 else 's'} quarantined")
    if contract.kind == "state" and not known_moment:
        problems.append("the moment of capture is not stated")
    return ("incomplete", "; ".join(problems)) if problems else ("complete", "")

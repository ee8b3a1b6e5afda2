"""A second look at a window that is sealed as complete: counted where the source can count, else read and compared.

What was compared is said in every outcome (``docs/decisions/0085-windows-are-counted-until-they-are-stable.md``).
"""

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any

from evidence.datasets.contract import Contract
from evidence.snapshot.collected import Collected, Recount
from evidence.snapshot.model import Receipt, Totals, Window
from evidence.sources.protocol import Count, Counting, Source
from evidence.sources.receipts import cost_of, finality_by_clock

BY_ROWS = ("status", "rows_digest", "quarantined")


def count_again(source: Source, contract: Contract, window: Window, before: Mapping[str, Any]) -> Count | None:
    """Return the source's count if it equals that of the sealed receipt ``before``; None: the window must be read.

    A count without digest would miss a row that replaced another, so both must have one. Raises ``SourceError``.
    """
    system = before.get("system", {})
    stated, digest, names = before.get("source_totals"), system.get("hash_agg"), system.get("hash_agg_columns")
    if not isinstance(source, Counting) or not (stated and digest and names):
        return None
    found = source.count(contract, window, names.split(","))
    if found is None or (found.digest, ",".join(found.columns)) != (digest, names):
        return None
    return found if not Totals.from_json(stated).differences(found.totals) else None


def stable_by_count(
    contract: Contract, window: Window, before: Mapping[str, Any], found: Count, occasion: str, moment: dt.datetime
) -> tuple[Receipt, Recount]:
    """Return receipt and outcome of a count that found the sealed receipt's numbers again."""
    receipt = Receipt(
        status="complete",
        collected_at=moment,
        finality=finality_by_clock(contract, window, moment),
        source_totals=found.totals,
        statements=found.statements,
        landed=int(before["landed"]),
        quarantined=int(before["quarantined"]),
        rows_digest=str(before.get("rows_digest", "")),
        cost=cost_of(found.statements),
    )
    sums = sorted(set(found.totals.columns) & set(before["source_totals"].get("columns", {})))
    compared = ("rows", "distinct_keys", f"totals of {len(sums)} columns", f"hash_agg of {len(found.columns)} columns")
    facts = {
        "rows": found.totals.rows,
        "hash_agg": found.digest,
        "query_ids": [s.query_id for s in found.statements if s.query_id],
    }
    return receipt, Recount("stable", occasion, compared, facts=facts)


def weigh(item: Collected, before: Mapping[str, Any], occasion: str, *, live: bool, settled: bool) -> Collected:
    """Say what a second read of a complete window means: nothing new, a failed look, rows gone, or a revision.

    Rows that were sealed and are gone do not become a smaller revision: what was proved once stays. A revision of a live
    source is provisional until a later count finds it stable.
    """
    receipt = item.receipt
    if receipt.status in {"denied", "unavailable", "edition"}:
        return dataclasses.replace(item, recount=Recount(receipt.status, occasion, reason=receipt.reason))
    if item.same_rows:
        facts = {"rows": receipt.landed, "rows_digest": receipt.rows_digest}
        return dataclasses.replace(item, recount=Recount("stable", occasion, BY_ROWS, facts=facts))
    gone = _gone(receipt, before)
    if gone:
        return dataclasses.replace(item, recount=Recount("fewer", occasion, BY_ROWS, gone, {"rows": receipt.landed}))
    notes = (*receipt.notes, *(["rows came after this window had been settled"] if settled else []))
    finality = "provisional" if live else receipt.finality
    return dataclasses.replace(item, receipt=dataclasses.replace(receipt, notes=notes, late=settled, finality=finality))


def _gone(receipt: Receipt, before: Mapping[str, Any]) -> str:
    """Say what is missing that was sealed. Fewer rows with as many keys are repeats that the source took back."""
    stated, now = before.get("landed_totals"), receipt.landed_totals
    if now is None or not stated:
        return ""
    then = Totals.from_json(stated)
    if then.distinct_keys is not None and now.distinct_keys is not None:
        what, old, new = "distinct keys", then.distinct_keys, now.distinct_keys
    else:
        what, old, new = "rows", then.rows, now.rows
    return f"the source now has {new} {what}, {old} are sealed: the sealed rows stand" if new < old else ""

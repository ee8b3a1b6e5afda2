"""The finding algebra of one night (design.md section 8): pure, over what the two SELECTs returned."""

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from evidence.control.gate import Gathered, leading
from evidence.control.ledger import Ledger
from evidence.control.model import Control
from evidence.control.result import IN_TIME, VERDICTS, Disposed, NightFinding, Observation
from evidence.errors import ControlError

COLUMNS = ("item", "result", "reason", "observed", "expected")
NAMED = 5  # items named in a message


@dataclass(frozen=True, slots=True)
class Tested:
    """What the SQL said: the population by count and fingerprint, and every observation that is not a pass."""

    population: int
    fingerprint: str
    passed: int
    observations: tuple[Observation, ...] = ()


def check_population(table: pa.Table) -> pa.Array:
    """Return the items, sorted. Raises ``ControlError`` for a NULL, repeated or untyped item."""
    return _items(table, "population.sql")


def check_results(table: pa.Table, population: pa.Array, reasons: Mapping[str, str]) -> Tested:
    """Return what was tested. Raises ``ControlError`` unless there is exactly one sound row for each item."""
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing or len(table.column_names) != len(COLUMNS):
        raise ControlError(f"control.sql: columns are {', '.join(table.column_names)}, not {', '.join(COLUMNS)}")
    items = _items(table, "control.sql")
    if not items.equals(population):
        raise ControlError(f"control.sql: {_difference(items, population)}")
    results = table.column("result").cast(pa.string())
    strange = pc.invert(pc.fill_null(pc.is_in(results, pa.array(VERDICTS)), fill_value=False))
    if pc.any(strange).as_py():
        found = table.filter(strange).select(["item", "result"]).slice(0, 1).to_pylist()[0]
        raise ControlError(f"control.sql: result of {found['item']!r} is {found['result']!r}")
    passes = pc.equal(results, "pass")
    _check_reasons(table.filter(passes), {"", *reasons})
    others = table.filter(pc.invert(passes))
    _check_reasons(others, set(reasons))
    observations = sorted((_observation(row) for row in others.to_pylist()), key=lambda seen: seen.item)
    return Tested(len(items), fingerprint(items), len(items) - len(observations), tuple(observations))


def fingerprint(items: pa.Array) -> str:
    """Return the SHA-256 over sorted items, each spelled ``<size in bytes>:<item>`` and a line feed; the order they came in does not matter."""
    body = items.cast(pa.large_binary())
    sizes = pc.binary_length(body).cast(pa.large_string()).cast(pa.large_binary())
    spelled = pc.binary_join_element_wise(
        sizes,
        pa.scalar(b":", pa.large_binary()),
        body,
        pa.scalar(b"\n", pa.large_binary()),
        pa.scalar(b"", pa.large_binary()),
    )
    _, offsets, body = spelled.buffers()
    if not len(spelled) or body is None:
        return hashlib.sha256().hexdigest()
    ends = pa.Array.from_buffers(pa.int64(), len(spelled) + 1, [None, offsets], offset=spelled.offset)
    return hashlib.sha256(memoryview(body)[ends[0].as_py() : ends[-1].as_py()]).hexdigest()


def conclude(control: Control, blank: NightFinding, gathered: Gathered, tested: Tested, ledger: Ledger) -> NightFinding:
    """Fold observations, gaps and what people recorded into the night's finding."""
    exceptions, reviews, disposed = judge(control, tested.observations, ledger)
    finding = dataclasses.replace(
        blank,
        population=tested.population,
        fingerprint=tested.fingerprint,
        passed=tested.passed,
        exceptions=exceptions,
        reviews=reviews,
        disposed=disposed,
        detail=f"not covered yet: {', '.join(gathered.uncovered)}" if gathered.uncovered else "",
    )
    if exceptions and gathered.doubtful:
        reason, detail = leading(gathered.doubtful)
        finding = dataclasses.replace(finding, exceptions=(), reviews=(), disposed=())
        return not_assessed(finding, reason, f"{detail}; {len(exceptions)} items fail unless this evidence clears them")
    if exceptions:
        missing = leading(gathered.required)[1] if gathered.required else finding.detail
        return dataclasses.replace(finding, status="not-satisfied", detail=missing)
    if gathered.required:
        return not_assessed(finding, *leading(gathered.required))
    if reviews:
        days = f"{len(reviews)} items wait for a disposition, due within {control.review_days} days"
        return not_assessed(finding, "pending-review", days)
    if not tested.population:
        return _of_nobody(control, finding)
    return dataclasses.replace(finding, status="satisfied")


def judge(
    control: Control, observations: tuple[Observation, ...], ledger: Ledger
) -> tuple[tuple[Observation, ...], tuple[Observation, ...], tuple[Disposed, ...]]:
    """Return (exceptions, open review items, records of people). A hit nobody disposed of in time is an exception."""
    exceptions, reviews, disposed = [], [], []
    for seen in observations:
        if seen.result != "review" and control.mode != "event-review":
            exceptions.append(seen)
            continue
        settled = ledger.settle(seen)
        if settled.record:
            disposed.append(settled.record)
        if settled.place == "open":
            reviews.append(dataclasses.replace(seen, result="review"))
        elif settled.place == "exception":
            exceptions.append(_excepted(seen, control.review_days))
    return tuple(exceptions), tuple(reviews), tuple(disposed)


def _excepted(seen: Observation, review_days: int) -> Observation:
    expected = f"{IN_TIME}{review_days} days"
    return dataclasses.replace(seen, result="fail", expected=f"{seen.expected}; {expected}".removeprefix("; "))


def not_assessed(finding: NightFinding, reason: str, detail: str) -> NightFinding:
    """Return ``finding`` as not assessed, and why."""
    return dataclasses.replace(finding, status="not-assessed", reason=reason, detail=detail)


def _of_nobody(control: Control, finding: NightFinding) -> NightFinding:
    if control.empty_population == "not-applicable":
        return dataclasses.replace(finding, status="not-applicable", reason="empty", detail=control.empty_reason)
    return not_assessed(finding, "empty", "nobody and nothing is in scope, which usually is a matter of rights")


def _items(table: pa.Table, what: str) -> pa.Array:
    if "item" not in table.column_names:
        raise ControlError(f"{what}: no column item")
    column = table.column("item")
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise ControlError(f"{what}: item is {column.type}, not text")
    if column.null_count:
        raise ControlError(f"{what}: {column.null_count} items are NULL")
    items = column.cast(pa.large_string()).combine_chunks()
    ordered = items.take(pc.sort_indices(items))
    repeated = ordered.slice(1).filter(pc.equal(ordered.slice(1), ordered.slice(0, max(0, len(ordered) - 1))))
    if len(repeated):
        raise ControlError(f"{what}: items stand more than once: {_some(repeated)}")
    return ordered


def _difference(items: pa.Array, population: pa.Array) -> str:
    extra = items.filter(pc.invert(pc.is_in(items, population)))
    lost = population.filter(pc.invert(pc.is_in(population, items)))
    parts = []
    if len(extra):
        parts.append(f"{len(extra)} items that are not in the population: {_some(extra)}")
    if len(lost):
        parts.append(f"{len(lost)} items of the population without a result: {_some(lost)}")
    return "; ".join(parts)


def _some(items: pa.Array) -> str:
    names = ", ".join(repr(name) for name in items.slice(0, NAMED).to_pylist())
    return f"{names} …" if len(items) > NAMED else names


def _check_reasons(table: pa.Table, allowed: set[str]) -> None:
    reasons = pc.fill_null(table.column("reason").cast(pa.string()), "")
    strange = pc.invert(pc.is_in(reasons, pa.array(sorted(allowed), pa.string())))
    if pc.any(strange).as_py():
        found = table.filter(strange).select(["item", "reason"]).slice(0, 1).to_pylist()[0]
        raise ControlError(f"control.sql: reason of {found['item']!r} is {found['reason']!r}, not one of [reasons]")


def _observation(row: Mapping[str, object]) -> Observation:
    return Observation(
        item=str(row["item"]),
        result=row["result"],  # type: ignore[arg-type]  # checked against VERDICTS as a column
        reason=str(row["reason"]),
        observed=spelled(row["observed"]),
        expected=spelled(row["expected"]),
    )


def spelled(value: object) -> str:
    """Return the text of an observed or expected value; NULL is empty. Raises ``ControlError`` for floats and lists."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() | list() | dict():
            raise ControlError(f"control.sql: observed or expected {value!r} is a {type(value).__name__}, not text")
    return str(value)

"""What the log promises about retention, and keeping it: sealed promises, longer locks, locks read back.

A ``retention`` entry holds the rule that everything sealed is kept by. It may grow; what is configured to be less is refused.
Growing is a command of its own: every lock is lengthened first, then the new promise is sealed. The log is kept as long as
what it commits: its first records, written years before the last, are lengthened to the date of the last. So are registers, rules and
texts: their six years begin when they were last in force, not when they were sealed (45 CFR 164.316(b)(2)(i)).
"""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from evidence.errors import ConfigError, EvidenceError
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry
from evidence.store.check import referenced
from evidence.store.loading import STORE_PATH
from evidence.store.log import Log
from evidence.store.objects import CACHE_PATH, ObjectInfo
from evidence.store.retention import RetainingStore, RetentionRule, differences, retaining, shortfall
from evidence.store.sealing import append_new, disposals_of
from evidence.tlog.record import PREFIX

_LACKS: Final = "keeps no retention and no legal hold"

_LOG_SLACK: Final = dt.timedelta(
    days=1
)  # the log's locks are lengthened by days, not by the seconds between two records
IN_USE: Final = ("register", "configuration", "text")  # sealed once per content, which may be in force for years after
_EXTEND: Final = "run evidence retention extend"


@dataclass
class Extended:
    """What :func:`extend` looked at and what it changed, in objects."""

    objects: int = 0
    lengthened: int = 0


def promised(log: Log) -> RetentionRule | None:
    """Return the last sealed promise; None where there is none (a folder, or a store made before there were any)."""
    last = None
    for _, entry in log.entries("retention"):
        last = entry
    return RetentionRule.from_body(last.body) if last else None


def check_promise(log: Log, *, confirmed: bool = False) -> None:
    """Raise ``ConfigError`` when the configuration keeps anything less than was promised.

    In COMPLIANCE mode anything more is refused too until it is ``confirmed``: the next lock could not be undone.
    A copy in a folder keeps nothing and goes on all the same: :func:`pending` says so.
    """
    promise = promised(log)
    if promise is None or not isinstance(log.store, RetainingStore):
        return
    if less := log.store.rule.less_than(promise):
        raise ConfigError(
            f"retention would become less than what is sealed: {'; '.join(less)}",
            fix="set it back to what was promised, or to more: a lock is lengthened, never shortened",
        )
    changes = list(differences(promise, log.store.rule))
    if changes and log.store.rule.mode == "COMPLIANCE" and not confirmed:
        raise ConfigError(
            f"COMPLIANCE locks would change before anybody confirmed it: {', '.join(changes)}",
            fix=f"set it back, or {_EXTEND} --confirm",
        )


def pending(log: Log) -> str:
    """Return where the store and the promise differ, as a line for people; empty if they do not."""
    promise = promised(log)
    if promise is None:
        return ""
    if not isinstance(log.store, RetainingStore):
        return f"{log.store.url} keeps no retention; the log promises {promise.mode} for {promise.days} days"
    changes = list(differences(promise, log.store.rule))
    return f"retention grew ({', '.join(changes)}); what is sealed has the old locks: {_EXTEND}" if changes else ""


def seal_promise(log: Log) -> bool:
    """Seal the store's rule as the first promise; False if there is one, or the store keeps nothing."""
    if not isinstance(log.store, RetainingStore) or promised(log) is not None:
        return False
    return bool(append_new(log, [Entry("retention", "1", None, log.store.rule.to_body())]))


def extend(log: Log, step: Callable[[str], None] = lambda _: None) -> Extended:
    """Lengthen every lock to the configured rule and the log's to the date of its last record, then seal the promise.

    Idempotent: stopped anywhere, the next call goes on. Calls to the store: a listing and a HEAD for each object, four more for
    each that is lengthened, one GET for each manifest. Raises ``ConfigError`` where the store keeps nothing.
    """
    store = retaining(log.store, _LACKS)
    done = Extended()
    for path, recorded in sealed_paths(log):
        info = store.original(path)
        done.objects += 1
        if _short(path, info, store.rule, recorded):
            until = store.rule.until(path, info.written_at or _now(log, store))
            done.lengthened += store.lengthen(path, max(until, recorded or until))
        step(path)
    _extend_log(log, store, done, step)
    if list(differences(promised(log) or store.rule, store.rule)) or promised(log) is None:
        number = sum(1 for _ in log.entries("retention")) + 1
        append_new(log, [Entry("retention", str(number), None, store.rule.to_body())])
    return done


def shortfalls(log: Log) -> Iterator[tuple[str, str]]:
    """Yield (path, problem) of every sealed object whose lock is less than promised, or than it was when it was sealed.

    Looks at the version that was created first, one object after the other: two calls each.
    """
    store = retaining(log.store, _LACKS)
    rule = promised(log) or store.rule
    for path, recorded in sealed_paths(log):
        try:
            info = store.original(path)
        except EvidenceError as exc:
            yield path, str(exc)
            continue
        if problem := _short(path, info, rule, recorded):
            yield path, problem


def _short(path: str, info: ObjectInfo, rule: RetentionRule, recorded: dt.datetime | None) -> str:
    """Return how a lock falls short of the rule, or of what it was when it was sealed; empty if it does not."""
    if problem := shortfall(path, info, rule):
        return problem
    if recorded and info.retain_until and info.retain_until < recorded:
        return f"{path} was locked until {recorded} when it was sealed, now until {info.retain_until}"
    return ""


def sealed_paths(log: Log) -> Iterator[tuple[str, dt.datetime | None]]:
    """Yield (path, the date read back when it was sealed, if recorded) of every object that entries and manifests name and that was not disposed of."""
    gone = disposals_of(log).entries
    for index, entry in log.entries():
        if entry.object is None or index in gone:
            continue
        said = entry.body.get("retention")
        for path in sorted(referenced(log.store, [entry])):
            mine = path == entry.object.path
            yield path, canonical.parse_time(said["until"]) if mine and said else None


def _extend_log(log: Log, store: RetainingStore, done: Extended, step: Callable[[str], None]) -> None:
    names = [STORE_PATH, *(path for path in log.store.list("log/") if path != CACHE_PATH)]
    used = (entry.object for kind in IN_USE for _, entry in log.entries(kind))
    names += sorted({ref.path for ref in used if ref})
    last = max(path for path in names if path.startswith(PREFIX))
    tip = store.original(last).retain_until or _now(log, store)
    for path in names:
        done.objects += 1
        until = store.original(path).retain_until
        if until is None or until < tip - _LOG_SLACK:
            done.lengthened += store.lengthen(path, tip)
        step(path)


def _now(log: Log, store: RetainingStore) -> dt.datetime:
    """The moment that the log's own locks are counted from."""
    until = log.retain_until()
    if until is None:
        raise ConfigError("this log was opened without its retention")
    return until - dt.timedelta(days=store.rule.longest)

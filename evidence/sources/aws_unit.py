"""One account, or one region of it, as rows; and how AWS's values are spelled in them.

AWS has no COUNT. What it lets us count are its listings, so every unit is listed twice: what is described is compared with
the second listing. An item that vanished in between is left out and noted; one that appeared makes the totals differ, and
the dataset is read again.
"""

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import unquote

from evidence.sources import exact
from evidence.sources.aws_calls import Absent, Answer, Calls, GoneError, Refused

Row = dict[str, Any]
T = TypeVar("T")
UNSET_TEXT: Final = "unset"  # what a text column says where AWS says "not configured"
GLOBAL: Final = "global"  # the region of what belongs to the whole account


@dataclass(frozen=True, slots=True)
class Unit:
    """Rows by identity, and the identities of the second listing; ``as_of`` where AWS states an earlier moment."""

    rows: Mapping[str, Row]
    listed: frozenset[str]
    notes: tuple[str, ...] = ()
    as_of: dt.datetime | None = None


def compared(rows: Mapping[str, Row], later: Collection[str], what: str, found: Collection[str] | None = None) -> Unit:
    """Return the rows that the second listing still has; say what came and went while reading.

    ``found`` are the identities of the first listing, if some of them gave no row.
    """
    listed, first = frozenset(later), frozenset(rows if found is None else found)
    said = {
        "vanished while reading and are left out": first - listed,
        "appeared while reading and were not described": listed - first,
        "are listed and answered as if they were not there": (listed & first) - rows.keys(),
    }
    notes = tuple(f"{len(names)} {what} {how}: {_some(sorted(names))}" for how, names in said.items() if names)
    return Unit({key: row for key, row in rows.items() if key in listed}, listed, notes)


def described(
    calls: Calls, found: Mapping[str, T], describe: Callable[[T], Row], again: Callable[[], Collection[str]], what: str
) -> Unit:
    """Describe every item of the first listing, several at a time, then list ``again`` and compare."""

    def one(item: T) -> Row | None:
        try:
            return describe(item)
        except GoneError:
            return None

    rows = calls.each(one, found.values())
    return compared({key: row for key, row in zip(found, rows, strict=True) if row is not None}, again(), what, found)


def refusals(answers: Iterable[Answer | list[Any]]) -> list[str]:
    """Return what the column ``refused`` says: the calls AWS did not answer for this row, each with its code."""
    return sorted({str(answer) for answer in answers if isinstance(answer, Refused)})


def field(answer: Answer, *path: str, unset: Any = None) -> Any:
    """Return a member of an answer; ``unset`` if AWS says that nothing is configured, NULL if it did not answer."""
    if isinstance(answer, Refused):
        return None
    if isinstance(answer, Absent):
        return unset
    value: Any = answer
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def is_set(answer: Answer) -> bool | None:
    """True or False as AWS says, NULL if it did not answer."""
    return None if isinstance(answer, Refused) else not isinstance(answer, Absent)


def document(value: Any) -> Any:
    """Return a policy document as a JSON value: IAM percent-encodes (RFC 3986), the SDK decodes some, others are text.

    A text that is no JSON stays a text, so that nothing is lost and no control can read it as an empty policy.
    """
    if not isinstance(value, str):
        return plain(value)
    text = value if value.lstrip().startswith("{") else unquote(value)
    try:
        return exact.loads(text)
    except ValueError:
        return value


def plain(value: Any) -> Any:
    """Return SDK values as JSON values: moments in ISO 8601, everything else as it is."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items() if key != "ResponseMetadata"}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def tags(pairs: Iterable[Mapping[str, str]] | None, key: str = "Key", value: str = "Value") -> dict[str, str]:
    """Return a tag set as an object."""
    return {pair[key]: pair.get(value, "") for pair in pairs or ()}


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "")

"""A field mapping: which column of somebody's export becomes which column of a contract (``docs/formats/records.md``); pure.

Mappings are data: TOML files of the workspace, or presets under ``evidence/datasets/records/presets``. They rename, translate words,
read dates and flatten nested JSON. They never judge: a word that a mapping does not translate meets the contract's
vocabulary as it is, and a column that no mapping takes is reported as drift.
"""

import datetime as dt
import tomllib
import zoneinfo
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from evidence.datasets.contract import Contract
from evidence.errors import ConfigError
from evidence.sources import exact
from evidence.sources.moment import parse_moment

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EPOCHS = {"epoch-seconds": 1_000_000, "epoch-milliseconds": 1_000}
_TREATED = ("split", "values", "otherwise", "times", "days")
WHOLE = "."  # rows: the document is one row
_DAY_LENGTH = 10  # 2026-07-01


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ListOf(_Strict):
    """A list inside a row: where it stands, which of its items count, what of each is taken; ``first``: that of one item only."""

    source: str = Field(alias="from")
    where: Mapping[str, Texts] = {}
    members: Mapping[str, str] = {}
    item: str = ""
    first: bool = False


class FieldMapping(_Strict):
    """One mapping file; ``sha256`` and ``ref`` are filled in by the loader."""

    name: str
    dataset: str
    page: str = ""
    requires: Texts = ()
    rows: str = ""
    count: str = ""
    row_caps: tuple[int, ...] = ()
    zone: str = ""
    columns: Mapping[str, Texts] = {}
    constants: Mapping[str, str] = {}
    lists: Mapping[str, ListOf] = {}
    split: Mapping[str, str] = {}
    values: Mapping[str, Mapping[str, str]] = {}
    otherwise: Mapping[str, str] = {}
    times: Mapping[str, Texts] = {}
    days: Mapping[str, Literal["start", "end"]] = {}
    ignore: Texts = ()
    ref: str = ""
    sha256: str = ""

    @cached_property
    def timezone(self) -> dt.tzinfo | None:
        """The zone of moments that the export writes without one."""
        return zoneinfo.ZoneInfo(self.zone) if self.zone else None

    @cached_property
    def wanted(self) -> tuple[str, ...]:
        """Every column or path of the export that is looked at."""
        tries = [name for names in self.columns.values() for name in names]
        return tuple(dict.fromkeys([*tries, *(part.source for part in self.lists.values())]))

    def fits(self, names: Sequence[str]) -> bool:
        """Say whether an export with these columns is of this shape."""
        return set(self.requires) <= set(names)

    def unmapped(self, names: Sequence[str]) -> list[str]:
        """Return the columns of an export that this mapping neither takes nor knows."""
        known = {*self.wanted, *(path.partition(".")[0] for path in self.wanted), *self.ignore, *self.requires}
        return [name for name in names if name not in known]


def parse_mapping(ref: str, body: bytes, sha256: str, contracts: Mapping[str, Contract]) -> FieldMapping:
    """Parse one mapping and hold it against its contract. Raises ``ConfigError`` that names ``ref`` and the key."""
    fix = "correct the mapping; docs/formats/records.md explains the keys"
    try:
        mapping = FieldMapping(**{**tomllib.loads(body.decode()), "ref": ref, "sha256": sha256})
    except ValidationError as exc:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in exc.errors())
        raise ConfigError(f"mapping {ref}: {problems}", fix=fix) from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError) as exc:
        raise ConfigError(f"mapping {ref}: {exc}", fix=fix) from exc
    contract = contracts.get(mapping.dataset)
    problem = f"dataset: no contract {mapping.dataset}" if contract is None else next(_problems(mapping, contract), "")
    if problem:
        raise ConfigError(f"mapping {ref}: {problem}", fix=fix)
    return mapping


def _problems(mapping: FieldMapping, contract: Contract) -> Iterator[str]:
    given = {*mapping.columns, *mapping.constants, *mapping.lists}
    for key in ("columns", "constants", "lists", *_TREATED):
        for name in getattr(mapping, key):
            if name not in {column.name for column in contract.columns}:
                yield f"{key}.{name}: {contract.name} has no such column"
            elif key in _TREATED and name not in mapping.columns:
                yield f"{key}.{name}: no column gives it a value"
    yield from _unfit(mapping, contract, given)
    if mapping.zone and mapping.zone not in zoneinfo.available_timezones():
        yield f"zone: no time zone {mapping.zone!r} is known here"


def _unfit(mapping: FieldMapping, contract: Contract, given: set[str]) -> Iterator[str]:
    for name in sorted(set(mapping.otherwise) - set(mapping.values)):
        yield f"otherwise.{name}: there are no values.{name}"
    for name in sorted(given):
        if sum(name in part for part in (mapping.columns, mapping.constants, mapping.lists)) > 1:
            yield f"{name} is given twice"
    for column in contract.columns:
        if column.required and column.name not in given:
            yield f"{column.name} is required and not mapped"
        for word in _words(mapping, column.name):
            if column.values and word not in column.values:
                yield f"{column.name}: {word!r} is not in the contract's vocabulary"


def _words(mapping: FieldMapping, name: str) -> list[str]:
    """Return every word that the mapping can put into a column by itself."""
    fixed = [part[name] for part in (mapping.otherwise, mapping.constants) if name in part]
    return [*mapping.values.get(name, {}).values(), *fixed]


@dataclass(frozen=True, slots=True)
class _Step:
    """How one column is filled: paths to try, whether an object may stand there, what is done to its text."""

    name: str
    tries: tuple[str, ...]
    nested: bool
    treat: Callable[[str], str] | None


class Mapper:
    """A mapping applied to rows of one contract; made once, for every row of a read."""

    def __init__(self, mapping: FieldMapping, contract: Contract) -> None:
        self._mapping = mapping
        self._steps = tuple(
            _Step(
                name,
                tuple(tries),
                contract.by_name[name.lower()].type in {"json", "texts"},
                self._treatment(name, contract),
            )
            for name, tries in mapping.columns.items()
        )
        self._constants, self._lists = dict(mapping.constants), tuple(mapping.lists.items())

    @property
    def names(self) -> list[str]:
        """The columns of a row."""
        return [*(step.name for step in self._steps), *self._constants, *(name for name, _ in self._lists)]

    def row(self, members: Mapping[str, Any]) -> dict[str, Any]:
        """Return one row under the contract's names. ``members`` are the export's, nested ones as they came."""
        found: dict[str, Any] = {}
        for step in self._steps:
            value = _first(step, members)
            if value is not None and step.treat is not None:
                text = _scalar(value)
                value = value if text is None else step.treat(text)
            found[step.name] = value
        found.update(self._constants)
        for name, part in self._lists:
            found[name] = _list_of(part, members)
        return found

    def _treatment(self, name: str, contract: Contract) -> Callable[[str], str] | None:
        mapping = self._mapping
        if name in mapping.split:
            return partial(_split, mapping.split[name])
        if name in mapping.values:
            return partial(_translated, mapping.values[name], mapping.otherwise.get(name))
        return partial(self._moment, name) if contract.by_name[name.lower()].type == "time" else None

    def _moment(self, name: str, text: str) -> str:
        """Return a moment with its zone; what cannot be read stays as it is and is set aside by the cast."""
        zone = self._mapping.timezone
        for spelling in self._mapping.times.get(name, ()):
            moment = _spelled(text, spelling)
            if moment is not None:
                return _with_zone(moment, zone) or text
        if name in self._mapping.days and len(text) == _DAY_LENGTH:
            return _day(text, self._mapping.days[name], zone) or text
        if zone is None or parse_moment(text) is not None:
            return text
        naive = parse_moment(text, zone=dt.UTC)
        return (_with_zone(naive.replace(tzinfo=None), zone) if naive else None) or text


def _first(step: _Step, members: Mapping[str, Any]) -> Any:
    """Return the first value that is there: not NULL, not an empty text, not an object where a scalar belongs."""
    for path in step.tries:
        value = reach(members, path)
        if value is None or value == "" or (not step.nested and isinstance(value, dict | list)):
            continue
        return value
    return None


def _scalar(value: Any) -> str | None:
    if isinstance(value, dt.date):  # a datetime is one, too
        return value.isoformat()
    return exact.as_text(value) if isinstance(value, str | bool | int) else None


def _split(separator: str, text: str) -> str:
    parts = (part.strip() for part in text.split(separator))
    return exact.dumps([part for part in parts if part])


def _translated(words: Mapping[str, str], otherwise: str | None, text: str) -> str:
    found = words.get(text, otherwise)
    return text if found is None else found


def _day(text: str, edge: str, zone: dt.tzinfo | None) -> str | None:
    try:
        day = dt.date.fromisoformat(text)
        start = dt.datetime.combine(day, dt.time()) + dt.timedelta(days=edge == "end")
    except (ValueError, OverflowError):
        return None
    return _with_zone(start, zone)


def reach(members: Mapping[str, Any], path: str) -> Any:
    """Follow a dotted path through objects and list positions; a member spelled like the whole path comes first."""
    if path in members:
        return members[path]
    value: Any = members
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _list_of(part: ListOf, members: Mapping[str, Any]) -> str | None:
    """Return the list as JSON text; ``None`` where there is no list, which is not the same as an empty one."""
    items = _spread(members, part.source)
    if isinstance(items, str):
        try:
            items = exact.loads(items)
        except ValueError:
            return None
    if not isinstance(items, list):
        return None
    found = [_item(part, item) for item in items if _counts(part, item)]
    if part.first:
        return exact.as_text(found[0]) if found else None
    return exact.dumps(found)


def _spread(members: Mapping[str, Any], path: str) -> Any:
    """Follow a path in which ``*`` stands for every item of a list; the lists below are joined."""
    head, star, tail = path.partition(".*.")
    value = reach(members, head)
    if not star or not isinstance(value, list):
        return None if star else value
    below = [_spread(item, tail) for item in value if isinstance(item, dict)]
    return [entry for entries in below if isinstance(entries, list) for entry in entries]


def _counts(part: ListOf, item: Any) -> bool:
    found = item if isinstance(item, dict) else {}
    return all(exact.as_text(reach(found, path)) in allowed for path, allowed in part.where.items())


def _item(part: ListOf, item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    if part.item:
        return reach(item, part.item)
    return {name: reach(item, path) for name, path in part.members.items()} if part.members else item


def _spelled(text: str, spelling: str) -> dt.datetime | None:
    if spelling in _EPOCHS:
        if not text.removeprefix("-").isdecimal() or not text.isascii() or len(text) > _DAY_LENGTH + 6:
            return None
        try:
            return EPOCH + dt.timedelta(microseconds=int(text) * _EPOCHS[spelling])
        except OverflowError:
            return None
    try:
        return dt.datetime.strptime(text.strip(), spelling)  # noqa: DTZ007 - the zone is added by the caller
    except ValueError:
        return None


def _with_zone(moment: dt.datetime, zone: dt.tzinfo | None) -> str | None:
    """Spell ``moment`` with a zone; ``None`` where there is none, or the clock showed that hour twice or never."""
    if moment.tzinfo is not None:
        return moment.isoformat()
    if zone is None:
        return None
    first, second = moment.replace(tzinfo=zone), moment.replace(tzinfo=zone, fold=1)
    return first.isoformat() if first.utcoffset() == second.utcoffset() else None

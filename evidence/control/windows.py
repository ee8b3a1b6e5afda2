"""The sealed windows one night reads: which there are, their rows as a table in today's types, each read once.

A window of a night is what one source sealed of one dataset for it; a control that looks back sees the windows of the nights before, too.
"""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from evidence.control import gate
from evidence.control.evidence import EvidenceReader, Sealed
from evidence.control.fields import WHOLE, Fields, narrowed, united
from evidence.control.folded import plain_type, together
from evidence.control.model import Control, Evidence, Fact, Library
from evidence.datasets.contract import Contract
from evidence.errors import ControlError
from evidence.snapshot.model import DAY

MOMENT: Final = pa.timestamp("us")
PARTED_ROWS: Final = 20_000  # from here a night of a dataset that is looked back at is a table of its own


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What a statement may see of a table: some of its columns (None: all).

    ``slot`` says which table it is from night to night, so that the engine loads it once for all who look at it. With
    ``parts`` the table is these together, each in a slot of its own: others look at some of them. What is in parts is not
    expected to be there again on another night. ``narrower`` are the types of columns of which less is shown than the table has.
    """

    slot: str
    table: pa.Table
    columns: tuple[str, ...] | None = None
    parts: tuple[tuple[str, pa.Table], ...] = ()
    narrower: Mapping[str, pa.DataType] = field(default_factory=dict)


Tables = Mapping[str, pa.Table | Shown]


class Windows:
    """What the readers of one night see of each dataset. ``readers``: the controls and facts that declare it."""

    def __init__(
        self, library: Library, reader: EvidenceReader, night: dt.date, readers: Sequence[Control | Fact]
    ) -> None:
        self._contracts = library.contracts
        self._reader = reader
        self._night = night
        self.columns, self._lookback = declared(library, readers)
        self._fields = fields_declared(library, readers)
        self._tables: dict[tuple[str, int], Shown] = {}
        self._nights: dict[tuple[str, dt.date], pa.Table] = {}
        self._moments: dict[str, dt.datetime | None] = {}

    def shown(self, evidence: Evidence) -> Shown:
        """Return all rows that may be read of a dataset, with the declared columns and where they come from."""
        contract = self._contracts[evidence.dataset]
        key = (contract.name, evidence.lookback_nights)
        if key not in self._tables:
            slot = f"{contract.name} over {evidence.lookback_nights} nights"
            nights = [self._night - DAY * back for back in range(evidence.lookback_nights, -1, -1)]
            found = {night: self._of_night(contract, night) for night in nights}
            whole = together([self.empty(contract), *found.values()])
            self._tables[key] = Shown(slot, whole, parts=self._parts(contract, found))
        columns = (*evidence.columns, *place_columns(contract))
        return dataclasses.replace(self._tables[key], columns=columns, narrower=self.narrower(evidence))

    def narrower(self, evidence: Evidence) -> dict[str, pa.DataType]:
        """Return the nested columns of which others read more, as it reads them: what a statement sees does not depend on who else is there."""
        contract, read = self._contracts[evidence.dataset], self._fields[evidence.dataset]
        shown = {column: _kind(contract, column, evidence.fields) for column in evidence.fields}
        return {column: kind for column, kind in shown.items() if kind != _kind(contract, column, read)}

    def empty(self, contract: Contract) -> pa.Table:
        """Return no rows of a dataset, in the types that those of tonight's readers have."""
        fields = self._fields[contract.name]
        kinds = {name: _kind(contract, name, fields) for name in self.columns[contract.name]}
        return pa.schema(list((kinds | place_columns(contract)).items())).empty_table()

    def _parts(self, contract: Contract, found: Mapping[dt.date, pa.Table]) -> tuple[tuple[str, pa.Table], ...]:
        """Return each night with a slot of its own where events are many and some look at one night of them, some at two.

        The slots take turns: what is tonight's stays where it is as tomorrow's night before. No night has another's events.
        """
        few = all(table.num_rows < PARTED_ROWS for table in found.values())
        if few or contract.kind != "event" or self._lookback[contract.name] != 1:
            return ()
        return tuple((_slot(contract, night), table) for night, table in found.items())

    @property
    def behind(self) -> list[str]:
        """Slots of the night before: the next night has no use for it, and its rows need the room."""
        parted = {name for (name, _), shown in self._tables.items() if shown.parts}
        return [_slot(self._contracts[name], self._night - DAY) for name in sorted(parted)]

    def _of_night(self, contract: Contract, night: dt.date) -> pa.Table:
        """Return the rows that all sources have of one night, read once."""
        key = (contract.name, night)
        if key not in self._nights:
            tables = [self.empty(contract)]
            for source in self._reader.sources(contract.name):
                covered = self._reader.coverage_start(source, contract.name) <= night
                sealed = self._reader.snapshot(source, contract.name, night) if covered else None
                if sealed is not None and gate.usable(sealed, contract):
                    tables.append(self._rows(sealed, contract))
            self._nights[key] = together(tables)
        return self._nights[key]

    def _rows(self, sealed: Sealed, contract: Contract) -> pa.Table:
        columns, fields = self.columns[contract.name], self._fields[contract.name]
        rows = self._reader.rows(sealed, columns, fields)
        table = conformed(rows, contract, columns, fields, folded=True)
        captured = sealed.captured_at
        places: dict[str, Any] = {
            "source": sealed.input.source,
            "night": sealed.input.night,
            "captured_at": captured.astimezone(dt.UTC).replace(tzinfo=None) if captured else None,
        }
        for name, kind in place_columns(contract).items():
            table = table.append_column(name, pa.repeat(pa.scalar(places[name], kind), table.num_rows))
        return table

    def captured(self, dataset: str) -> dt.datetime | None:
        """Return the latest capture of a state dataset for this night."""
        if dataset not in self._moments:
            contract = self._contracts[dataset]
            names = self._reader.sources(dataset) if contract.kind == "state" else ()
            covered = [name for name in names if self._reader.coverage_start(name, dataset) <= self._night]
            found = [self._reader.snapshot(name, dataset, self._night) for name in covered]
            moments = [sealed.captured_at for sealed in found if sealed and gate.usable(sealed, contract)]
            self._moments[dataset] = max((moment for moment in moments if moment), default=None)
        return self._moments[dataset]


def _slot(contract: Contract, night: dt.date) -> str:
    return f"{contract.name}, night {night.toordinal() % 2}"


def declared(library: Library, readers: Iterable[Control | Fact]) -> tuple[dict[str, list[str]], dict[str, int]]:
    """Return, by dataset, the columns that any reader or a fact it rests on declares, and how many nights one looks back."""
    columns: dict[str, set[str]] = {}
    lookback: dict[str, int] = {}
    for evidence in _evidence(library, readers):
        columns.setdefault(evidence.dataset, set()).update(evidence.columns)
        lookback[evidence.dataset] = max(lookback.get(evidence.dataset, 0), evidence.lookback_nights)
    return {dataset: sorted(names) for dataset, names in columns.items()}, lookback


def fields_declared(library: Library, readers: Iterable[Control | Fact]) -> dict[str, Fields]:
    """Return, by dataset, the fields of nested columns that any reader or a fact it rests on reads, where none reads the whole column."""
    found: dict[str, list[tuple[Sequence[str], Fields]]] = {}
    for evidence in _evidence(library, readers):
        found.setdefault(evidence.dataset, []).append((evidence.columns, evidence.fields))
    return {dataset: united(every) for dataset, every in found.items()}


def _evidence(library: Library, readers: Iterable[Control | Fact]) -> Iterator[Evidence]:
    for reader in readers:
        each: tuple[Control | Fact, ...] = (reader, *library.facts_of(reader))
        yield from (evidence for one in each for evidence in one.evidence)


def place_columns(contract: Contract) -> dict[str, pa.DataType]:
    """Return the columns every dataset has besides its own: where and when its rows come from."""
    places = {"source": pa.string(), "night": pa.date32()}
    return {**places, "captured_at": MOMENT} if contract.kind == "state" else places


def conformed(
    table: pa.Table, contract: Contract, columns: Sequence[str], fields: Fields = WHOLE, *, folded: bool = False
) -> pa.Table:
    """Return ``table`` in today's types, nested columns with their ``fields`` alone; a column that an older contract did not have is NULL.

    Dictionaries stay if ``folded``.
    """
    arrays = {}
    for name in columns:
        kind = _kind(contract, name, fields)
        found = table.column(name) if name in table.column_names else pa.nulls(table.num_rows, kind)
        try:
            same = (plain_type(found.type) if folded else found.type) == kind
            arrays[name] = found if same else found.cast(kind)
        except pa.ArrowInvalid as exc:
            raise ControlError(f"{contract.name}.{name}: sealed as {found.type}, cannot be read as {kind}") from exc
    return pa.table(arrays)


def _kind(contract: Contract, name: str, fields: Fields) -> pa.DataType:
    kind = contract.landed_schema.field(name).type
    if name in fields:
        return narrowed(kind, fields[name])
    return pa.timestamp(kind.unit) if pa.types.is_timestamp(kind) else kind

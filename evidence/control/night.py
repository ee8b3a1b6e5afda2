"""One night: gates, facts once, each control's two SELECTs, and the finding."""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import pyarrow as pa

from evidence.control import gate, ops, verdict
from evidence.control.evidence import EvidenceReader, Sealed
from evidence.control.ledger import Ledger, waive
from evidence.control.model import Control, Evidence, Fact, Library, Ops, Value
from evidence.control.register import Registers
from evidence.control.result import Input, NightFinding
from evidence.datasets.contract import Contract
from evidence.errors import ControlError
from evidence.snapshot.model import DAY, start_of

_MOMENT = pa.timestamp("us")
_DECIMAL = pa.decimal128(38, 6)
PARTED_ROWS: Final = 20_000  # from here a night of a dataset that is looked back at is a table of its own


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What a statement may see of a table: some of its columns (None: all).

    ``slot`` says which table it is from night to night, so that the engine loads it once for all who look at it. With
    ``parts`` the table is these together, each in a slot of its own: others look at some of them. What is in parts is not
    expected to be there again on another night.
    """

    slot: str
    table: pa.Table
    columns: tuple[str, ...] | None = None
    parts: tuple[tuple[str, pa.Table], ...] = ()


Tables = Mapping[str, pa.Table | Shown]


class Select(Protocol):
    """Run one SELECT over tables; ``room`` says for whom."""

    def __call__(self, sql: str, tables: Tables, room: str = "") -> pa.Table:
        """Return the rows; raise ``ControlError`` for whatever is wrong with the SQL."""


class Look(Protocol):
    """Read one table of our own records (``evidence.control.ops``)."""

    def __call__(
        self, wanted: Ops, reader: EvidenceReader, contracts: Mapping[str, Contract], night: dt.date
    ) -> ops.Looked:
        """Return its rows, what they rest on, and what keeps the night from being concluded."""


class Night:
    """Reads each snapshot and computes each fact once, and holds them while the night's controls run."""

    def __init__(
        self,
        library: Library,
        registers: Registers,
        reader: EvidenceReader,
        night: dt.date,
        known_at: dt.datetime,
        select: Select,
        controls: Sequence[Control],
        look: Look = ops.look,
    ) -> None:
        self._library = library
        self._registers = registers
        self._reader = reader
        self._night = night
        self._known_at = known_at
        self._select = select
        self._controls = controls
        self._columns = _wanted(library, controls or list(library.facts.values()))
        self._lookback = _lookback(library, controls or list(library.facts.values()))
        self._look = look
        self._looked: dict[Ops, ops.Looked] = {}
        self._tables: dict[tuple[str, int], Shown] = {}
        self._nights: dict[tuple[str, dt.date], pa.Table] = {}
        self._rows_of_values: dict[str, Shown] = {}
        self._register_tables: dict[str, dict[str, Shown]] = {}
        self._moments: dict[str, dt.datetime | None] = {}
        self._facts: dict[str, pa.Table | ControlError] = {}

    def findings(self) -> list[NightFinding]:
        """Assess every control, in the order given; then see which exceptions are waived."""
        return waive([self._assess(control) for control in self._controls], self._registers)

    def _assess(self, control: Control) -> NightFinding:
        needed = gate.requirements(self._library, control)
        gathered = gate.gather(needed, self._reader, self._library.contracts, control.editions, self._night)
        gathered = gathered.adding(gate.missing_registers(self._library, control, self._registers))
        for looked in map(self._records, control.ops):
            gathered = dataclasses.replace(gathered, sealed=(*gathered.sealed, *looked.sealed)).adding(looked.gaps)
        blank = self._blank(control, gathered.sealed)
        if control.disabled(self._night):
            detail = f"switched off until {control.disabled_until}: {control.disabled_reason}"
            return verdict.not_assessed(blank, "disabled", detail)
        if not gathered.runnable:
            return verdict.not_assessed(blank, *gate.leading(gathered.required))
        try:
            tested = self._test(control)
        except ControlError as exc:
            return verdict.not_assessed(blank, "control-error", str(exc))
        ledger = Ledger(self._registers, control, self._night, self._known_at)
        return verdict.conclude(control, blank, gathered, tested, ledger)

    def _blank(self, control: Control, sealed: Iterable[Sealed]) -> NightFinding:
        def place(used: Input) -> tuple[str, str, dt.date]:
            return used.dataset, used.source, used.night

        return NightFinding(
            control=control.id,
            version=control.version,
            content_sha256=control.content_sha256,
            night=self._night,
            status="not-assessed",
            severity=control.severity,
            inputs=tuple(sorted(dict.fromkeys(each.input for each in sealed), key=place)),
            parameters=control.effective,
        )

    def population(self, control: Control) -> pa.Table:
        """Return what population.sql gives over whatever rows are there, unchecked."""
        return self._named(
            "population.sql", control.population_sql, self._inputs(control), f"population of {control.id}"
        )

    def results(self, control: Control, population: pa.Table) -> pa.Table:
        """Return what control.sql gives, unchecked."""
        inputs = {**self._inputs(control), "population": Shown(f"population of {control.id}", population)}
        return self._named("control.sql", control.control_sql, inputs, control.id)

    def described(self, control: Control, sql: str, what: str) -> pa.Table:
        """Return the rows of another SELECT over what ``control`` sees; raise ``ControlError`` naming ``what``."""
        return self._named(what, sql, self._inputs(control), what)

    def fact(self, name: str) -> pa.Table:
        """Return the rows of a fact, computed once; an error in it is raised each time."""
        if name not in self._facts:
            fact = self._library.facts[name]
            try:
                self._facts[name] = self._named(f"fact {name}", fact.sql, self._inputs(fact), f"fact {name}")
            except ControlError as exc:
                self._facts[name] = exc
        found = self._facts[name]
        if isinstance(found, ControlError):
            raise ControlError(str(found), fix=found.fix)
        return found

    def _test(self, control: Control) -> verdict.Tested:
        population = self.population(control)
        items = verdict.check_population(population)
        return verdict.check_results(self.results(control, population), items, control.reasons)

    def _named(self, what: str, sql: str, tables: Tables, room: str) -> pa.Table:
        try:
            return self._select(sql, tables, room)
        except ControlError as exc:
            raise ControlError(f"{what}: {exc}", fix=exc.fix) from exc

    def _inputs(self, reader: Control | Fact) -> dict[str, Shown]:
        """Return every table that ``reader`` declares, under the name its SQL uses."""
        tables: dict[str, pa.Table | Shown] = {
            evidence.dataset: self._dataset(evidence) for evidence in reader.evidence
        }
        for name in reader.facts:
            tables[f"fact.{name}"] = Shown(f"fact.{name}", self.fact(name))
        for name in reader.registers:
            tables |= self._register(name)
        tables["settings"] = self._settings(reader)
        if isinstance(reader, Control):
            tables["params"] = self._params(reader)
            tables |= {wanted.table: self._own(wanted) for wanted in reader.ops}
        return tables

    def _records(self, wanted: Ops) -> ops.Looked:
        """Return our own records as declared; controls that declare the same share them."""
        wanted = wanted.model_copy(update={"tested": ()})
        if wanted not in self._looked:
            self._looked[wanted] = self._look(wanted, self._reader, self._library.contracts, self._night)
        return self._looked[wanted]

    def _own(self, wanted: Ops) -> Shown:
        slot = f"{wanted.table} over {wanted.lookback_nights} nights of {', '.join(wanted.datasets) or 'every dataset'}"
        return Shown(slot, self._records(wanted).table)

    def _register(self, name: str) -> dict[str, Shown]:
        if name not in self._register_tables:
            kinds = {"register": self._registers.effective, "register_expired": self._registers.expired}
            self._register_tables[name] = {
                f"{kind}.{name}": Shown(f"{kind}.{name}", rows(name, self._night)) for kind, rows in kinds.items()
            }
        return self._register_tables[name]

    def _dataset(self, evidence: Evidence) -> Shown:
        """Return all rows that may be read of a dataset, with the declared columns and where they come from."""
        contract = self._library.contracts[evidence.dataset]
        key = (contract.name, evidence.lookback_nights)
        if key not in self._tables:
            slot = f"{contract.name} over {evidence.lookback_nights} nights"
            nights = [self._night - DAY * back for back in range(evidence.lookback_nights, -1, -1)]
            found = {night: self._of_night(contract, night) for night in nights}
            whole = pa.concat_tables([empty(contract, self._columns[contract.name]), *found.values()])
            self._tables[key] = Shown(slot, whole, parts=self._parts(contract, found))
        columns = (*evidence.columns, *place_columns(contract))
        return dataclasses.replace(self._tables[key], columns=columns)

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
        return [_slot(self._library.contracts[name], self._night - DAY) for name in sorted(parted)]

    def _of_night(self, contract: Contract, night: dt.date) -> pa.Table:
        """Return the rows that all sources have of one night, read once."""
        key = (contract.name, night)
        if key not in self._nights:
            tables = [empty(contract, self._columns[contract.name])]
            for source in self._reader.sources(contract.name):
                covered = self._reader.coverage_start(source, contract.name) <= night
                sealed = self._reader.snapshot(source, contract.name, night) if covered else None
                if sealed is not None and gate.usable(sealed, contract):
                    tables.append(self._rows(sealed, contract))
            self._nights[key] = pa.concat_tables(tables)
        return self._nights[key]

    def _windows(self, evidence: Evidence) -> Iterable[tuple[str, dt.date]]:
        for source in self._reader.sources(evidence.dataset):
            start = self._reader.coverage_start(source, evidence.dataset)
            if start <= self._night:
                for back in range(evidence.lookback_nights, -1, -1):
                    if self._night - DAY * back >= start:
                        yield source, self._night - DAY * back

    def _rows(self, sealed: Sealed, contract: Contract) -> pa.Table:
        columns = self._columns[contract.name]
        table = conformed(self._reader.rows(sealed, columns), contract, columns)
        captured = sealed.captured_at
        places: dict[str, Any] = {
            "source": sealed.input.source,
            "night": sealed.input.night,
            "captured_at": captured.astimezone(dt.UTC).replace(tzinfo=None) if captured else None,
        }
        for name, kind in place_columns(contract).items():
            table = table.append_column(name, pa.repeat(pa.scalar(places[name], kind), table.num_rows))
        return table

    def _params(self, control: Control) -> Shown:
        slot = f"params of {control.id}"
        if slot not in self._rows_of_values:
            kinds = {name: _DECIMAL for name, parameter in control.parameters.items() if parameter.type == "decimal"}
            self._rows_of_values[slot] = Shown(slot, one_row({**control.effective, **self._clock(control)}, kinds))
        return self._rows_of_values[slot]

    def _settings(self, reader: Control | Fact) -> Shown:
        clock = self._clock(reader)
        slot = f"settings at {clock['as_of'].time()}"  # most readers of a night share one moment
        if slot not in self._rows_of_values:
            self._rows_of_values[slot] = Shown(slot, one_row({**self._library.settings, **clock}))
        return self._rows_of_values[slot]

    def _clock(self, reader: Control | Fact) -> dict[str, Any]:
        """``night`` and ``as_of``: the latest capture among state inputs, else the end of the night."""
        state_controls = isinstance(reader, Fact) or reader.mode == "state"
        needed = gate.requirements(self._library, reader) if state_controls else ()
        moments = [self._captured(requirement.dataset) for requirement in needed]
        as_of = max((moment for moment in moments if moment is not None), default=start_of(self._night) + DAY)
        return {"as_of": as_of.astimezone(dt.UTC).replace(tzinfo=None), "night": self._night}

    def _captured(self, dataset: str) -> dt.datetime | None:
        """Return the latest capture of a state dataset for this night."""
        if dataset not in self._moments:
            contract = self._library.contracts[dataset]
            names = self._reader.sources(dataset) if contract.kind == "state" else ()
            covered = [name for name in names if self._reader.coverage_start(name, dataset) <= self._night]
            found = [self._reader.snapshot(name, dataset, self._night) for name in covered]
            moments = [sealed.captured_at for sealed in found if sealed and gate.usable(sealed, contract)]
            self._moments[dataset] = max((moment for moment in moments if moment), default=None)
        return self._moments[dataset]


def _slot(contract: Contract, night: dt.date) -> str:
    return f"{contract.name}, night {night.toordinal() % 2}"


def _wanted(library: Library, readers: Iterable[Control | Fact]) -> dict[str, list[str]]:
    """Return, by dataset, the columns that any reader or a fact it rests on declares."""
    wanted: dict[str, set[str]] = {}
    for reader in readers:
        each: tuple[Control | Fact, ...] = (reader, *library.facts_of(reader))
        for evidence in (evidence for one in each for evidence in one.evidence):
            wanted.setdefault(evidence.dataset, set()).update(evidence.columns)
    return {dataset: sorted(columns) for dataset, columns in wanted.items()}


def _lookback(library: Library, readers: Iterable[Control | Fact]) -> dict[str, int]:
    """Return, by dataset, how many nights any reader or a fact it rests on looks back."""
    most: dict[str, int] = {}
    for reader in readers:
        each: tuple[Control | Fact, ...] = (reader, *library.facts_of(reader))
        for evidence in (evidence for one in each for evidence in one.evidence):
            most[evidence.dataset] = max(most.get(evidence.dataset, 0), evidence.lookback_nights)
    return most


def place_columns(contract: Contract) -> dict[str, pa.DataType]:
    """Return the columns every dataset has besides its own: where and when its rows come from."""
    places = {"source": pa.string(), "night": pa.date32()}
    return {**places, "captured_at": _MOMENT} if contract.kind == "state" else places


def empty(contract: Contract, columns: Sequence[str]) -> pa.Table:
    """Return no rows of a dataset, typed."""
    fields = [pa.field(name, _zoneless(contract.landed_schema.field(name).type)) for name in columns]
    fields += [pa.field(name, kind) for name, kind in place_columns(contract).items()]
    return pa.schema(fields).empty_table()


def conformed(table: pa.Table, contract: Contract, columns: Sequence[str]) -> pa.Table:
    """Return ``table`` in today's types; a column that an older contract did not have is NULL."""
    arrays = {}
    for name in columns:
        kind = contract.landed_schema.field(name).type
        found = table.column(name) if name in table.column_names else pa.nulls(table.num_rows, kind)
        try:
            arrays[name] = found.cast(_zoneless(kind)) if found.type != _zoneless(kind) else found
        except pa.ArrowInvalid as exc:
            raise ControlError(f"{contract.name}.{name}: sealed as {found.type}, cannot be read as {kind}") from exc
    return pa.table(arrays)


def one_row(values: Mapping[str, Any], kinds: Mapping[str, pa.DataType] | None = None) -> pa.Table:
    """Return a table of one row; the type of each column follows from its value unless ``kinds`` names it."""
    arrays = {}
    for name, value in values.items():
        kind = (kinds or {}).get(name) or _kind(value)
        arrays[name] = pa.array([value], pa.string()).cast(kind) if kind == _DECIMAL else pa.array([value], kind)
    return pa.table(arrays)


def _kind(value: Value | list[str] | dt.datetime | dt.date) -> pa.DataType:
    match value:
        case bool():
            return pa.bool_()
        case int():
            return pa.int64()
        case str():
            return pa.string()
        case dt.datetime():
            return _MOMENT
        case dt.date():
            return pa.date32()
    return pa.list_(pa.string())


def _zoneless(kind: pa.DataType) -> pa.DataType:
    return pa.timestamp(kind.unit) if pa.types.is_timestamp(kind) else kind

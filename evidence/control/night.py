"""One night: gates, facts once, each control's two SELECTs, and the finding."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from evidence.control import gate, verdict
from evidence.control.evidence import EvidenceReader, Sealed
from evidence.control.model import Control, Evidence, Fact, Library, Value
from evidence.control.register import Registers
from evidence.control.result import Input, NightFinding
from evidence.datasets.contract import Contract
from evidence.errors import ControlError
from evidence.snapshot.model import DAY, start_of

Select = Callable[[str, Mapping[str, pa.Table]], pa.Table]
_MOMENT = pa.timestamp("us")
_DECIMAL = pa.decimal128(38, 6)


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
    ) -> None:
        self._library = library
        self._registers = registers
        self._reader = reader
        self._night = night
        self._known_at = known_at
        self._select = select
        self._controls = controls
        self._columns = _wanted(library, controls or list(library.facts.values()))
        self._tables: dict[tuple[str, str, dt.date], pa.Table] = {}
        self._facts: dict[str, pa.Table | ControlError] = {}

    def findings(self) -> list[NightFinding]:
        """Assess every control, in the order given."""
        return [self._assess(control) for control in self._controls]

    def _assess(self, control: Control) -> NightFinding:
        needed = gate.requirements(self._library, control)
        gathered = gate.gather(needed, self._reader, self._library.contracts, control.editions, self._night)
        gathered = gathered.adding(gate.missing_registers(self._library, control, self._registers))
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
        return verdict.conclude(control, blank, gathered, tested, self._known_at)

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
            inputs=tuple(sorted((each.input for each in sealed), key=place)),
            parameters=control.effective,
        )

    def population(self, control: Control) -> pa.Table:
        """Return what population.sql gives over whatever rows are there, unchecked."""
        return self._named("population.sql", control.population_sql, self._given(control))

    def results(self, control: Control, population: pa.Table) -> pa.Table:
        """Return what control.sql gives, unchecked."""
        return self._named("control.sql", control.control_sql, self._given(control) | {"population": population})

    def fact(self, name: str) -> pa.Table:
        """Return the rows of a fact, computed once; an error in it is raised each time."""
        if name not in self._facts:
            fact = self._library.facts[name]
            try:
                self._facts[name] = self._named(f"fact {name}", fact.sql, self._inputs(fact))
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

    def _given(self, control: Control) -> dict[str, pa.Table]:
        return self._inputs(control) | {"params": self._params(control)}

    def _named(self, what: str, sql: str, tables: Mapping[str, pa.Table]) -> pa.Table:
        try:
            return self._select(sql, tables)
        except ControlError as exc:
            raise ControlError(f"{what}: {exc}", fix=exc.fix) from exc

    def _inputs(self, reader: Control | Fact) -> dict[str, pa.Table]:
        """Return every table that ``reader`` declares, under the name its SQL uses."""
        tables = {evidence.dataset: self._dataset(evidence) for evidence in reader.evidence}
        for name in reader.facts:
            tables[f"fact.{name}"] = self.fact(name)
        for name in reader.registers:
            tables[f"register.{name}"] = self._registers.effective(name, self._night)
            tables[f"register_expired.{name}"] = self._registers.expired(name, self._night)
        tables["settings"] = one_row({**self._library.settings, **self._clock(reader)})
        return tables

    def _dataset(self, evidence: Evidence) -> pa.Table:
        """Return all rows that may be read of a dataset, with the declared columns and where they come from."""
        contract = self._library.contracts[evidence.dataset]
        names = [*evidence.columns, *place_columns(contract)]
        tables = [empty(contract, evidence.columns)]
        for source, night in self._windows(evidence):
            sealed = self._reader.snapshot(source, contract.name, night)
            if sealed is not None and gate.usable(sealed, contract):
                tables.append(self._rows(sealed, contract).select(names))
        return pa.concat_tables(tables)

    def _windows(self, evidence: Evidence) -> Iterable[tuple[str, dt.date]]:
        for source in self._reader.sources(evidence.dataset):
            start = self._reader.coverage_start(source)
            if start <= self._night:
                for back in range(evidence.lookback_nights, -1, -1):
                    if self._night - DAY * back >= start:
                        yield source, self._night - DAY * back

    def _rows(self, sealed: Sealed, contract: Contract) -> pa.Table:
        where = (sealed.input.source, sealed.input.dataset, sealed.input.night)
        if where not in self._tables:
            columns = self._columns[contract.name]
            read = self._reader.rows(sealed, columns)
            table = conformed(read, contract, columns)
            places: dict[str, Any] = {"source": where[0], "night": where[2], "captured_at": sealed.captured_at}
            for name, kind in place_columns(contract).items():
                value = places[name]
                naive = value.replace(tzinfo=None) if isinstance(value, dt.datetime) else value
                table = table.append_column(name, pa.repeat(pa.scalar(naive, kind), table.num_rows))
            self._tables[where] = table
        return self._tables[where]

    def _params(self, control: Control) -> pa.Table:
        values: dict[str, Any] = {**control.effective, **self._clock(control)}
        kinds = {name: _DECIMAL for name, parameter in control.parameters.items() if parameter.type == "decimal"}
        return one_row(values, kinds)

    def _clock(self, reader: Control | Fact) -> dict[str, Any]:
        """``night`` and ``as_of``: the latest capture among state inputs, else the end of the night."""
        state_controls = isinstance(reader, Fact) or reader.mode == "state"
        moments = [
            sealed.captured_at
            for requirement in (gate.requirements(self._library, reader) if state_controls else ())
            for sealed in self._captures(requirement.dataset)
            if sealed.captured_at is not None
        ]
        as_of = max(moments, default=start_of(self._night) + DAY)
        return {"as_of": as_of.astimezone(dt.UTC).replace(tzinfo=None), "night": self._night}

    def _captures(self, dataset: str) -> Iterable[Sealed]:
        contract = self._library.contracts[dataset]
        if contract.kind == "state":
            for source, night in self._windows(Evidence(dataset=dataset, columns=(contract.landed_schema.names[0],))):
                sealed = self._reader.snapshot(source, dataset, night)
                if sealed is not None and gate.usable(sealed, contract):
                    yield sealed


def _wanted(library: Library, readers: Iterable[Control | Fact]) -> dict[str, list[str]]:
    """Return, by dataset, the columns that any reader or a fact it rests on declares."""
    wanted: dict[str, set[str]] = {}
    for reader in readers:
        each: tuple[Control | Fact, ...] = (reader, *library.facts_of(reader))
        for evidence in (evidence for one in each for evidence in one.evidence):
            wanted.setdefault(evidence.dataset, set()).update(evidence.columns)
    return {dataset: sorted(columns) for dataset, columns in wanted.items()}


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
        arrays[name] = found.cast(_zoneless(kind)) if found.type != _zoneless(kind) else found
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

"""One night: gates, facts once, each control's two SELECTs, and the finding."""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa

from evidence.control import gate, ops, verdict
from evidence.control.evidence import EvidenceReader, Sealed
from evidence.control.ledger import Ledger, waive
from evidence.control.model import Control, Evidence, Fact, Library, Ops, Value
from evidence.control.register import Registers
from evidence.control.result import Input, NightFinding
from evidence.control.windows import MOMENT, Shown, Tables, Windows
from evidence.datasets.contract import Contract
from evidence.errors import ControlError
from evidence.snapshot.model import DAY, start_of

_DECIMAL = pa.decimal128(38, 6)


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
        self.windows = Windows(library, reader, night, controls or list(library.facts.values()))
        self._look = look
        self._looked: dict[Ops, ops.Looked] = {}
        self._rows_of_values: dict[str, Shown] = {}
        self._register_tables: dict[str, dict[str, Shown]] = {}
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

    def _dataset(self, evidence: Evidence) -> Shown:
        return self.windows.shown(evidence)

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
        moments = [self.windows.captured(requirement.dataset) for requirement in needed]
        as_of = max((moment for moment in moments if moment is not None), default=start_of(self._night) + DAY)
        return {"as_of": as_of.astimezone(dt.UTC).replace(tzinfo=None), "night": self._night}


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
            return MOMENT
        case dt.date():
            return pa.date32()
    return pa.list_(pa.string())

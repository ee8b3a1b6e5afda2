"""One night judged in Snowflake, control by control; what cannot be said there is judged here, and both are named.

Gates, facts, parameters, registers and the ledger of people are read here as always. Rows of sealed evidence come from the OPS schema's views
over the listed files, or are loaded into the session. Of a control's two statements only counts, the items' fingerprint and what did not pass come back; all
rows come back where a check fails, so that the usual code says what is wrong.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from evidence.control import gate, verdict
from evidence.control.engine import Engine
from evidence.control.evidence import EvidenceReader, Sealed, windows_of
from evidence.control.model import Control, Evidence, Library
from evidence.control.night import Night
from evidence.control.pushdown.refusal import RefusedError
from evidence.control.pushdown.remote import Remote
from evidence.control.register import Registers
from evidence.control.result import VERDICTS, NightFinding
from evidence.control.windows import Shown, Tables, place_columns
from evidence.datasets.contract import Contract
from evidence.errors import ControlError


@dataclass(slots=True)
class Judged:
    """Who judged what: digests of the statements that ran in Snowflake, and why the others did not."""

    pushed: dict[str, dict[str, str]] = field(
        default_factory=dict
    )  # control -> population, control: SHA-256 of the text
    here: dict[str, str] = field(default_factory=dict)  # control -> construct and why

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling (``docs/formats/findings.md``)."""
        return {"name": "snowflake", "pushed": self.pushed, "here": self.here}


class PushedNight(Night):
    """A night whose controls run in ``remote`` where they can. ``views``: the schema that has a view for each dataset; empty: rows are loaded."""

    def __init__(
        self,
        library: Library,
        registers: Registers,
        reader: EvidenceReader,
        night: dt.date,
        known_at: dt.datetime,
        controls: Sequence[Control],
        engine: Engine,
        remote: Remote,
        views: str = "",
    ) -> None:
        super().__init__(library, registers, reader, night, known_at, engine.select, controls)
        self._remote = remote
        self._views = views
        self._bound: dict[str, Shown] = {}
        self._binding = False
        self.judged = Judged()

    def _test(self, control: Control) -> verdict.Tested:
        """Run the control there; where it is refused, by the list or by Snowflake, here. A lost session ends the night."""
        for name in control.facts:
            self.fact(name)
        self._binding = bool(self._views)
        try:
            tested = self._pushed(control)
        except RefusedError as exc:
            self.judged.here[control.id] = f"{exc.construct}: {exc.why}"
        else:
            said = {"population": control.population_sql, "control": control.control_sql}
            self.judged.pushed[control.id] = {name: self._remote.said[sql].sha256 for name, sql in said.items()}
            return tested
        finally:
            self._binding = False
        return super()._test(control)

    def _pushed(self, control: Control) -> verdict.Tested:
        inputs = self._inputs(control)
        population, results = f"population of {control.id}", f"results of {control.id}"
        self._remote.drop(population, results)  # the last night's
        types = self._remote.understood(control.population_sql, inputs)
        shown = Shown(population, types.empty_table())
        given = {**inputs, "population": shown}
        columns = self._remote.understood(control.control_sql, given).names
        self._keep("population.sql", population, control.population_sql, inputs)
        self._keep("control.sql", results, control.control_sql, given)
        if tuple(columns) != verdict.COLUMNS or not self._sound(population, results, control):
            items = verdict.check_population(self._all(population))
            return verdict.check_results(self._all(results), items, control.reasons)
        seen = self._remote.ask(f"SELECT * FROM {self._remote.named(results)} WHERE \"result\" <> 'pass'")
        others = verdict.check_results(seen, verdict.check_population(seen), control.reasons)
        count = self._remote.tally(population)[0]
        digest = self._remote.fingerprint(population) or verdict.fingerprint(
            verdict.check_population(self._all(population))
        )
        return verdict.Tested(count, digest, count - len(others.observations), others.observations)

    def _keep(self, what: str, slot: str, sql: str, tables: Tables) -> None:
        try:
            self._remote.keep(slot, sql, tables)
        except ControlError as exc:
            raise ControlError(f"{what}: {exc}", fix=exc.fix) from exc

    def _all(self, slot: str) -> pa.Table:
        return self._remote.ask(f"SELECT * FROM {self._remote.named(slot)}")

    def _sound(self, population: str, results: str, control: Control) -> bool:
        """Say whether there is exactly one sound row for each item; anything odd is looked at here, row by row."""
        count, some, each = self._remote.tally(population)
        if not count == some == each or self._remote.tally(results) != (count, count, count):
            return False
        there, here = self._remote.named(results), self._remote.named(population)
        others = [verdict_ for verdict_ in VERDICTS if verdict_ != "pass"]
        reasons = sorted(control.reasons)
        known = (
            f'SELECT "item" FROM {there} WHERE ("result" = \'pass\' AND COALESCE("reason", \'\') IN ({_marks(["", *reasons])})) '
            f'OR ("result" IN ({_marks(others)}) AND "reason" IN ({_marks(reasons or [""])}))'
        )
        values = ["", *reasons, *others, *(reasons or [""])]
        rest = self._remote.ask(f'SELECT COUNT(*) AS "n" FROM (SELECT "item" FROM {here} EXCEPT {known})', values)
        return int(rest.to_pylist()[0]["n"]) == 0

    def _dataset(self, evidence: Evidence) -> Shown:
        return self._viewed(evidence) if self._binding else super()._dataset(evidence)

    def _viewed(self, evidence: Evidence) -> Shown:
        """Return a dataset as the views show it: exactly the manifests this night reads, and as many rows as they have."""
        contract = self._library.contracts[evidence.dataset]
        slot = f"sealed {contract.name} over {evidence.lookback_nights} nights"
        columns = (*evidence.columns, *place_columns(contract))
        if slot in self._bound:
            return replace(self._bound[slot], columns=columns, narrower=self.windows.narrower(evidence))
        windows = [
            self._reader.snapshot(source, contract.name, night)
            for source, night in windows_of(self._reader, contract.name, self._night, evidence.lookback_nights)
        ]
        sealed = [each for each in windows if each is not None and gate.usable(each, contract)]
        if not sealed or any(each.input.status != "complete" for each in sealed):
            return super()._dataset(evidence)  # views show whole windows only
        names = self.windows.columns[contract.name]
        table = self.windows.empty(contract)
        query, values = _view_of(self._views, contract, names, sealed)
        self._remote.drop(slot)
        self._remote.make(slot, table.schema, query, values)
        found, stated = self._remote.rows(slot), sum(each.input.rows for each in sealed)
        if found != stated:
            raise ControlError(
                f"{contract.name}: {self._views} shows {found} rows of {len(sealed)} windows, sealed are {stated}",
                fix="load the newest list of `evidence export files`, refresh the external tables",
            )
        self._bound[slot] = Shown(slot, table, columns, narrower=self.windows.narrower(evidence))
        return self._bound[slot]


def _view_of(
    schema: str, contract: Contract, columns: Sequence[str], sealed: Sequence[Sealed]
) -> tuple[str, list[str | None]]:
    """Return the query of a dataset's rows with source, night and capture, and what is bound in it."""
    names = ", ".join(f'S."{name.upper()}" AS "{name}"' for name in columns)
    places = ['F."source"', 'F."night"', *(['F."captured_at"'] if contract.kind == "state" else [])]
    listed = (
        'SELECT column1 AS "manifest", column2 AS "source", column3::DATE AS "night", column4::TIMESTAMP_NTZ AS "captured_at" '
        f"FROM VALUES {', '.join(['(?, ?, ?, ?)'] * len(sealed))}"
    )
    view = f"{schema}.{contract.name.replace('.', '_').upper()}"
    values: list[str | None] = []
    for each in sealed:
        moment = each.captured_at.astimezone(dt.UTC).replace(tzinfo=None) if each.captured_at else None
        values += [
            each.input.manifest_sha256,
            each.input.source,
            each.input.night.isoformat(),
            str(moment) if moment else None,
        ]
    return (
        f'SELECT {names}, {", ".join(places)} FROM {view} S JOIN ({listed}) F ON S.SEALED_MANIFEST = F."manifest"',
        values,
    )


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def assess_pushed(
    library: Library,
    registers: Registers,
    reader: EvidenceReader,
    night: dt.date,
    *,
    known_at: dt.datetime,
    controls: Sequence[str],
    engine: Engine,
    remote: Remote,
    views: str = "",
) -> tuple[list[NightFinding], Judged]:
    """Return findings as ``evidence.control.engine.assess_night`` does, and who judged which control."""
    chosen = [library.control(name) for name in sorted(set(controls))]
    run = PushedNight(library, registers, reader, night, known_at, chosen, engine, remote, views)
    return run.findings(), run.judged

"""Evidence made of rows in memory: what cases, lint and tests hand to the engine in place of a store."""

import dataclasses
import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from evidence.control.evidence import Assessed, Checked, EvidenceReader, Recorded, Sealed
from evidence.control.fields import WHOLE, Fields
from evidence.control.gate import Gap, Requirement, Why
from evidence.control.model import Ops
from evidence.control.ops import TABLES, Looked, table_of
from evidence.control.register import SHAPES, Registers, parse_register
from evidence.control.result import Input
from evidence.datasets.contract import Contract
from evidence.errors import ControlError
from evidence.snapshot.canonical import sha256_hex
from evidence.snapshot.model import DAY, start_of

Fault = Literal["missing", "denied", "unavailable", "incomplete", "stale", "edition", "empty", "quarantined", "pending"]
Row = Mapping[str, Any]
_STATUS = {"denied": "denied", "unavailable": "unavailable", "incomplete": "incomplete", "edition": "edition"}
_LONG_AGO = DAY * 400
_WHY: Mapping[str, Why] = {"missing": "missing-evidence", "pending": "pending"}


@dataclass(frozen=True, slots=True)
class MadeEvidence:
    """An ``EvidenceReader`` over ``rows`` by dataset. A row may carry ``source`` and ``night`` of its own.

    Every dataset in ``rows`` is complete unless ``faults`` says otherwise; a fault holds on ``night`` only. ``covered``
    gives the first covered night of a source where it is not long ago.
    """

    contracts: Mapping[str, Contract]
    night: dt.date
    captured_at: dt.datetime
    rows_by_dataset: Mapping[str, Sequence[Row]]
    faults: Mapping[str, Fault] = field(default_factory=dict)
    covered: Mapping[str, dt.date] = field(default_factory=dict)

    def with_fault(self, name: str, fault: Fault) -> "MadeEvidence":
        """Return this evidence with one input (a dataset, or ``register.x``) spoiled."""
        return dataclasses.replace(self, faults={**self.faults, name: fault})

    def with_nulls(self, dataset: str, column: str) -> "MadeEvidence":
        """Return this evidence with ``column`` unknown in every row of ``dataset``."""
        blank = [{key: value for key, value in row.items() if key != column} for row in self.rows_by_dataset[dataset]]
        return dataclasses.replace(self, rows_by_dataset={**self.rows_by_dataset, dataset: blank})

    @property
    def missing_registers(self) -> frozenset[str]:
        """Registers that a fault takes away."""
        return self._registers("missing")

    @property
    def empty_registers(self) -> frozenset[str]:
        """Registers that a fault leaves without a row."""
        return self._registers("empty")

    def _registers(self, spoiled: Fault) -> frozenset[str]:
        named = (name.removeprefix("register.") for name in self.faults if name.startswith("register."))
        return frozenset(name for name in named if self.faults[f"register.{name}"] == spoiled)

    def sources(self, dataset: str) -> Sequence[str]:
        """Sources that its rows name, or one called like the product; none if the dataset is missing altogether."""
        if dataset not in self.rows_by_dataset:
            return ()
        product = dataset.partition(".")[0]
        return sorted({str(row.get("source", product)) for row in self.rows_by_dataset[dataset]}) or (product,)

    def coverage_start(self, source: str, dataset: str) -> dt.date:  # noqa: ARG002 - all kinds alike
        """Long ago, unless ``covered`` says otherwise."""
        return self.covered.get(source, self.night - _LONG_AGO)

    def due(self, dataset: str, night: dt.date) -> bool:
        """False for a dataset whose fault is ``pending``."""
        return not (night == self.night and self.faults.get(dataset) == "pending")

    def snapshot(self, source: str, dataset: str, night: dt.date) -> Sealed | None:
        """What was sealed for the night, spoiled as asked."""
        fault = self.faults.get(dataset) if night == self.night else None
        if fault in {"missing", "pending"}:
            return None
        status = _STATUS.get(fault or "", "complete")
        rows = 0 if fault in {"empty", "denied", "unavailable", "edition"} else len(self._rows(source, dataset, night))
        receipt = {"status": status, "landed": rows, "quarantined": 1 if fault == "quarantined" else 0}
        digest = sha256_hex(f"{source}/{dataset}/{night.isoformat()}".encode())
        used = Input(source, dataset, night, 0, digest, digest, status, rows)
        captured = self.captured_at - (self.night - night) - (DAY * 2 if fault == "stale" else DAY * 0)
        return Sealed(used, receipt, captured if self.contracts[dataset].kind == "state" else None)

    def rows(self, sealed: Sealed, columns: Sequence[str], fields: Fields = WHOLE) -> pa.Table:  # noqa: ARG002 - whole is more
        """Return the rows, typed as they would be sealed."""
        contract = self.contracts[sealed.input.dataset]
        rows = self._rows(sealed.input.source, contract.name, sealed.input.night) if sealed.input.rows else []
        return typed(rows, contract).select(list(columns))

    def assessed(self, night: dt.date) -> Assessed | None:  # noqa: ARG002 - cases give the tables themselves
        """Nothing: cases give rows of the tables made from assessments."""
        return None

    def checks(self) -> Sequence[Checked]:
        """None: cases give rows of the table made from checks."""
        return ()

    def pipeline(self, night: dt.date) -> Sequence[Recorded]:  # noqa: ARG002 - cases give the table itself
        """None: cases give rows of the table made from records."""
        return ()

    def look(
        self,
        wanted: Ops,
        reader: EvidenceReader,  # noqa: ARG002 - this one
        contracts: Mapping[str, Contract],  # noqa: ARG002 - no matter
        night: dt.date,
    ) -> Looked:
        """Return the rows given for one table of our own records, spoiled as asked, as ``ops.look`` would read them."""
        fault = self.faults.get(wanted.table)
        if fault in {"missing", "pending"}:
            gap = Gap(Requirement(wanted.table, hides=fault == "pending"), _WHY[fault], f"{wanted.table} is {fault}")
            return Looked(table_of(wanted.table, ()), (), (gap,))
        given = () if fault == "empty" else self.rows_by_dataset.get(wanted.table, ())
        return Looked(table_of(wanted.table, [ops_row(wanted, row, night) for row in given]), ())

    def _rows(self, source: str, dataset: str, night: dt.date) -> list[Row]:
        product = dataset.partition(".")[0]
        return [
            {key: value for key, value in row.items() if key not in {"source", "night"}}
            for row in self.rows_by_dataset[dataset]
            if row.get("source", product) == source and row.get("night", self.night) == night
        ]


def ops_row(wanted: Ops, row: Row, night: dt.date) -> Row:
    """Return a row of our own records with source and night filled. Raises ``ControlError`` for what could not be there."""
    strange = sorted(set(row) - set(TABLES[wanted.table].names))
    if strange:
        raise ControlError(
            f"{wanted.table} has no column {', '.join(strange)}", fix="docs/formats/control.md lists them"
        )
    if wanted.table in {"ops.items", "ops.checks", "ops.pipeline"}:
        return row
    if wanted.table == "ops.findings":
        filled = {"night": night - DAY, **row}
    else:
        filled = {"night": night, "source": product_of(str(row["dataset"])), **row}
    back = (night - filled["night"]).days
    if back > wanted.lookback_nights or back < (wanted.table == "ops.findings"):
        raise ControlError(f"{wanted.table}: {filled['night']} is not looked at", fix="see lookback_nights")
    if wanted.datasets and filled["dataset"] not in wanted.datasets:
        raise ControlError(f"{wanted.table}: {filled['dataset']} is not looked at", fix="see datasets")
    return filled


def product_of(dataset: str) -> str:
    """Return what stands before the dot."""
    return dataset.partition(".")[0]


def typed(rows: Sequence[Row], contract: Contract) -> pa.Table:
    """Return ``rows`` as an Arrow table of the contract's landed schema; a key that is not there is NULL.

    Raises ``ControlError`` for an unknown column or a value of another type.
    """
    schema = contract.landed_schema
    for row in rows:
        strange = sorted(set(row) - set(schema.names))
        if strange:
            raise ControlError(f"{contract.name} has no sealed column {', '.join(strange)}", fix="look at the contract")
    jsons = {column.landed for column in contract.columns if column.type == "json"}
    plain = [{key: _json(value) if key in jsons else value for key, value in row.items()} for row in rows]
    try:
        return pa.Table.from_pylist(plain, schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError, ValueError) as exc:
        raise ControlError(f"{contract.name}: {exc}", fix="give each value in its column's type") from exc


def registers_of(rows: Mapping[str, Sequence[Row]], night: dt.date, missing: frozenset[str] = frozenset()) -> Registers:
    """Return registers with ``rows``; a register not listed is empty, columns left out are filled, dates in force."""
    filled: dict[str, tuple[Row, ...]] = {}
    for name, shape in SHAPES.items():
        if name in missing:
            continue
        if not rows.get(name):
            filled[name] = ()
            continue
        defaults = {
            column: _filler(column, kind, shape.choices, night)
            for column, kind in shape.columns.items()
            if not kind.endswith("?")
        }
        body = {name: [{**defaults, **row} for row in rows.get(name, ())]}
        filled[name] = parse_register(name, body, f"register {name}")
    return Registers(filled)


def _filler(column: str, kind: str, choices: Mapping[str, Sequence[str]], night: dt.date) -> object:
    match kind:
        case "date":
            return {"approved_on": night - DAY * 30, "expires": night + DAY * 30}.get(column, night)
        case "moment":
            return start_of(night)
        case "int":
            return 0
        case "bool":
            return False
        case "texts":
            return []
    return choices.get(column, (f"some {column}",))[0]


@dataclass(frozen=True, slots=True, eq=False)
class Lenient(Mapping[str, Contract]):
    """``contracts`` in which only ``suspected`` datasets are expected to have rows; copied as they are asked for."""

    contracts: Mapping[str, Contract]
    suspected: AbstractSet[str]

    def __getitem__(self, name: str) -> Contract:
        contract = self.contracts[name]
        return contract if name in self.suspected else contract.model_copy(update={"empty_means": "nothing"})

    def __iter__(self) -> Iterator[str]:
        return iter(self.contracts)

    def __len__(self) -> int:
        return len(self.contracts)


def _json(value: object) -> object:
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return value

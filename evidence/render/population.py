"""A control's population as a file: CSV for spreadsheets, Parquet with raw values, or a workbook; and its nights. Written as it streams."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa

from evidence.control.population import RESULTS, Item
from evidence.control.result import NightFinding
from evidence.render.records import write_parquet
from evidence.render.spreadsheet import Cell, csv_lines
from evidence.render.text import number, status_words
from evidence.render.workbook import Column, Fact, Heading, Table, write_book
from evidence.render.worksheets import RESTRICTED

Format = Literal["csv", "parquet", "xlsx"]
SCHEMA: Final = pa.schema(
    [
        pa.field("night", pa.date32(), nullable=False),
        *(pa.field(name, pa.string(), nullable=False) for name in ("item", "result", "reason")),
    ]
)
NIGHTS: Final = (
    *("night", "status", "population", "passed", "exceptions", "awaiting_review", "reviewed", "waived"),
    *("fingerprint", "reason"),
)
_ITEMS: Final = (Column("Night", 11), Column("Item", 70), Column("Result", 18, tone=True), Column("Reason", 30))
_NIGHTS: Final = (
    Column("Night", 11), Column("Status", 16, tone=True), Column("Population", 12), Column("Passed", 12), Column("Exceptions", 11),
    Column("Awaiting review", 10), Column("Reviewed: benign", 10), Column("Waived", 8), Column("Fingerprint", 66), Column("Reason", 60),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Population:
    """What a file is of. ``nights`` are all nights asked for, in order, with what was sealed, None where nothing was.

    ``fingerprint`` is that of the period's population (docs/formats/sample.md); ``log`` says at what size the log was read.
    """

    control: str
    title: str
    statement: str
    entity: str
    asked: str
    fingerprint: str
    log: str
    nights: Sequence[tuple[dt.date, NightFinding | None]]
    marks: tuple[str, ...] = ()

    @property
    def tested(self) -> list[NightFinding]:
        """The nights that have a population."""
        return [finding for _, finding in self.nights if finding is not None and finding.fingerprint]

    @property
    def count(self) -> int:
        """How many items all nights have together."""
        return sum(finding.population for finding in self.tested)


def write_population(path: Path, form: Format, population: Population, items: Iterator[Item]) -> None:
    """Write every item to ``path``. CSV and workbook are safe to open in a spreadsheet, Parquet holds raw values."""
    match form:
        case "csv":
            with path.open("xb") as out:
                out.writelines(csv_lines(SCHEMA.names, items))
        case "parquet":
            write_parquet(path, items, SCHEMA)
        case "xlsx":
            write_book(path, _heading(population), _tables(population, items))


def nights_csv(population: Population) -> bytes:
    """Return every night that was asked for as CSV: what is not in the file of items is named here."""
    return b"".join(csv_lines(NIGHTS, _nights(population.nights)))


def _nights(nights: Iterable[tuple[dt.date, NightFinding | None]]) -> Iterator[list[Cell]]:
    for night, found in nights:
        if found is None:
            yield [night, "never assessed", *(None,) * 6, "", ""]
            continue
        benign = sum(each.outcome == "benign" for each in found.disposed)
        counts: list[Cell] = [found.population, found.passed, len(found.exceptions), len(found.reviews), benign, len(found.waived)]  # fmt: skip
        why = ": ".join(filter(None, (found.reason, found.detail)))
        shown = counts if found.fingerprint else [None] * 6
        yield [night, status_words(found.status), *shown, found.fingerprint, why]


def _heading(population: Population) -> Heading:
    return Heading(
        label=f"{population.control}, {population.asked}",
        title="Population",
        created=population.nights[-1][0],
        facts=tuple(_facts(population)),
        marks=population.marks,
    )


def _facts(population: Population) -> Iterator[Fact]:
    tested = len(population.tested)
    yield "Control", f"{population.control}: {population.title}"
    yield "Statement", population.statement
    yield "Entity", population.entity
    yield "Asked for", f"{population.asked}, nights in UTC"
    yield (
        "Nights",
        f"{number(tested)} tested, {number(len(population.nights) - tested)} not: these have no items, and stand in the sheet Nights",
    )
    yield "Items", f"{number(population.count)} over all nights tested"
    yield "Fingerprint", population.fingerprint
    yield "Log read at", population.log
    yield (
        "How it was made",
        "Every night's items were taken from the sealed evidence again; their count and fingerprint are those of the sealed finding.",
    )
    for name, about in RESULTS.items():
        yield f"Result: {name}", about
    yield "Restricted use", RESTRICTED


def _tables(population: Population, items: Iterator[Item]) -> list[Table]:
    nights = population.nights
    return [
        Table("Nights", "A row is a night that was asked for", _NIGHTS, _nights(nights), len(nights), whole="the finding"),
        Table("Items", "A row is an item of the population on a night", _ITEMS, items, population.count, whole="the Parquet export"),
    ]  # fmt: skip

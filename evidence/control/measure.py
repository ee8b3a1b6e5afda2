"""Series counted from sealed evidence for the pages of a packet: how much there was on a night. They judge nothing.

A series borrows a control: its SQL sees the evidence, facts, registers and parameters of that control and nothing else, and a
night counts only where that control's sealed finding is concluded and its population, selected again, has the fingerprint that
was sealed. So the numbers stand on the same rows as the finding; any other night is a gap and says why.
"""

import dataclasses
import datetime as dt
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from evidence.control.change import ruled
from evidence.control.definition import Library
from evidence.control.engine import Engine
from evidence.control.evidence import EvidenceReader
from evidence.control.night import Night
from evidence.control.register import Registers
from evidence.control.result import NightFinding
from evidence.control.verdict import check_population, fingerprint
from evidence.errors import ConfigError, ControlError
from evidence.snapshot.model import start_of

MOST: int = 1000  # labels of one night: a series is for a chart, not a listing


@dataclass(frozen=True, slots=True)
class Series:
    """A definition, ``reports/trends/<id>.toml``. ``sql`` gives rows of ``label`` (text) and ``value`` (a count)."""

    id: str
    title: str
    about: str
    control: str
    sql: str

    @classmethod
    def from_toml(cls, name: str, body: bytes) -> Self:
        """Parse a definition; raise ``ConfigError`` naming it."""
        try:
            value = tomllib.loads(body.decode())
            return cls(id=name, **{key: str(value.pop(key)) for key in ("title", "about", "control", "sql")}, **value)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as exc:
            raise ConfigError(f"trends/{name}.toml: {exc}", fix="it has title, about, control, sql") from exc


@dataclass(frozen=True, slots=True)
class Measured:
    """One series over a period: night -> label -> count; ``gaps`` says why a night has none."""

    series: Series
    nights: Mapping[dt.date, Mapping[str, int]]
    gaps: Mapping[dt.date, str]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON spelling, part of ``data/trends.json``."""
        return {
            "id": self.series.id,
            "control": self.series.control,
            "nights": {night.isoformat(): dict(sorted(found.items())) for night, found in sorted(self.nights.items())},
            "gaps": {night.isoformat(): why for night, why in sorted(self.gaps.items())},
        }


def load_series(files: Iterable[Path]) -> list[Series]:
    """Return the definitions in ``files``, named by them."""
    return [Series.from_toml(path.stem, path.read_bytes()) for path in files]


def measure(
    series: Series,
    library: Library,
    registers: Registers,
    reader: EvidenceReader,
    findings: Iterable[NightFinding],
    engine: Engine,
) -> Measured:
    """Count ``series`` on each of ``findings``, which are those of its control."""
    nights: dict[dt.date, Mapping[str, int]] = {}
    gaps: dict[dt.date, str] = {}
    for finding in findings:
        if finding.status == "not-assessed":
            gaps[finding.night] = f"not assessed: {finding.reason}"
            continue
        try:
            nights[finding.night] = dict(_night(series, library, registers, reader, finding, engine))
        except ControlError as exc:
            gaps[finding.night] = f"not counted: {exc}"
    return Measured(series, nights, gaps)


def _night(
    series: Series,
    library: Library,
    registers: Registers,
    reader: EvidenceReader,
    finding: NightFinding,
    engine: Engine,
) -> Iterator[tuple[str, int]]:
    control = ruled(library.control(finding.control), finding)
    if control is None:
        raise ControlError("the control's content has changed since", fix="assess the night again")
    own = dataclasses.replace(library, controls={**library.controls, control.id: control})
    run = Night(own, registers, reader, finding.night, start_of(finding.night), engine.select, [control])
    if fingerprint(check_population(run.population(control))) != finding.fingerprint:
        raise ControlError("the evidence has changed since the finding was sealed", fix="assess the night again")
    rows = run.described(control, series.sql, f"series {series.id}").to_pylist()
    if len(rows) > MOST or any(set(row) != {"label", "value"} for row in rows):
        raise ControlError(f"series {series.id}: gives rows of label and value, at most {MOST}", fix="mend its SQL")
    for row in rows:
        yield str(row["label"]), int(row["value"])

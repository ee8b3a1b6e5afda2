"""Controls that judge earlier findings, over the quarter: fed with the key's own answers of all others, they say what the key says.

The whole job (``tests/test_main_job.py``) shows that the others answer so; here no night is collected.
"""

import dataclasses
import datetime as dt
from typing import Any

import pyarrow as pa
import pytest
from test_demo import judges  # noqa: F401 - a fixture

from evidence.config import content_root
from evidence.control.definition import load_library
from evidence.control.engine import Engine, assess_night
from evidence.control.evidence import Assessed, Sealed
from evidence.control.fields import WHOLE
from evidence.control.register import load_registers
from evidence.control.result import Input, NightFinding, Observation, Waived
from evidence.datasets.load import load_contracts
from evidence.demo import SMALL, Names
from evidence.demo.estate_ops import LATE
from evidence.demo.ops_releases import texts
from evidence.demo.plants import plant_all
from evidence.demo.tickets import TICKETS
from evidence.demo.workspace import write_workspace
from evidence.demo.world import World, build_world
from evidence.snapshot.model import DAY, start_of

pytestmark = pytest.mark.slow
KNOWN_AT = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
JUDGED = sorted(set(LATE) - {"change-evidence-tool"})  # it names what ran, and nothing ran here


@dataclasses.dataclass
class Reader:
    """Tickets of every night, and for each night before the answers of all other controls."""

    world: World
    library: Any

    def sources(self, dataset):
        return ["carrier"] if dataset == TICKETS else []

    def coverage_start(self, source, dataset):
        return self.world.size.start

    def due(self, dataset, night):
        return True

    def snapshot(self, source, dataset, night):
        used = Input("carrier", dataset, night, 0, "a" * 64, "b" * 64, "complete", 1)
        receipt = {"status": "complete", "landed": 1, "empty": {}, "system": {}, "collector": {}}
        return Sealed(used, receipt, start_of(night) + DAY + dt.timedelta(hours=3))

    def rows(self, sealed, columns, fields=WHOLE):
        number = (sealed.input.night - self.world.size.start).days
        found = [row for each in self.world.state.select(TICKETS) if (row := each.on(number))]
        schema = self.world.contracts[TICKETS].landed_schema
        return pa.table({c: pa.array([row.get(c) for row in found], schema.field(c).type) for c in columns})

    def assessed(self, night):
        if night < self.world.size.start:
            return None
        number = (night - self.world.size.start).days
        names = [name for name in self.world.key.controls if name not in LATE]
        findings = tuple(self._finding(name, night, number) for name in names)
        used = Input("log", "ops.findings", night, 0, "a" * 64, "b" * 64, "complete", len(findings))
        return Assessed(used, findings, {"version": "1", "sha256": "d" * 64})

    def checks(self):
        return []

    def _finding(self, name, night, number):
        answer, control = self.world.key.night(name, number), self.library.controls[name]
        seen = tuple(Observation(item, "fail", reason) for item, reason in answer.exceptions)
        return NightFinding(
            name,
            control.version,
            "c" * 64,
            night,
            answer.status,
            control.severity,
            exceptions=seen,
            reason=answer.reason,
            waived=tuple(Waived(*each) for each in answer.waived),
        )


def test_the_model_of_the_rules_agrees_with_their_sql_on_every_night(tmp_path, judges):  # noqa: F811
    world = build_world(SMALL, Names(), judges)
    plant_all(world)
    write_workspace(tmp_path, world.registers, *texts(world))
    library, registers = load_library([content_root() / "controls"]), load_registers(tmp_path / "registers")
    reader, wrong, engine = (
        Reader(world, dataclasses.replace(library, contracts=load_contracts())),
        [],
        Engine(threads=1),
    )
    for number in range(SMALL.nights):
        night = SMALL.night(number)
        for found in assess_night(library, registers, reader, night, known_at=KNOWN_AT, controls=JUDGED, engine=engine):
            answer = world.key.night(found.control, number)
            pairs = tuple(sorted((o.item, o.reason) for o in found.exceptions))
            if (found.status, pairs) != (answer.status, answer.exceptions):
                wrong.append(
                    (
                        str(night),
                        found.control,
                        found.status,
                        answer.status,
                        set(pairs) ^ set(answer.exceptions),
                        found.detail,
                    )
                )
    assert wrong == []

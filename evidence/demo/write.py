"""Write the demo: exports of a quarter, the workspace's registers, the answer key and the list of planted health data."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from evidence.demo.answer import AnswerKey
from evidence.demo.events import ACCESSES, LOGINS, QUERIES
from evidence.demo.export import SYSTEM, Body, body_of, table_of, write_night
from evidence.demo.faults import FAULTS
from evidence.demo.judges import Judges
from evidence.demo.ops_releases import texts
from evidence.demo.plants import plant_all
from evidence.demo.products import write_products
from evidence.demo.size import FULL, Size
from evidence.demo.workspace import write_workspace
from evidence.demo.world import Names, World, build_world


def generate(
    out: Path,
    size: Size = FULL,
    *,
    names: Names | None = None,
    judges: Judges | None = None,
    progress: Callable[[int], None] | None = None,
) -> AnswerKey:
    """Write the account below ``out``, which may hold no earlier demo, and return its answer key.

    ``exports/{snowflake,dbt,contracts,…}``, ``recovery/`` (the account with the replicas), ``workspace/``, ``answer-key.json`` and
    ``planted-phi.txt``. The same size gives the same files. ``progress`` is called with the number of nights written. Without ``judges`` there
    are no answers of controls that look at who judges. Raises ``FileExistsError`` rather than mix two demos.
    """
    world = build_world(size, names or Names(), judges)
    plant_all(world)
    exports = out / "exports"
    for number in range(size.nights):
        _night(exports, world, number)
        _night_there(out / "recovery", world, number)
        if progress:
            progress(number + 1)
    world.project.write(exports / "dbt")
    write_products(exports / "contracts", size, world.products, world.product_edits)
    write_workspace(out / "workspace", world.registers, *texts(world))
    (out / "answer-key.json").write_text(world.key.to_text())
    (out / "planted-phi.txt").write_text("".join(f"{literal}\n" for literal in sorted(world.phi.planted)))
    return world.key


def _night(folder: Path, world: World, number: int) -> None:
    planted = world.statements.get(number, [])
    queries, accesses = world.events.queries(number, planted)
    events = {QUERIES: queries, ACCESSES: accesses, LOGINS: world.events.logins(number, world.logins.get(number, []))}
    events |= {
        dataset: table_of(world.contracts[dataset], nights.get(number, []))
        for dataset, nights in world.happened.items()
    }
    for dataset in sorted({*world.state.datasets, *events}):
        _write(folder, world, dataset, number, events.get(dataset))


def _night_there(folder: Path, world: World, number: int) -> None:
    """Write what the account with the replicas records itself."""
    system = SYSTEM | {"account": "FERNHOLLOW-CARRIER_DR", "region": "AWS_US_WEST_2"}
    for dataset, nights in world.recorded_there.items():
        contract = world.contracts[dataset]
        body = body_of(contract, table_of(contract, nights.get(number, [])))
        write_night(folder.joinpath(*dataset.split(".")), contract, world.size.night(number), body, system=system)


def _write(folder: Path, world: World, dataset: str, number: int, table: pa.Table | None) -> None:
    contract, night = world.contracts[dataset], world.size.night(number)
    body: Body = body_of(contract, table) if table is not None else world.state.body(dataset, number)
    target = folder.joinpath(*dataset.split("."))
    fault = FAULTS.get((dataset, number))
    if fault is None:
        write_night(target, contract, night, body)
    else:
        fault.write(target, contract, night, body)

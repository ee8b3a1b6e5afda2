"""The whole generated account before it is written: plants change it and say what must be found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from evidence.datasets.contract import Contract
from evidence.datasets.load import load_contracts
from evidence.demo.answer import AnswerKey, Effect, Expected, Gap
from evidence.demo.dbt_project import Project, build_project
from evidence.demo.events import Events, Statement
from evidence.demo.governance import build_governance
from evidence.demo.judges import Judges
from evidence.demo.people import Workforce, build_people
from evidence.demo.products import Edit, Product, build_products
from evidence.demo.shapes import Shape, build_shapes
from evidence.demo.size import Size
from evidence.demo.state import ALWAYS, State
from evidence.demo.tables import Catalog, build_catalog
from evidence.demo.texts import Phi
from evidence.demo.workspace import Row, build_registers

CONTROLS = (
    "access-admin-count",
    "access-no-raw-grants",
    "access-no-user-privileges",
    "data-phi-access-role",
    "data-phi-mask-coverage",
    "identity-dormant",
    "identity-mfa-humans",
    "identity-service-keypair",
    "monitor-bruteforce",
    "network-account-policy",
    "quality-key-tests",
    "quality-test-results",
)


@dataclass(frozen=True, slots=True)
class Names:
    """The names of the sources in ``evidence.toml``; they begin every item."""

    snowflake: str = "carrier"
    dbt: str = "dbt"
    contracts: str = "products"
    recovery: str = "recovery"  # the account that holds the replicas


@dataclass(slots=True)
class World:
    """Everything that will be written."""

    size: Size
    names: Names
    contracts: Mapping[str, Contract]
    catalog: Catalog
    state: State
    workforce: Workforce
    events: Events
    project: Project
    products: dict[str, Product]
    registers: dict[str, list[Row]]
    phi: Phi
    key: AnswerKey
    product_edits: list[tuple[int, int, Edit]] = field(default_factory=list)
    statements: dict[int, list[Statement]] = field(default_factory=dict)
    logins: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    happened: dict[str, dict[int, list[dict[str, Any]]]] = field(
        default_factory=dict
    )  # other event datasets: rows by night
    recorded_there: dict[str, dict[int, list[dict[str, Any]]]] = field(
        default_factory=dict
    )  # event datasets of the account with the replicas: rows by night

    overlay: dict[str, dict[str, Any]] = field(default_factory=dict)  # control -> parameters in the workspace's overlay
    changed: dict[str, dict[str, Any]] = field(default_factory=dict)  # what the overlay says from ``change_night`` on
    judges: Judges | None = None  # None: answers that depend on who judges are left out

    @property
    def change_night(self) -> int:
        """The night from which the changed overlay is in force: the middle of the period."""
        return self.size.nights // 2

    def run(
        self,
        night: int,
        shape: Shape,
        second: int,
        query: str,
        *,
        parts: Literal["both", "access", "query"] = "both",
        session: int | None = None,
        alone: bool = False,
    ) -> str:
        """Let a statement with the id ``query`` run at a second of the night's day; return the id."""
        self.statements.setdefault(night, []).append(Statement(shape, second, query, parts, session, alone))
        return query

    def expect(
        self,
        plant: str,
        control: str,
        item: str,
        reason: str,
        first: int,
        last: int = ALWAYS,
        result: str = "fail",
        *,
        source: str | None = None,
    ) -> None:
        """Say that ``control`` must find ``item`` (without the source's name) on these nights.

        ``source`` is where the item lies if not in the control's usual source; empty for items that lie in none.
        """
        usual = self.names.dbt if control.startswith("quality-") else self.names.snowflake
        place = usual if source is None else source
        whole = f"{place}/{item}" if place else item
        self.key.expected.append(Expected(plant, control, whole, reason, first, last, result))

    def quiet(self, control: str, first: int, last: int = ALWAYS, *, events: bool = False) -> None:
        """Say that nothing is in scope of ``control`` on these nights: not applicable. Of ``events`` what was noted before is past then."""
        self.key.quiet.append((control, first, last))
        if events:
            self.key.passing.add(control)

    def happen(self, dataset: str, night: int, *rows: dict[str, Any]) -> None:
        """Add event rows of a night; a dataset named without rows is exported, empty, on every night."""
        self.happened.setdefault(dataset, {}).setdefault(night, []).extend(rows)

    def gap(self, plant: str, control: str, reason: str, nights: tuple[int, int], effect: Effect) -> None:
        """Say that evidence of ``control`` is not whole on these nights."""
        self.key.gaps.append(Gap(plant, control, reason, *nights, effect))


def build_world(size: Size, names: Names, judges: Judges | None = None) -> World:
    """Return the account without a deviation."""
    contracts = load_contracts()
    catalog = build_catalog(size)
    state = State(contracts)
    workforce = build_people(state, size, catalog)
    build_governance(state, catalog)
    phi = Phi(Random(size.seed))  # noqa: S311 - invented people, nothing secret
    shapes = build_shapes(workforce, catalog, phi)
    project = build_project(size, catalog)
    events = Events(size, contracts, workforce, shapes, project.production)
    return World(
        size,
        names,
        contracts,
        catalog,
        state,
        workforce,
        events,
        project,
        build_products(catalog),
        build_registers(size),
        phi,
        AnswerKey(size, CONTROLS),
        judges=judges,
    )

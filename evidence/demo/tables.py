"""The carrier's databases, tables and columns: a named health-plan model, filled up to the wanted size.

Everything here is invented. ``NAMED`` is written in a small notation, one table a line::

    DATABASE.SCHEMA.TABLE = product | roles allowed | COLUMN:type …      t text, n number, d date, s timestamp, b boolean
                                                                      * holds PHI, ! primary key, >T foreign key to mart table T
"""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from evidence.demo.size import Size

DOMAINS = ("CLAIMS", "MEMBER", "PROVIDER", "PHARMACY", "CARE", "FINANCE", "ACTUARIAL")
SCHEMAS = {"RAW": "raw", "STAGING": "staging", "INTERMEDIATE": "intermediate", "MART": "mart", "SERVE": "served"}
BUILT = dt.datetime(2025, 2, 3, 9, 15, tzinfo=dt.UTC)
TYPES = {"t": "TEXT", "n": "NUMBER", "d": "DATE", "s": "TIMESTAMP_NTZ", "b": "BOOLEAN"}
NAMED = """
MEMBER.RAW.MEMBERS = member_feed | | MEMBER_NO:t*! GIVEN_NAME:t* FAMILY_NAME:t* SSN:t* BIRTH_DATE:d* EMAIL:t* PHONE:t* PLAN_CODE:t LOADED_AT:s
MEMBER.RAW.ADDRESSES = member_feed | | ADDRESS_ID:n! MEMBER_NO:t* STREET:t* CITY:t ZIP:t* LOADED_AT:s
MEMBER.STAGING.STG_MEMBERS = member_feed | | MEMBER_ID:t*! GIVEN_NAME:t* FAMILY_NAME:t* SSN:t* BIRTH_DATE:d* EMAIL:t* PLAN_CODE:t
MEMBER.STAGING.STG_ADDRESSES = member_feed | | ADDRESS_ID:n! MEMBER_ID:t* STREET:t* ZIP:t*
MEMBER.INTERMEDIATE.INT_MEMBER_ADDRESS = member_feed | | MEMBER_ID:t*! STREET:t* ZIP:t* PLAN_CODE:t
MEMBER.MART.DIM_MEMBER = member_360 | MEMBER_SERVICES CARE_MGMT ACTUARIAL FRAUD | MEMBER_ID:t*! GIVEN_NAME:t* FAMILY_NAME:t* SSN:t* BIRTH_DATE:d* EMAIL:t* ZIP:t* PLAN_CODE:t RISK_TIER:t VALID_FROM:s
MEMBER.MART.FCT_ENROLLMENT = member_360 | MEMBER_SERVICES ACTUARIAL FINANCE_ANALYST | ENROLLMENT_ID:n! MEMBER_ID:t*>DIM_MEMBER EFFECTIVE_DATE:d* TERM_DATE:d* PLAN_CODE:t
MEMBER.MART.DIM_PLAN = | | PLAN_CODE:t! METAL_TIER:t MARKET:t
MEMBER.SERVE.V_MEMBER_CONTACT = member_360 | MEMBER_SERVICES PROVIDER_OPS | MEMBER_ID:t*! GIVEN_NAME:t* FAMILY_NAME:t* EMAIL:t* PLAN_CODE:t
CLAIMS.RAW.CLAIM_HEADERS = claims_feed | | CLAIM_NO:t! MEMBER_NO:t* DIAGNOSIS_CODE:t* SERVICE_DATE:d* BILLED_AMOUNT:n LOADED_AT:s
CLAIMS.RAW.CLAIM_LINES = claims_feed | | LINE_ID:n! CLAIM_NO:t PROCEDURE_CODE:t* PAID_AMOUNT:n LOADED_AT:s
CLAIMS.STAGING.STG_CLAIMS = claims_feed | | CLAIM_ID:t! MEMBER_ID:t* DIAGNOSIS_CODE:t* SERVICE_DATE:d* BILLED_AMOUNT:n
CLAIMS.STAGING.STG_CLAIM_LINES = claims_feed | | LINE_ID:n! CLAIM_ID:t PROCEDURE_CODE:t* PAID_AMOUNT:n
CLAIMS.INTERMEDIATE.INT_CLAIM_PRICED = claims_feed | | CLAIM_ID:t! MEMBER_ID:t* ALLOWED_AMOUNT:n PAID_AMOUNT:n
CLAIMS.MART.FCT_CLAIM = claims_core | CLAIMS_ANALYST ACTUARIAL FRAUD | CLAIM_ID:t! MEMBER_ID:t*>DIM_MEMBER DIAGNOSIS_CODE:t* SERVICE_DATE:d* PAID_AMOUNT:n STATUS_CODE:t
CLAIMS.MART.FCT_CLAIM_LINE = claims_core | CLAIMS_ANALYST FRAUD | LINE_ID:n! CLAIM_ID:t>FCT_CLAIM PROCEDURE_CODE:t* PAID_AMOUNT:n
CLAIMS.MART.AGG_LOSS_RATIO = loss_ratio | CLAIMS_ANALYST ACTUARIAL FRAUD | PERIOD_KEY:n! PLAN_CODE:t INCURRED:n EARNED:n SERVICE_YEAR:d
CLAIMS.SERVE.V_CLAIM_SUMMARY = claims_core | CLAIMS_ANALYST | CLAIM_ID:t! DIAGNOSIS_CODE:t* SERVICE_DATE:d* PAID_AMOUNT:n
PROVIDER.RAW.ROSTER = | | PROVIDER_NO:t! SPECIALTY:t NETWORK_CODE:t LOADED_AT:s
PROVIDER.STAGING.STG_PROVIDERS = | | PROVIDER_ID:t! SPECIALTY:t NETWORK_CODE:t
PROVIDER.MART.DIM_PROVIDER = | | PROVIDER_ID:t! SPECIALTY:t NETWORK_CODE:t
PROVIDER.MART.FCT_ENCOUNTER = provider_encounters | PROVIDER_OPS CARE_MGMT | ENCOUNTER_ID:n! MEMBER_ID:t*>DIM_MEMBER PROVIDER_ID:t>DIM_PROVIDER ENCOUNTER_DATE:d* VISIT_NOTE:t*
PHARMACY.RAW.RX_FILLS = pharmacy_feed | | FILL_NO:t! MEMBER_NO:t* DRUG_CODE:t* FILL_DATE:d* COPAY:n LOADED_AT:s
PHARMACY.STAGING.STG_FILLS = pharmacy_feed | | FILL_ID:t! MEMBER_ID:t* DRUG_CODE:t* FILL_DATE:d*
PHARMACY.MART.FCT_FILL = pharmacy_core | PHARMACY_ANALYST ACTUARIAL | FILL_ID:t! MEMBER_ID:t*>DIM_MEMBER DRUG_CODE:t* FILL_DATE:d* COPAY:n
PHARMACY.MART.DIM_DRUG = | | DRUG_CODE:t! DRUG_CLASS:t GENERIC_FLAG:b
CARE.RAW.ASSESSMENTS = care_feed | | ASSESSMENT_NO:t! MEMBER_NO:t* SCORE:n* TAKEN_ON:d* LOADED_AT:s
CARE.STAGING.STG_ASSESSMENTS = care_feed | | ASSESSMENT_ID:t! MEMBER_ID:t* SCORE:n* TAKEN_ON:d*
CARE.MART.FCT_ASSESSMENT = care_management | CARE_MGMT | ASSESSMENT_ID:t! MEMBER_ID:t*>DIM_MEMBER SCORE:n* TAKEN_ON:d*
CARE.MART.DIM_CARE_PLAN = care_management | CARE_MGMT | CARE_PLAN_ID:t! MEMBER_ID:t*>DIM_MEMBER GOAL_TEXT:t* OPENED_ON:d*
CARE.MART.RPT_OUTREACH = | | OUTREACH_ID:t! CHANNEL:t CONTACT_REASON:t
FINANCE.RAW.PREMIUMS = | | INVOICE_NO:t! GROUP_CODE:t AMOUNT:n LOADED_AT:s
FINANCE.STAGING.STG_PREMIUMS = | | INVOICE_ID:t! GROUP_CODE:t AMOUNT:n
FINANCE.MART.FCT_PREMIUM = | | INVOICE_ID:t! GROUP_CODE:t AMOUNT:n PERIOD_KEY:n
ACTUARIAL.STAGING.STG_TRIANGLES = | | TRIANGLE_ID:n! PERIOD_KEY:n LAG_MONTHS:n
ACTUARIAL.MART.FCT_RESERVE = | | RESERVE_ID:n! PERIOD_KEY:n AMOUNT:n
ACTUARIAL.MART.FCT_MEMBER_MONTH = member_360 | ACTUARIAL FINANCE_ANALYST | MONTH_KEY:n! MEMBER_ID:t*>DIM_MEMBER EXPOSURE:n
"""
_LINE = re.compile(r"(\w+)\.(\w+)\.(\w+) = (\w*) ?\|([\w ]*)\| (.+)")
_COLUMN = re.compile(r"(\w+):([tndsb])(\*?)(!?)(?:>(\w+))?\Z")
_FILLER = (
    ("AMOUNT_{}", "n"),
    ("STATUS_CODE_{}", "t"),
    ("LOADED_AT_{}", "s"),
    ("REGION_CODE_{}", "t"),
    ("FLAG_{}", "b"),
)
_MARTS_BELOW = 240


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column; ``refers`` names the mart table a foreign key points to."""

    id: int
    name: str
    type: str
    phi: bool = False
    key: bool = False
    refers: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One table or view (schema SERVE); ``roles`` are the readers its product's contract allows."""

    id: int
    database: str
    schema: str
    name: str
    columns: tuple[TableColumn, ...]
    product: str = ""
    roles: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The qualified name."""
        return f"{self.database}.{self.schema}.{self.name}"

    @property
    def view(self) -> bool:
        """True for a view."""
        return self.schema == "SERVE"

    @property
    def phi(self) -> tuple[TableColumn, ...]:
        """Columns that hold PHI."""
        return tuple(column for column in self.columns if column.phi)

    def column(self, name: str) -> TableColumn:
        """Return a column by name."""
        return next(column for column in self.columns if column.name == name)


@dataclass(frozen=True)
class Catalog:
    """Every table of the account."""

    named: tuple[Table, ...]
    filler: tuple[Table, ...] = field(repr=False)

    @cached_property
    def by_path(self) -> dict[str, Table]:
        """Tables by qualified name."""
        return {table.path: table for table in self.all}

    @property
    def all(self) -> tuple[Table, ...]:
        """Named tables first."""
        return self.named + self.filler


def build_catalog(size: Size) -> Catalog:
    """Return the named model and as many plain tables as ``size`` asks for."""
    named = tuple(_named(number, line) for number, line in enumerate(NAMED.strip().splitlines()))
    count = max(0, size.tables - len(named))
    columns = max(0, size.columns - sum(len(table.columns) for table in named))
    return Catalog(named, tuple(_filler(len(named), count, columns)))


def table_id(number: int) -> int:
    """Return an id the way accounts give them: some beyond 2^53, which a float would spoil."""
    return 18_260_702_004_593_906 + 1024 * number if number % 5 == 0 else 410_626 + 1024 * number


def _named(number: int, line: str) -> Table:
    found = _LINE.match(line)
    if found is None:
        raise ValueError(f"not a table: {line}")
    database, schema, name, product, roles, columns = found.groups()
    return _table(number, (database, schema, name), columns.split(), product, tuple(roles.split()))


def _table(
    number: int, path: tuple[str, str, str], columns: list[str], product: str = "", roles: tuple[str, ...] = ()
) -> Table:
    identity = table_id(number)
    parsed = []
    for at, text in enumerate(columns):
        found = _COLUMN.match(text)
        if found is None:
            raise ValueError(f"not a column: {text}")
        name, kind, phi, key, refers = found.groups()
        parsed.append(TableColumn(identity + 1 + at, name, TYPES[kind], bool(phi), bool(key), refers or ""))
    return Table(identity, *path, tuple(parsed), product, roles)


def _filler(start: int, count: int, columns: int) -> Iterator[Table]:
    """Yield plain tables without PHI, spread over domains and layers; the columns are shared out evenly.

    No more than forty marts of production, whatever the size: each is a model of the dbt project.
    """
    layers = ("RAW", "STAGING", "INTERMEDIATE", "MART", "STAGING")
    prefix = {"RAW": "SRC", "STAGING": "STG", "INTERMEDIATE": "INT", "MART": "RPT"}
    for at in range(count):
        layer = layers[at % len(layers)] if at < _MARTS_BELOW else layers[at % 3]
        database = ("DEV" if at % 11 == 10 else "SANDBOX") if at % 11 >= 9 else DOMAINS[at % len(DOMAINS)]
        share = max(1, columns * (at + 1) // count - columns * at // count)
        spelled = ["ROW_KEY:n!"] + [
            _FILLER[n % 5][0].format(n // 5 + 1) + ":" + _FILLER[n % 5][1] for n in range(share - 1)
        ]
        yield _table(start + at, (database, layer, f"{prefix[layer]}_{database}_{at:04}"), spelled)

"""The statements this account runs, once each: a night draws its statements from them.

A shape is who runs what under which role, the text, and what ACCESS_HISTORY shows of it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from evidence.demo import texts
from evidence.demo.governance import POLICIES, POLICY_DB, POLICY_SCHEMA
from evidence.demo.people import READERS, Person, Workforce
from evidence.demo.tables import DOMAINS, Catalog, Table, TableColumn
from evidence.demo.texts import Phi

UNREAD = frozenset({"RPT_OUTREACH"})  # only plants read it
DBT_TAG = '{"app": "dbt", "target": "prod"}'  # on its night with the invocation's id
_DOMAIN_SPELLINGS = ("Table", "Table", "Table", "TABLE")  # both are seen


@dataclass(frozen=True, slots=True)
class Access:
    """The object lists of one ACCESS_HISTORY row, as JSON text."""

    direct: str = "[]"
    base: str = "[]"
    modified: str = "[]"
    ddl: str | None = None
    policies: str = "[]"


@dataclass(frozen=True, slots=True)
class Shape:
    """One statement. ``access`` is None for what ACCESS_HISTORY does not show (failures, SHOW, account usage)."""

    user: str
    role: str
    kind: str
    text: str
    database: str | None = None
    schema: str | None = None
    warehouse: str | None = None
    access: Access | None = None
    error: tuple[str, str] | None = None
    binds: str | None = None
    tag: str | None = None
    agent: str | None = None
    secondary: str | None = None
    service: bool = False
    rows: int | None = 1  # that went to the result
    unloaded: int | None = None  # rows that went to a stage


def build_shapes(workforce: Workforce, catalog: Catalog, phi: Phi, *, each: int = 24) -> list[Shape]:
    """Return ``each`` shapes for every person, and the fixed ones of services."""
    random = phi.random
    makers = _Makers(catalog, phi)
    shapes = [shape for person in workforce.people for shape in makers.person(person, each)]
    shapes += [shape for service in workforce.services for shape in makers.service(service)]
    random.shuffle(shapes)
    return shapes


def reading(
    table: Table,
    columns: Sequence[str],
    *,
    through: Table | None = None,
    spelling: str = "Table",
    indent: int | None = None,
) -> Access:
    """Return what a SELECT of ``columns`` shows; ``through`` is the view that was named."""
    base = [element(table, columns, spelling)]
    direct = (
        [element(through, [c for c in columns if any(c == v.name for v in through.columns)], "View")]
        if through
        else base
    )
    policies = _policies(through or table, columns)
    spelled = [json.dumps(part, indent=indent) for part in (direct, base, policies)]
    return Access(direct=spelled[0], base=spelled[1], policies=spelled[2])


def element(table: Table, columns: Sequence[str], spelling: str = "Table") -> dict[str, Any]:
    """Return one element of an object list."""
    listed = [{"columnId": table.column(name).id, "columnName": name} for name in columns]
    return {"objectDomain": spelling, "objectId": table.id, "objectName": table.path, "columns": listed}


def _policies(table: Table, columns: Sequence[str]) -> list[dict[str, Any]]:
    masked = [column for column in table.phi if column.name in columns]
    if not masked:
        return []
    listed = []
    for column in masked:
        name, identity, *_ = POLICIES[column.type]
        policy = {
            "policyName": f"{POLICY_DB}.{POLICY_SCHEMA}.{name}",
            "policyId": identity,
            "policyKind": "MASKING_POLICY",
        }
        listed.append({"columnId": column.id, "columnName": column.name, "policies": [policy]})
    found: dict[str, Any] = {
        "objectDomain": "View" if table.view else "Table",
        "objectId": table.id,
        "objectName": table.path,
    }
    return [found | {"columns": listed}]


def builds(catalog: Catalog) -> Iterator[Shape]:
    """Yield the nightly builds: each layer reads the one before it in its domain."""
    order = ("RAW", "STAGING", "INTERMEDIATE", "MART")
    for domain in DOMAINS:
        tables = [t for t in catalog.named if t.database == domain and t.schema in order]
        for target in tables:
            sources = [t for t in tables if order.index(t.schema) < order.index(target.schema)]
            if sources:
                yield build_of(sources[-1], target)


def build_of(source: Table, target: Table, origins: Mapping[str, str] | None = None) -> Shape:
    """Return the build of a table from another; ``origins`` says from which column one comes, if not from one of its kind."""
    read = [column.name for column in source.columns]
    columns = []
    for column in target.columns:
        origin = (origins or {}).get(column.name) or _origin(source, column)
        first = {"objectDomain": "Table", "objectId": source.id, "objectName": source.path, "columnName": origin}
        sources = [first] if origin else []
        columns.append(
            {"columnId": column.id, "columnName": column.name, "directSources": sources, "baseSources": sources}
        )
    written = {"objectDomain": "Table", "objectId": target.id, "objectName": target.path, "columns": columns}
    access = reading(source, read)
    text = f"MERGE INTO {target.path} T USING (SELECT * FROM {source.path}) S ON T.{target.columns[0].name} = S.{read[0]} WHEN MATCHED THEN UPDATE SET T.V = S.V"
    return Shape(
        user="DBT_PROD",
        role="DBT_PROD",
        kind="MERGE",
        text=text,
        database=target.database,
        schema=target.schema,
        warehouse=_SERVICE_WAREHOUSES["DBT_PROD"],
        access=Access(access.direct, access.base, json.dumps([written]), None, access.policies),
        tag=DBT_TAG,
        service=True,
    )


def _origin(source: Table, column: TableColumn) -> str:
    """Return the column that one is made from: of the same name, else the first that holds PHI as it does, or as it does not."""
    alike = [c.name for c in source.columns if c.phi == column.phi]
    return column.name if column.name in alike else next(iter(alike), "")


def dbt_tag(invocation: str) -> str:
    """Return the query tag that dbt sets on the statements of an invocation."""
    return f'{{"app": "dbt", "target": "prod", "invocation_id": "{invocation}"}}'


class _Makers:
    """Shapes per kind of actor; holds the catalog sorted by what a role may read."""

    def __init__(self, catalog: Catalog, phi: Phi) -> None:
        self._catalog, self._phi, self._random = catalog, phi, phi.random
        plain = [t for t in catalog.filler if t.schema == "MART"]
        self._readable: Mapping[str, list[Table]] = {
            role: [t for t in catalog.named if role in t.roles]
            + [
                t
                for t in catalog.named
                if t.name not in UNREAD and not t.product and t.schema == "MART" and t.database in domains
            ]
            + [t for t in plain if t.database in domains][:40]
            for role, domains in READERS.items()
        }
        self._sandbox = [t for t in catalog.filler if t.database in {"DEV", "SANDBOX"}][:60]

    def person(self, person: Person, each: int) -> Iterator[Shape]:
        """Yield what a person runs."""
        if person.role not in READERS:
            yield from (
                self._engineer(person) if person.role != "SYSADMIN" else self._admin(person) for _ in range(each)
            )
            return
        tables = self._readable[person.role]
        for number in range(each):
            if number % 12 == 11:
                text, message = texts.failure(self._phi)
                yield self._shape(person, "SELECT", text, error=("100038", message))
            elif number % 12 == 7:
                yield self._shape(person, "SHOW", "SHOW TABLES LIKE 'FCT%'")
            else:
                yield self._select(person, tables[(number + person.offset) % len(tables)])

    def service(self, service: Person) -> Iterator[Shape]:
        """Yield what a service runs."""
        match service.user:
            case "FIVETRAN":
                for table in self._catalog.named:
                    if table.schema == "RAW":
                        yield self._load(service, table)
            case "SNOWPIPE":
                raw = next(t for t in self._catalog.named if t.path == "PROVIDER.RAW.ROSTER")
                yield self._load(service, raw)
            case "DBT_PROD":
                yield from builds(self._catalog)
            case "TABLEAU":
                tables = [t for t in self._catalog.named if t.database == "FINANCE" and t.schema == "MART"]
                yield from (self._select(service, table) for table in tables)
            case "CI_RUNNER":
                yield from (self._engineer(service) for _ in range(4))
            case "EVIDENCE_COLLECTOR":
                text = "SELECT USER_ID, NAME, TYPE FROM SNOWFLAKE.ACCOUNT_USAGE.USERS"
                yield self._shape(service, "SELECT", text, database="SNOWFLAKE", tag="evidence/run")
            case "TERRAFORM":
                yield self._shape(service, "SHOW", "SHOW GRANTS ON DATABASE FINANCE")
                yield self._shape(service, "ALTER_WAREHOUSE_SUSPEND", "ALTER WAREHOUSE WH_DBT SUSPEND")
            case _:
                yield self._shape(service, "SHOW", "SHOW WAREHOUSES")

    def _select(self, person: Person, table: Table) -> Shape:
        random = self._random
        names = [column.name for column in table.columns]
        chosen = names if random.random() < 0.2 else names[: random.randrange(1, len(names) + 1)]
        base = self._base(table)
        columns = [name for name in chosen if any(name == column.name for column in base.columns)]
        indent = 2 if random.random() < 0.3 else None
        access = reading(
            base,
            columns,
            through=table if base is not table else None,
            spelling=random.choice(_DOMAIN_SPELLINGS),
            indent=indent,
        )
        sensitive = bool(table.phi) and random.random() < 0.6
        text = (
            texts.lookup(self._phi, table.path, chosen)
            if sensitive
            else f"SELECT {', '.join(chosen)} FROM {table.path}"
        )
        binds = texts.binds(self._phi) if sensitive and random.random() < 0.3 else None
        tag = None
        if sensitive and random.random() < 0.1:
            who = self._phi.patient()
            self._phi.plant(who.record)
            tag = f"case {who.record}"
        # Whole records are looked at in previews only.
        rows = 1 + len(text) * 7 % (50 if len(columns) * 10 >= len(base.columns) * 9 else 500)
        return self._shape(person, "SELECT", text, table=table, access=access, binds=binds, tag=tag, rows=rows)

    def _base(self, table: Table) -> Table:
        views = {
            "MEMBER.SERVE.V_MEMBER_CONTACT": "MEMBER.MART.DIM_MEMBER",
            "CLAIMS.SERVE.V_CLAIM_SUMMARY": "CLAIMS.MART.FCT_CLAIM",
        }
        return self._catalog.by_path[views[table.path]] if table.path in views else table

    def _engineer(self, person: Person) -> Shape:
        if not self._sandbox:
            return self._shape(person, "SHOW", "SHOW SCHEMAS IN DATABASE DEV")
        table = self._random.choice(self._sandbox)
        columns = [column.name for column in table.columns]
        odd = _odd(self._random, table, columns)
        return self._shape(
            person,
            "CREATE_TABLE_AS_SELECT",
            f"CREATE TABLE {table.path}_V2 AS SELECT * FROM {table.path}",
            table=table,
            access=odd,
        )

    def _admin(self, person: Person) -> Shape:
        kind, text = self._random.choice(
            (
                ("SHOW", "SHOW GRANTS TO ROLE PUBLIC"),
                ("GRANT", "GRANT ROLE FINANCE_MART_R TO ROLE PROJECT_00"),
                ("ALTER_USER", "ALTER USER IDENTIFIER('ABEL.OKONJO') SET DEFAULT_WAREHOUSE = WH_FINANCE"),
                ("DESCRIBE", "DESCRIBE NETWORK POLICY INTERNAL_ONLY"),
            )
        )
        return self._shape(person, kind, text)

    def _load(self, service: Person, table: Table) -> Shape:
        stage = {"objectDomain": "Stage", "objectName": f"{table.database}.RAW.INBOUND", "stageKind": "External Named"}
        place = {"locations": [f"s3://fernhollow-landing/{table.database.lower()}/"]}
        into = element(table, [column.name for column in table.columns])
        listed = json.dumps([stage, place], indent=2)
        access = Access(direct=listed, base=listed, modified=json.dumps([into]))
        kind, text = "COPY", texts.upload(self._phi, table.path)
        if self._random.random() < 0.4:
            kind, text = "INSERT", texts.correction(self._phi, table.path)
        return self._shape(service, kind, text, table=table, access=access)

    def _shape(
        self,
        person: Person,
        kind: str,
        text: str,
        *,
        table: Table | None = None,
        database: str | None = None,
        **extra: Any,
    ) -> Shape:
        service = person.every == 1 and person.user in _SERVICE_WAREHOUSES
        warehouse = _SERVICE_WAREHOUSES.get(person.user, f"WH_{person.role}")
        return Shape(
            user=person.user,
            role=person.role,
            kind=kind,
            text=text,
            database=table.database if table else database,
            schema=table.schema if table else None,
            warehouse=None if kind in {"SHOW", "DESCRIBE"} else warehouse,
            service=service,
            **extra,
        )


_SERVICE_WAREHOUSES = {
    "FIVETRAN": "WH_LOAD",
    "SNOWPIPE": "WH_LOAD",
    "DBT_PROD": "WH_DBT",
    "CI_RUNNER": "WH_CI",
    "TABLEAU": "WH_TABLEAU",
    "AIRFLOW": "WH_DBT",
    "DATADOG": "WH_OPS",
    "TERRAFORM": "WH_OPS",
    "EVIDENCE_COLLECTOR": "EVIDENCE_WH",
}


def _odd(random: Random, table: Table, columns: Sequence[str]) -> Access:
    """Return object lists in the shapes real accounts show: no id, quoted names with dots, a function, a file."""
    usual = element(table, columns, random.choice(("Table", "TABLE", "table")))
    quoted = {
        "objectDomain": "Table",
        "objectName": f'{table.database}.{table.schema}."Rpt.weekly ""v2"""',
        "columns": [],
    }
    function = {
        "objectDomain": "FUNCTION",
        "objectId": "1842",
        "objectName": f"{table.database}.{table.schema}.CLEAN",
        "argumentSignature": "(V VARCHAR)",
        "dataType": "VARCHAR",
    }
    local = {"objectDomain": "Stage", "location": "file://extract.csv", "stageKind": "User"}
    swap = {
        "objectDomain": "Table",
        "objectId": table.id,
        "objectName": table.path,
        "operationType": "ALTER",
        "properties": {"objectName": {"value": f"{table.path}_OLD"}},
    }
    extra = random.choice(([], [quoted], [function], [local]))
    listed = json.dumps([usual, *extra], indent=random.choice((None, 2)))
    ddl = json.dumps(swap) if random.random() < 0.2 else None
    return Access(direct=listed, base=json.dumps([usual]), modified=json.dumps([quoted]), ddl=ddl)

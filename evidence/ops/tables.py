"""The tables and views of the OPS mirror, as data: what DDL, MERGE and comparison are made of. Pure.

The mirror is a copy for dashboards and for SQL beside other data. Nothing is proved by it: the log proves, and ``evidence publish --check``
says where the copy differs. Identifiers are upper case and unquoted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, Snowflake type, whether it is part of the key."""

    name: str
    type: str
    key: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the mirror."""

    name: str
    about: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order: the order of rows."""
        return tuple(column.name for column in self.columns)

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the key's columns."""
        return tuple(column.name for column in self.columns if column.key)


def _columns(text: str) -> tuple[Column, ...]:
    """Read ``NAME TYPE`` pairs, separated by commas; a star before the name marks the key."""
    found = []
    for part in text.split(","):
        name, type_ = part.split()
        found.append(Column(name.removeprefix("*"), type_, key=name.startswith("*")))
    return tuple(found)


TABLES: Final = (
    Table(
        "RECEIPTS",
        "one row per sealed snapshot: what was read, when, with what outcome",
        _columns(
            "*ORIGIN TEXT,*LOG_INDEX INTEGER,SOURCE TEXT,DATASET TEXT,NIGHT DATE,REVISION INTEGER,KIND TEXT,STATUS TEXT,FINALITY TEXT,"
            "LATE BOOLEAN,LANDED INTEGER,QUARANTINED INTEGER,COLLECTED_AT TEXT,ROWS_DIGEST TEXT,MANIFEST_SHA256 TEXT"
        ),
    ),
    Table(
        "FINDINGS",
        "one row per control, night and revision of the night's assessment",
        _columns(
            "*ORIGIN TEXT,*LOG_INDEX INTEGER,*CONTROL TEXT,NIGHT DATE,REVISION INTEGER,VERSION TEXT,CONTENT_SHA256 TEXT,SEVERITY TEXT,STATUS TEXT,"
            "REASON TEXT,DETAIL TEXT,POPULATION INTEGER,PASSED INTEGER,EXCEPTIONS INTEGER,WAIVED INTEGER,REVIEWS INTEGER,FINGERPRINT TEXT"
        ),
    ),
    Table(
        "EXCEPTIONS",
        "one row per item that did not pass: exceptions, and items that wait for a person",
        _columns(
            "*ORIGIN TEXT,*LOG_INDEX INTEGER,*CONTROL TEXT,*ITEM TEXT,*REASON TEXT,*NUMBER INTEGER,NIGHT DATE,REVISION INTEGER,KIND TEXT,OBSERVED TEXT,"
            "EXPECTED TEXT,WAIVER TEXT"
        ),
    ),
    Table(
        "LEDGER",
        "one row per entry of the log; written last, so that its highest index says how far the others are",
        _columns(
            "*ORIGIN TEXT,*LOG_INDEX INTEGER,TYPE TEXT,ENTRY_KEY TEXT,OBJECT_PATH TEXT,OBJECT_SHA256 TEXT,OBJECT_BYTES INTEGER,BODY TEXT,"
            "ENTRY_SHA256 TEXT"
        ),
    ),
)

VIEWS: Final = {
    "LATEST_FINDINGS": (
        "each control's last revision of each night",
        "SELECT * FROM {schema}.FINDINGS QUALIFY ROW_NUMBER() OVER (PARTITION BY ORIGIN, CONTROL, NIGHT ORDER BY REVISION DESC) = 1",
    ),
    "COVERAGE": (
        "nights and outcomes per source and dataset, by the last revision of each window",
        ("SELECT ORIGIN, SOURCE, DATASET, MIN(NIGHT) AS FIRST_NIGHT, MAX(NIGHT) AS LAST_NIGHT, COUNT(*) AS NIGHTS, "
        "COUNT_IF(STATUS = 'complete') AS COMPLETE, SUM(LANDED) AS LANDED, SUM(QUARANTINED) AS QUARANTINED FROM "
        "(SELECT * FROM {schema}.RECEIPTS QUALIFY ROW_NUMBER() OVER (PARTITION BY ORIGIN, SOURCE, DATASET, NIGHT ORDER BY REVISION DESC) = 1) "
        "GROUP BY ORIGIN, SOURCE, DATASET"),
    ),
    "TREND": (
        "controls by status, and exceptions, night by night",
        ("SELECT ORIGIN, NIGHT, COUNT_IF(STATUS = 'satisfied') AS SATISFIED, COUNT_IF(STATUS = 'not-satisfied') AS NOT_SATISFIED, "
        "COUNT_IF(STATUS = 'not-assessed') AS NOT_ASSESSED, SUM(EXCEPTIONS) AS EXCEPTIONS, SUM(EXCEPTIONS - WAIVED) AS OPEN_EXCEPTIONS "
        "FROM {schema}.LATEST_FINDINGS GROUP BY ORIGIN, NIGHT"),
    ),
    "OPEN_EXCEPTIONS": (
        "exceptions of each control's last concluded night that no waiver accepts",
        ("SELECT E.ORIGIN, E.CONTROL, F.SEVERITY, E.ITEM, E.REASON, E.OBSERVED, E.EXPECTED, E.NIGHT FROM {schema}.EXCEPTIONS E "
        "JOIN (SELECT * FROM {schema}.LATEST_FINDINGS WHERE STATUS IN ('satisfied', 'not-satisfied') "
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY ORIGIN, CONTROL ORDER BY NIGHT DESC) = 1) F "
        "ON E.ORIGIN = F.ORIGIN AND E.LOG_INDEX = F.LOG_INDEX AND E.CONTROL = F.CONTROL WHERE E.KIND = 'exception' AND E.WAIVER IS NULL"),
    ),
}  # fmt: skip


def ddl(schema: str) -> Iterator[str]:
    """Yield the statements that make the mirror in ``schema`` (DATABASE.SCHEMA); each may be run again."""
    database = schema.split(".", maxsplit=1)[0]
    yield f"CREATE DATABASE IF NOT EXISTS {database}"
    yield f"CREATE SCHEMA IF NOT EXISTS {schema}"
    for table in TABLES:
        columns = ", ".join(f"{c.name} {c.type}{' NOT NULL' if c.key else ''}" for c in table.columns)
        yield f"CREATE TABLE IF NOT EXISTS {schema}.{table.name} ({columns})"
    for name, (_, select) in VIEWS.items():
        yield f"CREATE OR REPLACE VIEW {schema}.{name} AS {select.format(schema=schema)}"


def staging(schema: str, table: Table) -> str:
    """Return the statement that makes an empty temporary table beside ``table``: it needs no privilege and ends with the session."""
    columns = ", ".join(f"{c.name} {c.type}" for c in table.columns)
    return f"CREATE OR REPLACE TEMPORARY TABLE {schema}.NEW_{table.name} ({columns})"


def insert(schema: str, table: Table, rows: int) -> str:
    """Return the statement that puts ``rows`` bound rows into the temporary table."""
    values = ", ".join([f"({', '.join('?' * len(table.columns))})"] * rows)
    return f"INSERT INTO {schema}.NEW_{table.name} ({', '.join(table.names)}) VALUES {values}"


def merge(schema: str, table: Table) -> str:
    """Return the statement that merges the temporary table into ``table``: rows that are there and the same are left alone."""
    on = " AND ".join(f"t.{name} = s.{name}" for name in table.keys)
    rest = [name for name in table.names if name not in table.keys]
    differs = " OR ".join(f"t.{name} IS DISTINCT FROM s.{name}" for name in rest)
    sets = ", ".join(f"{name} = s.{name}" for name in rest)
    new = ", ".join(f"s.{name}" for name in table.names)
    return (
        f"MERGE INTO {schema}.{table.name} t USING {schema}.NEW_{table.name} s ON {on} "
        f"WHEN MATCHED AND ({differs}) THEN UPDATE SET {sets} "
        f"WHEN NOT MATCHED THEN INSERT ({', '.join(table.names)}) VALUES ({new})"
    )


def select(schema: str, table: Table) -> str:
    """Return the query of the rows of one origin from one index up to, not including, another; all three are bound."""
    names = ", ".join(table.names)
    return f"SELECT {names} FROM {schema}.{table.name} WHERE ORIGIN = ? AND LOG_INDEX >= ? AND LOG_INDEX < ?"


def needed(schema: str) -> Iterator[tuple[Sequence[str], str, str]]:
    """Yield (privileges, kind of object, its name) that whoever publishes needs: no DELETE, no TRUNCATE, no ownership."""
    yield ("USAGE",), "DATABASE", schema.split(".", maxsplit=1)[0]
    yield ("USAGE",), "SCHEMA", schema
    for table in TABLES:
        yield ("SELECT", "INSERT", "UPDATE"), "TABLE", f"{schema}.{table.name}"


def grants(schema: str, role: str) -> Sequence[str]:
    """Return the statements that give ``role`` what it needs to publish."""
    return [
        f"GRANT {', '.join(privileges)} ON {kind} {name} TO ROLE {role}" for privileges, kind, name in needed(schema)
    ]

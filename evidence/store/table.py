"""``snowflake:CONNECTION/DB.SCHEMA.TABLE`` destinations: each checkpoint is a row of a table that only grows.

::

    CREATE TABLE EVIDENCE.OPS.CHECKPOINTS (ORIGIN TEXT NOT NULL, LOG_SIZE NUMBER(18) NOT NULL, ROOT TEXT NOT NULL,
                                           CHECKPOINT TEXT NOT NULL, SENT_AT TIMESTAMP_TZ NOT NULL);
    GRANT SELECT, INSERT ON TABLE EVIDENCE.OPS.CHECKPOINTS TO ROLE …;

What makes it grow only is that the role has neither UPDATE, DELETE, TRUNCATE nor OWNERSHIP. The connection is a name in
connections.toml, never the collector's own: who reads the account's evidence should not write to the account.
"""

import base64
import re
from collections.abc import Callable
from typing import Any, Final

from evidence.errors import ConfigError, StoreConflictError, StoreError
from evidence.tlog.checkpoint import parse_unverified

_REF: Final = re.compile(r"([A-Za-z0-9_-]+)/((?:[A-Za-z_][A-Za-z0-9_$]*\.){2}[A-Za-z_][A-Za-z0-9_$]*)")

Connect = Callable[[str], Any]  # a name in connections.toml -> a DB-API connection with paramstyle qmark


def refused(where: str, exc: Exception, fix: str) -> StoreError:
    """Return what a connector raised as its kind and number alone: its messages may hold host, user and statement."""
    number = getattr(exc, "errno", None)
    return StoreError(f"{where}: {type(exc).__name__}{f' {number}' if number else ''}", fix=fix)


class TableDestination:
    """``CONNECTION/DB.SCHEMA.TABLE``. A row that is there is not written again; another of its size is a conflict."""

    def __init__(self, ref: str, connect: Connect) -> None:
        match = _REF.fullmatch(ref)
        if match is None:
            raise ConfigError(
                f"log.checkpoints: snowflake:{ref} is no table",
                fix="write snowflake:CONNECTION/DB.SCHEMA.TABLE, the connection being a name in connections.toml",
            )
        self._connection, self._table = match.groups()
        self._connect = connect
        self.where = f"snowflake:{ref}"

    def send(self, signed: str) -> None:
        """See :class:`Destination`."""
        try:
            connection = self._connect(self._connection)
            try:
                self._write(connection.cursor(), signed)
            finally:
                connection.close()
        except StoreError:
            raise
        except Exception as exc:  # noqa: BLE001 - the connector's messages may hold host, user and statement
            fix = "grant the connection's role SELECT and INSERT on the table, and USAGE on its database and schema"
            raise refused(self.where, exc, fix) from None

    def _write(self, cursor: Any, signed: str) -> None:
        head = parse_unverified(signed)
        cursor.execute(
            f"SELECT CHECKPOINT FROM {self._table} WHERE ORIGIN = ? AND LOG_SIZE = ?", (head.origin, head.size)
        )
        kept = {row[0] for row in cursor.fetchall()}
        if kept - {signed}:
            raise StoreConflictError(
                f"{self.where} holds another checkpoint of size {head.size}",
                fix="stop; keep both and find out who else signs: they may be two histories of one log",
            )
        if not kept:
            root = base64.b64encode(head.root).decode()
            cursor.execute(
                f"INSERT INTO {self._table} (ORIGIN, LOG_SIZE, ROOT, CHECKPOINT, SENT_AT) "
                "VALUES (?, ?, ?, ?, CURRENT_TIMESTAMP())",
                (head.origin, head.size, root, signed),
            )

"""The script an administrator runs once for the OPS mirror: schema, tables, views, a role that cannot delete, backups that nobody can. Pure.

Facts: Snowflake, "CREATE BACKUP POLICY" and "CREATE BACKUP SET": a policy has a schedule or an expiry or both, RETENTION LOCK needs Business Critical and
cannot be taken off; "CREATE TABLE": a temporary table needs no privilege on its schema.
"""

from collections.abc import Iterator

from evidence.ops.tables import ddl, grants

DAYS = 3653  # a backup's life under the lock


def script(
    schema: str,
    role: str = "EVIDENCE_PUBLISHER",
    user: str = "EVIDENCE_PUBLISHER",
    days: int = DAYS,
    warehouse: str = "EVIDENCE_WH",
) -> str:
    """Return the statements with a line of reason each, in the order to run them."""
    return "\n".join(_lines(schema, role, user, days, warehouse)) + "\n"


def _lines(schema: str, role: str, user: str, days: int, warehouse: str) -> Iterator[str]:
    yield f"-- The mirror of `evidence publish` in {schema}. Run as a role that may create databases; each statement may be run again."
    yield from (f"{statement};" for statement in ddl(schema))
    yield "\n-- Who publishes may add and correct rows, and never delete, truncate or own. Not the collector: who reads the account does not write to it."
    yield f"CREATE ROLE IF NOT EXISTS {role};"
    yield f"CREATE USER IF NOT EXISTS {user} TYPE = SERVICE DEFAULT_ROLE = {role} DEFAULT_WAREHOUSE = {warehouse};  -- then ALTER USER … SET RSA_PUBLIC_KEY"
    yield f"GRANT ROLE {role} TO USER {user};"
    yield f"GRANT USAGE ON WAREHOUSE {warehouse} TO ROLE {role};  -- a merge needs one; the collector's will do"
    yield from (f"{statement};" for statement in grants(schema, role))
    yield "\n-- Backups under a retention lock (Business Critical). NOBODY can take the lock off or shorten it, Snowflake's support neither. Read twice."
    yield f"-- CREATE BACKUP POLICY IF NOT EXISTS {schema}.EVIDENCE_DAILY WITH RETENTION LOCK SCHEDULE = '1440 MINUTE' EXPIRE_AFTER_DAYS = {days};"
    yield f"-- CREATE BACKUP SET IF NOT EXISTS {schema}.EVIDENCE_OPS FOR SCHEMA {schema} WITH BACKUP POLICY {schema}.EVIDENCE_DAILY;"
